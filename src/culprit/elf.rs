//! What is needed of an ELF file: where its parts are loaded, its sections, a few symbols, and the Go build info.

use memchr::memmem::Finder;
use object::elf::{
    EM_X86_64, ET_DYN, ET_EXEC, FileHeader64, PF_W, PT_LOAD, ProgramHeader64, SHT_NOBITS,
    SHT_SYMTAB, SectionHeader64, Sym64,
};
use object::pod::{Pod, from_bytes, slice_from_all_bytes};
use object::{LittleEndian as LE, elf};

use super::Refusal;
use super::memory::{Memory, MemoryError};

/// More parts than any linker makes.
const MOST_HEADERS: usize = 4096;
/// A name in the table of section names.
const LONGEST_SECTION_NAME: usize = 64;
/// What is read at once of a long table.
const CHUNK: usize = 1 << 16;

/// A piece of the file that is loaded.
#[derive(Clone, Copy, Debug)]
pub struct Segment {
    /// Its address as linked.
    pub address: u64,
    /// Where it begins in the file.
    pub offset: u64,
    /// How much of it the file has.
    pub size: u64,
    /// Whether the program may write there.
    pub writable: bool,
}

/// A named piece of the file.
#[derive(Clone, Debug)]
pub struct Section {
    /// As in the table of section names.
    pub name: String,
    /// Its address as linked.
    pub address: u64,
    /// Where it begins in the file.
    pub offset: u64,
    /// In bytes.
    pub size: u64,
}

/// A symbol of the runtime.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Symbol {
    /// As linked.
    pub address: u64,
    /// In bytes; 0 where the linker did not say.
    pub size: u64,
}

/// A program file, read through its [`Memory`]. It is itself one: the program as linked, before it runs.
pub struct Image<M> {
    file: M,
    /// What is loaded of it.
    pub segments: Vec<Segment>,
    /// Empty where the table of sections was cut off.
    pub sections: Vec<Section>,
    /// Where the table of symbols and that of their names are in the file: offsets and sizes.
    symbols: Option<[(u64, u64); 2]>,
    /// The address of the first instruction, as linked.
    pub entry: u64,
    /// Whether it may be loaded at any address.
    pub relocatable: bool,
}

impl<M: Memory> Image<M> {
    /// Reads the headers of a program file. Anything but a program for 64-bit Linux on amd64 is refused.
    pub fn parse(file: M) -> Result<Self, Refusal> {
        let header: [u8; size_of::<FileHeader64<LE>>()] =
            file.array(0).map_err(|_| Refusal::NotGo)?;
        let (header, _) = from_bytes::<FileHeader64<LE>>(&header).map_err(|()| Refusal::NotGo)?;
        let ident = header.e_ident;
        let kind = header.e_type.get(LE);
        if ident.magic != elf::ELFMAG || ![ET_EXEC, ET_DYN].contains(&kind) {
            return Err(Refusal::NotGo);
        }
        let machine = header.e_machine.get(LE);
        if ident.class != elf::ELFCLASS64 || ident.data != elf::ELFDATA2LSB || machine != EM_X86_64
        {
            return Err(Refusal::Architecture);
        }
        let segments = table::<ProgramHeader64<LE>>(
            &file,
            header.e_phoff.get(LE),
            header.e_phnum.get(LE).into(),
        )
        .ok_or(Refusal::NotGo)?
        .filter(|segment| segment.p_type.get(LE) == PT_LOAD)
        .map(|segment| Segment {
            address: segment.p_vaddr.get(LE),
            offset: segment.p_offset.get(LE),
            size: segment.p_filesz.get(LE),
            writable: segment.p_flags.get(LE).contains(PF_W),
        })
        .collect();
        let mut image = Self {
            segments,
            sections: Vec::new(),
            symbols: None,
            entry: header.e_entry.get(LE),
            relocatable: kind == ET_DYN,
            file,
        };
        image.read_sections(header);
        Ok(image)
    }

    /// A program runs without its table of sections: what cannot be read of it is not there.
    fn read_sections(&mut self, header: &FileHeader64<LE>) {
        let Some(headers) = table::<SectionHeader64<LE>>(
            &self.file,
            header.e_shoff.get(LE),
            header.e_shnum.get(LE).into(),
        ) else {
            return;
        };
        let headers: Vec<_> = headers.collect();
        let place = |index: usize| {
            let section = headers.get(index)?;
            Some((section.sh_offset.get(LE), section.sh_size.get(LE)))
        };
        let Some((names, _)) = place(header.e_shstrndx.get(LE).0.into()) else {
            return;
        };
        for section in &headers {
            if section.sh_type.get(LE) == SHT_SYMTAB {
                let own = (section.sh_offset.get(LE), section.sh_size.get(LE));
                let link = usize::try_from(section.sh_link.get(LE)).ok();
                self.symbols = link.and_then(place).map(|names| [own, names]);
            }
            if section.sh_type.get(LE) == SHT_NOBITS {
                continue;
            }
            let name = names.saturating_add(section.sh_name.get(LE).into());
            let Some(name) = text(&self.file, name, LONGEST_SECTION_NAME) else {
                continue;
            };
            self.sections.push(Section {
                name,
                address: section.sh_addr.get(LE),
                offset: section.sh_offset.get(LE),
                size: section.sh_size.get(LE),
            });
        }
    }

    /// The section of that name.
    pub fn section(&self, name: &str) -> Option<&Section> {
        self.sections.iter().find(|section| section.name == name)
    }

