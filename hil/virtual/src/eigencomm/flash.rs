//! What an EC618 keeps without supply: two NOR flash chips. Source: specs/eigencomm-agentboot.md §2.7, §4.4, §4.6.

use std::ops::Range;
use std::time::Duration;

use super::factory;
use super::header::{HEADER, Header};
use crate::identity::{Identity, find_revision};
use crate::life::Memory;

/// Bytes of the AP flash.
pub(super) const AP_BYTES: usize = 0x40_0000;
/// Bytes of the CP flash.
pub(super) const CP_BYTES: usize = 0x10_0000;
/// Where the stored headers of bootloader and AP are, and the bootloader itself.
pub(super) const BL_HEADER_AT: usize = 0;
pub(super) const AP_HEADER_AT: usize = 0x2000;
pub(super) const BL_AT: usize = 0x4000;
/// Where the AP image lies when its header names no address.
pub(super) const AP_AT_UNLESS_TOLD: usize = 0x2_0000;
/// RF data and calibration in the CP flash: a host never touches it.
pub(super) const CALIBRATION: Range<usize> = 0xC_D000..CP_BYTES;

const ERASED: u8 = 0xFF;
const SECTOR: usize = 0x1000;

/// One of the two flash chips of an EC618.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FlashChip {
    /// 4 MiB: bootloader, AP image, application, file systems. Seen by the CPU at 0x800000.
    Ap,
    /// 1 MiB: CP image, RF data. Seen by the CPU at 0x8800000.
    Cp,
}

impl FlashChip {
    /// Where the chip is in the address space.
    pub(super) fn window(self) -> u32 {
        match self {
            FlashChip::Ap => 0x0080_0000,
            FlashChip::Cp => 0x0880_0000,
        }
    }

    pub(super) fn bytes(self) -> usize {
        match self {
            FlashChip::Ap => AP_BYTES,
            FlashChip::Cp => CP_BYTES,
        }
    }

    /// The chip that the CPU sees at that address, and the offset in it.
    pub(super) fn at(address: u32) -> Option<(FlashChip, usize)> {
        [FlashChip::Ap, FlashChip::Cp].into_iter().find_map(|chip| {
            let offset = address.checked_sub(chip.window())? as usize;
            (offset < chip.bytes()).then_some((chip, offset))
        })
    }
}

/// An erase ran into the end of the chip.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct OutsideTheChip;

/// The flash of an Eigencomm module.
#[derive(Debug, Clone)]
pub struct EigencommFlash {
    ap: Vec<u8>,
    cp: Vec<u8>,
}

impl EigencommFlash {
    /// The flash as the factory leaves it, with RF data, and other firmware when there is one.
    pub(super) fn factory(firmware: Option<&Identity>) -> Self {
        let mut flash = EigencommFlash {
            ap: vec![ERASED; AP_BYTES],
            cp: vec![ERASED; CP_BYTES],
        };
        factory::calibrate(&mut flash.cp);
        if let Some(identity) = firmware {
            factory::firmware(&identity.revision, &mut flash.ap, &mut flash.cp);
        }
        flash
    }

    /// Every byte of a chip.
    pub fn bytes(&self, chip: FlashChip) -> &[u8] {
        match chip {
            FlashChip::Ap => &self.ap,
            FlashChip::Cp => &self.cp,
        }
    }

    /// The bytes at that offset of a chip; none when they are not all in it.
    pub fn region(&self, chip: FlashChip, offset: u32, length: usize) -> Option<&[u8]> {
        let start = offset as usize;
        self.bytes(chip).get(start..start.checked_add(length)?)
    }

    /// The default copy of the RF data, and the live one.
    pub fn calibration(&self) -> [&[u8]; 2] {
        [factory::RF_DEFAULT, factory::RF_LIVE].map(|range| &self.cp[range])
    }

    fn cells(&mut self, chip: FlashChip) -> &mut [u8] {
        match chip {
            FlashChip::Ap => &mut self.ap,
            FlashChip::Cp => &mut self.cp,
        }
    }

    /// Erases as the agent does, and tells how long that takes: the largest unit that fits at an aligned place, else
    /// the sector that contains the place. An unaligned range loses its whole first sector, and may keep its tail.
    pub(super) fn erase(
        &mut self,
        chip: FlashChip,
        start: usize,
        length: usize,
    ) -> Result<Duration, OutsideTheChip> {
        let (mut at, mut left, mut takes) = (start, length, Duration::ZERO);
        while left > 0 {
            let (unit, step, time) = if at.is_multiple_of(0x1_0000) && left > 0x1_0000 {
                (0x1_0000, 0x1_0000, 175)
            } else if at.is_multiple_of(0x8000) && left >= 0x8000 {
                (0x8000, 0x8000, 120)
            } else {
                (SECTOR, SECTOR.min(left), 40)
            };
            let begin = at / SECTOR * SECTOR;
            let cells = self.cells(chip).get_mut(begin..begin + unit);
            cells.ok_or(OutsideTheChip)?.fill(ERASED);
            takes += Duration::from_millis(time);
            (at, left) = (at + step, left - step);
        }
        Ok(takes)
    }

