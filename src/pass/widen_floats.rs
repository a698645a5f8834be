//! Stores `bf16` and `f16` as `f32` for a target that lacks them.
//!
//! Values, constants, inputs and results keep their numbers. The roundings between them are omitted, as XLA's
//! `allow_excess_precision` omits them.

use super::{Context, boundary};
use crate::diagnostic::{Diagnostic, catalog};
use crate::ir::{
    Attribute, Constant, Data, Element, FunctionId, Module, OpId, Rewriter, TensorType, Type, ValueId, chlo,
    stablehlo,
};
use crate::ops::LowerError;
use crate::source::Source;
use crate::target::{Capability, Target};
use half::{bf16, f16};
use rustc_hash::FxHashMap;
use std::sync::Arc;

/// Runs the pass on all functions.
pub(super) fn run(module: &mut Module, cx: &mut Context) {
    let Some(target) = cx.options.target else { return };
    report_narrower(module, target, cx);
    let narrow = [(Element::BF16, Capability::Bf16), (Element::F16, Capability::F16)];
    let lacked: Vec<Element> =
        narrow.into_iter().filter(|&(_, has)| !target.can(has)).map(|(element, _)| element).collect();
    if lacked.is_empty() {
        return;
    }
    for function in module.functions() {
        let held = hold(module, function, &lacked);
        if held.is_empty() {
            continue;
        }
        report_boundary(module, function, &lacked, cx);
        let at = module.function(function).span;
        for &element in lacked.iter().filter(|lacked| held.values().any(|held| held == *lacked)) {
            let (ty, target) = (element.name().unwrap_or_default(), &*target.to_string());
            cx.diagnostics.push(catalog::ExcessPrecision { ty, target, at });
        }
        let mut widened = Widened { held, target, source: cx.source, refused: Vec::new() };
        Rewriter::new(module).function(function, &mut |rewriter, op| widened.visit(rewriter, op));
        cx.diagnostics.extend(widened.refused);
    }
}

/// Reports the types of 64 bits that the target stores or computes in 32 bits, at the first function that has one.
fn report_narrower(module: &Module, target: Target, cx: &mut Context) {
    let narrower =
        [(Element::F64, Element::F32, Capability::F64), (Element::I64, Element::I32, Capability::I64)];
    for (wide, narrow, _) in narrower.into_iter().filter(|&(.., has)| !target.can(has)) {
        let has_wide = |&id: &FunctionId| {
            let mut values = module.values_within([module.function(id).body]).into_iter();
            values.any(|value| module.tensor(value).is_some_and(|tensor| tensor.element == wide))
        };
        if let Some(id) = module.functions().find(has_wide) {
            let (ty, via) = (wide.name().unwrap_or_default(), narrow.name().unwrap_or_default());
            let (target, at) = (&*target.to_string(), module.function(id).span);
            cx.diagnostics.push(catalog::NarrowerNumbers { ty, via, target, at });
        }
    }
}

/// Retypes all values of the given types; returns their types in the program.
fn hold(module: &mut Module, function: FunctionId, lacked: &[Element]) -> FxHashMap<ValueId, Element> {
    let mut held = FxHashMap::default();
    for value in module.values_within([module.function(function).body]) {
        let Some(tensor) = module.tensor(value).filter(|tensor| lacked.contains(&tensor.element)) else {
            continue;
        };
        let (element, wide) = (tensor.element, tensor.with_element(Element::F32));
        held.insert(value, element);
        module.value_mut(value).ty = module.types.intern(Type::Tensor(wide));
    }
    held
}

/// Reports inputs and outputs whose type in the model differs from the program.
fn report_boundary(module: &Module, id: FunctionId, lacked: &[Element], cx: &mut Context) {
    for (what, ty, at) in boundary(module, id) {
        let element = module.tensor_type(ty).map(|tensor| tensor.element);
        if let Some(ty) = element.filter(|element| lacked.contains(element)).and_then(Element::name) {
            cx.diagnostics.push(catalog::NarrowAsFloat { what: &what, ty, at });
        }
    }
}

struct Widened<'s> {
    /// The program's element type of each value that is stored as `f32`.
    held: FxHashMap<ValueId, Element>,
    target: Target,
    source: &'s Source,
    refused: Vec<Diagnostic>,
}

impl Widened<'_> {
    /// Rewrites an op. Returns whether it stays.
    fn visit(&mut self, rewriter: &mut Rewriter, op: OpId) -> bool {
        let module = &*rewriter.module;
        let operation = module.op(op);
        let mut values = operation.operands.iter().chain(&operation.results);
        let Some(&narrow) = values.find_map(|value| self.held.get(value)) else { return true };
        match operation.name {
            stablehlo::CONSTANT => self.constant(rewriter.module, op),
            stablehlo::CONVERT => {
                let (operand, result) = (operation.operands[0], operation.results[0]);
                if module.value_type(operand) == module.value_type(result) {
                    rewriter.replace(result, operand);
                    return false;
                }
            }
            // These read or write the bits of a number.
            stablehlo::BITCAST_CONVERT | chlo::NEXT_AFTER | chlo::BROADCAST_NEXT_AFTER => {
                return self.refuse(rewriter, op, narrow);
            }
            _ => {}
        }
        true
    }

    /// The numbers of a constant as `f32`.
    fn constant(&self, module: &mut Module, op: OpId) {
        let result = module.op(op).results[0];
        let Some(&element) = self.held.get(&result) else { return };
        let Some(constant) = module.constant_of(result).map(|id| module.constant(id).clone()) else { return };
        let wide = |number: &[u8]| {
            let bits = number.try_into().map(u16::from_le_bytes).unwrap_or_default();
            let number = if element == Element::F16 {
                f16::from_bits(bits).to_f32()
            } else {
                bf16::from_bits(bits).to_f32()
            };
            number.to_le_bytes()
        };
        let data = match constant.data.splat() {
            Some(number) => Data::Splat(wide(number).as_slice().into()),
            None => {
                let count = module.tensor(result).and_then(TensorType::count).unwrap_or_default();
                let numbers = constant.data.bytes(self.source, count as usize, 2);
                Data::Bytes(Arc::from(numbers.chunks_exact(2).flat_map(wide).collect::<Vec<u8>>()))
            }
        };
        let id = module.add_constant(Constant { ty: module.value_type(result), data });
        let value = module.symbols.intern("value");
        let attributes = &mut module.op_mut(op).attributes;
        attributes.retain(|(name, _)| *name != value);
        attributes.push((value, Attribute::Dense(id)));
    }

    /// Reports and removes an op; unknown values replace its results.
    fn refuse(&mut self, rewriter: &mut Rewriter, op: OpId, element: Element) -> bool {
        for (result, unknown) in rewriter.forget(op) {
            if let Some(&element) = self.held.get(&result) {
                self.held.insert(unknown, element);
            }
        }
        let (name, target) = (element.name().unwrap_or_default(), self.target);
        let error =
            LowerError::form(format!("the bits of `{name}`, which {target} lacks: the model has `f32`"));
        self.refused.extend(error.diagnostic(rewriter.module, op));
        false
    }
}
