//! Decompresses texts, and spools them and pipes into an anonymous file.
//!
//! Later stages need all bytes at once, and a text may be larger than the memory. The file has no name, so nothing is
//! left of it, however the process ends.

use super::{Limit, TooLarge};
use ruzstd::decoding::StreamingDecoder;
use ruzstd::decoding::errors::{FrameDecoderError, ReadFrameHeaderError};
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek, Write};

/// How a stream is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Compression {
    /// RFC 1952.
    Gzip,
    /// RFC 8878.
    Zstandard,
}

impl Compression {
    /// The compression that the first bytes of a file indicate. No text begins with them.
    pub(super) fn of(head: &[u8]) -> Option<Self> {
        match head {
            [0x1F, 0x8B, ..] => Some(Compression::Gzip),
            // A frame, or one that is skipped.
            [0x28, 0xB5, 0x2F, 0xFD, ..] | [0x50..=0x5F, 0x2A, 0x4D, 0x18, ..] => {
                Some(Compression::Zstandard)
            }
            _ => None,
        }
    }
}

/// The text of a stream in a file without a name, decompressed where it is compressed.
///
/// # Errors
/// If the stream cannot be read or decompressed, exceeds the limit, or there is no disk space.
pub(super) fn spool(stream: impl Read, limit: Limit) -> io::Result<File> {
    let mut file = tempfile::tempfile()?;
    unpack(BufReader::with_capacity(1 << 16, stream), &mut file, limit)?;
    file.flush()?;
    file.rewind()?;
    Ok(file)
}

/// The bytes of a file in memory, decompressed where they are compressed.
///
/// # Errors
/// If they cannot be decompressed, or exceed the limit.
pub(super) fn in_memory(bytes: Vec<u8>, limit: Limit) -> io::Result<Vec<u8>> {
    if Compression::of(&bytes).is_none() {
        let limit = limit.of_files();
        return if bytes.len() as u64 > limit { Err(TooLarge { limit }.into()) } else { Ok(bytes) };
    }
    let mut text = Vec::new();
    unpack(bytes.as_slice(), &mut text, limit)?;
    Ok(text)
}

fn unpack(mut stream: impl BufRead, out: &mut impl Write, limit: Limit) -> io::Result<u64> {
    let limit = limit.of_streams();
    match Compression::of(stream.fill_buf()?) {
        None => copy(stream, out, limit, limit),
        Some(Compression::Gzip) => unpack_members(stream, out, limit),
        Some(Compression::Zstandard) => unpack_frames(stream, out, limit),
    }
}

/// Copies a stream of at most `left` bytes, and returns its length.
fn copy(stream: impl Read, out: &mut impl Write, left: u64, limit: u64) -> io::Result<u64> {
    let copied = io::copy(&mut stream.take(left.saturating_add(1)), out)?;
    if copied > left { Err(TooLarge { limit }.into()) } else { Ok(copied) }
}

/// All members of a gzip stream. Zeros after the last one are padding, as for `gzip` itself.
fn unpack_members(mut stream: impl BufRead, out: &mut impl Write, limit: u64) -> io::Result<u64> {
    let mut written = 0;
    loop {
        let mut member = flate2::bufread::GzDecoder::new(stream);
        written += copy(&mut member, out, limit - written, limit)?;
        stream = member.into_inner();
        loop {
            let bytes = stream.fill_buf()?;
            if bytes.is_empty() {
                return Ok(written);
            }
            let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
            let is_padding = zeros == bytes.len();
            stream.consume(zeros);
            if !is_padding {
                break;
            }
        }
    }
}

