//! A module on a virtual clock, with its own simple codec: it answers as specs/asr-aboot.md §10 shows, unless a
//! test gives it other words.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use crate::{Phase, Progress, Wire, WireError};

/// What the module does instead of its usual answer to a command.
#[derive(Debug, Clone)]
pub(crate) enum Instead {
    /// These command frames.
    Say(Vec<&'static str>),
    /// These command frames after its usual answer.
    SayMore(Vec<&'static str>),
    /// Its usual answer, and the same once more after this long.
    Again(Duration),
    /// Its usual answer after this long; heartbeats go on.
    Late(Duration),
    /// All it has to say only after this long.
    Asleep(Duration),
    /// Nothing, but heartbeats go on.
    Mute,
    /// Nothing at all until greeted anew.
    Dead,
    /// Nothing at all, ever.
    DeadForEver,
    /// Log text, and nothing else.
    Log(&'static str),
    /// It leaves the bus.
    Vanish,
    /// The run is cancelled.
    Cancel,
}

/// What the host has been heard to say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Heard {
    Preamble,
    Greeting,
    Hello(u16),
    Command(String),
    /// All bytes of one download.
    Download(Vec<u8>),
}

/// The module and the wire to it.
pub(crate) struct Module {
    pub now: Duration,
    /// Everything the host has sent, and when.
    pub sent: Vec<u8>,
    pub heard: Vec<(Duration, Heard)>,
    pub phases: Vec<Phase>,
    pub notes: Vec<String>,
    pub acknowledged: Vec<(String, u64, u64)>,
    pub variables: BTreeMap<&'static str, &'static str>,
    /// The answer to the preamble, and after how many.
    pub greeting: &'static [u8],
    pub preambles_needed: usize,
    pub mtu: u16,
    pub heartbeats: bool,
    /// Largest size of a write, in bytes.
    pub largest_send: usize,
    /// Largest data frame, in payload bytes.
    pub largest_frame: usize,
    instead: Vec<(String, usize, Instead)>,
    expected: Option<(usize, Vec<u8>)>,
    frame: Vec<u8>,
    escaped: bool,
    inside: bool,
    outgoing: VecDeque<(Duration, Vec<u8>)>,
    next_heartbeat: Option<Duration>,
    asleep_until: Duration,
    gone: bool,
    cancelled: bool,
    dead: Option<Instead>,
}

impl Module {
    /// The module of §10, with the boot ROM of the real SDK's packages.
    pub fn new() -> Self {
        let variables = [
            ("version-bootrom", "2020.07.30"),
            ("version-boot2", ""),
            ("platform", "SILICON"),
            ("product", "arom-tiny"),
            ("version", "0.5"),
            ("partition-type:user_app", "raw"),
            ("partition-type:bootloader", "ubi"),
        ];
        Module {
            now: Duration::ZERO,
            sent: Vec::new(),
            heard: Vec::new(),
            phases: Vec::new(),
            notes: Vec::new(),
            acknowledged: Vec::new(),
            variables: variables.into(),
            greeting: b"~UABT~",
            preambles_needed: 1,
            mtu: 1024,
            heartbeats: true,
            largest_send: 0,
            largest_frame: 0,
            instead: Vec::new(),
            expected: None,
            frame: Vec::new(),
            escaped: false,
            inside: false,
            outgoing: VecDeque::new(),
            next_heartbeat: None,
            asleep_until: Duration::ZERO,
            gone: false,
            cancelled: false,
            dead: None,
        }
    }

    /// From the `nth` (1 = first) command that begins so, does something else, once. `data` stands for the end
    /// of a download.
    pub fn on(mut self, command: &str, nth: usize, instead: Instead) -> Self {
        self.instead.push((command.to_owned(), nth, instead));
        self
    }

    pub fn with(mut self, variable: &'static str, value: &'static str) -> Self {
        self.variables.insert(variable, value);
        self
    }

    /// The commands heard, in order.
    pub fn commands(&self) -> Vec<&str> {
        self.heard
            .iter()
            .filter_map(|(_, heard)| match heard {
                Heard::Command(text) => Some(text.as_str()),
                _ => None,
            })
            .collect()
    }

    /// The downloads heard, in order.
    pub fn downloads(&self) -> Vec<&[u8]> {
        self.heard
            .iter()
            .filter_map(|(_, heard)| match heard {
                Heard::Download(bytes) => Some(bytes.as_slice()),
                _ => None,
            })
            .collect()
    }

    /// When something was first heard.
    pub fn first(&self, wanted: impl Fn(&Heard) -> bool) -> Duration {
        self.heard
            .iter()
            .find(|(_, heard)| wanted(heard))
            .map(|(when, _)| *when)
            .expect("it was heard")
    }

    fn say(&mut self, after: Duration, frame: Vec<u8>) {
        self.outgoing
            .push_back(((self.now + after).max(self.asleep_until), frame));
        self.outgoing.make_contiguous().sort_by_key(|(when, _)| *when);
    }

    fn reply(&mut self, text: &str) {
        self.say(
            Duration::from_millis(1),
            [b"~\x7d#", text.as_bytes(), b"~"].concat(),
        );
    }

    fn take(&mut self, byte: u8) {
        match byte {
            0x7E if self.inside && !self.frame.is_empty() => {
                self.inside = false;
                let frame = std::mem::take(&mut self.frame);
                self.understand(&frame);
            }
            0x7E if !self.inside && self.frame.ends_with(b"UUUU") => {
                self.frame.clear();
                self.inside = true;
                self.understand(b"UUUU");
            }
            0x7E => {
                self.inside = true;
                self.frame.clear();
            }
            // Kept escaped by adding a marker byte before the kind, plain otherwise.
            0x7D if self.inside => self.escaped = true,
            byte if self.escaped => {
                self.escaped = false;
                match byte {
                    0x5E | 0x5D => self.frame.push(byte ^ 0x20),
                    kind => {
                        assert!(self.frame.is_empty(), "a kind inside a frame");
                        self.frame.extend([0, kind]);
                    }
                }
            }
            byte => self.frame.push(byte),
        }
    }

    fn understand(&mut self, frame: &[u8]) {
        match frame {
            b"UUUU" => {
                self.note(Heard::Preamble);
                if self.heard.len() >= self.preambles_needed {
                    self.say(Duration::from_millis(1), self.greeting.to_vec());
                }
            }
            b"UABT" => {
                self.note(Heard::Greeting);
                if matches!(self.dead, Some(Instead::Dead)) {
                    self.dead = None;
                }
                self.say(Duration::from_millis(1), b"~UABT~".to_vec());
            }
            &[0, b'!', high, low] => {
                self.note(Heard::Hello(u16::from_be_bytes([high, low])));
                let [high, low] = self.mtu.to_be_bytes();
                self.say(Duration::from_millis(1), vec![0x7E, 0x7D, 0x22, high, low, 0x7E]);
                let next = (self.now + Duration::from_millis(300)).max(self.asleep_until);
                self.next_heartbeat = self.heartbeats.then_some(next);
            }
            [0, b'#', text @ ..] => {
                let text = String::from_utf8(text.to_vec()).expect("a command is text");
                self.note(Heard::Command(text.clone()));
                self.obey(&text);
            }
            [0, b'$', data @ ..] => {
                self.largest_frame = self.largest_frame.max(data.len());
                let (expected, have) = self.expected.as_mut().expect("data without download");
                have.extend_from_slice(data);
                assert!(have.len() <= *expected, "more data than announced");
                if have.len() == *expected {
                    let (_, bytes) = self.expected.take().expect("it is there");
                    self.note(Heard::Download(bytes));
                    self.obey("data");
                }
            }
            other => panic!("the host said {other:02X?}"),
        }
    }

    fn note(&mut self, heard: Heard) {
        self.heard.push((self.now, heard));
    }

    fn obey(&mut self, command: &str) {
        let mut due = None;
        for (index, (prefix, left, _)) in self.instead.iter_mut().enumerate() {
            if command.starts_with(prefix.as_str()) {
                *left = left.saturating_sub(1);
                if *left == 0 && due.is_none() {
                    due = Some(index);
                }
            }
        }
        let Some(index) = due else {
            return self.answer(command);
        };
        match self.instead.remove(index).2 {
            Instead::Say(words) => words.iter().for_each(|text| self.reply(text)),
            Instead::SayMore(words) => {
                self.answer(command);
                words.iter().for_each(|text| self.reply(text));
            }
            Instead::Again(after) => {
                self.answer(command);
                if let Some((_, again)) = self.outgoing.back().cloned() {
                    self.say(after, again);
                }
            }
            Instead::Late(delay) => self.say(delay, b"~\x7d#OKAY~".to_vec()),
            Instead::Asleep(how_long) => {
                self.asleep_until = self.now + how_long;
                self.next_heartbeat = self.next_heartbeat.map(|_| self.asleep_until);
                self.answer(command);
            }
            Instead::Mute => {}
            dead @ (Instead::Dead | Instead::DeadForEver) => self.dead = Some(dead),
            Instead::Log(text) => self.say(Duration::ZERO, [b"~", text.as_bytes(), b"~"].concat()),
            Instead::Vanish => self.gone = true,
            Instead::Cancel => self.cancelled = true,
        }
    }

    fn answer(&mut self, command: &str) {
        if let Some(variable) = command.strip_prefix("getvar:") {
            let calls = self
                .commands()
                .iter()
                .filter(|text| matches!(**text, "call" | "nop"))
                .count();
            let boot2 = self.variables["platform"] == "AROM-TINY-BOOT2";
            let value = match (variable, calls >= 2 || boot2) {
                ("max-download-size", false) => "\t 0xf000",
                ("max-download-size", true) => "\t 0x100000",
                _ => self.variables.get(variable).copied().unwrap_or_default(),
            };
            return self.reply(&format!("OKAY{value}"));
        }
        if let Some(size) = command.strip_prefix("download:") {
            let size = usize::from_str_radix(size, 16).expect("hex digits");
            self.expected = Some((size, Vec::new()));
            return self.reply(&format!("DATA{size:08x}"));
        }
        if command == "complete" {
            self.reply("PROG100");
        }
        self.reply("OKAY");
    }

    /// Whether a download was announced and has not come.
    pub fn awaits_data(&self) -> bool {
        self.expected.is_some()
    }

    pub fn check(&self) -> Result<(), WireError> {
        match (self.cancelled, self.gone) {
            (true, _) => Err(WireError::Cancelled),
            (_, true) => Err(WireError::Gone),
            _ => Ok(()),
        }
    }
}

impl Wire for Module {
    fn send(&mut self, bytes: &[u8]) -> Result<(), WireError> {
        self.check()?;
        self.sent.extend_from_slice(bytes);
        self.largest_send = self.largest_send.max(bytes.len());
        bytes.iter().for_each(|&byte| self.take(byte));
        Ok(())
    }

    fn receive(&mut self, into: &mut [u8], within: Duration) -> Result<usize, WireError> {
        self.check()?;
        let until = self.now + within;
        loop {
            let heartbeat = self.next_heartbeat.filter(|_| self.dead.is_none());
            let word = self.outgoing.front().map(|(when, _)| *when);
            let next = [heartbeat, word]
                .into_iter()
                .flatten()
                .min()
                .filter(|&when| when <= until);
            let Some(next) = next else {
                self.now = until;
                return Ok(0);
            };
            self.now = self.now.max(next);
            if self.dead.is_some() {
                self.outgoing.pop_front();
                continue;
            }
            if heartbeat == Some(next) {
                self.next_heartbeat = Some(next + Duration::from_millis(300));
                self.outgoing.push_front((next, b"~\x7d\x25H~".to_vec()));
            }
            let Some((when, mut bytes)) = self.outgoing.pop_front() else {
                continue;
            };
            let rest = bytes.split_off(bytes.len().min(into.len()));
            into[..bytes.len()].copy_from_slice(&bytes);
            if !rest.is_empty() {
                self.outgoing.push_front((when, rest));
            }
            return Ok(bytes.len());
        }
    }

    fn set_baud(&mut self, _: u32) -> Result<(), WireError> {
        panic!("no command of this protocol changes the line speed")
    }

    fn now(&self) -> Duration {
        self.now
    }

    fn pause(&mut self, how_long: Duration) -> Result<(), WireError> {
        self.now += how_long;
        Ok(())
    }

    fn report(&mut self, fact: Progress<'_>) {
        match fact {
            Progress::Phase(phase) => self.phases.push(phase),
            Progress::Bytes { image, done, total } => self.acknowledged.push((image.to_owned(), done, total)),
            Progress::Note(note) => self.notes.push(note.to_owned()),
        }
    }
}
