//! Constants, parts, conversions, and ops that pass values through.

use super::build::integers;
use super::{LowerError, Rewrite, RewriteRow, Splitter, packed_type};
use crate::ir::{
    Attribute, Constant, Data, Dim, Element, OpId, PACKED_OPERANDS, ValueId, chlo, func, stablehlo,
};
use crate::ops::OpAttributes;
use smallvec::SmallVec;
use std::iter;

pub(super) const ROWS: &[RewriteRow] = &[
    (chlo::BROADCAST_COMPLEX, Rewrite::Own(broadcast_complex)),
    (chlo::CONSTANT, Rewrite::Own(constant)),
    (func::RETURN, Rewrite::Own(terminator)),
    (stablehlo::BITCAST_CONVERT, Rewrite::Own(bitcast_convert)),
    (stablehlo::COMPLEX, Rewrite::Own(complex)),
    (stablehlo::CONSTANT, Rewrite::Own(constant)),
    (stablehlo::CONVERT, Rewrite::Own(convert)),
    // The callee decides what it takes: tensors with a trailing dimension of two.
    (stablehlo::CUSTOM_CALL, Rewrite::Own(call)),
    (stablehlo::IMAG, Rewrite::Own(|cx, op| part(cx, op, 1))),
    (stablehlo::IOTA, Rewrite::Own(iota)),
    (stablehlo::REAL, Rewrite::Own(|cx, op| part(cx, op, 0))),
    (stablehlo::RETURN, Rewrite::Own(terminator)),
];

/// Keeps a call with packed operands and results. Records which operands were complex, because a real one may also end
/// with a dimension of two.
fn call(cx: &mut Splitter, op: OpId) -> Result<(), LowerError> {
    let operands = cx.module.op(op).operands.clone();
    let packed: Vec<i64> = (0i64..)
        .zip(&operands)
        .filter(|(_, operand)| cx.is_complex(**operand))
        .map(|(index, _)| index)
        .collect();
    if !packed.is_empty() {
        let name = cx.module.symbols.intern(PACKED_OPERANDS);
        cx.module.op_mut(op).attributes.push((name, Attribute::Integers(Element::I64, packed.into())));
    }
    pack_layouts(cx, op, "operand_layouts", &operands);
    let results = cx.module.op(op).results.to_vec();
    pack_layouts(cx, op, "result_layouts", &results);
    for (index, operand) in operands.into_iter().enumerate() {
        let packed = cx.whole(operand)?;
        cx.module.op_mut(op).operands[index] = packed;
    }
    cx.keep(op)?;
    for result in cx.module.op(op).results.clone() {
        cx.make_whole(result);
    }
    Ok(())
}

/// The layouts of complex values get the trailing dimension, whose elements are next to each other.
fn pack_layouts(cx: &mut Splitter, op: OpId, name: &str, values: &[ValueId]) {
    let Some(Attribute::Array(layouts)) = cx.module.attribute(op, name) else { return };
    let mut layouts = layouts.clone();
    for (layout, &value) in layouts.iter_mut().zip(values) {
        let Some(axes) = cx.module.integers(layout).filter(|_| cx.is_complex(value)) else { continue };
        let axes = iter::once(axes.len() as i64).chain(axes);
        let bytes: Vec<u8> = axes.flat_map(i64::to_le_bytes).collect();
        let ty = cx.module.tensor_of(Element::Index, &[Dim::Known(bytes.len() as i64 / 8)]);
        let data = Data::Bytes(bytes.into());
        *layout = Attribute::Dense(cx.module.add_constant(Constant { ty, data }));
    }
    let name = cx.module.symbols.intern(name);
    let changed = cx.module.op_mut(op).attributes.iter_mut().find(|(own, _)| *own == name);
    if let Some((_, own)) = changed {
        *own = Attribute::Array(layouts);
    }
}

