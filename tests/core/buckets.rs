//! Profile buckets in memories that are not a program's: hostile ones, and such as change while they are read.

use std::cell::Cell;

use gcwatch::culprit::addresses::Addresses;
use gcwatch::culprit::buckets::{Counts, MOST_BUCKETS, Reader, Reading, extent};
use gcwatch::culprit::memory::{Memory, MemoryError};
use gcwatch::culprit::{Bucket, Extent, Refusal, Snapshot};
use proptest::prelude::*;

use crate::chance::cases;

const LIST: u64 = 0x100;
const CYCLE: u64 = 0x108;
const LOCK: u64 = 0x110;
const RATE: u64 = 0x118;

fn addresses() -> Addresses {
    Addresses {
        buckets: LIST,
        profile_cycle: CYCLE,
        active_lock: LOCK,
        rate: RATE,
        writable_rate: Err(Refusal::Missing("nothing")),
        disabled: Err(Refusal::Missing("nothing")),
        live_heap: Err(Refusal::Missing("nothing")),
        goroutines: Err(Refusal::Missing("nothing")),
    }
}

/// Allocs and frees: published, then of the cycles C with C % 3 = 0, 1 and 2.
type Record = [[u64; 2]; 4];

#[derive(Clone)]
struct Fake {
    cycle: u32,
    is_locked: bool,
    counts: Counts,
    records: Vec<Record>,
}

/// Each bucket is in blocks of its own, and its record in another than its stack: it takes two readings.
fn address(index: usize) -> u64 {
    0x1_0000 * (index as u64 + 1) + 0x8000 - 8 * 9
}

const STACK: [u64; 3] = [0x40_1000, 0x40_2000, 0x40_3000];

fn size(index: usize) -> u64 {
    16 * (index as u64 + 1)
}

/// `stkbucket` in `runtime/mprof.go`.
fn hash(stack: &[u64], size: u64) -> u64 {
    let mut hash = 0u64;
    for word in stack.iter().copied().chain([size]) {
        hash = hash.wrapping_add(word);
        hash = hash.wrapping_add(hash << 10);
        hash ^= hash >> 6;
    }
    hash = hash.wrapping_add(hash << 3);
    hash ^ (hash >> 11)
}

fn put(memory: &mut [u8], address: u64, words: &[u64]) {
    let address = usize::try_from(address).expect("small");
    for (i, word) in words.iter().enumerate() {
        memory[address + 8 * i..][..8].copy_from_slice(&word.to_le_bytes());
    }
}

impl Fake {
    fn new(counts: Counts, records: &[Record]) -> Self {
        Self {
            cycle: 2 * 10 + 1,
            is_locked: false,
            counts,
            records: records.to_vec(),
        }
    }

    fn words(&self) -> usize {
        match self.counts {
            Counts::Four => 4,
            Counts::Two => 2,
        }
    }

    /// The memory in which it all is.
    fn memory(&self) -> Vec<u8> {
        let mut memory = vec![0; 0x1_0000 * (self.records.len() + 2)];
        let first = if self.records.is_empty() {
            0
        } else {
            address(0)
        };
        put(&mut memory, LIST, &[first]);
        put(&mut memory, CYCLE, &[self.cycle.into()]);
        put(&mut memory, LOCK, &[self.is_locked.into()]);
        put(&mut memory, RATE, &[512]);
        for (i, record) in self.records.iter().enumerate() {
            let next = if i + 1 < self.records.len() {
                address(i + 1)
            } else {
                0
            };
            let hash = hash(&STACK, size(i));
            put(
                &mut memory,
                address(i),
                &[0, next, 1, hash, size(i), STACK.len() as u64],
            );
            put(&mut memory, address(i) + 48, &STACK);
            let record: Vec<u64> = record
                .iter()
                .flat_map(|[allocs, frees]| {
                    let all = [*allocs, *frees, allocs * size(i), frees * size(i)];
                    all.into_iter().take(self.words())
                })
                .collect();
            put(&mut memory, address(i) + 48 + 24, &record);
        }
        memory
    }

    /// Publishes one bucket's counts of the cycle `after` the present one.
    fn flush(&mut self, bucket: usize, after: u32) {
        let index = usize::try_from((self.cycle >> 1) + after).expect("small") % 3;
        let record = &mut self.records[bucket];
        let due = std::mem::take(&mut record[1 + index]);
        for (published, due) in record[0].iter_mut().zip(due) {
            *published += due;
        }
    }

    fn published(&self) -> Vec<Bucket> {
        let buckets = self.records.iter().enumerate().map(|(i, record)| Bucket {
            stack: STACK.to_vec(),
            size: size(i),
            allocs: record[0][0],
            frees: record[0][1],
        });
        buckets.filter(|bucket| bucket.allocs != 0).collect()
    }

    fn read(&self) -> Result<Reading, Refusal> {
        Reader::default().read(&self.memory(), &addresses(), self.counts)
    }
}

