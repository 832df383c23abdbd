//! A session against a module that does what it likes, in the right way or any other: the session always ends, sends a
//! bounded amount, never says more or less than what it has changed, and never touches the calibration data.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex};
use std::time::Duration;

use arbitrary::Arbitrary;
use qpyflash_protocols::Written;
use qpyflash_protocols::eigencomm::{Companions, Extra, Flash as Chip, Keeper, Options, Plan, write};

use super::flash::{AP_BYTES, Flash, USED};
use super::package;
use crate::pipe::{Peer, Pipe};
use crate::read;

/// Every byte of the agent.
const AGENT: u8 = 0x55;
const CALIBRATION: usize = AP_BYTES + 0xC_D000;

/// What the module does after the host has spoken.
#[derive(Arbitrary, Debug)]
enum Turn<'f> {
    /// What a module should.
    Answer,
    /// A refusal with any code.
    Refuse(u8),
    /// Anything.
    Noise(&'f [u8]),
    /// As it should, and more.
    AnswerAnd(&'f [u8]),
    /// As it should, with one bit changed.
    Damaged(u8),
    /// It obeys, and says nothing.
    Silence,
    /// It has not heard it.
    Deaf,
    /// It leaves the bus.
    Vanish,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Stage {
    Rom(bool),
    Loop,
    Deaf,
    Image,
}

struct Module<'f> {
    turns: std::vec::IntoIter<Turn<'f>>,
    /// After all these turns it does what it should, or leaves.
    stays: bool,
    stage: Stage,
    bulk: bool,
    flash: Flash,
    loaded: bool,
    changed: bool,
    id: Vec<u8>,
    to_cp: bool,
    header: Vec<u8>,
    got: Vec<u8>,
    written: usize,
    status: u32,
}

static SUMS: LazyLock<Mutex<HashMap<usize, u32>>> = LazyLock::new(Mutex::default);

fn word(bytes: &[u8], at: usize) -> usize {
    bytes.get(at..at + 4).map_or(0, |word| {
        u32::from_le_bytes([word[0], word[1], word[2], word[3]]) as usize
    })
}

impl Module<'_> {
    fn reply(&self, head: &[u8], state: u8, data: &[u8]) -> Vec<u8> {
        let mut raw = [&head[..4], &[state, data.len() as u8], data].concat();
        if !matches!(self.stage, Stage::Rom(_)) {
            raw.extend(crc32fast::hash(&raw).to_le_bytes());
        }
        raw
    }

    /// What a module answers to one write of the host, which is one frame or sync.
    fn answer(&mut self, bytes: &[u8]) -> Vec<u8> {
        if bytes.len() == 8 && bytes[..4] == bytes[4..] {
            let wanted = match (self.stage, bytes[0]) {
                (Stage::Rom(_), 0) | (Stage::Loop, 0xCD) | (Stage::Image, 0xAA) => {
                    return bytes[..4].to_vec();
                }
                (Stage::Deaf, 0xAA) => Stage::Image,
                (Stage::Deaf | Stage::Image, 0xCD) => Stage::Loop,
                (Stage::Loop | Stage::Image, _) => return vec![0x2B, 0x02, 0xD3, 0xEE],
                (other, _) => other,
            };
            self.stage = wanted;
            return Vec::new();
        }
        let length = word(bytes, 4) & 0x1_FFFF;
        let data = bytes.get(8..8 + length).unwrap_or_default().to_vec();
        let mut head = bytes[..4].to_vec();
        match self.stage {
            Stage::Rom(has_header) => match bytes[0] {
                0x20 => self.reply(&head, 0, &[0, 0, 0, 2, 1, 0, 0, 0, 0, 0, 0, 0]),
                0x21 => self.reply(&head, 0, if has_header { b"IMBO" } else { b"HMIT" }),
                0x31 => self.reply(&head, 0, &(word(&data, 0).min(0x400) as u32).to_le_bytes()),
                0x32 => {
                    self.loaded |= has_header;
                    head[1] = head[1].wrapping_add(1);
                    self.reply(&head, 0, &[])
                }
                0x3A => {
                    let answer = self.reply(&head, 0, &[]);
                    self.stage = if has_header { Stage::Loop } else { Stage::Rom(true) };
                    answer
                }
                _ => self.reply(&head, 0, &[]),
            },
            Stage::Loop if head[2] == 0x4C => self.looped(&head, &data),
            Stage::Image if head[2] == 0xCD => self.image(&mut head, &data),
            Stage::Loop => vec![0x2B, 0x02, 0xD3, 0xEE],
            Stage::Deaf | Stage::Image => {
                self.stage = Stage::Loop;
                self.status = 0x83;
                Vec::new()
            }
        }
    }

    fn place(address: usize) -> usize {
        match address {
            0x880_0000.. => address - 0x880_0000 + AP_BYTES,
            _ => address.wrapping_sub(0x80_0000),
        }
    }

    fn looped(&mut self, head: &[u8], data: &[u8]) -> Vec<u8> {
        match head[0] {
            0x10 => {
                self.flash.erase(Self::place(word(data, 4)), word(data, 0));
                self.changed = true;
                self.reply(head, 0, &[])
            }
            0x21 => {
                let length = word(data, 0);
                let bytes = self.flash.read(Self::place(word(data, 4)), length);
                // The agent in RAM.
                self.reply(head, 0, &bytes.unwrap_or_else(|| vec![AGENT; length]))
            }
            0x24 if self.bulk => {
                let base = if data[9] == 0xE1 { AP_BYTES } else { 0 };
                let at = base + word(data, 4);
                let held = self.flash.read(at, 0x1_0000).expect("a window in the flash");
                let mut raw = [&head[..4], &[0, 0xFA], &held].concat();
                let crc = || crc32fast::hash(&raw);
                let crc = match self.flash.is_untouched_from(at) {
                    // What has not changed is summed up once.
                    true => *SUMS
                        .lock()
                        .expect("no panic before")
                        .entry(at)
                        .or_insert_with(crc),
                    false => crc(),
                };
                raw.extend(crc.to_le_bytes());
                raw
            }
            0x42 => {
                let (id, suffix) = data.split_at(4);
                if !suffix.is_empty() {
                    self.to_cp = suffix[1] == 0xE1;
                } else if id != b"IXLF" {
                    self.to_cp = false;
                }
                self.id = id.to_vec();
                (self.header, self.got, self.written) = (Vec::new(), Vec::new(), 0);
                self.status = 0xFF;
                self.stage = Stage::Deaf;
                self.reply(head, 0, &[])
            }
            0x44 => self.reply(head, 0, &self.status.to_le_bytes()),
            0xAA => self.reply(head, 0, b"ZzZzZzZz"),
            _ => self.reply(head, 1, &[0x80, 0, 0, 0]),
        }
    }

    fn image(&mut self, head: &mut [u8], data: &[u8]) -> Vec<u8> {
        match head[0] {
            0x20 => self.reply(head, 0, &[0; 12]),
            0x21 if self.header.is_empty() => self.reply(head, 0, b"HMIT"),
            0x21 => self.reply(head, 0, &self.id),
            0x31 => self.reply(head, 0, &(word(data, 0).min(0x4000) as u32).to_le_bytes()),
            0x32 => {
                head[1] = head[1].wrapping_add(1);
                // A packet that comes twice is taken once.
                if self.got.len().div_ceil(0x4000) == usize::from(head[1]) - 1 {
                    self.got.extend(data);
                }
                self.reply(head, 0, &[])
            }
            0x3A => {
                let answer = self.reply(head, 0, &[]);
                self.store();
                answer
            }
            _ => self.reply(head, 0, &[]),
        }
    }

    fn store(&mut self) {
        let got = std::mem::take(&mut self.got);
        if got.is_empty() {
            return;
        }
        self.changed = true;
        if self.header.is_empty() {
            let at = match &self.id[..] {
                b"IMBO" => Some(0),
                b"IBKD" => Some(0x2000),
                _ => None,
            };
            if let Some(at) = at {
                self.flash.erase(at, 0x2000);
                self.flash.program(at, &got);
            }
            self.header = got;
            return;
        }
        let base = if self.to_cp { AP_BYTES } else { 0 };
        let at = base + word(&self.header, 68) + self.written;
        self.flash.program(at, &got);
        self.written += got.len();
        if self.written >= word(&self.header, 76) {
            self.stage = Stage::Loop;
            self.status = 0;
        }
    }
}

