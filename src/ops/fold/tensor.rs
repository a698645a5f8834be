//! Tensors under evaluation.

use super::{READ, number::wrap};
use crate::ir::{ConstantId, Data, Element, Module, TensorType};
use crate::source::Source;
use ndarray::{ArcArray, ArrayD, ArrayViewD, Axis, IxDyn, Slice};
use smallvec::SmallVec;
use std::sync::Arc;

/// A tensor of known elements.
///
/// Elements are stored as bits: signed integers sign-extended, all others zero-extended. So moves are independent of
/// the type, and NaN payloads survive.
#[derive(Clone, Debug, PartialEq)]
pub struct Tensor {
    /// Type of the elements.
    pub element: Element,
    /// Sizes, outermost first.
    pub sizes: Vec<usize>,
    /// The elements in the shape of `sizes`; a splat has shape `[]` whatever its sizes.
    pub bits: ArcArray<i64, IxDyn>,
}

/// The sizes of a type; `None` if one is unknown.
///
/// `ndarray` requires that the product of sizes fits an `isize`, even if another size is 0.
pub(super) fn sizes(ty: &TensorType) -> Option<Vec<usize>> {
    let sizes: Option<Vec<usize>> = ty.dims.iter().map(|dim| usize::try_from(dim.known()?).ok()).collect();
    let product = |sizes: &Vec<usize>| {
        sizes
            .iter()
            .try_fold(1isize, |product, &size| product.checked_mul(isize::try_from(size.max(1)).ok()?))
    };
    sizes.filter(|sizes| product(sizes).is_some())
}

/// The bits of an element from its bytes, lowest first.
fn decode(element: Element, bytes: &[u8]) -> i64 {
    let mut wide = [0; 8];
    wide[..bytes.len()].copy_from_slice(bytes);
    wrap(element, i64::from_le_bytes(wide))
}

impl Tensor {
    /// A splat.
    pub fn splat(element: Element, sizes: Vec<usize>, bits: i64) -> Self {
        Self { element, sizes, bits: ArcArray::from_elem(IxDyn(&[]), wrap(element, bits)) }
    }

    /// A tensor of these elements in row-major order; `None` if the count differs.
    pub fn from_elements(element: Element, sizes: Vec<usize>, bits: Vec<i64>) -> Option<Self> {
        let bits = ArcArray::from_shape_vec(IxDyn(&sizes), bits).ok()?;
        Some(Self { element, sizes, bits })
    }

    /// Takes an array in the order that its axes have now.
    pub fn from_array(element: Element, bits: ArrayD<i64>) -> Self {
        Self { element, sizes: bits.shape().to_vec(), bits: bits.into_shared() }
    }

    /// Whether it is kept as one element.
    pub fn is_splat(&self) -> bool {
        self.bits.ndim() == 0
    }

    /// The elements in the shape of its sizes; a splat is spread without being copied.
    pub fn view(&self) -> Option<ArrayViewD<'_, i64>> {
        self.bits.broadcast(IxDyn(&self.sizes))
    }

    /// The elements broadcast to other sizes.
    pub(super) fn broadcast(&self, sizes: &[usize]) -> Option<ArrayViewD<'_, i64>> {
        self.bits.broadcast(IxDyn(sizes))
    }

    /// The one element of a scalar or splat.
    pub fn scalar(&self) -> Option<i64> {
        if self.bits.len() == 1 { self.bits.first().copied() } else { None }
    }

    /// The elements of a constant; `None` if it is large, or of a type without defined bits.
    pub fn read(module: &Module, source: &Source, constant: ConstantId) -> Option<Self> {
        let constant = module.constant(constant);
        let ty = module.tensor_type(constant.ty)?;
        let (element, sizes) = (ty.element, sizes(ty)?);
        let width = element.bytes();
        if !(1..=8).contains(&width) || ty.encoding.is_some() {
            return None;
        }
        if let Some(bytes) = constant.data.splat() {
            return (bytes.len() == width).then(|| Self::splat(element, sizes, decode(element, bytes)));
        }
        let count = usize::try_from(ty.count()?).ok().filter(|&count| count <= READ)?;
        let bytes = constant.data.bytes(source, count, width);
        Self::from_bytes(element, sizes, &bytes)
    }

    /// Reinterprets the elements in another type, possibly of another width.
    pub(super) fn shared(&self, ty: &TensorType) -> Option<Self> {
        let (element, sizes) = (ty.element, sizes(ty)?);
        let same_bytes = self.element == element
            || (self.element.bits().is_multiple_of(8) && element.bits().is_multiple_of(8));
        if !same_bytes || !(1..=8).contains(&element.bytes()) {
            return None;
        }
        if self.is_splat() {
            let bits = self.scalar().filter(|_| self.element.bytes() == element.bytes())?;
            return Some(Self::splat(element, sizes, bits));
        }
        if self.element == element {
            return Self::from_elements(element, sizes, self.bits.iter().copied().collect());
        }
        let Data::Bytes(bytes) = self.data() else { return None };
        Self::from_bytes(element, sizes, &bytes)
    }

    fn from_bytes(element: Element, sizes: Vec<usize>, bytes: &[u8]) -> Option<Self> {
        let width = element.bytes();
        Self::from_elements(
            element,
            sizes,
            bytes.chunks_exact(width).map(|one| decode(element, one)).collect(),
        )
    }

    /// The same with one element where all along a dimension are equal; the sizes stay, and those of the array are
    /// the ones to broadcast from.
    pub(super) fn narrowed(&self) -> Self {
        let mut bits = self.bits.view();
        for axis in (0..bits.ndim()).map(Axis) {
            let repeats = bits.len_of(axis) > 1 && {
                let first = bits.index_axis(axis, 0);
                bits.axis_iter(axis).skip(1).all(|other| other == first)
            };
            if repeats {
                bits.slice_axis_inplace(axis, Slice::from(..1));
            }
        }
        if let (1, Some(&one)) = (bits.len(), bits.first()) {
            return Self::splat(self.element, self.sizes.clone(), one);
        }
        Self { element: self.element, sizes: self.sizes.clone(), bits: bits.to_owned().into_shared() }
    }

    /// The elements as a constant's data.
    pub fn data(&self) -> Data {
        let width = self.element.bytes();
        let bytes = |&bits: &i64| bits.to_le_bytes().into_iter().take(width);
        if self.is_splat() {
            return Data::Splat(self.bits.iter().flat_map(bytes).collect::<SmallVec<[u8; 16]>>());
        }
        // The iteration is in row-major order whatever the strides.
        Data::Bytes(Arc::from(self.bits.iter().flat_map(bytes).collect::<Vec<u8>>()))
    }
}
