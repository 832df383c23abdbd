//! ETHOS, the transport of the ASR1601 mask ROM: it carries the commands and replies of the loader as packets of
//! fastboot over UDP. Source: specs/asr-aboot.md §3.7.
//!
//! ```text
//! H ~UUUU~            M ~UUUU~
//! H HELLO, MAC        M HELLO_REPLY, MAC
//! H solicitation      M advertisement
//! H query, init       M the sequence it expects, the largest packet it takes
//! H 03 00 1235 text   M 03 00 1235           a command is acknowledged
//! H 03 00 1236        M 03 00 1236 OKAY      each poll fetches at most one status
//! ```

mod ipv6;

use std::collections::VecDeque;
use std::time::Instant;

use crate::asr::loader::Loader;
use crate::asr::smux::{self, Decoder, Kind};
use crate::outbox::Outbox;
use crate::port::{Ending, Manners, Talker};
use ipv6::{ICMP, Mac, Packet, UDP};

/// Frames are those of SMUX, but for what their types mean.
const ETHERNET: Kind = Kind::Stdio;
const TEXT: Kind = Kind::Hello;
const HELLO: Kind = Kind::HelloReply;
const HELLO_REPLY: Kind = Kind::Command;
const HEARTBEAT: Kind = Kind::Data;

const LARGEST_FRAME: usize = 2048;
/// The module's MAC in the worked bytes.
const MODULE: Mac = [0x02, 0xE3, 0x96, 0x6C, 0x7C, 0x41];
const PORT: u16 = 5554;
/// The largest packet, header included.
const LARGEST_PACKET: u16 = 0x05AC;
/// The first sequence, as in the worked bytes.
const FIRST_SEQUENCE: u16 = 0x1234;
/// Payload of the frames in which the loader is handed a download.
const PIECE: usize = 1024;

/// How the line between host and mask ROM fails: every so many Ethernet frames, counted in each direction.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Weather {
    pub loses_every: Option<u32>,
    pub doubles_every: Option<u32>,
}

impl Weather {
    /// How often the frame with that number arrives.
    fn arrivals(self, number: u32) -> usize {
        let strikes = |every: Option<u32>| every.is_some_and(|every| number.is_multiple_of(every.max(1)));
        match (strikes(self.loses_every), strikes(self.doubles_every)) {
            (true, _) => 0,
            (_, true) => 2,
            _ => 1,
        }
    }
}

/// The mask ROM's end of the line, with the loader behind it.
pub(super) struct Ethos {
    loader: Loader,
    /// What the loader has said, in frames of SMUX.
    said: Outbox,
    said_frames: Decoder,
    /// Statuses that wait to be polled for.
    statuses: VecDeque<Vec<u8>>,
    frames: Decoder,
    /// Raw bytes that are still to come.
    raw: usize,
    weather: Weather,
    frames_heard: u32,
    frames_sent: u32,
    expects: u16,
    /// The last answer, for a packet that is heard again.
    answered: Vec<u8>,
}

impl Ethos {
    pub fn new(loader: Loader, weather: Weather) -> Self {
        Ethos {
            loader,
            said: Outbox::default(),
            said_frames: Decoder::new(LARGEST_FRAME),
            statuses: VecDeque::new(),
            frames: Decoder::new(LARGEST_FRAME),
            raw: 0,
            weather,
            frames_heard: 0,
            frames_sent: 0,
            expects: FIRST_SEQUENCE,
            answered: Vec::new(),
        }
    }

    /// Passes on what the loader has said: statuses wait for a poll, all else leaves at once.
    fn pass_on(&mut self, now: Instant, out: &mut Outbox) {
        let bytes = self.said.ready(now).to_vec();
        self.said.sent(bytes.len());
        let mut rest = &bytes[..];
        while let Some(kind) = self.said_frames.next(&mut rest) {
            let payload = self.said_frames.payload();
            match kind {
                Kind::Stdio if payload == b"UUUU" => out.say(now, smux::encode(ETHERNET, payload)),
                Kind::Stdio => out.say(now, smux::encode(TEXT, payload)),
                Kind::Heartbeat => out.say(now, smux::encode(HEARTBEAT, payload)),
                Kind::Command => self.statuses.push_back(payload.to_vec()),
                _ => {}
            }
        }
    }