    /// Whether it has a table of symbols.
    pub fn has_symbols(&self) -> bool {
        self.symbols.is_some_and(|[(_, size), _]| size != 0)
    }

    /// The symbols of those names, in their order, all of which begin with `runtime.`. A name that two symbols bear is
    /// nobody's.
    pub fn symbols<const N: usize>(
        &self,
        wanted: [&str; N],
    ) -> Result<[Option<Symbol>; N], MemoryError> {
        let mut found = [None; N];
        let Some([(symbols, size), (names, names_size)]) = self.symbols else {
            return Ok(found);
        };
        let names = find_names(&self.file, names, names_size, &wanted)?;
        let mut twice = [false; N];
        let length = size_of::<Sym64<LE>>();
        let mut left = usize::try_from(size).unwrap_or(usize::MAX) / length * length;
        let mut at = symbols;
        while left > 0 {
            let bytes = self.file.bytes(at, left.min(CHUNK / length * length))?;
            for symbol in slice_from_all_bytes::<Sym64<LE>>(&bytes).unwrap_or_default() {
                let name = u64::from(symbol.st_name.get(LE));
                let Some((_, which)) = names.iter().find(|(at, _)| *at == name) else {
                    continue;
                };
                let symbol = Symbol {
                    address: symbol.st_value.get(LE),
                    size: symbol.st_size.get(LE),
                };
                twice[*which] |= found[*which].is_some_and(|first| first != symbol);
                found[*which] = Some(symbol);
            }
            left -= bytes.len();
            at = at.saturating_add(bytes.len() as u64);
        }
        for (symbol, twice) in found.iter_mut().zip(twice) {
            *symbol = symbol.filter(|_| !twice);
        }
        Ok(found)
    }
}

/// The program as linked: the bytes that the file has at an address. Nothing is known of what only a running program has.
impl<M: Memory> Memory for Image<M> {
    fn read(&self, address: u64, into: &mut [u8]) -> Result<(), MemoryError> {
        let place = self.segments.iter().find_map(|segment| {
            let at = address.checked_sub(segment.address)?;
            let left = segment.size.checked_sub(at)?;
            (into.len() as u64 <= left).then(|| segment.offset.checked_add(at))?
        });
        let place = place.ok_or(MemoryError::Hole(address))?;
        self.file.read(place, into).map_err(|error| match error {
            MemoryError::Hole(_) => MemoryError::Hole(address),
            MemoryError::Gone => MemoryError::Gone,
        })
    }
}

/// The entries of a table of headers.
fn table<T: Pod + Clone>(
    file: &impl Memory,
    offset: u64,
    count: usize,
) -> Option<impl Iterator<Item = T>> {
    if offset == 0 || count == 0 || count > MOST_HEADERS {
        return None;
    }
    let bytes = file.bytes(offset, count * size_of::<T>()).ok()?;
    let entries = slice_from_all_bytes::<T>(&bytes).ok()?.to_vec();
    Some(entries.into_iter())
}

/// A text that ends with a zero byte, and its length at most.
pub(crate) fn text(memory: &impl Memory, address: u64, longest: usize) -> Option<String> {
    const STEP: usize = 64;
    let mut bytes = Vec::new();
    let mut at = address;
    while bytes.len() < longest {
        let mut step = [0; STEP];
        let length = STEP - usize::try_from(at % STEP as u64).ok()?;
        let step = step.get_mut(..length)?;
        // The last text of a file may have no whole step behind it.
        if memory.read(at, step).is_ok() {
            match memchr::memchr(0, step) {
                Some(end) => {
                    bytes.extend_from_slice(step.get(..end)?);
                    return Some(String::from_utf8_lossy(&bytes).into_owned());
                }
                None => bytes.extend_from_slice(step),
            }
            at = at.checked_add(length as u64)?;
        } else {
            match memory.array(at).ok()? {
                [0] => return Some(String::from_utf8_lossy(&bytes).into_owned()),
                [byte] => bytes.push(byte),
            }
            at = at.checked_add(1)?;
        }
    }
    None
}

/// Where in a table of names, each with a zero byte behind it, those names end that are wanted: the offset of each, and
/// which it is. Linkers let a name share the end of a longer one, so the byte before says nothing.
pub(crate) fn find_names(
    memory: &impl Memory,
    table: u64,
    size: u64,
    wanted: &[&str],
) -> Result<Vec<(u64, usize)>, MemoryError> {
    const PREFIX: &str = "runtime.";
    let finder = Finder::new(PREFIX);
    let longest = wanted.iter().map(|name| name.len() + 1).max();
    let longest = longest.unwrap_or_default();
    let mut found = Vec::new();
    let mut at = 0;
    while at < size {
        let length = (size - at).min((CHUNK + longest) as u64);
        let bytes = memory.bytes(
            table.saturating_add(at),
            usize::try_from(length).unwrap_or_default(),
        )?;
        for start in finder.find_iter(&bytes).take_while(|start| *start < CHUNK) {
            let rest = bytes.get(start..).unwrap_or_default();
            let name = rest.get(..longest.min(rest.len())).unwrap_or_default();
            let Some(end) = memchr::memchr(0, name) else {
                continue;
            };
            let name = name.get(..end).unwrap_or_default();
            if let Some(which) = wanted.iter().position(|wanted| wanted.as_bytes() == name) {
                found.push((at + start as u64, which));
            }
        }
        at += CHUNK as u64;
    }
    Ok(found)
}