impl Peer for Module<'_> {
    // Some 200 commands, of at most half a minute each, and three tries for each image.
    const LONGEST: Duration = Duration::from_secs(6 * 3600);
    const MOST_SENT: usize = 8 << 20;

    fn hear(&mut self, bytes: &[u8], words: &mut Vec<u8>) -> bool {
        let turn = match self.turns.next() {
            Some(turn) => turn,
            None if self.stays => Turn::Answer,
            None => Turn::Vanish,
        };
        let answer = match turn {
            Turn::Refuse(_) | Turn::Noise(_) | Turn::Deaf | Turn::Vanish => Vec::new(),
            _ => self.answer(bytes),
        };
        match turn {
            Turn::Answer => words.extend(answer),
            Turn::Refuse(code) => {
                let refusal = self.reply(bytes, 1, &[code, 0, 0, 0]);
                words.extend(refusal);
            }
            Turn::Noise(noise) => words.extend(noise),
            Turn::AnswerAnd(noise) => words.extend([&answer, noise].concat()),
            Turn::Damaged(at) => {
                let mut answer = answer;
                let length = answer.len().max(1);
                if let Some(byte) = answer.get_mut(usize::from(at) % length) {
                    *byte ^= 1;
                }
                words.extend(answer);
            }
            Turn::Silence | Turn::Deaf => {}
            Turn::Vanish => return false,
        }
        true
    }
}