/// Returns packed values, or parts if the region's op works on parts.
fn terminator(cx: &mut Splitter, op: OpId) -> Result<(), LowerError> {
    let mut returned = SmallVec::new();
    for operand in cx.module.op(op).operands.clone() {
        if cx.returns_parts && cx.is_complex(operand) {
            returned.extend(cx.parts(operand)?);
        } else {
            returned.push(cx.whole(operand)?);
        }
    }
    cx.module.op_mut(op).operands = returned;
    cx.pending.push(op);
    Ok(())
}

/// A splat becomes two splats; other constants have the same bytes in packed form.
fn constant(cx: &mut Splitter, op: OpId) -> Result<(), LowerError> {
    let Some(Attribute::Dense(id)) = cx.module.attribute(op, "value") else {
        return Err(LowerError::missing("value"));
    };
    let Constant { ty, data } = cx.module.constant(*id).clone();
    let part = cx.result_part(op, 0)?;
    let pair = match &data {
        Data::Splat(bytes) => Some(bytes.to_vec()),
        Data::Bytes(bytes)
            if bytes.len() == 2 * cx.module.tensor_type(part).map_or(0, |t| t.element.bytes()) =>
        {
            Some(bytes.to_vec())
        }
        _ => None,
    };
    if let Some(pair) = pair {
        let (re, im) = pair.split_at(pair.len() / 2);
        let parts = [re, im].map(|bytes| cx.constant(part, Data::Splat(SmallVec::from_slice(bytes))));
        return cx.define_parts(op, 0, parts);
    }
    let packed = packed_type(cx.module, ty).ok_or_else(|| LowerError::form("its value is not complex"))?;
    let packed = cx.constant(packed, data);
    cx.define_whole(op, 0, packed)
}

fn complex(cx: &mut Splitter, op: OpId) -> Result<(), LowerError> {
    match cx.module.op(op).operands[..] {
        [re, im] => cx.define_parts(op, 0, [re, im]),
        _ => Err(LowerError::form("a complex number has two parts")),
    }
}

/// Shorter parts are aligned at the last dimensions, unless `broadcast_dimensions` names them.
fn broadcast_complex(cx: &mut Splitter, op: OpId) -> Result<(), LowerError> {
    let ty = cx.result_part(op, 0)?;
    let rank = cx.module.tensor_type(ty).map_or(0, |tensor| tensor.rank());
    let named = cx.module.attribute(op, "broadcast_dimensions");
    let named = named.and_then(|named| cx.module.integers(named));
    let &[re, im] = &cx.module.op(op).operands[..] else {
        return Err(LowerError::form("a complex number has two parts"));
    };
    let parts = [re, im].map(|part| {
        if cx.module.value_type(part) == ty {
            return part;
        }
        let own = cx.dims(part).len();
        let axes: Vec<i64> = match &named {
            Some(named) if own < rank && named.len() == own => named.clone(),
            _ => (rank - own..rank).map(|axis| axis as i64).collect(),
        };
        cx.create(stablehlo::BROADCAST_IN_DIM, &[part]).attr("broadcast_dimensions", integers(&axes)).of(ty)
    });
    cx.define_parts(op, 0, parts)
}

fn part(cx: &mut Splitter, op: OpId, index: usize) -> Result<(), LowerError> {
    let part = cx.operand(op, 0)?[index];
    cx.define_real(op, 0, part)
}

fn iota(cx: &mut Splitter, op: OpId) -> Result<(), LowerError> {
    let ty = cx.result_part(op, 0)?;
    let dimension = OpAttributes::of(cx.module, op).get("iota_dimension")?.clone();
    let re = cx.create(stablehlo::IOTA, &[]).attr("iota_dimension", dimension).of(ty);
    let im = cx.splat(ty, 0.0);
    cx.define_parts(op, 0, [re, im])
}

