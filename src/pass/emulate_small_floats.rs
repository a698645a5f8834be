//! Emulates floats of eight bits and fewer.
//!
//! ONNX Runtime has no arithmetic on them, and ONNX lacks some. Formats that ONNX lacks, or that have no kernels for
//! moves, are stored as `f32`, which represents all their numbers; ops that compute are followed by a rounding op.
//! Other formats keep their type in ops that move elements, and are converted around ops that compute.
//!
//! `f32` has more than twice the digits of these formats plus two, so rounding its sum, product, quotient or square
//! root again equals rounding once (Figueroa 1995).

use super::{Context, boundary};
use crate::diagnostic::{Diagnostic, catalog};
use crate::ir::{
    Attribute, Class, Constant, Data, Element, FunctionId, Module, OpId, OpName, Rewriter, SmallFloat,
    TensorType, Type, TypeId, ValueId, chlo, stablehlo,
};
use crate::ops::{self, Elements, FORMAT, LowerError, ROUND};
use crate::source::Source;
use crate::target::Capability;
use rustc_hash::FxHashMap;
use smallvec::SmallVec;
use std::sync::Arc;

/// Ops whose results are elements of their operands, or that only depend on operand values.
fn is_exact(name: OpName) -> bool {
    matches!(name.class(), Class::Moves | Class::Indexes | Class::Control | Class::Terminates)
        || matches!(
            name,
            chlo::BROADCAST_COMPARE
                | chlo::BROADCAST_SELECT
                | stablehlo::ABS
                | stablehlo::CLAMP
                | stablehlo::COMPARE
                | stablehlo::CONSTANT
                | stablehlo::IS_FINITE
                | stablehlo::MAXIMUM
                | stablehlo::MINIMUM
                | stablehlo::REDUCE
                | stablehlo::SELECT
                | stablehlo::SORT
        )
}

/// Ops whose results the format may lack: a format without -0 cannot negate zero.
fn computes(name: OpName) -> bool {
    match name {
        stablehlo::IOTA => true,
        // Ops that read or write the bits of a number.
        chlo::BROADCAST_NEXT_AFTER | chlo::NEXT_AFTER | stablehlo::REDUCE_PRECISION | ROUND => false,
        stablehlo::UNIFORM_DEQUANTIZE | stablehlo::UNIFORM_QUANTIZE => false,
        _ => {
            let takes_floats = || ops::find(name).is_some_and(|row| row.elements.contains(Element::F32));
            matches!(name.class(), Class::Elementwise | Class::Contracts) && !is_exact(name) && takes_floats()
        }
    }
}

/// Whether the pass supports an op for all small floats.
pub(super) fn covers(name: OpName) -> bool {
    name == stablehlo::CONVERT || is_exact(name) || computes(name)
}

/// Runs the pass on all functions.
pub(super) fn run(module: &mut Module, cx: &mut Context) {
    let types = Held { all: !cx.options.can(Capability::Float8) };
    for function in module.functions() {
        let mut held = FxHashMap::default();
        if !hold(module, function, types, &mut held) {
            continue;
        }
        report_boundary(module, function, types, cx);
        let mut narrow = SmallFloatRewriter { held, types, source: cx.source, refused: Vec::new() };
        Rewriter::new(module).function(function, &mut |rewriter, op| narrow.visit(rewriter, op));
        cx.diagnostics.extend(narrow.refused);
    }
}

/// Which types are stored as `f32`.
#[derive(Clone, Copy)]
struct Held {
    /// Also those that ONNX has, for a target that lacks them.
    all: bool,
}

impl Held {
    fn contains(self, element: Element) -> bool {
        element.is_small_float() && (self.all || !Elements::FLOAT8.contains(element))
    }
}

/// The type that stores a tensor as `f32`.
fn held_type(module: &mut Module, ty: TypeId, types: Held) -> Option<(Element, TypeId)> {
    let tensor = module.tensor_type(ty).filter(|tensor| types.contains(tensor.element))?;
    let (element, wide) = (tensor.element, TensorType { element: Element::F32, ..tensor.clone() });
    Some((element, module.types.intern(Type::Tensor(wide))))
}

