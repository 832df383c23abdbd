//! The link: bytes become frames, silence becomes an error, and the handshake that opens it all.
//!
//! ```text
//! H UUUU~ UUUU~ ...      M ~UABT~         the loader speaks SMUX
//! H ~UABT~               M ~UABT~
//! H HELLO mtu 2000       M HELLO_REPLY mtu 1024
//! ```

use std::time::Duration;

use super::aboot::Reply;
use super::log::ModuleLog;
use super::preamble::{self, Matcher, Transport};
use super::smux::{self, DataFrames, Decoder, Kind};
use crate::{Cause, Progress, Wire};

/// The preamble is repeated this often. Source: specs/asr-aboot.md §3.1: the vendor's Windows tool.
const PREAMBLE_PERIOD: Duration = Duration::from_millis(20);
/// `UABT` and HELLO are repeated this often. Source: §3.1: aboot-tiny.
const GREETING_PERIOD: Duration = Duration::from_millis(100);
/// The MTU we propose, in payload bytes; what the module replies holds. Source: §3.3 (V-win).
const PROPOSED_MTU: u16 = 2000;
/// The link is lost after this long without a frame of any kind. Source: §3.4, §4.6 (V-win).
pub(super) const LINK_LOSS: Duration = Duration::from_secs(9);
/// Encoded bytes of a download sent in one go. Source: §3.3: hosts burst 16 to 64 KiB.
const BURST: usize = 32 * 1024;
/// Frames after which we stop listening and go on speaking: a module that chatters must not hold us up.
const FRAMES_BETWEEN_WRITES: usize = 256;
/// The preamble begins again when `UABT` and HELLO are not answered for this long. Source: §3.1 (V-lin).
const GREETING_LIMIT: Duration = Duration::from_secs(2);

/// Something the module said that a session must know of.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Said {
    /// `UABT`, as a log frame.
    Greeting,
    /// The MTU the module wants, in payload bytes.
    Mtu(u16),
    /// A reply of the command layer that ends a command.
    Reply(Reply),
    /// A sign of life.
    Else,
}

/// A SMUX link to one module.
pub(super) struct Link<'w> {
    wire: &'w mut dyn Wire,
    decoder: Decoder,
    /// Received and not yet decoded: `inbox[unread]`.
    inbox: Box<[u8; 4096]>,
    unread: std::ops::Range<usize>,
    outbox: Vec<u8>,
    /// When the last frame came.
    heard: Duration,
    mtu: usize,
    log: ModuleLog,
    /// The highest percentage the module has named.
    percent: u8,
    /// A FAIL that came when nothing had been asked.
    refusal: Option<String>,
    /// A reply that came during a handshake.
    late: Option<Reply>,
}

impl<'w> Link<'w> {
    /// A link on which nothing has been said yet.
    pub fn new(wire: &'w mut dyn Wire) -> Self {
        Link {
            wire,
            decoder: Decoder::new(),
            inbox: Box::new([0; 4096]),
            unread: 0..0,
            outbox: Vec::with_capacity(BURST + 2 * PROPOSED_MTU as usize),
            heard: Duration::ZERO,
            mtu: smux::DEFAULT_MTU,
            log: ModuleLog::default(),
            percent: 0,
            refusal: None,
            late: None,
        }
    }

    pub fn report(&mut self, fact: Progress<'_>) {
        self.wire.report(fact);
    }

    pub fn pause(&mut self, how_long: Duration) -> Result<(), Cause> {
        Ok(self.wire.pause(how_long)?)
    }

    /// The module's last log lines.
    pub fn log_lines(&self) -> Vec<String> {
        self.log.lines()
    }

    /// Shows a line of the module, and keeps it for the error report.
    pub fn note(&mut self, line: &str) {
        self.log.line(line);
        self.wire.report(Progress::Note(line));
    }

    /// Opens the link: preamble, `UABT`, HELLO. Nothing here waits longer than the module takes to answer.
    pub fn synchronise(&mut self, within: Duration) -> Result<(), Cause> {
        let until = self.wire.now() + within;
        loop {
            self.call(until)?;
            let greet_until = (self.wire.now() + GREETING_LIMIT).min(until);
            while self.wire.now() < greet_until {
                if self.greet(greet_until)? && self.hello(greet_until)? {
                    self.log.clear();
                    return Ok(());
                }
            }
            if self.wire.now() >= until {
                return Err(silent("UABT and HELLO", within, 1));
            }
        }
    }

