//! Signals that stop, and the one that continues.

use std::mem::MaybeUninit;

use nix::libc;
use nix::sys::signal::{SigSet, SigmaskHow, Signal, sigprocmask};
use nix::unistd::Pid;

use super::{raise, send, signals};

/// Whether a signal stops by default, and can be handled: SIGSTOP is for debuggers, which mean one process.
pub(super) fn stops(number: i32) -> bool {
    matches!(number, libc::SIGTSTP | libc::SIGTTIN | libc::SIGTTOU)
}

/// A signal that stopped the command and is to stop us, so that a shell notices.
#[derive(Clone, Copy, Debug)]
pub(in crate::supervisor) struct StopSignal(i32);

impl StopSignal {
    /// `None` where it means the command alone.
    pub(in crate::supervisor) fn new(number: i32) -> Option<Self> {
        stops(number).then_some(Self(number))
    }

    /// Stops us.
    ///
    /// Whoever continued us has continued the command as well, or means us to: its stop is then an old story, which SIGCHLD
    /// tells before SIGCONT only because its number is lower.
    pub(in crate::supervisor) fn stop_with_command(self) {
        if !is_pending(libc::SIGCONT) {
            stop_self(self.0);
        }
    }
}

/// A stop that came to the whole group while we were passing on an older SIGCONT has just been undone: it counts.
pub(super) fn stop_again(command: Pid) {
    for stop in [Signal::SIGTSTP, Signal::SIGTTIN, Signal::SIGTTOU] {
        if is_pending(stop as i32) {
            send(command, stop);
        }
    }
}

/// Takes back the stops that were sent before the command's end was noticed: they were the command's, and it has ended.
pub(in crate::supervisor) fn forget_stops() {
    let waiting = signals(stops);
    // Each number waits at most once.
    while take(&waiting) {}
}

/// Whether one of these waited; it does no more.
fn take(waiting: &SigSet) -> bool {
    let at_once = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    #[expect(unsafe_code, reason = "nix has no sigtimedwait")]
    // SAFETY: sigtimedwait(2) reads the set and the time, and is told of no place for what it finds.
    unsafe {
        libc::sigtimedwait(waiting.as_ref(), std::ptr::null_mut(), &raw const at_once) > 0
    }
}

fn is_pending(number: i32) -> bool {
    let mut set = MaybeUninit::<libc::sigset_t>::zeroed();
    // SAFETY: sigpending(2) fills the set in, sigismember(3) looks at it.
    #[expect(unsafe_code, reason = "nix has no sigpending")]
    unsafe {
        libc::sigpending(set.as_mut_ptr()) == 0 && libc::sigismember(set.as_ptr(), number) == 1
    }
}

/// Stops ourselves by the default action of the same signal, as the command has stopped: where the kernel leaves an
/// orphaned group running, we run on too.
pub(super) fn stop_self(number: i32) {
    raise(number);
    // Unblocked, it takes effect here; we go on when somebody continues us.
    let only = signals(|each| each == number);
    let mut before = SigSet::empty();
    let _ = sigprocmask(SigmaskHow::SIG_UNBLOCK, Some(&only), Some(&mut before));
    let _ = sigprocmask(SigmaskHow::SIG_SETMASK, Some(&before), None);
}

/// Lets a terminal stop the whole job while this is written, as it would have stopped it over the command's own write.
pub(in crate::supervisor) fn stopped_by_terminal<T>(write: impl FnOnce() -> T) -> T {
    let only = signals(|each| each == libc::SIGTTOU);
    let mut before = SigSet::empty();
    let _ = sigprocmask(SigmaskHow::SIG_UNBLOCK, Some(&only), Some(&mut before));
    let written = write();
    let _ = sigprocmask(SigmaskHow::SIG_SETMASK, Some(&before), None);
    written
}
