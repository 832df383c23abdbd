//! The agent: its command loop and its receiver of images. Source: §4, §7.2.

use std::time::Duration;

use super::frames::{Heard, command, reply, size};
use super::{AP_BYTES, Bulk, Instead, Module, Stage};

const DL: [u8; 4] = [0x00, 0xD3, 0x02, 0x2B];
const LPC: [u8; 4] = [0xCD, 0xD3, 0x02, 0x2B];
const AG: [u8; 4] = [0xAA, 0xD3, 0x02, 0x2B];
const ELSEWHERE: [u8; 4] = [0x2B, 0x02, 0xD3, 0xEE];

/// An image on its way into flash.
#[derive(Default)]
pub(super) struct Receiving {
    id: [u8; 4],
    to_cp: bool,
    header: Vec<u8>,
    /// Bytes of the body that stand in flash.
    written: usize,
    /// What has come of the header or block.
    got: Vec<u8>,
    next: u8,
    granted: usize,
}

impl Receiving {
    fn word(&self, at: usize) -> usize {
        u32::from_le_bytes(self.header[at..at + 4].try_into().expect("four bytes")) as usize
    }

    fn left(&self) -> usize {
        self.word(76) - self.written
    }
}

impl Module {
    pub(super) fn take_agent(&mut self) {
        if self.input.len() < 8 {
            return;
        }
        for word in [DL, LPC, AG] {
            if self.input[..4] == word && self.input[4..8] == word {
                self.input.drain(..8);
                return self.take_sync(word);
            }
        }
        let order = [self.input[2], self.input[3]];
        let known = order == [0xCD, 0x32] || order == [0x4C, 0xB3];
        if !known || self.stage == Stage::Fresh {
            self.input.drain(..8);
            return;
        }
        let whole = size(&self.input, false).filter(|whole| self.input.len() >= *whole);
        let Some(whole) = whole else {
            return;
        };
        let raw: Vec<u8> = self.input.drain(..whole).collect();
        let heard = command(&raw, false);
        match (self.stage, order == [0x4C, 0xB3]) {
            (Stage::Loop, true) => self.take_loop(&heard),
            (Stage::Loop, false) => {
                let instead = self.hear("an AGBOOT command in LPC".into());
                self.say(ELSEWHERE.into(), instead);
            }
            (_, true) => {
                self.hear("an LPC command in AGBOOT".into());
                self.leave(0x83);
            }
            (_, false) => self.take_image(&heard),
        }
    }

    fn take_sync(&mut self, word: [u8; 4]) {
        let name = match word {
            DL => "DL SYNC",
            LPC => "LPC SYNC",
            _ => "AG SYNC",
        };
        let instead = self.hear(name.into());
        if matches!(instead, Some(Instead::Deaf)) || (self.now < self.busy_until && word == AG) {
            return;
        }
        match (self.stage, word) {
            (Stage::Fresh | Stage::Loop, LPC) => {
                self.stage = Stage::Loop;
                self.say(LPC.into(), instead);
            }
            (Stage::Fresh | Stage::Loop, _) => self.say(ELSEWHERE.into(), instead),
            (Stage::Deaf, AG) => self.stage = Stage::Opening,
            (Stage::Opening, AG) => self.say(AG.into(), instead),
            (_, LPC) => self.leave(0x83),
            (_, _) => self.say(ELSEWHERE.into(), instead),
        }
    }

    /// Back to the command loop.
    fn leave(&mut self, status: u32) {
        self.stage = Stage::Loop;
        self.status = status;
        self.image = Receiving::default();
    }

    fn answer(&mut self, head: [u8; 4], data: &[u8], instead: Option<Instead>) {
        self.say(reply(head, 0, data, true), instead);
    }

    fn refuse(&mut self, head: [u8; 4], code: u32) {
        self.say(reply(head, 1, &code.to_le_bytes(), true), None);
    }

    /// The flash behind an address of the memory map, or memory.
    fn memory(&self, address: usize, size: usize) -> Vec<u8> {
        let from = |cells: &[u8], at: usize| {
            let end = (at + size).min(cells.len());
            [&cells[at..end], &vec![0; at + size - end]].concat()
        };
        match address {
            0x42_2000..0x43_2000 => from(&self.ram, (address - 0x42_2000).min(self.ram.len())),
            0x80_0000..0xC0_0000 => from(&self.flash[..AP_BYTES], address - 0x80_0000),
            0x880_0000..0x890_0000 => from(&self.flash[AP_BYTES..], address - 0x880_0000),
            _ => vec![0; size],
        }
    }

