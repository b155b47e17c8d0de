//! The command has ended and others still hold its stderr: a daemon, a job in the background. A process that does nothing
//! else goes on taking trace lines out of what they write, so that gcwatch can end at once and they notice nothing.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::time::Instant;

use nix::errno::Errno;
use nix::libc;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::unistd::{ForkResult, chdir, fork, setsid};

use super::deadlines::{Hold, is_due};
use super::descriptors::{keep_only, stderr_tells_of_its_reader};
use super::reading::READS_A_TURN;
use super::reap::is_init;
use super::sink::{Reader, write_bytes};
use super::stream::{Kind, READ, read_once};
use crate::splitter::{Split, Splitter};

/// The stderr that others still hold, and what was held back of it.
#[derive(Debug)]
pub(super) struct Survivors {
    pub(super) stderr: OwnedFd,
    pub(super) kind: Kind,
    pub(super) splitter: Splitter,
}

/// Leaves a process behind that serves them until they let go of it, or nobody reads our stderr any more.
///
/// The first process of a PID namespace leaves none: the kernel ends everything with it.
pub(super) fn leave_behind(survivors: Survivors) {
    if is_init() {
        return;
    }
    #[expect(
        unsafe_code,
        reason = "a fork keeps what is held back, and finds itself where /proc is missing"
    )]
    // SAFETY: of other threads there may be the one that is stuck in write(2) and holds no lock, and a watcher that was not
    // waited for any longer: fork(3) hands the allocator over whole, and its other locks are none of the child's.
    match unsafe { fork() } {
        Ok(ForkResult::Parent { child }) => {
            tracing::info!(%child, "others still hold stderr: a relay stays");
        }
        Ok(ForkResult::Child) => {
            serve(survivors);
            #[expect(
                unsafe_code,
                reason = "std::process::exit would run the parent's exit handlers in the child"
            )]
            // SAFETY: _exit(2) only ends the process; exit handlers are the parent's.
            unsafe {
                libc::_exit(0)
            }
        }
        Err(errno) => tracing::warn!(%errno, "others still hold stderr, and no relay can be made"),
    }
}

/// The relay. All signals are blocked: those who end a job by signals find its survivors, and it ends with them.
fn serve(survivors: Survivors) {
    let Survivors {
        stderr,
        kind,
        mut splitter,
    } = survivors;
    // The terminal's and the shell's business with the job is over; a daemon has left it as well.
    let _ = setsid();
    let _ = chdir("/");
    let _ = nix::sys::prctl::set_name(c"gcwatch-relay");
    keep_only(&stderr);
    let watched = stderr_tells_of_its_reader();
    let mut buffer = vec![0; READ];
    let mut split = Split::default();
    let mut hold = Hold::default();
    loop {
        if !wait(&stderr, watched, hold.due) {
            return;
        }
        let at_end = read_turn(&stderr, kind, &mut buffer, |read| {
            splitter.push(read, &mut split);
        });
        hold.update(splitter.holding());
        if at_end {
            splitter.finish(&mut split);
        } else if is_due(&mut hold.due) {
            splitter.release(&mut split);
            hold.update(splitter.holding());
        }
        if write_bytes(io::stderr().as_fd(), &split.text, false, |_| {}) == Reader::Gone || at_end {
            return;
        }
        split.clear();
    }
}

/// Reads what there is, and says whether that was the end.
fn read_turn(stderr: &OwnedFd, kind: Kind, buffer: &mut [u8], mut push: impl FnMut(&[u8])) -> bool {
    for _ in 0..READS_A_TURN {
        match read_once(stderr, kind, buffer) {
            Ok(0) => return true,
            Ok(len) => push(&buffer[..len]),
            Err(Errno::EAGAIN) => return false,
            Err(_) => return true,
        }
    }
    false
}

/// Waits for bytes or the deadline; says whether anybody can read our stderr.
fn wait(stderr: &OwnedFd, watched: bool, due: Option<Instant>) -> bool {
    let ours = io::stderr();
    let mut fds = vec![PollFd::new(stderr.as_fd(), PollFlags::POLLIN)];
    if watched {
        fds.push(PollFd::new(ours.as_fd(), PollFlags::empty()));
    }
    let timeout = due.map_or(PollTimeout::NONE, |due| {
        // Up to the next millisecond: in the last one poll(2) would not wait at all.
        let left = due.saturating_duration_since(Instant::now()).as_millis() + 1;
        PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX)
    });
    let _ = poll(&mut fds, timeout);
    fds.get(1)
        .and_then(PollFd::revents)
        .is_none_or(|events| !events.intersects(PollFlags::POLLERR | PollFlags::POLLHUP))
}
