//! Writes integer arithmetic for a runtime that computes some of it in `f32`, and refuses what would be wrong.
//!
//! OpenVINO computes `i64` in `i32`. Sums, differences, products, bitwise ops, Max, Min, CumSum, TopK and ops that move elements
//! are exact there. Comparisons, quotients, reductions, products of matrices and the padding of Pad go through `f32`. Numbers
//! below 2^24 are exact in it, so an op on numbers with a known range stays; other ops become exact ones.

use super::Context;
use super::integer_nodes::{Nodes, READS_SIGN};
use super::integer_ranges::{Range, Ranges, SMALL, size};
use crate::diagnostic::{Diagnostic, catalog};
use crate::ir::{
    Attribute, Data, Dim, Element, Module, OpId, OpName, Rewriter, TensorType, ValueId, axis_index, onnx,
};
use crate::target::{Capability, Target};

/// The most products of a MatMul that are written one by one.
const PRODUCTS: i64 = 1 << 22;
/// The longest product of elements.
const FACTORS: i64 = 1 << 10;

/// Runs the pass on all functions.
pub fn run(module: &mut Module, cx: &mut Context) {
    let Some(target) = cx.options.target.filter(|target| !target.can(Capability::ExactIntegers)) else {
        return;
    };
    let mut pass = Exact { ranges: Ranges::new(cx.source), target, refused: Vec::new() };
    for function in module.functions() {
        Rewriter::new(module).function(function, &mut |rewriter, op| pass.visit(rewriter, op));
    }
    cx.diagnostics.extend(pass.refused);
}

struct Exact<'s> {
    ranges: Ranges<'s>,
    target: Target,
    refused: Vec<Diagnostic>,
}

/// Why an op has no exact form.
type Refusal = &'static str;

