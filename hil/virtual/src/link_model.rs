//! How fast the line to the module is.

use std::time::{Duration, Instant};

/// Speed of the line from host to module, and the module's turn-round time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LinkModel {
    /// Bytes per second that pass from host to module; none means as fast as the machine goes.
    pub bytes_per_second: Option<u64>,
    /// Time from the last byte of a command to the first byte of its answer.
    pub turn_round: Duration,
}

impl LinkModel {
    /// The named models with their bytes per second. Source: DESIGN §12; a UART byte is ten bits (8N1).
    pub const NAMED: [(&'static str, Option<u64>); 5] = [
        ("uart-921600", Some(92_160)),
        ("uart-3m", Some(300_000)),
        ("usb-full", Some(1_000_000)),
        ("usb-high", Some(30_000_000)),
        ("instant", None),
    ];

    /// The model of that name.
    pub fn named(name: &str) -> Option<Self> {
        let (_, bytes_per_second) = Self::NAMED.iter().find(|(known, _)| *known == name)?;
        Some(LinkModel {
            bytes_per_second: *bytes_per_second,
            turn_round: Duration::ZERO,
        })
    }

    /// The same line to a module that takes `turn_round` to answer.
    pub fn with_turn_round(self, turn_round: Duration) -> Self {
        LinkModel { turn_round, ..self }
    }
}

/// Most bytes one read takes from the terminal.
const READ_BYTES: usize = 64 * 1024;
/// Most bytes queued before the line.
const QUEUE_BYTES: usize = 512 * 1024;
/// On a throttled line a read takes at most what the line carries in this time.
const SLICE: Duration = Duration::from_micros(500);

/// When bytes that were read have passed the line.
///
/// Works on an absolute schedule: a thread that wakes late catches up while bytes are waiting, so the mean rate
/// is the line's; an idle line starts anew.
#[derive(Debug)]
pub(crate) struct Throttle {
    bytes_per_second: Option<u64>,
    busy_until: Option<Instant>,
}

impl Throttle {
    pub fn new(model: LinkModel) -> Self {
        Throttle {
            bytes_per_second: model.bytes_per_second,
            busy_until: None,
        }
    }

    /// Most bytes to read at once.
    pub fn quota(&self) -> usize {
        match self.bytes_per_second {
            None => READ_BYTES,
            Some(rate) => {
                let slice = u128::from(rate) * SLICE.as_micros() / 1_000_000;
                usize::try_from(slice).unwrap_or(READ_BYTES).clamp(1, READ_BYTES)
            }
        }
    }

    /// Most bytes on the line and queued before it, as the host's driver and controller queue them: ten
    /// milliseconds, so that neither side starves a fast line when it is scheduled late.
    pub fn ahead(&self) -> usize {
        let queue = self.bytes_per_second.map_or(0, |rate| rate / 100);
        usize::try_from(queue)
            .unwrap_or(QUEUE_BYTES)
            .clamp(READ_BYTES / 16, QUEUE_BYTES)
    }

    /// Takes `count` bytes that were waiting at `now`; returns when they have passed, none for at once.
    pub fn passes_at(&mut self, count: usize, now: Instant) -> Option<Instant> {
        let rate = self.bytes_per_second?;
        let nanos = count as u128 * 1_000_000_000 / u128::from(rate.max(1));
        let passed = self.busy_until.unwrap_or(now) + Duration::from_nanos(nanos as u64);
        self.busy_until = Some(passed);
        Some(passed)
    }

    /// Nothing was waiting: the line starts anew with the next byte.
    pub fn idle(&mut self) {
        self.busy_until = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passes_bytes_at_the_rate_of_the_line_even_when_read_late() {
        let start = Instant::now();
        let mut line = Throttle::new(LinkModel::named("usb-full").unwrap());
        assert_eq!(line.quota(), 500);
        line.passes_at(500, start);
        let late = start + Duration::from_millis(3);
        assert_eq!(line.passes_at(500, late), Some(start + Duration::from_millis(1)));
        line.idle();
        assert_eq!(line.passes_at(500, late), Some(late + Duration::from_micros(500)));
    }

    #[test]
    fn an_instant_line_never_waits() {
        let mut line = Throttle::new(LinkModel::named("instant").unwrap());
        assert_eq!(line.passes_at(1 << 20, Instant::now()), None);
    }
}
