//! Why an op could not be lowered.

use super::Violation;
use crate::diagnostic::{Diagnostic, Part, catalog};
use crate::ir::{Module, OpId, OpName, ValueId, builtin, hlo2onnx, stablehlo};
use crate::source::Span;
use crate::target::Target;
use smallvec::{SmallVec, smallvec};

/// The values that replace an op's results, in order.
#[derive(Clone, Debug, Default)]
pub struct Values(pub SmallVec<[ValueId; 1]>);

impl From<ValueId> for Values {
    fn from(value: ValueId) -> Self {
        Self(smallvec![value])
    }
}

impl FromIterator<ValueId> for Values {
    fn from_iter<T: IntoIterator<Item = ValueId>>(values: T) -> Self {
        Self(values.into_iter().collect())
    }
}

/// The result of a lowering.
pub type Lowered = Result<Values, LowerError>;

/// Why an op could not be lowered. The pass turns it into a diagnostic.
#[derive(Clone, Debug)]
pub enum LowerError {
    /// The op is unknown.
    Op,
    /// The op is supported, but not with these attributes, regions or operands.
    Form(String),
    /// The op is supported, but not for this element type.
    Type(String),
    /// A size that must be static is not.
    Dynamic(String),
    /// A custom call with an unknown target.
    CustomCall(String),
    /// The program runs on several devices.
    Devices {
        /// How many.
        devices: usize,
        /// The mesh, described in a clause.
        mesh: Option<String>,
    },
    /// The binding opset, or the highest that the target reads, lacks this ONNX op.
    Opset {
        /// The ONNX op.
        op: OpName,
        /// The opset that has it.
        needs: u32,
        /// The highest opset that the model may have.
        highest: u32,
        /// The target, if it is what limits the opset.
        target: Option<Target>,
    },
    /// The op breaks the specification.
    Invalid(Violation),
    /// An op inside was refused and has been reported.
    Reported,
}

impl From<Violation> for LowerError {
    fn from(violation: Violation) -> Self {
        LowerError::Invalid(violation)
    }
}

impl LowerError {
    /// An unsupported form, with the reason.
    pub fn form(why: impl Into<String>) -> Self {
        LowerError::Form(why.into())
    }

    /// A missing attribute.
    pub fn missing(name: &'static str) -> Self {
        Violation::missing(name).into()
    }

    /// A malformed attribute, with what is wrong with it.
    pub fn attribute(name: &'static str, why: impl Into<String>) -> Self {
        Violation::attribute(name, why).into()
    }

    /// An op that requires static sizes.
    pub fn dynamic(cx: &super::Lower, op: OpId) -> Self {
        // A symbol's definition reads the result of a program op.
        let of_operand = || cx.module.defining_op(*cx.module.op(op).operands.first()?);
        let named = if cx.module.op(op).name == hlo2onnx::SIZE { of_operand().unwrap_or(op) } else { op };
        let name = super::call_target(cx.module, named)
            .filter(|_| cx.module.op(named).name == stablehlo::CUSTOM_CALL)
            .unwrap_or_else(|| cx.module.op_name(named));
        LowerError::Dynamic(format!("a dimension of `{name}`"))
    }

    /// The diagnostic, unless it was already reported, as for error ops.
    pub fn diagnostic(&self, module: &Module, id: OpId) -> Option<Diagnostic> {
        if module.op(id).name == builtin::ERROR {
            return None;
        }
        let (op, at) = (module.op_name(id), module.span(id).name);
        let diagnostic: Diagnostic = match self {
            LowerError::Op => match super::misspelled(op) {
                Some(nearest) => catalog::UnknownOp { op, nearest, at }.into(),
                None => catalog::UnsupportedOp { op, at }.into(),
            },
            LowerError::Form(why) => catalog::UnsupportedForm { op, why, at }.into(),
            LowerError::Type(ty) => {
                let diagnostic: Diagnostic = catalog::UnsupportedType { op, ty, at }.into();
                diagnostic.at(Part::Elements(ty.clone()))
            }
            LowerError::Dynamic(what) => {
                let of_op = format!("{what} of `{op}`");
                let what = if what.contains('`') { what } else { &of_op };
                let diagnostic: Diagnostic = catalog::DynamicShape { what, at }.into();
                diagnostic.at(Part::UnknownSize)
            }
            LowerError::CustomCall(target) => catalog::UnsupportedCustomCall { target, at }.into(),
            LowerError::Devices { devices, mesh } => {
                catalog::MultipleDevices { devices: *devices, mesh: mesh.as_deref(), at }.into()
            }
            LowerError::Opset { op, needs, highest, target } => {
                too_low(op.mnemonic(), *needs, *highest, *target, at)
            }
            LowerError::Invalid(violation) => violation.diagnostic(module, id),
            LowerError::Reported => return None,
        };
        Some(module.located(id, diagnostic))
    }
}

/// The diagnostic for an op or an element type that needs a newer opset than the highest, which `--opset` or the target
/// sets.
pub fn too_low(op: &str, needs: u32, highest: u32, target: Option<Target>, at: Span) -> Diagnostic {
    match target {
        Some(target) => {
            catalog::OpsetBeyondTarget { op, needs, target: &target.to_string(), highest, at }.into()
        }
        None => catalog::OpsetTooLow { op, needs, given: highest, at }.into(),
    }
}
