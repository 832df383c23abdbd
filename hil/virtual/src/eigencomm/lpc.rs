//! The agent's command loop. Source: specs/eigencomm-agentboot.md §4.2-4.5, §7.2, and the genuine agents of 2021.
//!
//! ```text
//! H CD D3 02 2B CD D3 02 2B                            M CD D3 02 2B
//! H 42 00 4C B3 04 00 00 9E 49 58 4C 46 9F 76 68 91    M 42 00 4C B3 00 00 08 AD 88 E5
//! H 44 00 4C B3 00 00 00 00 AD AB 08 E7                M 44 00 4C B3 00 04 00 00 00 00 F3 EB F4 EE
//! ```

use std::time::Duration;

use super::agent::{Agent, State, Taken};
use super::burn::Burn;
use super::desk::{Desk, Told, Turn};
use super::flash::{CALIBRATION, FlashChip};
use super::frame::{
    self, AG, BULK_READ, BURN_ONE, DL, DONE, EFUSE_BURN, EFUSE_READ, FLASH_ERASE, GET_BURN_STATUS, Head, LPC,
    MEM_WRITE, ORDER_AG, ORDER_LPC, READ_MEM, SYS_RST, WRONG_STATE, code,
};
use super::header::ImageId;
use super::input::Input;
use crate::crc::crc32;
use crate::fault::{EigencommRequest, EigencommStage};

const STAGE: EigencommStage = EigencommStage::Lpc;
/// Largest READ_MEM.
const LARGEST_READ: u32 = 0xFF;
/// Where the agent lies in RAM. Source: §3.6, §10 [V*].
const AGENT_AT: u32 = 0x42_2000;
/// What BULK_READ always gives.
const BULK: usize = 0x1_0000;
const FAREWELL: &[u8] = b"ZzZzZzZz";

/// What a command comes to.
enum Outcome {
    Ack(Vec<u8>, Duration),
    Nak(u32),
    /// Bytes as they are.
    Raw(Vec<u8>),
    Reset,
}

impl Outcome {
    fn done() -> Self {
        Outcome::Ack(Vec::new(), Duration::ZERO)
    }
}

impl Agent {
    /// Before the first LPC sync: eight bytes at a time.
    pub(super) fn wake(
        &mut self,
        head: Head,
        input: &mut Input,
        desk: &mut Desk,
        turn: &mut Turn<'_>,
    ) -> bool {
        input.take(8);
        if head.has_word(LPC) {
            if self.is_told_to_sync(STAGE, desk, turn) {
                self.state = State::Loop;
                self.echo(&LPC, desk, turn);
            }
        } else if [AG, DL].contains(&head.start()) || (head.order() == ORDER_AG && head.has_good_length()) {
            if head.order() == ORDER_AG {
                input.flush(turn.now);
            }
            if self.is_told_to_sync(STAGE, desk, turn) {
                self.echo(&WRONG_STATE, desk, turn);
            }
        } else {
            desk.violation(STAGE, "something else before the first LPC sync");
        }
        false
    }

    /// A sync has arrived; false when a fault lets it pass unheard.
    pub(super) fn is_told_to_sync(
        &mut self,
        stage: EigencommStage,
        desk: &mut Desk,
        turn: &mut Turn<'_>,
    ) -> bool {
        desk.receive((stage, EigencommRequest::Sync), String::new, turn) != Told::Ignore
    }

    /// A sync or a command; true when the module is to reset.
    pub(super) fn lpc(
        &mut self,
        head: Head,
        input: &mut Input,
        desk: &mut Desk,
        turn: &mut Turn<'_>,
    ) -> bool {
        if head.is_sync(LPC) || head.is_sync(AG) || head.is_sync(DL) {
            input.take(8);
            if self.is_told_to_sync(STAGE, desk, turn) {
                let answer = if head.is_sync(LPC) { LPC } else { WRONG_STATE };
                self.echo(&answer, desk, turn);
            }
            return false;
        }
        if head.0 == [DONE, 0, ORDER_AG[0], ORDER_AG[1], 0, 0, 0, 0] {
            // Without a CRC; that of the request stays in the input. Source: §7.2 [V*].
            desk.violation(STAGE, "DONE after the last block");
            input.take(8);
            desk.answer(
                &frame::reply([DONE, 0, ORDER_AG[0], ORDER_AG[1]], 0, &[]),
                <[u8]>::to_vec,
                Duration::ZERO,
                turn,
            );
            self.pauses = true;
            return false;
        }
        if head.order() == ORDER_AG && head.has_good_length() {
            desk.violation(STAGE, "a command of AGBOOT outside a session");
            input.flush(turn.now);
            self.echo(&WRONG_STATE, desk, turn);
            return false;
        }
        match self.take(head, ORDER_LPC, STAGE, input, desk, turn) {
            Taken::Data(data) => self.command(head, &data, input, desk, turn),
            Taken::Part | Taken::Wrong => false,
        }
    }

