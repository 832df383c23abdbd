//! The UIS8850's boot ROM and loader, as cheap as they can be and still answer only what a module would answer: a
//! frame when it has ended, and END_DATA only when every byte has come. The bytes themselves are not looked at; the
//! virtual modules do that.

use crate::bench::terminal::Responder;

const FLAG: u8 = 0x7E;
const ESCAPE: u8 = 0x7D;
/// Type, length and check of a frame.
const OVERHEAD_BYTES: usize = 6;
/// Raw bytes kept of each frame: a START_DATA, were every byte of it escaped.
const HEAD_BYTES: usize = 2 * (OVERHEAD_BYTES + 12);

const START_DATA: u8 = 0x01;
const MIDST_DATA: u8 = 0x02;
const END_DATA: u8 = 0x03;
const EXEC_DATA: u8 = 0x04;
const READ_FLASH: u8 = 0x06;

/// What a stage says. Source: specs/unisoc-pac-bsl.md §4.6.
struct Words {
    acknowledged: &'static [u8],
    wrong_size: &'static [u8],
    nothing_there: &'static [u8],
    version: &'static [u8],
}

const ROM: Words = Words {
    acknowledged: b"\x7E\x00\x80\x00\x00\x3B\x5A\x7E",
    wrong_size: b"\x7E\x00\x82\x00\x00\x55\x3A\x7E",
    nothing_there: b"\x7E\x00\x82\x00\x00\x55\x3A\x7E",
    version: b"\x7E\x00\x81\x00\x06SPRD3\x00\x57\x0A\x7E",
};
const LOADER: Words = Words {
    acknowledged: b"\x7E\x00\x80\x00\x00\xFF\x7F\x7E",
    wrong_size: b"\x7E\x00\x8A\x00\x00\xFF\x75\x7E",
    nothing_there: b"\x7E\x00\x96\x00\x00\xFF\x69\x7E",
    version: b"\x7E\x00\x81\x00\x22Spreadtrum Boot Block version 1.2\x00\xA9\xE9\x7E",
};

/// A module without NV items, fresh from reset.
pub struct Module {
    words: &'static Words,
    /// Waits for three flags.
    greets: bool,
    flags: usize,
    /// The frame in work: its first bytes as they came, and its length without escapes.
    head: Vec<u8>,
    length: usize,
    announced: usize,
    received: usize,
}

impl Module {
    pub fn new() -> Self {
        Module {
            words: &ROM,
            greets: true,
            flags: 0,
            head: Vec::with_capacity(HEAD_BYTES),
            length: 0,
            announced: 0,
            received: 0,
        }
    }

    fn take(&mut self, bytes: &[u8]) {
        let room = HEAD_BYTES - self.head.len();
        self.head.extend_from_slice(&bytes[..bytes.len().min(room)]);
        self.length += bytes.len() - memchr::memchr_iter(ESCAPE, bytes).count();
    }

    fn flag(&mut self) -> &'static [u8] {
        if self.length == 0 {
            self.flags += 1;
            if self.flags < 3 || !self.greets {
                return b"";
            }
            self.greets = false;
            return self.words.version;
        }
        let answer = self.frame();
        (self.flags, self.length) = (0, 0);
        self.head.clear();
        answer
    }

    fn frame(&mut self) -> &'static [u8] {
        let words = self.words;
        match self.head.get(1) {
            Some(&START_DATA) => (self.announced, self.received) = (second_word(&self.head), 0),
            Some(&MIDST_DATA) => self.received += self.length - OVERHEAD_BYTES,
            Some(&END_DATA) if self.announced != self.received => return words.wrong_size,
            Some(&EXEC_DATA) => (self.words, self.greets) = (&LOADER, true),
            Some(&READ_FLASH) => return words.nothing_there,
            _ => {}
        }
        words.acknowledged
    }
}

impl Responder for Module {
    fn hear(&mut self, mut bytes: &[u8], answer: &mut Vec<u8>) {
        while let Some(end) = memchr::memchr(FLAG, bytes) {
            self.take(&bytes[..end]);
            answer.extend_from_slice(self.flag());
            bytes = &bytes[end + 1..];
        }
        self.take(bytes);
    }
}

/// The size that a START_DATA announces.
fn second_word(head: &[u8]) -> usize {
    let mut escaped = false;
    let plain: Vec<u8> = head
        .iter()
        .filter_map(|byte| {
            let xor = if escaped { 0x20 } else { 0 };
            escaped = *byte == ESCAPE;
            (!escaped).then_some(byte ^ xor)
        })
        .collect();
    let word = plain.get(8..12).unwrap_or_default();
    word.iter().fold(0, |size, byte| size << 8 | usize::from(*byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn say(module: &mut Module, bytes: &[u8]) -> Vec<u8> {
        let mut answer = Vec::new();
        module.hear(bytes, &mut answer);
        answer
    }

    #[test]
    fn answers_what_has_ended_and_tells_when_bytes_are_missing() {
        let mut module = Module::new();
        assert_eq!(say(&mut module, b"~~"), b"");
        assert_eq!(say(&mut module, b"~"), ROM.version);
        // START of 0x7E bytes, which travel escaped; the checks are not looked at.
        let start = b"~\x00\x01\x00\x08\x50\x80\x00\x00\x00\x00\x00\x7D\x5E\xFF\xFF~";
        assert_eq!(say(&mut module, start), ROM.acknowledged);
        let midst = [b"~\x00\x02\x00\x7D\x5E".as_slice(), &[0; 0x7D], b"\x7D\x5Dxx"].concat();
        assert_eq!(say(&mut module, &midst), b"");
        assert_eq!(say(&mut module, b"~"), ROM.acknowledged);
        assert_eq!(say(&mut module, b"~\x00\x03\x00\x00xx~"), ROM.acknowledged);
        assert_eq!(say(&mut module, b"~\x00\x04\x00\x00xx~"), ROM.acknowledged);
        assert_eq!(say(&mut module, b"~~~"), LOADER.version);
        assert_eq!(say(&mut module, start), LOADER.acknowledged);
        assert_eq!(say(&mut module, b"~\x00\x03\x00\x00xx~"), LOADER.wrong_size);
    }
}
