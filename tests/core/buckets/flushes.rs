//! Memories that change while they are read.

use std::cell::Cell;

use gcwatch::culprit::buckets::{Counts, MOST_BUCKETS, Reader, Reading, extent};
use gcwatch::culprit::memory::{Memory, MemoryError};
use gcwatch::culprit::{Extent, Refusal};

use super::hostile::Endless;
use super::{Fake, RECORDS, addresses, quiet};

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
