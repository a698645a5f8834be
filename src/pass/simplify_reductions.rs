//! Turns sums into means, and makes reductions keep the dimensions that a Reshape would restore, or drop those that it would
//! drop.
//!
//! Sums that `tree_reduction` splits cannot become means, so they stay.

use super::Context;
use crate::ir::{
    Attribute, Dim, Module, OpId, OpName, Rewriter, ValueId, axis_index, onnx, use_counts_by_block,
};
use crate::ops::OpAttributes;
use crate::ops::fold::{Tensor, float};
use crate::source::Source;

/// Runs the pass on all functions.
pub(super) fn run(module: &mut Module, cx: &mut Context) {
    super::canonicalize::remove_dead(module);
    let mut uses = use_counts_by_block(module);
    for function in module.functions() {
        let mut visit = |rewriter: &mut Rewriter, op: OpId| {
            let new = match rewriter.module.op(op).name {
                onnx::RESHAPE => kept(rewriter, op, &uses).or_else(|| dropped(rewriter, op, &uses)),
                onnx::DIV | onnx::MUL => {
                    let of_rows = mean(rewriter, cx.source, op, &uses);
                    of_rows.or_else(|| average(rewriter, cx.source, op, &uses))
                }
                _ => None,
            };
            let Some(new) = new else { return true };
            let old = rewriter.module.op(op).results[0];
            uses.resize(rewriter.module.value_count(), 0);
            uses[new.index()] = uses[old.index()];
            if let Some([mean, _]) = rewriter.module.defining_operands(new, onnx::RESHAPE) {
                uses[mean.index()] = 1;
            }
            rewriter.replace(old, new);
            false
        };
        Rewriter::new(module).function(function, &mut visit);
    }
    super::canonicalize::remove_dead(module);
}

/// The constant axes of a reduction with that name and no other use.
fn axes(module: &Module, uses: &[u32], op: OpId) -> Option<Vec<usize>> {
    let [x, axes] = module.op(op).operands[..] else { return None };
    let [result] = module.op(op).results[..] else { return None };
    if uses.get(result.index()) != Some(&1) {
        return None;
    }
    let rank = module.tensor(x)?.rank();
    let axes = module.known_integers(axes)?;
    let axes: Vec<usize> = axes.into_iter().map(|axis| axis_index(axis, rank)).collect::<Option<_>>()?;
    (!axes.is_empty()).then_some(axes)
}

fn keeps(module: &Module, op: OpId) -> bool {
    module.attribute(op, "keepdims").and_then(Attribute::as_integer) != Some(0)
}

/// The value before a Reshape with no other use.
fn only_reshaped(module: &Module, uses: &[u32], value: ValueId) -> Option<ValueId> {
    let [before, _] = module.defining_operands(value, onnx::RESHAPE)?;
    (uses.get(value.index()) == Some(&1)).then_some(before)
}

const REDUCTIONS: &[OpName] =
    &[onnx::REDUCE_MAX, onnx::REDUCE_MEAN, onnx::REDUCE_MIN, onnx::REDUCE_PROD, onnx::REDUCE_SUM];

/// Keeps the reduced dimensions that a Reshape restores.
fn kept(rewriter: &mut Rewriter, op: OpId, uses: &[u32]) -> Option<ValueId> {
    let module = &*rewriter.module;
    let [mut reduced, _] = module.op(op).operands[..] else { return None };
    while let Some(before) = only_reshaped(module, uses, reduced) {
        reduced = before;
    }
    let reduction = module.defining_op(reduced).filter(|&op| REDUCTIONS.contains(&module.op(op).name))?;
    let axes = axes(module, uses, reduction).filter(|_| !keeps(module, reduction))?;
    let [x, list] = module.op(reduction).operands[..] else { return None };
    let whole = &module.tensor(x)?.dims;
    let ty = module.value_type(module.op(op).results[0]);
    let ones = (0..whole.len()).map(|axis| if axes.contains(&axis) { Dim::Known(1) } else { whole[axis] });
    if !module.tensor_type(ty)?.dims.iter().copied().eq(ones) {
        return None;
    }
    let name = module.op(reduction).name;
    Some(reduction_of(rewriter, reduction, name, [x, list], ty, true))
}

