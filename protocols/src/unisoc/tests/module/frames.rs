//! Frames and flags, with a codec of its own. Source: specs/unisoc-pac-bsl.md §4.2 to §4.4.

use super::{Instead, Module, Stage};

impl Module {
    pub(super) fn take_bsl(&mut self, byte: u8) {
        if byte != 0x7E {
            self.flags = 0;
            if self.inside {
                self.body.push(byte);
            }
            return;
        }
        self.flags += 1;
        match self.stage {
            Stage::Fdl1(false) => {
                self.stage = Stage::Fdl1(true);
                self.version(b"Spreadtrum Boot Block version 1.2\0");
            }
            Stage::Rom(false) if self.flags == 3 => {
                self.stage = Stage::Rom(true);
                self.version(b"SPRD3\0");
            }
            Stage::Fdl(false) if self.flags == 3 => {
                self.stage = Stage::Fdl(true);
                self.version(b"FDL\0");
            }
            Stage::Rom(false) | Stage::Fdl(false) => {}
            _ => {
                self.inside = true;
                let raw = std::mem::take(&mut self.body);
                if !raw.is_empty() {
                    self.frame(&raw);
                }
            }
        }
    }

    pub(super) fn version(&mut self, text: &[u8]) {
        let instead = self.hear("7E".into());
        self.say_bsl(0x81, text, instead);
    }

    pub(super) fn check(&self, bytes: &[u8]) -> u16 {
        match self.stage {
            Stage::Rom(_) => bytes.iter().fold(0, |crc, byte| {
                (0..8).fold(crc ^ (u16::from(*byte) << 8), |crc, _| match crc & 0x8000 {
                    0 => crc << 1,
                    _ => crc << 1 ^ 0x1021,
                })
            }),
            _ => {
                let total: u32 = bytes
                    .chunks(2)
                    .map(|pair| u32::from(pair[0]) << 8 | u32::from(*pair.get(1).unwrap_or(&0)))
                    .sum();
                let total = (total & 0xFFFF) + (total >> 16);
                !((total & 0xFFFF) + (total >> 16)) as u16
            }
        }
    }

    pub(super) fn frame(&mut self, raw: &[u8]) {
        let mut bytes = raw.iter();
        let mut body = Vec::new();
        while let Some(byte) = bytes.next() {
            match byte {
                0x7D => body.push(bytes.next().expect("a byte after 7D") | 0x20),
                byte => body.push(*byte),
            }
        }
        assert!(
            !body.is_empty() && body.len() >= 6,
            "a frame of {} bytes",
            body.len()
        );
        let (content, stored) = body.split_at(body.len() - 2);
        if usize::from(u16::from_be_bytes([content[2], content[3]])) != content.len() - 4 {
            return;
        }
        if self.check(content).to_be_bytes() != *stored {
            match self.stage {
                Stage::Rom(_) => return self.say_bsl(0x8B, &[], None),
                _ => return self.stage = Stage::Dead,
            }
        }
        let (head, payload) = content.split_at(4);
        let limit = match self.stage {
            Stage::Fdl1(_) => 0x840,
            Stage::Rom(_) => 0x210,
            Stage::Fdl2 => 0x3000,
            _ => 0xFC00,
        };
        assert!(
            payload.len() <= limit,
            "{} bytes in {:?}",
            payload.len(),
            self.stage
        );
        self.obey(u16::from_be_bytes([head[0], head[1]]), payload);
    }

    pub(super) fn say_bsl(&mut self, kind: u16, payload: &[u8], instead: Option<Instead>) {
        let mut body = [
            &kind.to_be_bytes()[..],
            &(payload.len() as u16).to_be_bytes(),
            payload,
        ]
        .concat();
        body.extend(self.check(&body).to_be_bytes());
        let mut raw = vec![0x7E];
        for byte in body {
            match byte {
                0x7D | 0x7E => raw.extend([0x7D, byte ^ 0x20]),
                byte => raw.push(byte),
            }
        }
        raw.push(0x7E);
        self.say(raw, instead, 4);
    }
}
