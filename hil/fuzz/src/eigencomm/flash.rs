//! The flash of both chips, one behind the other, as a used module holds it: a sector is copied when it is changed.

use std::collections::BTreeMap;
use std::sync::LazyLock;

pub const AP_BYTES: usize = 0x40_0000;
const CP_BYTES: usize = 0x10_0000;
const SECTOR: usize = 0x1000;

/// What it held before.
pub static USED: LazyLock<Vec<u8>> =
    LazyLock::new(|| (0..AP_BYTES + CP_BYTES).map(|n| (n * 7) as u8).collect());

/// Both chips.
#[derive(Default)]
pub struct Flash {
    changed: BTreeMap<usize, Vec<u8>>,
}

impl Flash {
    /// Whether nothing from `at` on was changed, not even to the same.
    pub fn is_untouched_from(&self, at: usize) -> bool {
        self.changed.range(at / SECTOR..).next().is_none()
    }

    /// What it holds there; nothing where it does not reach.
    pub fn read(&self, at: usize, length: usize) -> Option<Vec<u8>> {
        let end = at.checked_add(length)?;
        let mut bytes = USED.get(at..end)?.to_vec();
        for (number, sector) in self.changed.range(at / SECTOR..end.div_ceil(SECTOR)) {
            let start = number * SECTOR;
            let (from, to) = (at.max(start), end.min(start + SECTOR));
            bytes[from - at..to - at].copy_from_slice(&sector[from - start..to - start]);
        }
        Some(bytes)
    }

    /// Erases whole sectors.
    pub fn erase(&mut self, at: usize, length: usize) {
        assert!(at.is_multiple_of(SECTOR) && length.is_multiple_of(SECTOR));
        assert!(at + length <= AP_BYTES + CP_BYTES, "beyond the flash");
        for number in at / SECTOR..(at + length) / SECTOR {
            self.changed.insert(number, vec![0xFF; SECTOR]);
        }
    }

    /// Erases as much as the bytes need, and writes them.
    pub fn program(&mut self, at: usize, bytes: &[u8]) {
        self.erase(at, bytes.len().next_multiple_of(SECTOR));
        for (number, part) in (at / SECTOR..).zip(bytes.chunks(SECTOR)) {
            if let Some(sector) = self.changed.get_mut(&number) {
                sector[..part.len()].copy_from_slice(part);
            }
        }
    }
}
