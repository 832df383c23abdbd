//! The module's side of SMUX framing. Source: specs/asr-aboot.md §3.2-3.3.
//!
//! ```text
//! 7E [7D type^20] payload... 7E        7E in the payload is 7D 5E, 7D is 7D 5D, nothing else is escaped
//! ```

const DELIMITER: u8 = 0x7E;
const ESCAPE: u8 = 0x7D;
const ESCAPED_DELIMITER: u8 = 0x5E;
const ESCAPED_ESCAPE: u8 = 0x5D;

/// Frame types.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Kind {
    /// Log text, or `UABT`/`UUUU`. Never needs its type pair.
    Stdio = 0,
    /// Host: the largest payload it proposes, two bytes, big-endian.
    Hello = 1,
    /// Module: the largest payload that holds, two bytes, big-endian.
    HelloReply = 2,
    /// ASCII commands and answers.
    Command = 3,
    /// Raw bytes.
    Data = 4,
    /// Module: `H`.
    Heartbeat = 5,
}

impl Kind {
    const ALL: [Kind; 6] = [
        Kind::Stdio,
        Kind::Hello,
        Kind::HelloReply,
        Kind::Command,
        Kind::Data,
        Kind::Heartbeat,
    ];

    fn of_pair(code: u8) -> Option<Self> {
        Self::ALL.get(usize::from(code.wrapping_sub(0x20))).copied()
    }
}

/// One frame, ready for the wire.
pub(crate) fn encode(kind: Kind, payload: &[u8]) -> Vec<u8> {
    let mut frame = Vec::with_capacity(payload.len() + 8);
    frame.push(DELIMITER);
    if kind != Kind::Stdio {
        frame.extend([ESCAPE, kind as u8 ^ 0x20]);
    }
    for byte in payload {
        match *byte {
            DELIMITER => frame.extend([ESCAPE, ESCAPED_DELIMITER]),
            ESCAPE => frame.extend([ESCAPE, ESCAPED_ESCAPE]),
            byte => frame.push(byte),
        }
    }
    frame.push(DELIMITER);
    frame
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Drops everything up to a delimiter.
    Wait,
    In,
    Escaped,
}

/// Finds frames in a byte stream.
#[derive(Debug)]
pub(crate) struct Decoder {
    state: State,
    kind: Kind,
    payload: Vec<u8>,
    limit: usize,
}

impl Decoder {
    /// A decoder that drops frames whose payload is larger than `limit` bytes.
    pub fn new(limit: usize) -> Self {
        Decoder {
            state: State::Wait,
            kind: Kind::Stdio,
            payload: Vec::with_capacity(limit),
            limit,
        }
    }

    pub fn set_limit(&mut self, limit: usize) {
        self.limit = limit;
    }

    /// The payload of the frame that [`Decoder::next`] has just found.
    pub fn payload(&self) -> &[u8] {
        &self.payload
    }

    /// Takes bytes from the front of `bytes` up to the end of the next whole frame.
    pub fn next(&mut self, bytes: &mut &[u8]) -> Option<Kind> {
        if self.state == State::Wait {
            self.payload.clear();
            self.kind = Kind::Stdio;
        }
        while let Some((first, rest)) = bytes.split_first() {
            match self.state {
                State::In => {
                    let run = bytes.iter().position(|byte| matches!(*byte, DELIMITER | ESCAPE));
                    let (plain, after) = bytes.split_at(run.unwrap_or(bytes.len()));
                    *bytes = after;
                    self.take(plain);
                    let Some((special, after)) = bytes.split_first() else {
                        break;
                    };
                    if self.state == State::Wait {
                        continue;
                    }
                    *bytes = after;
                    match *special {
                        ESCAPE => self.state = State::Escaped,
                        _ if self.payload.is_empty() => self.kind = Kind::Stdio,
                        _ => {
                            self.state = State::Wait;
                            return Some(self.kind);
                        }
                    }
                }
                State::Wait => {
                    *bytes = rest;
                    if *first == DELIMITER {
                        self.state = State::In;
                    }
                }
                State::Escaped => {
                    *bytes = rest;
                    self.state = State::In;
                    match *first {
                        ESCAPED_DELIMITER => self.take(&[DELIMITER]),
                        ESCAPED_ESCAPE => self.take(&[ESCAPE]),
                        code => self.kind = Kind::of_pair(code).unwrap_or(self.kind),
                    }
                }
            }
        }
        None
    }

    /// Adds to the payload; a payload that grows too large drops the whole frame.
    fn take(&mut self, bytes: &[u8]) {
        if self.payload.len() + bytes.len() > self.limit {
            self.payload.clear();
            self.kind = Kind::Stdio;
            self.state = State::Wait;
        } else {
            self.payload.extend_from_slice(bytes);
        }
    }
}

/// Finds the preamble `UUUU~` in bytes that are not frames yet. Source: specs/asr-aboot.md §3.1.
#[derive(Debug, Default)]
pub(crate) struct PreambleMatcher {
    seen: u32,
}

