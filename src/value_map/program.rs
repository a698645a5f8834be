//! The program as text, with additional values as results and its large constants as arguments.

use super::{ValueMap, double};
use crate::ir::{
    Argument, Attribute, Function, FunctionResult, Module, OpId, Rewriter, TypeId, ValueId, func, print,
    stablehlo,
};
use crate::pass;
use crate::source::Source;
use rustc_hash::FxHashMap;

/// Constants of fewer bytes stay in the text.
const SMALL: usize = 1024;

/// An array of the program that is an argument of the text.
#[derive(Clone, Debug)]
pub struct Captured {
    /// The element type, as StableHLO spells it.
    pub element: String,
    /// Its sizes.
    pub sizes: Vec<i64>,
    /// Its elements in row-major order; one narrower than a byte takes a byte.
    pub bytes: Vec<u8>,
}

/// A program as text.
#[derive(Clone, Debug)]
pub struct Program {
    /// The text. Its results are those of the program, followed by the requested values in their order.
    pub text: String,
    /// The arrays for the arguments that follow those of the program, in the types of the program.
    pub captured: Vec<Captured>,
}

impl ValueMap {
    /// The program with the values at these positions of the map as additional results. With `double` all its floats have
    /// 64 bits, also those of its arguments.
    ///
    /// `None` if a position is not in the map, or the program has no entry function.
    pub fn program(&self, source: &Source, values: &[usize], double: bool) -> Option<Program> {
        let mut module = self.program.clone();
        let entry = pass::entry(&module)?;
        let name = module.function(entry).name;
        module.retain_functions(|function| function.name == name);
        let entry = pass::entry(&module)?;
        let values: Vec<ValueId> =
            values.iter().map(|&index| Some(self.values.get(index)?.program)).collect::<Option<_>>()?;
        let block = module.entry_block(module.function(entry).body)?;
        let last = *module.block(block).ops.last()?;
        for value in values {
            let ty = module.value_type(value);
            module.op_mut(last).operands.push(value);
            module.function_mut(entry).results.push(FunctionResult { ty, attributes: Vec::new() });
        }
        let captured = capture(&mut module, source)?;
        if double {
            double::widen(&mut module, source);
        }
        let name = module.symbols.intern("main");
        module.function_mut(entry).name = name;
        module.function_mut(entry).public = true;
        name_reducers(&mut module);
        module.settle_signatures();
        Some(Program { text: print(&module, source, None), captured })
    }
}

/// Turns the large constants of the entry function into arguments.
fn capture(module: &mut Module, source: &Source) -> Option<Vec<Captured>> {
    let entry = pass::entry(module)?;
    let body = module.function(entry).body;
    let block = module.entry_block(body)?;
    let mut captured = Vec::new();
    let mut arguments: FxHashMap<OpId, ValueId> = FxHashMap::default();
    let ops: Vec<OpId> = module.ops_within([body]).collect();
    for op in ops {
        let Some((ty, array)) = large(module, source, op) else { continue };
        captured.push(array);
        arguments.insert(op, module.add_argument(block, ty));
        let function = module.function_mut(entry);
        function.arguments.push(Argument::default());
    }
    Rewriter::new(module).function(entry, &mut |rewriter, op| {
        let Some(&argument) = arguments.get(&op) else { return true };
        let result = rewriter.module.op(op).results[0];
        rewriter.replace(result, argument);
        false
    });
    Some(captured)
}

fn large(module: &Module, source: &Source, op: OpId) -> Option<(TypeId, Captured)> {
    let &[result] = &module.op(op).results[..] else { return None };
    let Some(&Attribute::Dense(id)) = module.attribute(op, "value") else { return None };
    if module.op(op).name != stablehlo::CONSTANT {
        return None;
    }
    let (constant, ty) = (module.constant(id), module.tensor(result)?);
    let count = usize::try_from(ty.count()?).ok()?;
    let width = ty.element.bytes();
    if constant.data.splat().is_some() || count.saturating_mul(width) < SMALL {
        return None;
    }
    let bytes = constant.data.bytes(source, count, width).into_owned();
    let element = module.spell_element(ty.element).to_owned();
    Some((module.value_type(result), Captured { element, sizes: ty.sizes()?, bytes }))
}

/// Turns regions of custom calls into functions: in XLA's text they have none, and name a function instead.
fn name_reducers(module: &mut Module) {
    let bodies: Vec<_> = module.functions().map(|id| module.function(id).body).collect();
    let calls: Vec<OpId> = module
        .ops_within(bodies)
        .filter(|&op| module.op(op).name == stablehlo::CUSTOM_CALL && !module.op(op).regions.is_empty())
        .collect();
    for (index, call) in calls.into_iter().enumerate() {
        let Some(region) = module.op_mut(call).regions.pop() else { continue };
        let Some(block) = module.entry_block(region) else { continue };
        let Some(&last) = module.block(block).ops.last() else { continue };
        let (name, end) = (format!("reducer{index}"), func::RETURN);
        let name = module.symbols.intern(&name);
        module.op_mut(last).name = end;
        let arguments = module.block(block).arguments.clone();
        let returned = module.op(last).operands.clone();
        let result =
            |&value: &ValueId| FunctionResult { ty: module.value_type(value), attributes: Vec::new() };
        let function = Function {
            name,
            public: false,
            body: region,
            arguments: arguments.iter().map(|_| Argument::default()).collect(),
            argument_types: Vec::new(),
            results: returned.iter().map(result).collect(),
            attributes: Vec::new(),
            span: module.span(call).name,
            location: module.op_location(call),
        };
        module.add_function(function);
        let key = module.symbols.intern("called_computations");
        let called = Attribute::Array([Attribute::SymbolRef([name].into())].into());
        module.op_mut(call).attributes.push((key, called));
    }
}
