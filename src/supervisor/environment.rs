//! The command's environment: gcwatch's own to the byte, but for GODEBUG and for what names gcwatch's process.

use std::ffi::{CStr, CString, OsStr};
use std::os::fd::{AsFd, FromRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;

use nix::errno::Errno;
use nix::libc;
use nix::sys::stat::fstat;
use nix::unistd::getpid;

use crate::godebug::{GODEBUG, merge};

/// Our environment to the byte, with the trace switched on in GODEBUG: order, doubles and entries without `=` stay.
pub(super) fn with_trace() -> Vec<CString> {
    let prefix = [GODEBUG.as_bytes(), b"="].concat();
    let merged = merge(std::env::var_os(GODEBUG).as_deref().map(OsStr::as_bytes));
    let mut environment = unchanged();
    let Some(merged) = merged else {
        return environment;
    };
    let entry = [&prefix[..], &merged[..]].concat();
    let Ok(entry) = CString::new(entry) else {
        return environment;
    };
    // getenv(3) finds the first of several, and so does the Go runtime's own reader.
    match environment
        .iter_mut()
        .find(|known| known.as_bytes().starts_with(&prefix))
    {
        Some(known) => *known = entry,
        None => environment.push(entry),
    }
    environment
}

/// Our environment to the byte.
pub(super) fn unchanged() -> Vec<CString> {
    let mut entries = Vec::new();
    #[expect(unsafe_code, reason = "std::env drops entries without `=`")]
    // SAFETY: `environ` is a list of C strings that ends with a null pointer (environ(7)); nobody changes it: gcwatch
    // never sets a variable, and no other thread runs.
    unsafe {
        let mut entry = libc::environ;
        while !entry.is_null() && !(*entry).is_null() {
            entries.push(CStr::from_ptr(*entry).to_owned());
            entry = entry.add(1);
        }
    }
    entries
}

/// Variables by which a service manager says whom the sockets are for that it passed on (`sd_listen_fds`(3)): the number of
/// the process, and that of its pidfd, since the former can come again.
const LISTEN_PID: &str = "LISTEN_PID";
const LISTEN_PIDFDID: &str = "LISTEN_PIDFDID";

/// The entries that name gcwatch itself. Its sockets are the command's.
#[derive(Debug)]
pub(super) struct Addressee(Vec<(&'static str, CString)>);

impl Addressee {
    pub(super) fn new(environment: &[CString]) -> Self {
        let mut ours = entries();
        ours.retain(|(_, entry)| environment.contains(entry));
        Self(ours)
    }

    /// In the child, which is the command soon.
    pub(super) fn becomes_this_process(self, environment: &mut [CString]) {
        if self.0.is_empty() {
            return;
        }
        let theirs = entries();
        for (name, ours) in self.0 {
            let entry = theirs.iter().find(|(known, _)| *known == name);
            let Some((_, theirs)) = entry else { continue };
            for known in environment.iter_mut().filter(|known| **known == ours) {
                known.clone_from(theirs);
            }
        }
    }
}

/// The entries that name this process.
fn entries() -> Vec<(&'static str, CString)> {
    let pid = u64::try_from(getpid().as_raw()).ok();
    [(LISTEN_PID, pid), (LISTEN_PIDFDID, pidfd_id())]
        .into_iter()
        .filter_map(|(name, value)| Some((name, CString::new(format!("{name}={}", value?)).ok()?)))
        .collect()
}

/// The number of this process's pidfd, which no other process ever has again; before Linux 6.9 all have the same.
fn pidfd_id() -> Option<u64> {
    #[expect(unsafe_code, reason = "nix has no pidfd_open")]
    // SAFETY: pidfd_open(2) touches no memory and gives a new descriptor, which is ours alone and closes at exec.
    let pidfd = unsafe {
        let fd = libc::syscall(libc::SYS_pidfd_open, getpid().as_raw(), 0);
        OwnedFd::from_raw_fd(i32::try_from(Errno::result(fd).ok()?).ok()?)
    };
    fstat(pidfd.as_fd()).ok().map(|found| found.st_ino)
}
