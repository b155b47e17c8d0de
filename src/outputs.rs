//! Opens what the user wants written: reports to files, our own lines to stderr.

mod workspace;

use std::cell::RefCell;
use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use self::workspace::Workspace;
use crate::cli::{Config, Github, Source};
use crate::error::reason;
use crate::report::explain::Explain;
use crate::report::github::{Annotations, InCheckout, StepSummary};
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
    let told = tells_github(outputs.github).then(in_checkout);
    if !outputs.quiet {
        let colours = anstream::AutoStream::choice(&io::stderr()) != anstream::ColorChoice::Never;
        if outputs.explain {
            reports.add("stderr".into(), Box::new(Explain(notices.clone())));
        }
        if let Some(in_checkout) = &told {
            // Before the summary, whose last line is the one that scripts look for.
            let annotations = Annotations::new(
                notices.clone(),
                config.gate,
                subject(&config.source),
                in_checkout.clone(),
            );
            reports.add("stderr".into(), Box::new(annotations));
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
    if let Some(in_checkout) = told
        && let Some(path) = std::env::var_os("GITHUB_STEP_SUMMARY").filter(|path| !path.is_empty())
    {
        let name = Path::new(&path).display().to_string();
        match File::options().append(true).create(true).open(&path) {
            Ok(file) => {
                let summary =
                    StepSummary::new(StepFile(file), subject(&config.source), in_checkout);
                reports.add(name, Box::new(summary));
            }
            Err(error) => failures.push(reports.missing(name, error)),
        }
    }
    (reports, failures)
}

/// Whether GitHub Actions is told: where it runs this it says so (its documentation of default environment variables).
fn tells_github(github: Github) -> bool {
    match github {
        Github::Always => true,
        Github::Never => false,
        Github::Auto => std::env::var("GITHUB_ACTIONS").is_ok_and(|actions| actions == "true"),
    }
}

/// Finds sources in the checkout of this job, or else below the current folder.
fn in_checkout() -> InCheckout {
    let root = std::env::var_os("GITHUB_WORKSPACE").filter(|path| !path.is_empty());
    let workspace = Workspace::new(Path::new(&root.unwrap_or_else(|| ".".into())));
    Rc::new(move |compiled| workspace.as_ref()?.find(compiled))
}

/// GitHub shows no summary of a step that is larger: 1 MiB.
const STEP_FILE_HOLDS: u64 = 1 << 20;

/// The file of a step's summary, to which others append as well.
struct StepFile(File);

impl Write for StepFile {
    /// All or nothing: with more in it than GitHub shows, the others' part would be lost, too.
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.0.metadata()?.len() + bytes.len() as u64 > STEP_FILE_HOLDS {
            return Err(io::Error::other(
                "it would have more than the 1 MiB that GitHub shows",
            ));
        }
        self.0.write_all(bytes)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
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
