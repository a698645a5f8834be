//! NumPy's npz: a zip archive with an npy file for each array.
//!
//! A stored member is a range of the archive. Deflated members are copied into memory, and so are arrays in Fortran
//! order or with big-endian numbers, which are reordered.

use super::{Error, Tensor, byte_count, dtype, foreign};
use crate::ir::Element;
use crate::source::{Limit, Mapping, Pieces, TooLarge};
use ndarray::{ArrayView, Axis, IxDyn, ShapeBuilder};
use std::io::{Cursor, Read};
use std::iter;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use zip::{CompressionMethod, ZipArchive};

/// The tensors of an archive.
pub fn tensors(mapping: &Arc<Mapping>, limit: Limit) -> Result<Vec<Tensor>, Error> {
    let unreadable =
        |error: zip::result::ZipError| Error::malformed(format!("its zip archive is invalid: {error}"));
    let mut archive = ZipArchive::new(Cursor::new(mapping.bytes())).map_err(unreadable)?;
    let (mut tensors, mut stored, mut inflated) = (Vec::new(), Vec::new(), 0u64);
    for index in 0..archive.len() {
        let member = archive.by_index_raw(index).map_err(unreadable)?;
        let file = member.name().map_err(unreadable)?.into_owned();
        let name = file.strip_suffix(".npy").ok_or_else(|| Error::malformed(foreign::member(&file)))?;
        let (method, size, checksum) = (member.compression(), member.size(), member.crc32());
        let place = (!member.encrypted()).then(|| range(member.data_start()?, member.compressed_size()));
        drop(member);
        let (mapping, content) = match (method, place.flatten()) {
            (CompressionMethod::Stored, Some(range)) => {
                stored.push((name.to_owned(), range.clone(), checksum));
                (Arc::clone(mapping), range)
            }
            (CompressionMethod::Deflated, Some(_)) => {
                inflated = inflated.saturating_add(size);
                if inflated > limit.of_streams() {
                    return Err(Error::Io(TooLarge { limit: limit.of_streams() }.into()));
                }
                let member = archive.by_index(index).map_err(unreadable)?;
                let mut bytes = Vec::new();
                // Reading one byte more than declared detects a wrong size.
                let read = member.take(size.saturating_add(1)).read_to_end(&mut bytes);
                if read.map_err(|error| Error::malformed(format!("`{name}`: {error}")))? as u64 != size {
                    return Err(Error::malformed(format!(
                        "`{name}` does not have the size that the archive states"
                    )));
                }
                let content = 0..bytes.len();
                (Arc::new(Mapping::from_bytes(bytes)), content)
            }
            _ => {
                return Err(Error::malformed(format!(
                    "`{name}` is encrypted or compressed by an unsupported method"
                )));
            }
        };
        tensors.push(tensor(name, &mapping, content)?);
    }
    verify(mapping, &stored)?;
    Ok(tensors)
}

/// Verifies the checksums of stored members, which are given by name, range and checksum.
///
/// The elements are read again when the model is written, so this only reads ahead. It uses as many threads as help.
fn verify(mapping: &Mapping, stored: &[(String, Range<usize>, u32)]) -> Result<(), Error> {
    /// With more threads, memory bandwidth is the limit.
    const MOST: usize = 4;
    const PIECE: usize = 1 << 20;

    let next = AtomicUsize::new(0);
    let faulty = AtomicUsize::new(usize::MAX);
    let work = || {
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            let Some((_, range, checksum)) = stored.get(index) else { return };
            let Some(bytes) = mapping.bytes().get(range.clone()) else { continue };
            let mut hasher = crc32fast::Hasher::new();
            for (number, piece) in bytes.chunks(PIECE).enumerate() {
                hasher.update(piece);
                let start = range.start + number * PIECE;
                mapping.release(start..start + piece.len());
            }
            if hasher.finalize() != *checksum {
                faulty.fetch_min(index, Ordering::Relaxed);
            }
        }
    };
    let threads = thread::available_parallelism().map_or(1, usize::from).min(MOST).min(stored.len());
    thread::scope(|scope| {
        for _ in 1..threads {
            // If a thread cannot be spawned, the others do its work.
            let _ = thread::Builder::new().spawn_scoped(scope, work);
        }
        work();
    });
    match stored.get(faulty.into_inner()) {
        Some((name, ..)) => {
            Err(Error::malformed(format!("`{name}` is damaged: its checksum does not match")))
        }
        None => Ok(()),
    }
}

fn range(start: u64, length: u64) -> Option<Range<usize>> {
    let start = usize::try_from(start).ok()?;
    Some(start..start.checked_add(usize::try_from(length).ok()?)?)
}

/// The array of the npy file in these bytes.
fn tensor(name: &str, mapping: &Arc<Mapping>, content: Range<usize>) -> Result<Tensor, Error> {
    let wrong = |what: &str| Error::malformed(format!("`{name}`: {what}"));
    let bytes = mapping.bytes().get(content.clone()).ok_or_else(|| wrong("it is not in the file"))?;
    let (header, start) = header(bytes).ok_or_else(|| wrong("it has no npy header"))?;
    let header = Header::parse(header).ok_or_else(|| wrong("its npy header cannot be read"))?;
    let (name, dtype) = (name.to_owned(), header.descr.to_owned());
    let Some(number) = NumpyDtype::parse(header.descr) else {
        let data = Pieces::new(mapping, []).ok_or_else(|| wrong("it is not in the file"))?;
        return Tensor::new(name, dtype, Vec::new(), header.shape, data);
    };
    let elements = number.elements();
    let data = if number.swapped() || header.fortran {
        let row_major =
            reordered(&bytes[start..], &header, &number).ok_or_else(|| wrong("its length is wrong"))?;
        let length = row_major.len();
        Pieces::new(&Arc::new(Mapping::from_bytes(row_major)), iter::once(0..length))
    } else {
        Pieces::new(mapping, iter::once(content.start + start..content.end))
    };
    Tensor::new(name, dtype, elements, header.shape, data.ok_or_else(|| Error::malformed("it is truncated"))?)
}

