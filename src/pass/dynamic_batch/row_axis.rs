//! Where a value has its rows.

use smallvec::SmallVec;
use std::borrow::Cow;

/// The row dimension of a value.
///
/// A reshape may have merged the dimension with others: then its index is `(l * rows + row) * right + r` with `l <
/// left` and `r < right`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct RowAxis {
    /// The dimension.
    pub(super) axis: usize,
    /// How many blocks repeat all rows.
    pub(super) left: i64,
    /// How many elements each row has in a block.
    pub(super) right: i64,
}

impl RowAxis {
    /// A dimension with one row at each index.
    pub(super) fn alone(axis: usize) -> Self {
        Self { axis, left: 1, right: 1 }
    }

    /// The same rows in another dimension of the same size.
    pub(super) fn at(self, axis: usize) -> Self {
        Self { axis, ..self }
    }

    /// Whether the dimension consists of exactly the rows.
    pub(super) fn is_alone(self) -> bool {
        (self.left, self.right) == (1, 1)
    }
}

/// An operand or a result of an op.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Slot {
    Operand(usize),
    Result(usize),
}

/// Why an op is not row-wise, as a clause with the rows as subject.
pub(super) type Obstacle = Cow<'static, str>;

/// Where else an op has the rows that one of its operands or results has.
pub(super) type Partners = Result<SmallVec<[(Slot, RowAxis); 4]>, Obstacle>;

/// No other operand or result.
pub(super) fn nowhere() -> Partners {
    Ok(SmallVec::new())
}

/// One other operand or result.
pub(super) fn only(slot: Slot, rows: RowAxis) -> Partners {
    Ok([(slot, rows)].into_iter().collect())
}

/// Shorthand for an obstacle.
pub(super) fn obstacle(why: impl Into<Obstacle>) -> Partners {
    Err(why.into())
}
