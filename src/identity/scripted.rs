//! A module made of a script, with a clock that tests turn.

use std::cell::Cell;
use std::collections::VecDeque;
use std::time::Duration;

use qpyflash_protocols::{Progress, Wire, WireError};

/// What a scripted module does after something was sent to it: milliseconds from now, bytes.
pub(super) type Replies = Vec<(u64, Vec<u8>)>;

type Answer<'m> = dyn FnMut(&[u8]) -> Replies + 'm;

/// One module at the end of a virtual wire.
pub(super) struct Scripted<'m> {
    answer: Box<Answer<'m>>,
    coming: VecDeque<(Duration, Vec<u8>)>,
    now: Duration,
    calls: u32,
    clock: Option<&'m Cell<u64>>,
    /// Most bytes one read returns.
    pub chunk: usize,
    /// The module leaves the bus then.
    pub gone_at: Option<Duration>,
    /// Everything that was sent to it.
    pub sent: Vec<u8>,
}

impl<'m> Scripted<'m> {
    pub fn new(answer: impl FnMut(&[u8]) -> Replies + 'm) -> Self {
        Scripted {
            answer: Box::new(answer),
            coming: VecDeque::new(),
            now: Duration::ZERO,
            calls: 0,
            clock: None,
            chunk: usize::MAX,
            gone_at: None,
            sent: Vec::new(),
        }
    }

    /// Bytes that come by themselves, so long after the beginning.
    pub fn saying(mut self, at_ms: u64, bytes: impl AsRef<[u8]>) -> Self {
        self.put(Duration::from_millis(at_ms), bytes.as_ref().to_vec());
        self
    }

    pub fn in_chunks(mut self, chunk: usize) -> Self {
        self.chunk = chunk;
        self
    }

    pub fn leaving_at(mut self, ms: u64) -> Self {
        self.gone_at = Some(Duration::from_millis(ms));
        self
    }

    /// Shows the script what time it is, in milliseconds.
    pub fn showing_time_to(mut self, clock: &'m Cell<u64>) -> Self {
        self.clock = Some(clock);
        self
    }

    /// Everything that was sent, with control characters shown.
    pub fn sent_text(&self) -> String {
        self.sent.escape_ascii().to_string()
    }

    fn put(&mut self, at: Duration, bytes: Vec<u8>) {
        let place = self.coming.partition_point(|(other, _)| *other <= at);
        self.coming.insert(place, (at, bytes));
    }

    fn still_there(&self) -> Result<(), WireError> {
        match self.gone_at {
            Some(at) if self.now >= at => Err(WireError::Gone),
            _ => Ok(()),
        }
    }

    /// A dialogue that never ends would hang the tests: virtual time stands still for it.
    fn count_call(&mut self) {
        self.calls += 1;
        assert!(
            self.calls < 200_000,
            "the dialogue does not end; sent so far: {}",
            self.sent_text()
        );
    }
}

impl Wire for Scripted<'_> {
    fn send(&mut self, bytes: &[u8]) -> Result<(), WireError> {
        self.count_call();
        self.still_there()?;
        self.sent.extend_from_slice(bytes);
        if let Some(clock) = self.clock {
            clock.set(self.now.as_millis() as u64);
        }
        for (ms, reply) in (self.answer)(bytes) {
            self.put(self.now + Duration::from_millis(ms), reply);
        }
        Ok(())
    }

    fn receive(&mut self, into: &mut [u8], within: Duration) -> Result<usize, WireError> {
        self.count_call();
        self.still_there()?;
        let until = self.now + within;
        let arrives = self.coming.front().map(|(at, _)| *at).filter(|at| *at <= until);
        let next = arrives.unwrap_or(until).max(self.now);
        self.now = self.gone_at.map_or(next, |gone| next.min(gone.max(self.now)));
        self.still_there()?;
        let Some((_, bytes)) = self.coming.front_mut().filter(|(at, _)| *at <= self.now) else {
            return Ok(0);
        };
        let count = bytes.len().min(into.len()).min(self.chunk);
        into[..count].copy_from_slice(&bytes[..count]);
        bytes.drain(..count);
        if bytes.is_empty() {
            self.coming.pop_front();
        }
        Ok(count)
    }

    fn set_baud(&mut self, _baud: u32) -> Result<(), WireError> {
        Ok(())
    }

    fn now(&self) -> Duration {
        self.now
    }

    fn pause(&mut self, how_long: Duration) -> Result<(), WireError> {
        self.now += how_long;
        self.still_there()
    }

    fn report(&mut self, _fact: Progress<'_>) {}
}

/// The AT engine of a module in run mode.
pub(super) struct AtModule {
    pub echo: bool,
    pub object_id: &'static str,
    pub ati_revision: &'static str,
    pub cgmr_revision: &'static str,
    /// Extra lines of `ATI`.
    pub more: &'static str,
    pub imei: &'static str,
    /// Milliseconds from question to answer.
    pub delay: u64,
    /// Questions answered with `+CME ERROR: 14` before the module is ready.
    pub busy: u32,
    /// Lines that come in the middle of every answer.
    pub urc: &'static str,
    /// Commands answered with `ERROR`.
    pub refuses: &'static [&'static str],
    /// In data mode everything is payload until `+++`.
    pub data_mode: bool,
    /// What has been typed since the last line end.
    pub line: String,
}

impl AtModule {
    pub const REVISION: &'static str = "EC600NCNLAR03A07M08";

    pub fn new() -> Self {
        AtModule {
            echo: true,
            object_id: "EC600N",
            ati_revision: Self::REVISION,
            cgmr_revision: Self::REVISION,
            more: "",
            imei: "862635064814932",
            delay: 5,
            busy: 0,
            urc: "",
            refuses: &[],
            data_mode: false,
            line: String::new(),
        }
    }

    pub fn answer(&mut self, bytes: &[u8]) -> Replies {
        if self.data_mode {
            self.data_mode = bytes != b"+++";
            return if self.data_mode {
                Vec::new()
            } else {
                vec![(1000, b"\r\nOK\r\n".to_vec())]
            };
        }
        let mut out = Vec::new();
        for byte in bytes {
            match byte {
                b'\r' => {
                    let line = std::mem::take(&mut self.line);
                    let echo = if self.echo {
                        format!("{line}\r")
                    } else {
                        String::new()
                    };
                    let delay = self.delay;
                    out.push((delay, (echo + &self.reply(line.trim())).into_bytes()));
                }
                b'\n' => {}
                other => self.line.push(char::from(*other)),
            }
        }
        out
    }

    fn reply(&mut self, command: &str) -> String {
        if self.busy > 0 && command != "AT" {
            self.busy -= 1;
            return "\r\n+CME ERROR: 14\r\n".into();
        }
        if self.refuses.contains(&command) {
            return "\r\nERROR\r\n".into();
        }
        let urc = self.urc;
        let body = match command {
            "AT" => urc.to_owned(),
            "ATI" => format!(
                "\r\nQuectel\r\n{}\r\n{urc}Revision: {}\r\n{}",
                self.object_id, self.ati_revision, self.more
            ),
            "AT+CGMR" => format!("\r\n{urc}{}\r\n", self.cgmr_revision),
            "AT+CGSN" => format!("\r\n{}\r\n{urc}", self.imei),
            "AT+EGMR=0,7" => format!("\r\n{urc}+EGMR: \"{}\"\r\n", self.imei),
            "AT+EGMR=0,5" => "\r\n+EGMR: \"D1Q20GM050038341P\"\r\n".to_owned(),
            _ => return "\r\nERROR\r\n".into(),
        };
        format!("{body}\r\nOK\r\n")
    }
}
