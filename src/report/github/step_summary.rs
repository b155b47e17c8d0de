//! The step's summary: Markdown with the verdict, the figures, and tables of the processes and of the lines that leak.

use std::fmt::Write as _;
use std::io;

use super::super::culprits::Row;
use super::super::words::{growth_in_words, live_in_words, run_in_words};
use super::super::{Reporter, exit_status};
use super::markdown::{code, plain};
use super::{InCheckout, Spot, leaking, withdrawn, word};
use crate::culprit::blame::Place;
use crate::exit::Exit;
use crate::signs;
use crate::summary::{ProcessSummary, RunVerdict, Summary};
use crate::wording::{Rounded, millis};

/// So many processes have a row of their own.
const MOST_PROCESSES: usize = 50;

/// The lines of so many processes have a table.
const MOST_TABLES: usize = 5;

/// So many callers are named of each line.
const MOST_CALLERS: usize = 8;

/// Names may be of any length; GitHub shows 1 MiB for a step.
const LONGEST_NAME: usize = 200;

/// Writes the summary with one write when the run is over: other programs append to the same file.
pub struct StepSummary<W> {
    out: W,
    subject: String,
    in_checkout: InCheckout,
}

impl<W: io::Write> StepSummary<W> {
    /// A summary to `out`, which is behind what others have written, on `subject`: the name of the program or of the log.
    pub fn new(out: W, subject: String, in_checkout: InCheckout) -> Self {
        Self {
            out,
            subject,
            in_checkout,
        }
    }

    /// Rows for the lines that hold the growth.
    fn culprits(&self, process: &ProcessSummary, text: &mut String) {
        let rows = Row::all(&process.finding);
        if !rows.is_empty() {
            text.push_str(
                "\n| share | growth | function | line | allocated in |\n|--:|:--|:--|:--|:--|\n",
            );
        }
        for row in &rows {
            let function = row
                .blamed
                .map_or("an unknown place", |place| &place.function);
            let _ = writeln!(
                text,
                "| {} ± {} | {} | {} | {} | {} |",
                row.share,
                row.share_error,
                row.growth,
                name(function),
                row.blamed
                    .map_or_else(String::new, |place| self.place(place)),
                row.allocated_in.map_or_else(String::new, name),
            );
        }
        if rows.iter().any(|row| !row.callers.is_empty()) {
            text.push_str("\n<details><summary>The calls that lead there</summary>\n\n");
            for row in &rows {
                let calls = row
                    .blamed
                    .into_iter()
                    .chain(row.callers.iter().take(MOST_CALLERS));
                for (depth, place) in calls.enumerate() {
                    let indent = if depth == 0 { "" } else { "  " };
                    let by = if depth == 0 { "" } else { "called by " };
                    let _ = writeln!(
                        text,
                        "{indent}- {by}{} {}",
                        name(&place.function),
                        self.place(place)
                    );
                }
            }
            text.push_str("\n</details>\n");
        }
        if let Some(note) = &process.finding.note {
            let _ = writeln!(text, "\n{}", plain(note));
        }
        if let Some([base, last]) = &process.finding.profiles {
            let compare = format!("go tool pprof -diff_base {base} {last}");
            let _ = writeln!(text, "\nTo compare the profiles: {}", code(&compare));
        }
    }

    /// The path in the checkout, else the one that the compiler had, and the line.
    fn place(&self, place: &Place) -> String {
        let file = match Spot::of(place, &self.in_checkout) {
            Spot::Checkout(file) => file,
            Spot::Elsewhere => place.file.clone(),
        };
        name(&format!("{file}:{}", place.line))
    }

    fn text(&self, summary: &Summary, exit: Exit) -> String {
        let icon = match summary.verdict() {
            RunVerdict::Leak => "❌",
            RunVerdict::Inconclusive => "⚠️",
            RunVerdict::Clean => "✅",
        };
        let mut text = format!(
            "### {icon} gcwatch: {}: {}\n",
            word(summary),
            name(&self.subject)
        );
        let _ = writeln!(text, "\n**{}**", plain(&summary.reason()));
        if let Some(withdrawn) = withdrawn(summary) {
            let _ = writeln!(text, "\n{}", plain(&withdrawn));
        }
        let ran = run_in_words(summary);
        let _ = writeln!(text, "\n- {}", plain(&ran));
        if let Some(process) = summary.decisive() {
            let limit = summary.limit.as_ref();
            if let Some(growth) = process.growth() {
                let (live, goal) = (process.last.newest_live(), process.goal_factor());
                let growth = growth_in_words(&growth, live, limit, goal);
                let _ = writeln!(text, "- {}", plain(&growth));
            }
            for sign in signs::of(process, limit) {
                let _ = writeln!(text, "- note: {}", plain(&sign.to_string()));
            }
        }
        if summary.unrecognised > 0 {
            let _ = writeln!(
                text,
                "- {} lines began like a GC trace line and could not be read",
                summary.unrecognised
            );
        }
        if !summary.command.is_empty() {
            let _ = writeln!(text, "- command: {}", name(&summary.command.join(" ")));
        }
        let _ = writeln!(text, "- exit status of gcwatch: {}", exit_status(exit));
        processes(summary, &mut text);
        let mut leaking = leaking(summary);
        leaking.retain(|process| {
            let finding = &process.finding;
            finding.note.is_some() || !finding.culprits.is_empty()
        });
        for process in leaking.iter().take(MOST_TABLES) {
            let whose = match summary.processes.len() {
                1 => String::new(),
                _ => format!(" in process {}", process.process.0),
            };
            let _ = writeln!(
                text,
                "\n#### What grew{whose}, and where it was allocated or started"
            );
            self.culprits(process, &mut text);
        }
        text.push('\n');
        text
    }
}

impl<W: io::Write> Reporter for StepSummary<W> {
    fn finish(&mut self, summary: &Summary, exit: Exit) -> io::Result<()> {
        self.out.write_all(self.text(summary, exit).as_bytes())?;
        self.out.flush()
    }
}

fn processes(summary: &Summary, text: &mut String) {
    if summary.processes.is_empty() {
        return;
    }
    text.push_str(
        "\n| process | pid | verdict | cycles | time | live heap | peak | longest pause |\n|--:|--:|:--|--:|--:|--:|--:|--:|\n",
    );
    for process in summary.processes.iter().take(MOST_PROCESSES) {
        let _ = writeln!(
            text,
            "| {} | {} | {} | {} | {} | {} | {} | {} ms |",
            process.process.0,
            process
                .pid
                .map_or_else(|| "–".into(), |pid| pid.to_string()),
            process.verdict().map_or("not judged", RunVerdict::word),
            process.cycles,
            Rounded::down(process.span()),
            live_in_words(process),
            process.peak,
            millis(process.longest_pause),
        );
    }
    let more =
        summary.dropped_processes + summary.processes.len().saturating_sub(MOST_PROCESSES) as u64;
    if more > 0 {
        let _ = writeln!(text, "\nand {more} more");
    }
}

/// A name as code, cut where it is too long.
fn name(text: &str) -> String {
    match text.char_indices().nth(LONGEST_NAME) {
        Some((at, _)) => code(&format!("{}…", &text[..at])),
        None => code(text),
    }
}
