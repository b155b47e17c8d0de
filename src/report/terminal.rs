//! What gcwatch writes to stderr: a leak when it is flagged, and the summary at the end. Every line begins `gcwatch: `.

use std::io;

use anstyle::{AnsiColor, Style};

use super::words::{growth_in_words, live_in_words, rise_in_words, run_in_words, verdict_in_words};
use super::{Reporter, culprits};
use crate::culprit::growth::Finding;
use crate::demux::ProcessId;
use crate::detector::{Rise, Withdrawal, WithdrawnWhy};
use crate::exit::Exit;
use crate::session::Event;
use crate::signs;
use crate::summary::{ProcessSummary, RunVerdict, Summary};
use crate::wording::{Rounded, count};

/// The plot is this many characters wide at most.
const PLOT_WIDTH: usize = 40;

/// So many processes get a line of their own in the summary, so that it has eight at most.
const MOST_PROCESS_LINES: usize = 4;

/// So many signs are told of, so that the summary stays short.
const MOST_SIGNS: usize = 2;

/// Of so many processes it is remembered what was said of their lines.
const MOST_FINDINGS: usize = 64;

/// The report for people.
#[derive(Debug)]
pub struct Terminal<W> {
    out: W,
    colours: bool,
    /// What was said last of the lines that leak.
    found: Vec<(ProcessId, Finding)>,
}

impl<W: io::Write> Terminal<W> {
    /// A report to `out`, with ANSI colours or without.
    pub fn new(out: W, colours: bool) -> Self {
        Self {
            out,
            colours,
            found: Vec::new(),
        }
    }

    fn line(&mut self, text: &str) -> io::Result<()> {
        writeln!(self.out, "gcwatch: {text}")
    }

    fn leak(&mut self, text: &str) -> io::Result<()> {
        let leak = self.painted("leak", RunVerdict::Leak);
        self.line(&format!("{leak}: {text}"))
    }

    fn painted(&self, text: &str, verdict: RunVerdict) -> String {
        let colour = match verdict {
            RunVerdict::Leak => AnsiColor::Red,
            RunVerdict::Inconclusive => AnsiColor::Yellow,
            RunVerdict::Clean => AnsiColor::Green,
        };
        let style = if self.colours {
            Style::new().bold().fg_color(Some(colour.into()))
        } else {
            Style::new()
        };
        format!("{style}{text}{style:#}")
    }

    fn flagged(&mut self, process: ProcessId, rise: &Rise, summary: &Summary) -> io::Result<()> {
        let whose = whose(process, summary);
        let known = summary
            .processes
            .iter()
            .find(|known| known.process == process);
        let goal_factor = known.and_then(ProcessSummary::goal_factor);
        self.leak(&format!("{whose}{}", rise_in_words(rise)))?;
        match &rise.growth {
            Some(growth) => self.leak(&format!(
                "{whose}{}",
                growth_in_words(growth, rise.live, summary.limit.as_ref(), goal_factor)
            )),
            None => Ok(()),
        }
    }

    fn withdrawn(&mut self, whose: &str, withdrawal: &Withdrawal) -> io::Result<()> {
        let Withdrawal {
            at,
            why,
            level,
            quiet,
            ..
        } = withdrawal;
        let at = Rounded::down(*at);
        let how = match why {
            WithdrawnWhy::GivenBack => format!("live heap is {level} again"),
            WithdrawnWhy::LevelledOff => {
                format!("no new floor above {level} for {}", Rounded::down(*quiet))
            }
        };
        self.line(&format!("{whose}withdrawn at {at}: {why}, {how}"))
    }

    /// The lines that leak, and again only where another one comes first.
    fn culprits(&mut self, process: ProcessId, whose: &str, finding: &Finding) -> io::Result<()> {
        let first = |finding: &Finding| {
            let first = finding.culprits.first();
            first.map(|culprit| culprit.site.to_string())
        };
        let known = self.found.iter().position(|(known, _)| *known == process);
        let known = known.map(|index| self.found.remove(index).1);
        let known = known.as_ref();
        if known.is_none_or(|known| first(known) != first(finding)) {
            for line in culprits::in_words(finding) {
                self.leak(&format!("{whose}{line}"))?;
            }
        }
        if let Some(note) = &finding.note
            && known.and_then(|known| known.note.as_ref()) != Some(note)
        {
            self.line(&format!("{whose}{note}"))?;
        }
        if let Some([base, last]) = &finding.profiles
            && known.is_none_or(|known| known.profiles.is_none())
        {
            self.line(&format!(
                "{whose}to compare the profiles: go tool pprof -diff_base {base} {last}"
            ))?;
        }
        if self.found.len() == MOST_FINDINGS {
            self.found.remove(0);
        }
        self.found.push((process, finding.clone()));
        Ok(())
    }

