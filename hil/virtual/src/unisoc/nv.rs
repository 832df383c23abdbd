//! NV items, and the bin in which they travel. Source: specs/unisoc-pac-bsl.md §5.5, §6.6.
//!
//! ```text
//! CRC-16/ARC of the rest, big-endian | 2 free | id, length, data padded to 4 ... | FF FF | FF to the end
//! ```

use std::collections::BTreeMap;

use super::UnisocChip;
use super::checks::crc_arc;

/// The items of a module, by id.
pub type NvItems = BTreeMap<u16, Vec<u8>>;

pub(crate) const IMEI: u16 = 5;
pub(crate) const CALIBRATION: u16 = 2;
pub(crate) const GSM_CALIBRATION: u16 = 0x26D;
pub(crate) const LTE_CALIBRATION: u16 = 0x26E;
pub(crate) const GOLDEN: u16 = 0x26F;
pub(crate) const MODULE_DEF: u16 = 0x300;
/// The IMEIs: all are read back as soon as one was written, and each is eight bytes long. Measured on the genuine
/// FDL2.
const IMEIS: [u16; 4] = [IMEI, 0x179, 0x186, 0x1E4];
/// Items that the 8910 knows, in the order in which it reads them. The genuine FDL2 of another maker refuses
/// 0x300 and 0x1F0-0x1F2, which Quectel's packages carry. Source: specs/unisoc-pac-bsl.md §1.5, §6.6.
const DIRECTORY: [u16; 16] = [
    IMEI,
    0x179,
    0x186,
    0x1E4,
    CALIBRATION,
    GSM_CALIBRATION,
    LTE_CALIBRATION,
    GOLDEN,
    0x191,
    0x280,
    0x281,
    0x282,
    0x1F0,
    0x1F1,
    0x1F2,
    MODULE_DEF,
];
/// Length of the calibration parameters that the 8910 makes up when it has none, and their beginning.
pub(crate) const CALIBRATION_BYTES: usize = 6020;
const DEFAULT_CALIBRATION: [u8; 8] = [0x0A, 0xFF, 0x01, 0, 0, 0, 0, 0x02];
/// The 8910 pads item 0x26D to this length.
const GSM_CALIBRATION_BYTES: usize = 8192;
/// An id from here on ends a bin.
const END: u16 = 0xFFFE;
const HEAD: usize = 4;

/// Size of the NV area, and of the bin that an 8910 sends whatever is in it.
pub(crate) fn area_bytes(chip: UnisocChip) -> usize {
    match chip {
        UnisocChip::Uis8910 => 0x2_0000,
        UnisocChip::Uis8850 => 0x2_8000,
    }
}

/// The bin as it is read from a module.
pub(super) fn read_bin(chip: UnisocChip, items: &NvItems) -> Vec<u8> {
    match chip {
        UnisocChip::Uis8910 => {
            let listed = DIRECTORY
                .iter()
                .filter_map(|id| Some((*id, presented(*id, items)?)));
            build(listed, area_bytes(chip))
        }
        // The 8850 gives the actual size only: up to the end mark.
        UnisocChip::Uis8850 => build(items.clone(), 0),
    }
}

/// An item as the 8910 presents it: calibration is there even when it is absent, IMEIs when another one is there.
fn presented(id: u16, items: &NvItems) -> Option<Vec<u8>> {
    let stored = items.get(&id).cloned();
    match id {
        _ if IMEIS.contains(&id) => {
            let any = IMEIS.iter().any(|imei| items.contains_key(imei));
            any.then(|| stored.unwrap_or_else(|| vec![0xFF; 8]))
        }
        CALIBRATION => Some(stored.unwrap_or_else(|| {
            let mut made_up = DEFAULT_CALIBRATION.to_vec();
            made_up.resize(CALIBRATION_BYTES, 0);
            made_up
        })),
        GSM_CALIBRATION => stored.map(|mut data| {
            data.resize(data.len().max(GSM_CALIBRATION_BYTES), 0);
            data
        }),
        _ => stored,
    }
}

/// A bin of these items, filled with FF to `size`.
pub(crate) fn build(items: impl IntoIterator<Item = (u16, Vec<u8>)>, size: usize) -> Vec<u8> {
    let mut bin = vec![0, 0, 0xFF, 0xFF];
    for (id, data) in items {
        bin.extend(id.to_le_bytes());
        bin.extend((data.len() as u16).to_le_bytes());
        bin.extend_from_slice(&data);
        bin.resize(bin.len().next_multiple_of(4), 0xFF);
    }
    bin.extend([0xFF; 4]);
    bin.resize(bin.len().max(size), 0xFF);
    let crc = crc_arc(&bin[2..]);
    bin[..2].copy_from_slice(&crc.to_be_bytes());
    bin
}

