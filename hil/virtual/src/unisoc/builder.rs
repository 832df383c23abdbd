//! How a virtual Unisoc module is set up.

use std::time::Duration;

use super::fdl;
use crate::builder::VirtualModuleBuilder;

/// Which chip a Unisoc module has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UnisocChip {
    /// UIS8910DM: EC200U, EC600U, EG912U, EG915U.
    Uis8910,
    /// UIS8850: EC600G, EC800G.
    Uis8850,
}

impl UnisocChip {
    /// The area that the boot ROM starts from: BOOTLOADER or SPL.
    pub(crate) fn boot_area_bytes(self) -> usize {
        match self {
            UnisocChip::Uis8910 => 0x1_0000,
            UnisocChip::Uis8850 => 0x2_0000,
        }
    }

    /// Where the application begins in the NOR.
    pub(crate) fn application_at(self) -> usize {
        match self {
            UnisocChip::Uis8910 => 0x1_0000,
            UnisocChip::Uis8850 => 0x3_0000,
        }
    }
}

/// What makes a Unisoc module.
#[derive(Debug, Clone)]
pub struct Unisoc {
    pub(super) chip: UnisocChip,
    pub(super) flash_bytes: usize,
    pub(super) largest_payload: usize,
    pub(super) bytes_per_second: Option<u64>,
    pub(super) exec_time: Duration,
    pub(super) has_external_flash: bool,
    pub(super) rom_garbage: bool,
    pub(super) model: Option<String>,
    pub(super) nv: NvStart,
}

/// What the NV holds at first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NvStart {
    Calibrated,
    Empty,
    /// Whatever is in it, it is read with a wrong CRC.
    WrongCrc,
}

impl Unisoc {
    pub(super) fn new(chip: UnisocChip) -> Self {
        Unisoc {
            chip,
            flash_bytes: 0x80_0000,
            largest_payload: match chip {
                UnisocChip::Uis8910 => fdl::LIMIT_8910,
                UnisocChip::Uis8850 => fdl::LIMIT_8850,
            },
            bytes_per_second: None,
            exec_time: Duration::ZERO,
            has_external_flash: false,
            rom_garbage: false,
            model: None,
            nv: NvStart::Calibrated,
        }
    }
}

impl VirtualModuleBuilder<Unisoc> {
    /// Size of the NOR in bytes; 8 MiB unless told.
    pub fn flash_bytes(mut self, size: usize) -> Self {
        self.platform.flash_bytes = size;
        self
    }

    /// Longest payload that the loader takes; longer frames are dropped in silence. Unless told, 0x301A on the
    /// UIS8910 (measured) and 0xFC00 on the UIS8850.
    pub fn largest_payload(mut self, bytes: usize) -> Self {
        self.platform.largest_payload = bytes;
        self
    }

    /// How fast flash is erased and programmed, in bytes per second; at once unless told.
    pub fn programming_speed(mut self, bytes_per_second: u64) -> Self {
        self.platform.bytes_per_second = Some(bytes_per_second);
        self
    }

    /// How long FDL2 or FDL takes to start; no time unless told.
    pub fn exec_time(mut self, time: Duration) -> Self {
        self.platform.exec_time = time;
        self
    }

    /// Whether there is a second flash chip, without which FEXT cannot be formatted.
    pub fn external_flash(mut self) -> Self {
        self.platform.has_external_flash = true;
        self
    }

    /// Bytes 6 and 7 of the mask ROM's replies hold garbage. Source: specs/unisoc-pac-bsl.md §4.1.
    pub fn rom_garbage(mut self) -> Self {
        self.platform.rom_garbage = true;
        self
    }

    /// The ordering code that the hardware has, against which the 8850's loader holds its list; the first ten
    /// characters of the revision unless told.
    pub fn model(mut self, ordering_code: &str) -> Self {
        self.platform.model = Some(ordering_code.into());
        self
    }

    /// Its NV and PhaseCheck are blank: reading them gives 0x96.
    pub fn blank_nv(mut self) -> Self {
        self.platform.nv = NvStart::Empty;
        self
    }

    /// Its NV is read with a wrong CRC.
    pub fn wrong_nv_crc(mut self) -> Self {
        self.platform.nv = NvStart::WrongCrc;
        self
    }
}
