//! What is kept open of the program that is read, and what is left alone.

use std::fs;

use gcwatch::culprit::{Program, Refusal};

use crate::support::{Build, Running, build, releases};

/// How this process has files of another open: their names, and whether it may write to them.
fn open_files(pid: i32) -> Vec<(String, bool)> {
    let own = fs::read_dir("/proc/self/fd").expect("own descriptors");
    let files = own.flatten().filter_map(|descriptor| {
        let file = fs::read_link(descriptor.path()).ok()?;
        let file = file
            .to_str()?
            .strip_prefix(&format!("/proc/{pid}/"))?
            .to_owned();
        let number = descriptor.file_name();
        let info = fs::read_to_string(format!("/proc/self/fdinfo/{}", number.display())).ok()?;
        let flags = info.lines().find_map(|line| line.strip_prefix("flags:"))?;
        let flags = u32::from_str_radix(flags.trim(), 8).ok()?;
        Some((file, flags & 3 != 0))
    });
    files.collect()
}

#[test]
fn memory_is_open_for_reading_only() {
    let release = releases().remove(0);
    let running = Running::ready(&build(&release, "shop", Build::Stripped), &[], &[]);
    let mut program = running.open();
    program.snapshot().expect("a snapshot");
    assert_eq!(open_files(running.pid()), [("mem".to_owned(), false)]);
    assert_eq!(program.arm(1), Ok(true));
    assert_eq!(open_files(running.pid()), [("mem".to_owned(), false)]);
    drop(program);
    assert_eq!(open_files(running.pid()), []);
}

#[test]
fn a_rate_that_is_there_is_left_alone() {
    for release in releases() {
        let running = Running::ready(&build(&release, "shop", Build::Plain), &[], &[]);
        let mut program = running.open();
        let mut other = running.open();
        assert_eq!(program.arm(4096), Ok(true));
        assert_eq!(program.arm(1), Ok(false));
        assert_eq!(other.arm(1), Ok(false));
        assert_eq!(other.disarm(), Ok(false), "it is not the other's");
        assert_eq!(program.rate(), Ok(4096));
        assert_eq!(program.disarm(), Ok(true));
        assert_eq!(program.disarm(), Ok(false));
        assert_eq!(program.rate(), Ok(0));
        // Now it is the other's, and what the first one set is gone.
        assert_eq!(program.arm(4096), Ok(true));
        assert_eq!(program.disarm(), Ok(true));
        assert_eq!(other.arm(8192), Ok(true));
        assert_eq!(program.disarm(), Ok(false));
        assert_eq!(other.rate(), Ok(8192));
    }
}

/// Its symbols say where the rate is, but its code is not what is understood: it is read, and not written to.
#[test]
fn an_unoptimised_program_is_not_armed() {
    let executable = build("1.27", "shop", Build::Unoptimised);
    let running = Running::ready(&executable, &[], &[]);
    let mut program = running.open();
    assert_eq!(program.arm(1), Err(Refusal::Unconfirmed("MemProfileRate")));
    assert_eq!(program.rate(), Ok(0));
    program.snapshot().expect("a snapshot");
    assert!(program.live_heap().is_err());
}

#[test]
fn what_is_no_go_program_is_refused() {
    let own = std::process::id().cast_signed();
    assert_eq!(Program::open(own).err(), Some(Refusal::NotGo));
    let gone = i32::MAX;
    assert_eq!(Program::open(gone).err(), Some(Refusal::Ended));
}
