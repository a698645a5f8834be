//! Copies each fill (a constant or broadcast scalar) so that every use has its own.
//!
//! `zeros((8, 8))` may be eight rows for one op and weights for another. Values that depend only on constants are the
//! same for all rows, so with a single row they need no row dimension before an op combines them with rows.
//! `canonicalize` merges copies that were not needed.

use crate::ir::{Dim, FunctionId, Module, OpId, Rewriter, ValueId, stablehlo};
use crate::ops::type_inference;
use rustc_hash::FxHashSet;

/// Copies each fill so that it has one use. If there is one row (`of_one`), also lets ops read constants through a
/// broadcast. Returns the values that depend only on constants.
pub(super) fn separate(module: &mut Module, function: FunctionId, of_one: bool) -> FxHashSet<ValueId> {
    let mut used: FxHashSet<ValueId> = FxHashSet::default();
    let mut constant: FxHashSet<ValueId> = FxHashSet::default();
    let mut visit = |rewriter: &mut Rewriter, op: OpId| {
        let is_constant = follows(rewriter.module, op, &constant);
        if is_constant {
            constant.extend(rewriter.module.op(op).results.iter().copied());
        }
        for index in 0..rewriter.module.op(op).operands.len() {
            let operand = rewriter.module.op(op).operands[index];
            let Some(source) = rewriter.module.defining_op(operand) else { continue };
            let new = if fills(rewriter.module, source) {
                if used.insert(operand) {
                    continue;
                }
                let copy = copy(rewriter, source);
                constant.extend(constant.contains(&operand).then_some(copy));
                copy
            } else if of_one
                && !is_constant
                && constant.contains(&operand)
                && has_one_row(rewriter.module, operand)
            {
                broadcast(rewriter, source, operand)
            } else {
                continue;
            };
            rewriter.module.op_mut(op).operands[index] = new;
        }
        true
    };
    Rewriter::new(module).function(function, &mut visit);
    constant
}

/// Whether an op's results depend only on constants.
fn follows(module: &Module, op: OpId, constant: &FxHashSet<ValueId>) -> bool {
    let operation = module.op(op);
    operation.regions.is_empty()
        && !operation.results.is_empty()
        && module.op(op).name != stablehlo::CUSTOM_CALL
        && type_inference::is_pure(module, op)
        && operation.operands.iter().all(|operand| constant.contains(operand))
}

fn has_one_row(module: &Module, value: ValueId) -> bool {
    module.tensor(value).is_some_and(|ty| ty.dims.contains(&Dim::Known(1)))
}

/// Whether an op is a constant or broadcasts a scalar.
fn fills(module: &Module, op: OpId) -> bool {
    let rank = |value: Option<&ValueId>| value.and_then(|&value| module.tensor(value)).map(|ty| ty.rank());
    let operation = module.op(op);
    match module.op(op).name {
        stablehlo::CONSTANT => rank(operation.results.first()) > Some(0),
        stablehlo::BROADCAST_IN_DIM => rank(operation.operands.first()) == Some(0),
        _ => false,
    }
}

fn copy(rewriter: &mut Rewriter, op: OpId) -> ValueId {
    let operands = rewriter.module.op(op).operands.clone();
    let ty = rewriter.module.value_type(rewriter.module.op(op).results[0]);
    rewriter.create_like(op, &operands).of(ty)
}

/// Broadcasts a value to its own type.
fn broadcast(rewriter: &mut Rewriter, source: OpId, value: ValueId) -> ValueId {
    let module = &*rewriter.module;
    let ty = module.value_type(value);
    let axes: Vec<i64> = (0..module.tensor(value).map_or(0, |ty| ty.rank()) as i64).collect();
    let broadcast = rewriter.create(stablehlo::BROADCAST_IN_DIM, &[value]).at_op(source);
    broadcast.ints("broadcast_dimensions", &axes).of(ty)
}
