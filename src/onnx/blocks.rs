//! Views of constants, which are put in order block by block.
//!
//! A block is some megabytes of the view. Its elements may be all over the base, and are read in the order in which
//! they are there, so that the pages of the file are released after they are read.

use crate::ir::{Data, View};
use crate::source::Source;
use std::io;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

/// Bytes per block. Each block walks through the whole base, so few large ones are faster; two of them must fit into
/// memory.
const BLOCK: usize = 12 << 20;
/// Blocks that are held: while one thread takes the last pieces of one, another may take the first of the next.
const HELD: usize = 2;

/// The blocks of a view that are in order.
#[derive(Default)]
pub(super) struct ViewBlocks {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    held: Vec<(usize, Arc<Vec<u8>>)>,
    /// How many bytes have been read: after the last one the blocks are freed.
    read: usize,
}

/// How a view is split into blocks, each of which is a box.
struct Partition {
    /// The dimension that is split among blocks. Earlier dimensions have one index per block, later ones are whole.
    axis: usize,
    /// Positions of the dimension in a block.
    positions: usize,
    /// Elements of a position.
    inner: usize,
    /// Elements of all positions.
    outer: usize,
}

impl Partition {
    fn new(view: &View) -> Self {
        let most = (BLOCK / view.width.max(1)).max(1);
        let mut inner = view.count();
        for (axis, &size) in view.sizes.iter().enumerate() {
            let outer = inner;
            inner /= size.max(1);
            if inner <= most {
                return Self { axis, positions: (most / inner.max(1)).min(size).max(1), inner, outer };
            }
        }
        Self { axis: 0, positions: 1, inner, outer: inner }
    }

    /// The number of the block that has an element, and the elements that it has.
    fn block(&self, element: usize) -> (usize, Range<usize>) {
        let outer = element / self.outer;
        let size = self.outer / self.inner;
        let chunk = element % self.outer / self.inner / self.positions;
        let first = outer * self.outer + chunk * self.positions * self.inner;
        let end = (first + self.positions * self.inner).min((outer + 1) * self.outer);
        (outer * size.div_ceil(self.positions) + chunk, first..end)
    }

    /// The block that begins with an element, as a box.
    fn within(&self, view: &View, elements: &Range<usize>) -> Vec<Range<usize>> {
        let mut rest = elements.start;
        let mut strides = vec![1; view.sizes.len()];
        for axis in (1..view.sizes.len()).rev() {
            strides[axis - 1] = strides[axis] * view.sizes[axis];
        }
        let mut within = Vec::with_capacity(view.sizes.len());
        for (axis, &size) in view.sizes.iter().enumerate() {
            let first = rest / strides[axis];
            rest %= strides[axis];
            within.push(match axis.cmp(&self.axis) {
                std::cmp::Ordering::Less => first..first + 1,
                std::cmp::Ordering::Equal => first..first + elements.len() / self.inner,
                std::cmp::Ordering::Greater => 0..size,
            });
        }
        within
    }
}

impl ViewBlocks {
    /// Fills `into` with bytes of a view from `start` on.
    pub(super) fn read(&self, source: &Source, view: &View, start: usize, into: &mut [u8]) -> io::Result<()> {
        if into.is_empty() {
            return Ok(());
        }
        let (cut, total) = (Partition::new(view), view.count() * view.width);
        if start + into.len() > total {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let mut done = 0;
        while done < into.len() {
            let at = start + done;
            let (number, elements) = cut.block(at / view.width);
            let first = elements.start * view.width;
            let block = self.block(source, view, &cut, number, elements)?;
            let from = at - first;
            let count = (block.len() - from).min(into.len() - done);
            into[done..done + count].copy_from_slice(&block[from..from + count]);
            done += count;
        }
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.read += into.len();
        if state.read >= total {
            *state = State::default();
        }
        Ok(())
    }

    fn block(
        &self,
        source: &Source,
        view: &View,
        cut: &Partition,
        number: usize,
        elements: Range<usize>,
    ) -> io::Result<Arc<Vec<u8>>> {
        // The others that want the block wait for it.
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, block)) = state.held.iter().find(|(held, _)| *held == number) {
            return Ok(Arc::clone(block));
        }
        if state.held.len() >= HELD {
            state.held.remove(0);
        }
        let block = Arc::new(arranged(source, view, cut, &elements)?);
        state.held.push((number, Arc::clone(&block)));
        Ok(block)
    }
}

