//! What the factory leaves in the flash: other firmware, and RF data. Source: specs/eigencomm-agentboot.md §2.7, §5.

use std::ops::Range;

use super::flash::{AP_HEADER_AT, BL_HEADER_AT};
use super::header::{Header, ImageId};
use crate::Scale;
use crate::binpkg::EigencommPackage;
use crate::package::contents::code;

/// The default copy of the RF data in the CP flash, and the live one.
pub(super) const RF_DEFAULT: Range<usize> = 0xC_E000..0xE_7000;
pub(super) const RF_LIVE: Range<usize> = 0xE_7000..0x10_0000;
/// Settings of the platform's file system in the AP flash, which nothing of a package covers.
const SETTINGS_AT: usize = 0x3C_C000;

/// RF data of one calibrated module: the live copy has gone on where the default stayed.
pub(super) fn calibrate(cp: &mut [u8]) {
    for (range, seed) in [(RF_DEFAULT, "default RF table"), (RF_LIVE, "live RF table")] {
        let length = range.len();
        cp[range].copy_from_slice(&code(seed, length));
    }
}

/// Firmware of that revision, as if it had been written from a package.
pub(super) fn firmware(revision: &str, ap: &mut [u8], cp: &mut [u8]) {
    let package = EigencommPackage::generate(revision, Scale::Small);
    for entry in package.entries() {
        let header = match entry.kind.as_str() {
            "BL" => Some((ImageId::Bl, BL_HEADER_AT)),
            "AP" => Some((ImageId::Ap, AP_HEADER_AT)),
            _ => None,
        };
        if let Some((id, at)) = header {
            put(ap, at, &Header::of(id, entry.address, &entry.data).0);
        }
        let chip = if entry.kind == "CP" { &mut *cp } else { &mut *ap };
        put(chip, entry.address as usize, &entry.data);
    }
    put(ap, SETTINGS_AT, &code("settings", 0x4000));
}

fn put(chip: &mut [u8], at: usize, bytes: &[u8]) {
    chip[at..at + bytes.len()].copy_from_slice(bytes);
}
