//! The summary as one JSON object.
//!
//! This is a contract: scripts and CI read it, fields are only added. Units are in the names; sizes are bytes, times are
//! seconds. The fields are those of [`Run`] and of the types that it holds.

mod parts;

use std::io;

use serde::Serialize;

pub(super) use self::parts::{
    Ending, FlagLine, GrowthLine, OverBudgetLine, RiseLine, WithdrawnLine, seconds,
};
use self::parts::{MissLine, SignLine, TrendLine};
use super::culprits::FindingLine;
use super::{Reporter, exit_status};
use crate::detector::Verdict;
use crate::exit::Exit;
use crate::signs;
use crate::size::Size;
use crate::summary::{Limit, ProcessSummary, Summary};

/// The name and version of this format.
pub const SCHEMA: &str = "gcwatch/1";

/// Writes the summary when the run is over.
#[derive(Debug)]
pub struct Json<W>(pub W);

impl<W: io::Write> Reporter for Json<W> {
    fn finish(&mut self, summary: &Summary, exit: Exit) -> io::Result<()> {
        let mut json = serde_json::to_vec_pretty(&Run::of(summary, exit))?;
        json.push(b'\n');
        self.0.write_all(&json)?;
        self.0.flush()
    }
}

/// A run.
#[derive(Debug, Serialize)]
pub struct Run<'a> {
    schema: &'static str,
    /// The version of gcwatch.
    gcwatch: &'static str,
    /// Empty for a saved log.
    command: &'a [String],
    /// `leak`, `clean` or `inconclusive`.
    verdict: &'static str,
    reason: String,
    /// How the command ended; null for a saved log.
    end: Option<Ending>,
    /// How gcwatch ends; 128 and the signal's number where it ends by one.
    exit_status: i32,
    /// Null for a saved log.
    wall_seconds: Option<f64>,
    trace: TraceCounts,
    processes: Vec<Process>,
    /// How many processes more there were.
    dropped_processes: u64,
}

#[derive(Debug, Serialize)]
struct TraceCounts {
    cycles: u64,
    reassembled: u64,
    lost: u64,
    unrecognised: u64,
}

#[derive(Debug, Serialize)]
#[expect(
    clippy::struct_field_names,
    reason = "the format is public: it calls the number of a process so"
)]
struct Process {
    process: u32,
    /// Null where it is not certain which process of the system it is, and for a saved log.
    pid: Option<i32>,
    verdict: &'static str,
    reason: String,
    cycles: u64,
    forced_cycles: u64,
    first_cycle: u32,
    last_cycle: u32,
    span_seconds: f64,
    longest_strict_run: u64,
    /// By the program's own clock, as all times of a process; null where nothing was flagged.
    first_flag_seconds: Option<f64>,
    live_heap: LiveHeap,
    /// The steps that the judged live heaps came in: the trace's, or finer ones where they are known to the byte and `--min-rise`
    /// asks for it.
    judged_in_steps_of_bytes: u64,
    /// Null before Go 1.5.
    gc_cpu_percent: Option<i64>,
    pause: Pause,
    flags: Vec<FlagLine>,
    growth: Option<GrowthLine>,
    forecast: Option<ForecastLine>,
    /// A number where the verdict is clean.
    smallest_visible_leak_bytes_per_second: Option<f64>,
    /// The nearest that the rule came to a flag, since the last one was withdrawn; null while one is flagged, and with
    /// `--rule strict`.
    nearest_miss: Option<MissLine>,
    /// How the run went on after its first third, for `--baseline`; null where it had too few cycles for that, and with
    /// `--rule strict`.
    trend: Option<TrendLine>,
    /// What else the trace shows that is worth a look.
    signs: Vec<SignLine>,
    #[serde(flatten)]
    finding: FindingLine,
}

#[derive(Debug, Serialize)]
#[expect(
    clippy::struct_field_names,
    reason = "the format is public: its names carry the units"
)]
struct LiveHeap {
    first_bytes: u64,
    last_bytes: u64,
    peak_bytes: u64,
}

#[derive(Debug, Serialize)]
struct Pause {
    longest_seconds: f64,
    total_seconds: f64,
}

#[derive(Debug, Serialize)]
struct ForecastLine {
    limit_bytes: u64,
    limit_from: String,
    seconds: f64,
    soonest: f64,
    /// Null where the growth may as well be none.
    latest: Option<f64>,
    /// Until the heap goal is there; null where it is not GOGC's.
    goal_seconds: Option<f64>,
}

impl<'a> Run<'a> {
    fn of(summary: &'a Summary, exit: Exit) -> Self {
        Self {
            schema: SCHEMA,
            gcwatch: env!("CARGO_PKG_VERSION"),
            command: &summary.command,
            verdict: summary.verdict().word(),
            reason: summary.reason(),
            end: summary.end.map(Ending::from),
            exit_status: exit_status(exit),
            wall_seconds: summary.wall.map(seconds),
            trace: TraceCounts {
                cycles: summary.cycles(),
                reassembled: summary.reassembled(),
                lost: summary.lost(),
                unrecognised: summary.unrecognised,
            },
            processes: summary
                .processes
                .iter()
                .filter_map(|process| Process::of(process, summary.limit.as_ref()))
                .collect(),
            dropped_processes: summary.dropped_processes,
        }
    }
}

impl Process {
    /// `None` while the process is not judged, which it is when the run is over.
    fn of(process: &ProcessSummary, limit: Option<&Limit>) -> Option<Self> {
        let judgement = process.judgement.as_ref()?;
        let bytes = |size: Size| size.bytes();
        Some(Self {
            process: process.process.0,
            pid: process.pid,
            verdict: judgement.verdict.word(),
            reason: judgement.verdict.reason(),
            cycles: process.cycles,
            forced_cycles: process.forced_cycles,
            first_cycle: process.first.number,
            last_cycle: process.last.number,
            span_seconds: seconds(process.span()),
            longest_strict_run: judgement.longest_strict_run,
            first_flag_seconds: process.first_flag.map(seconds),
            live_heap: LiveHeap {
                first_bytes: bytes(process.first.newest_live()),
                last_bytes: bytes(process.last.newest_live()),
                peak_bytes: bytes(process.peak),
            },
            judged_in_steps_of_bytes: bytes(judgement.resolution),
            gc_cpu_percent: process.last.gc_cpu_percent,
            pause: Pause {
                longest_seconds: seconds(process.longest_pause),
                total_seconds: seconds(process.total_pause),
            },
            flags: process.flags.iter().map(FlagLine::from).collect(),
            growth: judgement.growth.map(GrowthLine::from),
            forecast: limit.and_then(|limit| {
                process.forecast(limit).map(|forecast| ForecastLine {
                    limit_bytes: limit.size.bytes(),
                    limit_from: limit.from.clone(),
                    seconds: forecast.seconds,
                    soonest: forecast.soonest,
                    latest: forecast.latest,
                    goal_seconds: forecast.goal,
                })
            }),
            smallest_visible_leak_bytes_per_second: match &judgement.verdict {
                Verdict::Clean(clean) => Some(clean.smallest_visible_leak),
                Verdict::Leak(_) | Verdict::Inconclusive(_) => None,
            },
            nearest_miss: judgement.nearest.as_ref().map(MissLine::from),
            trend: judgement.trend.map(TrendLine::from),
            signs: signs::of(process, limit)
                .iter()
                .map(SignLine::from)
                .collect(),
            finding: FindingLine::from(&process.finding),
        })
    }
}
