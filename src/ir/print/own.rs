//! Prints what MLIR would refuse as ops of the dialect `hlo2onnx`. The parser does not read them back.

use super::Printer;
use crate::ir::{Attribute, Dialect, Element, OpId, RegionId, ValueId, builtin, stablehlo};
use std::fmt::Write;

impl Printer<'_> {
    /// The results of refused ops are values without a definition; they print with one.
    pub(super) fn unknown_values(&mut self, body: RegionId) {
        let module = self.module;
        let reads = module.ops_within([body]).flat_map(|op| module.op(op).operands.iter().copied());
        let mut unknown: Vec<ValueId> = reads.filter(|&value| module.is_poison(value)).collect();
        unknown.sort_unstable_by_key(|value| value.index());
        unknown.dedup();
        for value in unknown {
            self.indent(2);
            self.value(value);
            let _ = write!(self.out, " = \"hlo2onnx.unknown\"() : () -> (");
            self.ty(module.value_type(value));
            self.out.push_str(")\n");
        }
    }

    /// Whether MLIR would refuse the op under its name. It then prints as an op of the dialect `hlo2onnx`, as
    /// `hlo2onnx.stablehlo.slice`.
    pub(super) fn is_own_form(&self, id: OpId) -> bool {
        let op = self.module.op(id);
        let is_of_mlir = matches!(op.name.dialect(), Dialect::StableHlo | Dialect::Chlo);
        let has_symbols = || op.attributes.iter().any(|(_, value)| matches!(value, Attribute::Dims(_)));
        let element = |value: Option<&ValueId>| self.module.tensor(*value?).map(|tensor| tensor.element);
        let is_stored =
            |value| element(value).is_some_and(|element| !matches!(element, Element::Quantized(_)));
        let is_symbolic = |&value: &ValueId| self.module.tensor(value).is_some_and(|ty| ty.is_symbolic());
        match op.name {
            // Attributes of MLIR have numbers only.
            _ if is_of_mlir && has_symbols() => true,
            // StableHLO has other ops for results whose sizes are not numbers.
            stablehlo::BROADCAST_IN_DIM
            | stablehlo::IOTA
            | stablehlo::RESHAPE
            | stablehlo::RNG_BIT_GENERATOR => op.results.iter().any(is_symbolic),
            // Between numbers and the integers that represent them, after the pass `quant_to_qdq`.
            stablehlo::UNIFORM_DEQUANTIZE => is_stored(op.operands.first()),
            stablehlo::UNIFORM_QUANTIZE => is_stored(op.results.first()),
            // The pass `inline` attaches the function that a call names.
            stablehlo::CUSTOM_CALL => !op.regions.is_empty(),
            // A refused op is in no dialect of MLIR.
            builtin::ERROR => true,
            _ => false,
        }
    }
}
