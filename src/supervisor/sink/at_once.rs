//! Writes that never wait, to a description that is shared with others and so must not be made non-blocking.

use std::os::fd::{AsFd, AsRawFd};

use nix::errno::Errno;
use nix::libc;

/// What pwritev2(2) takes for the file's own position.
const HERE: libc::off_t = -1;

/// One write(2), if it can be done at once: `EAGAIN` if it cannot now, `EOPNOTSUPP` where the kernel knows no such writes
/// of this kind of file (pwritev2(2), `RWF_NOWAIT`: pipes and sockets take them on Linux since 6.5, and `/dev/null`).
pub(super) fn write_at_once(fd: impl AsFd, bytes: &[u8]) -> Result<usize, Errno> {
    let piece = libc::iovec {
        iov_base: bytes.as_ptr().cast_mut().cast(),
        iov_len: bytes.len(),
    };
    // SAFETY: `piece` is as long as `bytes`, which the call only reads, and both live as long as it takes.
    #[expect(unsafe_code, reason = "nix has no flags for pwritev2(2)")]
    let written = unsafe {
        libc::pwritev2(
            fd.as_fd().as_raw_fd(),
            &raw const piece,
            1,
            HERE,
            libc::RWF_NOWAIT,
        )
    };
    Errno::result(written).map(isize::cast_unsigned)
}

#[cfg(test)]
mod tests {
    use nix::fcntl::{FcntlArg, OFlag, fcntl};
    use nix::unistd::{pipe, read};

    use super::*;

    #[test]
    fn a_pipe_that_is_full_is_not_waited_for() {
        let (reader, writer) = pipe().expect("a pipe");
        let piece = [7; 4096];
        let mut taken = 0;
        let refused = loop {
            match write_at_once(&writer, &piece) {
                Ok(len) => taken += len,
                Err(errno) => break errno,
            }
        };
        // An old kernel takes nothing, and then all goes to the thread.
        if taken == 0 {
            assert_eq!(refused, Errno::EOPNOTSUPP);
            return;
        }
        assert_eq!(refused, Errno::EAGAIN);
        let size = fcntl(&writer, FcntlArg::F_GETPIPE_SZ).expect("its size");
        assert_eq!(taken, usize::try_from(size).expect("it is positive"));
        let flags = fcntl(&writer, FcntlArg::F_GETFL).expect("its flags");
        assert!(!OFlag::from_bits_retain(flags).contains(OFlag::O_NONBLOCK));
        let mut came = vec![0; taken];
        assert!(read(&reader, &mut came).expect("it is there") > 0);
        assert!(came.starts_with(&piece));
    }

    #[test]
    fn a_pipe_without_a_reader_is_told_of() {
        let (reader, writer) = pipe().expect("a pipe");
        drop(reader);
        // Rust ignores SIGPIPE in tests too.
        let refused = write_at_once(&writer, b"x").expect_err("nobody reads it");
        assert!(
            matches!(refused, Errno::EPIPE | Errno::EOPNOTSUPP),
            "{refused}"
        );
    }
}
