//! Where a trace line may begin: `gc ` anywhere, the lines that come besides at the start of a line.

use std::sync::LazyLock;

use memchr::memmem::Finder;

/// How the lines begin that gctrace brings besides the cycles' own.
const SIBLINGS: [&[u8]; 4] = [b"GC forced", b"scvg", b"scan: ", b"forced scvg"];

/// Those behind a newline.
static BEHIND_NEWLINE: LazyLock<[Finder<'static>; 4]> = LazyLock::new(|| {
    [
        b"\nGC forced".as_slice(),
        b"\nscvg",
        b"\nscan: ",
        b"\nforced scvg",
    ]
    .map(Finder::new)
});
static CYCLE: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(b"gc"));

/// Whether a line begins at the head of some bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Start {
    Yes,
    No,
    /// Too few bytes to tell.
    Incomplete,
}

/// Whether a line begins at the head of `bytes`.
pub(super) fn start_at(bytes: &[u8], is_line_start: bool) -> Start {
    match bytes {
        // Go 1.0 to 1.4 print no blank.
        [b'g', b'c', b' ' | b'0'..=b'9', ..] => Start::Yes,
        [] | [b'g'] | [b'g', b'c'] => Start::Incomplete,
        [b'g', b'c', ..] => Start::No,
        _ if !is_line_start => Start::No,
        _ if SIBLINGS.iter().any(|start| bytes.starts_with(start)) => Start::Yes,
        _ if SIBLINGS.iter().any(|start| start.starts_with(bytes)) => Start::Incomplete,
        _ => Start::No,
    }
}

/// Whether a line may begin with this byte.
pub(super) fn may_be_start(byte: u8) -> bool {
    matches!(byte, b'g' | b'G' | b's' | b'f')
}

/// Where the first line begins at or behind `from`, or may begin when more bytes come; the length where none does.
pub(super) fn first_start(bytes: &[u8], from: usize, is_line_start: bool, is_end: bool) -> usize {
    let is_it = |at: usize, is_line_start: bool| match start_at(&bytes[at..], is_line_start) {
        Start::Yes => true,
        Start::No => false,
        Start::Incomplete => !is_end && at < bytes.len(),
    };
    if is_it(from, is_line_start) {
        return from;
    }
    let mut first = bytes.len();
    let mut at = from;
    while let Some(found) = CYCLE.find(&bytes[at..]) {
        at += found;
        if is_it(at, false) {
            first = at;
            break;
        }
        at += 2;
    }
    for finder in BEHIND_NEWLINE.iter() {
        if let Some(found) = finder.find(&bytes[from..first]) {
            first = from + found + 1;
        }
    }
    if first == bytes.len() && !is_end {
        // The last bytes may be the beginning of a start.
        let longest = SIBLINGS.iter().map(|start| start.len()).max().unwrap_or(0);
        let tail = bytes.len().saturating_sub(longest).max(from);
        let may_begin = |at: &usize| is_it(*at, *at > from && bytes[*at - 1] == b'\n');
        first = (tail..bytes.len()).find(may_begin).unwrap_or(first);
    }
    first
}
