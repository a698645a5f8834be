//! Custom calls whose operands state the sizes of their results. JAX prints them for symbolic sizes:
//! `indices_of_shape_operands` names one operand per result.

use super::values::ShapeValues;
use crate::ir::{Attribute, Dims, Module, OpId, Type, ValueId, stablehlo};

/// Sets the sizes of the results, and drops the operands that state them.
pub(super) fn fix(module: &mut Module, op: OpId, values: &ShapeValues) -> Option<()> {
    if module.op(op).name != stablehlo::CUSTOM_CALL {
        return None;
    }
    let indices = module.integers(module.attribute(op, "indices_of_shape_operands")?)?;
    let indices: Vec<usize> = indices.into_iter().map(usize::try_from).collect::<Result<_, _>>().ok()?;
    let (operands, results) = (module.op(op).operands.clone(), module.op(op).results.clone());
    let shapes = indices.iter().map(|&index| {
        let shape = *operands.get(index)?;
        // A scalar's list of sizes is empty.
        let is_empty = module.tensor(shape).and_then(|ty| ty.count()) == Some(0);
        if is_empty { Some(Dims::new()) } else { values.of(module, shape) }
    });
    let shapes = shapes.collect::<Option<Vec<Dims>>>()?;
    let rank = |&result: &ValueId| module.tensor(result).map(|ty| ty.rank());
    if !results.iter().map(rank).eq(shapes.iter().map(|shape| Some(shape.len()))) {
        return None;
    }
    for (&result, shape) in results.iter().zip(&shapes) {
        let Some(mut ty) = module.tensor(result).cloned() else { continue };
        for (dim, &said) in ty.dims.iter_mut().zip(shape) {
            // A number in the text is more precise.
            *dim = if dim.known().is_some() { *dim } else { said };
        }
        let ty = module.types.intern(Type::Tensor(ty));
        module.value_mut(result).ty = ty;
    }
    let key = module.symbols.intern("indices_of_shape_operands");
    let layouts = module.symbols.intern("operand_layouts");
    let changed = module.op_mut(op);
    changed.operands = kept(&operands, &indices).into_iter().collect();
    changed.attributes.retain(|(name, _)| *name != key);
    for (name, value) in &mut changed.attributes {
        if let (true, Attribute::Array(all)) = (*name == layouts, value) {
            *all = kept(all, &indices).into();
        }
    }
    Some(())
}

fn kept<T: Clone>(all: &[T], dropped: &[usize]) -> Vec<T> {
    all.iter()
        .enumerate()
        .filter(|(index, _)| !dropped.contains(index))
        .map(|(_, kept)| kept.clone())
        .collect()
}
