//! Relations of gathers, scatters and dynamic slices.
//!
//! A slice that spans all rows always starts at row 0, because start indices are clamped.

use super::movement::opposite;
use super::relation::{OpView, Relation};
use super::row_axis::{Obstacle, Partners, RowAxis, Slot, obstacle, only};
use crate::ir::{OpName, stablehlo};
use crate::ops::GatherDimensionNumbers;
use smallvec::SmallVec;

/// The relation of an op of this family.
pub(super) fn relation(name: OpName) -> Option<Relation> {
    Some(match name {
        stablehlo::DYNAMIC_SLICE => dynamic_slice,
        stablehlo::DYNAMIC_UPDATE_SLICE => dynamic_update_slice,
        stablehlo::GATHER => gather,
        stablehlo::SCATTER => scatter,
        _ => return None,
    })
}

const SOME: &str = "only some of the rows are read";
const WRITTEN: &str = "only some of the rows are written";

fn dynamic_slice(view: &OpView, slot: Slot, rows: RowAxis) -> Partners {
    let whole = view.size(Slot::Operand(0), rows.axis);
    if whole.is_none() || view.size(Slot::Result(0), rows.axis) != whole {
        return obstacle(SOME);
    }
    only(opposite(slot), rows)
}

fn dynamic_update_slice(view: &OpView, _: Slot, rows: RowAxis) -> Partners {
    let whole = view.size(Slot::Operand(0), rows.axis);
    if whole.is_none() || view.size(Slot::Operand(1), rows.axis) != whole {
        return obstacle(WRITTEN);
    }
    Ok([Slot::Operand(0), Slot::Operand(1), Slot::Result(0)].into_iter().map(|slot| (slot, rows)).collect())
}

/// Pairs of corresponding dimensions of the tensor, the indices and the windows.
struct Indexing {
    /// Tensor and indices.
    batching: Vec<(usize, usize)>,
    /// Tensor and windows. The windows of a gather are its result, those of a scatter its updates.
    windows: Vec<(usize, usize)>,
    /// Indices and windows.
    places: Vec<(usize, usize)>,
}

impl Indexing {
    /// Reads the dimension numbers of a gather or scatter with the indices at this operand.
    fn of(view: &OpView, indices: usize) -> Result<Self, Obstacle> {
        let numbers = GatherDimensionNumbers::read(view.module, view.op);
        let numbers = numbers.map_err(|_| "its dimension numbers cannot be read")?;
        Ok(Self {
            batching: numbers.batching_dims().collect(),
            windows: numbers.window_dims(view.rank(Slot::Operand(0))),
            places: numbers.batch_dims(view.rank(Slot::Operand(indices))),
        })
    }

    /// The window dimension that corresponds to an index dimension.
    fn place(&self, of_indices: usize) -> Option<usize> {
        self.places.iter().find(|pair| pair.0 == of_indices).map(|pair| pair.1)
    }

    /// The tensor dimension that corresponds to an index dimension.
    fn batch(&self, of_indices: usize) -> Option<usize> {
        self.batching.iter().find(|pair| pair.1 == of_indices).map(|pair| pair.0)
    }
}

fn gather(view: &OpView, slot: Slot, rows: RowAxis) -> Partners {
    let (indices, result) = (Slot::Operand(1), Slot::Result(0));
    let indexing = Indexing::of(view, 1)?;
    let of_indices = match slot {
        Slot::Operand(0) => indexing.batching.iter().find(|pair| pair.0 == rows.axis).map(|pair| pair.1),
        Slot::Operand(_) => Some(rows.axis),
        Slot::Result(_) => indexing.places.iter().find(|pair| pair.1 == rows.axis).map(|pair| pair.0),
    };
    if let Some(axis) = of_indices {
        let Some(place) = indexing.place(axis) else {
            return obstacle("the rows are the components of one index");
        };
        let batch = indexing.batch(axis).map(|own| (Slot::Operand(0), rows.at(own)));
        let both = [(indices, rows.at(axis)), (result, rows.at(place))];
        return Ok(both.into_iter().chain(batch).collect());
    }
    let by_operand = matches!(slot, Slot::Operand(_));
    let mut pairs = indexing.windows.iter();
    let pair = pairs.find(|pair| rows.axis == if by_operand { pair.0 } else { pair.1 });
    let Some(&(own, window)) = pair else { return obstacle("individual rows are read") };
    let whole = view.size(Slot::Operand(0), own);
    if whole.is_none() || view.size(result, window) != whole {
        return obstacle(SOME);
    }
    Ok([(Slot::Operand(0), rows.at(own)), (result, rows.at(window))].into_iter().collect())
}

fn scatter(view: &OpView, slot: Slot, rows: RowAxis) -> Partners {
    let count = view.result_count();
    let (indices, update) = (Slot::Operand(count), Slot::Operand(count + 1));
    let indexing = Indexing::of(view, count)?;
    let all = |own: usize, updated: usize| -> SmallVec<[(Slot, RowAxis); 4]> {
        let inputs = (0..count).flat_map(|index| [Slot::Operand(index), Slot::Result(index)]);
        let updates = (0..count).map(|index| (Slot::Operand(count + 1 + index), rows.at(updated)));
        inputs.map(|slot| (slot, rows.at(own))).chain(updates).collect()
    };
    let of_input = match slot {
        Slot::Result(_) => true,
        Slot::Operand(index) => index < count,
    };
    let of_indices = match slot {
        _ if of_input => indexing.batching.iter().find(|pair| pair.0 == rows.axis).map(|pair| pair.1),
        _ if slot == indices => Some(rows.axis),
        _ => indexing.places.iter().find(|pair| pair.1 == rows.axis).map(|pair| pair.0),
    };
    if let Some(axis) = of_indices {
        // Rows outside a batching dimension are all written to the same place.
        let (Some(own), Some(place)) = (indexing.batch(axis), indexing.place(axis)) else {
            return obstacle("all rows are written to one tensor");
        };
        let mut partners = all(own, place);
        partners.push((indices, rows.at(axis)));
        return Ok(partners);
    }
    let mut pairs = indexing.windows.iter();
    let pair = pairs.find(|pair| rows.axis == if of_input { pair.0 } else { pair.1 });
    let Some(&(own, window)) = pair else { return obstacle("individual rows are written") };
    let whole = view.size(Slot::Operand(0), own);
    if whole.is_none() || view.size(update, window) != whole {
        return obstacle(WRITTEN);
    }
    Ok(all(own, window))
}
