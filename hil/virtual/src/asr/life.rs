//! The life of a module: it boots, runs, is sent to download mode, is written, restarts, loses its supply.

use std::io::{self, PipeReader};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, poll};

use crate::asr::builder::Settings;
use crate::asr::loader::Loader;
use crate::asr::shared::{Mode, Order, Role, Shared};
use crate::at::At;
use crate::bus::{CDC_CONTROL, CDC_DATA, Description, Interface, VENDOR, VirtualBus};
use crate::diag::Diag;
use crate::identity::Identity;
use crate::port::{Ending, Port, Talker, serve, timespec};
use crate::repl::Repl;

/// Longest interval between two shows of a crashing module. Source: specs/asr-aboot.md §8.3.
const LONGEST_CRASH_INTERVAL: Duration = Duration::from_secs(498);

/// The thread of one module.
pub(crate) struct Life {
    pub settings: Settings,
    pub bus: VirtualBus,
    pub shared: Arc<Shared>,
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
    /// Shows the download port because nothing boots; rests so long before the next show.
    Crash(Duration),
    /// Without supply, until attached.
    Away,
    Stop,
}

impl Life {
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
                Step::Crash(rest) => {
                    self.download(Some(self.settings.crash_window))
                        .map(|ending| match ending {
                            Ending::WindowClosed => self.crash_again(rest),
                            ending => self.after(ending),
                        })
                }
                Step::Away => Ok(self.rest(None).unwrap_or(Step::Away)),
                Step::Stop => return,
            };
            step = next.unwrap_or_else(|error| {
                log::warn!("the virtual module at {} fails: {error}", self.settings.topology);
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
        let next = match self.settings.boot_window {
            _ if self.download_requested || boot_pin => Step::Download,
            Some(time) => Step::Window(time),
            None => return Step::Firmware,
        };
        self.rest(Some(self.settings.download_delay)).unwrap_or(next)
    }

    /// What boot2 does: starts the firmware, when there is one that is whole.
    fn firmware(&mut self) -> Step {
        let revision = self.shared.flash().revision().map(str::to_owned);
        let (delay, next) = match revision {
            Some(revision) => (self.settings.boot_time, Step::Run(revision)),
            None => {
                self.shared.count(|counters| counters.failed_boots += 1);
                (
                    self.settings.download_delay,
                    Step::Crash(self.settings.crash_interval),
                )
            }
        };
        self.rest(Some(delay)).unwrap_or(next)
    }

    fn crash_again(&mut self, rest: Duration) -> Step {
        self.shared.count(|counters| counters.failed_boots += 1);
        self.rest(Some(rest))
            .unwrap_or(Step::Crash((rest * 2).min(LONGEST_CRASH_INTERVAL)))
    }

    fn after(&mut self, ending: Ending) -> Step {
        match ending {
            Ending::EnterDownload => self.download_requested = true,
            Ending::Restart => self.download_requested &= self.settings.stays_in_download,
            _ => self.download_requested = false,
        }
        match ending {
            Ending::Ordered => self.obey().unwrap_or(Step::Boot),
            Ending::Vanish => Step::Away,
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
        let now = Instant::now();
        let identity = match &self.settings.identity {
            Some(identity) if identity.revision == revision => identity.clone(),
            Some(identity) => identity.with_revision(revision),
            None => Identity::of(revision),
        };
        let has_repl = self.settings.repl_interface.unwrap_or(identity.is_quecpython());
        let shared = || Arc::clone(&self.shared);
        let at = || At::new(self.settings.at.clone(), identity.clone(), shared(), now);
        let mut functions: Vec<(u8, Role, &'static str, Box<dyn Talker>)> = vec![
            (2, Role::Diag, VENDOR, Box::new(Diag::new(shared()))),
            (3, Role::At, VENDOR, Box::new(at())),
            (4, Role::Modem, VENDOR, Box::new(at())),
        ];
        if has_repl {
            let repl = Repl::new(self.settings.repl.clone(), identity.clone(), shared(), now);
            functions.push((5, Role::Repl, CDC_CONTROL, Box::new(repl)));
        }
        self.shared
            .update(|state| state.revision = Some(revision.to_owned()));
        let description = Description {
            topology: self.settings.topology.clone(),
            vid: "2c7c".into(),
            pid: format!("{:04x}", self.settings.run_pid),
            bcd_device: "0318".into(),
            manufacturer: Some("Android".into()),
            product: Some("Android".into()),
            serial: Some("0000".into()),
            speed: "high",
            interfaces: functions
                .iter()
                .map(|(number, _, class, _)| Interface::new(*number, class))
                .collect(),
        };
        let functions = functions
            .into_iter()
            .map(|(number, role, _, talker)| (number, role, talker))
            .collect();
        self.serve(Mode::Run, description, functions)
    }

    fn download(&mut self, window: Option<Duration>) -> io::Result<Ending> {
        let loader = Loader::new(
            self.settings.clone(),
            Arc::clone(&self.shared),
            window,
            Instant::now(),
        );
        let topology = self
            .settings
            .download_topology
            .as_ref()
            .unwrap_or(&self.settings.topology);
        let description = Description {
            topology: topology.clone(),
            vid: "2ecc".into(),
            pid: format!("{:04x}", self.settings.download_pid),
            bcd_device: "0000".into(),
            manufacturer: Some("ASR Microelectornics".into()),
            product: Some("Arom Usb Boot Port".into()),
            serial: Some("arom0123456789".into()),
            speed: "high",
            interfaces: vec![Interface::new(0, CDC_CONTROL), Interface::new(1, CDC_DATA)],
        };
        self.serve(
            Mode::Download,
            description,
            vec![(0, Role::Download, Box::new(loader))],
        )
    }

    /// Is on the bus with these ports, until something ends it.
    fn serve(
        &mut self,
        mode: Mode,
        description: Description,
        functions: Vec<(u8, Role, Box<dyn Talker>)>,
    ) -> io::Result<Ending> {
        let (mut numbers, mut ports) = (Vec::new(), Vec::new());
        for (number, role, talker) in functions {
            numbers.push((number, role));
            ports.push(Port::open(talker, self.settings.link)?);
        }
        let announced: Vec<_> = numbers
            .iter()
            .zip(&ports)
            .map(|((number, _), port)| (*number, &port.pty))
            .collect();
        let attachment = self.bus.attach(description, &announced)?;
        let role_of = |number| {
            numbers
                .iter()
                .find(|(known, _)| *known == number)
                .map(|(_, role)| *role)
        };
        let ttys = attachment
            .nodes()
            .iter()
            .filter_map(|(number, node)| Some((role_of(*number)?, node.clone())));
        self.shared.update(|state| {
            state.ttys = ttys.collect();
            state.mode = mode;
        });
        let ending = serve(&mut ports, &self.orders);
        drop(attachment);
        drop(ports);
        self.shared.flash().abandon();
        self.shared.update(|state| {
            state.ttys.clear();
            state.mode = Mode::Off;
            state.revision = None;
        });
        ending
    }
}
