//! The EC618's two flash chips: where they lie, what may be written, and what an erase takes with it.
//!
//! Addresses here are raw: offsets from the start of a chip. Source: specs/eigencomm-agentboot.md §4.4, §4.6, §10.

use std::ops::Range;

/// Smallest unit that is erased, in bytes. Source: §4.4 (V*).
pub(super) const SECTOR_BYTES: u32 = 0x1000;
/// Header sectors of the boot loader and of the system in the AP flash: the agent erases two sectors and writes 272
/// bytes. Source: §4.6 (V*).
pub(super) const BOOTLOADER_HEADER: Range<u32> = 0..0x2000;
pub(super) const SYSTEM_HEADER: Range<u32> = 0x2000..0x4000;
/// Where the agent puts the boot loader, whatever its header says. Source: §4.6 (V*).
pub(super) const BOOTLOADER_AT: u32 = 0x4000;
/// What images may occupy in the AP flash: the agent refuses what lies below or above. Source: §4.6, §10 (V*).
pub(super) const AP_IMAGES: Range<u32> = 0x4000..0x3F_C000;
/// What images may occupy in the CP flash: from its end on lie RF and calibration data. Source: §2.7, §5 (V).
pub(super) const CP_IMAGES: Range<u32> = 0..0xC_D000;
/// What is read of the CP flash and kept before anything is erased, raw. Source: specs/eigencomm-agentboot.md §4.5,
/// Appendix B.
pub const RF_BACKUP: Range<u32> = 0xC_0000..0x10_0000;

/// A flash chip of the module.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flash {
    /// 4 MiB: boot loader, system, application, file systems.
    Ap,
    /// 1 MiB: modem, RF data.
    Cp,
}

impl Flash {
    /// Its size in bytes. Source: §10 (V).
    pub const fn size(self) -> u32 {
        match self {
            Flash::Ap => 0x40_0000,
            Flash::Cp => 0x10_0000,
        }
    }

    /// Where the CPU sees its first byte. Source: §4.4 (V*).
    pub const fn window(self) -> u32 {
        match self {
            Flash::Ap => 0x80_0000,
            Flash::Cp => 0x880_0000,
        }
    }

    /// What images may occupy of it.
    pub(super) const fn images(self) -> Range<u32> {
        match self {
            Flash::Ap => AP_IMAGES,
            Flash::Cp => CP_IMAGES,
        }
    }

    /// Its name in sentences.
    pub const fn name(self) -> &'static str {
        match self {
            Flash::Ap => "AP flash",
            Flash::Cp => "CP flash",
        }
    }
}

/// A part of a flash chip that has a name and that a run leaves alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Region {
    /// `RF and calibration data`.
    pub name: String,
    /// The chip.
    pub flash: Flash,
    /// Raw.
    pub range: Range<u32>,
}

/// What every run leaves alone. Source: §2.7, §4.6, §5.
pub(super) fn always_kept() -> [Region; 2] {
    let region = |name: &str, flash: Flash, range| Region {
        name: name.into(),
        flash,
        range,
    };
    [
        region(
            "RF and calibration data",
            Flash::Cp,
            CP_IMAGES.end..Flash::Cp.size(),
        ),
        region(
            "the platform's flag sectors",
            Flash::Ap,
            AP_IMAGES.end..Flash::Ap.size(),
        ),
    ]
}

/// The whole sectors that hold `bytes` bytes from `address` on; nothing when they lie beyond 32 bits.
pub(super) fn sectors(address: u32, bytes: u32) -> Option<Range<u32>> {
    let end = address
        .checked_add(bytes)?
        .checked_next_multiple_of(SECTOR_BYTES)?;
    Some(address - address % SECTOR_BYTES..end)
}

pub(super) fn overlap(one: &Range<u32>, other: &Range<u32>) -> bool {
    one.start < other.end && other.start < one.end
}
