//! Tensors known at compile time. They are never copied before the model is written.

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

/// Row-major little-endian elements. Types narrower than a byte take one byte per element, `i1` is 0 or 1, and
/// complex elements are two consecutive parts.
#[derive(Clone, Debug, PartialEq)]
pub enum Data {
    /// All elements are equal to this one.
    Splat(SmallVec<[u8; 16]>),
    /// All elements, contiguous.
    Bytes(Arc<[u8]>),
    /// Hexadecimal digits in the source, two per byte.
    Source(Range<usize>),
    /// Hexadecimal digits in the source of packed bits, lowest first: how MLIR packs `i1`.
    SourceBits(Range<usize>),
    /// Bytes in a file of weights or of bytecode.
    Mapped(Pieces),
    /// A view of other data.
    View(Arc<View>),
    /// The rows of several matrices side by side.
    Joined(Arc<Joined>),
}

/// Matrices with equally many rows, which are put side by side while the model is written.
#[derive(Clone, Debug, PartialEq)]
pub struct Joined {
    /// The elements of each matrix, which are not joined themselves, and the bytes of one of its rows.
    pub parts: Vec<(Data, usize)>,
}

impl Joined {
    /// Visits the pieces of some bytes, given the place of the first byte and their number: `read` gets a part, the place of
    /// its first byte, and the bytes in the whole.
    pub fn walk<E>(
        &self,
        start: usize,
        count: usize,
        mut read: impl FnMut(usize, usize, Range<usize>) -> Result<(), E>,
    ) -> Result<(), E> {
        let row: usize = self.parts.iter().map(|part| part.1).sum();
        let mut done = 0;
        while done < count && row > 0 {
            let (above, mut within) = ((start + done) / row, (start + done) % row);
            for (index, (_, width)) in self.parts.iter().enumerate() {
                if within < *width && done < count {
                    let piece = (width - within).min(count - done);
                    read(index, above * width + within, done..done + piece)?;
                    (done, within) = (done + piece, 0);
                } else {
                    within = within.saturating_sub(*width);
                }
            }
        }
        Ok(())
    }
}

/// Strided elements of other data, optionally scaled. They are reordered while the model is written.
#[derive(Clone, Debug, PartialEq)]
pub struct View {
    /// The base; neither a splat, a view nor joined.
    pub base: Data,
    /// Bytes per element.
    pub width: usize,
    /// The offset of the first element, in elements.
    pub offset: usize,
    /// The sizes, outermost first.
    pub sizes: Vec<usize>,
    /// The stride of each dimension, in elements.
    pub strides: Vec<isize>,
    /// The factors that scale the elements, if any.
    pub factors: Option<Factors>,
}

/// One factor per index along a dimension, for elements in row-major order.
#[derive(Clone, Debug, PartialEq)]
pub struct Factors {
    /// The element type, a float.
    pub element: Element,
    /// The factors.
    pub values: Arc<[f64]>,
    /// How many consecutive elements share a factor. The factors repeat cyclically.
    pub repeats: usize,
}

impl View {
    /// A view of all elements of row-major data.
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

