//! Reports: each takes events as they happen and the summary at the end, and writes one format.
//!
//! A report that cannot be written is dropped, said once and remembered; the run goes on.

mod culprits;
pub mod explain;
pub mod github;
pub mod json;
pub mod jsonl;
pub mod junit;
pub mod log;
pub mod terminal;
mod words;

use std::io;

use crate::exit::Exit;
use crate::session::{Batch, Event};
use crate::summary::Summary;

/// One report.
pub trait Reporter {
    /// Something happened; `summary` knows of it already.
    fn event(&mut self, _event: &Event, _summary: &Summary) -> io::Result<()> {
        Ok(())
    }

    /// Trace lines were taken out of the stream.
    fn trace(&mut self, _lines: &[u8]) -> io::Result<()> {
        Ok(())
    }

    /// The run is over, and gcwatch will end like this.
    fn finish(&mut self, _summary: &Summary, _exit: Exit) -> io::Result<()> {
        Ok(())
    }
}

/// The trace lines as the runtime wrote them, and nothing else.
#[derive(Debug)]
pub struct TraceLog<W>(pub W);

impl<W: io::Write> Reporter for TraceLog<W> {
    fn trace(&mut self, lines: &[u8]) -> io::Result<()> {
        self.0.write_all(lines)
    }

    fn finish(&mut self, _summary: &Summary, _exit: Exit) -> io::Result<()> {
        self.0.flush()
    }
}

/// The exit status as a shell tells it: 128 and the signal's number where gcwatch ends by one.
fn exit_status(exit: Exit) -> i32 {
    match exit {
        Exit::Code(code) => code.into(),
        Exit::Signal(signal) => 128 + signal,
    }
}

/// A report that could not be written.
#[derive(Debug)]
pub struct Failure {
    /// The report, as the user named it.
    pub name: String,
    /// Why.
    pub error: io::Error,
}

/// The summary of a run and all reports of it.
#[derive(Default)]
pub struct Reports {
    /// What is known of the run.
    pub summary: Summary,
    reporters: Vec<(String, Box<dyn Reporter>)>,
    failed: bool,
}

impl Reports {
    /// No report yet.
    pub fn new(summary: Summary) -> Self {
        Self {
            summary,
            ..Self::default()
        }
    }

    /// Adds a report; `name` is for the line that says it failed.
    pub fn add(&mut self, name: String, reporter: Box<dyn Reporter>) {
        self.reporters.push((name, reporter));
    }

    /// A report that could not even be opened.
    pub fn missing(&mut self, name: String, error: io::Error) -> Failure {
        self.failed = true;
        Failure { name, error }
    }

    /// Takes what came of one read.
    pub fn batch(&mut self, batch: &Batch) -> Vec<Failure> {
        let mut failures = Vec::new();
        if !batch.trace.is_empty() {
            failures.extend(self.each(|reporter, _| reporter.trace(&batch.trace)));
        }
        for event in &batch.events {
            failures.extend(self.event(event));
        }
        failures
    }

    /// Takes one event.
    pub fn event(&mut self, event: &Event) -> Vec<Failure> {
        self.summary.record(event);
        self.each(|reporter, summary| reporter.event(event, summary))
    }

    /// Writes what is written at the end.
    pub fn finish(&mut self, exit: Exit) -> Vec<Failure> {
        self.each(|reporter, summary| reporter.finish(summary, exit))
    }

    /// Whether a report could not be written.
    pub fn have_failed(&self) -> bool {
        self.failed
    }

    fn each(
        &mut self,
        mut write: impl FnMut(&mut dyn Reporter, &Summary) -> io::Result<()>,
    ) -> Vec<Failure> {
        let mut failures = Vec::new();
        let summary = &self.summary;
        self.reporters
            .retain_mut(|(name, reporter)| match write(reporter.as_mut(), summary) {
                Ok(()) => true,
                Err(error) => {
                    failures.push(Failure {
                        name: std::mem::take(name),
                        error,
                    });
                    false
                }
            });
        self.failed |= !failures.is_empty();
        failures
    }
}
