//! Torn lines on streams that do not tell where one write ended: what the search for them promises.

use std::time::Duration;

use gcwatch::size::Size;
use gcwatch::splitter::{Edges, Split, Splitter};
use gcwatch::trace::{Clock, Cpu, Cycle, Heap, Scan};
use proptest::collection::vec;
use proptest::prelude::*;

use crate::chance::cases;
use crate::runtime::{Go, cycle, line, writes};

fn split<'a>(reads: impl IntoIterator<Item = &'a [u8]>) -> (Split, u64) {
    let mut splitter = Splitter::new(Edges::Lost);
    let mut out = Split::default();
    for read in reads {
        splitter.push(read, &mut out);
    }
    splitter.finish(&mut out);
    assert_eq!(splitter.holding(), None);
    (out, splitter.near_misses())
}

/// The n-th cycle of a program that does the same all the time.
fn steady(number: u32) -> Cycle {
    let mib = |mib: u64| Size::from_bytes(mib << 20);
    Cycle {
        number,
        at: Some(Duration::from_millis(u64::from(number) * 13)),
        gc_cpu_percent: Some(3),
        clock: Some(Clock {
            sweep_term: Duration::from_micros(18 + u64::from(number % 7)),
            mark: Duration::from_micros(1300),
            mark_term: Duration::from_micros(76),
            early: None,
        }),
        cpu: Some(Cpu {
            sweep_term: Duration::from_micros(36),
            assist: Duration::from_micros(350),
            background: Duration::from_micros(1200),
            mark_term: Duration::from_micros(150),
            ..Cpu::default()
        }),
        heap: Heap {
            start: mib(4 + u64::from(number % 2)),
            end: Some(mib(5)),
            live: Some(mib(1)),
        },
        goal: Some(mib(5)),
        scan: Some(Scan::default()),
        procs: 2,
        ..Cycle::default()
    }
}

/// The n-th write of a log.
type Log = fn(usize) -> String;

/// A log that goes on while the lines are written: behind each tenth token of the trace one write of it. The tears lie
/// elsewhere in each line. What is the log's, and the cycles, and all of it.
fn busy(log: Log) -> (Vec<u8>, Vec<Cycle>, Vec<u8>) {
    let cycles: Vec<Cycle> = (1..100).map(steady).collect();
    let (mut text, mut stream) = (Vec::new(), Vec::new());
    let mut count = 0;
    let mut write = |stream: &mut Vec<u8>| {
        count += 1;
        text.extend(log(count).into_bytes());
        stream.extend(log(count).into_bytes());
    };
    for cycle in &cycles {
        for _ in 0..15 + cycle.number % 7 {
            write(&mut stream);
        }
        // Two lines of three are whole.
        let step = if cycle.number % 3 == 0 {
            10
        } else {
            usize::MAX
        };
        for (index, token) in writes(cycle, Go::V1_26).into_iter().enumerate() {
            if index > 0 && (index + cycle.number as usize).is_multiple_of(step) {
                write(&mut stream);
            }
            stream.extend(token);
        }
    }
    (text, cycles, stream)
}

#[test]
fn a_busy_log_of_whole_lines_comes_out_exact() {
    let logs: [(&str, Log); 4] = [
        ("dates", |n| {
            format!("2026/11/22 13:00:{:02}.000137 GET /item/{n} 200\n", n % 60)
        }),
        ("JSON", |n| {
            format!("{{\"time\":\"2026-11-22T13:00:00Z\",\"level\":\"info\",\"n\":{n}}}\n")
        }),
        ("colours", |n| {
            format!("\x1b[3{}m{n}\x1b[0m \x1b[1mrequest\x1b[22m\r\n", n % 7)
        }),
        ("words", |n| format!("worker {n} is done\n")),
    ];
    for (name, log) in logs {
        let (text, cycles, stream) = busy(log);
        let (split, near_misses) = split([&stream[..]]);
        let found: Vec<Cycle> = split
            .cycles
            .iter()
            .map(|taken| taken.cycle.clone())
            .collect();
        assert_eq!(found, cycles, "{name}");
        assert!(split.text == text, "{name}: the text differs");
        assert_eq!(near_misses, 0, "{name}");
        let torn = split.cycles.iter().filter(|taken| taken.reassembled);
        assert_eq!(torn.count(), 33, "{name}");
    }
}

