//! The command line. Each option's text is its manual: the first line for `-h`, all of it for `--help`.

mod check;
mod config;
mod names;
mod test_binary;

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::builder::FalseyValueParser;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{CommandFactory, Parser};

pub use self::config::{Config, Github, Outputs, Source, Stderr};
use self::names::{GithubName, OnInconclusiveName, OnLeakName, ReadingName, RuleName, StderrName};
use crate::error::Error;
use crate::size::Size;
use crate::watcher::ProfileUrl;

/// Runs a Go program, watches its live heap, and says whether it leaks memory.
///
/// gcwatch adds gctrace=1 to GODEBUG, takes the GC trace lines out of the command's stderr, and passes all else through
/// unchanged. It flags a leak when the floor of the live heap, the lowest that it comes down to in a window of GC cycles, rises
/// across N windows in a row. No change to the program is needed.
#[derive(Debug, Parser)]
#[command(
    version,
    override_usage = "gcwatch [OPTIONS] -- COMMAND [ARG]...\n       gcwatch [OPTIONS] --from FILE",
    after_help = "Example: gcwatch --on-leak fail --for 2m -- ./myservice",
    after_long_help = AFTER_LONG_HELP,
    max_term_width = 100
)]
pub struct Args {
    /// Rises in a row that make a leak
    ///
    /// Fewer find a leak sooner and cry wolf more often. From 2 to 100. Example: `--cycles 8`.
    #[arg(long, value_name = "N", env = "GCWATCH_CYCLES", default_value_t = 6, value_parser = clap::value_parser!(u32).range(2..=100))]
    cycles: u32,

    /// What counts as a rise
    ///
    /// `floor`: the lowest live heap of each of N windows is higher than the one before; a window is as many cycles as the
    /// noise needs. `strict`: the live heap of every one of N cycles in a row is higher than the one before, and nothing
    /// else is asked; flagged once is flagged.
    #[arg(long, value_enum, env = "GCWATCH_RULE", default_value_t = RuleName::Floor)]
    rule: RuleName,

    /// How long a rise must last (rule floor)
    ///
    /// At the end of the run, that is. While the program runs a rise has to last up to four times as long, the longer the
    /// more of the heap it made: a start that fills caches multiplies the heap. Raise this where that takes minutes.
    /// Example: `--min-span 40s`.
    #[arg(long, value_name = "DURATION", env = "GCWATCH_MIN_SPAN", default_value = "20s", value_parser = duration)]
    min_span: Duration,

