//! Relations of reductions, windows, sorts, and ops on the last dimensions.

use super::relation::{OpView, Relation, elementwise};
use super::row_axis::{Partners, RowAxis, Slot, obstacle};
use crate::ir::{OpName, axis_index, chlo, stablehlo};
use crate::ops::WindowDimension;

/// The relation of an op of this family.
pub(super) fn relation(name: OpName) -> Option<Relation> {
    Some(match name {
        chlo::TOP_K => |view, slot, rows| leading(view, slot, rows, 1, "the rows are sorted"),
        stablehlo::BATCH_NORM_GRAD | stablehlo::BATCH_NORM_TRAINING => {
            |_, _, _| obstacle("the mean and the variance are over all rows")
        }
        stablehlo::BATCH_NORM_INFERENCE => batch_norm_inference,
        stablehlo::CHOLESKY => |view, slot, rows| leading(view, slot, rows, 2, MATRIX),
        stablehlo::FFT => fft,
        stablehlo::MAP => elementwise,
        stablehlo::REDUCE => reduce,
        stablehlo::REDUCE_WINDOW => reduce_window,
        stablehlo::RNG | stablehlo::RNG_BIT_GENERATOR => {
            |_, _, _| obstacle("random numbers are drawn for all rows at once")
        }
        stablehlo::SELECT_AND_SCATTER => select_and_scatter,
        stablehlo::SORT => sort,
        stablehlo::TRIANGULAR_SOLVE => |view, slot, rows| leading(view, slot, rows, 2, MATRIX),
        _ => return None,
    })
}

/// Whether an op always mixes rows.
pub(super) fn always_mixes(name: OpName) -> bool {
    matches!(
        name,
        stablehlo::BATCH_NORM_GRAD
            | stablehlo::BATCH_NORM_TRAINING
            | stablehlo::RNG
            | stablehlo::RNG_BIT_GENERATOR
    )
}

/// The obstacle for rows that are the rows of one matrix.
pub(super) const MATRIX: &str = "the rows are the rows of one matrix";

/// An op on this many trailing dimensions of operands and results of one rank.
pub(super) fn leading(view: &OpView, slot: Slot, rows: RowAxis, last: usize, why: &'static str) -> Partners {
    let rank = view.rank(slot);
    if rows.axis + last >= rank || view.slots().any(|other| view.rank(other) != rank) {
        return obstacle(why);
    }
    Ok(view.slots().map(|slot| (slot, rows)).collect())
}

fn fft(view: &OpView, slot: Slot, rows: RowAxis) -> Partners {
    let lengths = view.attributes().integers("fft_length").map_or(3, |lengths| lengths.len());
    leading(view, slot, rows, lengths, "the transform runs along the rows")
}

/// The inputs, which come before their initial values, and the results.
fn streams(view: &OpView) -> impl Iterator<Item = Slot> + use<> {
    (0..view.result_count()).flat_map(|index| [Slot::Operand(index), Slot::Result(index)])
}

/// The obstacle for rows that are reduced.
pub(super) const REDUCED: &str = "the rows are reduced to one";

fn reduce(view: &OpView, slot: Slot, rows: RowAxis) -> Partners {
    let dimensions = view.axes("dimensions");
    let rank = view.rank(Slot::Operand(0));
    let kept: Vec<usize> = (0..rank).filter(|axis| !dimensions.contains(axis)).collect();
    let pair = match slot {
        Slot::Operand(_) => kept.iter().position(|&axis| axis == rows.axis).map(|result| (rows.axis, result)),
        Slot::Result(_) => kept.get(rows.axis).map(|&axis| (axis, rows.axis)),
    };
    let Some((own, result)) = pair else { return obstacle(REDUCED) };
    let place = |slot| match slot {
        Slot::Operand(_) => (slot, rows.at(own)),
        Slot::Result(_) => (slot, rows.at(result)),
    };
    Ok(streams(view).map(place).collect())
}

/// Whether each window along a dimension is one element.
fn has_size_one(view: &OpView, axis: usize) -> bool {
    let windows = WindowDimension::read(view.module, view.op, view.rank(Slot::Operand(0)));
    windows.is_ok_and(|windows| windows.get(axis).is_some_and(WindowDimension::is_trivial))
}

const WINDOWS: &str = "the windows span rows";

fn reduce_window(view: &OpView, _: Slot, rows: RowAxis) -> Partners {
    if !has_size_one(view, rows.axis) {
        return obstacle(WINDOWS);
    }
    Ok(streams(view).map(|slot| (slot, rows)).collect())
}

fn select_and_scatter(view: &OpView, _: Slot, rows: RowAxis) -> Partners {
    if !has_size_one(view, rows.axis) {
        return obstacle(WINDOWS);
    }
    Ok([Slot::Operand(0), Slot::Operand(1), Slot::Result(0)].into_iter().map(|slot| (slot, rows)).collect())
}

fn sort(view: &OpView, slot: Slot, rows: RowAxis) -> Partners {
    // -1 is the last dimension and the default.
    let dimension = if view.attributes().find("dimension").is_some() {
        view.attributes().integer("dimension").ok()
    } else {
        Some(-1)
    };
    match dimension.and_then(|axis| axis_index(axis, view.rank(slot))) {
        Some(axis) if axis != rows.axis => Ok(view.slots().map(|slot| (slot, rows)).collect()),
        _ => obstacle("the rows are sorted"),
    }
}

/// Each feature has its own scale and offset.
fn batch_norm_inference(view: &OpView, slot: Slot, rows: RowAxis) -> Partners {
    let Some(feature) =
        view.attributes().integer("feature_index").ok().and_then(|index| usize::try_from(index).ok())
    else {
        return obstacle("its `feature_index` is missing");
    };
    let whole = matches!(slot, Slot::Operand(0) | Slot::Result(_));
    let axis = if whole { rows.axis } else { feature };
    let both = [(Slot::Operand(0), rows.at(axis)), (Slot::Result(0), rows.at(axis))];
    let vectors = (1..view.operand_count()).filter(|_| axis == feature);
    Ok(both.into_iter().chain(vectors.map(|index| (Slot::Operand(index), rows.at(0)))).collect())
}
