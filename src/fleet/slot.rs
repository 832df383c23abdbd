//! One slot of a batch: hooks, attempts, and the record of each.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use qpyflash_protocols::Written;
use serde_json::{Value, json};

use super::conductor::Stop;
use super::config::{Config, Product, Slot};
use super::hook;
use super::journal::{AttemptId, Beginning, Journal, RunId, imei};
use super::label::Label;
use super::voice::Voice;
use crate::error::{Error, Kind};
use crate::event::{Event, EventKind, Events};
use crate::firmware::Package;
use crate::flash::{self, ErrorReport, Outcome, Request, ScannedLabel};
use crate::link::Settings;
use crate::module;

/// Time between two looks for a module that should come back.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// What goes into a slot, or why nothing does.
pub(super) type Job = Result<(Label, Product, Arc<Package>), Error>;

/// The record, shared by all slots.
#[derive(Clone)]
pub(super) struct Record {
    pub journal: Arc<Mutex<Journal>>,
    pub run: RunId,
    /// The attempt of this slot that is open.
    pub open: Arc<Mutex<Option<AttemptId>>>,
}

/// A slot at work.
pub(super) struct SlotWork {
    pub config: Arc<Config>,
    pub slot: Slot,
    pub job: Job,
    pub record: Record,
    pub voice: Voice,
    pub settings: Settings,
    pub stop: Stop,
}

impl Record {
    fn journal(&self) -> MutexGuard<'_, Journal> {
        self.journal.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn open(&self) -> MutexGuard<'_, Option<AttemptId>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn begin(
        &self,
        slot: &str,
        number: u32,
        label: Option<&Label>,
        package: Option<&Package>,
    ) -> Result<AttemptId, Error> {
        let attempt = self.journal().begin_attempt(&Beginning {
            run: self.run,
            slot,
            number,
            label,
            package,
        })?;
        *self.open() = Some(attempt);
        Ok(attempt)
    }

    /// Records an end; where that fails, the outcome says so: a module without a record has not passed.
    fn end(&self, attempt: AttemptId, outcome: &mut Outcome, voice: &Voice) {
        let result = self
            .flags(attempt, outcome, voice)
            .and_then(|flags| self.journal().end_attempt(attempt, outcome, &flags));
        *self.open() = None;
        if let Err(error) = result {
            fail(outcome, &error.written(outcome.written.clone()));
        }
    }

    fn flags(&self, attempt: AttemptId, outcome: &mut Outcome, voice: &Voice) -> Result<Vec<String>, Error> {
        let (Some(imei), Some(package)) = (imei(outcome), &outcome.package) else {
            return Ok(Vec::new());
        };
        let flags = self.journal().flags(attempt, &imei, &package.sha256)?;
        for flag in &flags {
            voice.emit(EventKind::Warning { text: flag.clone() });
            outcome.warnings.push(flag.clone());
        }
        Ok(flags)
    }

    /// Records the end of a slot whose own thread cannot: the attempt that is open, or one that never began.
    pub fn lose(&self, slot: &str, outcome: &Outcome) {
        let open = self.open().take();
        let attempt = match open {
            Some(attempt) => Ok(attempt),
            None => self.begin(slot, 1, None, None),
        };
        let ended = attempt.and_then(|attempt| self.journal().end_attempt(attempt, outcome, &[]));
        if let Err(error) = ended {
            log::error!("slot `{slot}`: {error}");
        }
    }
}

impl SlotWork {
    /// Everything that happens in this slot in one batch.
    pub fn run(self) -> Outcome {
        let (label, product, package) = match &self.job {
            Ok((label, product, package)) => (label, product, package),
            Err(_) => return self.refuse(),
        };
        let hooks = &self.config.hooks;
        if let Some(command) = &hooks.before
            && let Err(why) = hook::run(command, &self.document("before", None), self.config.limits.hook())
        {
            let error = Error::new(Kind::HookFailed, format!("hook `before`: {why}"))
                .at(&*self.slot.name)
                .hint("the module was not asked anything");
            return self.without_module(Some(label), Some(package), Outcome::of_error(error));
        }
        self.voice.wake();
        let mut outcome = self.attempts(label, product, package);
        self.voice.wake();
        if let Some(command) = &hooks.after
            && let Err(why) = hook::run(
                command,
                &self.document("after", Some(&outcome)),
                self.config.limits.hook(),
            )
        {
            let error = Error::new(Kind::HookFailed, format!("hook `after`: {why}"));
            let error = error.at(&*self.slot.name).written(outcome.written.clone());
            fail(&mut outcome, &error);
        }
        outcome
    }

    fn refuse(self) -> Outcome {
        let SlotWork {
            job,
            record,
            voice,
            slot,
            ..
        } = self;
        let Err(error) = job else {
            return Outcome::of_bug("a slot with a job was refused");
        };
        let mut outcome = Outcome::of_error(error);
        match record.begin(&slot.name, 1, None, None) {
            Ok(attempt) => record.end(attempt, &mut outcome, &voice),
            Err(error) => return Outcome::of_error(error),
        }
        outcome
    }

    fn without_module(
        &self,
        label: Option<&Label>,
        package: Option<&Package>,
        mut outcome: Outcome,
    ) -> Outcome {
        match self.record.begin(&self.slot.name, 1, label, package) {
            Ok(attempt) => self.record.end(attempt, &mut outcome, &self.voice),
            Err(error) => return Outcome::of_error(error),
        }
        outcome
    }

