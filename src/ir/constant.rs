//! Constants: tensors known at compile time, which are never copied before the model is written.

use super::{Element, TypeId};
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

/// Elements in row-major order and little-endian bytes; a type narrower than a byte takes one byte an element, `i1` as
/// 0 or 1, and complex elements are two consecutive parts.
#[derive(Clone, Debug, PartialEq)]
pub enum Data {
    /// All elements are the one given.
    Splat(SmallVec<[u8; 16]>),
    /// All elements, contiguous.
    Bytes(Arc<[u8]>),
    /// Hexadecimal digits in the source, two for each byte.
    Source(Range<usize>),
    /// Hexadecimal digits in the source of contiguous bits, lowest first: how MLIR packs `i1`.
    SourceBits(Range<usize>),
    /// Bytes of a file of weights.
    Mapped(Pieces),
    /// The elements of other data, in another order.
    View(Arc<View>),
}

/// The elements of other data in another order, and a factor for each of them. They are put in order while the model is
/// written.
#[derive(Clone, Debug, PartialEq)]
pub struct View {
    /// What is read: no splat, and no view.
    pub base: Data,
    /// Bytes of an element.
    pub width: usize,
    /// Where the first element is, counted in elements.
    pub offset: usize,
    /// The sizes, outermost first.
    pub sizes: Vec<usize>,
    /// The distance to the next element along each dimension, counted in elements.
    pub strides: Vec<isize>,
    /// What the elements are multiplied by, if anything.
    pub factors: Option<Factors>,
}

/// A factor for each position along a dimension, of elements in row-major order.
#[derive(Clone, Debug, PartialEq)]
pub struct Factors {
    /// The type of the elements, which are floats.
    pub element: Element,
    /// The factors.
    pub values: Arc<[f64]>,
    /// How many consecutive elements have the same one; after the last factor the first comes again.
    pub repeats: usize,
}

impl View {
    /// All elements of other data in row-major order.
    pub fn of(base: Data, width: usize, sizes: &[usize]) -> Self {
        if let Data::View(view) = &base
            && let Some(view) = view.reshaped(sizes)
        {
            return view;
        }
        let mut strides = vec![1; sizes.len()];
        for axis in (1..sizes.len()).rev() {
            strides[axis - 1] = strides[axis] * sizes[axis] as isize;
        }
        Self { base, width, offset: 0, sizes: sizes.to_vec(), strides, factors: None }
    }

    /// The same elements in row-major order in other sizes, where each of these has a stride.
    fn reshaped(&self, sizes: &[usize]) -> Option<Self> {
        let (mut own, mut strides) = (0, vec![0isize; sizes.len()]);
        let mut next = 0;
        while next < sizes.len() {
            // The fewest dimensions of either that have as many elements as those of the other.
            let (first, begin) = (next, own);
            let (mut count, mut others) = (sizes[next], *self.sizes.get(own).unwrap_or(&1));
            (next, own) = (next + 1, own + 1);
            while count != others {
                if count < others {
                    count *= sizes.get(next)?;
                    next += 1;
                } else {
                    others *= self.sizes.get(own)?;
                    own += 1;
                }
            }
            let joined: Vec<usize> =
                (begin..own.min(self.sizes.len())).filter(|&axis| self.sizes[axis] != 1).collect();
            let adjacent = |pair: &[usize]| {
                self.strides[pair[0]] == self.strides[pair[1]] * self.sizes[pair[1]] as isize
            };
            if !joined.windows(2).all(adjacent) {
                return None;
            }
            let mut stride = joined.last().map_or(0, |&axis| self.strides[axis]);
            for axis in (first..next).rev() {
                strides[axis] = stride;
                stride *= sizes[axis] as isize;
            }
        }
        // What is left has one element in each dimension, as both have as many elements.
        Some(Self { sizes: sizes.to_vec(), strides, ..self.clone() })
    }

    /// Number of elements.
    pub fn count(&self) -> usize {
        self.sizes.iter().product()
    }

