//! What gcwatch writes to stderr: a leak when it is flagged, and the summary at the end. Every line begins `gcwatch: `.

use std::io;
use std::time::Duration;

use anstyle::{AnsiColor, Style};

use super::Reporter;
use crate::detector::{
    Growth, Leak, OverBudget, Rise, Verdict, Withdrawal, WithdrawnWhy, forecast,
};
use crate::exit::Exit;
use crate::session::Event;
use crate::size::{MIB, Size};
use crate::summary::{Limit, ProcessSummary, RunVerdict, Summary};

/// The plot is this many characters wide at most.
const PLOT_WIDTH: usize = 40;

/// So many processes get a line of their own in the summary, so that it has eight at most.
const MOST_PROCESS_LINES: usize = 4;

/// The report for people.
#[derive(Debug)]
pub struct Terminal<W> {
    out: W,
    colours: bool,
}

impl<W: io::Write> Terminal<W> {
    /// A report to `out`, with ANSI colours or without.
    pub fn new(out: W, colours: bool) -> Self {
        Self { out, colours }
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

    fn flagged(&mut self, rise: &Rise, limit: Option<&Limit>) -> io::Result<()> {
        self.leak(&rise_in_words(rise))?;
        match &rise.growth {
            Some(growth) => self.leak(&growth_in_words(growth, rise.live, limit)),
            None => Ok(()),
        }
    }

    fn withdrawn(&mut self, withdrawal: &Withdrawal) -> io::Result<()> {
        let Withdrawal {
            at,
            why,
            level,
            quiet,
            ..
        } = withdrawal;
        let at = time(*at);
        match why {
            WithdrawnWhy::GivenBack => self.line(&format!(
                "withdrawn at {at}: {why}, live heap is {level} again"
            )),
            WithdrawnWhy::LevelledOff => self.line(&format!(
                "withdrawn at {at}: {why} at {level} (no new floor for {})",
                time(*quiet)
            )),
        }
    }

    fn over_budget(&mut self, over: &OverBudget) -> io::Result<()> {
        self.leak(&format!(
            "live heap {} is over the budget of {} at cycle {}",
            over.live, over.budget, over.cycle
        ))
    }

    fn process(&mut self, process: &ProcessSummary) -> io::Result<()> {
        let first = process.first.heap.live.to_string();
        self.line(&format!(
            "live heap {} -> {}, peak {}, goal {}  {}",
            first.trim_end_matches(" MiB"),
            process.last.heap.live,
            process.peak,
            process.last.goal,
            plot(&process.live.lows(PLOT_WIDTH)),
        ))
    }

    fn processes(&mut self, summary: &Summary) -> io::Result<()> {
        for process in summary.processes.iter().take(MOST_PROCESS_LINES) {
            let word = process
                .judgement
                .as_ref()
                .map_or("not judged", |judgement| judgement.verdict.word());
            self.line(&format!(
                "process {}: {word}, {}, live heap {} -> {}",
                process.process.0,
                count(process.cycles, "cycle"),
                process.first.heap.live.to_string().trim_end_matches(" MiB"),
                process.last.heap.live,
            ))?;
        }
        let more = summary.dropped_processes
            + summary.processes.len().saturating_sub(MOST_PROCESS_LINES) as u64;
        if more > 0 {
            self.line(&format!(
                "and {} more",
                count_as(more, "process", "processes")
            ))
        } else {
            Ok(())
        }
    }
}

impl<W: io::Write> Reporter for Terminal<W> {
    fn event(&mut self, event: &Event, summary: &Summary) -> io::Result<()> {
        match event {
            Event::Flagged { rise, .. } => self.flagged(rise, summary.limit.as_ref()),
            Event::Withdrawn { withdrawal, .. } => self.withdrawn(withdrawal),
            Event::OverBudget { over_budget, .. } => self.over_budget(over_budget),
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
        let verdict = summary.verdict();
        let word = self.painted(verdict.word(), verdict);
        self.line(&format!("SUMMARY: {word}: {}", verdict_in_words(summary)))?;
        self.out.flush()
    }
}

/// `live heap rose across 6 windows of 12 cycles: 21, 24, … 37 MiB in 27 s, and never came back`.
fn rise_in_words(rise: &Rise) -> String {
    let steps = rise.floors.len().saturating_sub(1) as u64;
    let floors: Vec<String> = rise.floors.iter().map(|floor| whole_mib(*floor)).collect();
    let floors = floors.join(", ");
    let span = time(rise.span);
    format!(
        "live heap rose across {} of {}: {floors} MiB in {span}, and never came back",
        count(steps, "window"),
        count(rise.window_cycles, "cycle"),
    )
}

/// `+0.58 MiB/s (0.49 to 0.70), 0.13 MiB a cycle; 512 MiB (GOMEMLIMIT) in about 14 min (11 to 17)`.
fn growth_in_words(growth: &Growth, live: Size, limit: Option<&Limit>) -> String {
    let rate = format!(
        "+{} MiB/s ({} to {}), {} MiB a cycle",
        mib(growth.bytes_per_second),
        mib(growth.low),
        mib(growth.high),
        mib(growth.bytes_per_cycle)
    );
    let (goal, size) = match limit {
        Some(limit) => (format!("{} ({})", limit.size, limit.from), limit.size),
        None => (
            "twice this".into(),
            Size::from_bytes(live.bytes().saturating_mul(2)),
        ),
    };
    let Some(forecast) = forecast(growth, live, size) else {
        return rate;
    };
    let seconds = |seconds: f64| Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX);
    let soonest = seconds(forecast.soonest);
    match forecast.latest {
        Some(latest) => {
            let about = time(seconds(forecast.seconds));
            format!(
                "{rate}; {goal} in about {about} ({} to {})",
                time(soonest),
                time(seconds(latest))
            )
        }
        None => format!("{rate}; {goal} not before {}", time(soonest)),
    }
}

/// `ran 61.2 s, 214 GC cycles (3 reassembled, 0 lost), 2 % of CPU in GC, longest pause 0.41 ms`.
fn run_in_words(summary: &Summary) -> String {
    let ran = summary.wall.map_or_else(String::new, |wall| {
        format!("ran {:.1} s, ", wall.as_secs_f64())
    });
    let cycles = count(summary.cycles(), "GC cycle");
    let (reassembled, lost) = (summary.reassembled(), summary.lost());
    let read = format!("{ran}{cycles} ({reassembled} reassembled, {lost} lost)");
    let pause = summary
        .processes
        .iter()
        .map(|process| process.longest_pause)
        .max();
    let percent = summary
        .decisive()
        .map(|process| process.last.gc_cpu_percent);
    match (percent, pause) {
        (Some(percent), Some(pause)) => {
            format!(
                "{read}, {percent} % of CPU in GC, longest pause {} ms",
                millis(pause)
            )
        }
        _ => read,
    }
}

fn verdict_in_words(summary: &Summary) -> String {
    let Some((process, judgement)) = summary.decisive().and_then(|process| {
        process
            .judgement
            .as_ref()
            .map(|judgement| (process, judgement))
    }) else {
        return summary.reason();
    };
    match (&judgement.verdict, summary.processes.len()) {
        (Verdict::Leak(Leak::Floor(_) | Leak::Strict(_)), 1) => {
            let grown = process.last.heap.live.mib() - process.first.heap.live.mib();
            let rate = judgement.growth.map_or_else(String::new, |growth| {
                format!(" (+{} MiB/s)", mib(growth.bytes_per_second))
            });
            format!(
                "live heap {grown:+.0} MiB in {}{rate}",
                count(process.cycles, "cycle")
            )
        }
        _ => summary.reason(),
    }
}

fn whole_mib(size: Size) -> String {
    size.to_string().trim_end_matches(" MiB").into()
}

/// Bytes as MiB, with as many decimals as tell something.
#[expect(clippy::cast_precision_loss, reason = "one MiB is exact")]
fn mib(bytes: f64) -> String {
    let mib = bytes / MIB as f64;
    if mib.abs() >= 10.0 {
        format!("{mib:.1}")
    } else {
        format!("{mib:.2}")
    }
}

/// Milliseconds with two digits that count.
fn millis(time: Duration) -> String {
    let millis = time.as_secs_f64() * 1e3;
    if millis >= 10.0 {
        format!("{millis:.0}")
    } else {
        format!("{millis:.2}")
    }
}

/// A time in the unit that fits.
fn time(time: Duration) -> String {
    let seconds = time.as_secs_f64();
    match time.as_secs() {
        0..10 => format!("{seconds:.1} s"),
        10..120 => format!("{seconds:.0} s"),
        120..7_200 => format!("{:.0} min", seconds / 60.0),
        7_200..172_800 => format!("{:.0} h", seconds / 3_600.0),
        _ => format!("{:.0} days", seconds / 86_400.0),
    }
}

fn count(number: u64, noun: &str) -> String {
    count_as(number, noun, &format!("{noun}s"))
}

fn count_as(number: u64, one: &str, many: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { many })
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
