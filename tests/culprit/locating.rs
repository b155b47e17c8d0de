//! Finding the runtime's tables.

use std::fs;
use std::process::Command;

use gcwatch::culprit::addresses::{Found, by_code, by_symbols};
use gcwatch::culprit::elf::Image;
use gcwatch::culprit::locate::Linked;

use crate::support::{Build, Running, build, releases};

#[test]
fn tables_are_found_in_all_builds() {
    for release in releases() {
        for way in Build::UNSAMPLED.into_iter().chain([Build::Pie]) {
            let running = Running::ready(&build(&release, "shop", way), &[], &[]);
            let program = running.open();
            let name = format!("go{release} {way:?}");
            assert!(
                program.go_version().starts_with(&format!("go{release}")),
                "{name}: {}",
                program.go_version()
            );
            assert_eq!(program.main_module(), Some("example.com/shop"), "{name}");
            assert!(!program.links_mem_profile(), "{name}");
            assert_eq!(program.rate(), Ok(0), "{name}");
            assert!(program.live_heap().is_ok(), "{name}");
            assert!(program.goroutines().is_ok(), "{name}");
        }
    }
}

#[test]
fn symbols_and_code_tell_the_same_places() {
    for release in releases() {
        for way in [Build::Plain, Build::Cgo, Build::Pprof] {
            let file = fs::read(build(&release, "shop", way)).expect("a program");
            let image = Image::parse(file).expect("a program of this machine");
            assert!(image.has_symbols());
            let linked = Linked::read(&image).expect("a Go program");
            // It is not relocatable, so the file has all that its memory will have.
            let located = linked.locate(&image, &image, 0).expect("all is found");
            let (symbols, work) = by_symbols(&image).expect("symbols");
            let code = by_code(&image, &linked.table, located.module).expect("code");
            let name = format!("go{release} {way:?}");
            let live_heap = code.live_heap.expect("its place");
            assert!(work.expect("a symbol").contains(&live_heap), "{name}");
            assert_eq!(
                Found {
                    live_heap: None,
                    ..code
                },
                symbols,
                "{name}"
            );
            assert!(
                symbols.rate.is_some() && symbols.goroutines.is_some(),
                "{name}"
            );
        }
    }
}

/// As some build tools make them.
#[test]
fn the_release_is_found_without_build_info() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for release in releases() {
        for way in [
            Build::Plain,
            Build::Stripped,
            Build::PieStripped,
            Build::Cgo,
        ] {
            let program = build(&release, "shop", way);
            let mut file = fs::read(&program).expect("a program");
            let info = memchr::memmem::find(&file, b"\xff Go buildinf:");
            file[info.expect("build info")] = 0;
            let image = Image::parse(file.clone()).expect("a program of this machine");
            assert_eq!(Linked::read(&image).expect("a Go program").version, None);
            // Written by a process of its own: another test's child would hold a file of ours open, and the kernel runs none such.
            let [data, without] = ["data", "program"].map(|kind| {
                let name = format!("{release}-{way:?}.{kind}");
                folder.path().join(name)
            });
            fs::write(&data, file).expect("a copy");
            let install = Command::new("install").arg(&data).arg(&without).status();
            assert!(install.expect("coreutils").success());
            let versions = [&without, &program].map(|program| {
                let running = Running::ready(program, &[], &[]);
                running.open().go_version().to_owned()
            });
            assert_eq!(versions[0], versions[1], "go{release} {way:?}");
        }
    }
}

#[test]
fn the_table_is_found_where_the_table_of_sections_was_cut_off() {
    let release = releases().remove(0);
    let mut file = fs::read(build(&release, "shop", Build::Stripped)).expect("a program");
    let whole = Image::parse(file.clone()).expect("a program");
    // e_shoff, e_shnum and e_shstrndx
    for range in [0x28..0x30, 0x3c..0x3e, 0x3e..0x40] {
        file[range].fill(0);
    }
    let cut = Image::parse(file).expect("a program");
    assert!(cut.sections.is_empty());
    let find = |image: &Image<Vec<u8>>| {
        let linked = Linked::read(image).expect("a Go program");
        let located = linked.locate(image, image, 0).expect("all is found");
        (
            located.version,
            linked.main_module,
            located.addresses,
            located.module,
        )
    };
    assert_eq!(find(&cut), find(&whole));
}