#[test]
fn of_logs_that_look_like_a_line_going_on_no_cycle_and_no_byte_is_lost() {
    let logs: [(&str, Log); 3] = [
        ("digits", |n| {
            let end = ["\n", " MB goal\n", ".5 ms\n", "+3\n", "->4 items\n"][n % 5];
            format!("{}{end}", 100_000 + n * 7919 % 900_000)
        }),
        ("a progress bar", |n| match n % 50 {
            0 => "loading ".into(),
            49 => "done\n".into(),
            _ => ".".into(),
        }),
        ("prompts", |n| format!("\r {}% done", n % 100)),
    ];
    for (name, log) in logs {
        let (text, cycles, stream) = busy(log);
        let (split, _) = split([&stream[..]]);
        assert!(
            split.cycles.len() >= cycles.len() - 1,
            "{name}: {}",
            split.cycles.len()
        );
        assert_eq!(split.text.len() + split.trace.len(), stream.len());
        // A byte of the one may stand for the same byte of the other.
        assert!(text.len().abs_diff(split.text.len()) < 400, "{name}");
    }
}

#[test]
fn what_is_relayed_or_quoted_is_text() {
    let quoted = |n: u32| String::from_utf8(line(&steady(n), Go::V1_18)).expect("ASCII");
    for own in [false, true] {
        let mut stream = Vec::new();
        let mut text = String::new();
        for n in 1..50 {
            let log = format!(
                "[svc] {}2026/11/22 13:00:{n:02} svc: {}{{\"msg\":\"{}\"}}\ngc {n} things happened\n",
                quoted(n + 7),
                quoted(n + 300),
                quoted(3).trim_end()
            );
            stream.extend(log.bytes());
            text += &log;
            if own {
                stream.extend(line(&steady(n + 1000), Go::V1_26));
            }
        }
        let (split, _) = split([&stream[..]]);
        assert!(
            split.text == text.as_bytes(),
            "{own}: {:?}",
            split.cycles.first()
        );
        assert_eq!(split.cycles.len(), if own { 49 } else { 0 });
    }
}

#[test]
fn a_line_behind_an_unfinished_one_is_read_where_it_is_the_next() {
    let mut stream = line(&steady(1), Go::V1_26);
    let mut text = Vec::new();
    for n in 2..40 {
        let dots = ".".repeat(n as usize % 9);
        text.extend(dots.bytes());
        stream.extend(dots.bytes());
        stream.extend(line(&steady(n), Go::V1_26));
    }
    let (split, _) = split([&stream[..]]);
    assert_eq!(split.cycles.len(), 39);
    assert_eq!(split.text, text);
}

#[test]
fn a_prompt_is_never_held_and_what_may_begin_a_line_only_until_a_release() {
    let mut splitter = Splitter::new(Edges::Lost);
    let mut out = Split::default();
    splitter.push(b"Password: ", &mut out);
    assert_eq!(splitter.holding(), None);
    splitter.push(b"g", &mut out);
    assert!(splitter.holding().is_some());
    splitter.push(b"c 1 @0.0", &mut out);
    assert!(splitter.holding().is_some());
    splitter.release(&mut out);
    assert_eq!(splitter.holding(), None);
    assert_eq!(out.text, b"Password: gc 1 @0.0");
    splitter.push(b"02s 3%: and so on\n", &mut out);
    splitter.finish(&mut out);
    assert_eq!(out.text, b"Password: gc 1 @0.002s 3%: and so on\n");
    assert!(out.trace.is_empty());
}

