//! Our stderr: takes the command's text and our own lines, on a thread of its own if they have to wait, and never changes a
//! byte of the former.
//!
//! Our stderr is shared with others, so it must not be made non-blocking, and a write may block for ever. While it does, the
//! command's trace lines are still read, as long as there is room for its text; when there is none, the command waits, as it
//! would have waited itself.
//!
//! Where the kernel can write without waiting, the thread is left asleep as long as all is taken at once: to wake it for each
//! line of a log costs more than to pass the line on.

mod at_once;

use std::cell::Cell;
use std::io::{self, IsTerminal};
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::termios::{LocalFlags, tcgetattr};
use nix::unistd::{getpgrp, tcgetpgrp, write};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::sync::Notify;

use self::at_once::write_at_once;
use super::descriptors::stderr_tells_of_its_reader;
use super::signals;
use crate::error::Error;

/// So much text waits at most before the command has to.
const ROOM: usize = 1 << 20;

/// So much a pipe takes without letting other writers in between (pipe(7), `PIPE_BUF`). Under `2>&1` the command's stdout
/// is such a writer.
const PIECE: usize = 4096;

/// What is looked for in our stderr: an error, and the hangup that comes with any other interest.
const LOSS: Interest = Interest::ERROR.add(Interest::PRIORITY);

#[derive(Debug, Default)]
struct State {
    queue: Vec<u8>,
    /// The thread writes.
    busy: bool,
    /// No more will come.
    closed: bool,
    /// The reader is gone: EPIPE.
    gone: bool,
    /// How many bytes our stderr has taken.
    taken: u64,
}

impl State {
    fn is_idle(&self) -> bool {
        self.queue.is_empty() && !self.busy
    }
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
    /// Our stderr, where the kernel tells that its last reader has gone.
    reader: Option<AsyncFd<io::Stderr>>,
    /// Whether writes that do not wait may be tried.
    writes_at_once: Cell<bool>,
}

impl Sink {
    /// Starts the thread; inside a runtime. `stops` says whether a terminal may stop who writes from the background.
    pub(super) fn start(stops: bool) -> Result<Self, Error> {
        let shared = Arc::new(Shared::default());
        let of_thread = Arc::clone(&shared);
        let is_terminal = io::stderr().is_terminal();
        let stops = stops && is_terminal;
        thread::Builder::new()
            .name("stderr".into())
            .spawn(move || write_all(&of_thread, io::stderr().as_fd(), stops))
            .map_err(Error::plumbing("start a thread"))?;
        Ok(Self {
            shared,
            notices: Vec::new(),
            at_line_start: true,
            reader: watch_reader(),
            // A terminal stops jobs, and makes them wait, in its own ways.
            writes_at_once: Cell::new(!is_terminal),
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
        let state = self.shared.lock();
        state.closed && state.is_idle()
    }

    /// Whether all that came so far is written.
    pub(super) fn is_idle(&self) -> bool {
        self.shared.lock().is_idle()
    }

    /// How many bytes our stderr has taken so far.
    pub(super) fn taken(&self) -> u64 {
        self.shared.lock().taken
    }

    /// Waits until one of these may have changed.
    pub(super) async fn changed(&mut self) {
        let Some(reader) = &self.reader else {
            self.shared.changed.notified().await;
            return;
        };
        tokio::select! {
            () = self.shared.changed.notified() => {}
            ready = reader.ready(LOSS) => {
                if let Ok(mut ready) = ready
                    && !(ready.ready().is_error() || ready.ready().is_read_closed())
                {
                    // Out-of-band data.
                    ready.clear_ready();
                    return;
                }
                // It stays so: to look again would be to spin.
                self.reader = None;
                self.shared.lock().gone = true;
            }
        }
    }

    fn queue(&self, bytes: &[u8]) {
        let mut state = self.shared.lock();
        // The thread sleeps as long as nothing is queued, and nobody else queues.
        let rest = if self.writes_at_once.get() && state.is_idle() && !state.gone {
            self.write_at_once(&mut state, bytes)
        } else {
            bytes
        };
        if !rest.is_empty() {
            state.queue.extend_from_slice(rest);
            self.shared.more.notify_one();
        }
    }

    /// Writes as much as is taken without waiting, and gives the rest back.
    fn write_at_once<'a>(&self, state: &mut State, mut bytes: &'a [u8]) -> &'a [u8] {
        while !bytes.is_empty() {
            match write_at_once(io::stderr(), &bytes[..piece_len(bytes)]) {
                Ok(written) => {
                    state.taken += written as u64;
                    bytes = &bytes[written..];
                }
                Err(Errno::EINTR) => {}
                Err(Errno::EPIPE) => {
                    state.gone = true;
                    self.shared.changed.notify_one();
                    return &[];
                }
                Err(Errno::EAGAIN) => break,
                // The kernel knows no such writes here; or one that the thread is to see too.
                Err(_) => {
                    self.writes_at_once.set(false);
                    break;
                }
            }
        }
        bytes
    }
}

