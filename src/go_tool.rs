//! `go` as the command: what is to be watched is the program that it builds and runs, not the tool.
//!
//! With the trace on, the tool and the compiler would trace themselves, and what the compiler prints is kept in the build
//! cache and printed again later (golang/go#51561). So the tool is started as it is, and runs the program with gcwatch
//! (`go help run`, `-exec`).

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::Path;

use crate::error::Error;

/// A command line of the go tool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GoTool {
    /// It runs a program: the command line by which that is watched.
    Runs(Vec<OsString>),
    /// It runs none that could be watched: the subcommand.
    RunsNothing(String),
}

/// Whether a command is the go tool, by its name.
pub fn is_go(command: &[OsString]) -> bool {
    let program = command.first().map(Path::new);
    program.and_then(Path::file_name) == Some(OsStr::new("go"))
}

/// Whether a command is the go tool; if so, what becomes of it. `wrapper` is gcwatch and its options, `folder` the one it
/// was started in.
pub fn look(
    command: &[OsString],
    wrapper: &[OsString],
    folder: &Path,
) -> Result<Option<GoTool>, Error> {
    let Some((program, arguments)) = command.split_first().filter(|_| is_go(command)) else {
        return Ok(None);
    };
    // `-C DIR` is the only flag before a subcommand (Go 1.20).
    let at = match arguments.first() {
        Some(flag) if flag == "-C" => 2,
        Some(flag) if flag.as_bytes().starts_with(b"-C=") => 1,
        _ => 0,
    };
    let subcommand = arguments.get(at).map(|word| word.to_string_lossy());
    let tests = match subcommand.as_deref() {
        Some("run") => false,
        Some("test") => true,
        other => return Ok(Some(GoTool::RunsNothing(other.unwrap_or_default().into()))),
    };
    let (before, behind) = arguments.split_at(at + 1);
    let theirs = |word: &&OsString| {
        [&b"-exec"[..], b"--exec"].iter().any(|flag| {
            let rest = word.as_bytes().strip_prefix(*flag);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(b"="))
        })
    };
    if behind
        .iter()
        .take_while(|word| *word != "-args")
        .any(|word| theirs(&word))
    {
        return Err(Error::Usage(
            "`go` takes one `-exec`, and gcwatch needs it to watch the program: leave yours out"
                .into(),
        ));
    }
    let mut exec = wrapper.to_vec();
    if tests {
        exec.insert(1, "--test-reports-in".into());
        exec.insert(2, folder.into());
    }
    exec.push("--".into());
    let mut line = vec![program.clone()];
    line.extend_from_slice(before);
    line.extend(["-exec".into(), quoted(&exec)?]);
    line.extend_from_slice(behind);
    Ok(Some(GoTool::Runs(line)))
}

/// Words in one, as the go tool takes them apart (`cmd/internal/quoted`): quotes of either kind, and no escapes in them.
fn quoted(words: &[OsString]) -> Result<OsString, Error> {
    let mut line = Vec::new();
    for word in words {
        let word = word.as_bytes();
        let quote = match (word.contains(&b'\''), word.contains(&b'"')) {
            (true, true) => {
                return Err(Error::Usage(format!(
                    "`go` cannot be given `{}`, which has quotes of both kinds: set it in the environment (`GCWATCH_...`)",
                    String::from_utf8_lossy(word)
                )));
            }
            (true, false) => b'"',
            (false, _) => b'\'',
        };
        if !line.is_empty() {
            line.push(b' ');
        }
        line.push(quote);
        line.extend_from_slice(word);
        line.push(quote);
    }
    Ok(OsString::from_vec(line))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<OsString> {
        line.split_whitespace().map(OsString::from).collect()
    }

    fn becomes(line: &str) -> Option<GoTool> {
        let wrapper = words("/bin/gcwatch --for 2m");
        look(&words(line), &wrapper, Path::new("/here")).expect("it can be done")
    }

    #[test]
    fn a_program_that_go_runs_is_run_by_gcwatch() {
        for (line, before) in [
            ("go run -race ./x -exec-not", "go run"),
            (
                "/usr/bin/go -C dir run -race ./x -exec-not",
                "/usr/bin/go -C dir run",
            ),
        ] {
            let mut expected = words(before);
            expected.extend(["-exec".into(), "'/bin/gcwatch' '--for' '2m' '--'".into()]);
            expected.extend(words("-race ./x -exec-not"));
            assert_eq!(becomes(line), Some(GoTool::Runs(expected)));
        }
        let Some(GoTool::Runs(line)) = becomes("go test ./...") else {
            panic!("tests are run");
        };
        assert_eq!(
            line[3],
            "'/bin/gcwatch' '--test-reports-in' '/here' '--for' '2m' '--'"
        );
    }

    #[test]
    fn other_subcommands_run_nothing() {
        for (line, subcommand) in [
            ("go build ./...", "build"),
            ("go", ""),
            ("go -C=x vet", "vet"),
        ] {
            assert_eq!(
                becomes(line),
                Some(GoTool::RunsNothing(subcommand.into())),
                "{line}"
            );
        }
        assert_eq!(becomes("gofmt run"), None);
        assert_eq!(becomes("./mygo run"), None);
    }

    #[test]
    fn a_second_exec_and_what_cannot_be_quoted_are_refused() {
        for line in ["go run -exec sudo .", "go test -exec=sudo ."] {
            assert!(look(&words(line), &words("gcwatch"), Path::new("/")).is_err());
        }
        let both = ["gcwatch".into(), "--while=echo \"it's\"".into()];
        assert!(look(&words("go run ."), &both, Path::new("/")).is_err());
    }
}
