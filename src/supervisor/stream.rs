//! The command's stderr, as we read it: a pipe, or our end of a terminal.

use std::io;
use std::os::fd::{AsFd, OwnedFd};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::unistd::read;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use super::burst::Burst;
use super::descriptors::do_not_block;
use super::pty;
use super::spawn::PIPE_SIZE;

/// A read must have room for a whole packet, or the rest of it is lost; longer ones save calls where packets are not kept.
pub(super) const READ: usize = 64 << 10;

/// What the command's stderr is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A pipe that keeps the edges of writes, where the kernel has such.
    Pipe,
    /// A terminal.
    Pty,
}

/// Our end of it.
#[derive(Debug)]
pub(super) struct Stream {
    fd: AsyncFd<OwnedFd>,
    kind: Kind,
    /// Of a pipe, where the kernel can.
    burst: Option<Burst>,
}

impl Stream {
    /// Inside a runtime.
    pub(super) fn new(fd: OwnedFd, kind: Kind) -> io::Result<Self> {
        do_not_block(&fd)?;
        // SAFETY: an OwnedFd keeps its descriptor open and the same.
        #[expect(unsafe_code, reason = "tokio asks for this promise")]
        let fd = unsafe { AsyncFd::register_with_interest(fd, Interest::READABLE) }?;
        let burst = match kind {
            Kind::Pipe => Burst::new(PIPE_SIZE),
            Kind::Pty => None,
        };
        Ok(Self { fd, kind, burst })
    }

    /// Waits until there is something to read, or the end.
    pub(super) async fn readable(&self) -> io::Result<()> {
        // Only a read that finds nothing ends the readiness.
        self.fd
            .readable()
            .await
            .map(|mut ready| ready.retain_ready())
    }

    /// Reads what there is; zero is the end.
    pub(super) fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        if let Some(read) = self.read_on(buffer) {
            return Ok(read?);
        }
        self.fd
            .try_io(Interest::READABLE, |fd| Ok(self.read_anew(fd, buffer)?))
    }

    /// Reads what there is without asking the runtime, which may not have looked since the last bytes came.
    pub(super) fn read_now(&self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.read_on(buffer);
        Ok(read.unwrap_or_else(|| self.read_anew(self.fd.get_ref(), buffer))?)
    }

    /// Whether some of what was taken over at once is not read yet.
    pub(super) fn is_in_burst(&self) -> bool {
        self.burst.as_ref().is_some_and(|burst| !burst.is_empty())
    }

    /// The next packet of a burst.
    fn read_on(&self, buffer: &mut [u8]) -> Option<Result<usize, Errno>> {
        self.burst.as_ref()?.next(buffer)
    }

    /// The first packet of the next burst, or one by itself.
    fn read_anew(&self, fd: &OwnedFd, buffer: &mut [u8]) -> Result<usize, Errno> {
        let burst = self.burst.as_ref().filter(|burst| !burst.read_one());
        match burst.map(|burst| burst.take_over(fd)) {
            Some(Ok(1..)) => self.read_on(buffer).unwrap_or(Err(Errno::EAGAIN)),
            Some(Err(Errno::EINVAL | Errno::ENOSYS | Errno::EPERM)) | None => {
                read_once(fd, self.kind, buffer)
            }
            Some(result) => result,
        }
    }

    /// Gives a terminal the size of the real one; says whether it had another.
    pub(super) fn resize(&self) -> bool {
        self.is_pty() && pty::copy_size(self.fd.get_ref())
    }

    pub(super) fn is_pty(&self) -> bool {
        self.kind == Kind::Pty
    }

    /// The descriptor without the runtime; `None` where nobody can write to it any more and all is read.
    pub(super) fn held_by_others(self) -> Option<(OwnedFd, Kind)> {
        let fd = self.fd.into_inner();
        let mut fds = [PollFd::new(fd.as_fd(), PollFlags::POLLIN)];
        let events = poll(&mut fds, PollTimeout::ZERO).and(Ok(fds[0].revents()));
        let at_end = events == Ok(Some(PollFlags::POLLHUP));
        (!at_end).then_some((fd, self.kind))
    }
}

/// One read(2). A terminal that nobody else has open gives EIO, which is believed only when asked again: some kernels have
/// given it while bytes were still on their way.
pub(super) fn read_once(fd: impl AsFd, kind: Kind, buffer: &mut [u8]) -> Result<usize, Errno> {
    let mut was_closed = false;
    loop {
        match read(&fd, buffer) {
            Err(Errno::EINTR) => {}
            Err(Errno::EIO) if kind == Kind::Pty && was_closed => return Ok(0),
            Err(Errno::EIO) if kind == Kind::Pty => was_closed = true,
            result => return result,
        }
    }
}
