//! The build info that the Go linker puts into a program: the Go version and the main module (`debug/buildinfo`).

use memchr::memmem::Finder;

use super::elf::Image;
use super::memory::Memory;

const MAGIC: &[u8] = b"\xff Go buildinf:";
/// The two texts begin this far behind the magic, since Go 1.18.
const TEXTS: usize = 32;
const FLAGS: usize = 15;
const TEXTS_ARE_INLINE: u8 = 2;
/// Of each text, and how far into a segment the info is looked for.
const LONGEST: usize = 1 << 20;

/// What a program says of its making.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BuildInfo {
    /// Such as `go1.25.5`, or `go1.25.5 X:boringcrypto`.
    pub go_version: String,
    /// The path of the main module; none where the program was built from single files.
    pub main_module: Option<String>,
}

/// Reads it, where there is one of Go 1.18 or later.
pub fn read<M: Memory>(image: &Image<M>) -> Option<BuildInfo> {
    let section = image.section(".go.buildinfo");
    let section = section.map(|section| (section.address, section.size));
    // The table of sections may have been cut off. The info is then near the begin of what the program may write.
    let segments = image.segments.iter().filter(|segment| segment.writable);
    let segments = segments.map(|segment| (segment.address, segment.size));
    section
        .into_iter()
        .chain(segments)
        .find_map(|(address, size)| {
            let length = usize::try_from(size).map_or(LONGEST, |size| size.min(LONGEST));
            let bytes = image.bytes(address, length).ok()?;
            let info = bytes.get(Finder::new(MAGIC).find(&bytes)?..)?;
            if info.get(FLAGS)? & TEXTS_ARE_INLINE == 0 {
                return None;
            }
            let (version, rest) = text(info.get(TEXTS..)?)?;
            let (modules, _) = text(rest)?;
            Some(BuildInfo {
                go_version: String::from_utf8(version.to_vec()).ok()?,
                main_module: main_module(&String::from_utf8_lossy(modules)),
            })
        })
}

/// A text behind its length.
fn text(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let mut length = 0usize;
    for (i, byte) in bytes.iter().take(4).enumerate() {
        length |= usize::from(byte & 0x7f) << (7 * i);
        if byte & 0x80 == 0 {
            let rest = bytes.get(i + 1..)?;
            return rest.split_at_checked(length);
        }
    }
    None
}

/// From the lines `mod<TAB>PATH<TAB>VERSION`, and like ones.
fn main_module(modules: &str) -> Option<String> {
    modules.lines().find_map(|line| {
        let mut fields = line.split('\t');
        (fields.next() == Some("mod")).then(|| fields.next().map(str::to_owned))?
    })
}
