//! The Go function table: which function, file and line an address belongs to (`cmd/link/internal/ld/pcln.go`,
//! `runtime/symtab.go`; Go 1.18 and later). No strip removes it, for the runtime needs it to grow stacks.

use std::ops::Range;

use memchr::memmem::Finder;

use super::elf::{Image, find_names, text};
use super::memory::{Memory, MemoryError};
use super::{Frame, Refusal};

/// The first word of the table: since Go 1.20, and before.
const MAGICS: [[u8; 6]; 2] = [
    [0xf1, 0xff, 0xff, 0xff, 0, 0],
    [0xf0, 0xff, 0xff, 0xff, 0, 0],
];
const HEADER: usize = 72;
const MOST_FUNCTIONS: u64 = 1 << 23;
/// Generic functions can have long names.
const LONGEST_TEXT: usize = 1 << 16;
/// Steps of one table of values; a function has fewer instructions.
const MOST_STEPS: usize = 1 << 20;
/// Indices of what is kept for a function (`internal/abi/symtab.go`).
const PCDATA_INL_TREE_INDEX: u64 = 2;
const FUNCDATA_INL_TREE: u64 = 3;

/// Where the function table is and how it is laid out. What it says is read when it is asked.
#[derive(Clone, Debug)]
pub struct Table {
    /// Its address as linked, and where it ends at the latest.
    place: Range<u64>,
    functions: u64,
    quantum: u32,
    names: u64,
    units: u64,
    files: u64,
    values: u64,
    entries: u64,
    inlining: Inlining,
}

/// How a function's record ends and how a tree of inlined calls is laid out.
#[derive(Clone, Copy, Debug)]
struct Inlining {
    /// Where the numbers of tables begin in a function's record.
    tables: u64,
    /// Size of an inlined call, and where in it the name is.
    call: u64,
    name: u64,
}

/// Go 1.18 and 1.19.
const OLD: Inlining = Inlining {
    tables: 40,
    call: 20,
    name: 12,
};
/// Go 1.20 and later, whose records have the line on which the function begins.
const NEW: Inlining = Inlining {
    tables: 44,
    call: 16,
    name: 4,
};

/// Where code and the trees of inlined calls are, as linked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Module {
    /// `runtime.text`: functions are counted from here.
    pub text: u64,
    /// `go:func.*`.
    pub gofunc: u64,
}

impl Table {
    /// Finds the table: by its section, or by its first bytes where a linker merged or cut that off.
    pub fn find<M: Memory>(image: &Image<M>) -> Result<Self, Refusal> {
        for name in [".gopclntab", ".data.rel.ro.gopclntab"] {
            if let Some(section) = image.section(name) {
                let end = section.address.saturating_add(section.size);
                if let Some(table) = Self::parse(image, section.address..end) {
                    return Ok(table);
                }
            }
        }
        let mut segments = image.segments.iter();
        let table = segments.find_map(|segment| {
            let end = segment.address.checked_add(segment.size)?;
            Self::search(image, segment.address..end)
        });
        table.ok_or(Refusal::NotGo)
    }

    fn search<M: Memory>(image: &Image<M>, place: Range<u64>) -> Option<Self> {
        const CHUNK: u64 = 1 << 20;
        let finders = MAGICS.map(|magic| Finder::new(&magic).into_owned());
        for start in place.clone().step_by(usize::try_from(CHUNK).ok()?) {
            let length = (place.end - start).min(CHUNK + HEADER as u64);
            let bytes = image.bytes(start, usize::try_from(length).ok()?).ok()?;
            let places = finders.iter().flat_map(|magic| magic.find_iter(&bytes));
            let mut tables =
                places.filter_map(|at| Self::parse(image, start + at as u64..place.end));
            if let Some(table) = tables.next() {
                return Some(table);
            }
        }
        None
    }

