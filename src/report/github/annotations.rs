//! Annotations: workflow commands on stderr, which GitHub Actions takes out of a step's output and shows beside the code.

use std::fmt::Write as _;
use std::io;

use super::super::Reporter;
use super::super::culprits::sentence;
use super::{InCheckout, Level, Spot, leaking, level, withdrawn, word};
use crate::culprit::growth::Culprit;
use crate::exit::Exit;
use crate::gate::Gate;
use crate::summary::Summary;

/// So many lines that leak are annotated. GitHub shows ten annotations of a kind for each step, and others want some, too.
const MOST_CULPRITS: usize = 5;

/// So many callers are named of each.
const MOST_CALLERS: usize = 5;

/// GitHub cuts a message there (actions/runner, `ExecutionContext.cs`, `_maxIssueMessageLength`).
const LONGEST_MESSAGE: usize = 4096;

/// GitHub takes no longer title (REST API, check runs).
const LONGEST_TITLE: usize = 255;

/// Writes an annotation for the verdict, and one for each of the lines that hold the growth.
pub struct Annotations<W> {
    out: W,
    gate: Gate,
    subject: String,
    in_checkout: InCheckout,
}

impl<W: io::Write> Annotations<W> {
    /// Annotations to `out`, which GitHub reads line by line, on `subject`: the name of the program or of the log.
    pub fn new(out: W, gate: Gate, subject: String, in_checkout: InCheckout) -> Self {
        Self {
            out,
            gate,
            subject,
            in_checkout,
        }
    }

    fn culprit(&self, culprit: &Culprit, level: Level) -> String {
        let mut message = sentence(culprit, true);
        for caller in culprit.site.path.iter().skip(1).take(MOST_CALLERS) {
            let _ = write!(message, "\ncalled by {caller}");
        }
        let mut line = Line::new(level, format!("gcwatch: {}", self.subject));
        if let Some(place) = culprit.site.blamed() {
            match Spot::of(place, &self.in_checkout) {
                Spot::Checkout(file) => {
                    line.file = Some(file);
                    line.number = place.line;
                }
                Spot::Elsewhere => {
                    let _ = write!(message, "\n{} is not a file of this checkout", place.file);
                }
            }
        }
        line.to_string(&message)
    }
}

impl<W: io::Write> Reporter for Annotations<W> {
    fn finish(&mut self, summary: &Summary, _exit: Exit) -> io::Result<()> {
        let Some(level) = level(summary, self.gate) else {
            return Ok(());
        };
        let processes = leaking(summary);
        let mut message = summary.reason();
        let withdrawn = withdrawn(summary).filter(|_| processes.is_empty());
        let has_culprits = processes
            .iter()
            .any(|process| !process.finding.culprits.is_empty());
        let notes = processes
            .iter()
            .filter_map(|process| process.finding.note.as_ref());
        let note = notes.take(1).filter(|_| !has_culprits);
        for more in withdrawn.iter().chain(note) {
            let _ = write!(message, "\n{more}");
        }
        let title = format!("gcwatch: {}: {}", word(summary), self.subject);
        writeln!(self.out, "{}", Line::new(level, title).to_string(&message))?;
        let mut named = Vec::new();
        for culprit in processes
            .iter()
            .flat_map(|process| &process.finding.culprits)
        {
            // Several processes of one program leak at the same lines.
            let place = culprit.site.blamed();
            if named.len() < MOST_CULPRITS && !named.contains(&place) {
                named.push(place);
                writeln!(self.out, "{}", self.culprit(culprit, level))?;
            }
        }
        self.out.flush()
    }
}

/// A workflow command: `::error file=cart.go,line=41,title=A leak::What it is`.
struct Line {
    level: Level,
    title: String,
    /// In the checkout.
    file: Option<String>,
    /// From 1; 0 where it is not known.
    number: u32,
}

impl Line {
    fn new(level: Level, title: String) -> Self {
        Self {
            level,
            title,
            file: None,
            number: 0,
        }
    }

    fn to_string(&self, message: &str) -> String {
        let mut line = String::from(match self.level {
            Level::Error => "::error ",
            Level::Warning => "::warning ",
            Level::Notice => "::notice ",
        });
        if let Some(file) = &self.file {
            let _ = write!(line, "file={},", property(file));
            if self.number > 0 {
                let _ = write!(line, "line={},", self.number);
            }
        }
        let title = shortened(&self.title, LONGEST_TITLE);
        let message = shortened(message, LONGEST_MESSAGE);
        let _ = write!(line, "title={}::{}", property(&title), data(&message));
        line
    }
}

/// A text in a workflow command, as actions/toolkit has it (`core/src/command.ts`).
fn data(text: &str) -> String {
    text.replace('%', "%25")
        .replace('\r', "%0D")
        .replace('\n', "%0A")
}

/// A value in the list of properties, where colons and commas have a meaning.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

/// So many characters at most.
fn shortened(text: &str, longest: usize) -> String {
    if text.chars().count() <= longest {
        return text.into();
    }
    let kept = text.chars().take(longest - 1);
    kept.chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_a_meaning_in_a_workflow_command_is_escaped() {
        assert_eq!(data("100 %: a, b\r\nc%0A"), "100 %25: a, b%0D%0Ac%250A");
        assert_eq!(property("a:b,c%\n"), "a%3Ab%2Cc%25%0A");
    }

    #[test]
    fn a_command_is_one_line_and_its_file_comes_with_a_line() {
        let mut line = Line::new(Level::Warning, "gcwatch: leak: a, b".into());
        assert_eq!(
            line.to_string("58 %\n::error::no"),
            "::warning title=gcwatch%3A leak%3A a%2C b::58 %25%0A::error::no"
        );
        line.level = Level::Error;
        line.file = Some("a,b/c.go".into());
        assert_eq!(
            line.to_string("x"),
            "::error file=a%2Cb/c.go,title=gcwatch%3A leak%3A a%2C b::x"
        );
        line.number = 41;
        assert!(
            line.to_string("x")
                .starts_with("::error file=a%2Cb/c.go,line=41,title=")
        );
    }

    #[test]
    fn a_text_that_is_too_long_is_cut_between_characters() {
        assert_eq!(shortened("äöü", 3), "äöü");
        assert_eq!(shortened("äöüß", 3), "äö…");
        let line = Line::new(Level::Notice, "t".repeat(1000));
        let line = line.to_string(&"ä".repeat(10_000));
        let (_, message) = line.rsplit_once("::").expect("a message");
        assert_eq!(message.chars().count(), LONGEST_MESSAGE);
    }
}
