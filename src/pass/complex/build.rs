//! Emits real `stablehlo` ops.

use super::expr::{Complex, Real};
use super::{ComplexForm, Splitter, part_type};
use crate::ir::{
    Attribute, Data, Dim, Element, Op, OpBuilder, OpId, OpName, SCALAR, Size, TensorType, TypeId, ValueId,
    stablehlo,
};
use crate::ops::{GatherDimensionNumbers, LowerError};
use smallvec::SmallVec;
use std::cell::RefCell;
use std::sync::Arc;

impl Splitter<'_, '_> {
    /// Starts an op at the location of the rewritten op.
    pub(super) fn create(&mut self, name: OpName, operands: &[ValueId]) -> OpBuilder<'_> {
        let place = self.current.map(|op| self.module.place(op)).unwrap_or_default();
        self.module.create(name, operands).at(place).push_to(&mut self.pending)
    }

    /// Starts an op of the name and the attributes of the op that is being rewritten.
    pub(super) fn again(&mut self, op: OpId, operands: &[ValueId]) -> OpBuilder<'_> {
        let Op { name, attributes, .. } = self.module.op(op).clone();
        self.create(name, operands).attributes(attributes)
    }

    /// The type of a value with other sizes.
    pub(super) fn resized<S: Size>(&mut self, value: ValueId, sizes: &[S]) -> TypeId {
        let element = self.element(value);
        self.module.tensor_of(element, sizes)
    }

    /// The element type of a real value.
    pub(super) fn element(&self, value: ValueId) -> Element {
        self.module.tensor(value).map_or(Element::F32, |tensor| tensor.element)
    }

    /// The sizes of a value.
    pub(super) fn dims(&self, value: ValueId) -> Vec<Dim> {
        self.module.tensor(value).map(|tensor| tensor.dims.to_vec()).unwrap_or_default()
    }

    /// The static sizes of a value, after [`Complex::needs_numbers`](Self::needs_numbers).
    pub(super) fn sizes(&self, value: ValueId) -> Vec<i64> {
        self.module.tensor(value).and_then(TensorType::sizes).unwrap_or_default()
    }

    /// Refuses an op with symbolic sizes.
    pub(super) fn needs_numbers(&self, op: OpId) -> Result<(), LowerError> {
        let operation = self.module.op(op);
        let mut values = operation.operands.iter().chain(&operation.results);
        if values.all(|&value| self.module.tensor(value).is_none_or(TensorType::is_static)) {
            return Ok(());
        }
        Err(LowerError::Dynamic(format!("a dimension of `{}`", self.module.op_name(op))))
    }

    /// A constant; a splat with symbolic sizes is a broadcast scalar.
    pub(super) fn constant(&mut self, ty: TypeId, data: Data) -> ValueId {
        if let Some(tensor) = self.module.tensor_type(ty).filter(|tensor| !tensor.is_static()) {
            let scalar = self.module.tensor_of(tensor.element, SCALAR);
            let value = self.constant(scalar, data);
            return self.broadcast(value, ty, 0..0);
        }
        self.create(stablehlo::CONSTANT, &[]).data(ty, data)
    }

    /// A float splat.
    pub(super) fn splat(&mut self, ty: TypeId, number: f64) -> ValueId {
        let is_double = self.module.tensor_type(ty).is_some_and(|tensor| tensor.element == Element::F64);
        let bytes: SmallVec<[u8; 16]> = if is_double {
            SmallVec::from_slice(&number.to_le_bytes())
        } else {
            SmallVec::from_slice(&(number as f32).to_le_bytes())
        };
        self.constant(ty, Data::Splat(bytes))
    }

    /// Reshapes a value.
    pub(super) fn reshape<S: Size>(&mut self, value: ValueId, sizes: &[S]) -> ValueId {
        let sizes: Vec<Dim> = sizes.iter().map(|&size| size.into()).collect();
        if self.dims(value) == sizes {
            return value;
        }
        let ty = self.resized(value, &sizes);
        self.create(stablehlo::RESHAPE, &[value]).of(ty)
    }

    /// Broadcasts a value to a type; its dimensions are the leading ones of the type.
    pub(super) fn broadcast(&mut self, value: ValueId, ty: TypeId, dims: std::ops::Range<usize>) -> ValueId {
        let dims: Vec<i64> = dims.map(|dim| dim as i64).collect();
        self.create(stablehlo::BROADCAST_IN_DIM, &[value]).ints("broadcast_dimensions", &dims).of(ty)
    }

    /// A slice along one dimension.
    pub(super) fn cut(&mut self, value: ValueId, axis: usize, start: i64, limit: i64) -> ValueId {
        let mut sizes = self.dims(value);
        let mut starts = vec![0; sizes.len()];
        let mut limits = sizes.clone();
        (starts[axis], limits[axis], sizes[axis]) = (start, Dim::Known(limit), Dim::Known(limit - start));
        let ty = self.resized(value, &sizes);
        self.create(stablehlo::SLICE, &[value])
            .ints("start_indices", &starts)
            .attr("limit_indices", Attribute::of_sizes(&limits))
            .ints("strides", &vec![1; starts.len()])
            .of(ty)
    }

    /// Concatenates values along a dimension.
    pub(super) fn concatenate(&mut self, values: &[ValueId], axis: usize) -> ValueId {
        let mut sizes = self.dims(values[0]);
        sizes[axis] = self.module.dim_exprs.sum(values.iter().map(|&value| self.dims(value)[axis]));
        let ty = self.resized(values[0], &sizes);
        self.create(stablehlo::CONCATENATE, values).int("dimension", axis as i64).of(ty)
    }

    // Forms.

    /// The form of an operand.
    pub(super) fn operand(&mut self, op: OpId, index: usize) -> Result<[ValueId; 2], LowerError> {
        let operand = self.module.op(op).operands.get(index).copied().ok_or(LowerError::Reported)?;
        self.parts(operand)
    }

    /// The real and imaginary part of a complex value.
    pub(super) fn parts(&mut self, value: ValueId) -> Result<[ValueId; 2], LowerError> {
        let form = *self.forms.get(&value).ok_or(LowerError::Reported)?;
        if let Some(parts) = form.parts {
            return Ok(parts);
        }
        let packed = form.packed.ok_or(LowerError::Reported)?;
        let parts = [self.part_of(packed, 0), self.part_of(packed, 1)];
        self.learn(value, form, ComplexForm { parts: Some(parts), ..form });
        Ok(parts)
    }

    /// The packed form of a complex value; other values unchanged.
    pub(super) fn whole(&mut self, value: ValueId) -> Result<ValueId, LowerError> {
        let Some(&form) = self.forms.get(&value) else { return Ok(value) };
        if let Some(packed) = form.packed {
            return Ok(packed);
        }
        let parts = form.parts.ok_or(LowerError::Reported)?;
        let packed = self.pack(parts);
        self.learn(value, form, ComplexForm { packed: Some(packed), ..form });
        Ok(packed)
    }

    fn learn(&mut self, value: ValueId, before: ComplexForm, now: ComplexForm) {
        self.forms.insert(value, now);
        if let Some(made) = self.made.last_mut() {
            made.push((value, before));
        }
    }

    /// One part of a packed value: a gather of one index, because ONNX's `Gather` drops the dimension itself.
    fn part_of(&mut self, packed: ValueId, index: u8) -> ValueId {
        if let Some(part) = self.constant_part(packed, usize::from(index)) {
            return part;
        }
        let mut sizes = self.dims(packed);
        let axis = sizes.len() - 1;
        sizes.pop();
        let index_ty = self.module.tensor_of(Element::I32, &[1]);
        let index =
            self.constant(index_ty, Data::Splat(SmallVec::from_slice(&i32::from(index).to_le_bytes())));
        let numbers = GatherDimensionNumbers {
            offset_dims: (0..axis).collect(),
            collapsed_slice_dims: vec![axis],
            start_index_map: vec![axis],
            ..GatherDimensionNumbers::default()
        };
        let numbers = numbers.attribute(self.module, stablehlo::GATHER);
        let ty = self.resized(packed, &sizes);
        sizes.push(Dim::Known(1));
        let attributes = [numbers, ("slice_sizes", Attribute::of_sizes(&sizes))];
        self.create(stablehlo::GATHER, &[packed, index]).attrs(attributes).of(ty)
    }

    /// Packs two parts along a new trailing dimension.
    pub(super) fn pack(&mut self, parts: [ValueId; 2]) -> ValueId {
        let mut sizes = self.dims(parts[0]);
        if let Some(packed) = self.pack_splats(parts, &sizes) {
            return packed;
        }
        sizes.push(Dim::Known(1));
        let parts = parts.map(|part| self.reshape(part, &sizes));
        self.concatenate(&parts, sizes.len() - 1)
    }

    /// Splats are packed as one broadcast pair.
    fn pack_splats(&mut self, parts: [ValueId; 2], sizes: &[Dim]) -> Option<ValueId> {
        let splat = |part| {
            let constant = self.module.constant(self.module.constant_of(part)?);
            Some(constant.data.splat()?.to_vec())
        };
        let bytes = [splat(parts[0])?, splat(parts[1])?].concat();
        let pair_ty = self.resized(parts[0], &[2]);
        let pair = self.constant(pair_ty, Data::Bytes(Arc::from(bytes)));
        let ty = self.resized(parts[0], &[sizes, &[Dim::Known(2)]].concat());
        Some(if sizes.is_empty() { pair } else { self.broadcast(pair, ty, sizes.len()..sizes.len() + 1) })
    }

    // Results.

    fn result(&self, op: OpId, index: usize) -> Result<ValueId, LowerError> {
        self.module.op(op).results.get(index).copied().ok_or(LowerError::Reported)
    }

    /// Replaces a result with its parts.
    pub(super) fn define_parts(
        &mut self,
        op: OpId,
        index: usize,
        parts: [ValueId; 2],
    ) -> Result<(), LowerError> {
        let result = self.result(op, index)?;
        self.forms.insert(result, ComplexForm { packed: None, parts: Some(parts) });
        parts.into_iter().enumerate().for_each(|(index, part)| self.module.inherit_part(result, part, index));
        Ok(())
    }

    /// Replaces a result with a packed value.
    pub(super) fn define_whole(&mut self, op: OpId, index: usize, packed: ValueId) -> Result<(), LowerError> {
        let result = self.result(op, index)?;
        self.forms.insert(result, ComplexForm { packed: Some(packed), parts: None });
        self.module.inherit_origin(result, packed);
        Ok(())
    }

    /// Replaces a real result.
    pub(super) fn define_real(&mut self, op: OpId, index: usize, value: ValueId) -> Result<(), LowerError> {
        let result = self.result(op, index)?;
        self.replaced.insert(result, value);
        self.module.inherit_origin(result, value);
        Ok(())
    }

    /// The type of the parts of a result.
    pub(super) fn result_part(&mut self, op: OpId, index: usize) -> Result<TypeId, LowerError> {
        let result = self.result(op, index)?;
        let ty = self.module.value_type(result);
        Ok(part_type(self.module, ty).unwrap_or(ty))
    }

    /// Emits a formula of complex numbers, given their parts.
    pub(super) fn formula<const N: usize, T>(
        &mut self,
        operands: [[ValueId; 2]; N],
        formula: impl for<'f> FnOnce([Complex<'f>; N]) -> T,
    ) -> T {
        let cell = RefCell::new(self);
        let real = |value| Real::new(&cell, value, cell.borrow().element(value));
        formula(operands.map(|[re, im]| Complex { re: real(re), im: real(im) }))
    }
}

/// A list of integers as an attribute.
pub(super) fn integers(values: &[i64]) -> Attribute {
    Attribute::Integers(Element::I64, values.into())
}
