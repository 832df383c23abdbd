//! How the modules of a station are talked to, where the defaults do not do.

use std::time::Duration;

use serde::Deserialize;

use crate::flash::{FLASH_BAUDS, Request, parse_pacing};

/// Line speed of the boot ROM and of run mode, unless told. Source: specs/asr-aboot.md §1.2 [V-win].
const BAUD: u32 = 115_200;

/// The keys of `[link]`; each slot may have its own.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tuning {
    /// Line speed; without meaning over USB.
    pub baud: Option<u32>,
    /// Line speed once the loader runs; without meaning over USB.
    pub flash_baud: Option<FlashBaud>,
    /// Bytes of one frame to the loader, where the protocol lets one choose.
    pub frame: Option<u16>,
    /// Small writes with a pause between them.
    pub pacing: Option<Pacing>,
}

/// A line speed that a loader can be asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "u32")]
pub struct FlashBaud(u32);

/// Bytes of one write, and the pause after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Pacing(usize, Duration);

impl TryFrom<u32> for FlashBaud {
    type Error = String;

    fn try_from(baud: u32) -> Result<Self, String> {
        match FLASH_BAUDS.contains(&baud) {
            true => Ok(FlashBaud(baud)),
            false => Err(format!(
                "{baud} is no line speed from {} to {}",
                FLASH_BAUDS.start(),
                FLASH_BAUDS.end()
            )),
        }
    }
}

impl TryFrom<String> for Pacing {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        parse_pacing(&text).map(|(bytes, pause)| Pacing(bytes, pause))
    }
}

impl Tuning {
    /// Line speed of the boot ROM and of run mode.
    pub fn baud(&self) -> u32 {
        self.baud.unwrap_or(BAUD)
    }

    /// Adds it to a request.
    pub(super) fn apply(&self, request: &mut Request) {
        request.baud = self.baud();
        request.flash_baud = self.flash_baud.map(|baud| baud.0);
        request.frame = self.frame;
        request.pacing = self.pacing.map(|pacing| (pacing.0, pacing.1));
    }
}
