//! Tensors, their sizes and elements.

use super::NUMBERS;
use crate::ir::{Attribute, Dim, Dims, Element, SCALAR, ValueId, stablehlo, tensor};
use crate::ops::row::{Row, expanded};
use crate::ops::{Elements, Expand, Expanded, LowerError};

pub(super) const ROWS: &[Row] = &[
    expanded(tensor::CAST, Elements::ANY, cast).note("changes only the static sizes of the type"),
    expanded(tensor::COLLAPSE_SHAPE, Elements::ANY, collapse_shape).note("`reshape`"),
    expanded(tensor::DIM, Elements::ANY, dim).note("`get_dimension_size`"),
    expanded(tensor::EXPAND_SHAPE, Elements::ANY, expand_shape).note("`reshape`"),
    expanded(tensor::EXTRACT, NUMBERS, extract).note("`slice`, or `dynamic_slice`"),
    expanded(tensor::EXTRACT_SLICE, NUMBERS, extract_slice).note("`slice`"),
    expanded(tensor::FROM_ELEMENTS, NUMBERS, from_elements).note("`concatenate`"),
    expanded(tensor::INSERT_SLICE, NUMBERS, insert_slice).note("`dynamic_update_slice`"),
    expanded(tensor::RESHAPE, Elements::ANY, reshape).note("`dynamic_reshape`"),
    expanded(tensor::SPLAT, NUMBERS, splat).note("`broadcast_in_dim`"),
];

fn cast(cx: &mut Expand) -> Expanded {
    let (from, to) = (cx.operand_type(0)?, cx.result_type()?);
    if from.rank() != to.rank() || from.element != to.element {
        return Err(LowerError::form("its result has another rank or element type"));
    }
    let operand = cx.operand(0)?;
    let narrows =
        from.dims.iter().zip(&to.dims).any(|(from, to)| from.known().is_none() && to.known().is_some());
    if !narrows {
        return Ok(Some(operand.into()));
    }
    let value = cx.reshaped(operand, |cx| cx.sizes_of(operand))?;
    Ok(Some(value.into()))
}

fn dim(cx: &mut Expand) -> Expanded {
    let rank = cx.operand_type(0)?.rank();
    let axis = cx.number(1, "the dimension whose size it returns")?;
    let axis = usize::try_from(axis).ok().filter(|&axis| axis < rank);
    let axis = axis.ok_or_else(|| LowerError::form("its operand has no such dimension"))?;
    let operand = cx.operand(0)?;
    Ok(Some(cx.dimension_size(operand, axis).into()))
}

fn from_elements(cx: &mut Expand) -> Expanded {
    let result = cx.result_type()?;
    let elements = cx.module().op(cx.op).operands.to_vec();
    let count = result.count().ok_or_else(|| cx.dynamic())?;
    if usize::try_from(count) != Ok(elements.len()) {
        return Err(LowerError::form(
            "its number of operands differs from the number of elements of its result",
        ));
    }
    if elements.is_empty() {
        return Err(LowerError::form("its result has no elements"));
    }
    for index in 0..elements.len() {
        let operand = cx.operand_type(index)?;
        if operand.rank() != 0 || operand.element != result.element {
            return Err(LowerError::form(format!(
                "operand {index} is not a scalar of its result's element type"
            )));
        }
    }
    let list = cx.list_of(&elements)?;
    if result.rank() == 1 {
        return Ok(Some(list.into()));
    }
    cx.becomes(stablehlo::RESHAPE, &[list], [])
}

