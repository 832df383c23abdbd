//! The boot ROM: a header, then the body that it announces, each after a sync. Source: §3.

use sha2::{Digest, Sha256};

use super::frames::{command, reply, size};
use super::{Instead, Module, Stage};

const SYNC: [u8; 4] = [0x00, 0xD3, 0x02, 0x2B];

impl Module {
    /// The body's size, from the header.
    fn announced(&self) -> usize {
        u32::from_le_bytes(self.agent_header[76..80].try_into().expect("four bytes")) as usize
    }

    pub(super) fn take_rom(&mut self) {
        if self.input.len() < 8 {
            return;
        }
        if self.input[..4] == SYNC && self.input[4..8] == SYNC {
            self.input.drain(..8);
            let instead = self.hear("DL SYNC".into());
            return self.say(SYNC.into(), instead);
        }
        if self.input[2..4] != [0xCD, 0x32] {
            self.input.drain(..1);
            return;
        }
        let whole = size(&self.input, true).filter(|whole| self.input.len() >= *whole);
        let Some(whole) = whole else {
            return;
        };
        let raw: Vec<u8> = self.input.drain(..whole).collect();
        let heard = command(&raw, true);
        let [code, index, one, two] = heard.head;
        let has_header = self.stage == Stage::Rom(true);
        let name = match code {
            0x20 => "ROM GET_VERSION".to_owned(),
            0x21 => "ROM SEL_IMAGE".to_owned(),
            0x22 => "ROM VERIFY_IMAGE".to_owned(),
            0x31 => format!(
                "ROM DATA_HEAD {}",
                u32::from_le_bytes([heard.data[0], heard.data[1], heard.data[2], heard.data[3]])
            ),
            0x32 => format!("ROM DATA {index} {}", heard.data.len()),
            0x3A => "ROM DONE".to_owned(),
            other => format!("ROM {other:02X}"),
        };
        let instead = self.hear(name);
        if let Some(Instead::Code(refusal)) = instead {
            return self.say(
                reply([code, index, one, two], 1, &refusal.to_le_bytes(), false),
                None,
            );
        }
        if let Some(Instead::Data(data)) = instead {
            return self.say(reply([code, index, one, two], 0, &data, false), None);
        }
        if Module::disobeys(&instead) {
            return;
        }
        assert!(heard.sound, "the host's sum is wrong: {raw:02X?}");
        let mut answer = Vec::new();
        let mut answer_index = index;
        match code {
            0x20 => {
                answer = [self.rom_version, 1, 0x2021_2602]
                    .iter()
                    .flat_map(|word: &u32| word.to_le_bytes())
                    .collect();
            }
            0x21 => answer = if has_header { *b"IMBO" } else { *b"HMIT" }.into(),
            0x31 => {
                let left = u32::from_le_bytes(heard.data[..4].try_into().expect("four bytes"));
                answer = left.min(0x400).to_le_bytes().into();
            }
            0x32 => {
                answer_index = index.wrapping_add(1);
                let got = if has_header {
                    &mut self.ram
                } else {
                    &mut self.agent_header
                };
                // A packet that comes twice is taken once, for it says which it is.
                if got.len().div_ceil(0x400) as u8 == index {
                    got.extend(&heard.data);
                }
            }
            0x3A if has_header => {
                assert_eq!(self.ram.len(), self.announced());
                assert_eq!(Sha256::digest(&self.ram)[..], self.agent_header[96..128]);
                self.stage = Stage::Fresh;
            }
            0x3A => {
                assert_eq!(self.agent_header.len(), 272);
                self.stage = Stage::Rom(true);
            }
            _ => {}
        }
        self.say(reply([code, answer_index, one, two], 0, &answer, false), instead);
    }
}