    /// Programs bytes, which only clears bits; false when it then reads other bytes.
    pub(super) fn program(&mut self, chip: FlashChip, at: usize, bytes: &[u8]) -> bool {
        let Some(cells) = self.cells(chip).get_mut(at..at + bytes.len()) else {
            return false;
        };
        for (cell, byte) in cells.iter_mut().zip(bytes) {
            *cell &= byte;
        }
        cells == bytes
    }

    /// Whether a stored header and the image it announces agree.
    fn is_consistent(&self, header_at: usize, body_at: Option<usize>) -> bool {
        let bytes = self.ap.get(header_at..header_at + HEADER);
        let Some(header) = bytes.and_then(|bytes| <[u8; HEADER]>::try_from(bytes).ok()) else {
            return false;
        };
        let header = Header(header);
        let body_at = body_at.unwrap_or(match header.burn_address() as usize {
            0 => AP_AT_UNLESS_TOLD,
            address => address,
        });
        let end = body_at.saturating_add(header.size() as usize);
        let body = self.ap.get(body_at..end);
        header.has_magic() && body.is_some_and(|body| !body.is_empty() && header.announces(body))
    }

    /// Whether the bootloader and the AP image are those that their headers announce.
    pub fn boots(&self) -> bool {
        self.is_consistent(BL_HEADER_AT, Some(BL_AT)) && self.is_consistent(AP_HEADER_AT, None)
    }
}

impl Memory for EigencommFlash {
    fn revision(&self) -> Option<String> {
        self.boots()
            .then(|| find_revision(&self.ap[AP_AT_UNLESS_TOLD..]))
            .flatten()
    }

    fn lose_power(&mut self) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    const REVISION: &str = "EC600ECNLCR01A01M04_OCPU_QPY";

    fn flash() -> EigencommFlash {
        EigencommFlash::factory(Some(&Identity::of(REVISION)))
    }

    #[test]
    fn boots_the_factory_firmware_until_a_byte_of_it_changes() {
        assert_eq!(flash().revision().as_deref(), Some(REVISION));
        for at in [0x60, 0x4010, 0x2060, 0x2_4100] {
            let mut flash = flash();
            flash.ap[at] ^= 0x10;
            assert_eq!(flash.revision(), None, "{at:#x}");
        }
        let blank = EigencommFlash::factory(None);
        assert!(!blank.boots());
        assert_eq!(blank.calibration(), flash().calibration());
    }

    #[test]
    fn erases_the_units_of_the_agent() {
        let mut flash = flash();
        let filled = |flash: &mut EigencommFlash| flash.ap[0x30_0000..0x32_0000].fill(0x11);
        let ms = Duration::from_millis;
        filled(&mut flash);
        assert_eq!(flash.erase(FlashChip::Ap, 0x30_0000, 0x1_0000), Ok(ms(240)));
        assert_eq!(flash.erase(FlashChip::Ap, 0x30_0000, 0x1_0001), Ok(ms(215)));
        filled(&mut flash);
        assert_eq!(flash.erase(FlashChip::Ap, 0x30_0800, 0x1000), Ok(ms(40)));
        assert_eq!(flash.ap[0x30_0000..0x30_1000], [0xFF; 0x1000]);
        assert_eq!(flash.ap[0x30_1000], 0x11, "the tail of an unaligned range stays");
        assert_eq!(flash.erase(FlashChip::Cp, 0xF_F000, 0x1001), Err(OutsideTheChip));
    }

    #[test]
    fn programming_only_clears_bits() {
        let mut flash = flash();
        flash.erase(FlashChip::Ap, 0x30_0000, 1).unwrap();
        assert!(flash.program(FlashChip::Ap, 0x30_0000, &[0xF0]));
        assert!(!flash.program(FlashChip::Ap, 0x30_0000, &[0x3C]));
        assert_eq!(flash.region(FlashChip::Ap, 0x30_0000, 2), Some(&[0x30, 0xFF][..]));
        assert_eq!(flash.region(FlashChip::Cp, 0xF_FFFF, 2), None);
    }
}
