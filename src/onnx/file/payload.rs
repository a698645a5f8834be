//! The bytes of large initializers, and the sink they are poured into.

use std::io::{self, BufWriter, Read, Write};
use std::path::Path;

use super::WriteError;

/// Room for one piece of a payload, and the least progress that is worth a report.
const PIECE: usize = 128 * 1024;

/// The bytes of one large initializer, produced in pieces while the file is written.
#[allow(clippy::len_without_is_empty, reason = "nobody asks")]
pub trait Payload {
    /// How many bytes `write_to` gives.
    fn len(&self) -> u64;

    /// Gives all bytes, in the layout of `TensorProto.raw_data`: row-major, little-endian.
    ///
    /// # Errors
    /// When the bytes cannot be produced, or `out` fails.
    fn write_to(&self, out: &mut dyn Write) -> io::Result<()>;
}

impl Payload for &[u8] {
    fn len(&self) -> u64 {
        <[u8]>::len(self) as u64
    }

    fn write_to(&self, out: &mut dyn Write) -> io::Result<()> {
        out.write_all(self)
    }
}

impl Payload for Vec<u8> {
    fn len(&self) -> u64 {
        self.as_slice().len() as u64
    }

    fn write_to(&self, out: &mut dyn Write) -> io::Result<()> {
        out.write_all(self)
    }
}

/// Counts the payload bytes of a whole model, over its files.
pub(super) struct Progress<'p> {
    report: &'p mut dyn FnMut(u64),
    written: u64,
    reported: u64,
}

impl<'p> Progress<'p> {
    pub(super) fn new(report: &'p mut dyn FnMut(u64)) -> Self {
        Self { report, written: 0, reported: 0 }
    }

    fn advance(&mut self, bytes: usize) {
        self.written += bytes as u64;
        if self.written - self.reported >= PIECE as u64 {
            self.flush();
        }
    }

    fn flush(&mut self) {
        if self.written != self.reported {
            self.reported = self.written;
            (self.report)(self.written);
        }
    }
}

/// A buffered output that knows how much it took and what to call itself in an error.
pub(super) struct Sink<'s> {
    out: BufWriter<&'s mut dyn Write>,
    path: Option<&'s Path>,
    position: u64,
}

impl<'s> Sink<'s> {
    /// A sink into `out`; `path` is the file it stands for, if any.
    pub(super) fn new(out: &'s mut dyn Write, path: Option<&'s Path>) -> Self {
        Self { out: BufWriter::with_capacity(PIECE, out), path, position: 0 }
    }

    fn error(&self, source: io::Error) -> WriteError {
        match self.path {
            Some(path) => WriteError::Write { path: path.to_owned(), source },
            None => WriteError::Stream { source },
        }
    }

    /// Takes all of `bytes`.
    pub(super) fn bytes(&mut self, bytes: &[u8]) -> Result<(), WriteError> {
        self.out.write_all(bytes).map_err(|source| self.error(source))?;
        self.position += bytes.len() as u64;
        Ok(())
    }

    /// Takes zeros up to `offset`.
    pub(super) fn pad_to(&mut self, offset: u64) -> Result<(), WriteError> {
        let zeros = offset.saturating_sub(self.position);
        io::copy(&mut io::repeat(0).take(zeros), &mut self.out).map_err(|source| self.error(source))?;
        self.position += zeros;
        Ok(())
    }

    /// Takes a payload, which must give exactly `len` bytes.
    pub(super) fn payload(
        &mut self,
        name: &str,
        len: u64,
        payload: &dyn Payload,
        progress: &mut Progress,
    ) -> Result<(), WriteError> {
        let mut exact = Exact { out: &mut self.out, room: len, overrun: false, fault: None, progress };
        let outcome = payload.write_to(&mut exact);
        let Exact { room, overrun, fault, .. } = exact;
        progress.flush();
        // The flags come before the payload's own answer: it may have ignored what `write` told it, and it cannot
        // tell a full disk from a fault of its own.
        if let Some(source) = fault {
            return Err(self.error(source));
        }
        if overrun {
            return Err(WriteError::PayloadTooLong { name: name.to_owned(), expected: len });
        }
        outcome.map_err(|source| WriteError::Payload { name: name.to_owned(), source })?;
        if room != 0 {
            return Err(WriteError::PayloadTooShort {
                name: name.to_owned(),
                expected: len,
                found: len - room,
            });
        }
        self.position += len;
        Ok(())
    }

    /// Empties the buffer and says how many bytes the sink took.
    pub(super) fn finish(mut self) -> Result<u64, WriteError> {
        self.out.flush().map_err(|source| self.error(source))?;
        Ok(self.position)
    }
}

/// What a payload writes into: it has room for the announced length and remembers what went wrong.
struct Exact<'e, 's, 'p> {
    out: &'e mut BufWriter<&'s mut dyn Write>,
    room: u64,
    overrun: bool,
    fault: Option<io::Error>,
    progress: &'e mut Progress<'p>,
}

impl Write for Exact<'_, '_, '_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if bytes.len() as u64 > self.room {
            self.overrun = true;
            return Err(io::Error::new(
                io::ErrorKind::WriteZero,
                "the initializer has no room for more bytes",
            ));
        }
        match self.out.write(bytes) {
            Ok(count) => {
                self.room -= count as u64;
                self.progress.advance(count);
                Ok(count)
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Err(error),
            Err(error) => {
                let kind = error.kind();
                self.fault = Some(error);
                Err(kind.into())
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        // The buffer is emptied once, by `Sink::finish`.
        Ok(())
    }
}
