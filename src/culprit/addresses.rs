//! Where the runtime's globals are: by their symbols, and by the code of a few functions.
//!
//! A stripped program has no symbols, but its function table still names the functions, and their instructions name the
//! globals. Where both ways are open they must agree.

use std::ops::Range;

use iced_x86::Register;

use super::Refusal;
use super::decode::{Access, accesses};
use super::elf::{Image, Symbol};
use super::memory::{Memory, MemoryError};
use super::pclntab::{Module, Table};

/// No function of the runtime that is decoded is longer.
const LONGEST_FUNCTION: u64 = 1 << 16;

/// What was found one way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// `runtime.mbuckets`, the list of profile buckets.
    pub buckets: Option<u64>,
    /// `runtime.mProfCycle`.
    pub profile_cycle: Option<u64>,
    /// `runtime.profMemActiveLock`.
    pub active_lock: Option<u64>,
    /// `runtime.MemProfileRate`.
    pub rate: Option<u64>,
    /// `runtime.disableMemoryProfiling`.
    pub disabled: Option<u64>,
    /// `runtime.work.heap2`: the live heap in bytes.
    pub live_heap: Option<u64>,
    /// `runtime.allgs`.
    pub goroutines: Option<u64>,
}

/// An address, or why there is none.
pub type Address = Result<u64, Refusal>;

/// What both ways say together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Addresses {
    /// `runtime.mbuckets`, the list of profile buckets.
    pub buckets: u64,
    /// `runtime.mProfCycle`.
    pub profile_cycle: u64,
    /// `runtime.profMemActiveLock`.
    pub active_lock: u64,
    /// `runtime.MemProfileRate`, to be read.
    pub rate: u64,
    /// The same, to be written: only if the code says so too. It does not in a program built without optimisation.
    pub writable_rate: Address,
    /// `runtime.disableMemoryProfiling`.
    pub disabled: Address,
    /// `runtime.work.heap2`.
    pub live_heap: Address,
    /// `runtime.allgs`.
    pub goroutines: Address,
}

/// The globals by their symbols; none of them in a stripped program. Where the heap's size is within `runtime.work` no
/// symbol says: the second answer is the place of all of `runtime.work`.
pub fn by_symbols<M: Memory>(image: &Image<M>) -> Result<(Found, Option<Range<u64>>), MemoryError> {
    let [
        buckets,
        profile_cycle,
        active_lock,
        rate,
        disabled,
        goroutines,
        work,
    ] = image.symbols([
        "runtime.mbuckets",
        "runtime.mProfCycle",
        "runtime.profMemActiveLock",
        "runtime.MemProfileRate",
        "runtime.disableMemoryProfiling",
        "runtime.allgs",
        "runtime.work",
    ])?;
    let address = |symbol: Option<Symbol>| symbol.map(|symbol| symbol.address);
    let found = Found {
        buckets: address(buckets),
        profile_cycle: address(profile_cycle),
        active_lock: address(active_lock),
        rate: address(rate),
        disabled: address(disabled),
        live_heap: None,
        goroutines: address(goroutines),
    };
    let work = work.map(|work| work.address..work.address.saturating_add(work.size));
    Ok((found, work))
}

/// The globals by the code of functions that use them.
pub fn by_code<M: Memory>(
    image: &Image<M>,
    table: &Table,
    module: Module,
) -> Result<Found, MemoryError> {
    let functions = table.functions(
        image,
        module,
        [
            "runtime.mProf_FlushLocked",
            "runtime.mProf_Flush",
            "runtime.profilealloc",
            "runtime.schedinit",
            "runtime.init",
            "runtime.gcMarkTermination",
            "runtime.allgadd",
        ],
    )?;
    let [
        flush_locked,
        flush,
        profilealloc,
        schedinit,
        init,
        mark_termination,
        allgadd,
    ] = functions.map(|function| function.map_or_else(Vec::new, |range| decode(image, &range)));
    let profile_cycle = flush.iter().find_map(|access| load(access, 4));
    let (rate, disabled) = rate(&profilealloc, &schedinit, &init);
    Ok(Found {
        // head := (*bucket)(mbuckets.Load())
        buckets: flush_locked.iter().find_map(|access| load(access, 8)),
        // cycle, alreadyFlushed := mProfCycle.setFlushed()
        profile_cycle,
        // unlock(&profMemActiveLock), at the end
        active_lock: flush.iter().rev().find_map(|access| match *access {
            Access::Address { address } if Some(address) != profile_cycle => Some(address),
            _ => None,
        }),
        rate,
        disabled,
        live_heap: live_heap(&mark_termination),
        goroutines: slice(&allgadd),
    })
}

/// The places of texts whose length the start-up code compares with something: one of them is `runtime.buildVersion`.
pub fn compared_texts<M: Memory>(
    image: &Image<M>,
    table: &Table,
    module: Module,
) -> Result<Vec<u64>, MemoryError> {
    let [schedinit] = table.functions(image, module, ["runtime.schedinit"])?;
    let accesses = schedinit.map_or_else(Vec::new, |range| decode(image, &range));
    let texts = accesses.iter().filter_map(|access| match access {
        Access::Compare { address, size: 8 } => address.checked_sub(8),
        _ => None,
    });
    Ok(texts.collect())
}

