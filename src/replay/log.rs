//! A saved log as a stream of bytes, unzipped where it is zipped.

use std::fs::File;
use std::io::{self, BufReader, Cursor, Read};
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::time::Duration;

use flate2::bufread::MultiGzDecoder;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

/// What a gzip file begins with (RFC 1952, section 2.3.1).
const GZIP: [u8; 2] = [0x1F, 0x8B];

/// A log that is read.
pub(super) struct Log {
    bytes: Bytes,
    /// Where they come from.
    source: Option<OwnedFd>,
}

enum Bytes {
    /// As it is.
    Plain(Box<dyn Read>),
    /// Zipped, maybe in several members: rotated logs are often put together.
    Zipped(Box<MultiGzDecoder<BufReader<Box<dyn Read>>>>),
    /// Zipped, and it cannot be read to its end: why.
    Damaged(&'static str),
}

impl Log {
    /// Opens a file; `-` is standard input.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let source = if path.as_os_str() == "-" {
            io::stdin().as_fd().try_clone_to_owned()?
        } else {
            File::open(path)?.into()
        };
        Ok(Self {
            source: Some(source.try_clone()?),
            ..Self::new(Box::new(File::from(source)))?
        })
    }

    /// The first bytes tell whether it is zipped, not the name.
    fn new(mut log: Box<dyn Read>) -> io::Result<Self> {
        let mut begin = Vec::new();
        log.by_ref()
            .take(GZIP.len() as u64)
            .read_to_end(&mut begin)?;
        let zipped = begin == GZIP;
        let log: Box<dyn Read> = Box::new(Cursor::new(begin).chain(log));
        let bytes = if zipped {
            Bytes::Zipped(Box::new(MultiGzDecoder::new(BufReader::new(log))))
        } else {
            Bytes::Plain(log)
        };
        Ok(Self {
            bytes,
            source: None,
        })
    }

    /// Whether no more bytes come for so long: somebody still writes the log.
    pub(super) fn pauses(&self, length: Duration) -> bool {
        let (Some(source), Bytes::Plain(_)) = (&self.source, &self.bytes) else {
            return false;
        };
        let length = PollTimeout::try_from(length).unwrap_or(PollTimeout::MAX);
        poll(
            &mut [PollFd::new(source.as_fd(), PollFlags::POLLIN)],
            length,
        ) == Ok(0)
    }

    /// The next bytes, as many as there are; none at the end.
    pub(super) fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let read = match &mut self.bytes {
                Bytes::Plain(log) => log.read(buffer),
                Bytes::Zipped(log) => log.read(buffer),
                Bytes::Damaged(_) => Ok(0),
            };
            match read {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                // The kernel's errors have a number, the unzipper's have none.
                Err(error)
                    if matches!(self.bytes, Bytes::Zipped(_)) && error.raw_os_error().is_none() =>
                {
                    self.bytes = Bytes::Damaged(match error.kind() {
                        io::ErrorKind::UnexpectedEof => "ends in the middle of its gzip data",
                        _ => "is damaged gzip data",
                    });
                }
                read => return read,
            }
        }
    }

    /// Why it could not be read to its end.
    pub(super) fn damage(&self) -> Option<&'static str> {
        match self.bytes {
            Bytes::Damaged(why) => Some(why),
            Bytes::Plain(_) | Bytes::Zipped(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;

    fn zip(text: &[u8]) -> Vec<u8> {
        let mut zipped = GzEncoder::new(Vec::new(), Compression::default());
        zipped.write_all(text).expect("memory");
        zipped.finish().expect("memory")
    }

    /// What can be read, and whether there was damage.
    fn read(log: Vec<u8>) -> (Vec<u8>, Option<&'static str>) {
        let mut log = Log::new(Box::new(Cursor::new(log))).expect("memory");
        let (mut text, mut buffer) = (Vec::new(), [0; 100]);
        loop {
            match log.read(&mut buffer).expect("memory") {
                0 => return (text, log.damage()),
                len => text.extend_from_slice(&buffer[..len]),
            }
        }
    }

    #[test]
    fn what_is_not_zipped_is_read_as_it_is() {
        for plain in ["", "\u{1f}", "text", "\u{1f}\u{8b}"] {
            assert_eq!(
                read(plain.as_bytes().to_vec()),
                (plain.as_bytes().to_vec(), None)
            );
        }
    }

    #[test]
    fn several_members_are_one_log() {
        let log = [zip(b"one\n"), zip(b""), zip(b"two\n")].concat();
        assert_eq!(read(log), (b"one\ntwo\n".to_vec(), None));
    }

    #[test]
    fn a_zipped_log_that_was_cut_is_read_as_far_as_it_goes() {
        let text: Vec<u8> = (0..2000_u32)
            .flat_map(|n| format!("{}\n", n.wrapping_mul(2_654_435_761)).into_bytes())
            .collect();
        let log = zip(&text);
        for cut in [3, 20, log.len() / 2, log.len() - 9, log.len() - 1] {
            let (part, damage) = read(log[..cut].to_vec());
            assert!(text.starts_with(&part), "cut at {cut}");
            assert_eq!(damage, Some("ends in the middle of its gzip data"));
        }
        assert!(read(log[..log.len() / 2].to_vec()).0.len() > text.len() / 4);
        assert_eq!(read(log[..log.len() - 1].to_vec()).0, text);
    }

    #[test]
    fn garbage_behind_a_zipped_log_is_damage_and_no_failure() {
        let mut log = zip(b"text\n");
        log.extend_from_slice(b"garbage, and some more of it");
        assert_eq!(
            read(log),
            (b"text\n".to_vec(), Some("is damaged gzip data"))
        );
    }
}