/// Real to complex adds the imaginary part 0; complex to real drops it (StableHLO, `convert`).
fn convert(cx: &mut Splitter, op: OpId) -> Result<(), LowerError> {
    let ty = cx.result_part(op, 0)?;
    let (operand, result) = (cx.module.op(op).operands[0], cx.module.op(op).results[0]);
    let to = |cx: &mut Splitter, value: ValueId| {
        if cx.module.value_type(value) == ty { value } else { cx.create(stablehlo::CONVERT, &[value]).of(ty) }
    };
    if !cx.is_complex(operand) {
        let re = to(cx, operand);
        let im = cx.splat(ty, 0.0);
        return cx.define_parts(op, 0, [re, im]);
    }
    if !cx.is_complex(result) {
        let re = cx.parts(operand)?[0];
        let re = to(cx, re);
        return cx.define_real(op, 0, re);
    }
    let form = cx.forms.get(&operand).copied().ok_or(LowerError::Reported)?;
    let same = form.packed.or(form.parts.map(|parts| parts[0])).map(|value| cx.element(value));
    if same == cx.module.tensor_type(ty).map(|tensor| tensor.element) {
        cx.forms.insert(result, form);
        return Ok(());
    }
    let [re, im] = cx.parts(operand)?;
    let parts = [to(cx, re), to(cx, im)];
    cx.define_parts(op, 0, parts)
}

/// The packed form has the bits of the complex one, so the op is the same.
fn bitcast_convert(cx: &mut Splitter, op: OpId) -> Result<(), LowerError> {
    cx.needs_numbers(op)?;
    let (operand, result) = (cx.module.op(op).operands[0], cx.module.op(op).results[0]);
    let was_complex = cx.is_complex(result);
    let packed = cx.whole(operand)?;
    let ty = cx.module.value_type(result);
    let ty = packed_type(cx.module, ty).unwrap_or(ty);
    let (from, from_bits) = (cx.sizes(packed), cx.element(packed).bits());
    let to_type = cx.module.tensor_type(ty).ok_or_else(|| LowerError::form("its result is not a tensor"))?;
    let (to, to_bits) = (to_type.sizes().unwrap_or_default(), to_type.element.bits());
    let fits = if to_bits <= from_bits {
        let split = i64::from(from_bits / to_bits.max(1));
        to == from || split > 1 && to == [&from[..], &[split]].concat()
    } else {
        from == [&to[..], &[i64::from(to_bits / from_bits.max(1))]].concat()
    };
    if !fits || to_bits == 0 {
        return Err(LowerError::form("parts with another width"));
    }
    let value = if ty == cx.module.value_type(packed) {
        packed
    } else {
        cx.create(stablehlo::BITCAST_CONVERT, &[packed]).of(ty)
    };
    if was_complex { cx.define_whole(op, 0, value) } else { cx.define_real(op, 0, value) }
}

impl Splitter<'_, '_> {
    /// One part of a packed constant, if it is small enough to be duplicated.
    pub(super) fn constant_part(&mut self, packed: ValueId, index: usize) -> Option<ValueId> {
        let constant = self.module.constant(self.module.constant_of(packed)?);
        let tensor = self.module.tensor_type(constant.ty)?;
        let (count, width) = (usize::try_from(tensor.count()?).ok()?, tensor.element.bytes());
        if count > CONSTANT_LIMIT || tensor.element == Element::Bool {
            return None;
        }
        let bytes = constant.data.bytes(self.source, count, width);
        let part: Vec<u8> = bytes.chunks_exact(width).skip(index).step_by(2).flatten().copied().collect();
        let mut sizes = self.dims(packed);
        sizes.pop();
        let ty = self.resized(packed, &sizes);
        Some(self.constant(ty, Data::Bytes(part.into())))
    }
}

/// Larger packed constants are split at run time instead of being copied.
const CONSTANT_LIMIT: usize = 1 << 12;

/// An empty constant of a type.
pub(super) fn empty(cx: &mut Splitter, ty: crate::ir::TypeId) -> ValueId {
    cx.constant(ty, Data::Bytes([].into()))
}

/// Appends to an integer list attribute.
pub(super) fn append(cx: &mut Splitter, op: OpId, name: &'static str, value: i64) -> Result<(), LowerError> {
    let mut sizes = OpAttributes::of(cx.module, op).sizes(name)?;
    sizes.push(Dim::Known(value));
    cx.module.set_attribute(op, name, Attribute::of_sizes(&sizes));
    Ok(())
}
