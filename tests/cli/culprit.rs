//! The lines that leak, named from outside: in real programs, built in the ways that people build them.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use nix::unistd::Uid;
use serde_json::Value;

use crate::support::{Done, Gcwatch, NONE, Running, go, go_with, option, root, toolchain};

/// The releases whose runtimes differ in what is read.
const RELEASES: [&str; 4] = ["1.19", "1.22", "1.25", "1.27"];

pub(crate) const STRIP: &str = "-ldflags=-s -w";
const PIE: &str = "-buildmode=pie";
const CGO: &str = "-tags=withcgo";
const PPROF: &str = "-tags=pprof";

/// Ways to build a program in which nothing reads its heap profile, so that sampling is off.
const BUILDS: [(&str, &[&str]); 4] = [
    ("plain", &[]),
    ("stripped", &[STRIP]),
    ("pie-stripped", &[PIE, STRIP]),
    ("cgo", &[CGO]),
];

/// It leaks so fast that this is long enough for a verdict, once its ring is full.
const SPAN: [&str; 2] = ["--warmup=3s", "--min-span=15s"];

fn shop(release: &str, (name, options): (&str, &[&str])) -> PathBuf {
    go_with(release, "tests/go/shop", name, options)
}

/// A run that goes on until the leak is flagged, and where its summary will be.
struct Run {
    name: String,
    json: PathBuf,
    running: Running,
}

impl Run {
    /// Starts `gcwatch OPTIONS -- sh -c SCRIPT PROGRAM MODE`.
    fn start(
        folder: &Path,
        name: &str,
        options: &[&str],
        script: &str,
        program: &Path,
        mode: &str,
    ) -> Self {
        let json = folder.join(format!("{name}.json"));
        let running = Gcwatch::new([option("json", &json), "--on-leak=stop".into()])
            .options(SPAN)
            .options(options)
            .watch("sh", ["-c", script, &program.display().to_string(), mode])
            .start();
        Self {
            name: name.into(),
            json,
            running,
        }
    }

    fn direct(folder: &Path, name: &str, options: &[&str], program: &Path, mode: &str) -> Self {
        Self::start(folder, name, options, "exec \"$0\" \"$@\"", program, mode)
    }

    /// The process whose leak was flagged, and what was written.
    fn finish(self) -> (String, Value, Done) {
        let done = self.running.finish().exits(23);
        assert_eq!(done.stdout(), "shop: closed\n", "{}", self.name);
        let summary: Value =
            serde_json::from_slice(&fs::read(self.json).expect("the summary")).expect("it is JSON");
        let leaking = summary["processes"]
            .as_array()
            .and_then(|processes| {
                processes
                    .iter()
                    .find(|process| process["verdict"] == "leak")
            })
            .unwrap_or_else(|| panic!("{}: no leak: {}", self.name, done.stderr()));
        (self.name, leaking.clone(), done)
    }
}

/// The lines of the program marked so: file and number.
pub(crate) fn marked(mark: &str) -> Vec<(String, u64)> {
    let files = ["main.go", "leaks.go", "noise.go", "sessions/sessions.go"];
    let lines = files.iter().flat_map(|file| {
        let text = fs::read_to_string(root().join("tests/go/shop").join(file)).expect("a source");
        let name = file.rsplit('/').next().unwrap_or_default().to_owned();
        let numbered = text.lines().zip(1..);
        let marked = numbered.filter(|(line, _)| line.contains(&format!("// {mark}")));
        marked
            .map(|(_, number)| (name.clone(), number))
            .collect::<Vec<_>>()
    });
    lines.collect()
}

fn line(culprit: &Value) -> (String, u64) {
    (
        culprit["file"].as_str().expect("a name").to_owned(),
        culprit["line"].as_u64().expect("a number"),
    )
}

fn culprits(process: &Value) -> &[Value] {
    process["culprits"].as_array().expect("a list")
}

