//! Where the runtime's tables are in a program.

use super::Refusal;
use super::addresses::{Addresses, by_code, by_symbols, compared_texts};
use super::buildinfo;
use super::elf::Image;
use super::memory::{Memory, MemoryError, word};
use super::pclntab::{Module, Table};
use super::version::Version;

/// Places in `runtime.moduledata` (`symtab.go`), the same since Go 1.18; that of `gofunc` is the release's.
const PC_HEADER: usize = 0;
const MIN_PC: usize = 160;
const TEXT: usize = 176;
const MODULE_DATA: usize = 400;
/// Such as `go1.25.5 X:boringcrypto`.
const LONGEST_VERSION: u64 = 128;
/// More of a data segment is not searched for it.
const MOST_DATA: u64 = 1 << 28;
/// Functions that read the heap profile: at least one is linked if anything in the program may read it (`runtime.MemProfile`
/// itself may have been inlined).
const PROFILE_READERS: [&str; 3] = [
    "runtime.MemProfile",
    "runtime.memProfileInternal",
    "runtime.pprof_memProfileInternal",
];

/// What a program file alone says.
#[derive(Clone, Debug)]
pub struct Linked {
    /// Its Go release, where its build info says it.
    pub version: Option<Version>,
    /// The path of its main module, where its build info says it.
    pub main_module: Option<String>,
    /// Its function table.
    pub table: Table,
}

/// The runtime's tables in a running program.
#[derive(Clone, Debug)]
pub struct Located {
    /// Its Go release.
    pub version: Version,
    /// Where code and inlined calls are, as linked.
    pub module: Module,
    /// Whether anything in the program may read its heap profile.
    pub links_mem_profile: bool,
    /// The runtime's globals, where they were loaded.
    pub addresses: Addresses,
}

impl Linked {
    /// Reads a program file. Another program than Go's, and a release that is not known, are refused.
    pub fn read<M: Memory>(image: &Image<M>) -> Result<Self, Refusal> {
        let table = Table::find(image)?;
        let info = buildinfo::read(image);
        let version = info.as_ref().map(|info| Version::parse(&info.go_version));
        Ok(Self {
            version: version.transpose()?,
            main_module: info.and_then(|info| info.main_module),
            table,
        })
    }

    /// Finds the tables of a running program. `live` is its memory, `bias` how far above where it was linked it was loaded.
    pub fn locate<M: Memory>(
        &self,
        image: &Image<M>,
        live: &impl Memory,
        bias: u64,
    ) -> Result<Located, Refusal> {
        let version = match &self.version {
            Some(version) => version.clone(),
            None => version_in_code(image, &self.table, live, bias)?,
        };
        let module = module(image, &self.table, version.minor(), live, bias)?;
        let (symbols, work) = by_symbols(image)?;
        let code = by_code(image, &self.table, module)?;
        let addresses = Addresses::agree(symbols, work.as_ref(), code)?;
        let readers = self.table.functions(image, module, PROFILE_READERS)?;
        Ok(Located {
            version,
            module,
            links_mem_profile: readers.iter().any(Option::is_some),
            addresses: addresses.loaded(bias),
        })
    }
}

/// The Go release of a program without build info: the start-up code compares `runtime.buildVersion` with the empty text.
fn version_in_code<M: Memory>(
    image: &Image<M>,
    table: &Table,
    live: &impl Memory,
    bias: u64,
) -> Result<Version, Refusal> {
    // One release of each layout of the module: that which is right finds the functions, and must be that of the release found.
    let mut refusal = Refusal::NoVersion;
    for minor in [27, 26, 19] {
        let module = match module(image, table, minor, live, bias) {
            Ok(module) => module,
            Err(Refusal::Starting) => return Err(Refusal::Starting),
            Err(_) => continue,
        };
        let texts = compared_texts(image, table, module)?;
        let versions = texts.iter().filter_map(|text| {
            let [pointer, length] =
                [*text, text.checked_add(8)?].map(|address| live.u64(address.wrapping_add(bias)));
            let length = length.ok().filter(|length| *length <= LONGEST_VERSION)?;
            let text = live.bytes(pointer.ok()?, usize::try_from(length).ok()?);
            String::from_utf8(text.ok()?).ok()
        });
        for text in versions.filter(|text| text.starts_with("go1.")) {
            match Version::parse(&text) {
                Ok(version) if gofunc_place(version.minor()) == gofunc_place(minor) => {
                    return Ok(version);
                }
                Ok(_) => {}
                Err(unknown) => refusal = unknown,
            }
        }
    }
    Err(refusal)
}

