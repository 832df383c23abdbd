//! What the loaders, and the mask ROM of the UIS8850, do. Source: specs/unisoc-pac-bsl.md §5.3.

use super::{Instead, Module, Stage};

impl Module {
    pub(super) fn obey(&mut self, command: u16, payload: &[u8]) {
        let name = match command {
            0 => "CONNECT",
            1 => "START_DATA",
            2 => "MIDST_DATA",
            3 => "END_DATA",
            4 => "EXEC_DATA",
            5 => "NORMAL_RESET",
            6 => "READ_FLASH",
            9 => "CHANGE_BAUD",
            10 => "ERASE_FLASH",
            other => panic!("no loader of these chips knows the command 0x{other:02x}"),
        };
        let arguments: Vec<u32> = match command {
            2 => vec![payload.len() as u32],
            _ => payload
                .chunks(4)
                .map(|word| u32::from_be_bytes(word.try_into().expect("words")))
                .collect(),
        };
        let hex: String = arguments.iter().map(|word| format!(" {word:x}")).collect();
        let instead = self.hear(format!("{name}{hex}"));
        if let Some(Instead::Code(code)) = instead {
            return self.say_bsl(code, &[], None);
        }
        if self.stage == Stage::Dead {
            return;
        }
        let writer = matches!(self.stage, Stage::Fdl2 | Stage::Fdl(_));
        if matches!(self.stage, Stage::Fdl1(_)) && ![0, 1, 2, 3, 4, 9].contains(&command) {
            return self.stage = Stage::Dead;
        }
        let mut data = Vec::new();
        let code = match (command, &arguments[..]) {
            (1, [address, size, rest @ ..]) => {
                let is_nv = *address == 0xFE00_0003;
                assert_eq!(rest.len(), usize::from(is_nv), "words of START_DATA");
                if matches!(self.stage, Stage::Fdl1(_)) {
                    assert_eq!(*address, 0x0081_0000, "FDL1 stops");
                }
                self.object = Some((*address, *size as usize, Vec::new()));
                0x80
            }
            (2, _) => match &mut self.object {
                Some((_, size, got)) if got.len() + payload.len() <= *size => {
                    got.extend(payload);
                    0x80
                }
                Some(_) => 0x8A,
                None => 0x86,
            },
            (3, _) => self.end(),
            (4, _) => match self.stage {
                Stage::Fdl1(_) => {
                    self.stage = Stage::Fdl2;
                    0x80
                }
                Stage::Rom(_) => {
                    self.say_bsl(0x80, &[], instead);
                    return self.stage = Stage::Fdl(false);
                }
                _ => 0x82,
            },
            (5, _) => {
                self.say_bsl(0x80, &[], instead);
                return self.stage = Stage::Run;
            }
            (6, [address, length, offset]) => {
                data = match self.read(*address, *length as usize, *offset as usize) {
                    Ok(data) => data,
                    Err(code) => return self.say_bsl(code, &[], instead),
                };
                0x93
            }
            (10, [address, size]) => {
                assert!(writer, "ERASE_FLASH in {:?}", self.stage);
                self.erased.push((*address, *size));
                if *address == 0 {
                    self.nv = None;
                    self.phase_check = None;
                }
                self.flash.retain(|at, _| {
                    !(u64::from(*address)..u64::from(*address) + u64::from(*size)).contains(&(*at).into())
                });
                0x80
            }
            _ => 0x80,
        };
        self.say_bsl(code, &data, instead);
    }
}