/// Drops the dimension of an ArgMax or ArgMin that a Reshape drops.
fn dropped(rewriter: &mut Rewriter, op: OpId, uses: &[u32]) -> Option<ValueId> {
    let module = &*rewriter.module;
    let &[reduced, _] = &module.op(op).operands[..] else { return None };
    let reduction = module.defining_op(reduced).filter(|_| uses.get(reduced.index()) == Some(&1))?;
    let &[x] = &module.op(reduction).operands[..] else { return None };
    if !matches!(module.op(reduction).name, onnx::ARG_MAX | onnx::ARG_MIN) || !keeps(module, reduction) {
        return None;
    }
    let mut dims = module.tensor(x)?.dims.clone();
    let axis = module.attribute(reduction, "axis").map_or(Some(0), Attribute::as_integer)?;
    dims.remove(axis_index(axis, dims.len())?);
    let ty = module.value_type(module.op(op).results[0]);
    if module.tensor_type(ty)?.dims != dims {
        return None;
    }
    rewriter.set_integer(reduction, "keepdims", 0);
    Some(rewriter.create_like(reduction, &[x]).of(ty))
}

/// Turns a sum divided by its element count into a mean.
fn mean(rewriter: &mut Rewriter, source: &Source, op: OpId, uses: &[u32]) -> Option<ValueId> {
    let module = &*rewriter.module;
    let [x, y] = module.op(op).operands[..] else { return None };
    let divides = module.op(op).name == onnx::DIV;
    let pairs = [(x, y), (y, x)];
    pairs.into_iter().take(if divides { 1 } else { 2 }).find_map(|(sum, number)| {
        let module = &*rewriter.module;
        let before = only_reshaped(module, uses, sum);
        let reduction = module.defined_by(before.unwrap_or(sum), onnx::REDUCE_SUM)?;
        let axes = axes(module, uses, reduction)?;
        let ty = module.value_type(module.op(op).results[0]);
        let [inner, list] = module.op(reduction).operands[..] else { return None };
        let dims = &module.tensor(inner)?.dims;
        let count = axes.iter().try_fold(1i64, |count, &axis| count.checked_mul(dims[axis].known()?))?;
        let tensor = constant(module, source, number)?;
        let number = float(tensor.element, tensor.scalar()?)?;
        let divisor = if divides { number } else { 1.0 / number };
        let close = (divisor - count as f64).abs() <= count as f64 * 2e-7;
        if !close || count == 0 || ty != module.value_type(sum) {
            return None;
        }
        let (keeps, reduced) = (keeps(module, reduction), module.value_type(module.op(reduction).results[0]));
        let mean = reduction_of(rewriter, op, onnx::REDUCE_MEAN, [inner, list], reduced, keeps);
        if before.is_none() {
            return Some(mean);
        }
        let reshape = rewriter.module.defining_op(sum)?;
        let [_, sizes] = rewriter.module.op(reshape).operands[..] else { return None };
        Some(rewriter.create_like(reshape, &[mean, sizes]).results(&[ty]))
            .map(|op| rewriter.module.op(op).results[0])
    })
}

/// The elements of a constant, possibly before a cast to a wider type.
fn constant(module: &Module, source: &Source, value: ValueId) -> Option<Tensor> {
    let cast = module.defined_by(value, onnx::CAST);
    let inner = cast.map_or(value, |op| module.op(op).operands[0]);
    let tensor = Tensor::read(module, source, module.constant_of(inner)?)?;
    let wide = module.tensor(value)?.element;
    let is_exact = wide == tensor.element || (wide.is_float() && wide.bits() > tensor.element.bits());
    (is_exact && tensor.element.is_float()).then_some(tensor)
}

