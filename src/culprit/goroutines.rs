//! Goroutines by the place that started them. A heap profile knows of their stacks only that the runtime allocated them.

use std::collections::HashMap;
use std::ops::Range;

use super::Refusal;
use super::memory::{Memory, word};

/// More are not counted one by one.
const MOST: u64 = 1 << 20;
/// States of a goroutine (`runtime2.go`) in which it is none: not yet, no more, or kept for a thread of C.
const GIDLE: u32 = 0;
const GDEAD: u32 = 6;
const GDEADEXTRA: u32 = 11;
/// The garbage collector is looking at its stack.
const GSCAN: u32 = 0x1000;
/// The function that it runs is so far behind the place that started it, in all releases.
const START: usize = 16;

/// Where `runtime.g` has what is read of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout {
    /// `atomicstatus`
    pub status: usize,
    /// `gopc`: the address behind the `go` statement.
    pub creation: usize,
}

impl Layout {
    /// That of a release.
    pub fn of(minor: u32) -> Option<Self> {
        let (status, creation) = match minor {
            19 => (144, 296),
            21 | 22 | 25 => (144, 280),
            23 | 24 => (152, 288),
            26 | 27 => (144, 288),
            _ => return None,
        };
        Some(Self { status, creation })
    }
}

/// How many goroutines each place has started that have not ended, by the address behind the `go` statement. `list` is the
/// address of `runtime.allgs`, `code` where the program's functions are. The program runs on meanwhile: one that starts or
/// ends just now may be counted or not.
pub fn count(
    memory: &impl Memory,
    list: u64,
    layout: Layout,
    code: &Range<u64>,
) -> Result<Vec<(u64, u64)>, Refusal> {
    let strange = Refusal::Layout("a goroutine is not as the runtime makes them");
    // The length first: the list is only ever replaced by a longer one.
    let length = memory.u64(list.wrapping_add(8))?;
    let pointers = memory.u64(list)?;
    if length > MOST {
        return Err(Refusal::TooMany("goroutines"));
    }
    let length = usize::try_from(length).unwrap_or_default();
    let pointers = memory.bytes(pointers, 8 * length)?;
    let mut sites = HashMap::new();
    for pointer in pointers.chunks_exact(8).filter_map(|bytes| word(bytes, 0)) {
        let mut goroutine = vec![0; layout.creation + START + 8];
        memory.read(pointer, &mut goroutine)?;
        let status = word(&goroutine, layout.status).unwrap_or_default() & 0xffff_ffff;
        let status = u32::try_from(status).unwrap_or_default() & !GSCAN;
        if [GIDLE, GDEAD, GDEADEXTRA].contains(&status) {
            continue;
        }
        let creation = word(&goroutine, layout.creation).unwrap_or_default();
        let start = word(&goroutine, layout.creation + START).unwrap_or_default();
        if status > GDEADEXTRA || !code.contains(&start) {
            return Err(strange);
        }
        *sites.entry(creation).or_insert(0) += 1;
    }
    Ok(sites.into_iter().collect())
}
