//! The part of an op that a label is about.
//!
//! Ops only keep the spans of their name and statement: spans of every operand and type would cost memory in each op
//! for the sake of the few faulty ones. Stages report the part, and its place is found in the text when a diagnostic
//! is shown.

/// A part of an op, as a person would point at it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Part {
    /// The span of the label itself.
    #[default]
    Span,
    /// An operand, by its position.
    Operand(usize),
    /// The type that is stated for an operand.
    OperandType(usize),
    /// The type that is stated for a result.
    ResultType(usize),
    /// The first type with these elements, as `complex<f32>`.
    Elements(String),
    /// The first type with a size that is not known.
    UnknownSize,
    /// The value of an attribute, or a part of it.
    Attribute {
        /// The attribute's name in the generic form.
        name: String,
        /// The field of a struct attribute.
        field: Option<String>,
        /// The element of a list, by its position.
        item: Option<usize>,
    },
}

impl Part {
    /// The whole value of an attribute.
    pub fn attribute(name: &str) -> Self {
        Part::Attribute { name: name.to_owned(), field: None, item: None }
    }

    /// The same attribute's field.
    pub fn field(self, field: &str) -> Self {
        match self {
            Part::Attribute { name, item, .. } => {
                Part::Attribute { name, field: Some(field.to_owned()), item }
            }
            other => other,
        }
    }

    /// The same list's element.
    pub fn item(self, index: usize) -> Self {
        match self {
            Part::Attribute { name, field, .. } => Part::Attribute { name, field, item: Some(index) },
            other => other,
        }
    }
}
