//! Bytes at addresses: what the parsers read, be it the memory of a process or the file of its program.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;

/// Why bytes could not be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MemoryError {
    /// Nothing is there, or not all of it.
    #[error("there is nothing at address {0:#x}")]
    Hole(u64),
    /// The process ended, or became another program.
    #[error("the program has ended")]
    Gone,
}

/// Something that has bytes at addresses. A reader must take whatever it finds there for possible.
pub trait Memory {
    /// Fills `into` with the bytes from `address` on: all of them, or it is an error.
    fn read(&self, address: u64, into: &mut [u8]) -> Result<(), MemoryError>;

    /// `N` bytes.
    fn array<const N: usize>(&self, address: u64) -> Result<[u8; N], MemoryError>
    where
        Self: Sized,
    {
        let mut bytes = [0; N];
        self.read(address, &mut bytes)?;
        Ok(bytes)
    }

    /// A little-endian word of 32 bits.
    fn u32(&self, address: u64) -> Result<u32, MemoryError>
    where
        Self: Sized,
    {
        self.array(address).map(u32::from_le_bytes)
    }

    /// A little-endian word of 64 bits.
    fn u64(&self, address: u64) -> Result<u64, MemoryError>
    where
        Self: Sized,
    {
        self.array(address).map(u64::from_le_bytes)
    }

    /// So many bytes; the caller has bounded their number.
    fn bytes(&self, address: u64, length: usize) -> Result<Vec<u8>, MemoryError>
    where
        Self: Sized,
    {
        let mut bytes = vec![0; length];
        self.read(address, &mut bytes)?;
        Ok(bytes)
    }
}

impl<M: Memory> Memory for &M {
    fn read(&self, address: u64, into: &mut [u8]) -> Result<(), MemoryError> {
        (*self).read(address, into)
    }
}

/// The addresses of bytes at hand are their places.
impl Memory for Vec<u8> {
    fn read(&self, address: u64, into: &mut [u8]) -> Result<(), MemoryError> {
        let bytes = usize::try_from(address)
            .ok()
            .and_then(|start| self.get(start..start.checked_add(into.len())?))
            .ok_or(MemoryError::Hole(address))?;
        into.copy_from_slice(bytes);
        Ok(())
    }
}

/// The word at a place in bytes that were read.
pub(crate) fn word(bytes: &[u8], at: usize) -> Option<u64> {
    let word = bytes.get(at..at.checked_add(8)?)?;
    Some(u64::from_le_bytes(word.try_into().ok()?))
}

const PAGE: usize = 4096;
/// What is read at once: small reads of a list come in the neighbourhood of one another.
const BLOCK: usize = 8 * PAGE;
/// And so many of those where it is known that all will be wanted.
const BLOCKS_AHEAD: usize = 32;

/// A memory read by whole pages, each only once. Only pages that were really read are kept: a hole is a hole.
pub struct Cached<M> {
    memory: M,
    pages: RefCell<HashMap<u64, Box<[u8]>>>,
    most: usize,
    fetches: Cell<usize>,
}

impl<M: Memory> Cached<M> {
    /// Keeps so many bytes at most; beyond, it begins anew.
    pub fn new(memory: M, most_bytes: usize) -> Self {
        Self {
            memory,
            pages: RefCell::default(),
            most: most_bytes / PAGE,
            fetches: Cell::new(0),
        }
    }

    /// How often the memory itself was asked.
    pub fn fetches(&self) -> usize {
        self.fetches.get()
    }

    /// The addresses of the pages that are here, in order.
    pub fn pages(&self) -> Vec<u64> {
        let mut pages: Vec<u64> = self.pages.borrow().keys().copied().collect();
        pages.sort_unstable();
        pages
    }

    /// Reads pages ahead, those of which the addresses are given in order: neighbours at once, which is the quickest way.
    /// What cannot be read is left out.
    pub fn read_ahead(&self, pages: &[u64]) {
        let mut kept = self.pages.borrow_mut();
        for run in pages.chunk_by(|page, next| page.checked_add(PAGE as u64) == Some(*next)) {
            for run in run.chunks(BLOCKS_AHEAD * BLOCK / PAGE) {
                let Some(first) = run.first().filter(|_| kept.len() < self.most) else {
                    return;
                };
                let mut bytes = vec![0; run.len() * PAGE];
                self.fetches.set(self.fetches.get() + 1);
                if self.memory.read(*first, &mut bytes).is_ok() {
                    let bytes = bytes.chunks_exact(PAGE).map(Box::from);
                    kept.extend(run.iter().copied().zip(bytes));
                }
            }
        }
    }

    /// Copies from the page, reading it first if it is not here; `false` where it is no whole page.
    fn copy(&self, page: u64, at: usize, into: &mut [u8]) -> Result<bool, MemoryError> {
        let mut pages = self.pages.borrow_mut();
        if !pages.contains_key(&page) {
            if pages.len() >= self.most {
                pages.clear();
            }
            self.fetch(page, &mut pages)?;
        }
        let Some(bytes) = pages
            .get(&page)
            .and_then(|bytes| bytes.get(at..)?.get(..into.len()))
        else {
            return Ok(false);
        };
        into.copy_from_slice(bytes);
        Ok(true)
    }

    /// Reads the block around a page, or where that has a hole the page alone.
    fn fetch(&self, page: u64, pages: &mut HashMap<u64, Box<[u8]>>) -> Result<(), MemoryError> {
        let block = page & !(BLOCK as u64 - 1);
        for (start, length) in [(block, BLOCK), (page, PAGE)] {
            let mut bytes = vec![0; length];
            self.fetches.set(self.fetches.get() + 1);
            match self.memory.read(start, &mut bytes) {
                Ok(()) => {
                    let addresses = (start..).step_by(PAGE);
                    pages.extend(addresses.zip(bytes.chunks_exact(PAGE).map(Box::from)));
                    return Ok(());
                }
                Err(MemoryError::Hole(_)) => {}
                Err(gone @ MemoryError::Gone) => return Err(gone),
            }
        }
        Ok(())
    }
}

impl<M: Memory> Memory for Cached<M> {
    fn read(&self, address: u64, into: &mut [u8]) -> Result<(), MemoryError> {
        let (mut address, mut rest) = (address, into);
        while !rest.is_empty() {
            let page = address & !(PAGE as u64 - 1);
            let at = usize::try_from(address - page).unwrap_or_default();
            let length = rest.len().min(PAGE - at);
            let (now, later) = rest.split_at_mut(length);
            if !self.copy(page, at, now)? {
                self.fetches.set(self.fetches.get() + 1);
                self.memory.read(address, now)?;
            }
            rest = later;
            if !rest.is_empty() {
                address = page
                    .checked_add(PAGE as u64)
                    .ok_or(MemoryError::Hole(page))?;
            }
        }
        Ok(())
    }
}