/// The lowering computes window sums as averages times the window size. Divided by the number of all elements, or of
/// those that are not padding, they become averages again.
fn average(rewriter: &mut Rewriter, source: &Source, op: OpId, uses: &[u32]) -> Option<ValueId> {
    let module = &*rewriter.module;
    let [divided, divisor] = module.op(op).operands[..] else { return None };
    let result = module.op(op).results[0];
    let alone = |value: ValueId| uses.get(value.index()) == Some(&1);
    if module.op(op).name != onnx::DIV
        || module.value_type(divided) != module.value_type(result)
        || !alone(divided)
    {
        return None;
    }
    let rank = module.tensor(divided)?.rank();
    let transpose = module.defined_by(divided, onnx::TRANSPOSE);
    let order = transpose.map_or_else(
        || Some((0..rank).collect()),
        |op| OpAttributes::of(module, op).positions("perm").ok(),
    )?;
    let sum = transpose.map_or(divided, |op| module.op(op).operands[0]);
    let [mean, count] = module.op(module.defined_by(sum, onnx::MUL).filter(|_| alone(sum))?).operands[..]
    else {
        return None;
    };
    let pool = module.defined_by(mean, onnx::AVERAGE_POOL).filter(|_| alone(mean))?;
    let number = |value: ValueId| {
        let tensor = constant(module, source, value)?;
        Some((tensor.scalar().and_then(|bits| float(tensor.element, bits)), tensor))
    };
    let (Some(count), _) = number(count)? else { return None };
    let pads = match number(divisor) {
        Some((one, _)) if one == Some(count) => true,
        Some((_, divisors)) => {
            PoolWindows::read(module, pool)?.are_counted(module, mean, &order, &divisors)?;
            false
        }
        None => {
            are_counted_by_pool(module, source, pool, (divisor, count), &order)?;
            false
        }
    };
    let ty = module.value_type(mean);
    let new = if pads {
        mean
    } else {
        let operands = module.op(pool).operands.clone();
        let key = rewriter.module.symbols.intern("count_include_pad");
        let new = rewriter.create_like(pool, &operands).results(&[ty]);
        rewriter.module.op_mut(new).attributes.retain(|(name, _)| *name != key);
        rewriter.module.op(new).results[0]
    };
    let Some(transpose) = transpose else { return Some(new) };
    let order = rewriter.module.attribute(transpose, "perm")?.clone();
    let ty = rewriter.module.value_type(result);
    Some(rewriter.create(onnx::TRANSPOSE, &[new]).attr("perm", order).of(ty))
}

/// Whether divisors are the same windows over ones, as computed for symbolic sizes. Dimension `i` of the dividend is
/// dimension `order[i]` of the pool's result.
fn are_counted_by_pool(
    module: &Module,
    source: &Source,
    pool: OpId,
    (divisor, count): (ValueId, f64),
    order: &[usize],
) -> Option<()> {
    let is_number = |value: ValueId, number: f64| {
        let tensor = constant(module, source, value);
        tensor.and_then(|tensor| float(tensor.element, tensor.scalar()?)) == Some(number)
    };
    let dims = |value: ValueId| Some(&module.tensor(value)?.dims);
    let places = dims(module.op(pool).results[0])?;
    let along = |&dim: &usize| if dim < 2 { Dim::Known(1) } else { places[dim] };
    let spatial: Vec<usize> = order.iter().copied().filter(|&dim| dim >= 2).collect();
    if !spatial.is_sorted() || !dims(divisor)?.iter().copied().eq(order.iter().map(along)) {
        return None;
    }
    let before = |value: ValueId, name: OpName| {
        let op = module.defined_by(value, name)?;
        module.op(op).operands.first().copied()
    };
    let sum = before(divisor, onnx::RESHAPE).unwrap_or(divisor);
    let [mean, times] = module.defining_operands(sum, onnx::MUL)?;
    let of_ones = module.defined_by(mean, onnx::AVERAGE_POOL)?;
    let (own, other) = (module.op(pool), module.op(of_ones));
    let (value, mut ones) = (*own.operands.first()?, *other.operands.first()?);
    let same = own.attributes == other.attributes
        && dims(value)?.get(2..) == dims(ones)?.get(2..)
        && dims(mean)?.iter().take(2).all(|&dim| dim == Dim::Known(1));
    while let Some(inner) = [onnx::RESHAPE, onnx::EXPAND].into_iter().find_map(|name| before(ones, name)) {
        ones = inner;
    }
    (same && is_number(times, count) && is_number(ones, 1.0)).then_some(())
}

