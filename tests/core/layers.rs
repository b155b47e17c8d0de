//! The layers, as rules on the sources: what the core may use, and how many packages gcwatch stands on.

use std::fs;
use std::path::{Path, PathBuf};

/// The core: no clock, no I/O, no async.
const CORE: [&str; 14] = [
    "size", "trace", "wording", "splitter", "demux", "detector", "series", "session", "summary",
    "signs", "gate", "exit", "godebug", "wrapping",
];

/// The parsers among the parts of `culprit`: all but the one that opens files of a process.
const PARSERS: [&str; 13] = [
    "addresses",
    "blame",
    "buckets",
    "buildinfo",
    "decode",
    "elf",
    "goroutines",
    "growth",
    "history",
    "locate",
    "memory",
    "pclntab",
    "version",
];

/// What the core must not name.
const FORBIDDEN: [&str; 12] = [
    "tokio",
    "nix::",
    "clap",
    "tracing",
    "std::fs",
    "std::io",
    "std::process",
    "std::env",
    "std::net",
    "Instant",
    "SystemTime",
    "println!",
];

/// Reports write, but open nothing and ask no clock.
const FORBIDDEN_IN_REPORTS: [&str; 9] = [
    "tokio",
    "nix::",
    "std::fs",
    "std::process",
    "std::env",
    "std::net",
    "Instant",
    "SystemTime",
    "println!",
];

/// The files below a folder; none where there is no such folder.
fn files_below(folder: &Path) -> Vec<PathBuf> {
    let Ok(children) = fs::read_dir(folder) else {
        return Vec::new();
    };
    children
        .map(|child| child.expect("a readable folder").path())
        .flat_map(|child| {
            if child.is_dir() {
                files_below(&child)
            } else {
                vec![child]
            }
        })
        .collect()
}

/// The sources of a module and of all below it, without their unit tests.
fn sources(module: &str) -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = vec![root.join(format!("{module}.rs"))];
    files.extend(files_below(&root.join(module)));
    let read = |file: &Path| {
        let text =
            fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        let code = text.split("#[cfg(test)]").next().unwrap_or_default();
        let code: Vec<&str> = code
            .lines()
            .filter(|line| !line.trim_start().starts_with("//"))
            .collect();
        (file.display().to_string(), code.join("\n"))
    };
    files.iter().map(|file| read(file)).collect()
}

#[track_caller]
fn names_none(module: &str, forbidden: &[&str]) {
    for (file, code) in sources(module) {
        for word in forbidden {
            assert!(!code.contains(word), "{file} names {word}");
        }
    }
}

#[test]
fn the_core_has_no_clock_and_does_no_io() {
    for module in CORE {
        names_none(module, &FORBIDDEN);
    }
    for parser in PARSERS {
        names_none(&format!("culprit/{parser}"), &FORBIDDEN);
    }
}

#[test]
fn reports_open_nothing_and_ask_no_clock() {
    names_none("report", &FORBIDDEN_IN_REPORTS);
    names_none("culprit/pprof", &FORBIDDEN_IN_REPORTS);
}

#[test]
fn the_core_does_not_know_the_shell() {
    let shell = [
        "cli",
        "error",
        "file_id",
        "limit",
        "outputs",
        "replay",
        "report",
        "supervisor",
        "watcher",
    ]
    .map(|module| format!("crate::{module}"));
    let shell: Vec<&str> = shell.iter().map(String::as_str).collect();
    for module in CORE {
        names_none(module, &shell);
    }
}

#[test]
fn the_packages_are_counted() {
    let lock = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.lock"))
        .expect("Cargo.lock");
    let packages = lock.matches("[[package]]").count();
    // With those of the tests and of other platforms. More is a decision: its reason goes into the commit that adds it.
    assert!(
        packages <= PACKAGES,
        "{packages} packages, {PACKAGES} were agreed on"
    );
}

/// How many packages Cargo.lock may have.
const PACKAGES: usize = 106;
