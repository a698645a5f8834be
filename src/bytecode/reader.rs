//! Reads the primitive values of MLIR's bytecode.

use super::Fault;
use std::ops::Range;

/// The byte between the end of a value and the aligned start of the next.
const PADDING: u8 = 0xCB;

/// A part of the file that is read from its start to its end.
#[derive(Clone, Debug)]
pub(super) struct Reader<'a> {
    /// The whole bytecode, from its first byte on: alignments and offsets count from there.
    bytes: &'a [u8],
    at: usize,
    end: usize,
}

impl<'a> Reader<'a> {
    /// Reads a range of the bytecode, which must be within it.
    pub(super) fn new(bytes: &'a [u8], range: Range<usize>) -> Self {
        let end = range.end.min(bytes.len());
        Self { bytes, at: range.start.min(end), end }
    }

    /// The offset of the next byte.
    pub(super) fn offset(&self) -> usize {
        self.at
    }

    /// How many bytes are left.
    pub(super) fn left(&self) -> usize {
        self.end - self.at
    }

    /// The fault `why` at the next byte.
    pub(super) fn fault(&self, why: impl Into<String>) -> Fault {
        Fault::new(self.at, why)
    }

    /// That nothing is left.
    pub(super) fn finish(&self, what: &str) -> Result<(), Fault> {
        match self.left() {
            0 => Ok(()),
            left => Err(self.fault(format!("{left} bytes follow the end of {what}"))),
        }
    }

    pub(super) fn byte(&mut self) -> Result<u8, Fault> {
        Ok(self.bytes[self.take(1)?][0])
    }

    /// The next `count` bytes, as a range of the bytecode.
    pub(super) fn take(&mut self, count: u64) -> Result<Range<usize>, Fault> {
        match usize::try_from(count) {
            Ok(count) if count <= self.left() => {
                let start = self.at;
                self.at += count;
                Ok(start..self.at)
            }
            _ => Err(self.fault(format!("{count} bytes were expected, and {} are left", self.left()))),
        }
    }

    /// An unsigned integer. The trailing zeros of its first byte are the number of further bytes.
    pub(super) fn varint(&mut self) -> Result<u64, Fault> {
        let first = self.byte()?;
        let more = first.trailing_zeros() as usize;
        let mut word = [0; 8];
        if more == 8 {
            word.copy_from_slice(&self.bytes[self.take(8)?]);
            return Ok(u64::from_le_bytes(word));
        }
        word[0] = first;
        word[1..=more].copy_from_slice(&self.bytes[self.take(more as u64)?]);
        Ok(u64::from_le_bytes(word) >> (more + 1))
    }

    /// A signed integer in zigzag form.
    pub(super) fn signed(&mut self) -> Result<i64, Fault> {
        let value = self.varint()?;
        Ok((value >> 1) as i64 ^ -((value & 1) as i64))
    }

    /// An integer and the flag in its lowest bit.
    pub(super) fn flagged(&mut self) -> Result<(u64, bool), Fault> {
        let value = self.varint()?;
        Ok((value >> 1, value & 1 == 1))
    }

    /// A number of items of at least one byte each, so that no more can follow than bytes are left.
    pub(super) fn count(&mut self) -> Result<usize, Fault> {
        let count = self.varint()?;
        self.counted(count)
    }

    /// That as many items of at least one byte each can follow.
    pub(super) fn counted(&self, count: u64) -> Result<usize, Fault> {
        match usize::try_from(count) {
            Ok(count) if count <= self.left() => Ok(count),
            _ => Err(self.fault(format!("a list of {count} items, but {} bytes are left", self.left()))),
        }
    }

    /// An index below `limit` of what it is an index of.
    pub(super) fn index(&mut self, limit: usize, what: &str) -> Result<usize, Fault> {
        let at = self.at;
        let index = self.varint()?;
        below(index, limit, what).map_err(|why| Fault::new(at, why))
    }

    /// A list, where `item` reads each item.
    pub(super) fn list<T>(
        &mut self,
        mut item: impl FnMut(&mut Self) -> Result<T, Fault>,
    ) -> Result<Vec<T>, Fault> {
        let count = self.count()?;
        // An item in memory may be larger than in the file, and the file may end early.
        let mut items = Vec::with_capacity(count.min(64));
        for _ in 0..count {
            items.push(item(self)?);
        }
        Ok(items)
    }

    /// A section: its number and its contents.
    pub(super) fn section(&mut self) -> Result<(u8, Self), Fault> {
        let head = self.byte()?;
        let length = self.varint()?;
        if head & 0x80 != 0 {
            let alignment = self.varint()?;
            self.align(alignment)?;
        }
        let range = self.take(length)?;
        Ok((head & 0x7F, Self::new(self.bytes, range)))
    }

    /// Skips the padding before an aligned value.
    pub(super) fn align(&mut self, alignment: u64) -> Result<(), Fault> {
        if !alignment.is_power_of_two() {
            return Err(self.fault(format!("an alignment of {alignment}, which is not a power of two")));
        }
        while !(self.at as u64).is_multiple_of(alignment) {
            let at = self.at;
            if self.byte()? != PADDING {
                return Err(Fault::new(at, "a byte of padding that is not 0xCB"));
            }
        }
        Ok(())
    }

    /// The bytes before the next NUL, which is skipped.
    pub(super) fn terminated(&mut self) -> Result<&'a [u8], Fault> {
        let rest = &self.bytes[self.at..self.end];
        let length = memchr::memchr(0, rest).ok_or_else(|| self.fault("a string without an end"))?;
        self.at += length + 1;
        Ok(&rest[..length])
    }
}

/// The index, if it is below the limit, and otherwise why not.
pub(super) fn below(index: u64, limit: usize, what: &str) -> Result<usize, String> {
    let found = usize::try_from(index).ok().filter(|&index| index < limit);
    found.ok_or_else(|| format!("{what} {index}, but there are {limit}"))
}

#[cfg(test)]
mod tests {
    use super::Reader;

    fn varint(bytes: &[u8]) -> Option<u64> {
        let mut reader = Reader::new(bytes, 0..bytes.len());
        reader.varint().ok().filter(|_| reader.left() == 0)
    }

    #[test]
    fn integers_of_every_length() {
        assert_eq!(varint(&[0x01]), Some(0));
        assert_eq!(varint(&[0xFF]), Some(127));
        assert_eq!(varint(&[0x02, 0x02]), Some(128));
        for bytes in 1..=8 {
            let value = (1u64 << (7 * bytes)) - 1;
            let coded = (u128::from(value) << bytes | 1 << (bytes - 1)).to_le_bytes();
            assert_eq!(varint(&coded[..bytes as usize]), Some(value), "{bytes} bytes");
        }
        assert_eq!(varint(&[0, 1, 0, 0, 0, 0, 0, 0, 0x80]), Some(1 << 63 | 1));
        assert_eq!(varint(&[0x02]), None);
        assert_eq!(varint(&[]), None);
    }

    #[test]
    fn signed_integers() {
        let signed = |value: u8| Reader::new(&[value << 1 | 1], 0..1).signed().ok();
        assert_eq!([0, 1, 2, 3].map(signed), [Some(0), Some(-1), Some(1), Some(-2)]);
    }

    #[test]
    fn lists_are_no_longer_than_the_file() {
        assert!(Reader::new(&[0xFF, 1, 1], 0..3).list(Reader::byte).is_err());
        assert_eq!(Reader::new(&[0x05, 7, 8], 0..3).list(Reader::byte).ok(), Some(vec![7, 8]));
    }
}