/// The release's place of `gofunc` in `runtime.moduledata`.
fn gofunc_place(minor: u32) -> usize {
    match minor {
        0..=19 => 304,
        20..=26 => 320,
        _ => 344,
    }
}

/// Where code and inlined calls are. `live` is the memory of the running program, loaded `bias` above where it was linked:
/// in a program that may be loaded anywhere, these words are only right once it runs.
fn module<M: Memory>(
    image: &Image<M>,
    table: &Table,
    minor: u32,
    live: &impl Memory,
    bias: u64,
) -> Result<Module, Refusal> {
    let [symbol] = image.symbols(["runtime.firstmoduledata"])?;
    let section = image.section(".go.module").map(|section| section.address);
    let known: Vec<u64> = symbol
        .map(|symbol| symbol.address)
        .into_iter()
        .chain(section)
        .collect();
    let read = |address: u64| {
        module_at(
            live,
            address.wrapping_add(bias),
            table.address().wrapping_add(bias),
            minor,
        )
    };
    let module = if known.is_empty() {
        search_module(image, table, live, bias)?
            .into_iter()
            .find_map(read)
    } else {
        known.iter().copied().find_map(read)
    };
    // The start-up code has not been there yet.
    let missing = if image.relocatable {
        Refusal::Starting
    } else {
        Refusal::Missing("moduledata")
    };
    let module = module.ok_or(missing)?;
    let linked = Module {
        text: module.text.wrapping_sub(bias),
        gofunc: module.gofunc.wrapping_sub(bias),
    };
    for address in [linked.text, linked.gofunc] {
        if image.array::<4>(address).is_err() {
            return Err(Refusal::Missing("moduledata"));
        }
    }
    Ok(linked)
}

/// The words of a module that has this function table.
fn module_at(live: &impl Memory, address: u64, table: u64, minor: u32) -> Option<Module> {
    let bytes: [u8; MODULE_DATA] = live.array(address).ok()?;
    let (header, first) = (word(&bytes, PC_HEADER)?, word(&bytes, MIN_PC)?);
    let text = word(&bytes, TEXT)?;
    (header == table && first >= text && first - text < 1 << 32).then_some(Module {
        text,
        gofunc: word(&bytes, gofunc_place(minor))?,
    })
}

/// Places in the data of the running program that point to its function table: one of them begins the module.
fn search_module<M: Memory>(
    image: &Image<M>,
    table: &Table,
    live: &impl Memory,
    bias: u64,
) -> Result<Vec<u64>, MemoryError> {
    const CHUNK: u64 = 1 << 20;
    let wanted = table.address().wrapping_add(bias).to_le_bytes();
    let mut found = Vec::new();
    for segment in image.segments.iter().filter(|segment| segment.writable) {
        let mut at = 0;
        let size = segment.size.min(MOST_DATA);
        while at < size {
            let length = usize::try_from((size - at).min(CHUNK)).unwrap_or_default();
            let start = segment.address.saturating_add(at);
            let bytes = live.bytes(start.wrapping_add(bias), length)?;
            let words = bytes.chunks_exact(8).enumerate();
            let words = words.filter(|(_, word)| *word == wanted);
            found.extend(words.map(|(i, _)| start.saturating_add(8 * i as u64)));
            at += CHUNK;
        }
    }
    Ok(found)
}
