//! Download mode: the stages that follow one another on one port, without re-enumeration. Source:
//! specs/unisoc-pac-bsl.md §4-6.
//!
//! ```text
//! UIS8910   PDL of the mask ROM --EXEC--> FDL1 --EXEC--> FDL2
//! UIS8850   BSL of the mask ROM --EXEC--> FDL
//! ```

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use super::bsl::{self, Then, Verdict};
use super::builder::{Unisoc, UnisocChip};
use super::desk::{Desk, Turn};
use super::fdl::Fdl;
use super::fdl1::{self, Fdl1};
use super::flash::UnisocFlash;
use super::hdlc::{self, Check, Decoder, Heard};
use super::pdl::{self, Outcome, Packet, Pdl};
use super::rom8850::{self, Rom8850};
use crate::fault::{Effect, Request, Stage};
use crate::outbox::Outbox;
use crate::port::{Ending, Manners, Talker};
use crate::shared::Shared;

const FLAG: u8 = 0x7E;
/// A frame of log text. Source: specs/unisoc-pac-bsl.md §5.2.
const LOG: u16 = 0xFF;
/// The receive FIFO of the 8910's loaders: a longer frame makes a real one panic. Source: §2.3.
const FIFO_8910: usize = 8192;

/// One power-on of download mode; everything in it is RAM.
pub(super) struct Loader {
    settings: Unisoc,
    flash: Arc<Mutex<UnisocFlash>>,
    desk: Desk,
    runs: Runs,
    /// The next stage starts, and hears nothing before.
    deaf_until: Option<Instant>,
}

/// What runs.
enum Runs {
    Pdl(Pdl),
    Bsl(Box<Bsl>),
    /// Stopped for ever: only a power cycle helps.
    Nothing,
}

/// A stage that speaks BSL.
struct Bsl {
    stage: Stage,
    check: Check,
    decoder: Decoder,
    program: Program,
    /// Flags in a row that are still to be heard, and how many it takes; none when it has been synchronised.
    flags: Option<(u32, u32)>,
    version: &'static [u8],
}

enum Program {
    Rom(Rom8850),
    Fdl1(Fdl1),
    Fdl(Fdl),
}

impl Bsl {
    fn rom8850() -> Self {
        Bsl {
            stage: Stage::Rom,
            check: Check::Crc,
            decoder: Decoder::new(Check::Crc, rom8850::LIMIT),
            program: Program::Rom(Rom8850::default()),
            flags: Some((3, 3)),
            version: rom8850::VERSION,
        }
    }

    fn fdl1() -> Self {
        Bsl {
            stage: Stage::Fdl1,
            check: Check::Sum,
            decoder: Decoder::new(Check::Sum, fdl1::LIMIT),
            program: Program::Fdl1(Fdl1::default()),
            flags: Some((1, 1)),
            version: fdl1::VERSION,
        }
    }

    /// FDL2 goes on where FDL1 was; the 8850's FDL waits for flags again. Its version text is not known [?].
    fn fdl(image: &[u8], settings: &Unisoc, flash: Arc<Mutex<UnisocFlash>>) -> Self {
        Bsl {
            stage: Stage::Fdl2,
            check: Check::Sum,
            decoder: Decoder::new(Check::Sum, settings.largest_payload),
            program: Program::Fdl(Fdl::new(image, settings, flash)),
            flags: (settings.chip == UnisocChip::Uis8850).then_some((3, 3)),
            version: fdl1::VERSION,
        }
    }

    /// Looks for the flags that the stage waits for; true when they have been heard.
    fn synchronises(&mut self, rest: &mut &[u8]) -> bool {
        let Some((left, wanted)) = &mut self.flags else {
            return false;
        };
        while let Some((byte, after)) = rest.split_first() {
            *rest = after;
            *left = if *byte == FLAG { *left - 1 } else { *wanted };
            if *left == 0 {
                self.flags = None;
                return true;
            }
        }
        false
    }

