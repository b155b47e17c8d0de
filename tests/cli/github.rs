//! Annotations and the step's summary, as GitHub Actions would read them.

use std::fs;
use std::path::{Path, PathBuf};

use crate::culprit::{STRIP, marked};
use crate::junit::{failure, suite};
use crate::support::{Done, Gcwatch, NONE, go_with, option, root, trace};

/// An annotation, read as actions/runner reads it (`ActionCommand.cs`, `TryParseV2`).
#[derive(Debug, PartialEq)]
struct Annotation {
    level: String,
    properties: Vec<(String, String)>,
    message: String,
}

impl Annotation {
    fn parse(line: &str) -> Option<Self> {
        let (command, message) = line.trim().strip_prefix("::")?.split_once("::")?;
        let (level, properties) = command.split_once(' ').unwrap_or((command, ""));
        let unescaped = |text: &str| {
            text.replace("%0D", "\r")
                .replace("%0A", "\n")
                .replace("%3A", ":")
                .replace("%2C", ",")
                .replace("%25", "%")
        };
        let property = |property: &str| {
            let (name, value) = property.split_once('=').expect("a value");
            (name.into(), unescaped(value))
        };
        Some(Self {
            level: level.into(),
            properties: properties.split(',').map(property).collect(),
            message: unescaped(message),
        })
    }

    fn property(&self, name: &str) -> Option<&str> {
        let named = |(key, _): &&(String, String)| key == name;
        self.properties
            .iter()
            .find(named)
            .map(|(_, value)| value.as_str())
    }
}

fn annotations(done: &Done) -> Vec<Annotation> {
    done.stderr()
        .lines()
        .filter_map(Annotation::parse)
        .collect()
}

/// gcwatch as in a step of a job whose checkout is this repository.
fn step(folder: &Path, options: &[&str]) -> Gcwatch {
    Gcwatch::new(options)
        .env("GITHUB_ACTIONS", "true")
        .env("GITHUB_WORKSPACE", root())
        .env("GITHUB_STEP_SUMMARY", folder.join("summary.md"))
}

fn summary(folder: &Path) -> String {
    fs::read_to_string(folder.join("summary.md")).unwrap_or_default()
}

fn rising() -> String {
    trace((0..12).map(|cycle| 4 + 2 * cycle))
}

/// A cell of a table.
fn has_cell(table: &str, cell: &str) -> bool {
    table.contains(&format!("| {cell} |"))
}

/// Both ways to build it at once: they wait most of the time.
#[test]
fn the_lines_that_leak_are_annotated_and_in_the_tables_of_all_reports() {
    let marked = marked("LEAK:session");
    let (file, number) = &marked[0];
    let place = format!("tests/go/shop/sessions/{file}");
    let folder = tempfile::tempdir().expect("a temporary folder");
    let start = |(name, options): (&str, &[&str])| {
        let program: PathBuf = go_with("1.27", "tests/go/shop", name, options);
        let folder = folder.path().join(name);
        fs::create_dir(&folder).expect("a folder");
        let running = step(
            &folder,
            &[
                "--culprit=on",
                "--on-leak=stop",
                "--warmup=3s",
                "--min-span=5s",
            ],
        )
        .options([option("junit", &folder.join("junit.xml"))])
        .watch(program, ["leak"])
        .start();
        (folder, running)
    };
    let runs = [("stripped", &[STRIP][..]), ("trimmed", &["-trimpath"])].map(start);
    for (folder, running) in runs {
        let done = running.finish().exits(23);
        assert_eq!(done.stdout(), "shop: closed\n");
        let all = annotations(&done);
        let [verdict, first, ..] = &all[..] else {
            panic!("{}", done.stderr())
        };
        assert!((2..=6).contains(&all.len()), "{all:?}");
        assert!(
            all.iter().all(|annotation| annotation.level == "error"),
            "{all:?}"
        );
        assert!(
            verdict.message.starts_with("live heap rose across "),
            "{verdict:?}"
        );
        assert_eq!(verdict.property("file"), None);
        assert!(
            verdict
                .property("title")
                .is_some_and(|title| title.starts_with("gcwatch: leak: shop-"))
        );
        assert_eq!(first.property("file"), Some(place.as_str()), "{first:?}");
        assert_eq!(first.property("line"), Some(number.to_string().as_str()));
        assert!(
            first
                .message
                .contains(" of the growth: sessions.(*Store).New"),
            "{first:?}"
        );
        // The verdict that people grep for stays the last line.
        assert!(done.last_line().starts_with("gcwatch: SUMMARY: leak: "));

        let page = summary(&folder);
        assert!(
            page.starts_with("### ❌ gcwatch: leak: `shop-1.27-"),
            "{page}"
        );
        assert!(
            has_cell(&page, "`example.com/shop/sessions.(*Store).New`"),
            "{page}"
        );
        assert!(has_cell(&page, &format!("`{place}:{number}`")), "{page}");
        assert!(has_cell(&page, "`bytes.growSlice`"), "{page}");
        assert!(page.contains("called by `main.main`"), "{page}");

        let suite = suite(&folder.join("junit.xml"));
        let [kind, _, text] = failure(&suite.test_cases[0]).expect("a failure");
        assert_eq!(kind, "leak");
        assert!(
            text.contains("example.com/shop/sessions.(*Store).New "),
            "{text}"
        );
        assert!(
            text.contains(&format!("sessions/{file}:{number}\n")),
            "{text}"
        );
    }
}

