//! What several reports say of a run, in the same words.

use std::time::Duration;

use crate::detector::{Forecast, Growth, Leak, Rise, Verdict, forecast};
use crate::size::Size;
use crate::summary::{Limit, ProcessSummary, Summary};
use crate::wording::{Rounded, about, count, mib, millis, sizes};

/// `live heap rose across 6 windows of 12 cycles: 21, 24, … 37 MiB in 27 s, and never came back`.
pub(super) fn rise_in_words(rise: &Rise) -> String {
    format!(
        "live heap rose across {} of {}: {} in {}, and never came back",
        count(rise.floors.len().saturating_sub(1) as u64, "window"),
        count(rise.window_cycles, "cycle"),
        sizes(&rise.floors, ", "),
        Rounded::down(rise.span),
    )
}

/// `+0.58 MiB/s (0.49 to 0.70), 0.13 MiB a cycle; 512 MiB (GOMEMLIMIT) in about 14 min (11 to 17), the heap goal in 6 min`.
pub(super) fn growth_in_words(
    growth: &Growth,
    live: Size,
    limit: Option<&Limit>,
    goal_factor: Option<f64>,
) -> String {
    let [rate, low, high, per_cycle] = [
        growth.bytes_per_second,
        growth.low,
        growth.high,
        growth.bytes_per_cycle,
    ]
    .map(mib);
    let rate = format!("+{rate} MiB/s ({low} to {high}), {per_cycle} MiB a cycle");
    let (size, name, goal_factor) = match limit {
        Some(limit) => (
            limit.size,
            format!("{} ({})", limit.size, limit.from),
            goal_factor,
        ),
        None => (
            Size::from_bytes(live.bytes().saturating_mul(2)),
            "twice this".into(),
            None,
        ),
    };
    let Some(Forecast {
        seconds,
        soonest,
        latest,
        goal,
    }) = forecast(growth, live, size, goal_factor)
    else {
        return rate;
    };
    let when = match latest {
        Some(latest) => format!("in about {}", about(seconds, soonest, latest)),
        None => format!("not before {}", Rounded::down(time(soonest))),
    };
    let goal = goal.map_or_else(String::new, |goal| {
        format!(", the heap goal in {}", Rounded::down(time(goal)))
    });
    format!("{rate}; {name} {when}{goal}")
}

/// Seconds as a time; what does not fit is as long as it gets.
fn time(seconds: f64) -> Duration {
    Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX)
}

/// `ran 61.2 s, 214 GC cycles (3 reassembled, 0 lost), 2 % of CPU in GC, longest pause 0.41 ms`.
pub(super) fn run_in_words(summary: &Summary) -> String {
    let ran = summary.wall.map_or_else(String::new, |wall| {
        format!("ran {:.1} s, ", wall.as_secs_f64())
    });
    let cycles = count(summary.cycles(), "GC cycle");
    let read = format!(
        "{ran}{cycles} ({} reassembled, {} lost)",
        summary.reassembled(),
        summary.lost()
    );
    let longest_pause = summary
        .processes
        .iter()
        .map(|process| process.longest_pause)
        .max();
    match (summary.decisive(), longest_pause) {
        (Some(process), Some(pause)) => {
            let cpu = process
                .last
                .gc_cpu_percent
                .map_or_else(String::new, |percent| format!(", {percent} % of CPU in GC"));
            format!("{read}{cpu}, longest pause {} ms", millis(pause))
        }
        _ => read,
    }
}

/// `5 -> 43 MiB`.
pub(super) fn live_in_words(process: &ProcessSummary) -> String {
    sizes(
        &[process.first.newest_live(), process.last.newest_live()],
        " -> ",
    )
}

/// `live heap +38 MiB in 214 cycles (+0.58 MiB/s)`, or else the reason of the verdict.
pub(super) fn verdict_in_words(summary: &Summary) -> String {
    let verdict = |process: &ProcessSummary| {
        process
            .judgement
            .as_ref()
            .map(|judgement| judgement.verdict.clone())
    };
    match (&summary.processes[..], summary.decisive().and_then(verdict)) {
        ([process], Some(Verdict::Leak(Leak::Floor(_) | Leak::Strict(_)))) => {
            let grown = process.last.newest_live().mib() - process.first.newest_live().mib();
            let rate = |growth: Growth| format!(" (+{} MiB/s)", mib(growth.bytes_per_second));
            let rate = process.growth().map_or_else(String::new, rate);
            format!(
                "live heap {grown:+.0} MiB in {}{rate}",
                count(process.cycles, "cycle")
            )
        }
        _ => summary.reason(),
    }
}