    fn process(&mut self, process: &ProcessSummary) -> io::Result<()> {
        let goal = process
            .last
            .goal
            .map_or_else(String::new, |goal| format!(", goal {goal}"));
        self.line(&format!(
            "live heap {}, peak {}{goal}  {}",
            live_in_words(process),
            process.peak,
            plot(&process.live.lows(PLOT_WIDTH)),
        ))
    }

    /// What else the trace shows, of the process that decides, where the summary has room for it.
    fn signs(&mut self, summary: &Summary) -> io::Result<()> {
        let (Some(process), true) = (summary.decisive(), summary.processes.len() == 1) else {
            return Ok(());
        };
        for sign in signs::of(process, summary.limit.as_ref())
            .iter()
            .take(MOST_SIGNS)
        {
            self.line(&format!("note: {sign}"))?;
        }
        Ok(())
    }

    fn processes(&mut self, summary: &Summary) -> io::Result<()> {
        for process in summary.processes.iter().take(MOST_PROCESS_LINES) {
            let word = process
                .judgement
                .as_ref()
                .map_or("not judged", |judgement| judgement.verdict.word());
            self.line(&format!(
                "process {}: {word}, {}, live heap {}",
                process.process.0,
                count(process.cycles, "cycle"),
                live_in_words(process),
            ))?;
        }
        let more = summary.dropped_processes
            + summary.processes.len().saturating_sub(MOST_PROCESS_LINES) as u64;
        if more > 0 {
            self.line(&format!("and {more} more"))
        } else {
            Ok(())
        }
    }
}

/// Names a process where there are several.
fn whose(process: ProcessId, summary: &Summary) -> String {
    let several = summary.dropped_processes > 0 || summary.processes.len() > 1;
    if several {
        format!("process {}: ", process.0)
    } else {
        String::new()
    }
}

impl<W: io::Write> Reporter for Terminal<W> {
    fn event(&mut self, event: &Event, summary: &Summary) -> io::Result<()> {
        match event {
            Event::Flagged { process, rise } => self.flagged(*process, rise, summary),
            Event::Withdrawn {
                process,
                withdrawal,
            } => self.withdrawn(&whose(*process, summary), withdrawal),
            Event::OverBudget {
                process,
                over_budget,
            } => self.leak(&format!("{}{over_budget}", whose(*process, summary))),
            Event::Culprits { process, finding } => {
                self.culprits(*process, &whose(*process, summary), finding)
            }
            Event::Judged { process, .. } => {
                let mut known = summary.processes.iter();
                let judged = known.find(|known| known.process == *process);
                match judged.and_then(ProcessSummary::leak_at_last) {
                    Some(rise) => self.flagged(*process, rise, summary),
                    None => Ok(()),
                }
            }
            _ => Ok(()),
        }
    }

    fn finish(&mut self, summary: &Summary, _exit: Exit) -> io::Result<()> {
        self.line(&run_in_words(summary))?;
        if summary.unrecognised > 0 {
            self.line(&format!(
                "{} began like a GC trace line and could not be read: is this Go newer than this gcwatch?",
                count(summary.unrecognised, "line")
            ))?;
        }
        match &summary.processes[..] {
            [process] => self.process(process)?,
            _ => self.processes(summary)?,
        }
        self.signs(summary)?;
        let verdict = summary.verdict();
        let word = self.painted(verdict.word(), verdict);
        self.line(&format!("SUMMARY: {word}: {}", verdict_in_words(summary)))?;
        self.out.flush()
    }
}

/// A line of blocks, the lowest value lowest; zero is the ground.
fn plot(lows: &[u64]) -> String {
    const BLOCKS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    let most = u128::from(lows.iter().copied().max().unwrap_or_default().max(1));
    let last = BLOCKS.len() - 1;
    lows.iter()
        .map(|low| BLOCKS[usize::try_from(u128::from(*low) * last as u128 / most).unwrap_or(last)])
        .collect()
}
