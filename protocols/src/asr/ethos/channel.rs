//! The channel to the module: each packet is answered, each status polled for, sparse images pass by it raw.

use std::time::Duration;

use super::packet::{self, HEADER, Id, MORE, RAW};
use super::stack::Stack;
use super::{Kind, LARGEST_FRAME, Mac};
use crate::Cause;
use crate::asr::line::{Line, silent};
use crate::asr::preamble;
use crate::asr::smux::{self, Decoder};
use crate::asr::sparse;

/// Our MAC: free choice, and locally administered. Source: specs/asr-aboot.md §3.7 (V).
const HOST: Mac = [0x02, 0x00, 0x23, 0x51, 0x50, 0x59];
/// HELLO is repeated this often, and given up after [`HELLO_LIMIT`]. Source: §3.7 (V-tiny, V-lin).
const HELLO_PERIOD: Duration = Duration::from_millis(100);
const HELLO_LIMIT: Duration = Duration::from_secs(2);
/// Between HELLO_REPLY and the first solicitation. Source: §3.7 (V-lin).
const SETTLES: Duration = Duration::from_millis(300);
/// A packet is sent again when it was not answered for this long. Source: §3.7 (V-win).
const RETRANSMITS: Duration = Duration::from_secs(3);
/// How often a packet is sent: once, and three times again. Source: §3.7 (V-win).
const TRIES: u32 = 4;
/// The link is lost when a packet was not answered for this long.
pub(in crate::asr) const LOSS: Duration = RETRANSMITS.saturating_mul(TRIES);
/// The stack has its turn at least this often while we wait: it may want to solicit again.
const TURN: Duration = Duration::from_millis(100);
/// Between two polls when the module has nothing to say: at first, and at most. The lengths are ours.
const FIRST_GAP: Duration = Duration::from_millis(1);
const LONGEST_GAP: Duration = Duration::from_millis(50);
/// The protocol's version. Source: §3.7 (V).
const VERSION: u16 = 1;
/// The largest packet we propose. Source: §3.7 (V-lin).
const PROPOSED: u16 = 0x0800;
/// Bytes of the largest batch of raw bytes. Source: §3.7 (V-win).
const BATCH: usize = 0x4_0000;
/// Raw bytes handed to the wire at once.
const BURST: usize = 32 * 1024;

/// An open channel.
pub(in crate::asr) struct Channel {
    stack: Stack,
    decoder: Decoder<Kind>,
    /// The sequence of the next packet.
    sequence: u16,
    /// A packet was not answered: only the module knows the sequence.
    out_of_step: bool,
    /// Data bytes that fit a packet.
    room: usize,
    /// The command whose status is polled for.
    asked: String,
    outbox: Vec<u8>,
}

impl Channel {
    /// Opens the channel after the preamble: HELLO, query, init. Nothing when HELLO is not answered.
    pub fn open(line: &mut Line<'_>, until: Duration) -> Result<Option<Channel>, Cause> {
        let mut decoder = Decoder::with_mtu(LARGEST_FRAME);
        let Some(module) = hello(line, &mut decoder, until)? else {
            return Ok(None);
        };
        let mut channel = Channel {
            stack: Stack::new(HOST, module, line.now()),
            decoder,
            sequence: 0,
            out_of_step: true,
            room: 0,
            asked: String::new(),
            outbox: Vec::with_capacity(BURST + HEADER),
        };
        channel.rest(line, line.now() + SETTLES)?;
        let proposal = [VERSION.to_be_bytes(), PROPOSED.to_be_bytes()].concat();
        let agreed = channel.exchange(line, (Id::Init, 0), &proposal, "init", LOSS)?;
        let theirs = agreed.get(2..).and_then(packet::number);
        let size = theirs.filter(|&size| size >= packet::SMALLEST);
        let size = size.ok_or_else(|| malformed("init", &agreed))?;
        channel.room = usize::from(size.min(PROPOSED).min(packet::LARGEST)) - HEADER;
        Ok(Some(channel))
    }

    /// Sends a command; the module has it when this returns.
    pub fn command(&mut self, line: &mut Line<'_>, text: &str, within: Duration) -> Result<(), Cause> {
        text.clone_into(&mut self.asked);
        let room = self.room;
        if text.len() > room {
            return Err(Cause::Unsupported(format!("`{text}` does not fit {room} bytes")));
        }
        self.acknowledged(line, 0, text.as_bytes(), text, within.min(LOSS))
    }

    /// The next status of the module, polled for until it has one or `until` has come.
    pub fn poll(&mut self, line: &mut Line<'_>, until: Duration) -> Result<Option<Vec<u8>>, Cause> {
        let asked = self.asked.clone();
        let mut gap = FIRST_GAP;
        loop {
            let within = until.saturating_sub(line.now()).min(LOSS);
            let status = self.exchange(line, (Id::Fastboot, 0), &[], &asked, within)?;
            if !status.is_empty() {
                return Ok(Some(status));
            }
            if line.now() >= until {
                return Ok(None);
            }
            self.rest(line, (line.now() + gap).min(until))?;
            gap = (2 * gap).min(LONGEST_GAP);
        }
    }

