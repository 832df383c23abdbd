//! What a station writes into its journal while it is at work.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use qpyflash_protocols::Phase;

use super::config::Config;
use super::journal::{AttemptId, Beginning, Journal, RunId, imei};
use super::label::Label;
use super::voice::Voice;
use crate::error::Error;
use crate::event::EventKind;
use crate::firmware::Package;
use crate::flash::Outcome;
use crate::identity::Identity;
use crate::link::Cancel;

/// The journal, shared by all slots. Once it cannot be kept, nothing new is started: a module without a record has
/// not passed.
#[derive(Clone)]
pub(super) struct Book {
    journal: Arc<Mutex<Journal>>,
    config: Arc<Config>,
    operator: Option<String>,
    drain: Cancel,
}

impl Book {
    /// Opens the journal of a station. `drain` is set when it cannot be kept any more.
    ///
    /// # Errors
    /// Those of [`Journal::open`].
    pub fn open(config: &Arc<Config>, operator: Option<String>, drain: Cancel) -> Result<Self, Error> {
        Ok(Book {
            journal: Arc::new(Mutex::new(Journal::open(&config.state)?)),
            config: Arc::clone(config),
            operator,
            drain,
        })
    }

    /// A run begins: all that is flashed at once, or one module of a loop.
    pub fn begin_run(&self) -> Result<RunId, Error> {
        let Config {
            line,
            station,
            sha256,
            ..
        } = &*self.config;
        self.keep(|journal| journal.begin_run(line, station, self.operator.as_deref(), sha256))
    }

    /// A run ends.
    pub fn end_run(&self, run: RunId) -> Result<(), Error> {
        self.keep(|journal| journal.end_run(run))
    }

    /// The record of one module: in `run`, or in one of its own.
    pub fn record(&self, run: Option<RunId>) -> Record {
        Record {
            book: self.clone(),
            run,
            own_run: Arc::default(),
            open: Arc::default(),
        }
    }

    fn keep<T>(&self, work: impl FnOnce(&Journal) -> Result<T, Error>) -> Result<T, Error> {
        let kept = work(&held(&self.journal));
        if kept.is_err() {
            self.drain.set();
        }
        kept
    }
}

/// A panic elsewhere must not stop the record.
fn held<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The record of one module in a slot.
#[derive(Clone)]
pub(super) struct Record {
    book: Book,
    run: Option<RunId>,
    own_run: Arc<Mutex<Option<RunId>>>,
    /// The attempt that is open.
    open: Arc<Mutex<Option<AttemptId>>>,
}

impl Record {
    /// An attempt begins; when this returns, that is on the disk.
    pub fn begin(
        &self,
        slot: &str,
        number: u32,
        label: Option<&Label>,
        package: Option<&Package>,
    ) -> Result<AttemptId, Error> {
        let beginning = Beginning {
            run: self.run()?,
            slot,
            number,
            label,
            package,
        };
        let attempt = self.book.keep(|journal| journal.begin_attempt(&beginning))?;
        *held(&self.open) = Some(attempt);
        Ok(attempt)
    }

    fn run(&self) -> Result<RunId, Error> {
        if let Some(run) = self.run {
            return Ok(run);
        }
        let mut own = held(&self.own_run);
        match *own {
            Some(run) => Ok(run),
            None => Ok(*own.insert(self.book.begin_run()?)),
        }
    }

    /// A phase begins.
    pub fn phase(&self, attempt: AttemptId, phase: Phase) -> Result<(), Error> {
        self.book.keep(|journal| journal.phase(attempt, phase))
    }

    /// The module has said what it is.
    pub fn identified(&self, attempt: AttemptId, identity: &Identity) -> Result<(), Error> {
        self.book.keep(|journal| journal.identified(attempt, identity))
    }

    /// Records the end of the attempt that is open; there is none when it could not begin.
    ///
    /// # Errors
    /// When it cannot be kept: a module without a record has not passed.
    pub fn end(&self, outcome: &Outcome, flags: &[String]) -> Result<(), Error> {
        let Some(attempt) = held(&self.open).take() else {
            return Ok(());
        };
        self.book
            .keep(|journal| journal.end_attempt(attempt, outcome, flags))
    }

    /// What is strange about the module, told and added to the outcome's warnings.
    pub fn flag(&self, attempt: AttemptId, outcome: &mut Outcome, voice: &Voice) -> Vec<String> {
        let (Some(imei), Some(package)) = (imei(outcome), &outcome.package) else {
            return Vec::new();
        };
        let found = self
            .book
            .keep(|journal| journal.flags(attempt, &imei, &package.sha256));
        let flags = found.unwrap_or_else(|error| {
            outcome.fail(&error.written(outcome.written.clone()));
            Vec::new()
        });
        for flag in &flags {
            voice.emit(EventKind::Warning { text: flag.clone() });
            outcome.warnings.push(flag.clone());
        }
        flags
    }

    /// Nothing more comes for this module.
    pub fn close(&self, outcome: &mut Outcome) {
        let own = held(&self.own_run).take();
        if let Some(Err(error)) = own.map(|run| self.book.end_run(run)) {
            outcome.fail(&error.written(outcome.written.clone()));
        }
    }

    /// Records the end of a module whose own thread cannot: the attempt that is open, or one that never began.
    pub fn lose(&self, slot: &str, label: Option<&Label>, outcome: &mut Outcome) {
        let open = held(&self.open).take();
        let attempt = match open {
            Some(attempt) => Ok(attempt),
            None => self.begin(slot, 1, label, None),
        };
        let ended = attempt.and_then(|attempt| {
            self.book
                .keep(|journal| journal.end_attempt(attempt, outcome, &[]))
        });
        if let Err(error) = ended {
            outcome.fail(&error.written(outcome.written.clone()));
        }
        self.close(outcome);
    }
}
