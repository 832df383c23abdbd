//! What a Unisoc module keeps without supply: the NOR array, NV items, PhaseCheck, and the files it has unpacked.

use std::collections::BTreeMap;
use std::ops::Range;

use super::nv::{self, NvItems};
use super::{UnisocChip, factory, images};
use crate::identity::{Identity, find_revision};
use crate::life::Memory;

/// Where the NOR is in the address space. Source: specs/unisoc-pac-bsl.md, table of the chips.
pub(super) const NOR: u32 = 0x6000_0000;
/// What an erased byte reads.
const ERASED: u8 = 0xFF;
/// Erase units, largest first.
const UNITS: [usize; 3] = [0x1_0000, 0x8000, 0x1000];
/// Smallest erase unit.
pub(super) const SECTOR: usize = 0x1000;

/// The flash of a Unisoc module. NV, PhaseCheck and files lie in the loaders' own file systems on a real module;
/// here they are kept beside the array, so that an image written over such a place does not spoil them.
#[derive(Debug, Clone)]
pub struct UnisocFlash {
    pub(super) chip: UnisocChip,
    bytes: Vec<u8>,
    /// A CODE object that was begun and not completed.
    writing: Option<Range<usize>>,
    torn: Vec<Range<usize>>,
    pub(super) nv: NvItems,
    /// The running copy; made at the next boot when there is none.
    pub(super) running_nv: Option<NvItems>,
    pub(super) phase_check: Option<Vec<u8>>,
    /// Whether the file system of NV and PhaseCheck exists. The loader makes one at the first START for it, or
    /// when the running NV is deleted: measured.
    pub(super) is_formatted: bool,
    pub(super) files: BTreeMap<String, Vec<u8>>,
    pub(super) formats: Vec<String>,
}

impl UnisocFlash {
    /// The flash as the factory leaves it: full of other firmware, calibrated. Without a firmware it is blank.
    pub(super) fn factory(chip: UnisocChip, size: usize, firmware: Option<&Identity>) -> Self {
        let mut flash = UnisocFlash {
            chip,
            bytes: vec![ERASED; size],
            writing: None,
            torn: Vec::new(),
            nv: NvItems::new(),
            running_nv: None,
            phase_check: None,
            is_formatted: false,
            files: BTreeMap::new(),
            formats: Vec::new(),
        };
        if let Some(identity) = firmware {
            factory::firmware(chip, &identity.revision, &mut flash.bytes);
            flash.nv = factory::nv_items(chip, identity);
            flash.phase_check = Some(factory::phase_check(identity));
            flash.is_formatted = true;
        }
        flash
    }

    /// Every byte of the NOR array.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The bytes at that address, as the chip sees it (`0x60010000`); none when they are not all in the NOR.
    pub fn region(&self, address: u32, length: usize) -> Option<&[u8]> {
        let start = address.checked_sub(NOR)? as usize;
        self.bytes.get(start..start.checked_add(length)?)
    }

    /// The factory NV items, by id.
    pub fn nv_items(&self) -> &NvItems {
        &self.nv
    }

    /// The running copy of the NV items; none when it was deleted, and the next boot makes a new one.
    pub fn running_nv_items(&self) -> Option<&NvItems> {
        self.running_nv.as_ref()
    }

    /// The 256 bytes of PhaseCheck.
    pub fn phase_check(&self) -> Option<&[u8]> {
        self.phase_check.as_deref()
    }

    /// A file that was unpacked from a cpio package, by its whole name (`/modem/mem_index_list`).
    pub fn file(&self, name: &str) -> Option<&[u8]> {
        self.files.get(name).map(Vec::as_slice)
    }

    /// Names of the files that were unpacked from cpio packages.
    pub fn files(&self) -> impl Iterator<Item = &str> {
        self.files.keys().map(String::as_str)
    }

    /// The file systems that were formatted, oldest first: `FSYS`, `FMOD`, `FEXT`.
    pub fn formats(&self) -> &[String] {
        &self.formats
    }

    /// Whether images were begun and not completed.
    pub fn is_torn(&self) -> bool {
        !self.torn.is_empty()
    }

    /// Whether the boot ROM finds something to start.
    pub fn boots(&self) -> bool {
        let magic = match self.chip {
            UnisocChip::Uis8910 => images::UIMAGE_MAGIC,
            UnisocChip::Uis8850 => images::SIMAGE_MAGIC,
        };
        let boot_area = 0..self.chip.boot_area_bytes();
        self.bytes.starts_with(&magic) && !self.torn.iter().any(|torn| overlap(torn, &boot_area))
    }

    /// Where those bytes lie in the array; none when the last of them is outside the chip.
    pub(super) fn range(&self, address: u32, length: usize) -> Option<Range<usize>> {
        let start = address.checked_sub(NOR)? as usize;
        let end = start.checked_add(length)?;
        (start < self.bytes.len() && end <= self.bytes.len()).then_some(start..end)
    }

    /// Erases the largest unit that begins at `at` and fits before `end`; returns where it ends.
    pub(super) fn erase_unit(&mut self, at: usize, end: usize) -> usize {
        let fits = |unit: &usize| at.is_multiple_of(*unit) && end - at >= *unit;
        let unit = UNITS.into_iter().find(fits).unwrap_or(SECTOR);
        let stop = (at + unit).min(self.bytes.len());
        self.bytes[at..stop].fill(ERASED);
        stop
    }