const RECORDS: [Record; 5] = [
    [[5, 1], [0, 0], [0, 0], [4, 3]],
    [[7, 7], [0, 0], [0, 0], [0, 0]],
    [[9, 2], [3, 0], [0, 0], [1, 1]],
    [[0, 0], [2, 0], [0, 0], [6, 0]],
    [[1, 0], [0, 0], [0, 0], [0, 1]],
];

#[track_caller]
fn quiet(reading: Result<Reading, Refusal>) -> Snapshot {
    match reading {
        Ok(Reading::Quiet(snapshot)) => snapshot,
        other => panic!("{other:?}"),
    }
}

#[test]
fn published_counts_are_read_in_both_layouts() {
    for counts in [Counts::Four, Counts::Two] {
        let fake = Fake::new(counts, &RECORDS);
        let snapshot = quiet(fake.read());
        assert_eq!((snapshot.cycle, snapshot.rate), (10, 512));
        assert_eq!(snapshot.buckets, fake.published());
        assert_eq!(snapshot.buckets.len(), 4, "nothing is published of one");
    }
    let empty = Fake::new(Counts::Two, &[]);
    assert_eq!(quiet(empty.read()).buckets, []);
}

#[test]
fn how_much_was_sampled_is_told_while_a_flush_is_under_way_too() {
    for counts in [Counts::Four, Counts::Two] {
        let mut fake = Fake::new(counts, &RECORDS);
        fake.flush(0, 1);
        fake.is_locked = true;
        assert!(matches!(fake.read(), Ok(Reading::Disturbed)));
        assert_eq!(
            extent(&fake.memory(), &addresses(), counts),
            Ok(Extent {
                buckets: 5,
                samples: fake.published().iter().map(|bucket| bucket.allocs).sum(),
            })
        );
    }
    let endless = extent(&Endless, &addresses(), Counts::Two);
    assert_eq!(endless.map(|extent| extent.buckets), Ok(MOST_BUCKETS));
}

#[test]
fn the_wrong_layout_is_refused() {
    for (is, taken_for) in [(Counts::Four, Counts::Two), (Counts::Two, Counts::Four)] {
        let memory = Fake::new(is, &RECORDS).memory();
        let reading = Reader::default().read(&memory, &addresses(), taken_for);
        match reading {
            // Words of the record are in other places: they make no sense, or look like a flush that is under way.
            Err(Refusal::Layout(_)) | Ok(Reading::Disturbed) => {}
            other => panic!("{is:?} read as {taken_for:?}: {other:?}"),
        }
    }
}

#[test]
fn nothing_is_read_while_a_flush_is_due_or_under_way() {
    let fake = Fake::new(Counts::Two, &RECORDS);
    let not_flushed = Fake {
        cycle: 20,
        ..fake.clone()
    };
    let locked = Fake {
        is_locked: true,
        ..fake.clone()
    };
    // The bit says that it is flushed before it is.
    let mut not_begun = fake.clone();
    not_begun.records[2][2] = [1, 0];
    for fake in [not_flushed, locked, not_begun] {
        assert!(matches!(fake.read(), Ok(Reading::Disturbed)));
    }
    let not_begun = Fake {
        cycle: 0,
        records: vec![[[0; 2]; 4]; 2],
        ..fake
    };
    assert_eq!(quiet(not_begun.read()).cycle, 0);
}

/// A memory of which each reading finds the next state.
struct Film {
    states: Vec<Vec<u8>>,
    readings: Cell<usize>,
}

/// So many readings find the first state.
const STILL: usize = 40;

impl Memory for Film {
    fn read(&self, address: u64, into: &mut [u8]) -> Result<(), MemoryError> {
        let reading = self.readings.get();
        self.readings.set(reading + 1);
        let state = reading.saturating_sub(STILL).min(self.states.len() - 1);
        self.states[state].read(address, into)
    }
}

/// What the memory is like during a flush of all buckets: the lock is taken, the buckets come one by one, each in steps.
fn flush(before: &Fake, is_counted: bool) -> Vec<Fake> {
    let mut now = before.clone();
    let mut states = vec![now.clone()];
    if is_counted {
        now.cycle += 1;
        states.push(now.clone());
        now.cycle += 1;
        // Flushed, it says, and has not begun.
        now.cycle |= 1;
        states.push(now.clone());
    }
    now.is_locked = true;
    states.push(now.clone());
    for bucket in 0..now.records.len() {
        now.flush(bucket, u32::from(!is_counted));
        states.push(now.clone());
    }
    now.is_locked = false;
    states.push(now);
    states
}

