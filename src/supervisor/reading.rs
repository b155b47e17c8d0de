//! The command's stderr as it comes.

use std::io;

use super::Watch;
use super::deadlines::is_due;
use super::stream::Stream;
use crate::gate::OnLeak;

/// What a pipe holds at most: behind the command's end, so much may still be its own.
const PIPE_HOLDS: usize = 1 << 20;

/// So much is read before signals, deadlines and the room for it are looked at again: so many packets, so many bytes.
pub(super) const READS_A_TURN: usize = 256;
const BYTES_A_TURN: usize = 1 << 20;

/// What came of a read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// More may come.
    More,
    /// The end.
    End,
    /// Only processes that outlived the command can write more.
    OthersOnly,
}

impl Watch<'_> {
    /// What is held was text after all, if its time is over. Only behind a read: what came in time counts, also where we
    /// had to wait for a processor ourselves.
    pub(super) fn give_up_hold(&mut self) {
        if is_due(&mut self.deadlines.release.due) {
            self.flow.release();
            self.pass_on();
        }
    }

    /// Reads what there is.
    pub(super) fn read(&mut self, stream: &Stream) -> io::Result<Found> {
        let mut buffer = std::mem::take(&mut self.buffer);
        let mut found = Ok(Found::More);
        let mut read = 0;
        // What is decided behind this read must not be decided without what has come.
        let is_last =
            self.drain_is_over || self.deadlines.release.is_due() || self.stopping.is_some();
        let mut reads = 0;
        // A burst is always read to its end.
        while stream.is_in_burst() || (reads < READS_A_TURN && read < BYTES_A_TURN) {
            reads += 1;
            let result = if is_last {
                stream.read_now(&mut buffer)
            } else {
                stream.read(&mut buffer)
            };
            match result {
                Ok(0) => found = Ok(Found::End),
                Ok(len) => {
                    self.flow.feed(&buffer[..len]);
                    read += len;
                    continue;
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    if self.drain_is_over {
                        found = Ok(Found::OthersOnly);
                    }
                }
                Err(error) => found = Err(error),
            }
            break;
        }
        self.buffer = buffer;
        if self.end.is_some() {
            self.read_after_end += read;
        }
        self.pass_on();
        if self.drain_is_over
            && self.read_after_end > PIPE_HOLDS
            && matches!(found, Ok(Found::More))
        {
            return Ok(Found::OthersOnly);
        }
        found
    }

    /// Hands out what came of the last reads.
    pub(super) fn pass_on(&mut self) {
        if self.flow.pass_on() && self.config.gate.on_leak == OnLeak::Stop {
            self.stop("it leaks");
        }
        self.deadlines.release.update(self.flow.holding());
    }
}
