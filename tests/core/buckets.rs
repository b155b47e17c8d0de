//! Profile buckets in memories that are not a program's: hostile ones, and such as change while they are read.

mod flushes;
mod hostile;

use gcwatch::culprit::addresses::Addresses;
use gcwatch::culprit::buckets::{Counts, Reader, Reading};
use gcwatch::culprit::{Bucket, Refusal, Snapshot};

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
