//! Ops that move elements, or do the same to both parts.

use super::values::append;
use super::{ComplexForm, LowerError, Rewrite, RewriteRow, Splitter, packed_type};
use crate::ir::{Data, Element, OpId, SCALAR, ValueId, hlo2onnx, stablehlo};
use crate::ops::GatherDimensionNumbers;
use smallvec::{SmallVec, smallvec};

pub(super) const ROWS: &[RewriteRow] = &[
    (hlo2onnx::SIZE, Rewrite::Own(size)),
    (stablehlo::ADD, Rewrite::Partwise),
    (stablehlo::BROADCAST_IN_DIM, Rewrite::Own(broadcast_in_dim)),
    (stablehlo::CONCATENATE, Rewrite::Partwise),
    (stablehlo::DYNAMIC_SLICE, Rewrite::Moved(dynamic_slice)),
    (stablehlo::DYNAMIC_UPDATE_SLICE, Rewrite::Moved(zero_index)),
    (stablehlo::GATHER, Rewrite::Moved(gather)),
    (stablehlo::NEGATE, Rewrite::Partwise),
    (stablehlo::PAD, Rewrite::Own(pad)),
    (stablehlo::RESHAPE, Rewrite::Partwise),
    (stablehlo::REVERSE, Rewrite::Partwise),
    (stablehlo::SELECT, Rewrite::Moved(select)),
    (stablehlo::SLICE, Rewrite::Moved(slice)),
    (stablehlo::SUBTRACT, Rewrite::Partwise),
    (stablehlo::TRANSPOSE, Rewrite::Moved(transpose)),
];

impl Splitter<'_, '_> {
    /// Rewrites a partwise op: once on packed operands, if all are packed and `adapt` adds the trailing dimension,
    /// else once per part.
    pub(super) fn partwise(
        &mut self,
        op: OpId,
        adapt: fn(&mut Splitter, OpId) -> Result<(), LowerError>,
    ) -> Result<(), LowerError> {
        let operands = self.module.op(op).operands.clone();
        let all_packed = operands
            .iter()
            .filter_map(|operand| self.forms.get(operand))
            .all(|form| form.packed.is_some() && form.parts.is_none());
        if all_packed {
            return self.on_packed(op, adapt);
        }
        let parts = self.partwise_operands(op)?;
        let ty = self.result_part(op, 0)?;
        let parts = parts.map(|operands| self.again(op, &operands).of(ty));
        self.define_parts(op, 0, parts)
    }

    /// The operands of an op, per part.
    pub(super) fn partwise_operands(&mut self, op: OpId) -> Result<[Vec<ValueId>; 2], LowerError> {
        let mut parts = [Vec::new(), Vec::new()];
        for operand in self.module.op(op).operands.clone() {
            let both = if self.is_complex(operand) { self.parts(operand)? } else { [operand; 2] };
            parts.iter_mut().zip(both).for_each(|(list, part)| list.push(part));
        }
        Ok(parts)
    }

    /// Rewrites an op in place on packed operands.
    pub(super) fn on_packed(
        &mut self,
        op: OpId,
        adapt: fn(&mut Splitter, OpId) -> Result<(), LowerError>,
    ) -> Result<(), LowerError> {
        for index in 0..self.module.op(op).operands.len() {
            let operand = self.module.op(op).operands[index];
            let packed = self.whole(operand)?;
            self.module.op_mut(op).operands[index] = packed;
        }
        let result = self.module.op(op).results[0];
        let ty = self.module.value_type(result);
        let packed =
            packed_type(self.module, ty).ok_or_else(|| LowerError::form("its result is not complex"))?;
        self.module.value_mut(result).ty = packed;
        adapt(self, op)?;
        self.pending.push(op);
        self.forms.insert(result, ComplexForm { packed: Some(result), parts: None });
        Ok(())
    }

    /// The index of the trailing dimension of an op's packed result.
    fn trailing(&self, op: OpId) -> i64 {
        self.dims(self.module.op(op).results[0]).len() as i64 - 1
    }
}

/// Splats stay splats, so that formulas know their number.
fn broadcast_in_dim(cx: &mut Splitter, op: OpId) -> Result<(), LowerError> {
    let parts = cx.forms.get(&cx.module.op(op).operands[0]).and_then(|form| form.parts);
    let [re, im] = parts.map_or([None, None], |parts| parts.map(|part| cx.splat_of(part)));
    if let (Some(re), Some(im)) = (re, im) {
        let ty = cx.result_part(op, 0)?;
        let parts = [re, im].map(|bytes| cx.constant(ty, Data::Splat(bytes)));
        return cx.define_parts(op, 0, parts);
    }
    cx.partwise(op, |cx, op| append(cx, op, "broadcast_dimensions", cx.trailing(op)))
}

