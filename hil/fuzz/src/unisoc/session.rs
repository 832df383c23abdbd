//! A session against a module that does what it likes, in the right way or any other: the session always ends, sends a
//! bounded amount, and never says more or less than what it has changed.

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use arbitrary::Arbitrary;
use qpyflash_protocols::unisoc::hdlc::{Check, Decoder, Event, encode};
use qpyflash_protocols::unisoc::{Keeper, Kept, Options, Plan, write};
use qpyflash_protocols::{Platform, Written};

use super::package;
use crate::pipe::{Peer, Pipe};
use crate::read;

/// What the module does after the host has spoken.
#[derive(Arbitrary, Debug)]
enum Turn<'f> {
    /// What a module should.
    Answer,
    /// A reply of any type.
    Say(u8, &'f [u8]),
    /// Anything.
    Noise(&'f [u8]),
    /// As it should, and more.
    AnswerAnd(&'f [u8]),
    /// Nothing.
    Silence,
    /// It leaves the bus.
    Vanish,
}

struct Module<'f> {
    turns: std::vec::IntoIter<Turn<'f>>,
    decoder: Decoder,
    check: Check,
    /// Whether it speaks PDL.
    rom: bool,
    loaded: bool,
    changed: bool,
    boot_written: bool,
}

impl Module<'_> {
    fn say(&self, kind: u16, payload: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        encode(self.check, kind, payload, &mut out);
        out
    }

    /// What a module answers to these bytes of the host.
    fn answer(&mut self, bytes: &[u8]) -> Vec<u8> {
        if self.rom && bytes.first() == Some(&0xAE) {
            let command = bytes.get(8).copied().unwrap_or_default();
            self.loaded |= command == 4;
            self.rom = command != 7;
            return match command {
                7 => Vec::new(),
                _ => vec![0xAE, 4, 0, 0, 0, 0xFF, 0, 0, 0, 0, 0, 0],
            };
        }
        if bytes.iter().all(|byte| *byte == 0x7E) {
            return self.say(0x81, b"version\0");
        }
        let Some(Event::Frame { kind, .. }) = self.decoder.next(&mut &bytes[..]) else {
            return Vec::new();
        };
        let payload = self.decoder.payload().to_vec();
        let address = payload.first_chunk().map_or(0, |word| u32::from_be_bytes(*word));
        match kind {
            1 if address < 0x6000_0000 => self.loaded = true,
            1 | 10 => self.changed = true,
            _ => {}
        }
        self.boot_written |= kind == 1 && address == 0x6000_0000;
        match (kind, address) {
            (6, 0xFE00_0003) => {
                let word = |at: usize| {
                    u32::from_be_bytes([payload[at], payload[at + 1], payload[at + 2], payload[at + 3]])
                };
                let (length, offset) = (word(4) as usize, word(8) as usize);
                let area = &*AREA;
                let end = (offset + length).min(area.len());
                self.say(0x93, area.get(offset..end).unwrap_or_default())
            }
            (6, _) => self.say(0x96, &[]),
            (4, _) => {
                let started = self.say(0x80, &[]);
                self.check = Check::Sum16;
                started
            }
            _ => self.say(0x80, &[]),
        }
    }
}

impl Peer for Module<'_> {
    // Some 60 commands, of at most two minutes and three tries each.
    const LONGEST: Duration = Duration::from_secs(6 * 3600);
    const MOST_SENT: usize = 1 << 20;

    fn hear(&mut self, bytes: &[u8], words: &mut Vec<u8>) -> bool {
        let answer = self.answer(bytes);
        match self.turns.next().unwrap_or(Turn::Answer) {
            Turn::Answer => words.extend(answer),
            Turn::Say(kind, payload) => {
                words.extend(self.say(kind.into(), &payload[..payload.len().min(64)]))
            }
            Turn::Noise(noise) => words.extend(noise),
            Turn::AnswerAnd(noise) => words.extend([&answer, noise].concat()),
            Turn::Silence => {}
            Turn::Vanish => return false,
        }
        true
    }
}

struct Safe;

impl Keeper for Safe {
    fn keep(&mut self, _: Kept<'_>) -> Result<(), String> {
        Ok(())
    }
}

fn plan(platform: Platform) -> Plan {
    Plan::from_pac(Arc::new(package::small(platform))).expect("a good package")
}

/// What the module holds.
static AREA: LazyLock<Vec<u8>> = LazyLock::new(|| package::nv_area(package::NV_BYTES));

static PLANS: LazyLock<[Plan; 2]> = LazyLock::new(|| [Platform::Unisoc8910, Platform::Unisoc8850].map(plan));

/// One input.
pub fn run(bytes: &[u8]) {
    let Some(input) = read::<(bool, Vec<Turn>)>(bytes) else {
        return;
    };
    let (is_8850, turns) = input;
    let check = if is_8850 { Check::Crc16 } else { Check::Sum16 };
    let mut module = Pipe::to(Module {
        turns: turns.into_iter(),
        decoder: Decoder::new(check),
        check,
        rom: !is_8850,
        loaded: false,
        changed: false,
        boot_written: false,
    });
    let written = match write(
        &mut module,
        &PLANS[usize::from(is_8850)],
        &Options::default(),
        &mut Safe,
    ) {
        Ok(report) => report.written,
        Err(failure) => failure.written,
    };
    match written {
        Written::Nothing => assert!(!module.peer.loaded && !module.peer.changed),
        // The model's own refusal of the first erase leaves everything as it was.
        Written::HelpersOnly => assert!(!module.peer.boot_written),
        Written::Partial { .. } => assert!(module.peer.changed),
        Written::Complete => assert!(module.peer.boot_written),
    }
}
