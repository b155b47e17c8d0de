//! How the verdict came about (`--explain`): the windows and floors behind it, and how far they met each condition.

use std::io;
use std::time::Duration;

use super::Reporter;
use crate::detector::{Evidence, Finding, HeldBack, Leak, Rise, Verdict};
use crate::exit::Exit;
use crate::summary::{Flag, ProcessSummary, Summary};
use crate::wording::count;

/// Explains the process that decides, before the summary. Every line begins `gcwatch: explain: `.
#[derive(Debug)]
pub struct Explain<W>(pub W);

impl<W: io::Write> Reporter for Explain<W> {
    fn finish(&mut self, summary: &Summary, _exit: Exit) -> io::Result<()> {
        let Some(process) = summary.decisive() else {
            return Ok(());
        };
        let whose = match summary.processes.len() {
            1 => String::new(),
            _ => format!("process {}: ", process.process.0),
        };
        for line in in_words(process) {
            writeln!(self.0, "gcwatch: explain: {whose}{line}")?;
        }
        self.0.flush()
    }
}

fn in_words(process: &ProcessSummary) -> Vec<String> {
    let mut lines = Vec::new();
    let flagged = process
        .flags
        .iter()
        .rposition(|flag| matches!(flag, Flag::Leak(_)));
    // What came before the last flag has been taken back.
    for flag in &process.flags[flagged.unwrap_or_default()..] {
        match flag {
            Flag::Leak(rise) => lines.extend(rise_in_words("flagged", rise)),
            Flag::Withdrawn(withdrawal) => lines.push(format!(
                "withdrawn {}: {}",
                moment(withdrawal.cycle, withdrawal.at),
                withdrawal.why
            )),
            Flag::OverBudget(over) => lines.push(format!("{over}, {}", after(over.at))),
        }
    }
    let Some(judgement) = &process.judgement else {
        return lines;
    };
    if let Some(rise) = process.leak_at_last() {
        lines.extend(rise_in_words("not flagged; found at the end", rise));
    }
    match (&judgement.nearest, &judgement.verdict) {
        (Some(nearest), _) => lines.extend(miss_in_words(nearest, flagged.is_some())),
        (None, Verdict::Leak(Leak::Floor(_) | Leak::Strict(_) | Leak::OverBudget(_))) => {}
        (None, _) if flagged.is_some() => {}
        (None, _) => lines.push("nothing was flagged: too few cycles for one comparison".into()),
    }
    lines.push(format!(
        "verdict {}: {}",
        judgement.verdict.word(),
        judgement.verdict
    ));
    lines
}

fn rise_in_words(how: &str, rise: &Rise) -> Vec<String> {
    let moment = moment(rise.cycle, rise.at);
    let head = format!(
        "{how} {moment}, in {}",
        windows(rise.window_cycles, &rise.evidence)
    );
    std::iter::once(head)
        .chain(evidence_in_words(&rise.evidence))
        .collect()
}

fn miss_in_words(nearest: &HeldBack, was_flagged: bool) -> Vec<String> {
    let since = if was_flagged {
        "since then nearest to a flag"
    } else {
        "nothing was flagged; nearest to it"
    };
    let moment = moment(nearest.cycle, nearest.at);
    let head = format!(
        "{since} {moment}, in {}",
        windows(nearest.window_cycles, &nearest.evidence)
    );
    let by = format!(
        "  not {}; {}",
        finding_in_words(&nearest.by),
        nearest.by.reason
    );
    std::iter::once(head)
        .chain(evidence_in_words(&nearest.evidence))
        .chain([by])
        .collect()
}

/// `7 windows of 12 cycles`.
fn windows(cycles: u64, evidence: &Evidence) -> String {
    let windows = count(evidence.windows.len() as u64, "window");
    format!("{windows} of {}", count(cycles, "cycle"))
}

/// A line for each window, and one for each condition.
fn evidence_in_words(evidence: &Evidence) -> impl Iterator<Item = String> {
    let window = |window: &crate::detector::Seen| {
        format!(
            "  {:8.3} to {:8.3} s: floor {}, highest {}",
            window.start.as_secs_f64(),
            window.end.as_secs_f64(),
            window.floor,
            window.ceiling
        )
    };
    let finding = |finding: &Finding| format!("  {}", finding_in_words(finding));
    let windows: Vec<String> = evidence.windows.iter().map(window).collect();
    windows
        .into_iter()
        .chain(evidence.findings.iter().map(finding))
}

fn finding_in_words(finding: &Finding) -> String {
    format!("{}: {}", finding.condition, finding.margin)
}

/// `at cycle 97, 33.1 s after the start`.
fn moment(cycle: u32, at: Duration) -> String {
    format!("at cycle {cycle}, {}", after(at))
}

fn after(at: Duration) -> String {
    format!("{:.1} s after the start", at.as_secs_f64())
}
