//! How many streams are made by chance, and where one that failed is kept.

use proptest::test_runner::{Config, FileFailurePersistence};

/// So many cases, or as many as `PROPTEST_CASES` says. What fails is printed, and its seed is tried again first in the next
/// run.
pub(crate) fn cases(cases: u32) -> Config {
    let seeds = concat!(env!("CARGO_TARGET_TMPDIR"), "/proptest-regressions.txt");
    let default = Config::default();
    let cases = match std::env::var_os("PROPTEST_CASES") {
        Some(_) => default.cases,
        None => cases,
    };
    Config {
        cases,
        // What a test does not want is a share of its cases.
        max_global_rejects: default.max_global_rejects.max(cases),
        failure_persistence: Some(Box::new(FileFailurePersistence::Direct(seeds))),
        ..default
    }
}
