//! The words of the dialogue with an Eigencomm boot ROM and its agent. Source: specs/eigencomm-agentboot.md §3, §4, §9.

use super::commands::{AP_FLASH, CP_FLASH, Command, IMAGE_ORDER, LOOP_ORDER, Stage};
use super::frame::{CHECK, COMMAND_HEAD, Check, Decoder, Event, WORD};
use crate::describe::{Side, Words, quoted};

/// More than the data of any command.
const LONGEST: usize = 0x2_0000;

/// Follows a line to a boot ROM or an agent.
pub(crate) struct Describer {
    host: Said,
    module: Decoder,
}

impl std::fmt::Debug for Describer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("eigencomm::Describer")
    }
}

impl Default for Describer {
    fn default() -> Self {
        Describer {
            host: Said::default(),
            module: Decoder::new(Check::Sum),
        }
    }
}

impl Describer {
    pub(crate) fn describe(&mut self, side: Side, bytes: &[u8], words: &mut Words) {
        match side {
            Side::Host => self.host_says(bytes, words),
            Side::Module => self.module_says(bytes, words),
        }
    }

    fn host_says(&mut self, bytes: &[u8], words: &mut Words) {
        self.host.push(bytes);
        while let Some(event) = self.host.next() {
            match event {
                Spoken::Sync(stage) => {
                    let check = match stage {
                        Stage::Rom => Check::Sum,
                        Stage::Loop | Stage::Image => Check::Crc,
                    };
                    self.host.check = Some(check);
                    if self.module.check() != check {
                        self.module.expect(check);
                    }
                    words.say(stage.sync_name());
                }
                Spoken::Command { code, order, data } => command(code, order, &data, words),
                Spoken::Else(bytes) => words.data("no frame:", bytes),
            }
        }
    }

    fn module_says(&mut self, bytes: &[u8], words: &mut Words) {
        self.module.push(bytes);
        loop {
            while let Some(word) = self.module.leading_word() {
                words.say(match word {
                    Some(Stage::Rom) => "DLBOOT echo",
                    Some(Stage::Loop) => "LPC echo",
                    Some(Stage::Image) => "AGBOOT echo",
                    None => "another program is listening",
                });
            }
            match self.module.next_answer() {
                Some(Event::Answer { code, order, .. }) => answer(code, order, self.module.payload(), words),
                Some(Event::Refusal { refusal, .. }) => words.say(format!("refused: {refusal}")),
                Some(Event::WrongState) => words.say("another program is listening"),
                Some(Event::Damaged(bytes)) => words.say(format!("{bytes} bytes with a wrong check sum")),
                None => return,
            }
        }
    }
}

fn word(data: &[u8], number: usize) -> u32 {
    let bytes = data.get(number * 4..).and_then(|rest| rest.first_chunk());
    bytes.map_or(0, |bytes| u32::from_le_bytes(*bytes))
}

/// An id of four letters, as it is written.
fn tag(data: &[u8]) -> String {
    let letters: Vec<u8> = data.iter().take(4).rev().copied().collect();
    match letters.iter().all(u8::is_ascii_alphanumeric) {
        true => quoted(&letters),
        false => format!("0x{:08x}", word(data, 0)),
    }
}

/// The flash that the last two bytes name.
fn flash(data: &[u8]) -> &'static str {
    match data.last_chunk() {
        Some(&AP_FLASH) => ", AP flash",
        Some(&CP_FLASH) => ", CP flash",
        _ => "",
    }
}

fn command(code: u8, order: [u8; 2], data: &[u8], words: &mut Words) {
    let Some(command) = named(code, order) else {
        return words.say(format!("command 0x{code:02x}, 0x{:x} bytes", data.len()));
    };
    let name = command.name;
    match command {
        Command::DOWNLOAD_DATA => words.data(name, data.len()),
        Command::DATA_HEAD => words.say(format!("{name} 0x{:x}", word(data, 0))),
        Command::FLASH_ERASE | Command::READ_MEM => {
            words.say(format!(
                "{name} 0x{:x} bytes at 0x{:x}",
                word(data, 0),
                word(data, 1)
            ));
        }
        Command::BULK_READ => words.say(format!("{name} at 0x{:x}{}", word(data, 1), flash(data))),
        Command::BURN_ONE => words.say(format!("{name} {}{}", tag(data), flash(data))),
        _ => words.say(name),
    }
}

