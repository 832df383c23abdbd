//! The link: one command outstanding, silence and damage told apart from refusal, and the syncs that open sessions.
//!
//! ```text
//! H CD D3 02 2B CD D3 02 2B     M CD D3 02 2B        the program we want
//! H 00 D3 02 2B 00 D3 02 2B     M 2B 02 D3 EE        another program
//! H 44 00 4C B3 00 00 00 00 ..  M 44 00 4C B3 00 04 00 00 00 00 ..
//! ```
//!
//! Source: specs/eigencomm-agentboot.md §4.1, §4.2, §7.2, §7.3.

use std::collections::VecDeque;
use std::time::Duration;

use super::commands::{Code, Command, IMAGE_ORDER, LOOP_ORDER, Stage, patience};
use super::frame::{self, Check, Decoder, Event};
use super::session::Pacing;
use crate::{Cause, Progress, Wire, WireError};

/// Reads after which bytes nobody asked for are left for later: a module that chatters must not hold us up.
const READS_AT_ONCE: usize = 64;
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
        /// With the index of the packet it wants, when that is what was wrong.
        index: u8,
        /// Why.
        code: Code,
    },
    /// Another program is listening than the one this was for: the image, if there was one, is broken off.
    Elsewhere(&'static str),
    /// Nothing that another try could mend.
    Fatal(Cause),
}

impl From<WireError> for Trouble {
    fn from(error: WireError) -> Self {
        Trouble::Fatal(Cause::Wire(error))
    }
}

impl From<Trouble> for Cause {
    fn from(trouble: Trouble) -> Self {
        match trouble {
            Trouble::Lost(cause) | Trouble::Fatal(cause) => cause,
            Trouble::Elsewhere(sent) => Cause::Malformed {
                sent: sent.into(),
                answer: "that another program is listening".into(),
            },
            Trouble::Refused { sent, code, .. } => Cause::Refused {
                sent: sent.name.into(),
                answer: code.to_string(),
            },
        }
    }
}

/// What a sync was answered with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Heard {
    /// The program we want.
    Echo,
    /// Another program.
    WrongState,
    /// Nothing.
    Silence,
}

/// The bytes to and from one module in download mode.
pub(super) struct Link<'w> {
    wire: &'w mut dyn Wire,
    decoder: Decoder,
    inbox: Box<[u8; 16384]>,
    outbox: Vec<u8>,
    pacing: Option<Pacing>,
    /// Of a UART: what a byte's time is.
    baud: Option<u32>,
    log: VecDeque<String>,
    retried: bool,
    /// Something was dropped before a BULK_READ.
    unsettled: bool,
}

impl<'w> Link<'w> {
    /// A link to a boot ROM on which nothing has been said yet.
    pub fn new(wire: &'w mut dyn Wire, pacing: Option<Pacing>) -> Self {
        Link {
            wire,
            decoder: Decoder::new(Check::Sum),
            inbox: Box::new([0; 16384]),
            outbox: Vec::new(),
            pacing,
            baud: None,
            log: VecDeque::new(),
            retried: false,
            unsettled: false,
        }
    }

    /// Whose answers come from now on.
    pub fn expect(&mut self, check: Check) {
        self.decoder.expect(check);
    }

    pub fn report(&mut self, fact: Progress<'_>) {
        self.wire.report(fact);
    }

    /// The line speed from now on; only for a UART.
    pub fn set_baud(&mut self, baud: u32) -> Result<(), WireError> {
        self.baud = Some(baud);
        self.wire.set_baud(baud)
    }

    pub fn pause(&mut self, how_long: Duration) -> Result<(), WireError> {
        self.wire.pause(how_long)
    }