    /// Erases whole sectors on the host's order: there is nothing half written in them any more.
    pub(super) fn erase(&mut self, range: Range<usize>) {
        self.bytes[range.clone()].fill(ERASED);
        self.torn
            .retain(|torn| torn.start < range.start || torn.end > range.end);
    }

    /// Programs bytes: bits can only be cleared.
    pub(super) fn program(&mut self, at: usize, bytes: &[u8]) {
        for (cell, byte) in self.bytes[at..at + bytes.len()].iter_mut().zip(bytes) {
            *cell &= byte;
        }
    }

    /// A CODE object begins.
    pub(super) fn begin(&mut self, range: Range<usize>) {
        self.torn.extend(self.writing.replace(range));
    }

    /// The CODE object is complete.
    pub(super) fn complete(&mut self) {
        if let Some(range) = self.writing.take() {
            self.torn
                .retain(|torn| torn.start < range.start || torn.end > range.end);
        }
    }

    /// Everything is erased, NV and PhaseCheck too.
    pub(super) fn erase_all(&mut self) {
        self.bytes.fill(ERASED);
        self.torn.clear();
        self.nv.clear();
        (self.running_nv, self.phase_check, self.is_formatted) = (None, None, false);
        self.files.clear();
    }

    /// The NV bin as it is read; none where there is no file system.
    pub(super) fn nv_bin(&self) -> Option<Vec<u8>> {
        self.is_formatted.then(|| nv::read_bin(self.chip, &self.nv))
    }

    /// Stores an NV bin item by item; the running copy is deleted when anything has changed.
    pub(super) fn store_nv(&mut self, bin: &[u8]) -> Result<(), nv::BadBin> {
        let before = self.nv.clone();
        let stored = nv::store_bin(self.chip, bin, &mut self.nv);
        if self.nv != before {
            self.running_nv = None;
        }
        stored
    }
}

fn overlap(one: &Range<usize>, other: &Range<usize>) -> bool {
    one.start < other.end && other.start < one.end
}

impl Memory for UnisocFlash {
    fn revision(&self) -> Option<String> {
        let application = self.bytes.get(self.chip.application_at()..)?;
        let written = application.iter().any(|byte| *byte != ERASED);
        (written && self.torn.is_empty())
            .then(|| find_revision(application))
            .flatten()
    }

    fn lose_power(&mut self) {
        self.torn.extend(self.writing.take());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const REVISION: &str = "EC600UCNLBR03A01M08_OCPU_QPY";

    fn flash() -> UnisocFlash {
        UnisocFlash::factory(UnisocChip::Uis8910, 0x80_0000, Some(&Identity::of(REVISION)))
    }

    #[test]
    fn boots_the_factory_firmware_until_the_boot_area_is_erased() {
        let mut flash = flash();
        assert!(flash.boots());
        assert_eq!(flash.revision().as_deref(), Some(REVISION));
        flash.erase(0..0x1_0000);
        assert!(!flash.boots());
        assert!(!UnisocFlash::factory(UnisocChip::Uis8910, 0x80_0000, None).boots());
    }

    #[test]
    fn a_torn_image_does_not_run_until_it_is_written_again_or_erased() {
        let mut flash = flash();
        flash.begin(0x30_0000..0x31_0000);
        flash.lose_power();
        assert!(flash.is_torn());
        assert_eq!(flash.revision(), None);
        assert!(flash.boots(), "the boot area is whole");
        flash.begin(0x30_0000..0x31_0000);
        flash.complete();
        assert_eq!(flash.revision().as_deref(), Some(REVISION));
        flash.begin(0..0x2000);
        flash.lose_power();
        assert!(!flash.boots());
    }

    #[test]
    fn programming_only_clears_bits_and_erasing_takes_the_largest_unit() {
        let mut flash = flash();
        flash.erase(0x10_0000..0x10_1000);
        flash.program(0x10_0000, &[0xF0]);
        flash.program(0x10_0000, &[0x3C]);
        assert_eq!(flash.region(0x6010_0000, 2), Some(&[0x30, 0xFF][..]));
        assert_eq!(flash.erase_unit(0x10_0000, 0x12_0000), 0x11_0000);
        assert_eq!(flash.erase_unit(0x10_0000, 0x10_9000), 0x10_8000);
        assert_eq!(flash.erase_unit(0x10_8000, 0x10_9000), 0x10_9000);
        assert_eq!(flash.region(0x607F_FFFF, 2), None);
        assert_eq!(flash.range(0x6080_0000, 0), None);
    }

    #[test]
    fn the_running_copy_goes_when_the_factory_items_change() {
        let mut flash = flash();
        flash.running_nv = Some(flash.nv.clone());
        let bin = nv::read_bin(UnisocChip::Uis8910, &flash.nv);
        let stored = flash.nv.clone();
        flash.store_nv(&nv::build(stored, 0)).unwrap();
        assert!(flash.running_nv_items().is_some());
        flash.store_nv(&nv::build([(5, vec![0; 8])], 0)).unwrap();
        assert!(flash.running_nv_items().is_none());
        assert_eq!(bin.len(), 0x2_0000);
    }
}
