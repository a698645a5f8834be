//! Constants as ONNX's raw data, which is made piece by piece while the file is written.

use super::blocks::ViewBlocks;
use super::element::data_type;
use super::file::Payload;
use super::proto::TensorProto;
use super::proto::tensor_proto::DataType;
use crate::ir::{Data, Element};
use crate::source::Source;
use std::io;
use std::ops::Range;
use std::path::Path;

/// The elements of one constant in the layout of `TensorProto.raw_data`: the constant's own, but that elements of
/// four bits are in pairs, lower half first.
pub struct Elements<'a> {
    source: &'a Source,
    data: Data,
    data_type: DataType,
    dims: Vec<i64>,
    count: usize,
    width: usize,
    nibbles: bool,
    blocks: ViewBlocks,
    /// The parts of joined data.
    parts: Vec<Elements<'a>>,
}

impl<'a> Elements<'a> {
    /// `None` when ONNX lacks the element type, or the sizes' product overflows.
    pub fn new(source: &'a Source, element: Element, dims: Vec<i64>, data: Data) -> Option<Self> {
        let count = dims
            .iter()
            .try_fold(1usize, |product, &size| product.checked_mul(usize::try_from(size).ok()?))?;
        let width = element.bytes();
        let mut parts = Vec::new();
        if let Data::Joined(joined) = &data {
            let row: usize = joined.parts.iter().map(|part| part.1).sum();
            let rows = count * width / row.max(1);
            for (part, size) in &joined.parts {
                let count = i64::try_from(rows * size / width.max(1)).ok()?;
                parts.push(Self::new(source, element, vec![count], part.clone())?);
            }
        }
        Some(Self {
            source,
            data,
            data_type: data_type(element)?,
            dims,
            count,
            width,
            nibbles: element.bits() == 4,
            blocks: ViewBlocks::default(),
            parts,
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

    /// Fills `into` with bytes of the constant's own layout from `start` on.
    fn unpacked(&self, start: usize, into: &mut [u8]) -> io::Result<()> {
        match &self.data {
            Data::Splat(element) => {
                let bytes = element.iter().cycle().skip(start % element.len().max(1));
                into.iter_mut().zip(bytes).for_each(|(slot, byte)| *slot = *byte);
            }
            Data::Bytes(all) => {
                let bytes = all.get(start..start + into.len()).ok_or(io::ErrorKind::UnexpectedEof)?;
                into.copy_from_slice(bytes);
            }
            Data::Mapped(pieces) => {
                let positions = start..start + into.len();
                if positions.end > pieces.len() {
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
                let is_last = positions.end == pieces.len();
                into.copy_from_slice(&pieces.read(positions.clone()));
                pieces.release(positions);
                if is_last {
                    pieces.forget();
                }
            }
            Data::View(view) => self.blocks.read(self.source, view, start, into)?,
            Data::Joined(joined) => joined.walk(start, into.len(), |part, from, to| {
                let part = self.parts.get(part).ok_or(io::ErrorKind::UnexpectedEof)?;
                part.unpacked(from, &mut into[to])
            })?,
            Data::Source(digits) => self.decode(digits, start, into)?,
            Data::SourceBits(digits) => {
                let first = start / 8;
                let mut packed = vec![0; (start + into.len()).div_ceil(8) - first];
                self.decode(digits, first, &mut packed)?;
                for (index, slot) in (start - 8 * first..).zip(into) {
                    *slot = packed[index / 8] >> (index % 8) & 1;
                }
            }
        }
        Ok(())
    }

    /// Decodes `digits` into `into`, from byte `start` on.
    fn decode(&self, digits: &Range<usize>, start: usize, into: &mut [u8]) -> io::Result<()> {
        let range = digits.start + 2 * start..digits.start + 2 * (start + into.len());
        let read = self.source.bytes().get(range.clone()).ok_or(io::ErrorKind::UnexpectedEof)?;
        const_hex::decode_to_slice(read, into)
            .map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "a literal has an invalid digit"))?;
        let is_last = range.end == digits.end;
        self.source.release(range);
        if is_last {
            self.source.forget(digits.clone());
        }
        Ok(())
    }
}

impl Payload for Elements<'_> {
    fn len(&self) -> u64 {
        if self.nibbles { self.count.div_ceil(2) as u64 } else { (self.count * self.width) as u64 }
    }

    fn read_at(&self, offset: u64, into: &mut [u8]) -> io::Result<()> {
        let start = usize::try_from(offset).map_err(|_| io::ErrorKind::UnexpectedEof)?;
        if !self.nibbles {
            return self.unpacked(start, into);
        }
        // The last byte of an odd number of elements contains one.
        let end = self.count.min(2 * (start + into.len()));
        let mut elements = vec![0; end.saturating_sub(2 * start)];
        self.unpacked(2 * start, &mut elements)?;
        for (slot, pair) in into.iter_mut().zip(elements.chunks(2)) {
            *slot = pair[0] & 15 | pair.get(1).map_or(0, |high| high << 4);
        }
        Ok(())
    }

    fn place(&self) -> Option<(&Path, u64)> {
        match &self.data {
            // A reader that maps the file reads elements at their own alignment.
            Data::Mapped(pieces) if !self.nibbles => {
                pieces.place().filter(|(_, offset)| offset % self.width as u64 == 0)
            }
            _ => None,
        }
    }
}

/// A tensor whose elements are in the message itself.
pub fn small_tensor(name: String, elements: Elements) -> TensorProto {
    let mut raw = vec![0; elements.len() as usize];
    // This fails only where a literal has a bad digit, which the parser has refused before.
    let _ = elements.read_at(0, &mut raw);
    TensorProto {
        name: (!name.is_empty()).then_some(name),
        data_type: Some(elements.data_type as i32),
        dims: elements.dims.clone(),
        raw_data: Some(raw),
        ..Default::default()
    }
}

#[cfg(test)]
mod tests {
    use super::{Elements, Payload};
    use crate::ir::{Data, Element, Joined, View};
    use crate::source::Source;
    use std::sync::Arc;

