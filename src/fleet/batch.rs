//! A station at work: every slot once, or each as long as modules are plugged in.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;

use super::conductor::{Conductor, Stop};
use super::config::{Config, Slot};
use super::desk::{Desk, Source, serve};
use super::feed::SlotFeed;
use super::hook::{self, When};
use super::journal::RunId;
use super::label::Scans;
use super::lookout::Lookout;
use super::presence::Presence;
use super::record::Book;
use super::stock::Stock;
use super::tally::{Tally, worst};
use super::voice::{SharedSink, Voice};
use crate::error::{Error, Kind};
use crate::event::EventKind;
use crate::link::Settings;

/// What is to be done, beside what the station's file says.
#[derive(Debug)]
pub struct Batch {
    /// The slots that take part.
    pub slots: Vec<Slot>,
    /// The labels that were scanned.
    pub scans: Scans,
    /// Where labels come from while the station is at work.
    pub labels: Vec<Source>,
    /// After each module wait for the next, until somebody stops the program.
    pub endless: bool,
    /// Who works at the station.
    pub operator: Option<String>,
}

/// What has become of the modules of one slot.
#[derive(Debug)]
pub struct SlotEnd {
    /// The slot.
    pub slot: String,
    /// Its modules.
    pub modules: Tally,
}

/// What all slots share.
pub(super) struct Station {
    pub config: Arc<Config>,
    pub stock: Stock,
    pub book: Book,
    /// The run that all modules belong to; in a loop each has its own.
    pub run: Option<RunId>,
    pub desk: Arc<Desk>,
    pub has_label_source: bool,
    /// In a loop: looks for modules.
    pub lookout: Option<Lookout>,
    pub settings: Settings,
    pub stop: Stop,
    voice: Voice,
    sink: SharedSink,
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

/// Can a loop go on by itself with these slots?
///
/// # Errors
/// [`Kind::Usage`] for a slot that would never see its next module: at a port nobody can tell one from the next, and a
/// slot whose modules nobody names waits for ever.
fn check_endless(batch: &Batch) -> Result<(), Error> {
    for slot in &batch.slots {
        if let Some(port) = slot.place.port() {
            let text = format!(
                "slot `{}` is the port `{port}`: behind a UART nobody sees when a module is changed, so it cannot be \
                 flashed in a loop",
                slot.name
            );
            return Err(Error::new(Kind::Usage, text)
                .hint("name the other slots with `--slot`, and flash this one without `--loop`"));
        }
        if slot.ordering_code.is_none() && batch.labels.is_empty() {
            let text = format!(
                "slot `{}` has no `ordering_code`, and no label would ever be scanned for it",
                slot.name
            );
            return Err(Error::new(Kind::Usage, text).hint("give `--labels` or `--scanner`"));
        }
    }
    Ok(())
}

/// Flashes what is in the slots, many at once, and returns the exit code for all of it and what has become of each slot,
/// in their order. Nothing is touched before every package is in memory and the record is open.
///
/// # Errors
/// [`Kind::Usage`] for slots that no loop can serve, those of [`Stock::load`] and
/// [`Journal::open`](super::journal::Journal::open), [`Kind::HookFailed`] when nothing was flashed because of `start`;
/// what happens in a slot is in its outcome.
pub fn run(
    config: Config,
    batch: Batch,
    settings: &Settings,
    sink: &SharedSink,
) -> Result<(u8, Vec<SlotEnd>), Error> {
    if batch.endless {
        check_endless(&batch)?;
    }
    // A wish to stop must not keep `end` from running, or leave the record open.
    let conductor = Conductor::begin()?;
    let station = Arc::new(Station::open(config, &batch, settings, sink)?);
    let names: Vec<&str> = batch.slots.iter().map(|slot| slot.name.as_str()).collect();
    let ended = hook::run(&station.config, When::Start, json!({ "slots": names }))
        .and_then(|()| station.work(batch, conductor));
    station.close(ended)
}

impl Station {
    fn open(config: Config, batch: &Batch, settings: &Settings, sink: &SharedSink) -> Result<Self, Error> {
        let stock = Stock::load(&config)?;
        let config = Arc::new(config);
        let stop = Stop {
            cancel: settings.cancel.clone(),
            ..Stop::default()
        };
        let book = Book::open(&config, batch.operator.clone(), stop.drain.clone())?;
        let voice = Voice::of_station(Arc::clone(sink));
        let (run, lookout) = match batch.endless {
            true => (None, Some(Lookout::begin(voice.clone(), stop.drain.clone())?)),
            false => (Some(book.begin_run()?), None),
        };
        Ok(Station {
            config,
            stock,
            book,
            run,
            desk: Arc::new(Desk::new(&batch.slots, batch.scans.clone(), voice.clone())),
            has_label_source: !batch.labels.is_empty(),
            lookout,
            settings: settings.clone(),
            stop,
            voice,
            sink: Arc::clone(sink),
        })
    }

