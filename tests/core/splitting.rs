//! What the splitter promises, on streams made by chance.

use gcwatch::splitter::{Edges, Split, Splitter};
use gcwatch::trace::{Cycle, Trace, parse};
use proptest::collection::vec;
use proptest::prelude::*;

use crate::chance::cases;
use crate::runtime::{cycle, line, writes};

/// The stream through a splitter, read by read.
fn split<'a>(edges: Edges, reads: impl IntoIterator<Item = &'a [u8]>) -> Split {
    let mut splitter = Splitter::new(edges);
    let mut out = Split::default();
    for read in reads {
        splitter.push(read, &mut out);
    }
    splitter.finish(&mut out);
    out
}

fn cycles(split: &Split) -> Vec<Cycle> {
    split
        .cycles
        .iter()
        .map(|taken| taken.cycle.clone())
        .collect()
}

/// Text that no runtime wrote: log lines, bytes by chance, and what looks like a trace line at first.
fn foreign() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        4 => "[ -~]{0,80}\n".prop_map(String::into_bytes),
        2 => "(2026/11/22 13:00:0[0-9] |[0-9]{1,9} |\\{\"n\":[0-9]\\}|\x1b\\[3[0-9]m)[a-z ]{0,20}\r?\n".prop_map(String::into_bytes),
        2 => vec(any::<u8>(), 0..200),
        1 => "(gc |gc 12 |gc 12 @0.1s |gc 12 things\n|g|gc|GC force|scvg|scvg1: |scan: |forced |scan: total 3 objs\n)".prop_map(String::into_bytes),
        1 => "(15%\\.\\.|Password: |\r *[0-9]+%)".prop_map(String::into_bytes),
    ]
}

/// Foreign text of whole lines, none of which begins with a digit or like a trace line.
fn log_line() -> impl Strategy<Value = Vec<u8>> {
    "[A-Z{<\\[][ -~]{0,60}\n"
        .prop_map(String::into_bytes)
        .prop_filter("like a trace line or the rest of a time", |line| {
            !(line.starts_with(b"GC forced") || (line[0] == b'T' && line[1].is_ascii_digit()))
        })
}

/// A stream of foreign pieces and whole trace lines.
fn stream() -> impl Strategy<Value = Vec<Vec<u8>>> {
    vec(
        prop_oneof![3 => foreign(), 2 => cycle().prop_map(|(cycle, go)| line(&cycle, go))],
        0..30,
    )
}

/// Takes the trace lines out of the stream again: what is left must be the text.
fn is_interleaved(stream: &[u8], split: &Split) -> bool {
    if split.text.len() + split.trace.len() != stream.len() {
        return false;
    }
    // All ways to pick the next byte from text or trace, followed at once.
    let mut ways = std::collections::BTreeSet::from([0_usize]);
    for (at, byte) in stream.iter().enumerate() {
        ways = ways
            .into_iter()
            .flat_map(|text| {
                let by_text = (split.text.get(text) == Some(byte)).then_some(text + 1);
                let by_trace = (split.trace.get(at - text) == Some(byte)).then_some(text);
                [by_text, by_trace]
            })
            .flatten()
            .collect();
    }
    ways.contains(&split.text.len())
}