    /// Hands the loader what it would hear over SMUX.
    fn tell(&mut self, kind: Kind, payload: &[u8], now: Instant) {
        self.loader
            .hear_frame(&smux::encode(kind, payload), now, &mut self.said);
    }

    fn frame(&mut self, kind: Kind, now: Instant, out: &mut Outbox) {
        let payload = self.frames.payload().to_vec();
        match kind {
            // Until the link is up it was answered as it came.
            ETHERNET if payload == b"UUUU" && self.loader.link_up => {
                self.loader.hear_preamble(now, &mut self.said);
            }
            ETHERNET if payload == b"UUUU" => {}
            ETHERNET => {
                self.frames_heard += 1;
                for _ in 0..self.weather.arrivals(self.frames_heard) {
                    self.ethernet(&payload, now, out);
                }
            }
            HELLO => self.hello(&payload, now, out),
            TEXT => self.data_request(&payload),
            _ => {}
        }
    }

    fn hello(&mut self, payload: &[u8], now: Instant, out: &mut Outbox) {
        let Ok(host) = Mac::try_from(payload) else {
            return;
        };
        self.tell(Kind::Hello, &(PIECE as u16).to_be_bytes(), now);
        if self.loader.is_mute() {
            return;
        }
        out.say(now, smux::encode(HELLO_REPLY, &MODULE));
        self.chatter(host, now, out);
    }

    /// What nobody has asked for: a router solicitation, and a solicitation of the host.
    fn chatter(&mut self, host: Mac, now: Instant, out: &mut Outbox) {
        let here = (MODULE, ipv6::link_local(MODULE));
        let routers = ([0x33, 0x33, 0, 0, 0, 2], group(2, [0, 0, 0]));
        let solicits = vec![133, 0, 0, 0, 0, 0, 0, 0];
        self.send(&ipv6::build(here, routers, (ICMP, 255), solicits, 2), now, out);
        let [_, _, _, d, e, f] = host;
        let hosts = ([0x33, 0x33, 0xFF, d, e, f], group(0, [d, e, f]));
        let mut solicits = vec![135, 0, 0, 0, 0, 0, 0, 0];
        solicits.extend(ipv6::link_local(host));
        solicits.extend([1, 1]);
        solicits.extend(MODULE);
        self.send(&ipv6::build(here, hosts, (ICMP, 255), solicits, 2), now, out);
    }

    /// Raw bytes follow, whatever was expected before.
    fn data_request(&mut self, payload: &[u8]) {
        let Some((&[3, _, high, low], text)) = payload.split_first_chunk::<4>() else {
            return;
        };
        let digits = text
            .strip_prefix(b"data-request:")
            .and_then(|digits| std::str::from_utf8(digits).ok());
        if let Some(bytes) = digits.and_then(|digits| usize::from_str_radix(digits, 16).ok()) {
            self.expects = u16::from_be_bytes([high, low]).wrapping_add(1);
            self.raw = bytes;
        }
    }

    fn ethernet(&mut self, frame: &[u8], now: Instant, out: &mut Outbox) {
        match ipv6::read(frame) {
            Some(packet) if packet.next_header == ICMP => self.neighbour(&packet, now, out),
            Some(packet) if packet.next_header == UDP && packet.to == MODULE => self.udp(&packet, now, out),
            _ => {}
        }
    }

    fn neighbour(&mut self, packet: &Packet<'_>, now: Instant, out: &mut Outbox) {
        let here = ipv6::link_local(MODULE);
        if packet.payload.first() != Some(&135) || packet.payload.get(8..24) != Some(&here[..]) {
            return;
        }
        let mut advertises = vec![136, 0, 0, 0, 0x60, 0, 0, 0];
        advertises.extend(here);
        advertises.extend([2, 1]);
        advertises.extend(MODULE);
        let host = (packet.from, packet.source);
        let frame = ipv6::build((MODULE, here), host, (ICMP, 255), advertises, 2);
        self.send(&frame, now, out);
    }