    fn take_loop(&mut self, heard: &Heard) {
        let head = heard.head;
        let word = |at: usize| {
            let bytes = heard.data.get(at..at + 4).unwrap_or(&[0; 4]);
            u32::from_le_bytes(bytes.try_into().expect("four bytes")) as usize
        };
        let name = match head[0] {
            0x10 => format!("FLASH_ERASE {:x} {:x}", word(4), word(0)),
            0x21 => format!("READ_MEM {:x} {}", word(4), word(0)),
            0x24 => format!("BULK_READ {:x} {:02x}", word(4), heard.data[9]),
            0x42 => format!("BURN_ONE {}", heard.data.escape_ascii()),
            0x44 => "GET_BURN_STATUS".to_owned(),
            0xAA => "SYS_RST".to_owned(),
            other => format!("LPC {other:02x}"),
        };
        let instead = self.hear(name);
        match &instead {
            Some(Instead::Code(code)) => return self.refuse(head, *code),
            Some(Instead::Data(data)) => return self.answer(head, data, None),
            _ if Module::disobeys(&instead) => return,
            _ => {}
        }
        assert!(
            heard.sound && heard.length_sound,
            "the host's check sum is wrong: {head:02X?}"
        );
        match head[0] {
            0x10 => {
                let window = if word(4) >= 0x880_0000 {
                    0x880_0000 - AP_BYTES
                } else {
                    0x80_0000
                };
                let (at, bytes) = (word(4) - window, word(0));
                assert!(at.is_multiple_of(0x1000) && bytes.is_multiple_of(0x1000) && bytes <= 0x1_0000);
                self.flash[at..at + bytes].fill(0xFF);
                self.answer(head, &[], instead);
            }
            0x21 => {
                assert!(word(0) <= 240);
                let bytes = self.memory(word(4), word(0));
                self.answer(head, &bytes, instead);
            }
            0x24 => self.bulk_read(head, word(4), heard.data[9] == 0xE1, instead),
            0x42 => {
                self.status = 0xFF;
                let (id, suffix) = heard.data.split_at(4);
                self.cp_named = match (id, suffix) {
                    (_, [0x01, 0xE1]) => true,
                    (_, [0x01, 0xE0]) => false,
                    (b"IXLF", _) => self.cp_named,
                    _ => false,
                };
                self.image = Receiving {
                    id: id.try_into().expect("four bytes"),
                    to_cp: self.cp_named,
                    ..Receiving::default()
                };
                self.stage = Stage::Deaf;
                self.answer(head, &[], instead);
            }
            0x44 => {
                let status = self.status.to_le_bytes();
                let delay = self.busy_until.saturating_sub(self.now) + Duration::from_millis(1);
                self.answer(head, &status, instead.or(Some(Instead::Late(delay))));
            }
            0xAA => {
                self.answer(head, b"ZzZzZzZz", instead);
                self.stage = Stage::Run;
            }
            _ => self.refuse(head, 0x80),
        }
    }

    fn bulk_read(&mut self, head: [u8; 4], at: usize, of_cp: bool, instead: Option<Instead>) {
        match self.bulk {
            Bulk::Refuses => self.refuse(head, 0x80),
            Bulk::Ignores => {}
            Bulk::Answers => {
                let at = if of_cp { at + AP_BYTES } else { at };
                let mut raw = [&head[..], &[0, 0xFA], &self.flash[at..at + 0x1_0000]].concat();
                raw.extend(super::frames::crc32(&raw));
                self.say(raw, instead);
            }
        }
    }