    /// The same row-major elements in another shape, if the new shape has strides.
    fn reshaped(&self, sizes: &[usize]) -> Option<Self> {
        let (mut own, mut strides) = (0, vec![0isize; sizes.len()]);
        let mut next = 0;
        while next < sizes.len() {
            // The smallest groups of dimensions of both shapes with equal element counts.
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
        // The remaining dimensions have size 1, because the element counts are equal.
        Some(Self { sizes: sizes.to_vec(), strides, ..self.clone() })
    }

    /// Number of elements.
    pub fn count(&self) -> usize {
        self.sizes.iter().product()
    }

    /// The elements of the base from the first to the last that the view has.
    fn span(&self) -> Range<usize> {
        if self.count() == 0 {
            return self.offset..self.offset;
        }
        let (mut first, mut last) = (self.offset, self.offset);
        for (&size, &stride) in self.sizes.iter().zip(&self.strides) {
            let distance = (size - 1) * stride.unsigned_abs();
            if stride < 0 { first -= distance } else { last += distance }
        }
        first..last + 1
    }

    /// The elements of the view, given those of the base from `start` on.
    fn arranged(&self, base: &[u8], start: usize) -> Vec<u8> {
        let mut bytes = vec![0; self.count() * self.width];
        let whole: Vec<Range<usize>> = self.sizes.iter().map(|&size| 0..size).collect();
        self.walk(&whole, |from, to, step, count| {
            for index in 0..count {
                let from = (from - start + index) * self.width;
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

    /// Visits the elements of a box in the storage order of the base. `run` gets a contiguous range of the base, the
    /// target index of its first element in the box, the target stride, and the count.
    pub fn walk(&self, within: &[Range<usize>], mut run: impl FnMut(usize, usize, isize, usize)) {
        if within.iter().any(Range::is_empty) {
            return;
        }
        // Per axis: the count, and the steps in the base and in the box. Steps in the base are made positive.
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

    /// Scales the elements starting at index `first`.
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
    /// All elements as bytes: `count` elements of `width` bytes.
    ///
    /// Invalid hex digits decode to zero: the parser has already rejected such literals.
    pub fn bytes<'a>(&'a self, source: &Source, count: usize, width: usize) -> Cow<'a, [u8]> {
        match self {
            Data::Bytes(bytes) => Cow::Borrowed(bytes),
            Data::Mapped(pieces) => {
                pieces.leave();
                pieces.bytes()
            }
            Data::Splat(element) => Cow::Owned(element.repeat(count)),
            Data::View(view) => {
                let span = view.span();
                Cow::Owned(view.arranged(&view.base.part(source, span.clone(), width), span.start))
            }
            Data::Source(digits) => {
                let mut bytes = vec![0; count * width];
                // A failure leaves zeros; see above.
                let _ = const_hex::decode_to_slice(&source.bytes()[digits.clone()], &mut bytes);
                source.leave(digits.clone());
                Cow::Owned(bytes)
            }
            Data::Joined(joined) => {
                let row: usize = joined.parts.iter().map(|part| part.1).sum();
                let rows = count * width / row.max(1);
                let parts: Vec<_> = joined
                    .parts
                    .iter()
                    .map(|(data, size)| data.bytes(source, rows * size / width.max(1), width))
                    .collect();
                let mut bytes = vec![0; count * width];
                let length = bytes.len();
                let done: Result<(), ()> = joined.walk(0, length, |part, from, to| {
                    let read = parts[part].get(from..from + to.len()).ok_or(())?;
                    bytes[to].copy_from_slice(read);
                    Ok(())
                });
                debug_assert!(done.is_ok(), "a part has the rows of the whole");
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

    /// The bytes of some elements, as far as there are that many.
    fn part<'a>(&'a self, source: &Source, elements: Range<usize>, width: usize) -> Cow<'a, [u8]> {
        let positions = elements.start * width..elements.end * width;
        match self {
            Data::Bytes(bytes) => Cow::Borrowed(bytes.get(positions).unwrap_or_default()),
            Data::Mapped(pieces) if positions.end <= pieces.len() => {
                pieces.leave();
                pieces.read(positions)
            }
            Data::Source(digits) => {
                let part = digits.start + 2 * positions.start..digits.start + 2 * positions.end;
                Data::Source(part).bytes(source, elements.len(), width).into_owned().into()
            }
            other => {
                let all = other.bytes(source, elements.end, width);
                Cow::Owned(all.get(positions).unwrap_or_default().to_vec())
            }
        }
    }

    /// The splat element, if that is known without reading data.
    pub fn splat(&self) -> Option<&[u8]> {
        match self {
            Data::Splat(element) => Some(element),
            _ => None,
        }
    }
}
