//! Replaces quantized tensors by their storage integers.
//!
//! Every value of a quantized type gets its storage type, including inputs and outputs of the model. Ops that only
//! move elements work on the integers. Ops that compute get a `uniform_dequantize` before each quantized operand and
//! a `uniform_quantize` after each quantized result, as the StableHLO specification defines them
//! (`dequantize_op_quantize`). These two keep the quantized type as an attribute.

use super::Context;
use crate::diagnostic::{Diagnostic, Part, catalog};
use crate::ir::{
    Attribute, Class, Dialect, Element, FunctionId, Module, OpId, OpName, RegionId, Rewriter, Symbol,
    TensorType, Type, TypeId, ValueId, builtin, func, stablehlo,
};
use crate::ops::LowerError;
use crate::ops::quantize::{ATTRIBUTE, Quantization};
use rustc_hash::{FxHashMap, FxHashSet};
use smallvec::SmallVec;

/// Runs the pass on all functions.
pub(super) fn run(module: &mut Module, cx: &mut Context) {
    for function in module.functions() {
        let mut pass = Quantize::default();
        pass.store(module, function, cx);
        if pass.kinds.is_empty() {
            continue;
        }
        let mut refused = Vec::new();
        Rewriter::new(module).function(function, &mut |rewriter, op| pass.visit(rewriter, op, &mut refused));
        refused.into_iter().for_each(|diagnostic| cx.diagnostics.push(diagnostic));
    }
}

/// How an op treats quantized values.
#[derive(Clone, Copy, PartialEq, Eq)]
enum QuantKind {
    /// One of the two conversions.
    Conversion,
    /// Passes each stored value through.
    Carries,
    /// Moves elements; a dimension with several scales moves as a whole.
    Rearranges,
    /// Moves elements, also within a dimension.
    Moves,
    /// Selects elements by order.
    Orders,
    /// Applies regions to elements of the operands' types.
    Folds,
    /// Computes with the numbers.
    Computes,
    /// Unknown.
    Unknown,
}

fn kind(name: OpName) -> QuantKind {
    match name {
        stablehlo::UNIFORM_QUANTIZE | stablehlo::UNIFORM_DEQUANTIZE => return QuantKind::Conversion,
        stablehlo::CONSTANT | stablehlo::BITCAST_CONVERT => return QuantKind::Carries,
        stablehlo::RESHAPE | stablehlo::TRANSPOSE | stablehlo::BROADCAST_IN_DIM => {
            return QuantKind::Rearranges;
        }
        stablehlo::SELECT => return QuantKind::Moves,
        stablehlo::MAXIMUM | stablehlo::MINIMUM | stablehlo::CLAMP => return QuantKind::Orders,
        stablehlo::CUSTOM_CALL | stablehlo::COMPOSITE => return QuantKind::Unknown,
        _ => {}
    }
    match name.class() {
        Class::Control | Class::Terminates => QuantKind::Carries,
        Class::Moves | Class::Indexes => QuantKind::Moves,
        Class::Combines => QuantKind::Folds,
        _ if matches!(name.dialect(), Dialect::StableHlo | Dialect::Chlo) => QuantKind::Computes,
        _ => QuantKind::Unknown,
    }
}

#[derive(Default)]
struct Quantize {
    /// The original quantized type of each value.
    kinds: FxHashMap<ValueId, Symbol>,
    /// The parsed types; `None` if not supported.
    parsed: FxHashMap<Symbol, Option<Quantization>>,
    /// Unsupported types that have been reported.
    reported: FxHashSet<Symbol>,
}

impl Quantize {
    /// Changes all values to their storage types.
    fn store(&mut self, module: &mut Module, function: FunctionId, cx: &mut Context) {
        let mut values = Vec::new();
        for block in module.blocks_within([module.function(function).body]) {
            let block = module.block(block);
            let declared = &module.function(function).arguments;
            let at = |index: usize| {
                declared.get(index).map_or(module.function(function).span, |argument| argument.span)
            };
            values.extend(block.arguments.iter().enumerate().map(|(index, &value)| (value, at(index))));
            for &op in &block.ops {
                let at = module.span(op).name;
                values.extend(module.op(op).results.iter().map(|&result| (result, at)));
            }
        }
        for (value, at) in values {
            let ty = module.value_type(value);
            if let Some(text) = quantized(module, ty) {
                if self.read(module, text).is_none() && self.reported.insert(text) {
                    let definition = module.defining_op(value);
                    let op = definition.map_or(func::FUNC.text(), |op| module.op_name(op));
                    let ty = module.symbols.get(text);
                    let diagnostic: Diagnostic = catalog::UnsupportedType { op, ty, at }.into();
                    let diagnostic = diagnostic.at(Part::Elements(ty.to_owned()));
                    cx.diagnostics.push(match definition {
                        Some(op) => module.located(op, diagnostic),
                        None => diagnostic,
                    });
                }
                self.kinds.insert(value, text);
            }
            let stored = self.stored(module, ty);
            module.value_mut(value).ty = stored;
        }
    }

