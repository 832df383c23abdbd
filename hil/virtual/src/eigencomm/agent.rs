//! The agent: what it remembers, how it takes frames, and what it sends. Its command loop is in `lpc`, its image
//! receiver in `receiver` and `burn`. Source: specs/eigencomm-agentboot.md §4, §7.2, and the genuine agents of 2021.

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use super::agents::AgentKind;
use super::burn::Burn;
use super::desk::{Desk, Turn};
use super::flash::{EigencommFlash, FlashChip};
use super::frame::{self, DOWNLOAD_DATA, Head, code};
use super::input::Input;
use crate::fault::EigencommStage;
use crate::shared::lock;

/// Where blocks of images are received, and where headers.
pub(super) const BUFFER: usize = 0x1_0000;
const HEADER_BUFFER: usize = 0x2000;
/// Build of the agents of 2021. Source: §4.6 [V*].
const DATED: u32 = 0x2021_2611;
const WAITS_FOR_SESSION: Duration = Duration::from_secs(4);
const WAITS_FOR_COMMAND: Duration = Duration::from_secs(16);

/// What the agent waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    /// The first LPC sync.
    Fresh,
    /// Commands of LPC.
    Loop,
    /// The first AG sync after BURN_ONE, which is swallowed.
    Presync,
    /// An AG sync that opens a session: of the header, or of a block.
    Opening,
    /// Commands of AGBOOT; true until the first.
    Session(bool),
}

/// What the builder says of every agent.
#[derive(Debug, Clone, Copy)]
pub(super) struct Conduct {
    /// Refuses what the genuine agents let pass and that harms the module.
    pub strict: bool,
    /// Erasing and programming take their time.
    pub takes_time: bool,
}

/// Bytes of an agent's variables, at its end [?].
const VARIABLES: usize = 64;

/// One agent at work.
pub(super) struct Agent {
    pub kind: AgentKind,
    /// Its own bytes in RAM.
    pub ram: Vec<u8>,
    /// The chip of the last BURN_ONE.
    pub named_last: FlashChip,
    pub conduct: Conduct,
    pub flash: Arc<Mutex<EigencommFlash>>,
    pub state: State,
    /// What GET_BURN_STATUS says.
    pub status: u32,
    pub burn: Burn,
    /// They keep what was in them: what does not come is taken from there.
    pub buffer: Vec<u8>,
    pub header_buffer: Vec<u8>,
    /// Since when it waits for what its state says.
    since: Instant,
    /// Does not look at its input until then; and drops it when it looks again.
    busy_until: Option<Instant>,
    drops_input: bool,
    /// Looks at its input again when something new has come.
    pub pauses: bool,
    /// The last replies: the CRC of a NAK 9C is left over from them.
    sent: [u8; 14],
}

/// What came of reading a frame.
pub(super) enum Taken {
    /// Not all of it is there.
    Part,
    /// It was wrong, and that has been said.
    Wrong,
    Data(Vec<u8>),
}

impl Agent {
    pub fn new(
        (kind, file): (AgentKind, &[u8]),
        conduct: Conduct,
        flash: Arc<Mutex<EigencommFlash>>,
        now: Instant,
    ) -> Self {
        // Its variables, which it has changed when somebody looks at them.
        let (code, variables) = file.split_at(file.len().saturating_sub(VARIABLES));
        let changed = variables.iter().map(|byte| !byte);
        Agent {
            kind,
            ram: code.iter().copied().chain(changed).collect(),
            named_last: FlashChip::Ap,
            conduct,
            flash,
            state: State::Fresh,
            status: code::GOOD,
            burn: Burn::default(),
            buffer: vec![0; BUFFER],
            header_buffer: vec![0; HEADER_BUFFER],
            since: now,
            busy_until: None,
            drops_input: false,
            pauses: false,
            sent: [0; 14],
        }
    }

