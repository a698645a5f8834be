//! The fields of protocol buffers, as ranges of the file (<https://protobuf.dev/programming-guides/encoding/>).

use prost::decode_length_delimiter;
use std::ops::Range;

/// The fields of the message at a range of a file: their numbers, and the bytes of strings and messages. The range of
/// another field is empty. After an error there are no more.
#[derive(Clone)]
pub(super) struct Fields<'a> {
    file: &'a [u8],
    left: Range<usize>,
}

/// The offset where bytes are not those of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Damage(pub usize);

impl<'a> Fields<'a> {
    pub(super) fn new(file: &'a [u8], message: Range<usize>) -> Self {
        Self { file, left: message }
    }

    /// The first field with that number.
    pub(super) fn first(self, wanted: u32) -> Result<Option<Range<usize>>, Damage> {
        self.numbered(wanted).next().transpose()
    }

    /// All fields with that number.
    pub(super) fn numbered(self, wanted: u32) -> impl Iterator<Item = Result<Range<usize>, Damage>> {
        self.filter_map(move |field| match field {
            Ok((number, range)) => (number == wanted).then_some(Ok(range)),
            Err(damage) => Some(Err(damage)),
        })
    }

    fn field(&self) -> Option<(u32, Range<usize>)> {
        let mut rest = self.file.get(self.left.clone())?;
        // Keys, numbers and lengths are all varints.
        let mut varint = || decode_length_delimiter(&mut rest).ok();
        let key = varint()?;
        let (length, is_text) = match key & 7 {
            0 => {
                varint()?;
                (0, false)
            }
            1 => (8, false),
            2 => (varint()?, true),
            5 => (4, false),
            _ => return None,
        };
        let start = self.left.end - rest.len();
        let end = start.checked_add(length).filter(|&end| end <= self.left.end)?;
        Some((u32::try_from(key >> 3).ok()?, if is_text { start..end } else { end..end }))
    }
}

impl Iterator for Fields<'_> {
    type Item = Result<(u32, Range<usize>), Damage>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.left.is_empty() {
            return None;
        }
        let start = self.left.start;
        let field = self.field();
        self.left.start = field.as_ref().map_or(self.left.end, |(_, range)| range.end);
        Some(field.ok_or(Damage(start)))
    }
}
