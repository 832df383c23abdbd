//! Download mode: the link layer of the loader and what strikes it. Source: specs/asr-aboot.md §3.
//!
//! ```text
//! H UUUU~           M ~UABT~
//! H ~UABT~          M ~UABT~
//! H HELLO 1024      M HELLO_REPLY 1024, then a heartbeat every 300 ms
//! H getvar:version  M OKAY0.5
//! ```

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use crate::afflictions::Afflictions;
use crate::asr::builder::{Asr, Variant};
use crate::asr::flash::Flash;
use crate::asr::programmer::{Generation, Programmer, Report};
use crate::asr::smux::{self, Decoder, Kind, PreambleMatcher};
use crate::asr::tables::PartitionTable;
use crate::fault::{Effect, Point};
use crate::outbox::Outbox;
use crate::port::{Ending, Manners, Talker};
use crate::shared::{Shared, lock};

/// Period of heartbeats. Source: specs/asr-aboot.md §3.4 [1].
const HEARTBEAT: Duration = Duration::from_millis(300);
/// Largest payload before HELLO. Source: specs/asr-aboot.md §3.3.
const FIRST_MTU: u16 = 1024;

/// One power-on of the loader; everything in it is RAM.
pub(crate) struct Loader {
    pub(super) settings: Asr,
    pub(super) shared: Arc<Shared>,
    flash: Arc<Mutex<Flash>>,
    decoder: Decoder,
    preamble: PreambleMatcher,
    pub(super) link_up: bool,
    heartbeat_at: Option<Instant>,
    window_closes: Option<Instant>,
    afflictions: Afflictions,

    pub(super) incoming: Option<Incoming>,
    pub(super) downloads: u32,
    pub(super) all_data: u64,
    pub(super) buffer: Vec<u8>,
    pub(super) verified: bool,
    /// Images called so far; the second is the flasher.
    pub(super) called: u32,
    pub(super) knows_flash: bool,
    pub(super) table: Option<PartitionTable>,
    pub(super) programmer: Programmer,
    pub(super) waiting: Option<Waiting>,
    pub(super) reboots: bool,
}

/// A download that has been announced.
#[derive(Debug)]
pub(super) struct Incoming {
    pub expected: usize,
    /// `DATA` may be withheld by a fault, and bytes come all the same.
    pub received: usize,
}

/// A command that is answered when the worker has got so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Waiting {
    /// `download` waits for a free block.
    Block(usize),
    /// `erase` or `flash` of the 2019 generation waits for its own work.
    Job,
    /// `complete` waits for the whole queue.
    Queue,
}

impl Loader {
    /// A loader fresh from reset. When `window` is given it waits only so long for a preamble.
    pub fn new(
        settings: Asr,
        shared: Arc<Shared>,
        flash: Arc<Mutex<Flash>>,
        window: Option<Duration>,
        now: Instant,
    ) -> Self {
        let generation = settings.variant.generation();
        Loader {
            decoder: Decoder::new(FIRST_MTU.into()),
            preamble: PreambleMatcher::default(),
            link_up: false,
            heartbeat_at: None,
            window_closes: window.map(|window| now + window),
            afflictions: Afflictions::default(),
            incoming: None,
            downloads: 0,
            all_data: 0,
            buffer: Vec::new(),
            verified: false,
            called: 0,
            knows_flash: false,
            table: None,
            programmer: Programmer::new(generation, settings.bytes_per_second, now),
            waiting: None,
            reboots: false,
            settings,
            shared,
            flash,
        }
    }