    /// How much the floor must rise (rule floor), and by a tenth of the heap at least
    ///
    /// The trace counts whole MiB: below six of them little can be said from it. A smaller rise is looked for to the byte,
    /// where the program's memory may be read (not with `--culprit off`). Example: `--min-rise 1MiB`.
    #[arg(
        long,
        value_name = "SIZE",
        env = "GCWATCH_MIN_RISE",
        default_value = "6MiB"
    )]
    min_rise: Size,

    /// Judge no cycle that began earlier than this after the program's start
    ///
    /// They are counted and reported all the same. For caches that fill and pools that grow at the start. Example: `--warmup 1m`.
    #[arg(long, value_name = "DURATION", env = "GCWATCH_WARMUP", default_value = "0s", value_parser = duration)]
    warmup: Duration,

    /// What the forecast counts down to [default: GOMEMLIMIT, else the cgroup's memory.max]
    ///
    /// With a growth rate known, gcwatch says when the live heap will reach this. Example: `--limit 512MiB`.
    #[arg(long, value_name = "SIZE", env = "GCWATCH_LIMIT")]
    limit: Option<Size>,

    /// A budget: a live heap above it is a leak verdict
    ///
    /// For services whose size is known. Cycles of the warm-up do not count. Example: `--max-live 200MiB`.
    #[arg(long, value_name = "SIZE", env = "GCWATCH_MAX_LIVE")]
    max_live: Option<Size>,

    /// What a leak does
    ///
    /// `report`: it is said, and gcwatch exits as the command did. `fail`: gcwatch exits 23 at the end. `stop`: the command
    /// is ended at once, then gcwatch exits 23.
    #[arg(long, value_enum, value_name = "ACTION", env = "GCWATCH_ON_LEAK", default_value_t = OnLeakName::Report)]
    on_leak: OnLeakName,

    /// What an inconclusive run does, with `--on-leak fail` or `stop`
    ///
    /// `fail`: gcwatch exits 24. A run without any GC cycle always does there: a gate that measured nothing has not passed.
    #[arg(long, value_enum, value_name = "ACTION", env = "GCWATCH_ON_INCONCLUSIVE", default_value_t = OnInconclusiveName::Pass)]
    on_inconclusive: OnInconclusiveName,

    #[expect(clippy::doc_markdown, reason = "the help shows it as it stands")]
    /// The exit code of a leak, with `--on-leak fail` or `stop`
    ///
    /// The default is LeakSanitizer's own. From 1 to 255. Example: `--leak-exit-code 99`.
    #[arg(long, value_name = "N", env = "GCWATCH_LEAK_EXIT_CODE", default_value_t = 23, value_parser = clap::value_parser!(u8).range(1..))]
    leak_exit_code: u8,

    /// End the command after this long, then judge
    ///
    /// It gets SIGTERM, and that counts as its success. Give a service a minute or more of load: what rises for less than
    /// `--min-span` is no leak yet. Example: `--for 2m`.
    #[arg(long = "for", value_name = "DURATION", env = "GCWATCH_FOR", value_parser = duration)]
    run_for: Option<Duration>,

    /// Run this beside the command; when it ends, end the command, then judge
    ///
    /// A load or a test, given to `sh -c`. It reads nothing, and what it prints goes to stderr; if it fails, gcwatch exits
    /// as it did. If the command ends first, it gets SIGTERM. Example: `--while 'hey -z 2m http://localhost:8080/'`.
    #[arg(long = "while", value_name = "COMMAND", env = "GCWATCH_WHILE")]
    beside: Option<OsString>,

    /// SIGKILL the command if it still runs this long after a SIGTERM of gcwatch's
    ///
    /// Only for a stop that gcwatch asked for (`--for`, `--while`, `--on-leak stop`). Example: `--kill-after 30s`.
    #[arg(long, value_name = "DURATION", env = "GCWATCH_KILL_AFTER", default_value = "10s", value_parser = duration)]
    kill_after: Duration,

    /// What the command gets as its stderr
    ///
    /// `auto`: a terminal where gcwatch's own stderr is one, so that colours stay, and a pipe otherwise. `pipe`: always a
    /// pipe, on which torn trace lines are put together best. `pty`: always a terminal, where one can be had.
    #[arg(long, value_enum, env = "GCWATCH_STDERR", default_value_t = StderrName::Auto)]
    stderr: StderrName,

    /// Name the lines of code that allocated what grew
    ///
    /// From the heap profile in the program's memory. `auto`: it is read where the program samples its heap anyway, as all do
    /// that import runtime/pprof or net/http/pprof. `on`: elsewhere sampling is switched on, from the start, by setting
    /// runtime.MemProfileRate in its memory. `off`: nothing is opened. Example: `--culprit on`.
    #[arg(long, value_enum, value_name = "WHEN", env = "GCWATCH_CULPRIT", default_value_t = ReadingName::Auto)]
    culprit: ReadingName,

    /// One sample for so much allocated memory, with `--culprit on` [default: 128KiB]
    ///
    /// Less is more exact and costs more: 2 to 7 us a sample, the deeper its stack the more. Where no
    /// size is given and more than 1000 samples come in a second of CPU time, half as many are taken from then on, or a quarter,
    /// and so on: so they cost less than 1 %. A rate that the program has already is left alone. Example: `--sample-rate 32KiB`.
    #[arg(long, value_name = "SIZE", env = "GCWATCH_SAMPLE_RATE")]
    sample_rate: Option<Size>,

    /// Write the heap profiles of the beginning and the end of the rise into this folder
    ///
    /// As `go tool pprof` reads them; the command that compares them is printed. Example: `--profile-out profiles`.
    #[arg(long, value_name = "DIR", env = "GCWATCH_PROFILE_OUT")]
    profile_out: Option<PathBuf>,

    /// Read the heap profile that the program serves there (net/http/pprof), instead of its memory
    ///
    /// For programs whose memory cannot be read. Example: `--pprof http://localhost:6060`.
    #[arg(long, value_name = "URL", env = "GCWATCH_PPROF")]
    pprof: Option<ProfileUrl>,

    /// Judge a saved stderr; `-` reads standard input
    ///
    /// What a program printed under GODEBUG=gctrace=1, with or without its other output, also as docker, kubectl,
    /// journalctl and syslog keep it, and gzipped. A log that still grows is judged live through a pipe:
    /// `tail -f service.log | gcwatch --from -`. Example: `--from service.log`.
    #[arg(long, value_name = "FILE", env = "GCWATCH_FROM")]
    from: Option<PathBuf>,

    /// With `--from`: pass the text that is no trace through to stdout
    ///
    /// Lines come out as they stand in the log, with what a collector has put before them; out of docker's JSON comes the
    /// program's own text. Example: `gcwatch --from service.log --echo >without-trace.log`.
    #[arg(long, env = "GCWATCH_ECHO", value_parser = FalseyValueParser::new())]
    echo: bool,

    /// Write the trace lines here, reassembled, as the runtime wrote them
    ///
    /// The file can be judged again: `--from FILE`.
    #[arg(long, value_name = "FILE", env = "GCWATCH_TRACE_FILE")]
    trace_file: Option<PathBuf>,

    /// Write the summary here at the end, as one JSON object; `-` (stdout) only with `--from`
    ///
    /// The verdict and its reason, the figures of each process, its flags, the lines that leak. A later run may be compared
    /// with it: `--baseline`. Example: `--json gcwatch.json`.
    #[arg(long, value_name = "FILE", env = "GCWATCH_JSON")]
    json: Option<PathBuf>,

    /// Write every event here as it happens, one JSON object a line
    ///
    /// The start, each cycle, each flag and its withdrawal, and how it ended. Example: `--jsonl gcwatch.jsonl`.
    #[arg(long, value_name = "FILE", env = "GCWATCH_JSONL")]
    jsonl: Option<PathBuf>,

    #[expect(clippy::doc_markdown, reason = "the help shows it as it stands")]
    /// Write the verdicts here at the end, as a JUnit test suite
    ///
    /// For CI systems that show test results: a test case for each Go process, which fails where it leaks or goes over its
    /// budget, with the table of the lines that leak in it. An inconclusive one fails only where it fails the run
    /// (`--on-inconclusive fail`). Example: `--junit gcwatch.xml`.
    #[arg(long, value_name = "FILE", env = "GCWATCH_JUNIT")]
    junit: Option<PathBuf>,

    /// Annotations and a step summary for GitHub Actions
    ///
    /// At the end of the run the verdict and the lines that leak are written to stderr as workflow commands, which GitHub
    /// shows beside the code, and a page with the figures and tables goes to the step's summary. `auto`: where GitHub Actions
    /// runs gcwatch. `always`: elsewhere, too. With `--quiet` there is the page only.
    #[arg(long, value_enum, value_name = "WHEN", env = "GCWATCH_GITHUB", default_value_t = GithubName::Auto)]
    github: GithubName,

    /// Compare with an earlier run's `--json`: more growth, or a higher floor, is a leak verdict
    ///
    /// The earlier run is one of the version that is good, with the same load and as long: what rises faster, or keeps more
    /// than `--max-regression` more, is a regression. Example: `--baseline main.json`.
    #[arg(long, value_name = "FILE", env = "GCWATCH_BASELINE")]
    baseline: Option<PathBuf>,

    /// With `--baseline`: how much more growth, and how much higher a floor, is allowed
    ///
    /// In percent, and half of `--min-rise` at least, so that no small heap fails by rounding. Example: `--max-regression 25`.
    #[arg(long, value_name = "PERCENT", env = "GCWATCH_MAX_REGRESSION", default_value_t = 10, value_parser = clap::value_parser!(u32).range(0..=1000))]
    max_regression: u32,

    /// With the verdict, say how it came about
    ///
    /// The windows and floors behind it, and how far they met each condition of the rule; where nothing was flagged, the
    /// nearest that the rule came to it, and which condition stopped it.
    #[arg(long, env = "GCWATCH_EXPLAIN", value_parser = FalseyValueParser::new())]
    explain: bool,

    /// For the test binaries that `go test` runs: reports go to this folder, each named for its binary
    #[arg(long, value_name = "DIR", hide = true)]
    test_reports_in: Option<PathBuf>,

    /// Write nothing of gcwatch's own to stderr but errors
    ///
    /// What the command writes passes as always. The verdict is in the exit status (`--on-leak fail`) and in the reports.
    #[arg(short, long, env = "GCWATCH_QUIET", value_parser = FalseyValueParser::new())]
    quiet: bool,

    /// The Go program and its arguments
    #[arg(last = true, value_name = "COMMAND")]
    command: Vec<OsString>,
}

