//! The `JUnit` report, read back by an XML parser.

use std::fs;
use std::path::Path;

use quick_junit::{Report, TestCase, TestCaseStatus, TestSuite};

use crate::support::{Gcwatch, NONE, option, root, trace};

/// A healthy process, by the rule `strict`.
const FLAT: [u64; 12] = [4; 12];

/// One that leaks by that rule.
fn rising() -> impl Iterator<Item = u64> {
    (0..12).map(|cycle| 4 + 2 * cycle)
}

/// The only suite in a file.
pub(crate) fn suite(file: &Path) -> TestSuite {
    let xml = fs::read_to_string(file).expect("the report");
    let report =
        Report::deserialize_from_str(&xml).unwrap_or_else(|error| panic!("{error}: {xml}"));
    let [suite] = &report.test_suites[..] else {
        panic!("{xml}")
    };
    assert_eq!(
        (report.tests, report.failures),
        (suite.test_cases.len(), suite.failures),
        "{xml}"
    );
    assert_eq!(suite.name.as_str(), "gcwatch");
    suite.clone()
}

/// The type, message and text of a failure.
pub(crate) fn failure(case: &TestCase) -> Option<[&str; 3]> {
    match &case.status {
        TestCaseStatus::NonSuccess {
            ty,
            message,
            description,
            ..
        } => Some([ty, message, description].map(|text| text.as_deref().unwrap_or_default())),
        _ => None,
    }
}

fn property<'a>(suite: &'a TestSuite, name: &str) -> &'a str {
    let named = |property: &&quick_junit::Property| property.name.as_str() == name;
    let property = suite.properties.iter().find(named);
    property
        .unwrap_or_else(|| panic!("no {name}"))
        .value
        .as_str()
}

/// The report on a saved log.
fn judged(log: impl Into<Vec<u8>>, options: &[&str], exit: i32) -> TestSuite {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("report.xml");
    Gcwatch::new(["-q", "--from=-"])
        .options(options)
        .options([option("junit", &file)])
        .input(log)
        .run()
        .exits(exit);
    suite(&file)
}

#[test]
fn each_process_is_a_test_and_one_that_leaks_has_failed() {
    let log = trace(FLAT) + &trace(rising());
    // Also where a leak is no more than said.
    for (options, exit) in [
        (&["--rule=strict"][..], 0),
        (&["--rule=strict", "--on-leak=fail"], 23),
    ] {
        let suite = judged(log.clone(), options, exit);
        let names: Vec<&str> = suite
            .test_cases
            .iter()
            .map(|case| case.name.as_str())
            .collect();
        assert_eq!(names, ["process 1", "process 2"]);
        let [flat, rising] = &suite.test_cases[..] else {
            panic!("{suite:?}")
        };
        assert_eq!((failure(flat), suite.failures), (None, 1));
        let said = flat.system_out.as_deref().expect("the verdict");
        assert!(said.starts_with("clean: 12 cycles in 11 s"), "{said}");
        let [kind, message, text] = failure(rising).expect("a failure");
        assert_eq!(
            (kind, message),
            ("leak", "live heap rose in 6 cycles in a row, 4 to 16 MiB")
        );
        assert!(text.contains("live heap 4 -> 26 MiB"), "{text}");
        assert_eq!(rising.time.map(|time| time.as_secs()), Some(11));
        assert_eq!(rising.classname.as_deref(), Some("standard input"));
        assert_eq!(property(&suite, "verdict"), "leak");
        assert_eq!(property(&suite, "exit_status"), exit.to_string());
    }
}

#[test]
fn a_budget_is_a_failure_of_its_own_kind() {
    let suite = judged(trace(FLAT), &["--rule=strict", "--max-live=3MiB"], 0);
    let [kind, message, _] = failure(&suite.test_cases[0]).expect("a failure");
    assert_eq!(kind, "over budget");
    assert!(message.contains("3 MiB"), "{message}");
}

#[test]
fn what_cannot_be_judged_fails_only_where_it_fails_the_run() {
    let log = trace([4, 5]);
    for (options, exit, kind) in [
        (&[][..], 0, None),
        (&["--on-leak=fail"], 0, None),
        (
            &["--on-leak=fail", "--on-inconclusive=fail"],
            24,
            Some("inconclusive"),
        ),
    ] {
        let suite = judged(log.clone(), options, exit);
        let case = &suite.test_cases[0];
        assert_eq!(failure(case).map(|[kind, ..]| kind), kind, "{options:?}");
        assert_eq!(property(&suite, "verdict"), "inconclusive");
        if kind.is_none() {
            let said = case.system_out.as_deref().expect("the verdict");
            assert!(said.starts_with("inconclusive: "), "{said}");
        }
    }
    // Nothing at all was measured.
    for (options, exit, fails) in [(&[][..], 0, false), (&["--on-leak=fail"], 24, true)] {
        let suite = judged("text\n", options, exit);
        assert_eq!(suite.test_cases.len(), 1);
        assert_eq!(failure(&suite.test_cases[0]).is_some(), fails);
    }
}

#[test]
fn a_command_that_fails_is_no_matter_of_the_report_and_of_no_run_there_is_none() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("report.xml");
    let gcwatch = || Gcwatch::new([option("junit", &file)]);
    gcwatch().watch("/no/such/command", NONE).run().exits(127);
    gcwatch().watch(root(), NONE).run().exits(126);
    gcwatch().options(["--from=src"]).run().exits(125);
    gcwatch().options(["--from=/no/such/log"]).run().exits(125);
    assert!(!file.exists());
    gcwatch().script("exit 7").run().exits(7);
    let suite = suite(&file);
    assert_eq!((suite.test_cases.len(), suite.failures), (1, 0));
    assert_eq!(property(&suite, "command"), "sh -c exit 7");
    assert_eq!(property(&suite, "exit_status"), "7");
    assert!(suite.time.is_some_and(|time| !time.is_zero()));
}

#[test]
fn what_xml_cannot_say_is_left_out() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let log = folder
        .path()
        .join("a <b> & \"c\" \u{1b}[31m\u{7}\u{fffe}]]>.log");
    fs::write(&log, trace(FLAT)).expect("a log");
    let file = folder.path().join("report.xml");
    Gcwatch::new([option("from", &log), option("junit", &file), "-q".into()])
        .run()
        .exits(0);
    assert_eq!(
        suite(&file).test_cases[0].classname.as_deref(),
        Some("a <b> & \"c\" \u{fffd}]]>.log")
    );
}