    /// The elements in their order, from those of the base.
    fn arranged(&self, base: &[u8]) -> Vec<u8> {
        let mut bytes = vec![0; self.count() * self.width];
        let whole: Vec<Range<usize>> = self.sizes.iter().map(|&size| 0..size).collect();
        self.walk(&whole, |from, to, step, count| {
            for index in 0..count {
                let from = (from + index) * self.width;
                let to = (to as isize + step * index as isize) as usize * self.width;
                let (Some(read), Some(slot)) =
                    (base.get(from..from + self.width), bytes.get_mut(to..to + self.width))
                else {
                    return;
                };
                slot.copy_from_slice(read);
            }
        });
        self.multiply(0, &mut bytes);
        bytes
    }

    /// Walks over the elements of a box in the order in which they are stored in the base. `run` takes where some are
    /// one after the other in the base, where the first goes in the box, how far apart they go there, and how many they
    /// are.
    pub fn walk(&self, within: &[Range<usize>], mut run: impl FnMut(usize, usize, isize, usize)) {
        if within.iter().any(Range::is_empty) {
            return;
        }
        // By axis: the number of positions, and the steps in the base and in the box; steps in the base are made
        // positive.
        let (mut from, mut to, mut inner) = (self.offset as isize, 0isize, 1isize);
        let mut axes: Vec<(usize, isize, isize)> = Vec::with_capacity(within.len());
        for (range, &stride) in within.iter().zip(&self.strides).rev() {
            let count = range.len();
            from += range.start as isize * stride;
            if count > 1 {
                let last = count as isize - 1;
                if stride < 0 {
                    from += stride * last;
                    to += inner * last;
                    axes.push((count, -stride, -inner));
                } else {
                    axes.push((count, stride, inner));
                }
            }
            inner *= count as isize;
        }
        axes.sort_by_key(|&(_, stride, _)| std::cmp::Reverse(stride));
        let (count, step) = match axes.last() {
            Some(&(count, 1, step)) => {
                axes.pop();
                (count, step)
            }
            _ => (1, 0),
        };
        let mut at = vec![0usize; axes.len()];
        loop {
            run(from as usize, to as usize, step, count);
            let mut axis = axes.len();
            loop {
                let Some(next) = axis.checked_sub(1) else { return };
                axis = next;
                let (count, stride, step) = axes[axis];
                at[axis] += 1;
                (from, to) = (from + stride, to + step);
                if at[axis] < count {
                    break;
                }
                at[axis] = 0;
                (from, to) = (from - stride * count as isize, to - step * count as isize);
            }
        }
    }

    /// Multiplies the elements from number `first` on.
    pub fn multiply(&self, first: usize, bytes: &mut [u8]) {
        let Some(Factors { element, values, repeats }) = &self.factors else { return };
        for (index, slot) in (first..).zip(bytes.chunks_exact_mut(self.width)) {
            let factor = values[index / repeats % values.len()];
            match element {
                Element::F32 => {
                    let number = f32::from_le_bytes([slot[0], slot[1], slot[2], slot[3]]);
                    slot.copy_from_slice(&((f64::from(number) * factor) as f32).to_le_bytes());
                }
                Element::F16 => {
                    let number = half::f16::from_le_bytes([slot[0], slot[1]]).to_f64();
                    slot.copy_from_slice(&half::f16::from_f64(number * factor).to_le_bytes());
                }
                Element::BF16 => {
                    let number = half::bf16::from_le_bytes([slot[0], slot[1]]).to_f64();
                    slot.copy_from_slice(&half::bf16::from_f64(number * factor).to_le_bytes());
                }
                _ => {}
            }
        }
    }
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
            Data::View(view) => Cow::Owned(view.arranged(&view.base.bytes(source, count, width))),
            Data::Source(digits) => {
                let mut bytes = vec![0; count * width];
                // A failure leaves zeros; see above.
                let _ = const_hex::decode_to_slice(&source.bytes()[digits.clone()], &mut bytes);
                source.leave(digits.clone());
                Cow::Owned(bytes)
            }
            Data::SourceBits(digits) => {
                let mut packed = vec![0; count.div_ceil(8)];
                let _ = const_hex::decode_to_slice(&source.bytes()[digits.clone()], &mut packed);
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
