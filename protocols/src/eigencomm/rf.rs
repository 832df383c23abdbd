//! The RF and calibration data of a module: what lies where in a backup, and in what two of them differ.

use std::ops::Range;

use super::map::RF_BACKUP;

/// Parts that are known, by their place in the CP flash, raw. Source: specs/eigencomm-agentboot.md §2.6 (V:
/// `flexfile0`, `flexfile1`), §2.7.
const PARTS: [(&str, Range<u32>); 2] = [
    ("default RF data", 0xC_E000..0xE_7000),
    ("live RF and calibration data", 0xE_7000..0x10_0000),
];
/// What erased flash reads as.
const BLANK: u8 = 0xFF;

/// A part of a backup.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RfPart<'a> {
    /// `live RF and calibration data`.
    pub name: &'static str,
    /// Its place in the CP flash, raw.
    pub address: u32,
    /// What it holds.
    pub bytes: &'a [u8],
}

impl RfPart<'_> {
    /// It has never been written, or was erased.
    pub fn is_blank(&self) -> bool {
        self.bytes.iter().all(|byte| *byte == BLANK)
    }
}

/// Whether a backup has the length that every backup has.
pub fn is_rf(backup: &[u8]) -> bool {
    backup.len() == RF_BACKUP.len()
}

/// The known parts of a backup.
pub fn rf_parts(backup: &[u8]) -> Vec<RfPart<'_>> {
    let part = |(name, range): &(&'static str, Range<u32>)| {
        let inside = |at: u32| (at - RF_BACKUP.start) as usize;
        let bytes = backup.get(inside(range.start)..inside(range.end))?;
        Some(RfPart {
            name,
            address: range.start,
            bytes,
        })
    };
    PARTS.iter().filter_map(part).collect()
}

/// Where two backups differ: ranges of the CP flash, raw.
pub fn rf_differences(one: &[u8], other: &[u8]) -> Vec<Range<u32>> {
    let mut ranges: Vec<Range<u32>> = Vec::new();
    let differing = one.iter().zip(other).enumerate().filter(|(_, (a, b))| a != b);
    for at in differing.map(|(index, _)| RF_BACKUP.start + index as u32) {
        match ranges.last_mut() {
            Some(last) if last.end == at => last.end = at + 1,
            _ => ranges.push(at..at + 1),
        }
    }
    ranges
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_the_parts_and_tells_blank_ones() {
        let mut backup = vec![0xFF; 0x4_0000];
        backup[0xE_7000 - 0xC_0000] = 1;
        let found: Vec<_> = rf_parts(&backup)
            .iter()
            .map(|part| (part.address, part.bytes.len(), part.is_blank()))
            .collect();
        assert_eq!(found, [(0xC_E000, 0x1_9000, true), (0xE_7000, 0x1_9000, false)]);
        assert!(is_rf(&backup) && !is_rf(&backup[1..]));
        assert_eq!(rf_parts(&backup[..0x1_0000]), []);
    }

    #[test]
    fn finds_every_differing_range() {
        let one = vec![0; 0x4_0000];
        let mut other = one.clone();
        other[5..8].fill(1);
        other[0x3_FFFF] = 1;
        assert_eq!(
            rf_differences(&one, &other),
            [0xC_0005..0xC_0008, 0xF_FFFF..0x10_0000]
        );
        assert_eq!(rf_differences(&one, &one), []);
    }
}
