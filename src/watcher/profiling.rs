//! The heap profiles of one program, taken as its cycles come.

use std::collections::HashMap;
use std::fs::OpenOptions;
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use nix::time::{ClockId, clock_gettime};

use super::fetch::ProfileUrl;
use super::pace::Pace;
use crate::culprit::growth::{self, ExactLive, Finding, Ranking};
use crate::culprit::history::History;
use crate::culprit::pprof::{About, Profile, read_profile, write_profile};
use crate::culprit::{Bucket, Extent, Frame, Program, Refusal, Snapshot, scale};

/// Profiles are taken no more often than this, and so rarely that reading them takes a hundredth of a processor at most.
const INTERVAL: Duration = Duration::from_secs(1);
const READING_SHARE: u32 = 100;

/// The same of profiles that the program has to write itself.
const SERVED_INTERVAL: Duration = Duration::from_secs(4);

/// The runtime never forgets a stack that it sampled, so sampling ends here (golang/go#69590).
const MOST_BUCKETS: usize = 50_000;

/// Where profiles come from.
enum Source {
    /// The memory of a live process.
    Live {
        program: Box<Program>,
        /// `None` where the rate is not ours to change.
        pace: Option<Pace>,
    },
    /// The program itself.
    Served(Served),
}

/// What a program serves.
struct Served {
    url: ProfileUrl,
    /// Each profile numbers its places anew; here each place keeps its number.
    places: Vec<Vec<Frame>>,
    numbers: HashMap<Vec<Frame>, u64>,
    count: u32,
}

/// Profiles of one program.
pub(super) struct Profiling {
    source: Source,
    history: History,
    due: Option<Instant>,
    live: Option<ExactLive>,
    /// Why no more are taken, or why the last one could not be.
    trouble: Option<String>,
    is_over: bool,
}

impl Profiling {
    /// From a program's memory; with a pace it is sampled more coarsely where it would cost too much.
    pub(super) fn live(program: Program, pace: Option<Pace>) -> Self {
        Self::from(Source::Live {
            program: Box::new(program),
            pace,
        })
    }

    pub(super) fn served(url: ProfileUrl) -> Self {
        Self::from(Source::Served(Served {
            url,
            places: Vec::new(),
            numbers: HashMap::new(),
            count: 0,
        }))
    }

    fn from(source: Source) -> Self {
        Self {
            source,
            history: History::default(),
            due: None,
            live: None,
            trouble: None,
            is_over: false,
        }
    }

    /// A cycle came: takes a profile if it is time.
    pub(super) fn cycle(&mut self, at: Duration) {
        if self.due.is_none_or(|due| due <= Instant::now()) {
            self.take(at);
        }
    }

    /// Takes a profile now, if there was a cycle since the last one.
    pub(super) fn take(&mut self, at: Duration) {
        if self.is_over {
            return;
        }
        let (began, worked) = (Instant::now(), cpu_time());
        let (taken, interval) = match &mut self.source {
            Source::Live { program, .. } => (take_live(program, &self.history), INTERVAL),
            Source::Served(served) => {
                let taken = served.take().map(|snapshot| Some((snapshot, None)));
                (taken, SERVED_INTERVAL)
            }
        };
        match taken {
            Ok(Some((snapshot, goroutines))) => {
                let extent = snapshot.extent();
                self.trouble = None;
                tracing::debug!(cycle = snapshot.cycle, buckets = snapshot.buckets.len(), took = ?began.elapsed(), "a profile");
                // A profile of nothing is one of a time when nothing was sampled.
                if snapshot.rate > 0 {
                    self.history.push(at, snapshot, goroutines);
                }
                self.look_at_the_price(Some(extent));
            }
            Ok(None) => {}
            Err(trouble) => {
                tracing::debug!(trouble, "no profile");
                self.trouble = Some(trouble);
                self.look_at_the_price(None);
            }
        }
        if let Source::Live { program, .. } = &self.source {
            self.live = exact_live(program).or(self.live);
        }
        // What the program serves is its own work, which only the clock shows.
        let took = match &self.source {
            Source::Live { .. } => cpu_time().saturating_sub(worked),
            Source::Served(_) => began.elapsed(),
        };
        self.due = Some(Instant::now() + interval.max(took * READING_SHARE));
    }

    /// What sampling costs the program: ends it, or samples more coarsely, where that is too much. `extent` is what was read
    /// last, if it could be.
    fn look_at_the_price(&mut self, extent: Option<Extent>) {
        let Source::Live { program, pace } = &mut self.source else {
            return;
        };
        let Some(extent) = extent.or_else(|| program.extent().ok()) else {
            return;
        };
        if extent.buckets > MOST_BUCKETS {
            self.end();
            self.trouble = Some(format!(
                "it allocates from more than {MOST_BUCKETS} stacks: sampling ended there"
            ));
        } else if let Some(pace) = pace {
            pace.slow_down(program, extent.samples);
        }
    }

    /// The rise that is flagged began then.
    pub(super) fn pin(&mut self, began: Duration) {
        self.history.pin(began);
    }

    /// Who holds the growth since then.
    pub(super) fn conclude(&self, began: Duration) -> Finding {
        let main_module = match &self.source {
            Source::Live { program, .. } => program.main_module(),
            Source::Served(_) => None,
        };
        let ranking = growth::rank(&self.history, began, main_module, |pc| self.frames(pc));
        let note = if ranking.culprits.is_empty() {
            Some(match &self.trouble {
                Some(trouble) => format!("the leaking lines are not known: {trouble}"),
                None => too_little(&ranking),
            })
        } else {
            None
        };
        Finding {
            culprits: ranking.culprits,
            note,
            profiles: None,
            live: self.live,
        }
    }

