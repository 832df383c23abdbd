//! The words of the dialogue with an ASR loader, over either transport. Source: specs/asr-aboot.md §3, §10.

use super::ethos::{self, packet};
use super::preamble::{CALL, UABT, UUUU};
use super::smux::{self, DELIMITER, Decoder};
use crate::describe::{Side, Words, quoted};

/// More than any payload a module asks for.
const LONGEST: usize = 0x1_0000;
/// Ethernet, IPv6, and what lies where in them.
const ETHERTYPE: std::ops::Range<usize> = 12..14;
const IPV6: &[u8] = &[0x86, 0xDD];
const NEXT_HEADER: usize = 20;
const ICMPV6: u8 = 58;
const UDP: u8 = 17;
const UPPER: usize = 54;
const UDP_HEADER: usize = 8;
/// Most characters of a packet that is taken for a command.
const LONGEST_COMMAND: usize = 64;

/// Follows a line to a loader.
#[derive(Debug, Default)]
pub(crate) struct Describer {
    host: Stream,
    module: Stream,
}

/// One direction.
#[derive(Debug)]
struct Stream {
    frames: Frames,
    /// A frame has been seen: no preamble any more.
    open: bool,
    /// Bytes that pass by the frames of ETHOS.
    raw: usize,
}

#[derive(Debug)]
enum Frames {
    Smux(Decoder<smux::Kind>),
    Ethos(Decoder<ethos::Kind>),
}

impl Default for Stream {
    fn default() -> Self {
        Stream {
            frames: Frames::Smux(Decoder::with_mtu(LONGEST)),
            open: false,
            raw: 0,
        }
    }
}

impl Describer {
    pub(crate) fn describe(&mut self, side: Side, mut bytes: &[u8], words: &mut Words) {
        while !bytes.is_empty() {
            let stream = match side {
                Side::Host => &mut self.host,
                Side::Module => &mut self.module,
            };
            if side == Side::Host {
                stream.take_preamble(&mut bytes, words);
            }
            stream.take_raw(&mut bytes, words);
            if stream.take_frame(side, &mut bytes, words) {
                let ethos = || Frames::Ethos(Decoder::with_mtu(LONGEST));
                (self.host.frames, self.module.frames) = (ethos(), ethos());
            }
        }
    }
}

impl Stream {
    /// The preamble, and the greeting behind it, have no delimiter in front. Source: specs/asr-aboot.md §3.1 (V).
    fn take_preamble(&mut self, bytes: &mut &[u8], words: &mut Words) {
        let greeting = [&UABT[..], &[DELIMITER]].concat();
        if self.open {
            return;
        }
        loop {
            if let Some(rest) = bytes.strip_prefix(CALL) {
                words.say("UUUU~");
                *bytes = rest;
            } else if let Some(rest) = bytes.strip_prefix(&greeting[..]) {
                words.say("UABT~");
                *bytes = rest;
            } else {
                break;
            }
        }
    }

    fn take_raw(&mut self, bytes: &mut &[u8], words: &mut Words) {
        let (raw, rest) = bytes.split_at(self.raw.min(bytes.len()));
        if !raw.is_empty() {
            words.data("raw", raw.len());
        }
        self.raw -= raw.len();
        *bytes = rest;
    }

    /// Up to one frame; true when it says that ETHOS is spoken from now on.
    fn take_frame(&mut self, side: Side, bytes: &mut &[u8], words: &mut Words) -> bool {
        match &mut self.frames {
            Frames::Smux(decoder) => {
                let Some(frame) = decoder.next(bytes) else {
                    return false;
                };
                self.open = true;
                smux_frame(frame.kind, frame.payload, words);
                side == Side::Module && frame.kind == smux::Kind::Stdio && frame.payload == UUUU
            }
            Frames::Ethos(decoder) => {
                let Some(frame) = decoder.next(bytes) else {
                    return false;
                };
                self.open = true;
                if let Some(raw) = ethos_frame(side, frame.kind, frame.payload, words) {
                    self.raw = raw;
                }
                false
            }
        }
    }
}

