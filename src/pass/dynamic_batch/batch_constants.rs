//! Finds constants that Python may have computed from the batch size. They are right for this program and may be
//! wrong for another batch size.

use super::request::Request;
use super::row_axis::RowAxis;
use crate::diagnostic::catalog;
use crate::ir::{Class, FunctionId, Module, ValueId};
use crate::ops::fold::float;
use crate::pass::{Context, canonicalize};
use std::collections::BTreeMap;

/// Warns about scalars that equal the number of rows or its reciprocal and are combined with rows. A batch of one
/// proves nothing.
pub(super) fn report(
    module: &Module,
    function: FunctionId,
    request: &Request,
    row_axes: &BTreeMap<ValueId, RowAxis>,
    cx: &mut Context,
) {
    if request.size == 1 {
        return;
    }
    for op in module.ops_within([module.function(function).body]) {
        let operands = &module.op(op).operands;
        if module.op(op).name.class() != Class::Elementwise || operands.len() < 2 {
            continue;
        }
        let numbers = operands.iter().map(|&operand| number(module, cx, operand));
        let numbers: Vec<Option<f64>> = numbers.collect();
        let meets_rows = operands
            .iter()
            .zip(&numbers)
            .any(|(operand, number)| number.is_none() && row_axes.contains_key(operand));
        for number in
            numbers.into_iter().flatten().filter(|&number| meets_rows && follows(number, request.size))
        {
            let suspect = catalog::SuspectConstant {
                number: &number.to_string(),
                rows: request.size,
                name: &request.name,
                at: module.span(op).name,
            };
            cx.diagnostics.push(module.located(op, suspect));
        }
    }
}

/// The value of a splat constant.
fn number(module: &Module, cx: &Context, value: ValueId) -> Option<f64> {
    let (element, bits) = canonicalize::simplify::scalar(module, cx.source, value)?;
    if element.is_float() { float(element, bits) } else { Some(bits as f64) }
}

/// Whether a number is the row count or its reciprocal, within the precision of any type.
fn follows(number: f64, rows: i64) -> bool {
    const PRECISION: f64 = 1.0 / 256.0;
    let rows = rows as f64;
    number == rows || (number * rows - 1.0).abs() < PRECISION
}
