//! The `gcwatch` program: reads the command line, runs, says what failed, ends.

use std::ffi::OsString;
use std::io::Write;
use std::process::ExitCode;

use gcwatch::cli::{self, Asked, Config, Source};
use gcwatch::detector::Baseline;
use gcwatch::error::Error;
use gcwatch::exit::{Exit, FAILED};
use gcwatch::gate::OnLeak;
use gcwatch::go_tool::{self, GoTool};
use gcwatch::{baseline, replay, supervisor};

fn main() -> ExitCode {
    log_if_asked();
    // Rust's own code for a panic is 101, which is a command's to use.
    match std::panic::catch_unwind(run).unwrap_or(Ok(Exit::Code(FAILED))) {
        Ok(Exit::Code(code)) => ExitCode::from(code),
        Ok(Exit::Signal(signal)) => {
            supervisor::end_by(signal);
            // The signal did not end us, as none does to PID 1: what a shell would say of it.
            ExitCode::from(u8::try_from(128 + signal).unwrap_or(FAILED))
        }
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "gcwatch: {error}");
            ExitCode::from(error.exit_code())
        }
    }
}

fn run() -> Result<Exit, Error> {
    match cli::parse(std::env::args_os())? {
        Asked::Run(mut config) => {
            // Before the command starts: a gate that cannot measure must not run at all.
            if let Some((path, max_regression)) = &config.baseline {
                config.detector.baseline = Some(Baseline {
                    trend: baseline::read(path)?,
                    max_regression: *max_regression,
                });
            }
            match &config.source {
                Source::Command(command) => run_command(&config, command),
                Source::Log(path) => replay::run(&config, path),
            }
        }
        Asked::Text(text) => {
            // A reader that closed the pipe early has seen enough.
            let _ = write!(anstream::stdout(), "{}", text.ansi());
            Ok(Exit::Code(0))
        }
    }
}

/// Runs a command; the go tool takes our place, and runs us again where it runs a program.
fn run_command(config: &Config, command: &[OsString]) -> Result<Exit, Error> {
    // Any other command needs no /proc to be run.
    if !go_tool::is_go(command) {
        return supervisor::run(config, command);
    }
    let here = Error::plumbing("look where this is");
    let ours = std::env::args_os().skip(1).take_while(|word| word != "--");
    let wrapper: Vec<OsString> = std::iter::once(std::env::current_exe().map_err(&here)?.into())
        .chain(ours)
        .collect();
    let folder = std::env::current_dir().unwrap_or_default();
    match go_tool::look(command, &wrapper, &folder)? {
        None => supervisor::run(config, command),
        Some(GoTool::Runs(line)) => Err(supervisor::replace_by(&line)),
        Some(GoTool::RunsNothing(subcommand)) => {
            let what = format!("`go {subcommand}` runs no program to watch");
            if config.gate.on_leak != OnLeak::Report {
                return Err(Error::Usage(format!(
                    "{what}, so `--on-leak` has nothing to judge"
                )));
            }
            if !config.outputs.quiet {
                let _ = writeln!(
                    std::io::stderr(),
                    "gcwatch: {what}: it runs as if without gcwatch"
                );
            }
            Err(supervisor::replace_by(command))
        }
    }
}

/// Shows what gcwatch itself does, on stderr, where `GCWATCH_LOG` names a level.
fn log_if_asked() {
    let level = std::env::var("GCWATCH_LOG")
        .ok()
        .and_then(|level| level.parse::<tracing::Level>().ok());
    if let Some(level) = level {
        let colours =
            anstream::AutoStream::choice(&std::io::stderr()) != anstream::ColorChoice::Never;
        tracing_subscriber::fmt()
            .with_max_level(level)
            .with_ansi(colours)
            .with_writer(std::io::stderr)
            .init();
    }
}
