//! The flasher's worker: a queue of partitions to erase and program. Source: specs/asr-aboot.md §4.5, §5.3, §8.1.
//!
//! The 2020 generation answers a command when it is queued and fails later; the 2019 generation works first and
//! answers then. Both are dead after their first failure.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::asr::flash::Flash;
use crate::asr::sparse;
use crate::asr::tables::{Partition, PartitionTable};
use crate::fault::Effect;

/// A module says PROG at least this often while it is busy. Source: specs/asr-aboot.md §3.4.
const PROG_PERIOD: Duration = Duration::from_secs(1);

/// Which flasher does the work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Generation {
    /// ASR1601: answers after the work.
    Direct2019,
    /// ASR1603 and later: answers first, works in a queue.
    Queued2020,
}

/// One thing to do.
#[derive(Debug)]
pub(crate) enum Job {
    Erase { partition: String },
    Flash { partition: String, image: Vec<u8> },
}

impl Job {
    fn partition(&self) -> &str {
        match self {
            Job::Erase { partition } | Job::Flash { partition, .. } => partition,
        }
    }
}

/// What the worker has to say.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Report {
    Info(String),
    Log(String),
    Progress(u64),
    Fail(String),
    /// One job is done.
    Done,
    /// A fault strikes in the middle of the work.
    Struck(Effect),
}

/// The worker and its queue.
#[derive(Debug)]
pub(crate) struct Programmer {
    generation: Generation,
    bytes_per_second: Option<u64>,
    queue: VecDeque<(Job, Option<Effect>)>,
    done_at: Option<Instant>,
    next_progress: Instant,
    prepared: Option<(String, usize)>,
    dead: bool,
    weight: u64,
    written: u64,
}

impl Programmer {
    pub fn new(generation: Generation, bytes_per_second: Option<u64>, now: Instant) -> Self {
        Programmer {
            generation,
            bytes_per_second,
            queue: VecDeque::new(),
            done_at: None,
            next_progress: now,
            prepared: None,
            dead: false,
            weight: 0,
            written: 0,
        }
    }

    /// Sets the total work, in bytes, that `PROG` counts towards.
    pub fn set_weight(&mut self, weight: u64) {
        self.weight = weight;
    }

    /// Queues a job; `fault` strikes when the work on it begins. A dead worker acknowledges and does nothing.
    pub fn push(&mut self, job: Job, fault: Option<Effect>) {
        if !self.dead {
            self.queue.push_back((job, fault));
        }
    }

    /// Download blocks that are still in use.
    pub fn blocks_in_use(&self) -> usize {
        self.queue
            .iter()
            .filter(|(job, _)| matches!(job, Job::Flash { .. }))
            .count()
    }

    pub fn is_idle(&self) -> bool {
        self.queue.is_empty()
    }

    pub fn is_dead(&self) -> bool {
        self.dead
    }

    pub fn next_tick(&self) -> Option<Instant> {
        self.done_at.map(|done_at| done_at.min(self.next_progress))
    }

    /// Works until `now`: begins jobs, and ends those whose time has come.
    pub fn work(&mut self, now: Instant, table: Option<&PartitionTable>, flash: &mut Flash) -> Vec<Report> {
        let mut reports = Vec::new();
        while let Some((job, fault)) = self.queue.front() {
            let partition = table.and_then(|table| table.find(job.partition()));
            let done_at = match self.done_at {
                Some(done_at) => done_at,
                None => {
                    reports.push(Report::Info(self.opening_words(job)));
                    if let Some(effect) = fault.as_ref().filter(|effect| !is_for_the_worker(effect)) {
                        partition
                            .iter()
                            .for_each(|partition| flash.erase(partition.range()));
                        reports.push(Report::Struck(effect.clone()));
                    }
                    let work = self.duration(job, partition, fault.as_ref());
                    self.next_progress = now + PROG_PERIOD;
                    *self.done_at.insert(now + work)
                }
            };
            if now < done_at {
                if now >= self.next_progress {
                    self.next_progress = now + PROG_PERIOD;
                    reports.push(Report::Progress(self.percent()));
                }
                break;
            }
            self.done_at = None;
            let Some((job, fault)) = self.queue.pop_front() else {
                break;
            };
            match self.perform(&job, fault, partition, flash, &mut reports) {
                Ok(()) => self.closing_words(&job, &mut reports),
                Err(reason) => self.die(&job, reason, &mut reports),
            }
        }
        reports
    }

