//! Frames: commands into bytes, bytes into answers.
//!
//! ```text
//! command  cmd index order(2) length(4) data [check(4)]        answer  cmd index order(2) state length data [crc(4)]
//! ```
//! The boot ROM puts a sum behind packets of data and nothing behind anything else. The agent puts a CRC32 behind
//! every frame, and wants the length's own CRC8 in its top byte; the CRC32 covers the plain length.
//! Source: specs/eigencomm-agentboot.md §3.2, §3.3, §4.1, §4.5, §7.2.

use std::ops::Range;

use crc::{CRC_8_MAXIM_DOW, CRC_32_ISO_HDLC, Crc, Table};

use super::commands::{Code, Command, IMAGE_ORDER, LOOP_ORDER, Stage, WRONG_STATE};

static CRC32: Crc<u32, Table<16>> = Crc::<u32, Table<16>>::new(&CRC_32_ISO_HDLC);
static CRC8: Crc<u8> = Crc::<u8>::new(&CRC_8_MAXIM_DOW);

/// Bytes of a command before its data, of an answer before its data, and of a check.
pub(super) const COMMAND_HEAD: usize = 8;
const ANSWER_HEAD: usize = 6;
pub(super) const CHECK: usize = 4;
/// Bytes of a sync word.
pub(super) const WORD: usize = 4;
/// The length byte of an answer that is really 65,536 bytes long. Source: §4.5 (V*).
const BULK_MARK: u8 = 0xFA;
/// Bytes of such an answer.
pub(super) const BULK_BYTES: usize = 0x10000;
/// Bytes of a refusal's data.
const REFUSAL_DATA: u8 = 4;

/// Who checks what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Check {
    /// The boot ROM: a sum behind data.
    Sum,
    /// The agent: CRC32 and CRC8.
    Crc,
}

/// Appends the bytes of a command to `out`.
pub fn encode(check: Check, command: Command, index: u8, data: &[u8], out: &mut Vec<u8>) {
    let start = out.len();
    out.extend([command.code, index]);
    out.extend(command.order);
    out.extend((data.len() as u32).to_le_bytes());
    out.extend(data);
    match check {
        Check::Sum if command == Command::DOWNLOAD_DATA => {
            let sum = out[start..]
                .iter()
                .fold(0u32, |sum, byte| sum.wrapping_add(u32::from(*byte)));
            out.extend(sum.to_le_bytes());
        }
        Check::Sum => {}
        Check::Crc => {
            let crc = CRC32.checksum(&out[start..]);
            out.extend(crc.to_le_bytes());
            if !data.is_empty() {
                let length = start + 4..start + COMMAND_HEAD - 1;
                out[start + COMMAND_HEAD - 1] = CRC8.checksum(&out[length]);
            }
        }
    }
}

/// What was found in the bytes of a module.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// The module does what it was asked; its data is [`Decoder::payload`].
    Answer {
        /// Of the command.
        code: u8,
        /// Of the packet, plus one; else 0.
        index: u8,
        /// Whose command it is.
        order: [u8; 2],
    },
    /// The module says no. The head is that of the command, or left-overs of something else.
    Refusal {
        /// The first four bytes.
        head: [u8; 4],
        /// Why.
        refusal: Code,
    },
    /// The module is in another state than we thought.
    WrongState,
    /// An answer with a wrong check sum, of so many bytes.
    Damaged(usize),
}

/// Cuts a module's bytes into answers. Echoes of syncs, and bytes that begin nothing, are dropped.
pub struct Decoder {
    check: Check,
    buffer: Vec<u8>,
    /// Bytes before this one are done with.
    start: usize,
    payload: Range<usize>,
}

impl Decoder {
    /// A decoder into which nothing has been put.
    pub fn new(check: Check) -> Self {
        Decoder {
            check,
            buffer: Vec::new(),
            start: 0,
            payload: 0..0,
        }
    }

    /// Who checks what now.
    pub fn check(&self) -> Check {
        self.check
    }

    /// Another program answers from now on.
    pub fn expect(&mut self, check: Check) {
        self.check = check;
        self.clear();
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.buffer.clear();
        self.start = 0;
        self.payload = 0..0;
    }

    /// Takes bytes in. The payload of the answer before is gone.
    pub fn push(&mut self, bytes: &[u8]) {
        self.buffer.drain(..self.start);
        self.start = 0;
        self.payload = 0..0;
        self.buffer.extend(bytes);
    }

    /// The data of the last answer.
    pub fn payload(&self) -> &[u8] {
        self.buffer.get(self.payload.clone()).unwrap_or_default()
    }

