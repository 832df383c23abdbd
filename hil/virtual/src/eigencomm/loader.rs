//! Download mode: the mask ROM, and the agent it starts, on one port without re-enumeration. Source:
//! specs/eigencomm-agentboot.md §1.1, §3-4.
//!
//! ```text
//! DLBOOT of the mask ROM --agent--> LPC --BURN_ONE--> AGBOOT --last block--> LPC --SYS_RST--> run mode
//! ```

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use super::agent::{Agent, Conduct};
use super::agents::AgentKind;
use super::builder::Eigencomm;
use super::desk::{Desk, Turn};
use super::flash::EigencommFlash;
use super::header::Header;
use super::input::Input;
use super::rom::Rom;
use crate::fault::EigencommStage;
use crate::outbox::Outbox;
use crate::port::{Ending, Manners, Talker};
use crate::shared::Shared;

/// Line speed of the ROM over UART. Source: §1.2 [V].
const ROM_BAUD: u32 = 115_200;
/// Top byte of the version of an EC618's ROM. Source: §3.4 [V].
const EC618: u32 = 2;

/// One power-on of download mode; everything in it is RAM.
pub(super) struct Loader {
    settings: Eigencomm,
    flash: Arc<Mutex<EigencommFlash>>,
    desk: Desk,
    input: Input,
    runs: Runs,
    /// The agent starts, and hears nothing before.
    deaf_until: Option<Instant>,
    /// The host's line speed, and the module's.
    host_baud: u32,
    baud: u32,
    /// When the ROM gives up waiting for a host.
    gives_up_at: Option<(Instant, Duration)>,
    boot_window: Option<Instant>,
}

/// What runs.
enum Runs {
    Rom(Box<Rom>),
    Agent(Box<Agent>),
    /// An agent that never answers: only a power cycle helps.
    Nothing,
}

impl Loader {
    /// The ROM fresh from reset. When `window` is given it listens only so long.
    pub fn new(
        settings: Eigencomm,
        shared: Arc<Shared>,
        flash: Arc<Mutex<EigencommFlash>>,
        window: Option<Duration>,
        now: Instant,
    ) -> Self {
        Loader {
            flash,
            desk: Desk::new(shared),
            input: Input::default(),
            runs: Runs::Rom(Box::new(Rom::new(
                settings.rom_version,
                settings.rom_checks_hashes,
            ))),
            deaf_until: None,
            host_baud: ROM_BAUD,
            baud: ROM_BAUD,
            gives_up_at: settings.download_idle.map(|idle| (now + idle, idle)),
            boot_window: window.map(|window| now + window),
            settings,
        }
    }

    fn work(&mut self, now: Instant, out: &mut Outbox) {
        if self.desk.afflictions.is_ending() {
            return;
        }
        let turn = &mut Turn { now, out };
        match &mut self.runs {
            Runs::Rom(rom) => {
                if let Some((header, agent)) = rom.work(&mut self.input, &mut self.desk, turn) {
                    self.start(&header, &agent, now);
                }
            }
            Runs::Agent(agent) => {
                if agent.work(&mut self.input, &mut self.desk, turn) {
                    self.desk.restart(now);
                }
            }
            Runs::Nothing => self.input.clear(),
        }
    }

    /// The ROM jumps to what it has loaded.
    fn start(&mut self, header: &Header, agent: &[u8], now: Instant) {
        self.input.clear();
        (self.gives_up_at, self.boot_window) = (None, None);
        self.deaf_until = Some(now + self.settings.agent_start);
        self.baud = header.baud();
        let kind = AgentKind::of(agent).or(self.settings.any_agent.then_some(self.settings.transport));
        let why = match kind {
            None => "an agent that is damaged or unknown",
            Some(kind) if kind != self.settings.transport => "an agent for the other port",
            Some(_) if self.settings.rom_version.0 >> 24 != EC618 => "an agent for another chip",
            Some(kind) => {
                let conduct = Conduct {
                    strict: self.settings.strict,
                    takes_time: self.settings.takes_time,
                };
                let agent = Agent::new((kind, agent), conduct, Arc::clone(&self.flash), now);
                self.runs = Runs::Agent(Box::new(agent));
                return;
            }
        };
        self.desk.violation(EigencommStage::Rom, why);
        self.runs = Runs::Nothing;
    }

    /// Whether what the host sends arrives as it was sent.
    fn is_understood(&mut self) -> bool {
        if self.settings.transport == AgentKind::Usb || self.host_baud == self.baud {
            return true;
        }
        let text = format!(
            "the host speaks at {} baud, the module at {}",
            self.host_baud, self.baud
        );
        let stage = if matches!(self.runs, Runs::Rom(_)) {
            EigencommStage::Rom
        } else {
            EigencommStage::Lpc
        };
        self.desk.violation(stage, &text);
        false
    }
}

impl Talker for Loader {
    fn hear(&mut self, bytes: &[u8], now: Instant, out: &mut Outbox) {
        self.desk
            .shared
            .count(|counters| counters.download_bytes += bytes.len() as u64);
        if let Some((at, idle)) = &mut self.gives_up_at {
            *at = now + *idle;
        }
        self.boot_window = None;
        if self.deaf_until.is_some_and(|until| now < until) || !self.is_understood() {
            return;
        }
        self.deaf_until = None;
        self.input.hear(bytes, now);
        if let Runs::Agent(agent) = &mut self.runs {
            agent.pauses = false;
        }
        self.work(now, out);
    }

    fn tick(&mut self, now: Instant, out: &mut Outbox) {
        self.work(now, out);
        self.input.expire(now);
    }

    fn next_tick(&self) -> Option<Instant> {
        let agent = match &self.runs {
            Runs::Agent(agent) => agent.next_tick(),
            _ => None,
        };
        [
            agent,
            self.input.expires_at(),
            self.gives_up_at.map(|(at, _)| at),
            self.boot_window,
            self.desk.afflictions.ends_at(),
        ]
        .into_iter()
        .flatten()
        .min()
    }

    fn ending(&self, now: Instant) -> Option<Ending> {
        let idle = self.gives_up_at.map(|(at, _)| at);
        let closed = [idle, self.boot_window].into_iter().flatten().any(|at| at <= now);
        self.desk
            .afflictions
            .ended(now)
            .or(closed.then_some(Ending::WindowClosed))
    }

    fn manners(&self) -> Manners {
        self.desk.afflictions.manners
    }

    fn minds_line_speed(&self) -> bool {
        self.settings.transport == AgentKind::Uart
    }

    fn line_speed(&mut self, baud: u32) {
        self.host_baud = baud;
    }
}
