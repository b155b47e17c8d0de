//! All the packets that wait in a pipe, taken over at once.
//!
//! A read(2) takes one packet, and where the pipe was full each wakes the writer and then waits for it, both of them in
//! turn for each packet. splice(2) moves all that is there to a pipe of our own, with the edges of writes and without a
//! copy (`fs/splice.c`, `splice_pipe_to_pipe`), and nobody waits for that.
//!
//! Where little waits, since we read as fast as the command writes, a take-over is a call more for nothing: then packets
//! are read from the command's own pipe for a while.

use std::cell::Cell;
use std::os::fd::{AsFd, OwnedFd};

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, SpliceFFlags, fcntl, splice};
use nix::unistd::{pipe2, read};

/// As much as there is: a packet must not be cut.
const ALL: usize = 1 << 30;

/// A take-over is worth its call from so many packets on.
const WORTH_IT: u32 = 8;
/// Where it was not, so many packets are read one by one before the next.
const ONE_BY_ONE: u32 = 32;

/// A pipe of our own, with what was taken over.
#[derive(Debug)]
pub(super) struct Burst {
    reader: OwnedFd,
    writer: OwnedFd,
    /// How many bytes are in it.
    left: Cell<usize>,
    /// How many packets were read of what was taken over last.
    packets: Cell<u32>,
    /// So many packets are to be read one by one.
    one_by_one: Cell<u32>,
}

impl Burst {
    /// An empty one that has room for what a pipe of that size holds; `None` where there can be none.
    pub(super) fn new(size: i32) -> Option<Self> {
        let flags = OFlag::O_CLOEXEC | OFlag::O_DIRECT | OFlag::O_NONBLOCK;
        let (reader, writer) = pipe2(flags).ok()?;
        // With less room a burst is shorter.
        let _ = fcntl(&writer, FcntlArg::F_SETPIPE_SZ(size));
        Some(Self {
            reader,
            writer,
            left: Cell::new(0),
            packets: Cell::new(0),
            one_by_one: Cell::new(0),
        })
    }

    pub(super) fn is_empty(&self) -> bool {
        self.left.get() == 0
    }

    /// The next packet of those that were taken over; `None` where none is left.
    pub(super) fn next(&self, buffer: &mut [u8]) -> Option<Result<usize, Errno>> {
        if self.is_empty() {
            return None;
        }
        let result = read(&self.reader, buffer);
        // An error leaves it unknown what is there, so no more is read from it.
        let len = result.unwrap_or(self.left.get());
        self.left.set(self.left.get().saturating_sub(len));
        self.packets.set(self.packets.get() + 1);
        if self.is_empty() && self.packets.get() < WORTH_IT {
            self.one_by_one.set(ONE_BY_ONE);
        }
        Some(result)
    }

    /// Whether the next packet is to be read from the command's pipe itself; says so for a number of packets.
    pub(super) fn read_one(&self) -> bool {
        let left = self.one_by_one.get();
        self.one_by_one.set(left.saturating_sub(1));
        left > 0
    }

    /// Takes over what waits in `pipe`, and says how many bytes that is; zero is the end, and `EAGAIN` that nothing waits.
    pub(super) fn take_over(&self, pipe: impl AsFd) -> Result<usize, Errno> {
        let moved = splice(
            pipe,
            None,
            &self.writer,
            None,
            ALL,
            SpliceFFlags::SPLICE_F_NONBLOCK,
        )?;
        self.left.set(moved);
        self.packets.set(0);
        Ok(moved)
    }
}

#[cfg(test)]
mod tests {
    use nix::unistd::write;

    use super::*;

    #[test]
    fn packets_come_as_they_were_written_and_then_the_end() {
        let (ours, theirs) = pipe2(OFlag::O_CLOEXEC | OFlag::O_DIRECT).expect("a pipe");
        let burst = Burst::new(1 << 20).expect("a pipe of our own");
        let mut buffer = [0; 8192];
        assert_eq!(burst.take_over(&ours), Err(Errno::EAGAIN));
        assert_eq!(burst.next(&mut buffer), None);
        let writes: [&[u8]; 4] = [b"gc ", b"1", &[7; 5000], b"\n"];
        for bytes in writes {
            write(&theirs, bytes).expect("there is room");
        }
        assert_eq!(burst.take_over(&ours), Ok(5005));
        // What is longer than a page comes in pages.
        assert!(!burst.read_one());
        for packet in [b"gc ".as_slice(), b"1", &[7; 4096], &[7; 904], b"\n"] {
            assert_eq!(burst.next(&mut buffer), Some(Ok(packet.len())));
            assert!(buffer.starts_with(packet));
        }
        assert_eq!(burst.next(&mut buffer), None);
        // That was little, so a number of packets is read one by one.
        for _ in 0..ONE_BY_ONE {
            assert!(burst.read_one());
        }
        assert!(!burst.read_one());
        drop(theirs);
        assert_eq!(burst.take_over(&ours), Ok(0));
    }
}
