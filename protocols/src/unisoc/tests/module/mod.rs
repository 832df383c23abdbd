//! A module on a virtual clock, with its own simple codec: it answers as specs/unisoc-pac-bsl.md §4.4, §5.3 and
//! §5.4 say of the genuine loaders, unless a test gives it other words.

mod frames;
mod loaders;
mod rom;
mod store;

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use crate::{Phase, Platform, Progress, Wire, WireError};

/// What the module does instead of its usual answer to a command.
#[derive(Debug, Clone)]
pub(crate) enum Instead {
    /// A reply of this type, and the command is not obeyed.
    Code(u16),
    /// Obeys, and the answer is lost.
    Mute,
    /// Obeys, and one bit of the answer is changed.
    Damaged,
    /// Obeys, and answers twice.
    Twice,
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
    /// Mask ROM of the UIS8910.
    Pdl,
    /// Mask ROM of the UIS8850; the flag says that it has been greeted.
    Rom(bool),
    /// FDL1 of the UIS8910.
    Fdl1(bool),
    /// FDL2 of the UIS8910.
    Fdl2,
    /// FDL of the UIS8850.
    Fdl(bool),
    /// Nobody, until the plug is pulled.
    Dead,
    /// The firmware.
    Run,
}

/// The module and the wire to it.
pub(crate) struct Module {
    pub now: Duration,
    /// Every write of the host.
    pub sent: Vec<Vec<u8>>,
    /// Commands heard, with their arguments in hex, and when.
    pub heard: Vec<(Duration, String)>,
    pub phases: Vec<Phase>,
    pub notes: Vec<String>,
    pub acknowledged: Vec<(String, u64, u64)>,
    pub bauds: Vec<u32>,
    pub stage: Stage,
    /// What has been written, by address; the last of each.
    pub flash: BTreeMap<u32, Vec<u8>>,
    pub erased: Vec<(u32, u32)>,
    pub nv: Option<Vec<(u16, Vec<u8>)>>,
    /// NV items that are not stored although the module says so, and how often.
    pub forgets: Option<(u16, u32)>,
    pub phase_check: Option<Vec<u8>>,
    /// Replies arrive in pieces of so many bytes.
    pub piece: usize,
    instead: Vec<(String, usize, Instead)>,
    object: Option<(u32, usize, Vec<u8>)>,
    snapshot: Vec<u8>,
    /// A frame (or PDL request) that has begun.
    body: Vec<u8>,
    inside: bool,
    flags: u32,
    outgoing: VecDeque<(Duration, Vec<u8>)>,
    gone: bool,
    cancelled: bool,
}

pub(crate) const IMEI: &str = "866819204051627";

impl Module {
    /// A module in its mask ROM that has its items.
    pub fn new(platform: Platform) -> Self {
        let item = |id, data: &[u8]| (id, data.to_vec());
        let imei = [0x8A, 0x66, 0x18, 0x29, 0x40, 0x50, 0x61, 0x72];
        let calibration: Vec<u8> = (0..6020u32).map(|n| (n * 7 + 1) as u8).collect();
        let nv = vec![
            item(5, &imei),
            item(0x179, &imei),
            item(2, &calibration),
            item(0x26E, &[0xA5; 61]),
            item(0x26F, &[0x5A; 61]),
            item(0x191, b"bluetooth"),
        ];
        Module {
            now: Duration::ZERO,
            sent: Vec::new(),
            heard: Vec::new(),
            phases: Vec::new(),
            notes: Vec::new(),
            acknowledged: Vec::new(),
            bauds: Vec::new(),
            stage: match platform {
                Platform::Unisoc8850 => Stage::Rom(false),
                _ => Stage::Pdl,
            },
            flash: BTreeMap::new(),
            erased: Vec::new(),
            nv: Some(nv),
            forgets: None,
            phase_check: Some([b"90PSD1Q".as_slice(), &[0; 249]].concat()),
            piece: 128,
            instead: Vec::new(),
            object: None,
            snapshot: Vec::new(),
            body: Vec::new(),
            inside: false,
            flags: 0,
            outgoing: VecDeque::new(),
            gone: false,
            cancelled: false,
        }
    }

    /// At the `nth` (1 = first) command that begins so, does something else, once.
    pub fn on(mut self, command: &str, nth: usize, instead: Instead) -> Self {
        self.instead.push((command.to_owned(), nth, instead));
        self
    }

    /// The commands heard, in order.
    pub fn commands(&self) -> Vec<&str> {
        self.heard.iter().map(|(_, text)| text.as_str()).collect()
    }

    pub fn count(&self, beginning: &str) -> usize {
        self.commands()
            .iter()
            .filter(|text| text.starts_with(beginning))
            .count()
    }

    /// Pulls the plug and puts it in again: the boot area decides, by whether it holds what was written last.
    pub fn power_cycle(mut self, platform: Platform) -> Module {
        let fresh = Module::new(platform);
        self.flash.retain(|address, _| *address >= 0x6000_0000);
        Module {
            flash: self.flash,
            nv: self.nv,
            phase_check: self.phase_check,
            ..fresh
        }
    }

    fn take(&mut self, byte: u8) {
        match self.stage {
            Stage::Dead | Stage::Run => {}
            Stage::Pdl => self.take_pdl(byte),
            _ => self.take_bsl(byte),
        }
    }

    fn hear(&mut self, command: String) -> Option<Instead> {
        let mut due = None;
        for (index, (beginning, left, _)) in self.instead.iter_mut().enumerate() {
            if command.starts_with(beginning.as_str()) {
                *left = left.saturating_sub(1);
                if *left == 0 && due.is_none() {
                    due = Some(index);
                }
            }
        }
        self.heard.push((self.now, command));
        let instead = self.instead.remove(due?).2;
        match instead {
            Instead::Vanish => self.gone = true,
            Instead::Cancel => self.cancelled = true,
            Instead::Dead => self.stage = Stage::Dead,
            _ => {}
        }
        Some(instead)
    }

    fn say(&mut self, mut raw: Vec<u8>, instead: Option<Instead>, spoiled: usize) {
        let mut delay = Duration::from_millis(1);
        match instead {
            Some(Instead::Mute) => return,
            Some(Instead::Damaged) => raw[spoiled] ^= 1,
            Some(Instead::Twice) => raw.extend(raw.clone()),
            Some(Instead::Late(by)) => delay = by,
            Some(Instead::After(before)) => raw = [before, raw].concat(),
            _ => {}
        }
        if self.stage == Stage::Dead {
            return;
        }
        for piece in raw.chunks(self.piece) {
            self.outgoing.push_back((self.now + delay, piece.to_vec()));
        }
        self.outgoing.make_contiguous().sort_by_key(|(when, _)| *when);
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
        bytes.iter().for_each(|&byte| self.take(byte));
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
                self.outgoing.extend(later.clone());
                if later.is_some() {
                    self.outgoing.rotate_right(1);
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
        Ok(())
    }

    fn report(&mut self, fact: Progress<'_>) {
        match fact {
            Progress::Phase(phase) => self.phases.push(phase),
            Progress::Bytes { image, done, total } => self.acknowledged.push((image.to_owned(), done, total)),
            Progress::Note(note) => self.notes.push(note.to_owned()),
        }
    }
}