fn extract(cx: &mut Expand) -> Expanded {
    let (operand, result) = (cx.operand_type(0)?, cx.result_type()?);
    if result.rank() != 0 || result.element != operand.element {
        return Err(LowerError::form("its result is not a scalar of its operand's element type"));
    }
    let indices = cx.module().op(cx.op).operands[1..].to_vec();
    if indices.len() != operand.rank() {
        return Err(LowerError::form("it needs one index for each dimension"));
    }
    let value = cx.operand(0)?;
    if operand.rank() == 0 {
        return Ok(Some(value.into()));
    }
    let ones: Dims = std::iter::repeat_n(Dim::Known(1), operand.rank()).collect();
    let known = indices.iter().map(|&index| {
        let numbers = cx.module().known_integers(index);
        numbers.and_then(|numbers| numbers.first().copied())
    });
    let part = if let Some(starts) = known.collect::<Option<Vec<i64>>>() {
        let within = |(&start, dim): (&i64, &Dim)| start >= 0 && dim.known().is_none_or(|size| start < size);
        if !starts.iter().zip(&operand.dims).all(within) {
            return Err(LowerError::form("an index is out of bounds"));
        }
        let limits = starts.iter().map(|start| start.saturating_add(1)).collect::<Vec<_>>();
        let strides = vec![1; starts.len()];
        let attributes = [("start_indices", starts), ("limit_indices", limits), ("strides", strides)]
            .map(|(name, list)| (name, Attribute::Integers(Element::I64, list.into())));
        cx.emit_of(stablehlo::SLICE, &[value], operand.element, &ones, attributes)
    } else {
        let sizes = Attribute::Integers(Element::I64, vec![1; indices.len()].into());
        let operands: Vec<ValueId> = std::iter::once(value).chain(indices).collect();
        cx.emit_of(stablehlo::DYNAMIC_SLICE, &operands, operand.element, &ones, [("slice_sizes", sizes)])
    };
    cx.becomes(stablehlo::RESHAPE, &[part], [])
}

/// Offsets, sizes and strides, which must be numbers.
fn bounds(cx: &Expand) -> Result<[Vec<i64>; 3], LowerError> {
    let lists = [
        cx.attributes().integers("static_offsets")?,
        cx.attributes().integers("static_sizes")?,
        cx.attributes().integers("static_strides")?,
    ];
    if lists.iter().flatten().any(|&number| number < 0) {
        return Err(LowerError::Dynamic(format!("an offset or a size of `{}`", cx.module().op_name(cx.op))));
    }
    Ok(lists)
}

fn extract_slice(cx: &mut Expand) -> Expanded {
    let operand = cx.operand_type(0)?;
    let [offsets, sizes, strides] = bounds(cx)?;
    if [&offsets, &sizes, &strides].iter().any(|list| list.len() != operand.rank()) {
        return Err(LowerError::form("it needs an offset, a size and a stride for each dimension"));
    }
    let limits = offsets.iter().zip(&sizes).zip(&strides).map(|((offset, size), stride)| match size {
        0 => *offset,
        _ => offset.saturating_add((size - 1).saturating_mul(*stride)).saturating_add(1),
    });
    let limits: Vec<i64> = limits.collect();
    let within = |(&limit, dim): (&i64, &Dim)| dim.known().is_none_or(|size| limit <= size);
    if strides.contains(&0) || !limits.iter().zip(&operand.dims).all(within) {
        return Err(LowerError::form("it is out of bounds"));
    }
    let dims: Dims = sizes.iter().map(|&size| Dim::Known(size)).collect();
    let attributes = [("start_indices", offsets), ("limit_indices", limits), ("strides", strides)]
        .map(|(name, list)| (name, Attribute::Integers(Element::I64, list.into())));
    let value = cx.operand(0)?;
    let part = cx.emit_of(stablehlo::SLICE, &[value], operand.element, &dims, attributes);
    if cx.result_type()?.dims == dims {
        return Ok(Some(part.into()));
    }
    Ok(Some(cx.reshaped(part, |cx| Err(cx.dynamic()))?.into()))
}

fn insert_slice(cx: &mut Expand) -> Expanded {
    let (part, whole) = (cx.operand_type(0)?, cx.operand_type(1)?);
    let [offsets, sizes, strides] = bounds(cx)?;
    if offsets.len() != whole.rank()
        || sizes.len() != whole.rank()
        || strides.iter().any(|&stride| stride != 1)
    {
        return Err(LowerError::form("it needs an offset and a size for each dimension, and strides of 1"));
    }
    let fits = offsets.iter().zip(&sizes).zip(&whole.dims);
    if !fits
        .into_iter()
        .all(|((offset, size), dim)| dim.known().is_some_and(|whole| offset.saturating_add(*size) <= whole))
    {
        return Err(LowerError::Dynamic("the bounds of `tensor.insert_slice`".into()));
    }
    let dims: Dims = sizes.iter().map(|&size| Dim::Known(size)).collect();
    let (mut value, whole) = (cx.operand(0)?, cx.operand(1)?);
    let count = sizes.iter().try_fold(1_i64, |product, size| product.checked_mul(*size));
    if part.count().is_none() || part.count() != count {
        return Err(LowerError::form("its operand does not have the number of elements of its sizes"));
    }
    if part.dims != dims {
        value = cx.emit_of(stablehlo::RESHAPE, &[value], part.element, &dims, []);
    }
    let scalar = cx.rewriter.module.tensor_of(Element::I64, SCALAR);
    let mut operands = vec![whole, value];
    for offset in offsets {
        operands.push(cx.splat(scalar, offset)?);
    }
    cx.becomes(stablehlo::DYNAMIC_UPDATE_SLICE, &operands, [])
}