    /// Whether what waits is nothing but zeros, and echoes that came late.
    pub fn holds_only_echoes(&self, stage: Stage) -> bool {
        let is_echo = |word: &[u8]| word == stage.sync_word() || word.iter().all(|byte| *byte == 0);
        self.buffer[self.start..].chunks(WORD).all(is_echo)
    }

    /// Whether bytes wait for more.
    pub fn is_midst(&self) -> bool {
        self.start < self.buffer.len()
    }

    /// The word right at the front, if one that answers a sync stands there.
    pub(super) fn leading_word(&mut self) -> Option<Option<Stage>> {
        let found = word_of(self.buffer.get(self.start..self.start + WORD)?)?;
        self.start += WORD;
        Some(found)
    }

    /// The next word that answers a sync: whose echo it is, or none when the module is in another state. Everything
    /// before it is dropped.
    pub fn next_word(&mut self) -> Option<Option<Stage>> {
        while let Some(word) = self.buffer.get(self.start..self.start + WORD) {
            if let Some(found) = word_of(word) {
                self.start += WORD;
                return Some(found);
            }
            self.start += 1;
        }
        None
    }

    /// The next answer, or nothing until more bytes come.
    pub fn next_answer(&mut self) -> Option<Event> {
        self.payload = 0..0;
        loop {
            let rest = &self.buffer[self.start..];
            if rest.starts_with(&WRONG_STATE) {
                self.start += WRONG_STATE.len();
                return Some(Event::WrongState);
            }
            let head: [u8; ANSWER_HEAD] = rest.get(..ANSWER_HEAD)?.try_into().ok()?;
            let Some(whole) = self.length(head) else {
                self.start += skip(head);
                continue;
            };
            let Some(event) = self.judge(rest.get(..whole)?, head) else {
                self.start += skip(head);
                continue;
            };
            self.payload = self.start + ANSWER_HEAD..self.start + whole - self.tail();
            self.start += whole;
            return Some(event);
        }
    }

    fn tail(&self) -> usize {
        match self.check {
            Check::Sum => 0,
            Check::Crc => CHECK,
        }
    }

    /// Bytes of the frame that begins so; none when none does.
    fn length(&self, head: [u8; ANSWER_HEAD]) -> Option<usize> {
        let [code, _, one, two, state, length] = head;
        let order = [one, two];
        let bulk =
            order == LOOP_ORDER && code == Command::BULK_READ.code && state == 0 && length == BULK_MARK;
        let data = match (order, state) {
            _ if bulk => BULK_BYTES,
            (IMAGE_ORDER | LOOP_ORDER, 0 | 1) => length.into(),
            // A refusal may carry any head: agents forget to fill it in. Source: §7.2 (V*).
            (_, 1) if self.check == Check::Crc && length == REFUSAL_DATA => length.into(),
            _ => return None,
        };
        Some(ANSWER_HEAD + data + self.tail())
    }

    /// What a whole frame says; none when it was no frame after all.
    fn judge(&self, frame: &[u8], head: [u8; ANSWER_HEAD]) -> Option<Event> {
        let [code, index, one, two, state, _] = head;
        let order = [one, two];
        let known = matches!(order, IMAGE_ORDER | LOOP_ORDER);
        let (body, tail) = frame.split_at(frame.len() - self.tail());
        let refusal = body
            .get(ANSWER_HEAD..)
            .and_then(|data| Some(Code(u32::from_le_bytes(data.try_into().ok()?))))
            .filter(|_| state == 1);
        // The check sum of this refusal is that of the answer before it. Source: §7.2 (V*).
        let stale = known && code == Command::DOWNLOAD_DATA.code && refusal == Some(Code::BAD_INDEX);
        let sound = stale || self.check == Check::Sum || CRC32.checksum(body).to_le_bytes() == tail;
        match (sound, state, refusal) {
            (true, 0, _) => Some(Event::Answer { code, index, order }),
            (true, _, Some(refusal)) => Some(Event::Refusal {
                head: [code, index, one, two],
                refusal,
            }),
            _ if known => Some(Event::Damaged(frame.len())),
            _ => None,
        }
    }
}

/// How far to go on from bytes that begin no answer: over a whole echo, else by one byte.
fn skip(head: [u8; ANSWER_HEAD]) -> usize {
    match word_of(&head[..WORD]) {
        Some(Some(_)) => WORD,
        _ => 1,
    }
}

fn word_of(word: &[u8]) -> Option<Option<Stage>> {
    if word == WRONG_STATE {
        return Some(None);
    }
    [Stage::Rom, Stage::Loop, Stage::Image]
        .into_iter()
        .find(|stage| word == stage.sync_word())
        .map(Some)
}