    fn attempts(&self, label: &Label, product: &Product, package: &Arc<Package>) -> Outcome {
        let request = self.request(label, product);
        let last = self.config.limits.retries + 1;
        let mut number = 1;
        let mut changed = None;
        loop {
            let mut outcome = self.attempt(number, label, package, &request);
            let is_over = number >= last || self.stop.drain.is_set() || !may_go_well_again(&outcome);
            if is_over {
                keep_in_mind(&mut outcome, changed);
                return outcome;
            }
            if !is_untouched(&outcome.written) {
                changed = Some(outcome.written.clone());
            }
            self.voice.emit(EventKind::AttemptFailed {
                attempt: number,
                outcome: Box::new(outcome),
            });
            self.await_return();
            number += 1;
        }
    }

    /// One attempt. It stands in the record before the module is asked anything.
    fn attempt(&self, number: u32, label: &Label, package: &Arc<Package>, request: &Request) -> Outcome {
        self.voice.begin_attempt();
        let attempt = match self
            .record
            .begin(&self.slot.name, number, Some(label), Some(package))
        {
            Ok(attempt) => attempt,
            Err(error) => return Outcome::of_error(error),
        };
        let events = Events::new(self.sink(attempt));
        let work = || flash::write_package(package, request, &self.settings, events);
        let mut outcome = catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| {
            Outcome::of_error(super::bug(&*panic).written(self.voice.at_most_written()))
        });
        self.record.end(attempt, &mut outcome, &self.voice);
        outcome
    }

    /// Each phase stands in the record before it begins, and the module's own word as soon as it is said; the end of the attempt is not the end of the slot.
    fn sink(&self, attempt: AttemptId) -> crate::event::Sink {
        let (record, voice) = (self.record.clone(), self.voice.clone());
        Box::new(move |event: &Event| match &event.kind {
            EventKind::Finished { .. } => {}
            kind => {
                let recorded = match kind {
                    EventKind::PhaseStarted { phase } => record.journal().phase(attempt, *phase),
                    EventKind::Identified { identity } => record.journal().identified(attempt, identity),
                    _ => Ok(()),
                };
                if let Err(error) = recorded {
                    voice.emit(EventKind::Warning {
                        text: error.to_string(),
                    });
                }
                voice.emit(kind.clone());
            }
        })
    }

    fn request(&self, label: &Label, product: &Product) -> Request {
        Request {
            port: self.slot.place.port().map(str::to_owned),
            path: self.slot.place.path().cloned(),
            baud: self.slot.baud,
            label: Some(label.ordering_code.clone()),
            built_for: product.built_for.clone(),
            scan: Some(ScannedLabel {
                imei: label.imei.clone(),
                serial_number: label.serial_number.clone(),
            }),
            backup_dir: Some(self.config.state.join("backups")),
            ..Request::new(&product.file)
        }
    }

    /// A module that has just gone wrong restarts, or leaves and comes back.
    fn await_return(&self) {
        let place = &self.slot.place;
        let patience = Duration::from_secs(self.config.limits.return_seconds.into());
        let until = Instant::now() + patience.mul_f64(self.settings.timeout_scale);
        self.voice.emit(EventKind::Note {
            text: "waiting for the module to be there for the next attempt".into(),
        });
        // It takes a moment to leave.
        std::thread::sleep(LOOK_EVERY * 5);
        while module::find(place.port(), place.path(), self.settings.transport).is_err()
            && Instant::now() < until
        {
            if self.stop.drain.is_set() {
                return;
            }
            std::thread::sleep(LOOK_EVERY);
        }
    }

    fn document(&self, when: &str, outcome: Option<&Outcome>) -> Value {
        let label = self.job.as_ref().ok().map(|(label, ..)| label);
        let package = self.job.as_ref().ok().map(|(.., package)| package.sha256());
        json!({
            "schema": crate::event::SCHEMA,
            "hook": when,
            "line": self.config.line,
            "station": self.config.station,
            "slot": self.slot.name,
            "ordering_code": label.map(|label| label.ordering_code.to_string()),
            "imei": label.and_then(|label| label.imei.clone()),
            "serial_number": label.and_then(|label| label.serial_number.clone()),
            "package_sha256": package,
            "pass": outcome.map(|outcome| outcome.exit_code == 0),
            "outcome": outcome,
        })
    }
}

/// A refusal stays one, and so does what is wrong with package, station or program.
fn may_go_well_again(outcome: &Outcome) -> bool {
    let code = outcome.error.as_ref().map(|error| error.code);
    matches!(outcome.exit_code, 4 | 9 | 10 | 11) && code != Some(Kind::ModuleUnsupported.code())
}

fn is_untouched(written: &Written) -> bool {
    matches!(written, Written::Nothing | Written::HelpersOnly)
}

/// A last attempt that did not come to the flash must not hide that an earlier one had changed it.
fn keep_in_mind(outcome: &mut Outcome, changed: Option<Written>) {
    let Some(changed) = changed.filter(|_| outcome.exit_code != 0 && is_untouched(&outcome.written)) else {
        return;
    };
    outcome.written = changed;
    outcome.exit_code = if outcome.exit_code == 130 { 12 } else { 10 };
    if let Some(error) = &mut outcome.error {
        error
            .hints
            .push("an earlier attempt has changed the flash: flash the module again".into());
    }
}

/// The first error stays; what came after it is added.
fn fail(outcome: &mut Outcome, error: &Error) {
    match &mut outcome.error {
        Some(first) => first.details.push(error.to_string()),
        None => {
            outcome.error = Some(ErrorReport::of(error));
            outcome.verdict = flash::Verdict::Failed;
            outcome.exit_code = error.exit_code();
        }
    }
}
