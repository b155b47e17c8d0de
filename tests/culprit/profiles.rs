//! Profile files, beside those that the program writes itself.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::Path;
use std::process::Command;

use gcwatch::culprit::Frame;
use gcwatch::culprit::pprof::{About, Profile, read_profile, write_profile};

use crate::support::{Build, Running, build, releases, toolchain};

/// The release whose `go tool pprof` reads them: later ones would have to build it first.
const READER: &str = "1.22";

/// All samples by stack and size: what is allocated and in use.
type Samples = BTreeMap<(Vec<String>, u64), [u64; 4]>;

fn samples(profile: &Profile) -> Samples {
    let mut samples = Samples::new();
    let frame = |frame: Frame| format!("{} {}:{}", frame.function, frame.file, frame.line);
    for sample in &profile.samples {
        let stack = sample
            .stack
            .iter()
            .flat_map(|location| profile.frames(*location));
        let counts = [
            sample.alloc_objects,
            sample.alloc_bytes,
            sample.in_use_objects,
            sample.in_use_bytes,
        ];
        // The program's own has buckets, too, of which nothing is published yet.
        if counts != [0; 4] {
            let sum = samples
                .entry((stack.map(frame).collect(), sample.size))
                .or_default();
            for (sum, count) in sum.iter_mut().zip(counts) {
                *sum += count;
            }
        }
    }
    samples
}

fn read(file: &Path) -> Profile {
    let bytes = fs::read(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    read_profile(&bytes).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}

#[test]
fn our_profile_is_the_programs_own_stack_by_stack() {
    let folder = tempfile::tempdir().expect("a folder");
    let (own, ours) = (folder.path().join("own"), folder.path().join("ours"));
    for release in releases() {
        let executable = build(&release, "shop", Build::Pprof);
        let mut running = Running::ready(&executable, &[], &[]);
        let mut program = running.open();
        assert!(program.links_mem_profile());
        assert_eq!(program.rate(), Ok(1024));
        assert_eq!(program.arm(1), Ok(false), "its sampling is its own affair");
        let snapshot = loop {
            running.ask("step 300");
            let before = program.gc_cycle().expect("a cycle");
            assert_eq!(running.ask(&format!("dump {}", own.display())), "dumped");
            let snapshot = program.snapshot().expect("a snapshot");
            // Else it has collected garbage since.
            if snapshot.cycle == before {
                break snapshot;
            }
        };
        let name = executable.display().to_string();
        let about = About {
            program: &name,
            unix_nanos: 1,
        };
        let file = File::create(&ours).expect("a file");
        write_profile(&snapshot, about, |pc| program.frames(pc), file).expect("it is written");
        // The program may end: its functions are still named.
        running.end();
        assert_eq!(program.snapshot(), Err(gcwatch::culprit::Refusal::Ended));
        let (own, ours) = (read(&own), read(&ours));
        assert_eq!((own.rate, ours.rate), (1024, 1024));
        let (own, ours) = (samples(&own), samples(&ours));
        assert!(own.len() > 20, "{} stacks", own.len());
        assert!(own == ours, "go{release}: own {own:#?}\nours {ours:#?}");
    }
}

#[test]
fn go_tool_pprof_reads_our_profile() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("heap.pb.gz");
    for release in releases() {
        let executable = build(&release, "shop", Build::Stripped);
        let mut running = Running::ready(&executable, &[], &[]);
        let mut program = running.open();
        assert_eq!(program.arm(1), Ok(true));
        running.ask("step 100");
        let snapshot = program.snapshot().expect("a snapshot");
        let about = About {
            program: "shop",
            unix_nanos: 1,
        };
        let written = File::create(&file).expect("a file");
        write_profile(&snapshot, about, |pc| program.frames(pc), written).expect("it is written");
        let top = Command::new(toolchain(READER))
            .args(["tool", "pprof", "-top", "-unit=B"])
            .arg(&file)
            .env("HOME", folder.path())
            .env("GOENV", "off")
            .env("GOTOOLCHAIN", "local")
            .output()
            .expect("go runs");
        let text = String::from_utf8_lossy(&top.stdout);
        assert!(
            top.status.success(),
            "{}",
            String::from_utf8_lossy(&top.stderr)
        );
        assert!(text.contains("Type: inuse_space"), "{text}");
        let flat = |function: &str| {
            let line = text.lines().find(|line| line.ends_with(function));
            let line = line.unwrap_or_else(|| panic!("no {function} in {text}"));
            let bytes = line.split_whitespace().next().expect("a figure");
            let bytes = bytes.strip_suffix('B').map(str::parse::<u64>);
            bytes.and_then(Result::ok).expect("whole bytes")
        };
        // What the runtime allocates below a call, for a mark assist that waits, say, is counted with it: one object at most.
        for (function, bytes) in [("main.load", 409_600), ("main.newNode", 51_200)] {
            assert!((bytes..=bytes + 256).contains(&flat(function)), "{text}");
        }
    }
}
