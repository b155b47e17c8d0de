//! The buckets of the runtime's heap profile (`runtime/mprof.go`): for each stack that allocated a sampled object of some
//! size, how many were allocated and how many of them freed.
//!
//! The program runs on while it is read. The list only ever grows at its front, and the published counts change only in a
//! flush, of which there are two: one in each GC cycle, after `mProfCycle` has counted it, and one more if the program asked
//! for the GC itself (`runtime.GC`, `mProf_PostSweep`), which no counter shows. A reading is good if none fell into it.

use super::memory::{Cached, Memory, MemoryError, word};
use super::{Bucket, Refusal, Snapshot};
use crate::culprit::locate::Addresses;

/// `memProfile`, the type of these buckets.
const MEM_PROFILE: u64 = 1;
/// `next`, `allnext`, `typ`, `hash`, `size` and `nstk`, one word each.
const HEADER: usize = 48;
/// `debug.profstackdepth` is at most 1024, and two more are kept since Go 1.26.
const DEEPEST: usize = 1026;
/// `memRecord`: the published counts, and those of three cycles that are not published yet.
const CYCLES: usize = 4;
/// No object is larger than the address space.
const LARGEST: u64 = 1 << 48;
/// A list this long is taken for one without an end.
pub const MOST_BUCKETS: usize = 1 << 18;
/// And so many stack frames in all.
const MOST_FRAMES: usize = 1 << 24;
/// What is kept of the pages read, in one reading.
const MOST_CACHED: usize = 1 << 28;

/// What a cycle's counts are made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Counts {
    /// `allocs`, `frees`, `alloc_bytes`, `free_bytes`: up to Go 1.26.
    Four,
    /// `allocs`, `frees`: since Go 1.27.
    Two,
}

impl Counts {
    fn words(self) -> usize {
        match self {
            Self::Four => 4,
            Self::Two => 2,
        }
    }
}

/// What came of a reading.
#[derive(Debug)]
pub enum Reading {
    /// The buckets as of one moment.
    Quiet(Snapshot),
    /// A flush fell into it, or may have: read again.
    Disturbed,
}

/// `mProfCycle`: the number of GC cycles, and in the lowest bit whether the last of them has been flushed.
#[derive(Clone, Copy, PartialEq, Eq)]
struct ProfileCycle(u32);

impl ProfileCycle {
    /// Before the first cycle there is nothing to flush.
    fn is_flushed(self) -> bool {
        self.0 == 0 || self.0 & 1 == 1
    }

    fn number(self) -> u32 {
        self.0 >> 1
    }
}

/// Reads the buckets once.
pub fn read(
    memory: &impl Memory,
    addresses: &Addresses,
    counts: Counts,
) -> Result<Reading, Refusal> {
    let cycle = || memory.u32(addresses.profile_cycle).map(ProfileCycle);
    let is_locked = || memory.u64(addresses.active_lock).map(|key| key != 0);
    let before = cycle()?;
    if !before.is_flushed() || is_locked()? {
        return Ok(Reading::Disturbed);
    }
    let walk = walk(memory, addresses.buckets, counts, before.number());
    let rate = memory.u64(addresses.rate)?;
    if cycle()? != before || is_locked()? {
        return Ok(Reading::Disturbed);
    }
    let walk = walk?;
    // A flush that no counter shows takes what is not published yet away, so it is over if one such count is still there.
    // The lock, asked before, says that none is under way.
    let is_disturbed = match walk.witness {
        Some(witness) => memory.bytes(witness, 8 * counts.words())? == vec![0; 8 * counts.words()],
        None => false,
    };
    if walk.is_unflushed || is_disturbed {
        return Ok(Reading::Disturbed);
    }
    Ok(Reading::Quiet(Snapshot {
        cycle: before.number(),
        rate,
        buckets: walk.buckets,
    }))
}

/// What the list had.
struct Walk {
    buckets: Vec<Bucket>,
    /// A bucket still has counts of the cycle that is said to be flushed: the flush has not come to it.
    is_unflushed: bool,
    /// The address of counts that the next flush will take away.
    witness: Option<u64>,
}