impl Exact<'_> {
    /// Rewrites an op. Returns whether it stays.
    fn visit(&mut self, rewriter: &mut Rewriter, op: OpId) -> bool {
        self.ranges.visit(rewriter.module, op);
        match self.exact(rewriter, op) {
            Ok(None) => true,
            Ok(Some(value)) => {
                let result = rewriter.module.op(op).results[0];
                self.ranges.inherit(result, value);
                rewriter.replace(result, value);
                false
            }
            Err(why) => {
                let name = self.target.to_string();
                let (node, at) = (rewriter.module.op(op).name.mnemonic(), rewriter.module.span(op).name);
                let refusal = catalog::WrongOnTarget { op: node, target: &name, why, at };
                self.refused.push(rewriter.module.located(op, refusal));
                true
            }
        }
    }

    /// An exact form of an op, if it needs one.
    fn exact(&self, rewriter: &mut Rewriter, op: OpId) -> Result<Option<ValueId>, Refusal> {
        let module = &*rewriter.module;
        let operation = module.op(op);
        if let Some(why) = self.clamped(module, op) {
            return Err(why);
        }
        if operation.name == onnx::WHERE {
            return Ok(self.selected(rewriter, op));
        }
        let Some(&first) = operation.operands.first() else { return Ok(None) };
        let Some(tensor) = module.tensor(first) else { return Ok(None) };
        let (element, name) = (tensor.element, operation.name);
        let of = |index: usize| operation.operands.get(index).map(|&value| self.ranges.of(module, value));
        let is_small = |index: usize| of(index).is_none_or(Range::is_small);
        if element == Element::U64 {
            let reads_sign = READS_SIGN.contains(&name);
            let is_natural = |index: usize| of(index).is_none_or(Range::is_natural);
            if reads_sign && !(is_natural(0) && is_natural(1)) {
                return Err("computes `ui64` in `i32`");
            }
        }
        if name == onnx::CAST && element.is_float() {
            return Ok(saturated(rewriter, op));
        }
        if !matches!(element, Element::I32 | Element::I64 | Element::U64) {
            return Ok(None);
        }
        if name == onnx::CAST {
            let to = operation.results.first().and_then(|&result| module.tensor(result)).map(|to| to.element);
            let range = self.ranges.of(module, first);
            let fits = |to: Element| Range::of(to).low <= range.low && range.high <= Range::of(to).high;
            let wraps = to.filter(|&to| to.is_integer() && to.bits() == 16 && !fits(to));
            return Ok(wraps.map(|to| wrapped(rewriter, element, first, to)));
        }
        let operands = operation.operands.clone();
        let second = || operands.get(1).copied().ok_or("has no such form");
        let Some(&result) = operation.results.first() else { return Ok(None) };
        let is_exact = || self.ranges.of(module, result).is_small();
        Ok(match name {
            onnx::EQUAL | onnx::LESS | onnx::LESS_OR_EQUAL | onnx::GREATER | onnx::GREATER_OR_EQUAL
                if !is_small(0) && !is_small(1) =>
            {
                Some(compare(rewriter, element, name, first, second()?))
            }
            onnx::DIV if !is_small(0) && !divides_exactly(module, first, second()?) => {
                Some(divide(rewriter, element, first, second()?).0)
            }
            onnx::MOD => {
                let truncates = module.attribute(op, "fmod").and_then(Attribute::as_integer) == Some(1);
                let is_natural = of(0).is_some_and(Range::is_natural) && of(1).is_some_and(Range::is_natural);
                let total = of(0).zip(of(1)).map(|(a, b)| a.magnitude().saturating_add(b.magnitude()));
                let is_sum_small = total.is_some_and(|total| total < SMALL);
                if is_small(0) && (truncates || is_natural || is_sum_small) {
                    return Ok(None);
                }
                let divisor = second()?;
                let rest = divide(rewriter, element, first, divisor).1;
                let keeps = truncates || is_natural;
                Some(if keeps { rest } else { floored(rewriter, element, rest, divisor) })
            }
            onnx::CLIP if !(is_small(1) && is_small(2)) => {
                let mut value = first;
                for (index, of) in [(1, onnx::MAX), (2, onnx::MIN)] {
                    if let Some(&bound) =
                        operands.get(index).filter(|&&bound| bound != rewriter.module.absent())
                    {
                        value = extremum(rewriter, element, of, value, bound);
                    }
                }
                Some(value)
            }
            onnx::MAX | onnx::MIN if clamps(module, op) && !(is_small(0) && is_small(1)) => {
                Some(extremum(rewriter, element, name, first, second()?))
            }
            onnx::REDUCE_SUM if !is_exact() => Some(last_sums(rewriter, op).ok_or(REDUCES)?),
            onnx::REDUCE_MAX | onnx::REDUCE_MIN if !is_small(0) => {
                Some(extremes(rewriter, op).ok_or(REDUCES)?)
            }
            onnx::REDUCE_PROD if !is_exact() => Some(product(rewriter, op).ok_or(REDUCES)?),
            onnx::REDUCE_MEAN | onnx::POW | onnx::GEMM | onnx::REDUCE_SUM_SQUARE if !is_exact() => {
                return Err("computes integers in `f32`");
            }
            onnx::MAT_MUL if !is_exact() => {
                Some(products(rewriter, op).ok_or("computes products of integer matrices in `f32`")?)
            }
            onnx::PAD if operands.get(2).is_some() && !is_small(2) => {
                let padding = operands[2];
                let less = Nodes::new(rewriter, element).sub(first, padding);
                let mut inputs = operands.to_vec();
                inputs[0] = less;
                inputs[2] = rewriter.module.absent();
                let padded = rewriter.create_like(op, &inputs).like(result);
                Some(Nodes::new(rewriter, element).add(padded, padding))
            }
            _ => None,
        })
    }

    /// A selection of large integers. The runtime computes a comparison and the selection that alone reads it as one node, in
    /// `f32`, unless a Not is between them.
    fn selected(&self, rewriter: &mut Rewriter, op: OpId) -> Option<ValueId> {
        let module = &*rewriter.module;
        let &[condition, yes, no] = &module.op(op).operands[..] else { return None };
        let element = module.tensor(yes)?.element;
        let is_small = [yes, no].into_iter().all(|value| self.ranges.of(module, value).is_small());
        let test = module.op(module.defining_op(condition)?).name;
        let is_fused = element.is_integer() && element.bits() > 16 && !is_small && COMPARES.contains(&test);
        is_fused.then(|| {
            let mut nodes = Nodes::new(rewriter, element);
            let opposite = nodes.test(onnx::NOT, &[condition]);
            nodes.select(opposite, no, yes)
        })
    }

    /// Why a node reads a constant incorrectly, if it does.
    fn clamped(&self, module: &Module, op: OpId) -> Option<Refusal> {
        let operation = module.op(op);
        let is_beyond = |(index, &value): (usize, &ValueId)| {
            // A loop of 2^31 steps does not end, an end of a Slice may be any large number, and a bound beyond all numbers does
            // not matter.
            let is_harmless = match operation.name {
                onnx::LOOP => index == 0,
                onnx::SLICE => true,
                onnx::MIN => self.ranges.of(module, value).low > 0,
                onnx::MAX => self.ranges.of(module, value).high < 0,
                onnx::CLIP => index > 0 && (index == 2) == (self.ranges.of(module, value).low > 0),
                _ => false,
            };
            let is_constant = module.constant_of(value).is_some()
                && module.tensor(value).is_some_and(|tensor| tensor.element.is_integer());
            let range = self.ranges.of(module, value);
            let is_within = range.low >= i64::from(i32::MIN) && range.high <= i64::from(i32::MAX);
            is_constant && !is_harmless && !is_within
        };
        operation
            .operands
            .iter()
            .enumerate()
            .any(is_beyond)
            .then_some("clamps integer constants to the range of `i32`")
    }
}