/// The windows of a pool along its spatial dimensions.
struct PoolWindows {
    sizes: Vec<i64>,
    strides: Vec<i64>,
    dilations: Vec<i64>,
    low: Vec<i64>,
    /// Sizes of the pool's input.
    whole: Vec<i64>,
}

impl PoolWindows {
    fn read(module: &Module, pool: OpId) -> Option<Self> {
        let list = |name: &str| module.integers(module.attribute(pool, name)?);
        let sizes = list("kernel_shape")?;
        let each = |name: &str, number: i64| list(name).unwrap_or_else(|| vec![number; sizes.len()]);
        let pads = list("pads").unwrap_or_else(|| vec![0; 2 * sizes.len()]);
        let dims = &module.tensor(*module.op(pool).operands.first()?)?.dims;
        let whole: Vec<i64> = dims.get(2..)?.iter().map(|dim| dim.known()).collect::<Option<_>>()?;
        let (strides, dilations) = (each("strides", 1), each("dilations", 1));
        let low = pads.get(..sizes.len())?.to_vec();
        let fits = [strides.len(), dilations.len(), whole.len()].iter().all(|&count| count == sizes.len());
        fits.then_some(Self { sizes, strides, dilations, low, whole })
    }

    /// The number of elements in each window that are not padding.
    fn count(&self, axis: usize, position: i64) -> i64 {
        let first = position * self.strides[axis] - self.low[axis];
        let inside = |k: &i64| (0..self.whole[axis]).contains(&(first + k * self.dilations[axis]));
        (0..self.sizes[axis]).filter(inside).count() as i64
    }

    /// Whether divisors are the numbers of elements that are not padding. Dimension `i` of the dividend is dimension
    /// `order[i]` of the pool's result.
    fn are_counted(
        &self,
        module: &Module,
        result: ValueId,
        order: &[usize],
        divisors: &Tensor,
    ) -> Option<()> {
        let dims = &module.tensor(result)?.dims;
        let sizes = if divisors.is_splat() { &[][..] } else { divisors.bits.shape() };
        let first = order.len().checked_sub(sizes.len())?;
        let mut counts = Vec::with_capacity(order.len());
        for (index, &dim) in order.iter().enumerate() {
            let own = index.checked_sub(first).map_or(1, |index| sizes[index]);
            counts.push(match dim.checked_sub(2) {
                None => vec![1; own],
                Some(axis) => {
                    let all: Vec<i64> =
                        (0..dims[dim].known()?).map(|position| self.count(axis, position)).collect();
                    let same = all.iter().all(|count| *count == all[0]);
                    match own {
                        1 if same => vec![*all.first()?],
                        own if own == all.len() => all,
                        _ => return None,
                    }
                }
            });
        }
        let expected = |place: &dyn Fn(usize) -> usize| {
            counts.iter().enumerate().map(|(axis, counts)| counts[place(axis)]).product::<i64>() as f64
        };
        let is = |bits: i64, count: f64| float(divisors.element, bits) == Some(count);
        let fits = if divisors.is_splat() {
            is(divisors.scalar()?, expected(&|_| 0))
        } else {
            divisors.bits.indexed_iter().all(|(place, &bits)| {
                is(bits, expected(&|axis| axis.checked_sub(first).map_or(0, |axis| place[axis])))
            })
        };
        fits.then_some(())
    }
}

/// Replaces an op with a reduction.
fn reduction_of(
    rewriter: &mut Rewriter,
    origin: OpId,
    name: OpName,
    operands: [ValueId; 2],
    ty: crate::ir::TypeId,
    keeps: bool,
) -> ValueId {
    rewriter.create(name, &operands).int("keepdims", i64::from(keeps)).at_op(origin).of(ty)
}
