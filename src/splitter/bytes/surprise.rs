//! How unusual something is, against what this log has shown so far.

use std::collections::BTreeMap;

/// What counts as seen of what was never seen, so that nothing is impossible, and nothing a surprise at first.
const UNSEEN: f64 = 0.3;

/// How often each of some things was seen.
///
/// A surprise is the negative logarithm of a probability, above what it is on the average: 0 means as usual.
#[derive(Debug)]
pub(super) struct Tally {
    seen: BTreeMap<u64, u32>,
    total: u32,
    average: f64,
    /// So much is remembered; then half of it is forgotten, and the log may change its ways.
    memory: u32,
    /// The greatest surprise.
    most: f64,
}

impl Tally {
    pub(super) const fn new(memory: u32, most: f64) -> Self {
        Self {
            seen: BTreeMap::new(),
            total: 0,
            average: 0.0,
            memory,
            most,
        }
    }

    pub(super) fn surprise(&self, thing: u64) -> f64 {
        (self.raw(thing) - self.average).max(0.0)
    }

    pub(super) fn learn(&mut self, thing: u64) {
        let weight = 1.0 / f64::from(1 + self.total.min(100));
        self.average += (self.raw(thing) - self.average) * weight;
        *self.seen.entry(thing).or_default() += 1;
        self.total += 1;
        if self.total > self.memory {
            self.seen.retain(|_, times| {
                *times /= 2;
                *times > 0
            });
            self.total = self.seen.values().sum();
        }
    }

    fn raw(&self, thing: u64) -> f64 {
        let seen = f64::from(self.seen.get(&thing).copied().unwrap_or(0));
        let probability = (seen + UNSEEN) / (f64::from(self.total) + UNSEEN);
        (-probability.ln()).min(self.most)
    }
}

/// How many bytes are looked at together.
const LENGTHS: [usize; 5] = [1, 2, 3, 5, 8];
/// The most of them.
pub(super) const LONGEST: usize = 8;
/// How many texts are remembered.
const TEXTS: u32 = 4000;

/// What texts begin with, or end with, by their first or last bytes: one, two, and so on. A text that is shorter than those
/// is known by as many as it has.
#[derive(Debug)]
pub(super) struct Usual([Tally; LENGTHS.len()]);

/// The surprise at a text that has the first bytes of those that were looked at, by how many these are.
#[derive(Clone, Copy, Debug)]
pub(super) struct Surprise([f64; LENGTHS.len()]);

impl Surprise {
    /// No surprise.
    pub(super) const NONE: Self = Self([0.0; LENGTHS.len()]);

    /// The surprise at a text of so many bytes.
    pub(super) fn of(&self, len: usize) -> f64 {
        LENGTHS
            .iter()
            .rposition(|known| *known <= len)
            .map_or(0.0, |index| self.0[index])
    }

    /// The least that it can be.
    pub(super) fn least(&self) -> f64 {
        self.0.iter().copied().fold(f64::INFINITY, f64::min)
    }
}

impl Usual {
    /// Nothing seen yet. `most`: the greatest surprise.
    pub(super) fn new(most: f64) -> Self {
        Self(std::array::from_fn(|_| Tally::new(TEXTS, most)))
    }

    /// As if all texts so far, so many, had begun or ended with these bytes.
    pub(super) fn only(bytes: &[u8], times: u32, most: f64) -> Self {
        let mut usual = Self::new(most);
        for (tally, key) in usual.0.iter_mut().zip(keys(bytes.iter())) {
            tally.seen.insert(key, times);
            tally.total = times;
        }
        usual
    }

    /// How many texts were learnt from.
    pub(super) fn learnt(&self) -> u32 {
        self.0[0].total
    }

    /// The surprise at a text that begins with these bytes, or ends with them, the last one first.
    pub(super) fn surprise<'a>(&self, bytes: impl Iterator<Item = &'a u8>) -> Surprise {
        let mut surprise = Surprise([0.0; LENGTHS.len()]);
        let mut keys = keys(bytes);
        for (index, tally) in self.0.iter().enumerate() {
            surprise.0[index] = match keys.next() {
                Some(key) => tally.surprise(key),
                None if index == 0 => 0.0,
                None => surprise.0[index - 1],
            };
        }
        surprise
    }

    /// A text that begins with these bytes, or ends with them, the last one first, and has no more than those.
    pub(super) fn learn<'a>(&mut self, bytes: impl Iterator<Item = &'a u8>) {
        for (tally, key) in self.0.iter_mut().zip(keys(bytes)) {
            tally.learn(key);
        }
    }
}

/// The kinds of the first byte, the first two, and so on, each packed into a number.
fn keys<'a>(bytes: impl Iterator<Item = &'a u8>) -> impl Iterator<Item = u64> {
    let packed = bytes.take(LONGEST).scan(0_u64, |packed, byte| {
        *packed = *packed << 8 | u64::from(kind(*byte));
        Some(*packed)
    });
    packed
        .enumerate()
        .filter(|(index, _)| LENGTHS.contains(&(index + 1)))
        .map(|(_, packed)| packed)
}

/// The kind of a byte: digits are one kind, letters one, and what is no ASCII one.
pub(super) fn kind(byte: u8) -> u8 {
    match byte {
        b'0'..=b'9' => b'0',
        b'a'..=b'z' | b'A'..=b'Z' => b'a',
        0x80.. => 0x80,
        // Nothing is packed as zero.
        0 => 1,
        _ => byte,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_seen_most_is_no_surprise_and_what_was_never_seen_a_great_one() {
        let mut usual = Usual::new(6.0);
        assert_eq!(usual.learnt(), 0);
        for _ in 0..100 {
            usual.learn(b"{\"a\":1}\n".iter());
        }
        usual.learn(b"2026/11/22".iter());
        let surprise = |text: &[u8]| usual.surprise(text.iter()).of(text.len());
        assert!(surprise(b"{\"b\":2}") < 0.1);
        assert!(surprise(b"1999/01/01") > 2.0);
        assert!(surprise(b"xx") > surprise(b"20"));
        // The first byte alone says less than the whole.
        assert!(surprise(b"{") < 0.1);
        assert!(surprise(b"{x") > 2.0);
    }

    #[test]
    fn what_a_log_no_longer_does_is_forgotten_and_memory_is_bounded() {
        let mut tally = Tally::new(4000, 6.0);
        for _ in 0..1000 {
            tally.learn(1);
        }
        for n in 0..200_000_u64 {
            tally.learn(if n % 2 == 0 { 2 } else { 3 + n });
        }
        assert!(tally.seen.len() <= 4000);
        assert!(tally.surprise(2) < 1.0);
        assert!(tally.raw(1) > 5.0);
    }
}
