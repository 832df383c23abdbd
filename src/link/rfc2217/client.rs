//! The client's side of the dialogue, without a socket: what comes in, what is to go out, and how far it has got.
//!
//! ```text
//! C WILL BINARY  DO BINARY  WILL SGA  DO SGA  WILL COM-PORT-OPTION
//! S DO BINARY  WILL BINARY  …  DO COM-PORT-OPTION
//! C SET-BAUDRATE 115200  SET-DATASIZE 8  …  PURGE-DATA 3  SET-BAUDRATE 0
//! S SET-BAUDRATE 115200  SET-DATASIZE 8  …  PURGE-DATA 3  SET-BAUDRATE 115200
//! C data  SET-BAUDRATE 0  data …
//! S data  SET-BAUDRATE 115200  data …
//! ```
//!
//! A request for the line speed is answered in its turn, so the answer proves that the server has taken everything
//! that was sent before it: only so much is on the way as the line carries in half a second, however large the buffers
//! between here and the server are. A session's clock then starts when its bytes reach the line, as with a port of
//! this host.

use std::collections::VecDeque;

use super::com_port::{self, Notice, Setting, baud_request};
use super::options::Options;
use super::telnet::{self, Decoder, Item};

/// Fewest and most bytes on the way to the server.
const WINDOW: std::ops::RangeInclusive<usize> = 0x1000..=0x1_0000;
/// Share of a second that the line needs for the bytes on the way.
const WINDOW_LASTS: usize = 2;
/// Bits of a byte on the line: 8N1.
const BITS_PER_BYTE: usize = 10;
/// Most bytes that wait for a session to read them. A module that floods its host is not one of ours.
const INBOX_LIMIT: usize = 1 << 20;
/// Most bytes that wait to be sent while options are still answered: a server that asks without end and takes no answer
/// gets none.
const OUTGOING_LIMIT: usize = 1 << 16;
/// Most bytes of what a server says before it is known to be one.
const GREETING_LIMIT: usize = 200;

/// Why this port cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    /// It is a Telnet server of something else.
    #[error("it refuses COM-PORT-OPTION")]
    NoComPort,
    /// It would change bytes.
    #[error("it refuses binary transmission")]
    NotBinary,
    /// The line has another speed than was asked for.
    #[error("it has set {got} baud instead of {wanted}")]
    OtherBaud {
        /// What was asked for.
        wanted: u32,
        /// What it says.
        got: u32,
    },
    /// The line is not what a module needs.
    #[error("it has answered {} {} with {got}", .setting.name(), .setting.wanted())]
    OtherSetting {
        /// Which setting.
        setting: Setting,
        /// What it says.
        got: u8,
    },
}

/// An answer about the line speed that is still to come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Awaited {
    /// Bytes of data since the request before: when it comes, the server has taken them.
    after: usize,
    /// What the speed has been set to; none where it was only asked for.
    set: Option<u32>,
}

/// The dialogue with one server.
#[derive(Debug)]
pub struct Client {
    decoder: Decoder,
    options: Options,
    baud: u32,
    /// The port is being made what a module needs, or is already.
    prepared: bool,
    /// It is.
    ready: bool,
    /// Settings that the server has not confirmed yet.
    unconfirmed: Vec<Setting>,
    /// The server has left open whether the port uses flow control.
    flow_control_is_open: bool,
    unfit: Option<Unfit>,
    awaited: VecDeque<Awaited>,
    /// Bytes of data since the last mark.
    unmarked: usize,
    suspended: bool,
    outgoing: Vec<u8>,
    inbox: VecDeque<u8>,
    greeting: Vec<u8>,
}

impl Client {
    /// Begins by offering and asking for what it needs.
    pub fn new(baud: u32) -> Self {
        let mut outgoing = Vec::new();
        Client {
            decoder: Decoder::default(),
            options: Options::begin(&mut outgoing),
            baud,
            prepared: false,
            ready: false,
            unconfirmed: Setting::ALL.to_vec(),
            flow_control_is_open: false,
            unfit: None,
            awaited: VecDeque::new(),
            unmarked: 0,
            suspended: false,
            outgoing,
            inbox: VecDeque::new(),
            greeting: Vec::new(),
        }
    }

    /// Takes what has come in.
    pub fn hear(&mut self, bytes: &[u8]) {
        let mut decoder = std::mem::take(&mut self.decoder);
        decoder.push(bytes, |item| match item {
            Item::Data(data) => self.keep(data),
            Item::Option(verb, option) if self.outgoing.len() < OUTGOING_LIMIT => {
                self.options.hear(verb, option, &mut self.outgoing);
                self.prepare();
            }
            // What is said before anything was asked is about the port as it was.
            Item::Subnegotiation(com_port::OPTION, payload) if self.prepared => {
                if let Some(notice) = Notice::of(payload) {
                    self.notice(notice);
                }
            }
            Item::Option(..) | Item::Subnegotiation(..) => {}
        });
        self.decoder = decoder;
    }

    fn keep(&mut self, data: &[u8]) {
        if !self.ready {
            let room = GREETING_LIMIT.saturating_sub(self.greeting.len());
            self.greeting.extend(data.iter().take(room));
            return;
        }
        let room = INBOX_LIMIT.saturating_sub(self.inbox.len());
        self.inbox.extend(data.iter().take(room));
    }

