//! The only file that knows signals: which there are, who sent one, and what becomes of it.

use std::io;
use std::os::fd::AsFd;

use nix::errno::Errno;
use nix::libc;
use nix::sys::signal::{
    SaFlags, SigAction, SigHandler, SigSet, SigmaskHow, Signal, kill, raise, sigaction, sigprocmask,
};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::unistd::Pid;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use crate::error::Error;

/// The signal dispositions and the mask that gcwatch was started with.
#[derive(Debug)]
pub(super) struct Inherited {
    mask: SigSet,
    /// Whether SIGPIPE was ignored; Rust ignores it before `main`.
    pipe_ignored: bool,
    /// Whether SIGCHLD was ignored; then nobody could wait for a child.
    child_ignored: bool,
}

/// Synchronous faults: blocked or not, they are our own.
const FAULTS: [Signal; 7] = [
    Signal::SIGSEGV,
    Signal::SIGBUS,
    Signal::SIGFPE,
    Signal::SIGILL,
    Signal::SIGTRAP,
    Signal::SIGSYS,
    Signal::SIGABRT,
];

/// Whether SIGPIPE was ignored when this process began. Rust's runtime ignores it before `main`, so it is looked up before
/// that: the functions in `.init_array` run first.
static PIPE_IGNORED: std::sync::atomic::AtomicBool = std::sync::atomic::AtomicBool::new(false);

extern "C" fn look_at_sigpipe() {
    PIPE_IGNORED.store(
        is_ignored(Signal::SIGPIPE),
        std::sync::atomic::Ordering::Relaxed,
    );
}

#[expect(
    unsafe_code,
    reason = "there is no other moment before Rust's runtime changes SIGPIPE"
)]
#[cfg_attr(target_os = "linux", unsafe(link_section = ".init_array"))]
#[used]
static LOOK_AT_SIGPIPE: extern "C" fn() = look_at_sigpipe;

fn is_ignored(signal: Signal) -> bool {
    let mut action = std::mem::MaybeUninit::<libc::sigaction>::zeroed();
    // SAFETY: with a null pointer for the new action, sigaction(2) only fills the old one in.
    #[expect(unsafe_code, reason = "nix can only set an action, not look at it")]
    unsafe {
        libc::sigaction(signal as libc::c_int, std::ptr::null(), action.as_mut_ptr()) == 0
            && action.assume_init().sa_sigaction == libc::SIG_IGN
    }
}

fn set(signal: Signal, handler: SigHandler) -> Result<(), Errno> {
    let action = SigAction::new(handler, SaFlags::empty(), SigSet::empty());
    // SAFETY: SIG_DFL and SIG_IGN run no code of ours.
    #[expect(unsafe_code, reason = "there is no safe way to set a disposition")]
    unsafe { sigaction(signal, &action) }.map(drop)
}

/// Blocks all signals from here on, in all threads to come, so that none is lost between the fork and the first look.
pub(super) fn block_all() -> Result<Inherited, Error> {
    let failed = Error::plumbing("set the signal mask");
    let mut mask = SigSet::empty();
    sigprocmask(SigmaskHow::SIG_SETMASK, Some(&caught()), Some(&mut mask)).map_err(&failed)?;
    let child_ignored = is_ignored(Signal::SIGCHLD);
    if child_ignored {
        set(Signal::SIGCHLD, SigHandler::SigDfl).map_err(&failed)?;
    }
    Ok(Inherited {
        mask,
        pipe_ignored: PIPE_IGNORED.load(std::sync::atomic::Ordering::Relaxed),
        child_ignored,
    })
}

/// All signals but the faults.
fn caught() -> SigSet {
    let mut set = SigSet::all();
    for fault in FAULTS {
        set.remove(fault);
    }
    set
}

impl Inherited {
    /// In the child: dispositions first, then the mask. In the other order a signal that waits would meet ours.
    pub(super) fn restore(&self) -> Result<(), Errno> {
        let handler = |ignored| {
            if ignored {
                SigHandler::SigIgn
            } else {
                SigHandler::SigDfl
            }
        };
        set(Signal::SIGPIPE, handler(self.pipe_ignored))?;
        set(Signal::SIGCHLD, handler(self.child_ignored))?;
        sigprocmask(SigmaskHow::SIG_SETMASK, Some(&self.mask), None)
    }
}

/// A signal as it concerns the supervisor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Arrival {
    /// A child ended, or stopped.
    Child,
    /// For the command.
    Forward(i32),
    /// For the command and for us: both stop.
    Stop(i32),
    /// The terminal's key that stops: the command has had its own, so only we do.
    StopSelf(i32),
    /// The command has had its own.
    NotForUs,
}

/// Signals as they come.
#[derive(Debug)]
pub(super) struct Signals {
    fd: AsyncFd<SignalFd>,
}

