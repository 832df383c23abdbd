//! The handle of a virtual module.

use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::builder::Common;
use crate::fault::{Fault, Faults};
use crate::life::{Life, Platform};
use crate::shared::{Counters, Mode, Order, Role, Shared, lock};
use crate::socket::Socket;

/// A virtual module, plugged in somewhere. Dropping it detaches the module and ends its thread.
#[derive(Debug)]
pub struct VirtualModule<P: Platform> {
    shared: Arc<Shared>,
    memory: Arc<Mutex<P::Memory>>,
    topology: String,
    thread: Option<JoinHandle<()>>,
}

/// The module did not become what was waited for.
#[derive(Debug, Clone, thiserror::Error)]
#[error("the virtual module at {topology} was not {wanted} within {:.1} s; it is in mode {mode:?}{}",
    .within.as_secs_f64(), .trouble.as_ref().map(|trouble| format!(" ({trouble})")).unwrap_or_default())]
pub struct Timeout {
    topology: String,
    wanted: String,
    within: Duration,
    mode: Mode,
    trouble: Option<String>,
}

impl<P: Platform> VirtualModule<P> {
    /// Starts the module's thread. `start` is its faults, whether the boot pin is held, and whether download mode
    /// was asked for.
    pub(crate) fn start(
        socket: Arc<dyn Socket>,
        common: Common,
        platform: P,
        memory: P::Memory,
        (faults, boot_pin, download_requested): (Faults, bool, bool),
    ) -> io::Result<Self> {
        let (shared, orders) = Shared::new(faults, boot_pin)?;
        let memory = Arc::new(Mutex::new(memory));
        let topology = common.topology.clone();
        let life = Life {
            common,
            platform,
            socket,
            shared: Arc::clone(&shared),
            memory: Arc::clone(&memory),
            orders,
            download_requested,
        };
        let thread = std::thread::Builder::new()
            .name(format!("module {topology}"))
            .spawn(move || life.run())?;
        Ok(VirtualModule {
            shared,
            memory,
            topology,
            thread: Some(thread),
        })
    }

    /// What the module is now.
    pub fn mode(&self) -> Mode {
        self.shared.state().mode
    }

    /// The revision that runs; none outside run mode.
    pub fn revision(&self) -> Option<String> {
        self.shared.state().revision.clone()
    }

    /// Where it is plugged in.
    pub fn topology(&self) -> &str {
        &self.topology
    }

    /// The tty node of a port, while the port exists.
    pub fn tty(&self, role: Role) -> Option<PathBuf> {
        self.shared.state().ttys.get(&role).cloned()
    }

    /// Every port that exists now, with its tty node.
    pub fn ttys(&self) -> Vec<(Role, PathBuf)> {
        self.shared
            .state()
            .ttys
            .iter()
            .map(|(role, node)| (*role, node.clone()))
            .collect()
    }

    /// The flash array as it is now.
    pub fn flash(&self) -> P::Memory {
        self.memory().clone()
    }

    /// The same, on the spot: the module waits until it is let go.
    pub fn memory(&self) -> MutexGuard<'_, P::Memory> {
        lock(&self.memory)
    }

    /// What it has counted since it was attached.
    pub fn counters(&self) -> Counters {
        self.shared.state().counters
    }

    /// Bytes received in download mode: none, when a refusal leaves the module untouched.
    pub fn bytes_received_in_download_mode(&self) -> u64 {
        self.counters().download_bytes
    }

    /// The commands its loader has received, oldest first.
    pub fn commands(&self) -> Vec<String> {
        self.shared.state().commands.clone()
    }

    /// What the host did that a real module lets pass and that harms it, oldest first.
    pub fn violations(&self) -> Vec<String> {
        self.shared.state().violations.clone()
    }

    /// The AT commands it has received, oldest first.
    pub fn at_commands(&self) -> Vec<String> {
        self.shared.state().at_commands.clone()
    }

    /// The code its raw REPL has run, oldest first.
    pub fn repl_code(&self) -> Vec<String> {
        self.shared.state().repl_code.clone()
    }

    /// Whether `main.py` runs.
    pub fn is_script_running(&self) -> bool {
        self.shared.state().script_running
    }

    /// Takes the supply away and gives it back.
    pub fn power_cycle(&self) {
        self.shared.give(Order::PowerCycle);
    }

    /// Pulls the cable, which is also the supply.
    pub fn detach(&self) {
        self.shared.give(Order::Detach);
    }

    /// Plugs the cable in again.
    pub fn attach(&self) {
        self.shared.give(Order::Attach);
    }

    /// Holds or releases the boot pin, which counts at the next reset.
    pub fn set_boot_pin(&self, held: bool) {
        self.shared.update(|state| state.boot_pin = held);
    }

    /// Gives it a fault.
    pub fn give(&self, fault: Fault) {
        self.shared.update(|state| state.faults.arm(fault));
    }

    /// Waits until the module is in `mode`.
    ///
    /// # Errors
    /// [`Timeout`] when `within` has passed first.
    pub fn wait_for_mode(&self, mode: Mode, within: Duration) -> Result<(), Timeout> {
        let reached = self.shared.wait(within, |state| state.mode == mode);
        self.reached(reached, format!("in mode {mode:?}"), within)
    }

    /// Waits until the module is no longer in `mode`, and returns what it is instead; the same `mode` when
    /// `within` has passed first.
    pub fn wait_while_mode(&self, mode: Mode, within: Duration) -> Mode {
        self.shared.wait(within, |state| state.mode != mode);
        self.mode()
    }

    /// Waits until firmware of that revision runs.
    ///
    /// # Errors
    /// [`Timeout`] when `within` has passed first.
    pub fn wait_for_revision(&self, revision: &str, within: Duration) -> Result<(), Timeout> {
        let runs = |found: &Option<String>| found.as_deref() == Some(revision);
        let reached = self
            .shared
            .wait(within, |state| state.mode == Mode::Run && runs(&state.revision));
        self.reached(reached, format!("running {revision}"), within)
    }

    /// Whether every fault that it was given has struck.
    pub fn faults_have_struck(&self) -> bool {
        self.shared.state().faults.have_struck()
    }

    fn reached(&self, reached: bool, wanted: String, within: Duration) -> Result<(), Timeout> {
        let state = self.shared.state();
        let (topology, trouble) = (self.topology.clone(), state.trouble.clone());
        if reached {
            Ok(())
        } else {
            Err(Timeout {
                topology,
                wanted,
                within,
                mode: state.mode,
                trouble,
            })
        }
    }
}

impl<P: Platform> Drop for VirtualModule<P> {
    fn drop(&mut self) {
        self.shared.give(Order::Stop);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
