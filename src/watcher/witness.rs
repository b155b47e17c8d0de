//! The thread's part: what it knows of each process.

mod sight;

use std::collections::HashMap;
use std::time::Duration;

use tokio::sync::mpsc::UnboundedSender;

use self::sight::{Opened, Sight};
use super::armory::Armory;
use super::family::{Image, since_boot, writers};
use super::identify::Trail;
use super::pace::FINE;
use super::profiling::Profiling;
use super::suspects::{self, Suspects};
use super::{Cycle, Reading, Sighting, Told, Watched, unwritable};
use crate::culprit::growth::Finding;
use crate::demux::ProcessId;
use crate::session::Event;

/// A process whose cycles come.
struct Process {
    trail: Trail,
    /// What it may be, while that is not known, and when these were listed, on the clock of arrivals.
    images: Vec<Image>,
    listed: Duration,
    image: Option<Image>,
    sight: Sight,
    /// When it started at the latest, on the clock of arrivals.
    started: Duration,
    /// When its last cycle came.
    last: Duration,
    /// When the rise that is flagged began, on the clock of arrivals.
    rise: Option<Duration>,
    told: Option<Finding>,
}

pub(super) struct Witness {
    watched: Watched,
    found: UnboundedSender<Sighting>,
    processes: HashMap<ProcessId, Process>,
    armory: Option<Armory>,
    /// What the program serves, of whichever process it is.
    served: Option<Profiling>,
    /// Programs opened to tell apart processes that began together.
    suspects: Suspects,
    /// What may write, and when that was listed last, on the clock of arrivals.
    writers: Vec<Image>,
    listed: Duration,
}

impl Witness {
    pub(super) fn new(watched: Watched, found: UnboundedSender<Sighting>) -> Self {
        let naming = &watched.naming;
        let armory = (naming.reading == Reading::On)
            .then(|| Armory::new(watched.command, naming.sample_rate.unwrap_or(FINE)));
        let served = naming.served.clone().map(Profiling::served);
        Self {
            watched,
            found,
            processes: HashMap::new(),
            armory,
            served,
            suspects: Suspects::default(),
            writers: Vec::new(),
            listed: Duration::ZERO,
        }
    }

    /// Does what is done again and again, and says how soon it is due again.
    pub(super) fn look(&mut self) -> Option<Duration> {
        let armory = self.armory.as_mut()?;
        armory.look();
        Some(armory.interval())
    }

    pub(super) fn hear(&mut self, told: &Told) {
        match *told {
            Told::Cycle(cycle) => self.cycle(cycle),
            Told::Rises { process, began } => self.rises(process, began),
            Told::RiseEnded { process } => {
                if let Some(process) = self.processes.get_mut(&process) {
                    process.rise = None;
                    process.told = None;
                }
            }
            Told::LastLook => {
                for id in self.rising() {
                    self.conclude(id, true);
                }
                // Whoever does not listen any more need not be told.
                let _ = self.found.send(Sighting::LookedOver);
            }
            Told::Over { process } => {
                self.conclude(process, false);
                if let Some(process) = self.processes.remove(&process)
                    && let Sight::Profiled(mut profiling) = process.sight
                {
                    profiling.end();
                }
            }
        }
    }

    /// Nothing more will be told.
    pub(super) fn end(mut self) {
        for id in self.rising() {
            self.conclude(id, false);
        }
        for process in self.processes.values_mut() {
            if let Sight::Profiled(profiling) = &mut process.sight {
                profiling.end();
            }
        }
        if let Some(armory) = &mut self.armory {
            armory.disarm();
        }
    }

    fn rising(&self) -> Vec<ProcessId> {
        let rising = self
            .processes
            .iter()
            .filter(|(_, process)| process.rise.is_some());
        rising.map(|(id, _)| *id).collect()
    }

    fn cycle(&mut self, cycle: Cycle) {
        let arrived = cycle.arrived;
        let started = arrived.saturating_sub(cycle.age);
        let process = self
            .processes
            .entry(cycle.process)
            .or_insert_with(|| Process {
                trail: Trail::new(),
                images: Vec::new(),
                listed: Duration::ZERO,
                image: None,
                sight: Sight::None,
                started,
                last: arrived,
                rise: None,
                told: None,
            });
        process.started = process.started.min(started);
        process.last = arrived;
        if let Sight::Profiled(profiling) = &mut process.sight {
            profiling.cycle(arrived);
        }
        if let Some(served) = &mut self.served {
            served.cycle(arrived);
        }
        if process.image.is_none() {
            self.trace(cycle);
        }
    }