    /// How long a job takes.
    fn duration(&self, job: &Job, partition: Option<&Partition>, fault: Option<&Effect>) -> Duration {
        let bytes = match job {
            Job::Erase { .. } => partition.map_or(0, |partition| u64::from(partition.size)),
            Job::Flash { image, .. } => image.len() as u64,
        };
        let seconds = self
            .bytes_per_second
            .map_or(0.0, |rate| bytes as f64 / rate.max(1) as f64);
        let slower = match fault {
            Some(Effect::Slow(time)) => *time,
            _ => Duration::ZERO,
        };
        Duration::from_secs_f64(seconds) + slower
    }

    fn perform(
        &mut self,
        job: &Job,
        fault: Option<Effect>,
        partition: Option<&Partition>,
        flash: &mut Flash,
        reports: &mut Vec<Report>,
    ) -> Result<(), String> {
        if let Some(Effect::Refuse(reason)) = fault {
            return Err(reason);
        }
        let Some(partition) = partition.filter(|partition| partition.is_writable()) else {
            return Err("not found or not supported.".into());
        };
        if !flash.contains(&partition.range()) {
            reports.push(Report::Log("failed to flash, address is out of range!".into()));
            return Err("flash write failure".into());
        }
        match job {
            Job::Erase { .. } => {
                flash.erase(partition.range());
                Ok(())
            }
            Job::Flash { image, .. } => self.program(partition, image, flash, reports),
        }
    }

    /// Writes one segment: no holes, segments in order, the partition erased at its beginning.
    fn program(
        &mut self,
        partition: &Partition,
        image: &[u8],
        flash: &mut Flash,
        reports: &mut Vec<Report>,
    ) -> Result<(), String> {
        if !sparse::is_sparse(image) && self.generation == Generation::Queued2020 {
            return Err("sparse: lzma decode failed".into());
        }
        let segment = sparse::read(image, partition.size as usize)?;
        let mut position = match &self.prepared {
            Some((name, position)) if *name == partition.name => *position,
            _ => 0,
        };
        for (offset, piece) in segment.pieces {
            if offset != position {
                reports.push(Report::Log("flashing raw partition image not continous".into()));
                return Err("flash write failure".into());
            }
            if position == 0 {
                flash.erase(partition.range());
            }
            position += piece.len();
            flash.write(&partition.range(), offset, piece, position >= segment.image_bytes);
            self.written += piece.len() as u64;
            self.prepared = Some((partition.name.clone(), position));
        }
        Ok(())
    }

    /// Per cent of the work done, below 100 until `complete`.
    fn percent(&self) -> u64 {
        (self.written * 100).checked_div(self.weight).unwrap_or(0).min(99)
    }

    fn opening_words(&self, job: &Job) -> String {
        match job {
            Job::Erase { partition } => format!("erasing partition '{partition}'"),
            Job::Flash { partition, image } => {
                format!(
                    "programming partition '{partition}' with datap = 0x7e100000, size = 0x{:x}",
                    image.len()
                )
            }
        }
    }

    fn closing_words(&self, job: &Job, reports: &mut Vec<Report>) {
        let name = job.partition();
        reports.push(Report::Info(match (self.generation, job) {
            (Generation::Queued2020, Job::Erase { .. }) => format!("erase \"{name}\" done. "),
            (Generation::Queued2020, Job::Flash { .. }) => format!("program \"{name}\" done. "),
            (Generation::Direct2019, Job::Erase { .. }) => {
                format!("partition \"{name}\" erased successfully.")
            }
            (Generation::Direct2019, Job::Flash { .. }) => {
                format!("partition \"{name}\" written successfully.")
            }
        }));
        if self.weight > 0 && matches!(job, Job::Flash { .. }) {
            reports.push(Report::Progress(self.percent()));
        }
        reports.push(Report::Done);
    }

    fn die(&mut self, job: &Job, reason: String, reports: &mut Vec<Report>) {
        self.dead = true;
        self.queue.clear();
        let name = job.partition();
        let (verb, past) = match job {
            Job::Erase { .. } => ("erasing", format!("erase partition \"{name}\" failed.")),
            Job::Flash { .. } => ("writing", format!("wrote partition \"{name}\" failed.")),
        };
        let missing = reason.starts_with("not found");
        let detail = if missing {
            format!("{verb} partition \"{name}\" {reason}")
        } else {
            reason
        };
        match self.generation {
            Generation::Direct2019 => reports.push(Report::Info(detail)),
            Generation::Queued2020 if missing || detail.contains(':') => reports.push(Report::Fail(detail)),
            Generation::Queued2020 => reports.push(Report::Fail(format!("sparse: {detail}"))),
        }
        reports.push(Report::Fail(past));
    }
}

/// Whether the worker itself makes something of the effect; others strike the whole module.
fn is_for_the_worker(effect: &Effect) -> bool {
    matches!(effect, Effect::Refuse(_) | Effect::Slow(_))
}
