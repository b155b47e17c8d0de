//! What can go wrong around a run. Each message is one line: the thing, the reason, the way out.

use std::ffi::OsString;
use std::io;
use std::path::PathBuf;

use crate::exit::{CANNOT_RUN, FAILED, NOT_FOUND};

/// Why gcwatch could not do its work.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The command line is wrong.
    #[error("{0}; see `gcwatch --help`")]
    Usage(String),
    /// There is no such command.
    #[error("cannot run `{}`: not found; {}", .command.display(), where_to_look(.command))]
    NotFound {
        /// As typed.
        command: OsString,
    },
    /// The command is there and cannot be run.
    #[error("cannot run `{}`: {}{}", .command.display(), reason(.source), if_not_executable(.source, .command))]
    CannotRun {
        /// As typed.
        command: OsString,
        /// What the kernel said.
        source: io::Error,
    },
    /// A saved log cannot be read.
    #[error("cannot read `{}`: {}; `--from` wants a saved stderr, or `-` for standard input", .path.display(), reason(.source))]
    Log {
        /// As typed.
        path: PathBuf,
        /// What the kernel said.
        source: io::Error,
    },
    /// The earlier run to compare with is none.
    #[error("cannot compare with `{}`: {why}; `--baseline` wants what an earlier run wrote with `--json`", .path.display())]
    Baseline {
        /// As typed.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// A pipe, a fork or the like failed.
    #[error("cannot {what}: {}; is the machine out of processes, files or memory?", reason(.source))]
    Plumbing {
        /// What was tried.
        what: &'static str,
        /// What the kernel said.
        source: io::Error,
    },
}

impl Error {
    /// The exit code that goes with it.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::NotFound { .. } => NOT_FOUND,
            Self::CannotRun { .. } => CANNOT_RUN,
            Self::Usage(_) | Self::Log { .. } | Self::Baseline { .. } | Self::Plumbing { .. } => {
                FAILED
            }
        }
    }

    /// For `map_err`: this failed while that was tried.
    pub fn plumbing<E: Into<io::Error>>(what: &'static str) -> impl Fn(E) -> Self {
        move |source| Self::Plumbing {
            what,
            source: source.into(),
        }
    }
}

/// What the kernel said, without the number that Rust puts behind it.
pub fn reason(error: &io::Error) -> String {
    let text = error.to_string();
    let text = text.split(" (os error").next().unwrap_or(&text);
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| {
        first.to_lowercase().chain(letters).collect()
    })
}

fn where_to_look(command: &OsString) -> &'static str {
    if command.as_encoded_bytes().contains(&b'/') {
        "is the path right?"
    } else {
        "it is in no folder of PATH; write `./NAME` for a program in this folder"
    }
}

fn if_not_executable(source: &io::Error, command: &OsString) -> String {
    let path = std::path::Path::new(command);
    match source.kind() {
        io::ErrorKind::PermissionDenied if path.is_dir() => {
            "; it is a folder, name the program in it".into()
        }
        io::ErrorKind::PermissionDenied => {
            format!("; is it executable? try `chmod +x {}`", path.display())
        }
        _ => String::new(),
    }
}