    fn take_image(&mut self, heard: &Heard) {
        let head = heard.head;
        let of_header = self.image.header.is_empty();
        let what = if of_header { "header" } else { "block" };
        let name = match head[0] {
            0x20 => "GET_VERSION".to_owned(),
            0x21 => "SEL_IMAGE".to_owned(),
            0x22 => "VERIFY_IMAGE".to_owned(),
            0x31 => format!("DATA_HEAD of {what}"),
            0x32 => format!("DATA of {what} {}", head[1]),
            0x3A => format!("DONE of {what}"),
            other => format!("AGBOOT {other:02x}"),
        };
        let instead = self.hear(name);
        match &instead {
            Some(Instead::Code(0x9A)) if head[0] == 0x32 && !self.is_uart => {
                // A stale head instead of its own. Source: §7.2.
                let refusal = [
                    0xAA, 0xD3, 0x02, 0x2B, 1, 4, 0x9A, 0, 0, 0, 0x2C, 0x91, 0xC4, 0x13,
                ];
                return self.say(refusal.into(), None);
            }
            Some(Instead::Code(code)) => return self.refuse(head, *code),
            Some(Instead::Data(data)) => return self.answer(head, data, None),
            Some(Instead::Elsewhere) => {
                self.leave(0x96);
                return self.say(ELSEWHERE.into(), None);
            }
            _ if Module::disobeys(&instead) => return,
            _ => {}
        }
        assert!(
            heard.sound && heard.length_sound,
            "the host's check sum is wrong: {head:02X?}"
        );
        self.stage = Stage::Session;
        match head[0] {
            0x20 => self.answer(head, &[1, 0, 0, 1, 1, 0, 0, 0, 0x11, 0x26, 0x21, 0x20], instead),
            0x21 => {
                let wanted = if of_header { *b"HMIT" } else { self.image.id };
                self.answer(head, &wanted, instead);
            }
            0x31 => {
                let left = u32::from_le_bytes(heard.data[..4].try_into().expect("four bytes")) as usize;
                let total = if of_header {
                    272
                } else {
                    self.image.left().min(0x1_0000)
                };
                assert_eq!(left, total - self.image.got.len(), "what the host says is left");
                self.image.granted = left.min(self.packet);
                let granted = (self.image.granted as u32).to_le_bytes();
                self.answer(head, &granted, instead);
            }
            0x32 => self.take_packet(head, &heard.data, instead),
            0x3A => self.take_done(head, instead),
            _ => self.answer(head, &[], instead),
        }
    }

    fn take_packet(&mut self, head: [u8; 4], data: &[u8], instead: Option<Instead>) {
        let next = self.image.next;
        let ack = [head[0], head[1].wrapping_add(1), head[2], head[3]];
        if head[1].wrapping_add(1) == next && self.is_uart {
            return self.answer(ack, &[], instead);
        }
        if head[1] != next {
            let mut raw = reply([head[0], next, head[2], head[3]], 1, &[0x9C, 0, 0, 0], true);
            // The check sum of the reply before. Source: §7.2.
            let tail = raw.len() - 4;
            raw[tail..].copy_from_slice(&[0x90, 0x29, 0xD8, 0x66]);
            return self.say(raw, instead);
        }
        assert_eq!(
            data.len(),
            self.image.granted,
            "a packet of another size than granted"
        );
        self.image.got.extend(data);
        self.image.next = next.wrapping_add(1);
        self.answer(ack, &[], instead);
    }

    fn take_done(&mut self, head: [u8; 4], instead: Option<Instead>) {
        let ended = self.image.next == 0;
        if !ended {
            let got = std::mem::take(&mut self.image.got);
            self.image.next = 0;
            if self.image.header.is_empty() {
                assert_eq!(got.len(), 272);
                assert_eq!(got[64..68], self.image.id);
                self.image.header = got;
                self.store_header();
            } else {
                self.store(&got);
            }
        }
        self.busy_until = self.now + self.block_time;
        if self.image.left() == 0 {
            let held = self.place();
            let size = self.image.word(76);
            let hash = <sha2::Sha256 as sha2::Digest>::digest(&self.flash[held..held + size]);
            let good = hash[..] == self.image.header[96..128];
            self.leave(if good { 0 } else { 0x33 });
            return self.answer(head, &[], instead);
        }
        self.stage = Stage::Opening;
        self.answer(head, &[], instead);
    }

    /// Where the body goes.
    fn place(&self) -> usize {
        match &self.image.id {
            b"IMBO" => 0x4000,
            _ if self.image.to_cp => AP_BYTES + self.image.word(68),
            _ => self.image.word(68),
        }
    }

    fn store_header(&mut self) {
        let at = match &self.image.id {
            b"IMBO" => 0,
            b"IBKD" => 0x2000,
            _ => return,
        };
        self.flash[at..at + 0x2000].fill(0xFF);
        self.flash[at..at + 272].copy_from_slice(&self.image.header);
    }

    fn store(&mut self, block: &[u8]) {
        let at = self.place() + self.image.written;
        let stuck = self.stuck.map(|at| (at, self.flash[at]));
        let erased = (at + block.len()).next_multiple_of(0x1000);
        self.flash[at..erased].fill(0xFF);
        self.flash[at..at + block.len()].copy_from_slice(block);
        if let Some((at, value)) = stuck {
            self.flash[at] = value;
        }
        self.image.written += block.len();
    }
}
