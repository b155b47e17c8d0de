//! What else is read of a process or fetched from it: pages, goroutines, profiles; with bytes that nobody promised.

use std::ops::Range;

use gcwatch::culprit::elf::Image;
use gcwatch::culprit::goroutines::{Layout, count};
use gcwatch::culprit::locate::Linked;
use gcwatch::culprit::memory::{Cached, Memory, MemoryError};
use gcwatch::culprit::pclntab::Table;
use gcwatch::culprit::pprof::{About, NotAProfile, read_profile, write_profile};
use gcwatch::culprit::version::Version;
use gcwatch::culprit::{Bucket, Frame, Refusal, Snapshot};
use proptest::prelude::*;

use crate::chance::cases;

const PAGE: u64 = 4096;

/// Pages 0 to 7 and 9 to 20, and not a byte between. Each byte is the number of its page.
struct Holed;

impl Memory for Holed {
    fn read(&self, address: u64, into: &mut [u8]) -> Result<(), MemoryError> {
        for (i, byte) in into.iter_mut().enumerate() {
            let page = (address + i as u64) / PAGE;
            if page == 8 || page > 20 {
                return Err(MemoryError::Hole(address));
            }
            *byte = u8::try_from(page).expect("few pages");
        }
        Ok(())
    }
}

#[test]
fn a_hole_is_a_hole_and_no_zeros() {
    let cached = Cached::new(Holed, 1 << 20);
    for _ in 0..2 {
        assert_eq!(cached.array(8 * PAGE - 2), Ok([7, 7]));
        assert_eq!(cached.array(9 * PAGE), Ok([9, 9, 9]));
        assert_eq!(cached.array(15 * PAGE - 1), Ok([14, 15]));
        for address in [8 * PAGE - 1, 8 * PAGE, 9 * PAGE - 1, 21 * PAGE - 1] {
            assert!(cached.array::<2>(address).is_err(), "{address:#x}");
        }
    }
    assert!(cached.array::<2>(u64::MAX).is_err());
    let ahead = Cached::new(Holed, 1 << 20);
    ahead.read_ahead(&[7 * PAGE, 8 * PAGE, 9 * PAGE, 30 * PAGE]);
    assert_eq!(ahead.array(9 * PAGE - 1 + 1), Ok([9]));
    assert!(ahead.array::<1>(8 * PAGE).is_err());
}

#[test]
fn a_cache_keeps_no_more_than_it_may() {
    let cached = Cached::new(Holed, 4 * 4096);
    for page in (0..8).chain(9..20) {
        assert_eq!(
            cached.array(page * PAGE),
            Ok([u8::try_from(page).expect("few")])
        );
        assert!(cached.pages().len() <= 4 + 8);
    }
}

const LIST: u64 = 0;
const CODE: Range<u64> = 0x40_0000..0x50_0000;
const LAYOUT: Layout = Layout {
    status: 144,
    creation: 288,
};

/// `runtime.allgs` with goroutines of these states, creators and functions.
fn goroutines(all: &[(u32, u64, u64)]) -> Vec<u8> {
    let mut memory = vec![0; 0x1000 + 0x200 * all.len()];
    let mut put = |at: usize, bytes: &[u8]| memory[at..][..bytes.len()].copy_from_slice(bytes);
    put(0, &0x100u64.to_le_bytes());
    put(8, &(all.len() as u64).to_le_bytes());
    for (i, (status, creation, start)) in all.iter().enumerate() {
        let at = 0x1000 + 0x200 * i;
        put(0x100 + 8 * i, &(at as u64).to_le_bytes());
        put(at + LAYOUT.status, &status.to_le_bytes());
        put(at + LAYOUT.creation, &creation.to_le_bytes());
        put(at + LAYOUT.creation + 16, &start.to_le_bytes());
    }
    memory
}

#[test]
fn goroutines_that_have_ended_are_not_counted() {
    let (one, other) = (0x40_1000, 0x40_2000);
    let memory = goroutines(&[
        (4, one, other),
        (0x1004, one, other),
        (6, one, 0),
        (0x1006, one, 0),
        (0, 0, 0),
        (11, one, 0),
        (10, other, one),
        (2, 0, one),
    ]);
    let mut sites = count(&memory, LIST, LAYOUT, &CODE).expect("goroutines");
    sites.sort_unstable();
    assert_eq!(sites, [(0, 1), (one, 2), (other, 1)]);
}

#[test]
fn hostile_goroutines_are_refused() {
    let good = goroutines(&[(4, 0x40_1000, 0x40_2000); 3]);
    let changes: [(&str, usize, u64); 8] = [
        ("very many", 8, u64::MAX),
        ("many", 8, 1 << 21),
        ("more than there are", 8, 1 << 19),
        ("a list that is nowhere", 0, 1 << 40),
        ("a list at the end", 0, u64::MAX - 4),
        ("one that is nowhere", 0x108, 1 << 50),
        ("one in no state", 0x1000 + LAYOUT.status, 77),
        ("one that runs no code", 0x1000 + LAYOUT.creation + 16, 1),
    ];
    for (what, at, word) in changes {
        let mut memory = good.clone();
        memory[at..][..8].copy_from_slice(&word.to_le_bytes());
        match count(&memory, LIST, LAYOUT, &CODE) {
            Err(Refusal::Layout(_) | Refusal::TooMany(_)) => {}
            other => panic!("{what}: {other:?}"),
        }
    }
}

