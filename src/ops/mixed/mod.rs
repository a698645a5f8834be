//! Ops of MLIR's `arith`, `tensor` and `shape`, which front ends mix with StableHLO, as StableHLO's.
//!
//! Most of them compute sizes, which the `refine_shapes` pass evaluates later. The pass `normalize` has turned scalars
//! into tensors of rank 0, and `index` into `i64`.

mod arith;
mod shape;
mod tensor;

use super::expand::Expand;
use super::{Elements, LowerError, Row};
use crate::ir::{Attribute, Dim, Element, OpName, ValueId, stablehlo};

/// The tables of the family.
pub(super) const TABLES: &[&[Row]] = &[arith::ROWS, shape::ROWS, tensor::ROWS];

const NUMBERS: Elements = Elements::PLAIN;

/// Lists of sizes are short.
const LONGEST: i64 = 64;

impl Expand<'_, '_> {
    /// Inserts a list of 64-bit numbers.
    fn numbers(&mut self, numbers: &[i64]) -> ValueId {
        self.create(stablehlo::CONSTANT, &[]).integers(numbers)
    }

    /// Inserts an op whose result has this element type and these sizes.
    fn emit_of(
        &mut self,
        name: OpName,
        operands: &[ValueId],
        element: Element,
        dims: &[Dim],
        attributes: impl IntoIterator<Item = (&'static str, Attribute)>,
    ) -> ValueId {
        let ty = self.rewriter.module.tensor_of(element, dims);
        self.create(name, operands).attrs(attributes).of(ty)
    }

    /// The size of a dimension as an `i64` of rank 0.
    fn dimension_size(&mut self, value: ValueId, axis: usize) -> ValueId {
        let integer = self.rewriter.module.types.intern(crate::ir::Type::Scalar(Element::I64));
        let axis = Attribute::Integer(axis as i64, integer);
        let size =
            self.emit_of(stablehlo::GET_DIMENSION_SIZE, &[value], Element::I32, &[], [("dimension", axis)]);
        self.emit_of(stablehlo::CONVERT, &[size], Element::I64, &[], [])
    }

    /// The list of these numbers of rank 0.
    fn list_of(&mut self, elements: &[ValueId]) -> Result<ValueId, LowerError> {
        let Some(&first) = elements.first() else { return Ok(self.numbers(&[])) };
        let element = self.module().tensor(first).map(|ty| ty.element);
        let element = element.ok_or_else(|| LowerError::form("an element is not a number"))?;
        let one = [Dim::Known(1)];
        let parts: Vec<ValueId> = elements
            .iter()
            .map(|&number| self.emit_of(stablehlo::RESHAPE, &[number], element, &one, []))
            .collect();
        Ok(self.joined(&parts, element, parts.len() as i64))
    }

    /// Consecutive lists, which have this many elements together.
    fn joined(&mut self, parts: &[ValueId], element: Element, count: i64) -> ValueId {
        if let &[part] = parts {
            return part;
        }
        let integer = self.rewriter.module.types.intern(crate::ir::Type::Scalar(Element::I64));
        let dimension = Attribute::Integer(0, integer);
        self.emit_of(stablehlo::CONCATENATE, parts, element, &[Dim::Known(count)], [("dimension", dimension)])
    }

    /// The sizes of a value as a list.
    fn sizes_of(&mut self, value: ValueId) -> Result<ValueId, LowerError> {
        let tensor = self.module().tensor(value).cloned();
        let tensor = tensor.ok_or_else(|| LowerError::form("its operand is not a tensor of known rank"))?;
        if let Some(sizes) = tensor.sizes() {
            return Ok(self.numbers(&sizes));
        }
        let sizes: Vec<ValueId> = (0..tensor.rank()).map(|axis| self.dimension_size(value, axis)).collect();
        self.list_of(&sizes)
    }

    /// The number of elements of a list of sizes, which must be known.
    fn length(&self, list: ValueId) -> Result<i64, LowerError> {
        let tensor = self.module().tensor(list).filter(|ty| ty.rank() == 1);
        let tensor = tensor.ok_or_else(|| LowerError::form("expected a list of sizes"))?;
        let length = tensor.dims[0].known().filter(|&length| length <= LONGEST);
        length.ok_or_else(|| LowerError::Dynamic("the list of sizes".into()))
    }

    /// A part of a list of sizes.
    fn part(&mut self, list: ValueId, start: i64, end: i64) -> ValueId {
        let attributes = [("start_indices", start), ("limit_indices", end), ("strides", 1)]
            .map(|(name, number)| (name, Attribute::Integers(Element::I64, vec![number].into())));
        let element = self.module().tensor(list).map_or(Element::I64, |ty| ty.element);
        self.emit_of(stablehlo::SLICE, &[list], element, &[Dim::Known(end - start)], attributes)
    }

    /// An element of a list of sizes.
    fn element(&mut self, list: ValueId, index: i64) -> ValueId {
        let element = self.module().tensor(list).map_or(Element::I64, |ty| ty.element);
        let part = self.part(list, index, index + 1);
        self.emit_of(stablehlo::RESHAPE, &[part], element, &[], [])
    }

    /// The number that an operand is, which must be a constant.
    fn number(&self, index: usize, what: &str) -> Result<i64, LowerError> {
        let value = self.operand(index)?;
        let numbers = self.module().known_integers(value);
        match numbers.as_deref() {
            Some(&[number]) => Ok(number),
            _ => Err(LowerError::form(format!("{what} is not a constant"))),
        }
    }

    /// Broadcasts a value to the sizes of the result; dynamic sizes come from a list.
    fn reshaped(
        &mut self,
        value: ValueId,
        sizes: impl FnOnce(&mut Self) -> Result<ValueId, LowerError>,
    ) -> Result<ValueId, LowerError> {
        let ty = self.result()?;
        let (from, to) = (self.module().tensor(value).cloned(), self.result_type()?);
        let from = from.ok_or_else(|| LowerError::form("its operand is not a tensor of known rank"))?;
        if from.element != to.element || from.count().zip(to.count()).is_some_and(|(from, to)| from != to) {
            return Err(LowerError::form(
                "its result and its operand differ in element type or number of elements",
            ));
        }
        if to.is_static() {
            return Ok(self.create(stablehlo::RESHAPE, &[value]).of(ty));
        }
        let sizes = sizes(self)?;
        Ok(self.create(stablehlo::DYNAMIC_RESHAPE, &[value, sizes]).of(ty))
    }

    /// Which of two numbers holds, element by element.
    fn chosen(
        &mut self,
        direction: &str,
        a: ValueId,
        b: ValueId,
        on_true: ValueId,
        on_false: ValueId,
    ) -> Result<ValueId, LowerError> {
        let tensor = self.module().tensor(a).cloned();
        let tensor = tensor.ok_or_else(|| LowerError::form("expected a number"))?;
        let condition = self.compared(direction, a, b, &tensor.dims);
        Ok(self.emit_of(stablehlo::SELECT, &[condition, on_true, on_false], tensor.element, &tensor.dims, []))
    }

    /// The comparison of two values of these sizes.
    fn compared(&mut self, direction: &str, a: ValueId, b: ValueId, dims: &[Dim]) -> ValueId {
        let symbols = &mut self.rewriter.module.symbols;
        let direction = Attribute::Enum {
            dialect: symbols.intern("stablehlo"),
            kind: symbols.intern("comparison_direction"),
            value: symbols.intern(direction),
        };
        self.emit_of(stablehlo::COMPARE, &[a, b], Element::Bool, dims, [("comparison_direction", direction)])
    }
}