    /// Parses the text of a quantized type.
    fn read(&mut self, module: &Module, text: Symbol) -> Option<&Quantization> {
        let parse = || Quantization::parse(module.symbols.get(text));
        self.parsed.entry(text).or_insert_with(parse).as_ref()
    }

    /// The type with storage integers. An unsupported type stays and is reported.
    fn stored(&mut self, module: &mut Module, ty: TypeId) -> TypeId {
        match module.types.get(ty).clone() {
            Type::Tensor(TensorType { element: Element::Quantized(text), dims, encoding }) => {
                let Some(element) = self.read(module, text).map(|quantization| quantization.storage) else {
                    return ty;
                };
                module.types.intern(Type::Tensor(TensorType { element, dims, encoding }))
            }
            Type::Tuple(parts) => {
                let parts = parts.into_iter().map(|part| self.stored(module, part)).collect();
                module.types.intern(Type::Tuple(parts))
            }
            _ => ty,
        }
    }

    fn quantization(&self, value: ValueId) -> Option<&Quantization> {
        self.parsed.get(self.kinds.get(&value)?)?.as_ref()
    }

    /// Rewrites an op. Returns whether it stays.
    fn visit(&mut self, rewriter: &mut Rewriter, op: OpId, refused: &mut Vec<Diagnostic>) -> bool {
        let module = &*rewriter.module;
        let operation = module.op(op);
        let mut values = operation.operands.iter().chain(&operation.results);
        let touched = values.any(|value| self.kinds.contains_key(value));
        let all_known = operation
            .operands
            .iter()
            .chain(&operation.results)
            .all(|value| !self.kinds.contains_key(value) || self.quantization(*value).is_some());
        if !touched || !all_known {
            return true;
        }
        match kind(module.op(op).name) {
            QuantKind::Conversion => self.convert(rewriter, op),
            QuantKind::Carries => true,
            QuantKind::Rearranges if self.agree(module, op) => true,
            QuantKind::Moves if self.agree(module, op) && !self.per_axis(module, op) => true,
            QuantKind::Orders
                if self.agree(module, op) && !self.per_axis(module, op) && self.is_narrow(module, op) =>
            {
                true
            }
            QuantKind::Rearranges | QuantKind::Moves | QuantKind::Orders | QuantKind::Computes => {
                self.expand(rewriter, op)
            }
            QuantKind::Folds if self.agree(module, op) && !self.per_axis(module, op) => true,
            QuantKind::Folds => {
                let why = "operands, results and regions have different quantized types";
                refused.extend(self.refuse(rewriter, op, why));
                false
            }
            QuantKind::Unknown if module.op(op).name == builtin::ERROR => true,
            QuantKind::Unknown => {
                refused.extend(self.refuse(rewriter, op, "its operands or results are quantized"));
                false
            }
        }
    }

    /// All quantized values of an op: operands, results and arguments of its regions.
    fn values(&self, module: &Module, op: OpId) -> Vec<&Quantization> {
        let operation = module.op(op);
        let blocks = operation.regions.iter().filter_map(|&region: &RegionId| module.entry_block(region));
        let arguments = blocks.flat_map(|block| module.block(block).arguments.iter());
        operation
            .operands
            .iter()
            .chain(&operation.results)
            .chain(arguments)
            .filter_map(|&value| self.quantization(value))
            .collect()
    }

    /// Whether all quantized values of an op map stored integers to the same numbers, and no other value holds such
    /// numbers.
    fn agree(&self, module: &Module, op: OpId) -> bool {
        let values = self.values(module, op);
        let operation = module.op(op);
        let plain = |&&value: &&ValueId| {
            let float = module.tensor(value).is_some_and(|tensor| tensor.element.is_float());
            float && !self.kinds.contains_key(&value)
        };
        values.windows(2).all(|pair| pair[0].agrees(pair[1]))
            && operation.operands.iter().chain(&operation.results).find(plain).is_none()
    }

    fn per_axis(&self, module: &Module, op: OpId) -> bool {
        self.values(module, op).iter().any(|quantization| quantization.axis.is_some())
    }

