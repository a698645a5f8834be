//! Emits ONNX ops, and raises the opset to what they need.

use super::{Lower, LowerError};
use crate::diagnostic::catalog;
use crate::ir::{OpBuilder, OpId, OpName, RegionId, ValueId, onnx};
use crate::target::{self, Gap, Target};

impl Lower<'_> {
    /// Starts the ONNX op `name` on these operands; [`Lower::absent`] represents one that is left out.
    pub fn node(&mut self, name: OpName, operands: &[ValueId]) -> OpBuilder<'_> {
        self.needs(name);
        let place = self.place();
        self.module.create(name, operands).at(place).push_to(&mut self.pending)
    }

    /// Records that an ONNX op is used: raises the opset to what it needs, unless it is binding.
    fn needs(&mut self, op: OpName) {
        let needs = target::since(op);
        if needs > self.opset() {
            self.raise(op, needs);
        }
    }

    /// Raises the opset to what the element types of a function need, up to the highest that it may have. The pass
    /// `insert_casts` reports those that need a higher one.
    pub fn raise_to_elements(&mut self, function: RegionId) {
        let (highest, _) = self.options.highest_opset();
        let entry = self.module.region(function).blocks.first();
        let arguments = entry.map_or(&[][..], |&block| &self.module.block(block).arguments);
        let mut values: Vec<(Option<OpId>, ValueId)> = arguments.iter().map(|&value| (None, value)).collect();
        for op in self.module.ops_within([function]) {
            values.extend(self.module.op(op).results.iter().map(|&value| (Some(op), value)));
        }
        for (op, value) in values {
            let Some(element) = self.module.tensor(value).map(|tensor| tensor.element) else { continue };
            let needs = target::element_since(element);
            if needs > self.opset() && needs <= highest {
                self.opset = needs;
                self.current = op;
                let at = self.place().0.name;
                self.report(catalog::OpsetRaised { op: element.name().unwrap_or_default(), to: needs, at });
            }
        }
        self.current = None;
    }

    /// Whether the opset has an ONNX op, and the target has kernels for it.
    pub fn has(&self, op: OpName) -> bool {
        let opset = self.opset();
        let runs = |target: Target| target.gap(op, opset, |_| None) != Some(Gap::Op);
        target::since(op) <= opset && self.options.target.is_none_or(runs)
    }

    /// Whether bits are reinterpreted with `BitCast`: if the opset has that op, or under `--strict-nan`, which raises
    /// the opset.
    pub(super) fn has_bit_cast(&self) -> bool {
        self.options.strict_nan || self.has(onnx::BIT_CAST)
    }

    /// Whether the current op can read the sign of NaN, which needs `BitCast`. Otherwise reports that it does not.
    pub(super) fn reads_nan_sign(&mut self) -> bool {
        self.reads_signs("a negative NaN")
    }

    /// Whether the current op can read the signs of these values, which needs `BitCast`. Otherwise reports that it does
    /// not.
    pub(super) fn reads_signs(&mut self, of: &str) -> bool {
        if self.has_bit_cast() {
            return true;
        }
        if let Some(op) = self.current {
            let (name, at) = (self.module.op_name(op).to_owned(), self.module.span(op).name);
            self.report(catalog::NanSign { op: &name, of, at });
        }
        false
    }

    /// Refuses unless the opset has, or can be raised to have, an ONNX op or its required version.
    ///
    /// # Errors
    /// [`LowerError::Opset`] if the opset is binding and too low.
    pub fn require(&mut self, op: OpName, needs: u32) -> Result<(), LowerError> {
        if needs > self.opset() {
            self.raise(op, needs);
        }
        self.refused()
    }
}
