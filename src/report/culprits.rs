//! The lines that hold the growth: as JSON, in words, and as a table.

use serde::Serialize;

use crate::culprit::blame::Place;
use crate::culprit::growth::{Culprit, Finding, Grown};
use crate::wording::{count, mib};

/// So many sites of one process are named on stderr.
const MOST_LINES: usize = 4;

/// So many sites of one process are in a table.
const MOST_ROWS: usize = 20;

/// One site.
#[derive(Debug, Serialize)]
pub(super) struct CulpritLine {
    /// The function to blame, with the path of its package.
    function: String,
    /// The name of its file; `path` has the folders too, as the compiler was given them.
    file: String,
    path: String,
    line: u32,
    /// The function that allocated, where it is another one.
    allocated_in: Option<String>,
    /// Null for goroutines.
    growth_bytes: Option<u64>,
    /// How many goroutines more there are; null for the heap.
    growth_goroutines: Option<u64>,
    /// Its part of all growth of its kind, from 0 to 1.
    share: f64,
    share_error: f64,
    /// Sampled objects behind that; null for goroutines, which are counted.
    samples: Option<u64>,
    /// `heap` or `goroutine`.
    kind: &'static str,
    /// The calls that lead there, the blamed line first.
    stack: Vec<String>,
}

impl From<&Culprit> for CulpritLine {
    fn from(culprit: &Culprit) -> Self {
        let site = &culprit.site;
        let (kind, bytes, samples, goroutines) = match culprit.grown {
            Grown::Heap { bytes, samples } => ("heap", Some(whole(bytes)), Some(samples), None),
            Grown::Goroutines(count) => ("goroutine", None, None, Some(count)),
        };
        let blamed = site.blamed();
        Self {
            function: blamed.map_or_else(String::new, |place| place.function.clone()),
            file: blamed.map_or_else(String::new, |place| place.file_name().to_owned()),
            path: blamed.map_or_else(String::new, |place| place.file.clone()),
            line: blamed.map_or(0, |place| place.line),
            allocated_in: site.allocated_in.clone(),
            growth_bytes: bytes,
            growth_goroutines: goroutines,
            share: culprit.share,
            share_error: culprit.share_error,
            samples,
            kind,
            stack: site.path.iter().map(ToString::to_string).collect(),
        }
    }
}

/// What was found, as JSON.
#[derive(Debug, Serialize)]
pub(super) struct FindingLine {
    culprits: Vec<CulpritLine>,
    /// Why there are none, where they were looked for; else null.
    culprit_note: Option<String>,
    /// Two files, of the beginning of the rise and of its end; null without `--profile-out`.
    profiles: Option<[String; 2]>,
    /// The live heap to the byte, from the program's memory; all other sizes are the trace's, in whole MiB. Null where it was
    /// not read.
    exact_live_heap: Option<ExactLiveLine>,
}

#[derive(Debug, Serialize)]
struct ExactLiveLine {
    cycle: u32,
    bytes: u64,
}

impl From<&Finding> for FindingLine {
    fn from(finding: &Finding) -> Self {
        Self {
            culprits: finding.culprits.iter().map(CulpritLine::from).collect(),
            culprit_note: finding.note.clone(),
            profiles: finding.profiles.clone(),
            exact_live_heap: finding.live.map(|live| ExactLiveLine {
                cycle: live.cycle,
                bytes: live.bytes,
            }),
        }
    }
}

/// The sites in words, a line each.
pub(super) fn in_words(finding: &Finding) -> Vec<String> {
    let is_heap = |culprit: &&Culprit| matches!(culprit.grown, Grown::Heap { .. });
    let goroutines = finding
        .culprits
        .iter()
        .filter(|culprit| !is_heap(culprit))
        .count();
    let goroutines = goroutines.min(MOST_LINES / 2);
    let heap = MOST_LINES - goroutines;
    let mut shown = [0, 0];
    let is_shown = |culprit: &&Culprit| {
        let (kind, most) = if is_heap(culprit) {
            (0, heap)
        } else {
            (1, goroutines)
        };
        shown[kind] += 1;
        shown[kind] <= most
    };
    let mut is_first = true;
    let line = |culprit: &Culprit| {
        let is_heap = is_heap(&culprit);
        sentence(culprit, is_heap && std::mem::take(&mut is_first))
    };
    finding.culprits.iter().filter(is_shown).map(line).collect()
}

