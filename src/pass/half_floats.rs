//! Computes in f16, if `--float16` requests it.
//!
//! Products, convolutions and the ops between them compute in f16, and their weights are stored so. Normalizations, sums,
//! softmax and ops whose range or error grows (exponentials, quotients, powers) stay in f32, like ops with a constant
//! outside the range of f16. Intermediate values are taken to be in that range; larger ones become infinite. Inputs and
//! results keep their type. A value then has a twin in f16, and a Cast is inserted where an op needs the other type.

use super::{Context, entry};
use crate::diagnostic::{Diagnostics, catalog};
use crate::ir::{BlockId, Data, Element, Module, OpId, OpName, TensorType, TypeId, ValueId, onnx};
use crate::source::Source;
use crate::target::Capability;
use half::f16;
use rustc_hash::{FxHashMap, FxHashSet};
use smallvec::SmallVec;
use std::sync::Arc;

/// Ops that f16 makes faster. A Gather of weights is the other one: it makes the model smaller.
const PRODUCTS: &[OpName] = &[onnx::CONV, onnx::CONV_TRANSPOSE, onnx::GEMM, onnx::MAT_MUL];

/// Ops that compute in f16 between those.
const ELEMENTWISE: &[OpName] = &[
    onnx::ABS,
    onnx::ADD,
    onnx::AVERAGE_POOL,
    onnx::CLIP,
    onnx::ELU,
    onnx::ERF,
    onnx::GELU,
    onnx::LEAKY_RELU,
    onnx::MAX,
    onnx::MAX_POOL,
    onnx::MIN,
    onnx::MUL,
    onnx::NEG,
    onnx::RELU,
    onnx::SIGMOID,
    onnx::SUB,
    onnx::TANH,
    onnx::WHERE,
];

/// Ops that move elements of an operand in f16.
const MOVES: &[OpName] = &[
    onnx::CONCAT,
    onnx::EXPAND,
    onnx::GATHER,
    onnx::GATHER_ELEMENTS,
    onnx::GATHER_ND,
    onnx::IDENTITY,
    onnx::PAD,
    onnx::RESHAPE,
    onnx::SLICE,
    onnx::SPLIT,
    onnx::SQUEEZE,
    onnx::TILE,
    onnx::TRANSPOSE,
    onnx::UNSQUEEZE,
];

/// Runs the pass on the entry function.
pub(super) fn run(module: &mut Module, cx: &mut Context) {
    if !cx.options.float16 {
        return;
    }
    if let Some(target) = cx.options.target.filter(|target| !target.can(Capability::F16)) {
        cx.diagnostics.push(catalog::NoHalfFloats { target: &target.to_string() });
        return;
    }
    let Some(block) = entry(module).and_then(|entry| module.entry_block(module.function(entry).body)) else {
        return;
    };
    let mut halver = Halver {
        wide_users: wide_users(module, block),
        module,
        source: cx.source,
        diagnostics: cx.diagnostics,
        twins: FxHashMap::default(),
        only_half: FxHashSet::default(),
        restored: FxHashMap::default(),
        constants: FxHashMap::default(),
        pending: Vec::new(),
    };
    halver.block(block);
}

/// The values that an op in f32 reads.
fn wide_users(module: &Module, block: BlockId) -> FxHashSet<ValueId> {
    let narrow = |op: OpId| {
        let name = module.op(op).name;
        [PRODUCTS, ELEMENTWISE, MOVES].iter().any(|names| names.contains(&name))
    };
    let ops = module
        .block(block)
        .ops
        .iter()
        .copied()
        .filter(|&op| !narrow(op) && !module.op(op).name.is_terminator());
    ops.flat_map(|op| module.op(op).operands.iter().copied()).collect()
}

/// What the conversion of a constant to f16 may lose, besides digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Loss {
    /// No number may become infinite or zero: it may be a factor or a divisor.
    Nothing,
    /// Small numbers of a weight may become zero beside larger ones, as their share of a sum of products is below the
    /// precision of f16.
    SmallWeights,
}

