//! The events of one slot, over all its attempts: numbered without gaps, and `finished` is the last of them whatever
//! happens to the slot's thread.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use qpyflash_protocols::{Phase, Written};

use crate::event::{Event, EventKind, SCHEMA};
use crate::flash::Outcome;

/// Receives the events of all slots, from many threads.
pub type SharedSink = Arc<dyn Fn(&Event) + Send + Sync>;

/// Speaks for one slot.
#[derive(Clone)]
pub struct Voice(Arc<Mutex<State>>);

struct State {
    sink: SharedSink,
    slot: String,
    began: Instant,
    seq: u64,
    last: Instant,
    phase: Option<Phase>,
    image: Option<(String, u64)>,
    finished: bool,
}

impl Voice {
    /// The voice of `slot`.
    pub fn new(slot: &str, sink: SharedSink) -> Self {
        Voice(Arc::new(Mutex::new(State {
            sink,
            slot: slot.to_owned(),
            began: Instant::now(),
            seq: 0,
            last: Instant::now(),
            phase: None,
            image: None,
            finished: false,
        })))
    }

    /// The slot's name.
    pub fn slot(&self) -> String {
        self.state().slot.clone()
    }

    /// Tells of a fact; nothing is heard of a slot that has finished.
    pub fn emit(&self, kind: EventKind) {
        self.state().emit(kind);
    }

    /// A new attempt: nothing has been written in it.
    pub fn begin_attempt(&self) {
        let mut state = self.state();
        (state.phase, state.image) = (None, None);
    }

    /// The slot is done; only the first word of it counts.
    pub fn finish(&self, outcome: &Outcome) {
        let mut state = self.state();
        state.emit(EventKind::Finished {
            outcome: Box::new(outcome.clone()),
        });
        state.finished = true;
    }

    /// The slot's turn has come: its silence counts from here.
    pub fn wake(&self) {
        self.state().last = Instant::now();
    }

    /// Time since the last event.
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
        if self.finished {
            return;
        }
        self.last = Instant::now();
        match &kind {
            EventKind::PhaseStarted { phase } => self.phase = Some(*phase),
            EventKind::Bytes { image, done, .. } => self.image = Some((image.clone(), *done)),
            _ => {}
        }
        let event = Event {
            schema: SCHEMA,
            seq: self.seq,
            t: self.began.elapsed().as_secs_f64(),
            slot: Some(self.slot.clone()),
            kind,
        };
        self.seq += 1;
        (self.sink)(&event);
    }
}
