//! A module in download mode without thread, terminal and clock: its owner moves the bytes and the time.
//!
//! The loader behind it is the one that serves on a bus, so that a run which waits a quarter of an hour in vain takes
//! no time here.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use crate::fault::{Fault, Faults};
use crate::life::{Memory, Platform};
use crate::outbox::Outbox;
use crate::port::Talker;
use crate::shared::{Role, Shared, lock};

/// It reads so many bytes at once.
const READ_BYTES: usize = 4096;
/// Between two bytes of a port that drips.
const DRIP: Duration = Duration::from_micros(200);

/// See the module's text.
pub struct BareModule<P: Platform> {
    platform: P,
    shared: Arc<Shared>,
    memory: Arc<Mutex<P::Memory>>,
    /// The loader; none while the module is off the bus.
    loader: Option<Box<dyn Talker>>,
    out: Outbox,
    now: Instant,
    began: Instant,
}

/// The module is off the bus.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the module is off the bus")]
pub struct Away;

impl<P: Platform> BareModule<P> {
    pub(crate) fn new(platform: P, faults: Faults, memory: P::Memory) -> io::Result<Self> {
        let (shared, _) = Shared::new(faults, false)?;
        let now = Instant::now();
        let mut module = BareModule {
            platform,
            shared,
            memory: Arc::new(Mutex::new(memory)),
            loader: None,
            out: Outbox::default(),
            now,
            began: now,
        };
        module.power_cycle();
        Ok(module)
    }

    /// Another one with the same flash, just powered, and with that fault.
    ///
    /// # Errors
    /// The operating system's error when its pipe cannot be made.
    pub fn twin(&self, fault: Fault) -> io::Result<Self> {
        let mut faults = Faults::default();
        faults.arm(fault);
        Self::new(self.platform.clone(), faults, self.flash().clone())
    }

    /// Gives it a fault.
    pub fn give(&self, fault: Fault) {
        self.shared.update(|state| state.faults.arm(fault));
    }

    /// Time since it was made.
    pub fn elapsed(&self) -> Duration {
        self.now - self.began
    }

    /// Takes the supply away and gives it back, with the boot pin held: the boot ROM listens.
    pub fn power_cycle(&mut self) {
        lock(&self.memory).lose_power();
        self.out = Outbox::default();
        let mut enumeration = self.platform.download_mode(&self.shared, &self.memory, None);
        let ports = enumeration
            .functions
            .iter_mut()
            .filter_map(|function| function.port.take());
        let mut loaders = ports.filter(|(role, _)| *role == Role::Download);
        self.loader = loaders.next().map(|(_, loader)| loader);
    }

    /// Lets the host send bytes, at no time; gives how many the module has taken.
    ///
    /// # Errors
    /// [`Away`].
    pub fn hear(&mut self, bytes: &[u8]) -> Result<usize, Away> {
        let loader = self.loader.as_mut().ok_or(Away)?;
        let mut taken = 0;
        for piece in bytes.chunks(READ_BYTES) {
            if loader.manners().deaf {
                break;
            }
            loader.hear(piece, self.now, &mut self.out);
            loader.tick(self.now, &mut self.out);
            taken += piece.len();
        }
        Ok(taken)
    }

    /// Lets time pass until the module has said something, `within` at most; gives how many bytes of `into` it has
    /// filled.
    ///
    /// # Errors
    /// [`Away`] when it leaves the bus first.
    pub fn say(&mut self, into: &mut [u8], within: Duration) -> Result<usize, Away> {
        let until = self.now + within;
        loop {
            let loader = self.loader.as_mut().ok_or(Away)?;
            loader.tick(self.now, &mut self.out);
            let ready = self.out.ready(self.now);
            let dripping = loader.manners().dripping;
            let count = ready
                .len()
                .min(into.len())
                .min(if dripping { 1 } else { usize::MAX });
            if let Some(filled) = into.get_mut(..count).filter(|_| count > 0) {
                filled.copy_from_slice(&ready[..count]);
                self.out.sent(count);
                if dripping {
                    self.now += DRIP;
                }
                return Ok(count);
            }
            if loader.ending(self.now).is_some() {
                self.loader = None;
                lock(&self.memory).lose_power();
                return Err(Away);
            }
            if self.now >= until {
                return Ok(0);
            }
            let due = [self.out.next_due(), loader.next_tick()];
            let next = due.into_iter().flatten().filter(|due| *due > self.now).min();
            self.now = next.map_or(until, |next| next.min(until));
        }
    }

    /// Lets time pass; what the module says meanwhile is kept.
    pub fn pass(&mut self, time: Duration) {
        self.now += time;
    }

    /// The flash array as it is now.
    pub fn flash(&self) -> MutexGuard<'_, P::Memory> {
        lock(&self.memory)
    }

    /// The commands its loader has received, oldest first.
    pub fn commands(&self) -> Vec<String> {
        self.shared.state().commands.clone()
    }

    /// Whether every fault that it was given has struck.
    pub fn faults_have_struck(&self) -> bool {
        self.shared.state().faults.have_struck()
    }
}