/// A pipe tells at once that its last reader has gone (`EPOLLERR`), and a socket too (`EPOLLHUP`). So the command notices
/// at its next write, as it would without us, and not at the one after that. Of other kinds of stderr only a write tells.
fn watch_reader() -> Option<AsyncFd<io::Stderr>> {
    if !stderr_tells_of_its_reader() {
        return None;
    }
    // SAFETY: the standard descriptors stay open as long as the process lives.
    #[expect(unsafe_code, reason = "tokio asks for this promise")]
    unsafe { AsyncFd::register_with_interest(io::stderr(), LOSS) }.ok()
}

/// The thread.
fn write_all(shared: &Shared, stderr: BorrowedFd<'_>, stops: bool) {
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
            return;
        }
        bytes.clear();
        std::mem::swap(&mut bytes, &mut state.queue);
        state.busy = true;
        let gone = state.gone;
        drop(state);
        if !gone {
            let reader = write_bytes(stderr, &bytes, stops, |len| {
                shared.lock().taken += len as u64;
            });
            if reader == Reader::Gone {
                shared.lock().gone = true;
            }
        }
        shared.lock().busy = false;
        shared.changed.notify_one();
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reader {
    /// There is one, or nobody can know.
    There,
    /// EPIPE.
    Gone,
}

/// Writes as the command would have: line by line as far as others can tell, waiting where a shared description is
/// non-blocking, and dropping what cannot be written. `taken` is told of every bit of progress.
pub(super) fn write_bytes(
    stderr: BorrowedFd<'_>,
    mut bytes: &[u8],
    stops: bool,
    taken: impl Fn(usize),
) -> Reader {
    while !bytes.is_empty() {
        let (piece, rest) = bytes.split_at(piece_len(bytes));
        let written = if stops && stops_writers(stderr) {
            signals::stopped_by_terminal(|| write(stderr, piece))
        } else {
            write(stderr, piece)
        };
        match written {
            Ok(written) => {
                taken(written);
                bytes = &bytes[written..];
            }
            Err(Errno::EINTR) => {}
            Err(Errno::EAGAIN) => wait_writable(stderr),
            Err(Errno::EPIPE) => return Reader::Gone,
            // A full disk, say: the next bytes are tried again.
            Err(errno) => {
                tracing::debug!(%errno, lost = piece.len(), "cannot write to stderr");
                bytes = rest;
            }
        }
    }
    Reader::There
}

/// How much of this goes into one write: whole lines if possible.
fn piece_len(bytes: &[u8]) -> usize {
    if bytes.len() <= PIECE {
        return bytes.len();
    }
    memchr::memrchr(b'\n', &bytes[..PIECE]).map_or(PIECE, |at| at + 1)
}

/// Whether our stderr is a terminal that stops jobs which write from the background (termios(3), TOSTOP), and we are one.
fn stops_writers(stderr: BorrowedFd<'_>) -> bool {
    tcgetpgrp(stderr).is_ok_and(|foreground| foreground != getpgrp())
        && tcgetattr(stderr).is_ok_and(|modes| modes.local_flags.contains(LocalFlags::TOSTOP))
}

/// Waits until `fd` can be written again.
fn wait_writable(fd: BorrowedFd<'_>) {
    let mut fds = [PollFd::new(fd, PollFlags::POLLOUT)];
    let _ = poll(&mut fds, PollTimeout::NONE);
}
