//! The life of a module: it boots, runs, is sent to download mode, is written, restarts, loses its supply.

use std::fmt::Debug;
use std::io::{self, PipeReader};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, poll};

use crate::builder::Common;
use crate::identity::Identity;
use crate::port::{Ending, Port, Talker, serve, timespec};
use crate::shared::{Mode, Order, Role, Shared, lock};
use crate::socket::{Enumerated, EnumeratedInterface, Socket};

/// Longest interval between two shows of a crashing module. Source: specs/asr-aboot.md §8.3.
const LONGEST_CRASH_INTERVAL: Duration = Duration::from_secs(498);

/// What distinguishes the modules of one chip vendor from those of another.
pub trait Platform: Debug + Clone + Send + Sized + 'static {
    /// The flash array and what is kept in it.
    type Memory: Memory;

    /// The flash array of a new module.
    fn factory(&mut self, identity: Option<&Identity>) -> Self::Memory;

    /// Whether the boot ROM finds nothing to start in flash and stays in download mode.
    fn stays_in_boot_rom(&self, _memory: &Self::Memory) -> bool {
        false
    }

    /// How long the download port shows at each boot before the firmware runs.
    fn boot_window(&self) -> Option<Duration> {
        None
    }

    /// When nothing boots: how long the download port shows, and the first interval between two shows. A module
    /// without such a loop hangs, off the bus, until it is powered again.
    fn crash_loop(&self) -> Option<(Duration, Duration)> {
        None
    }

    /// Whether it comes back in download mode after a restart by software, until it is power-cycled.
    fn stays_in_download(&self) -> bool {
        false
    }

    /// The firmware starts: it takes from the flash what it knows about itself.
    fn wake(&self, _memory: &mut Self::Memory, _identity: &mut Identity) {}

    /// What enumeration finds in run mode.
    fn run_mode(&self, common: &Common, identity: &Identity, shared: &Arc<Shared>) -> Enumeration;

    /// What enumeration finds in download mode. When `window` is given, the loader waits only so long.
    fn download_mode(
        &self,
        shared: &Arc<Shared>,
        memory: &Arc<Mutex<Self::Memory>>,
        window: Option<Duration>,
    ) -> Enumeration;
}

/// What a module keeps without supply.
pub trait Memory: Debug + Clone + Send + Sync + 'static {
    /// The revision of the firmware that boots; none when there is none, or not a whole one.
    fn revision(&self) -> Option<String>;

    /// The module loses its RAM: what was begun and not completed is torn.
    fn lose_power(&mut self);
}

/// What USB enumeration tells of a module in one mode.
pub struct Enumeration {
    pub vid: u16,
    pub pid: u16,
    pub bcd_device: &'static str,
    /// Manufacturer, product, serial number.
    pub strings: [Option<&'static str>; 3],
    pub speed: &'static str,
    pub functions: Vec<Function>,
}

/// One USB interface, and the port behind it if it has one.
pub struct Function {
    pub number: u8,
    pub class: &'static str,
    pub port: Option<(Role, Box<dyn Talker>)>,
}

impl Function {
    /// An interface with a port.
    pub fn port(number: u8, class: &'static str, role: Role, talker: impl Talker + 'static) -> Self {
        let port = Some((role, Box::new(talker) as Box<dyn Talker>));
        Function { number, class, port }
    }

    /// An interface without one.
    pub fn bare(number: u8, class: &'static str) -> Self {
        Function {
            number,
            class,
            port: None,
        }
    }
}

impl Enumeration {
    /// What a host can see, and what speaks on the ports, in the order of the interfaces that have one.
    fn split(self) -> (Enumerated, Vec<Box<dyn Talker>>) {
        let (mut interfaces, mut talkers) = (Vec::new(), Vec::new());
        for function in self.functions {
            let (role, talker) = function.port.unzip();
            talkers.extend(talker);
            interfaces.push(EnumeratedInterface {
                number: function.number,
                class: function.class,
                role,
            });
        }
        let enumerated = Enumerated {
            vid: self.vid,
            pid: self.pid,
            bcd_device: self.bcd_device,
            strings: self.strings,
            speed: self.speed,
            interfaces,
        };
        (enumerated, talkers)
    }
}

/// The thread of one module.
pub(crate) struct Life<P: Platform> {
    pub common: Common,
    pub platform: P,
    pub socket: Arc<dyn Socket>,
    pub shared: Arc<Shared>,
    pub memory: Arc<Mutex<P::Memory>>,
    pub orders: PipeReader,
    /// The restart code that asks the boot ROM for download mode. It survives a restart, not a power cycle.
    pub download_requested: bool,
}

/// What the module does next.
enum Step {
    /// Comes out of reset.
    Boot,
    /// Serves the download port until it is told otherwise.
    Download,
    /// Shows the download port so long, then boots the firmware unless a host has spoken.
    Window(Duration),
    Firmware,
    Run(String),
    /// Shows the download port so long because nothing boots; rests so long before the next show.
    Crash(Duration, Duration),
    /// Without supply, until attached; or hanging, until powered again.
    Away,
    Stop,
}

impl<P: Platform> Life<P> {
    /// Lives until told to stop.
    pub fn run(mut self) {
        let mut step = Step::Boot;
        loop {
            let next = match step {
                Step::Boot => Ok(self.boot()),
                Step::Download => self.download(None).map(|ending| self.after(ending)),
                Step::Window(time) => self.download(Some(time)).map(|ending| match ending {
                    Ending::WindowClosed => Step::Firmware,
                    ending => self.after(ending),
                }),
                Step::Firmware => Ok(self.firmware()),
                Step::Run(revision) => self.run_mode(&revision).map(|ending| self.after(ending)),
                Step::Crash(window, rest) => self.download(Some(window)).map(|ending| match ending {
                    Ending::WindowClosed => self.crash_again(window, rest),
                    ending => self.after(ending),
                }),
                Step::Away => Ok(self.rest(None).unwrap_or(Step::Away)),
                Step::Stop => return,
            };
            step = next.unwrap_or_else(|error| {
                log::warn!("the virtual module at {} fails: {error}", self.common.topology);
                self.shared
                    .update(|state| state.trouble = Some(error.to_string()));
                Step::Away
            });
        }
    }

