//! A prefork server: several Go processes that start at the same moment and share one stderr.
//!
//! Nothing runs beside it, nor do two releases: a worker that gets no processor for a tenth of a second in the middle of a line
//! has let go of that line, since text waits no longer than that.

#[expect(dead_code, reason = "tests/cli needs more of it")]
#[path = "../cli/support.rs"]
mod support;

use std::fs;

use serde_json::Value;

use crate::support::{Gcwatch, RELEASES, option, probe};

#[test]
fn workers_that_start_together_are_told_apart_each_with_its_own_cycles() {
    let run = |release| {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let json = folder.path().join("summary");
        let done = Gcwatch::new([option("json", &json)])
            .watch(probe(release), ["prefork", "4"])
            .run()
            .exits(0);
        let summary: Value =
            serde_json::from_slice(&fs::read(json).expect("the summary")).expect("it is JSON");
        let mut seen: Vec<[Option<u64>; 3]> = summary["processes"]
            .as_array()
            .expect("a list")
            .iter()
            .map(|process| {
                let live = process["live_heap"]["last_bytes"].as_u64();
                [
                    process["pid"].as_u64(),
                    process["cycles"].as_u64(),
                    live.map(|bytes| bytes >> 20),
                ]
            })
            .collect();
        let mut told: Vec<[Option<u64>; 3]> = done
            .stdout()
            .lines()
            .map(|line| {
                let told: Value = serde_json::from_str(line).expect("JSON");
                ["pid", "num_gc", "kept_mib"].map(|what| told[what].as_u64())
            })
            .collect();
        assert_eq!(told.len(), 5);
        seen.sort_unstable();
        told.sort_unstable();
        assert_eq!(seen, told, "{release}: {}", done.stderr());
    };
    for release in RELEASES {
        run(release);
    }
}
