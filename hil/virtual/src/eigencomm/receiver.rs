//! AGBOOT, the agent's image receiver: sessions of a header and of blocks of 64 KiB, erased, programmed and read back.
//! Source: specs/eigencomm-agentboot.md §4.2, §4.6, §7.2, and the genuine agents of 2021.
//!
//! ```text
//! H AA D3 02 2B AA D3 02 2B     M nothing: the first is swallowed
//! H AA D3 02 2B AA D3 02 2B     M AA D3 02 2B
//! H 31, 32, 3A: the header      M ACK each; erases
//! H sync, 31, 32 .., 3A: block  M echo, ACK each; programs, reads back
//! ```
//!
//! Hashes and counts are not checked: what is wrong is noted, and refused only by a strict module.

use std::ops::Range;
use std::time::Duration;

use sha2::{Digest, Sha256};

use super::agent::{Agent, BUFFER, State, Taken};
use super::agents::AgentKind;
use super::desk::{Desk, Told, Turn};
use super::flash::{
    AP_AT_UNLESS_TOLD, AP_HEADER_AT, BL_AT, BL_HEADER_AT, CALIBRATION, FlashChip, OutsideTheChip,
};
use super::frame::{
    self, AG, BURN_ONE, DATA_HEAD, DISCONNECT, DL, DONE, DOWNLOAD_DATA, GET_VERSION, Head, LPC, ORDER_AG,
    ORDER_LPC, SEL_IMAGE, VERIFY_IMAGE, WRONG_STATE, code,
};
use super::header::{HEADER, Header, ImageId, MAGIC};
use super::input::Input;
use crate::fault::EigencommStage;

const STAGE: EigencommStage = EigencommStage::Ag;
/// Bytes of a block; the last one is shorter.
const BLOCK: usize = 0x1_0000;
/// Largest header session, and largest image. Source: §7.1 [V*], and the genuine agents.
const LARGEST_HEADER: u32 = 0x2000;
const LARGEST_IMAGE: u32 = 0x3F_C000;
/// Lowest address of an image in the AP flash. Source: §4.6 [V*].
const LOWEST: u32 = 0x4000;
/// Bytes erased around a stored header.
const HEADER_SECTORS: usize = 0x2000;
/// So many wrong lengths in a row end a session.
const WRONG_LENGTHS: u32 = 5;
/// Time to program 256 bytes. Source: appendix A [?].
const PROGRAM_256: Duration = Duration::from_micros(400);

/// The image being burned.
#[derive(Debug, Default)]
pub(super) struct Burn {
    /// What BURN_ONE has named.
    target: Option<(ImageId, FlashChip)>,
    /// The header, when its session is over, and where the image goes.
    header: Option<Header>,
    at: usize,
    /// Bytes of the image that are programmed.
    written: usize,
    digest: Sha256,
    /// Time that the erase in the background takes.
    erases_for: Duration,
    session: Session,
}

/// One session: the header's, or a block's.
#[derive(Debug, Default)]
struct Session {
    /// Bytes received, index of the next packet, and what the last DATA_HEAD was granted.
    received: usize,
    index: u8,
    granted: Option<usize>,
    /// The data of the last DATA_HEAD; a shorter one overwrites its beginning only.
    asked: [u8; 4],
    wrong_lengths: u32,
}

impl Burn {
    pub fn new(id: ImageId, chip: FlashChip) -> Self {
        Burn {
            target: Some((id, chip)),
            ..Burn::default()
        }
    }

    /// Bytes that the current session is to receive.
    fn expected(&self) -> usize {
        match &self.header {
            None => HEADER,
            Some(header) => (header.size() as usize - self.written).min(BLOCK),
        }
    }

    fn chip(&self) -> FlashChip {
        self.target.map_or(FlashChip::Ap, |(_, chip)| chip)
    }

    /// Where the next block goes.
    fn next_block(&self) -> Range<usize> {
        let start = self.at + self.written;
        start..start + self.expected()
    }
}

