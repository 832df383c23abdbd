//! What every stage of a module in download mode goes through: faults, counters, the log of requests, and the one
//! answer each request has.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::afflictions::Afflictions;
use crate::fault::{Effect, Point, Request, Stage};
use crate::outbox::Outbox;
use crate::port::Ending;
use crate::shared::Shared;

/// Time from the answer to NORMAL_RESET until the module leaves the bus. A real one is gone after 2 ms, but its
/// host has the bytes by then; a pseudo-terminal would take them along.
const LEAVES_AFTER: Duration = Duration::from_millis(30);

/// The time, and the way to the host.
pub(super) struct Turn<'a> {
    pub now: Instant,
    pub out: &'a mut Outbox,
}

/// See the module's text.
#[derive(Debug)]
pub(super) struct Desk {
    pub shared: Arc<Shared>,
    pub afflictions: Afflictions,
    /// The loader does one thing after the other.
    busy_until: Option<Instant>,
    objects: u32,
    received: u64,
    all: u64,
    in_data: bool,
}

impl Desk {
    pub fn new(shared: Arc<Shared>) -> Self {
        Desk {
            shared,
            afflictions: Afflictions::default(),
            busy_until: None,
            objects: 0,
            received: 0,
            all: 0,
            in_data: false,
        }
    }

    /// A whole request has arrived, with so many bytes of data. Gives what is answered instead of doing it.
    pub fn receive(
        &mut self,
        (stage, request): (Stage, Request),
        line: impl FnOnce() -> String,
        data: usize,
        turn: &mut Turn<'_>,
    ) -> Option<u16> {
        self.log(stage, request, line);
        if !turn.out.is_empty() && !self.afflictions.manners.dripping {
            self.violation(stage, "the host did not wait for the answer before");
        }
        let struck = self.strike(stage, request).or(self.tally(request, data));
        let effect = struck.and_then(|effect| self.afflictions.suffer(effect, turn.now, turn.out));
        match effect {
            Some(Effect::Nak(code)) => Some(code),
            Some(Effect::Refuse(_)) => Some(super::bsl::OPERATION_FAILED),
            effect => {
                self.afflictions.befall(effect);
                None
            }
        }
    }

    fn log(&mut self, stage: Stage, request: Request, line: impl FnOnce() -> String) {
        let is_data = request == Request::Midst;
        if !(is_data && self.in_data) && request != Request::Sync {
            self.shared
                .log_command(&format!("{stage:?} {}", line()).to_uppercase());
        }
        self.in_data = is_data;
        self.shared.count(|counters| counters.frames += 1);
    }

    fn strike(&self, stage: Stage, request: Request) -> Option<Effect> {
        let faults = &mut self.shared.state().faults;
        let specific = faults.strike(Point::Unisoc(stage, request));
        specific.or(faults.strike(Point::Unisoc(stage, Request::Any)))
    }

    /// Counts objects and their bytes, and strikes where a fault waits for a number of them.
    fn tally(&mut self, request: Request, data: usize) -> Option<Effect> {
        match request {
            Request::Start => {
                self.objects += 1;
                self.received = 0;
                None
            }
            Request::Midst => {
                self.received += data as u64;
                self.all += data as u64;
                let state = &mut self.shared.state();
                state.counters.data_bytes += data as u64;
                state.faults.strike_data(self.objects, self.received, self.all)
            }
            _ => None,
        }
    }

    /// Notes what a real module lets pass and that harms it.
    pub fn violation(&self, stage: Stage, text: &str) {
        self.shared.log_violation(&format!("{stage:?}: {text}"));
    }

    /// Sends the answer of a request that `takes` so long, or what a fault makes of it.
    pub fn answer(
        &mut self,
        frame: &[u8],
        replace: impl FnOnce(&Effect) -> Option<Vec<u8>>,
        takes: Duration,
        turn: &mut Turn<'_>,
    ) {
        let begins = self.busy_until.map_or(turn.now, |busy| busy.max(turn.now));
        let done = begins + takes;
        self.busy_until = Some(done);
        let delay = done.saturating_duration_since(turn.now);
        self.afflictions.answer(frame, replace, delay, turn.now, turn.out);
    }

    /// The module restarts when its last answer has left.
    pub fn restart(&mut self, now: Instant) {
        let done = self.busy_until.map_or(now, |busy| busy.max(now));
        self.afflictions.end(done + LEAVES_AFTER, Ending::Restart);
    }
}