fn walk(memory: &impl Memory, list: u64, counts: Counts, cycle: u32) -> Result<Walk, Refusal> {
    let mut next = memory.u64(list)?;
    let memory = Cached::new(memory, MOST_CACHED);
    let mut walk = Walk {
        buckets: Vec::new(),
        is_unflushed: false,
        witness: None,
    };
    let (mut count, mut frames) = (0, 0);
    // The counts of cycle C are in future[C % 3] until they are published, behind the published ones.
    let flushed = 1 + usize::try_from(cycle % 3).unwrap_or_default();
    let pending = 1 + usize::try_from((cycle % 3 + 1) % 3).unwrap_or_default();
    while next != 0 {
        count += 1;
        if count > MOST_BUCKETS || frames > MOST_FRAMES {
            return Err(Refusal::TooMany("profile buckets"));
        }
        let bucket = RawBucket::read(&memory, next, counts)?;
        frames += bucket.stack.len();
        walk.is_unflushed |= bucket.cycle(flushed).iter().any(|count| *count != 0);
        if walk.witness.is_none() && bucket.cycle(pending).iter().any(|count| *count != 0) {
            walk.witness = bucket.address_of(pending);
        }
        next = bucket.next;
        if let Some(bucket) = bucket.published()? {
            walk.buckets.push(bucket);
        }
    }
    Ok(walk)
}

/// A bucket as it lies in memory. Its hash says that it is one, and that the layout is what it was taken for.
struct RawBucket {
    address: u64,
    next: u64,
    size: u64,
    stack: Vec<u64>,
    counts: Counts,
    record: Vec<u64>,
}

impl RawBucket {
    fn read(memory: &impl Memory, address: u64, counts: Counts) -> Result<Self, Refusal> {
        let strange = || Refusal::Layout("a profile bucket is not as the runtime makes them");
        let header: [u8; HEADER] = memory.array(address)?;
        let field = |i: usize| word(&header, 8 * i).ok_or_else(strange);
        let (next, kind, hash, size) = (field(1)?, field(2)?, field(3)?, field(4)?);
        let depth = usize::try_from(field(5)?).map_err(|_| strange())?;
        if kind != MEM_PROFILE || depth > DEEPEST || size >= LARGEST {
            return Err(strange());
        }
        let rest = address.checked_add(HEADER as u64).ok_or_else(strange)?;
        let rest = memory.bytes(rest, 8 * (depth + CYCLES * counts.words()))?;
        let mut words = rest.chunks_exact(8).filter_map(|bytes| word(bytes, 0));
        let stack: Vec<u64> = words.by_ref().take(depth).collect();
        if hash_of(&stack, size) != hash {
            return Err(Refusal::Layout(
                "a profile bucket has not the hash of its stack",
            ));
        }
        Ok(Self {
            address,
            next,
            size,
            stack,
            counts,
            record: words.collect(),
        })
    }

    /// The counts of one cycle; the first are the published ones.
    fn cycle(&self, index: usize) -> &[u64] {
        let words = self.counts.words();
        let counts = self.record.get(words * index..words * (index + 1));
        counts.unwrap_or_default()
    }

    fn address_of(&self, index: usize) -> Option<u64> {
        let words = self.stack.len() + self.counts.words() * index;
        self.address.checked_add((HEADER + 8 * words) as u64)
    }

    /// What is published of it, if anything is. Nothing is freed that was not allocated, and where the bytes are counted too
    /// they are the objects' size so many times.
    fn published(self) -> Result<Option<Bucket>, Refusal> {
        let (allocs, frees) = match *self.cycle(0) {
            [allocs, frees] => (allocs, frees),
            [allocs, frees, alloc_bytes, free_bytes]
                if Some(alloc_bytes) == allocs.checked_mul(self.size)
                    && Some(free_bytes) == frees.checked_mul(self.size) =>
            {
                (allocs, frees)
            }
            _ => {
                return Err(Refusal::Layout(
                    "a profile bucket counts other bytes than its objects have",
                ));
            }
        };
        if frees > allocs {
            return Err(Refusal::Layout(
                "a profile bucket has more objects freed than allocated",
            ));
        }
        Ok((allocs != 0).then_some(Bucket {
            stack: self.stack,
            size: self.size,
            allocs,
            frees,
        }))
    }
}

/// The hash that `stkbucket` gives a bucket.
fn hash_of(stack: &[u64], size: u64) -> u64 {
    let mix = |hash: u64, word: u64| {
        let hash = hash.wrapping_add(word);
        let hash = hash.wrapping_add(hash << 10);
        hash ^ (hash >> 6)
    };
    let hash = mix(stack.iter().copied().fold(0, mix), size);
    let hash = hash.wrapping_add(hash << 3);
    hash ^ (hash >> 11)
}

impl From<MemoryError> for Refusal {
    fn from(error: MemoryError) -> Self {
        match error {
            MemoryError::Hole(_) => Self::Layout("a table of the runtime points where nothing is"),
            MemoryError::Gone => Self::Ended,
        }
    }
}