impl Agent {
    /// Before the AG sync that is swallowed.
    pub(super) fn presync(
        &mut self,
        head: Head,
        input: &mut Input,
        desk: &mut Desk,
        turn: &mut Turn<'_>,
    ) -> bool {
        if head.0[..4] == AG {
            input.take(8);
            if self.is_told_to_sync(STAGE, desk, turn) {
                self.state = State::Opening;
            }
        } else if head.is_sync(LPC) || head.is_sync(DL) {
            input.take(8);
            self.leave(code::NO_SYNC);
            if head.is_sync(DL) {
                self.echo(&WRONG_STATE, desk, turn);
            }
        } else if head.order() == ORDER_LPC && head.command() == BURN_ONE {
            // A host whose ACK was lost asks again, and is answered.
            return self.lpc(head, input, desk, turn);
        } else if head.order() == ORDER_LPC {
            desk.violation(STAGE, "a command of LPC where the first AG sync is due");
            input.flush(turn.now);
        } else {
            let code = if head.has_good_length() {
                code::WRONG_ORDER
            } else {
                code::WRONG_LENGTH
            };
            desk.violation(STAGE, "something else where the first AG sync is due");
            input.flush(turn.now);
            self.nak([head.0[0], head.0[1], head.0[2], head.0[3]], code, desk, turn);
        }
        false
    }

    /// Before the AG sync that opens a session: eight bytes at a time.
    pub(super) fn open(
        &mut self,
        head: Head,
        input: &mut Input,
        desk: &mut Desk,
        turn: &mut Turn<'_>,
    ) -> bool {
        input.take(8);
        if head.has_word(AG) {
            if self.is_told_to_sync(STAGE, desk, turn) {
                self.burn.session = Session::default();
                self.state = State::Session(true);
                self.echo_session(input, desk, turn);
            }
        } else if head.is_sync(DL) {
            self.echo(&WRONG_STATE, desk, turn);
        } else if head.is_sync(LPC) || head.order() == ORDER_LPC {
            self.abort(head, input, desk, turn);
        } else if head.0 == [DONE, 0, ORDER_AG[0], ORDER_AG[1], 0, 0, 0, 0] && self.burn.header.is_some() {
            // Its CRC stays in the input of a UART agent, whose reads are shifted by it.
            if self.kind == AgentKind::Usb {
                input.take(4);
            }
            self.ack([DONE, 0, ORDER_AG[0], ORDER_AG[1]], &[], desk, turn);
        } else {
            desk.violation(STAGE, "something else where an AG sync is due");
            input.flush(turn.now);
        }
        false
    }

    /// The echo of an AG sync; USB agents drop what has come behind it.
    fn echo_session(&mut self, input: &mut Input, desk: &mut Desk, turn: &mut Turn<'_>) {
        if self.kind == AgentKind::Usb {
            input.clear();
        }
        self.echo(&AG, desk, turn);
    }

    /// LPC speaks in a session, which ends without a word.
    fn abort(&mut self, head: Head, input: &mut Input, desk: &mut Desk, turn: &mut Turn<'_>) {
        if !head.is_sync(LPC) {
            desk.violation(STAGE, "a command of LPC in a session");
            input.flush(turn.now);
        }
        self.leave(code::ABORTED);
    }