proptest! {
    #![proptest_config(cases(400))]

    #[test]
    fn any_cycle_printed_reads_back((cycle, go) in cycle()) {
        prop_assert_eq!(parse(&line(&cycle, go)), Some(Trace::Cycle(cycle)));
    }

    #[test]
    fn no_line_makes_the_grammar_panic(bytes in vec(any::<u8>(), 0..300)) {
        let _ = parse(&bytes);
    }

    #[test]
    fn a_broken_line_makes_nothing_panic((cycle, go) in cycle(), at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let mut line = line(&cycle, go);
        let at = at.index(line.len());
        line[at] = byte;
        let split = split(Edges::Lost, [&line[..]]);
        prop_assert!(is_interleaved(&line, &split));
    }

    #[test]
    fn every_byte_is_text_or_trace_in_order_whole_or_in_writes(pieces in stream()) {
        let bytes = pieces.concat();
        for edges in [Edges::Kept, Edges::Lost] {
            let split = split(edges, pieces.iter().map(Vec::as_slice));
            prop_assert!(is_interleaved(&bytes, &split), "{:?}: {:?}", edges, split);
        }
    }

    #[test]
    fn how_a_stream_without_edges_is_cut_changes_nothing(pieces in stream(), sizes in vec(1_usize..200, 1..50)) {
        let bytes = pieces.concat();
        let mut reads = Vec::new();
        let mut rest = &bytes[..];
        for size in sizes.iter().cycle() {
            if rest.is_empty() {
                break;
            }
            let (read, behind) = rest.split_at(rest.len().min(*size));
            reads.push(read);
            rest = behind;
        }
        prop_assert_eq!(split(Edges::Lost, reads), split(Edges::Lost, [&bytes[..]]));
    }

    #[test]
    fn text_without_a_trace_comes_out_identical(text in vec(foreign(), 0..30)) {
        for edges in [Edges::Kept, Edges::Lost] {
            let split = split(edges, text.iter().map(Vec::as_slice));
            prop_assert_eq!(&split.text, &text.concat());
            prop_assert!(split.cycles.is_empty());
        }
    }

    #[test]
    fn foreign_writes_between_the_tokens_come_out_whole_and_the_cycle_too(
        (cycle, go) in cycle(),
        foreign in vec((any::<prop::sample::Index>(), foreign()), 0..8),
    ) {
        // A foreign write that is exactly a token cannot be told from one, nor one that is several from what a relay has joined.
        let pieces = writes(&cycle, go);
        prop_assume!(foreign.iter().all(|(_, text)| !pieces.contains(text) && !text.starts_with(b"gc ") && !is_numbers(text)));
        let mut reads: Vec<&[u8]> = Vec::new();
        let mut text = Vec::new();
        for (at, piece) in pieces.iter().enumerate() {
            for (index, line) in &foreign {
                if index.index(pieces.len()) == at && !line.is_empty() {
                    reads.push(line);
                    text.extend_from_slice(line);
                }
            }
            reads.push(piece);
        }
        let split = split(Edges::Kept, reads);
        prop_assert_eq!(cycles(&split), vec![cycle]);
        prop_assert_eq!(split.text, text);
    }

    #[test]
    fn log_lines_between_the_tokens_come_out_whole_also_without_edges(
        (cycle, go) in cycle(),
        tears in vec((2_usize..12, vec(log_line(), 1..4)), 0..6),
    ) {
        // Two tokens or more between the tears: a number alone between log lines may as well be a log line's.
        let pieces = writes(&cycle, go);
        let mut bytes = Vec::new();
        let mut text = Vec::new();
        let mut written = 0;
        for (tokens, log) in &tears {
            let next = pieces.len().min(written + tokens);
            bytes.extend(pieces[written..next].concat());
            bytes.extend(log.concat());
            text.extend(log.concat());
            written = next;
        }
        bytes.extend(pieces[written..].concat());
        let split = split(Edges::Lost, [&bytes[..]]);
        prop_assert_eq!(cycles(&split), vec![cycle]);
        prop_assert_eq!(split.text, text);
    }
}

/// Whether a write is numbers, the marks that stand between two in a trace line, and nothing else.
fn is_numbers(write: &[u8]) -> bool {
    write
        .iter()
        .all(|byte| byte.is_ascii_digit() || b".+-/>()".contains(byte))
}

