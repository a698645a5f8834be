//! Shapes, which are lists of sizes here, and assertions about them.
//!
//! A witness represents a passed check. The program fails if a check does; the model computes the result for valid
//! sizes, and ONNX's own size checks refuse others.

use super::NUMBERS;
use crate::ir::{Element, SCALAR, ValueId, shape, stablehlo};
use crate::ops::expand::{Expand, Expanded};
use crate::ops::row::{Row, expanded};
use crate::ops::{Elements, LowerError};

const CHECK: &str = "assertions are dropped";

pub(super) const ROWS: &[Row] = &[
    expanded(shape::ASSUMING_ALL, Elements::ANY, witness).note(CHECK),
    expanded(shape::BROADCAST, NUMBERS, broadcast),
    expanded(shape::CONCAT, NUMBERS, concat),
    expanded(shape::CONST_SHAPE, NUMBERS, const_shape),
    expanded(shape::CONST_WITNESS, Elements::ANY, witness).note(CHECK),
    expanded(shape::CSTR_BROADCASTABLE, Elements::ANY, witness).note(CHECK),
    expanded(shape::CSTR_EQ, Elements::ANY, witness).note(CHECK),
    expanded(shape::CSTR_REQUIRE, Elements::ANY, witness).note(CHECK),
    expanded(shape::FROM_EXTENTS, NUMBERS, from_extents).note("`concatenate`"),
    expanded(shape::GET_EXTENT, NUMBERS, get_extent).note("`slice`"),
    expanded(shape::NUM_ELEMENTS, NUMBERS, num_elements),
    expanded(shape::RANK, NUMBERS, rank).note("a constant"),
    expanded(shape::SHAPE_OF, Elements::ANY, shape_of).note("`get_dimension_size`"),
    expanded(shape::TO_EXTENT_TENSOR, NUMBERS, operand),
];

fn operand(cx: &mut Expand) -> Expanded {
    let value = cx.operand(0)?;
    cx.length(value)?;
    Ok(Some(value.into()))
}

fn shape_of(cx: &mut Expand) -> Expanded {
    let value = cx.operand(0)?;
    Ok(Some(cx.sizes_of(value)?.into()))
}

fn const_shape(cx: &mut Expand) -> Expanded {
    let sizes = cx.attributes().integers("shape")?;
    Ok(Some(cx.numbers(&sizes).into()))
}

fn from_extents(cx: &mut Expand) -> Expanded {
    let extents = cx.module().op(cx.op).operands.to_vec();
    Ok(Some(cx.list_of(&extents)?.into()))
}

fn rank(cx: &mut Expand) -> Expanded {
    let value = cx.operand(0)?;
    let length = cx.length(value)?;
    let ty = cx.rewriter.module.tensor_of(Element::I64, SCALAR);
    Ok(Some(cx.splat(ty, length)?.into()))
}

fn get_extent(cx: &mut Expand) -> Expanded {
    let list = cx.operand(0)?;
    let length = cx.length(list)?;
    let index = cx.number(1, "the extent that it returns")?;
    if !(0..length).contains(&index) {
        return Err(LowerError::form("its shape has no such dimension"));
    }
    Ok(Some(cx.element(list, index).into()))
}

fn num_elements(cx: &mut Expand) -> Expanded {
    let list = cx.operand(0)?;
    let length = cx.length(list)?;
    let ty = cx.rewriter.module.tensor_of(Element::I64, SCALAR);
    let mut product = cx.splat(ty, 1)?;
    for index in 0..length {
        let size = cx.element(list, index);
        product = cx.create(stablehlo::MULTIPLY, &[product, size]).of(ty);
    }
    Ok(Some(product.into()))
}

fn concat(cx: &mut Expand) -> Expanded {
    let lists = cx.module().op(cx.op).operands.to_vec();
    if lists.is_empty() {
        return Err(LowerError::form("it has no operands"));
    }
    let mut count = 0;
    for &list in &lists {
        count += cx.length(list)?;
    }
    Ok(Some(cx.joined(&lists, Element::I64, count).into()))
}

/// The sizes to which values of these shapes are broadcast: of two, the one that is not 1.
fn broadcast(cx: &mut Expand) -> Expanded {
    let lists = cx.module().op(cx.op).operands.to_vec();
    let mut longest = 0;
    for &list in &lists {
        longest = longest.max(cx.length(list)?);
    }
    let ones = cx.numbers(&vec![1; longest as usize]);
    let mut wide: Vec<ValueId> = Vec::new();
    for list in lists {
        let missing = longest - cx.length(list)?;
        let padded = if missing > 0 {
            let ones = cx.numbers(&vec![1; missing as usize]);
            cx.joined(&[ones, list], Element::I64, longest)
        } else {
            list
        };
        wide.push(padded);
    }
    let mut joined = wide.into_iter();
    let mut result = joined.next().ok_or_else(|| LowerError::form("it has no operands"))?;
    for list in joined {
        result = cx.chosen("EQ", result, ones, list, result)?;
    }
    Ok(Some(result.into()))
}

/// An unused boolean.
fn witness(cx: &mut Expand) -> Expanded {
    let ty = cx.rewriter.module.tensor_of(Element::Bool, SCALAR);
    Ok(Some(cx.splat(ty, 1)?.into()))
}
