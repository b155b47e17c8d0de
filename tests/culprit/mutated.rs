//! Program files in which something was changed.

use std::fs;
use std::sync::OnceLock;

use gcwatch::culprit::elf::Image;
use gcwatch::culprit::locate::Linked;
use proptest::prelude::*;

use crate::chance::cases;
use crate::support::{Build, build};

/// A stripped program, and the places in it that are read: headers, sections, the function table's parts, the module.
fn program() -> &'static (Vec<u8>, Vec<usize>) {
    static PROGRAM: OnceLock<(Vec<u8>, Vec<usize>)> = OnceLock::new();
    PROGRAM.get_or_init(|| {
        let file = fs::read(build("1.27", "shop", Build::Stripped)).expect("a program");
        let image = Image::parse(file.clone()).expect("a program of this machine");
        let linked = Linked::read(&image).expect("a Go program");
        let located = linked.locate(&image, &image, 0).expect("all is found");
        let offset = |address: u64| {
            let segment = image.segments.iter().find_map(|segment| {
                let at = address.checked_sub(segment.address)?;
                (at < segment.size).then_some(segment.offset + at)
            });
            usize::try_from(segment.expect("it is loaded")).expect("a small file")
        };
        let table = offset(linked.table.address());
        let parts = (0..5).map(|part| {
            let part = &file[table + 32 + 8 * part..][..8];
            let part = u64::from_le_bytes(part.try_into().expect("8 bytes"));
            table + usize::try_from(part).expect("a small table")
        });
        let sections = image.sections.iter().map(|section| section.offset);
        let mut places: Vec<usize> = sections
            .map(|offset| usize::try_from(offset).expect("a small file"))
            .chain(parts)
            .collect();
        places.extend([
            0,
            64,
            256,
            table,
            offset(located.module.gofunc),
            file.len() - 1500,
        ]);
        (file, places)
    })
}

proptest! {
    #![proptest_config(cases(48))]

    #[test]
    fn changed_programs_never_panic(
        changes in prop::collection::vec(
            (any::<prop::sample::Index>(), 0..1200usize, any::<u64>(), 1..9usize),
            1..6,
        ),
    ) {
        let (file, places) = program();
        let mut file = file.clone();
        for (place, behind, word, length) in changes {
            let at = places[place.index(places.len())] + behind;
            if let Some(bytes) = file.get_mut(at..at + length) {
                bytes.copy_from_slice(&word.to_le_bytes()[..length]);
            }
        }
        if let Ok(image) = Image::parse(file)
            && let Ok(linked) = Linked::read(&image)
            && let Ok(located) = linked.locate(&image, &image, 0)
        {
            for step in 0..200u64 {
                let address = located.module.text.wrapping_add(step * 1999);
                let _ = linked.table.frame(&image, located.module, address);
            }
        }
    }
}
