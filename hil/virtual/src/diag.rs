//! Ports that nobody should write to: logs, which are binary traffic that nobody asked for, and silent ones. A host
//! that takes one for an AT port must notice, and must not write to it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::outbox::Outbox;
use crate::port::{Ending, Talker};
use crate::shared::Shared;

const PERIOD: Duration = Duration::from_millis(200);
/// What sends a Unisoc module to download mode on its DIAG port. Source: specs/unisoc-pac-bsl.md §3.
const RESET_TO_DOWNLOAD: [u8; 10] = [0x7E, 0x01, 0x00, 0x00, 0xAB, 0x08, 0x00, 0x05, 0x42, 0x7E];

/// Says a log record every 200 ms and never answers.
pub(crate) struct Diag {
    shared: Arc<Shared>,
    next: Instant,
    record: u32,
    /// The last bytes heard, when the port knows [`RESET_TO_DOWNLOAD`].
    heard: Option<Vec<u8>>,
    leaves: bool,
}

impl Diag {
    pub fn new(shared: Arc<Shared>) -> Self {
        Diag {
            shared,
            next: Instant::now() + PERIOD,
            record: 0,
            heard: None,
            leaves: false,
        }
    }

    /// A port that knows the frame that sends the module to download mode.
    pub fn entering_download(self) -> Self {
        Diag {
            heard: Some(Vec::new()),
            ..self
        }
    }
}

impl Talker for Diag {
    fn hear(&mut self, bytes: &[u8], _now: Instant, _out: &mut Outbox) {
        self.shared
            .count(|counters| counters.diag_bytes += bytes.len() as u64);
        if let Some(heard) = &mut self.heard {
            heard.extend_from_slice(bytes);
            self.leaves |= heard
                .windows(RESET_TO_DOWNLOAD.len())
                .any(|window| window == RESET_TO_DOWNLOAD);
            let old = heard.len().saturating_sub(RESET_TO_DOWNLOAD.len());
            heard.drain(..old);
        }
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

    fn ending(&self, _now: Instant) -> Option<Ending> {
        self.leaves.then_some(Ending::EnterDownload)
    }
}

/// Counts what it hears and says nothing.
pub(crate) struct Mute {
    shared: Arc<Shared>,
}

impl Mute {
    pub fn new(shared: Arc<Shared>) -> Self {
        Mute { shared }
    }
}

impl Talker for Mute {
    fn hear(&mut self, bytes: &[u8], _now: Instant, _out: &mut Outbox) {
        self.shared
            .count(|counters| counters.diag_bytes += bytes.len() as u64);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_port_that_knows_the_frame_enters_download_mode() {
        let now = Instant::now();
        let bytes = [b"noise".as_slice(), &RESET_TO_DOWNLOAD].concat();
        let mut deaf = Diag::new(Shared::for_tests());
        let mut port = Diag::new(Shared::for_tests()).entering_download();
        for byte in &bytes[..bytes.len() - 1] {
            port.hear(&[*byte], now, &mut Outbox::default());
        }
        assert_eq!(port.ending(now), None);
        port.hear(&bytes[bytes.len() - 1..], now, &mut Outbox::default());
        assert_eq!(port.ending(now), Some(Ending::EnterDownload));
        deaf.hear(&bytes, now, &mut Outbox::default());
        assert_eq!(deaf.ending(now), None);
    }
}
