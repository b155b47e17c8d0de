//! Beginnings of trace lines that come again and again: a log quotes them. A process prints each of its cycles once.

/// How many beginnings are remembered; another takes the place of the oldest.
const MOST_KNOWN: usize = 64;
/// So often one is seen that is a quote. Programs that are started anew in a loop may print the same twice.
const OFTEN: u32 = 4;

/// One beginning, up to its time: `gc 3 @0.112s`.
#[derive(Debug)]
struct Known {
    beginning: Vec<u8>,
    times: u32,
    /// Where it was seen last, in bytes from the beginning of the stream.
    last: u64,
}

/// The beginnings that were seen of late.
#[derive(Debug, Default)]
pub(super) struct Quotes(Vec<Known>);

impl Quotes {
    /// Whether what begins like a line at `position` has begun so too often. The bytes are those that agree with a line.
    pub(super) fn is_quote(&mut self, bytes: &[u8], position: u64) -> bool {
        let Some(end) = memchr::memchr(b's', bytes) else {
            return false;
        };
        let beginning = &bytes[..end];
        let mut known = self.0.iter_mut();
        if let Some(known) = known.find(|known| known.beginning == beginning) {
            // The same bytes may be looked at again.
            if position > known.last {
                known.times = known.times.saturating_add(1);
                known.last = position;
            }
            return known.times >= OFTEN;
        }
        if self.0.len() == MOST_KNOWN {
            let rarest = (0..MOST_KNOWN)
                .min_by_key(|index| (self.0[*index].times >= OFTEN, self.0[*index].last));
            self.0.remove(rarest.unwrap_or_default());
        }
        self.0.push(Known {
            beginning: beginning.to_vec(),
            times: 1,
            last: position,
        });
        false
    }

    /// The same, for somebody who begins with the bytes anew: only what is known to be quoted counts.
    pub(super) fn of_another_pass(mut self) -> Self {
        self.0.retain(|known| known.times >= OFTEN);
        self.0.iter_mut().for_each(|known| known.last = 0);
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_beginning_is_a_quote_when_it_comes_often_and_at_different_places() {
        let mut quotes = Quotes::default();
        let line = b"gc 3 @0.112s 2%: ";
        for position in 1..4 {
            assert!(!quotes.is_quote(line, position * 100));
            assert!(!quotes.is_quote(line, position * 100), "the same place");
        }
        assert!(quotes.is_quote(line, 400));
        assert!(!quotes.is_quote(b"gc 4 @0.112s 2%: ", 500));
        let mut quotes = quotes.of_another_pass();
        assert!(quotes.is_quote(line, 100));
        assert!(!quotes.is_quote(b"gc 4 @0.112s 2%: ", 500));
    }

    #[test]
    fn what_is_quoted_is_remembered_rather_than_the_cycles_that_come_once() {
        let mut quotes = Quotes::default();
        for position in 1..=4 {
            quotes.is_quote(b"gc 3 @0.112s", position);
        }
        for number in 4..10_000_u64 {
            let line = format!("gc {number} @{number}.000s");
            assert!(!quotes.is_quote(line.as_bytes(), number * 10));
        }
        assert!(quotes.is_quote(b"gc 3 @0.112s", 1_000_000));
        assert_eq!(quotes.0.len(), MOST_KNOWN);
    }
}
