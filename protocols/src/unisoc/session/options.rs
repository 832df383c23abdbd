//! How a session is to run, who keeps what cannot be replaced, and what comes out.

use crate::unisoc::nv;
use crate::{Cause, Platform, Written};

/// Largest frames, in payload bytes. Source: specs/unisoc-pac-bsl.md §4.5 (V): FDL2 of the UIS8910 is measured; for
/// the loader of the UIS8850 an older vendor host went so far.
const LARGEST_FRAME_8910: u16 = 0x3000;
const LARGEST_FRAME_8850: u16 = 0xFC00;

/// How a package is to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// Payload of one frame to the loader that writes flash, in bytes. 0x800 as the vendor; up to 0x3000 for the
    /// UIS8910 and 0xFC00 for the UIS8850.
    pub frame: u16,
    /// What carries the bytes.
    pub transport: Transport,
    /// The line speed to change to, once, over a UART; nothing keeps that of the boot ROM.
    pub baud: Option<u32>,
    /// What becomes of the module afterwards.
    pub after: After,
    /// A kept NV area of this very module, for the case that it has lost its own. Not used while the module has one.
    pub earlier_nv: Option<Vec<u8>>,
    /// The IMEI the module had in run mode. Another one in download mode is another module.
    pub imei: Option<String>,
    /// The IMEI on the module's label: whose NV area is restored, whatever the module's own says.
    pub label_imei: Option<String>,
    /// Lets the package fill NV items of identity or calibration that the module lacks.
    pub take_missing_items: bool,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            frame: 0x800,
            transport: Transport::Tty,
            baud: None,
            after: After::Reset,
            earlier_nv: None,
            imei: None,
            label_imei: None,
            take_missing_items: false,
        }
    }
}

impl Options {
    /// Nothing is sent with options that cannot work, so they can be checked before a module is touched.
    ///
    /// # Errors
    /// [`Cause::Unsupported`] with what is wrong.
    pub fn check(&self, platform: Platform) -> Result<(), Cause> {
        let largest = match platform {
            Platform::Unisoc8850 => LARGEST_FRAME_8850,
            _ => LARGEST_FRAME_8910,
        };
        if !(1..=largest).contains(&self.frame) {
            return Err(Cause::Unsupported(format!(
                "frames of {} bytes: a {} takes 1 to {largest}",
                self.frame,
                platform.title()
            )));
        }
        if let Some(area) = &self.earlier_nv {
            nv::check(area)
                .map_err(|why| Cause::Unsupported(format!("the earlier NV area cannot be used: {why}")))?;
        }
        Ok(())
    }
}

/// What carries the bytes. Source: specs/unisoc-pac-bsl.md §2.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transport {
    /// A tty of the USB driver.
    Tty,
    /// Bulk transfers without a driver: each frame must end in a short packet.
    RawUsb,
    /// A real serial line, whose speed matters.
    Uart,
}

/// What becomes of the module when everything is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum After {
    /// It restarts.
    Reset,
    /// It stays in download mode, in a loader that only a power cycle or a reset ends.
    Stay,
}

/// What a module holds and nobody else has.
#[derive(Debug, Clone, Copy)]
pub struct Kept<'a> {
    /// The NV area, complete and with a right CRC: what [`Options::earlier_nv`] takes.
    pub nv: &'a [u8],
    /// The record of production, 256 bytes, if the module has one.
    pub phase_check: Option<&'a [u8]>,
    /// The IMEI, if the area holds one.
    pub imei: Option<&'a str>,
}

/// Keeps what a run would destroy if it went wrong. Called once, before the first erase.
pub trait Keeper {
    /// Must have the bytes on durable storage when it returns.
    ///
    /// # Errors
    /// The reason, for a person; the run then ends, and nothing has been erased.
    fn keep(&mut self, what: Kept<'_>) -> Result<(), String>;
}

/// What a complete run has achieved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// [`Written::Complete`].
    pub written: Written,
    /// Bytes of all images for flash, as they were sent.
    pub bytes: u64,
    /// The module's IMEI.
    pub imei: Option<String>,
}