#[test]
fn only_releases_that_are_tested_with_are_known() {
    for (text, minor) in [
        ("go1.19", 19),
        ("go1.19.8", 19),
        ("go1.21rc2", 21),
        ("go1.25.5 X:boringcrypto", 25),
        ("go1.27.3", 27),
    ] {
        let version = Version::parse(text).expect(text);
        assert_eq!((version.minor(), version.text()), (minor, text));
    }
    for text in [
        "",
        "go1",
        "go1.",
        "go1.18.10",
        "go1.20.14",
        "go1.28",
        "go2.19",
        "devel +ab",
        "go1.190",
        "1.25",
    ] {
        assert_eq!(
            Version::parse(text),
            Err(Refusal::Version(text.to_owned())),
            "{text}"
        );
    }
    let hostile = Version::parse(&format!("\u{1b}[31m{}", "x".repeat(1000)));
    let Err(Refusal::Version(shown)) = hostile else {
        panic!("{hostile:?}");
    };
    assert!(shown.len() == 64 && !shown.contains('\u{1b}'), "{shown}");
}

/// Names as the runtime's are, for addresses that say which.
fn resolve(pc: u64) -> Vec<Frame> {
    let frame = |function: &str, line: u32| {
        vec![Frame {
            function: function.to_owned(),
            file: "/src/main.go".to_owned(),
            line,
        }]
    };
    match pc {
        1 => frame("runtime.makeslice", 1),
        2 => frame("internal/runtime/maps.NewTable", 2),
        3 => frame("main.leak", 3),
        4 => frame("runtime.main", 4),
        5 => frame("runtime.goexit", 5),
        _ => Vec::new(),
    }
}

fn written(stack: &[u64]) -> Vec<u8> {
    let snapshot = Snapshot {
        cycle: 7,
        rate: 512,
        buckets: vec![Bucket {
            stack: stack.to_vec(),
            size: 512,
            allocs: 100,
            frees: 40,
        }],
    };
    let about = About {
        program: "/bin/leaky",
        unix_nanos: 42,
    };
    let mut bytes = Vec::new();
    write_profile(&snapshot, about, resolve, &mut bytes).expect("memory");
    bytes
}

#[test]
fn a_profile_is_read_as_it_was_written() {
    for (stack, shown) in [
        (&[1, 2, 3, 4, 5][..], &["main.leak", "runtime.main"][..]),
        (&[1, 4, 5], &["runtime.makeslice", "runtime.main"]),
        (&[1, 99, 4], &["runtime.main"]),
    ] {
        let profile = read_profile(&written(stack)).expect("a profile");
        assert_eq!((profile.rate, profile.unix_nanos), (512, 42));
        let [sample] = &profile.samples[..] else {
            panic!("{profile:?}");
        };
        let frames = sample
            .stack
            .iter()
            .flat_map(|location| profile.frames(*location));
        let functions: Vec<String> = frames.map(|frame| frame.function).collect();
        assert_eq!(functions, shown);
        // 1 / (1 - 1/e) times as many, cut to whole numbers.
        assert_eq!((sample.alloc_objects, sample.alloc_bytes), (158, 80997));
        assert_eq!((sample.in_use_objects, sample.in_use_bytes), (94, 48598));
        assert_eq!(sample.size, 512);
    }
}

#[test]
fn what_is_no_heap_profile_is_refused() {
    let not_of_the_heap = [0x0a, 0x02, 0x08, 0x00, 0x32, 0x00];
    assert_eq!(
        read_profile(&not_of_the_heap),
        Err(NotAProfile::NotOfTheHeap)
    );
    let whole = written(&[3, 4]);
    for bytes in [&b""[..], b"<html>", b"\x1f\x8b", &whole[..whole.len() / 2]] {
        assert_eq!(
            read_profile(bytes),
            Err(NotAProfile::Malformed),
            "{bytes:?}"
        );
    }
}

proptest! {
    #![proptest_config(cases(256))]

    #[test]
    fn bytes_that_are_no_program_are_refused(tail in prop::collection::vec(any::<u8>(), 0..400)) {
        let magic = [0x7f, b'E', b'L', b'F', 2, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 62, 0];
        for file in [tail.clone(), [&magic[..], &tail].concat()] {
            if let Ok(image) = Image::parse(file) {
                prop_assert!(Linked::read(&image).is_err());
                let _ = image.symbols(["runtime.mbuckets"]);
            }
        }
    }

    #[test]
    fn tables_of_any_bytes_never_panic(
        offsets in prop::array::uniform5(0..600u64),
        functions in 0..40u64,
        tail in prop::collection::vec(any::<u8>(), 0..600),
        is_old in any::<bool>(),
        text in prop_oneof![Just(0), Just(u64::MAX - 100), any::<u64>()],
        gofunc in prop_oneof![0..500u64, any::<u64>()],
    ) {
        let mut file = vec![if is_old { 0xf0 } else { 0xf1 }, 0xff, 0xff, 0xff, 0, 0, 1, 8];
        for word in [functions, 0, 0].iter().chain(&offsets) {
            file.extend(word.to_le_bytes());
        }
        file.extend(tail);
        let length = file.len() as u64;
        if let Some(table) = Table::parse(&file, 0..length) {
            let module = gcwatch::culprit::pclntab::Module { text, gofunc };
            for pc in (0..300).chain([u64::MAX]) {
                let _ = table.frame(&file, module, text.wrapping_add(pc));
            }
            let _ = table.functions(&file, module, ["runtime.init"]);
        }
    }

    #[test]
    fn mutated_profiles_never_panic(changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6)) {
        let mut plain = Vec::new();
        std::io::Read::read_to_end(&mut flate2::read::GzDecoder::new(&written(&[1, 3, 4])[..]), &mut plain)?;
        for (place, byte) in changes {
            let at = place.index(plain.len());
            plain[at] = byte;
        }
        let _ = read_profile(&plain);
    }
}
