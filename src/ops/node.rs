//! Emits one ONNX op.

use super::{Lower, LowerError, target};
use crate::diagnostic::catalog;
use crate::ir::{
    Attribute, Attributes, Element, NewOp, OpId, OpName, RegionId, Size, Type, TypeId, ValueId, onnx,
};
use smallvec::SmallVec;

/// A builder of an ONNX op; one of the finishing methods adds it.
pub struct Node<'c, 'a> {
    cx: &'c mut Lower<'a>,
    name: OpName,
    operands: SmallVec<[ValueId; 3]>,
    attributes: Attributes,
    regions: SmallVec<[RegionId; 1]>,
}

impl<'a> Lower<'a> {
    /// Starts the ONNX op `name` on these operands; [`Lower::absent`] represents an omitted one.
    pub fn node<'c>(&'c mut self, name: OpName, operands: &[ValueId]) -> Node<'c, 'a> {
        Node {
            cx: self,
            name,
            operands: operands.iter().copied().collect(),
            attributes: Vec::new(),
            regions: SmallVec::new(),
        }
    }
}

impl Node<'_, '_> {
    fn set(mut self, name: &str, value: Attribute) -> Self {
        let name = self.cx.module.symbols.intern(name);
        self.attributes.push((name, value));
        self
    }

    /// Sets an integer attribute.
    pub fn int(self, name: &str, value: i64) -> Self {
        let ty = self.cx.module.types.intern(Type::Scalar(Element::I64));
        self.set(name, Attribute::Integer(value, ty))
    }

    /// Sets a list of integers.
    pub fn ints(self, name: &str, values: &[i64]) -> Self {
        self.set(name, Attribute::Integers(Element::I64, values.into()))
    }

    /// Sets a list of integers, unless all are 0, the default.
    pub fn optional(self, name: &str, values: &[i64]) -> Self {
        if values.iter().all(|&value| value == 0) { self } else { self.ints(name, values) }
    }

    /// Sets a float attribute.
    pub fn float(self, name: &str, value: f32) -> Self {
        let ty = self.cx.module.types.intern(Type::Scalar(Element::F32));
        self.set(name, Attribute::Float(f64::from(value), ty))
    }

    /// Sets a string attribute.
    pub fn string(self, name: &str, value: &str) -> Self {
        self.set(name, Attribute::String(value.into()))
    }

    /// Sets an element type, such as `to` of `Cast`.
    pub fn element(self, name: &str, element: Element) -> Self {
        let ty = self.cx.module.types.intern(Type::Scalar(element));
        self.set(name, Attribute::Type(ty))
    }

    /// Adds a graph attribute, whose name depends on its position and the op (`If`: then, else).
    pub fn region(mut self, region: RegionId) -> Self {
        self.regions.push(region);
        self
    }

    /// Adds the op with one result of this element type and these sizes.
    pub fn out<S: Size>(self, element: Element, sizes: &[S]) -> ValueId {
        let ty = self.cx.module.tensor_of(element, sizes);
        self.of(ty)
    }

    /// Adds the op with one result of the type of another value.
    pub fn like(self, value: ValueId) -> ValueId {
        let ty = self.cx.module.value_type(value);
        self.of(ty)
    }

    /// Adds the op with one result of this type.
    pub fn of(self, ty: TypeId) -> ValueId {
        let cx = self.cx;
        cx.needs(self.name);
        let op = cx.emit(self.name, self.operands, &[ty], self.attributes, self.regions);
        cx.module.op(op).results[0]
    }

    /// Adds the op with several results.
    pub fn outs<S: Size>(self, results: &[(Element, Vec<S>)]) -> Vec<ValueId> {
        let types: Vec<TypeId> =
            results.iter().map(|(element, sizes)| self.cx.module.tensor_of(*element, sizes)).collect();
        self.of_types(&types)
    }

    /// Adds the op with results of these types.
    pub fn of_types(self, types: &[TypeId]) -> Vec<ValueId> {
        let cx = self.cx;
        cx.needs(self.name);
        let op = cx.emit(self.name, self.operands, types, self.attributes, self.regions);
        cx.module.op(op).results.to_vec()
    }
}

impl Lower<'_> {
    fn emit(
        &mut self,
        name: OpName,
        operands: SmallVec<[ValueId; 3]>,
        types: &[TypeId],
        attributes: Attributes,
        regions: SmallVec<[RegionId; 1]>,
    ) -> OpId {
        let (span, location) = self.place();
        let op = self.module.add_op(NewOp {
            name,
            operands,
            result_types: types.iter().copied().collect(),
            attributes,
            regions,
            span,
            location,
        });
        self.push(op);
        op
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
        if self.settings.strict_nan || self.has(onnx::BIT_CAST) {
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
        self.refused_opset()
    }
}