    /// Sends a download of `len` bytes: an image in sparse form raw, any other in packets. Source: §3.7, §11 no. 12.
    pub fn download<'d>(
        &mut self,
        line: &mut Line<'_>,
        len: usize,
        pieces: impl Iterator<Item = &'d [u8]>,
    ) -> Result<(), Cause> {
        self.asked = format!("{len} bytes");
        let mut pieces = pieces.filter(|piece| !piece.is_empty()).peekable();
        match pieces.peek() {
            Some(first) if first.starts_with(&sparse::MAGIC) => self.raw(line, len, pieces),
            _ => self.packets(line, len, pieces),
        }
    }

    fn packets<'d>(
        &mut self,
        line: &mut Line<'_>,
        len: usize,
        pieces: impl Iterator<Item = &'d [u8]>,
    ) -> Result<(), Cause> {
        let (mut data, mut done) = (Vec::with_capacity(self.room), 0);
        for mut piece in pieces {
            while !piece.is_empty() {
                let (now, later) = piece.split_at(piece.len().min(self.room - data.len()));
                data.extend_from_slice(now);
                piece = later;
                if data.len() == self.room || done + data.len() == len {
                    done += data.len();
                    let flags = if done < len { MORE } else { 0 };
                    let sent = format!("data up to byte {done}");
                    self.acknowledged(line, flags, &data, &sent, LOSS)?;
                    data.clear();
                }
            }
        }
        Ok(())
    }

    /// Announces batch for batch and sends it unescaped and unframed. Nothing is answered; nothing of our own may
    /// get between the bytes, so that nothing is listened to. Source: §3.7 (V-win).
    fn raw<'d>(
        &mut self,
        line: &mut Line<'_>,
        mut left: usize,
        pieces: impl Iterator<Item = &'d [u8]>,
    ) -> Result<(), Cause> {
        if self.out_of_step {
            self.query(line)?;
        }
        self.outbox.clear();
        let (mut batch, mut header) = (0, [0; HEADER]);
        for mut piece in pieces {
            while !piece.is_empty() && left > 0 {
                if batch == 0 {
                    batch = left.min(BATCH);
                    let flags = if left > batch { RAW | MORE } else { RAW };
                    header = packet::header(Id::Fastboot, flags, self.sequence);
                    self.sequence = self.sequence.wrapping_add(1);
                    announce(header, batch, &mut self.outbox);
                }
                let count = piece.len().min(batch).min(BURST);
                let (now, later) = piece.split_at(count);
                self.outbox.extend_from_slice(now);
                (piece, batch, left) = (later, batch - count, left - count);
                if self.outbox.len() >= BURST {
                    line.send(&self.outbox)?;
                    self.outbox.clear();
                }
            }
        }
        announce(header, 0, &mut self.outbox);
        line.send(&self.outbox)
    }

    /// Takes in what has already arrived.
    pub fn listen(&mut self, line: &mut Line<'_>) -> Result<(), Cause> {
        let now = line.now();
        self.rest(line, now)
    }

    /// Sends a packet that the module acknowledges with an empty one. A status in it would be out of turn: nobody
    /// knows what it is the status of. Source: §3.7 (V).
    fn acknowledged(
        &mut self,
        line: &mut Line<'_>,
        flags: u8,
        data: &[u8],
        sent: &str,
        within: Duration,
    ) -> Result<(), Cause> {
        let answer = self.exchange(line, (Id::Fastboot, flags), data, sent, within)?;
        match answer.strip_prefix(b"FAIL") {
            _ if answer.is_empty() => Ok(()),
            Some(_) => Err(refused(sent, &answer)),
            None => Err(malformed(sent, &answer)),
        }
    }

    /// Sends a packet until it is answered; gives the data of the answer.
    fn exchange(
        &mut self,
        line: &mut Line<'_>,
        (id, flags): (Id, u8),
        data: &[u8],
        sent: &str,
        within: Duration,
    ) -> Result<Vec<u8>, Cause> {
        if self.out_of_step {
            self.query(line)?;
        }
        let answer = self.transmit(line, (id, flags, self.sequence), data, sent, within)?;
        self.sequence = self.sequence.wrapping_add(1);
        Ok(answer)
    }

    /// Asks which sequence the module expects.
    fn query(&mut self, line: &mut Line<'_>) -> Result<(), Cause> {
        let answer = self.transmit(line, (Id::Query, 0, 0), &[], "query", LOSS)?;
        self.sequence = packet::number(&answer).ok_or_else(|| malformed("query", &answer))?;
        self.out_of_step = false;
        Ok(())
    }

    fn transmit(
        &mut self,
        line: &mut Line<'_>,
        (id, flags, sequence): (Id, u8, u16),
        data: &[u8],
        sent: &str,
        within: Duration,
    ) -> Result<Vec<u8>, Cause> {
        let packet = [&packet::header(id, flags, sequence), data].concat();
        let began = line.now();
        let until = began + within;
        let mut tries = 0;
        while tries < TRIES && (tries == 0 || line.now() < until) {
            self.stack.send(&packet, line.now());
            tries += 1;
            let next_try = (line.now() + RETRANSMITS).min(until);
            while let Some(answer) = self.hear(line, next_try)? {
                match packet::parse(&answer) {
                    Some((Id::Error, answered, text)) if answered == sequence => {
                        return Err(refused(sent, text));
                    }
                    Some((answer, answered, data)) if (answer, answered) == (id, sequence) => {
                        return Ok(data.to_vec());
                    }
                    _ if line.now() >= next_try => break,
                    _ => {}
                }
            }
        }
        self.out_of_step = true;
        Err(silent(sent, line.now() - began, tries))
    }

    /// Waits, and lets the stack answer what the module asks of it. A packet that comes meanwhile answers nothing.
    fn rest(&mut self, line: &mut Line<'_>, until: Duration) -> Result<(), Cause> {
        while self.hear(line, until)?.is_some() && line.now() < until {}
        Ok(())
    }

    /// The next packet of the module, or nothing when `until` has come.
    fn hear(&mut self, line: &mut Line<'_>, until: Duration) -> Result<Option<Vec<u8>>, Cause> {
        let mut last = false;
        loop {
            self.stack.turn(line.now());
            self.flush(line)?;
            if let Some(packet) = self.stack.receive() {
                return Ok(Some(packet));
            }
            if let Some(frame) = line.frame(&mut self.decoder) {
                let now = line.now();
                match (frame.kind, frame.payload) {
                    (Kind::Ethernet, greeting) if greeting == preamble::UUUU => {}
                    (Kind::Ethernet, frame) => self.stack.hear(frame, now),
                    (Kind::Text, text) => line.text(text),
                    (Kind::Hello, _) => say_hello(line, Kind::HelloReply)?,
                    _ => {}
                }
                continue;
            }
            if last {
                return Ok(None);
            }
            last = line.now() >= until;
            line.read((line.now() + TURN).min(until))?;
        }
    }

    fn flush(&mut self, line: &mut Line<'_>) -> Result<(), Cause> {
        while let Some(frame) = self.stack.outgoing() {
            self.outbox.clear();
            smux::encode(Kind::Ethernet, &frame, &mut self.outbox);
            line.send(&self.outbox)?;
        }
        Ok(())
    }
}

