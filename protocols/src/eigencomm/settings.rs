//! `quec_download_usb.ini` and `quec_download_uart.ini`: of the vendor tool's settings, the two that the agent's
//! header carries.
//!
//! ```text
//! [config]
//! agbaud = 921600
//! [control]
//! pullup_qspi = 1
//! ```
//! Source: specs/eigencomm-agentboot.md §2.6 (V).

use super::Transport;
use super::ini::Ini;
use crate::FormatError;

/// Line speed of an agent whose settings do not name one. Source: §2.3 (1), §9.3 (C).
const AGENT_BAUD: u32 = 921_600;
/// The unit in which a header carries a line speed, in baud. Source: §3.6 (V).
pub(super) const BAUD_UNIT: u32 = 100;
/// The largest speed of a header, in units: 15 bits. Source: §3.6 (V).
pub(super) const BAUD_UNITS: u32 = 0x7FFF;

/// What the agent is told when it is started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// Line speed of a UART agent; without effect over USB.
    pub agent_baud: u32,
    /// Pull-ups on the lines of the flash chip.
    pub pullup_qspi: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            agent_baud: AGENT_BAUD,
            pullup_qspi: true,
        }
    }
}

impl Settings {
    /// Reads the settings of a transport; keys that are not there have the vendor's defaults.
    ///
    /// # Errors
    /// [`FormatError`] when a key is no number, or the speed is none that a header can carry.
    pub fn parse(transport: Transport, ini: &[u8]) -> Result<Settings, FormatError> {
        let ini = Ini::parse(transport.settings_file(), ini);
        let agent_baud = ini.number("config", "agbaud")?.unwrap_or(AGENT_BAUD);
        if !is_agent_baud(agent_baud) {
            return Err(FormatError::Unsupported {
                what: format!("`agbaud` {agent_baud} in `{}`", transport.settings_file()),
                why: "an agent takes multiples of 100 up to 3276700".into(),
            });
        }
        let pullup_qspi = ini.number("control", "pullup_qspi")?;
        Ok(Settings {
            agent_baud,
            pullup_qspi: pullup_qspi.is_none_or(|value| value != 0),
        })
    }
}

/// Whether an agent's header can carry that line speed.
pub(super) fn is_agent_baud(baud: u32) -> bool {
    baud.is_multiple_of(BAUD_UNIT) && (1..=BAUD_UNITS).contains(&(baud / BAUD_UNIT))
}