    /// What the boot ROM does after a reset.
    fn boot(&mut self) -> Step {
        self.shared.count(|counters| counters.boots += 1);
        let boot_pin = self.shared.state().boot_pin;
        let stays = self.platform.stays_in_boot_rom(&lock(&self.memory));
        let next = match self.platform.boot_window() {
            _ if self.download_requested || boot_pin || stays => Step::Download,
            Some(time) => Step::Window(time),
            None => return Step::Firmware,
        };
        self.rest(Some(self.common.download_delay)).unwrap_or(next)
    }

    /// What the bootloader in flash does: starts the firmware, when there is one that is whole.
    fn firmware(&mut self) -> Step {
        let revision = lock(&self.memory).revision();
        let (delay, next) = match (revision, self.platform.crash_loop()) {
            (Some(revision), _) => (self.common.boot_time, Step::Run(revision)),
            (None, crash_loop) => {
                self.shared.count(|counters| counters.failed_boots += 1);
                let next = crash_loop.map_or(Step::Away, |(window, rest)| Step::Crash(window, rest));
                (self.common.download_delay, next)
            }
        };
        self.rest(Some(delay)).unwrap_or(next)
    }

    fn crash_again(&mut self, window: Duration, rest: Duration) -> Step {
        self.shared.count(|counters| counters.failed_boots += 1);
        self.rest(Some(rest))
            .unwrap_or(Step::Crash(window, (rest * 2).min(LONGEST_CRASH_INTERVAL)))
    }

    fn after(&mut self, ending: Ending) -> Step {
        match ending {
            Ending::EnterDownload => self.download_requested = true,
            Ending::Restart => self.download_requested &= self.platform.stays_in_download(),
            _ => self.download_requested = false,
        }
        match ending {
            Ending::Ordered => self.obey().unwrap_or(Step::Boot),
            Ending::Vanish => Step::Away,
            Ending::Move => {
                self.common.topology.clone_from(&self.common.elsewhere);
                Step::Boot
            }
            _ => Step::Boot,
        }
    }

    /// Takes an order and says what follows from it.
    fn obey(&mut self) -> Option<Step> {
        let step = match self.shared.take_order(&mut self.orders)? {
            Order::PowerCycle | Order::Attach => Step::Boot,
            Order::Detach => Step::Away,
            Order::Stop => Step::Stop,
        };
        self.download_requested = false;
        Some(step)
    }

    /// Stays off the bus for so long, or until there is an order, which is then obeyed.
    fn rest(&mut self, time: Option<Duration>) -> Option<Step> {
        let until = time.map(|time| Instant::now() + time);
        loop {
            let left = until.map(|until| until.saturating_duration_since(Instant::now()));
            let timeout = left.map(timespec);
            match poll(&mut [PollFd::new(&self.orders, PollFlags::IN)], timeout.as_ref()) {
                Ok(0) => return None,
                Err(rustix::io::Errno::INTR) => {}
                _ => return self.obey(),
            }
        }
    }

    fn run_mode(&mut self, revision: &str) -> io::Result<Ending> {
        let mut identity = match &self.common.identity {
            Some(identity) if identity.revision == revision => identity.clone(),
            Some(identity) => identity.with_revision(revision),
            None => Identity::of(revision),
        };
        self.platform.wake(&mut lock(&self.memory), &mut identity);
        let enumeration = self.platform.run_mode(&self.common, &identity, &self.shared);
        self.shared
            .update(|state| state.revision = Some(revision.to_owned()));
        let topology = self.common.topology.clone();
        self.serve(Mode::Run, topology, enumeration)
    }

    fn download(&mut self, window: Option<Duration>) -> io::Result<Ending> {
        let enumeration = self.platform.download_mode(&self.shared, &self.memory, window);
        let elsewhere = self.common.download_topology.clone();
        let topology = elsewhere.unwrap_or_else(|| self.common.topology.clone());
        self.serve(Mode::Download, topology, enumeration)
    }

    /// Is on the bus with these ports, until something ends it.
    fn serve(&mut self, mode: Mode, topology: String, enumeration: Enumeration) -> io::Result<Ending> {
        let (enumerated, talkers) = enumeration.split();
        let plugged = self.socket.plug(&topology, &enumerated)?;
        let mut ports: Vec<Port> = plugged
            .pipes
            .into_iter()
            .zip(talkers)
            .map(|(pipe, talker)| Port::new(pipe, talker, self.common.link))
            .collect();
        let ttys = plugged
            .nodes
            .iter()
            .filter_map(|(number, node)| Some((enumerated.role(*number)?, node.clone())));
        self.shared.update(|state| {
            state.ttys = ttys.collect();
            state.mode = mode;
        });
        let ending = serve(&mut ports, &self.orders);
        drop(plugged.presence);
        drop(ports);
        lock(&self.memory).lose_power();
        self.shared.update(|state| {
            state.ttys.clear();
            state.mode = Mode::Off;
            state.revision = None;
        });
        ending
    }
}
