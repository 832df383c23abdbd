//! A line whose time is computed, not waited for.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use qpyflash::link::{Pipe, Serial};
use qpyflash_protocols::WireError;
use qpyflash_virtual::LinkModel;

use super::lock;

/// What a port's driver takes before a write must wait, in bytes: the four buffers of 4 KiB of the usb-serial
/// drivers in Linux; cdc-acm has more.
const DRIVER_BYTES: u64 = 16 * 1024;

/// The simulated clock of one line: the host's own time is taken as it is, that of line and module is computed.
#[derive(Debug, Clone, Copy, Default)]
pub struct Clock {
    /// Time since the first byte.
    pub now: Duration,
    /// The part of it that passed in the host, outside the port.
    pub host: Duration,
    /// Bytes that the host has sent.
    pub bytes: u64,
    /// When the last of them has passed the line.
    passed: Duration,
}

impl Clock {
    /// What has happened since an earlier look.
    pub fn since(&self, earlier: &Clock) -> Clock {
        Clock {
            now: self.now - earlier.now,
            host: self.host - earlier.host,
            bytes: self.bytes - earlier.bytes,
            passed: self.passed - earlier.passed,
        }
    }
}

/// A port behind which everything happens at once, with the clock of a line that takes its time.
pub struct SimulatedLine {
    port: Serial,
    model: LinkModel,
    clock: Arc<Mutex<Clock>>,
    /// Since when the host has been at work.
    left: Instant,
}

impl SimulatedLine {
    pub fn new(port: Serial, model: LinkModel) -> (Self, Arc<Mutex<Clock>>) {
        let clock = Arc::new(Mutex::new(Clock::default()));
        let line = SimulatedLine {
            port,
            model,
            clock: Arc::clone(&clock),
            left: Instant::now(),
        };
        (line, clock)
    }

    fn line_time(&self, bytes: u64) -> Duration {
        let rate = self.model.bytes_per_second.unwrap_or(u64::MAX);
        Duration::from_secs_f64(bytes as f64 / rate as f64)
    }

    /// Lets a call of the port be without a duration, and then its own computed.
    fn call(
        &mut self,
        real: impl FnOnce(&mut Serial) -> Result<usize, WireError>,
        computed: impl FnOnce(&Self, &mut Clock, usize),
    ) -> Result<usize, WireError> {
        let worked = self.left.elapsed();
        let count = real(&mut self.port)?;
        let shared = Arc::clone(&self.clock);
        let mut clock = lock(&shared);
        clock.now += worked;
        clock.host += worked;
        computed(self, &mut clock, count);
        drop(clock);
        self.left = Instant::now();
        Ok(count)
    }
}

impl Pipe for SimulatedLine {
    /// The host waits as long as the driver has no room.
    fn write(&mut self, bytes: &[u8], within: Duration) -> Result<usize, WireError> {
        self.call(
            |port| port.write(bytes, within),
            |line, clock, count| {
                clock.bytes += count as u64;
                clock.passed = clock.passed.max(clock.now) + line.line_time(count as u64);
                clock.now = clock
                    .now
                    .max(clock.passed.saturating_sub(line.line_time(DRIVER_BYTES)));
            },
        )
    }

    /// An answer that is waited for comes when everything has passed the line and the module has turned round.
    fn read(&mut self, into: &mut [u8], within: Duration) -> Result<usize, WireError> {
        self.call(
            |port| port.read(into, within),
            |line, clock, count| {
                if count > 0 && !within.is_zero() {
                    clock.now = clock.now.max(clock.passed + line.model.turn_round);
                }
            },
        )
    }

    fn set_baud(&mut self, baud: u32) -> Result<(), WireError> {
        self.port.set_baud(baud)
    }
}
