//! Finds where the hexadecimal digits of a literal end, for a very long one with several threads.

use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

/// Digits are searched for their end and then checked in pieces that stay in the cache between the two.
const PIECE: usize = 1 << 16;

/// How much a thread takes at a time, and how many digits are read before other threads are started.
const WINDOW: usize = 1 << 19;

/// A few threads saturate the memory bandwidth.
const THREADS: usize = 4;

/// The offset of the first byte from `start` on that is not a hexadecimal digit, or the end of the text. Calls
/// `release` with ranges that will not be read again soon.
pub(super) fn end(bytes: &[u8], start: usize, release: &(dyn Fn(Range<usize>) + Sync)) -> usize {
    let alone = start.saturating_add(WINDOW).min(bytes.len());
    let end = start + leading(&bytes[start.min(alone)..alone]);
    release(start..end);
    if end < alone || alone == bytes.len() {
        return end;
    }
    let search =
        DigitSearch { bytes, start: alone, next: AtomicUsize::new(0), end: AtomicUsize::new(bytes.len()) };
    let helpers = thread::available_parallelism().map_or(1, usize::from).min(THREADS) - 1;
    thread::scope(|scope| {
        for _ in 0..helpers {
            // Without a thread the others do its work.
            let _ = thread::Builder::new().spawn_scoped(scope, || search.work(release));
        }
        search.work(release);
    });
    search.end.into_inner()
}

/// A search by windows, which threads take in order.
struct DigitSearch<'a> {
    bytes: &'a [u8],
    start: usize,
    next: AtomicUsize,
    /// The first byte known not to be a digit. Some thread searches every window before it to its end.
    end: AtomicUsize,
}

impl DigitSearch<'_> {
    fn work(&self, release: &dyn Fn(Range<usize>)) {
        loop {
            let start = self.start + self.next.fetch_add(1, Ordering::Relaxed) * WINDOW;
            if start >= self.end.load(Ordering::Relaxed) {
                return;
            }
            let window = &self.bytes[start..self.bytes.len().min(start + WINDOW)];
            let digits = leading(window);
            release(start..start + digits);
            if digits < window.len() {
                self.end.fetch_min(start + digits, Ordering::Relaxed);
                return;
            }
        }
    }
}

/// The number of leading hexadecimal digits in `bytes`.
fn leading(bytes: &[u8]) -> usize {
    let mut at = 0;
    for piece in bytes.chunks(PIECE) {
        let quote = memchr::memchr(b'"', piece).unwrap_or(piece.len());
        if !const_hex::check_raw(&piece[..quote]) {
            let other = piece.iter().position(|byte| !byte.is_ascii_hexdigit());
            return at + other.unwrap_or(quote);
        }
        at += quote;
        if quote < piece.len() {
            break;
        }
    }
    at
}

#[cfg(test)]
mod tests {
    use super::{PIECE, WINDOW, end, leading};

    /// Digits up to `len`, then `other`, then digits again and a quote.
    fn text(len: usize, other: u8) -> Vec<u8> {
        let mut bytes = vec![b'7'; len];
        bytes.push(other);
        bytes.resize(len + 2 * WINDOW, b'F');
        bytes.push(b'"');
        bytes
    }

    #[test]
    fn first_byte_that_is_no_digit_ends_the_digits() {
        for len in
            [0, 1, 63, PIECE - 1, PIECE, WINDOW - 1, WINDOW, WINDOW + 1, 3 * WINDOW - 1, 5 * WINDOW + 77]
        {
            for other in [b'"', b'\\', b'\n', b'g', 0xFF] {
                let bytes = text(len, other);
                assert_eq!(end(&bytes, 0, &|_| {}), len, "{len} {other}");
                assert_eq!(leading(&bytes), len, "{len} {other}");
            }
        }
    }

    #[test]
    fn digits_may_end_with_the_text() {
        for len in [0, 5, WINDOW, WINDOW + 1, 4 * WINDOW] {
            let bytes = vec![b'a'; len + 3];
            assert_eq!(end(&bytes, 3, &|_| {}), len + 3);
        }
    }

    #[test]
    fn every_digit_is_released_once() {
        let bytes = text(7 * WINDOW + 9, b'"');
        let released = std::sync::atomic::AtomicUsize::new(0);
        let end = end(&bytes, 0, &|range| {
            released.fetch_add(range.len(), std::sync::atomic::Ordering::Relaxed);
        });
        assert!(released.into_inner() >= end);
    }
}
