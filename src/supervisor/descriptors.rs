//! The descriptors that gcwatch was started with: which of the first three were closed, and how it lets go of the others.

use std::os::fd::{AsFd, AsRawFd, RawFd};
use std::sync::atomic::{AtomicBool, Ordering};

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, FdFlag, OFlag, fcntl, open};
use nix::libc;
use nix::sys::stat::{Mode, SFlag, fchmod, fstat};
use nix::sys::statfs::{FsType, fstatfs};
use nix::unistd::{Gid, Uid, close, dup2_stdin, dup2_stdout, fchown};

/// Where /proc is not mounted, this many numbers are tried one by one.
const TRIED: RawFd = 1024;

/// What fstatfs(2) says of pipes without a name (linux/magic.h).
const PIPEFS_MAGIC: FsType = FsType(0x5049_5045);

/// Which of the standard descriptors were closed when this process began. Rust's runtime opens /dev/null in their place
/// before `main`, so this is looked up before that: the functions in `.init_array` run first.
static WAS_CLOSED: [AtomicBool; 2] = [const { AtomicBool::new(false) }; 2];

extern "C" fn look_at_standard() {
    for (fd, was_closed) in (0..).zip(&WAS_CLOSED) {
        was_closed.store(flags(fd) == Err(Errno::EBADF), Ordering::Relaxed);
    }
}

#[expect(
    unsafe_code,
    reason = "there is no other moment before Rust's runtime opens what is closed"
)]
#[unsafe(link_section = ".init_array")]
#[used]
static LOOK_AT_STANDARD: extern "C" fn() = look_at_standard;

/// The flags of a descriptor by number, fcntl(2).
fn flags(fd: RawFd) -> Result<FdFlag, Errno> {
    #[expect(
        unsafe_code,
        reason = "nix takes open descriptors, and this one may be closed"
    )]
    // SAFETY: F_GETFD only looks at the table of descriptors.
    let flags = unsafe { libc::fcntl(fd, libc::F_GETFD) };
    Errno::result(flags).map(FdFlag::from_bits_retain)
}

/// In the child: stdin and stdout that were closed are closed again, so that the command's writes fail as they should.
pub(super) fn close_as_they_were() {
    for (fd, was_closed) in (0..).zip(&WAS_CLOSED) {
        if was_closed.load(Ordering::Relaxed) {
            let _ = close(fd);
        }
    }
}

/// Lets go of stdin, stdout and what else was inherited, which are the command's alone from now on: so that others notice
/// when it closes them.
///
/// What we have opened ourselves closes at exec, what we have inherited does not, or it would not be here.
pub(super) fn let_go() {
    if let Ok(null) = open("/dev/null", OFlag::O_RDWR | OFlag::O_CLOEXEC, Mode::empty()) {
        let _ = dup2_stdin(&null);
        let _ = dup2_stdout(&null);
    }
    for fd in numbers() {
        if flags(fd).is_ok_and(|flags| !flags.contains(FdFlag::FD_CLOEXEC)) {
            let _ = close(fd);
        }
    }
}

/// Closes everything behind stderr but this.
pub(super) fn keep_only(kept: impl AsFd) {
    let kept = kept.as_fd().as_raw_fd();
    for fd in numbers().into_iter().filter(|fd| *fd != kept) {
        let _ = close(fd);
    }
}

/// The numbers behind stderr that may be open.
fn numbers() -> Vec<RawFd> {
    let behind_stderr = libc::STDERR_FILENO + 1;
    let Ok(entries) = std::fs::read_dir("/proc/self/fd") else {
        return (behind_stderr..TRIED).collect();
    };
    entries
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter(|fd| *fd >= behind_stderr)
        .collect()
}

/// Gives the command's stderr the owner and the permissions of ours: programs open /dev/stderr anew, also after they have
/// changed their user.
pub(super) fn resemble_our_stderr(theirs: impl AsFd) {
    let Ok(ours) = fstat(std::io::stderr()) else {
        return;
    };
    let _ = fchmod(&theirs, Mode::from_bits_truncate(ours.st_mode));
    // Only root may give it away, and for others there is mostly nothing to give.
    let _ = fchown(
        &theirs,
        Some(Uid::from_raw(ours.st_uid)),
        Some(Gid::from_raw(ours.st_gid)),
    );
}

/// Whether our stderr tells at once when nobody reads it any more: a pipe without a name, to which no other reader can come,
/// or a socket.
pub(super) fn stderr_tells_of_its_reader() -> bool {
    let stderr = std::io::stderr();
    let is_socket = fstat(&stderr).is_ok_and(|found| {
        SFlag::from_bits_truncate(found.st_mode) & SFlag::S_IFMT == SFlag::S_IFSOCK
    });
    is_socket || fstatfs(&stderr).is_ok_and(|found| found.filesystem_type() == PIPEFS_MAGIC)
}

/// Makes reads of a descriptor of our own return at once.
pub(super) fn do_not_block(fd: impl AsFd) -> Result<(), Errno> {
    let flags = OFlag::from_bits_retain(fcntl(&fd, FcntlArg::F_GETFL)?);
    fcntl(&fd, FcntlArg::F_SETFL(flags | OFlag::O_NONBLOCK)).map(drop)
}
