//! A terminal for the command's stderr, where ours is one: programs then colour their log as they always do.
//!
//! It is a stand-in: the real terminal stays the one that controls the session, so keys and job control never pass through
//! here. Whatever the command writes comes out as it was written; the real terminal does the rest (termios(3), OPOST).

use std::io::{self, IsTerminal};
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd};

use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::libc;
use nix::pty::{grantpt, posix_openpt, unlockpt};
use nix::sys::termios::{OutputFlags, SetArg, tcgetattr, tcsetattr};

/// Our end of a new terminal, and the command's.
pub(super) fn open() -> Result<(OwnedFd, OwnedFd), Errno> {
    let ours = posix_openpt(OFlag::O_RDWR | OFlag::O_NOCTTY | OFlag::O_CLOEXEC)?;
    grantpt(&ours)?;
    unlockpt(&ours)?;
    let theirs = other_end(&ours)?;
    let mut modes = tcgetattr(io::stderr()).or_else(|_| tcgetattr(&theirs))?;
    modes.output_flags.remove(OutputFlags::OPOST);
    tcsetattr(&theirs, SetArg::TCSANOW, &modes)?;
    copy_size(&ours);
    Ok((ours.into(), theirs))
}

/// Opens the end for the command; by `ioctl_tty`(2), since its name need not be there in our mount namespace.
fn other_end(ours: &impl AsFd) -> Result<OwnedFd, Errno> {
    let flags = libc::O_RDWR | libc::O_NOCTTY | libc::O_CLOEXEC;
    #[expect(unsafe_code, reason = "nix has no call for this ioctl")]
    // SAFETY: `TIOCGPTPEER` takes open(2)'s flags and gives a new descriptor, which is ours alone.
    unsafe {
        let fd = Errno::result(libc::ioctl(
            ours.as_fd().as_raw_fd(),
            libc::TIOCGPTPEER,
            flags,
        ))?;
        Ok(OwnedFd::from_raw_fd(fd))
    }
}

/// Gives the stand-in the size of the terminal that our stderr is; false where there is none, or the size was the same.
pub(super) fn copy_size(stand_in: impl AsFd) -> bool {
    let stderr = io::stderr();
    if !stderr.is_terminal() {
        return false;
    }
    let (Ok(real), Ok(known)) = (size(&stderr), size(&stand_in)) else {
        return false;
    };
    let tell = |size: &libc::winsize| (size.ws_row, size.ws_col, size.ws_xpixel, size.ws_ypixel);
    if tell(&real) == tell(&known) {
        return false;
    }
    #[expect(unsafe_code, reason = "nix has no call for this ioctl")]
    // SAFETY: TIOCSWINSZ reads a winsize, and this one is whole.
    let set = unsafe {
        libc::ioctl(
            stand_in.as_fd().as_raw_fd(),
            libc::TIOCSWINSZ,
            &raw const real,
        )
    };
    set == 0
}

fn size(terminal: &impl AsFd) -> Result<libc::winsize, Errno> {
    let mut size = std::mem::MaybeUninit::<libc::winsize>::zeroed();
    #[expect(unsafe_code, reason = "nix has no call for this ioctl")]
    // SAFETY: TIOCGWINSZ fills a winsize in, for which zeroes are a value too.
    unsafe {
        let done = libc::ioctl(
            terminal.as_fd().as_raw_fd(),
            libc::TIOCGWINSZ,
            size.as_mut_ptr(),
        );
        Errno::result(done).map(|_| size.assume_init())
    }
}