/// `58 % (+/- 6) of the growth: sessions.(*Store).New sessions.go:28`; `of the growth` only where it `is_new` to the reader.
pub(super) fn sentence(culprit: &Culprit, is_new: bool) -> String {
    match culprit.grown {
        Grown::Heap { .. } => {
            let [share, error] = [culprit.share, culprit.share_error].map(|part| part * 100.0);
            let of_what = if is_new { " of the growth" } else { "" };
            format!("{share:.0} % (+/- {error:.0}){of_what}: {}", culprit.site)
        }
        Grown::Goroutines(more) => {
            format!("+{} started at {}", count(more, "goroutine"), culprit.site)
        }
    }
}

/// A site as a row of a table.
#[derive(Debug)]
pub(super) struct Row<'a> {
    /// `58 %`, of all growth of its kind, and `6 %`, the error of that.
    pub(super) share: String,
    pub(super) share_error: String,
    /// `21.9 MiB in 96 samples`, or `3700 goroutines`.
    pub(super) growth: String,
    /// The blamed line; `None` where nothing is known of it.
    pub(super) blamed: Option<&'a Place>,
    /// The function that allocated, where it is another one.
    pub(super) allocated_in: Option<&'a str>,
    /// Who called the blamed function, who called that, and so on.
    pub(super) callers: &'a [Place],
}

impl<'a> Row<'a> {
    /// The sites that were found, the largest first.
    pub(super) fn all(finding: &'a Finding) -> Vec<Self> {
        let culprits = finding.culprits.iter().take(MOST_ROWS);
        culprits.map(Self::from).collect()
    }

    /// A table in plain text: a line for each site, and below it one for each caller.
    pub(super) fn as_text(rows: &[Self]) -> Vec<String> {
        let width = |cell: fn(&Self) -> &str| rows.iter().map(|row| cell(row).len()).max();
        let share = width(|row| &row.share).unwrap_or_default();
        let growth = width(|row| &row.growth).unwrap_or_default();
        let mut lines = Vec::new();
        for row in rows {
            let allocated_in = row
                .allocated_in
                .map(|function| format!(", allocated in {function}"));
            lines.push(format!(
                "{:>share$} (+/- {})  {:growth$}  {}{}",
                row.share,
                row.share_error,
                row.growth,
                row.blamed
                    .map_or_else(|| "an unknown place".into(), in_full),
                allocated_in.unwrap_or_default(),
            ));
            lines.extend(
                row.callers
                    .iter()
                    .map(|caller| format!("    called by {}", in_full(caller))),
            );
        }
        lines
    }
}

impl<'a> From<&'a Culprit> for Row<'a> {
    fn from(culprit: &'a Culprit) -> Self {
        let percent = |part: f64| format!("{:.0} %", part * 100.0);
        Self {
            share: percent(culprit.share),
            share_error: percent(culprit.share_error),
            growth: match culprit.grown {
                Grown::Heap { bytes, samples } => {
                    format!("{} MiB in {}", mib(bytes), count(samples, "sample"))
                }
                Grown::Goroutines(more) => count(more, "goroutine"),
            },
            blamed: culprit.site.blamed(),
            allocated_in: culprit.site.allocated_in.as_deref(),
            callers: culprit.site.path.get(1..).unwrap_or_default(),
        }
    }
}

/// `example.com/shop/sessions.(*Store).New /src/shop/sessions/sessions.go:20`.
fn in_full(place: &Place) -> String {
    format!("{} {}:{}", place.function, place.file, place.line)
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "it is an estimate of a size, and positive"
)]
fn whole(bytes: f64) -> u64 {
    bytes as u64
}