/// All frames of a Zstandard stream, which may have several.
fn unpack_frames(mut stream: impl BufRead, out: &mut impl Write, limit: u64) -> io::Result<u64> {
    let mut written = 0;
    while !stream.fill_buf()?.is_empty() {
        let mut frame = match StreamingDecoder::new(&mut stream) {
            Ok(frame) => frame,
            Err(FrameDecoderError::ReadFrameHeaderError(ReadFrameHeaderError::SkipFrame {
                length, ..
            })) => {
                io::copy(&mut stream.by_ref().take(length.into()), &mut io::sink())?;
                continue;
            }
            Err(error) => return Err(io::Error::new(io::ErrorKind::InvalidData, error)),
        };
        written += copy(&mut frame, out, limit - written, limit)?;
        let stored = frame.decoder.get_checksum_from_data();
        if stored.is_some() && stored != frame.decoder.get_calculated_checksum() {
            let why = "the checksum of a frame does not match: the file is damaged";
            return Err(io::Error::new(io::ErrorKind::InvalidData, why));
        }
    }
    Ok(written)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unpacked(bytes: &[u8]) -> io::Result<String> {
        let mut text = String::new();
        spool(bytes, Limit::default())?.read_to_string(&mut text)?;
        assert_eq!(in_memory(bytes.to_vec(), Limit::default())?, text.as_bytes());
        Ok(text)
    }

    fn gzip(text: &str) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(text.as_bytes()).and_then(|()| encoder.finish()).expect("memory takes all bytes")
    }

    fn zstandard(text: &str) -> Vec<u8> {
        ruzstd::encoding::compress_to_vec(text.as_bytes(), ruzstd::encoding::CompressionLevel::Fastest)
    }

    #[test]
    fn streams_become_their_text() {
        let text = "module {}\n".repeat(20_000);
        assert_eq!(unpacked(text.as_bytes()).expect("plain"), text);
        assert_eq!(unpacked(&gzip(&text)).expect("gzip"), text);
        assert_eq!(unpacked(&zstandard(&text)).expect("zstd"), text);
        assert_eq!(unpacked(&[]).expect("nothing"), "");
    }

    #[test]
    fn members_and_frames_follow_each_other() {
        assert_eq!(unpacked(&[gzip("mod"), gzip("ule {}")].concat()).expect("gzip"), "module {}");
        assert_eq!(unpacked(&[gzip("module {}"), vec![0; 100_000]].concat()).expect("padding"), "module {}");
        assert!(unpacked(&[gzip("module {}"), b"text".to_vec()].concat()).is_err());
        assert_eq!(unpacked(&[zstandard("mod"), zstandard("ule {}")].concat()).expect("zstd"), "module {}");
    }

    #[test]
    fn frames_that_are_skipped_are_skipped() {
        let skipped = [&[0x51, 0x2A, 0x4D, 0x18, 3, 0, 0, 0][..], b"abc"].concat();
        let streams =
            [[skipped.clone(), zstandard("module {}")].concat(), [zstandard("module {}"), skipped].concat()];
        for stream in streams {
            assert_eq!(unpacked(&stream).expect("zstd"), "module {}");
        }
    }

    #[test]
    fn a_checksum_that_does_not_match_is_an_error() {
        let mut stream = zstandard(&"module {}\n".repeat(100));
        // The encoder writes a checksum at the end.
        *stream.last_mut().expect("a stream") ^= 1;
        assert!(unpacked(&stream).is_err());
    }

    #[test]
    fn a_stream_is_read_up_to_the_limit() {
        let text = "module {}\n".repeat(20_000);
        let two_frames = [zstandard(&text[..100_000]), zstandard(&text[100_000..])].concat();
        for packed in [text.clone().into_bytes(), gzip(&text), zstandard(&text), two_frames] {
            assert!(spool(packed.as_slice(), Limit(Some(200_000))).is_ok());
            let error = spool(packed.as_slice(), Limit(Some(199_999))).expect_err("it is longer");
            assert_eq!(TooLarge::of(&error), Some(TooLarge { limit: 199_999 }));
        }
        // This stream is endless.
        assert!(spool(io::repeat(b' '), Limit(Some(1 << 20))).is_err());
    }

    #[test]
    fn a_stream_that_breaks_off_is_an_error() {
        let text = "module {}\n".repeat(1000);
        let (gzip, zstandard) = (gzip(&text), zstandard(&text));
        assert!(unpacked(&gzip[..gzip.len() / 2]).is_err());
        assert!(unpacked(&zstandard[..zstandard.len() / 2]).is_err());
    }
}
