//! Relations of custom calls.

use super::reduction::{MATRIX, leading};
use super::relation::{OpView, Relation, elementwise};
use super::row_axis::{Partners, RowAxis, Slot, obstacle};
use crate::ir::stablehlo;
use crate::ops::{self, Units};

/// The relation of a known custom call.
pub(super) fn relation(view: &OpView) -> Option<Relation> {
    if view.module.op(view.op).name != stablehlo::CUSTOM_CALL {
        return None;
    }
    Some(match ops::call_units(ops::call_target(view.module, view.op)?)? {
        Units::Elements => elementwise,
        Units::Vectors => |view, slot, rows| leading(view, slot, rows, 1, "the rows are sorted"),
        Units::Matrices => routine as Relation,
    })
}

/// A matrix routine: the leading dimensions of the first operand are batch dimensions, which all operands and results
/// share.
fn routine(view: &OpView, _: Slot, rows: RowAxis) -> Partners {
    let batch = view.rank(Slot::Operand(0)).saturating_sub(2);
    if rows.axis >= batch || view.slots().any(|slot| view.rank(slot) < batch) {
        return obstacle(MATRIX);
    }
    Ok(view.slots().map(|slot| (slot, rows)).collect())
}
