//! Sparse matrix products, as gathers and segment sums.

use super::{Expand, Expanded, LowerError};
use crate::ir::{Attribute, Dim, Element, ValueId, stablehlo};
use crate::ops::GatherDimensionNumbers;

/// The product of a CSR matrix and a vector or matrix. Operands: non-zeros, row offsets, columns, and the dense
/// operand.
///
/// Non-zeros before the first row or after the last one are padding. They get a row outside of the result, and
/// `scatter` drops them.
pub(super) fn product(cx: &mut Expand) -> Expanded {
    let (data, starts) = (cx.operand_type(0)?, cx.operand_type(1)?);
    let (columns, dense, result) = (cx.operand_type(2)?, cx.operand_type(3)?, cx.result_type()?);
    let (&[count], &[ends]) = (&data.dims[..], &starts.dims[..]) else {
        return Err(LowerError::form("its matrix has batch dimensions"));
    };
    let known = (count.known(), ends.known(), result.is_static() && dense.is_static());
    let (Some(length), Some(ends), true) = known else { return Err(cx.dynamic()) };
    let fits = columns.dims == data.dims
        && matches!(dense.rank(), 1 | 2)
        && result.dims.get(1..) == dense.dims.get(1..)
        && result.dims.first() == Some(&Dim::Known(ends - 1))
        && [data.element, dense.element].iter().all(|&element| element == result.element);
    if !fits || !starts.element.is_integer() || !columns.element.is_integer() {
        return Err(LowerError::form("its operands and its result do not match"));
    }
    let ty = cx.result()?;
    let zeros = cx.splat(ty, 0)?;
    if length == 0 {
        return Ok(Some(zeros.into()));
    }
    let rows = rows(cx, length, ends)?;

    let product_dims = [&[count], &dense.dims[1..]].concat();
    let product_ty = cx.rewriter.module.tensor_of(result.element, &product_dims);
    let window: Vec<usize> = (1..dense.rank()).collect();
    let numbers = GatherDimensionNumbers {
        offset_dims: window.clone(),
        collapsed_slice_dims: vec![0],
        start_index_map: vec![0],
        index_vector_dim: 1,
        ..GatherDimensionNumbers::default()
    };
    let numbers = numbers.attribute(cx.rewriter.module, stablehlo::GATHER);
    let sizes = dense.dims.iter().skip(1).filter_map(|dim| dim.known()).map(|size| size as usize);
    let sizes = Attribute::positions([1].into_iter().chain(sizes));
    let operands = [cx.operand(3)?, cx.operand(2)?];
    let attributes = [numbers, ("slice_sizes", sizes)];
    let gathered = cx.create(stablehlo::GATHER, &operands).attrs(attributes).of(product_ty);
    let data = cx.operand(0)?;
    let dims = [("broadcast_dimensions", Attribute::positions([0]))];
    let data = cx.create(stablehlo::BROADCAST_IN_DIM, &[data]).attrs(dims).of(product_ty);
    let products = cx.create(stablehlo::MULTIPLY, &[data, gathered]).of(product_ty);
    Ok(Some(scatter(cx, [zeros, rows, products], window)?.into()))
}

/// The row of each non-zero: the number of rows that start at or before it, minus one.
fn rows(cx: &mut Expand, length: i64, ends: i64) -> Result<ValueId, LowerError> {
    let module = &mut *cx.rewriter.module;
    let scalar = module.tensor_of(Element::I32, crate::ir::SCALAR);
    let [ty, ones] = [length, ends].map(|size| module.tensor_of(Element::I32, &[size]));
    let (zeros, ones) = (cx.splat(ty, 0)?, cx.splat(ones, 1)?);
    let starts = cx.operand(1)?;
    let marks = scatter(cx, [zeros, starts, ones], Vec::new())?;
    let zero = cx.splat(scalar, 0)?;
    let (whole, before) = (length as usize, length as usize - 1);
    let attributes = [
        ("window_dimensions", Attribute::positions([whole])),
        ("padding", Attribute::positions([before, 0])),
    ];
    let begun = cx.emit_sum(stablehlo::REDUCE_WINDOW, &[marks, zero], ty, attributes)?;
    let one = cx.splat(ty, 1)?;
    Ok(cx.create(stablehlo::SUBTRACT, &[begun, one]).of(ty))
}

/// Adds updates to the rows of the first operand that the second one selects.
fn scatter(cx: &mut Expand, operands: [ValueId; 3], window: Vec<usize>) -> Result<ValueId, LowerError> {
    let numbers = GatherDimensionNumbers {
        offset_dims: window,
        collapsed_slice_dims: vec![0],
        start_index_map: vec![0],
        index_vector_dim: 1,
        ..GatherDimensionNumbers::default()
    };
    let numbers = numbers.attribute(cx.rewriter.module, stablehlo::SCATTER);
    let ty = cx.module().value_type(operands[0]);
    cx.emit_sum(stablehlo::SCATTER, &operands, ty, [numbers])
}