    /// Follows the trail of a process whose program is not known yet.
    fn trace(&mut self, cycle: Cycle) {
        let (id, arrived) = (cycle.process, cycle.arrived);
        let taken: Vec<Image> = self
            .processes
            .values()
            .filter_map(|process| process.image)
            .collect();
        let Some(process) = self.processes.get_mut(&id) else {
            return;
        };
        let now = self.watched.started.elapsed();
        let started = (since_boot() + arrived).saturating_sub(now + cycle.age);
        let trail = &mut process.trail;
        trail.cycle(arrived, started);
        if let Some(image) = trail.found() {
            self.identified(id, image);
            return;
        }
        if trail.wants_a_look() {
            // The list is long, and for lines that have waited meanwhile another one shows nothing new.
            if arrived >= self.listed {
                self.writers = writers(self.watched.command, self.watched.stderr);
                self.listed = self.watched.started.elapsed();
            }
            process.images.clone_from(&self.writers);
            process.images.retain(|image| !taken.contains(image));
            process.listed = self.listed;
            let images = &process.images;
            tracing::debug!(?id, ?started, ?images, "who may that be?");
        } else if !trail.wants_a_comparison() || process.images.len() < 2 && !trail.was_compared() {
            return;
        }
        if self.watched.naming.reading != Reading::Off {
            process.images.retain(|image| !taken.contains(image));
            let suspects: Vec<Image> = trail.suspects(&process.images).collect();
            let is_one_of_several = suspects.len() > 1 || trail.was_compared();
            if is_one_of_several && suspects.len() <= suspects::MOST {
                let programs = &mut self.suspects;
                let agrees = |image: Image| {
                    let agrees = programs.agrees(image.pid, cycle.number, cycle.live_mib)?;
                    Some((image, agrees))
                };
                trail.compared(suspects.into_iter().filter_map(agrees));
            }
        }
        trail.look(&process.images, process.listed);
        if let Some(image) = trail.found() {
            self.identified(id, image);
        }
    }

    /// It is known which image a process is, so that the others are not that one.
    fn identified(&mut self, id: ProcessId, image: Image) {
        self.bind(id, image);
        let unknown = |(_, process): &(&ProcessId, &mut Process)| process.image.is_none();
        for (_, process) in self.processes.iter_mut().filter(unknown) {
            process.images.retain(|other| *other != image);
            process.trail.is_not(&image);
        }
        let left = self.processes.iter_mut().filter(unknown);
        let left = left.filter_map(|(other, process)| {
            if process.trail.suspects(&process.images).take(2).count() == 1 {
                process.trail.look(&process.images, process.listed);
            }
            Some((*other, process.trail.found()?))
        });
        if let Some((other, image)) = left.min_by_key(|(other, _)| *other) {
            self.identified(other, image);
        }
    }

    fn bind(&mut self, id: ProcessId, image: Image) {
        tracing::info!(?id, ?image, "identified");
        self.suspects.forget(image.pid);
        if let Some(process) = self.processes.get_mut(&id) {
            process.image = Some(image);
        }
        let _ = self.found.send(Sighting::Event(Box::new(Event::Identified {
            process: id,
            pid: image.pid,
        })));
        let naming = &self.watched.naming;
        let opened = Opened::of(image.pid, naming, self.armory.as_mut());
        if let Some(gauge) = opened.as_ref().and_then(Opened::gauge) {
            let _ = self.found.send(Sighting::Gauge(id, gauge));
        }
        let Some(process) = self.processes.get_mut(&id) else {
            return;
        };
        if let Some(opened) = opened {
            process.sight = opened.sight(naming.sample_rate);
        }
        if let Sight::Profiled(profiling) = &mut process.sight {
            profiling.cycle(process.last);
        } else if let Sight::Blind(reason) = &process.sight
            && self.watched.naming.reading == Reading::On
        {
            // It was asked for, and a long run is too late to learn that there is nothing.
            let finding = Finding {
                note: Some(reason.clone()),
                ..Finding::default()
            };
            self.tell(id, finding);
        }
    }

    fn rises(&mut self, id: ProcessId, began: Duration) {
        if let Some(process) = self.processes.get_mut(&id) {
            let began = process.started + began;
            process.rise = Some(began);
            if let Sight::Profiled(profiling) = &mut process.sight {
                profiling.pin(began);
            }
            if let Some(served) = &mut self.served {
                served.pin(began);
            }
        }
        self.conclude(id, true);
    }

    /// Says which sites hold the growth of a process whose live heap rises; `is_live` where it can be looked at once more.
    fn conclude(&mut self, id: ProcessId, is_live: bool) {
        let naming = &self.watched.naming;
        let Some(process) = self.processes.get_mut(&id) else {
            return;
        };
        let Some(began) = process.rise else { return };
        let profiling = match (&mut process.sight, &mut self.served) {
            (_, Some(served)) => served,
            (Sight::Profiled(profiling), None) => profiling,
            (Sight::Blind(reason), None) => {
                let finding = Finding {
                    note: Some(reason.clone()),
                    ..Finding::default()
                };
                return self.tell(id, finding);
            }
            (Sight::None, None) if naming.reading == Reading::Off => return,
            (Sight::None, None) => {
                let finding = Finding {
                    note: Some(
                        "the leaking lines are not known: it is not certain which process of the system this is; run it alone, or longer".into(),
                    ),
                    ..Finding::default()
                };
                return self.tell(id, finding);
            }
        };
        if is_live {
            profiling.take(process.last);
        }
        let mut finding = profiling.conclude(began);
        if let Some(folder) = &naming.profile_out {
            let name = match process.image {
                Some(image) => format!("gcwatch-{}", image.pid),
                None => format!("gcwatch-process-{}", id.0),
            };
            match profiling.write(began, folder, &name) {
                Ok(profiles) => {
                    finding.profiles =
                        profiles.map(|paths| paths.map(|path| path.display().to_string()));
                }
                Err((path, error)) => {
                    let _ = self.found.send(unwritable(&path, error));
                }
            }
        }
        self.tell(id, finding);
    }

    /// Tells what is new.
    fn tell(&mut self, id: ProcessId, finding: Finding) {
        let Some(process) = self.processes.get_mut(&id) else {
            return;
        };
        if process.told.as_ref() != Some(&finding) {
            process.told = Some(finding.clone());
            let _ = self.found.send(Sighting::Event(Box::new(Event::Culprits {
                process: id,
                finding,
            })));
        }
    }
}
