//! The command of `--while`: it runs beside the watched one, a load or a test, and by its end it brings that one's about.

use std::ffi::OsStr;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};

use nix::errno::Errno;
use nix::sys::signal::Signal;
use nix::unistd::{Pid, getpid, getppid};

use super::signals::{self, Inherited};
use crate::error::Error;
use crate::exit::End;

/// The command of `--while`.
#[derive(Debug)]
pub(super) struct Beside {
    pid: Pid,
    end: Option<End>,
    /// Whether it was asked to end: then how it did says nothing.
    asked: bool,
}

impl Beside {
    /// Starts it in a shell, with the signals that gcwatch was started with. stdin and stdout are the watched command's, so
    /// it reads nothing, and what it prints goes to our stderr, as it is.
    ///
    /// By the thread that lives as long as we do, since the kernel kills it with that thread (prctl(2), `PR_SET_PDEATHSIG`).
    pub(super) fn start(command: &OsStr, inherited: &Inherited) -> Result<Self, Error> {
        let failed = Error::plumbing("start the command of `--while`");
        let stderr = io::stderr().as_fd().try_clone_to_owned().map_err(&failed)?;
        let mut shell = Command::new("sh");
        shell
            .arg("-c")
            .arg(command)
            .stdin(Stdio::null())
            .stdout(stderr);
        let parent = getpid();
        let inherited = inherited.clone();
        let as_we_were_started = move || {
            nix::sys::prctl::set_pdeathsig(Signal::SIGKILL)?;
            if getppid() != parent {
                return Err(Errno::ESRCH.into());
            }
            Ok(inherited.restore()?)
        };
        #[expect(unsafe_code, reason = "std sets no mask and no parent-death signal")]
        // SAFETY: it only makes system calls.
        let child = unsafe { shell.pre_exec(as_we_were_started) }
            .spawn()
            .map_err(failed)?;
        let pid = i32::try_from(child.id()).map_err(|_| Errno::ERANGE);
        Ok(Self {
            pid: Pid::from_raw(pid.map_err(Error::plumbing("start the command of `--while`"))?),
            end: None,
            asked: false,
        })
    }

    /// Its process, as long as it runs.
    pub(super) fn running(&self) -> Option<Pid> {
        self.end.is_none().then_some(self.pid)
    }

    /// It has ended.
    pub(super) fn ended(&mut self, end: End) {
        tracing::info!(?end, asked = self.asked, "the command of --while ended");
        self.end = Some(end);
    }

    /// Asks it to end.
    pub(super) fn terminate(&mut self) {
        if let Some(pid) = self.running() {
            self.asked = true;
            signals::terminate(pid);
        }
    }

    /// Ends it without asking.
    pub(super) fn kill(&self) {
        if let Some(pid) = self.running() {
            signals::kill_now(pid);
        }
    }

    /// How it failed of itself, if it did.
    pub(super) fn failure(&self) -> Option<End> {
        self.end.filter(|end| !self.asked && *end != End::Code(0))
    }
}