const AFTER_LONG_HELP: &str = "\
Sizes are written as in GOMEMLIMIT (64MiB, 1GiB, 1048576), durations as in Go (90s, 5m, 1h30m, 250ms).
Each option has an environment twin, GCWATCH_ and its name in capitals (GCWATCH_ON_LEAK=fail); the command line wins.
Messages are coloured on a terminal, unless NO_COLOR is set.
GCWATCH_LOG=debug shows what gcwatch itself does.

Exit status, the first that applies:
  125      gcwatch itself failed or was misused
  126/127  COMMAND cannot be run / is not found
  COMMAND's own, where it failed by itself; the same signal where it died of one
  that of --while, where its command failed by itself
  23       verdict leak, with --on-leak fail or stop (--leak-exit-code)
  24       verdict inconclusive, with --on-inconclusive fail; or no GC cycle (--on-leak fail or stop)
  137      COMMAND did not end when gcwatch asked it to, and was killed
  0        anything else

Examples:
  gcwatch -- ./myservice                               watch it, and end as it ends
  gcwatch --on-leak fail --for 2m -- ./myservice       a leak gate for CI
  GODEBUG=gctrace=1 timeout 60 ./myservice 2>log; gcwatch --from log
                                                       judge a stderr that was saved";

/// What the command line asks for.
#[derive(Debug)]
pub enum Asked {
    /// A run.
    Run(Box<Config>),
    /// A text on stdout: help or version.
    Text(clap::builder::StyledStr),
}

