//! Reports of lines that leak, with names that nobody would choose.

use std::collections::HashSet;
use std::fmt::Write as _;
use std::rc::Rc;

use gcwatch::culprit::blame::{Place, Site};
use gcwatch::culprit::growth::{Culprit, Finding, Grown};
use gcwatch::demux::ProcessId;
use gcwatch::detector::{DetectorConfig, Rule};
use gcwatch::exit::Exit;
use gcwatch::gate::Gate;
use gcwatch::report::Reporter;
use gcwatch::report::github::{Annotations, InCheckout, StepSummary};
use gcwatch::report::junit::Junit;
use gcwatch::session::{Batch, Event, Session};
use gcwatch::splitter::Edges;
use gcwatch::summary::Summary;
use quick_junit::{Report, TestCaseStatus};

/// A function, a file and a subject with all that has a meaning somewhere.
const FUNCTION: &str = "main.f|`g`<b>&*_[x](y)\n::error::no\u{1b}[31m\u{7}%0A";
const FILE: &str = "/src/a:b,c%|`d\r\n.go";
const SUBJECT: &str = "my|`service`,<x>: %\n::warning::no";

/// A place that leaks: a line of a file, in a function of that name.
fn culprit(function: &str, file: &str, line: u32, callers: usize) -> Culprit {
    let place = |function: &str, line| Place {
        function: function.into(),
        file: file.into(),
        line,
    };
    let callers = (0..callers).map(|_| place(function, line + 1));
    Culprit {
        site: Site {
            path: std::iter::once(place(function, line))
                .chain(callers)
                .collect(),
            allocated_in: Some(function.into()),
        },
        grown: Grown::Heap {
            bytes: 3e6,
            samples: 24,
        },
        share: 0.25,
        share_error: 0.05,
    }
}

/// Two processes that leak at these lines.
fn leaking(culprits: &[Culprit]) -> Summary {
    leaking_processes(2, culprits)
}

fn leaking_processes(count: u32, culprits: &[Culprit]) -> Summary {
    let mut log = String::new();
    for number in (1..=count).flat_map(|_| 1..=12) {
        let live = 4 + 2 * number;
        let _ = writeln!(
            log,
            "gc {number} @{number}.000s 1%: 0.059+0.17+0.005 ms clock, 0.17+0/0.36/0.067+0.38 ms cpu, \
             {live}->{live}->{live} MB, 99 MB goal, 0 MB stacks, 0 MB globals, 8 P"
        );
    }
    let config = DetectorConfig {
        rule: Rule::Strict,
        ..DetectorConfig::default()
    };
    let mut session = Session::new(Edges::Lost, config);
    let mut batch = Batch::default();
    session.feed(log.as_bytes(), None, &mut batch);
    session.finish(&mut batch);
    let mut summary = Summary::default();
    batch.events.iter().for_each(|event| summary.record(event));
    for process in (1..=count).map(ProcessId) {
        summary.record(&Event::Culprits {
            process,
            finding: Finding {
                culprits: culprits.to_vec(),
                ..Finding::default()
            },
        });
    }
    assert_eq!(summary.processes.len(), count as usize);
    summary
}

/// A checkout with one file, which the compiler named so.
fn checkout(compiled: &'static str, path: &'static str) -> InCheckout {
    Rc::new(move |file| (file == compiled).then(|| path.to_owned()))
}

fn written(reporter: impl FnOnce(&mut Vec<u8>)) -> String {
    let mut out = Vec::new();
    reporter(&mut out);
    String::from_utf8(out).expect("it is UTF-8")
}

fn annotations(summary: &Summary, in_checkout: InCheckout) -> Vec<String> {
    let out = written(|out| {
        Annotations::new(out, Gate::default(), SUBJECT.into(), in_checkout)
            .finish(summary, Exit::Code(0))
            .expect("a vector takes all");
    });
    out.lines().map(str::to_owned).collect()
}

fn page(summary: &Summary, in_checkout: InCheckout) -> String {
    written(|out| {
        StepSummary::new(out, SUBJECT.into(), in_checkout)
            .finish(summary, Exit::Code(0))
            .expect("a vector takes all");
    })
}

#[test]
fn no_name_breaks_out_of_its_annotation() {
    let summary = leaking(&[culprit(FUNCTION, FILE, 7, 1)]);
    let lines = annotations(&summary, checkout(FILE, "a:b,c%|`d\r\n.go"));
    // One for the verdict, and one for the line at which both processes leak.
    assert_eq!(lines.len(), 2, "{lines:#?}");
    for line in &lines {
        let (command, _) = line[2..].split_once("::").expect("a message");
        let names: Vec<&str> = command["error ".len()..]
            .split(',')
            .map(|property| property.split_once('=').expect("a value").0)
            .collect();
        let at_a_line = line == &lines[1];
        let expected: &[&str] = if at_a_line {
            &["file", "line", "title"]
        } else {
            &["title"]
        };
        assert_eq!(names, expected, "{line}");
    }
    assert!(lines[1].starts_with("::error file=a%3Ab%2Cc%25|`d%0D%0A.go,line=7,title="));
    assert!(lines[1].contains("%0Acalled by "), "{}", lines[1]);
    assert!(lines[1].contains("%250A"), "{}", lines[1]);
}