    /// Writes the profiles of the beginning of the rise and of now, and says where.
    pub(super) fn write(
        &self,
        began: Duration,
        folder: &Path,
        name: &str,
    ) -> Result<Option<[PathBuf; 2]>, (PathBuf, io::Error)> {
        let Some((first, last)) = self.history.first_and_last(began) else {
            return Ok(None);
        };
        let write = |snapshot: &Snapshot, which: &str| {
            let path = folder.join(format!("{name}-{which}.pb.gz"));
            match self.write_one(snapshot, &path) {
                Ok(()) => Ok(path),
                Err(error) => Err((path, error)),
            }
        };
        Ok(Some([write(&first, "base")?, write(&last, "last")?]))
    }

    fn write_one(&self, snapshot: &Snapshot, path: &Path) -> io::Result<()> {
        let program = match &self.source {
            Source::Live { program, .. } => {
                std::fs::read_link(format!("/proc/{}/exe", program.pid())).unwrap_or_default()
            }
            Source::Served(_) => PathBuf::new(),
        };
        let now = SystemTime::now()
            .duration_since(SystemTime::UNIX_EPOCH)
            .unwrap_or_default();
        let about = About {
            program: &program.to_string_lossy(),
            unix_nanos: i64::try_from(now.as_nanos()).unwrap_or_default(),
        };
        // It tells names and paths of the program: for its user only, also where there was such a file already.
        let _ = std::fs::remove_file(path);
        let file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(path)?;
        let mut file = BufWriter::new(file);
        write_profile(snapshot, about, |pc| self.frames(pc), &mut file)?;
        file.flush()
    }

    /// No more profiles: what was switched on is switched off, where the program still runs.
    pub(super) fn end(&mut self) {
        self.is_over = true;
        if let Source::Live { program, .. } = &mut self.source {
            let _ = program.disarm();
        }
    }

    fn frames(&self, pc: u64) -> Vec<Frame> {
        match &self.source {
            Source::Live { program, .. } => program.frames(pc),
            Source::Served(served) => served.frames(pc),
        }
    }
}

/// What this thread has worked.
fn cpu_time() -> Duration {
    clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).map_or(Duration::ZERO, Duration::from)
}

/// The goroutines where they could be counted.
type Taken = (Snapshot, Option<Vec<(u64, u64)>>);

/// `None` where there was no cycle since the last profile: no sample has been published since either.
fn take_live(program: &Program, history: &History) -> Result<Option<Taken>, String> {
    let said = |refusal: Refusal| refusal.to_string();
    let cycle = program.gc_cycle().map_err(said)?;
    if history.last_cycle() == Some(cycle) {
        return Ok(None);
    }
    let snapshot = program.snapshot().map_err(said)?;
    let goroutines = program.goroutines();
    if let Err(refusal) = &goroutines {
        tracing::debug!(%refusal, "goroutines are not counted");
    }
    Ok(Some((snapshot, goroutines.ok())))
}

/// `None` where a cycle ended meanwhile, or it is not known where to look.
fn exact_live(program: &Program) -> Option<ExactLive> {
    let cycle = program.gc_cycle().ok()?;
    let bytes = program.live_heap().ok()?;
    (program.gc_cycle().ok()? == cycle).then_some(ExactLive { cycle, bytes })
}

/// Why no site is shown.
fn too_little(ranking: &Ranking) -> String {
    format!(
        "the leaking lines are not known: {} of growth in {} were too little; let it leak longer, or sample more, as with `--sample-rate 32KiB`",
        crate::wording::count(ranking.samples, "sample"),
        crate::wording::count(ranking.moments as u64, "heap profile"),
    )
}

impl Served {
    fn take(&mut self) -> Result<Snapshot, String> {
        let page = self.url.get().map_err(|error| {
            format!(
                "`--pprof`: no heap profile there: {}; is the program serving net/http/pprof?",
                crate::error::reason(&error)
            )
        })?;
        let profile = read_profile(&page).map_err(|error| {
            format!("`--pprof`: no heap profile there: {error}; is it the URL of net/http/pprof?")
        })?;
        self.count += 1;
        let buckets = profile
            .samples
            .iter()
            .map(|sample| {
                let stands_for = scale(1, sample.size, profile.rate).0.max(1.0);
                let allocs = sampled(sample.alloc_objects, stands_for);
                Bucket {
                    stack: sample
                        .stack
                        .iter()
                        .map(|location| self.number(&profile, *location))
                        .collect(),
                    size: sample.size,
                    allocs,
                    frees: allocs.saturating_sub(sampled(sample.in_use_objects, stands_for)),
                }
            })
            .collect();
        Ok(Snapshot {
            cycle: self.count,
            rate: profile.rate,
            buckets,
        })
    }

    fn number(&mut self, profile: &Profile, location: u64) -> u64 {
        let frames = profile.frames(location);
        if let Some(number) = self.numbers.get(&frames) {
            return *number;
        }
        let number = self.places.len() as u64;
        self.places.push(frames.clone());
        self.numbers.insert(frames, number);
        number
    }

    fn frames(&self, number: u64) -> Vec<Frame> {
        let index = usize::try_from(number).unwrap_or(usize::MAX);
        self.places.get(index).cloned().unwrap_or_default()
    }
}

/// How many samples were scaled to so many objects.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "each stands for one at least, and a cast of floats saturates"
)]
fn sampled(objects: u64, stands_for: f64) -> u64 {
    (crate::wording::real(objects) / stands_for).round() as u64
}