/// The text of the header, and the offset of the elements (NumPy's NEP 1, versions 1 to 3).
fn header(bytes: &[u8]) -> Option<(&str, usize)> {
    let rest = bytes.strip_prefix(b"\x93NUMPY")?;
    let (&[major, _minor], rest) = rest.split_first_chunk::<2>()?;
    let (length, rest) = match major {
        1 => {
            rest.split_first_chunk::<2>().map(|(length, rest)| (u32::from(u16::from_le_bytes(*length)), rest))
        }
        2 | 3 => rest.split_first_chunk::<4>().map(|(length, rest)| (u32::from_le_bytes(*length), rest)),
        _ => None,
    }?;
    let text = rest.get(..usize::try_from(length).ok()?)?;
    Some((std::str::from_utf8(text).ok()?, bytes.len() - rest.len() + text.len()))
}

/// The header's dictionary: `{'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }`.
struct Header<'a> {
    descr: &'a str,
    fortran: bool,
    shape: Vec<usize>,
}

impl<'a> Header<'a> {
    fn parse(text: &'a str) -> Option<Self> {
        let field = |name: &str| Some(text.split_once(name)?.1.trim_start().strip_prefix(':')?.trim_start());
        let descr = field("'descr'")?;
        // A list describes a record, which is not a tensor.
        let descr = descr.strip_prefix('\'').and_then(|rest| rest.split_once('\'')).map_or("record", |d| d.0);
        let fortran = field("'fortran_order'")?;
        let fortran = match (fortran.starts_with("True"), fortran.starts_with("False")) {
            (true, _) => true,
            (_, true) => false,
            _ => return None,
        };
        let (shape, _) = field("'shape'")?.strip_prefix('(')?.split_once(')')?;
        // Python 2 wrote long integers with an `L`.
        let sizes = shape.split(',').map(|size| size.trim().trim_end_matches('L'));
        let shape =
            sizes.filter(|size| !size.is_empty()).map(|size| size.parse().ok()).collect::<Option<_>>()?;
        Some(Self { descr, fortran, shape })
    }
}

/// An array protocol type string: byte order, kind, bytes.
struct NumpyDtype {
    big_endian: bool,
    kind: char,
    bytes: usize,
}

impl NumpyDtype {
    /// `None` for everything but numbers: Python objects, texts, dates, records.
    fn parse(descr: &str) -> Option<Self> {
        let mut letters = descr.chars();
        let (order, kind) = (letters.next()?, letters.next()?);
        let number = Self { big_endian: order == '>', kind, bytes: letters.as_str().parse().ok()? };
        (matches!(order, '<' | '>' | '|' | '=') && !number.elements().is_empty()).then_some(number)
    }

    fn elements(&self) -> Vec<Element> {
        let kind = match self.kind {
            'b' if self.bytes == 1 => return vec![Element::Bool],
            'V' => return dtype::foreign_to_numpy(self.bytes),
            'i' => "int",
            'u' => "uint",
            'f' => "float",
            'c' => "complex",
            _ => return Vec::new(),
        };
        let mut elements: Vec<Element> =
            dtype::of_numpy(&format!("{kind}{}", self.bytes.saturating_mul(8))).into_iter().collect();
        // The usual way to keep bf16 in an npz is `array.view(numpy.uint16)`.
        if elements == [Element::U16] {
            elements.push(Element::BF16);
        }
        elements
    }

    /// Whether the bytes of a number are big-endian.
    fn swapped(&self) -> bool {
        self.big_endian && self.bytes > 1 && self.kind != 'V'
    }

    /// The numbers in an element, and the bytes of each: a complex number is two.
    fn parts(&self) -> (usize, usize) {
        if self.kind == 'c' { (2, self.bytes / 2) } else { (1, self.bytes) }
    }
}

/// The elements in row-major order and little-endian bytes; `None` if their number is not that of the sizes.
fn reordered(bytes: &[u8], header: &Header, number: &NumpyDtype) -> Option<Vec<u8>> {
    let (parts, width) = number.parts();
    if byte_count(&header.shape, number.bytes)? != bytes.len() {
        return None;
    }
    // The bytes are an array with two more axes, which stay innermost.
    let rank = header.shape.len();
    let mut sizes = header.shape.clone();
    let mut view = if header.fortran {
        sizes.splice(0..0, [width, parts]);
        let axes: Vec<usize> = (2..rank + 2).chain([1, 0]).collect();
        ArrayView::from_shape(IxDyn(&sizes).f(), bytes).ok()?.permuted_axes(axes)
    } else {
        sizes.extend([parts, width]);
        ArrayView::from_shape(IxDyn(&sizes), bytes).ok()?
    };
    if number.swapped() {
        view.invert_axis(Axis(rank + 1));
    }
    Some(view.iter().copied().collect())
}
