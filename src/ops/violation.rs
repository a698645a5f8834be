//! How an op breaks the specification.

use super::type_inference::Arity;
use crate::diagnostic::{Diagnostic, Fix, Part, catalog};
use crate::ir::{Module, OpId};

/// A constraint of the specification that an op breaks, with its attributes or its types.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    kind: Kind,
    /// What is wrong, in words.
    why: String,
    /// The parts of the op to point at, with their labels; none for the whole op.
    parts: Vec<(Part, String)>,
    /// A change of the primary part.
    fix: Option<Box<Fix>>,
}

/// The kind of a violation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// An attribute that is missing.
    Missing(&'static str),
    /// An attribute with an invalid value.
    Attribute(&'static str),
    /// A number of operands.
    OperandCount(Arity),
    /// A number of results.
    ResultCount(Arity),
    /// Incompatible types.
    Types,
    /// A type whose size in bytes overflows.
    TooLarge,
}

impl Violation {
    fn new(kind: Kind, why: impl Into<String>) -> Self {
        Self { kind, why: why.into(), parts: Vec::new(), fix: None }
    }

    /// The attribute is missing.
    pub fn missing(name: &'static str) -> Self {
        Self::new(Kind::Missing(name), "")
    }

    /// The attribute has a value that is not allowed.
    pub fn attribute(name: &'static str, why: impl Into<String>) -> Self {
        let why = why.into();
        Self::new(Kind::Attribute(name), &*why).showing(Part::attribute(name), why)
    }

    /// The types do not fit together.
    pub(super) fn types(why: impl Into<String>) -> Self {
        Self::new(Kind::Types, why)
    }

    /// The type has more bytes than a file can.
    pub(super) fn too_large(ty: String) -> Self {
        Self::new(Kind::TooLarge, ty)
    }

    /// The op has the wrong number of operands.
    pub(super) fn operand_count(expected: Arity) -> Self {
        Self::new(Kind::OperandCount(expected), "")
    }

    /// The op has the wrong number of results.
    pub(super) fn result_count(expected: Arity) -> Self {
        Self::new(Kind::ResultCount(expected), "")
    }

    /// Labels a part of the op; the first part is the primary one.
    pub(super) fn showing(mut self, part: Part, text: impl Into<String>) -> Self {
        self.parts.push((part, text.into()));
        self
    }

    /// Proposes another word for one in the primary part.
    pub(super) fn fixed_by(mut self, fix: Option<Fix>) -> Self {
        self.fix = fix.map(Box::new);
        self
    }

    /// The same violation with another label on the primary part.
    pub(super) fn labeled(mut self, text: String) -> Self {
        if let Some((_, label)) = self.parts.first_mut() {
            *label = text;
        }
        self
    }

    /// The same violation, by a field of the attribute.
    pub(super) fn in_field(mut self, field: &str) -> Self {
        self.why = format!("`{field}`: {}", self.why);
        self.within(|part| part.field(field))
    }

    /// The same violation, by an element of the attribute's list.
    pub(super) fn in_item(self, index: usize) -> Self {
        self.within(|part| part.item(index))
    }

    pub(super) fn within(mut self, narrow: impl FnOnce(Part) -> Part) -> Self {
        if let Some((part, _)) = self.parts.first_mut() {
            *part = narrow(std::mem::take(part));
        }
        self
    }

    /// Whether the types are wrong, which an operand with an unknown value can cause.
    pub(super) fn is_type_error(&self) -> bool {
        !matches!(self.kind, Kind::Missing(_) | Kind::Attribute(_))
    }

    /// The diagnostic for the op.
    pub(super) fn diagnostic(&self, module: &Module, op: OpId) -> Diagnostic {
        let operation = module.op(op);
        let (op, at, why) = (module.op_name(op), module.span(op).name, &*self.why);
        let mut diagnostic: Diagnostic = match self.kind {
            Kind::Missing(attribute) => catalog::MissingAttribute { op, attribute, at }.into(),
            Kind::Attribute(attribute) => catalog::InvalidAttribute { op, attribute, why, at }.into(),
            Kind::OperandCount(arity) => {
                let (expected, found) = (&*arity.describe(), operation.operands.len());
                catalog::WrongOperandCount { op, expected, found, at }.into()
            }
            Kind::ResultCount(arity) => {
                let (expected, found) = (&*arity.describe(), operation.results.len());
                catalog::WrongResultCount { op, expected, found, at }.into()
            }
            Kind::Types => catalog::InvalidType { op, why, at }.into(),
            Kind::TooLarge => catalog::TensorTooLarge { ty: why, at }.into(),
        };
        let mut parts = self.parts.iter().cloned();
        if let Some((part, text)) = parts.next()
            && let Some(first) = diagnostic.labels.first_mut()
        {
            (first.part, first.text) = (part, text);
        }
        let diagnostic = diagnostic.fixed_by(self.fix.as_deref().cloned());
        parts.fold(diagnostic, |diagnostic, (part, text)| diagnostic.beside(part, text))
    }
}
