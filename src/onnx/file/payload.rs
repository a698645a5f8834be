//! The bytes of large initializers.

use std::io;
use std::path::Path;

/// The bytes of one large initializer, read in pieces, by several threads at once, while the file is written.
#[allow(clippy::len_without_is_empty, reason = "nobody asks")]
pub trait Payload: Send + Sync {
    /// How many bytes there are.
    fn len(&self) -> u64;

    /// Fills `into` with the bytes from `offset` on, in the layout of `TensorProto.raw_data`: row-major,
    /// little-endian. Never reads beyond `len`, and reads each byte at most once.
    ///
    /// # Errors
    /// When the bytes cannot be produced.
    fn read_at(&self, offset: u64, into: &mut [u8]) -> io::Result<()>;

    /// The file that contains these bytes unchanged, if there is one, and the offset of the first.
    fn place(&self) -> Option<(&Path, u64)> {
        None
    }
}

impl Payload for &[u8] {
    fn len(&self) -> u64 {
        <[u8]>::len(self) as u64
    }

    fn read_at(&self, offset: u64, into: &mut [u8]) -> io::Result<()> {
        let rest = usize::try_from(offset).ok().and_then(|offset| self.get(offset..));
        let bytes = rest.and_then(|rest| rest.get(..into.len())).ok_or(io::ErrorKind::UnexpectedEof)?;
        into.copy_from_slice(bytes);
        Ok(())
    }
}

impl Payload for Vec<u8> {
    fn len(&self) -> u64 {
        self.as_slice().len() as u64
    }

    fn read_at(&self, offset: u64, into: &mut [u8]) -> io::Result<()> {
        self.as_slice().read_at(offset, into)
    }
}
