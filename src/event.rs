//! The events of a run: facts only, every one of them. Renderers decide how often to draw.
//!
//! A run has one stream: `seq` counts from 0 without gaps, and `finished` is its last event. A station of a production
//! line has one stream a slot, told apart by `slot`, and one of the station itself, whose `slot` is null:
//!
//! ```text
//! {"slot":"A1","seq":0,"kind":"waiting","for":"module"}
//! {"slot":"A1","seq":1,"unit":1,"kind":"plugged"}            what has a `unit` is about that module
//! {"slot":"A1","seq":2,"unit":1,"kind":"phase_started",...}
//! {"slot":"A1","seq":9,"unit":1,"kind":"finished",...}       the last event of module 1
//! {"slot":"A1","seq":10,"kind":"waiting","for":"removal"}    between two modules: no `unit`
//! {"slot":"A1","seq":11,"kind":"waiting","for":"module"}
//! {"slot":"A1","seq":12,"unit":2,"kind":"plugged"}
//! {"slot":null,"seq":0,"kind":"warning","text":"the scanner ..."}
//! ```
//!
//! `seq` counts all events of a slot, over all its modules, without gaps; `unit` counts the slot's modules from 1.
//! Each module's events end with its `finished`. A slot that is emptied while it waits has no `unit` and no `finished`,
//! and the station never has one.

use std::time::{Duration, Instant};

use qpyflash_protocols::{Phase, Progress};
use serde::Serialize;

use crate::flash::Outcome;
use crate::identity::Identity;

/// The version of the events' JSON form.
pub const SCHEMA: u32 = 1;

/// One fact about a run.
#[derive(Debug, Clone, Serialize)]
pub struct Event {
    /// [`SCHEMA`].
    pub schema: u32,
    /// Counts from 0 without gaps, so that a reader notices what it has lost.
    pub seq: u64,
    /// Seconds since the run began.
    pub t: f64,
    /// The module's place: slot name, topology path or port. Nothing for what concerns a whole station.
    pub slot: Option<String>,
    /// Which module of a production line's slot this is about, counted from 1; nothing between two modules, and
    /// outside a production line.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unit: Option<u64>,
    /// What happened.
    #[serde(flatten)]
    pub kind: EventKind,
}

/// What happened.
#[derive(Debug, Clone, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum EventKind {
    /// A phase begins.
    PhaseStarted {
        /// Which.
        phase: Phase,
    },
    /// The module acknowledged bytes.
    Bytes {
        /// The image they belong to.
        image: String,
        /// Bytes acknowledged so far.
        done: u64,
        /// Bytes of the image.
        total: u64,
    },
    /// A phase ended, well or not.
    PhaseDone {
        /// Which.
        phase: Phase,
        /// How long it took.
        seconds: f64,
    },
    /// The module has said what it is.
    Identified {
        /// All it said.
        identity: Box<Identity>,
    },
    /// Something a person may want to know.
    Note {
        /// The words.
        text: String,
    },
    /// Something a person should know before the module is touched.
    Warning {
        /// The words.
        text: String,
    },
    /// A slot of a production line tries once more after this one went wrong.
    AttemptFailed {
        /// Counts from 1.
        attempt: u32,
        /// How it ended.
        outcome: Box<Outcome>,
    },
    /// A slot of a production line has found a module at its place, and takes it on.
    Plugged,
    /// A slot of a production line has nothing to do, and waits.
    Waiting {
        /// For what.
        #[serde(rename = "for")]
        wants: Wants,
    },
    /// A slot of a production line takes no more modules until the program is started again.
    OutOfService {
        /// Why, and what to do.
        text: String,
    },
    /// The run is over; always the last event of a run, or of a module.
    Finished {
        /// How it ended.
        outcome: Box<Outcome>,
    },
}

/// What a slot of a production line waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Wants {
    /// That the module is unplugged, and the place stays empty.
    Removal,
    /// The next module.
    Module,
    /// The label of the module that is there.
    Label,
    /// The next module, and its label.
    ModuleAndLabel,
}

/// Receives the events of a run.
pub type Sink = Box<dyn FnMut(&Event) + Send>;

/// The event source of one run.
pub struct Events {
    sink: Sink,
    slot: Option<String>,
    began: Instant,
    seq: u64,
    current: Option<(Phase, Instant)>,
    times: Vec<(Phase, Duration)>,
}

impl Events {
    /// Events of one run, given to `sink` one by one.
    pub fn new(sink: Sink) -> Self {
        Events {
            sink,
            slot: None,
            began: Instant::now(),
            seq: 0,
            current: None,
            times: Vec::new(),
        }
    }

    /// Names the module's place from here on.
    pub fn set_slot(&mut self, slot: impl Into<String>) {
        self.slot = Some(slot.into());
    }

    /// The phase in work.
    pub fn phase(&self) -> Option<Phase> {
        self.current.map(|(phase, _)| phase)
    }

    /// A phase begins; the one before it ends. A phase that is already in work goes on.
    pub fn start(&mut self, phase: Phase) {
        if self.phase() == Some(phase) {
            return;
        }
        self.end_phase();
        self.current = Some((phase, Instant::now()));
        self.emit(EventKind::PhaseStarted { phase });
    }

    /// Something a person may want to know.
    pub fn note(&mut self, text: impl Into<String>) {
        let text = text.into();
        log::debug!("{text}");
        self.emit(EventKind::Note { text });
    }

    /// The module has said what it is.
    pub fn identified(&mut self, identity: &Identity) {
        self.emit(EventKind::Identified {
            identity: Box::new(identity.clone()),
        });
    }

    /// Something a person should know before the module is touched.
    pub fn warn(&mut self, text: impl Into<String>) {
        self.emit(EventKind::Warning { text: text.into() });
    }

    /// A fact from a session.
    pub fn report(&mut self, fact: Progress<'_>) {
        match fact {
            Progress::Phase(phase) => self.start(phase),
            Progress::Bytes { image, done, total } => {
                self.emit(EventKind::Bytes {
                    image: image.to_owned(),
                    done,
                    total,
                });
            }
            Progress::Note(text) => self.note(text),
        }
    }

    /// The run is over. The outcome gets the time of each phase.
    pub fn finish(&mut self, mut outcome: Outcome) -> Outcome {
        self.end_phase();
        outcome.set_times(&self.times, self.began.elapsed());
        self.emit(EventKind::Finished {
            outcome: Box::new(outcome.clone()),
        });
        outcome
    }

    fn end_phase(&mut self) {
        if let Some((phase, since)) = self.current.take() {
            let took = since.elapsed();
            self.times.push((phase, took));
            self.emit(EventKind::PhaseDone {
                phase,
                seconds: took.as_secs_f64(),
            });
        }
    }

    fn emit(&mut self, kind: EventKind) {
        let event = Event {
            schema: SCHEMA,
            seq: self.seq,
            t: self.began.elapsed().as_secs_f64(),
            slot: self.slot.clone(),
            unit: None,
            kind,
        };
        self.seq += 1;
        (self.sink)(&event);
    }
}
