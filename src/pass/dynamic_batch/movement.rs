//! Relations of ops that make and arrange elements.

use super::relation::{Relation, View};
use super::row_axis::{Mark, Partners, Slot, nowhere, obstacle, only};
use crate::ir::{Attribute, Data, OpName, chlo, stablehlo};

/// The relation of an op of this family.
pub(super) fn relation(name: OpName) -> Option<Relation> {
    Some(match name {
        chlo::CONSTANT_LIKE => |_, slot, mark| only(opposite(slot), mark),
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

/// A constant whose rows are equal is one row.
fn constant(view: &View, slot: Slot, mark: Mark) -> Partners {
    let id = match view.attribute("value") {
        Some(Attribute::Dense(id)) => *id,
        _ => return obstacle("it is not a literal"),
    };
    let data = &view.module.constant(id).data;
    if data.splat().is_some() || mark.is_alone() && (view.rows == 1 || has_equal_rows(view, slot, mark, data))
    {
        return nowhere();
    }
    obstacle(format!("the constant has a different value for each of the {} rows", view.rows))
}

fn has_equal_rows(view: &View, slot: Slot, mark: Mark, data: &Data) -> bool {
    let Some((ty, sizes)) = view.tensor(slot).zip(view.sizes(slot)) else { return false };
    let bytes = |sizes: &[i64]| {
        let size = |size: &i64| usize::try_from(*size).ok();
        sizes.iter().try_fold(ty.element.bytes(), |product, next| product.checked_mul(size(next)?))
    };
    let (Some(whole), Some(row)) = (bytes(&sizes), bytes(&sizes[mark.axis + 1..])) else { return false };
    let Ok(rows) = usize::try_from(view.rows) else { return false };
    if whole > LARGEST || row == 0 || whole == 0 {
        return false;
    }
    let bytes = data.bytes(view.source, whole / ty.element.bytes(), ty.element.bytes());
    bytes.chunks_exact(row * rows).all(|rows| rows.chunks_exact(row).all(|other| other == &rows[..row]))
}

fn iota(view: &View, _: Slot, mark: Mark) -> Partners {
    match view.integer("iota_dimension") {
        Some(axis) if axis != mark.axis as i64 => nowhere(),
        _ => obstacle("the rows are numbered"),
    }
}

/// A dimension that the operand does not have, or of which it has one element, is the same for all rows.
fn broadcast_in_dim(view: &View, slot: Slot, mark: Mark) -> Partners {
    let dimensions = view.axes("broadcast_dimensions");
    let (own, whole) = match slot {
        Slot::Operand(_) => (Some(mark.axis), dimensions.get(mark.axis).copied()),
        Slot::Result(_) => (dimensions.iter().position(|&axis| axis == mark.axis), Some(mark.axis)),
    };
    let (Some(own), Some(whole)) = (own, whole) else { return nowhere() };
    let sizes = (view.size(Slot::Operand(0), own), view.size(Slot::Result(0), whole));
    match (slot, sizes) {
        (Slot::Result(_), (Some(1), Some(to))) if to > 1 || view.is_constant(Slot::Operand(0)) => nowhere(),
        (Slot::Operand(_), (Some(from), Some(to))) if from == to => only(Slot::Result(0), mark.at(whole)),
        (Slot::Result(_), (Some(from), Some(to))) if from == to => only(Slot::Operand(0), mark.at(own)),
        _ => obstacle("the single row is repeated"),
    }
}

/// How many blocks of rows there are among all elements in a row, and how many elements each row has in a block.
fn flat(sizes: &[i64], mark: Mark) -> Option<(i64, i64)> {
    let product =
        |sizes: &[i64], by: i64| sizes.iter().try_fold(by, |product, size| product.checked_mul(*size));
    Some((product(&sizes[..mark.axis], mark.left)?, product(&sizes[mark.axis + 1..], mark.right)?))
}

/// Rows stay rows in the dimension that holds all of them, and of what is before and after them whole dimensions or a
/// part that is merged with them.
fn reshape(view: &View, slot: Slot, mark: Mark) -> Partners {
    let other = opposite(slot);
    let (Some(own), Some(sizes)) = (view.sizes(slot), view.sizes(other)) else {
        return obstacle("its other sizes are unknown");
    };
    let Some(place) = flat(&own, mark).filter(|&(left, right)| left > 0 && right > 0) else {
        return obstacle("its rows are empty");
    };
    if let Some(found) = view.mark(other) {
        return if flat(&sizes, found) == Some(place) { nowhere() } else { obstacle("the rows are split") };
    }
    let fits = |&mark: &Mark| {
        let whole = mark.left.checked_mul(view.rows).and_then(|size| size.checked_mul(mark.right));
        whole == Some(sizes[mark.axis])
    };
    let within = |axis: usize| {
        let outside = flat(&sizes, Mark::alone(axis))?;
        let divides = place.0 % outside.0 == 0 && place.1 % outside.1 == 0;
        divides.then(|| Mark { axis, left: place.0 / outside.0, right: place.1 / outside.1 })
    };
    let mut found = (0..sizes.len()).filter_map(within).filter(fits);
    if view.rows > 1 {
        return match found.next() {
            Some(mark) => only(other, mark),
            None => obstacle("the rows are split"),
        };
    }
    // One row is in any dimension. It is taken to be in one of its own, the same of those that there are in its place.
    let found: Vec<Mark> = found.collect();
    let mut alone = found.iter().filter(|mark| mark.is_alone());
    let index = (0..mark.axis).rev().take_while(|&axis| own[axis] == 1).count();
    let same = if mark.is_alone() { alone.clone().nth(index).or(alone.next_back()) } else { alone.next() };
    // A dimension of the result that has nothing but rows is made here; where it is not, the operand says so itself.
    if same.is_none() && matches!(slot, Slot::Result(_)) && mark.is_alone() {
        return nowhere();
    }
    match same.or(found.iter().find(|mark| mark.left == 1)).or(found.first()) {
        Some(&mark) => only(other, mark),
        None => obstacle("the rows are split"),
    }
}

fn transpose(view: &View, slot: Slot, mark: Mark) -> Partners {
    let permutation = view.axes("permutation");
    let axis = match slot {
        Slot::Operand(_) => permutation.iter().position(|&axis| axis == mark.axis),
        Slot::Result(_) => permutation.get(mark.axis).copied(),
    };
    match axis {
        Some(axis) => only(opposite(slot), mark.at(axis)),
        None => obstacle("it is not a permutation"),
    }
}

fn reverse(view: &View, slot: Slot, mark: Mark) -> Partners {
    if view.axes("dimensions").contains(&mark.axis) {
        return obstacle("the rows are reversed");
    }
    only(opposite(slot), mark)
}

fn slice(view: &View, slot: Slot, mark: Mark) -> Partners {
    let at = |name: &str| view.integers(name)?.get(mark.axis).copied();
    let whole = view.size(Slot::Operand(0), mark.axis);
    let is_whole = at("start_indices") == Some(0)
        && whole.is_some()
        && at("limit_indices") == whole
        && at("strides") == Some(1);
    if is_whole { only(opposite(slot), mark) } else { obstacle("only some of the rows are selected") }
}

fn pad(view: &View, slot: Slot, mark: Mark) -> Partners {
    let at = |name: &str| view.integers(name)?.get(mark.axis).copied();
    let amounts = ["edge_padding_low", "edge_padding_high", "interior_padding"].map(at);
    if amounts == [Some(0); 3] { only(opposite(slot), mark) } else { obstacle("rows are added or removed") }
}

fn concatenate(view: &View, _: Slot, mark: Mark) -> Partners {
    if view.integer("dimension") == Some(mark.axis as i64) {
        return obstacle("other rows are appended to the rows");
    }
    Ok(view.slots().map(|slot| (slot, mark)).collect())
}

/// Wider elements take the last dimension in, which narrower ones have more.
fn bitcast_convert(view: &View, slot: Slot, mark: Mark) -> Partners {
    let common = view.rank(Slot::Operand(0)).min(view.rank(Slot::Result(0)));
    if mark.axis < common { only(opposite(slot), mark) } else { obstacle("the rows are parts of one number") }
}