/// Stores the items of a bin one after another, as the loaders do at END. What is not in the bin stays.
///
/// # Errors
/// The bin, or one of its items, is refused. Items before the bad one are stored all the same.
pub(crate) fn store_bin(chip: UnisocChip, bin: &[u8], items: &mut NvItems) -> Result<(), BadBin> {
    let stored_crc = bin.get(..2).ok_or(BadBin)?;
    if stored_crc != crc_arc(&bin[2..]).to_be_bytes() {
        return Err(BadBin);
    }
    let mut at = HEAD;
    loop {
        let head = bin.get(at..at + 4);
        let Some([i0, i1, l0, l1]) = head else {
            // A bin may end without its end mark, on the byte.
            return if at == bin.len() { Ok(()) } else { Err(BadBin) };
        };
        let (id, length) = (u16::from_le_bytes([*i0, *i1]), u16::from_le_bytes([*l0, *l1]));
        if id >= END {
            return Ok(());
        }
        let data = bin.get(at + 4..at + 4 + usize::from(length)).ok_or(BadBin)?;
        let is_known = chip == UnisocChip::Uis8850 || DIRECTORY.contains(&id);
        if !is_known || IMEIS.contains(&id) && data.len() != 8 {
            return Err(BadBin);
        }
        items.insert(id, data.to_vec());
        at += 4 + usize::from(length).next_multiple_of(4);
    }
}

/// A bin that is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct BadBin;

/// An IMEI of 15 digits as its item holds it. Source: specs/unisoc-pac-bsl.md §6.6.
pub(crate) fn encode_imei(imei: &str) -> Vec<u8> {
    let mut nibbles: Vec<u8> = imei.bytes().map(|digit| digit.wrapping_sub(b'0') & 15).collect();
    nibbles.resize(15, 0);
    let first = [0x0A, nibbles[0]];
    let rest = nibbles[1..].chunks_exact(2);
    std::iter::once(&first[..])
        .chain(rest)
        .map(|pair| pair[0] | pair[1] << 4)
        .collect()
}

/// The IMEI that an item holds; none when it is not one.
pub(crate) fn decode_imei(item: &[u8]) -> Option<String> {
    let nibbles: Vec<u8> = item.iter().flat_map(|byte| [byte & 15, byte >> 4]).collect();
    let digits = nibbles.get(1..).filter(|digits| digits.len() == 15)?;
    let is_imei = nibbles[0] == 0x0A && digits.iter().all(|digit| *digit < 10);
    is_imei.then(|| digits.iter().map(|digit| char::from(b'0' + digit)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The 32-byte NV of specs/unisoc-pac-bsl.md §5.5.
    fn worked() -> Vec<u8> {
        let mut bin = vec![
            0x07, 0x02, 0xFF, 0xFF, 5, 0, 8, 0, 0x8A, 0x66, 0x81, 0x92, 0x40, 0x50, 0x60, 0x71,
        ];
        bin.resize(32, 0xFF);
        bin
    }

    #[test]
    fn builds_and_reads_the_worked_bin() {
        let imei = encode_imei("866182904050617");
        assert_eq!(build([(IMEI, imei.clone())], 32), worked());
        let mut items = NvItems::new();
        assert_eq!(store_bin(UnisocChip::Uis8910, &worked(), &mut items), Ok(()));
        assert_eq!(items, NvItems::from([(IMEI, imei)]));
    }

    #[test]
    fn codes_the_worked_imei() {
        let item = encode_imei("866819204051627");
        assert_eq!(item, [0x8A, 0x66, 0x18, 0x29, 0x40, 0x50, 0x61, 0x72]);
        assert_eq!(decode_imei(&item).as_deref(), Some("866819204051627"));
        assert_eq!(decode_imei(&[0xFF; 8]), None);
        assert_eq!(decode_imei(&item[..7]), None);
    }

    #[test]
    fn reads_as_the_genuine_loader_does_after_one_imei_was_written() {
        let items = NvItems::from([(IMEI, (0..8).collect())]);
        let bin = read_bin(UnisocChip::Uis8910, &items);
        assert_eq!(bin.len(), 0x2_0000);
        let mut read = NvItems::new();
        store_bin(UnisocChip::Uis8910, &bin, &mut read).unwrap();
        assert_eq!(read[&IMEI], [0, 1, 2, 3, 4, 5, 6, 7]);
        assert_eq!(read[&0x1E4], [0xFF; 8]);
        assert_eq!(read[&CALIBRATION][..8], DEFAULT_CALIBRATION);
        assert_eq!(bin[0x17BC..0x17C0], [0xFF; 4]);
        assert_eq!(read.len(), 5);
        let empty = read_bin(UnisocChip::Uis8910, &NvItems::new());
        assert_eq!(
            empty[4..8],
            [0x02, 0x00, 0x84, 0x17],
            "calibration alone is made up"
        );
        assert_eq!(empty[0x178C..0x1790], [0xFF; 4]);
    }

    #[test]
    fn keeps_the_items_before_the_bad_one() {
        let chip = UnisocChip::Uis8910;
        let mut items = NvItems::from([(0x179, vec![1; 8])]);
        let bin = build([(IMEI, vec![7; 8]), (0x999, vec![1]), (0x179, vec![2; 8])], 0);
        assert_eq!(store_bin(chip, &bin, &mut items), Err(BadBin));
        assert_eq!(items, NvItems::from([(IMEI, vec![7; 8]), (0x179, vec![1; 8])]));
        let short = build([(IMEI, vec![3; 7])], 0);
        assert_eq!(store_bin(chip, &short, &mut items), Err(BadBin));
        let mut wrong = worked();
        wrong[0] ^= 1;
        assert_eq!(store_bin(chip, &wrong, &mut items), Err(BadBin));
        assert_eq!(items[&IMEI], [7; 8]);
        assert_eq!(store_bin(chip, &[], &mut items), Err(BadBin));
    }
}
