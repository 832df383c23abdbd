//! Takes out of a recording what names a module or a person: IMEI, serial number, ICCID, IMSI.
//!
//! Masked are, in both directions and also where a number is cut by the end of a read: runs of 14 digits and more;
//! the values of `+EGMR: "…"` and `sn=`; in a session of Unisoc eight bytes that look like an IMEI among NV items (a
//! half byte 0xA in front, low half first); and each number of 15 digits that was found as text, wherever it stands as
//! packed digits. Lengths stay.
//!
//! Not found: other numbers that are packed and appear nowhere as text; numbers that are cut by a frame's head or by
//! byte stuffing, that are written with separators, or of which only a hash or a key is left; and names in paths. What
//! is masked no longer fits its check sums, and a recording that was masked cannot be said again.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use qpyflash_protocols::Platform;
use serde_json::Value;

use super::record::{Direction, Event, What};
use super::recording::Recording;

/// Digits from which on a run of them names somebody: 14 of an IMEI without its check digit, 15 of IMEI and IMSI, 19
/// and 20 of an ICCID.
const DIGITS: usize = 14;
/// Digits of an IMEI.
const IMEI: usize = 15;
/// Bytes of an IMEI among NV items, and how many of its digits differ at least.
const ITEM: usize = 8;
const DIFFERENT_DIGITS: usize = 4;
/// What stands before a serial number, and ends it.
const BEFORE_SERIAL: [(&[u8], &[u8]); 2] = [(b"+EGMR: \"", b"\""), (b"sn=", b"\r\n")];
/// Most characters of a serial number.
const LONGEST_SERIAL: usize = 40;
/// What everything is replaced by.
const MASK: u8 = b'X';
/// What packed digits are replaced by.
const PACKED_MASK: u8 = 0xFF;

/// A text of which every identifier has been masked.
pub fn redact_text(text: &str) -> String {
    let mut bytes = text.as_bytes().to_vec();
    for range in named(&bytes) {
        bytes[range].fill(MASK);
    }
    // Only ASCII was replaced, by ASCII.
    String::from_utf8(bytes).unwrap_or_default()
}

impl Recording {
    /// Masks everything that names a module or a person; the module's documentation says what that is.
    pub fn redact(&mut self) {
        let mut streams = self.streams();
        let mut imeis = BTreeSet::new();
        for stream in streams.values_mut() {
            for range in named(stream) {
                let number = &stream[range.clone()];
                if number.len() == IMEI && number.iter().all(u8::is_ascii_digit) {
                    imeis.insert(number.to_vec());
                }
                stream[range].fill(MASK);
            }
        }
        let packed: Vec<[u8; 8]> = imeis.iter().flat_map(|imei| packed(imei)).collect();
        let unisoc = self.unisoc_lines();
        for ((line, _), stream) in &mut streams {
            if line.is_some_and(|line| unisoc.contains(&line)) {
                mask_items(stream);
            }
            packed.iter().for_each(|number| mask_all(stream, number));
        }
        self.take_streams(&streams);
        self.redact_words();
    }

    /// What was said on each line, in each direction.
    fn streams(&self) -> BTreeMap<(Option<u32>, bool), Vec<u8>> {
        let mut streams: BTreeMap<_, Vec<u8>> = BTreeMap::new();
        for entry in &self.entries {
            if let What::Bytes(bytes) = &entry.what {
                let stream = (entry.line, bytes.direction == Direction::ToModule);
                streams.entry(stream).or_default().extend(&bytes.bytes);
            }
        }
        streams
    }

    /// The lines on which NV items are read and written.
    fn unisoc_lines(&self) -> BTreeSet<u32> {
        let of_unisoc = |event: &Event| {
            let Event::Opened { platform, .. } = event else {
                return false;
            };
            matches!(platform, Some(Platform::Unisoc8910 | Platform::Unisoc8850))
        };
        let lines = self.entries.iter().filter_map(|entry| match &entry.what {
            What::Event(event) if of_unisoc(event) => entry.line,
            _ => None,
        });
        lines.collect()
    }

