//! Turns transposes and slices of constants into views, whose elements are put in order while the model is written.

use super::lowered::joined;
use crate::ir::{Constant, ConstantId, Data, Module, OpId, ValueId, View, onnx};
use crate::ops::OpAttributes;
use crate::ops::fold::{AxisSlice, axis_slices};
use rustc_hash::{FxHashMap, FxHashSet};
use std::sync::Arc;

/// Larger constants are stored only once.
const SMALL: usize = 1024;

/// Ops whose results can replace the constant that they read, without more bytes in the model.
pub(super) struct Arranging {
    alone: FxHashSet<OpId>,
    /// Whether weights stay in their files, which fixes the order of their elements.
    referenced: bool,
}

impl Arranging {
    pub(super) fn new(module: &Module, uses: &[u32], referenced: bool) -> Self {
        let mut readers: FxHashMap<ValueId, Vec<OpId>> = FxHashMap::default();
        for op in module.reachable_ops() {
            if let (onnx::TRANSPOSE | onnx::SLICE, Some(&operand)) =
                (module.op(op).name, module.op(op).operands.first())
            {
                readers.entry(operand).or_default().push(op);
            }
        }
        let alone = readers.into_iter().filter(|(value, ops)| {
            let read = uses.get(value.index()).copied().unwrap_or(0) as usize;
            read == ops.len() && (have_one_order(module, ops) || are_parts(module, *value, ops))
        });
        Self { alone: alone.flat_map(|(_, ops)| ops).collect(), referenced }
    }

    /// Replaces the op by a rearranged constant.
    pub(super) fn fold(&self, module: &mut Module, op: OpId) -> Option<ConstantId> {
        let &operand = module.op(op).operands.first()?;
        let constant = module.constant(module.constant_of(operand)?);
        let ty = module.tensor_type(constant.ty)?;
        let sizes: Vec<usize> =
            ty.sizes()?.iter().map(|&size| usize::try_from(size).ok()).collect::<Option<_>>()?;
        let count = sizes.iter().try_fold(1usize, |count, &size| count.checked_mul(size))?;
        let base = match &constant.data {
            Data::View(view) => &view.base,
            data => data,
        };
        let is_kept = self.referenced && matches!(base, Data::Mapped(pieces) if pieces.place().is_some());
        let result = *module.op(op).results.first()?;
        let made = usize::try_from(module.tensor(result)?.count()?).ok()?;
        if made == 0 || count == 0 || (is_kept || !self.alone.contains(&op)) && made > SMALL {
            return None;
        }
        let (data, width) = (constant.data.clone(), ty.element.bytes());
        let arrange: Arrange = match module.op(op).name {
            onnx::TRANSPOSE => {
                let order = OpAttributes::of(module, op).positions("perm").ok()?;
                let identity: Vec<usize> = (0..sizes.len()).collect();
                let mut sorted = order.clone();
                sorted.sort_unstable();
                (sorted == identity).then_some(Arrange::Transpose(order))?
            }
            onnx::SLICE => Arrange::Slice(slices(module, op, &sizes)?),
            _ => return None,
        };
        let ty = module.value_type(result);
        let data = if data.splat().is_some() {
            data
        } else {
            let mut view = View::of(data, width, &sizes);
            // A reshaped view is not viewed again.
            if width == 0 || view.factors.is_some() || matches!(view.base, Data::View(_)) {
                return None;
            }
            arrange.apply(&mut view)?;
            Data::View(Arc::new(view))
        };
        Some(module.add_constant(Constant { ty, data }))
    }
}

/// Whether the ops are Transposes to the same order.
fn have_one_order(module: &Module, ops: &[OpId]) -> bool {
    let order = |&op: &OpId| OpAttributes::of(module, op).positions("perm").ok();
    let first = ops.first().and_then(order);
    first.is_some() && ops.iter().all(|op| order(op) == first)
}

/// Whether the ops are Slices that have no more elements than the value.
fn are_parts(module: &Module, value: ValueId, ops: &[OpId]) -> bool {
    let count = |value: ValueId| module.tensor(value).and_then(|ty| ty.count()).unwrap_or(i64::MAX);
    let mut seen = FxHashSet::default();
    let different = ops.iter().filter(|&&op| seen.insert(&module.op(op).operands));
    let parts = different.fold(0i64, |sum, &op| sum.saturating_add(count(module.op(op).results[0])));
    ops.iter().all(|&op| module.op(op).name == onnx::SLICE) && parts <= count(value)
}

enum Arrange {
    Transpose(Vec<usize>),
    /// What each dimension keeps.
    Slice(Vec<AxisSlice>),
}

impl Arrange {
    fn apply(&self, view: &mut View) -> Option<()> {
        match self {
            Self::Transpose(order) => {
                let identity: Vec<usize> = (0..view.sizes.len()).collect();
                let order = joined(&identity, order)?;
                view.sizes = order.iter().map(|&axis| view.sizes[axis]).collect();
                view.strides = order.iter().map(|&axis| view.strides[axis]).collect();
            }
            Self::Slice(slices) => {
                for (axis, slice) in slices.iter().enumerate() {
                    let first = isize::try_from(slice.first).ok()?.checked_mul(view.strides[axis])?;
                    view.offset = view.offset.checked_add_signed(first)?;
                    view.sizes[axis] = slice.count;
                    view.strides[axis] = view.strides[axis].checked_mul(slice.step)?;
                }
            }
        }
        Some(())
    }
}

/// What each dimension of a constant keeps in a Slice.
fn slices(module: &Module, op: OpId, sizes: &[usize]) -> Option<Vec<AxisSlice>> {
    let lists = module.op(op).operands.get(1..)?.iter().map(|&value| module.known_integers(value));
    axis_slices(sizes, &lists.collect::<Option<Vec<_>>>()?)
}