const REDUCES: Refusal = "reduces integers in `f32`";

/// Ops that are computed together with a selection.
const COMPARES: &[OpName] = &[
    onnx::EQUAL,
    onnx::GREATER,
    onnx::GREATER_OR_EQUAL,
    onnx::IS_INF,
    onnx::IS_NAN,
    onnx::LESS,
    onnx::LESS_OR_EQUAL,
];

/// Whether multiples of 2^8, which `f32` has, are divided by powers of two.
fn divides_exactly(module: &Module, value: ValueId, divisor: ValueId) -> bool {
    let all = |value: ValueId, holds: fn(i64) -> bool| {
        module.known_integers(value).is_some_and(|known| known.into_iter().all(holds))
    };
    let masked: Option<[ValueId; 2]> = module.defining_operands(value, onnx::BITWISE_AND);
    masked.is_some_and(|masked| masked.into_iter().any(|mask| all(mask, |bits| bits.trailing_zeros() >= 8)))
        && all(divisor, |divisor| divisor.unsigned_abs().is_power_of_two())
}

/// Whether a Max of a Min, or the reverse, has two constant bounds. The runtime clamps then, in `f32`.
fn clamps(module: &Module, op: OpId) -> bool {
    let bounded = |op: OpId| {
        let mut operands = module.op(op).operands.iter();
        module.op(op).operands.len() == 2 && operands.any(|&value| module.constant_of(value).is_some())
    };
    let opposite = if module.op(op).name == onnx::MAX { onnx::MIN } else { onnx::MAX };
    let mut inner = module.op(op).operands.iter().filter_map(|&value| module.defined_by(value, opposite));
    bounded(op) && inner.any(bounded)
}

/// The smaller or larger number, by a comparison.
fn extremum(rewriter: &mut Rewriter, element: Element, name: OpName, a: ValueId, b: ValueId) -> ValueId {
    let better = if name == onnx::MAX { onnx::GREATER } else { onnx::LESS };
    let is_better = compare(rewriter, element, better, a, b);
    Nodes::new(rewriter, element).select(is_better, a, b)
}

/// A comparison: a difference that wraps is zero for equal numbers only, and the larger number is another one if the first is
/// less.
fn compare(rewriter: &mut Rewriter, element: Element, name: OpName, a: ValueId, b: ValueId) -> ValueId {
    let mut nodes = Nodes::new(rewriter, element);
    let differs = |nodes: &mut Nodes, a: ValueId, b: ValueId| {
        let difference = nodes.sub(a, b);
        // A Cast takes the magnitude, and that of the lowest number is not an `i32`.
        let low = nodes.mask(difference, i32::MAX.into());
        let low = nodes.cast(low, Element::Bool);
        let high = nodes.is_below(difference, 0);
        nodes.test(onnx::OR, &[low, high])
    };
    let (first, second, is_less) = match name {
        onnx::LESS => (a, b, true),
        onnx::GREATER => (b, a, true),
        onnx::GREATER_OR_EQUAL => (a, b, false),
        onnx::LESS_OR_EQUAL => (b, a, false),
        _ => {
            let differs = differs(&mut nodes, a, b);
            return nodes.test(onnx::NOT, &[differs]);
        }
    };
    let larger = nodes.node(onnx::MAX, &[first, second]);
    let holds = differs(&mut nodes, larger, first);
    if is_less { holds } else { nodes.test(onnx::NOT, &[holds]) }
}

