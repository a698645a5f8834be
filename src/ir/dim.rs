//! The size of a dimension.

use smallvec::SmallVec;

/// Handle of a symbolic size in its module; equal handles are equal sizes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DimExprId(pub(super) u32);

/// The size of one dimension of a tensor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Dim {
    /// A number of elements.
    Known(i64),
    /// An expression of [`DimExprs`](super::DimExprs), which has its value when the model runs.
    Symbolic(DimExprId),
    /// `?`: nothing is known of it, as the text says nothing.
    Dynamic,
}

impl From<i64> for Dim {
    fn from(size: i64) -> Self {
        Dim::Known(size)
    }
}

impl Dim {
    /// The number, where it is one.
    pub fn known(self) -> Option<i64> {
        match self {
            Dim::Known(size) => Some(size),
            Dim::Symbolic(_) | Dim::Dynamic => None,
        }
    }
}

/// A number, or a size that may be an expression: what code takes that works for both.
pub trait Size: Copy + Into<Dim> {}

impl<S: Copy + Into<Dim>> Size for S {}

/// The sizes of a scalar, which has no dimension.
pub const SCALAR: &[Dim] = &[];

/// The sizes of a tensor's dimensions.
pub type Dims = SmallVec<[Dim; 4]>;