    /// Opens the link anew after silence, without preamble: the loader in the module may be another one now.
    /// Returns the answer to the command before the silence, if it comes after all. Source: §11 no. 9 (1).
    pub fn revive(&mut self) -> Result<Option<Reply>, Cause> {
        self.note("no answer, trying a new handshake");
        let until = self.wire.now() + LINK_LOSS;
        self.late = None;
        while self.wire.now() < until {
            if self.greet(until)? && self.hello(until)? {
                return Ok(self.late.take());
            }
        }
        Err(silent("a new handshake", 2 * LINK_LOSS, 1))
    }

    /// Sends the preamble until it is answered. What follows the answer is left for the decoder.
    fn call(&mut self, until: Duration) -> Result<(), Cause> {
        let began = self.wire.now();
        let mut matcher = Matcher::default();
        let mut tries = 0;
        while self.wire.now() < until {
            self.wire.send(preamble::CALL)?;
            tries += 1;
            let next_call = (self.wire.now() + PREAMBLE_PERIOD).min(until);
            while self.wire.now() < next_call {
                self.read(next_call)?;
                match matcher.push(&self.inbox[self.unread.clone()]) {
                    Some((Transport::Smux, used)) => {
                        self.unread.start += used;
                        return Ok(());
                    }
                    Some((Transport::Ethos, _)) => return Err(ethos()),
                    None => self.unread = 0..0,
                }
            }
        }
        Err(silent("UUUU~", self.wire.now() - began, tries))
    }

    /// Confirms SMUX. A `UABT` that answers an earlier preamble serves as well: the module takes any number.
    /// Source: §3.1.
    fn greet(&mut self, until: Duration) -> Result<bool, Cause> {
        self.send_frame(Kind::Stdio, preamble::UABT)?;
        self.hear(until, |said| matches!(said, Said::Greeting).then_some(()))
            .map(|answer| answer.is_some())
    }

    /// Agrees on the MTU: ours is a proposal, the module's is final.
    fn hello(&mut self, until: Duration) -> Result<bool, Cause> {
        self.send_frame(Kind::Hello, &PROPOSED_MTU.to_be_bytes())?;
        let answer = self.hear(until, |said| match said {
            Said::Mtu(mtu) => Some(mtu),
            _ => None,
        })?;
        match answer {
            None => Ok(false),
            Some(0) => Err(Cause::Malformed {
                sent: "HELLO".into(),
                answer: "an MTU of 0 bytes".into(),
            }),
            Some(mtu) => {
                self.mtu = mtu.into();
                self.decoder.set_mtu(self.mtu);
                Ok(true)
            }
        }
    }

