//! The link: one command outstanding, silence and damage told apart from refusal, and the sync that opens a stage.
//!
//! ```text
//! H 7E                         M VER      a loader that waits for its first flag
//! H CONNECT                    M ACK      a loader that is past it
//! ```
//!
//! Source: specs/unisoc-pac-bsl.md §2.3, §4.4, §9.2.

use std::collections::VecDeque;
use std::ops::Range;
use std::time::Duration;

use super::bsl::{Code, Command, patience};
use super::hdlc::{self, Check, Decoder, Event};
use super::session::Transport;
use crate::{Cause, Progress, Wire, WireError};

/// The packet size after which a raw USB transfer is cut: that of full speed. A multiple of any larger packet
/// size is one of this too, and a cut more does no harm. Source: specs/unisoc-pac-bsl.md §2.3.
const USB_PACKET_BYTES: usize = 64;
/// Reads after which bytes nobody asked for are left for later: a module that chatters must not hold us up.
const READS_BETWEEN_COMMANDS: usize = 64;
/// CONNECT is said so often at most.
const CONNECT_TRIES: u32 = 3;
/// The line is given up for quiet after this many silent moments' time.
const QUIET_TRIES: u32 = 20;
/// Log lines kept for the error report.
const LOG_LINES: usize = 30;

/// Why an exchange did not end as it should.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Trouble {
    /// No answer, or none that can be read: what the module has done is not known.
    Lost(Cause),
    /// The module said no.
    Refused {
        /// To what.
        sent: Command,
        /// In these words.
        code: Code,
    },
    /// Nothing that another try could mend.
    Fatal(Cause),
}

impl From<WireError> for Trouble {
    fn from(error: WireError) -> Self {
        Trouble::Fatal(Cause::Wire(error))
    }
}

impl From<Cause> for Trouble {
    fn from(cause: Cause) -> Self {
        Trouble::Fatal(cause)
    }
}

impl From<Trouble> for Cause {
    fn from(trouble: Trouble) -> Self {
        match trouble {
            Trouble::Lost(cause) | Trouble::Fatal(cause) => cause,
            Trouble::Refused { sent, code } => Cause::Refused {
                sent: sent.name().into(),
                answer: code.to_string(),
            },
        }
    }
}

/// The bytes to and from one module in download mode.
pub(super) struct Link<'w> {
    wire: &'w mut dyn Wire,
    decoder: Decoder,
    check: Check,
    /// Received and not yet decoded: `inbox[unread]`.
    inbox: Box<[u8; 16384]>,
    unread: Range<usize>,
    outbox: Vec<u8>,
    /// What `outbox` holds, or what was sent last.
    command: Command,
    raw_usb: bool,
    log: VecDeque<String>,
}

impl<'w> Link<'w> {
    /// A link on which nothing has been said yet.
    pub fn new(wire: &'w mut dyn Wire, transport: Transport, check: Check) -> Self {
        Link {
            wire,
            decoder: Decoder::new(check),
            check,
            inbox: Box::new([0; 16384]),
            unread: 0..0,
            outbox: Vec::new(),
            command: Command::Connect,
            raw_usb: transport == Transport::RawUsb,
            log: VecDeque::new(),
        }
    }

    /// The next stage uses this check sum.
    pub fn expect(&mut self, check: Check) {
        self.check = check;
        self.decoder.expect(check);
    }

    pub fn report(&mut self, fact: Progress<'_>) {
        self.wire.report(fact);
    }

    pub fn set_baud(&mut self, baud: u32) -> Result<(), WireError> {
        self.wire.set_baud(baud)
    }

    pub fn pause(&mut self, how_long: Duration) -> Result<(), WireError> {
        self.wire.pause(how_long)
    }

    pub fn deadline(&self, within: Duration) -> Duration {
        self.wire.now() + within
    }

    /// The last lines for the error report, oldest first.
    pub fn log_lines(&self) -> Vec<String> {
        self.log.iter().cloned().collect()
    }

    /// Shows a line, and keeps it for the error report.
    pub fn note(&mut self, line: &str) {
        if self.log.len() == LOG_LINES {
            self.log.pop_front();
        }
        self.log.push_back(line.to_owned());
        self.wire.report(Progress::Note(line));
    }

    /// The payload of the answer received last.
    pub fn payload(&self) -> &[u8] {
        self.decoder.payload()
    }
}

