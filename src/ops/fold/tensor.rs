//! Tensors under evaluation.

use super::{READ, number::wrap};
use crate::ir::{ConstantId, Data, Element, Module, TensorType};
use crate::source::Source;
use ndarray::{ArrayD, ArrayViewD, IxDyn};
use smallvec::SmallVec;
use std::sync::Arc;

/// A tensor of known elements.
///
/// An element is kept as its bits: signed integers with their sign extended, all else with zeros above. So what only
/// moves elements needs to know nothing of their type, and no float loses the bits of its NaN.
#[derive(Clone, Debug, PartialEq)]
pub struct Tensor {
    /// Type of the elements.
    pub element: Element,
    /// Sizes, outermost first.
    pub sizes: Vec<usize>,
    /// The elements in the shape of `sizes`; a splat has shape `[]` whatever its sizes.
    pub bits: ArrayD<i64>,
}

/// The sizes of a type; `None` when one is unknown or none at all.
///
/// An array is not made of sizes whose product does not fit an `isize`, even where another one is 0.
pub(super) fn sizes(ty: &TensorType) -> Option<Vec<usize>> {
    let sizes: Option<Vec<usize>> = ty.dims.iter().map(|dim| usize::try_from(dim.known()?).ok()).collect();
    let product = |sizes: &Vec<usize>| {
        sizes
            .iter()
            .try_fold(1isize, |product, &size| product.checked_mul(isize::try_from(size.max(1)).ok()?))
    };
    sizes.filter(|sizes| product(sizes).is_some())
}

impl Tensor {
    /// A tensor whose elements are all the one given.
    pub fn splat(element: Element, sizes: Vec<usize>, bits: i64) -> Self {
        Self { element, sizes, bits: ArrayD::from_elem(IxDyn(&[]), wrap(element, bits)) }
    }

    /// A tensor of these elements in row-major order; `None` when they are not as many as the sizes say.
    pub fn from_elements(element: Element, sizes: Vec<usize>, bits: Vec<i64>) -> Option<Self> {
        let bits = ArrayD::from_shape_vec(IxDyn(&sizes), bits).ok()?;
        Some(Self { element, sizes, bits })
    }

    /// Takes an array in the order that its axes have now.
    pub fn from_array(element: Element, bits: ArrayD<i64>) -> Self {
        Self { element, sizes: bits.shape().to_vec(), bits }
    }

    /// Whether it is kept as one element.
    pub fn is_splat(&self) -> bool {
        self.bits.ndim() == 0
    }

    /// The elements in the shape of its sizes; a splat is spread without being copied.
    pub fn view(&self) -> Option<ArrayViewD<'_, i64>> {
        self.bits.broadcast(IxDyn(&self.sizes))
    }

    /// The one element of a scalar or splat.
    pub fn scalar(&self) -> Option<i64> {
        if self.bits.len() == 1 { self.bits.first().copied() } else { None }
    }

    /// The elements of a constant; `None` for one that is large, or of a type that has no bits of its own.
    pub fn read(module: &Module, source: &Source, constant: ConstantId) -> Option<Self> {
        let constant = module.constant(constant);
        let ty = module.tensor_type(constant.ty)?;
        let (element, sizes) = (ty.element, sizes(ty)?);
        let width = element.bytes();
        if !(1..=8).contains(&width) || ty.encoding.is_some() {
            return None;
        }
        let decode = |bytes: &[u8]| {
            let mut wide = [0; 8];
            wide[..width].copy_from_slice(&bytes[..width]);
            wrap(element, i64::from_le_bytes(wide))
        };
        if let Some(bytes) = constant.data.splat() {
            return (bytes.len() == width).then(|| Self::splat(element, sizes, decode(bytes)));
        }
        let count = usize::try_from(ty.count()?).ok().filter(|&count| count <= READ)?;
        let bytes = constant.data.bytes(source, count, width);
        Self::from_elements(element, sizes, bytes.chunks_exact(width).map(decode).collect())
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
