//! Reads the summary of an earlier run (`--json`), to compare this one with.

use std::fs;
use std::path::Path;
use std::time::Duration;

use serde::Deserialize;

use crate::detector::{Growth, Trend};
use crate::error::{Error, reason};
use crate::report::json::SCHEMA;
use crate::size::Size;

/// The fields of a summary that matter here; they may be missing in any other JSON.
#[derive(Debug, Deserialize)]
struct Summary {
    schema: Option<String>,
    #[serde(default)]
    processes: Vec<Process>,
}

#[derive(Debug, Deserialize)]
struct Process {
    cycles: u64,
    /// Missing in summaries of older versions, null where the run was too short or had `--rule strict`.
    trend: Option<TrendLine>,
}

#[derive(Debug, Deserialize)]
struct TrendLine {
    floor_bytes: u64,
    bytes_per_second: f64,
    low: f64,
    high: f64,
    bytes_per_cycle: f64,
    observed_seconds: f64,
}

/// How the earlier run went: its process with the most cycles.
pub fn read(path: &Path) -> Result<Trend, Error> {
    let failed = |why: String| Error::Baseline {
        path: path.to_path_buf(),
        why,
    };
    let text = fs::read(path).map_err(|error| failed(reason(&error)))?;
    let summary: Summary = serde_json::from_slice(&text)
        .map_err(|error| failed(format!("it is no summary of gcwatch ({error})")))?;
    match summary.schema.as_deref() {
        Some(SCHEMA) => {}
        Some(other) => {
            return Err(failed(format!(
                "its schema is `{other}`, and this gcwatch knows `{SCHEMA}`"
            )));
        }
        None => {
            return Err(failed(
                "it is no summary of gcwatch (it has no schema)".into(),
            ));
        }
    }
    let most = summary
        .processes
        .iter()
        .max_by_key(|process| process.cycles)
        .ok_or_else(|| failed("its run had no GC cycle".into()))?;
    let Some(trend) = &most.trend else {
        return Err(failed(format!(
            "its run has no trend: {} cycles, too short, another rule, or an older gcwatch",
            most.cycles
        )));
    };
    let observed = Duration::try_from_secs_f64(trend.observed_seconds)
        .map_err(|_| failed("its run took no time that there is".into()))?;
    Ok(Trend {
        floor: Size::from_bytes(trend.floor_bytes),
        growth: Growth {
            bytes_per_second: trend.bytes_per_second,
            low: trend.low,
            high: trend.high,
            bytes_per_cycle: trend.bytes_per_cycle,
        },
        observed,
    })
}