/// The quotient and remainder, truncated. The quotient in `f32` is wrong by at most 2^-22 of it, so what is left is small, and
/// its own quotient is wrong by at most one.
fn divide(rewriter: &mut Rewriter, element: Element, value: ValueId, divisor: ValueId) -> (ValueId, ValueId) {
    let mut nodes = Nodes::new(rewriter, element);
    let first = nodes.div(value, divisor);
    let covered = nodes.mul(first, divisor);
    let left = nodes.sub(value, covered);
    let second = nodes.div(left, divisor);
    let covered = nodes.mul(second, divisor);
    let left = nodes.sub(left, covered);
    let quotient = nodes.add(first, second);

    // In the direction of the dividend, what is left must be from 0 to the divisor.
    let is_negative = nodes.is_below(value, 0);
    let is_natural = nodes.test(onnx::NOT, &[is_negative]);
    let opposite = nodes.node(onnx::NEG, &[left]);
    let along = nodes.select(is_natural, left, opposite);
    let size = nodes.node(onnx::ABS, &[divisor]);
    let is_short = nodes.is_below(along, 0);
    let over = nodes.sub(along, size);
    let is_within = nodes.is_below(over, 0);
    let (one, zero, less) = (nodes.number(1), nodes.number(0), nodes.number(-1));
    let step = nodes.select(is_within, zero, one);
    let step = nodes.select(is_short, less, step);
    let covered = nodes.mul(step, size);
    let along = nodes.sub(along, covered);
    let opposite = nodes.node(onnx::NEG, &[along]);
    let rest = nodes.select(is_natural, along, opposite);
    let opposite = nodes.node(onnx::NEG, &[step]);
    let step = nodes.select(is_natural, step, opposite);
    let sign = nodes.node(onnx::SIGN, &[divisor]);
    let step = nodes.mul(step, sign);
    (nodes.add(quotient, step), rest)
}

/// The remainder with the sign of the divisor.
fn floored(rewriter: &mut Rewriter, element: Element, rest: ValueId, divisor: ValueId) -> ValueId {
    let mut nodes = Nodes::new(rewriter, element);
    let [rest_is, divisor_is] = [rest, divisor].map(|value| nodes.is_below(value, 0));
    let differ = nodes.test(onnx::XOR, &[rest_is, divisor_is]);
    let is_not_zero = nodes.cast(rest, Element::Bool);
    let moves = nodes.test(onnx::AND, &[differ, is_not_zero]);
    let moved = nodes.add(rest, divisor);
    nodes.select(moves, moved, rest)
}

/// A cast of floats to integers. The limit of a clamp to `i32` is 2^31 in `f32`, which would become the lowest number.
fn saturated(rewriter: &mut Rewriter, op: OpId) -> Option<ValueId> {
    let (value, result) = (rewriter.module.op(op).operands[0], rewriter.module.op(op).results[0]);
    let (from, to) = (rewriter.module.tensor(value)?.element, rewriter.module.tensor(result)?.element);
    if !matches!(to, Element::I32 | Element::I64) || !matches!(from, Element::F32 | Element::F64) {
        return None;
    }
    if is_bounded(rewriter.module, value) {
        return None;
    }
    let mut nodes = Nodes::new(rewriter, to);
    let limit = nodes.float(2_147_483_648.0, from);
    let is_within = nodes.test(onnx::LESS, &[value, limit]);
    let is_beyond = nodes.test(onnx::NOT, &[is_within]);
    let cast = nodes.cast(value, to);
    let highest = nodes.number(i64::from(i32::MAX));
    Some(nodes.select(is_beyond, highest, cast))
}

/// A cast to 16 bits, which the runtime stores in 32 without cutting them.
fn wrapped(rewriter: &mut Rewriter, element: Element, value: ValueId, to: Element) -> ValueId {
    let mut nodes = Nodes::new(rewriter, element);
    let all = (1i64 << to.bits()) - 1;
    let half = if to.is_signed() { 1i64 << (to.bits() - 1) } else { 0 };
    let offset = nodes.number(half);
    let moved = if half > 0 { nodes.add(value, offset) } else { value };
    let kept = nodes.mask(moved, all);
    let kept = if half > 0 { nodes.sub(kept, offset) } else { kept };
    nodes.cast(kept, to)
}