    pub(super) fn flash(&self) -> MutexGuard<'_, Flash> {
        lock(&self.flash)
    }

    /// Whether the flasher runs.
    pub(super) fn is_flasher(&self) -> bool {
        matches!(self.settings.variant, Variant::Boot2Of1601(_)) || self.called >= 2
    }

    fn strike(&self, point: Point) -> Option<Effect> {
        self.shared.state().faults.strike(point)
    }

    fn suffer(&mut self, effect: Effect, now: Instant, out: &mut Outbox) -> Option<Effect> {
        self.afflictions.suffer(effect, now, out)
    }

    pub(super) fn end(&mut self, at: Instant, ending: Ending) {
        self.afflictions.end(at, ending);
    }

    fn handshake(&mut self, point: Point, answer: &[u8], now: Instant, out: &mut Outbox) {
        let effect = self
            .strike(point)
            .and_then(|effect| self.suffer(effect, now, out));
        self.afflictions.befall(effect);
        self.answer_raw(answer, Duration::ZERO, now, out);
    }

    /// Whether it says nothing any more.
    pub(super) fn is_mute(&self) -> bool {
        self.afflictions.mute
    }

    pub(super) fn hear_preamble(&mut self, now: Instant, out: &mut Outbox) {
        self.window_closes = None;
        let answer = match self.settings.variant {
            Variant::Rom1601 => b"UUUU",
            _ => b"UABT",
        };
        self.handshake(Point::Preamble, &smux::encode(Kind::Stdio, answer), now, out);
    }

    fn frame(&mut self, kind: Kind, now: Instant, out: &mut Outbox) {
        match kind {
            Kind::Stdio if self.decoder.payload() == b"UUUU" && self.link_up => self.hear_preamble(now, out),
            Kind::Stdio if self.decoder.payload() == b"UABT" => {
                self.window_closes = None;
                self.handshake(Point::Confirmation, &smux::encode(Kind::Stdio, b"UABT"), now, out);
            }
            Kind::Hello => self.hello(now, out),
            Kind::Command if self.link_up => {
                let command = String::from_utf8_lossy(self.decoder.payload()).into_owned();
                self.command(&command, now, out);
            }
            Kind::Data if self.link_up => self.data(now, out),
            _ => {}
        }
    }

    fn hello(&mut self, now: Instant, out: &mut Outbox) {
        let Ok(proposed) = <[u8; 2]>::try_from(self.decoder.payload()) else {
            return;
        };
        let mtu = u16::from_be_bytes(proposed).min(self.settings.mtu);
        self.decoder.set_limit(mtu.into());
        self.handshake(
            Point::Hello,
            &smux::encode(Kind::HelloReply, &mtu.to_be_bytes()),
            now,
            out,
        );
        if !self.link_up {
            self.link_up = true;
            self.heartbeat_at = Some(now + HEARTBEAT);
            self.log("INFO", "Aboot", "link is up", now, out);
        }
    }

    fn command(&mut self, command: &str, now: Instant, out: &mut Outbox) {
        self.shared.log_command(command);
        let specific = point_of(command).and_then(|point| self.strike(point));
        let effect = specific.or(self.strike(Point::Command));
        match effect.and_then(|effect| self.suffer(effect, now, out)) {
            _ if self.afflictions.is_ending() => {}
            Some(Effect::Refuse(reason)) => self.answer(&format!("FAIL{reason}"), now, out),
            effect => {
                self.afflictions.befall(effect);
                self.execute(command, now, out);
            }
        }
    }

    /// Takes the data of the current frame; frame boundaries mean nothing.
    fn data(&mut self, now: Instant, out: &mut Outbox) {
        let Some(incoming) = &mut self.incoming else {
            return;
        };
        let payload = self.decoder.payload();
        let wanted = payload.len().min(incoming.expected - incoming.received);
        self.buffer.extend_from_slice(&payload[..wanted]);
        incoming.received += wanted;
        self.all_data += wanted as u64;
        let (received, expected) = (incoming.received, incoming.expected);
        let struck = self
            .shared
            .state()
            .faults
            .strike_data(self.downloads, received as u64, self.all_data);
        match struck.and_then(|effect| self.suffer(effect, now, out)) {
            Some(Effect::Refuse(reason)) => {
                self.incoming = None;
                return self.answer(&format!("FAIL{reason}"), now, out);
            }
            _ if self.afflictions.is_ending() => return,
            _ => {}
        }
        if received == expected {
            self.incoming = None;
            self.shared
                .count(|counters| counters.data_bytes += expected as u64);
            let effect = self
                .strike(Point::AfterData)
                .and_then(|effect| self.suffer(effect, now, out));
            self.afflictions.befall(effect);
            self.answer("OKAY", now, out);
        }
    }

    /// Sends the text that ends a command, after what a fault makes of it.
    pub(super) fn answer(&mut self, text: &str, now: Instant, out: &mut Outbox) {
        self.answer_after(Duration::ZERO, text, now, out);
    }

    /// The same, when `delay` has passed.
    pub(super) fn answer_after(&mut self, delay: Duration, text: &str, now: Instant, out: &mut Outbox) {
        self.answer_raw(&smux::encode(Kind::Command, text.as_bytes()), delay, now, out);
    }

    fn answer_raw(&mut self, frame: &[u8], delay: Duration, now: Instant, out: &mut Outbox) {
        let text = |text: &str| Some(smux::encode(Kind::Command, text.as_bytes()));
        let replace = |effect: &Effect| match effect {
            Effect::Answer(other) => text(other),
            Effect::Refuse(reason) => text(&format!("FAIL{reason}")),
            _ => None,
        };
        self.afflictions.answer(frame, replace, delay, now, out);
    }

    /// Sends a text that does not end a command.
    pub(super) fn say(&self, text: &str, now: Instant, out: &mut Outbox) {
        if !self.afflictions.mute {
            out.say(now, smux::encode(Kind::Command, text.as_bytes()));
        }
    }

    /// Sends a log line. Source of the form: specs/asr-aboot.md §3.5.
    pub(super) fn log(&self, level: &str, part: &str, text: &str, now: Instant, out: &mut Outbox) {
        if self.settings.log_lines && !self.afflictions.mute {
            let line = format!("[{level:<4}: {part:<10}] {text}\n");
            out.say(now, smux::encode(Kind::Stdio, line.as_bytes()));
        }
    }

    /// Lets the worker work, and says what it has to say.
    pub(super) fn work(&mut self, now: Instant, out: &mut Outbox) {
        if self.afflictions.is_ending() {
            return;
        }
        let reports = self
            .programmer
            .work(now, self.table.as_ref(), &mut lock(&self.flash));
        for report in reports {
            match report {
                Report::Info(text) => self.say(&format!("INFO{text}"), now, out),
                Report::Log(text) => self.log("ERR", "Flasher", &text, now, out),
                Report::Progress(percent) => self.say(&format!("PROG{percent}"), now, out),
                Report::Done if self.waiting == Some(Waiting::Job) => {
                    self.waiting = None;
                    self.answer("OKAY", now, out);
                }
                Report::Done => {}
                Report::Struck(effect) => {
                    self.suffer(effect, now, out);
                }
                Report::Fail(text) => {
                    self.waiting.take_if(|waiting| *waiting == Waiting::Job);
                    self.say(&format!("FAIL{text}"), now, out);
                    // The 2019 worker loops for ever after its first failure, and the loader with it.
                    self.afflictions.mute |= self.settings.variant.generation() == Generation::Direct2019;
                }
            }
        }
        self.answer_waiting(now, out);
    }
}

