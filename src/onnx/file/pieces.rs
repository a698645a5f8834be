//! Writes an image piece by piece: to a stream in order, to a file by several threads.

use std::fs::File;
use std::io::Write;
use std::path::Path;

use super::WriteError;
use super::file_image::FileImage;

/// With the digits that it is made from, which are twice as long, a piece fits into a second-level cache.
const PIECE: usize = 512 * 1024;

/// Counts the payload bytes of a whole model, over its files.
pub(super) struct Progress<'p> {
    report: &'p mut dyn FnMut(u64),
    before: u64,
    reported: u64,
}

impl<'p> Progress<'p> {
    pub(super) fn new(report: &'p mut dyn FnMut(u64)) -> Self {
        Self { report, before: 0, reported: 0 }
    }

    /// Takes how many payload bytes of the current file are written.
    fn reached(&mut self, bytes: u64) {
        if self.before + bytes > self.reported {
            self.reported = self.before + bytes;
            (self.report)(self.reported);
        }
    }

    /// Takes payload bytes that need not be written.
    pub(super) fn skip(&mut self, bytes: u64) {
        self.reached(bytes);
        self.before += bytes;
    }

    fn finish_file(&mut self, image: &FileImage) {
        self.reached(image.payload_len());
        self.before += image.payload_len();
    }
}

/// Writes `image` to a stream; `path` is the file that it represents, if any.
pub(super) fn write_in_order(
    image: &FileImage,
    out: &mut dyn Write,
    path: Option<&Path>,
    progress: &mut Progress,
) -> Result<u64, WriteError> {
    let failed = |source| match path {
        Some(path) => WriteError::Write { path: path.to_owned(), source },
        None => WriteError::Stream { source },
    };
    let mut buffer = Vec::new();
    let mut payload = 0;
    for index in 0..pieces(image) {
        let (offset, piece) = room(&mut buffer, image, index);
        payload += image.read_at(offset, piece)?;
        out.write_all(piece).map_err(failed)?;
        progress.reached(payload);
    }
    out.flush().map_err(failed)?;
    progress.finish_file(image);
    Ok(image.len())
}

/// Writes `image` to a new file.
#[cfg(not(unix))]
pub(super) fn write_file(
    image: &FileImage,
    file: &mut File,
    path: &Path,
    progress: &mut Progress,
) -> Result<u64, WriteError> {
    write_in_order(image, file, Some(path), progress)
}

/// Writes `image` to a new file, on as many threads as can help.
///
/// Generating a piece and writing it take about as long, and the system allows one write to a file at a time. So
/// every thread does both, and while one writes, others generate their next pieces.
#[cfg(unix)]
pub(super) fn write_file(
    image: &FileImage,
    file: &mut File,
    path: &Path,
    progress: &mut Progress,
) -> Result<u64, WriteError> {
    use std::thread;

    /// More threads only wait for each other's writes.
    const MOST: usize = 4;

    let processors = thread::available_parallelism().map_or(1, usize::from);
    let helpers = processors.min(MOST).min(pieces(image) as usize).saturating_sub(1);
    let shared = parallel::WriterState::new(image, file, path);
    thread::scope(|scope| {
        for _ in 0..helpers {
            // Without a thread the others do its work.
            let _ = thread::Builder::new().spawn_scoped(scope, || shared.work(&mut |_| {}));
        }
        shared.work(&mut |payload| progress.reached(payload));
    });
    shared.outcome()?;
    progress.finish_file(image);
    Ok(image.len())
}

#[cfg(unix)]
mod parallel {
    use std::fs::File;
    use std::io;
    use std::os::unix::fs::FileExt;
    use std::path::Path;
    use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
    use std::sync::{Mutex, PoisonError};

    use super::{FileImage, WriteError, pieces, room};

    /// What the threads that write one file share.
    pub(super) struct WriterState<'s> {
        image: &'s FileImage<'s>,
        file: &'s File,
        path: &'s Path,
        next: AtomicU64,
        payload: AtomicU64,
        failed: AtomicBool,
        /// The failure of the earliest piece. Pieces are taken in order and each is brought to its end, so this is
        /// the same failure in every run.
        failure: Mutex<Option<(u64, WriteError)>>,
    }

    impl<'s> WriterState<'s> {
        pub(super) fn new(image: &'s FileImage<'s>, file: &'s File, path: &'s Path) -> Self {
            Self {
                image,
                file,
                path,
                next: AtomicU64::new(0),
                payload: AtomicU64::new(0),
                failed: AtomicBool::new(false),
                failure: Mutex::new(None),
            }
        }

        /// Writes pieces until none is left, and reports how many payload bytes all threads have written.
        pub(super) fn work(&self, report: &mut dyn FnMut(u64)) {
            let mut buffer = Vec::new();
            while !self.failed.load(Ordering::Relaxed) {
                let index = self.next.fetch_add(1, Ordering::Relaxed);
                if index >= pieces(self.image) {
                    return;
                }
                match self.piece(index, &mut buffer) {
                    Ok(payload) => report(self.payload.fetch_add(payload, Ordering::Relaxed) + payload),
                    Err(error) => self.fail(index, error),
                }
            }
        }

        fn piece(&self, index: u64, buffer: &mut Vec<u8>) -> Result<u64, WriteError> {
            let (offset, piece) = room(buffer, self.image, index);
            let payload = self.image.read_at(offset, piece)?;
            let failed = |source: io::Error| WriteError::Write { path: self.path.to_owned(), source };
            self.file.write_all_at(piece, offset).map_err(failed)?;
            Ok(payload)
        }

        fn fail(&self, index: u64, error: WriteError) {
            self.failed.store(true, Ordering::Relaxed);
            let mut failure = self.failure.lock().unwrap_or_else(PoisonError::into_inner);
            if failure.as_ref().is_none_or(|(earlier, _)| index < *earlier) {
                *failure = Some((index, error));
            }
        }

        pub(super) fn outcome(self) -> Result<(), WriteError> {
            let failure = self.failure.into_inner().unwrap_or_else(PoisonError::into_inner);
            failure.map_or(Ok(()), |(_, error)| Err(error))
        }
    }
}

fn pieces(image: &FileImage) -> u64 {
    image.len().div_ceil(PIECE as u64)
}

/// The offset of a piece, and room for it.
fn room<'b>(buffer: &'b mut Vec<u8>, image: &FileImage, index: u64) -> (u64, &'b mut [u8]) {
    let offset = index * PIECE as u64;
    let len = (image.len() - offset).min(PIECE as u64) as usize;
    if buffer.len() < len {
        buffer.resize(len, 0);
    }
    (offset, &mut buffer[..len])
}
