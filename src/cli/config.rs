//! What a command line comes to.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use crate::detector::DetectorConfig;
use crate::gate::Gate;
use crate::size::Size;
use crate::watcher::Naming;

/// What the command gets as its stderr.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stderr {
    /// A terminal where ours is one, else a pipe.
    Auto,
    /// A pipe.
    Pipe,
    /// A terminal.
    Pty,
}

/// Whether GitHub Actions is told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Github {
    /// Where it runs this.
    #[default]
    Auto,
    /// Elsewhere, too.
    Always,
    /// Not there either.
    Never,
}

/// What to watch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// A command and its arguments.
    Command(Vec<OsString>),
    /// A saved log; `-` is standard input.
    Log(PathBuf),
}

/// Where reports go.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outputs {
    /// The trace lines.
    pub trace_file: Option<PathBuf>,
    /// The summary as JSON.
    pub json: Option<PathBuf>,
    /// The events as JSON lines.
    pub jsonl: Option<PathBuf>,
    /// The verdicts as `JUnit` XML.
    pub junit: Option<PathBuf>,
    /// Annotations and a step summary.
    pub github: Github,
    /// With a saved log: the text to stdout.
    pub echo: bool,
    /// How the verdict came about, to stderr.
    pub explain: bool,
    /// Nothing to stderr but errors.
    pub quiet: bool,
}

/// A command line that makes sense.
#[derive(Clone, Debug)]
pub struct Config {
    /// What to watch.
    pub source: Source,
    /// What counts as a leak.
    pub detector: DetectorConfig,
    /// What fails the run.
    pub gate: Gate,
    /// The exit code of a leak.
    pub leak_exit_code: u8,
    /// What the forecast counts down to.
    pub limit: Option<Size>,
    /// The summary of an earlier run to compare with, and how much worse this one may be, in percent.
    pub baseline: Option<(PathBuf, f64)>,
    /// End the command after this long.
    pub run_for: Option<Duration>,
    /// Run this beside the command, and end the command when it ends.
    pub beside: Option<OsString>,
    /// Kill it this long after it was asked to end.
    pub kill_after: Duration,
    /// What the command gets as its stderr.
    pub stderr: Stderr,
    /// How to name the lines that leak.
    pub naming: Naming,
    /// Where reports go.
    pub outputs: Outputs,
}
