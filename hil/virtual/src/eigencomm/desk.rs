//! What every stage goes through: faults, counters, the log of requests, what harms a real module, and the one answer
//! each request has.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::frame::code;
use crate::afflictions::Afflictions;
use crate::fault::{Effect, EigencommRequest, EigencommStage, Point};
use crate::outbox::Outbox;
use crate::port::Ending;
use crate::shared::Shared;

/// Time from the answer to SYS_RST until the module leaves the bus. A real one resets after about 100 ms, but its host
/// has the bytes by then; a pseudo-terminal would take along what a busy host has not read. Source:
/// specs/eigencomm-agentboot.md §4.3 [V*].
const RESETS_AFTER: Duration = Duration::from_millis(200);

/// A host that asks again after less did not wait.
const PATIENCE: Duration = Duration::from_millis(50);

/// The time, and the way to the host.
pub(super) struct Turn<'a> {
    pub now: Instant,
    pub out: &'a mut Outbox,
}

/// What becomes of a request.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Told {
    Execute,
    /// Refuse it with this code.
    Nak(u32),
    /// Do as if it had not come.
    Ignore,
}

/// See the module's text.
#[derive(Debug)]
pub(super) struct Desk {
    pub shared: Arc<Shared>,
    pub afflictions: Afflictions,
    ignored_syncs: u32,
    /// Images announced since power-on, the agent too; bytes of the current one, and of all.
    images: u32,
    received: u64,
    all: u64,
    in_data: bool,
    /// When the last request came.
    asked_at: Option<Instant>,
}

impl Desk {
    pub fn new(shared: Arc<Shared>) -> Self {
        Desk {
            shared,
            afflictions: Afflictions::default(),
            ignored_syncs: 0,
            images: 0,
            received: 0,
            all: 0,
            in_data: false,
            asked_at: None,
        }
    }

    /// A whole request has arrived.
    pub fn receive(
        &mut self,
        (stage, request): (EigencommStage, EigencommRequest),
        line: impl FnOnce() -> String,
        turn: &mut Turn<'_>,
    ) -> Told {
        self.log(stage, request, line);
        self.look_for_haste((stage, request), turn);
        let struck = {
            let faults = &mut self.shared.state().faults;
            let specific = faults.strike(Point::Eigencomm(stage, request));
            specific.or(faults.strike(Point::Eigencomm(stage, EigencommRequest::Any)))
        };
        self.meet(request, struck, turn)
    }

    /// A host waits for an answer, and asks again only after a time.
    fn look_for_haste(&mut self, (stage, request): (EigencommStage, EigencommRequest), turn: &Turn<'_>) {
        let asked = self.asked_at.replace(turn.now);
        let is_hasty = asked.is_some_and(|asked| turn.now.saturating_duration_since(asked) < PATIENCE);
        let asks_again = matches!(request, EigencommRequest::Sync | EigencommRequest::Status);
        if is_hasty && !asks_again && !turn.out.is_empty() && !self.afflictions.manners.dripping {
            self.violation(stage, "the host did not wait for the answer before");
        }
    }

    fn meet(&mut self, request: EigencommRequest, struck: Option<Effect>, turn: &mut Turn<'_>) -> Told {
        let effect = struck.and_then(|effect| self.afflictions.suffer(effect, turn.now, turn.out));
        match effect {
            Some(Effect::Nak(code)) => return Told::Nak(code.into()),
            Some(Effect::Refuse(_)) => return Told::Nak(code::BAD_PARAMETER),
            Some(Effect::IgnoreSyncs(count)) => self.ignored_syncs = count,
            effect => self.afflictions.befall(effect),
        }
        if request == EigencommRequest::Sync && self.ignored_syncs > 0 {
            self.ignored_syncs -= 1;
            return Told::Ignore;
        }
        if self.afflictions.is_ending() {
            Told::Ignore
        } else {
            Told::Execute
        }
    }

    fn log(&mut self, stage: EigencommStage, request: EigencommRequest, line: impl FnOnce() -> String) {
        let is_data = matches!(request, EigencommRequest::Data | EigencommRequest::Head);
        if !(is_data && self.in_data) && request != EigencommRequest::Sync {
            self.shared
                .log_command(&format!("{} {}", stage.name(), line()).to_uppercase());
        }
        self.in_data = is_data;
        self.shared.count(|counters| counters.frames += 1);
    }

    /// An image begins: the agent, or what BURN_ONE has named.
    pub fn image_begins(&mut self) {
        self.images += 1;
        self.received = 0;
    }

    /// Counts bytes of images, and lets strike what waits for a number of them.
    pub fn count_data(&mut self, bytes: usize, turn: &mut Turn<'_>) {
        self.received += bytes as u64;
        self.all += bytes as u64;
        let struck = {
            let state = &mut self.shared.state();
            state.counters.data_bytes += bytes as u64;
            state.faults.strike_data(self.images, self.received, self.all)
        };
        if struck.is_some() {
            self.meet(EigencommRequest::Data, struck, turn);
        }
    }

    /// Notes what a real module lets pass and that harms it, or that no careful host does.
    pub fn violation(&self, stage: EigencommStage, text: &str) {
        self.shared.log_violation(&format!("{}: {text}", stage.name()));
    }

    /// Sends the answer of a request after `delay`, or what a fault makes of it. `with_text` makes an answer of that
    /// data.
    pub fn answer(
        &mut self,
        frame: &[u8],
        with_text: impl FnOnce(&[u8]) -> Vec<u8>,
        delay: Duration,
        turn: &mut Turn<'_>,
    ) {
        let replace = |effect: &Effect| match effect {
            Effect::Answer(text) => Some(with_text(text.as_bytes().get(..250).unwrap_or(text.as_bytes()))),
            _ => None,
        };
        self.afflictions.answer(frame, replace, delay, turn.now, turn.out);
    }

    /// The module restarts.
    pub fn restart(&mut self, now: Instant) {
        self.afflictions.end(now + RESETS_AFTER, Ending::Restart);
    }
}