/// Retypes all values that are stored as `f32`. Returns whether the function has any small float.
fn hold(
    module: &mut Module,
    function: FunctionId,
    types: Held,
    held: &mut FxHashMap<ValueId, Element>,
) -> bool {
    let values = module.values_within([module.function(function).body]);
    let mut found = false;
    for value in values {
        found |= module.tensor(value).is_some_and(|tensor| tensor.element.is_small_float());
        if let Some((element, wide)) = held_type(module, module.value_type(value), types) {
            held.insert(value, element);
            module.value_mut(value).ty = wide;
        }
    }
    found
}

/// Reports inputs and outputs whose type in the model differs from the program.
fn report_boundary(module: &Module, id: FunctionId, types: Held, cx: &mut Context) {
    for (what, ty, at) in boundary(module, id) {
        let element =
            module.tensor_type(ty).map(|tensor| tensor.element).filter(|&element| types.contains(element));
        if let Some(ty) = element.and_then(Element::name) {
            cx.diagnostics.push(catalog::NarrowAsFloat { what: &what, ty, at });
        }
    }
}

struct SmallFloatRewriter<'s> {
    /// The program's element type of each value that is stored as `f32`.
    held: FxHashMap<ValueId, Element>,
    types: Held,
    source: &'s Source,
    refused: Vec<Diagnostic>,
}

