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
    /// An expression in [`DimExprs`](super::DimExprs), whose value is known at run time.
    Symbolic(DimExprId),
    /// `?`: unknown.
    Dynamic,
}

impl From<i64> for Dim {
    fn from(size: i64) -> Self {
        Dim::Known(size)
    }
}

impl Dim {
    /// The number, if the size is static.
    pub fn known(self) -> Option<i64> {
        match self {
            Dim::Known(size) => Some(size),
            Dim::Symbolic(_) | Dim::Dynamic => None,
        }
    }
}

/// Implemented for both numbers and [`Dim`], so that code can take either.
pub trait Size: Copy + Into<Dim> {}

impl<S: Copy + Into<Dim>> Size for S {}

/// The empty shape of a scalar.
pub const SCALAR: &[Dim] = &[];

/// The sizes of a tensor's dimensions.
pub type Dims = SmallVec<[Dim; 4]>;

/// The dimension that an axis of ONNX or StableHLO names: a negative one counts from the last. `None` if there is none.
pub fn axis_index(axis: i64, rank: usize) -> Option<usize> {
    let axis = if axis < 0 { axis.checked_add(i64::try_from(rank).ok()?)? } else { axis };
    usize::try_from(axis).ok().filter(|&axis| axis < rank)
}

/// Whether the constant shape of an ONNX Reshape can state these dimensions: it infers one symbolic size, and copies a size
/// for 0.
pub fn is_reshape_target(dims: &[Dim]) -> bool {
    dims.iter().filter(|dim| dim.known().is_none()).count() <= 1 && !dims.contains(&Dim::Known(0))
}
