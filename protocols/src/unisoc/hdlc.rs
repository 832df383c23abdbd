//! Frames of BSL: bytes between flags, escaped, with a check sum. Pure, and without an allocation per frame.
//!
//! ```text
//! 7E | type u16 | length u16 | payload | check u16 | 7E          big-endian; 7E and 7D inside become 7D 5E, 7D 5D
//! ```
//!
//! Source: specs/unisoc-pac-bsl.md §4.2, §4.3 (V).

use std::ops::Range;

use crc::{CRC_16_XMODEM, Crc, Table};

/// Begins and ends a frame; alone it asks a loader for its version.
pub const FLAG: u8 = 0x7E;
/// Stands before a flag or itself inside a frame.
const ESCAPE: u8 = 0x7D;
/// What an escaped byte is changed by.
const ESCAPED: u8 = 0x20;
/// Type and length.
const HEAD_BYTES: usize = 4;
/// Type, length and check.
const OVERHEAD_BYTES: usize = HEAD_BYTES + 2;
/// Longest frame, unescaped.
const LONGEST: usize = OVERHEAD_BYTES + u16::MAX as usize;

static CRC16: Crc<u16, Table<16>> = Crc::<u16, Table<16>>::new(&CRC_16_XMODEM);

/// The check sum of a stage. Which one a stage wants is never found out by trial: a wrong one stops a UIS8910
/// loader for good. Source: §4.3 (V).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Check {
    /// CRC-16/XMODEM: the mask ROM of the UIS8850.
    Crc16,
    /// Complement of the sum of 16-bit words, an odd last byte padded with a zero low byte: every loader.
    Sum16,
}

impl Check {
    /// The check of a frame with this head and payload.
    fn of(self, head: [u8; HEAD_BYTES], payload: &[u8]) -> u16 {
        match self {
            Check::Crc16 => {
                let mut digest = CRC16.digest();
                digest.update(&head);
                digest.update(payload);
                digest.finalize()
            }
            Check::Sum16 => {
                let mut sum = words(&head) + words(payload);
                while sum > 0xFFFF {
                    sum = (sum >> 16) + (sum & 0xFFFF);
                }
                !(sum as u16)
            }
        }
    }
}

/// The sum of the big-endian words: at most 2^15 of them, so 32 bits hold it.
fn words(bytes: &[u8]) -> u32 {
    let pairs = bytes.chunks_exact(2);
    let odd = pairs.remainder().first().map_or(0, |&high| u32::from(high) << 8);
    odd + pairs
        .map(|pair| u32::from(u16::from_be_bytes([pair[0], pair[1]])))
        .sum::<u32>()
}

/// Appends one frame to `out`. The payload must not be longer than 65535 bytes.
pub fn encode(check: Check, kind: u16, payload: &[u8], out: &mut Vec<u8>) {
    debug_assert!(payload.len() <= usize::from(u16::MAX), "no frame holds so much");
    let (kind, length) = (kind.to_be_bytes(), (payload.len() as u16).to_be_bytes());
    let head = [kind[0], kind[1], length[0], length[1]];
    out.push(FLAG);
    escape(&head, out);
    escape(payload, out);
    escape(&check.of(head, payload).to_be_bytes(), out);
    out.push(FLAG);
}

fn escape(mut bytes: &[u8], out: &mut Vec<u8>) {
    while let Some(at) = memchr::memchr2(FLAG, ESCAPE, bytes) {
        out.extend_from_slice(&bytes[..at]);
        out.extend_from_slice(&[ESCAPE, bytes[at] ^ ESCAPED]);
        bytes = &bytes[at + 1..];
    }
    out.extend_from_slice(bytes);
}

/// What a decoder has found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// A whole frame; its payload is [`Decoder::payload`].
    Frame {
        /// Its type.
        kind: u16,
        /// The check sum it carries.
        check: Check,
    },
    /// Bytes between two flags that are no frame, and how many.
    Damaged(usize),
}

/// Takes bytes however they arrive, and gives frames.
#[derive(Debug)]
pub struct Decoder {
    /// The check sum that is tried first; the other is accepted too, since it says who is speaking.
    expected: Check,
    body: Vec<u8>,
    inside: bool,
    escaped: bool,
    /// The frame in `body` has been handed out.
    finished: bool,
    /// Bytes of the frame that did not fit.
    excess: usize,
}

