//! A pipe with a clock, a trace and somebody who listens: the [`Wire`] of a real run.

use std::time::{Duration, Instant};

use qpyflash_protocols::{Progress, Wire, WireError};

use super::trace::Track;
use super::{Address, Cancel, OpenError, Pipe, Speech, Trace, Transport, open_patiently};
use crate::event::Events;
use crate::trace::record::{Call, Direction, Event, Fault, POLL};

/// Longest single wait on the operating system, so that a wish to stop is seen soon.
const SLICE: Duration = Duration::from_millis(50);

/// A module that takes no byte for this long has stopped. The vendor's host declares the link lost after 9 s
/// without a frame. Source: specs/asr-aboot.md §3.4 [V-win].
const STALL_LIMIT: Duration = Duration::from_secs(9);

/// Largest amount of unasked-for input kept while writing, in bytes. A module that floods its host while it is
/// being written is not one of ours.
const BACKLOG_LIMIT: usize = 1 << 20;

/// What a run may change about a line.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The wish to stop.
    pub cancel: Cancel,
    /// Every wait lasts this many times longer, for slow hubs, virtual machines and remote ports.
    pub timeout_scale: f64,
    /// Where the exchange is recorded.
    pub trace: Option<Trace>,
    /// What carries the bytes to modules on the bus.
    pub transport: Transport,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            cancel: Cancel::default(),
            timeout_scale: 1.0,
            trace: None,
            transport: Transport::Auto,
        }
    }
}

impl Settings {
    /// Records what belongs to no line.
    pub fn record(&self, event: impl FnOnce() -> Event) {
        if let Some(trace) = &self.trace {
            trace.event(event());
        }
    }
}

/// The wire of a real run. Time-outs are stretched by letting the session's clock run slower.
pub struct Line<'a> {
    pipe: Box<dyn Pipe>,
    events: &'a mut Events,
    settings: &'a Settings,
    began: Instant,
    backlog: Vec<u8>,
    track: Option<Track>,
}

impl<'a> Line<'a> {
    /// Opens a port, as [`open_patiently`] does, for what `speech` names.
    ///
    /// # Errors
    /// [`OpenError`] of the last try.
    pub fn open(
        port: &Address,
        baud: u32,
        patience: Duration,
        speech: Speech,
        events: &'a mut Events,
        settings: &'a Settings,
    ) -> Result<Self, OpenError> {
        let pipe = open_patiently(port, baud, patience, &settings.cancel)?;
        let phase = events.phase();
        let track = settings
            .trace
            .as_ref()
            .map(|trace| trace.open(port.to_string(), baud, speech, phase));
        let mut line = Line::new(pipe, events, settings);
        line.track = track;
        Ok(line)
    }

    /// A line over a pipe of the caller's, which is not recorded. A session's clock starts here.
    pub fn new(pipe: Box<dyn Pipe>, events: &'a mut Events, settings: &'a Settings) -> Self {
        Line {
            pipe,
            events,
            settings,
            began: Instant::now(),
            backlog: Vec::new(),
            track: None,
        }
    }

    /// Records what else matters to who says it again.
    pub fn record(&self, event: impl FnOnce() -> Event) {
        if let Some(track) = &self.track {
            track.event(self.events.phase(), event());
        }
    }

    fn scale(&self) -> f64 {
        self.settings.timeout_scale
    }

    fn check_cancel(&self) -> Result<(), WireError> {
        if self.settings.cancel.is_set() {
            Err(WireError::Cancelled)
        } else {
            Ok(())
        }
    }

    /// Takes what the module says while we talk, so that neither side waits for the other for ever.
    fn listen_meanwhile(&mut self) -> Result<(), WireError> {
        let mut chunk = [0; 4096];
        let count = self.pipe.read(&mut chunk, Duration::ZERO)?;
        if self.backlog.len() + count <= BACKLOG_LIMIT {
            self.backlog.extend_from_slice(&chunk[..count]);
        }
        Ok(())
    }

    fn said(&mut self, direction: Direction, bytes: &[u8], polled: bool) {
        if let Some(track) = &mut self.track {
            track.bytes(self.events.phase(), direction, bytes, polled);
        }
        log::trace!("{} {}", direction.arrow(), bytes.escape_ascii());
    }

    /// Records what came of a call, where it failed.
    fn done<T>(&self, during: Call, result: Result<T, WireError>) -> Result<T, WireError> {
        result.inspect_err(|error| {
            let fault = Fault::from(error);
            self.record(|| Event::Failed { during, fault });
        })
    }

    fn send_all(&mut self, bytes: &[u8]) -> Result<(), WireError> {
        let mut rest = bytes;
        let mut last_progress = Instant::now();
        while !rest.is_empty() {
            self.check_cancel()?;
            let count = self.pipe.write(rest, SLICE)?;
            rest = &rest[count..];
            if count > 0 {
                last_progress = Instant::now();
                continue;
            }
            self.listen_meanwhile()?;
            let waited = last_progress.elapsed();
            if waited > STALL_LIMIT.mul_f64(self.scale()) {
                return Err(WireError::Stalled { waited });
            }
        }
        Ok(())
    }

    fn hear(&mut self, into: &mut [u8], within: Duration) -> Result<usize, WireError> {
        self.check_cancel()?;
        if !self.backlog.is_empty() {
            let count = self.backlog.len().min(into.len());
            into[..count].copy_from_slice(&self.backlog[..count]);
            self.backlog.drain(..count);
            return Ok(count);
        }
        let deadline = Instant::now() + within.mul_f64(self.scale());
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let count = self.pipe.read(into, left.min(SLICE))?;
            if count > 0 {
                return Ok(count);
            }
            self.check_cancel()?;
            if Instant::now() >= deadline {
                return Ok(0);
            }
        }
    }

    fn wait(&self, how_long: Duration) -> Result<(), WireError> {
        let deadline = Instant::now() + how_long.mul_f64(self.scale());
        loop {
            self.check_cancel()?;
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(());
            }
            std::thread::sleep(left.min(SLICE));
        }
    }
}

impl Drop for Line<'_> {
    fn drop(&mut self) {
        self.record(|| Event::Closed);
        for note in self.pipe.close() {
            self.events.note(note);
        }
    }
}

impl Wire for Line<'_> {
    fn send(&mut self, bytes: &[u8]) -> Result<(), WireError> {
        self.said(Direction::ToModule, bytes, false);
        let sent = self.send_all(bytes);
        self.done(Call::Send, sent)
    }

    fn receive(&mut self, into: &mut [u8], within: Duration) -> Result<usize, WireError> {
        let polled = within < POLL;
        let during = if polled { Call::Poll } else { Call::Receive };
        let heard = self.hear(into, within);
        let count = self.done(during, heard)?;
        if count > 0 {
            self.said(Direction::FromModule, &into[..count], polled);
        } else if !polled {
            self.record(|| Event::Silence {
                within: within.as_secs_f64(),
            });
        }
        Ok(count)
    }

    fn set_baud(&mut self, baud: u32) -> Result<(), WireError> {
        self.record(|| Event::Baud { baud });
        let set = self.pipe.set_baud(baud);
        self.done(Call::Baud, set)
    }

    fn now(&self) -> Duration {
        self.began.elapsed().div_f64(self.scale())
    }

    fn pause(&mut self, how_long: Duration) -> Result<(), WireError> {
        let waited = self.wait(how_long);
        self.done(Call::Pause, waited)
    }

    fn report(&mut self, fact: Progress<'_>) {
        self.events.report(fact);
    }
}
