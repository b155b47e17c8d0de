//! Opens what the user wants written: reports to files, our own lines to stderr.

use std::cell::RefCell;
use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use crate::cli::{Config, Source};
use crate::error::reason;
use crate::report::explain::Explain;
use crate::report::json::Json;
use crate::report::jsonl::Jsonl;
use crate::report::junit::Junit;
use crate::report::log::Log;
use crate::report::terminal::Terminal;
use crate::report::{Failure, Reporter, Reports, TraceLog};
use crate::summary::{Limit, Summary};

/// Lines of our own, until somebody takes them: they must not come in the middle of a line of the command.
#[derive(Clone, Debug, Default)]
pub struct Notices(Rc<RefCell<Vec<u8>>>);

impl Notices {
    /// The lines so far.
    pub fn take(&self) -> Vec<u8> {
        self.0.take()
    }
}

impl Write for Notices {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.borrow_mut().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A report to a file.
type Wrap<'a> = &'a dyn Fn(Box<dyn Write>) -> Box<dyn Reporter>;

/// All reports that were asked for, and those of them that cannot be written.
pub fn open(config: &Config, limit: Option<Limit>, notices: Notices) -> (Reports, Vec<Failure>) {
    let mut summary = Summary::new(limit);
    summary.gogc_is_off = matches!(config.source, Source::Command(_))
        && std::env::var("GOGC").is_ok_and(|gogc| gogc == "off");
    let mut reports = Reports::new(summary);
    let outputs = &config.outputs;
    if !outputs.quiet {
        let colours = anstream::AutoStream::choice(&io::stderr()) != anstream::ColorChoice::Never;
        if outputs.explain {
            reports.add("stderr".into(), Box::new(Explain(notices.clone())));
        }
        reports.add("stderr".into(), Box::new(Terminal::new(notices, colours)));
    }
    reports.add("log".into(), Box::new(Log));
    let mut failures = Vec::new();
    let mut add = |path: &Option<PathBuf>, reporter: Wrap<'_>| {
        if let Some(path) = path {
            match create(path) {
                Ok(file) => reports.add(path.display().to_string(), reporter(file)),
                Err(error) => failures.push(reports.missing(path.display().to_string(), error)),
            }
        }
    };
    add(&outputs.trace_file, &|file| Box::new(TraceLog(file)));
    add(&outputs.jsonl, &|file| Box::new(Jsonl(file)));
    add(&outputs.json, &|file| Box::new(Json(file)));
    add(&outputs.junit, &|file| {
        Box::new(Junit::new(file, config.gate, subject(&config.source)))
    });
    (reports, failures)
}

/// What is judged, by its name: the program's, or the log's.
fn subject(source: &Source) -> String {
    let path = match source {
        Source::Command(command) => command.first().map_or(Path::new(""), Path::new),
        Source::Log(path) if path.as_os_str() == "-" => return "standard input".into(),
        Source::Log(path) => path,
    };
    let name = path.file_name().unwrap_or(path.as_os_str());
    name.to_string_lossy().into_owned()
}

fn create(path: &Path) -> io::Result<Box<dyn Write>> {
    if path.as_os_str() == "-" {
        Ok(Box::new(io::stdout()))
    } else {
        Ok(Box::new(File::create(path)?))
    }
}

/// The line that says that a report failed.
pub fn complaint(failure: &Failure) -> String {
    let Failure { name, error } = failure;
    format!(
        "gcwatch: cannot write `{name}`: {}; the run goes on without it\n",
        reason(error)
    )
}