struct Halver<'m> {
    module: &'m mut Module,
    source: &'m Source,
    diagnostics: &'m mut Diagnostics,
    wide_users: FxHashSet<ValueId>,
    /// The f16 twin of an f32 value.
    twins: FxHashMap<ValueId, ValueId>,
    /// Values that exist only as their twin so far.
    only_half: FxHashSet<ValueId>,
    /// The f32 values that casts of such twins made.
    restored: FxHashMap<ValueId, ValueId>,
    /// A constant in f16, by what it may lose; `None` if it would lose more.
    constants: FxHashMap<(ValueId, Loss), Option<ValueId>>,
    pending: Vec<OpId>,
}

impl Halver<'_> {
    fn block(&mut self, block: BlockId) {
        for op in std::mem::take(&mut self.module.block_mut(block).ops) {
            match self.loss_in_half(op) {
                Some(loss) => self.halve(op, loss),
                None => self.keep(op),
            }
        }
        self.module.block_mut(block).ops = std::mem::take(&mut self.pending);
    }

    fn is_wide(&self, value: ValueId) -> bool {
        self.module.tensor(value).is_some_and(|tensor| tensor.element == Element::F32)
    }

    /// What the constants of an op may lose, if it computes in f16.
    fn loss_in_half(&mut self, op: OpId) -> Option<Loss> {
        let operation = self.module.op(op);
        let name = operation.name;
        let wide: SmallVec<[ValueId; 4]> =
            operation.operands.iter().copied().filter(|&operand| self.is_wide(operand)).collect();
        if wide.is_empty() || !operation.results.iter().all(|&result| self.is_wide(result)) {
            return None;
        }
        let reads_half = wide.iter().any(|operand| self.only_half.contains(operand));
        let is_read_wide = operation.results.iter().any(|result| self.wide_users.contains(result));
        let is_product = PRODUCTS.contains(&name);
        let looks_up = name == onnx::GATHER && self.module.constant_of(wide[0]).is_some();
        let applies = is_product
            || looks_up
            || reads_half && (MOVES.contains(&name) || ELEMENTWISE.contains(&name) && !is_read_wide);
        if !applies {
            return None;
        }
        let loss = if is_product || looks_up { Loss::SmallWeights } else { Loss::Nothing };
        let fits = wide.into_iter().all(|operand| self.fits(operand, loss));
        if !fits && is_product {
            self.report(op);
        }
        fits.then_some(loss)
    }

    /// Reports a product that stays in f32.
    fn report(&mut self, op: OpId) {
        let (name, at) = (self.module.op(op).name.mnemonic(), self.module.span(op).name);
        let stays = catalog::StaysFloat32 { op: name, at };
        self.diagnostics.push(self.module.located(op, stays));
    }

    /// Whether f16 has the elements of a constant; those of other values are taken to be in its range.
    fn fits(&mut self, value: ValueId, loss: Loss) -> bool {
        self.module.constant_of(value).is_none() || self.half_constant(value, loss).is_some()
    }

    fn half_constant(&mut self, value: ValueId, loss: Loss) -> Option<ValueId> {
        if let Some(&known) = self.constants.get(&(value, loss)) {
            return known;
        }
        let made = self.convert(value, loss);
        self.constants.insert((value, loss), made);
        // What loses nothing loses no more than is allowed elsewhere.
        if loss == Loss::Nothing && made.is_some() {
            self.constants.insert((value, Loss::SmallWeights), made);
        }
        made
    }

    /// A constant in f16, if it does not lose more than is allowed.
    fn convert(&mut self, value: ValueId, loss: Loss) -> Option<ValueId> {
        let constant = self.module.constant(self.module.constant_of(value)?).clone();
        let count = self.module.tensor(value).and_then(TensorType::count).unwrap_or_default() as usize;
        let numbers = match constant.data.splat() {
            Some(number) => number.into(),
            None => constant.data.bytes(self.source, count, 4),
        };
        let (mut halves, mut largest, mut loses_small) = (Vec::with_capacity(numbers.len() / 2), 0.0, false);
        for number in numbers.chunks_exact(4) {
            let number = number.try_into().map(f32::from_le_bytes).ok()?;
            let half = f16::from_f32(number);
            if half.is_finite() != number.is_finite() {
                return None;
            }
            loses_small |= half == f16::ZERO && number != 0.0;
            largest = number.abs().max(largest);
            halves.extend(half.to_le_bytes());
        }
        let may_lose = loss == Loss::SmallWeights && largest >= f16::MIN_POSITIVE.to_f32();
        if loses_small && !may_lose {
            return None;
        }
        let data = match constant.data.splat() {
            Some(_) => Data::Splat(halves.as_slice().into()),
            None => Data::Bytes(Arc::from(halves)),
        };
        let ty = self.half_type(value);
        let place = self.module.defining_op(value)?;
        let made =
            self.module.create(onnx::CONSTANT, &[]).at_op(place).push_to(&mut self.pending).data(ty, data);
        self.module.inherit_origin(value, made);
        Some(made)
    }

    fn half_type(&mut self, value: ValueId) -> TypeId {
        let ty = self.module.value_type(value);
        self.module.with_element(ty, Element::F16)
    }

    fn halve(&mut self, op: OpId, loss: Loss) {
        let operands: Vec<ValueId> = self.module.op(op).operands.to_vec();
        let operands: Vec<ValueId> = operands
            .into_iter()
            .map(|operand| if self.is_wide(operand) { self.half(operand, op, loss) } else { operand })
            .collect();
        let results = self.module.op(op).results.clone();
        let types: Vec<TypeId> = results.iter().map(|&result| self.half_type(result)).collect();
        let new = self.module.create_like(op, &operands).push_to(&mut self.pending).results(&types);
        for (&result, twin) in results.iter().zip(self.module.op(new).results.clone()) {
            self.twins.insert(result, twin);
            self.only_half.insert(result);
            self.module.inherit_origin(result, twin);
        }
    }

    /// The value in f16.
    fn half(&mut self, value: ValueId, user: OpId, loss: Loss) -> ValueId {
        if let Some(&twin) = self.twins.get(&value) {
            return twin;
        }
        if let Some(constant) = self.half_constant(value, loss) {
            return constant;
        }
        let ty = self.half_type(value);
        let twin = self.cast(value, Element::F16, ty, user);
        self.twins.insert(value, twin);
        twin
    }

    /// Leaves an op in f32, and creates the values that it, or a graph in it, reads.
    fn keep(&mut self, op: OpId) {
        let inner: Vec<OpId> = self.module.ops_within(self.module.op(op).regions.clone()).collect();
        for reader in inner.into_iter().chain([op]) {
            for index in 0..self.module.op(reader).operands.len() {
                let operand = self.module.op(reader).operands[index];
                let wide = self.wide(operand, op);
                self.module.op_mut(reader).operands[index] = wide;
            }
        }
        self.pending.push(op);
    }

    /// The value in f32.
    fn wide(&mut self, value: ValueId, user: OpId) -> ValueId {
        if self.only_half.remove(&value) {
            let (twin, ty) = (self.twins[&value], self.module.value_type(value));
            let wide = self.cast(twin, Element::F32, ty, user);
            self.module.inherit_origin(value, wide);
            self.module.value_mut(wide).name = self.module.value(value).name;
            self.restored.insert(value, wide);
        }
        self.restored.get(&value).copied().unwrap_or(value)
    }

    fn cast(&mut self, value: ValueId, element: Element, ty: TypeId, user: OpId) -> ValueId {
        let cast = self.module.create(onnx::CAST, &[value]).element("to", element).at_op(user);
        cast.push_to(&mut self.pending).of(ty)
    }
}
