//! A saved stderr of a busy logger, whose log lines tear the trace: put together without the edges of writes.

use std::fs::{self, File};
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::support::{Gcwatch, RELEASES, option, probe};

/// How the probe logs, and how many cycles in a hundred are found at least in two logs of some hundred. Text that begins or
/// ends anywhere, or in digits, or that looks like a trace, leaves more than one likely place for a tear.
const STYLES: [(&str, u64); 9] = [
    ("date", 99),
    ("rfc3339", 99),
    ("json", 99),
    ("colours", 99),
    ("long", 99),
    ("digits", 99),
    ("unfinished", 98),
    ("lookalike", 97),
    ("random", 97),
];

#[test]
fn a_saved_log_of_a_busy_logger_loses_no_byte_and_hardly_a_cycle() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (log, json, trace) = (
        folder.path().join("log"),
        folder.path().join("json"),
        folder.path().join("trace"),
    );
    let mut torn = 0;
    for (style, least) in STYLES {
        let (mut found, mut printed) = (0, 0);
        for release in RELEASES {
            let amount = if style == "long" { "3000" } else { "100000" };
            let run = Command::new(probe(release))
                .args(["logger", style, amount])
                .env("GODEBUG", "gctrace=1")
                .stdin(Stdio::null())
                .stderr(File::create(&log).expect("a log"))
                .output()
                .expect("the probe runs");
            let told: Value = serde_json::from_slice(&run.stdout).expect("the probe reports");
            let done = Gcwatch::new([
                "-q".into(),
                "--echo".into(),
                option("from", &log),
                option("json", &json),
                option("trace-file", &trace),
            ])
            .run()
            .exits(0);
            let read: Value =
                serde_json::from_slice(&fs::read(&json).expect("the summary")).expect("JSON");
            found += read["trace"]["cycles"].as_u64().expect("a count");
            printed += told["num_gc"].as_u64().expect("a count");
            torn += read["trace"]["reassembled"].as_u64().expect("a count");
            let taken = fs::metadata(&trace).expect("the trace lines").len();
            let saved = fs::metadata(&log).expect("the log").len();
            assert_eq!(
                done.stdout.len() as u64 + taken,
                saved,
                "bytes, {release} {style}"
            );
        }
        assert!(
            found * 100 >= printed * least,
            "{style}: {found} of {printed} cycles"
        );
    }
    assert!(torn > 0, "no line was torn: the test has shown nothing");
}