/// Whenever a flush begins and however quickly it goes: what is read is the state before or after, or nothing.
#[test]
fn no_reading_is_a_mixture() {
    for counts in [Counts::Four, Counts::Two] {
        for is_counted in [false, true] {
            let before = Fake::new(counts, &RECORDS);
            let states = flush(&before, is_counted);
            let after = states.last().expect("some").published();
            let before = before.published();
            assert_ne!(before, after);
            let mut seen = [0; 3];
            for pace in [1, 2, 3, 7] {
                // Each `pace`th state is seen, and the last.
                let films: Vec<Vec<u8>> = states.iter().map(Fake::memory).collect();
                let last = films.last().cloned();
                let films: Vec<Vec<u8>> = films.into_iter().step_by(pace).chain(last).collect();
                for is_known in [false, true] {
                    for begin in 0..STILL + films.len() {
                        let mut reader = Reader::default();
                        if is_known {
                            quiet(reader.read(&films[0], &addresses(), counts));
                        }
                        let film = Film {
                            states: films.clone(),
                            readings: Cell::new(begin),
                        };
                        match reader.read(&film, &addresses(), counts) {
                            Ok(Reading::Quiet(snapshot)) if snapshot.buckets == before => {
                                seen[0] += 1;
                            }
                            Ok(Reading::Quiet(snapshot)) if snapshot.buckets == after => {
                                seen[1] += 1;
                            }
                            // A bucket that is being written is asked for again.
                            Ok(Reading::Disturbed) | Err(Refusal::Layout(_)) => seen[2] += 1,
                            other => panic!("pace {pace}, from {begin}: {other:?}"),
                        }
                    }
                }
            }
            assert!(seen.iter().all(|count| *count > 0), "{seen:?}");
        }
    }
}

#[test]
fn hostile_buckets_are_refused() {
    let header = |field: u64| address(2) + 8 * field;
    let huge = [u64::MAX, 1 << 60, 1 << 32, 1027];
    let mut changes: Vec<(&str, u64, u64)> = vec![
        ("a loop of one", header(1), address(2)),
        ("a loop", header(1), address(0)),
        ("a hole", header(1), 1 << 40),
        ("the end of the address space", header(1), u64::MAX - 8),
        ("the end of memory", header(1), 0x7_0000 - 56),
        ("another type", header(2), 2),
        ("a wrong hash", header(3), 1),
        ("another size", header(4), 17),
        ("a size beyond all", header(4), 1 << 63),
        ("a frame that is not its own", address(2) + 48, 0x40_1001),
        ("a shorter stack", header(5), 2),
        ("more freed than allocated", address(2) + 72 + 8, 1000),
    ];
    changes.extend(huge.map(|depth| ("a deep stack", header(5), depth)));
    for (what, place, word) in changes {
        for counts in [Counts::Four, Counts::Two] {
            let mut memory = Fake::new(counts, &RECORDS).memory();
            put(&mut memory, place, &[word]);
            match Reader::default().read(&memory, &addresses(), counts) {
                Err(Refusal::Layout(_) | Refusal::TooMany(_)) => {}
                other => panic!("{what}: {other:?}"),
            }
        }
    }
}

/// A list that goes on wherever it is read.
struct Endless;

impl Memory for Endless {
    fn read(&self, address: u64, into: &mut [u8]) -> Result<(), MemoryError> {
        const BUCKET: u64 = 128;
        let (mut at, mut into) = (address, into);
        while !into.is_empty() {
            let start = at / BUCKET * BUCKET;
            let mut bucket = [0; 128];
            if start < 0x1000 {
                // The globals: the list is not empty, and the cycle is flushed.
                put(&mut bucket, LIST % BUCKET, &[0x1000, 21, 0, 512]);
            } else {
                let hash = hash(&STACK[..1], 16);
                put(
                    &mut bucket,
                    0,
                    &[0, start + BUCKET, 1, hash, 16, 1, STACK[0], 1, 0],
                );
            }
            let behind = usize::try_from(at - start).expect("small");
            let length = into.len().min(bucket.len() - behind);
            let (now, later) = into.split_at_mut(length);
            now.copy_from_slice(&bucket[behind..behind + length]);
            into = later;
            at += length as u64;
        }
        Ok(())
    }
}

#[test]
fn a_list_that_is_too_long_is_refused() {
    let reading = Reader::default().read(&Endless, &addresses(), Counts::Two);
    assert!(matches!(reading, Err(Refusal::TooMany(_))), "{reading:?}");
}

#[test]
fn globals_that_are_nowhere_are_refused() {
    for short in [LIST, CYCLE, LOCK, RATE] {
        let mut memory = Fake::new(Counts::Two, &RECORDS).memory();
        memory.truncate(usize::try_from(short).expect("small") + 2);
        let reading = Reader::default().read(&memory, &addresses(), Counts::Two);
        assert!(matches!(reading, Err(Refusal::Layout(_))), "{short:#x}");
    }
}

proptest! {
    #![proptest_config(cases(64))]

    #[test]
    fn mutated_buckets_never_panic(
        changes in prop::collection::vec((0..0x400u64, any::<u64>()), 1..8),
        is_wide in any::<bool>(),
    ) {
        let counts = if is_wide { Counts::Four } else { Counts::Two };
        let mut memory = Fake::new(counts, &RECORDS).memory();
        for (place, word) in changes {
            // The globals, and the words of each bucket.
            let place = match place {
                0..4 => LIST + 8 * place,
                _ => address(usize::try_from(place % 5).expect("small")) + 8 * (place / 5 % 25),
            };
            put(&mut memory, place, &[word]);
        }
        let mut reader = Reader::default();
        for _ in 0..2 {
            let _ = reader.read(&memory, &addresses(), counts);
        }
        let _ = extent(&memory, &addresses(), counts);
    }
}