fn reshape(cx: &mut Expand) -> Expanded {
    let (operand, sizes) = (cx.operand(0)?, cx.operand(1)?);
    let value = cx.reshaped(operand, |_| Ok(sizes))?;
    Ok(Some(value.into()))
}

fn splat(cx: &mut Expand) -> Expanded {
    let (number, result) = (cx.operand_type(0)?, cx.result_type()?);
    if !result.is_static() {
        return Err(cx.dynamic());
    }
    if number.rank() != 0 || number.element != result.element {
        return Err(LowerError::form("its operand is not a scalar of its result's element type"));
    }
    let operand = cx.operand(0)?;
    cx.becomes(stablehlo::BROADCAST_IN_DIM, &[operand], [("broadcast_dimensions", Attribute::positions([]))])
}

/// Which dimensions belong together.
fn groups(cx: &Expand) -> Result<Vec<Vec<usize>>, LowerError> {
    const NAME: &str = "reassociation";
    let attribute = cx.attributes().get(NAME)?;
    let why = || LowerError::attribute(NAME, "expected lists of dimensions");
    let Attribute::Array(items) = attribute else {
        return if cx.module().integers(attribute).is_some_and(|list| list.is_empty()) {
            Ok(Vec::new())
        } else {
            Err(why())
        };
    };
    let group = |item: &Attribute| {
        let group = cx.module().integers(item).ok_or_else(why)?;
        group.into_iter().map(|axis| usize::try_from(axis).map_err(|_| why())).collect()
    };
    items.iter().map(group).collect()
}

fn collapse_shape(cx: &mut Expand) -> Expanded {
    let (operand, result) = (cx.operand_type(0)?, cx.result_type()?);
    let groups = groups(cx)?;
    let fits = groups.len() == result.rank() && groups.iter().flatten().all(|&axis| axis < operand.rank());
    if !fits && !groups.is_empty() {
        return Err(LowerError::form("`reassociation` does not match its types"));
    }
    let value = cx.operand(0)?;
    let reshaped = cx.reshaped(value, |cx| {
        let mut sizes = Vec::new();
        for group in &groups {
            let mut product: Option<ValueId> = None;
            for &axis in group {
                let size = cx.dimension_size(value, axis);
                product = Some(match product {
                    Some(product) => cx.emit_of(stablehlo::MULTIPLY, &[product, size], Element::I64, &[], []),
                    None => size,
                });
            }
            sizes.extend(product);
        }
        cx.list_of(&sizes)
    })?;
    Ok(Some(reshaped.into()))
}

fn expand_shape(cx: &mut Expand) -> Expanded {
    let (operand, result) = (cx.operand_type(0)?, cx.result_type()?);
    let groups = groups(cx)?;
    let fits = groups.len() == operand.rank() && groups.iter().flatten().all(|&axis| axis < result.rank());
    if !fits && !groups.is_empty() {
        return Err(LowerError::form("`reassociation` does not match its types"));
    }
    let value = cx.operand(0)?;
    let reshaped = cx.reshaped(value, |cx| {
        // The sizes that are not numbers are operands, in their order.
        let mut given = cx.module().op(cx.op).operands.clone().into_iter().skip(1);
        let scalar = cx.rewriter.module.tensor_of(Element::I64, SCALAR);
        let mut sizes = Vec::new();
        for dim in &result.dims {
            sizes.push(match dim.known() {
                Some(size) => cx.splat(scalar, size)?,
                None => given.next().ok_or_else(|| cx.dynamic())?,
            });
        }
        cx.list_of(&sizes)
    })?;
    Ok(Some(reshaped.into()))
}