fn answer(code: u8, order: [u8; 2], data: &[u8], words: &mut Words) {
    match named(code, order) {
        Some(Command::GET_VERSION) if data.len() == 12 => words.say(format!(
            "version 0x{:08x}, id {}, build {:08x}",
            word(data, 0),
            word(data, 1),
            word(data, 2)
        )),
        Some(Command::SEL_IMAGE) if data.len() == 4 => words.say(format!("wants {}", tag(data))),
        Some(Command::DATA_HEAD) if data.len() == 4 => words.say(format!("grants 0x{:x}", word(data, 0))),
        Some(Command::GET_BURN_STATUS) if data.len() == 4 => {
            words.say(format!("status 0x{:x}", word(data, 0)));
        }
        Some(Command::READ_MEM | Command::BULK_READ) => words.data("data", data.len()),
        _ if data.is_empty() => words.say("ACK"),
        _ => words.data("answer", data.len()),
    }
}

fn named(code: u8, order: [u8; 2]) -> Option<Command> {
    Command::ALL
        .into_iter()
        .find(|command| (command.code, command.order) == (code, order))
}

/// What a host has said and is not yet described.
#[derive(Default)]
struct Said {
    buffer: Vec<u8>,
    /// Who listens: nobody knows before the first sync, and then it is the boot ROM.
    check: Option<Check>,
}

/// A piece of it.
enum Spoken {
    /// A sync word, once or twice.
    Sync(Stage),
    /// A command.
    Command { code: u8, order: [u8; 2], data: Vec<u8> },
    /// Bytes of no frame.
    Else(usize),
}

impl Said {
    fn push(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// The next piece; none until more bytes come.
    fn next(&mut self) -> Option<Spoken> {
        let strange = self
            .buffer
            .windows(WORD)
            .take_while(|begin| !begins(begin))
            .count();
        if strange > 0 {
            self.buffer.drain(..strange);
            return Some(Spoken::Else(strange));
        }
        let first: [u8; WORD] = *self.buffer.first_chunk()?;
        if let Some(stage) = sync(&first) {
            let twice = self.buffer.get(WORD..2 * WORD) == Some(&first[..]);
            self.buffer.drain(..if twice { 2 * WORD } else { WORD });
            return Some(Spoken::Sync(stage));
        }
        let head: [u8; COMMAND_HEAD] = *self.buffer.first_chunk()?;
        let [code, _, one, two, length @ ..] = head;
        let length = u32::from_le_bytes(length) as usize;
        // The agent's frames keep a check of the length in its top byte. Source: §4.1.
        let (length, tail) = match self.check {
            Some(Check::Crc) => (length & 0xFF_FFFF, CHECK),
            _ if code == Command::DOWNLOAD_DATA.code => (length, CHECK),
            _ => (length, 0),
        };
        if length > LONGEST {
            self.buffer.drain(..WORD);
            return Some(Spoken::Else(WORD));
        }
        let data = self.buffer.get(COMMAND_HEAD..COMMAND_HEAD + length + tail)?;
        let data = data.get(..length).unwrap_or_default().to_vec();
        self.buffer.drain(..COMMAND_HEAD + length + tail);
        Some(Spoken::Command {
            code,
            order: [one, two],
            data,
        })
    }
}

fn begins(bytes: &[u8]) -> bool {
    sync(bytes).is_some()
        || matches!(bytes, [_, _, order @ ..] if order == IMAGE_ORDER || order == LOOP_ORDER)
}

fn sync(word: &[u8]) -> Option<Stage> {
    [Stage::Rom, Stage::Loop, Stage::Image]
        .into_iter()
        .find(|stage| stage.sync_word() == word)
}
