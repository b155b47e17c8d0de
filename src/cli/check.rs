//! Which options make sense together.

use std::path::PathBuf;

use super::Args;
use super::config::{Config, Outputs, Source};
use super::names::{ReadingName, RuleName};
use crate::detector::DetectorConfig;
use crate::error::Error;
use crate::gate::Gate;
use crate::size::Size;
use crate::watcher::{Naming, ProfileUrl};

impl Args {
    /// What the options come to, or what is wrong with them.
    pub(super) fn check(self) -> Result<Config, Error> {
        self.check_source()?;
        self.check_beside()?;
        self.check_files()?;
        if self.baseline.is_some() && matches!(self.rule, RuleName::Strict) {
            return usage(
                "`--baseline` compares floors, which `--rule strict` has none of: leave one of the two out",
            );
        }
        let naming = naming(self.culprit, self.sample_rate, self.profile_out, self.pprof)?;
        Ok(Config {
            source: match self.from {
                Some(path) => Source::Log(path),
                None => Source::Command(self.command),
            },
            detector: DetectorConfig {
                rule: self.rule.into(),
                cycles: self.cycles,
                min_span: self.min_span,
                min_rise: self.min_rise,
                warmup: self.warmup,
                max_live: self.max_live,
                ..DetectorConfig::default()
            },
            baseline: self
                .baseline
                .map(|path| (path, f64::from(self.max_regression))),
            gate: Gate {
                on_leak: self.on_leak.into(),
                on_inconclusive: self.on_inconclusive.into(),
            },
            leak_exit_code: self.leak_exit_code,
            limit: self.limit,
            run_for: self.run_for,
            beside: self.beside,
            kill_after: self.kill_after,
            stderr: self.stderr.into(),
            naming,
            outputs: Outputs {
                trace_file: self.trace_file,
                json: self.json,
                jsonl: self.jsonl,
                junit: self.junit,
                github: self.github.into(),
                echo: self.echo,
                explain: self.explain,
                quiet: self.quiet,
            },
        })
    }

    /// Whether there is one thing to watch.
    fn check_source(&self) -> Result<(), Error> {
        match (&self.from, &self.command[..]) {
            (Some(_), [_, ..]) => {
                usage("`--from` judges a saved log and runs no command: leave one of the two out")
            }
            (None, []) => usage(
                "there is nothing to watch: write `gcwatch -- COMMAND`, or `gcwatch --from FILE`",
            ),
            (Some(_), []) if self.beside.is_some() => usage(
                "`--while` runs beside a command, and `--from` runs none: leave one of the two out",
            ),
            _ => Ok(()),
        }
    }

    /// Whether there is something to run beside the command.
    fn check_beside(&self) -> Result<(), Error> {
        if self.beside.as_ref().is_some_and(|beside| beside.is_empty()) {
            return usage("`--while` wants a command, as in `--while './load.sh'`");
        }
        Ok(())
    }

    /// Whether what is written does not get into the way of the command's output or of each other.
    fn check_files(&self) -> Result<(), Error> {
        let has_command = !self.command.is_empty();
        let is_stdout =
            |path: &Option<PathBuf>| path.as_ref().is_some_and(|path| path.as_os_str() == "-");
        if self.echo && has_command {
            return usage(
                "`--echo` works only with `--from`: the text of a command goes to stderr anyway",
            );
        }
        if is_stdout(&self.json) && has_command {
            return usage(
                "`--json -` works only with `--from`, since stdout is the command's: name a file",
            );
        }
        if is_stdout(&self.json) && self.echo {
            return usage("`--json -` and `--echo` both want stdout: name a file for one of them");
        }
        if [&self.jsonl, &self.trace_file, &self.junit]
            .into_iter()
            .any(is_stdout)
        {
            return usage(
                "`--jsonl`, `--junit` and `--trace-file` want a file, not `-`: use `/dev/stdout` if you mean it",
            );
        }
        Ok(())
    }
}

fn usage<T>(text: &str) -> Result<T, Error> {
    Err(Error::Usage(text.into()))
}

/// How to name the lines that leak, where what was asked for can be done.
fn naming(
    culprit: ReadingName,
    sample_rate: Option<Size>,
    profile_out: Option<PathBuf>,
    served: Option<ProfileUrl>,
) -> Result<Naming, Error> {
    if culprit == ReadingName::Off && served.is_some() {
        return usage(
            "`--pprof` reads a heap profile and `--culprit off` none: leave one of the two out",
        );
    }
    if culprit == ReadingName::Off && profile_out.is_some() {
        return usage(
            "`--profile-out` writes heap profiles and `--culprit off` reads none: leave one of the two out",
        );
    }
    if sample_rate.is_some_and(|rate| rate.bytes() == 0) {
        return usage(
            "`--sample-rate 0` samples nothing: give a size from 1 on, or `--culprit off`",
        );
    }
    Ok(Naming {
        reading: culprit.into(),
        sample_rate: sample_rate.map(Size::bytes),
        profile_out,
        served,
    })
}
