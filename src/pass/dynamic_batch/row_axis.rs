//! Where in a value the rows are.

use smallvec::SmallVec;
use std::borrow::Cow;

/// The rows of a value: the dimension that they are in.
///
/// The dimension may have been merged with others, by a reshape: its index is then `(l * rows + row) * right + r` with
/// `l < left` and `r < right`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct RowAxis {
    /// The dimension.
    pub(super) axis: usize,
    /// How often all rows are there, one block after the other.
    pub(super) left: i64,
    /// How many elements each row is there with.
    pub(super) right: i64,
}

impl RowAxis {
    /// A dimension that has a row at each index.
    pub(super) fn alone(axis: usize) -> Self {
        Self { axis, left: 1, right: 1 }
    }

    /// The same rows in another dimension of the same size.
    pub(super) fn at(self, axis: usize) -> Self {
        Self { axis, ..self }
    }

    /// Whether the dimension has nothing but rows.
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

/// Why an op is none on rows, as a clause on the rows.
pub(super) type Obstacle = Cow<'static, str>;

/// Where else an op has the rows when it has them in one place.
pub(super) type Partners = Result<SmallVec<[(Slot, RowAxis); 4]>, Obstacle>;

/// No other place.
pub(super) fn nowhere() -> Partners {
    Ok(SmallVec::new())
}

/// One other place.
pub(super) fn only(slot: Slot, rows: RowAxis) -> Partners {
    Ok([(slot, rows)].into_iter().collect())
}

/// An obstacle.
pub(super) fn obstacle(why: impl Into<Obstacle>) -> Partners {
    Err(why.into())
}
