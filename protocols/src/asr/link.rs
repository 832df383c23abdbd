//! The link: bytes become frames, silence becomes an error, and the handshake that opens it all.
//!
//! ```text
//! H UUUU~ UUUU~ ...      M ~UABT~         the loader speaks SMUX
//! H ~UABT~               M ~UABT~
//! H HELLO mtu 2000       M HELLO_REPLY mtu 1024
//! ```
//!
//! A loader that answers with `UUUU` speaks ETHOS: the same commands and replies, through a [`Channel`].

use std::time::Duration;

use super::aboot::Reply;
use super::ethos::{self, Channel};
use super::line::{Line, silent};
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

/// A link to one module.
pub(super) struct Link<'w> {
    line: Line<'w>,
    decoder: Decoder,
    outbox: Vec<u8>,
    mtu: usize,
    /// Where ETHOS is spoken instead of SMUX.
    channel: Option<Box<Channel>>,
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
            line: Line::new(wire),
            decoder: Decoder::new(),
            outbox: Vec::with_capacity(BURST + 2 * PROPOSED_MTU as usize),
            mtu: smux::DEFAULT_MTU,
            channel: None,
            percent: 0,
            refusal: None,
            late: None,
        }
    }

    /// How the loader is spoken to.
    pub fn transport(&self) -> Transport {
        match self.channel {
            None => Transport::Smux,
            Some(_) => Transport::Ethos,
        }
    }

    pub fn report(&mut self, fact: Progress<'_>) {
        self.line.wire.report(fact);
    }

    pub fn pause(&mut self, how_long: Duration) -> Result<(), Cause> {
        Ok(self.line.wire.pause(how_long)?)
    }

    /// The module's last log lines.
    pub fn log_lines(&self) -> Vec<String> {
        self.line.log.lines()
    }

    /// Shows a line of the module, and keeps it for the error report.
    pub fn note(&mut self, line: &str) {
        self.line.note(line);
    }

    /// Opens the link: preamble, then what the answer to it asks for. Nothing here waits longer than the module
    /// takes to answer.
    pub fn synchronise(&mut self, within: Duration) -> Result<(), Cause> {
        let until = self.line.now() + within;
        loop {
            let open = match self.call(until)? {
                Transport::Smux => self.open_smux((self.line.now() + GREETING_LIMIT).min(until))?,
                Transport::Ethos => self.open_ethos(until)?,
            };
            if open {
                self.line.log.clear();
                return Ok(());
            }
            if self.line.now() >= until {
                return Err(silent("UABT and HELLO", within, 1));
            }
        }
    }

    fn open_smux(&mut self, until: Duration) -> Result<bool, Cause> {
        while self.line.now() < until {
            if self.greet(until)? && self.hello(until)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn open_ethos(&mut self, until: Duration) -> Result<bool, Cause> {
        self.channel = Channel::open(&mut self.line, until)?.map(Box::new);
        Ok(self.channel.is_some())
    }

    /// Opens the link anew after silence, without preamble: the loader in the module may be another one now.
    /// Returns the answer to the command before the silence, if it comes after all. Source: §11 no. 9 (1).
    pub fn revive(&mut self) -> Result<Option<Reply>, Cause> {
        self.note("no answer, trying a new handshake");
        let until = self.line.now() + LINK_LOSS;
        self.late = None;
        let open = match self.channel {
            None => self.open_smux(until)?,
            Some(_) => self.open_ethos(until)?,
        };
        match open {
            true => Ok(self.late.take()),
            false => Err(silent("a new handshake", 2 * LINK_LOSS, 1)),
        }
    }

    /// Sends the preamble until it is answered. What follows the answer is left for the decoder.
    fn call(&mut self, until: Duration) -> Result<Transport, Cause> {
        let began = self.line.now();
        let mut matcher = Matcher::default();
        let mut tries = 0;
        while self.line.now() < until {
            self.line.send(preamble::CALL)?;
            tries += 1;
            let next_call = (self.line.now() + PREAMBLE_PERIOD).min(until);
            while self.line.now() < next_call {
                self.line.read(next_call)?;
                if let Some((transport, used)) = matcher.push(self.line.unread()) {
                    self.line.used(used);
                    return Ok(transport);
                }
            }
        }
        Err(silent("UUUU~", self.line.now() - began, tries))
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
        let until = (self.line.now() + GREETING_PERIOD).min(until);
        while let Some(said) = self.next(until)? {
            if let Said::Reply(reply) = said {
                self.late = Some(reply);
            } else if let Some(found) = wanted(said) {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }

    /// Sends a command. Over ETHOS the module has acknowledged it when this returns, which takes `within` at most.
    pub fn send_text(&mut self, text: &str, within: Duration) -> Result<(), Cause> {
        match &mut self.channel {
            None => self.send_frame(Kind::Command, text.as_bytes()),
            Some(channel) => channel.command(&mut self.line, text, within),
        }
    }

    /// Sends one frame.
    fn send_frame(&mut self, kind: Kind, payload: &[u8]) -> Result<(), Cause> {
        self.outbox.clear();
        smux::encode(kind, payload, &mut self.outbox);
        self.line.send(&self.outbox)
    }

    /// Streams a download of `len` bytes in large bursts, and listens between them: a FAIL need not wait for the
    /// end.
    pub fn send_data<'d>(&mut self, len: usize, pieces: impl Iterator<Item = &'d [u8]>) -> Result<(), Cause> {
        if let Some(channel) = &mut self.channel {
            return channel.download(&mut self.line, len, pieces);
        }
        let mut frames = DataFrames::new(self.mtu);
        self.outbox.clear();
        for part in pieces.flat_map(|piece| piece.chunks(BURST / 4)) {
            frames.push(part, &mut self.outbox);
            if self.outbox.len() >= BURST - BURST / 4 {
                self.line.send(&self.outbox)?;
                self.outbox.clear();
                self.listen()?;
                if self.refusal.is_some() {
                    return Ok(());
                }
            }
        }
        frames.finish(&mut self.outbox);
        self.line.send(&self.outbox)
    }

    /// Waits until the module has said nothing for so long that ends a command. Over ETHOS answers are numbered.
    pub fn settle(&mut self, quiet: Duration) -> Result<(), Cause> {
        if self.channel.is_some() {
            return Ok(());
        }
        let mut until = self.line.now() + quiet;
        for _ in 0..FRAMES_BETWEEN_WRITES {
            match self.next(until)? {
                Some(Said::Reply(reply)) => {
                    self.unasked(reply);
                    until = self.line.now() + quiet;
                }
                Some(_) => {}
                None => break,
            }
        }
        Ok(())
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
    /// Over ETHOS the module says nothing unless polled, and it is polled for the answer to a command alone.
    fn listen(&mut self) -> Result<(), Cause> {
        if let Some(channel) = &mut self.channel {
            return channel.listen(&mut self.line);
        }
        let now = self.line.now();
        for _ in 0..FRAMES_BETWEEN_WRITES {
            match self.next(now)? {
                Some(Said::Reply(reply)) => self.unasked(reply),
                Some(_) => {}
                None => break,
            }
        }
        Ok(())
    }

    fn unasked(&mut self, reply: Reply) {
        match reply {
            Reply::Fail(why) => _ = self.refusal.get_or_insert(why),
            reply => self.note(&format!("dropped an answer to nothing: {reply}")),
        }
    }

    /// The next reply to `sent` that ends a command. Whatever the module says proves the link for [`LINK_LOSS`];
    /// `patience` bounds the whole wait even so.
    pub fn reply(&mut self, sent: &str, patience: Duration) -> Result<Reply, Cause> {
        let began = self.line.now();
        let loss = if self.channel.is_some() {
            ethos::LOSS
        } else {
            LINK_LOSS
        };
        loop {
            if let Some(why) = self.refusal.take() {
                return Ok(Reply::Fail(why));
            }
            self.check_alive(sent)?;
            let now = self.line.now();
            let until = (began + patience).min(self.line.heard.max(began) + loss);
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
        let Some(words) = self.line.log.last_words() else {
            return Ok(());
        };
        Err(Cause::Malformed {
            sent: sent.to_owned(),
            answer: format!("`{words}`"),
        })
    }

    /// The next thing the module says, or nothing when `until` has come; then what has arrived is still taken in.
    fn next(&mut self, until: Duration) -> Result<Option<Said>, Cause> {
        if let Some(channel) = &mut self.channel {
            let status = channel.poll(&mut self.line, until)?;
            return Ok(status.map(|status| self.take(Reply::parse(&status))));
        }
        let mut last = false;
        loop {
            while !self.line.unread().is_empty() {
                if let Some(said) = self.decode() {
                    return Ok(Some(said));
                }
            }
            if last {
                return Ok(None);
            }
            last = self.line.now() >= until;
            self.line.read(until)?;
            last |= self.line.unread().is_empty();
        }
    }

    /// Decodes one frame of what is unread, if it holds a whole one.
    fn decode(&mut self) -> Option<Said> {
        let frame = self.line.frame(&mut self.decoder)?;
        match (frame.kind, frame.payload) {
            (Kind::Stdio, text) if text == preamble::UABT => return Some(Said::Greeting),
            (Kind::Stdio, text) if text == preamble::UUUU => {}
            (Kind::Stdio, text) => self.line.text(text),
            (Kind::HelloReply, &[high, low]) => return Some(Said::Mtu(u16::from_be_bytes([high, low]))),
            (Kind::Command, text) => {
                let reply = Reply::parse(text);
                return Some(self.take(reply));
            }
            _ => {}
        }
        Some(Said::Else)
    }

    /// Shows what ends no command.
    fn take(&mut self, reply: Reply) -> Said {
        match reply {
            Reply::Info(text) => self.note(&text),
            Reply::Progress(percent) if percent > self.percent => {
                self.percent = percent;
                self.report(Progress::Note(&format!("the module has done {percent} %")));
            }
            Reply::Progress(_) => {}
            reply => return Said::Reply(reply),
        }
        Said::Else
    }
}
