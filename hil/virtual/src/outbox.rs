//! What a module has to say, and when.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Most bytes kept for a host that does not read: the longest reply there is fits twice. What a module says beyond
/// that is lost, as on a real port.
const LIMIT_BYTES: usize = 256 * 1024;

/// Bytes on their way to the host, ordered by the time at which they leave.
#[derive(Debug, Default)]
pub struct Outbox {
    turn_round: Duration,
    waiting: VecDeque<(Instant, Vec<u8>)>,
    ready: Vec<u8>,
}

impl Outbox {
    /// An outbox in which nothing leaves before `turn_round` has passed.
    pub fn new(turn_round: Duration) -> Self {
        Outbox {
            turn_round,
            ..Outbox::default()
        }
    }

    /// Says `bytes` as soon as the turn-round time allows.
    pub fn say(&mut self, now: Instant, bytes: impl Into<Vec<u8>>) {
        self.say_after(now, Duration::ZERO, bytes);
    }

    /// Says `bytes` after `delay` and the turn-round time; what is due earlier overtakes.
    pub fn say_after(&mut self, now: Instant, delay: Duration, bytes: impl Into<Vec<u8>>) {
        let due = now + delay + self.turn_round;
        let place = self.waiting.partition_point(|(other, _)| *other <= due);
        self.waiting.insert(place, (due, bytes.into()));
    }

    /// Forgets everything that has not left yet.
    pub fn clear(&mut self) {
        self.waiting.clear();
        self.ready.clear();
    }

    /// The bytes that may leave now.
    pub fn ready(&mut self, now: Instant) -> &[u8] {
        while self.waiting.front().is_some_and(|(due, _)| *due <= now) {
            let Some((_, bytes)) = self.waiting.pop_front() else {
                break;
            };
            if self.ready.len() + bytes.len() <= LIMIT_BYTES {
                self.ready.extend(bytes);
            }
        }
        &self.ready
    }

    /// Takes away the first `count` of the ready bytes: they have left.
    pub fn sent(&mut self, count: usize) {
        self.ready.drain(..count.min(self.ready.len()));
    }

    /// Whether bytes are ready that the terminal has not taken yet.
    pub fn is_blocked(&self) -> bool {
        !self.ready.is_empty()
    }

    /// Whether everything said so far has left.
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty() && self.ready.is_empty()
    }

    /// When the next bytes become ready.
    pub fn next_due(&self) -> Option<Instant> {
        self.waiting.front().map(|(due, _)| *due)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lets_bytes_leave_in_the_order_of_their_times() {
        let start = Instant::now();
        let ms = Duration::from_millis;
        let mut out = Outbox::new(ms(1));
        out.say_after(start, ms(50), "OKAY");
        out.say(start, "INFO");
        assert_eq!(out.ready(start), b"");
        assert_eq!(out.ready(start + ms(1)), b"INFO");
        out.sent(4);
        assert_eq!(out.next_due(), Some(start + ms(51)));
        assert_eq!(out.ready(start + ms(51)), b"OKAY");
    }

    #[test]
    fn loses_what_a_deaf_host_does_not_read() {
        let start = Instant::now();
        let mut out = Outbox::default();
        for _ in 0..300 {
            out.say(start, vec![0; 1024]);
        }
        assert_eq!(out.ready(start).len(), LIMIT_BYTES);
    }
}
