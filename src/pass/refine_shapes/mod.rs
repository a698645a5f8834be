//! Evaluates shape arithmetic to numbers and expressions.
//!
//! Runs after inlining. One forward walk evaluates size computations, turns ops with size operands into their static
//! forms, and propagates sizes through types. A size that follows from nothing else becomes a symbol. Afterward every
//! dimension is a number or an expression.

mod call;
mod constraints;
pub(in crate::pass) mod counted;
mod fixed;
mod floored;
mod symbols;
mod values;
mod window;

use super::Context;
use super::canonicalize::insert_constant;
use crate::ir::{
    self, Constant, ConstantId, Data, Dim, FunctionId, Module, OpId, RegionId, Rewriter, TensorType, Type,
    ValueId, stablehlo,
};
use crate::ops::{SizePart, fold, integer_bytes, type_inference};
use symbols::SymbolOrigins;
pub(super) use values::ShapeValues;

/// A conditional gets sizes from its branches only after they are walked, so each walk reaches one more nesting
/// level. Deeper results get symbols of their own.
const WALKS: usize = 4;

pub(super) fn run(module: &mut Module, cx: &mut Context) {
    let before = cx.diagnostics.error_count();
    let mut walked = false;
    for function in module.functions() {
        let body = module.function(function).body;
        if !needs_walk(module, body) {
            continue;
        }
        walked = true;
        let mut origins = SymbolOrigins::of_arguments(module, function);
        for _ in 0..WALKS {
            walk(module, cx, function, &mut origins, false);
            if cx.halted {
                return;
            }
            if !has_unknown_conditional(module, body) {
                break;
            }
        }
        if module.ops_within([body]).any(|op| is_dynamic(module, op)) {
            walk(module, cx, function, &mut origins, true);
        }
        origins.insert(module, function);
    }
    // Sizes that violate an op's rules are only found now.
    if walked && cx.diagnostics.error_count() == before {
        let faults = ir::verify(module, &type_inference::check, cx.diagnostics);
        if !faults.ops.is_empty() {
            module.set_aside(&faults.ops);
        }
    }
}

/// Walks once; the last walk creates symbols for sizes that are still unknown.
fn walk(
    module: &mut Module,
    cx: &mut Context,
    function: FunctionId,
    origins: &mut SymbolOrigins,
    last: bool,
) {
    let mut values = ShapeValues::default();
    let mut visit = |rewriter: &mut Rewriter, op: OpId| {
        let folded = fold::fold(rewriter.module, cx.source, op, |_| false)
            .or_else(|| evaluated(rewriter.module, op, &mut values));
        if let Some(constant) = folded {
            let value = insert_constant(rewriter, op, constant);
            let result = rewriter.module.op(op).results[0];
            values.folded(value, result);
            rewriter.replace(result, value);
            return false;
        }
        if rewriter.module.op(op).name == stablehlo::WHILE {
            refine_loop(rewriter.module, op);
            return true;
        }
        constraints::note(rewriter.module, op, &values, cx);
        refine(rewriter.module, op);
        fixed::fix(rewriter.module, op, &values);
        call::fix(rewriter.module, op, &values);
        window::fix(rewriter, op, &mut values, origins);
        fixed::fix_at_run_time(rewriter.module, op, &mut values, origins);
        // The static form has a more precise result.
        refine(rewriter.module, op);
        if let Some(value) = counted::simplify(rewriter, cx.source, op, &values) {
            let result = rewriter.module.op(op).results[0];
            rewriter.replace(result, value);
            return false;
        }
        if last {
            name_sizes(rewriter.module, op, origins);
        }
        true
    };
    Rewriter::new(module).function(function, &mut visit);
}

/// Replaces an op with a constant if its elements follow from sizes.
fn evaluated(module: &mut Module, op: OpId, values: &mut ShapeValues) -> Option<ConstantId> {
    let numbers = values.visit(module, op)?;
    if module.constant_of(module.op(op).results[0]).is_some() {
        return None;
    }
    let ty = module.value_type(module.op(op).results[0]);
    let element = module.tensor_type(ty)?.element;
    let bytes: Vec<u8> = numbers.into_iter().flat_map(|number| integer_bytes(element, number)).collect();
    Some(module.add_constant(Constant { ty, data: Data::Bytes(bytes.into()) }))
}

/// Creates symbols for sizes that follow from nothing.
fn name_sizes(module: &mut Module, op: OpId, origins: &mut SymbolOrigins) {
    for result in module.op(op).results.clone() {
        let Some(mut tensor) = module.tensor(result).filter(|ty| !ty.is_sized()).cloned() else { continue };
        // The bound of a dimension is part of its type.
        if tensor.encoding.is_some() {
            continue;
        }
        for axis in 0..tensor.rank() {
            if tensor.dims[axis] == Dim::Dynamic {
                tensor.dims[axis] = origins.add(module, result, SizePart::Dimension(axis));
            }
        }
        let ty = module.types.intern(Type::Tensor(tensor));
        module.value_mut(result).ty = ty;
    }
}

