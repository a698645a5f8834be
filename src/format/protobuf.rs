//! The fields of protocol buffers, as ranges of the file (<https://protobuf.dev/programming-guides/encoding/>).

use prost::encoding::{WireType, decode_key, decode_varint};
use std::ops::Range;

/// The fields of the message at a range of a file: their numbers, and the bytes of strings and messages. Others have
/// an empty range. Ends early where the bytes are not a message.
#[derive(Clone)]
pub(super) struct Fields<'a> {
    file: &'a [u8],
    left: Range<usize>,
    /// Whether the bytes contradict the format.
    pub is_damaged: bool,
}

impl<'a> Fields<'a> {
    pub(super) fn new(file: &'a [u8], message: Range<usize>) -> Self {
        let is_damaged = file.get(message.clone()).is_none();
        Self { file, left: message, is_damaged }
    }

    /// The ranges of all fields with that number.
    pub(super) fn numbered(self, number: u32) -> impl Iterator<Item = Range<usize>> {
        self.filter(move |(found, _)| *found == number).map(|(_, range)| range)
    }

    fn field(&mut self) -> Option<(u32, Range<usize>)> {
        let mut rest = self.file.get(self.left.clone())?;
        let (number, wire_type) = decode_key(&mut rest).ok()?;
        let (length, is_text) = match wire_type {
            WireType::Varint => {
                decode_varint(&mut rest).ok()?;
                (0, false)
            }
            WireType::ThirtyTwoBit => (4, false),
            WireType::SixtyFourBit => (8, false),
            WireType::LengthDelimited => (usize::try_from(decode_varint(&mut rest).ok()?).ok()?, true),
            WireType::StartGroup | WireType::EndGroup => return None,
        };
        let start = self.left.end - rest.len();
        let end = start.checked_add(length).filter(|&end| end <= self.left.end)?;
        self.left.start = end;
        Some((number, if is_text { start..end } else { end..end }))
    }
}

impl Iterator for Fields<'_> {
    type Item = (u32, Range<usize>);

    fn next(&mut self) -> Option<Self::Item> {
        if self.is_damaged || self.left.is_empty() {
            return None;
        }
        let field = self.field();
        self.is_damaged = field.is_none();
        field
    }
}
