//! The only file that knows signals: which there are, who sent one, and what becomes of it.

mod stops;

use std::io;
use std::mem::MaybeUninit;
use std::sync::atomic::{AtomicBool, Ordering};

use nix::errno::Errno;
use nix::libc;
use nix::sys::signal::{SigSet, SigmaskHow, Signal, kill, sigprocmask};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::unistd::{Pid, getpid};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

pub(super) use self::stops::{StopSignal, forget_stops, stopped_by_terminal};
use self::stops::{stop_again, stop_self, stops};
use crate::error::Error;

/// The signal dispositions and the mask that gcwatch was started with.
#[derive(Clone, Debug)]
pub(super) struct Inherited {
    mask: SigSet,
    /// Whether SIGPIPE was ignored; Rust ignores it before `main`.
    pipe_ignored: bool,
    /// Whether SIGCHLD was ignored; then nobody could wait for a child.
    child_ignored: bool,
    /// What we look at: all but the faults and what was ignored.
    caught: SigSet,
}

/// Synchronous faults: blocked or not, they are our own.
const FAULTS: [i32; 7] = [
    libc::SIGSEGV,
    libc::SIGBUS,
    libc::SIGFPE,
    libc::SIGILL,
    libc::SIGTRAP,
    libc::SIGSYS,
    libc::SIGABRT,
];

/// Whether SIGPIPE was ignored when this process began. Rust's runtime ignores it before `main`, so it is looked up before
/// that: the functions in `.init_array` run first.
static PIPE_IGNORED: AtomicBool = AtomicBool::new(false);

extern "C" fn look_at_sigpipe() {
    PIPE_IGNORED.store(is_ignored(libc::SIGPIPE), Ordering::Relaxed);
}

#[expect(
    unsafe_code,
    reason = "there is no other moment before Rust's runtime changes SIGPIPE"
)]
#[unsafe(link_section = ".init_array")]
#[used]
static LOOK_AT_SIGPIPE: extern "C" fn() = look_at_sigpipe;

fn is_ignored(number: i32) -> bool {
    let mut action = MaybeUninit::<libc::sigaction>::zeroed();
    // SAFETY: with a null pointer for the new action, sigaction(2) only fills the old one in.
    #[expect(unsafe_code, reason = "nix can only set an action, not look at it")]
    unsafe {
        libc::sigaction(number, std::ptr::null(), action.as_mut_ptr()) == 0
            && action.assume_init().sa_sigaction == libc::SIG_IGN
    }
}

/// Sets a disposition to `SIG_DFL` or `SIG_IGN`.
fn set(number: i32, ignored: bool) -> Result<(), Errno> {
    let disposition = if ignored {
        libc::SIG_IGN
    } else {
        libc::SIG_DFL
    };
    // SAFETY: SIG_DFL and SIG_IGN run no code of ours.
    #[expect(unsafe_code, reason = "nix knows no real-time signals")]
    let before = unsafe { libc::signal(number, disposition) };
    if before == libc::SIG_ERR {
        return Err(Errno::last());
    }
    Ok(())
}

/// The signals for which this holds, real-time ones too.
fn signals(of_these: impl Fn(i32) -> bool) -> SigSet {
    let mut set = MaybeUninit::<libc::sigset_t>::zeroed();
    // SAFETY: sigemptyset(3) makes it a set, sigaddset(3) adds to it; numbers that are none are refused.
    #[expect(unsafe_code, reason = "nix knows no real-time signals")]
    unsafe {
        libc::sigemptyset(set.as_mut_ptr());
        for number in (1..=libc::SIGRTMAX()).filter(|number| of_these(*number)) {
            libc::sigaddset(set.as_mut_ptr(), number);
        }
        SigSet::from_sigset_t_unchecked(set.assume_init())
    }
}

/// Blocks the signals from here on, in all threads to come, so that none is lost between the fork and the first look.
///
/// What is ignored stays so: a blocked signal would wait to be looked at although it is ignored (`kernel/signal.c`,
/// `sig_ignored`).
pub(super) fn block_all() -> Result<Inherited, Error> {
    let failed = Error::plumbing("set the signal mask");
    let pipe_ignored = PIPE_IGNORED.load(Ordering::Relaxed);
    let child_ignored = is_ignored(libc::SIGCHLD);
    if child_ignored {
        set(libc::SIGCHLD, false).map_err(&failed)?;
    }
    let caught = signals(|number| {
        let ignored = match number {
            libc::SIGPIPE => pipe_ignored,
            number => is_ignored(number),
        };
        !ignored && !FAULTS.contains(&number)
    });
    let mut mask = SigSet::empty();
    sigprocmask(SigmaskHow::SIG_BLOCK, Some(&caught), Some(&mut mask)).map_err(&failed)?;
    Ok(Inherited {
        mask,
        pipe_ignored,
        child_ignored,
        caught,
    })
}

impl Inherited {
    /// Whether a terminal may stop us by SIGTTOU: it lets pass who blocks or ignores that.
    pub(super) fn stops_in_background(&self) -> bool {
        !self.mask.contains(Signal::SIGTTOU) && self.caught.contains(Signal::SIGTTOU)
    }

    /// In the child: dispositions first, then the mask. In the other order a signal that waits would meet ours.
    pub(super) fn restore(&self) -> Result<(), Errno> {
        set(libc::SIGPIPE, self.pipe_ignored)?;
        set(libc::SIGCHLD, self.child_ignored)?;
        sigprocmask(SigmaskHow::SIG_SETMASK, Some(&self.mask), None)
    }
}

