//! Files as memory: mapped, or held in memory if there is no file.

use smallvec::SmallVec;
use std::borrow::Cow;
use std::fmt;
use std::fs::File;
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

/// The bytes of a file, mapped, or bytes in memory.
pub struct Mapping {
    bytes: Bytes,
    path: Option<PathBuf>,
    /// The range passed to [`leave`](Self::leave) and not released yet.
    left: Mutex<Range<usize>>,
}

enum Bytes {
    Owned(Vec<u8>),
    Shared(Arc<dyn AsRef<[u8]> + Send + Sync>),
    Mapped(memmap2::Mmap),
}

impl Mapping {
    /// Maps the file at `path`.
    ///
    /// # Errors
    /// When the file cannot be opened or mapped.
    pub fn open(path: &Path) -> io::Result<Self> {
        Ok(Self { path: Some(path.to_owned()), ..Self::of(&File::open(path)?)? })
    }

    /// Maps an open file.
    ///
    /// # Errors
    /// When it cannot be mapped.
    pub fn of(file: &File) -> io::Result<Self> {
        // SAFETY: the map is private and read-only; if another process changes the file while we read it, its
        // bytes can be wrong, but every reader accepts any bytes.
        #[allow(unsafe_code)]
        let map = unsafe { memmap2::Mmap::map(file)? };
        Ok(Self { bytes: Bytes::Mapped(map), path: None, left: Mutex::default() })
    }

    /// Takes bytes that are already in memory.
    pub fn from_bytes(bytes: Vec<u8>) -> Self {
        Self { bytes: Bytes::Owned(bytes), path: None, left: Mutex::default() }
    }

    /// Takes bytes with another owner, such as the buffer of an array; they are not copied.
    pub fn from_shared(bytes: Arc<dyn AsRef<[u8]> + Send + Sync>) -> Self {
        Self { bytes: Bytes::Shared(bytes), path: None, left: Mutex::default() }
    }

    /// The path that the file was opened with; `None` for bytes in memory and files that were already open.
    pub fn path(&self) -> Option<&Path> {
        self.path.as_deref()
    }

    /// All bytes.
    pub fn bytes(&self) -> &[u8] {
        match &self.bytes {
            Bytes::Owned(bytes) => bytes,
            Bytes::Shared(bytes) => (**bytes).as_ref(),
            Bytes::Mapped(map) => map,
        }
    }

    /// Marks bytes as read by a forward reader, so that the pages of a mapped file can be released. They are not
    /// released at once; [`forget`](Self::forget) releases the rest at the end.
    pub fn release(&self, range: Range<usize>) {
        if let Bytes::Mapped(map) = &self.bytes
            && let Some(passed) = passed(&range)
        {
            release_pages(map, passed);
        }
    }

    /// Marks bytes as read by a random-access reader. It reads few bytes, but for each the system may have mapped a
    /// huge page. The pages are released once the reader has moved far enough.
    pub fn leave(&self, range: Range<usize>) {
        const STRIDE: usize = 8 << 20;

        // A range cannot be left half changed.
        let mut left = self.left.lock().unwrap_or_else(PoisonError::into_inner);
        let all = left.start.min(range.start)..left.end.max(range.end);
        if all.len() > STRIDE {
            self.forget(all);
            *left = range;
        } else {
            *left = all;
        }
    }

    /// Releases the pages of a range at once, and those next to it: for one byte the system may have mapped a huge
    /// page.
    pub fn forget(&self, range: Range<usize>) {
        const HUGE_PAGE: usize = 2 << 20;

        if let Bytes::Mapped(map) = &self.bytes {
            let end = range.end.saturating_add(HUGE_PAGE).min(map.len());
            release_pages(map, range.start.saturating_sub(HUGE_PAGE)..end);
        }
    }
}

impl fmt::Debug for Mapping {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Mapping({} bytes)", self.bytes().len())
    }
}

/// What can be given back when a range has been read.
///
/// Empty until the range leaves a window: each call interrupts other threads, and releasing every piece by itself
/// took a third of a conversion. Then it is some windows before the current one, which another thread may still read;
/// even earlier windows may have been read again by a slow thread.
fn passed(range: &Range<usize>) -> Option<Range<usize>> {
    const WINDOW: usize = 8 << 20;
    const LATE: usize = 16;

    let (left, entered) = (range.start / WINDOW, range.end / WINDOW);
    (left < entered).then(|| left.saturating_sub(LATE) * WINDOW..(entered - 1) * WINDOW)
}

/// Lets the system drop the pages of a range; the next reading maps them again.
#[cfg(target_os = "linux")]
fn release_pages(map: &memmap2::Mmap, range: Range<usize>) {
    // SAFETY: the mapping is of a file, private and never written through, so that dropped pages come back with the
    // same contents. Failing only costs memory.
    #[allow(unsafe_code)]
    let _ =
        unsafe { map.unchecked_advise_range(memmap2::UncheckedAdvice::DontNeed, range.start, range.len()) };
}

