//! The verdicts as a `JUnit` XML file: a test suite, and a test case for each Go process, as CI systems show them.
//!
//! A process that leaks or goes over its budget is a failure, whatever `--on-leak` makes of it: that is what the report is
//! asked for. One that cannot be judged is a success whose output says so, unless that fails the run
//! (`--on-inconclusive fail`, or no GC cycle at all).

use std::io;

use quick_junit::{NonSuccessKind, Property, Report, TestCase, TestCaseStatus, TestSuite};

use super::culprits::Row;
use super::words::{growth_in_words, live_in_words, run_in_words};
use super::{Reporter, exit_status};
use crate::detector::{Leak, Verdict};
use crate::exit::Exit;
use crate::gate::{Breach, Gate};
use crate::summary::{Limit, ProcessSummary, RunVerdict, Summary};
use crate::wording::count;

/// Writes the file when the run is over.
#[derive(Debug)]
pub struct Junit<W> {
    out: W,
    gate: Gate,
    subject: String,
}

impl<W: io::Write> Junit<W> {
    /// A report to `out` on `subject`: the name of the program or of the log.
    pub fn new(out: W, gate: Gate, subject: String) -> Self {
        Self { out, gate, subject }
    }

    fn suite(&self, summary: &Summary, exit: Exit) -> TestSuite {
        let mut suite = TestSuite::new("gcwatch");
        let breach = self.gate.check(summary);
        for (name, value) in [
            ("gcwatch", env!("CARGO_PKG_VERSION").to_owned()),
            ("command", summary.command.join(" ")),
            ("verdict", summary.verdict().word().to_owned()),
            ("reason", summary.reason()),
            ("exit_status", exit_status(exit).to_string()),
        ] {
            suite.add_property(property(name, &value));
        }
        for process in &summary.processes {
            suite.add_test_case(self.of_process(process, summary.limit.as_ref(), breach));
        }
        if summary.processes.is_empty() {
            suite.add_test_case(self.without_process(summary, breach));
        }
        if summary.dropped_processes > 0 {
            let dropped = summary.dropped_processes.to_string();
            suite.add_property(property("processes_left_out", &dropped));
        }
        suite.set_system_out(xml(&run_in_words(summary)));
        if let Some(wall) = summary.wall {
            suite.set_time(wall);
        }
        suite
    }

    fn of_process(
        &self,
        process: &ProcessSummary,
        limit: Option<&Limit>,
        breach: Option<Breach>,
    ) -> TestCase {
        let (kind, reason) = match process.judgement.as_ref().map(|known| &known.verdict) {
            Some(verdict) => (failure_of(verdict, breach), verdict.reason()),
            None => (None, "not judged".into()),
        };
        let text = in_words(process, &reason, limit);
        let mut case = match kind {
            Some(kind) => TestCase::new(name(process), failed(kind, &reason, &text)),
            None => TestCase::new(name(process), TestCaseStatus::success()),
        };
        if kind.is_none() {
            case.set_system_out(xml(&text));
        }
        case.set_time(process.span());
        case.set_classname(xml(&self.subject));
        case
    }

    /// A run without any GC cycle is a test case, too, or it would be taken for one that was not there.
    fn without_process(&self, summary: &Summary, breach: Option<Breach>) -> TestCase {
        let reason = summary.reason();
        let status = match breach {
            Some(_) => failed("inconclusive", &reason, &reason),
            None => TestCaseStatus::success(),
        };
        let mut case = TestCase::new("process 1", status);
        if breach.is_none() {
            case.set_system_out(xml(&format!("inconclusive: {reason}")));
        }
        case.set_classname(xml(&self.subject));
        case
    }
}

impl<W: io::Write> Reporter for Junit<W> {
    fn finish(&mut self, summary: &Summary, exit: Exit) -> io::Result<()> {
        let mut report = Report::new("gcwatch");
        report.add_test_suite(self.suite(summary, exit));
        if let Some(wall) = summary.wall {
            report.set_time(wall);
        }
        let mut xml = report.to_string().map_err(io::Error::other)?;
        xml.push('\n');
        self.out.write_all(xml.as_bytes())?;
        self.out.flush()
    }
}

/// The same in each run, so that a CI system can follow a test case over runs.
fn name(process: &ProcessSummary) -> String {
    format!("process {}", process.process.0)
}

/// What a process fails with, if it does.
fn failure_of(verdict: &Verdict, breach: Option<Breach>) -> Option<&'static str> {
    match verdict {
        Verdict::Leak(Leak::OverBudget(_)) => Some("over budget"),
        Verdict::Leak(_) => Some("leak"),
        Verdict::Inconclusive(_) if breach == Some(Breach::Inconclusive) => Some("inconclusive"),
        Verdict::Inconclusive(_) | Verdict::Clean(_) => None,
    }
}

fn failed(kind: &str, reason: &str, text: &str) -> TestCaseStatus {
    let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
    status
        .set_type(xml(kind))
        .set_message(xml(reason))
        .set_description(xml(text));
    status
}

/// All that is known of a process, and the lines that hold its growth.
fn in_words(process: &ProcessSummary, reason: &str, limit: Option<&Limit>) -> String {
    let word = process.verdict().map_or("not judged", RunVerdict::word);
    let mut lines = vec![
        format!("{word}: {reason}"),
        format!(
            "live heap {}, peak {}, {}",
            live_in_words(process),
            process.peak,
            count(process.cycles, "GC cycle")
        ),
    ];
    if let Some(pid) = process.pid {
        lines.push(format!("pid {pid}"));
    }
    if let Some(growth) = process.growth() {
        let live = process.last.newest_live();
        lines.push(growth_in_words(&growth, live, limit, process.goal_factor()));
    }
    let rows = Row::all(&process.finding);
    if !rows.is_empty() {
        lines.push(String::new());
        lines.push("What grew, and where it was allocated or started:".into());
        lines.extend(Row::as_text(&rows));
    }
    lines.extend(process.finding.note.clone());
    lines.join("\n")
}

fn property(name: &str, value: &str) -> Property {
    Property::new(name, xml(value))
}

/// What XML 1.0 may have in it (section 2.2): quick-junit leaves out the control characters, but not these two.
fn xml(text: &str) -> String {
    text.replace(['\u{fffe}', '\u{ffff}'], "\u{fffd}")
}
