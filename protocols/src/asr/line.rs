//! What both transports stand on: the wire, what was read from it, and the module's log.

use std::time::Duration;

use super::log::ModuleLog;
use super::smux::{Decoder, Frame, FrameKind};
use crate::{Cause, Progress, Wire};

/// One wire, and what has come over it.
pub(super) struct Line<'w> {
    pub wire: &'w mut dyn Wire,
    /// Received and not yet decoded: `inbox[unread]`.
    inbox: Box<[u8; 4096]>,
    unread: std::ops::Range<usize>,
    /// When the last frame came.
    pub heard: Duration,
    pub log: ModuleLog,
}

impl<'w> Line<'w> {
    pub fn new(wire: &'w mut dyn Wire) -> Self {
        Line {
            wire,
            inbox: Box::new([0; 4096]),
            unread: 0..0,
            heard: Duration::ZERO,
            log: ModuleLog::default(),
        }
    }

    pub fn now(&self) -> Duration {
        self.wire.now()
    }

    pub fn send(&mut self, bytes: &[u8]) -> Result<(), Cause> {
        Ok(self.wire.send(bytes)?)
    }

    /// Shows a line of the module, and keeps it for the error report.
    pub fn note(&mut self, line: &str) {
        self.log.line(line);
        self.wire.report(Progress::Note(line));
    }

    /// Takes in text of the module's log, which may end within a line.
    pub fn text(&mut self, text: &[u8]) {
        self.log.text(text, |line| self.wire.report(Progress::Note(line)));
    }

    /// Reads once; everything unread has been used before.
    pub fn read(&mut self, until: Duration) -> Result<(), Cause> {
        let within = until.saturating_sub(self.wire.now());
        let count = self.wire.receive(&mut self.inbox[..], within)?;
        self.unread = 0..count.min(self.inbox.len());
        Ok(())
    }

    /// What was read and has not been used.
    pub fn unread(&self) -> &[u8] {
        &self.inbox[self.unread.clone()]
    }

    /// Drops the first bytes of what is unread.
    pub fn used(&mut self, count: usize) {
        self.unread.start = (self.unread.start + count).min(self.unread.end);
    }

    /// The next whole frame of what is unread; without one everything has been used.
    pub fn frame<'d, K: FrameKind>(&mut self, decoder: &'d mut Decoder<K>) -> Option<Frame<'d, K>> {
        let mut rest = &self.inbox[self.unread.clone()];
        let frame = decoder.next(&mut rest);
        self.unread.start = self.unread.end - rest.len();
        if frame.is_some() {
            self.heard = self.wire.now();
        }
        frame
    }
}

/// Nothing came back.
pub(super) fn silent(sent: &str, waited: Duration, tries: u32) -> Cause {
    Cause::Silent {
        sent: sent.to_owned(),
        waited,
        tries,
    }
}