/// Reads a command line.
pub fn parse(args: impl IntoIterator<Item = OsString>) -> Result<Asked, Error> {
    let args: Vec<OsString> = args.into_iter().collect();
    let short = args.iter().any(|arg| arg == "-h");
    match Args::try_parse_from(args) {
        Ok(args) => args
            .of_test_binary()
            .check()
            .map(|config| Asked::Run(Box::new(config))),
        Err(error) => match error.kind() {
            ErrorKind::DisplayHelp if short => Ok(Asked::Text(short_help())),
            ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => Ok(Asked::Text(error.render())),
            _ => Err(Error::Usage(one_line(&error))),
        },
    }
}

/// The options at a glance, without their environment twins.
fn short_help() -> clap::builder::StyledStr {
    Args::command()
        .mut_args(|arg| arg.hide_env(true))
        .render_help()
}

/// Reads a duration as Go writes it.
fn duration(text: &str) -> Result<Duration, &'static str> {
    humantime::parse_duration(text)
        .map_err(|_| "a duration is a number and a unit, like `90s`, `5m`, `1h30m` or `250ms`")
}

/// clap's message in one line: the error itself and what clap would try, without the usage.
fn one_line(error: &clap::Error) -> String {
    let told = error.render().to_string();
    let first = told
        .lines()
        .next()
        .unwrap_or_default()
        .trim_start_matches("error: ");
    if let (ErrorKind::UnknownArgument, Some(ContextValue::String(argument))) =
        (error.kind(), error.get(ContextKind::InvalidArg))
        && !argument.starts_with('-')
    {
        return format!("{first}; the command goes behind `--`, as in `gcwatch -- {argument}`");
    }
    let lines = told
        .lines()
        .skip(1)
        .map(str::trim)
        .filter(|line| !line.is_empty());
    let hints = lines.take_while(|line| {
        !line.starts_with("Usage:") && !line.starts_with("For more information")
    });
    std::iter::once(first)
        .chain(hints)
        .collect::<Vec<_>>()
        .join("; ")
}