    /// Waits one greeting period for what `wanted` picks.
    fn hear<T>(&mut self, until: Duration, wanted: impl Fn(Said) -> Option<T>) -> Result<Option<T>, Cause> {
        let until = (self.wire.now() + GREETING_PERIOD).min(until);
        while let Some(said) = self.next(until)? {
            if let Said::Reply(reply) = said {
                self.late = Some(reply);
            } else if let Some(found) = wanted(said) {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }

    /// Sends one frame.
    pub fn send_frame(&mut self, kind: Kind, payload: &[u8]) -> Result<(), Cause> {
        self.outbox.clear();
        smux::encode(kind, payload, &mut self.outbox);
        Ok(self.wire.send(&self.outbox)?)
    }

    /// Streams a download in large bursts, and listens between them: a FAIL need not wait for the end.
    pub fn send_data<'d>(&mut self, pieces: impl Iterator<Item = &'d [u8]>) -> Result<(), Cause> {
        let mut frames = DataFrames::new(self.mtu);
        self.outbox.clear();
        for part in pieces.flat_map(|piece| piece.chunks(BURST / 4)) {
            frames.push(part, &mut self.outbox);
            if self.outbox.len() >= BURST - BURST / 4 {
                self.wire.send(&self.outbox)?;
                self.outbox.clear();
                self.listen()?;
                if self.refusal.is_some() {
                    return Ok(());
                }
            }
        }
        frames.finish(&mut self.outbox);
        Ok(self.wire.send(&self.outbox)?)
    }

    /// A FAIL that has already arrived though nothing was asked: what was queued earlier has failed.
    /// Source: §4.5 (V-img).
    pub fn unasked_refusal(&mut self, next: &str) -> Result<Option<String>, Cause> {
        self.listen()?;
        self.check_alive(next)?;
        Ok(self.refusal.take())
    }

    /// Takes in what has already arrived. Answers to nothing are dropped, so that they can never be taken for
    /// the answer to the next command; a FAIL is kept.
    fn listen(&mut self) -> Result<(), Cause> {
        let now = self.wire.now();
        for _ in 0..FRAMES_BETWEEN_WRITES {
            match self.next(now)? {
                Some(Said::Reply(Reply::Fail(why))) => _ = self.refusal.get_or_insert(why),
                Some(Said::Reply(reply)) => self.note(&format!("dropped an answer to nothing: {reply}")),
                Some(_) => {}
                None => break,
            }
        }
        Ok(())
    }

    /// The next reply to `sent` that ends a command. Whatever the module says proves the link for [`LINK_LOSS`];
    /// `patience` bounds the whole wait even so.
    pub fn reply(&mut self, sent: &str, patience: Duration) -> Result<Reply, Cause> {
        let began = self.wire.now();
        loop {
            if let Some(why) = self.refusal.take() {
                return Ok(Reply::Fail(why));
            }
            self.check_alive(sent)?;
            let now = self.wire.now();
            let until = (began + patience).min(self.heard.max(began) + LINK_LOSS);
            if now >= until {
                return Err(silent(sent, now - began, 1));
            }
            if let Some(Said::Reply(reply)) = self.next(until)? {
                return Ok(reply);
            }
        }
    }

    /// Fails when the loader has said that it runs no more.
    fn check_alive(&self, sent: &str) -> Result<(), Cause> {
        let Some(words) = self.log.last_words() else {
            return Ok(());
        };
        Err(Cause::Malformed {
            sent: sent.to_owned(),
            answer: format!("`{words}`"),
        })
    }

    /// The next thing the module says, or nothing when `until` has come; then what has arrived is still taken in.
    fn next(&mut self, until: Duration) -> Result<Option<Said>, Cause> {
        let mut last = false;
        loop {
            while !self.unread.is_empty() {
                if let Some(said) = self.decode() {
                    return Ok(Some(said));
                }
            }
            if last {
                return Ok(None);
            }
            last = self.wire.now() >= until;
            self.read(until)?;
            last |= self.unread.is_empty();
        }
    }

    /// Decodes one frame of what is unread, if it holds a whole one.
    fn decode(&mut self) -> Option<Said> {
        let mut rest = &self.inbox[self.unread.clone()];
        let frame = self.decoder.next(&mut rest);
        self.unread.start = self.unread.end - rest.len();
        let frame = frame?;
        self.heard = self.wire.now();
        match (frame.kind, frame.payload) {
            (Kind::Stdio, text) if text == preamble::UABT => return Some(Said::Greeting),
            (Kind::Stdio, text) if text == preamble::UUUU => {}
            (Kind::Stdio, text) => self.log.text(text, |line| self.wire.report(Progress::Note(line))),
            (Kind::HelloReply, &[high, low]) => return Some(Said::Mtu(u16::from_be_bytes([high, low]))),
            (Kind::Command, text) => match Reply::parse(text) {
                Reply::Info(text) => self.note(&text),
                Reply::Progress(percent) if percent > self.percent => {
                    self.percent = percent;
                    self.wire
                        .report(Progress::Note(&format!("the module has done {percent} %")));
                }
                Reply::Progress(_) => {}
                reply => return Some(Said::Reply(reply)),
            },
            _ => {}
        }
        Some(Said::Else)
    }

    /// Reads once; everything unread has been used before.
    fn read(&mut self, until: Duration) -> Result<(), Cause> {
        let within = until.saturating_sub(self.wire.now());
        let count = self.wire.receive(&mut self.inbox[..], within)?;
        self.unread = 0..count.min(self.inbox.len());
        Ok(())
    }
}

fn silent(sent: &str, waited: Duration, tries: u32) -> Cause {
    Cause::Silent {
        sent: sent.to_owned(),
        waited,
        tries,
    }
}

fn ethos() -> Cause {
    Cause::Unsupported(
        "the module answers the preamble with `UUUU`: its boot ROM (ASR1601) speaks ETHOS, which this version \
         does not; enter download mode by AT command instead of the boot pin"
            .into(),
    )
}