    /// Does what a whole command says, and answers; true when the module is to reset.
    pub(super) fn command(
        &mut self,
        head: Head,
        data: &[u8],
        input: &mut Input,
        desk: &mut Desk,
        turn: &mut Turn<'_>,
    ) -> bool {
        let request = frame::lpc_request(head.command());
        let outcome = match desk.receive((STAGE, request), || line(head, data), turn) {
            Told::Execute => self.execute(head, data, desk),
            Told::Nak(code) => Outcome::Nak(code),
            Told::Ignore => return false,
        };
        let start = head.start();
        match outcome {
            Outcome::Ack(data, takes) => {
                let takes = if self.conduct.takes_time {
                    takes
                } else {
                    Duration::ZERO
                };
                self.be_busy(takes, false, input, turn.now);
                self.ack_after(start, &data, takes, desk, turn);
            }
            Outcome::Nak(code) => self.nak(start, code, desk, turn),
            Outcome::Raw(bytes) => desk.answer(&bytes, <[u8]>::to_vec, Duration::ZERO, turn),
            Outcome::Reset => {
                self.ack(start, FAREWELL, desk, turn);
                return true;
            }
        }
        false
    }

    fn execute(&mut self, head: Head, data: &[u8], desk: &mut Desk) -> Outcome {
        match head.command() {
            FLASH_ERASE => self.erase(data, desk),
            READ_MEM => self.read_memory(data, desk),
            BULK_READ => self.read_bulk(data, desk),
            BURN_ONE => self.burn_one(data, desk),
            GET_BURN_STATUS => Outcome::Ack(self.status.to_le_bytes().to_vec(), Duration::ZERO),
            SYS_RST => Outcome::Reset,
            MEM_WRITE => {
                desk.violation(STAGE, "MEM_WRITE");
                if data.len() < 8 {
                    Outcome::Nak(code::BAD_PARAMETER)
                } else {
                    Outcome::done()
                }
            }
            EFUSE_READ => Outcome::Nak(code::EFUSE_REFUSED),
            EFUSE_BURN => {
                desk.violation(STAGE, "the burning of eFuses");
                desk.shared.count(|counters| counters.fuse_requests += 1);
                Outcome::Nak(code::EFUSE_REFUSED)
            }
            _ => Outcome::Nak(code::UNKNOWN),
        }
    }

    /// FLASH_ERASE: length, then XIP address. Source: §4.4 [V*].
    fn erase(&mut self, data: &[u8], desk: &mut Desk) -> Outcome {
        let (8, Some(length), Some(address)) = (data.len(), frame::word(data, 0), frame::word(data, 1))
        else {
            return Outcome::Nak(code::BAD_PARAMETER);
        };
        let (length, outside) = (length as usize, Outcome::Nak(code::ERASE_FAILED));
        let Some((chip, offset)) = FlashChip::at(address).filter(|_| address.is_multiple_of(2)) else {
            return outside;
        };
        let is_whole = offset == 0 && length >= chip.bytes();
        let length = if is_whole { chip.bytes() } else { length };
        if offset + length > chip.bytes() {
            return outside;
        }
        let touches = chip == FlashChip::Cp && length > 0 && offset + length > CALIBRATION.start;
        let harms = [
            (is_whole, "the erase of a whole chip"),
            (touches, "an erase of RF data"),
            (
                offset % 0x1000 != 0 || length % 0x1000 != 0,
                "an erase of half a sector",
            ),
        ];
        let mut is_harmful = false;
        for (_, text) in harms.into_iter().filter(|(harms, _)| *harms) {
            desk.violation(STAGE, text);
            is_harmful = true;
        }
        if is_harmful && self.conduct.strict {
            return outside;
        }
        match self.flash().erase(chip, offset, length) {
            Ok(takes) => Outcome::Ack(Vec::new(), takes),
            Err(_) => outside,
        }
    }

