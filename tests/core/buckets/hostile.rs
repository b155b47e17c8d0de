//! Memories that are meant to mislead.

use gcwatch::culprit::Refusal;
use gcwatch::culprit::buckets::{Counts, Reader, extent};
use gcwatch::culprit::memory::{Memory, MemoryError};
use proptest::prelude::*;

use super::{CYCLE, Fake, LIST, LOCK, RATE, RECORDS, STACK, address, addresses, hash, put};
use crate::chance::cases;

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
pub(super) struct Endless;

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