impl Signals {
    /// Takes the signals that [`block_all`] holds back.
    pub(super) fn new() -> Result<Self, Error> {
        let flags = SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC;
        let fd =
            SignalFd::with_flags(&caught(), flags).map_err(Error::plumbing("wait for signals"))?;
        // SAFETY: the SignalFd owns its descriptor and never changes it.
        #[expect(unsafe_code, reason = "tokio asks for this promise")]
        let fd = unsafe { AsyncFd::register_with_interest(fd, Interest::READABLE) };
        fd.map(|fd| Self { fd })
            .map_err(Error::plumbing("wait for signals"))
    }

    /// Waits for the next signal; `command` is the command's process.
    pub(super) async fn next(&mut self, command: Pid) -> io::Result<Arrival> {
        loop {
            let mut ready = self.fd.readable_mut().await?;
            let read = ready.try_io(|fd| {
                fd.get_mut()
                    .read_signal()?
                    .ok_or_else(|| io::ErrorKind::WouldBlock.into())
            });
            if let Ok(signal) = read {
                return signal.map(|signal| classify(&signal, command));
            }
        }
    }
}

/// What becomes of a signal.
///
/// What the kernel made at a terminal (a key, a new window size) goes to the whole foreground group, so the command has had
/// its own; only a hangup goes to the session's leader alone, which may be us. What the command itself sent must not come
/// back to it (sudo(8), "Signal handling").
fn classify(signal: &libc::signalfd_siginfo, command: Pid) -> Arrival {
    let number = i32::try_from(signal.ssi_signo).unwrap_or_default();
    if number == libc::SIGCHLD {
        return Arrival::Child;
    }
    let stops = matches!(number, libc::SIGTSTP | libc::SIGTTIN | libc::SIGTTOU);
    let by_kernel = signal.ssi_code > 0;
    let by_command = !by_kernel && i32::try_from(signal.ssi_pid) == Ok(command.as_raw());
    match (by_kernel, by_command) {
        (true, _) if number == libc::SIGHUP => Arrival::Forward(number),
        (true, _) | (_, true) if stops => Arrival::StopSelf(number),
        (true, _) | (_, true) => Arrival::NotForUs,
        _ if stops => Arrival::Stop(number),
        _ => Arrival::Forward(number),
    }
}

/// Sends the command a signal by number, real-time ones too.
pub(super) fn forward(command: Pid, number: i32) {
    tracing::debug!(number, "signal forwarded");
    // SAFETY: kill(2) touches no memory of ours. A child that has not been waited for keeps its number.
    #[expect(unsafe_code, reason = "nix knows no real-time signals")]
    unsafe {
        libc::kill(command.as_raw(), number);
    }
}

/// Asks the command to end; one that is stopped is woken for it.
pub(super) fn terminate(command: Pid) {
    for signal in [Signal::SIGTERM, Signal::SIGCONT] {
        if let Err(errno) = kill(command, signal) {
            tracing::debug!(%errno, "cannot send {signal}");
        }
    }
}

/// Ends the command without asking.
pub(super) fn kill_now(command: Pid) {
    if let Err(errno) = kill(command, Signal::SIGKILL) {
        tracing::debug!(%errno, "cannot send SIGKILL");
    }
}

/// Stops ourselves by the default action of the same signal, as the command would have stopped: where the kernel leaves an
/// orphaned group running, we run on too.
pub(super) fn stop_self(number: i32) {
    let Ok(signal) = Signal::try_from(number) else {
        return;
    };
    if is_ignored(signal) {
        return;
    }
    let only = SigSet::from(signal);
    let _ = raise(signal);
    // Unblocked, it takes effect here; we go on when somebody continues us.
    let _ = sigprocmask(SigmaskHow::SIG_UNBLOCK, Some(&only), None);
    let _ = sigprocmask(SigmaskHow::SIG_BLOCK, Some(&only), None);
}

/// Ends this process by a signal, as the command ended. Comes back only where the signal does not end us.
pub fn end_by(number: i32) {
    // A core of our own would overwrite the command's.
    let _ = nix::sys::prctl::set_dumpable(false);
    let _ = nix::sys::resource::setrlimit(nix::sys::resource::Resource::RLIMIT_CORE, 0, 0);
    let Ok(signal) = Signal::try_from(number) else {
        return;
    };
    // SIGKILL cannot be set, and need not be.
    let _ = set(signal, SigHandler::SigDfl);
    let _ = raise(signal);
    let _ = sigprocmask(SigmaskHow::SIG_UNBLOCK, Some(&SigSet::from(signal)), None);
}

/// Whether a signal asks to end: with the command gone, such a one ends the wait for a stuck stderr.
pub(super) fn asks_to_end(number: i32) -> bool {
    matches!(
        number,
        libc::SIGTERM | libc::SIGINT | libc::SIGHUP | libc::SIGQUIT
    )
}

/// Waits until `fd` can be written again.
pub(super) fn wait_writable(fd: impl AsFd) {
    let mut fds = [nix::poll::PollFd::new(
        fd.as_fd(),
        nix::poll::PollFlags::POLLOUT,
    )];
    let _ = nix::poll::poll(&mut fds, nix::poll::PollTimeout::NONE);
}