    pub fn now(&self) -> Duration {
        self.wire.now()
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

    /// Whether any command has been sent more than once.
    pub fn has_retried(&self) -> bool {
        self.retried
    }

    /// The data of the answer received last.
    pub fn payload(&self) -> &[u8] {
        self.decoder.payload()
    }
}

/// Syncs.
impl Link<'_> {
    /// Says the sync word twice, once, and waits for what answers it.
    pub fn sync(&mut self, stage: Stage, within: Duration) -> Result<Heard, WireError> {
        self.drop_input()?;
        self.outbox.clear();
        self.outbox.extend(stage.sync_word());
        self.outbox.extend(stage.sync_word());
        self.wire.send(&self.outbox)?;
        let until = self.wire.now() + within;
        loop {
            match self.decoder.next_word() {
                Some(Some(heard)) if heard == stage => return Ok(Heard::Echo),
                Some(None) => return Ok(Heard::WrongState),
                Some(Some(_)) => {}
                None if self.take_in(until)? => {}
                None => return Ok(Heard::Silence),
            }
        }
    }

    /// Whether nothing but zeros and late echoes follows the echo of a boot ROM. Source: §3.1.
    pub fn ends_with_the_echo(&mut self) -> Result<bool, WireError> {
        let until = self.wire.now() + patience::AFTER_ROM_ECHO;
        for _ in 0..READS_AT_ONCE {
            if !self.take_in(until)? {
                break;
            }
        }
        let clean = self.decoder.holds_only_echoes(Stage::Rom);
        self.decoder.clear();
        Ok(clean)
    }

    /// Waits until the module has forgotten whatever it had half received. Source: §4.2 (V*).
    pub fn stay_silent(&mut self) -> Result<(), WireError> {
        self.wire.pause(patience::SILENCE)?;
        self.drop_input().map(drop)
    }
}