#[test]
fn lines_that_only_begin_like_a_cycles_are_counted() {
    let text = b"gc 1 @0.1s\ngc 12 things\ngc 7 @soon\ngc 8 @0.001s 2%: 0.01+oh\n";
    let (split, near_misses) = split([&text[..]]);
    assert_eq!(split.text, text);
    assert_eq!(near_misses, 3);
}

#[test]
fn memory_is_bounded_where_every_line_may_be_torn() {
    let mut splitter = Splitter::new(Edges::Lost);
    let mut out = Split::default();
    let block = b"gc 5 and so on, 5 @ once\n".repeat(1000);
    let (mut pushed, mut most) = (0, 0);
    for _ in 0..400 {
        splitter.push(&block, &mut out);
        pushed += block.len();
        most = most.max(pushed - out.text.len());
        assert!(out.trace.is_empty());
    }
    // The first lines wait until it is known what the log is like.
    assert!(most <= (4 << 20) + (300 << 10), "{most} bytes were held");
}

/// Text of another writer in the midst of a line.
fn foreign() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        4 => "[0-9]{1,9}(\n| MB goal\n|->4 items\n|\\.5 ms\n)".prop_map(String::into_bytes),
        2 => "(15%\\.\\.|Password: |\\.|\r *[0-9]+%)".prop_map(String::into_bytes),
        2 => "\x1b\\[3[0-9]m[0-9]{1,5}\x1b\\[0m [a-z]{0,9}\r\n".prop_map(String::into_bytes),
        2 => vec(any::<u8>(), 0..60),
        1 => "(gc |gc 12 |gc 3 @0.112s 2%: |gc 12 things\n|gc)".prop_map(String::into_bytes),
    ]
}

/// Whether the bytes of `part` stand in `whole` in that order.
fn is_in_order(part: &[u8], whole: &[u8]) -> bool {
    let mut whole = whole.iter();
    part.iter().all(|byte| whole.any(|other| other == byte))
}

proptest! {
    #![proptest_config(cases(300))]

    #[test]
    fn however_lines_are_torn_and_cut_no_byte_is_lost(
        lines in vec((cycle(), vec((any::<prop::sample::Index>(), foreign()), 0..12)), 1..6),
        sizes in vec(1_usize..3000, 1..20),
    ) {
        // A pause makes it read without looking further ahead.
        let mut bytes = b"of gc 1 and ".to_vec();
        let pause = bytes.len();
        for ((cycle, go), tears) in &lines {
            let tokens = writes(cycle, *go);
            for (at, token) in tokens.iter().enumerate() {
                for (_, foreign) in tears.iter().filter(|(index, _)| index.index(tokens.len()) == at) {
                    bytes.extend_from_slice(foreign);
                }
                bytes.extend_from_slice(token);
            }
        }
        let (first, rest) = bytes.split_at(pause);
        let split = |reads: &mut dyn Iterator<Item = &[u8]>| {
            let mut splitter = Splitter::new(Edges::Lost);
            let mut out = Split::default();
            splitter.push(first, &mut out);
            splitter.release(&mut out);
            reads.for_each(|read| splitter.push(read, &mut out));
            splitter.finish(&mut out);
            assert_eq!(splitter.holding(), None);
            (out, splitter.near_misses())
        };
        let whole = split(&mut [rest].into_iter());
        prop_assert_eq!(whole.0.text.len() + whole.0.trace.len(), bytes.len());
        prop_assert!(is_in_order(&whole.0.text, &bytes));
        let mut cuts = sizes.iter().cycle();
        let mut left = rest;
        let mut reads = std::iter::from_fn(|| {
            let (read, behind) = left.split_at(left.len().min(*cuts.next()?));
            left = behind;
            (!read.is_empty()).then_some(read)
        });
        prop_assert_eq!(split(&mut reads), whole);
    }
}
