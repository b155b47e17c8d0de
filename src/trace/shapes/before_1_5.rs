//! The lines of Go 1.0 to 1.4, whose collector stopped the world and was written in C (`src/pkg/runtime/mgc0.c`, `gc`;
//! `mheap.c`, `runtime·MHeap_Scavenger`). They tell no time of their own.
//!
//! `runtime·printf` makes a write of each piece of its format and of each argument, as `print` does later.

use super::super::Sibling::{Forced, Scavenger};
use super::super::token::Field::{
    HeapLive, HeapStart, Number, PreviousLive, Procs, StoppedMicros, StoppedMillis,
};
use super::super::token::Form::{Hex, Whole};
use super::super::token::Token::{Text, Value};
use super::{Line, N, SIGNED, Shape, sibling};

/// A cycle's line, from the parts in which the releases differ.
macro_rules! cycle {
    ($($token:expr),*) => {
        Shape {
            line: Line::Cycle { leak_check: false, forced: false },
            tokens: &[
                Text("gc"), Value(Whole, Number), Text("("), Value(Whole, Procs), Text("): "), $($token),*
            ],
        }
    };
}

/// From the work-stealing counters to the end of the line, since Go 1.1.
macro_rules! counted {
    ([$($phases:expr),*], [$($heap:expr),*], [$($objects:expr),*]) => {
        cycle!(
            $($phases,)* $($heap,)*
            SIGNED, Text(" ("), SIGNED, Text("-"), SIGNED, $($objects,)*
            SIGNED, Text("("), SIGNED, Text(") handoff, "),
            SIGNED, Text("("), SIGNED, Text(") steal, "),
            SIGNED, Text("/"), SIGNED, Text("/"), SIGNED, Text(" yields\n")
        )
    };
}

/// The lines of Go 1.3 and 1.4, from what the latter has more. The first size is the live heap of the cycle before.
macro_rules! since_1_3 {
    ($($more:expr),*) => {
        counted!(
            [MICROS, Text("+"), MICROS, Text("+"), MICROS, Text("+"), MICROS, Text(" us, ")],
            [Value(Whole, PreviousLive), Text(" -> "), Value(Whole, HeapStart), Text(" MB, ")],
            [Text(") objects, "), $($more,)* SIGNED, Text("/"), SIGNED, Text("/"), SIGNED, Text(" sweeps, ")]
        )
    };
}

/// The three phases of Go 1.0 to 1.2; their names differ, together they are the pause.
const MILLIS: super::Token = Value(Whole, StoppedMillis);
/// The four phases of Go 1.3 and 1.4: stopping the world, sweeping what is left, mark, waiting for helpers.
const MICROS: super::Token = Value(Whole, StoppedMicros);

/// Every line that Go 1.0 to 1.4 write because of gctrace, but for those that later releases write too.
pub(in super::super) const SHAPES: [Shape; 7] = [
    // Go 1.0.
    cycle!(
        MILLIS,
        Text("+"),
        MILLIS,
        Text("+"),
        MILLIS,
        Text(" ms "),
        Value(Whole, HeapStart),
        Text(" -> "),
        Value(Whole, HeapLive),
        Text(" MB "),
        SIGNED,
        Text(" -> "),
        SIGNED,
        Text(" ("),
        SIGNED,
        Text("-"),
        SIGNED,
        Text(") objects "),
        SIGNED,
        Text(" handoff\n")
    ),
    // Go 1.1 and 1.2.
    counted!(
        [MILLIS, Text("+"), MILLIS, Text("+"), MILLIS, Text(" ms, ")],
        [
            Value(Whole, HeapStart),
            Text(" -> "),
            Value(Whole, HeapLive),
            Text(" MB "),
            SIGNED,
            Text(" -> ")
        ],
        [Text(") objects, ")]
    ),
    // Go 1.3.
    since_1_3!(),
    // Go 1.4.
    since_1_3!(SIGNED, Text(" goroutines, ")),
    // Go 1.0 to 1.3: two minutes went by without a cycle.
    sibling(Forced, &[Text("scvg"), N, Text(": GC forced\n")]),
    // Go 1.0 and 1.1, in hexadecimal (`%p`).
    sibling(
        Scavenger,
        &[
            Text("scvg"),
            N,
            Text(": "),
            Value(Hex, super::Unread),
            Text(" MB released\n"),
        ],
    ),
    sibling(
        Scavenger,
        &[
            Text("scvg"),
            Text("-"),
            N,
            Text(": "),
            Value(Hex, super::Unread),
            Text(" MB released\n"),
        ],
    ),
];
