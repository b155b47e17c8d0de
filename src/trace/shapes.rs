//! What the Go runtime writes because of gctrace, one token for each `write(2)`.
//!
//! The runtime's `print` makes a write of each of its arguments (`print.go`, `gwrite`), so these lists also tell where
//! another thread's write may tear a line, and where it cannot. The shapes here are those of Go 1.5 to 1.27
//! `mgc.go` (the cycle's line, `gcMarkTermination`), `proc.go` (`forcegchelper`), `mheap.go` and `mgcscavenge.go`
//! (the scavenger's lines, until Go 1.13), `mgcmark_greenteagc.go` and `mgcmark_nogreenteagc.go` (the scan statistics of
//! gctrace=2 since Go 1.25); [`before_1_5`] has the older ones.

pub(super) mod before_1_5;

use super::Sibling::{Forced, ScanClass, ScanTotal, Scavenger};
use super::token::Field::{
    At, ClockInstallWb, ClockMark, ClockMarkTerm, ClockScan, ClockSweepTerm, CpuAssist,
    CpuBackground, CpuIdle, CpuInstallWb, CpuMarkTerm, CpuScan, CpuSweepTerm, GcCpuPercent,
    Globals, Goal, HeapEnd, HeapLive, HeapStart, Number, Procs, Stacks, Unread,
};
use super::token::Form::{Millis, Seconds, Signed, Whole};
use super::token::Token::{self, Text, Value};

/// One kind of line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Shape {
    /// What the line is.
    pub(super) line: Line,
    /// Its tokens, in order; the last ends in a newline.
    pub(super) tokens: &'static [Token],
}

/// What a line is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Line {
    /// The line that ends a cycle.
    Cycle { leak_check: bool, forced: bool },
    /// A line that gctrace brings besides.
    Sibling(super::Sibling),
}

/// A cycle's line, from the parts in which the releases differ.
macro_rules! cycle {
    ($line:expr, $start:expr, [$($percent:expr),*], [$($clock:expr),*], [$($cpu:expr),*], [$($goal:expr),*], [$($end:expr),*]) => {
        Shape {
            line: $line,
            tokens: &[
                Text($start), Value(Whole, Number), Text(" @"), Value(Seconds, At), Text("s "), Value(Signed, GcCpuPercent),
                $($percent,)*
                Value(Millis, ClockSweepTerm), Text("+"), $($clock,)* Value(Millis, ClockMark), Text("+"),
                Value(Millis, ClockMarkTerm), Text(" ms clock, "),
                Value(Millis, CpuSweepTerm), Text("+"), $($cpu,)* Value(Millis, CpuAssist), Text("/"),
                Value(Millis, CpuBackground), Text("/"), Value(Millis, CpuIdle), Text("+"),
                Value(Millis, CpuMarkTerm), Text(" ms cpu, "),
                Value(Whole, HeapStart), Text("->"), Value(Whole, HeapEnd), Text("->"), Value(Whole, HeapLive), Text(" MB, "),
                $($goal,)*
                Value(Whole, Procs), Text(" P"), $($end),*
            ],
        }
    };
}

/// Both endings of a cycle's line.
macro_rules! cycles {
    ($leak_check:expr, $start:expr, $percent:tt, $clock:tt, $cpu:tt, $goal:tt) => {
        [
            cycle!(
                Line::Cycle {
                    leak_check: $leak_check,
                    forced: false
                },
                $start,
                $percent,
                $clock,
                $cpu,
                $goal,
                [Text("\n")]
            ),
            cycle!(
                Line::Cycle {
                    leak_check: $leak_check,
                    forced: true
                },
                $start,
                $percent,
                $clock,
                $cpu,
                $goal,
                [Text(" (forced)"), Text("\n")]
            ),
        ]
    };
}

const fn sibling(sibling: super::Sibling, tokens: &'static [Token]) -> Shape {
    Shape {
        line: Line::Sibling(sibling),
        tokens,
    }
}

/// A number that nobody asks for.
const N: Token = Value(Whole, Unread);
/// One that the runtime prints signed.
const SIGNED: Token = Value(Signed, Unread);

/// The end of the scavenger's second line.
macro_rules! inuse {
    ($($start:expr),*) => {
        sibling(Scavenger, &[
            $($start,)* N, Text(", idle: "), N, Text(", sys: "), N, Text(", released: "), N, Text(", consumed: "), N,
            Text(" (MB)\n"),
        ])
    };
}

/// What was scanned of a size class, or of all: objects and spans, each in parts and in sum.
macro_rules! scan {
    ($sibling:expr, $($start:expr),*) => {
        sibling($sibling, &[
            $($start,)* N, Text("+"), N, Text("+"), N, Text("="), N, Text(" objs"), Text(", "),
            N, Text("+"), N, Text("="), N, Text(" spans\n"),
        ])
    };
}

