//! One GC cycle as the Go runtime reports it, in the runtime's own words.
//!
//! The words are those of `src/runtime/extern.go` (GODEBUG `gctrace`), `mgc.go` and package `runtime/metrics`.

mod place;
mod reading;
mod shapes;
mod token;
mod ways;

use std::time::Duration;

pub use self::place::{Place, Step};
pub use self::reading::parse;
pub(crate) use self::reading::{decimal, integer};
pub(crate) use self::token::Field;
use crate::size::Size;

/// A line that the runtime writes because of gctrace.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(
    clippy::large_enum_variant,
    reason = "nearly all lines are cycles, and none is stored"
)]
pub enum Trace {
    /// The line that ends a cycle.
    Cycle(Cycle),
    /// A line that comes besides: trace too, though it says nothing of the live heap.
    Sibling(Sibling),
}

/// The lines that gctrace brings besides the cycles' own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sibling {
    /// `GC forced`: two minutes went by without a cycle (`proc.go`, `forcegchelper`).
    Forced,
    /// `scvg…`: the scavenger gave memory back, until Go 1.13 (`mheap.go`, `mgcscavenge.go`).
    Scavenger,
    /// `scan: total …`: begins the scan statistics of gctrace=2, since Go 1.25.
    ScanTotal,
    /// `scan: class …`: one size class of the scan statistics.
    ScanClass,
}

/// One garbage collection cycle, as the line that ends it reports. What a Go release does not print is `None`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cycle {
    /// `gc #`: counts finished cycles from 1.
    pub number: u32,
    /// `@#s`: when the cycle began, since the program started. The line itself comes at the cycle's end. Go 1.5 and later.
    pub at: Option<Duration>,
    /// `#%`: the collector's share of the CPU since the program started. A signed number in the source, bounded on
    /// neither side. Go 1.5 and later.
    pub gc_cpu_percent: Option<i64>,
    /// ` (checking for goroutine leaks)`: a goroutine-leak profile asked for this cycle (Go 1.26 and later).
    pub leak_check: bool,
    /// `#+#+# ms clock`: how long each phase took. Go 1.5 and later.
    pub clock: Option<Clock>,
    /// `#+#/#/#+# ms cpu`: how much CPU each phase took. Go 1.5 and later.
    pub cpu: Option<Cpu>,
    /// How long the world stood still in Go 1.0 to 1.4: the whole cycle, whose phases have other names there.
    pub stopped: Duration,
    /// `#->#->#  MB`: the heap at the start, at the end, and what of it is live.
    pub heap: Heap,
    /// The live heap of the cycle before, which Go 1.3 and 1.4 print in the place of this one's (`mgc0.c`, `heap0`: they
    /// sweep later, and reckon it from the next goal).
    pub previous_live: Option<Size>,
    /// `# MB goal`: the heap goal of this cycle. Go 1.5 and later.
    pub goal: Option<Size>,
    /// `# MB stacks, # MB globals`: Go 1.18 and later.
    pub scan: Option<Scan>,
    /// `# P`: GOMAXPROCS at the start of the cycle; how many threads collected, in Go 1.0 to 1.4.
    pub procs: u32,
    /// `(forced)`: by `runtime.GC` and its like. Go 1.9 to 1.19 may also print it on a neighbour (golang/go#52515).
    /// Never set before Go 1.5, which does not print it.
    pub forced: bool,
}

/// Wall-clock time of the phases.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Clock {
    /// Sweep termination: stops the world.
    pub sweep_term: Duration,
    /// The two phases that only Go 1.5 has between sweep termination and mark.
    pub early: Option<Early>,
    /// Concurrent mark and scan.
    pub mark: Duration,
    /// Mark termination: stops the world.
    pub mark_term: Duration,
}

/// CPU time of the phases.
///
/// Sweep termination and mark termination are wall-clock time times processors, not measured CPU (`mgc.go`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cpu {
    /// Sweep termination.
    pub sweep_term: Duration,
    /// The two phases that only Go 1.5 has.
    pub early: Option<Early>,
    /// Mark assist: marking that allocating goroutines had to do.
    pub assist: Duration,
    /// Background mark workers, dedicated and fractional.
    pub background: Duration,
    /// Idle mark workers.
    pub idle: Duration,
    /// Mark termination.
    pub mark_term: Duration,
}

/// Phases of Go 1.5 that later releases have folded into the others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Early {
    /// Concurrent scan.
    pub scan: Duration,
    /// Installing the write barrier.
    pub install_wb: Duration,
}

/// Heap sizes of one cycle.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Heap {
    /// At the start of the cycle, garbage included.
    pub start: Size,
    /// At mark termination, garbage included. Go 1.5 and later.
    pub end: Option<Size>,
    /// What the cycle found live. All that was allocated during the mark phase counts as live. Not in Go 1.3 and 1.4:
    /// see [`Cycle::previous_live`].
    pub live: Option<Size>,
}

/// What the collector scans besides the heap.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Scan {
    /// Scannable stack bytes.
    pub stacks: Size,
    /// Scannable globals.
    pub globals: Size,
}

impl Cycle {
    /// How long the world stood still: sweep termination and mark termination, or the whole cycle before Go 1.5.
    pub fn pause(&self) -> Duration {
        self.clock
            .map_or(self.stopped, |clock| clock.sweep_term + clock.mark_term)
    }

    /// When the cycle ended and its line was printed, since the program started.
    pub fn ended(&self) -> Option<Duration> {
        let clock = self.clock?;
        let early = clock
            .early
            .map_or(Duration::ZERO, |early| early.scan + early.install_wb);
        Some(self.at? + self.pause() + clock.mark + early)
    }

    /// The garbage that the cycle found and frees; none where its live heap is on the next line.
    pub fn garbage(&self) -> Size {
        let end = self.heap.end.unwrap_or(self.heap.start);
        let live = self.heap.live.unwrap_or(end);
        Size::from_bytes(end.bytes().saturating_sub(live.bytes()))
    }

    /// The newest live heap that the line tells: this cycle's, or that of the one before.
    pub fn newest_live(&self) -> Size {
        self.heap.live.or(self.previous_live).unwrap_or_default()
    }
}
