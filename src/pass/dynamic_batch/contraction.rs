//! Relations of dots and convolutions.

use super::relation::{OpView, Relation};
use super::row_axis::{Partners, RowAxis, Slot, obstacle};
use crate::ir::{OpName, stablehlo};
use crate::ops::{ConvolutionAttributes, DotDimensionNumbers};

/// The relation of an op of this family.
pub(super) fn relation(name: OpName) -> Option<Relation> {
    Some(match name {
        stablehlo::CONVOLUTION => convolution,
        stablehlo::DOT => dot,
        stablehlo::DOT_GENERAL => dot_general,
        _ => return None,
    })
}

const SUMMED: &str = "the rows are summed";

/// A dimension of a product's result, and the dimensions of the operands that it comes from.
type Column = (Option<usize>, Option<usize>);

fn dot_general(view: &OpView, slot: Slot, rows: RowAxis) -> Partners {
    let numbers = DotDimensionNumbers::read(view.module, view.op);
    let numbers = numbers.map_err(|_| "its dimension numbers cannot be read")?;
    let (of_left, of_right) =
        (numbers.lhs_free(view.rank(Slot::Operand(0))), numbers.rhs_free(view.rank(Slot::Operand(1))));
    let batch = numbers.batching.into_iter().map(|(left, right)| (Some(left), Some(right)));
    let columns = batch
        .chain(of_left.into_iter().map(|axis| (Some(axis), None)))
        .chain(of_right.into_iter().map(|axis| (None, Some(axis))));
    product(slot, rows, &columns.collect::<Vec<_>>())
}

/// Vectors and matrices: contracts the last dimension of the left operand with the first of the right.
fn dot(view: &OpView, slot: Slot, rows: RowAxis) -> Partners {
    let left = (view.rank(Slot::Operand(0)) > 1).then_some((Some(0), None));
    let right = (view.rank(Slot::Operand(1)) > 1).then_some((None, Some(1)));
    product(slot, rows, &left.into_iter().chain(right).collect::<Vec<_>>())
}

fn product(slot: Slot, rows: RowAxis, columns: &[Column]) -> Partners {
    let is_it = |&(index, &(left, right)): &(usize, &Column)| match slot {
        Slot::Operand(0) => left == Some(rows.axis),
        Slot::Operand(_) => right == Some(rows.axis),
        Slot::Result(_) => index == rows.axis,
    };
    let Some((index, &(left, right))) = columns.iter().enumerate().find(is_it) else {
        return obstacle(SUMMED);
    };
    let left = left.map(|axis| (Slot::Operand(0), rows.at(axis)));
    let right = right.map(|axis| (Slot::Operand(1), rows.at(axis)));
    Ok(left.into_iter().chain(right).chain([(Slot::Result(0), rows.at(index))]).collect())
}

/// The input's batch is the result's batch, and each kernel makes one output feature.
fn convolution(view: &OpView, slot: Slot, rows: RowAxis) -> Partners {
    let attributes = ConvolutionAttributes::read(view.module, view.op, None);
    let attributes = attributes.map_err(|_| "its attributes cannot be read")?;
    if attributes.batch_group_count > 1 {
        return obstacle("the rows are in groups that are summed");
    }
    let numbers = attributes.numbers;
    let (input, output) = (numbers.input_batch_dimension, numbers.output_batch_dimension);
    let (made, feature) = (numbers.kernel_output_feature_dimension, numbers.output_feature_dimension);
    let is_whole = attributes.feature_group_count == 1;
    let pair = match slot {
        Slot::Operand(0) if rows.axis == input => [(Slot::Operand(0), input), (Slot::Result(0), output)],
        Slot::Result(_) if rows.axis == output => [(Slot::Operand(0), input), (Slot::Result(0), output)],
        Slot::Operand(1) if rows.axis == made && is_whole => {
            [(Slot::Operand(1), made), (Slot::Result(0), feature)]
        }
        Slot::Result(_) if rows.axis == feature && is_whole => {
            [(Slot::Operand(1), made), (Slot::Result(0), feature)]
        }
        _ => return obstacle("the windows or features of the convolution span rows"),
    };
    Ok(pair.into_iter().map(|(slot, axis)| (slot, rows.at(axis))).collect())
}