/// So many of the first sites are leaks, the largest of them first, and none that is no leak has more than a tenth.
fn names_the_leaks(name: &str, process: &Value, sites: usize) {
    let culprits = culprits(process);
    assert!(culprits.len() >= sites, "{name}: {process}");
    let leaks = marked("LEAK:");
    for culprit in &culprits[..sites] {
        assert!(leaks.contains(&line(culprit)), "{name}: {culprits:?}");
    }
    assert_eq!(line(&culprits[0]), marked("LEAK:session")[0], "{name}");
    let share = |culprit: &Value| culprit["share"].as_f64().expect("a share");
    for culprit in culprits
        .iter()
        .filter(|culprit| !leaks.contains(&line(culprit)))
    {
        assert!(share(culprit) <= 0.1, "{name}: {culprit}");
    }
    assert!(
        culprits.iter().map(share).sum::<f64>() <= 1.000_001,
        "{name}"
    );
    // Half of what it leaks is sessions.
    let first = &culprits[0];
    let error = first["share_error"].as_f64().expect("an error");
    assert!(
        (share(first) - 0.5).abs() <= 4.0 * error + 0.05,
        "{name}: {first}"
    );
    assert_eq!(first["function"], "example.com/shop/sessions.(*Store).New");
    assert!(process["pid"].is_i64(), "{name}");
}

/// To the byte, and the same as the trace's for that cycle: it is read behind the last line but a few.
fn knows_the_live_heap(name: &str, process: &Value) {
    let exact = &process["exact_live_heap"];
    let bytes = exact["bytes"].as_u64().expect("a size");
    assert_ne!(bytes % (1 << 20), 0, "{name}: {exact}");
    if exact["cycle"] == process["last_cycle"] {
        assert_eq!(
            Some(bytes >> 20 << 20),
            process["live_heap"]["last_bytes"].as_u64(),
            "{name}: {exact}"
        );
    }
}

/// All at once: they wait most of the time.
#[test]
fn the_lines_that_leak_are_named_in_all_releases_and_builds() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let start = |name: &str, options: &[&str], script, program: &Path| {
        Run::start(folder.path(), name, options, script, program, "leak")
    };
    let (on, direct) = (&["--culprit=on"][..], "exec \"$0\" \"$@\"");
    let below = "trap 'kill $!' TERM; \"$0\" \"$@\" & wait; wait";
    let mut runs = Vec::new();
    for release in RELEASES {
        for build in BUILDS {
            let name = format!("{release}-{}", build.0);
            runs.push((start(&name, on, direct, &shop(release, build)), 3));
        }
        // It samples by itself, half a MiB to a sample: its third site may be chance.
        let program = shop(release, ("pprof", &[PPROF, STRIP]));
        runs.push((start(&format!("{release}-auto"), &[], direct, &program), 2));
    }
    let stripped = shop("1.27", BUILDS[1]);
    runs.push((start("below a shell", on, below, &stripped), 3));
    for (run, sites) in runs {
        let (name, process, done) = run.finish();
        names_the_leaks(&name, &process, sites);
        knows_the_live_heap(&name, &process);
        let (file, number) = &marked("LEAK:session")[0];
        done.says(&format!(
            " of the growth: sessions.(*Store).New {file}:{number}\n"
        ));
    }
}

#[test]
fn goroutines_are_named_by_who_starts_them() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let runs = RELEASES.map(|release| {
        let program = shop(release, BUILDS[1]);
        Run::direct(
            folder.path(),
            release,
            &["--culprit=on"],
            &program,
            "goroutines",
        )
    });
    let (file, number) = &marked("LEAK:goroutine")[0];
    let place = format!("main.(*hub).subscribe {file}:{number}\n");
    for run in runs {
        let (name, process, done) = run.finish();
        let first = culprits(&process)
            .first()
            .unwrap_or_else(|| panic!("{name}: {process}"));
        assert_eq!(first["kind"], "goroutine", "{name}: {process}");
        assert!(
            first["growth_goroutines"].as_u64() > Some(1000),
            "{name}: {first}"
        );
        done.says(" goroutines started at ").says(&place);
    }
}

/// What gcwatch opened of the memory of others, as strace tells: the paths, and whether for writing.
fn opened(mode: &str, program: &Path) -> (Vec<(String, bool)>, String) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let log = folder.path().join("calls");
    let run = Command::new("strace")
        .env_remove("GITHUB_ACTIONS")
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