    fn execute(&mut self, kind: u16) -> Verdict {
        let payload = self.decoder.payload();
        match &mut self.program {
            Program::Rom(rom) => rom.execute(kind, payload),
            Program::Fdl1(fdl) => fdl.execute(kind, payload),
            Program::Fdl(fdl) => fdl.execute(kind, payload),
        }
    }

    /// What it makes of a frame that is wrong: the ROM says so; the loaders drop what does not fit its length and
    /// stop at a wrong sum.
    fn misheard(&self, heard: Heard) -> Verdict {
        match (&self.program, heard) {
            (Program::Rom(_), _) => Verdict::code(bsl::VERIFY_ERROR),
            (_, Heard::WrongCheck) => Verdict::silence().and(Then::Stop),
            _ => Verdict::silence(),
        }
    }

    fn complaint(&mut self) -> Option<String> {
        match &mut self.program {
            Program::Fdl(fdl) => fdl.complaint.take(),
            _ => None,
        }
    }

    /// A request in words, for the log.
    fn describe(&self, kind: u16) -> String {
        let words = (0..3).filter_map(|index| bsl::word(self.decoder.payload(), index));
        let words: String = words.map(|word| format!(" {word:#x}")).collect();
        match bsl::request(kind) {
            Request::Midst => "Midst".into(),
            Request::Other => format!("{kind:#x}"),
            request => format!("{request:?}{words}"),
        }
    }

    fn answer(&self, code: u16, payload: &[u8], takes: Duration, desk: &mut Desk, turn: &mut Turn<'_>) {
        let frame = hdlc::encode(self.check, code, payload);
        let text_code = if code == bsl::VER { bsl::VER } else { LOG };
        let replace = |effect: &Effect| match effect {
            Effect::Answer(text) => Some(hdlc::encode(self.check, text_code, text.as_bytes())),
            _ => None,
        };
        desk.answer(&frame, replace, takes, turn);
    }

    /// The flags have been heard: the stage says its version.
    fn greet(&self, desk: &mut Desk, turn: &mut Turn<'_>) {
        let request = (self.stage, Request::Sync);
        match desk.receive(request, String::new, 0, turn) {
            Some(code) => self.answer(code, &[], Duration::ZERO, desk, turn),
            None => self.answer(bsl::VER, self.version, Duration::ZERO, desk, turn),
        }
    }

    /// Something was heard; gives what follows.
    fn heard(&mut self, heard: Heard, desk: &mut Desk, turn: &mut Turn<'_>) -> Then {
        let verdict = match heard {
            Heard::Frame(kind) => self.request(kind, desk, turn),
            wrong => {
                desk.violation(self.stage, "a frame with a wrong length or check");
                self.misheard(wrong)
            }
        };
        if let Some(complaint) = self.complaint() {
            desk.violation(self.stage, &complaint);
        }
        if let Some((code, payload)) = verdict.reply {
            self.answer(code, &payload, verdict.takes, desk, turn);
        }
        verdict.then
    }

    fn request(&mut self, kind: u16, desk: &mut Desk, turn: &mut Turn<'_>) -> Verdict {
        let has_fifo = matches!(&self.program, Program::Fdl(fdl) if fdl.has_fifo());
        if has_fifo && self.decoder.wire_bytes() > FIFO_8910 {
            desk.violation(self.stage, "a frame longer than the receive FIFO");
        }
        let request = (self.stage, bsl::request(kind));
        let data = self.decoder.payload().len();
        let replaced = desk.receive(request, || self.describe(kind), data, turn);
        match replaced {
            Some(code) => Verdict::code(code),
            None if desk.afflictions.is_ending() => Verdict::silence(),
            None => self.execute(kind),
        }
    }
}

impl Loader {
    /// The module fresh from reset, in its mask ROM.
    pub fn new(settings: Unisoc, shared: Arc<Shared>, flash: Arc<Mutex<UnisocFlash>>) -> Self {
        let runs = match settings.chip {
            UnisocChip::Uis8910 => Runs::Pdl(Pdl::default()),
            UnisocChip::Uis8850 => Runs::Bsl(Box::new(Bsl::rom8850())),
        };
        Loader {
            settings,
            flash,
            desk: Desk::new(shared),
            runs,
            deaf_until: None,
        }
    }

