//! Small services, leaking and healthy ones, judged live.
//!
//! All of them with both releases: `tests/soak/services`. Here each runs with one.

use crate::support::{Gcwatch, RELEASES, contains, go};

/// So many seconds each runs.
const SECONDS: &str = "60";

/// Leaks under noise so wide, or so slow, that a minute on a busy machine does not always show them: the verdict may be
/// that they must run longer, and never that they are clean.
const HIDDEN: [&str; 3] = ["leak-bursts", "leak-sawtooth", "leak-slow"];

const SERVICES: [&str; 25] = [
    "leak-append",
    "leak-cache",
    "leak-errors",
    "leak-goroutines",
    "leak-http-body",
    "leak-late",
    "leak-retention",
    "leak-steps",
    "leak-subscribers",
    "leak-subslices",
    "ok-batch-load",
    "ok-bursts",
    "ok-connections",
    "ok-flat",
    "ok-forced",
    "ok-http",
    "ok-lru",
    "ok-map",
    "ok-memo",
    "ok-pool",
    "ok-sawtooth",
    "ok-sessions",
    "ok-stairs",
    "ok-suite",
    "ok-tables",
];

/// All runs at once: they sleep most of the time.
#[test]
fn leaking_services_are_found_and_healthy_ones_pass() {
    let mut running = Vec::new();
    for (index, service) in SERVICES.into_iter().chain(HIDDEN).enumerate() {
        let release = RELEASES[index % RELEASES.len()];
        let code = if service.starts_with("leak-") { 23 } else { 0 };
        let gcwatch = Gcwatch::new(["--on-leak=fail"])
            .watch(go(release, "tests/go/services"), [service, SECONDS]);
        running.push((service, release, code, gcwatch.start()));
    }
    let mut wrong = Vec::new();
    for (service, release, code, running) in running {
        let done = running.finish();
        let waits = HIDDEN.contains(&service)
            && done.status.code() == Some(0)
            && contains(&done.stderr, "SUMMARY: inconclusive");
        if done.status.code() != Some(code) && !waits {
            wrong.push(format!(
                "{service} with Go {release}: {:?}: {}",
                done.status,
                done.stderr()
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
