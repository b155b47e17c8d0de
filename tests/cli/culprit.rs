//! The lines that leak, named from outside: in real programs, built in the ways that people build them.

mod memory;
mod profiles;

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::support::{Done, Gcwatch, NONE, Running, go, go_with, option, root};

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
