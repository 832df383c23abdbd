//! SMUX: the byte-stuffed frames of the ASR boot ROM and flasher.
//!
//! ```text
//! 7E [7D type^20] payload... 7E        7E in the payload is sent as 7D 5E, 7D as 7D 5D
//! 7E 7D 21 04 00 7E                    HELLO, MTU 1024
//! 7E 7D 23 4F 4B 41 59 7E              command layer, "OKAY"
//! 7E 7D 24 01 7D 5E 7E                 download data 01 7E
//! 7E 48 69 0A 7E                       log text "Hi\n"
//! ```
//!
//! There is no length, no check sum and no sequence number: a frame is what stands between two delimiters.
//! Both directions are pure functions over bytes; neither allocates per frame. Source: specs/asr-aboot.md §3.2,
//! §3.3 (V).

/// Opens and closes every frame. Two frames never share one. Source: specs/asr-aboot.md §3.3 (V).
pub const DELIMITER: u8 = 0x7E;
/// Announces a stuffed byte, or the frame's kind.
pub const ESCAPE: u8 = 0x7D;
/// Payload bytes a frame may hold before the module has named its own limit. Source: §3.3 (V).
pub const DEFAULT_MTU: usize = 1024;

/// A stuffed byte is sent as `ESCAPE, byte ^ STUFFING`; the kind likewise.
const STUFFING: u8 = 0x20;

/// What a frame carries. The number is the type on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Kind {
    /// The module's log text, or the greetings `UABT` and `UUUU`.
    Stdio = 0,
    /// The host proposes an MTU: two bytes, big-endian.
    Hello = 1,
    /// The module decides the MTU: two bytes, big-endian.
    HelloReply = 2,
    /// A command or a reply: ASCII without terminator.
    Command = 3,
    /// Raw bytes of a download or an upload.
    Data = 4,
    /// Sign of life of the module, about every 300 ms.
    HeartBeat = 5,
}

/// Kinds of frames of one transport: each is a type number on the wire.
pub trait FrameKind: Copy {
    /// What a frame without an escape pair for its type carries: type 0.
    const PLAIN: Self;
    /// The type on the wire.
    fn number(self) -> u8;
    /// The kind with that type, if there is one.
    fn of_number(number: u8) -> Option<Self>;
}

impl FrameKind for Kind {
    const PLAIN: Self = Kind::Stdio;

    fn number(self) -> u8 {
        self as u8
    }

    fn of_number(number: u8) -> Option<Self> {
        Kind::ALL.get(usize::from(number)).copied()
    }
}

impl Kind {
    /// Every kind, in the order of its number on the wire.
    pub const ALL: [Kind; 6] = [
        Kind::Stdio,
        Kind::Hello,
        Kind::HelloReply,
        Kind::Command,
        Kind::Data,
        Kind::HeartBeat,
    ];
}

/// One received frame; the payload lies in the decoder until the next call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Frame<'a, K = Kind> {
    /// What it carries.
    pub kind: K,
    /// Its bytes, with the stuffing taken out; never empty.
    pub payload: &'a [u8],
}

/// Appends one frame to `into`.
pub fn encode<K: FrameKind>(kind: K, payload: &[u8], into: &mut Vec<u8>) {
    open(kind, into);
    stuff(payload, into);
    into.push(DELIMITER);
}

fn open<K: FrameKind>(kind: K, into: &mut Vec<u8>) {
    into.push(DELIMITER);
    if kind.number() != K::PLAIN.number() {
        into.extend_from_slice(&[ESCAPE, kind.number() ^ STUFFING]);
    }
}

fn stuff(bytes: &[u8], into: &mut Vec<u8>) {
    let mut clean = 0;
    for at in memchr::memchr2_iter(DELIMITER, ESCAPE, bytes) {
        into.extend_from_slice(&bytes[clean..at]);
        into.extend_from_slice(&[ESCAPE, bytes[at] ^ STUFFING]);
        clean = at + 1;
    }
    into.extend_from_slice(&bytes[clean..]);
}

/// Cuts a download into data frames of the largest size the module takes, whatever pieces it is given in.
#[derive(Debug)]
pub struct DataFrames {
    mtu: usize,
    /// Payload bytes in the frame that is open; 0 when none is.
    filled: usize,
}

impl DataFrames {
    /// Frames of at most `mtu` payload bytes; an MTU of 0 is taken as 1.
    pub fn new(mtu: usize) -> Self {
        DataFrames {
            mtu: mtu.max(1),
            filled: 0,
        }
    }