impl Decoder {
    /// A decoder that has seen nothing.
    pub fn new(expected: Check) -> Self {
        Decoder {
            expected,
            body: Vec::with_capacity(LONGEST),
            inside: false,
            escaped: false,
            finished: false,
            excess: 0,
        }
    }

    /// The next stage uses this check sum.
    pub fn expect(&mut self, check: Check) {
        self.expected = check;
    }

    /// Whether a frame has begun and not ended.
    pub fn mid_frame(&self) -> bool {
        self.inside && !self.finished && !self.body.is_empty()
    }

    /// The payload of the frame found last.
    pub fn payload(&self) -> &[u8] {
        let end = self.body.len().saturating_sub(2);
        self.body.get(HEAD_BYTES..end).unwrap_or_default()
    }

    /// Forgets what has been taken of the current frame.
    pub fn clear(&mut self) {
        self.body.clear();
        (self.inside, self.escaped, self.finished, self.excess) = (false, false, false, 0);
    }

    /// Takes from the front of `input` until a frame ends or the input does.
    pub fn next(&mut self, input: &mut &[u8]) -> Option<Event> {
        if self.finished {
            self.body.clear();
            (self.finished, self.excess) = (false, 0);
        }
        while !input.is_empty() {
            let special = match self.inside {
                true => memchr::memchr2(FLAG, ESCAPE, input),
                false => memchr::memchr(FLAG, input),
            };
            let (plain, rest) = input.split_at(special.unwrap_or(input.len()));
            if self.inside {
                self.keep(plain);
            }
            *input = rest;
            let Some((&byte, rest)) = input.split_first() else {
                break;
            };
            *input = rest;
            if byte == ESCAPE {
                self.escaped = true;
                continue;
            }
            self.inside = true;
            self.escaped = false;
            if !self.body.is_empty() {
                self.finished = true;
                return Some(self.judge());
            }
        }
        None
    }

    fn keep(&mut self, plain: &[u8]) {
        let plain = match (self.escaped, plain) {
            (true, [first, rest @ ..]) => {
                self.body.push(first ^ ESCAPED);
                self.escaped = false;
                rest
            }
            _ => plain,
        };
        let room = LONGEST.saturating_sub(self.body.len());
        self.excess += plain.len().saturating_sub(room);
        self.body.extend_from_slice(&plain[..plain.len().min(room)]);
    }

    fn judge(&self) -> Event {
        let damaged = Event::Damaged(self.body.len() + self.excess);
        let payload = self.payload();
        let ([k0, k1, l0, l1, ..], [.., c0, c1]) = (&self.body[..], &self.body[..]) else {
            return damaged;
        };
        let length = usize::from(u16::from_be_bytes([*l0, *l1]));
        if self.excess > 0 || self.body.len() != OVERHEAD_BYTES + length {
            return damaged;
        }
        let (head, stored) = ([*k0, *k1, *l0, *l1], u16::from_be_bytes([*c0, *c1]));
        let other = match self.expected {
            Check::Crc16 => Check::Sum16,
            Check::Sum16 => Check::Crc16,
        };
        [self.expected, other]
            .into_iter()
            .find(|check| check.of(head, payload) == stored)
            .map_or(damaged, |check| Event::Frame {
                kind: u16::from_be_bytes([*k0, *k1]),
                check,
            })
    }
}

