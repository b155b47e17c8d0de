//! Whatever comes in: one clear line, the right exit status, no panic.

use std::fs;
use std::io::Write;

use crate::support::{Gcwatch, option, trace};

#[track_caller]
fn refuses<const N: usize>(options: [&str; N], why: &str) {
    let done = Gcwatch::new(options).run().exits(125);
    assert_eq!(done.stdout(), "");
    done.says_only(&format!("gcwatch: {why}"));
}

#[test]
fn a_bad_command_line_is_said_in_one_line() {
    let with_command =
        |name: &str, value: &str, why: &str| refuses([name, value, "--", "true"], why);
    refuses(
        [],
        "there is nothing to watch: write `gcwatch -- COMMAND`, or `gcwatch --from FILE`; see `gcwatch --help`",
    );
    with_command(
        "--cycles",
        "1",
        "invalid value '1' for '--cycles <N>': 1 is not in 2..=100; see `gcwatch --help`",
    );
    with_command(
        "--min-span",
        "20",
        "invalid value '20' for '--min-span <DURATION>': a duration is a number and a unit, like `90s`, `5m`, `1h30m` or `250ms`; see `gcwatch --help`",
    );
    with_command(
        "--max-live",
        "64MB",
        "invalid value '64MB' for '--max-live <SIZE>': a size is a whole number with B, KiB, MiB, GiB or TiB behind it, like `64MiB`; bytes without; see `gcwatch --help`",
    );
    with_command(
        "--on-leak",
        "explode",
        "invalid value 'explode' for '--on-leak <ACTION>'; [possible values: report, fail, stop]; see `gcwatch --help`",
    );
    with_command(
        "--leak-exit-code",
        "0",
        "invalid value '0' for '--leak-exit-code <N>': 0 is not in 1..=255; see `gcwatch --help`",
    );
    with_command(
        "--json",
        "-",
        "`--json -` works only with `--from`, since stdout is the command's: name a file; see `gcwatch --help`",
    );
    refuses(
        ["./myservice", "--port", "80"],
        "unexpected argument './myservice' found; the command goes behind `--`, as in `gcwatch -- ./myservice`; see `gcwatch --help`",
    );
    refuses(
        ["--json", "-", "--echo", "--from", "-"],
        "`--json -` and `--echo` both want stdout: name a file for one of them; see `gcwatch --help`",
    );
    refuses(
        ["--echo", "--", "true"],
        "`--echo` works only with `--from`: the text of a command goes to stderr anyway; see `gcwatch --help`",
    );
    refuses(
        ["--while", "true", "--from", "x"],
        "`--while` runs beside a command, and `--from` runs none: leave one of the two out; see `gcwatch --help`",
    );
    with_command(
        "--while",
        "",
        "`--while` wants a command, as in `--while './load.sh'`; see `gcwatch --help`",
    );
    refuses(
        ["--from", "x", "--", "true"],
        "`--from` judges a saved log and runs no command: leave one of the two out; see `gcwatch --help`",
    );
}

#[test]
fn everything_behind_the_dashes_is_the_commands() {
    let done = Gcwatch::new(["-q"])
        .watch("echo", ["--help", "--", "--cycles", "-q"])
        .run()
        .exits(0);
    assert_eq!(done.stdout(), "--help -- --cycles -q\n");
}

#[test]
fn help_and_version_go_to_stdout() {
    for option in ["--help", "-h"] {
        let done = Gcwatch::new([option]).run().exits(0);
        assert!(
            done.stdout()
                .contains("Usage: gcwatch [OPTIONS] -- COMMAND"),
            "{}",
            done.stdout()
        );
        assert_eq!(done.stderr(), "");
    }
    let version = Gcwatch::new(["--version"]).run().exits(0);
    assert_eq!(
        (version.stdout(), version.stderr()),
        (
            format!("gcwatch {}\n", env!("CARGO_PKG_VERSION")),
            String::new()
        )
    );
}

#[test]
fn the_readme_shows_the_options_as_they_are() {
    let readme = fs::read_to_string(crate::support::root().join("README.md")).expect("the README");
    let help = Gcwatch::new(["-h"]).run().stdout();
    let options =
        &help[help.find("Options:").expect("options")..help.find("Example:").expect("an example")];
    assert!(
        readme.contains(options.trim_end()),
        "the README lacks: {options}"
    );
}