/// What bytes from the host are, whatever the transport makes of them.
impl Loader {
    /// Counts what has come, and answers the preambles in it until the link is up.
    pub(super) fn count_and_greet(&mut self, bytes: &[u8], now: Instant, out: &mut Outbox) {
        self.shared
            .count(|counters| counters.download_bytes += bytes.len() as u64);
        if !self.link_up {
            for _ in 0..self.preamble.count(bytes) {
                self.hear_preamble(now, out);
            }
        }
    }

    /// Takes bytes of SMUX.
    pub(super) fn hear_frame(&mut self, mut bytes: &[u8], now: Instant, out: &mut Outbox) {
        while let Some(kind) = self.decoder.next(&mut bytes) {
            self.frame(kind, now, out);
        }
    }
}

fn point_of(command: &str) -> Option<Point> {
    let verb = command.split(':').next().unwrap_or_default();
    Some(match verb {
        "getvar" => Point::Getvar,
        "progress" => Point::Progress,
        "download" => Point::Download,
        "verify" => Point::Verify,
        "call" | "nop" => Point::Call,
        "partition" => Point::Partition,
        "erase" => Point::Erase,
        "flash" => Point::Flash,
        "reboot" => Point::Reboot,
        "complete" => Point::Complete,
        "disconnect" => Point::Disconnect,
        _ => return None,
    })
}

impl Talker for Loader {
    fn hear(&mut self, bytes: &[u8], now: Instant, out: &mut Outbox) {
        self.count_and_greet(bytes, now, out);
        self.hear_frame(bytes, now, out);
    }

    fn tick(&mut self, now: Instant, out: &mut Outbox) {
        self.work(now, out);
        if self.heartbeat_at.is_some_and(|at| at <= now) {
            self.heartbeat_at = Some(now + HEARTBEAT);
            if !self.afflictions.mute {
                out.say(now, smux::encode(Kind::Heartbeat, b"H"));
            }
        }
    }

    fn next_tick(&self) -> Option<Instant> {
        let ending = self.afflictions.ends_at();
        [
            self.heartbeat_at,
            self.window_closes,
            self.programmer.next_tick(),
            ending,
        ]
        .into_iter()
        .flatten()
        .min()
    }

    fn ending(&self, now: Instant) -> Option<Ending> {
        let closed = self
            .window_closes
            .filter(|at| *at <= now)
            .map(|_| Ending::WindowClosed);
        self.afflictions.ended(now).or(closed)
    }

    fn manners(&self) -> Manners {
        self.afflictions.manners
    }
}
