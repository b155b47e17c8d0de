//! The last cycle of each process on the stream: what it makes expect of the next.

use super::surprise::Tally;
use crate::trace::{Field, Place};

/// How many processes are remembered; another takes the place of the one that was silent longest.
const MOST_PROCESSES: usize = 8;
/// A number further ahead than this is another process's.
const MOST_MISSED: u64 = 50;
/// The next cycle begins rather within so many milliseconds.
const SOON: u64 = 30_000;
/// So many sizes are remembered.
const SIZES: u32 = 200;
/// The greatest surprise at a size.
const MOST_SURPRISE: f64 = 4.0;

/// What the line of a cycle says, as far as it tells one line from another.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Told(Vec<(Field, u64)>);

impl Told {
    /// Reads a whole line of a cycle; `None` where it is none.
    pub(super) fn read(line: &[u8]) -> Option<Told> {
        let mut told = Vec::new();
        let mut rest = line;
        let mut place = Place::START;
        while !place.is_end() {
            let (token, behind, next) = place.take_whole(rest)?;
            let is_number = matches!(token, [b'0'..=b'9' | b'-', ..]);
            if let Some(field) = place
                .field()
                .filter(|field| is_number && is_compared(*field))
            {
                told.push((field, value(token)));
            }
            rest = behind;
            place = next;
        }
        let told = Told(told);
        told.get(Field::Number).is_some().then_some(told)
    }

    pub(super) fn get(&self, field: Field) -> Option<u64> {
        let (_, value) = self.0.iter().find(|(known, _)| *known == field)?;
        Some(*value)
    }

    fn number(&self) -> u64 {
        self.get(Field::Number).unwrap_or(0)
    }

    /// What may have come before the first cycle that was read: none at all, or some that were not.
    fn before(mut self) -> Self {
        for (field, value) in &mut self.0 {
            match field {
                Field::Number => *value = value.saturating_sub(MOST_MISSED),
                Field::At => *value = value.saturating_sub(SOON),
                _ => {}
            }
        }
        self
    }

    /// Whether it may well be the next cycle of the process that told `before`, or one a few later.
    pub(super) fn follows(&self, before: &Told, missed: u64) -> bool {
        let ahead = self.number().wrapping_sub(before.number());
        (1..=1 + missed).contains(&ahead)
            && self.get(Field::At) >= before.get(Field::At)
            && self.get(Field::Procs) == before.get(Field::Procs)
    }
}

fn is_compared(field: Field) -> bool {
    matches!(
        field,
        Field::Number | Field::At | Field::GcCpuPercent | Field::Procs
    ) || is_size(field)
}

fn is_size(field: Field) -> bool {
    matches!(
        field,
        Field::HeapStart
            | Field::HeapEnd
            | Field::HeapLive
            | Field::PreviousLive
            | Field::Goal
            | Field::Stacks
            | Field::Globals
    )
}

/// The digits as one number: seconds are read as milliseconds.
fn value(number: &[u8]) -> u64 {
    number
        .iter()
        .filter(|byte| byte.is_ascii_digit())
        .fold(0, |value: u64, digit| {
            value
                .saturating_mul(10)
                .saturating_add(u64::from(digit - b'0'))
        })
}

/// The processes on a stream, by their last cycles.
#[derive(Debug, Default)]
pub(super) struct Recent {
    processes: Vec<Process>,
    clock: u64,
    /// What the sizes were of late.
    usual: Vec<(Field, Tally)>,
    /// The first cycle that was read of each process.
    firsts: Vec<Told>,
}

#[derive(Debug)]
struct Process {
    last: Told,
    heard: u64,
}

impl Recent {
    pub(super) fn is_empty(&self) -> bool {
        self.processes.is_empty()
    }

    /// Whether a line may well tell the next cycle of a known process, or one a few later.
    pub(super) fn follows(&self, told: &Told, missed: u64) -> bool {
        let mut processes = self.processes.iter();
        processes.any(|process| told.follows(&process.last, missed))
    }

    /// Whose next cycle a line tells, allowing for some that were missed.
    pub(super) fn whose(&self, told: &Told) -> Option<usize> {
        let follows = |index: &usize| told.follows(&self.processes[*index].last, MOST_MISSED);
        (0..self.processes.len())
            .filter(follows)
            .min_by_key(|index| {
                let process = &self.processes[*index];
                (
                    told.number().wrapping_sub(process.last.number()),
                    u64::MAX - process.heard,
                )
            })
    }

    fn usual(&self, field: Field) -> Option<&Tally> {
        let (_, usual) = self.usual.iter().find(|(known, _)| *known == field)?;
        Some(usual)
    }

    /// A cycle was read.
    pub(super) fn learn(&mut self, told: Told) {
        self.clock += 1;
        for (field, value) in told.0.iter().filter(|(field, _)| is_size(*field)) {
            let known = self.usual.iter().position(|(known, _)| known == field);
            let index = known.unwrap_or_else(|| {
                self.usual.push((*field, Tally::new(SIZES, MOST_SURPRISE)));
                self.usual.len() - 1
            });
            self.usual[index].1.learn(*value);
        }
        let process = Process {
            heard: self.clock,
            last: told,
        };
        let known = self.whose(&process.last);
        if known.is_none() && self.firsts.len() < MOST_PROCESSES {
            self.firsts.push(process.last.clone());
        }
        let known = known.or_else(|| {
            let silent = |index: &usize| self.processes[*index].heard;
            (self.processes.len() == MOST_PROCESSES)
                .then(|| (0..MOST_PROCESSES).min_by_key(silent))
                .flatten()
        });
        match known {
            Some(index) => self.processes[index] = process,
            None => self.processes.push(process),
        }
    }

