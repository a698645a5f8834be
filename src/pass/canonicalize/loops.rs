//! Simplifies values carried by `stablehlo.while` and `onnx.Loop`, and returned by `stablehlo.case` and `stablehlo.if`.

use crate::ir::{BlockId, Definition, Module, OpId, RegionId, Rewriter, ValueId, onnx, stablehlo};
use crate::ops::WhileLoop;
use smallvec::SmallVec;

/// Replaces a loop argument that the body returns unchanged by its initial value, so the loop no longer carries it.
pub(super) fn hoist_invariant(rewriter: &mut Rewriter, op: OpId) {
    while let Some(invariant) = invariant_arguments(rewriter, op) {
        replace_arguments(rewriter, op, &invariant);
        remove_arguments(rewriter.module, op, &invariant);
    }
}

/// Which arguments are invariant. `None` if none or all are: such a loop runs forever or never, and stays unchanged.
fn invariant_arguments(rewriter: &Rewriter, op: OpId) -> Option<Vec<bool>> {
    let module = &*rewriter.module;
    let WhileLoop { condition, body, terminator } = WhileLoop::of(module, op)?;
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

/// Replaces arguments with their initial values.
fn replace_arguments(rewriter: &mut Rewriter, op: OpId, invariant: &[bool]) {
    let Some(WhileLoop { condition, body, .. }) = WhileLoop::of(rewriter.module, op) else { return };
    for index in (0..invariant.len()).filter(|&index| invariant[index]) {
        let initial = rewriter.module.op(op).operands[index];
        let places = [
            rewriter.module.block(condition).arguments[index],
            rewriter.module.block(body).arguments[index],
            rewriter.module.op(op).results[index],
        ];
        places.into_iter().for_each(|place| rewriter.replace(place, initial));
    }
}

/// Removes arguments from a loop.
pub(super) fn remove_arguments(module: &mut Module, op: OpId, removed: &[bool]) {
    let Some(WhileLoop { condition, body, terminator }) = WhileLoop::of(module, op) else { return };
    for block in [condition, body] {
        let arguments = kept(&module.block(block).arguments, removed);
        for (index, &argument) in arguments.iter().enumerate() {
            module.value_mut(argument).definition = Definition::Argument(block, index as u32);
        }
        module.block_mut(block).arguments = arguments;
    }
    let operands = kept(&module.op(op).operands, removed);
    module.op_mut(op).operands = operands.into();
    set_results(module, op, removed);
    let returned = kept(&module.op(terminator).operands, removed);
    module.op_mut(terminator).operands = returned.into();
}

/// A `Loop` of ONNX.
#[derive(Clone, Copy)]
pub(super) struct Lowered {
    /// The block that computes the next values.
    pub body: BlockId,
    /// Its last op.
    pub terminator: OpId,
    /// The number of carried values; the other results are joined slices.
    pub carried: usize,
}

/// The parts of a well-formed `Loop`.
pub(super) fn lowered(module: &Module, op: OpId) -> Option<Lowered> {
    let operation = module.op(op);
    let (onnx::LOOP, [region]) = (operation.name, &operation.regions[..]) else { return None };
    let [body] = module.region(*region).blocks[..] else { return None };
    let terminator = *module.block(body).ops.last()?;
    let carried = operation.operands.len().checked_sub(2)?;
    let fits = module.op(terminator).name == onnx::RETURN
        && module.block(body).arguments.len() == carried + 2
        && module.op(terminator).operands.len() == operation.results.len() + 1
        && operation.results.len() >= carried;
    fits.then_some(Lowered { body, terminator, carried })
}

/// Removes carried values and joined slices from a `Loop`.
pub(super) fn remove_lowered(module: &mut Module, op: OpId, it: Lowered, removed: &[bool]) {
    let of_carried = [&[false, false], &removed[..it.carried]].concat();
    let arguments = kept(&module.block(it.body).arguments, &of_carried);
    for (index, &argument) in arguments.iter().enumerate() {
        module.value_mut(argument).definition = Definition::Argument(it.body, index as u32);
    }
    module.block_mut(it.body).arguments = arguments;
    let operands = kept(&module.op(op).operands, &of_carried);
    module.op_mut(op).operands = operands.into();
    let returned = kept(&module.op(it.terminator).operands, &[&[false], removed].concat());
    module.op_mut(it.terminator).operands = returned.into();
    set_results(module, op, removed);
}

/// The terminators of the branches of a well-formed `stablehlo.case` or `stablehlo.if`.
pub(super) fn branches(module: &Module, op: OpId) -> Option<SmallVec<[OpId; 2]>> {
    if !matches!(module.op(op).name, stablehlo::CASE | stablehlo::IF) {
        return None;
    }
    let count = module.op(op).results.len();
    let terminator = |region: &RegionId| {
        let [block] = module.region(*region).blocks[..] else { return None };
        let terminator = *module.block(block).ops.last()?;
        let fits =
            module.op(terminator).name == stablehlo::RETURN && module.op(terminator).operands.len() == count;
        fits.then_some(terminator)
    };
    module.op(op).regions.iter().map(terminator).collect()
}

/// Removes results from an op with branches.
pub(super) fn remove_results(module: &mut Module, op: OpId, removed: &[bool]) {
    for terminator in branches(module, op).unwrap_or_default() {
        let returned = kept(&module.op(terminator).operands, removed);
        module.op_mut(terminator).operands = returned.into();
    }
    set_results(module, op, removed);
}

fn set_results(module: &mut Module, op: OpId, removed: &[bool]) {
    let results = kept(&module.op(op).results, removed);
    for (index, &result) in results.iter().enumerate() {
        module.value_mut(result).definition = Definition::Result(op, index as u32);
    }
    module.op_mut(op).results = results.into();
}

fn kept(values: &[ValueId], removed: &[bool]) -> Vec<ValueId> {
    values.iter().zip(removed).filter(|&(_, &removed)| !removed).map(|(&value, _)| value).collect()
}