impl PreambleMatcher {
    /// How many preambles end in `bytes`.
    pub fn count(&mut self, bytes: &[u8]) -> u32 {
        let mut found = 0;
        for byte in bytes {
            match *byte {
                b'U' => self.seen += 1,
                DELIMITER if self.seen >= 4 => {
                    found += 1;
                    self.seen = 0;
                }
                _ => self.seen = 0,
            }
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    fn decode(limit: usize, mut bytes: &[u8]) -> Vec<(Kind, Vec<u8>)> {
        let mut decoder = Decoder::new(limit);
        let mut frames = Vec::new();
        while let Some(kind) = decoder.next(&mut bytes) {
            frames.push((kind, decoder.payload().to_vec()));
        }
        frames
    }

    #[test]
    fn speaks_the_worked_bytes_of_the_specification() {
        let examples: [(Kind, &[u8], &[u8]); 8] = [
            (Kind::Stdio, b"UABT", &[0x7E, 0x55, 0x41, 0x42, 0x54, 0x7E]),
            (Kind::Stdio, b"Hi\n", &[0x7E, 0x48, 0x69, 0x0A, 0x7E]),
            (Kind::Hello, &[0x04, 0x00], &[0x7E, 0x7D, 0x21, 0x04, 0x00, 0x7E]),
            (Kind::Hello, &[0x07, 0xD0], &[0x7E, 0x7D, 0x21, 0x07, 0xD0, 0x7E]),
            (
                Kind::HelloReply,
                &[0x7D, 0x7E],
                &[0x7E, 0x7D, 0x22, 0x7D, 0x5D, 0x7D, 0x5E, 0x7E],
            ),
            (
                Kind::Command,
                b"verify",
                &[0x7E, 0x7D, 0x23, 0x76, 0x65, 0x72, 0x69, 0x66, 0x79, 0x7E],
            ),
            (
                Kind::Data,
                &[0x01, 0x00, 0x64, 0xAA, 0x7E, 0x7D, 0x00, 0xFF],
                &[
                    0x7E, 0x7D, 0x24, 0x01, 0x00, 0x64, 0xAA, 0x7D, 0x5E, 0x7D, 0x5D, 0x00, 0xFF, 0x7E,
                ],
            ),
            (Kind::Heartbeat, b"H", &[0x7E, 0x7D, 0x25, 0x48, 0x7E]),
        ];
        for (kind, payload, bytes) in examples {
            assert_eq!(encode(kind, payload), bytes);
            assert_eq!(decode(1024, bytes), [(kind, payload.to_vec())]);
        }
    }

    #[test]
    fn ignores_empty_frames_and_drops_what_follows_a_shared_delimiter() {
        let verify = || (Kind::Command, b"verify".to_vec());
        assert_eq!(decode(1024, b"noise~~~\x7e\x7d\x23verify~"), [verify()]);
        assert_eq!(
            decode(1024, b"~\x7d\x23verify~lost~~\x7d\x23verify~"),
            [verify(), verify()]
        );
        assert_eq!(
            decode(1024, b"~\x7d\x23~\x7d\x20text~"),
            [(Kind::Stdio, b"text".to_vec())]
        );
        assert_eq!(decode(1024, b"~\x7d\x99\x7d\x23verify~"), [verify()]);
    }

    #[test]
    fn drops_a_frame_that_is_too_large_and_recovers_by_itself() {
        let frames = decode(4, b"~\x7d\x2412345~~\x7d\x241234~");
        assert_eq!(frames, [(Kind::Data, b"1234".to_vec())]);
    }

    #[test]
    fn finds_the_same_frames_however_the_bytes_are_split() {
        let mut bytes = b"UUUU~".to_vec();
        for payload in [&b"UABT"[..], &[0x7E; 20], &[0x7D; 20], b"getvar:version"] {
            bytes.extend(encode(Kind::Data, payload));
        }
        let whole = decode(1024, &bytes);
        let mut decoder = Decoder::new(1024);
        let mut single = Vec::new();
        for byte in &bytes {
            if let Some(kind) = decoder.next(&mut std::slice::from_ref(byte)) {
                single.push((kind, decoder.payload().to_vec()));
            }
        }
        assert_eq!(whole.len(), 4);
        assert_eq!(single, whole);
    }

    proptest! {
        #[test]
        fn takes_back_what_it_sent_after_any_garbage_and_however_it_was_split(
            payload in vec(any::<u8>(), 1..600),
            garbage in vec(any::<u8>().prop_filter("no delimiter", |byte| *byte != DELIMITER), 0..50),
            split in 0_usize..1300,
        ) {
            let mut bytes = garbage;
            bytes.extend(encode(Kind::Command, &payload));
            let (mut head, mut tail) = bytes.split_at(split.min(bytes.len()));
            let mut decoder = Decoder::new(1024);
            let found = decoder.next(&mut head).or_else(|| decoder.next(&mut tail));
            prop_assert_eq!(found, Some(Kind::Command));
            prop_assert_eq!(decoder.payload(), payload);
        }
    }

    #[test]
    fn counts_every_preamble_also_the_first_without_a_leading_delimiter() {
        let mut matcher = PreambleMatcher::default();
        assert_eq!(matcher.count(b"UUUU~UUUU~UU"), 2);
        assert_eq!(matcher.count(b"UU~UUU~~UUUU~"), 2);
    }
}