/// The trailing dimension comes last, so other dimensions keep their index.
fn size(cx: &mut Splitter, op: OpId) -> Result<(), LowerError> {
    let operand = cx.module.op(op).operands[0];
    let form = cx.forms.get(&operand).ok_or(LowerError::Reported)?;
    let any = form.packed.or(form.parts.map(|[re, _]| re)).ok_or(LowerError::Reported)?;
    cx.module.op_mut(op).operands[0] = any;
    cx.pending.push(op);
    Ok(())
}

fn transpose(cx: &mut Splitter, op: OpId) -> Result<(), LowerError> {
    append(cx, op, "permutation", cx.trailing(op))
}

fn slice(cx: &mut Splitter, op: OpId) -> Result<(), LowerError> {
    append(cx, op, "start_indices", 0)?;
    append(cx, op, "limit_indices", 2)?;
    append(cx, op, "strides", 1)
}

fn dynamic_slice(cx: &mut Splitter, op: OpId) -> Result<(), LowerError> {
    append(cx, op, "slice_sizes", 2)?;
    zero_index(cx, op)
}

/// The trailing dimension starts at 0.
fn zero_index(cx: &mut Splitter, op: OpId) -> Result<(), LowerError> {
    let operands = &cx.module.op(op).operands;
    let is_index = |&value: &ValueId| cx.module.tensor(value).is_some_and(|t| t.element.is_integer());
    let element = operands.iter().copied().find(is_index).map_or(Element::I32, |index| cx.element(index));
    let ty = cx.module.tensor_of(element, SCALAR);
    let zero = cx.constant(ty, Data::Splat(smallvec![0; element.bytes()]));
    cx.module.op_mut(op).operands.push(zero);
    Ok(())
}

/// The predicate is broadcast over pairs.
fn select(cx: &mut Splitter, op: OpId) -> Result<(), LowerError> {
    let (predicate, result) = (cx.module.op(op).operands[0], cx.module.op(op).results[0]);
    let rank = cx.dims(predicate).len();
    if rank > 0 {
        let ty = cx.module.value_type(result);
        let ty = cx.module.with_element(ty, Element::Bool);
        let spread = cx.broadcast(predicate, ty, 0..rank);
        cx.module.op_mut(op).operands[0] = spread;
    }
    Ok(())
}

fn gather(cx: &mut Splitter, op: OpId) -> Result<(), LowerError> {
    append(cx, op, "slice_sizes", 2)?;
    extend_window(cx, op)
}

/// The trailing dimension belongs to the window of a `gather` or `scatter`.
pub(super) fn extend_window(cx: &mut Splitter, op: OpId) -> Result<(), LowerError> {
    let numbers = GatherDimensionNumbers::read_with_trailing_dim(cx.module, op)?;
    let name = cx.module.op(op).name;
    let (name, attribute) = numbers.attribute(cx.module, name);
    cx.module.set_attribute(op, name, attribute);
    Ok(())
}

/// Pads the packed form if both parts of the padding value are equal.
fn pad(cx: &mut Splitter, op: OpId) -> Result<(), LowerError> {
    let [operand, padding] = cx.module.op(op).operands[..] else {
        return Err(LowerError::form("an operand and a padding value are expected"));
    };
    let is_packed = cx.forms.get(&operand).is_some_and(|form| form.packed.is_some() && form.parts.is_none());
    if let (true, Some(number)) = (is_packed, cx.equal_parts(padding)) {
        cx.module.op_mut(op).operands[1] = number;
        return cx.on_packed(op, |cx, op| {
            append(cx, op, "edge_padding_low", 0)?;
            append(cx, op, "edge_padding_high", 0)?;
            append(cx, op, "interior_padding", 0)
        });
    }
    // Pads the parts separately.
    cx.parts(operand)?;
    cx.partwise(op, |_, _| Err(LowerError::form("its operand has no parts")))
}

impl Splitter<'_, '_> {
    /// The common number of both parts of a complex constant.
    pub(super) fn equal_parts(&mut self, value: ValueId) -> Option<ValueId> {
        let [re, im] = self.forms.get(&value)?.parts?;
        (self.splat_of(re)? == self.splat_of(im)?).then_some(re)
    }

    /// The splat element of a constant.
    fn splat_of(&self, value: ValueId) -> Option<SmallVec<[u8; 16]>> {
        self.module.constant(self.module.constant_of(value)?).data.splat().map(SmallVec::from_slice)
    }
}
