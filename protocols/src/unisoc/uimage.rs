//! The header in front of UIS8910 loaders: is what will run in the module's RAM whole?

use crc::{CRC_32_ISO_HDLC, Crc, Table};

const CRC32: Crc<u32, Table<16>> = Crc::<u32, Table<16>>::new(&CRC_32_ISO_HDLC);

/// Bytes of the header, all fields big-endian. Source: specs/unisoc-pac-bsl.md §1.7 (V).
const HEADER_BYTES: usize = 64;
/// First word of the header.
const MAGIC: u32 = 0x2705_1956;
/// CRC-32 over the header with this very field zero.
const HEADER_CRC: std::ops::Range<usize> = 4..8;
/// Bytes that follow the header; the file may be padded behind them.
const DATA_SIZE: std::ops::Range<usize> = 12..16;
/// CRC-32 over those bytes.
const DATA_CRC: std::ops::Range<usize> = 24..28;

/// Whether it begins as one: all that the module itself looks at. Source: specs/unisoc-pac-bsl.md §1.4, §5.3 (V).
pub(super) fn has_magic(image: &[u8]) -> bool {
    image.starts_with(&MAGIC.to_be_bytes())
}

/// Says what is wrong with a loader, or nothing.
pub(super) fn defect(image: &[u8]) -> Option<String> {
    let Some((header, body)) = image.split_at_checked(HEADER_BYTES) else {
        return Some(format!("{} bytes are too few for a header", image.len()));
    };
    let word = |at: std::ops::Range<usize>| {
        header[at]
            .iter()
            .fold(0, |word, byte| word << 8 | u32::from(*byte))
    };
    if word(0..4) != MAGIC {
        return Some(format!(
            "it begins with 0x{:08x} instead of 0x{MAGIC:08x}",
            word(0..4)
        ));
    }
    let mut blank = [0; HEADER_BYTES];
    blank.copy_from_slice(header);
    blank[HEADER_CRC].fill(0);
    if CRC32.checksum(&blank) != word(HEADER_CRC) {
        return Some("the CRC-32 of its header differs".into());
    }
    let data = usize::try_from(word(DATA_SIZE))
        .ok()
        .and_then(|size| body.get(..size));
    match data {
        None => Some(format!(
            "its header promises {} bytes, {} follow",
            word(DATA_SIZE),
            body.len()
        )),
        Some(data) if CRC32.checksum(data) != word(DATA_CRC) => Some("the CRC-32 of its data differs".into()),
        Some(_) => None,
    }
}
