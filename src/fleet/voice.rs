//! The events of one slot: numbered without gaps over all its modules, and `finished` is the last of each module's
//! whatever happens to the slot's thread.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use qpyflash_protocols::{Phase, Written};

use crate::event::{Event, EventKind, SCHEMA};
use crate::flash::Outcome;

/// Receives the events of all slots, from many threads.
pub type SharedSink = Arc<dyn Fn(&Event) + Send + Sync>;

/// Speaks for one slot, or for the station.
#[derive(Clone)]
pub struct Voice(Arc<Mutex<State>>);

struct State {
    sink: SharedSink,
    slot: Option<String>,
    /// The modules that have been at work, and whether the last of them still is.
    units: u64,
    at_work: bool,
    began: Instant,
    seq: u64,
    last: Instant,
    phase: Option<Phase>,
    image: Option<(String, u64)>,
}

impl Voice {
    /// The voice of `slot`.
    pub fn new(slot: &str, sink: SharedSink) -> Self {
        Voice::of(Some(slot.to_owned()), sink)
    }

    /// The voice of the whole station.
    pub fn of_station(sink: SharedSink) -> Self {
        Voice::of(None, sink)
    }

    fn of(slot: Option<String>, sink: SharedSink) -> Self {
        Voice(Arc::new(Mutex::new(State {
            sink,
            slot,
            units: 0,
            at_work: false,
            began: Instant::now(),
            seq: 0,
            last: Instant::now(),
            phase: None,
            image: None,
        })))
    }

    /// The slot's name; none for the station.
    pub fn slot(&self) -> Option<String> {
        self.state().slot.clone()
    }

    /// The next module's turn: what is emitted from here on is about it.
    pub fn begin_unit(&self) {
        let mut state = self.state();
        state.units += 1;
        state.at_work = true;
        (state.phase, state.image) = (None, None);
    }

    /// The number of the module at work.
    pub fn unit(&self) -> Option<u64> {
        let state = self.state();
        state.at_work.then_some(state.units)
    }

    /// Tells of a fact about the module at work; nothing is heard of one that has finished.
    pub fn emit(&self, kind: EventKind) {
        let mut state = self.state();
        if state.at_work {
            state.emit(kind);
        }
    }

    /// Tells of a fact about the slot or its next module, whether a module is at work or not.
    pub fn say(&self, kind: EventKind) {
        self.state().send(None, kind);
    }

    /// A new attempt: nothing has been written in it.
    pub fn begin_attempt(&self) {
        let mut state = self.state();
        (state.phase, state.image) = (None, None);
    }

    /// The module is done; only the first word of it counts.
    pub fn finish(&self, outcome: &Outcome) {
        let mut state = self.state();
        if state.at_work {
            state.emit(EventKind::Finished {
                outcome: Box::new(outcome.clone()),
            });
            state.at_work = false;
        }
    }

    /// The slot's turn has come: its silence counts from here.
    pub fn wake(&self) {
        self.state().last = Instant::now();
    }

    /// Time since the last event of the module at work.
    pub fn quiet_for(&self) -> Duration {
        self.state().last.elapsed()
    }

    /// The most that can have been written, as far as events tell: for an attempt that cannot say it itself.
    pub fn at_most_written(&self) -> Written {
        let state = self.state();
        match state.phase {
            None | Some(Phase::Resolve | Phase::Find | Phase::Identify | Phase::Clear) => Written::Nothing,
            Some(Phase::EnterDownload | Phase::Sync | Phase::LoadHelper | Phase::CheckChip) => {
                Written::HelpersOnly
            }
            Some(Phase::Erase | Phase::Write | Phase::Verify | Phase::Reset | Phase::Confirm) => {
                let (image, bytes) = state.image.clone().unwrap_or_default();
                Written::Partial { image, bytes }
            }
        }
    }

    /// A panic elsewhere must not silence the slot.
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn emit(&mut self, kind: EventKind) {
        self.last = Instant::now();
        match &kind {
            EventKind::PhaseStarted { phase } => self.phase = Some(*phase),
            EventKind::Bytes { image, done, .. } => self.image = Some((image.clone(), *done)),
            _ => {}
        }
        self.send(Some(self.units), kind);
    }

    fn send(&mut self, unit: Option<u64>, kind: EventKind) {
        let event = Event {
            schema: SCHEMA,
            seq: self.seq,
            t: self.began.elapsed().as_secs_f64(),
            slot: self.slot.clone(),
            unit,
            kind,
        };
        self.seq += 1;
        (self.sink)(&event);
    }
}
