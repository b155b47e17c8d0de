//! Whole trace lines behind an unfinished line of text: the log's own behind a prompt or a progress bar, or those of another
//! program that this one relays, each behind a prefix such as `[service] `.

use super::recent::{Recent, Told};
use super::surprise::kind;

/// So much of the unfinished line is looked at; a longer one is no prefix.
pub(super) const MOST_BEFORE: usize = 128;
/// How many prefixes are remembered.
const MOST_PREFIXES: usize = 8;
/// A cycle may be so many later than the last one that was read.
const MOST_MISSED: u64 = 20;

/// The prefixes behind which lines were relayed.
#[derive(Debug, Default)]
pub(super) struct Relays {
    /// The newest last, and how often each was seen.
    prefixes: Vec<(Vec<u8>, u32)>,
    /// The last cycle behind a prefix, while no line says whose it is.
    unclear: Option<(Vec<u8>, Told)>,
}

impl Relays {
    /// Whether lines behind such a prefix are relayed. The bytes are those before the line, the last one first.
    pub(super) fn are_behind(&self, before: &[u8]) -> bool {
        let prefix = fold(before);
        let known = self.prefixes.iter().find(|(known, _)| *known == prefix);
        known.is_some_and(|(_, times)| *times > 1)
    }

    /// Whether a whole line there is the log's own.
    ///
    /// It is where it tells the next cycle of a process that is known. Two that follow each other behind different prefixes
    /// make one known: who relays, prefixes all alike.
    pub(super) fn is_own(&mut self, before: &[u8], told: Told, recent: &Recent) -> bool {
        if self.are_behind(before) {
            return false;
        }
        if recent.follows(&told, MOST_MISSED) {
            return true;
        }
        let prefix = fold(before);
        if let Some((other, last)) = &self.unclear
            && (*other != prefix || prefix.len() == MOST_BEFORE)
            && told.follows(last, 0)
        {
            self.prefixes.retain(|(known, _)| known != other);
            self.unclear = None;
            return true;
        }
        if prefix.len() < MOST_BEFORE {
            self.learn(&prefix);
        }
        self.unclear = Some((prefix, told));
        false
    }

    fn learn(&mut self, prefix: &[u8]) {
        let known = self.prefixes.iter().position(|(known, _)| known == prefix);
        let times = known.map_or(0, |index| self.prefixes.remove(index).1);
        if self.prefixes.len() == MOST_PREFIXES {
            self.prefixes.remove(0);
        }
        self.prefixes
            .push((prefix.to_vec(), times.saturating_add(1)));
    }
}

fn fold(bytes: &[u8]) -> Vec<u8> {
    bytes.iter().map(|byte| kind(*byte)).collect()
}
