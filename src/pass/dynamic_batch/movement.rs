//! Relations of ops that create and move elements.

use super::relation::{OpView, Relation};
use super::row_axis::{Partners, RowAxis, Slot, nowhere, obstacle, only};
use crate::ir::{Attribute, Data, OpName, chlo, stablehlo};

/// The relation of an op of this family.
pub(super) fn relation(name: OpName) -> Option<Relation> {
    Some(match name {
        chlo::CONSTANT_LIKE => |_, slot, rows| only(opposite(slot), rows),
        stablehlo::BITCAST_CONVERT => bitcast_convert,
        stablehlo::BROADCAST_IN_DIM => broadcast_in_dim,
        stablehlo::CONCATENATE => concatenate,
        stablehlo::CONSTANT => constant,
        stablehlo::IOTA => iota,
        stablehlo::PAD => pad,
        stablehlo::RESHAPE => reshape,
        stablehlo::REVERSE => reverse,
        stablehlo::SLICE => slice,
        stablehlo::TRANSPOSE => transpose,
        _ => return None,
    })
}

/// The first result for an operand, and the first operand for a result.
pub(super) fn opposite(slot: Slot) -> Slot {
    match slot {
        Slot::Operand(_) => Slot::Result(0),
        Slot::Result(_) => Slot::Operand(0),
    }
}

/// Larger constants are not compared row by row.
const LARGEST: usize = 1 << 26;

/// A constant with equal rows is a single row.
fn constant(view: &OpView, slot: Slot, rows: RowAxis) -> Partners {
    let id = match view.attributes().find("value") {
        Some(Attribute::Dense(id)) => *id,
        _ => return obstacle("it is not a literal"),
    };
    let data = &view.module.constant(id).data;
    if data.splat().is_some() || rows.is_alone() && (view.rows == 1 || has_equal_rows(view, slot, rows, data))
    {
        return nowhere();
    }
    obstacle(format!("the constant has a different value for each of the {} rows", view.rows))
}

fn has_equal_rows(view: &OpView, slot: Slot, rows: RowAxis, data: &Data) -> bool {
    let Some((ty, sizes)) = view.tensor(slot).zip(view.sizes(slot)) else { return false };
    let bytes = |sizes: &[i64]| {
        let size = |size: &i64| usize::try_from(*size).ok();
        sizes.iter().try_fold(ty.element.bytes(), |product, next| product.checked_mul(size(next)?))
    };
    let (Some(whole), Some(row)) = (bytes(&sizes), bytes(&sizes[rows.axis + 1..])) else { return false };
    let Ok(count) = usize::try_from(view.rows) else { return false };
    if whole > LARGEST || row == 0 || whole == 0 {
        return false;
    }
    let bytes = data.bytes(view.source, whole / ty.element.bytes(), ty.element.bytes());
    bytes.chunks_exact(row * count).all(|rows| rows.chunks_exact(row).all(|other| other == &rows[..row]))
}

fn iota(view: &OpView, _: Slot, rows: RowAxis) -> Partners {
    match view.attributes().integer("iota_dimension").ok() {
        Some(axis) if axis != rows.axis as i64 => nowhere(),
        _ => obstacle("the rows are numbered"),
    }
}

/// A broadcast dimension is the same for all rows.
fn broadcast_in_dim(view: &OpView, slot: Slot, rows: RowAxis) -> Partners {
    let dimensions = view.axes("broadcast_dimensions");
    let (own, whole) = match slot {
        Slot::Operand(_) => (Some(rows.axis), dimensions.get(rows.axis).copied()),
        Slot::Result(_) => (dimensions.iter().position(|&axis| axis == rows.axis), Some(rows.axis)),
    };
    let (Some(own), Some(whole)) = (own, whole) else { return nowhere() };
    let sizes = (view.size(Slot::Operand(0), own), view.size(Slot::Result(0), whole));
    match (slot, sizes) {
        (Slot::Result(_), (Some(1), Some(to))) if to > 1 || view.is_constant(Slot::Operand(0)) => nowhere(),
        (Slot::Operand(_), (Some(from), Some(to))) if from == to => only(Slot::Result(0), rows.at(whole)),
        (Slot::Result(_), (Some(from), Some(to))) if from == to => only(Slot::Operand(0), rows.at(own)),
        _ => obstacle("the single row is repeated"),
    }
}

/// How many blocks of rows there are, and how many elements a row has in each block.
fn flat(sizes: &[i64], rows: RowAxis) -> Option<(i64, i64)> {
    let product =
        |sizes: &[i64], by: i64| sizes.iter().try_fold(by, |product, size| product.checked_mul(*size));
    Some((product(&sizes[..rows.axis], rows.left)?, product(&sizes[rows.axis + 1..], rows.right)?))
}