#[cfg(not(target_os = "linux"))]
fn release_pages(_: &memmap2::Mmap, _: Range<usize>) {}

/// Some bytes of a mapping: ranges that are read one after the other. Nearly always there is one; a format that
/// bounds the length of its items cuts a large tensor into several.
#[derive(Clone, Debug)]
pub struct Pieces {
    mapping: Arc<Mapping>,
    ranges: SmallVec<[Range<usize>; 1]>,
}

impl Pieces {
    /// `None` when a range is outside the mapping.
    pub fn new(mapping: &Arc<Mapping>, ranges: impl IntoIterator<Item = Range<usize>>) -> Option<Self> {
        let ranges: SmallVec<[Range<usize>; 1]> = ranges.into_iter().collect();
        let all = mapping.bytes();
        let inside = ranges.iter().all(|range| all.get(range.clone()).is_some());
        inside.then(|| Self { mapping: Arc::clone(mapping), ranges })
    }

    /// Number of bytes.
    pub fn len(&self) -> usize {
        self.ranges.iter().map(Range::len).sum()
    }

    /// Whether it is empty.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The file that the bytes are in, in one piece, and the offset of the first.
    pub fn place(&self) -> Option<(&Path, u64)> {
        let [range] = self.ranges.as_slice() else { return None };
        Some((self.mapping.path()?, range.start as u64))
    }

    /// All bytes.
    pub fn bytes(&self) -> Cow<'_, [u8]> {
        self.read(0..self.len())
    }

    /// The bytes at these positions, which must be within `len`; only copies bytes that span several ranges.
    pub fn read(&self, positions: Range<usize>) -> Cow<'_, [u8]> {
        let all = self.mapping.bytes();
        let mut parts = self.parts(positions);
        let first = parts.next().map_or(&all[..0], |range| &all[range]);
        let Some(second) = parts.next() else { return Cow::Borrowed(first) };
        let mut copy = [first, &all[second]].concat();
        parts.for_each(|range| copy.extend_from_slice(&all[range]));
        Cow::Owned(copy)
    }

    /// Marks the bytes at these positions as read by a forward reader; see [`Mapping::release`].
    pub fn release(&self, positions: Range<usize>) {
        self.parts(positions).for_each(|range| self.mapping.release(range));
    }

    /// Marks bytes as read by a random-access reader; see [`Mapping::leave`].
    pub fn leave(&self) {
        self.ranges.iter().for_each(|range| self.mapping.leave(range.clone()));
    }

    /// Releases the pages at once; see [`Mapping::forget`].
    pub fn forget(&self) {
        self.ranges.iter().for_each(|range| self.mapping.forget(range.clone()));
    }

    /// The parts of the mapping at these positions.
    fn parts(&self, positions: Range<usize>) -> impl Iterator<Item = Range<usize>> {
        let mut before = 0;
        self.ranges.iter().filter_map(move |range| {
            let at = |position: usize| range.start + position.saturating_sub(before).min(range.len());
            let part = at(positions.start)..at(positions.end);
            before += range.len();
            (!part.is_empty()).then_some(part)
        })
    }
}

/// The same bytes of the same mapping; equal bytes elsewhere are not compared.
impl PartialEq for Pieces {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.mapping, &other.mapping) && self.ranges == other.ranges
    }
}

#[cfg(test)]
mod tests {
    use super::{Mapping, Pieces};
    use std::sync::Arc;

    #[test]
    fn pieces_are_read_in_order() {
        let mapping = Arc::new(Mapping::from_bytes((0..10).collect()));
        let pieces = Pieces::new(&mapping, [2..5, 5..5, 8..10]);
        let read = |positions| pieces.as_ref().map(|pieces| pieces.read(positions).into_owned());
        assert_eq!(read(0..5), Some(vec![2, 3, 4, 8, 9]));
        assert_eq!(read(1..3), Some(vec![3, 4]));
        assert_eq!(read(2..4), Some(vec![4, 8]));
        assert_eq!(read(3..5), Some(vec![8, 9]));
        assert_eq!(read(4..4), Some(vec![]));
        assert_eq!(pieces.map(|pieces| pieces.len()), Some(5));
    }

    #[test]
    fn pieces_outside_the_mapping_are_refused() {
        let mapping = Arc::new(Mapping::from_bytes(vec![0; 4]));
        assert!(Pieces::new(&mapping, [0..1, 3..4]).is_some());
        assert!(Pieces::new(&mapping, [0..1, 3..5]).is_none());
        #[allow(clippy::reversed_empty_ranges, reason = "the case")]
        let reversed = 3..2;
        assert!(Pieces::new(&mapping, [reversed]).is_none());
    }
}
