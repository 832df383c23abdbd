//! The diagnostic port: binary log traffic that nobody asked for. A host that takes it for an AT port must
//! notice, and must not write to it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::outbox::Outbox;
use crate::port::Talker;
use crate::shared::Shared;

const PERIOD: Duration = Duration::from_millis(200);

/// Says a log record every 200 ms and never answers.
pub(crate) struct Diag {
    shared: Arc<Shared>,
    next: Instant,
    record: u32,
}

impl Diag {
    pub fn new(shared: Arc<Shared>) -> Self {
        Diag {
            shared,
            next: Instant::now() + PERIOD,
            record: 0,
        }
    }
}

impl Talker for Diag {
    fn hear(&mut self, bytes: &[u8], _now: Instant, _out: &mut Outbox) {
        self.shared
            .count(|counters| counters.diag_bytes += bytes.len() as u64);
    }

    fn tick(&mut self, now: Instant, out: &mut Outbox) {
        if now >= self.next {
            self.record = self.record.wrapping_add(1);
            let mut record = vec![0x10, 0x00, 0xA5, 0xDB];
            record.extend(self.record.wrapping_mul(0x9E37_79B9).to_le_bytes());
            record.extend(b"%DBG,0,RRC\r\n\0");
            out.say(now, record);
            self.next = now + PERIOD;
        }
    }

    fn next_tick(&self) -> Option<Instant> {
        Some(self.next)
    }
}
