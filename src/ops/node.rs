//! Emits ONNX ops, and raises the opset to what they need.

use super::{Lower, LowerError, target};
use crate::diagnostic::catalog;
use crate::ir::{OpBuilder, OpName, ValueId, onnx};

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

    /// Whether the opset has an ONNX op.
    pub fn has(&self, op: OpName) -> bool {
        target::since(op) <= self.opset()
    }

    /// Whether the current op reads the sign of NaN with `BitCast`: if the opset has that op, or under
    /// `--strict-nan`, which raises the opset. Otherwise reports that it does not.
    pub(super) fn reads_nan_sign(&mut self) -> bool {
        if self.options.strict_nan || self.has(onnx::BIT_CAST) {
            return true;
        }
        if let Some(op) = self.current {
            let (name, at) = (self.module.op_name(op).to_owned(), self.module.span(op).name);
            self.report(catalog::NanSign { op: &name, at });
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
