//! The row of an op: all that the compiler knows of it besides its class.

use super::expand::Expansion;
use super::type_inference::Rule;
use super::{Elements, Lower, Lowered};
use crate::ir::{OpId, OpName};

/// Lowers one op: emits `onnx` ops through the context and returns their values, or why it cannot.
pub type Lowering = fn(&mut Lower, OpId) -> Lowered;

/// One op in the table of its family.
#[derive(Clone, Copy)]
pub struct Row {
    /// The op's name with its dialect. The dialect's table has its class.
    pub name: OpName,
    /// Its type rule. Without one, its types are not checked and it counts as an op with an effect.
    pub(super) rule: Option<Rule>,
    /// Element types that its operands and results may have.
    pub elements: Elements,
    /// Emits its ONNX form. An op without one is for a pass, or is refused.
    pub lower: Option<Lowering>,
    /// Rewrites the op into other ops before all other passes.
    pub expand: Option<Expansion>,
    /// Why the lowering is not the obvious one; empty where it is.
    pub note: &'static str,
}

/// An op with a lowering.
pub(super) const fn row(name: OpName, rule: Rule, elements: Elements, lower: Lowering) -> Row {
    Row { name, rule: Some(rule), elements, lower: Some(lower), expand: None, note: "" }
}

/// An op with a lowering that only passes make.
pub(super) const fn untyped(name: OpName, elements: Elements, lower: Lowering) -> Row {
    Row { name, rule: None, elements, lower: Some(lower), expand: None, note: "" }
}

/// An op that becomes other ops of StableHLO.
pub(super) const fn expanded(name: OpName, elements: Elements, expand: Expansion) -> Row {
    Row { name, rule: None, elements, lower: None, expand: Some(expand), note: "" }
}

/// An op that a pass removes, or that no model can contain. Only its types are checked.
pub(super) const fn unlowered(name: OpName, rule: Rule) -> Row {
    Row { name, rule: Some(rule), elements: Elements::NONE, lower: None, expand: None, note: "" }
}

impl Row {
    pub(super) const fn typed(mut self, rule: Rule) -> Self {
        self.rule = Some(rule);
        self
    }

    pub(super) const fn expanding(mut self, expand: Expansion) -> Self {
        self.expand = Some(expand);
        self
    }

    pub(super) const fn note(mut self, note: &'static str) -> Self {
        self.note = note;
        self
    }

    /// Whether the op can be converted by itself.
    pub fn is_supported(&self) -> bool {
        self.lower.is_some() || self.expand.is_some()
    }
}