    /// A sync or a command in a session.
    pub(super) fn session(
        &mut self,
        head: Head,
        is_new: bool,
        input: &mut Input,
        desk: &mut Desk,
        turn: &mut Turn<'_>,
    ) -> bool {
        if head.is_sync(AG) || head.is_sync(DL) {
            input.take(8);
            if self.is_told_to_sync(STAGE, desk, turn) {
                match is_new && head.is_sync(AG) {
                    true => self.echo_session(input, desk, turn),
                    false => self.echo(&WRONG_STATE, desk, turn),
                }
            }
            return false;
        }
        if head.is_sync(LPC) || head.order() == ORDER_LPC {
            input.take(8);
            self.abort(head, input, desk, turn);
            return false;
        }
        if !head.has_good_length() {
            self.burn.session.wrong_lengths += 1;
            if self.burn.session.wrong_lengths == WRONG_LENGTHS {
                // The rest of the frame stays, and is misread by LPC once.
                input.take(8);
                self.nak(
                    [head.0[0], head.0[1], head.0[2], head.0[3]],
                    code::WRONG_LENGTH,
                    desk,
                    turn,
                );
                self.leave(code::WRONG_LENGTH);
                self.pauses = true;
                return false;
            }
        }
        if let Taken::Data(data) = self.take(head, ORDER_AG, STAGE, input, desk, turn) {
            self.burn.session.wrong_lengths = 0;
            self.state = State::Session(false);
            self.session_command(head, &data, input, desk, turn);
        }
        false
    }

    fn session_command(
        &mut self,
        head: Head,
        data: &[u8],
        input: &mut Input,
        desk: &mut Desk,
        turn: &mut Turn<'_>,
    ) {
        let request = frame::session_request(head.command());
        let line = || line(head.command());
        let mut start = [head.0[0], head.0[1], ORDER_AG[0], ORDER_AG[1]];
        match desk.receive((STAGE, request), line, turn) {
            Told::Ignore => return,
            Told::Nak(code) => return self.nak(start, code, desk, turn),
            Told::Execute => {}
        }
        match self.perform(head, data, desk, turn) {
            Ok(reply) => {
                if head.command() == DOWNLOAD_DATA {
                    start[1] = head.index().wrapping_add(1);
                }
                self.ack(start, &reply, desk, turn);
                if head.command() == DONE {
                    self.conclude(input, desk, turn);
                }
            }
            Err((index, code)) => {
                start[1] = index;
                self.nak(start, code, desk, turn);
                if code == code::TOO_LARGE {
                    self.leave(code);
                }
            }
        }
    }

    /// The data of the ACK, or index and code of the NAK.
    fn perform(
        &mut self,
        head: Head,
        data: &[u8],
        desk: &mut Desk,
        turn: &mut Turn<'_>,
    ) -> Result<Vec<u8>, (u8, u32)> {
        let refused = |code| Err((head.index(), code));
        match head.command() {
            GET_VERSION => Ok(Agent::version().to_vec()),
            SEL_IMAGE => {
                let id = self.burn.target.map(|(id, _)| id.bytes());
                Ok(self.burn.header.as_ref().and(id).unwrap_or(MAGIC).to_vec())
            }
            VERIFY_IMAGE => {
                if data.first() == Some(&1) {
                    desk.violation(STAGE, "VERIFY_IMAGE that ends the session");
                    self.leave(code::WRONG_IMAGE);
                }
                Ok(Vec::new())
            }
            DATA_HEAD => self.grant(data).or_else(refused),
            DOWNLOAD_DATA => self.receive(head.index(), data, desk, turn),
            DONE => {
                let (received, expected) = (self.burn.session.received, self.burn.expected());
                if received != expected {
                    desk.violation(STAGE, &format!("DONE after {received} of {expected} bytes"));
                    if self.conduct.strict {
                        return refused(code::BAD_PARAMETER);
                    }
                }
                Ok(Vec::new())
            }
            DISCONNECT => Ok(Vec::new()),
            _ => refused(code::UNKNOWN),
        }
    }

    fn grant(&mut self, data: &[u8]) -> Result<Vec<u8>, u32> {
        let limit = self.limit();
        let session = &mut self.burn.session;
        let Some(place) = session.asked.get_mut(..data.len()) else {
            return Err(code::WRONG_CRC);
        };
        place.copy_from_slice(data);
        let asked = u32::from_le_bytes(session.asked);
        if self.burn.header.is_none() && asked > LARGEST_HEADER {
            return Err(code::TOO_LARGE);
        }
        let granted = asked.min(limit);
        session.granted = Some(granted as usize);
        Ok(granted.to_le_bytes().to_vec())
    }