#[test]
fn a_line_outside_of_the_checkout_is_told_of_in_the_text() {
    let summary = leaking(&[culprit("main.f", "/other/x.go", 7, 0)]);
    let lines = annotations(&summary, checkout("", ""));
    assert!(lines[1].starts_with("::error title="), "{}", lines[1]);
    assert!(
        lines[1].ends_with(
            "main.f x.go:7, allocated in main.f%0A/other/x.go is not a file of this checkout"
        ),
        "{}",
        lines[1]
    );
}

#[test]
fn of_many_lines_the_first_are_annotated() {
    let culprits: Vec<Culprit> = (1..=30)
        .map(|line| culprit("main.f", "x.go", line, 0))
        .collect();
    let lines = annotations(&leaking(&culprits), checkout("x.go", "x.go"));
    assert_eq!(lines.len(), 6);
    assert!(lines[5].contains("line=5,"), "{}", lines[5]);
}

#[test]
fn why_no_line_is_known_is_said_where_none_is() {
    let none = leaking(&[]);
    assert_eq!(annotations(&none, checkout("", "")).len(), 1);
    assert!(!page(&none, checkout("", "")).contains("What grew"));
    let with_note = |mut summary: Summary| {
        summary.processes[0].finding = Finding {
            note: Some("the program is another user's".into()),
            ..Finding::default()
        };
        summary
    };
    for (summary, says_why) in [
        (with_note(leaking(&[])), true),
        // Of the other process lines are known.
        (
            with_note(leaking(&[culprit("main.f", "x.go", 7, 0)])),
            false,
        ),
    ] {
        let verdict = &annotations(&summary, checkout("", ""))[0];
        assert_eq!(
            verdict.ends_with("%0Athe program is another user's"),
            says_why,
            "{verdict}"
        );
        let page = page(&summary, checkout("", ""));
        assert!(page.contains("\nthe program is another user's\n"), "{page}");
    }
}

#[test]
fn no_name_breaks_out_of_its_cell() {
    let summary = leaking(&[culprit(FUNCTION, FILE, 7, 1)]);
    let page = page(&summary, checkout("", ""));
    // A bar between cells is one that no backslash stands before.
    let cells = |row: &str| row.replace("\\|", "").matches('|').count();
    let mut tables = 0;
    let mut rows = page.lines().peekable();
    while let Some(row) = rows.next() {
        if row.starts_with("|--") {
            tables += 1;
            while let Some(next) = rows.next_if(|next| next.starts_with('|')) {
                assert_eq!(cells(next), cells(row), "{next}");
            }
        }
    }
    assert_eq!(tables, 3, "processes, and the lines of each: {page}");
    assert!(!page.contains("\n::"), "{page}");
    assert!(
        page.contains("``` main.f\\|") || page.contains("`` main.f\\|"),
        "{page}"
    );
}

#[test]
fn the_longest_names_leave_the_page_below_what_github_shows() {
    let long = "ä|".repeat(1000);
    let lines: Vec<Culprit> = (1..=30)
        .map(|line| culprit(&long, &long, line, 15))
        .collect();
    let page = page(&leaking_processes(60, &lines), checkout("", ""));
    assert!(page.len() < 1 << 20, "{}", page.len());
}

#[test]
fn junit_has_the_table_of_each_process_whatever_the_names() {
    let summary = leaking(&[culprit(FUNCTION, FILE, 7, 1)]);
    let xml = written(|out| {
        Junit::new(out, Gate::default(), SUBJECT.into())
            .finish(&summary, Exit::Code(0))
            .expect("a vector takes all");
    });
    let report =
        Report::deserialize_from_str(&xml).unwrap_or_else(|error| panic!("{error}: {xml}"));
    let cases = &report.test_suites[0].test_cases;
    let names: HashSet<&str> = cases.iter().map(|case| case.name.as_str()).collect();
    assert_eq!(names, HashSet::from(["process 1", "process 2"]));
    for case in cases {
        let TestCaseStatus::NonSuccess {
            description: Some(text),
            ..
        } = &case.status
        else {
            panic!("{case:?}")
        };
        assert!(
            text.contains("25 % (+/- 5 %)  2.86 MiB in 24 samples  main.f|`g`<b>&*_[x](y)"),
            "{text:?}"
        );
        assert!(text.contains("called by main.f|"), "{text:?}");
    }
}
