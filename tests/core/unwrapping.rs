//! What the unwrapper promises, on logs made by chance.

use gcwatch::splitter::{Edges, Split, Splitter};
use gcwatch::wrapping::Unwrapper;
use proptest::collection::vec;
use proptest::prelude::*;

use crate::chance::cases;
use crate::runtime::{cycle, line};

/// The log through an unwrapper, read by read.
fn unwrap<'a>(reads: impl IntoIterator<Item = &'a [u8]>) -> Vec<u8> {
    let mut unwrapper = Unwrapper::new();
    let mut out = Vec::new();
    for read in reads {
        unwrapper.push(read, &mut out);
    }
    unwrapper.finish(&mut out);
    out
}

/// The log through unwrapper and splitter.
fn split(log: &[u8]) -> Split {
    let mut splitter = Splitter::new(Edges::Lost);
    let mut out = Split::default();
    splitter.push(&unwrap([log]), &mut out);
    splitter.finish(&mut out);
    out
}

/// A line of a program, without its end.
#[derive(Clone, Debug)]
enum Line {
    Trace(Vec<u8>),
    Text(Vec<u8>),
    /// A collector's own, without a prefix.
    Foreign(Vec<u8>),
}

fn trace_line() -> BoxedStrategy<Vec<u8>> {
    cycle()
        .prop_map(|(cycle, go)| {
            let mut line = line(&cycle, go);
            assert_eq!(line.pop(), Some(b'\n'));
            line
        })
        .boxed()
}

fn program_line() -> impl Strategy<Value = Line> {
    prop_oneof![
        3 => trace_line().prop_map(Line::Trace),
        2 => "[ -~]{0,60}".prop_map(|text| Line::Text(text.into_bytes())),
        1 => "(gc 12 @0.1s |gc |GC fore|level=info msg=\"gc 1 @)[a-z]{0,9}".prop_map(|text| Line::Text(text.into_bytes())),
        1 => "[A-Z-][ -~]{0,40}".prop_filter("a trace line", |text| !text.starts_with("GC forced")).prop_map(|text| Line::Foreign(text.into_bytes())),
    ]
}

/// How many prefixes there are to choose from.
const PREFIXES: usize = 10;

/// What a collector puts in front of the line with that number.
fn prefix(kind: usize, number: usize) -> String {
    let second = number % 60;
    match kind {
        0 => format!("2026-11-22T13:00:{second:02}.123456789Z "),
        1 => format!("2026-11-22T13:00:{second:02}.1+01:00 stderr F "),
        2 => format!("[pod/api-{}/app] ", number % 3),
        3 => format!("web-{}    | ", number % 3),
        4 => format!("Nov  2 13:00:{second:02} host app[{number}]: "),
        5 => format!("2026-11-22T13:00:{second:02}+0000 host app[{number}]: "),
        6 => format!("<14>1 2026-11-22T13:00:{second:02}Z host app {number} - - "),
        7 => format!("[pod/api/app] 2026-11-22T13:00:{second:02}.123456789Z "),
        8 => format!("web-1  | 2026-11-22T13:00:{second:02}.123456789Z "),
        _ => String::new(),
    }
}

fn docker(text: &[u8], stream: &str) -> Vec<u8> {
    let text = serde_json::to_string(&String::from_utf8_lossy(text)).expect("a string");
    let time = "2026-11-22T13:00:00.123456789Z";
    format!("{{\"log\":{text},\"stream\":\"{stream}\",\"time\":\"{time}\"}}\n").into_bytes()
}

/// Anything that may stand in a log, in pieces.
fn anything() -> impl Strategy<Value = Vec<u8>> {
    let wrapped = (0..PREFIXES, any::<usize>(), program_line(), "(\n|\r\n)").prop_map(
        |(kind, number, line, end)| {
            let (Line::Trace(text) | Line::Text(text) | Line::Foreign(text)) = line;
            [prefix(kind, number).as_bytes(), &text, end.as_bytes()].concat()
        },
    );
    let part = (
        "(stdout|stderr) [PF] ",
        trace_line(),
        any::<prop::sample::Index>(),
    )
        .prop_map(|(tag, line, cut)| {
            let stamp = "2026-11-22T13:00:00Z";
            [stamp, " ", &tag]
                .concat()
                .into_bytes()
                .into_iter()
                .chain(line[..cut.index(line.len())].iter().copied())
                .chain([b'\n'])
                .collect()
        });
    prop_oneof![
        4 => wrapped,
        2 => part,
        1 => trace_line().prop_map(|line| docker(&line, "stderr")),
        1 => vec(any::<u8>(), 0..100),
        1 => Just(b"\xEF\xBB\xBF".to_vec()),
    ]
}

