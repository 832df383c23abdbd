//! One module in a slot: hooks, attempts, and the record of each.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

use qpyflash_protocols::Written;
use serde_json::json;

use super::conductor::Stop;
use super::config::{Config, Product, Slot};
use super::hook::{self, When};
use super::journal::AttemptId;
use super::label::Label;
use super::record::Record;
use super::voice::Voice;
use crate::error::{Error, Kind};
use crate::event::{Event, EventKind, Events};
use crate::firmware::Package;
use crate::flash::{self, Outcome, Request, ScannedLabel};
use crate::link::Settings;
use crate::module;

/// Time between two looks for a module that should come back.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// What goes into a slot.
pub(super) struct Goods {
    /// What is known of the module.
    pub label: Label,
    pub product: Product,
    pub package: Arc<Package>,
}

/// An attempt that is over, and does not stand in the record as such yet.
struct Attempt {
    outcome: Outcome,
    /// What is strange about the module.
    flags: Vec<String>,
    /// What an earlier attempt has changed.
    changed: Option<Written>,
}

impl Attempt {
    fn of(outcome: Outcome) -> Self {
        Attempt {
            outcome,
            flags: Vec::new(),
            changed: None,
        }
    }
}

/// A slot at work on one module.
pub(super) struct SlotWork {
    pub config: Arc<Config>,
    pub slot: Slot,
    /// What is known of the module, also when it is refused.
    pub label: Option<Label>,
    pub record: Record,
    pub voice: Voice,
    pub settings: Settings,
    pub stop: Stop,
}

impl SlotWork {
    /// Everything that happens to this module. `job` is what goes into it, or why nothing does.
    pub fn run(self, job: Result<Goods, Error>) -> Outcome {
        let package = job.as_ref().ok().map(|goods| Arc::clone(&goods.package));
        let package = package.as_deref();
        let last = match job {
            Ok(goods) => match self.hook(When::Before, Some(&goods.package), None) {
                Ok(()) => self.attempts(&goods),
                Err(error) => self.leave_alone(package, error.hint("the module was not asked anything")),
            },
            Err(error) => self.leave_alone(None, error),
        };
        let mut outcome = self.finish(last, package);
        self.record.close(&mut outcome);
        outcome
    }

    /// The last attempt ends in the record after the hook `after`: a module whose hook has failed has not passed there
    /// either.
    fn finish(&self, last: Attempt, package: Option<&Package>) -> Outcome {
        let Attempt {
            outcome: mut own,
            flags,
            changed,
        } = last;
        let mut outcome = own.clone();
        keep_in_mind(&mut outcome, changed);
        if let Err(error) = self.hook(When::After, package, Some(&outcome)) {
            let error = error.written(outcome.written.clone());
            own.fail(&error);
            outcome.fail(&error);
        }
        if let Err(error) = self.record.end(&own, &flags) {
            outcome.fail(&error.written(outcome.written.clone()));
        }
        outcome
    }

    fn hook(&self, when: When, package: Option<&Package>, outcome: Option<&Outcome>) -> Result<(), Error> {
        self.voice.wake();
        let mut document = json!({
            "slot": self.slot.name,
            "unit": self.voice.unit(),
            "ordering_code": self.label.as_ref().map(|label| label.ordering_code.to_string()),
            "imei": self.label.as_ref().and_then(|label| label.imei.clone()),
            "serial_number": self.label.as_ref().and_then(|label| label.serial_number.clone()),
            "package_sha256": package.map(Package::sha256),
        });
        if let Some(outcome) = outcome {
            document["pass"] = json!(outcome.exit_code == 0);
            document["outcome"] = json!(outcome);
        }
        let ran = hook::run(&self.config, when, document).map_err(|error| error.at(&*self.slot.name));
        self.voice.wake();
        ran
    }

    /// The module is not asked anything; that stands in the record, too.
    fn leave_alone(&self, package: Option<&Package>, error: Error) -> Attempt {
        let begun = self
            .record
            .begin(&self.slot.name, 1, self.label.as_ref(), package);
        Attempt::of(begun.map_or_else(Outcome::of_error, |_| Outcome::of_error(error)))
    }

    fn attempts(&self, goods: &Goods) -> Attempt {
        let request = self.request(goods);
        let last = self.config.limits.retries + 1;
        let mut number = 1;
        let mut changed = None;
        loop {
            let attempt = self.attempt(number, goods, &request);
            let is_over = number >= last || self.stop.drain.is_set() || !may_go_well_again(&attempt.outcome);
            if is_over {
                return Attempt { changed, ..attempt };
            }
            let Attempt { outcome, flags, .. } = attempt;
            if let Err(error) = self.record.end(&outcome, &flags) {
                return Attempt::of(Outcome::of_error(error.written(outcome.written)));
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
    fn attempt(&self, number: u32, goods: &Goods, request: &Request) -> Attempt {
        self.voice.begin_attempt();
        let (label, package) = (&goods.label, &goods.package);
        let attempt = match self
            .record
            .begin(&self.slot.name, number, Some(label), Some(package))
        {
            Ok(attempt) => attempt,
            Err(error) => return Attempt::of(Outcome::of_error(error)),
        };
        let events = Events::new(self.sink(attempt));
        let work = || flash::write_package(package, request, &self.settings, events);
        let mut outcome = catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| {
            Outcome::of_error(super::bug(&*panic).written(self.voice.at_most_written()))
        });
        let flags = self.record.flag(attempt, &mut outcome, &self.voice);
        Attempt {
            flags,
            ..Attempt::of(outcome)
        }
    }

    /// Each phase stands in the record before it begins, and the module's own word as soon as it is said; the end of the attempt is not the end of the slot.
    fn sink(&self, attempt: AttemptId) -> crate::event::Sink {
        let (record, voice) = (self.record.clone(), self.voice.clone());
        Box::new(move |event: &Event| match &event.kind {
            EventKind::Finished { .. } => {}
            kind => {
                let recorded = match kind {
                    EventKind::PhaseStarted { phase } => record.phase(attempt, *phase),
                    EventKind::Identified { identity } => record.identified(attempt, identity),
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

    fn request(&self, goods: &Goods) -> Request {
        let Goods { label, product, .. } = goods;
        let mut request = request(&self.slot, product);
        request.label = Some(label.ordering_code.clone());
        request.scan = Some(ScannedLabel {
            imei: label.imei.clone(),
            serial_number: label.serial_number.clone(),
        });
        request.backup_dir = Some(self.config.state.join("backups"));
        request
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
}

/// What a station asks for at a slot, whatever module is there: all else stays at its default, which protects the
/// module.
pub(super) fn request(slot: &Slot, product: &Product) -> Request {
    let mut request = Request {
        port: slot.place.port().map(str::to_owned),
        path: slot.place.path().cloned(),
        built_for: product.built_for.clone(),
        production: product.production,
        ..Request::new(&product.file)
    };
    slot.tuning.apply(&mut request);
    request
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