/// Whether floats are clamped to less than 2^31, or are integers of fewer bits.
fn is_bounded(module: &Module, value: ValueId) -> bool {
    let Some(op) = module.defining_op(value) else { return false };
    let operands = &module.op(op).operands;
    let is_low = |value: ValueId| {
        let constant = module.constant_of(value).map(|id| module.constant(id));
        let bytes: &[u8] = match constant.map(|constant| &constant.data) {
            Some(Data::Bytes(bytes)) => bytes,
            Some(Data::Splat(bytes)) => bytes,
            _ => return false,
        };
        let number = match bytes.len() {
            4 => bytes[..].try_into().map(f32::from_le_bytes).map(f64::from),
            _ => bytes[..].try_into().map(f64::from_le_bytes),
        };
        number.is_ok_and(|number| (number as f32) < 2_147_483_648.0)
    };
    match module.op(op).name {
        onnx::CLIP => operands.get(2).is_some_and(|&high| is_low(high)),
        onnx::CAST => module.tensor(operands[0]).is_some_and(|tensor| {
            tensor.element == Element::Bool || tensor.element.is_integer() && tensor.element.bits() <= 16
        }),
        onnx::TANH | onnx::SIGMOID | onnx::SIGN => true,
        onnx::FLOOR | onnx::CEIL | onnx::ROUND => is_bounded(module, operands[0]),
        _ => false,
    }
}

/// A reduction: its axes, and whether it keeps them.
struct Reduction {
    axes: Vec<usize>,
    keeps: bool,
}

impl Reduction {
    fn of(module: &Module, op: OpId) -> Option<Self> {
        let operands = &module.op(op).operands;
        let rank = module.tensor(*operands.first()?)?.rank();
        let axes = match operands.get(1).filter(|&&axes| axes != module.absent()) {
            Some(&axes) => module.known_integers(axes)?,
            None => (0..rank as i64).collect(),
        };
        let axes = axes.into_iter().map(|axis| axis_index(axis, rank));
        let keeps = module.attribute(op, "keepdims").and_then(Attribute::as_integer) != Some(0);
        Some(Self { axes: axes.collect::<Option<_>>()?, keeps })
    }

    /// Reduces along one axis after the other; `step` keeps the axis.
    fn write(
        self,
        rewriter: &mut Rewriter,
        op: OpId,
        mut step: impl FnMut(&mut Rewriter, ValueId, usize, &TensorType) -> Option<ValueId>,
    ) -> Option<ValueId> {
        let (mut value, result) = (rewriter.module.op(op).operands[0], rewriter.module.op(op).results[0]);
        for &axis in &self.axes {
            let tensor = rewriter.module.tensor(value)?.clone();
            if tensor.dims[axis] != Dim::Known(1) {
                value = step(rewriter, value, axis, &tensor)?;
            }
        }
        if self.keeps || self.axes.is_empty() {
            return Some(value);
        }
        let axes: Vec<i64> = self.axes.iter().map(|&axis| axis as i64).collect();
        let axes = rewriter.integers(&axes);
        Some(rewriter.create(onnx::SQUEEZE, &[value, axes]).like(result))
    }
}

/// A tensor whose axis has one element.
fn one_of(tensor: &TensorType, axis: usize) -> Vec<Dim> {
    let mut dims = tensor.dims.to_vec();
    dims[axis] = Dim::Known(1);
    dims
}

/// The elements of an axis from a start.
fn cut(
    rewriter: &mut Rewriter,
    value: ValueId,
    axis: usize,
    [start, end]: [i64; 2],
    length: i64,
) -> Option<ValueId> {
    let tensor = rewriter.module.tensor(value)?.clone();
    let mut dims = tensor.dims.to_vec();
    dims[axis] = Dim::Known(length);
    let [start, end, axis] = [start, end, axis as i64].map(|number| rewriter.integers(&[number]));
    Some(rewriter.create(onnx::SLICE, &[value, start, end, axis]).out(tensor.element, &dims))
}