proptest! {
    #![proptest_config(cases(300))]

    #[test]
    fn how_a_log_is_cut_into_reads_changes_nothing(pieces in vec(anything().boxed(), 0..20), sizes in vec(1_usize..200, 1..50)) {
        let log = pieces.concat();
        let mut reads = Vec::new();
        let mut rest = &log[..];
        for size in sizes.iter().cycle() {
            if rest.is_empty() {
                break;
            }
            let (read, behind) = rest.split_at(rest.len().min(*size));
            reads.push(read);
            rest = behind;
        }
        prop_assert_eq!(unwrap(reads), unwrap([&log[..]]));
    }

    #[test]
    fn a_log_without_wrapping_comes_out_identical(
        pieces in vec(
            prop_oneof![
                2 => "[ -~]{0,80}\r?\n".prop_map(String::into_bytes),
                1 => vec(any::<u8>(), 0..200),
                1 => "(gc |gc 12 @0.1s |GC force|15%\\.\\.|Password: )".prop_map(String::into_bytes),
                2 => trace_line().prop_map(|line| [line, b"\n".to_vec()].concat()),
            ],
            0..30,
        ),
    ) {
        let log = pieces.concat();
        prop_assert_eq!(unwrap([&log[..]]), log);
    }

    #[test]
    fn text_keeps_its_prefix_and_trace_lines_lose_it_and_nothing_else_is_lost(
        kind in 0..PREFIXES - 1,
        lines in vec((any::<usize>(), program_line()), 0..30),
        windows in any::<bool>(),
    ) {
        let end: &[u8] = if windows { b"\r\n" } else { b"\n" };
        let (mut log, mut text, mut trace) = (Vec::new(), Vec::new(), Vec::new());
        for (number, line) in &lines {
            let prefix = prefix(kind, *number);
            let (raw, is_trace) = match line {
                Line::Trace(line) => ([prefix.as_bytes(), line, end].concat(), true),
                Line::Text(line) => ([prefix.as_bytes(), line, end].concat(), false),
                Line::Foreign(line) => ([line, end].concat(), false),
            };
            log.extend_from_slice(&raw);
            if is_trace {
                trace.extend_from_slice(&raw[prefix.len()..raw.len() - end.len()]);
                trace.push(b'\n');
            } else {
                text.extend_from_slice(&raw);
            }
        }
        let split = split(&log);
        prop_assert_eq!(String::from_utf8_lossy(&split.text), String::from_utf8_lossy(&text));
        prop_assert_eq!(String::from_utf8_lossy(&split.trace), String::from_utf8_lossy(&trace));
    }

    #[test]
    fn dockers_objects_give_back_what_the_program_wrote(
        pieces in vec(prop_oneof![2 => trace_line(), 2 => "\\PC{0,60}".prop_map(String::into_bytes)], 0..30),
        stream in "(stdout|stderr)",
    ) {
        let lines: Vec<Vec<u8>> = pieces.into_iter().map(|line| [line, b"\n".to_vec()].concat()).collect();
        let log: Vec<u8> = lines.iter().flat_map(|line| docker(line, &stream)).collect();
        prop_assert_eq!(unwrap([&log[..]]), lines.concat());
    }

    #[test]
    fn a_line_in_parts_is_read_like_a_whole_one(line in trace_line(), cuts in vec(any::<prop::sample::Index>(), 0..6)) {
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(line.len())).collect();
        cuts.sort_unstable();
        let mut log = Vec::new();
        let mut begin = 0;
        for cut in cuts {
            log.extend_from_slice(b"2026-11-22T13:00:00.123456789Z stderr P ");
            log.extend_from_slice(&line[begin..cut]);
            log.push(b'\n');
            begin = cut;
        }
        log.extend_from_slice(b"2026-11-22T13:00:00.123456789Z stderr F ");
        log.extend_from_slice(&line[begin..]);
        log.push(b'\n');
        prop_assert_eq!(unwrap([&log[..]]), [&line[..], b"\n"].concat());
    }
}
