//! Reads attributes in lowerings.

use super::{Lower, LowerError};
use crate::ir::{Attribute, Dim, Dims, OpId};

impl Lower<'_> {
    /// An integer attribute.
    ///
    /// # Errors
    /// If it is missing or not an integer.
    pub fn int(&self, op: OpId, name: &'static str) -> Result<i64, LowerError> {
        let attribute = self.module.attribute(op, name).ok_or(LowerError::Missing(name))?;
        attribute
            .as_integer()
            .ok_or_else(|| LowerError::Attribute { name, why: "expected an integer".into() })
    }

    /// A float attribute.
    ///
    /// # Errors
    /// If it is missing or not a float.
    pub fn float(&self, op: OpId, name: &'static str) -> Result<f64, LowerError> {
        match self.module.attribute(op, name).ok_or(LowerError::Missing(name))? {
            Attribute::Float(value, _) => Ok(*value),
            _ => Err(LowerError::Attribute { name, why: "expected a float".into() }),
        }
    }

    /// A list of integers, if the attribute is present.
    ///
    /// # Errors
    /// If it is present and not a list of integers.
    pub fn optional_ints(&self, op: OpId, name: &'static str) -> Result<Option<Vec<i64>>, LowerError> {
        let Some(attribute) = self.module.attribute(op, name) else { return Ok(None) };
        let values = self.module.integers(attribute);
        values
            .map(Some)
            .ok_or_else(|| LowerError::Attribute { name, why: "expected a list of integers".into() })
    }

    /// A list of integers.
    ///
    /// # Errors
    /// If it is missing or not a list of integers.
    pub fn ints(&self, op: OpId, name: &'static str) -> Result<Vec<i64>, LowerError> {
        self.optional_ints(op, name)?.ok_or(LowerError::Missing(name))
    }

    /// A list of integers or expressions.
    ///
    /// # Errors
    /// If it is missing or not a list of integers.
    pub fn size_list(&self, op: OpId, name: &'static str) -> Result<Dims, LowerError> {
        match self.module.attribute(op, name) {
            Some(Attribute::Dims(sizes)) => Ok(sizes.clone()),
            _ => Ok(self.ints(op, name)?.into_iter().map(Dim::Known).collect()),
        }
    }

    /// A list of integers in a field of a struct attribute; empty if the field is absent.
    ///
    /// # Errors
    /// If the attribute is missing, or the field is not a list of integers.
    pub fn field_ints(
        &self,
        op: OpId,
        name: &'static str,
        field: &'static str,
    ) -> Result<Vec<i64>, LowerError> {
        let attribute = self.module.attribute(op, name).ok_or(LowerError::Missing(name))?;
        let Some(value) = self.module.field(attribute, field) else { return Ok(Vec::new()) };
        let values = self.module.integers(value);
        values.ok_or_else(|| LowerError::Attribute {
            name,
            why: format!("`{field}` is not a list of integers"),
        })
    }

    /// The value of an enum attribute, such as `LT`.
    ///
    /// # Errors
    /// If it is missing or not an enum.
    pub fn word(&self, op: OpId, name: &'static str) -> Result<&str, LowerError> {
        let attribute = self.module.attribute(op, name).ok_or(LowerError::Missing(name))?;
        self.module
            .word(attribute)
            .ok_or_else(|| LowerError::Attribute { name, why: "expected a keyword".into() })
    }

    /// A boolean attribute; false if absent.
    pub fn flag(&self, op: OpId, name: &str) -> bool {
        self.module.attribute(op, name).and_then(Attribute::as_bool).unwrap_or(false)
    }
}
