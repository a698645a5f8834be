//! Writes a file on a thread of its own, so that making the bytes and writing them overlap.

use super::WriteError;
use std::fs::File;
use std::io::{self, Write};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

/// Bytes that are handed over at a time.
const BUFFER: usize = 1 << 20;

/// How many buffers there are.
const BUFFERS: usize = 4;

/// Runs `produce` with an output whose bytes are written to `file` behind its back. A fault of the file is told by a
/// later write, at the latest by the flush, which waits until everything is written.
pub(super) fn write_behind<T>(
    file: &mut File,
    produce: impl FnOnce(&mut dyn Write) -> Result<T, WriteError>,
) -> Result<T, WriteError> {
    thread::scope(|scope| {
        let (full, to_write) = sync_channel::<Vec<u8>>(BUFFERS);
        let (written, empty) = sync_channel(BUFFERS);
        scope.spawn(move || {
            for buffer in to_write {
                let outcome = file.write_all(&buffer).map(|()| buffer);
                let failed = outcome.is_err();
                // Nobody listens any more when the producer gave up.
                if written.send(outcome).is_err() || failed {
                    return;
                }
            }
        });
        produce(&mut Behind { buffer: Vec::with_capacity(BUFFER), full, empty, on_the_way: 0 })
    })
}

struct Behind {
    buffer: Vec<u8>,
    full: SyncSender<Vec<u8>>,
    empty: Receiver<io::Result<Vec<u8>>>,
    on_the_way: usize,
}

impl Behind {
    fn hand_over(&mut self) -> io::Result<()> {
        let next = if self.on_the_way + 1 < BUFFERS { Vec::with_capacity(BUFFER) } else { self.reclaim()? };
        let buffer = std::mem::replace(&mut self.buffer, next);
        if self.full.send(buffer).is_err() {
            // The other side has stopped, and says why.
            return self.reclaim().map(|_| ());
        }
        self.on_the_way += 1;
        Ok(())
    }

    /// A buffer that was written.
    fn reclaim(&mut self) -> io::Result<Vec<u8>> {
        let gone = |_| io::Error::other("the thread that writes has ended");
        let mut buffer = self.empty.recv().map_err(gone)??;
        self.on_the_way -= 1;
        buffer.clear();
        Ok(buffer)
    }
}

impl Write for Behind {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = bytes.len().min(BUFFER - self.buffer.len());
        self.buffer.extend_from_slice(&bytes[..count]);
        if self.buffer.len() == BUFFER {
            self.hand_over()?;
        }
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        if !self.buffer.is_empty() {
            self.hand_over()?;
        }
        while self.on_the_way > 0 {
            self.reclaim()?;
        }
        Ok(())
    }
}
