//! The mask ROM of the UIS8910. Source: specs/unisoc-pac-bsl.md §4.1.

use super::{Instead, Module, Stage};

impl Module {
    pub(super) fn take_pdl(&mut self, byte: u8) {
        if self.body.is_empty() && byte != 0xAE {
            return;
        }
        self.body.push(byte);
        if self.body.len() < 8 {
            return;
        }
        let length = u32::from_le_bytes(self.body[1..5].try_into().expect("four")) as usize;
        assert!((12..=0x80C).contains(&length), "a PDL request of {length} bytes");
        if self.body.len() < 8 + length {
            return;
        }
        let body = std::mem::take(&mut self.body);
        let word = |at: usize| u32::from_le_bytes(body[at..at + 4].try_into().expect("four"));
        let (command, address, size, data) = (word(8), word(12), word(16), &body[20..]);
        let name = [
            "CONNECT",
            "",
            "",
            "",
            "START_DATA",
            "MID_DATA",
            "END_DATA",
            "EXEC_DATA",
        ][command as usize];
        let instead = self.hear(format!("PDL {name} {address:x} {size:x}"));
        if let Some(Instead::Code(code)) = instead {
            return self.say_pdl(u32::from(code), None);
        }
        if self.stage == Stage::Dead {
            return;
        }
        match command {
            4 => {
                assert_eq!(data, b"PDL1\0");
                self.object = Some((address, size as usize, Vec::new()));
            }
            5 => {
                let (_, _, got) = self.object.as_mut().expect("MID after START");
                assert_eq!(address as usize, got.len() / 0x800, "block index");
                assert_eq!(size as usize, data.len());
                got.extend(data);
            }
            6 => {
                assert_eq!(data, [0x1C, 0x3C, 0x6E, 0x06]);
                let (address, size, got) = self.object.take().expect("END after START");
                assert_eq!(size, got.len());
                self.flash.insert(address, got);
            }
            7 => return self.stage = Stage::Fdl1(false),
            _ => {}
        }
        self.say_pdl(0, instead);
    }

    pub(super) fn say_pdl(&mut self, code: u32, instead: Option<Instead>) {
        let flow = if code == 0 { 0xFF } else { 0xEE };
        let mut reply = vec![0xAE, 4, 0, 0, 0, flow, 0xDE, 0xAD];
        reply.extend(code.to_le_bytes());
        self.say(reply, instead, 3);
    }
}