    /// Reads `data` at once, after comparing with reading it in two parts.
    fn read(element: Element, count: i64, data: Data) -> Vec<u8> {
        let source = Source::from_bytes("digits", b"\"0xA5C30F11\"".to_vec());
        let elements = Elements::new(&source, element, vec![count], data).expect("ONNX has the type");
        let len = elements.len() as usize;
        let read = |start: usize, end: usize| {
            let mut bytes = vec![0; end - start];
            elements.read_at(start as u64, &mut bytes).expect("the bytes are there");
            bytes
        };
        let whole = read(0, len);
        for cut in 1..len {
            assert_eq!([read(0, cut), read(cut, len)].concat(), whole, "{element:?} cut at {cut}");
        }
        whole
    }

    #[test]
    fn any_range_can_be_read_by_itself() {
        let digits = 3..11;
        let bytes = |bytes: &[u8]| Data::Bytes(Arc::from(bytes));
        assert_eq!(read(Element::U16, 2, Data::Source(digits.clone())), [0xA5, 0xC3, 0x0F, 0x11]);
        assert_eq!(read(Element::U16, 2, Data::Splat([1, 2].as_slice().into())), [1, 2, 1, 2]);
        assert_eq!(read(Element::I8, 3, bytes(&[7, 8, 9])), [7, 8, 9]);
        let view = View::of(bytes(&[1, 2, 3, 4]), 1, &[2, 2]);
        let parts = vec![
            (Data::Source(digits.clone()), 2),
            (Data::View(Arc::new(view)), 2),
            (Data::Splat([7].as_slice().into()), 1),
        ];
        let joined = read(Element::U8, 10, Data::Joined(Arc::new(Joined { parts })));
        assert_eq!(joined, [0xA5, 0xC3, 1, 2, 7, 0x0F, 0x11, 3, 4, 7]);
        assert_eq!(read(Element::I4, 5, bytes(&[1, 2, 3, 0xFC, 5])), [0x21, 0xC3, 0x05]);
        assert_eq!(read(Element::Bool, 11, Data::SourceBits(digits)), [1, 0, 1, 0, 0, 1, 0, 1, 1, 1, 0]);
    }
}