fn decode<M: Memory>(image: &Image<M>, range: &Range<u64>) -> Vec<Access> {
    let length = (range.end - range.start).min(LONGEST_FUNCTION);
    let code = image.bytes(range.start, usize::try_from(length).unwrap_or_default());
    code.map_or_else(|_| Vec::new(), |code| accesses(&code, range.start))
}

fn load(access: &Access, wanted: usize) -> Option<u64> {
    match *access {
        Access::Load { address, size, .. } if size == wanted => Some(address),
        _ => None,
    }
}

/// `MemProfileRate` and `disableMemoryProfiling`. Two functions know the rate, and they must agree.
fn rate(
    profilealloc: &[Access],
    schedinit: &[Access],
    init: &[Access],
) -> (Option<u64>, Option<u64>) {
    // profilealloc reads the mcache of the start-up, then the rate.
    let mut loads = Vec::new();
    for address in profilealloc.iter().filter_map(|access| load(access, 8)) {
        if !loads.contains(&address) {
            loads.push(address);
        }
    }
    let Some(rate) = loads.get(1).copied() else {
        return (None, None);
    };
    // Go 1.20 and later, schedinit: if disableMemoryProfiling { MemProfileRate = 0 }
    let switches: Vec<(u64, u64)> = pairs(schedinit)
        .filter_map(|(switch, store)| {
            let Access::Store {
                address,
                size: 8,
                register: Register::None,
            } = store
            else {
                return None;
            };
            flag(switch).map(|switch| (switch, address))
        })
        .collect();
    if !switches.is_empty() {
        let switch = switches.iter().find(|(_, store)| *store == rate);
        return switch.map_or((None, None), |(switch, _)| (Some(rate), Some(*switch)));
    }
    // Go 1.19, initialisation of the package: the rate is 0 if disableMemoryProfiling, else 512 KiB.
    let switch = pairs(init).find_map(|(switch, store)| match store {
        Access::Store {
            address, size: 8, ..
        } if address == rate => flag(switch),
        _ => None,
    });
    (switch.map(|_| rate), switch)
}

fn flag(access: Access) -> Option<u64> {
    match access {
        Access::Compare { address, size: 1 }
        | Access::Load {
            address, size: 1, ..
        } => Some(address),
        _ => None,
    }
}

fn pairs(accesses: &[Access]) -> impl Iterator<Item = (Access, Access)> {
    accesses
        .iter()
        .copied()
        .zip(accesses.iter().copied().skip(1))
}

/// `work.heap2`. gcMarkTermination begins with `work.heap1 = gcController.heapLive.Load()`: the first word that goes from
/// one global straight to another. heap0, heap1 and heap2 are adjacent.
fn live_heap(mark_termination: &[Access]) -> Option<u64> {
    pairs(mark_termination).find_map(|pair| match pair {
        (
            Access::Load {
                size: 8,
                register: from,
                ..
            },
            Access::Store {
                address,
                size: 8,
                register: to,
            },
        ) if from == to => address.checked_add(8),
        _ => None,
    })
}

/// A slice that is appended to: three words in a row are read.
fn slice(allgadd: &[Access]) -> Option<u64> {
    let mut words: Vec<u64> = allgadd
        .iter()
        .filter_map(|access| load(access, 8))
        .collect();
    words.sort_unstable();
    words.dedup();
    words.windows(3).find_map(|words| match *words {
        [pointer, length, capacity]
            if pointer.checked_add(8) == Some(length)
                && length.checked_add(8) == Some(capacity) =>
        {
            Some(pointer)
        }
        _ => None,
    })
}

impl Addresses {
    /// What symbols and code say together: the same, or one of them nothing.
    pub fn agree(symbols: Found, work: Option<&Range<u64>>, code: Found) -> Result<Self, Refusal> {
        let both = |what, by_symbol: Option<u64>, by_code: Option<u64>| match (by_symbol, by_code) {
            (Some(symbol), Some(code)) if symbol != code => Err(Refusal::Disagree(what)),
            (Some(address), _) | (None, Some(address)) => Ok(address),
            (None, None) => Err(Refusal::Missing(what)),
        };
        let live_heap = match (work, code.live_heap) {
            (Some(work), Some(address)) if !work.contains(&address) => {
                Err(Refusal::Disagree("work.heap2"))
            }
            (_, address) => address.ok_or(Refusal::Missing("work.heap2")),
        };
        Ok(Self {
            buckets: both("mbuckets", symbols.buckets, code.buckets)?,
            profile_cycle: both("mProfCycle", symbols.profile_cycle, code.profile_cycle)?,
            active_lock: both("profMemActiveLock", symbols.active_lock, code.active_lock)?,
            rate: both("MemProfileRate", symbols.rate, code.rate)?,
            writable_rate: code.rate.ok_or(Refusal::Unconfirmed("MemProfileRate")),
            disabled: both("disableMemoryProfiling", symbols.disabled, code.disabled),
            live_heap,
            goroutines: both("allgs", symbols.goroutines, code.goroutines),
        })
    }

    /// The same in a program that was loaded so far above where it was linked.
    #[must_use]
    pub fn loaded(self, bias: u64) -> Self {
        let shift = |address: u64| address.wrapping_add(bias);
        Self {
            buckets: shift(self.buckets),
            profile_cycle: shift(self.profile_cycle),
            active_lock: shift(self.active_lock),
            rate: shift(self.rate),
            writable_rate: self.writable_rate.map(shift),
            disabled: self.disabled.map(shift),
            live_heap: self.live_heap.map(shift),
            goroutines: self.goroutines.map(shift),
        }
    }
}
