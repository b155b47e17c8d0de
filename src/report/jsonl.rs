//! Every event as it happens, one JSON object a line.
//!
//! This is a contract: fields are only added. Units are in the names; sizes are bytes, times are seconds. A field that a Go
//! release does not print is null. `type` comes first: `started`, `cycle`, `identified`, `flagged`, `withdrawn`, `over_budget`, `culprit`, `ended`.

use std::io;

use serde::Serialize;

use super::Reporter;
use super::culprits::FindingLine;
use super::json::{Ending, GrowthLine, OverBudgetLine, RiseLine, SCHEMA, WithdrawnLine, seconds};
use crate::exit::Exit;
use crate::session::Event;
use crate::size::Size;
use crate::summary::Summary;
use crate::trace::{Clock, Cpu, Cycle};

/// Writes each event with one write, so that a reader sees it at once and whole.
#[derive(Debug)]
pub struct Jsonl<W>(pub W);

impl<W: io::Write> Jsonl<W> {
    fn line(&mut self, line: &Line) -> io::Result<()> {
        let mut json = serde_json::to_vec(line)?;
        json.push(b'\n');
        self.0.write_all(&json)?;
        self.0.flush()
    }
}

impl<W: io::Write> Reporter for Jsonl<W> {
    fn event(&mut self, event: &Event, _summary: &Summary) -> io::Result<()> {
        match event {
            Event::Started {
                command,
                unix_seconds,
            } => self.line(&Line::Started {
                schema: SCHEMA,
                command,
                unix_seconds: *unix_seconds,
            }),
            Event::Cycle {
                process,
                arrived,
                cycle,
                reassembled,
            } => {
                let arrived_seconds = arrived.map(seconds);
                self.line(&Line::Cycle(CycleLine::of(
                    process.0,
                    arrived_seconds,
                    cycle,
                    *reassembled,
                )))
            }
            Event::Identified { process, pid } => self.line(&Line::Identified {
                process: process.0,
                pid: *pid,
            }),
            Event::Flagged { process, rise } => {
                let growth = rise.growth.map(GrowthLine::from);
                self.line(&Line::Flagged {
                    process: process.0,
                    rise: rise.into(),
                    growth,
                })
            }
            Event::Culprits { process, finding } => self.line(&Line::Culprit {
                process: process.0,
                finding: finding.into(),
            }),
            Event::Withdrawn {
                process,
                withdrawal,
            } => self.line(&Line::Withdrawn {
                process: process.0,
                withdrawn: withdrawal.into(),
            }),
            Event::OverBudget {
                process,
                over_budget,
            } => self.line(&Line::OverBudget {
                process: process.0,
                over_budget: over_budget.into(),
            }),
            Event::HeldBack { .. }
            | Event::Judged { .. }
            | Event::Drained { .. }
            | Event::Ended { .. } => Ok(()),
        }
    }

    fn finish(&mut self, summary: &Summary, _exit: Exit) -> io::Result<()> {
        self.line(&Line::Ended {
            end: summary.end.map(Ending::from),
            wall_seconds: summary.wall.map(seconds),
            verdict: summary.verdict().word(),
            reason: summary.reason(),
        })
    }
}

#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Line<'a> {
    Started {
        schema: &'static str,
        command: &'a [String],
        unix_seconds: Option<f64>,
    },
    Cycle(CycleLine),
    Identified {
        process: u32,
        pid: i32,
    },
    Flagged {
        process: u32,
        #[serde(flatten)]
        rise: RiseLine,
        growth: Option<GrowthLine>,
    },
    Culprit {
        process: u32,
        #[serde(flatten)]
        finding: FindingLine,
    },
    Withdrawn {
        process: u32,
        #[serde(flatten)]
        withdrawn: WithdrawnLine,
    },
    OverBudget {
        process: u32,
        #[serde(flatten)]
        over_budget: OverBudgetLine,
    },
    Ended {
        end: Option<Ending>,
        wall_seconds: Option<f64>,
        verdict: &'static str,
        reason: String,
    },
}

#[derive(Debug, Serialize)]
struct CycleLine {
    process: u32,
    arrived_seconds: Option<f64>,
    cycle: u32,
    at_seconds: Option<f64>,
    gc_cpu_percent: Option<i64>,
    forced: Option<bool>,
    leak_check: bool,
    clock_seconds: Option<ClockSeconds>,
    cpu_seconds: Option<CpuSeconds>,
    heap_start_bytes: u64,
    heap_end_bytes: Option<u64>,
    live_heap_bytes: Option<u64>,
    /// Go 1.3 and 1.4 only, which print it in the place of this cycle's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    previous_live_heap_bytes: Option<u64>,
    heap_goal_bytes: Option<u64>,
    stacks_bytes: Option<u64>,
    globals_bytes: Option<u64>,
    procs: u32,
    reassembled: bool,
}

#[derive(Debug, Serialize)]
struct ClockSeconds {
    sweep_term: f64,
    /// Go 1.5 only, as `install_wb`.
    #[serde(skip_serializing_if = "Option::is_none")]
    scan: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    install_wb: Option<f64>,
    mark: f64,
    mark_term: f64,
}

impl From<Clock> for ClockSeconds {
    fn from(clock: Clock) -> Self {
        Self {
            sweep_term: seconds(clock.sweep_term),
            scan: clock.early.map(|early| seconds(early.scan)),
            install_wb: clock.early.map(|early| seconds(early.install_wb)),
            mark: seconds(clock.mark),
            mark_term: seconds(clock.mark_term),
        }
    }
}

#[derive(Debug, Serialize)]
struct CpuSeconds {
    sweep_term: f64,
    /// Go 1.5 only, as `install_wb`.
    #[serde(skip_serializing_if = "Option::is_none")]
    scan: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    install_wb: Option<f64>,
    assist: f64,
    background: f64,
    idle: f64,
    mark_term: f64,
}

impl From<Cpu> for CpuSeconds {
    fn from(cpu: Cpu) -> Self {
        Self {
            sweep_term: seconds(cpu.sweep_term),
            scan: cpu.early.map(|early| seconds(early.scan)),
            install_wb: cpu.early.map(|early| seconds(early.install_wb)),
            assist: seconds(cpu.assist),
            background: seconds(cpu.background),
            idle: seconds(cpu.idle),
            mark_term: seconds(cpu.mark_term),
        }
    }
}

impl CycleLine {
    fn of(process: u32, arrived_seconds: Option<f64>, cycle: &Cycle, reassembled: bool) -> Self {
        Self {
            process,
            arrived_seconds,
            cycle: cycle.number,
            at_seconds: cycle.at.map(seconds),
            gc_cpu_percent: cycle.gc_cpu_percent,
            // Printed by the releases that also print the time.
            forced: cycle.at.map(|_| cycle.forced),
            leak_check: cycle.leak_check,
            clock_seconds: cycle.clock.map(ClockSeconds::from),
            cpu_seconds: cycle.cpu.map(CpuSeconds::from),
            heap_start_bytes: cycle.heap.start.bytes(),
            heap_end_bytes: cycle.heap.end.map(Size::bytes),
            live_heap_bytes: cycle.heap.live.map(Size::bytes),
            previous_live_heap_bytes: cycle.previous_live.map(Size::bytes),
            heap_goal_bytes: cycle.goal.map(Size::bytes),
            stacks_bytes: cycle.scan.map(|scan| scan.stacks.bytes()),
            globals_bytes: cycle.scan.map(|scan| scan.globals.bytes()),
            procs: cycle.procs,
            reassembled,
        }
    }
}
