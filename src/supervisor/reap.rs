//! Waits for children.

use nix::libc;
use nix::unistd::{Pid, getpid};

use crate::exit::End;

/// What became of the command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change {
    /// It ended.
    Ended(End),
    /// A signal stopped it.
    Stopped(i32),
}

/// Whether this process is the first of its PID namespace, as in a container: then orphans become its children, the kernel
/// ends everything with it, and no signal of its own can end it.
pub(super) fn is_init() -> bool {
    getpid().as_raw() == 1
}

/// Looks what became of our children, by their own numbers, since others may have been inherited from before our exec. The
/// first process of a namespace also takes in what became of the orphans.
pub(super) fn look(children: &[Pid]) -> Vec<(Pid, Change)> {
    let mut found = Vec::new();
    let mut note = |(child, status)| {
        let child = Pid::from_raw(child);
        let change = change(status).filter(|_| children.contains(&child));
        found.extend(change.map(|change| (child, change)));
    };
    if is_init() {
        // Until there is none: several SIGCHLD may have become one.
        while let Some(any) = wait(ANY) {
            note(any);
        }
    } else {
        for child in children {
            wait(child.as_raw()).into_iter().for_each(&mut note);
        }
    }
    found
}

/// Any child, to waitpid(2).
const ANY: i32 = -1;

/// waitpid(2) without waiting.
fn wait(child: i32) -> Option<(i32, i32)> {
    let mut status = 0;
    let flags = libc::WNOHANG | libc::WUNTRACED;
    #[expect(
        unsafe_code,
        reason = "nix loses a child that died of a real-time signal"
    )]
    // SAFETY: waitpid(2) fills the status in and touches nothing else.
    let found = unsafe { libc::waitpid(child, &raw mut status, flags) };
    (found > 0).then_some((found, status))
}

fn change(status: i32) -> Option<Change> {
    if libc::WIFEXITED(status) {
        let code = u8::try_from(libc::WEXITSTATUS(status)).unwrap_or(u8::MAX);
        Some(Change::Ended(End::Code(code)))
    } else if libc::WIFSIGNALED(status) {
        Some(Change::Ended(End::Signal(libc::WTERMSIG(status))))
    } else if libc::WIFSTOPPED(status) {
        Some(Change::Stopped(libc::WSTOPSIG(status)))
    } else {
        None
    }
}