/// A signal that came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Arrival {
    number: i32,
    /// What sigqueue(3) gave along.
    value: Option<u64>,
    /// Whether the command has had its own, or it is no business of the command's.
    is_ours: bool,
}

/// What becomes of a signal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Meaning {
    /// A child ended, or stopped.
    Child,
    /// The terminal has another size.
    Resized,
    /// For the command.
    Forward,
    /// The command has had its own.
    NotForUs,
}

impl Arrival {
    /// What a signal means.
    ///
    /// What the kernel made at a terminal goes to the whole foreground group, so the command has had its own; only a
    /// hangup goes to the session's leader alone, which may be us. What the command itself sent must not come back to it
    /// (sudo(8), "Signal handling"). And our own writes may raise signals.
    fn new(signal: &libc::signalfd_siginfo, command: Pid) -> Self {
        let number = i32::try_from(signal.ssi_signo).unwrap_or_default();
        let is_ours = if signal.ssi_code > 0 {
            matches!(
                number,
                libc::SIGINT
                    | libc::SIGQUIT
                    | libc::SIGTSTP
                    | libc::SIGTTIN
                    | libc::SIGTTOU
                    | libc::SIGWINCH
                    | libc::SIGPIPE
                    | libc::SIGXFSZ
                    | libc::SIGXCPU
            )
        } else {
            let sender = i32::try_from(signal.ssi_pid).unwrap_or_default();
            sender == command.as_raw() || sender == getpid().as_raw()
        };
        Self {
            number,
            value: (signal.ssi_code == libc::SI_QUEUE).then_some(signal.ssi_ptr),
            is_ours,
        }
    }

    pub(super) fn meaning(self) -> Meaning {
        match self.number {
            libc::SIGCHLD => Meaning::Child,
            libc::SIGWINCH if self.is_ours => Meaning::Resized,
            _ if self.is_ours => Meaning::NotForUs,
            _ => Meaning::Forward,
        }
    }

    /// Whether the command will look at the terminal anew.
    pub(super) fn is_for_the_terminal(self) -> bool {
        matches!(self.number, libc::SIGWINCH | libc::SIGCONT)
    }

    /// Whether it continues who was stopped.
    pub(super) fn continues(self) -> bool {
        self.number == libc::SIGCONT
    }

    /// Whether it asks to end: with the command gone, such a one ends the wait for a stuck stderr.
    pub(super) fn asks_to_end(self) -> bool {
        matches!(
            self.number,
            libc::SIGTERM | libc::SIGINT | libc::SIGHUP | libc::SIGQUIT
        )
    }

    /// With the command gone, what would have stopped it stops us.
    pub(super) fn stop_if_it_stops(self) {
        if stops(self.number) {
            stop_self(self.number);
        }
    }

    /// Sends it to the command.
    pub(super) fn forward(self, command: Pid) {
        let Self { number, value, .. } = self;
        tracing::debug!(number, "signal forwarded");
        // SAFETY: neither call touches memory of ours; the value is the receiver's to understand. A child that has not been
        // waited for keeps its number.
        #[expect(unsafe_code, reason = "nix knows no real-time signals")]
        unsafe {
            match value {
                Some(value) => {
                    let sival_ptr = std::ptr::with_exposed_provenance_mut(
                        usize::try_from(value).unwrap_or_default(),
                    );
                    libc::sigqueue(command.as_raw(), number, libc::sigval { sival_ptr });
                }
                None => {
                    libc::kill(command.as_raw(), number);
                }
            }
        }
        if number == libc::SIGCONT {
            stop_again(command);
        }
    }
}

/// Signals as they come.
#[derive(Debug)]
pub(super) struct Signals {
    fd: AsyncFd<SignalFd>,
}

impl Signals {
    /// Takes the signals that [`block_all`] holds back.
    pub(super) fn new(inherited: &Inherited) -> Result<Self, Error> {
        let flags = SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC;
        let fd = SignalFd::with_flags(&inherited.caught, flags)
            .map_err(Error::plumbing("wait for signals"))?;
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
                return signal.map(|signal| Arrival::new(&signal, command));
            }
        }
    }
}

/// Tells the command that its terminal has another size.
pub(super) fn tell_of_resize(command: Pid) {
    send(command, Signal::SIGWINCH);
}

/// Asks the command to end; one that is stopped is woken for it.
pub(super) fn terminate(command: Pid) {
    send(command, Signal::SIGTERM);
    send(command, Signal::SIGCONT);
}

/// Ends the command without asking.
pub(super) fn kill_now(command: Pid) {
    send(command, Signal::SIGKILL);
}

fn send(command: Pid, signal: Signal) {
    if let Err(errno) = kill(command, signal) {
        tracing::debug!(%errno, "cannot send {signal}");
    }
}

/// raise(3), real-time signals too.
fn raise(number: i32) {
    // SAFETY: raise(3) touches no memory; where the signal has a handler that is of Rust's own making.
    #[expect(unsafe_code, reason = "nix knows no real-time signals")]
    unsafe {
        libc::raise(number);
    }
}

/// Ends this process by a signal, as the command ended. Comes back only where the signal does not end us.
pub fn end_by(number: i32) {
    // A core of our own would overwrite the command's.
    let _ = nix::sys::prctl::set_dumpable(false);
    let _ = nix::sys::resource::setrlimit(nix::sys::resource::Resource::RLIMIT_CORE, 0, 0);
    // SIGKILL cannot be set, and need not be.
    let _ = set(number, false);
    raise(number);
    let only = signals(|each| each == number);
    let _ = sigprocmask(SigmaskHow::SIG_UNBLOCK, Some(&only), None);
}
