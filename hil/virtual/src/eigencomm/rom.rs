//! The mask ROM, DLBOOT: takes the agent's header and the agent. Source: specs/eigencomm-agentboot.md §3, appendix A.
//!
//! ```text
//! H 00 D3 02 2B 00 D3 02 2B          M 00 D3 02 2B
//! H 31 .. 10 01 00 00                M 31 .. 10 01 00 00        send 272 bytes at once
//! H 32 .. header, sum                M 32 01 .. ACK
//! H 3A ..                            M 3A .. ACK
//! H the same again for the agent, in packets of 1 KiB
//! ```
//!
//! What the ROM checks besides the sum of a packet is not known [?]: this one runs nothing that is not what its
//! header announces.

use super::desk::{Desk, Told, Turn};
use super::frame::{
    self, DATA_HEAD, DL, DONE, DOWNLOAD_DATA, GET_VERSION, Head, ORDER_AG, SEL_IMAGE, VERIFY_IMAGE, code,
};
use super::header::{HEADER, Header, ImageId, MAGIC};
use super::input::Input;
use crate::fault::{EigencommRequest, EigencommStage};

const STAGE: EigencommStage = EigencommStage::Rom;
/// Largest packet of the agent. Source: §3.4 [C].
const LIMIT: usize = 0x400;
/// Largest agent: what fits between its load address and the RAM's end. [?]
const LARGEST_AGENT: usize = 0x1_0000;
/// Build of the ROM. Source: §3.4 [C].
const DATED: u32 = 0x2021_2602;
/// No command is longer, whatever its length says.
const LONGEST_COMMAND: usize = 0x1_0000;

/// See the module's text.
#[derive(Debug)]
pub(super) struct Rom {
    /// vVal and id of GET_VERSION.
    version: (u32, u32),
    checks_hashes: bool,
    /// The agent's header, when its session is over.
    header: Option<Header>,
    /// What the current session has received; none until it is synchronised.
    session: Option<Session>,
}

#[derive(Debug, Default)]
struct Session {
    received: Vec<u8>,
    index: u8,
    /// Bytes that the last DATA_HEAD was granted.
    granted: Option<usize>,
}

impl Rom {
    pub fn new(version: (u32, u32), checks_hashes: bool) -> Self {
        Rom {
            version,
            checks_hashes,
            header: None,
            session: None,
        }
    }

    /// Works on what has arrived; gives header and agent when they are to be run.
    pub fn work(
        &mut self,
        input: &mut Input,
        desk: &mut Desk,
        turn: &mut Turn<'_>,
    ) -> Option<(Header, Vec<u8>)> {
        loop {
            let Ok(head) = <[u8; 8]>::try_from(input.bytes().get(..8)?) else {
                return None;
            };
            let head = Head(head);
            if head.is_sync(DL) || (self.session.is_none() && head.has_word(DL)) {
                input.take(8);
                self.synchronise(desk, turn);
            } else if head.has_word(DL) {
                // Half a sync: the rest of one that came shifted, or the beginning of one.
                input.take(4);
            } else if self.session.is_none() {
                input.take(1);
            } else if head.order() != ORDER_AG || head.plain_length() > LONGEST_COMMAND {
                desk.violation(STAGE, "no command of the ROM");
                input.take(1);
                self.session = None;
            } else {
                let sum = if head.command() == DOWNLOAD_DATA { 4 } else { 0 };
                let length = 8 + head.plain_length() + sum;
                if input.bytes().len() < length {
                    return None;
                }
                let frame = input.take(length);
                if let Some(run) = self.command(head, &frame, desk, turn) {
                    return Some(run);
                }
            }
        }
    }

    fn synchronise(&mut self, desk: &mut Desk, turn: &mut Turn<'_>) {
        let request = (STAGE, EigencommRequest::Sync);
        if desk.receive(request, String::new, turn) != Told::Ignore {
            self.session = Some(Session::default());
            desk.answer(&DL, <[u8]>::to_vec, Default::default(), turn);
        }
    }

    fn command(
        &mut self,
        head: Head,
        frame: &[u8],
        desk: &mut Desk,
        turn: &mut Turn<'_>,
    ) -> Option<(Header, Vec<u8>)> {
        let data = &frame[8..8 + head.plain_length()];
        let request = frame::session_request(head.command());
        let line = || format!("{:02X}", head.command());
        let result = match desk.receive((STAGE, request), line, turn) {
            Told::Execute => self.execute(head, data, frame, desk, turn),
            Told::Nak(code) => Err((head.index(), code)),
            Told::Ignore => return None,
        };
        let [command, index, ..] = head.0;
        let answer =
            |index, state, data: &[u8]| frame::reply([command, index, ORDER_AG[0], ORDER_AG[1]], state, data);
        let next = if command == DOWNLOAD_DATA {
            index.wrapping_add(1)
        } else {
            index
        };
        let reply = match &result {
            Ok(data) => answer(next, 0, data),
            Err((index, code)) => answer(*index, 1, &code.to_le_bytes()),
        };
        desk.answer(&reply, |text| answer(next, 0, text), Default::default(), turn);
        (result.is_ok() && command == DONE)
            .then(|| self.finish(desk))
            .flatten()
    }

