//! Nodes of integers, for passes that write arithmetic in another form.

use crate::ir::{Element, OpName, Rewriter, Size, ValueId, onnx};
use crate::ops::{float_bytes, integer_bytes};

/// Adds nodes before the visited op. Their operands broadcast.
pub struct Nodes<'n, 'm> {
    /// The walk.
    pub rewriter: &'n mut Rewriter<'m>,
    /// The element type of constants and of results.
    pub element: Element,
}

impl<'n, 'm> Nodes<'n, 'm> {
    /// Nodes of an element type.
    pub fn new(rewriter: &'n mut Rewriter<'m>, element: Element) -> Self {
        Self { rewriter, element }
    }

    fn typed(&mut self, name: OpName, operands: &[ValueId], element: Element) -> ValueId {
        let dims = self.rewriter.module.broadcast_dims(operands);
        self.rewriter.create(name, operands).out(element, &dims)
    }

    /// A node whose result has the element type.
    pub fn node(&mut self, name: OpName, operands: &[ValueId]) -> ValueId {
        self.typed(name, operands, self.element)
    }

    /// A node whose result is boolean.
    pub fn test(&mut self, name: OpName, operands: &[ValueId]) -> ValueId {
        self.typed(name, operands, Element::Bool)
    }

    /// A cast.
    pub fn cast(&mut self, value: ValueId, to: Element) -> ValueId {
        let dims = self.rewriter.module.broadcast_dims(&[value]);
        self.rewriter.create(onnx::CAST, &[value]).element("to", to).out(to, &dims)
    }

    /// A scalar.
    pub fn number(&mut self, number: i64) -> ValueId {
        self.numbers::<i64>(&[number], &[])
    }

    /// A constant.
    pub fn numbers<S: Size>(&mut self, numbers: &[i64], sizes: &[S]) -> ValueId {
        let bytes: Vec<u8> = numbers.iter().flat_map(|&number| integer_bytes(self.element, number)).collect();
        let ty = self.rewriter.module.tensor_of(self.element, sizes);
        self.rewriter.create(onnx::CONSTANT, &[]).data(ty, crate::ir::Data::Bytes(bytes.into()))
    }

    /// A scalar of a float type.
    pub fn float(&mut self, number: f64, element: Element) -> ValueId {
        self.rewriter.bytes(element, &[], &float_bytes(element, number))
    }

    /// The sum.
    pub fn add(&mut self, a: ValueId, b: ValueId) -> ValueId {
        self.node(onnx::ADD, &[a, b])
    }

    /// The difference.
    pub fn sub(&mut self, a: ValueId, b: ValueId) -> ValueId {
        self.node(onnx::SUB, &[a, b])
    }

    /// The product.
    pub fn mul(&mut self, a: ValueId, b: ValueId) -> ValueId {
        self.node(onnx::MUL, &[a, b])
    }

    /// The quotient.
    pub fn div(&mut self, a: ValueId, b: ValueId) -> ValueId {
        self.node(onnx::DIV, &[a, b])
    }

    /// The common bits with a constant.
    pub fn mask(&mut self, value: ValueId, bits: i64) -> ValueId {
        let bits = self.number(bits);
        self.node(onnx::BITWISE_AND, &[value, bits])
    }

    /// Whether numbers are less than a constant.
    pub fn is_below(&mut self, value: ValueId, limit: i64) -> ValueId {
        let limit = self.number(limit);
        self.test(onnx::LESS, &[value, limit])
    }

    /// One of two values.
    pub fn select(&mut self, condition: ValueId, yes: ValueId, no: ValueId) -> ValueId {
        self.node(onnx::WHERE, &[condition, yes, no])
    }

    /// The elements of a table at these positions.
    pub fn look_up(&mut self, table: &[i64], positions: ValueId) -> ValueId {
        let table = self.numbers(table, &[table.len() as i64]);
        let dims = self.rewriter.module.broadcast_dims(&[positions]);
        self.rewriter.create(onnx::GATHER, &[table, positions]).int("axis", 0).out(self.element, &dims)
    }
}

/// Ops whose results depend on the sign of an integer.
pub const READS_SIGN: &[OpName] = &[
    onnx::ABS,
    onnx::ARG_MAX,
    onnx::ARG_MIN,
    onnx::BIT_SHIFT,
    onnx::CLIP,
    onnx::DIV,
    onnx::GREATER,
    onnx::GREATER_OR_EQUAL,
    onnx::LESS,
    onnx::LESS_OR_EQUAL,
    onnx::MAX,
    onnx::MIN,
    onnx::MOD,
    onnx::POW,
    onnx::RANGE,
    onnx::REDUCE_MAX,
    onnx::REDUCE_MEAN,
    onnx::REDUCE_MIN,
    onnx::SCATTER_ELEMENTS,
    onnx::SCATTER_ND,
    onnx::SIGN,
    onnx::TOP_K,
];