/// The elements of a block in order.
fn arranged(source: &Source, view: &View, cut: &Partition, elements: &Range<usize>) -> io::Result<Vec<u8>> {
    let width = view.width;
    let mut bytes = vec![0; elements.len() * width];
    let (mut reader, mut failure) =
        (ViewReader { source, base: &view.base, last: 0, buffer: Vec::new() }, None);
    view.walk(&cut.within(view, elements), |from, to, step, count| {
        if failure.is_some() {
            return;
        }
        match reader.read(from * width..(from + count) * width) {
            Ok(read) => scatter(read, &mut bytes, to, step, width),
            Err(error) => failure = Some(error),
        }
    });
    reader.finish();
    match failure {
        Some(error) => Err(error),
        None => {
            view.multiply(elements.start, &mut bytes);
            Ok(bytes)
        }
    }
}

/// Puts elements of some bytes at steps into others.
fn scatter(read: &[u8], into: &mut [u8], to: usize, step: isize, width: usize) {
    /// With a number of bytes that the compiler knows, each element is one move.
    fn move_each<const WIDTH: usize>(read: &[u8], into: &mut [u8], to: usize, step: isize) {
        let mut at = to as isize;
        for element in read.chunks_exact(WIDTH) {
            let first = at as usize * WIDTH;
            into[first..first + WIDTH].copy_from_slice(element);
            at += step;
        }
    }
    match width {
        1 => move_each::<1>(read, into, to, step),
        2 => move_each::<2>(read, into, to, step),
        4 => move_each::<4>(read, into, to, step),
        8 => move_each::<8>(read, into, to, step),
        _ => move_each::<16>(read, into, to, step),
    }
}

/// Reads the base of a view forward.
struct ViewReader<'a> {
    source: &'a Source,
    base: &'a Data,
    last: usize,
    buffer: Vec<u8>,
}

impl ViewReader<'_> {
    fn read(&mut self, range: Range<usize>) -> io::Result<&[u8]> {
        let end = || io::Error::from(io::ErrorKind::UnexpectedEof);
        let passed = std::mem::replace(&mut self.last, range.end)..range.end;
        match self.base {
            Data::Bytes(bytes) => return bytes.get(range).ok_or_else(end),
            Data::Mapped(pieces) => {
                if range.end > pieces.len() {
                    return Err(end());
                }
                self.buffer.clear();
                self.buffer.extend_from_slice(&pieces.read(range));
                if passed.start < passed.end {
                    pieces.release(passed);
                }
            }
            Data::Source(digits) => {
                let place = |position: usize| digits.start + 2 * position;
                let read = self.source.bytes().get(place(range.start)..place(range.end)).ok_or_else(end)?;
                self.buffer.resize(range.len(), 0);
                const_hex::decode_to_slice(read, &mut self.buffer).map_err(|_| {
                    io::Error::new(io::ErrorKind::InvalidData, "a literal has an invalid hex digit")
                })?;
                if passed.start < passed.end {
                    self.source.release(place(passed.start)..place(passed.end));
                }
            }
            Data::SourceBits(digits) => {
                self.buffer.resize(range.len(), 0);
                let digits = self.source.bytes().get(digits.clone()).ok_or_else(end)?;
                for (bit, slot) in range.zip(&mut self.buffer) {
                    let mut byte = [0];
                    let at = bit / 8 * 2;
                    let pair = digits.get(at..at + 2).ok_or_else(end)?;
                    const_hex::decode_to_slice(pair, &mut byte).map_err(|_| io::ErrorKind::InvalidData)?;
                    *slot = byte[0] >> (bit % 8) & 1;
                }
            }
            Data::Splat(_) | Data::View(_) | Data::Joined(_) => return Err(io::ErrorKind::Unsupported.into()),
        }
        Ok(&self.buffer)
    }

    /// Releases the remaining pages.
    fn finish(&self) {
        match self.base {
            Data::Mapped(pieces) => pieces.forget(),
            Data::Source(digits) => self.source.forget(digits.clone()),
            _ => {}
        }
    }
}
