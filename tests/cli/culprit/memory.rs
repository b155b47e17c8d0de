//! What is opened of a program's memory, what is written there, and what its live heap is to the byte.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use nix::unistd::Uid;
use serde_json::Value;

use super::{BUILDS, PPROF, RELEASES, SPAN, STRIP, shop};
use crate::support::{Gcwatch, command, option};

/// What gcwatch opened of the memory of others, as strace tells: the paths, and whether for writing.
fn opened(mode: &str, program: &Path) -> (Vec<(String, bool)>, String) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let log = folder.path().join("calls");
    let run = command("strace")
        .args([
            "-f",
            "-qq",
            "-e",
            "trace=open,openat,openat2,process_vm_writev,ptrace",
            "-o",
        ])
        .arg(&log)
        .arg(env!("CARGO_BIN_EXE_gcwatch"))
        .args(SPAN)
        .args(["--on-leak=stop", &format!("--culprit={mode}"), "--"])
        .arg(program)
        .arg("leak")
        .output()
        .unwrap_or_else(|error| {
            panic!("strace: {error}; it is needed here: apt-get install strace")
        });
    let said = String::from_utf8_lossy(&run.stderr).into_owned();
    assert_eq!(run.status.code(), Some(23), "{mode}: {said}");
    let log = fs::read_to_string(log).expect("the calls");
    assert!(log.contains("openat("), "{mode}: {log}");
    for call in ["ptrace(", "process_vm_writev("] {
        assert!(!log.contains(call), "{mode}: {log}");
    }
    let memory = log.lines().filter(|call| call.contains("/mem\""));
    let opened = memory.map(|call| {
        (
            call.to_owned(),
            call.contains("O_RDWR") || call.contains("O_WRONLY"),
        )
    });
    (opened.collect(), said)
}

#[test]
fn only_when_asked_to_is_anything_written_and_with_off_nothing_is_opened() {
    let [plain, pprof] = [BUILDS[1], ("pprof", &[PPROF, STRIP])].map(|build| shop("1.27", build));
    let runs = [
        ("auto", &plain),
        ("auto", &pprof),
        ("off", &pprof),
        ("on", &plain),
    ]
    .map(|(mode, program)| {
        let program = program.clone();
        std::thread::spawn(move || opened(mode, &program))
    });
    let [auto_plain, auto_pprof, off, on] = runs.map(|run| {
        run.join()
            .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    });
    let hint = "gcwatch: to have the leaking lines named, run again with `--culprit on`";
    for (name, (opened, _)) in [("plain", &auto_plain), ("pprof", &auto_pprof)] {
        assert!(!opened.is_empty(), "auto, {name}");
        assert!(opened.iter().all(|(_, writing)| !writing), "{opened:?}");
    }
    assert!(auto_plain.1.contains(hint), "{}", auto_plain.1);
    assert!(
        auto_pprof
            .1
            .contains(" of the growth: sessions.(*Store).New"),
        "{}",
        auto_pprof.1
    );
    assert_eq!(off.0, [], "nothing is opened");
    assert!(
        !off.1.contains("culprit") && !off.1.contains("of the growth"),
        "{}",
        off.1
    );
    assert!(
        on.0.iter().any(|(_, writing)| *writing),
        "it was switched on: {:?}",
        on.0
    );
}

/// Of an execute-only program the kernel shows nobody the memory.
#[test]
fn what_must_not_be_read_is_refused_in_one_line_and_the_verdict_stands() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let hidden = folder.path().join("hidden");
    fs::copy(shop("1.27", BUILDS[1]), &hidden).expect("a copy");
    let mode = |mode| fs::Permissions::from_mode(mode);
    fs::set_permissions(folder.path(), mode(0o755)).expect("its mode");
    fs::set_permissions(&hidden, mode(0o711)).expect("its mode");
    let as_whom = if Uid::effective().is_root() {
        // Root may read all.
        vec![
            "setpriv",
            "--reuid=65534",
            "--regid=65534",
            "--clear-groups",
        ]
    } else {
        fs::set_permissions(&hidden, mode(0o111)).expect("its mode");
        vec!["env"]
    };
    let gcwatch = folder.path().join("gcwatch");
    fs::copy(env!("CARGO_BIN_EXE_gcwatch"), &gcwatch).expect("a copy");
    let run = command(as_whom[0])
        .args(&as_whom[1..])
        .arg(&gcwatch)
        .args(SPAN)
        .args(["--on-leak=stop", "--culprit=on", "--"])
        .arg(&hidden)
        .arg("leak")
        .current_dir("/")
        .output()
        .expect("it starts");
    let said = String::from_utf8_lossy(&run.stderr);
    assert_eq!(run.status.code(), Some(23), "{said}");
    let reasons: Vec<&str> = said
        .lines()
        .filter(|line| line.contains("the leaking lines are not known"))
        .collect();
    assert_eq!(
        reasons,
        [
            "gcwatch: the leaking lines are not known: its memory cannot be read: it is another user's, or must not be looked into (set-user-ID, file capabilities, Yama); run gcwatch as its user, with the rights to trace it"
        ],
        "{said}"
    );
}

/// The trace has whole MiB; what the memory tells is finer, and judged so where a smaller rise is asked for.
#[test]
fn a_small_rise_is_looked_for_in_bytes_where_the_memory_tells_them() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let runs = [
        ("--min-rise=768KiB", "auto", 128 << 10),
        ("--min-rise=768KiB", "on", 128 << 10),
        ("--min-rise=768KiB", "off", 1 << 20),
        ("--min-rise=6MiB", "auto", 1 << 20),
    ];
    let runs = RELEASES.iter().zip(runs).map(|(release, run)| {
        let (rise, mode, steps) = run;
        let json = folder.path().join(format!("{release}.json"));
        let running = Gcwatch::new([option("json", &json), "--for=3s".into()])
            .options([rise, &format!("--culprit={mode}")])
            .watch(shop(release, BUILDS[1]), ["quiet"])
            .start();
        (format!("go{release} {rise} {mode}"), json, steps, running)
    });
    for (name, json, steps, running) in runs.collect::<Vec<_>>() {
        running.finish().exits(0);
        let summary: Value =
            serde_json::from_slice(&fs::read(json).expect("the summary")).expect("it is JSON");
        assert_eq!(
            summary["processes"][0]["judged_in_steps_of_bytes"], steps,
            "{name}: {summary}"
        );
    }
}
