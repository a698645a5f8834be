//! Constants: tensors known at compile time, which are never copied before the model is written.

use super::TypeId;
use crate::source::{Pieces, Source};
use smallvec::SmallVec;
use std::borrow::Cow;
use std::ops::Range;
use std::sync::Arc;

/// Handle of a [`Constant`] in its module.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ConstantId(pub(super) u32);

/// A tensor of known elements.
#[derive(Clone, Debug, PartialEq)]
pub struct Constant {
    /// A tensor type whose sizes are all known.
    pub ty: TypeId,
    /// The elements.
    pub data: Data,
}

/// Elements in row-major order and little-endian bytes; a type narrower than a byte takes one byte an element,
/// `i1` as 0 or 1, and complex elements are two parts in a row.
#[derive(Clone, Debug, PartialEq)]
pub enum Data {
    /// All elements are the one given.
    Splat(SmallVec<[u8; 16]>),
    /// All elements in a row.
    Bytes(Arc<[u8]>),
    /// Hexadecimal digits in the source, two for each byte.
    Source(Range<usize>),
    /// Hexadecimal digits in the source of bits in a row, lowest first: how MLIR packs `i1`.
    SourceBits(Range<usize>),
    /// Bytes of a file of weights.
    Mapped(Pieces),
}

impl Data {
    /// All elements as bytes; `count` elements of `width` bytes are expected.
    ///
    /// Digits that are none decode as zero: the parser has refused such a literal before.
    pub fn bytes<'a>(&'a self, source: &Source, count: usize, width: usize) -> Cow<'a, [u8]> {
        match self {
            Data::Bytes(bytes) => Cow::Borrowed(bytes),
            Data::Mapped(pieces) => {
                pieces.leave();
                pieces.bytes()
            }
            Data::Splat(element) => Cow::Owned(element.repeat(count)),
            Data::Source(digits) => {
                let mut bytes = vec![0; count * width];
                // A failure leaves zeros; see above.
                let _ = faster_hex::hex_decode(&source.bytes()[digits.clone()], &mut bytes);
                source.leave(digits.clone());
                Cow::Owned(bytes)
            }
            Data::SourceBits(digits) => {
                let mut packed = vec![0; count.div_ceil(8)];
                let _ = faster_hex::hex_decode(&source.bytes()[digits.clone()], &mut packed);
                source.leave(digits.clone());
                Cow::Owned((0..count).map(|index| packed[index / 8] >> (index % 8) & 1).collect())
            }
        }
    }

    /// The one element that all are, where that is known without reading them.
    pub fn splat(&self) -> Option<&[u8]> {
        match self {
            Data::Splat(element) => Some(element),
            _ => None,
        }
    }
}