#[test]
fn each_option_has_an_environment_twin_and_the_command_line_wins() {
    let leak = trace((0..12).map(|cycle| 3 + cycle * 2));
    let gate = |options: &[&str]| {
        let gcwatch = Gcwatch::new(["--from", "-"].iter().chain(options)).input(leak.clone());
        gcwatch
            .env("GCWATCH_RULE", "strict")
            .env("GCWATCH_ON_LEAK", "fail")
    };
    gate(&[]).run().exits(23);
    gate(&["--on-leak", "report"]).run().exits(0);
    gate(&[])
        .env("GCWATCH_LEAK_EXIT_CODE", "42")
        .run()
        .exits(42);
    gate(&[])
        .env("GCWATCH_QUIET", "1")
        .run()
        .exits(23)
        .says_only("");
    gate(&[]).env("GCWATCH_CYCLES", "50").run().exits(0);
    let help = Gcwatch::new(["--help"]).run().stdout();
    let options = help.lines().filter_map(|line| {
        line.trim_start()
            .trim_start_matches("-q, ")
            .strip_prefix("--")
    });
    let mut count = 0;
    for option in options {
        let name: String = option
            .chars()
            .take_while(|letter| letter.is_ascii_lowercase() || *letter == '-')
            .collect();
        if !["help", "version"].contains(&name.as_str()) {
            let twin = format!("[env: GCWATCH_{}=", name.to_uppercase().replace('-', "_"));
            assert!(help.contains(&twin), "no {twin} in the help");
            count += 1;
        }
    }
    // As many as `-h` lists, besides --help and --version.
    let short = Gcwatch::new(["-h"]).run().stdout();
    let listed = short.lines().filter(|line| {
        let option = line.trim_start().trim_start_matches("-q, ");
        line.starts_with("  ") && option.starts_with("--")
    });
    assert_eq!(count, listed.count());
}

#[test]
fn a_log_that_cannot_be_read_is_said_in_one_line() {
    let way_out = "`--from` wants a saved stderr, or `-` for standard input";
    refuses(
        ["--from", "no-such-log"],
        &format!("cannot read `no-such-log`: no such file or directory; {way_out}"),
    );
    refuses(
        ["--from", "src"],
        &format!("cannot read `src`: is a directory; {way_out}"),
    );
    // Root may read any file, but nobody may read a process at address zero.
    refuses(
        ["--from", "/proc/self/mem"],
        &format!("cannot read `/proc/self/mem`: input/output error; {way_out}"),
    );
}

#[test]
fn an_empty_log_is_inconclusive() {
    let done = Gcwatch::new(["--from", "/dev/null"]).run().exits(0);
    let reason =
        "no GC cycle seen: did the Go program run with GODEBUG=gctrace=1, and long enough?";
    assert_eq!(
        done.last_line(),
        format!("gcwatch: SUMMARY: inconclusive: {reason}")
    );
    Gcwatch::new(["--from", "/dev/null", "--on-leak", "fail"])
        .run()
        .exits(24);
}

#[test]
fn a_hundred_megabytes_of_random_bytes_come_out_as_they_went_in() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let log = folder.path().join("log");
    let mut file = fs::File::create(&log).expect("a file");
    // A xorshift: what matters is that no byte follows from the one before.
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    let mut chunk = Vec::with_capacity(1 << 20);
    for _ in 0..100 {
        chunk.clear();
        for _ in 0..(1 << 17) {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            chunk.extend_from_slice(&state.to_le_bytes());
        }
        file.write_all(&chunk).expect("room for 100 MB");
    }
    drop(file);
    let done = Gcwatch::new([option("from", &log), "--echo".into()])
        .run()
        .exits(0);
    assert!(
        done.stdout == fs::read(&log).expect("the log"),
        "echoed bytes differ"
    );
    done.says("0 GC cycles")
        .says("SUMMARY: inconclusive: no GC cycle seen");
}

#[test]
fn a_report_that_cannot_be_written_is_said_once_and_the_run_goes_on() {
    let complaint =
        "gcwatch: cannot write `/no/such/x`: no such file or directory; the run goes on without it";
    for option in ["--json", "--jsonl", "--junit", "--trace-file"] {
        let options = ["-q", option, "/no/such/x"];
        let done = Gcwatch::new(options)
            .script("echo text >&2")
            .run()
            .exits(125);
        assert_eq!(done.stderr(), format!("{complaint}\ntext\n"));
        Gcwatch::new(options).script("exit 3").run().exits(3);
        let options = ["-q", option, "/no/such/x", "--from", "-"];
        Gcwatch::new(options)
            .input(trace([3, 4]))
            .run()
            .exits(125)
            .says_only(complaint);
    }
    let full = Gcwatch::new(["-q", "--jsonl", "/dev/full", "--from", "-"])
        .input(trace([3, 4, 5]))
        .run()
        .exits(125);
    full.says_only(
        "gcwatch: cannot write `/dev/full`: no space left on device; the run goes on without it",
    );
}