/// Commands.
impl Link<'_> {
    /// Sends a command and waits for ACK.
    pub fn command(&mut self, command: Command, payload: &[u8], patience: Duration) -> Result<(), Trouble> {
        self.prepare(command, payload);
        self.send()?;
        self.acknowledged(patience)
    }

    /// Sends a command and waits for the answer, whatever it is.
    pub fn ask(&mut self, command: Command, payload: &[u8], patience: Duration) -> Result<Code, Trouble> {
        self.prepare(command, payload);
        self.send()?;
        self.answer(patience)
    }

    /// CONNECT, which does no harm in any state, up to three times. Late answers to the first ones are let pass.
    pub fn connect(&mut self, patience: Duration) -> Result<(), Trouble> {
        let mut tries = 1;
        loop {
            match self.command(Command::Connect, &[], patience) {
                Err(Trouble::Lost(_)) if tries < CONNECT_TRIES => tries += 1,
                Ok(()) if tries > 1 => return self.quiet(),
                answer => return answer,
            }
        }
    }

    /// Encodes a command, so that this need not be done while the module waits.
    pub fn prepare(&mut self, command: Command, payload: &[u8]) {
        self.command = command;
        self.outbox.clear();
        hdlc::encode(self.check, command as u16, payload, &mut self.outbox);
    }

    /// Sends what was prepared.
    pub fn send(&mut self) -> Result<(), Trouble> {
        self.hush()?;
        let packet = if self.raw_usb {
            USB_PACKET_BYTES
        } else {
            usize::MAX
        };
        let (first, last) = hdlc::short_packet_cut(&self.outbox, packet);
        self.wire.send(&self.outbox[first])?;
        if !last.is_empty() {
            self.wire.send(&self.outbox[last])?;
        }
        Ok(())
    }

    /// Waits for ACK to what was sent last.
    pub fn acknowledged(&mut self, patience: Duration) -> Result<(), Trouble> {
        let sent = self.command;
        match self.answer(patience)? {
            Code::ACK => Ok(()),
            code => Err(Trouble::Refused { sent, code }),
        }
    }

    /// Waits for the answer to what was sent last. A damaged frame is the answer unless a whole one follows soon.
    fn answer(&mut self, patience: Duration) -> Result<Code, Trouble> {
        let (sent, began) = (self.command.name(), self.wire.now());
        let mut until = began + patience;
        let mut damage = None;
        while let Some(event) = self.next(until)? {
            match event {
                Event::Frame { kind, check } if check == self.check => match Code(kind) {
                    Code::VER => {}
                    Code::LOG => self.log_frame(),
                    code if self.command.may_be_answered_with(code) => return Ok(code),
                    code => self.note(&format!("dropped an answer to nothing: {code}")),
                },
                Event::Frame { .. } => damage = Some("a frame with another stage's check sum".to_owned()),
                Event::Damaged(bytes) => damage = Some(format!("{bytes} bytes that are no frame")),
            }
            if damage.is_some() {
                until = until.min(self.wire.now() + patience::AFTER_DAMAGE);
            }
        }
        Err(Trouble::Lost(match damage {
            Some(answer) => Cause::Malformed {
                sent: sent.into(),
                answer,
            },
            None => silent(sent, self.wire.now() - began, 1),
        }))
    }

    /// Before a command: what has arrived unasked is dropped, so that it can never be taken for the answer.
    pub fn hush(&mut self) -> Result<(), Trouble> {
        let now = self.wire.now();
        for _ in 0..READS_BETWEEN_COMMANDS {
            match self.next(now)? {
                None => break,
                Some(event) => self.unasked(event)?,
            }
        }
        Ok(())
    }

    /// After an answer was lost: is the loader alive, and has it said everything? Source: §4.4, §9.2: CONNECT
    /// keeps the state, and a loader that has stopped answers nothing any more.
    pub fn revive(&mut self, lost: Cause) -> Result<(), Trouble> {
        self.note(&format!("{lost}; asking the loader whether it is alive"));
        let sent = self.command.name();
        self.prepare(Command::Connect, &[]);
        self.wire.send(&self.outbox)?;
        let until = self.deadline(patience::CONNECT);
        let ack = Event::Frame {
            kind: Code::ACK.0,
            check: self.check,
        };
        loop {
            match self.next(until)? {
                Some(event) if event == ack => return self.quiet(),
                Some(_) => {}
                None => break,
            }
        }
        self.note("the loader has stopped: power-cycle the module and run again");
        let both = format!("{sent} + CONNECT");
        Err(Trouble::Fatal(silent(&both, patience::CONNECT, 1)))
    }

    /// Waits until the module has said everything it has to say. A refusal among it means that something we took
    /// for done was not; an acknowledgement too many was one that came late, or twice.
    pub fn quiet(&mut self) -> Result<(), Trouble> {
        for _ in 0..QUIET_TRIES {
            let until = self.deadline(patience::QUIET);
            let mut spoke = false;
            for _ in 0..READS_BETWEEN_COMMANDS {
                match self.next(until)? {
                    None => break,
                    Some(event) => self.unasked(event)?,
                }
                spoke = true;
            }
            if !spoke {
                self.decoder.clear();
                return Ok(());
            }
        }
        Err(Trouble::Fatal(Cause::Malformed {
            sent: "nothing".into(),
            answer: "bytes without end".into(),
        }))
    }

    /// A frame that answers nothing.
    fn unasked(&mut self, event: Event) -> Result<(), Trouble> {
        match event {
            Event::Damaged(_) => {}
            Event::Frame { kind, .. } => match Code(kind) {
                Code::VER => {}
                Code::LOG => self.log_frame(),
                Code::ACK | Code::READ_FLASH => {
                    self.note(&format!("dropped an answer to nothing: {}", Code(kind)));
                }
                code => {
                    return Err(Trouble::Fatal(Cause::Malformed {
                        sent: "a command it had acknowledged".into(),
                        answer: code.to_string(),
                    }));
                }
            },
        }
        Ok(())
    }

    /// Sends flags until a version comes; the check sum of that says who sent it. Bytes before the first whole
    /// frame are nobody's, and flags stop as soon as a frame has begun. Source: §6.3 step 5, §6.4.
    pub fn sync(&mut self, flags: &[u8], (period, tries): (Duration, u32)) -> Result<Option<Check>, Trouble> {
        for _ in 0..tries {
            self.wire.send(flags)?;
            let mut until = self.deadline(period);
            let mut patient = false;
            loop {
                match self.next(until)? {
                    Some(Event::Frame { kind, check }) if Code(kind) == Code::VER => {
                        let text: String = String::from_utf8_lossy(self.payload())
                            .chars()
                            .filter(|c| !c.is_control())
                            .take(80)
                            .collect();
                        self.note(&format!("the loader says `{text}`"));
                        return Ok(Some(check));
                    }
                    Some(_) => {}
                    None if self.decoder.mid_frame() && !patient => {
                        patient = true;
                        until = self.deadline(period);
                    }
                    None => break,
                }
            }
        }
        Ok(None)
    }

    fn log_frame(&mut self) {
        let text: String = String::from_utf8_lossy(self.payload())
            .chars()
            .take(200)
            .collect();
        self.note(text.trim_end_matches(['\0', '\r', '\n']));
    }

    /// The next frame or damage, or nothing when `until` has come; then what has arrived is still taken in, unless it
    /// has no end.
    fn next(&mut self, until: Duration) -> Result<Option<Event>, WireError> {
        let mut reads_left = READS_BETWEEN_COMMANDS;
        loop {
            let mut rest = &self.inbox[self.unread.clone()];
            let event = self.decoder.next(&mut rest);
            self.unread.start = self.unread.end - rest.len();
            if event.is_some() {
                return Ok(event);
            }
            let within = until.saturating_sub(self.wire.now());
            if within.is_zero() {
                reads_left -= 1;
            }
            let count = match reads_left {
                0 => 0,
                _ => self.wire.receive(&mut self.inbox[..], within)?,
            };
            if count == 0 {
                return Ok(None);
            }
            self.unread = 0..count.min(self.inbox.len());
        }
    }
}