    /// Reads the header, and believes it only if all that it says can be.
    pub fn parse(memory: &impl Memory, place: Range<u64>) -> Option<Self> {
        let header: [u8; HEADER] = memory.array(place.start).ok()?;
        let magic = MAGICS.iter().position(|magic| header.starts_with(magic))?;
        let [quantum, pointer] = [*header.get(6)?, *header.get(7)?];
        if ![1, 2, 4].contains(&quantum) || pointer != 8 {
            return None;
        }
        let size = place.end.checked_sub(place.start)?;
        let word = |i: usize| super::memory::word(&header, 8 * i);
        let functions = word(1).filter(|count| (1..MOST_FUNCTIONS).contains(count))?;
        let part = |i: usize| word(i).filter(|offset| *offset < size);
        let table = Self {
            functions,
            quantum: quantum.into(),
            names: part(4)?,
            units: part(5)?,
            files: part(6)?,
            values: part(7)?,
            entries: part(8)?,
            inlining: if magic == 0 { NEW } else { OLD },
            place,
        };
        let first = table.entry(memory, 0).ok()?;
        let last = table.entry(memory, functions).ok()?;
        (first < last).then_some(table)
    }

    /// Its address as linked.
    pub fn address(&self) -> u64 {
        self.place.start
    }

    /// An address in the table, or nothing where that is behind its end.
    fn at(&self, part: u64, offset: u64) -> Result<u64, MemoryError> {
        let address = self.place.start.checked_add(part);
        let address = address.and_then(|address| address.checked_add(offset));
        address
            .filter(|address| self.place.contains(address))
            .ok_or(MemoryError::Hole(offset))
    }

    fn word(&self, memory: &impl Memory, part: u64, offset: u64) -> Result<u32, MemoryError> {
        memory.u32(self.at(part, offset)?)
    }

    /// Where a function begins, counted from the module's text. Behind the last comes the end of the code.
    fn entry(&self, memory: &impl Memory, index: u64) -> Result<u64, MemoryError> {
        self.word(memory, self.entries, 8 * index).map(u64::from)
    }

    /// Where the record of a function is, counted from the table's entries.
    fn record(&self, memory: &impl Memory, index: u64) -> Result<u64, MemoryError> {
        let at = self.word(memory, self.entries, 8 * index + 4)?;
        Ok(self.entries.saturating_add(at.into()))
    }

    /// Where the functions of those names begin and end, as linked; their names begin with `runtime.`. Wrappers between
    /// calling conventions bear the name of what they wrap, and are the shorter ones.
    pub fn functions<const N: usize>(
        &self,
        memory: &impl Memory,
        module: Module,
        wanted: [&str; N],
    ) -> Result<[Option<Range<u64>>; N], MemoryError> {
        let mut found = [const { None::<Range<u64>> }; N];
        let start = self.at(self.names, 0)?;
        // The part behind is the units', as linkers lay it out; whatever is there, the table ends it.
        let size = self.units.checked_sub(self.names);
        let size = size.unwrap_or(self.place.end - start);
        let names = find_names(memory, start, size, &wanted)?;
        if names.is_empty() {
            return Ok(found);
        }
        for index in 0..self.functions {
            let name = self.word(memory, self.record(memory, index)?, 4)?;
            let Some((_, which)) = names.iter().find(|(at, _)| *at == u64::from(name)) else {
                continue;
            };
            let [start, end] = [index, index + 1].map(|index| self.entry(memory, index));
            let (start, end) = (start?, end?);
            let length = found[*which]
                .as_ref()
                .map_or(0, |range| range.end - range.start);
            if end.saturating_sub(start) > length {
                let at = |offset| module.text.saturating_add(offset);
                found[*which] = Some(at(start)..at(end));
            }
        }
        Ok(found)
    }

    /// What is at an address as linked, which must lie inside an instruction: the address after a call is that of the
    /// next one, and may be another line or another function. Calls that were inlined there have their own frame: the
    /// innermost one's function, file and line are told. Stacks of the runtime's profiles have an address for each.
    pub fn frame(&self, memory: &impl Memory, module: Module, address: u64) -> Option<Frame> {
        let offset = address.checked_sub(module.text)?;
        let index = self.index(memory, offset)?;
        let record = self.record(memory, index).ok()?;
        let field = |i: u64| self.word(memory, record, 4 * i).ok();
        let at = Place {
            entry: field(0)?.into(),
            target: offset,
        };
        let name = match self.inlined(memory, module, record, at)? {
            Some(name) => name,
            None => field(1)?,
        };
        let line = self.value(memory, field(6)?, at)?;
        let file = self.value(memory, field(5)?, at)?;
        let file = u64::from(field(8)?).checked_add(u64::try_from(file).ok()?)?;
        let file = self.word(memory, self.units, 4 * file).ok()?;
        Some(Frame {
            function: self.text(memory, self.names, name)?,
            file: self.text(memory, self.files, file)?,
            line: u32::try_from(line).ok()?,
        })
    }