    /// As soon as both sides agree to talk about a serial port, it is made what a module needs.
    fn prepare(&mut self) {
        if self.prepared || !self.options.is_agreed() {
            return;
        }
        self.prepared = true;
        self.set_baud(self.baud);
        for payload in com_port::preparation() {
            telnet::subnegotiation(com_port::OPTION, &payload, &mut self.outgoing);
        }
        self.mark();
    }

    fn notice(&mut self, notice: Notice) {
        match notice {
            Notice::Baud(got) => match self.awaited.pop_front() {
                Some(Awaited {
                    set: Some(wanted), ..
                }) if got != wanted => {
                    self.unfit = Some(Unfit::OtherBaud { wanted, got });
                }
                // Answers come in turn: what is missing now will not come. Some servers keep silent about SET-CONTROL.
                Some(Awaited { set: None, .. })
                    if !self.ready && self.unconfirmed == [Setting::FlowControl] =>
                {
                    self.unconfirmed.clear();
                    self.flow_control_is_open = true;
                }
                Some(_) => {}
                None if got != self.baud => {
                    let wanted = self.baud;
                    self.unfit = Some(Unfit::OtherBaud { wanted, got });
                }
                None => {}
            },
            Notice::Is(setting, got) => {
                // Even when it was confirmed before: somebody else may have changed it since.
                if got != setting.wanted() {
                    self.unfit = Some(Unfit::OtherSetting { setting, got });
                }
                self.unconfirmed.retain(|it| *it != setting);
            }
            Notice::Suspend => self.suspended = true,
            Notice::Resume => self.suspended = false,
        }
        let is_confirmed = self.prepared && self.unconfirmed.is_empty() && self.is_settled();
        self.ready |= is_confirmed && self.unfit().is_none();
    }

    /// Whether data can be exchanged. What came in before was not for this run.
    pub const fn is_ready(&self) -> bool {
        self.ready
    }

    /// Every answer about the line speed has come: the server has taken all that was sent up to the last mark.
    pub fn is_settled(&self) -> bool {
        self.awaited.is_empty()
    }

    /// What a person should know about a port that can be used.
    pub fn note(&self) -> Option<String> {
        self.flow_control_is_open.then(|| {
            "the server has not said whether its port uses flow control: there must be none".to_owned()
        })
    }

    /// Why the port cannot be used, if that is known.
    pub fn unfit(&self) -> Option<Unfit> {
        self.unfit.clone().or_else(|| self.options.unfit())
    }

    /// What the server has not said yet.
    pub fn missing(&self) -> String {
        match self.unconfirmed.first() {
            _ if !self.prepared => "COM-PORT-OPTION".into(),
            Some(setting) => format!("{} {}", setting.name(), setting.wanted()),
            None => "SET-BAUDRATE".into(),
        }
    }

    /// Whether it has said anything in Telnet.
    pub fn speaks_telnet(&self) -> bool {
        self.options.were_heard()
    }

    /// The first line of text that came before the port was ready, printable.
    pub fn greeting(&self) -> String {
        let text = String::from_utf8_lossy(&self.greeting);
        let first = text.lines().map(str::trim).find(|line| !line.is_empty());
        first.unwrap_or_default().escape_debug().to_string()
    }

    /// Sets the line speed, after everything that was sent before.
    pub fn set_baud(&mut self, baud: u32) {
        self.baud = baud;
        self.ask(Some(baud));
    }

    /// Asks for a sign that everything before has been taken.
    pub fn mark(&mut self) {
        self.ask(None);
    }

    fn ask(&mut self, set: Option<u32>) {
        let request = baud_request(set.unwrap_or(0));
        telnet::subnegotiation(com_port::OPTION, &request, &mut self.outgoing);
        let after = std::mem::take(&mut self.unmarked);
        self.awaited.push_back(Awaited { after, set });
    }

    /// Data that no answer has yet shown to be taken.
    pub const fn has_unmarked(&self) -> bool {
        self.unmarked > 0
    }

    /// Takes some of `bytes` to send them; 0 when there is no room now.
    pub fn send(&mut self, bytes: &[u8]) -> usize {
        let window = window(self.baud);
        let marked: usize = self.awaited.iter().map(|it| it.after).sum();
        // An answer that comes in time keeps the line busy: there are marks well before the window is full.
        let quarter = window / 4;
        let room = match self.suspended || !self.outgoing.is_empty() {
            true => 0,
            false => window
                .saturating_sub(marked + self.unmarked)
                .min(quarter.saturating_sub(self.unmarked)),
        };
        let (taken, _) = bytes.split_at(room.min(bytes.len()));
        telnet::data(taken, &mut self.outgoing);
        self.unmarked += taken.len();
        if self.unmarked >= quarter {
            self.mark();
        }
        taken.len()
    }

    /// What is to be sent next.
    pub fn outgoing(&self) -> &[u8] {
        &self.outgoing
    }

    /// So many bytes of it have been sent.
    pub fn sent(&mut self, count: usize) {
        self.outgoing.drain(..count.min(self.outgoing.len()));
    }

    /// Moves data that has come in; 0 when there is none.
    pub fn take(&mut self, into: &mut [u8]) -> usize {
        let count = self.inbox.len().min(into.len());
        for (place, byte) in into.iter_mut().zip(self.inbox.drain(..count)) {
            *place = byte;
        }
        count
    }
}

/// Bytes on the way to a server at most, for a line of that speed.
fn window(baud: u32) -> usize {
    let half_a_second = baud as usize / BITS_PER_BYTE / WINDOW_LASTS;
    half_a_second.clamp(*WINDOW.start(), *WINDOW.end())
}

#[cfg(test)]
#[path = "client_tests.rs"]
mod tests;
