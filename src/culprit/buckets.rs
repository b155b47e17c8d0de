//! The buckets of the runtime's heap profile (`runtime/mprof.go`): for each stack that allocated a sampled object of some
//! size, how many were allocated and how many of them freed.
//!
//! The program runs on while it is read. The list only ever grows at its front, and the published counts change only in a
//! flush, of which there are two: one in each GC cycle, after `mProfCycle` has counted it, and one more if the program asked
//! for the GC itself (`runtime.GC`, `mProf_PostSweep`), which no counter shows. A reading is good if none fell into it.

use super::addresses::Addresses;
use super::memory::{Cached, Memory, MemoryError, word};
use super::{Bucket, Extent, Refusal, Snapshot};

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

/// Reads the buckets of one program, again and again.
///
/// Where garbage is collected every few milliseconds, a walk along the list is never over before the next flush. So it is
/// remembered which pages the walk went through: the next reading copies them as quickly as it can, and walks when that is
/// done.
#[derive(Debug, Default)]
pub struct Reader {
    pages: Vec<u64>,
    /// The addresses of the buckets' records, in the order of the list.
    records: Vec<u64>,
}

impl Reader {
    /// Reads the buckets once.
    pub fn read(
        &mut self,
        memory: &impl Memory,
        addresses: &Addresses,
        counts: Counts,
    ) -> Result<Reading, Refusal> {
        let watch = Watch {
            memory,
            addresses,
            counts,
            cycle: ProfileCycle(memory.u32(addresses.profile_cycle)?),
        };
        if !watch.cycle.is_flushed() || watch.is_locked()? {
            return Ok(Reading::Disturbed);
        }
        let rate = memory.u64(addresses.rate)?;
        // The first bucket before the pages: it was whole when it came into the list.
        let first = memory.u64(addresses.buckets)?;
        let cached = Cached::new(memory, MOST_CACHED);
        cached.read_ahead(&self.pages);
        let fetches = cached.fetches();
        let pending = watch.pending();
        let witness = self.records.iter().find_map(|record| {
            let counts = record.checked_add(pending)?;
            (!watch.are_gone(&cached, counts).ok()?).then_some(counts)
        });
        let was_quiet = watch.is_quiet(witness)?;
        if !was_quiet && !self.pages.is_empty() {
            return Ok(Reading::Disturbed);
        }
        let walk = walk(&cached, first, counts, watch.cycle.number());
        let is_ahead = cached.fetches() == fetches;
        if let Ok(walk) = &walk {
            self.pages = cached.pages();
            self.records.clone_from(&walk.records);
        }
        let seen = walk.as_ref().ok().and_then(|walk| walk.witness);
        let is_quiet = if is_ahead && (witness.is_some() || seen.is_none()) {
            was_quiet
        } else {
            watch.is_quiet(seen)?
        };
        if !is_quiet {
            return Ok(Reading::Disturbed);
        }
        let walk = walk?;
        if walk.is_unflushed {
            return Ok(Reading::Disturbed);
        }
        Ok(Reading::Quiet(Snapshot {
            cycle: watch.cycle.number(),
            rate,
            buckets: walk.buckets,
        }))
    }
}

/// How much has been sampled, whatever flushes come meanwhile: what each published of it may be in or not.
pub fn extent(
    memory: &impl Memory,
    addresses: &Addresses,
    counts: Counts,
) -> Result<Extent, Refusal> {
    let cached = Cached::new(memory, MOST_CACHED);
    let mut extent = Extent::default();
    let mut next = memory.u64(addresses.buckets)?;
    // A list without an end comes to that number, too.
    while next != 0 && extent.buckets < MOST_BUCKETS {
        let bucket = RawBucket::read(&cached, next, counts)?;
        extent.buckets += 1;
        extent.samples = extent
            .samples
            .saturating_add(bucket.cycle(0).first().copied().unwrap_or_default());
        next = bucket.next;
    }
    Ok(extent)
}

/// Looks out for flushes.
struct Watch<'a, M> {
    memory: &'a M,
    addresses: &'a Addresses,
    counts: Counts,
    cycle: ProfileCycle,
}

impl<M: Memory> Watch<'_, M> {
    fn is_locked(&self) -> Result<bool, MemoryError> {
        Ok(self.memory.u64(self.addresses.active_lock)? != 0)
    }

    /// Where in a record the counts are that the next flush will publish.
    fn pending(&self) -> u64 {
        (8 * self.counts.words() * future(self.cycle.number(), 1)) as u64
    }

    /// Whether a record's counts are all zero.
    fn are_gone(&self, memory: &impl Memory, counts: u64) -> Result<bool, MemoryError> {
        let counts = memory.bytes(counts, 8 * self.counts.words())?;
        Ok(counts.iter().all(|byte| *byte == 0))
    }

    /// Whether no flush began since the watch did. The flush that no counter shows takes away the counts that it publishes, so
    /// it is not over if there still are some: `witness`, which there were before. The lock, asked before, says that it is not
    /// under way.
    fn is_quiet(&self, witness: Option<u64>) -> Result<bool, MemoryError> {
        if self.memory.u32(self.addresses.profile_cycle)? != self.cycle.0 || self.is_locked()? {
            return Ok(false);
        }
        let are_gone = witness.map(|counts| self.are_gone(self.memory, counts));
        Ok(!are_gone.transpose()?.unwrap_or_default())
    }
}

/// The place in a record of the counts of a cycle that is so many after `cycle`. The published ones come first, then those of
/// cycle C at C % 3.
fn future(cycle: u32, after: u32) -> usize {
    1 + usize::try_from((cycle % 3 + after) % 3).unwrap_or_default()
}

/// What the list had.
struct Walk {
    buckets: Vec<Bucket>,
    records: Vec<u64>,
    /// A bucket still has counts of the cycle that is said to be flushed: the flush has not come to it.
    is_unflushed: bool,
    /// The address of counts that the next flush will take away.
    witness: Option<u64>,
}

fn walk(memory: &impl Memory, first: u64, counts: Counts, cycle: u32) -> Result<Walk, Refusal> {
    let mut walk = Walk {
        buckets: Vec::new(),
        records: Vec::new(),
        is_unflushed: false,
        witness: None,
    };
    let (flushed, pending) = (future(cycle, 0), future(cycle, 1));
    let (mut next, mut frames) = (first, 0);
    // A list without an end comes back to a landmark, if those are set farther and farther apart (Brent's algorithm).
    let (mut landmark, mut landmark_until) = (0, 1);
    while next != 0 {
        if next == landmark {
            return Err(Refusal::Layout("the list of profile buckets has no end"));
        }
        if walk.records.len() == landmark_until {
            (landmark, landmark_until) = (next, 2 * landmark_until);
        }
        let bucket = RawBucket::read(memory, next, counts)?;
        frames += bucket.stack.len();
        if walk.records.len() >= MOST_BUCKETS || frames > MOST_FRAMES {
            return Err(Refusal::TooMany("profile buckets"));
        }
        walk.records.push(bucket.address_of(0));
        walk.is_unflushed |= bucket.cycle(flushed).iter().any(|count| *count != 0);
        if walk.witness.is_none() && bucket.cycle(pending).iter().any(|count| *count != 0) {
            walk.witness = Some(bucket.address_of(pending));
        }
        next = bucket.next;
        walk.buckets.extend(bucket.published()?);
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

    /// Where they are. The bucket was read up to its end, so there is no overflow.
    fn address_of(&self, index: usize) -> u64 {
        let words = self.stack.len() + self.counts.words() * index;
        self.address.saturating_add((HEADER + 8 * words) as u64)
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