    fn take_streams(&mut self, streams: &BTreeMap<(Option<u32>, bool), Vec<u8>>) {
        let mut used: BTreeMap<_, usize> = BTreeMap::new();
        for entry in &mut self.entries {
            if let What::Bytes(bytes) = &mut entry.what {
                let stream = (entry.line, bytes.direction == Direction::ToModule);
                let from = used.entry(stream).or_default();
                let to = *from + bytes.bytes.len();
                let masked = streams.get(&stream).and_then(|all| all.get(*from..to));
                bytes.bytes = masked.unwrap_or_default().to_vec();
                *from = to;
            }
        }
    }

    fn redact_words(&mut self) {
        for entry in &mut self.entries {
            match &mut entry.what {
                What::Bytes(bytes) => bytes.meaning = bytes.meaning.as_deref().map(redact_text),
                What::Event(Event::Session { options }) => redact_value(options),
                What::Event(Event::Package { file, .. }) => *file = redact_text(file),
                What::Event(_) => {}
            }
        }
    }
}

/// Every text of a value. A hash is no identifier, and half digits: it would be mistaken for one.
fn redact_value(value: &mut Value) {
    match value {
        Value::String(text) if text.len() != 64 => *text = redact_text(text),
        Value::Array(values) => values.iter_mut().for_each(redact_value),
        Value::Object(fields) => fields.values_mut().for_each(redact_value),
        _ => {}
    }
}

/// Where identifiers stand as text.
fn named(bytes: &[u8]) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut at = 0;
    for run in bytes.chunk_by(|one, other| one.is_ascii_digit() == other.is_ascii_digit()) {
        if run.len() >= DIGITS && run[0].is_ascii_digit() {
            found.push(at..at + run.len());
        }
        at += run.len();
    }
    for (before, ends) in BEFORE_SERIAL {
        for at in memchr::memmem::find_iter(bytes, before) {
            let from = at + before.len();
            let rest = &bytes[from..(from + LONGEST_SERIAL).min(bytes.len())];
            let length = rest
                .iter()
                .take_while(|byte| byte.is_ascii_graphic() && !ends.contains(byte))
                .count();
            found.push(from..from + length);
        }
    }
    found
}

/// An IMEI as NV items keep it, 15 digits in 8 bytes: with a half byte in front or behind, either half first.
fn packed(imei: &[u8]) -> Vec<[u8; 8]> {
    let digit = |at: usize| imei.get(at).map(|digit| digit & 15);
    let mut forms = Vec::new();
    for filler in [0x0, 0xA, 0xF] {
        let halves = |front: usize| {
            let half = move |at: usize| at.checked_sub(front).and_then(digit).unwrap_or(filler);
            std::array::from_fn::<u8, 8, _>(|byte| half(2 * byte) << 4 | half(2 * byte + 1))
        };
        for form in [halves(0), halves(1)] {
            forms.push(form);
            forms.push(form.map(|byte| byte.rotate_left(4)));
        }
    }
    forms
}

/// Masks what looks like the NV item of an IMEI; rather a few other bytes than one IMEI too few.
/// Source: specs/unisoc-pac-bsl.md §5.5 (V).
fn mask_items(bytes: &mut [u8]) {
    let looks_like_one = |item: &[u8]| {
        let halves = item.iter().flat_map(|byte| [byte & 15, byte >> 4]);
        let digits: BTreeSet<u8> = halves.skip(1).collect();
        digits.iter().all(|digit| *digit < 10) && digits.len() >= DIFFERENT_DIGITS
    };
    for at in 0..bytes.len().saturating_sub(ITEM - 1) {
        let item = &bytes[at..at + ITEM];
        if item[0] & 15 == 0xA && item[0] >> 4 != 0 && looks_like_one(item) {
            bytes[at..at + ITEM].fill(PACKED_MASK);
        }
    }
}

fn mask_all(bytes: &mut [u8], number: &[u8]) {
    let found: Vec<usize> = memchr::memmem::find_iter(bytes, number).collect();
    for at in found {
        bytes[at..at + number.len()].fill(PACKED_MASK);
    }
}