#[test]
fn what_fails_the_step_is_an_error_and_what_does_not_is_less() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let flat = trace([4; 12]);
    // It rises, and falls back.
    let withdrawn = trace((0..260).map(|cycle| match cycle {
        40..130 => 60 + (cycle - 40),
        _ => 60,
    }));
    for (log, options, exit, expected) in [
        (
            &rising(),
            &["--rule=strict"][..],
            0,
            Some(("error", "leak")),
        ),
        (
            &rising(),
            &["--rule=strict", "--on-leak=fail"],
            23,
            Some(("error", "leak")),
        ),
        (
            &flat,
            &["--rule=strict", "--max-live=3MiB"],
            0,
            Some(("warning", "over budget")),
        ),
        (
            &flat,
            &["--rule=strict", "--max-live=3MiB", "--on-leak=fail"],
            23,
            Some(("error", "over budget")),
        ),
        (&trace([4, 5]), &[], 0, Some(("notice", "inconclusive"))),
        (
            &trace([4, 5]),
            &["--on-leak=fail", "--on-inconclusive=fail"],
            24,
            Some(("error", "inconclusive")),
        ),
        (&withdrawn, &[], 0, Some(("notice", "clean"))),
        (&flat, &["--rule=strict"], 0, None),
    ] {
        let done = step(folder.path(), &["--from=-"])
            .options(options)
            .input(log.as_str())
            .run()
            .exits(exit);
        let told: Vec<(String, String)> = annotations(&done)
            .iter()
            .map(|annotation| {
                let title = annotation.property("title").expect("a title");
                (annotation.level.clone(), title.to_owned())
            })
            .collect();
        let expected: Vec<(String, String)> = expected
            .into_iter()
            .map(|(level, word)| (level.into(), format!("gcwatch: {word}: standard input")))
            .collect();
        assert_eq!(told, expected, "{options:?}: {}", done.stderr());
    }
    // Each run has left its part.
    let page = summary(folder.path());
    let heads = page.lines().filter(|line| line.starts_with("### "));
    assert_eq!(heads.count(), 8, "{page}");
}

#[test]
fn only_github_actions_is_told_unless_asked_otherwise() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let page = folder.path().join("summary.md");
    let run = |in_actions: bool, options: &[&str]| {
        let gcwatch = Gcwatch::new(["--from=-", "--rule=strict"])
            .options(options)
            .env("GITHUB_STEP_SUMMARY", &page)
            .env("GITHUB_ACTIONS", if in_actions { "true" } else { "" })
            .input(rising());
        let done = gcwatch.run().exits(0);
        let has_page = fs::remove_file(&page).is_ok();
        (!annotations(&done).is_empty(), has_page)
    };
    assert_eq!(run(false, &[]), (false, false));
    assert_eq!(run(true, &[]), (true, true));
    assert_eq!(run(false, &["--github=always"]), (true, true));
    assert_eq!(run(true, &["--github=never"]), (false, false));
    // A quiet gcwatch writes nothing to stderr.
    assert_eq!(run(true, &["-q"]), (false, true));
    // Outside of a step there is no summary.
    let done = Gcwatch::new(["--from=-", "--rule=strict", "--github=always"])
        .input(rising())
        .run()
        .exits(0);
    assert_eq!(annotations(&done).len(), 1);
}

#[test]
fn annotations_begin_a_line_and_stdout_is_the_commands() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let done = step(folder.path(), &[])
        .script("printf out; printf unfinished >&2")
        .run()
        .exits(0);
    assert_eq!(done.stdout(), "out");
    let begin = "unfinished\n::notice title=gcwatch%3A inconclusive%3A sh::no GC cycle seen: ";
    assert!(done.stderr().starts_with(begin), "{}", done.stderr());
}

#[test]
fn the_steps_summary_is_kept_and_has_its_limit() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let page = folder.path().join("summary.md");
    fs::write(&page, "# Others wrote this\n").expect("a file");
    let run = |options: &[&str]| step(folder.path(), options).input(trace([4; 12]) + &rising());
    run(&["--from=-", "--rule=strict"]).run().exits(0);
    let text = summary(folder.path());
    assert!(
        text.starts_with("# Others wrote this\n### ❌ gcwatch: leak: `standard input`\n"),
        "{text}"
    );
    assert!(
        text.contains("\n| 1 | – | clean | 12 | 11 s | 4 -> 4 MiB | "),
        "{text}"
    );
    assert!(
        text.contains("\n| 2 | – | leak | 12 | 11 s | 4 -> 26 MiB | "),
        "{text}"
    );
    // With this on top GitHub would show nothing at all.
    let full = "x".repeat((1 << 20) - 100);
    fs::write(&page, &full).expect("a file");
    run(&["--from=-", "-q"]).run().exits(125).says_only(&format!(
        "gcwatch: cannot write `{}`: it would have more than the 1 MiB that GitHub shows; the run goes on without it",
        page.display()
    ));
    assert_eq!(summary(folder.path()), full);
}

#[test]
fn a_summary_that_cannot_be_written_is_said_and_one_of_no_run_is_not_begun() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let gcwatch =
        || Gcwatch::new(["-q", "--github=always"]).env("GITHUB_STEP_SUMMARY", "/no/such/x");
    gcwatch().script("true").run().exits(125).says_only(
        "gcwatch: cannot write `/no/such/x`: no such file or directory; the run goes on without it",
    );
    gcwatch().script("exit 3").run().exits(3);
    step(folder.path(), &[])
        .watch("/no/such/command", NONE)
        .run()
        .exits(127);
    assert!(!folder.path().join("summary.md").exists());
}