    /// How many cycles were read.
    pub(super) fn heard(&self) -> u64 {
        self.clock
    }

    /// Takes over what somebody knows who read ahead: what sizes are usual, and which processes to expect.
    pub(super) fn expect(&mut self, ahead: Self) {
        self.usual = ahead.usual;
        if self.is_empty() {
            let last = ahead.firsts.into_iter().map(Told::before);
            self.processes = last.map(|last| Process { last, heard: 0 }).collect();
        }
    }

    /// The next cycle of a process was put together from pieces: of its numbers those that are doubtful teach nothing.
    pub(super) fn learn_torn(&mut self, index: usize, told: &Told, is_clear: bool) {
        self.clock += 1;
        let process = &mut self.processes[index];
        process.heard = self.clock;
        for (field, value) in &mut process.last.0 {
            let Some(new) = told.get(*field) else {
                continue;
            };
            let is_doubtful = match field {
                Field::Number => false,
                // A digit of the text may stand for it, and no whole line would be the next then.
                Field::Procs => true,
                Field::At if !(*value..=*value + SOON).contains(&new) => true,
                _ => !is_clear,
            };
            if !is_doubtful {
                *value = new;
            }
        }
    }

    /// How well a cycle's number fits, and which process it makes the line belong to.
    pub(super) fn number(&self, digits: &[u8]) -> (f64, Option<usize>) {
        let number = value(digits);
        let newest_first = |index: &usize| u64::MAX - self.processes[*index].heard;
        let ahead = |index: usize| number.wrapping_sub(self.processes[index].last.number());
        let nearest = (0..self.processes.len())
            .filter(|index| (1..MOST_MISSED).contains(&ahead(*index)))
            .min_by_key(|index| (ahead(*index), newest_first(index)));
        let longer_than_one = as_score(digits.len() as u64 - 1);
        match nearest {
            Some(index) if ahead(index) == 1 => (4.0, Some(index)),
            Some(index) => (-1.0 - as_score(ahead(index).min(5)), Some(index)),
            None if number == 1 => (if self.is_empty() { 0.0 } else { -6.0 }, None),
            None if self.is_empty() => (longer_than_one * LONGER, None),
            None => (-14.0, None),
        }
    }

    /// How well another number fits the process that the line belongs to.
    pub(super) fn gain(&self, field: Field, digits: &[u8], process: Option<usize>) -> f64 {
        let len = digits.len();
        // A process that is not known may still be like the one that was heard last.
        let like = process.or_else(|| {
            let heard = |index: &usize| self.processes[*index].heard;
            (0..self.processes.len()).max_by_key(heard)
        });
        let like = like.filter(|_| process.is_some() || field != Field::At);
        let before = like.and_then(|index| self.processes[index].last.get(field));
        let longer_than = |most: usize| as_score(len.saturating_sub(most) as u64);
        let now = value(digits);
        match (field, before) {
            (Field::At, Some(before)) if now < before => 5.0 * DIGITS - 8.0,
            (Field::At, Some(before)) if now == before => 5.0 * DIGITS - 2.0,
            (Field::At, Some(before)) if now <= before + SOON => 5.0 * DIGITS + 2.0,
            (Field::At, _) => 5.0 * DIGITS,
            (Field::GcCpuPercent, None) => DIGITS + LONGER * longer_than(1),
            (Field::GcCpuPercent, Some(before)) => match now.abs_diff(before) {
                0..=2 => 1.0,
                more => -(as_score(more.min(100)) / 4.0).min(4.0),
            },
            (Field::Procs, Some(before)) => DIGITS + if now == before { 1.0 } else { -3.0 },
            (field, Some(before)) if is_size(field) => {
                let ratio = (as_score(now) + 1.0) / (as_score(before) + 1.0);
                let surprise = self.usual(field).map_or(0.0, |usual| usual.surprise(now));
                2.0 * DIGITS - ratio.ln().abs().min(3.0) - longer_than(5).min(3.0) - surprise
            }
            (field, None) if is_size(field) || field == Field::Procs => {
                DIGITS + LONGER * longer_than(1)
            }
            (Field::Unread, _) if self.is_empty() => DIGITS + LONGER * longer_than(1),
            (Field::Unread, _) => DIGITS + LONGER * longer_than(1) - longer_than(8),
            // Times: decimals show their own end, and long ones without are seldom.
            _ if digits.contains(&b'.') => DIGITS * as_score(len as u64),
            _ if len == 1 => DIGITS,
            _ if self.is_empty() => 2.0 * DIGITS + LONGER * longer_than(1),
            _ => 2.0 * DIGITS - longer_than(3).min(4.0),
        }
    }
}

/// Where nothing is known, digits are rather the number's than the next text's.
const LONGER: f64 = 0.2;
/// What a digit that fits counts for.
const DIGITS: f64 = 0.6;

#[expect(clippy::cast_precision_loss, reason = "a score need not be exact")]
fn as_score(number: u64) -> f64 {
    number as f64
}