/// Commands.
impl Link<'_> {
    /// Sends a command, again while its answer is lost or the line has spoilt it, and waits for the answer.
    ///
    /// # Errors
    /// What the last try brought.
    pub fn command(
        &mut self,
        command: Command,
        index: u8,
        data: &[u8],
        (within, tries): (Duration, u32),
    ) -> Result<(), Trouble> {
        let mut tried = 1;
        loop {
            match self.ask(command, index, data, within) {
                // The answer to the packet was lost: the module has it, and wants the next one. Source: §7.3.
                Err(Trouble::Refused {
                    code, index: next, ..
                }) if code == Code::BAD_INDEX && next == command.answer_index(index) && next != index => {
                    return Ok(());
                }
                Err(Trouble::Refused { code, .. }) if code.is_of_the_line() && tried < tries => {
                    self.note(&format!(
                        "`{}` did not arrive: {code}; sending it again",
                        command.name
                    ));
                    self.wire.pause(patience::FLUSH)?;
                }
                Err(Trouble::Lost(why)) if tried < tries => {
                    self.note(&format!("{why}; sending it again"));
                    self.quiet()?;
                }
                Err(Trouble::Lost(Cause::Silent { sent, waited, .. })) => {
                    return Err(Trouble::Lost(silent(&sent, waited * tries, tries)));
                }
                answer => return answer,
            }
            tried += 1;
            self.retried = true;
        }
    }

    /// Sends a command once and waits for the answer.
    ///
    /// # Errors
    /// [`Trouble::Lost`] when none can be read, [`Trouble::Refused`] when the module says no.
    pub fn ask(&mut self, command: Command, index: u8, data: &[u8], within: Duration) -> Result<(), Trouble> {
        let dropped = self.drop_input()?;
        self.unsettled |= dropped && command == Command::BULK_READ;
        self.outbox.clear();
        frame::encode(self.decoder.check(), command, index, data, &mut self.outbox);
        self.send()?;
        self.answer(command, index, within)
    }

    fn send(&mut self) -> Result<(), WireError> {
        let Some(pacing) = self.pacing else {
            return self.wire.send(&self.outbox);
        };
        for (number, piece) in self.outbox.chunks(pacing.bytes.max(1)).enumerate() {
            if number > 0 {
                self.wire.pause(pacing.pause)?;
            }
            self.wire.send(piece)?;
        }
        Ok(())
    }

    /// Waits for the answer to what was sent last. A damaged frame is the answer unless a whole one follows soon;
    /// answers to anything else came late, and are dropped.
    fn answer(&mut self, command: Command, index: u8, within: Duration) -> Result<(), Trouble> {
        let began = self.wire.now();
        let bytes = self.outbox.len()
            + match command {
                Command::BULK_READ => frame::BULK_BYTES,
                _ => 0,
            };
        let within = within + self.line_time(bytes);
        let mut until = began + within;
        let mut damage = None;
        let wanted = Event::Answer {
            code: command.code,
            index: command.answer_index(index),
            order: command.order,
        };
        loop {
            match self.decoder.next_answer() {
                Some(event) if event == wanted => return Ok(()),
                Some(Event::Answer { .. }) => {}
                Some(Event::Refusal { head, refusal }) if is_about(head, command) => {
                    return Err(Trouble::Refused {
                        sent: command,
                        index: head[1],
                        code: refusal,
                    });
                }
                Some(Event::Refusal { .. }) => {}
                Some(Event::WrongState) => return Err(Trouble::Elsewhere(command.name)),
                Some(Event::Damaged(bytes)) => {
                    damage = Some(format!("{bytes} bytes with a wrong check sum"));
                    until = until.min(self.wire.now() + patience::AFTER_DAMAGE);
                }
                None if self.take_in(until)? => {}
                None => break,
            }
        }
        Err(match damage {
            Some(answer) => malformed(command, answer),
            None if self.decoder.is_midst() => malformed(command, "a part of an answer".into()),
            None => Trouble::Lost(silent(command.name, within, 1)),
        })
    }

    /// What the line itself needs for so many bytes; nothing over USB. Ten bits are a byte, and a quarter is added
    /// for the pauses of converters.
    fn line_time(&self, bytes: usize) -> Duration {
        let per_byte = |baud: u32| Duration::from_secs(10) * bytes as u32 / baud.max(1);
        self.baud.map_or(Duration::ZERO, |baud| per_byte(baud) * 5 / 4)
    }

    /// Whether nothing has come since the last call, or comes now, that no BULK_READ has asked for.
    pub fn is_settled(&mut self) -> Result<bool, WireError> {
        let until = self.wire.now() + patience::SETTLED;
        let more = self.take_in(until)?;
        self.quiet()?;
        Ok(!std::mem::take(&mut self.unsettled) && !more)
    }

    /// Waits until nothing more comes, not for ever.
    fn quiet(&mut self) -> Result<(), WireError> {
        let noisy = self.wire.now() + patience::NOISY;
        while self.wire.now() < noisy {
            let until = self.wire.now() + patience::QUIET;
            if !self.take_in(until)? {
                break;
            }
            self.decoder.clear();
        }
        self.decoder.clear();
        Ok(())
    }

    /// What has arrived unasked is dropped, so that it can never be taken for an answer; true when there was something.
    fn drop_input(&mut self) -> Result<bool, WireError> {
        let mut dropped = self.decoder.is_midst();
        for _ in 0..READS_AT_ONCE {
            if self.wire.receive(&mut self.inbox[..], Duration::ZERO)? == 0 {
                break;
            }
            dropped = true;
        }
        self.decoder.clear();
        Ok(dropped)
    }

    /// Takes some bytes in; false when none has come until then.
    fn take_in(&mut self, until: Duration) -> Result<bool, WireError> {
        let within = until.saturating_sub(self.wire.now());
        if within.is_zero() {
            return Ok(false);
        }
        let count = self.wire.receive(&mut self.inbox[..], within)?;
        self.decoder.push(self.inbox.get(..count).unwrap_or_default());
        Ok(count > 0)
    }
}

/// Whether a refusal with that head answers that command: its own head, or left-overs. Source: §7.2 (V*).
fn is_about(head: [u8; 4], command: Command) -> bool {
    let order = [head[2], head[3]];
    let left_over = order != IMAGE_ORDER && order != LOOP_ORDER;
    left_over || (head[0] == command.code && order == command.order)
}

fn malformed(command: Command, answer: String) -> Trouble {
    Trouble::Lost(Cause::Malformed {
        sent: command.name.into(),
        answer,
    })
}

pub(super) fn silent(sent: &str, waited: Duration, tries: u32) -> Cause {
    Cause::Silent {
        sent: sent.to_owned(),
        waited,
        tries,
    }
}
