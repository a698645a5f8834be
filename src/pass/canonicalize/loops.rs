//! Loop-invariant arguments of `stablehlo.while`.

use crate::ir::{BlockId, Definition, Module, OpId, Rewriter, ValueId};

/// An argument that the body returns unchanged is the value that the loop starts with: its uses read that value, and
/// the loop no longer carries it.
pub(super) fn hoist_invariant(rewriter: &mut Rewriter, op: OpId) {
    while let Some(invariant) = invariant_arguments(rewriter, op) {
        remove_arguments(rewriter, op, &invariant);
    }
}

/// Condition, body, and the body's terminator of a loop that has the form of the specification.
fn parts(module: &Module, op: OpId) -> Option<(BlockId, BlockId, OpId)> {
    let [condition, body] = module.op(op).regions[..] else { return None };
    let ([condition], [body]) = (&module.region(condition).blocks[..], &module.region(body).blocks[..])
    else {
        return None;
    };
    let terminator = *module.block(*body).ops.last()?;
    let count = module.op(op).operands.len();
    let lengths = [
        module.op(op).results.len(),
        module.block(*condition).arguments.len(),
        module.block(*body).arguments.len(),
        module.op(terminator).operands.len(),
    ];
    let fits = module.op_name(terminator) == "stablehlo.return" && lengths == [count; 4];
    fits.then_some((*condition, *body, terminator))
}

/// For each argument whether it is invariant; `None` when none is, or all are: such a loop never ends or never begins,
/// and stays as it is.
fn invariant_arguments(rewriter: &Rewriter, op: OpId) -> Option<Vec<bool>> {
    let module = &*rewriter.module;
    let (condition, body, terminator) = parts(module, op)?;
    let invariant: Vec<bool> = (0..module.op(op).operands.len())
        .map(|index| {
            let initial = module.op(op).operands[index];
            let argument = module.block(body).arguments[index];
            let returned = rewriter.resolve(module.op(terminator).operands[index]);
            let places = [argument, module.block(condition).arguments[index], module.op(op).results[index]];
            let ty = module.value_type(initial);
            (returned == argument || returned == initial)
                && places.iter().all(|&place| module.value_type(place) == ty)
                && !module.is_poison(initial)
        })
        .collect();
    let found = invariant.contains(&true) && invariant.contains(&false);
    found.then_some(invariant)
}

fn remove_arguments(rewriter: &mut Rewriter, op: OpId, invariant: &[bool]) {
    let Some((condition, body, terminator)) = parts(rewriter.module, op) else { return };
    for index in (0..invariant.len()).filter(|&index| invariant[index]) {
        let initial = rewriter.module.op(op).operands[index];
        let places = [
            rewriter.module.block(condition).arguments[index],
            rewriter.module.block(body).arguments[index],
            rewriter.module.op(op).results[index],
        ];
        places.into_iter().for_each(|place| rewriter.replace(place, initial));
    }
    let module = &mut *rewriter.module;
    let varying = |values: &[ValueId]| -> Vec<ValueId> {
        values.iter().zip(invariant).filter(|&(_, &invariant)| !invariant).map(|(&value, _)| value).collect()
    };
    for block in [condition, body] {
        let arguments = varying(&module.block(block).arguments);
        for (index, &argument) in arguments.iter().enumerate() {
            module.value_mut(argument).definition = Definition::Argument(block, index as u32);
        }
        module.block_mut(block).arguments = arguments;
    }
    let results = varying(&module.op(op).results);
    for (index, &result) in results.iter().enumerate() {
        module.value_mut(result).definition = Definition::Result(op, index as u32);
    }
    let operands = varying(&module.op(op).operands);
    let returned = varying(&module.op(terminator).operands);
    module.op_mut(op).operands = operands.into();
    module.op_mut(op).results = results.into();
    module.op_mut(terminator).operands = returned.into();
}