    /// The data of the ACK, or index and code of the NAK.
    fn execute(
        &mut self,
        head: Head,
        data: &[u8],
        frame: &[u8],
        desk: &mut Desk,
        turn: &mut Turn<'_>,
    ) -> Result<Vec<u8>, (u8, u32)> {
        let refused = |code| Err((head.index(), code));
        match head.command() {
            GET_VERSION => {
                let words = [self.version.0, self.version.1, DATED];
                Ok(words.into_iter().flat_map(u32::to_le_bytes).collect())
            }
            SEL_IMAGE => Ok(self
                .header
                .as_ref()
                .map_or(MAGIC, |_| ImageId::Bl.bytes())
                .to_vec()),
            VERIFY_IMAGE => Ok(Vec::new()),
            DATA_HEAD => self.grant(data, desk).map_err(|code| (head.index(), code)),
            DOWNLOAD_DATA => self.receive(head.index(), frame, desk, turn),
            DONE => match self.fault() {
                None => Ok(Vec::new()),
                Some(fault) => {
                    desk.violation(STAGE, &fault);
                    (self.header, self.session) = (None, Some(Session::default()));
                    refused(code::WRONG_HASH)
                }
            },
            _ => refused(code::UNKNOWN),
        }
    }

    /// Bytes of the image that the session is to receive.
    fn wanted(&self) -> usize {
        self.header
            .as_ref()
            .map_or(HEADER, |header| header.size() as usize)
    }

    /// DATA_HEAD: the bytes that are missing, no others. All of a header is granted at once.
    fn grant(&mut self, data: &[u8], desk: &Desk) -> Result<Vec<u8>, u32> {
        let (wanted, limit) = (self.wanted(), self.header.as_ref().map_or(HEADER, |_| LIMIT));
        let session = self.session.as_mut().ok_or(code::UNKNOWN)?;
        let left = wanted.saturating_sub(session.received.len());
        let said = frame::word(data, 0).map(|said| said as usize);
        if said != Some(left) || left == 0 {
            desk.violation(
                STAGE,
                &format!("DATA_HEAD of {said:?} bytes where {left} are missing"),
            );
            return Err(code::BAD_PARAMETER);
        }
        let granted = left.min(limit);
        session.granted = Some(granted);
        Ok((granted as u32).to_le_bytes().to_vec())
    }

    /// DOWNLOAD_DATA: a whole frame with its sum.
    fn receive(
        &mut self,
        index: u8,
        frame: &[u8],
        desk: &mut Desk,
        turn: &mut Turn<'_>,
    ) -> Result<Vec<u8>, (u8, u32)> {
        let is_body = self.header.is_some();
        let session = self.session.as_mut().ok_or((index, code::UNKNOWN))?;
        let (covered, sum) = frame.split_at(frame.len() - 4);
        let (data, expected) = (
            &covered[8..],
            covered.iter().map(|byte| u32::from(*byte)).sum::<u32>(),
        );
        if sum != expected.to_le_bytes() {
            return Err((index, code::WRONG_CRC));
        }
        if index != session.index {
            return Err((session.index, code::WRONG_INDEX));
        }
        if session.granted.take() != Some(data.len()) {
            desk.violation(
                STAGE,
                &format!("a packet of {} bytes that was not granted", data.len()),
            );
            return Err((index, code::TOO_LARGE));
        }
        session.received.extend_from_slice(data);
        session.index = index.wrapping_add(1);
        if is_body {
            desk.count_data(data.len(), turn);
        }
        Ok(Vec::new())
    }

    /// What is wrong with the image that the session has received.
    fn fault(&self) -> Option<String> {
        let (received, wanted) = (&self.session.as_ref()?.received, self.wanted());
        if received.len() != wanted {
            return Some(format!("DONE after {} of {wanted} bytes", received.len()));
        }
        let fault = match &self.header {
            Some(header) if self.checks_hashes && !header.announces(received) => {
                "the agent is not the one that its header announces"
            }
            Some(_) => return None,
            None => {
                let header = Header(<[u8; HEADER]>::try_from(&received[..]).ok()?);
                let size = header.size() as usize;
                if !header.is_usual() || header.id() != ImageId::Bl.bytes() {
                    "no header of an agent"
                } else if self.checks_hashes && !header.has_own_hash() {
                    "the agent's header does not match its own hash"
                } else if size == 0 || size > LARGEST_AGENT {
                    "an agent that does not fit"
                } else {
                    return None;
                }
            }
        };
        Some(fault.to_owned())
    }

    /// The session's image is whole.
    fn finish(&mut self, desk: &mut Desk) -> Option<(Header, Vec<u8>)> {
        let received = self.session.take()?.received;
        match self.header.take() {
            Some(header) => Some((header, received)),
            None => {
                self.header = Some(Header(<[u8; HEADER]>::try_from(received).ok()?));
                desk.image_begins();
                None
            }
        }
    }
}
