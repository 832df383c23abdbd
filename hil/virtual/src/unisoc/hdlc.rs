//! BSL frames between 7E flags. Source: specs/unisoc-pac-bsl.md §4.2-4.4.
//!
//! ```text
//! 7E | type, 16 bits | length, 16 bits | payload | check, 16 bits | 7E      big-endian, 7D escapes 7D and 7E
//! ```

use super::checks::{crc_xmodem, internet_sum};

const FLAG: u8 = 0x7E;
const ESCAPE: u8 = 0x7D;
/// Type and length before the payload.
const HEAD: usize = 4;
const CHECK: usize = 2;

/// Which check ends a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Check {
    /// The 16-bit sum of the loaders.
    Sum,
    /// The CRC of the 8850's boot ROM.
    Crc,
}

impl Check {
    fn of(self, bytes: &[u8]) -> u16 {
        match self {
            Check::Sum => internet_sum(bytes),
            Check::Crc => crc_xmodem(bytes),
        }
    }
}

/// A frame of that type and payload as it goes over the wire.
pub(super) fn encode(check: Check, kind: u16, payload: &[u8]) -> Vec<u8> {
    let mut body = Vec::with_capacity(HEAD + payload.len() + CHECK);
    body.extend(kind.to_be_bytes());
    // The length field of a reply of 64 KiB and more wraps round, as the genuine FDL2's does.
    body.extend((payload.len() as u16).to_be_bytes());
    body.extend_from_slice(payload);
    body.extend(check.of(&body).to_be_bytes());
    let mut frame = Vec::with_capacity(body.len() + body.len() / 64 + 8);
    frame.push(FLAG);
    for byte in body {
        match byte {
            FLAG => frame.extend([ESCAPE, FLAG ^ 0x20]),
            ESCAPE => frame.extend([ESCAPE, ESCAPE ^ 0x20]),
            byte => frame.push(byte),
        }
    }
    frame.push(FLAG);
    frame
}

/// What a closing flag has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Heard {
    /// A whole frame of that type; [`Decoder::payload`] has the rest.
    Frame(u16),
    /// Something whose length field does not fit, or that is longer than the stage takes.
    WrongLength,
    /// A frame whose check is wrong.
    WrongCheck,
}

/// Finds frames in a stream of bytes, however it is split.
#[derive(Debug)]
pub(super) struct Decoder {
    check: Check,
    /// Longest payload that is taken.
    limit: usize,
    body: Vec<u8>,
    open: bool,
    escaped: bool,
    overlong: bool,
    closed: bool,
    wire_bytes: usize,
}

impl Decoder {
    pub fn new(check: Check, limit: usize) -> Self {
        Decoder {
            check,
            limit,
            body: Vec::with_capacity(HEAD + limit + CHECK),
            open: false,
            escaped: false,
            overlong: false,
            closed: false,
            wire_bytes: 0,
        }
    }

    /// The payload of the frame that was just heard.
    pub fn payload(&self) -> &[u8] {
        self.body
            .get(HEAD..self.body.len().saturating_sub(CHECK))
            .unwrap_or_default()
    }

    /// Length on the wire, without flags, of what was just heard.
    pub fn wire_bytes(&self) -> usize {
        self.wire_bytes
    }

    /// Takes bytes up to and including the next flag that closes something; none when `rest` is used up.
    pub fn next(&mut self, rest: &mut &[u8]) -> Option<Heard> {
        if std::mem::take(&mut self.closed) {
            self.body_begins();
        }
        while !rest.is_empty() {
            if std::mem::take(&mut self.escaped) {
                match rest[0] {
                    // An escaped flag abandons the frame and opens the next: measured.
                    FLAG => {
                        self.open = true;
                        self.body_begins();
                    }
                    // The genuine loaders set the bit instead of flipping it.
                    byte => self.take(&[byte | 0x20]),
                }
                *rest = &rest[1..];
                continue;
            }
            let run = rest
                .iter()
                .position(|byte| matches!(*byte, FLAG | ESCAPE))
                .unwrap_or(rest.len());
            self.take(&rest[..run]);
            let Some(special) = rest.get(run) else {
                *rest = &[];
                break;
            };
            *rest = &rest[run + 1..];
            if *special == ESCAPE {
                self.escaped = true;
                self.wire_bytes += 1;
            } else if let Some(heard) = self.flag() {
                return Some(heard);
            }
        }
        None
    }