#[test]
fn a_line_that_is_surely_the_runtimes_outlasts_a_pause_and_the_text_does_not_wait() {
    let tokens: Vec<&str> =
        "gc |7| @|0.125|s |6|%|: |0.35|+|1.0|+|0.003| ms clock, |0.71|+|0|/|0.33|/|0|+|0.006| ms cpu, |10|->|12|->|5| MB, |11| MB goal, |0| MB stacks, |0| MB globals, |2| P|\n"
            .split('|')
            .collect();
    let mut splitter = Splitter::new(Edges::Kept);
    let mut out = Split::default();
    let mut push = |splitter: &mut Splitter, write: &str| {
        splitter.push(write.as_bytes(), &mut out);
        out.clone()
    };
    for token in &tokens[..10] {
        push(&mut splitter, token);
    }
    assert_eq!(push(&mut splitter, "a log line\n").text, b"");
    let mut paused = Split::default();
    splitter.release(&mut paused);
    assert_eq!(paused.text, b"a log line\n");
    assert_eq!(splitter.holding(), None);
    for token in &tokens[10..] {
        push(&mut splitter, "another\n");
        push(&mut splitter, token);
    }
    let out = push(&mut splitter, "the end\n");
    assert_eq!(out.cycles.len(), 1);
    assert!(out.cycles[0].reassembled);
    assert_eq!(out.trace, tokens.concat().as_bytes());
    assert_eq!(
        out.text,
        ["another\n".repeat(tokens.len() - 10), "the end\n".into()]
            .concat()
            .as_bytes()
    );
}

#[test]
fn a_bar_of_number_signs_does_not_make_a_line_one_of_the_betas_of_1_5() {
    let tokens: Vec<&str> =
        "gc |7| @|0.125|s |6|%: |0.35|+|1.0|+|0.003| ms clock, |0.71|+|0|/|0.33|/|0|+|0.006| ms cpu, |10|->|12|->|5| MB, |11| MB goal, |2| P|\n"
            .split('|')
            .collect();
    let bar = [&tokens[..1], &["#", "#"], &tokens[1..]].concat();
    let out = split(Edges::Kept, bar.iter().map(|write| write.as_bytes()));
    assert_eq!(out.cycles.len(), 1);
    assert_eq!(out.text, b"##");
}

#[test]
fn a_text_that_begins_as_a_line_ends_is_not_taken_for_its_end() {
    let tokens: Vec<&str> =
        "gc |7| @|0.125|s |6|%: |0.35|+|1.0|+|0.003| ms clock, |0.71|+|0|/|0.33|/|0|+|0.006| ms cpu, |10|->|12|->|5| MB, |11| MB goal, |0| MB stacks, |0| MB globals, |2| P|\n"
            .split('|')
            .collect();
    let last = tokens.len() - 1;
    let text = "\nstep 2\n";
    let own = [&tokens[..last], &[text], &tokens[last..]].concat();
    let out = split(Edges::Kept, own.iter().map(|write| write.as_bytes()));
    assert_eq!(out.cycles.len(), 1);
    assert_eq!(out.text, text.as_bytes());
    // Who reads and writes again what others write joins it anyhow, and has done so before.
    let before = tokens[3..].concat();
    let relayed = [&tokens[..3], &[&before], &tokens[..last], &[text]].concat();
    let out = split(Edges::Kept, relayed.iter().map(|write| write.as_bytes()));
    assert_eq!(out.cycles.len(), 2);
    assert_eq!(out.text, b"step 2\n");
}

#[test]
fn a_detached_line_that_a_relay_goes_on_with_is_not_lost() {
    let mut splitter = Splitter::new(Edges::Kept);
    let mut out = Split::default();
    let tokens = ["gc ", "7", " @", "0.125", "s ", "6", "%"];
    for write in tokens.iter().chain(&["a log line\n"]) {
        splitter.push(write.as_bytes(), &mut out);
    }
    splitter.release(&mut out);
    // Two tokens in one write.
    splitter.push(b": 0.35", &mut out);
    splitter.push(b"another\n", &mut out);
    splitter.release(&mut out);
    splitter.finish(&mut out);
    assert_eq!(
        out.text,
        ["a log line\nanother\n", &tokens.concat(), ": 0.35"]
            .concat()
            .as_bytes()
    );
    assert!(out.trace.is_empty());
}
