//! The words of the dialogue with a Unisoc mask ROM and its loaders. Source: specs/unisoc-pac-bsl.md §4, §5, §10.

use super::bsl::{Code, Command};
use super::hdlc::{Check, Decoder, Event, FLAG};
use super::pdl;
use crate::describe::{Side, Words, quoted};

/// Bytes of the longest request to the mask ROM that is waited for: more than a block with its words.
const LONGEST_PDL: usize = 0x4000;

/// Follows a line to a loader.
#[derive(Debug)]
pub(crate) struct Describer {
    host: Stream,
    module: Stream,
}

/// One direction. Between two frames either protocol may begin.
#[derive(Debug)]
struct Stream {
    frames: Decoder,
    /// The beginning of a PDL frame.
    pdl: Vec<u8>,
}

impl Default for Describer {
    fn default() -> Self {
        let stream = || Stream {
            frames: Decoder::new(Check::Sum16),
            pdl: Vec::new(),
        };
        Describer {
            host: stream(),
            module: stream(),
        }
    }
}

impl Describer {
    pub(crate) fn describe(&mut self, side: Side, bytes: &[u8], words: &mut Words) {
        let stream = match side {
            Side::Host => &mut self.host,
            Side::Module => &mut self.module,
        };
        stream.describe(side, bytes, words);
    }
}

impl Stream {
    fn describe(&mut self, side: Side, mut bytes: &[u8], words: &mut Words) {
        if side == Side::Host && !self.frames.mid_frame() && bytes.iter().all(|byte| *byte == FLAG) {
            bytes.iter().for_each(|_| words.say("7E"));
        }
        while !bytes.is_empty() {
            let pdl_begins = bytes[0] == pdl::TAG && !self.frames.mid_frame();
            if !self.pdl.is_empty() || pdl_begins {
                self.take_pdl(side, &mut bytes, words);
            } else if let Some(event) = self.frames.next(&mut bytes) {
                self.frame(side, event, words);
            }
        }
    }

    /// Takes bytes of a PDL frame, up to its end. What is none after all is dropped.
    fn take_pdl(&mut self, side: Side, bytes: &mut &[u8], words: &mut Words) {
        let wanted = match self.pdl_length() {
            Some(length) => length.saturating_sub(self.pdl.len()),
            None => pdl::HEAD_BYTES.saturating_sub(self.pdl.len()),
        };
        let (now, rest) = bytes.split_at(wanted.min(bytes.len()));
        self.pdl.extend_from_slice(now);
        *bytes = rest;
        match self.pdl_length() {
            Some(length) if length > LONGEST_PDL => {
                words.data("no frame:", self.pdl.len());
                self.pdl.clear();
            }
            Some(length) if length <= self.pdl.len() => {
                pdl_frame(side, &self.pdl, words);
                self.pdl.clear();
            }
            _ => {}
        }
    }

    /// Bytes of the PDL frame, once its head is there.
    fn pdl_length(&self) -> Option<usize> {
        let length: [u8; 4] = self.pdl.get(..pdl::HEAD_BYTES)?.get(1..5)?.try_into().ok()?;
        Some((u32::from_le_bytes(length) as usize).saturating_add(pdl::HEAD_BYTES))
    }

    fn frame(&self, side: Side, event: Event, words: &mut Words) {
        let payload = self.frames.payload();
        match (side, event) {
            (_, Event::Damaged(bytes)) => words.say(format!("{bytes} bytes that are no frame")),
            (Side::Host, Event::Frame { kind, .. }) => command(kind, payload, words),
            (Side::Module, Event::Frame { kind, .. }) => reply(Code(kind), payload, words),
        }
    }
}

/// The 32-bit words at the beginning of a payload.
fn word(payload: &[u8], number: usize) -> u32 {
    let bytes = payload.get(number * 4..).and_then(|rest| rest.first_chunk());
    bytes.map_or(0, |bytes| u32::from_be_bytes(*bytes))
}

fn command(kind: u16, payload: &[u8], words: &mut Words) {
    let Some(command) = Command::ALL.into_iter().find(|command| *command as u16 == kind) else {
        return words.say(format!("command 0x{kind:02x}, 0x{:x} bytes", payload.len()));
    };
    let (name, number) = (command.name(), |at| word(payload, at));
    match command {
        Command::MidstData => words.data(name, payload.len()),
        Command::StartData | Command::EraseFlash => {
            words.say(format!("{name} 0x{:08x}, 0x{:x} bytes", number(0), number(1)));
        }
        Command::ReadFlash => words.say(format!(
            "{name} 0x{:08x}, 0x{:x} bytes at 0x{:x}",
            number(0),
            number(1),
            number(2)
        )),
        Command::ChangeBaud => words.say(format!("{name} {}", number(0))),
        _ => words.say(name),
    }
}

fn reply(code: Code, payload: &[u8], words: &mut Words) {
    match code {
        Code::READ_FLASH => words.data("READ_FLASH", payload.len()),
        Code::VER | Code::LOG => words.say(format!("{} `{}`", code.name(), quoted(payload))),
        Code::ACK => words.say(code.name()),
        _ => words.say(code.to_string()),
    }
}

fn pdl_frame(side: Side, frame: &[u8], words: &mut Words) {
    let number = |at: usize| {
        let bytes = frame
            .get(pdl::HEAD_BYTES + at * 4..)
            .and_then(|rest| rest.first_chunk());
        bytes.map_or(0, |bytes| u32::from_le_bytes(*bytes))
    };
    if side == Side::Module {
        return match number(0) {
            0 => words.say("PDL ACK"),
            code => words.say(format!("PDL error {code}")),
        };
    }
    let command = pdl::Command::ALL
        .into_iter()
        .find(|command| *command as u32 == number(0));
    match command {
        Some(pdl::Command::MidData) => words.data("PDL MID_DATA", number(2) as usize),
        Some(command @ pdl::Command::StartData) => {
            words.say(format!(
                "{} 0x{:08x}, 0x{:x} bytes",
                command.name(),
                number(1),
                number(2)
            ));
        }
        Some(command) => words.say(command.name()),
        None => words.say(format!("PDL command {}", number(0))),
    }
}