    fn body_begins(&mut self) {
        self.body.clear();
        (self.wire_bytes, self.overlong) = (0, false);
    }

    fn take(&mut self, bytes: &[u8]) {
        if !self.open {
            return;
        }
        self.wire_bytes += bytes.len();
        if self.body.len() + bytes.len() > HEAD + self.limit + CHECK {
            self.overlong = true;
        } else if !self.overlong {
            self.body.extend_from_slice(bytes);
        }
    }

    fn flag(&mut self) -> Option<Heard> {
        if !std::mem::replace(&mut self.open, true) || self.wire_bytes == 0 {
            return None;
        }
        self.closed = true;
        let payload = self.body.len().checked_sub(HEAD + CHECK);
        let [k0, k1, l0, l1, ..] = self.body[..] else {
            return Some(Heard::WrongLength);
        };
        if self.overlong || payload != Some(usize::from(u16::from_be_bytes([l0, l1]))) {
            return Some(Heard::WrongLength);
        }
        let (checked, check) = self.body.split_at(self.body.len() - CHECK);
        if check != self.check.of(checked).to_be_bytes() {
            return Some(Heard::WrongCheck);
        }
        Some(Heard::Frame(u16::from_be_bytes([k0, k1])))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hear(check: Check, bytes: &[u8]) -> Vec<(Heard, Vec<u8>)> {
        let mut decoder = Decoder::new(check, 0x301A);
        let (mut rest, mut heard) = (bytes, Vec::new());
        while let Some(what) = decoder.next(&mut rest) {
            heard.push((what, decoder.payload().to_vec()));
        }
        heard
    }

    fn bytes(hex: &str) -> Vec<u8> {
        hex.split_whitespace()
            .map(|byte| u8::from_str_radix(byte, 16).unwrap())
            .collect()
    }

    /// The frames of specs/unisoc-pac-bsl.md §4.6 and §5.5, with their types and payloads.
    #[rustfmt::skip]
    const WORKED: &[(Check, u16, &str, &str)] = &[
        (Check::Sum, 0x00, "", "7E 00 00 00 00 FF FF 7E"),
        (Check::Sum, 0x01, "00 81 00 00 00 00 CE 00", "7E 00 01 00 08 00 81 00 00 00 00 CE 00 31 75 7E"),
        (Check::Sum, 0x01, "60 01 00 00 00 00 00 18", "7E 00 01 00 08 60 01 00 00 00 00 00 18 9F DD 7E"),
        (Check::Sum, 0x01, "FE 00 00 03 00 00 08 00 00 07 9D 4F", "7E 00 01 00 0C FE 00 00 03 00 00 08 00 00 07 9D 4F 5C 98 7E"),
        (Check::Sum, 0x02, "7D 7E 01", "7E 00 02 00 03 7D 5D 7D 5E 01 81 7C 7E"),
        (Check::Sum, 0x03, "", "7E 00 03 00 00 FF FC 7E"),
        (Check::Sum, 0x06, "FE 00 00 03 00 00 30 00 00 00 00 00", "7E 00 06 00 0C FE 00 00 03 00 00 30 00 00 00 00 00 D1 E9 7E"),
        (Check::Sum, 0x09, "00 3D 09 00", "7E 00 09 00 04 00 3D 09 00 F6 B5 7E"),
        (Check::Sum, 0x0A, "FE 00 00 06 53 59 53 46", "7E 00 0A 00 08 FE 00 00 06 53 59 53 46 5B 47 7E"),
        (Check::Sum, 0x80, "", "7E 00 80 00 00 FF 7F 7E"),
        (Check::Sum, 0x81, "53 70 72 65 61 64 74 72 75 6D 20 42 6F 6F 74 20 42 6C 6F 63 6B 20 76 65 72 73 69 6F 6E 20 31 2E 32 00",
         "7E 00 81 00 22 53 70 72 65 61 64 74 72 75 6D 20 42 6F 6F 74 20 42 6C 6F 63 6B 20 76 65 72 73 69 6F 6E 20 31 2E 32 00 A9 E9 7E"),
        (Check::Sum, 0x82, "", "7E 00 82 00 00 FF 7D 5D 7E"),
        (Check::Crc, 0x00, "", "7E 00 00 00 00 00 00 7E"),
        (Check::Crc, 0x01, "50 80 00 00 00 00 10 00", "7E 00 01 00 08 50 80 00 00 00 00 10 00 92 58 7E"),
        (Check::Crc, 0x02, "7D 7E 01 02", "7E 00 02 00 04 7D 5D 7D 5E 01 02 42 6C 7E"),
        (Check::Crc, 0x03, "", "7E 00 03 00 00 59 50 7E"),
        (Check::Crc, 0x04, "", "7E 00 04 00 00 DC C0 7E"),
        (Check::Crc, 0x80, "", "7E 00 80 00 00 3B 5A 7E"),
        (Check::Crc, 0x81, "53 50 52 44 33 00", "7E 00 81 00 06 53 50 52 44 33 00 57 0A 7E"),
        (Check::Crc, 0x8B, "", "7E 00 8B 00 00 CB AB 7E"),
        (Check::Crc, 0x82, "", "7E 00 82 00 00 55 3A 7E"),
    ];

    #[test]
    fn encodes_and_decodes_the_worked_frames() {
        for (check, kind, payload, frame) in WORKED {
            assert_eq!(encode(*check, *kind, &bytes(payload)), bytes(frame), "{frame}");
            assert_eq!(
                hear(*check, &bytes(frame)),
                [(Heard::Frame(*kind), bytes(payload))],
                "{frame}"
            );
        }
    }

    #[test]
    fn finds_the_same_frames_however_the_bytes_are_split() {
        let mut stream = b"junk".to_vec();
        for (check, _, _, frame) in WORKED {
            if *check == Check::Sum {
                stream.extend(bytes(frame));
            }
        }
        let whole = hear(Check::Sum, &stream);
        for size in 1..20 {
            let mut decoder = Decoder::new(Check::Sum, 0x301A);
            let mut heard = Vec::new();
            for mut piece in stream.chunks(size) {
                while let Some(what) = decoder.next(&mut piece) {
                    heard.push((what, decoder.payload().to_vec()));
                }
            }
            assert_eq!(heard, whole, "in pieces of {size}");
        }
    }

    #[test]
    fn drops_what_the_genuine_loaders_drop_and_goes_on() {
        let connect = encode(Check::Sum, 0, &[]);
        let heard_after = |before: &[u8]| {
            let mut heard = hear(Check::Sum, &[before, &connect].concat());
            assert_eq!(heard.pop(), Some((Heard::Frame(0), Vec::new())), "{before:02X?}");
            heard
        };
        let wrong = [(Heard::WrongLength, true)];
        let is_wrong = |heard: Vec<(Heard, Vec<u8>)>| {
            heard
                .iter()
                .map(|(what, _)| (*what, *what == Heard::WrongLength))
                .collect::<Vec<_>>()
        };
        assert_eq!(heard_after(b"junk before a flag"), []);
        assert_eq!(heard_after(&[0x7E; 20]), []);
        assert_eq!(is_wrong(heard_after(&connect[..4])), wrong, "truncated");
        assert_eq!(
            is_wrong(heard_after(&[&connect[..7], &[0, 0x7E]].concat())),
            wrong,
            "one byte too many"
        );
        assert_eq!(
            is_wrong(heard_after(&bytes("7E 00 09 00 04 61 7D 63 64 FF FF 7E"))),
            wrong,
            "stray escape"
        );
        assert_eq!(
            is_wrong(heard_after(&encode(Check::Sum, 2, &[1; 0x301B]))),
            wrong,
            "longer than the limit"
        );
        assert_eq!(
            heard_after(&bytes("7E 00 00 00 00 FF FF 7D 7E")),
            [],
            "escaped flag"
        );
        assert_eq!(
            heard_after(&bytes("7E 00 00 00 00 FF FF 7D")),
            [],
            "escaped flag of the next"
        );
        assert_eq!(
            heard_after(&bytes("7E 00 00 00 00 FF FE 7E"))[0].0,
            Heard::WrongCheck
        );
    }

    #[test]
    fn two_frames_may_share_a_flag() {
        let connect = encode(Check::Sum, 0, &[]);
        let shared = [&connect[..7], &connect].concat();
        assert_eq!(hear(Check::Sum, &shared).len(), 2);
        assert_eq!(hear(Check::Sum, &encode(Check::Sum, 2, &[1; 0x301A])).len(), 1);
    }
}