    /// DOWNLOAD_DATA: of any length, as long as the buffer has room.
    fn receive(
        &mut self,
        index: u8,
        data: &[u8],
        desk: &mut Desk,
        turn: &mut Turn<'_>,
    ) -> Result<Vec<u8>, (u8, u32)> {
        let is_body = self.burn.header.is_some();
        let session = &mut self.burn.session;
        if index != session.index {
            let again = session.index.wrapping_sub(1) == index && session.received > 0;
            return match self.kind {
                AgentKind::Uart if again => Ok(Vec::new()),
                _ => Err((session.index, code::WRONG_INDEX)),
            };
        }
        if session.granted.take() != Some(data.len()) {
            desk.violation(
                STAGE,
                &format!("a packet of {} bytes that was not granted", data.len()),
            );
            if self.conduct.strict {
                return Err((index, code::BAD_PARAMETER));
            }
        }
        let end = session.received + data.len();
        if end > BUFFER {
            return Err((index, code::WRONG_CRC));
        }
        self.buffer[session.received..end].copy_from_slice(data);
        (session.received, session.index) = (end, index.wrapping_add(1));
        if is_body {
            desk.count_data(data.len(), turn);
        }
        Ok(Vec::new())
    }

    /// After the ACK of DONE: the header is read, or the block programmed.
    fn conclude(&mut self, input: &mut Input, desk: &mut Desk, turn: &mut Turn<'_>) {
        let result = match &self.burn.header {
            None => self.begin_image(input, desk, turn),
            Some(_) => self.program_block(input, desk, turn),
        };
        match result {
            Ok(true) => self.state = State::Opening,
            Ok(false) => self.leave(code::GOOD),
            Err(code) => self.leave(code),
        }
    }

    /// Reads the header; false when there is nothing to write, the status of the failure otherwise.
    fn begin_image(&mut self, input: &mut Input, desk: &mut Desk, turn: &mut Turn<'_>) -> Result<bool, u32> {
        let header = <[u8; HEADER]>::try_from(&self.buffer[..HEADER]);
        let (Ok(header), Some((id, chip))) = (header.map(Header), self.burn.target) else {
            return Err(code::WRONG_IMAGE);
        };
        self.look_at(&header, id, desk)?;
        if header.id() != id.bytes() {
            return Err(code::WRONG_IMAGE);
        }
        if header.is_skipped() || header.size() == 0 {
            return Ok(false);
        }
        if header.size() > LARGEST_IMAGE {
            return Err(code::TOO_LARGE);
        }
        let stored_at = match id {
            ImageId::Bl => Some(BL_HEADER_AT),
            ImageId::Ap => Some(AP_HEADER_AT),
            _ => None,
        };
        if let Some(at) = stored_at {
            let takes = self.flash().erase(chip, at, HEADER_SECTORS);
            let takes = takes.map_err(|OutsideTheChip| code::ERASE_FAILED)?;
            self.be_busy(takes + 2 * PROGRAM_256, false, input, turn.now);
            let good = self.flash().program(chip, at, &header.0);
            if !good {
                return Err(code::DIFFERS);
            }
        }
        self.burn.at = place(id, chip, header.burn_address())?;
        let is_calibration =
            chip == FlashChip::Cp && self.burn.at + header.size() as usize > CALIBRATION.start;
        if is_calibration {
            desk.violation(STAGE, "an image over RF data");
            if self.conduct.strict {
                return Err(code::ERASE_FAILED);
            }
        }
        self.burn.header = Some(header);
        self.erase_block(input, turn)?;
        Ok(true)
    }

