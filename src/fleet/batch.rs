//! One batch: every slot once.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::conductor::{Stop, Task, conduct_all};
use super::config::{Config, Slot};
use super::journal::Journal;
use super::label::Scans;
use super::slot::{Record, SlotWork};
use super::stock::Stock;
use super::voice::{SharedSink, Voice};
use crate::error::{Error, Kind};
use crate::flash::Outcome;
use crate::link::Settings;

/// What a batch needs to know beside the station.
#[derive(Debug)]
pub struct Batch {
    /// The slots that take part.
    pub slots: Vec<Slot>,
    /// The labels that were scanned.
    pub scans: Scans,
    /// Who works at the station.
    pub operator: Option<String>,
}

/// How one slot ended.
#[derive(Debug)]
pub struct SlotEnd {
    /// The slot.
    pub slot: String,
    /// How its last attempt ended.
    pub outcome: Outcome,
}

/// The slots that `names` names; all of them where there is no name.
///
/// # Errors
/// [`Kind::Usage`] for a name that is no slot's, and when there is no slot.
pub fn choose_slots(config: &Config, names: &[String]) -> Result<Vec<Slot>, Error> {
    let usage = |text: String| Error::new(Kind::Usage, text);
    if let Some(unknown) = names
        .iter()
        .find(|name| !config.slots.iter().any(|slot| slot.name == **name))
    {
        return Err(usage(format!(
            "`{unknown}` is no slot of `{}`",
            config.file.display()
        )));
    }
    let wanted = |slot: &&Slot| names.is_empty() || names.contains(&slot.name);
    let slots: Vec<Slot> = config.slots.iter().filter(wanted).cloned().collect();
    match slots.is_empty() {
        true => Err(usage(format!("`{}` has no slot", config.file.display()))
            .hint("`qpyflash fixture learn` finds them by plugging in one module after the other")),
        false => Ok(slots),
    }
}

/// Flashes what is in the slots, many at once, and returns how each ended, in the order of the slots. Nothing is
/// touched before every package is in memory and the record is open.
///
/// # Errors
/// Those of [`Stock::load`] and [`Journal::open`]; what happens in a slot is in its outcome.
pub fn run(
    config: Config,
    batch: Batch,
    settings: &Settings,
    sink: &SharedSink,
) -> Result<Vec<SlotEnd>, Error> {
    let stock = Stock::load(&config)?;
    let journal = Journal::open(&config.state)?;
    let run = journal.begin_run(
        &config.line,
        &config.station,
        batch.operator.as_deref(),
        &config.sha256,
    )?;
    let journal = Arc::new(Mutex::new(journal));
    let stop = Stop {
        cancel: settings.cancel.clone(),
        ..Stop::default()
    };
    let parallel = config
        .limits
        .parallel
        .map_or(batch.slots.len(), |parallel| parallel as usize);
    let silent =
        Duration::from_secs(config.limits.silent_seconds.into()).mul_f64(settings.timeout_scale.max(1.0));
    let config = Arc::new(config);
    let task = |slot: &Slot| {
        let job = batch.scans.expected(slot).and_then(|label| {
            let (product, package) = stock.product_for(&label.ordering_code)?;
            Ok((label, product.clone(), Arc::clone(package)))
        });
        let record = Record {
            journal: Arc::clone(&journal),
            run,
            open: Arc::default(),
        };
        let voice = Voice::new(&slot.name, Arc::clone(sink));
        let (lost, name) = (record.clone(), slot.name.clone());
        let work = SlotWork {
            config: Arc::clone(&config),
            slot: slot.clone(),
            job,
            record,
            voice: voice.clone(),
            settings: settings.clone(),
            stop: stop.clone(),
        };
        Task {
            voice,
            work: Box::new(move || work.run()),
            lost: Box::new(move |outcome| lost.lose(&name, outcome)),
        }
    };
    let tasks = batch.slots.iter().map(task).collect();
    let outcomes = conduct_all(tasks, parallel, silent, &stop)?;
    journal
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
        .end_run(run)?;
    let names = batch.slots.into_iter().map(|slot| slot.name);
    Ok(names
        .zip(outcomes)
        .map(|(slot, outcome)| SlotEnd { slot, outcome })
        .collect())
}

/// The exit code of a batch is that of its worst slot: what needs a person most comes first.
pub fn worst(codes: impl IntoIterator<Item = u8>) -> u8 {
    const ORDER: [u8; 14] = [1, 12, 10, 11, 9, 6, 7, 3, 8, 5, 4, 2, 130, 0];
    let rank = |code: &u8| ORDER.iter().position(|other| other == code).unwrap_or(0);
    codes.into_iter().min_by_key(rank).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::worst;

    #[test]
    fn the_worst_slot_gives_the_exit_code() {
        assert_eq!(worst([0, 0]), 0);
        assert_eq!(worst([0, 4, 10, 6]), 10);
        assert_eq!(worst([130, 0]), 130);
        assert_eq!(worst([6, 1]), 1);
    }
}
