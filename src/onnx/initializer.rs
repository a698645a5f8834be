//! Constants as ONNX's raw data, which is made in pieces while the file is written.

use super::element::data_type;
use super::file::Payload;
use super::proto::TensorProto;
use super::proto::tensor_proto::DataType;
use crate::ir::{Data, Element};
use crate::source::Source;
use std::io::{self, Write};
use std::ops::Range;

/// How many bytes are made at a time.
const PIECE: usize = 256 * 1024;

/// After how many bytes the pages that they came from are given back.
const RELEASE: usize = 2 << 20;

/// The elements of one constant in the layout of `TensorProto.raw_data`: the constant's own, but that elements of
/// four bits lie in pairs, lower half first.
pub struct Elements<'a> {
    source: &'a Source,
    data: Data,
    data_type: DataType,
    dims: Vec<i64>,
    count: usize,
    width: usize,
    nibbles: bool,
}

impl<'a> Elements<'a> {
    /// `None` when ONNX lacks the element type, or the sizes' product overflows.
    pub fn new(source: &'a Source, element: Element, dims: Vec<i64>, data: Data) -> Option<Self> {
        let count = dims
            .iter()
            .try_fold(1usize, |product, &size| product.checked_mul(usize::try_from(size).ok()?))?;
        Some(Self {
            source,
            data,
            data_type: data_type(element)?,
            dims,
            count,
            width: element.bytes(),
            nibbles: element.bits() == 4,
        })
    }

    /// The ONNX element type.
    pub fn data_type(&self) -> DataType {
        self.data_type
    }

    /// The sizes.
    pub fn dims(&self) -> &[i64] {
        &self.dims
    }

    /// The elements at these positions, as bytes of the constant's own layout.
    fn piece(&self, elements: Range<usize>) -> io::Result<Vec<u8>> {
        let invalid = |_| io::Error::new(io::ErrorKind::InvalidData, "a literal has a digit that is none");
        let bytes = elements.start * self.width..elements.end * self.width;
        let mut piece = vec![0; bytes.len()];
        match &self.data {
            Data::Splat(element) => {
                piece.chunks_exact_mut(self.width).for_each(|slot| slot.copy_from_slice(element))
            }
            Data::Bytes(all) => piece.copy_from_slice(&all[bytes]),
            Data::Mapped(pieces) => piece.copy_from_slice(&pieces.read(bytes)),
            Data::Source(digits) => {
                let digits =
                    &self.source.bytes()[digits.start + 2 * bytes.start..digits.start + 2 * bytes.end];
                faster_hex::hex_decode(digits, &mut piece).map_err(invalid)?;
            }
            Data::SourceBits(digits) => {
                // Pieces start at multiples of eight elements, so at a whole byte of bits.
                let first = elements.start / 8;
                let mut packed = vec![0; elements.end.div_ceil(8) - first];
                let digits = &self.source.bytes()[digits.start + 2 * first..][..2 * packed.len()];
                faster_hex::hex_decode(digits, &mut packed).map_err(invalid)?;
                for (index, slot) in piece.iter_mut().enumerate() {
                    *slot = packed[index / 8] >> (index % 8) & 1;
                }
            }
        }
        Ok(piece)
    }

    /// Gives back the pages behind these bytes of the constant.
    fn release(&self, bytes: Range<usize>) {
        match &self.data {
            Data::Source(digits) => {
                self.source.release(digits.start + 2 * bytes.start..digits.start + 2 * bytes.end);
            }
            Data::Mapped(pieces) => pieces.release(bytes),
            Data::Splat(_) | Data::Bytes(_) | Data::SourceBits(_) => {}
        }
    }
}

impl Payload for Elements<'_> {
    fn len(&self) -> u64 {
        if self.nibbles { self.count.div_ceil(2) as u64 } else { (self.count * self.width) as u64 }
    }

    fn write_to(&self, out: &mut dyn Write) -> io::Result<()> {
        let step = PIECE / self.width.max(1);
        let (mut start, mut released) = (0, 0);
        while start < self.count {
            let end = self.count.min(start + step);
            let piece = self.piece(start..end)?;
            if self.nibbles {
                let packed: Vec<u8> = piece
                    .chunks(2)
                    .map(|pair| pair[0] & 15 | pair.get(1).map_or(0, |high| high << 4))
                    .collect();
                out.write_all(&packed)?;
            } else {
                out.write_all(&piece)?;
            }
            start = end;
            let read = self.width * end;
            if read - released >= RELEASE || end == self.count {
                self.release(released..read);
                released = read;
            }
        }
        Ok(())
    }
}

/// A tensor whose elements lie in the message itself.
pub fn small_tensor(name: String, elements: Elements) -> TensorProto {
    let mut raw = Vec::new();
    // Writing to memory fails only where a literal has a bad digit, which the parser has refused before.
    let _ = elements.write_to(&mut raw);
    TensorProto {
        name: (!name.is_empty()).then_some(name),
        data_type: Some(elements.data_type as i32),
        dims: elements.dims.clone(),
        raw_data: Some(raw),
        ..Default::default()
    }
}
