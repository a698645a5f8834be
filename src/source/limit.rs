//! How many bytes of an input are read.

use std::io;

/// The default limit for streams. A text of this length has about 2 GB of weights.
const OF_STREAMS: u64 = 4 << 30;

/// How many bytes of an input are read. Without a number, a file may have any length, as it is mapped. What is
/// decompressed, or comes through a pipe, may have 4 GiB: it takes room in memory or in the temporary folder, and a few
/// bytes may expand to very many.
#[derive(Clone, Copy, Debug, Default)]
pub struct Limit(pub Option<u64>);

impl Limit {
    /// The limit of files that are mapped.
    pub fn of_files(self) -> u64 {
        self.0.unwrap_or(u64::MAX)
    }

    /// The limit of decompressed text, or of text from a pipe.
    pub fn of_streams(self) -> u64 {
        self.0.unwrap_or(OF_STREAMS)
    }
}

/// An input is longer than the limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it has more than {limit} bytes")]
pub struct TooLarge {
    /// The limit.
    pub limit: u64,
}

impl TooLarge {
    /// What an error is about, if it is that an input is too large.
    pub fn of(error: &io::Error) -> Option<Self> {
        error.get_ref()?.downcast_ref().copied()
    }
}

impl From<TooLarge> for io::Error {
    fn from(error: TooLarge) -> Self {
        Self::new(io::ErrorKind::FileTooLarge, error)
    }
}