    fn udp(&mut self, packet: &Packet<'_>, now: Instant, out: &mut Outbox) {
        let Some((&[from_high, from_low, high, low, ..], data)) = packet.payload.split_first_chunk::<8>()
        else {
            return;
        };
        let here = ipv6::link_local(MODULE);
        if u16::from_be_bytes([high, low]) != PORT || packet.destination != here || data.len() > 1452 {
            return;
        }
        let Some(answer) = self.fastboot(data, now) else {
            return;
        };
        let [high, low] = PORT.to_be_bytes();
        let [length_high, length_low] = (8 + answer.len() as u16).to_be_bytes();
        let mut payload = vec![high, low, from_high, from_low, length_high, length_low, 0, 0];
        payload.extend(answer);
        let host = (packet.from, packet.source);
        let frame = ipv6::build((MODULE, here), host, (UDP, 64), payload, 6);
        self.send(&frame, now, out);
    }

    /// The answer to a packet.
    fn fastboot(&mut self, packet: &[u8], now: Instant) -> Option<Vec<u8>> {
        let (&[id, _, high, low], data) = packet.split_first_chunk::<4>()?;
        let sequence = u16::from_be_bytes([high, low]);
        if id == 1 {
            let [high, low] = self.expects.to_be_bytes();
            return Some(vec![1, 0, 0, 0, high, low]);
        }
        if sequence == self.expects.wrapping_sub(1) {
            return Some(self.answered.clone()).filter(|answer| answer.starts_with(&[id, 0, high, low]));
        }
        if sequence != self.expects {
            return None;
        }
        let mut answer = vec![id, 0, high, low];
        match id {
            2 => {
                answer.extend([0, 1]);
                answer.extend(LARGEST_PACKET.to_be_bytes());
            }
            3 if data.is_empty() => answer.extend(self.statuses.pop_front().unwrap_or_default()),
            3 if self.loader.incoming.is_some() => self.download(data, now),
            3 => self.tell(Kind::Command, data, now),
            _ => return None,
        }
        self.expects = self.expects.wrapping_add(1);
        self.answered.clone_from(&answer);
        Some(answer)
    }

    fn download(&mut self, data: &[u8], now: Instant) {
        for piece in data.chunks(PIECE) {
            self.tell(Kind::Data, piece, now);
        }
    }

    fn send(&mut self, frame: &[u8], now: Instant, out: &mut Outbox) {
        self.frames_sent += 1;
        if self.loader.is_mute() {
            return;
        }
        for _ in 0..self.weather.arrivals(self.frames_sent) {
            out.say(now, smux::encode(ETHERNET, frame));
        }
    }
}

/// A group on the link: all of a kind, or those whose addresses end so.
fn group(all: u8, [d, e, f]: [u8; 3]) -> ipv6::Address {
    let mut address = [0xFF, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, all];
    if all == 0 {
        address[11..].copy_from_slice(&[1, 0xFF, d, e, f]);
    }
    address
}

impl Talker for Ethos {
    fn hear(&mut self, bytes: &[u8], now: Instant, out: &mut Outbox) {
        self.loader.count_and_greet(bytes, now, &mut self.said);
        let mut rest = bytes;
        loop {
            let (raw, framed) = rest.split_at(self.raw.min(rest.len()));
            self.raw -= raw.len();
            self.download(raw, now);
            rest = framed;
            match self.frames.next(&mut rest) {
                Some(kind) => self.frame(kind, now, out),
                None => break,
            }
        }
        self.pass_on(now, out);
    }

    fn tick(&mut self, now: Instant, out: &mut Outbox) {
        self.loader.tick(now, &mut self.said);
        self.pass_on(now, out);
    }

    fn next_tick(&self) -> Option<Instant> {
        [self.loader.next_tick(), self.said.next_due()]
            .into_iter()
            .flatten()
            .min()
    }

    fn ending(&self, now: Instant) -> Option<Ending> {
        self.loader.ending(now)
    }

    fn manners(&self) -> Manners {
        self.loader.manners()
    }
}

#[cfg(test)]
mod tests;