    /// Does what a packet says to the 8910's ROM.
    fn packet(&mut self, packet: &Packet, turn: &mut Turn<'_>) {
        let Runs::Pdl(rom) = &mut self.runs else {
            return;
        };
        let line = || format!("{:?} {:#x} {:#x}", packet.request(), packet.address, packet.size);
        let line = || match packet.request() {
            Request::Midst => "Midst".into(),
            _ => line(),
        };
        let request = (Stage::Rom, packet.request());
        let replaced = self.desk.receive(request, line, packet.data.len(), turn);
        let outcome = match replaced {
            Some(code) => Outcome::Reply(code.into()),
            None if self.desk.afflictions.is_ending() => return,
            None => rom.execute(packet),
        };
        if let Some(complaint) = rom.complaint.take() {
            self.desk.violation(Stage::Rom, &complaint);
        }
        match outcome {
            Outcome::Reply(code) => {
                let reply = pdl::reply(code, self.settings.rom_garbage);
                self.desk.answer(&reply, |_| None, Duration::ZERO, turn);
            }
            Outcome::Runs(image) => self.run(&image, turn),
        }
    }

    /// A stage has started an image in RAM; one that is broken crashes.
    fn run(&mut self, image: &[u8], turn: &mut Turn<'_>) {
        let flash = Arc::clone(&self.flash);
        self.runs = match &self.runs {
            Runs::Pdl(_) if super::images::is_whole_uimage(image) => Runs::Bsl(Box::new(Bsl::fdl1())),
            Runs::Bsl(_) => {
                let next = Bsl::fdl(image, &self.settings, flash);
                match self.settings.chip {
                    // The first act of FDL2 is the answer to EXEC.
                    UnisocChip::Uis8910 => {
                        next.answer(bsl::ACK, &[], self.settings.exec_time, &mut self.desk, turn);
                    }
                    UnisocChip::Uis8850 => self.deaf_until = Some(turn.now + self.settings.exec_time),
                }
                Runs::Bsl(Box::new(next))
            }
            _ => Runs::Nothing,
        };
    }

    /// Takes bytes up to the next request; false when they are used up.
    fn step(&mut self, rest: &mut &[u8], turn: &mut Turn<'_>) -> bool {
        let then = match &mut self.runs {
            Runs::Nothing => return false,
            Runs::Pdl(rom) => {
                let packet = rom.next(rest);
                if let Some(packet) = &packet {
                    self.packet(packet, turn);
                }
                return packet.is_some();
            }
            Runs::Bsl(stage) if stage.flags.is_some() => {
                if stage.synchronises(rest) {
                    stage.greet(&mut self.desk, turn);
                }
                Then::GoOn
            }
            Runs::Bsl(stage) => match stage.decoder.next(rest) {
                Some(heard) => stage.heard(heard, &mut self.desk, turn),
                None => return false,
            },
        };
        match then {
            Then::GoOn => {}
            Then::Stop => self.runs = Runs::Nothing,
            Then::Reset => self.desk.restart(turn.now),
            Then::Run(image) => self.run(&image, turn),
        }
        !rest.is_empty()
    }
}

impl Talker for Loader {
    fn hear(&mut self, bytes: &[u8], now: Instant, out: &mut Outbox) {
        let count = bytes.len() as u64;
        self.desk
            .shared
            .count(|counters| counters.download_bytes += count);
        if self.deaf_until.is_some_and(|until| now < until) {
            return;
        }
        let mut rest = bytes;
        while !self.desk.afflictions.is_ending() && self.step(&mut rest, &mut Turn { now, out }) {}
    }

    fn next_tick(&self) -> Option<Instant> {
        self.desk.afflictions.ends_at()
    }

    fn ending(&self, now: Instant) -> Option<Ending> {
        self.desk.afflictions.ended(now)
    }

    fn manners(&self) -> Manners {
        self.desk.afflictions.manners
    }
}