    fn work(self: &Arc<Self>, batch: Batch, conductor: Conductor) -> Result<Vec<SlotEnd>, Error> {
        let feeds: Vec<SlotFeed> = batch.slots.iter().map(|slot| self.feed(slot, &batch)).collect();
        for source in batch.labels {
            serve(Arc::clone(&self.desk), source, self.stop.drain.clone())?;
        }
        let limits = &self.config.limits;
        let parallel = limits.parallel.map_or(feeds.len(), |parallel| parallel as usize);
        let silent = Duration::from_secs(limits.silent_seconds.into());
        let silent = silent.mul_f64(self.settings.timeout_scale.max(1.0));
        let tallies = conductor.conduct(feeds, parallel, silent, &self.stop)?;
        let names = batch.slots.into_iter().map(|slot| slot.name);
        Ok(names
            .zip(tallies)
            .map(|(slot, modules)| SlotEnd { slot, modules })
            .collect())
    }

    fn feed(self: &Arc<Self>, slot: &Slot, batch: &Batch) -> SlotFeed {
        let voice = Voice::new(&slot.name, Arc::clone(&self.sink));
        self.desk.introduce(voice.clone());
        let place = slot.place.path().filter(|_| batch.endless);
        let presence = place.map(|path| {
            let paths = self.config.slots.iter().filter_map(|slot| slot.place.path());
            let others = paths.filter(|other| *other != path).cloned().collect();
            let empty_for = Duration::from_secs(self.config.limits.empty_seconds.into());
            Presence::new(path.clone(), others, empty_for, &self.settings)
        });
        SlotFeed {
            station: Arc::clone(self),
            slot: slot.clone(),
            voice,
            presence,
            is_done: false,
        }
    }

    /// The end of it, whatever has come before.
    fn close(&self, ended: Result<Vec<SlotEnd>, Error>) -> Result<(u8, Vec<SlotEnd>), Error> {
        self.stop.drain.set();
        let recorded = self.run.map_or(Ok(()), |run| self.book.end_run(run));
        let ends = ended.as_deref().unwrap_or_default();
        let mut code = worst(ends.iter().map(|end| end.modules.exit_code));
        for error in ended.as_ref().err().into_iter().chain(recorded.as_ref().err()) {
            code = worst([code, error.exit_code()]);
        }
        let slots: Vec<_> = ends
            .iter()
            .map(
                |end| json!({ "slot": end.slot, "passed": end.modules.passed, "failed": end.modules.failed }),
            )
            .collect();
        let document = json!({ "exit_code": code, "slots": slots });
        if let Err(error) = hook::run(&self.config, When::End, document) {
            code = worst([code, error.exit_code()]);
            self.voice.say(EventKind::Warning {
                text: error.to_string(),
            });
        }
        let ends = ended?;
        recorded?;
        Ok((code, ends))
    }
}