    /// The last function that begins at or before an offset.
    fn index(&self, memory: &impl Memory, offset: u64) -> Option<u64> {
        if offset >= self.entry(memory, self.functions).ok()? {
            return None;
        }
        let (mut low, mut high) = (0, self.functions);
        while high - low > 1 {
            let middle = u64::midpoint(low, high);
            if self.entry(memory, middle).ok()? <= offset {
                low = middle;
            } else {
                high = middle;
            }
        }
        Some(low)
    }

    /// The name of the call that was inlined at a place, if one was. `None` where the tables make no sense.
    #[expect(clippy::option_option, reason = "nothing inlined is an answer")]
    fn inlined(
        &self,
        memory: &impl Memory,
        module: Module,
        record: u64,
        at: Place,
    ) -> Option<Option<u32>> {
        let tables = self.inlining.tables;
        let values: u64 = self.word(memory, record, 28).ok()?.into();
        let counts: [u8; 1] = memory.array(self.at(record, tables - 1).ok()?).ok()?;
        if values <= PCDATA_INL_TREE_INDEX || u64::from(counts[0]) <= FUNCDATA_INL_TREE {
            return Some(None);
        }
        let steps = self.word(memory, record, tables + 4 * PCDATA_INL_TREE_INDEX);
        let tree = self.word(memory, record, tables + 4 * (values + FUNCDATA_INL_TREE));
        let (steps, tree) = (steps.ok()?, tree.ok()?);
        if steps == 0 || tree == u32::MAX {
            return Some(None);
        }
        let Ok(index) = u64::try_from(self.value(memory, steps, at)?) else {
            return Some(None);
        };
        let call = module.gofunc.checked_add(tree.into())?;
        let call = call.checked_add(index * self.inlining.call + self.inlining.name)?;
        memory.u32(call).ok().map(Some)
    }

    /// The value that a table of values has for a place: runs of instructions and what changes from one to the next.
    fn value(&self, memory: &impl Memory, table: u32, at: Place) -> Option<i32> {
        let mut next = self.at(self.values, table.into()).ok()?;
        let mut number = || {
            let mut number = 0;
            for shift in [0, 7, 14, 21, 28] {
                let [byte] = memory.array(next).ok()?;
                next = next
                    .checked_add(1)
                    .filter(|next| self.place.contains(next))?;
                number |= u32::from(byte & 0x7f) << shift;
                if byte & 0x80 == 0 {
                    return Some(number);
                }
            }
            None
        };
        let (mut pc, mut value) = (at.entry, -1i32);
        for step in 0..MOST_STEPS {
            let change = number()?;
            if change == 0 && step > 0 {
                return None;
            }
            // Zigzag: the lowest bit is the sign.
            let change = (change >> 1) ^ (change & 1).wrapping_neg();
            value = value.wrapping_add(change.cast_signed());
            pc = pc.checked_add(u64::from(number()?) * u64::from(self.quantum))?;
            if at.target < pc {
                return Some(value);
            }
        }
        None
    }

    /// A text of the table. It begins behind the end of another, else it is not what it was taken for.
    fn text(&self, memory: &impl Memory, part: u64, offset: u32) -> Option<String> {
        let address = self.at(part, offset.into()).ok()?;
        if offset > 0 && memory.array(address.checked_sub(1)?).ok()? != [0] {
            return None;
        }
        text(memory, address, LONGEST_TEXT)
    }
}

/// A function's begin and an address in it, both counted from the module's text.
#[derive(Clone, Copy)]
struct Place {
    entry: u64,
    target: u64,
}