/// The module's MAC, from its answer to our HELLO or from its own. Source: §3.7: either may be first.
fn hello(line: &mut Line<'_>, decoder: &mut Decoder<Kind>, until: Duration) -> Result<Option<Mac>, Cause> {
    let until = until.min(line.now() + HELLO_LIMIT);
    while line.now() < until {
        say_hello(line, Kind::Hello)?;
        let next_hello = (line.now() + HELLO_PERIOD).min(until);
        while line.now() < next_hello {
            while let Some(frame) = line.frame(decoder) {
                match (frame.kind, frame.payload) {
                    (Kind::Text, text) => line.text(text),
                    (kind @ (Kind::Hello | Kind::HelloReply), mac) => {
                        let unicast = |mac: &&Mac| mac[0] & 1 == 0 && **mac != [0; 6];
                        let mac = <&Mac>::try_from(mac).ok().filter(unicast).copied();
                        let mac = mac.ok_or_else(|| malformed("HELLO", frame.payload))?;
                        if kind == Kind::Hello {
                            say_hello(line, Kind::HelloReply)?;
                        }
                        return Ok(Some(mac));
                    }
                    _ => {}
                }
            }
            line.read(next_hello)?;
        }
    }
    Ok(None)
}

fn say_hello(line: &mut Line<'_>, kind: Kind) -> Result<(), Cause> {
    let mut frame = Vec::new();
    smux::encode(kind, &HOST, &mut frame);
    line.send(&frame)
}

/// Tells the module that raw bytes follow, or that none do any more.
fn announce(header: [u8; HEADER], bytes: usize, into: &mut Vec<u8>) {
    let request = format!("data-request:{bytes:08x}");
    smux::encode(Kind::Text, &[&header, request.as_bytes()].concat(), into);
}

fn refused(sent: &str, text: &[u8]) -> Cause {
    Cause::Refused {
        sent: sent.to_owned(),
        answer: format!("`{}`", String::from_utf8_lossy(text)),
    }
}

fn malformed(sent: &str, answer: &[u8]) -> Cause {
    Cause::Malformed {
        sent: sent.to_owned(),
        answer: format!(
            "`{}`",
            answer
                .iter()
                .take(60)
                .copied()
                .flat_map(std::ascii::escape_default)
                .map(char::from)
                .collect::<String>()
        ),
    }
}
