//! A module on a virtual clock, with its own simple codec: it answers as specs/eigencomm-agentboot.md §3, §4 and §7
//! say of the genuine agents, unless a test gives it other words.

mod agent;
pub(crate) mod frames;
mod rom;

use std::collections::VecDeque;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use crate::{Phase, Progress, Wire, WireError};

/// What the module does instead of its usual answer.
#[derive(Debug, Clone)]
pub(crate) enum Instead {
    /// Refuses with this code, and does not obey.
    Code(u32),
    /// Answers with this data, and does not obey.
    Data(Vec<u8>),
    /// Has left the session, and says so.
    Elsewhere,
    /// Has not heard it.
    Deaf,
    /// Obeys, and the answer is lost.
    Mute,
    /// Obeys, and one bit of the answer is changed.
    Damaged,
    /// Obeys, and answers twice.
    Twice,
    /// Obeys, and answers once more after this long.
    Again(Duration),
    /// Obeys, and answers after this long.
    Late(Duration),
    /// Obeys, with these bytes before the answer.
    After(Vec<u8>),
    /// Nothing at all, ever.
    Dead,
    /// It leaves the bus.
    Vanish,
    /// The run is cancelled.
    Cancel,
}

/// Who listens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    /// The boot ROM; whether it has the header.
    Rom(bool),
    /// The agent before its first sync.
    Fresh,
    /// LPC.
    Loop,
    /// AGBOOT, which has yet to swallow a sync.
    Deaf,
    /// AGBOOT before the sync of a header or a block.
    Opening,
    /// AGBOOT within a session.
    Session,
    /// The firmware, or nobody.
    Run,
}

/// How the agent takes BULK_READ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Bulk {
    Answers,
    Refuses,
    Ignores,
}

pub(crate) const AP_BYTES: usize = 0x40_0000;
pub(crate) const CP_BYTES: usize = 0x10_0000;

/// Flash of a module that has been used: no byte of it is blank by chance.
pub(crate) static USED: LazyLock<Arc<[u8]>> = LazyLock::new(|| super::pattern(7, AP_BYTES + CP_BYTES));

/// The module and the wire to it.
pub(crate) struct Module {
    pub now: Duration,
    /// Every write of the host.
    pub sent: Vec<Vec<u8>>,
    /// What was heard, by name, with what matters of its data, and when.
    pub heard: Vec<(Duration, String)>,
    /// Every answer.
    pub said: Vec<Vec<u8>>,
    pub phases: Vec<Phase>,
    pub notes: Vec<String>,
    pub acknowledged: Vec<(String, u64, u64)>,
    pub bauds: Vec<u32>,
    pub stage: Stage,
    /// AP flash, then CP flash.
    pub flash: Vec<u8>,
    /// The version that the ROM tells.
    pub rom_version: u32,
    pub is_uart: bool,
    pub bulk: Bulk,
    /// Largest packet of the agent.
    pub packet: usize,
    /// Erasing and writing a block takes so long; syncs that come meanwhile are lost.
    pub block_time: Duration,
    /// Bytes of flash that keep their value whatever is written.
    pub stuck: Option<usize>,
    /// Replies arrive in pieces of so many bytes.
    pub piece: usize,
    pub ram: Vec<u8>,
    instead: Vec<(String, usize, Instead)>,
    agent_header: Vec<u8>,
    input: Vec<u8>,
    last_byte: Duration,
    outgoing: VecDeque<(Duration, Vec<u8>)>,
    busy_until: Duration,
    /// It drops what comes: it has found a wrong check sum.
    flushes_until: Duration,
    dead: bool,
    gone: bool,
    cancelled: bool,
    /// The image that is being received.
    image: agent::Receiving,
    status: u32,
    /// The flash that was named last: the CP flash.
    cp_named: bool,
}

impl Module {
    /// A used module in its boot ROM.
    pub fn new() -> Self {
        Module {
            now: Duration::ZERO,
            sent: Vec::new(),
            heard: Vec::new(),
            said: Vec::new(),
            phases: Vec::new(),
            notes: Vec::new(),
            acknowledged: Vec::new(),
            bauds: Vec::new(),
            stage: Stage::Rom(false),
            flash: USED.to_vec(),
            rom_version: 0x0200_0000,
            is_uart: false,
            bulk: Bulk::Answers,
            packet: 0x4000,
            block_time: Duration::from_millis(300),
            stuck: None,
            piece: 512,
            ram: Vec::new(),
            instead: Vec::new(),
            agent_header: Vec::new(),
            input: Vec::new(),
            last_byte: Duration::ZERO,
            outgoing: VecDeque::new(),
            busy_until: Duration::ZERO,
            flushes_until: Duration::ZERO,
            dead: false,
            gone: false,
            cancelled: false,
            image: agent::Receiving::default(),
            status: 0,
            cp_named: false,
        }
    }

    pub fn uart() -> Self {
        Module {
            is_uart: true,
            packet: 0x1_0000,
            ..Module::new()
        }
    }