/// Rows survive a reshape if one dimension of the result contains all of them, merged with whole dimensions or parts
/// before and after.
fn reshape(view: &OpView, slot: Slot, rows: RowAxis) -> Partners {
    let other = opposite(slot);
    let (Some(own), Some(sizes)) = (view.sizes(slot), view.sizes(other)) else {
        return obstacle("its other sizes are unknown");
    };
    let Some(place) = flat(&own, rows).filter(|&(left, right)| left > 0 && right > 0) else {
        return obstacle("its rows are empty");
    };
    if let Some(found) = view.rows(other) {
        return if flat(&sizes, found) == Some(place) { nowhere() } else { obstacle("the rows are split") };
    }
    let fits = |&rows: &RowAxis| {
        let whole = rows.left.checked_mul(view.rows).and_then(|size| size.checked_mul(rows.right));
        whole == Some(sizes[rows.axis])
    };
    let within = |axis: usize| {
        let outside = flat(&sizes, RowAxis::alone(axis))?;
        let divides = place.0 % outside.0 == 0 && place.1 % outside.1 == 0;
        divides.then(|| RowAxis { axis, left: place.0 / outside.0, right: place.1 / outside.1 })
    };
    let mut found = (0..sizes.len()).filter_map(within).filter(fits);
    if view.rows > 1 {
        return match found.next() {
            Some(rows) => only(other, rows),
            None => obstacle("the rows are split"),
        };
    }
    // A single row fits any dimension. Prefers a dimension of its own at the same position.
    let found: Vec<RowAxis> = found.collect();
    let mut alone = found.iter().filter(|rows| rows.is_alone());
    let index = (0..rows.axis).rev().take_while(|&axis| own[axis] == 1).count();
    let same = if rows.is_alone() { alone.clone().nth(index).or(alone.next_back()) } else { alone.next() };
    // If a result dimension is exactly the rows, creates it; otherwise the operand decides.
    if same.is_none() && matches!(slot, Slot::Result(_)) && rows.is_alone() {
        return nowhere();
    }
    match same.or(found.iter().find(|rows| rows.left == 1)).or(found.first()) {
        Some(&rows) => only(other, rows),
        None => obstacle("the rows are split"),
    }
}

fn transpose(view: &OpView, slot: Slot, rows: RowAxis) -> Partners {
    let permutation = view.axes("permutation");
    let axis = match slot {
        Slot::Operand(_) => permutation.iter().position(|&axis| axis == rows.axis),
        Slot::Result(_) => permutation.get(rows.axis).copied(),
    };
    match axis {
        Some(axis) => only(opposite(slot), rows.at(axis)),
        None => obstacle("it is not a permutation"),
    }
}

fn reverse(view: &OpView, slot: Slot, rows: RowAxis) -> Partners {
    if view.axes("dimensions").contains(&rows.axis) {
        return obstacle("the rows are reversed");
    }
    only(opposite(slot), rows)
}

fn slice(view: &OpView, slot: Slot, rows: RowAxis) -> Partners {
    let at = |name: &'static str| view.attributes().integers(name).ok()?.get(rows.axis).copied();
    let whole = view.size(Slot::Operand(0), rows.axis);
    let is_whole = at("start_indices") == Some(0)
        && whole.is_some()
        && at("limit_indices") == whole
        && at("strides") == Some(1);
    if is_whole { only(opposite(slot), rows) } else { obstacle("only some of the rows are selected") }
}

fn pad(view: &OpView, slot: Slot, rows: RowAxis) -> Partners {
    let at = |name: &'static str| view.attributes().integers(name).ok()?.get(rows.axis).copied();
    let amounts = ["edge_padding_low", "edge_padding_high", "interior_padding"].map(at);
    if amounts == [Some(0); 3] { only(opposite(slot), rows) } else { obstacle("rows are added or removed") }
}

fn concatenate(view: &OpView, _: Slot, rows: RowAxis) -> Partners {
    if view.attributes().integer("dimension").ok() == Some(rows.axis as i64) {
        return obstacle("other rows are appended to the rows");
    }
    Ok(view.slots().map(|slot| (slot, rows)).collect())
}

/// A wider element type merges the extra last dimension of the narrower one.
fn bitcast_convert(view: &OpView, slot: Slot, rows: RowAxis) -> Partners {
    let common = view.rank(Slot::Operand(0)).min(view.rank(Slot::Result(0)));
    if rows.axis < common { only(opposite(slot), rows) } else { obstacle("the rows are parts of one number") }
}