struct Safe;

impl Keeper for Safe {
    fn keep(&mut self, rf: &[u8]) -> Result<(), String> {
        assert!(
            rf == &USED[AP_BYTES + 0xC_0000..],
            "the backup is not what the module holds"
        );
        Ok(())
    }
}

static PLAN: LazyLock<Plan> = LazyLock::new(|| {
    let file = "ap_application.bin";
    let (address, limit) = (0x30_0000, 0x3000);
    let companions = Companions {
        usb_agent: Some(vec![AGENT; 1500].into()),
        extras: vec![(Extra { file, address, limit }, vec![0x33; 0x1001].into())],
        ..Companions::default()
    };
    Plan::new(Arc::new(package::small()), companions).expect("a good package")
});

/// One input.
pub fn run(bytes: &[u8]) {
    let Some(input) = read::<(bool, bool, bool, Vec<Turn>)>(bytes) else {
        return;
    };
    let (bulk, verify, stays, turns) = input;
    let mut module = Pipe::to(Module {
        turns: turns.into_iter(),
        stays,
        stage: Stage::Rom(false),
        bulk,
        flash: Flash::default(),
        loaded: false,
        changed: false,
        id: Vec::new(),
        to_cp: false,
        header: Vec::new(),
        got: Vec::new(),
        written: 0,
        status: 0,
    });
    let options = Options {
        verify,
        ..Options::default()
    };
    let written = match write(&mut module, &PLAN, &options, &mut Safe) {
        Ok(report) => report.written,
        Err(failure) => failure.written,
    };
    assert!(
        module.peer.flash.is_untouched_from(CALIBRATION),
        "the calibration data were touched"
    );
    match written {
        Written::Nothing => assert!(!module.peer.loaded && !module.peer.changed),
        Written::HelpersOnly => assert!(!module.peer.changed),
        Written::Partial { .. } => {}
        Written::Complete => {
            for burn in PLAN.burns() {
                let base = if burn.flash == Chip::Cp { AP_BYTES } else { 0 };
                let at = base + burn.address as usize;
                assert!(
                    module.peer.flash.read(at, burn.data.len()).as_deref() == Some(&burn.data[..]),
                    "`{}` differs",
                    burn.name
                );
            }
        }
    }
}