/// Bytes without frames, for the mask ROM that speaks PDL.
impl Link<'_> {
    /// Sends what `encode` puts in place of the outbox.
    pub fn send_raw(&mut self, encode: impl FnOnce(&mut Vec<u8>)) -> Result<(), WireError> {
        encode(&mut self.outbox);
        self.wire.send(&self.outbox)
    }

    /// Some bytes, or nothing when `until` has come.
    pub fn read_raw(&mut self, until: Duration) -> Result<Option<&[u8]>, WireError> {
        let within = until.saturating_sub(self.wire.now());
        if within.is_zero() {
            return Ok(None);
        }
        let count = self.wire.receive(&mut self.inbox[..], within)?;
        Ok(self.inbox.get(..count).filter(|bytes| !bytes.is_empty()))
    }

    /// Drops what has arrived.
    pub fn drain(&mut self) -> Result<(), WireError> {
        self.unread = 0..0;
        self.decoder.clear();
        for _ in 0..READS_BETWEEN_COMMANDS {
            if self.wire.receive(&mut self.inbox[..], Duration::ZERO)? == 0 {
                break;
            }
        }
        Ok(())
    }
}

pub(super) fn silent(sent: &str, waited: Duration, tries: u32) -> Cause {
    Cause::Silent {
        sent: sent.to_owned(),
        waited,
        tries,
    }
}