    /// Whether every stored integer survives a round trip through its float.
    fn is_narrow(&self, module: &Module, op: OpId) -> bool {
        let exact = |quantization: &&Quantization| {
            quantization.storage.bits() <= 8 && quantization.expressed != Element::BF16
        };
        self.values(module, op).iter().all(exact)
    }

    /// Adds the quantized type to `uniform_quantize` and `uniform_dequantize`. A requantization dequantizes first.
    fn convert(&mut self, rewriter: &mut Rewriter, op: OpId) -> bool {
        let (operand, result) = (rewriter.module.op(op).operands[0], rewriter.module.op(op).results[0]);
        let (from, to) = (self.kinds.get(&operand).copied(), self.kinds.get(&result).copied());
        match (from, to) {
            (Some(from), Some(to)) if self.parsed.get(&from) == self.parsed.get(&to) => {
                rewriter.replace(result, operand);
                return false;
            }
            (Some(_), Some(to)) => {
                let number = self.dequantized(rewriter, op, operand);
                rewriter.module.op_mut(op).operands[0] = number;
                mark(rewriter.module, op, to);
            }
            (Some(text), None) | (None, Some(text)) => mark(rewriter.module, op, text),
            (None, None) => {}
        }
        true
    }

    /// Converts around an op that computes.
    fn expand(&mut self, rewriter: &mut Rewriter, op: OpId) -> bool {
        let mut operands: SmallVec<[ValueId; 3]> = SmallVec::new();
        for operand in rewriter.module.op(op).operands.clone() {
            let quantized = self.kinds.contains_key(&operand);
            operands.push(if quantized { self.dequantized(rewriter, op, operand) } else { operand });
        }
        let results = rewriter.module.op(op).results.clone();
        let result_types: Vec<TypeId> =
            results.iter().map(|&result| self.expressed(rewriter.module, result)).collect();
        let computed = rewriter.create_like(op, &operands).results(&result_types);
        for (result, number) in results.into_iter().zip(rewriter.module.op(computed).results.clone()) {
            let Some(&text) = self.kinds.get(&result) else {
                rewriter.replace(result, number);
                continue;
            };
            let ty = rewriter.module.value_type(result);
            let stored = conversion(rewriter, op, stablehlo::UNIFORM_QUANTIZE, number, ty, text);
            self.kinds.insert(stored, text);
            rewriter.replace(result, stored);
        }
        false
    }

    /// The type of a value's dequantized numbers.
    fn expressed(&self, module: &mut Module, value: ValueId) -> TypeId {
        let ty = module.value_type(value);
        let element = self.quantization(value).map(|quantization| quantization.expressed);
        element.map_or(ty, |element| module.with_element(ty, element))
    }

    fn dequantized(&self, rewriter: &mut Rewriter, op: OpId, stored: ValueId) -> ValueId {
        let Some(&text) = self.kinds.get(&stored) else { return stored };
        let ty = self.expressed(rewriter.module, stored);
        conversion(rewriter, op, stablehlo::UNIFORM_DEQUANTIZE, stored, ty, text)
    }

    /// Refuses an op; unknown values replace its results.
    fn refuse(&mut self, rewriter: &mut Rewriter, op: OpId, why: &str) -> Option<Diagnostic> {
        for (result, unknown) in rewriter.forget(op) {
            if let Some(&text) = self.kinds.get(&result) {
                self.kinds.insert(unknown, text);
            }
        }
        LowerError::form(why).diagnostic(rewriter.module, op)
    }
}

/// The text of a tensor's quantized element type.
fn quantized(module: &Module, ty: TypeId) -> Option<Symbol> {
    match module.tensor_type(ty)?.element {
        Element::Quantized(text) => Some(text),
        _ => None,
    }
}

/// Inserts a conversion for an op.
fn conversion(
    rewriter: &mut Rewriter,
    op: OpId,
    name: OpName,
    operand: ValueId,
    ty: TypeId,
    text: Symbol,
) -> ValueId {
    let new = rewriter.create(name, &[operand]).at_op(op).results(&[ty]);
    mark(rewriter.module, new, text);
    rewriter.module.op(new).results[0]
}

/// Records the quantized type of a conversion.
fn mark(module: &mut Module, op: OpId, text: Symbol) {
    let name = module.symbols.intern(ATTRIBUTE);
    let ty = module.types.intern(Type::Opaque(text));
    module.op_mut(op).attributes.push((name, Attribute::Type(ty)));
}
