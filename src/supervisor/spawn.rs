//! Starts the command as execvp(3) would have started it in our place, with a pipe or a terminal for its stderr.

use std::ffi::{CString, OsStr, OsString};
use std::io::{self, IsTerminal, Read};
use std::os::fd::{AsFd, AsRawFd, OwnedFd, RawFd};
use std::os::unix::ffi::OsStrExt;

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::libc;
use nix::sys::signal::Signal;
use nix::unistd::{ForkResult, Pid, execvpe, fork, getpid, getppid, pipe2};

use super::descriptors::{close_as_they_were, resemble_our_stderr};
use super::environment::{self, Addressee};
use super::pty;
use super::signals::Inherited;
use super::stream::Kind;
use crate::cli::Stderr;
use crate::error::Error;
use crate::file_id::FileId;
use crate::splitter::Edges;

/// A packet takes a slot of the pipe however small it is, and the default of 16 slots is soon full. An unprivileged user may
/// ask for this much (pipe(7), `pipe-max-size`); where that fails the pipe stays as it is.
pub(super) const PIPE_SIZE: i32 = 1 << 20;

/// The command, running.
#[derive(Debug)]
pub(super) struct Spawned {
    /// Its process.
    pub(super) pid: Pid,
    /// Our end of its stderr.
    pub(super) stderr: OwnedFd,
    /// Its own end of it.
    pub(super) stderr_file: FileId,
    /// What that is.
    pub(super) kind: Kind,
    /// Whether that keeps the edges of writes.
    pub(super) edges: Edges,
}

/// Starts `command` with the trace switched on. All signals must be blocked, and no other thread may run yet: what
/// `PR_SET_PDEATHSIG` follows is the thread that forks.
pub(super) fn spawn(
    command: &[OsString],
    inherited: &Inherited,
    wanted: Stderr,
) -> Result<Spawned, Error> {
    let program = command
        .first()
        .ok_or_else(|| Error::Usage("there is no command".into()))?;
    // A NUL cannot stand in an argument that a shell or execve(2) gave us.
    let c_string = |word: &OsString| {
        CString::new(word.as_bytes())
            .map_err(|_| Error::Usage("an argument has a NUL in it".into()))
    };
    let arguments = command
        .iter()
        .map(c_string)
        .collect::<Result<Vec<CString>, Error>>()?;
    let mut environment = environment::with_trace();
    let addressee = Addressee::new(&environment);

    let Ends {
        ours: stderr,
        theirs: child_stderr,
        kind,
        edges,
    } = ends(wanted).map_err(Error::plumbing("make a pipe"))?;
    let stderr_file = FileId::of(&child_stderr).map_err(Error::plumbing("make a pipe"))?;
    let (failure, child_failure) =
        pipe2(OFlag::O_CLOEXEC).map_err(Error::plumbing("make a pipe"))?;
    let parent = getpid();
    #[expect(
        unsafe_code,
        reason = "std cannot spawn with a signal mask, an ignored set and a parent-death signal"
    )]
    // SAFETY: no other thread runs yet, so the child may allocate as it likes before it calls exec.
    let forked = unsafe { fork() }.map_err(Error::plumbing("fork"))?;
    match forked {
        ForkResult::Child => {
            addressee.becomes_this_process(&mut environment);
            let errno = become_command(&arguments, &environment, &child_stderr, parent, inherited);
            let code = (errno as i32).to_ne_bytes();
            let _ = nix::unistd::write(&child_failure, &code);
            #[expect(
                unsafe_code,
                reason = "std::process::exit would run the parent's exit handlers in the child"
            )]
            // SAFETY: _exit(2) only ends the process; exit handlers are the parent's.
            unsafe {
                libc::_exit(i32::from(crate::exit::NOT_FOUND))
            }
        }
        ForkResult::Parent { child } => {
            drop(child_stderr);
            drop(child_failure);
            if let Some(errno) = failure_of(failure) {
                let _ = nix::sys::wait::waitpid(child, None);
                return Err(cannot_run(program, errno));
            }
            Ok(Spawned {
                pid: child,
                stderr,
                stderr_file,
                kind,
                edges,
            })
        }
    }
}

