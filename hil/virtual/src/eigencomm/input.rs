//! What the host has sent and the module has not taken yet.

use std::time::{Duration, Instant};

/// A gap inside a frame ends it. Source: specs/eigencomm-agentboot.md §4.8 [V*].
const GAP: Duration = Duration::from_secs(1);
/// A flush lasts until the line is silent for so long, and longest. Source: §7.2 [V*]; the agents look every
/// millisecond, a thread of this module may look later.
const SILENCE: Duration = Duration::from_millis(2);
const LONGEST: Duration = Duration::from_millis(400);

/// Bytes in the order of their arrival.
#[derive(Debug, Default)]
pub(super) struct Input {
    bytes: Vec<u8>,
    last: Option<Instant>,
    /// Nothing has followed for too long.
    is_doubted: bool,
    /// While it is flushed: when the line will have been silent, and when it ends at the latest.
    flushing: Option<(Instant, Instant)>,
}

impl Input {
    /// Takes bytes; drops them while it is flushed.
    pub fn hear(&mut self, bytes: &[u8], now: Instant) {
        if let Some((silent, end)) = self.flushing {
            if now < silent && now < end {
                self.flushing = Some((now + SILENCE, end));
                return;
            }
            self.flushing = None;
        }
        self.bytes.extend_from_slice(bytes);
        (self.last, self.is_doubted) = (Some(now), false);
    }

    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Takes the first bytes away.
    pub fn take(&mut self, count: usize) -> Vec<u8> {
        self.bytes.drain(..count.min(self.bytes.len())).collect()
    }

    /// Drops what is there.
    pub fn clear(&mut self) {
        self.bytes.clear();
    }

    /// Drops what is there, and what still comes without a pause.
    pub fn flush(&mut self, now: Instant) {
        self.clear();
        self.flushing = Some((now + SILENCE, now + LONGEST));
    }

    /// When what is there will be dropped because nothing follows.
    pub fn expires_at(&self) -> Option<Instant> {
        let last = self.last.filter(|_| !self.bytes.is_empty())?;
        Some(last + GAP)
    }

    /// Drops what is there when nothing has followed for too long, and the line was looked at once more since: a
    /// thread that was held up may have left the rest on it.
    pub fn expire(&mut self, now: Instant) {
        let is_over = self.expires_at().is_some_and(|at| at <= now);
        if is_over && self.is_doubted {
            self.clear();
        }
        self.is_doubted = is_over;
    }
}
