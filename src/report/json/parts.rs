//! The parts of the summary and of the events.

use std::time::Duration;

use serde::Serialize;

use crate::detector::{Growth, HeldBack, OverBudget, Rise, Trend, Withdrawal};
use crate::exit::End;
use crate::signs::Sign;
use crate::summary::Flag;

/// How a command ended: `{"code": 0}` or `{"signal": 15}`.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub(in crate::report) enum Ending {
    Code(u8),
    Signal(i32),
}

impl From<End> for Ending {
    fn from(end: End) -> Self {
        match end {
            End::Code(code) => Self::Code(code),
            End::Signal(signal) => Self::Signal(signal),
        }
    }
}

#[derive(Debug, Serialize)]
pub(super) struct TrendLine {
    /// The lowest live heap of the last third.
    floor_bytes: u64,
    /// How fast the floor rose over the last two thirds, with its interval.
    #[serde(flatten)]
    growth: GrowthLine,
    observed_seconds: f64,
}

impl From<Trend> for TrendLine {
    fn from(trend: Trend) -> Self {
        Self {
            floor_bytes: trend.floor.bytes(),
            growth: trend.growth.into(),
            observed_seconds: seconds(trend.observed),
        }
    }
}

#[derive(Debug, Serialize)]
pub(super) struct SignLine {
    /// `near limit`, `no gogc`, `stacks`, `assist`, `churn` or `forced`.
    what: &'static str,
    text: String,
}

impl From<&Sign> for SignLine {
    fn from(sign: &Sign) -> Self {
        Self {
            what: sign.name(),
            text: sign.to_string(),
        }
    }
}

/// Windows that were no leak, and the condition that held them back.
#[derive(Debug, Serialize)]
pub(super) struct MissLine {
    cycle: u32,
    at_seconds: f64,
    window_cycles: u64,
    floors_bytes: Vec<u64>,
    span_seconds: f64,
    /// The condition's name.
    held_back_by: &'static str,
    /// What they have of what the condition measures, and what it needs; its unit is in the text.
    has: f64,
    needs: f64,
    text: String,
}

impl From<&HeldBack> for MissLine {
    fn from(held_back: &HeldBack) -> Self {
        let floors = held_back.evidence.floors();
        Self {
            cycle: held_back.cycle,
            at_seconds: seconds(held_back.at),
            window_cycles: held_back.window_cycles,
            floors_bytes: floors.iter().map(|floor| floor.bytes()).collect(),
            span_seconds: seconds(held_back.span),
            held_back_by: held_back.by.condition,
            has: held_back.by.margin.has,
            needs: held_back.by.margin.needs,
            text: held_back.to_string(),
        }
    }
}

/// A moment that mattered.
#[derive(Debug, Serialize)]
#[serde(tag = "what", rename_all = "snake_case")]
pub(in crate::report) enum FlagLine {
    Leak(RiseLine),
    Withdrawn(WithdrawnLine),
    OverBudget(OverBudgetLine),
}

#[derive(Debug, Serialize)]
pub(in crate::report) struct RiseLine {
    cycle: u32,
    at_seconds: f64,
    window_cycles: u64,
    floors_bytes: Vec<u64>,
    rise_bytes: u64,
    span_seconds: f64,
}

impl From<&Rise> for RiseLine {
    fn from(rise: &Rise) -> Self {
        Self {
            cycle: rise.cycle,
            at_seconds: seconds(rise.at),
            window_cycles: rise.window_cycles,
            floors_bytes: rise.floors.iter().map(|floor| floor.bytes()).collect(),
            rise_bytes: rise.rise().bytes(),
            span_seconds: seconds(rise.span),
        }
    }
}

#[derive(Debug, Serialize)]
pub(in crate::report) struct WithdrawnLine {
    cycle: u32,
    at_seconds: f64,
    /// `given back` or `levelled off`.
    why: String,
    level_bytes: u64,
}

impl From<&Withdrawal> for WithdrawnLine {
    fn from(withdrawal: &Withdrawal) -> Self {
        Self {
            cycle: withdrawal.cycle,
            at_seconds: seconds(withdrawal.at),
            why: withdrawal.why.to_string(),
            level_bytes: withdrawal.level.bytes(),
        }
    }
}

#[derive(Debug, Serialize)]
pub(in crate::report) struct OverBudgetLine {
    cycle: u32,
    at_seconds: f64,
    live_heap_bytes: u64,
    budget_bytes: u64,
}

impl From<&OverBudget> for OverBudgetLine {
    fn from(over: &OverBudget) -> Self {
        Self {
            cycle: over.cycle,
            at_seconds: seconds(over.at),
            live_heap_bytes: over.live.bytes(),
            budget_bytes: over.budget.bytes(),
        }
    }
}

#[derive(Debug, Serialize)]
pub(in crate::report) struct GrowthLine {
    bytes_per_second: f64,
    low: f64,
    high: f64,
    bytes_per_cycle: f64,
}

impl From<Growth> for GrowthLine {
    fn from(growth: Growth) -> Self {
        let Growth {
            bytes_per_second,
            low,
            high,
            bytes_per_cycle,
        } = growth;
        Self {
            bytes_per_second,
            low,
            high,
            bytes_per_cycle,
        }
    }
}

impl From<&Flag> for FlagLine {
    fn from(flag: &Flag) -> Self {
        match flag {
            Flag::Leak(rise) => Self::Leak(rise.into()),
            Flag::Withdrawn(withdrawal) => Self::Withdrawn(withdrawal.into()),
            Flag::OverBudget(over) => Self::OverBudget(over.into()),
        }
    }
}

pub(in crate::report) fn seconds(time: Duration) -> f64 {
    time.as_secs_f64()
}