/// Whether the region has any unknown size, size operand or assertion about sizes.
fn needs_walk(module: &Module, region: RegionId) -> bool {
    let unknown = |&value: &ValueId| module.tensor(value).is_some_and(|ty| !ty.is_static());
    module.blocks_within([region]).any(|block| {
        let block = module.block(block);
        let is_unknown = |&op: &OpId| {
            fixed::is_dynamic(module, op)
                || constraints::is_assertion(module, op)
                || module.op(op).results.iter().any(unknown)
        };
        block.arguments.iter().any(unknown) || block.ops.iter().any(is_unknown)
    })
}

/// Whether an op has a result with an unknown size.
fn is_dynamic(module: &Module, op: OpId) -> bool {
    module.op(op).results.iter().any(|&value| module.tensor(value).is_some_and(|ty| !ty.is_sized()))
}

/// Whether another walk could find more sizes.
fn has_unknown_conditional(module: &Module, region: RegionId) -> bool {
    let conditional = |op: OpId| matches!(module.op(op).name, stablehlo::IF | stablehlo::CASE);
    module.ops_within([region]).any(|op| conditional(op) && is_dynamic(module, op))
}

/// Infers the result sizes of an op from its operands.
fn refine(module: &mut Module, op: OpId) {
    let results = module.op(op).results.clone();
    if results.iter().all(|&result| module.tensor(result).is_none_or(TensorType::is_sized)) {
        return;
    }
    match module.op(op).name {
        stablehlo::OPTIMIZATION_BARRIER => {
            for (index, &result) in results.iter().enumerate() {
                narrow_to_value(module, result, module.op(op).operands.get(index).copied());
            }
        }
        stablehlo::IF | stablehlo::CASE => refine_conditional(module, op),
        _ => {
            let Some(inferred) = type_inference::infer(module, op) else { return };
            for (&result, ty) in results.iter().zip(&inferred) {
                refine_type(module, result, ty);
            }
        }
    }
}

/// A loop-carried value has the type of its initial value.
fn refine_loop(module: &mut Module, op: OpId) {
    let operation = module.op(op);
    let blocks = operation.regions.iter().filter_map(|&region| module.entry_block(region));
    let mut places: Vec<Vec<ValueId>> = blocks.map(|block| module.block(block).arguments.clone()).collect();
    places.push(operation.results.to_vec());
    let operands = operation.operands.clone();
    for values in places {
        for (value, &operand) in values.into_iter().zip(&operands) {
            narrow_to_value(module, value, Some(operand));
        }
    }
}

/// A result of a conditional has a size if all branches return it.
fn refine_conditional(module: &mut Module, op: OpId) {
    let blocks = module.op(op).regions.iter().filter_map(|&region| module.entry_block(region));
    let terminators = blocks.filter_map(|block| module.block(block).ops.last().copied());
    let returned: Vec<Vec<ValueId>> =
        terminators.map(|terminator| module.op(terminator).operands.to_vec()).collect();
    for (index, result) in module.op(op).results.clone().into_iter().enumerate() {
        let types: Option<Vec<TensorType>> =
            returned.iter().map(|values| module.tensor(*values.get(index)?).cloned()).collect();
        let Some((first, rest)) = types.as_deref().and_then(<[TensorType]>::split_first) else { continue };
        let mut known = first.clone();
        for other in rest {
            if other.rank() != known.rank() {
                return;
            }
            for (dim, &other) in known.dims.iter_mut().zip(&other.dims) {
                *dim = if *dim == other { other } else { Dim::Dynamic };
            }
        }
        refine_type(module, result, &known);
    }
}

/// Refines the type of a value with known sizes.
fn refine_type(module: &mut Module, value: ValueId, known: &TensorType) {
    let Some(own) = module.tensor(value) else { return };
    // The bound of a dimension is part of its type, and a known size would contradict it.
    if own.rank() != known.rank() || own.is_sized() || own.encoding.is_some() {
        return;
    }
    let mut narrowed = own.clone();
    for (dim, &known) in narrowed.dims.iter_mut().zip(&known.dims) {
        if *dim == Dim::Dynamic {
            *dim = known;
        }
    }
    let ty = module.types.intern(Type::Tensor(narrowed));
    module.value_mut(value).ty = ty;
}

fn narrow_to_value(module: &mut Module, value: ValueId, known: Option<ValueId>) {
    if let Some(ty) = known.and_then(|known| module.tensor(known)).cloned() {
        refine_type(module, value, &ty);
    }
}