/// The child's part: everything as it was before gcwatch, then exec. Comes back only if that failed.
fn become_command(
    arguments: &[CString],
    environment: &[CString],
    stderr: &OwnedFd,
    parent: Pid,
    inherited: &Inherited,
) -> Errno {
    let run = || -> Result<(), Errno> {
        // Whoever kills us with SIGKILL means the command: alone it would run on with a broken stderr.
        nix::sys::prctl::set_pdeathsig(Signal::SIGKILL)?;
        if getppid() != parent {
            return Err(Errno::ESRCH);
        }
        redirect(stderr.as_raw_fd(), libc::STDERR_FILENO)?;
        close_as_they_were();
        inherited.restore()?;
        // Searches PATH and gives a text file without `#!` to /bin/sh, as a shell would.
        execvpe(&arguments[0], arguments, environment).map(|_| ())
    };
    run().err().unwrap_or(Errno::UnknownErrno)
}

/// Becomes a command that is not watched, with all that gcwatch was started with. Comes back only if that failed.
pub(super) fn replace_by(command: &[OsString], inherited: &Inherited) -> Error {
    let Some(program) = command.first() else {
        return Error::Usage("there is no command".into());
    };
    let arguments: Vec<CString> = command
        .iter()
        .filter_map(|word| CString::new(word.as_bytes()).ok())
        .collect();
    close_as_they_were();
    let errno = inherited
        .restore()
        .and_then(|()| execvpe(&arguments[0], &arguments, &environment::unchanged()).map(|_| ()))
        .err();
    cannot_run(program, errno.unwrap_or(Errno::UnknownErrno))
}

/// dup2(2); its copy is not closed by exec, even where both are the same.
fn redirect(from: RawFd, to: RawFd) -> Result<(), Errno> {
    #[expect(
        unsafe_code,
        reason = "the target is a descriptor number, which no safe wrapper takes"
    )]
    // SAFETY: dup2 and fcntl only touch the table of descriptors, and `from` is open.
    let result = unsafe {
        if from == to {
            libc::fcntl(from, libc::F_SETFD, 0)
        } else {
            libc::dup2(from, to)
        }
    };
    Errno::result(result).map(drop)
}

/// The two ends of the command's stderr.
struct Ends {
    ours: OwnedFd,
    theirs: OwnedFd,
    kind: Kind,
    edges: Edges,
}

fn ends(wanted: Stderr) -> Result<Ends, Errno> {
    let terminal = match wanted {
        Stderr::Auto => io::stderr().is_terminal(),
        Stderr::Pipe => false,
        Stderr::Pty => true,
    };
    if terminal {
        match pty::open() {
            Ok((ours, theirs)) => {
                return Ok(Ends {
                    ours,
                    theirs,
                    kind: Kind::Pty,
                    edges: Edges::Lost,
                });
            }
            Err(errno) => tracing::warn!(%errno, "no terminal can be had, so it is a pipe"),
        }
    }
    stderr_pipe()
}

/// A pipe that keeps the edges of writes, where the kernel has such.
fn stderr_pipe() -> Result<Ends, Errno> {
    let ((ours, theirs), edges) = if let Ok(pipe) = pipe2(OFlag::O_CLOEXEC | OFlag::O_DIRECT) {
        (pipe, Edges::Kept)
    } else {
        (pipe2(OFlag::O_CLOEXEC)?, Edges::Lost)
    };
    let _ = fcntl(ours.as_fd(), FcntlArg::F_SETPIPE_SZ(PIPE_SIZE));
    resemble_our_stderr(&theirs);
    Ok(Ends {
        ours,
        theirs,
        kind: Kind::Pipe,
        edges,
    })
}

/// Why the child could not become the command; `None` once it has. The pipe closes at exec.
fn failure_of(pipe: OwnedFd) -> Option<Errno> {
    let mut code = [0; 4];
    let mut pipe = std::fs::File::from(pipe);
    pipe.read_exact(&mut code).ok()?;
    Some(Errno::from_raw(i32::from_ne_bytes(code)))
}

fn cannot_run(program: &OsStr, errno: Errno) -> Error {
    let command = program.to_os_string();
    match errno {
        Errno::ENOENT => Error::NotFound { command },
        // What in PATH is no folder cannot have it.
        Errno::ENOTDIR if !program.as_bytes().contains(&b'/') => Error::NotFound { command },
        errno => Error::CannotRun {
            command,
            source: io::Error::from(errno),
        },
    }
}