/// What Go 1.18 and later print besides the heap goal.
macro_rules! since_1_18 {
    ($leak_check:expr, $percent:tt) => {
        cycles!(
            $leak_check,
            "gc ",
            $percent,
            [],
            [],
            [
                Value(Whole, Goal),
                Text(" MB goal, "),
                Value(Whole, Stacks),
                Text(" MB stacks, "),
                Value(Whole, Globals),
                Text(" MB globals, ")
            ]
        )
    };
}

/// The five phases of Go 1.5.
macro_rules! five_phases {
    ($start:expr, $goal:tt) => {
        cycles!(
            false,
            $start,
            [Text("%: ")],
            [
                Value(Millis, ClockScan),
                Text("+"),
                Value(Millis, ClockInstallWb),
                Text("+")
            ],
            [
                Value(Millis, CpuScan),
                Text("+"),
                Value(Millis, CpuInstallWb),
                Text("+")
            ],
            $goal
        )
    };
}

/// Go 1.26 and 1.27.
const SINCE_1_26: [Shape; 2] = since_1_18!(false, [Text("%"), Text(": ")]);
/// Go 1.26 and 1.27, a cycle that also looks for leaked goroutines.
const LEAK_CHECK: [Shape; 2] = since_1_18!(
    true,
    [
        Text("%"),
        Text(" (checking for goroutine leaks)"),
        Text(": ")
    ]
);
/// Go 1.18 to 1.25.
const SINCE_1_18: [Shape; 2] = since_1_18!(false, [Text("%: ")]);
/// Go 1.6 to 1.17.
const SINCE_1_6: [Shape; 2] = cycles!(
    false,
    "gc ",
    [Text("%: ")],
    [],
    [],
    [Value(Whole, Goal), Text(" MB goal, ")]
);
/// Go 1.5.
const SINCE_1_5: [Shape; 2] = five_phases!("gc ", [Value(Whole, Goal), Text(" MB goal, ")]);
/// Go 1.5 before its third beta (cc6ed285e5).
const BETA_1_5: [Shape; 2] = five_phases!("gc #", [Value(Whole, Goal), Text(" MB goal, ")]);
/// Snapshots of April 2015, on the way to Go 1.5.
const SNAPSHOT_1_5: [Shape; 2] = five_phases!("gc #", []);

/// Every line that Go 1.5 to 1.27 write because of gctrace.
pub(super) const SHAPES: [Shape; 30] = [
    SINCE_1_26[0],
    SINCE_1_26[1],
    LEAK_CHECK[0],
    LEAK_CHECK[1],
    SINCE_1_18[0],
    SINCE_1_18[1],
    SINCE_1_6[0],
    SINCE_1_6[1],
    SINCE_1_5[0],
    SINCE_1_5[1],
    BETA_1_5[0],
    BETA_1_5[1],
    SNAPSHOT_1_5[0],
    SNAPSHOT_1_5[1],
    // Go 1.10 and later; the compiler joins constants since then (a14a8a3eb9).
    sibling(Forced, &[Text("GC forced\n")]),
    // Go 1.4 to 1.9.
    sibling(Forced, &[Text("GC forced"), Text("\n")]),
    // Go 1.4 to 1.12, the second of each pair for debug.FreeOSMemory, whose number is -1.
    sibling(
        Scavenger,
        &[Text("scvg"), N, Text(": "), N, Text(" MB released\n")],
    ),
    sibling(
        Scavenger,
        &[
            Text("scvg"),
            Text("-"),
            N,
            Text(": "),
            N,
            Text(" MB released\n"),
        ],
    ),
    inuse!(Text("scvg"), N, Text(": inuse: ")),
    inuse!(Text("scvg"), Text("-"), N, Text(": inuse: ")),
    // Go 1.13.
    sibling(Scavenger, &[Text("scvg: "), N, Text(" MB released\n")]),
    sibling(
        Scavenger,
        &[Text("forced scvg: "), N, Text(" MB released\n")],
    ),
    inuse!(Text("scvg: inuse: ")),
    inuse!(Text("forced scvg: inuse: ")),
    // Go 1.25 and later under gctrace=2, with Green Tea.
    scan!(ScanTotal, Text("scan: total ")),
    scan!(ScanClass, Text("scan: class L ")),
    scan!(ScanClass, Text("scan: class "), N, Text("B ")),
    // And without.
    sibling(ScanTotal, &[Text("scan: total "), N, Text(" objs\n")]),
    sibling(ScanClass, &[Text("scan: class L "), N, Text(" objs\n")]),
    sibling(
        ScanClass,
        &[Text("scan: class "), N, Text("B "), N, Text(" objs\n")],
    ),
];