    /// Appends the frames of the next bytes of the download to `into`; the last one may stay open.
    pub fn push(&mut self, mut bytes: &[u8], into: &mut Vec<u8>) {
        while !bytes.is_empty() {
            if self.filled == 0 {
                open(Kind::Data, into);
            }
            let (now, later) = bytes.split_at(bytes.len().min(self.mtu - self.filled));
            stuff(now, into);
            self.filled += now.len();
            bytes = later;
            if self.filled == self.mtu {
                self.finish(into);
            }
        }
    }

    /// Closes the last frame of the download.
    pub fn finish(&mut self, into: &mut Vec<u8>) {
        if self.filled > 0 {
            into.push(DELIMITER);
            self.filled = 0;
        }
    }
}

/// Takes frames out of a byte stream, however it is cut into reads.
///
/// ```
/// use qpyflash_protocols::asr::smux::{Decoder, Kind};
/// let mut decoder = Decoder::new();
/// let mut read: &[u8] = b"noise~\x7d#OKAY~";
/// let frame = decoder.next(&mut read).expect("one frame");
/// assert_eq!((frame.kind, frame.payload), (Kind::Command, &b"OKAY"[..]));
/// assert!(decoder.next(&mut read).is_none());
/// ```
#[derive(Debug)]
pub struct Decoder<K = Kind> {
    state: State,
    kind: K,
    payload: Vec<u8>,
    mtu: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Outside a frame: everything up to a delimiter is dropped.
    Outside,
    /// Inside a frame.
    Inside,
    /// Inside a frame, after an escape byte.
    Escaped,
}

impl Default for Decoder {
    fn default() -> Self {
        Decoder::new()
    }
}

impl Decoder {
    /// A decoder outside any frame, with the MTU that holds before the module has named its own.
    pub fn new() -> Self {
        Decoder::with_mtu(DEFAULT_MTU)
    }
}

impl<K: FrameKind> Decoder<K> {
    /// A decoder outside any frame, which drops frames of more than `mtu` payload bytes.
    pub fn with_mtu(mtu: usize) -> Self {
        Decoder {
            state: State::Outside,
            kind: K::PLAIN,
            payload: Vec::with_capacity(mtu),
            mtu,
        }
    }

    /// From now on drops frames of more than `mtu` payload bytes.
    pub fn set_mtu(&mut self, mtu: usize) {
        self.mtu = mtu;
    }

    /// The next frame of the stream. Takes from `input` what it has used; without a frame it has used all.
    pub fn next(&mut self, input: &mut &[u8]) -> Option<Frame<'_, K>> {
        let complete = self.advance(input);
        complete.then_some(Frame {
            kind: self.kind,
            payload: &self.payload,
        })
    }

    fn advance(&mut self, input: &mut &[u8]) -> bool {
        loop {
            match self.state {
                State::Outside => {
                    let Some(at) = memchr::memchr(DELIMITER, input) else {
                        *input = &[];
                        return false;
                    };
                    *input = &input[at + 1..];
                    self.open();
                }
                State::Inside => {
                    let clean = memchr::memchr2(DELIMITER, ESCAPE, input).unwrap_or(input.len());
                    self.take(&input[..clean]);
                    let Some((&mark, rest)) = input[clean..].split_first() else {
                        *input = &[];
                        return false;
                    };
                    if self.state == State::Outside {
                        *input = &input[clean..];
                    } else if mark == ESCAPE {
                        *input = rest;
                        self.state = State::Escaped;
                    } else {
                        *input = rest;
                        if !self.payload.is_empty() {
                            self.state = State::Outside;
                            return true;
                        }
                        self.open();
                    }
                }
                State::Escaped => {
                    let Some((&code, rest)) = input.split_first() else {
                        return false;
                    };
                    *input = rest;
                    self.state = State::Inside;
                    self.unescape(code);
                }
            }
        }
    }

    fn open(&mut self) {
        self.state = State::Inside;
        self.kind = K::PLAIN;
        self.payload.clear();
    }

    /// An escape pair is a stuffed byte, or sets the kind; any other is swallowed. Source: §3.3 (V).
    fn unescape(&mut self, code: u8) {
        if let Some(kind) = K::of_number(code ^ STUFFING) {
            self.kind = kind;
        } else if matches!(code ^ STUFFING, DELIMITER | ESCAPE) {
            self.take(&[code ^ STUFFING]);
        }
    }

    /// Keeps payload bytes; a frame beyond the MTU is dropped. Its closing delimiter then opens an empty frame,
    /// which the next frame's own delimiter leaves empty, so that nothing else is lost. Source: §3.3 (V).
    fn take(&mut self, bytes: &[u8]) {
        if self.payload.len() + bytes.len() > self.mtu {
            self.state = State::Outside;
        } else {
            self.payload.extend_from_slice(bytes);
        }
    }
}