    /// At the `nth` (1 = first) thing heard that begins so, does something else, once.
    pub fn on(mut self, beginning: &str, nth: usize, instead: Instead) -> Self {
        self.instead.push((beginning.to_owned(), nth, instead));
        self
    }

    pub fn names(&self) -> Vec<&str> {
        self.heard.iter().map(|(_, text)| text.as_str()).collect()
    }

    pub fn count(&self, beginning: &str) -> usize {
        self.names()
            .iter()
            .filter(|text| text.starts_with(beginning))
            .count()
    }

    fn hear(&mut self, name: String) -> Option<Instead> {
        let mut due = None;
        for (index, (beginning, left, _)) in self.instead.iter_mut().enumerate() {
            if name.starts_with(beginning.as_str()) {
                *left = left.saturating_sub(1);
                if *left == 0 && due.is_none() {
                    due = Some(index);
                }
            }
        }
        self.heard.push((self.now, name));
        let instead = self.instead.remove(due?).2;
        match instead {
            Instead::Vanish => self.gone = true,
            Instead::Cancel => self.cancelled = true,
            Instead::Dead => self.dead = true,
            Instead::Code(0x9A) => self.flushes_until = self.now + Duration::from_millis(400),
            _ => {}
        }
        Some(instead)
    }

    /// What was heard is not obeyed.
    fn disobeys(instead: &Option<Instead>) -> bool {
        matches!(
            instead,
            Some(
                Instead::Code(_)
                    | Instead::Data(_)
                    | Instead::Elsewhere
                    | Instead::Deaf
                    | Instead::Dead
                    | Instead::Vanish
            )
        )
    }

    fn say(&mut self, mut raw: Vec<u8>, instead: Option<Instead>) {
        let mut delay = Duration::from_millis(1);
        let mut again = None;
        match instead {
            Some(Instead::Mute | Instead::Deaf) => return,
            Some(Instead::Damaged) => {
                let middle = raw.len() / 2;
                raw[middle] ^= 1;
            }
            Some(Instead::Twice) => raw.extend(raw.clone()),
            Some(Instead::Late(by)) => delay = by,
            Some(Instead::Again(after)) => again = Some(after),
            Some(Instead::After(before)) => raw = [before, raw].concat(),
            _ => {}
        }
        if self.dead {
            return;
        }
        if let Some(after) = again {
            self.outgoing.push_back((self.now + after, raw.clone()));
        }
        self.said.push(raw.clone());
        for piece in raw.chunks(self.piece) {
            self.outgoing.push_back((self.now + delay, piece.to_vec()));
        }
        self.outgoing.make_contiguous().sort_by_key(|(when, _)| *when);
    }

    fn take(&mut self, bytes: &[u8]) {
        if self.now - self.last_byte > Duration::from_secs(1) {
            self.input.clear();
        }
        self.last_byte = self.now;
        if self.now < self.flushes_until {
            return;
        }
        self.input.extend(bytes);
        loop {
            let before = (self.input.len(), self.stage);
            match self.stage {
                _ if self.dead => self.input.clear(),
                Stage::Run => self.input.clear(),
                Stage::Rom(_) => self.take_rom(),
                _ => self.take_agent(),
            }
            if before == (self.input.len(), self.stage) {
                return;
            }
        }
    }

    fn alive(&self) -> Result<(), WireError> {
        match (self.cancelled, self.gone) {
            (true, _) => Err(WireError::Cancelled),
            (_, true) => Err(WireError::Gone),
            _ => Ok(()),
        }
    }
}

impl Wire for Module {
    fn send(&mut self, bytes: &[u8]) -> Result<(), WireError> {
        self.alive()?;
        self.sent.push(bytes.to_vec());
        self.take(bytes);
        Ok(())
    }

    fn receive(&mut self, into: &mut [u8], within: Duration) -> Result<usize, WireError> {
        self.alive()?;
        let until = self.now + within;
        match self.outgoing.pop_front() {
            Some((when, mut bytes)) if when <= until => {
                self.now = self.now.max(when);
                let rest = bytes.split_off(bytes.len().min(into.len()));
                into[..bytes.len()].copy_from_slice(&bytes);
                if !rest.is_empty() {
                    self.outgoing.push_front((when, rest));
                }
                Ok(bytes.len())
            }
            later => {
                if let Some(later) = later {
                    self.outgoing.push_front(later);
                }
                self.now = until;
                Ok(0)
            }
        }
    }

    fn set_baud(&mut self, baud: u32) -> Result<(), WireError> {
        self.bauds.push(baud);
        Ok(())
    }

    fn now(&self) -> Duration {
        self.now
    }

    fn pause(&mut self, how_long: Duration) -> Result<(), WireError> {
        self.now += how_long;
        self.alive()
    }

    fn report(&mut self, fact: Progress<'_>) {
        match fact {
            Progress::Phase(phase) => self.phases.push(phase),
            Progress::Bytes { image, done, total } => self.acknowledged.push((image.to_owned(), done, total)),
            Progress::Note(note) => self.notes.push(note.to_owned()),
        }
    }
}