/// Where an encoded frame must be cut so that its last transfer is a short packet: the module's receiver ends
/// with one, and zero-length packets are not sent. Source: specs/unisoc-pac-bsl.md §2.3 (V).
pub(super) fn short_packet_cut(frame: &[u8], packet: usize) -> (Range<usize>, Range<usize>) {
    let cut = match frame.len() % packet {
        0 => frame.len().saturating_sub(1),
        _ => frame.len(),
    };
    (0..cut, cut..frame.len())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn frame(check: Check, kind: u16, payload: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        encode(check, kind, payload, &mut out);
        out
    }

    /// Type and check sum of a frame, or nothing for damage; and its payload.
    type Found = (Option<(u16, Check)>, Vec<u8>);

    fn decoded(mut input: &[u8]) -> Vec<Found> {
        let mut decoder = Decoder::new(Check::Sum16);
        let mut found = Vec::new();
        while let Some(event) = decoder.next(&mut input) {
            found.push(match event {
                Event::Frame { kind, check } => (Some((kind, check)), decoder.payload().to_vec()),
                Event::Damaged(_) => (None, Vec::new()),
            });
        }
        found
    }

    #[test]
    fn sums_as_the_standards_do() {
        assert_eq!(CRC16.checksum(b"123456789"), 0x31C3);
        let sum = !(words(b"123456789") % 0xFFFF) as u16;
        assert_eq!(sum, 0xF62A);
        let head = *b"1234";
        assert_eq!(Check::Sum16.of(head, b"56789"), 0xF62A);
        assert_eq!(Check::Crc16.of(head, b"56789"), 0x31C3);
    }

    #[test]
    fn takes_frames_that_share_a_flag_and_skips_what_is_before_the_first() {
        let (one, two) = (frame(Check::Sum16, 0x80, b""), frame(Check::Sum16, 0x93, b"~}~"));
        let stream = [b"noise}".as_slice(), &one, &two[1..], &[FLAG, FLAG], &one].concat();
        let sum = |kind| Some((kind, Check::Sum16));
        assert_eq!(
            decoded(&stream),
            [
                (sum(0x80), vec![]),
                (sum(0x93), b"~}~".to_vec()),
                (sum(0x80), vec![])
            ]
        );
    }

    #[test]
    fn escapes_the_header_as_well() {
        for (length, header) in [(0x7D, [0, 2, 0, 0x7D, 0x5D]), (0x7E, [0, 2, 0, 0x7D, 0x5E])] {
            let payload = vec![1; length];
            let bytes = frame(Check::Sum16, 2, &payload);
            assert_eq!(bytes[1..6], header);
            assert!(!bytes[1..bytes.len() - 1].contains(&FLAG), "{length:#x}");
            assert_eq!(decoded(&bytes), [(Some((2, Check::Sum16)), payload)]);
        }
    }

    #[test]
    fn says_when_bytes_are_no_frame() {
        let mut wrong = frame(Check::Sum16, 0x80, b"abc");
        wrong[6] ^= 1;
        let short = frame(Check::Sum16, 0x80, b"abc");
        let cut = [&short[..5], &short[6..]].concat();
        for bad in [&wrong, &cut, &b"~abc~".to_vec()] {
            assert_eq!(decoded(bad), [(None, vec![])], "{bad:02X?}");
        }
        let endless = [&[FLAG][..], &vec![1; 3 * LONGEST], &[FLAG]].concat();
        assert_eq!(decoded(&endless), [(None, vec![])]);
    }

    #[test]
    fn ends_a_frame_with_a_short_packet() {
        for (length, last) in [(63, 63), (64, 1), (65, 65), (128, 1), (129, 129)] {
            let bytes = vec![0; length];
            let (first, second) = short_packet_cut(&bytes, 64);
            assert_eq!(first.len() + second.len(), length);
            let final_part = if second.is_empty() {
                first.len()
            } else {
                second.len()
            };
            assert_eq!(final_part, last);
        }
    }

    proptest! {
        #[test]
        fn decodes_what_it_encodes_however_it_is_cut(
            frames in proptest::collection::vec((any::<u16>(), proptest::collection::vec(any::<u8>(), 0..300), any::<bool>()), 1..6),
            cuts in proptest::collection::vec(1..40usize, 1..20),
        ) {
            let check = |crc| if crc { Check::Crc16 } else { Check::Sum16 };
            let stream: Vec<u8> = frames.iter().flat_map(|(kind, payload, crc)| frame(check(*crc), *kind, payload)).collect();
            let mut decoder = Decoder::new(Check::Sum16);
            let (mut rest, mut cuts, mut found) = (&stream[..], cuts.iter().cycle(), Vec::new());
            while !rest.is_empty() {
                let (mut piece, after) = rest.split_at(rest.len().min(*cuts.next().expect("endless")));
                rest = after;
                while let Some(event) = decoder.next(&mut piece) {
                    let Event::Frame { kind, .. } = event else { panic!("{event:?}") };
                    found.push((kind, decoder.payload().to_vec()));
                }
            }
            let sent: Vec<_> = frames.iter().map(|(kind, payload, _)| (*kind, payload.clone())).collect();
            prop_assert_eq!(found, sent);
        }

        #[test]
        fn never_panics_on_noise(noise in proptest::collection::vec(prop_oneof![Just(FLAG), Just(ESCAPE), any::<u8>()], 0..500)) {
            decoded(&noise);
        }
    }
}