    pub fn flash(&self) -> MutexGuard<'_, EigencommFlash> {
        lock(&self.flash)
    }

    /// Largest packet. Source: §4.6 [V*].
    pub fn limit(&self) -> u32 {
        match self.kind {
            AgentKind::Usb => 0x4000,
            AgentKind::Uart => 0x1_0000,
        }
    }

    pub fn version() -> [u8; 12] {
        let mut words = [0; 12];
        for (place, word) in [0x0100_0001, 1, DATED].into_iter().enumerate() {
            words[4 * place..4 * place + 4].copy_from_slice(&u32::to_le_bytes(word));
        }
        words
    }

    /// Works on what has arrived. True when the module is to reset.
    pub fn work(&mut self, input: &mut Input, desk: &mut Desk, turn: &mut Turn<'_>) -> bool {
        while !self.is_busy(input, turn.now) && !self.pauses {
            let Some(head) = input.bytes().get(..8).and_then(|head| head.try_into().ok()) else {
                break;
            };
            let before = input.bytes().len();
            let resets = match self.state {
                State::Fresh => self.wake(Head(head), input, desk, turn),
                State::Loop => self.lpc(Head(head), input, desk, turn),
                State::Presync => self.presync(Head(head), input, desk, turn),
                State::Opening => self.open(Head(head), input, desk, turn),
                State::Session(is_new) => self.session(Head(head), is_new, input, desk, turn),
            };
            if resets {
                return true;
            }
            if input.bytes().len() == before {
                break;
            }
            self.since = turn.now;
        }
        self.give_up(turn.now);
        false
    }

    fn is_busy(&mut self, input: &mut Input, now: Instant) -> bool {
        match self.busy_until {
            Some(until) if now < until => return true,
            None => {}
            Some(until) => {
                self.since = until;
                if std::mem::take(&mut self.drops_input) {
                    input.clear();
                }
            }
        }
        self.busy_until = None;
        false
    }

    /// Erases or programs for so long; drops its input afterwards if told.
    pub fn be_busy(&mut self, takes: Duration, drops_input: bool, input: &mut Input, now: Instant) {
        if self.conduct.takes_time && !takes.is_zero() {
            self.busy_until = Some(self.busy_until.unwrap_or(now) + takes);
            self.drops_input |= drops_input;
        } else if drops_input {
            input.clear();
        }
    }

    /// Ends a session that nobody goes on with. Source: §4.8 [V*].
    fn give_up(&mut self, now: Instant) {
        if self.gives_up_at().is_some_and(|at| at <= now) {
            (self.state, self.status) = (State::Loop, code::TIME_OUT);
        }
    }

    fn gives_up_at(&self) -> Option<Instant> {
        match self.state {
            State::Fresh | State::Loop => None,
            State::Presync => Some(self.since + WAITS_FOR_SESSION),
            State::Opening | State::Session(_) => Some(self.since + WAITS_FOR_COMMAND),
        }
    }

    pub fn next_tick(&self) -> Option<Instant> {
        self.busy_until.or_else(|| self.gives_up_at())
    }

    /// The session is over.
    pub fn leave(&mut self, status: u32) {
        (self.state, self.status) = (State::Loop, status);
    }

    /// Reads the frame that begins with `head`. A wrong one is refused, and the input flushed. Source: §4.1, §7.2.
    pub fn take(
        &mut self,
        head: Head,
        order: [u8; 2],
        stage: EigencommStage,
        input: &mut Input,
        desk: &mut Desk,
        turn: &mut Turn<'_>,
    ) -> Taken {
        let wrong = if !head.has_good_length() {
            code::WRONG_LENGTH
        } else if head.order() != order {
            code::WRONG_ORDER
        } else {
            let length = head.length();
            if input.bytes().len() < 12 + length {
                return Taken::Part;
            }
            let frame = &input.bytes()[8..12 + length];
            let (data, check) = frame.split_at(length);
            if check == head.check(data).to_le_bytes() {
                let data = data.to_vec();
                input.take(12 + length);
                return Taken::Data(data);
            }
            code::WRONG_CRC
        };
        desk.violation(stage, &format!("a frame that is refused with {wrong:X}"));
        let mut start = head.start();
        if wrong == code::WRONG_CRC && head.command() == DOWNLOAD_DATA && order == frame::ORDER_AG {
            start = self.start_of_refused_data(start);
        }
        input.flush(turn.now);
        self.nak(start, wrong, desk, turn);
        Taken::Wrong
    }

    /// USB agents refuse a data packet with what they have left in the place of the header. Source: §7.2 [V*].
    pub fn start_of_refused_data(&self, start: [u8; 4]) -> [u8; 4] {
        match self.kind {
            AgentKind::Usb => frame::AG,
            AgentKind::Uart => start,
        }
    }

    pub fn ack(&mut self, start: [u8; 4], data: &[u8], desk: &mut Desk, turn: &mut Turn<'_>) {
        self.ack_after(start, data, Duration::ZERO, desk, turn);
    }

    pub fn ack_after(
        &mut self,
        start: [u8; 4],
        data: &[u8],
        delay: Duration,
        desk: &mut Desk,
        turn: &mut Turn<'_>,
    ) {
        let reply = frame::sealed(frame::reply(start, 0, data));
        self.keep(&reply);
        let with_text = |text: &[u8]| frame::sealed(frame::reply(start, 0, text));
        desk.answer(&reply, with_text, delay, turn);
    }

    pub fn nak(&mut self, start: [u8; 4], code: u32, desk: &mut Desk, turn: &mut Turn<'_>) {
        let mut reply = frame::sealed(frame::reply(start, 1, &code.to_le_bytes()));
        if code == code::WRONG_INDEX {
            reply[10..].copy_from_slice(&self.sent[10..]);
        }
        self.keep(&reply);
        let with_text = |text: &[u8]| frame::sealed(frame::reply(start, 0, text));
        desk.answer(&reply, with_text, Duration::ZERO, turn);
    }

    fn keep(&mut self, reply: &[u8]) {
        for (place, byte) in self.sent.iter_mut().zip(reply) {
            *place = *byte;
        }
    }

    /// Sends bytes that are no frame: an echo, or `2B 02 D3 EE`.
    pub fn echo(&mut self, word: &[u8], desk: &mut Desk, turn: &mut Turn<'_>) {
        desk.answer(word, <[u8]>::to_vec, Duration::ZERO, turn);
    }
}