impl SmallFloatRewriter<'_> {
    /// Rewrites an op. Returns whether it stays.
    fn visit(&mut self, rewriter: &mut Rewriter, op: OpId) -> bool {
        let module = &*rewriter.module;
        let operation = module.op(op);
        let mut values = operation.operands.iter().chain(&operation.results);
        let narrow = values.find_map(|value| {
            let own = module.tensor(*value).map(|tensor| tensor.element);
            self.held.get(value).copied().or(own.filter(|element| element.is_small_float()))
        });
        let Some(narrow) = narrow else { return true };
        let name = module.op(op).name;
        match name {
            stablehlo::CONSTANT => self.constant(rewriter.module, op),
            stablehlo::CONVERT => return self.convert(rewriter, op),
            _ if computes(name) => return self.compute(rewriter, op),
            // Ops that move elements work on any type; other ops need kernels.
            _ if is_exact(name) => {
                let has_row = ops::find(name).is_none_or(|row| row.elements.contains(narrow));
                if !self.types.contains(narrow) && !has_row && operation.regions.is_empty() {
                    return self.compute(rewriter, op);
                }
            }
            _ if self.types.contains(narrow) && ops::host_callback(module, op).is_none() => {
                return self.refuse(rewriter, op, narrow);
            }
            _ => {}
        }
        true
    }

    /// The numbers of a constant as `f32`.
    fn constant(&mut self, module: &mut Module, op: OpId) {
        let result = module.op(op).results[0];
        let Some(format) = self.held.get(&result).copied().and_then(SmallFloat::of) else { return };
        let Some(constant) = module.constant_of(result).map(|id| module.constant(id).clone()) else { return };
        let wide = |pattern: &u8| (format.decode(u32::from(*pattern)) as f32).to_le_bytes();
        let data = match constant.data.splat() {
            Some(pattern) => Data::Splat(pattern.iter().flat_map(wide).collect()),
            None => {
                let count = module.tensor(result).and_then(TensorType::count).unwrap_or_default();
                let patterns = constant.data.bytes(self.source, count as usize, 1);
                Data::Bytes(Arc::from(patterns.iter().flat_map(wide).collect::<Vec<u8>>()))
            }
        };
        let id = module.add_constant(Constant { ty: module.value_type(result), data });
        let value = module.symbols.intern("value");
        module.op_mut(op).attributes = vec![(value, Attribute::Dense(id))];
    }

    /// A conversion rounds once, from a type that represents all operand values within the format's range.
    fn convert(&mut self, rewriter: &mut Rewriter, op: OpId) -> bool {
        let (operand, result) = (rewriter.module.op(op).operands[0], rewriter.module.op(op).results[0]);
        let Some(&to) = self.held.get(&result) else { return true };
        if self.held.get(&operand) == Some(&to) {
            rewriter.replace(result, operand);
            return false;
        }
        if to == Element::F8E8M0FNU {
            return self.refuse(rewriter, op, to);
        }
        let from = rewriter.module.tensor(operand).map_or(Element::F32, |tensor| tensor.element);
        let wide = if from == Element::F64 || from.bits() > 16 && from.is_integer() {
            Element::F64
        } else {
            Element::F32
        };
        let number = converted(rewriter, op, operand, wide);
        let rounded = rounded(rewriter, op, number, to);
        let value = converted(rewriter, op, rounded, Element::F32);
        rewriter.replace(result, value);
        self.held.insert(value, to);
        false
    }

    /// Computes in `f32`, and rounds the results that are small floats.
    fn compute(&mut self, rewriter: &mut Rewriter, op: OpId) -> bool {
        let results = rewriter.module.op(op).results.clone();
        let is_narrow = |module: &Module, value: ValueId| {
            module.tensor(value).is_some_and(|tensor| tensor.element.is_small_float())
        };
        let exact = is_exact(rewriter.module.op(op).name);
        let scale = results.iter().any(|result| self.held.get(result) == Some(&Element::F8E8M0FNU));
        if scale && !exact {
            return self.refuse(rewriter, op, Element::F8E8M0FNU);
        }
        let mut operands: SmallVec<[ValueId; 3]> = SmallVec::new();
        for operand in rewriter.module.op(op).operands.clone() {
            let narrow = is_narrow(rewriter.module, operand);
            operands.push(if narrow { converted(rewriter, op, operand, Element::F32) } else { operand });
        }
        let mut result_types: SmallVec<[TypeId; 1]> = SmallVec::new();
        for &result in &results {
            let ty = rewriter.module.value_type(result);
            let narrow = is_narrow(rewriter.module, result);
            result_types.push(if narrow { rewriter.module.with_element(ty, Element::F32) } else { ty });
        }
        let computed = rewriter.create_like(op, &operands).results(&result_types);
        let numbers = rewriter.module.op(computed).results.clone();
        for (&result, number) in results.iter().zip(numbers) {
            let element = rewriter.module.tensor(result).map(|tensor| tensor.element);
            let value = match (self.held.get(&result).copied(), element) {
                (Some(format), _) => {
                    let value = rounded(rewriter, op, number, format);
                    self.held.insert(value, format);
                    value
                }
                (None, Some(element)) if element.is_small_float() => converted(rewriter, op, number, element),
                _ => number,
            };
            rewriter.replace(result, value);
        }
        false
    }

    /// Reports and removes an op; unknown values replace its results.
    fn refuse(&mut self, rewriter: &mut Rewriter, op: OpId, element: Element) -> bool {
        for (result, unknown) in rewriter.forget(op) {
            if let Some(&element) = self.held.get(&result) {
                self.held.insert(unknown, element);
            }
        }
        let error = LowerError::Type(element.name().unwrap_or_default().to_owned());
        self.refused.extend(error.diagnostic(rewriter.module, op));
        false
    }
}

/// Casts a value to another element type.
fn converted(rewriter: &mut Rewriter, op: OpId, value: ValueId, element: Element) -> ValueId {
    let own = rewriter.module.value_type(value);
    let ty = rewriter.module.with_element(own, element);
    if ty == own {
        return value;
    }
    insert(rewriter, op, stablehlo::CONVERT, value, ty, None)
}

/// Rounds a value to a format.
fn rounded(rewriter: &mut Rewriter, op: OpId, value: ValueId, format: Element) -> ValueId {
    let ty = rewriter.module.value_type(value);
    insert(rewriter, op, ROUND, value, ty, Some(format))
}

fn insert(
    rewriter: &mut Rewriter,
    op: OpId,
    name: OpName,
    operand: ValueId,
    ty: TypeId,
    format: Option<Element>,
) -> ValueId {
    let builder = rewriter.create(name, &[operand]).at_op(op);
    let builder = if let Some(format) = format { builder.element(FORMAT, format) } else { builder };
    builder.of(ty)
}
