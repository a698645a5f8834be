//! Turns transposes and reversals of constants into views, which are reordered while the model is written.

use super::lowered::joined;
use crate::ops::OpAttributes;

use crate::ir::{Constant, ConstantId, Data, Module, OpId, ValueId, View, onnx};
use rustc_hash::{FxHashMap, FxHashSet};
use std::sync::Arc;

/// Larger constants are stored in only one order.
const SMALL: usize = 1024;

/// Ops that reorder the elements of a value without another use.
pub(super) struct Arranging {
    sole: FxHashSet<OpId>,
    /// Whether weights stay in their files, which fixes the order of their elements.
    referenced: bool,
}

impl Arranging {
    pub(super) fn new(module: &Module, uses: &[u32], referenced: bool) -> Self {
        let mut readers: FxHashMap<(ValueId, Option<Vec<usize>>), Vec<OpId>> = FxHashMap::default();
        for op in module.reachable_ops() {
            if let (onnx::TRANSPOSE | onnx::SLICE, Some(&operand)) =
                (module.op(op).name, module.op(op).operands.first())
            {
                readers
                    .entry((operand, OpAttributes::of(module, op).positions("perm").ok()))
                    .or_default()
                    .push(op);
            }
        }
        let alone = readers.into_iter().filter(|((value, order), ops)| {
            let read = uses.get(value.index()).copied().unwrap_or(0) as usize;
            read == ops.len() && (order.is_some() || read == 1)
        });
        Self { sole: alone.flat_map(|(_, ops)| ops).collect(), referenced }
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
        if (is_kept || !self.sole.contains(&op)) && count > SMALL {
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
            onnx::SLICE => Arrange::Reverse(reversed(module, op, &sizes)?),
            _ => return None,
        };
        let result = *module.op(op).results.first()?;
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

enum Arrange {
    Transpose(Vec<usize>),
    Reverse(Vec<usize>),
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
            Self::Reverse(axes) => {
                for &axis in axes {
                    let last = view.sizes.get(axis)?.checked_sub(1)? as isize * view.strides[axis];
                    view.offset = view.offset.checked_add_signed(last)?;
                    view.strides[axis] = -view.strides[axis];
                }
            }
        }
        Some(())
    }
}

/// The dimensions that a Slice reverses, if it does nothing else.
fn reversed(module: &Module, op: OpId, sizes: &[usize]) -> Option<Vec<usize>> {
    let [_, starts, ends, axes, steps] = module.op(op).operands[..] else { return None };
    let list = |value: ValueId| module.known_integers(value);
    let (starts, ends, axes, steps) = (list(starts)?, list(ends)?, list(axes)?, list(steps)?);
    let mut reversed = Vec::with_capacity(axes.len());
    for (index, &axis) in axes.iter().enumerate() {
        let axis = usize::try_from(axis).ok()?;
        let size = *sizes.get(axis)? as i64;
        let whole = *steps.get(index)? == -1
            && (*starts.get(index)? >= size - 1 || *starts.get(index)? == -1)
            && *ends.get(index)? < -size;
        if !whole || size == 0 || reversed.contains(&axis) {
            return None;
        }
        reversed.push(axis);
    }
    Some(reversed)
}