    /// READ_MEM: length, then address. Only flash and the agent itself can be read here; other RAM and ROM read zero.
    /// Source: §4.5 [V*].
    fn read_memory(&mut self, data: &[u8], desk: &mut Desk) -> Outcome {
        let (8, Some(length), Some(address)) = (data.len(), frame::word(data, 0), frame::word(data, 1))
        else {
            return Outcome::Nak(code::BAD_PARAMETER);
        };
        if length > LARGEST_READ {
            return Outcome::Nak(code::BAD_PARAMETER);
        }
        let read = match FlashChip::at(address) {
            Some((chip, offset)) => self
                .flash()
                .region(chip, offset as u32, length as usize)
                .map(<[u8]>::to_vec),
            None => address.checked_sub(AGENT_AT).and_then(|offset| {
                let own = self.ram.get(offset as usize..)?;
                own.get(..length as usize).map(<[u8]>::to_vec)
            }),
        };
        let bytes = read.unwrap_or_else(|| {
            desk.violation(
                STAGE,
                &format!("READ_MEM of {length} bytes at 0x{address:X}, which is no flash"),
            );
            vec![0; length as usize]
        });
        Outcome::Ack(bytes, Duration::ZERO)
    }

    /// BULK_READ: 1, raw offset, `01 E0` or `01 E1`; always 64 KiB. Source: §4.5 [V*].
    fn read_bulk(&mut self, data: &[u8], desk: &mut Desk) -> Outcome {
        let chip = match data.get(8..) {
            Some([1, 0xE0]) => FlashChip::Ap,
            Some([1, 0xE1]) => FlashChip::Cp,
            _ => return Outcome::Nak(code::BAD_PARAMETER),
        };
        let (Some(1), Some(offset)) = (frame::word(data, 0), frame::word(data, 1)) else {
            return Outcome::Nak(code::BAD_PARAMETER);
        };
        let mut bytes = vec![BULK_READ, 0, ORDER_LPC[0], ORDER_LPC[1], 0, 0xFA];
        let flash = self.flash();
        let there = flash.bytes(chip).get(offset as usize..).unwrap_or_default();
        if there.len() < BULK {
            desk.violation(STAGE, "a BULK_READ beyond the end of the chip");
        }
        bytes.extend(there.iter().copied().chain(std::iter::repeat(0xFF)).take(BULK));
        let check = crc32(&bytes);
        bytes.extend(check.to_le_bytes());
        Outcome::Raw(bytes)
    }

    /// BURN_ONE: an id, and the chip. A FLEX without one goes to the chip that was named last, as the genuine agents
    /// have it. Source: §4.3, §4.6 [V*].
    fn burn_one(&mut self, data: &[u8], desk: &mut Desk) -> Outcome {
        self.status = code::UNFINISHED;
        let id = data.get(..4).and_then(ImageId::of);
        let chip = match data.get(4..) {
            Some([]) if id == Some(ImageId::Flex) => Some(self.named_last),
            Some([] | [1, 0xE0, ..]) => Some(FlashChip::Ap),
            Some([1, 0xE1, ..]) => Some(FlashChip::Cp),
            _ => None,
        };
        let (Some(id), Some(chip)) = (id, chip) else {
            return Outcome::Nak(code::WRONG_IMAGE);
        };
        if data.len() == 4 && id == ImageId::Flex && chip == FlashChip::Cp {
            desk.violation(
                STAGE,
                "BURN_ONE of a FLEX without its chip, behind an image of the CP flash",
            );
        }
        self.named_last = chip;
        if id == ImageId::Cp && chip == FlashChip::Ap {
            return Outcome::Nak(code::WRONG_IMAGE);
        }
        if matches!(id, ImageId::Bl | ImageId::Ap) && chip == FlashChip::Cp {
            desk.violation(STAGE, "BURN_ONE of an image of the AP flash to the CP flash");
        }
        self.burn = Burn::new(id, chip);
        self.state = State::Presync;
        desk.image_begins();
        Outcome::done()
    }
}

fn line(head: Head, data: &[u8]) -> String {
    let name = match head.command() {
        FLASH_ERASE => "FLASH_ERASE",
        READ_MEM => "READ_MEM",
        BULK_READ => "BULK_READ",
        BURN_ONE => "BURN_ONE",
        GET_BURN_STATUS => "GET_BURN_STATUS",
        SYS_RST => "SYS_RST",
        command => return format!("{command:02X}"),
    };
    let words: Vec<_> = data
        .chunks(4)
        .map(|word| {
            word.iter()
                .rev()
                .map(|byte| format!("{byte:02X}"))
                .collect::<String>()
        })
        .collect();
    format!("{name} {}", words.join(" ")).trim_end().to_owned()
}
