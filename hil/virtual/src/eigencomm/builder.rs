//! How a virtual Eigencomm module is set up.

use std::time::Duration;

use super::agents::AgentKind;
use crate::builder::VirtualModuleBuilder;

/// What makes an Eigencomm module, of the chip EC618.
#[derive(Debug, Clone)]
pub struct Eigencomm {
    pub(super) transport: AgentKind,
    pub(super) any_agent: bool,
    pub(super) strict: bool,
    pub(super) takes_time: bool,
    pub(super) agent_start: Duration,
    pub(super) rom_version: (u32, u32),
    pub(super) rom_checks_hashes: bool,
    pub(super) download_idle: Option<Duration>,
    pub(super) boot_window: Option<Duration>,
    pub(super) run_shape: RunShape,
    pub(super) way_in: WayIn,
}

/// What the module is on USB in run mode. Source: specs/eigencomm-agentboot.md §1.1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RunShape {
    /// ECM at 0 and 1, then vendor-class ports: 2 logs, 3 AT, 4 modem, as later firmware has them.
    VendorPorts,
    /// CDC-ACM only: 0 AT, 2 logs, as the firmware of 2021 has them.
    CdcAcm,
}

/// Which AT command leads to download mode. Source: specs/eigencomm-agentboot.md §1.3.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WayIn {
    /// `AT+QDOWNLOAD=1` and `AT+ECRST=delay,N`.
    Qdownload,
    /// `AT+ECRST=delay,N` only; `AT+QDOWNLOAD=1` is an `ERROR`, as on the firmware of 2021.
    EcrstOnly,
    /// Neither: the boot pin is the only way.
    BootPinOnly,
}

impl Eigencomm {
    pub(super) fn new() -> Self {
        Eigencomm {
            transport: AgentKind::Usb,
            any_agent: false,
            strict: false,
            takes_time: false,
            agent_start: Duration::ZERO,
            rom_version: (0x0200_0000, 1),
            rom_checks_hashes: true,
            download_idle: None,
            boot_window: None,
            run_shape: RunShape::VendorPorts,
            way_in: WayIn::Qdownload,
        }
    }
}

impl VirtualModuleBuilder<Eigencomm> {
    /// Is attached by a UART adapter on UART1, in both modes, instead of its own USB: only the UART agent answers,
    /// and the host's line speed must be the module's.
    pub fn over_uart(mut self) -> Self {
        self.platform.transport = AgentKind::Uart;
        self
    }

    /// Runs whatever agent it is given, as one for the port it is attached by. Unless told, only the genuine agents
    /// of 2021 and the generated ones answer, each on its own port.
    pub fn any_agent(mut self) -> Self {
        self.platform.any_agent = true;
        self
    }

    /// Refuses what the genuine agents let pass and that harms the module; see
    /// [`violations`](crate::VirtualModule::violations) for what is noted either way.
    pub fn strict(mut self) -> Self {
        self.platform.strict = true;
        self
    }

    /// Erasing and programming take their time, and the agent 30 ms to start; at once unless told.
    pub fn realistic_times(mut self) -> Self {
        self.platform.takes_time = true;
        self.platform.agent_start = Duration::from_millis(30);
        self
    }

    /// How long the agent takes to start, deaf meanwhile.
    pub fn agent_start(mut self, time: Duration) -> Self {
        self.platform.agent_start = time;
        self
    }

    /// What the ROM says of itself: vVal and id. 0x02000000 and 1 unless told; 0x03000000 and 2 is an EC718, on which
    /// no agent for EC618 answers.
    pub fn rom_version(mut self, v_val: u32, id: u32) -> Self {
        self.platform.rom_version = (v_val, id);
        self
    }

    /// The ROM runs what it has received whatever the hashes in the header say.
    pub fn rom_without_hash_checks(mut self) -> Self {
        self.platform.rom_checks_hashes = false;
        self
    }

    /// Leaves download mode when the ROM has heard nothing for so long; never unless told. Real modules are said to
    /// leave after one or two minutes.
    pub fn download_idle(mut self, time: Duration) -> Self {
        self.platform.download_idle = Some(time);
        self
    }

    /// The ROM shows its port for so long at each boot.
    pub fn boot_window(mut self, time: Duration) -> Self {
        self.platform.boot_window = Some(time);
        self
    }

    /// What it is on USB in run mode; vendor-class ports unless told.
    pub fn run_shape(mut self, shape: RunShape) -> Self {
        self.platform.run_shape = shape;
        self
    }

    /// Which AT command leads to download mode; both unless told.
    pub fn way_in(mut self, way: WayIn) -> Self {
        self.platform.way_in = way;
        self
    }
}
