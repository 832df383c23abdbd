//! What the thread of a module shares with the handle of its owner.

use std::collections::{BTreeMap, VecDeque};
use std::io::{self, PipeReader, PipeWriter, Read, Write};
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::fault::Faults;

/// What a module is at the moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Mode {
    /// Firmware runs: AT, DIAG, modem and perhaps REPL ports.
    Run,
    /// A loader listens.
    Download,
    /// Not on the bus: between two modes, without power, or detached.
    Off,
}

/// What a port is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Role {
    /// Logs in run mode.
    Diag,
    /// Logs of the application processor, on Unisoc modules.
    ApLog,
    /// Logs of the communication processor, on Unisoc modules.
    CpLog,
    /// The MOS port of Unisoc modules, which is silent.
    Mos,
    /// NMEA sentences, where there is no REPL, on Unisoc modules.
    Nmea,
    /// AT commands.
    At,
    /// AT commands and PPP.
    Modem,
    /// The QuecPython REPL.
    Repl,
    /// The loader in download mode.
    Download,
}

/// What a module has counted since it was attached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counters {
    /// Bytes received on the AT and modem ports.
    pub at_bytes: u64,
    /// Bytes received on the REPL port.
    pub repl_bytes: u64,
    /// Bytes received on the DIAG and log ports, which a host never writes to.
    pub diag_bytes: u64,
    /// Bytes received in download mode, of any kind.
    pub download_bytes: u64,
    /// Bytes of images received in download mode, after unstuffing.
    pub data_bytes: u64,
    /// How often `fuse` was asked for. It is irreversible on a real module: a host never asks.
    pub fuse_requests: u64,
    /// Whole frames or packets received in download mode, on Unisoc modules.
    pub frames: u64,
    /// How often the module has powered on or restarted.
    pub boots: u64,
    /// How often it found no whole firmware to boot.
    pub failed_boots: u64,
}

/// What the owner of the handle wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    PowerCycle,
    Detach,
    Attach,
    Stop,
}

#[derive(Debug)]
pub struct State {
    /// What the owner wants, oldest first: one byte in the pipe for each.
    pub orders: VecDeque<Order>,
    pub mode: Mode,
    pub ttys: BTreeMap<Role, PathBuf>,
    pub revision: Option<String>,
    pub boot_pin: bool,
    pub script_running: bool,
    pub counters: Counters,
    pub at_commands: Vec<String>,
    pub repl_code: Vec<String>,
    pub commands: Vec<String>,
    pub violations: Vec<String>,
    pub faults: Faults,
    pub trouble: Option<String>,
}

/// Locks what a panicking thread may have left behind.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The meeting place of thread and handle.
#[derive(Debug)]
pub struct Shared {
    state: Mutex<State>,
    changed: Condvar,
    wake: Mutex<PipeWriter>,
}

impl Shared {
    /// The meeting place, and the end of a pipe that becomes readable when there is an order.
    pub fn new(faults: Faults, boot_pin: bool) -> io::Result<(Arc<Self>, PipeReader)> {
        let (reader, writer) = io::pipe()?;
        let state = State {
            orders: VecDeque::new(),
            mode: Mode::Off,
            ttys: BTreeMap::new(),
            revision: None,
            boot_pin,
            script_running: false,
            counters: Counters::default(),
            at_commands: Vec::new(),
            repl_code: Vec::new(),
            commands: Vec::new(),
            violations: Vec::new(),
            faults,
            trouble: None,
        };
        let shared = Shared {
            state: Mutex::new(state),
            changed: Condvar::new(),
            wake: Mutex::new(writer),
        };
        Ok((Arc::new(shared), reader))
    }

    #[cfg(test)]
    pub fn for_tests() -> Arc<Self> {
        Self::new(Faults::default(), false).unwrap().0
    }

    pub fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }

    /// Changes the state and wakes everyone who waits for a change.
    pub fn update(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.state());
        self.changed.notify_all();
    }

    pub fn count(&self, count: impl FnOnce(&mut Counters)) {
        count(&mut self.state().counters);
    }

    pub fn log_at_command(&self, line: &str) {
        self.state().at_commands.push(line.to_owned());
    }

    pub fn log_repl_code(&self, code: &str) {
        self.state().repl_code.push(code.to_owned());
    }

    pub fn log_command(&self, command: &str) {
        self.state().commands.push(command.to_owned());
    }

    /// Notes what the host did that a real module lets pass and that harms it.
    pub fn log_violation(&self, text: &str) {
        self.state().violations.push(text.to_owned());
    }

    pub fn set_script_running(&self, running: bool) {
        self.update(|state| state.script_running = running);
    }

    /// Gives an order to the thread.
    pub fn give(&self, order: Order) {
        self.update(|state| state.orders.push_back(order));
        let mut wake = lock(&self.wake);
        let _ = wake.write_all(&[0]);
    }

    /// Takes the oldest order.
    pub fn take_order(&self, reader: &mut PipeReader) -> Option<Order> {
        let _ = reader.read(&mut [0]);
        self.state().orders.pop_front()
    }

    /// Waits until `is_true`; false when `within` has passed first.
    pub fn wait(&self, within: Duration, mut is_true: impl FnMut(&State) -> bool) -> bool {
        let deadline = Instant::now() + within;
        let mut state = self.state();
        loop {
            if is_true(&state) {
                return true;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            state = self
                .changed
                .wait_timeout(state, left)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
    }
}