#[test]
fn profiles_of_the_rise_open_in_gos_own_tool_and_are_their_users_only() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let profiles = folder.path().join("new/profiles");
    let option = format!("--profile-out={}", profiles.display());
    let program = shop("1.25", BUILDS[1]);
    let run = Run::direct(
        folder.path(),
        "run",
        &["--culprit=on", &option],
        &program,
        "leak",
    );
    let (_, process, done) = run.finish();
    let files: Vec<PathBuf> = process["profiles"]
        .as_array()
        .expect("two files")
        .iter()
        .map(|file| file.as_str().expect("a name").into())
        .collect();
    let [base, last] = &files[..] else {
        panic!("{files:?}")
    };
    for file in &files {
        let mode = fs::metadata(file)
            .expect("it is there")
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600);
    }
    done.says(&format!(
        "go tool pprof -diff_base {} {}\n",
        base.display(),
        last.display()
    ));
    // From 1.25 on the tool is built when it is first asked for.
    let top = Command::new(toolchain("1.22"))
        .args(["tool", "pprof", "-top", "-lines", "-diff_base"])
        .args(&files)
        .env("HOME", folder.path())
        .env("PPROF_TMPDIR", folder.path())
        .output()
        .expect("go runs");
    let top = String::from_utf8_lossy(&top.stdout).into_owned();
    let first = top
        .lines()
        .skip_while(|line| !line.trim_start().starts_with("flat"))
        .nth(1)
        .unwrap_or_else(|| panic!("{top}"));
    let (file, number) = &marked("LEAK:session")[0];
    assert!(first.ends_with(&format!("{file}:{number}")), "{top}");
}

#[test]
fn a_program_that_serves_its_profile_need_not_be_read() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let program = shop("1.27", ("pprof", &[PPROF, STRIP]));
    let port = std::net::TcpListener::bind("127.0.0.1:0")
        .and_then(|free| free.local_addr())
        .expect("a free port")
        .port();
    let script = format!("SHOP_LISTEN=127.0.0.1:{port} exec \"$0\" \"$@\"");
    let option = format!("--pprof=http://127.0.0.1:{port}");
    let run = Run::start(
        folder.path(),
        "served",
        &[&option],
        &script,
        &program,
        "leak",
    );
    let (name, process, done) = run.finish();
    assert!(
        done.stderr().contains("sessions.(*Store).New sessions.go:"),
        "{}",
        done.stderr()
    );
    names_the_leaks(&name, &process, 2);
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
    let command = if Uid::effective().is_root() {
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
    let run = Command::new(command[0])
        .args(&command[1..])
        .arg(&gcwatch)
        .args(SPAN)
        .args(["--on-leak=stop", "--culprit=on", "--"])
        .arg(&hidden)
        .arg("leak")
        .env_remove("GITHUB_ACTIONS")
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

#[test]
fn a_healthy_program_gets_no_line_more() {
    let program = go("1.19", "tests/go/shop");
    let run = |options: &[&str]| {
        let done = Gcwatch::new(["--for=3s"])
            .options(options)
            .watch(&program, ["quiet"])
            .run()
            .exits(0);
        assert_eq!(done.stdout(), "shop: closed\n");
        done.stderr().lines().count()
    };
    assert_eq!(run(&["--culprit=on"]), run(&["--culprit=off"]));
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

#[test]
fn what_cannot_be_asked_for_together_is_said() {
    for (options, text) in [
        (
            &["--culprit=off", "--pprof=http://localhost:1"][..],
            "`--pprof` reads a heap profile",
        ),
        (
            &["--culprit=off", "--profile-out=x"],
            "`--profile-out` writes heap profiles",
        ),
        (&["--sample-rate=0"], "`--sample-rate 0` samples nothing"),
        (&["--pprof=localhost:6060"], "it begins with `http://`"),
    ] {
        Gcwatch::new(options)
            .watch("true", NONE)
            .run()
            .exits(125)
            .says(text);
    }
}
