//! AGBOOT, the agent's image receiver: sessions of a header and of blocks of 64 KiB. What it does with them is in
//! `burn`. Source: specs/eigencomm-agentboot.md §4.2, §4.6, §7.2, and the genuine agents of 2021.
//!
//! ```text
//! H AA D3 02 2B AA D3 02 2B     M nothing: the first is swallowed
//! H AA D3 02 2B AA D3 02 2B     M AA D3 02 2B
//! H 31, 32, 3A: the header      M ACK each; erases
//! H sync, 31, 32 .., 3A: block  M echo, ACK each; programs, reads back
//! ```

use super::agent::{Agent, State, Taken};
use super::agents::AgentKind;
use super::burn::Session;
use super::desk::{Desk, Told, Turn};
use super::frame::{
    self, AG, BURN_ONE, DATA_HEAD, DISCONNECT, DL, DONE, DOWNLOAD_DATA, GET_VERSION, Head, LPC, ORDER_AG,
    ORDER_LPC, SEL_IMAGE, VERIFY_IMAGE, WRONG_STATE, code,
};
use super::header::MAGIC;
use super::input::Input;
use crate::fault::EigencommStage;

const STAGE: EigencommStage = EigencommStage::Ag;
/// Largest header session. Source: §7.1 [V*].
const LARGEST_HEADER: u32 = 0x2000;
/// So many wrong lengths in a row end a session.
const WRONG_LENGTHS: u32 = 5;

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
            self.nak(head.start(), code, desk, turn);
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
                self.nak(head.start(), code::WRONG_LENGTH, desk, turn);
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
                if head.command() == DOWNLOAD_DATA && code == code::WRONG_CRC {
                    start = self.start_of_refused_data(start);
                }
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
        let buffer = if is_body {
            &mut self.buffer
        } else {
            &mut self.header_buffer
        };
        let Some(place) = buffer.get_mut(session.received..end) else {
            return Err((index, code::WRONG_CRC));
        };
        place.copy_from_slice(data);
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