/// The last of the cumulative sums.
fn last_sums(rewriter: &mut Rewriter, op: OpId) -> Option<ValueId> {
    Reduction::of(rewriter.module, op)?.write(rewriter, op, |rewriter, value, axis, _| {
        let along = rewriter.bytes(Element::I64, &[], &(axis as i64).to_le_bytes());
        let sums = rewriter.create(onnx::CUM_SUM, &[value, along]).like(value);
        cut(rewriter, sums, axis, [-1, i64::from(i32::MAX)], 1)
    })
}

/// The first of the sorted elements.
fn extremes(rewriter: &mut Rewriter, op: OpId) -> Option<ValueId> {
    let is_largest = rewriter.module.op(op).name == onnx::REDUCE_MAX;
    Reduction::of(rewriter.module, op)?.write(rewriter, op, |rewriter, value, axis, tensor| {
        let one = rewriter.integers(&[1]);
        let dims = one_of(tensor, axis);
        let types = [tensor.element, Element::I64].map(|element| rewriter.module.tensor_of(element, &dims));
        let node = rewriter.create(onnx::TOP_K, &[value, one]).int("axis", axis as i64);
        node.int("largest", i64::from(is_largest)).values(&types).first().copied()
    })
}

/// The product of halves.
fn product(rewriter: &mut Rewriter, op: OpId) -> Option<ValueId> {
    Reduction::of(rewriter.module, op)?.write(rewriter, op, |rewriter, mut value, axis, tensor| {
        let mut length = tensor.dims[axis].known().filter(|length| (1..=FACTORS).contains(length))?;
        while length > 1 {
            let half = length / 2;
            let first = cut(rewriter, value, axis, [0, half], half)?;
            let second = cut(rewriter, value, axis, [half, 2 * half], half)?;
            let mut product = rewriter.create(onnx::MUL, &[first, second]).like(first);
            if length % 2 == 1 {
                let last = cut(rewriter, value, axis, [length - 1, length], 1)?;
                let dims = rewriter.module.broadcast_dims(&[product]);
                if half == 1 {
                    product = rewriter.create(onnx::MUL, &[product, last]).out(tensor.element, &dims);
                } else {
                    let mut dims = dims;
                    dims[axis] = Dim::Known(half + 1);
                    let node = rewriter.create(onnx::CONCAT, &[product, last]).int("axis", axis as i64);
                    product = node.out(tensor.element, &dims);
                }
            }
            value = product;
            length = size(rewriter.module.tensor(value)?, axis as i64)?;
        }
        Some(value)
    })
}

/// The sums of products of matrices.
fn products(rewriter: &mut Rewriter, op: OpId) -> Option<ValueId> {
    let operands = rewriter.module.op(op).operands.clone();
    let result = rewriter.module.op(op).results[0];
    let [a, b] = [operands[0], operands[1]].map(|value| rewriter.module.tensor(value).cloned());
    let (a, b) = (a?, b?);
    let count = |tensor: &TensorType| tensor.dims.iter().map(|dim| dim.known()).product::<Option<i64>>();
    let columns = if b.rank() == 1 { 1 } else { size(&b, -1)? };
    if a.rank() < 2 || b.rank() < 2 || count(&a)?.checked_mul(columns)? > PRODUCTS {
        return None;
    }
    let at = a.rank().max(b.rank()) as i64;
    let mut left_dims = a.dims.to_vec();
    left_dims.push(Dim::Known(1));
    let mut right_dims = b.dims.to_vec();
    right_dims.insert(b.rank() - 2, Dim::Known(1));
    let end = rewriter.integers(&[-1]);
    let left = rewriter.create(onnx::UNSQUEEZE, &[operands[0], end]).out(a.element, &left_dims);
    let before = rewriter.integers(&[-3]);
    let right = rewriter.create(onnx::UNSQUEEZE, &[operands[1], before]).out(a.element, &right_dims);
    let products = Nodes::new(rewriter, a.element).mul(left, right);
    let axis = usize::try_from(at - 1).ok()?;
    let along = rewriter.bytes(Element::I64, &[], &(axis as i64).to_le_bytes());
    let sums = rewriter.create(onnx::CUM_SUM, &[products, along]).like(products);
    let last = cut(rewriter, sums, axis, [-1, i64::from(i32::MAX)], 1)?;
    let axes = rewriter.integers(&[axis as i64]);
    Some(rewriter.create(onnx::SQUEEZE, &[last, axes]).like(result))
}