    /// Notes what the genuine agents do not look at.
    fn look_at(&self, header: &Header, id: ImageId, desk: &Desk) -> Result<(), u32> {
        let address = header.burn_address();
        let wrongs = [
            (
                !header.has_own_hash(),
                "a header that does not match its own hash",
            ),
            (
                !header.is_usual(),
                "a header with other constants than the vendor's",
            ),
            (header.flags() & 2 != 0, "a header that asks for dribbling"),
            (
                id != ImageId::Bl && !address.is_multiple_of(0x1000),
                "an image that begins inside a sector",
            ),
        ];
        let mut is_wrong = false;
        for (_, text) in wrongs.into_iter().filter(|(is_wrong, _)| *is_wrong) {
            desk.violation(STAGE, text);
            is_wrong = true;
        }
        if is_wrong && self.conduct.strict {
            Err(code::BAD_PARAMETER)
        } else {
            Ok(())
        }
    }

    /// Erases what the next block needs. A whole aligned block is erased while its data arrive; before any other the
    /// input is dropped when the erase is over.
    fn erase_block(&mut self, input: &mut Input, turn: &mut Turn<'_>) -> Result<(), u32> {
        let (chip, block) = (self.burn.chip(), self.burn.next_block());
        let takes = self.flash().erase(chip, block.start, block.len());
        let takes = takes.map_err(|OutsideTheChip| code::ERASE_FAILED)?;
        let in_background = block.len() == BLOCK && block.start.is_multiple_of(BLOCK);
        if in_background {
            self.burn.erases_for = takes;
        } else {
            self.be_busy(takes, true, input, turn.now);
        }
        Ok(())
    }

    /// Programs the block and reads it back; false when it was the last.
    fn program_block(
        &mut self,
        input: &mut Input,
        desk: &mut Desk,
        turn: &mut Turn<'_>,
    ) -> Result<bool, u32> {
        let (chip, block) = (self.burn.chip(), self.burn.next_block());
        let bytes = self.buffer[..block.len()].to_vec();
        let takes =
            PROGRAM_256 * block.len().div_ceil(256) as u32 + std::mem::take(&mut self.burn.erases_for);
        self.be_busy(takes, false, input, turn.now);
        if !self.flash().program(chip, block.start, &bytes) {
            return Err(code::DIFFERS);
        }
        self.burn.digest.update(&bytes);
        self.burn.written += block.len();
        if self.burn.expected() > 0 {
            self.erase_block(input, turn)?;
            return Ok(true);
        }
        let digest = std::mem::take(&mut self.burn.digest).finalize();
        let announced = self
            .burn
            .header
            .as_ref()
            .is_some_and(|header| header.0[96..128] == digest[..]);
        if !announced {
            desk.violation(STAGE, "an image that is not the one its header announces");
            if self.conduct.strict {
                return Err(code::DIFFERS);
            }
        }
        Ok(false)
    }
}

/// Where an image goes in its chip. Source: §4.6 [V*].
fn place(id: ImageId, chip: FlashChip, address: u32) -> Result<usize, u32> {
    match (id, chip, address) {
        (ImageId::Bl, ..) => Ok(BL_AT),
        (ImageId::Ap, _, 0) => Ok(AP_AT_UNLESS_TOLD),
        (ImageId::Flex, _, 0) => Err(code::ERASE_FAILED),
        (_, FlashChip::Ap, address) if address < LOWEST => Err(code::BAD_ADDRESS),
        (_, _, address) if address % 0x100 != 0 => Err(code::BAD_ADDRESS),
        (_, _, address) => Ok(address as usize),
    }
}

fn line(command: u8) -> String {
    match command {
        GET_VERSION => "GET_VERSION".into(),
        SEL_IMAGE => "SEL_IMAGE".into(),
        VERIFY_IMAGE => "VERIFY_IMAGE".into(),
        DATA_HEAD | DOWNLOAD_DATA => "DATA".into(),
        DONE => "DONE".into(),
        command => format!("{command:02X}"),
    }
}
