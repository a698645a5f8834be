//! The future contents of a file, of which any range can be generated separately.

use super::{Initializer, WriteError};
use std::ops::Range;

/// The contents of one file: parts in ascending order, and zeros between them.
#[derive(Default)]
pub(super) struct FileImage<'l> {
    parts: Vec<Chunk<'l>>,
    len: u64,
    payload_len: u64,
}

struct Chunk<'l> {
    range: Range<u64>,
    content: Content<'l>,
}

enum Content<'l> {
    Bytes(&'l [u8]),
    /// A field's key and length.
    Prefix(Vec<u8>),
    Payload(&'l Initializer<'l>),
}

impl<'l> FileImage<'l> {
    pub(super) fn len(&self) -> u64 {
        self.len
    }

    /// How many of the bytes are those of payloads.
    pub(super) fn payload_len(&self) -> u64 {
        self.payload_len
    }

    pub(super) fn bytes(&mut self, bytes: &'l [u8]) {
        self.push(bytes.len() as u64, Content::Bytes(bytes));
    }

    pub(super) fn prefix(&mut self, bytes: Vec<u8>) {
        self.push(bytes.len() as u64, Content::Prefix(bytes));
    }

    pub(super) fn payload(&mut self, initializer: &'l Initializer<'l>, len: u64) {
        self.push(len, Content::Payload(initializer));
        self.payload_len += len;
    }

    /// Starts the next part at `offset`, with zeros before it.
    pub(super) fn pad_to(&mut self, offset: u64) {
        self.len = self.len.max(offset);
    }

    fn push(&mut self, len: u64, content: Content<'l>) {
        let range = self.len..self.len + len;
        self.len = range.end;
        self.parts.push(Chunk { range, content });
    }

    /// Generates bytes from `offset` on to fill `into`, and returns how many of them are payload.
    ///
    /// # Errors
    /// When a payload fails.
    pub(super) fn read_at(&self, offset: u64, into: &mut [u8]) -> Result<u64, WriteError> {
        let end = offset + into.len() as u64;
        let mut payload = 0;
        let mut filled = 0;
        let first = self.parts.partition_point(|part| part.range.end <= offset);
        for part in self.parts[first..].iter().take_while(|part| part.range.start < end) {
            let (from, to) = (part.range.start.max(offset), part.range.end.min(end));
            let slot = (from - offset) as usize..(to - offset) as usize;
            into[filled..slot.start].fill(0);
            filled = slot.end;
            if matches!(part.content, Content::Payload(_)) {
                payload += to - from;
            }
            part.read_at(from - part.range.start, &mut into[slot])?;
        }
        into[filled..].fill(0);
        Ok(payload)
    }
}

impl Chunk<'_> {
    fn read_at(&self, offset: u64, into: &mut [u8]) -> Result<(), WriteError> {
        let bytes = match &self.content {
            Content::Bytes(bytes) => bytes,
            Content::Prefix(bytes) => bytes.as_slice(),
            Content::Payload(_) if into.is_empty() => return Ok(()),
            Content::Payload(Initializer { name, payload, .. }) => {
                let failed = |source| WriteError::Payload { name: name.clone(), source };
                return payload.read_at(offset, into).map_err(failed);
            }
        };
        let offset = offset as usize;
        into.copy_from_slice(&bytes[offset..offset + into.len()]);
        Ok(())
    }
}
