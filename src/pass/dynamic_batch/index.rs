//! Relations of gathers, scatters and dynamic slices.
//!
//! A slice that spans all rows always starts at row 0, because start indices are clamped.

use super::movement::opposite;
use super::relation::{OpView, Relation, field_axes, field_axis};
use super::row_axis::{Partners, RowAxis, Slot, obstacle, only};
use crate::ir::{Module, OpId, OpName, TensorType, ValueId, stablehlo};
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

/// All dimensions of a tensor except some.
fn others(rank: usize, without: &[usize]) -> Vec<usize> {
    (0..rank).filter(|axis| !without.contains(axis)).collect()
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
    /// Reads the dimension numbers of a gather.
    fn of_gather(module: &Module, op: OpId) -> Self {
        const FIELDS: [&str; 4] =
            ["operand_batching_dims", "start_indices_batching_dims", "collapsed_slice_dims", "offset_dims"];
        let windows = module.op(op).results.first();
        Self::of(module, op, "dimension_numbers", FIELDS, 1, windows)
    }

    /// Reads the dimension numbers of a scatter with this many inputs.
    fn of_scatter(module: &Module, op: OpId, inputs: usize) -> Self {
        const FIELDS: [&str; 4] = [
            "input_batching_dims",
            "scatter_indices_batching_dims",
            "inserted_window_dims",
            "update_window_dims",
        ];
        let windows = module.op(op).operands.get(inputs + 1);
        Self::of(module, op, "scatter_dimension_numbers", FIELDS, inputs, windows)
    }

    /// The fields are: batching dimensions of the tensor, of the indices, dimensions that windows drop, and window
    /// dimensions.
    fn of(
        module: &Module,
        op: OpId,
        name: &str,
        fields: [&str; 4],
        indices: usize,
        windows: Option<&ValueId>,
    ) -> Self {
        let [tensor_batching, index_batching, dropped, kept] =
            fields.map(|field| field_axes(module, op, name, field));
        let vector = field_axis(module, op, name, "index_vector_dim");
        let operands = &module.op(op).operands;
        let rank = |value: Option<&ValueId>| {
            value.and_then(|&value| module.tensor(value)).map_or(0, TensorType::rank)
        };
        let own = others(rank(operands.first()), &[&dropped[..], &tensor_batching].concat());
        let free = others(rank(windows), &kept);
        let places = others(rank(operands.get(indices)), &[vector]);
        Self {
            batching: tensor_batching.into_iter().zip(index_batching).collect(),
            windows: own.into_iter().zip(kept).collect(),
            places: places.into_iter().zip(free).collect(),
        }
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

/// Pairs of operand and result dimensions that a gather's windows span.
pub(super) fn windows(module: &Module, op: OpId) -> Vec<(usize, usize)> {
    Indexing::of_gather(module, op).windows
}

fn gather(view: &OpView, slot: Slot, rows: RowAxis) -> Partners {
    let (indices, result) = (Slot::Operand(1), Slot::Result(0));
    let indexing = Indexing::of_gather(view.module, view.op);
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
    let indexing = Indexing::of_scatter(view.module, view.op, count);
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