fn smux_frame(kind: smux::Kind, payload: &[u8], words: &mut Words) {
    use smux::Kind;
    match (kind, payload) {
        (Kind::Command, text) => words.say(quoted(text)),
        (Kind::Data, data) => words.data("DATA", data.len()),
        (Kind::HeartBeat, _) => words.say("heartbeat"),
        (Kind::Hello, &[high, low]) => words.say(format!("HELLO mtu {}", u16::from_be_bytes([high, low]))),
        (Kind::HelloReply, &[high, low]) => {
            words.say(format!("HELLO_REPLY mtu {}", u16::from_be_bytes([high, low])));
        }
        (Kind::Hello | Kind::HelloReply, _) => words.say("HELLO of a wrong length"),
        (Kind::Stdio, text) if text == UABT || text == UUUU => words.say(format!("~{}~", quoted(text))),
        (Kind::Stdio, text) => words.say(format!("log `{}`", quoted(text))),
    }
}

/// What a frame of ETHOS says; with the count of raw bytes where it announces some.
fn ethos_frame(side: Side, kind: ethos::Kind, payload: &[u8], words: &mut Words) -> Option<usize> {
    use ethos::Kind;
    match kind {
        Kind::Hello => words.say("HELLO"),
        Kind::HelloReply => words.say("HELLO_REPLY"),
        Kind::HeartBeat => words.say("heartbeat"),
        Kind::UploadProgress => words.say("upload progress"),
        Kind::Text if side == Side::Host => {
            let request = payload.get(packet::HEADER..).unwrap_or_default();
            words.say(quoted(request));
            let count = std::str::from_utf8(request).ok()?.strip_prefix("data-request:")?;
            return usize::from_str_radix(count, 16).ok();
        }
        Kind::Text => words.say(format!("log `{}`", quoted(payload))),
        Kind::Ethernet if payload == UUUU => words.say("~UUUU~"),
        Kind::Ethernet => ethernet_frame(side, payload, words),
    }
    None
}

fn ethernet_frame(side: Side, frame: &[u8], words: &mut Words) {
    let upper = frame.get(UPPER..).filter(|_| frame.get(ETHERTYPE) == Some(IPV6));
    match (upper, frame.get(NEXT_HEADER)) {
        (Some([135, ..]), Some(&ICMPV6)) => words.say("neighbour solicitation"),
        (Some([136, ..]), Some(&ICMPV6)) => words.say("neighbour advertisement"),
        (Some([kind, ..]), Some(&ICMPV6)) => words.say(format!("ICMPv6 type {kind}")),
        (Some(datagram), Some(&UDP)) => match datagram.get(UDP_HEADER..) {
            Some(packet) => udp_packet(side, packet, words),
            None => words.say("UDP without a header"),
        },
        _ => words.data("Ethernet", frame.len()),
    }
}

fn udp_packet(side: Side, bytes: &[u8], words: &mut Words) {
    use packet::Id;
    let flags = bytes.get(1).copied().unwrap_or_default();
    let Some((id, _, data)) = packet::parse(bytes) else {
        return words.data("UDP", bytes.len());
    };
    let is_text =
        flags == 0 && data.len() <= LONGEST_COMMAND && data.iter().all(|b| (0x20..0x7F).contains(b));
    match (side, id, packet::number(data)) {
        (_, Id::Error, _) => words.say(format!("error `{}`", quoted(data))),
        (Side::Host, Id::Query, _) => words.say("query"),
        (Side::Module, Id::Query, Some(sequence)) => words.say(format!("sequence 0x{sequence:04x}")),
        (_, Id::Init, Some(version)) => {
            let size = data.get(2..).and_then(packet::number).unwrap_or_default();
            words.say(format!("init version {version}, packets of 0x{size:x}"));
        }
        (_, Id::Query | Id::Init, _) => words.say("query or init of a wrong length"),
        (Side::Host, Id::Fastboot, _) if data.is_empty() => words.say("poll"),
        (Side::Module, Id::Fastboot, _) if data.is_empty() => words.say("ack"),
        (Side::Module, Id::Fastboot, _) => words.say(quoted(data)),
        (Side::Host, Id::Fastboot, _) if is_text => words.say(quoted(data)),
        (Side::Host, Id::Fastboot, _) => words.data("DATA", data.len()),
    }
}
