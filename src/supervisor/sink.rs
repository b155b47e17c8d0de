//! Our stderr: takes the command's text and our own lines, on a thread of its own, and never changes a byte of the former.
//!
//! Our stderr is shared with others, so it must not be made non-blocking, and a write may block for ever. While it does, the
//! command's trace lines are still read, as long as there is room for its text; when there is none, the command waits, as it
//! would have waited itself.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

use nix::errno::Errno;
use tokio::sync::Notify;

use super::signals::wait_writable;
use crate::error::Error;

/// So much text waits at most before the command has to.
const ROOM: usize = 1 << 20;

#[derive(Debug, Default)]
struct State {
    queue: Vec<u8>,
    /// No more will come.
    closed: bool,
    /// All that came is written, and no more will come.
    done: bool,
    /// The reader is gone: EPIPE.
    gone: bool,
}

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    /// The thread waits here for bytes.
    more: Condvar,
    /// The loop waits here for room, or for the end.
    changed: Notify,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        // The state is a plain value; a panic elsewhere leaves it whole.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What is written to our stderr.
#[derive(Debug)]
pub(super) struct Sink {
    shared: Arc<Shared>,
    /// Our own lines that wait for the end of the command's line.
    notices: Vec<u8>,
    at_line_start: bool,
}

impl Sink {
    /// Starts the thread.
    pub(super) fn start() -> Result<Self, Error> {
        let shared = Arc::new(Shared::default());
        let of_thread = Arc::clone(&shared);
        thread::Builder::new()
            .name("stderr".into())
            .spawn(move || write_all(&of_thread, io::stderr().as_fd()))
            .map_err(Error::plumbing("start a thread"))?;
        Ok(Self {
            shared,
            notices: Vec::new(),
            at_line_start: true,
        })
    }

    /// Takes text of the command. Our own lines that wait go behind the first line end in it.
    pub(super) fn text(&mut self, text: &[u8]) {
        let Some(last) = text.last() else { return };
        if self.notices.is_empty() {
            self.queue(text);
        } else {
            let line_end = memchr::memchr(b'\n', text).map(|at| at + 1);
            let (line, rest) = text.split_at(line_end.unwrap_or(text.len()));
            self.queue(line);
            if line_end.is_some() {
                let notices = std::mem::take(&mut self.notices);
                self.queue(&notices);
            }
            self.queue(rest);
        }
        self.at_line_start = *last == b'\n';
    }

    /// Takes lines of our own: they come at the beginning of a line, so they wait while the command is in the middle of one.
    pub(super) fn notice(&mut self, lines: &[u8]) {
        if self.at_line_start {
            self.queue(lines);
        } else {
            self.notices.extend_from_slice(lines);
        }
    }

    /// No more will come. Our own lines that still wait end the command's unfinished line.
    pub(super) fn close(&mut self) {
        if !self.notices.is_empty() {
            let notices = std::mem::take(&mut self.notices);
            self.queue(b"\n");
            self.queue(&notices);
        }
        self.shared.lock().closed = true;
        self.shared.more.notify_one();
    }

    /// Whether the command's text may be read.
    pub(super) fn has_room(&self) -> bool {
        self.shared.lock().queue.len() < ROOM
    }

    /// Whether nobody reads our stderr any more.
    pub(super) fn is_gone(&self) -> bool {
        self.shared.lock().gone
    }

    /// Whether all that came is written, after [`close`](Self::close).
    pub(super) fn is_done(&self) -> bool {
        self.shared.lock().done
    }

    /// Waits until one of these may have changed.
    pub(super) async fn changed(&self) {
        self.shared.changed.notified().await;
    }

    fn queue(&self, bytes: &[u8]) {
        if !bytes.is_empty() {
            self.shared.lock().queue.extend_from_slice(bytes);
            self.shared.more.notify_one();
        }
    }
}

/// The thread.
fn write_all(shared: &Shared, stderr: BorrowedFd<'_>) {
    let mut bytes = Vec::new();
    loop {
        let mut state = shared.lock();
        while state.queue.is_empty() && !state.closed {
            state = shared
                .more
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
        if state.queue.is_empty() {
            state.done = true;
            drop(state);
            shared.changed.notify_one();
            return;
        }
        bytes.clear();
        std::mem::swap(&mut bytes, &mut state.queue);
        let gone = state.gone;
        drop(state);
        if !gone && write_bytes(stderr, &bytes) == Reader::Gone {
            shared.lock().gone = true;
        }
        shared.changed.notify_one();
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reader {
    There,
    Gone,
}

/// Writes as the command would have: waits where a shared description is non-blocking, and drops what cannot be written.
fn write_bytes(stderr: BorrowedFd<'_>, mut bytes: &[u8]) -> Reader {
    while !bytes.is_empty() {
        match nix::unistd::write(stderr, bytes) {
            Ok(written) => bytes = &bytes[written..],
            Err(Errno::EINTR) => {}
            Err(Errno::EAGAIN) => wait_writable(stderr),
            Err(Errno::EPIPE) => return Reader::Gone,
            // A full disk, say: the next bytes are tried again.
            Err(errno) => {
                tracing::debug!(%errno, lost = bytes.len(), "cannot write to stderr");
                return Reader::There;
            }
        }
    }
    Reader::There
}
