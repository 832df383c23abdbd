//! The headers by which the loaders know an image. Source: specs/unisoc-pac-bsl.md §1.7.

use crate::crc::crc32;

/// First word of a uImage, with which UIS8910 loaders, bootloader and applications begin.
pub(crate) const UIMAGE_MAGIC: [u8; 4] = [0x27, 0x05, 0x19, 0x56];
/// First word of a simage, with which UIS8850 images begin. Seen in the real EC800G package.
pub(crate) const SIMAGE_MAGIC: [u8; 4] = *b"SIHR";
const UIMAGE_HEADER: usize = 64;
/// Length of the simage header. Source: specs/unisoc-pac-bsl.md §1.7.
pub(crate) const SIMAGE_HEADER: usize = 0x100;
/// Where the simage header holds the length of the whole image, and the CRC-32 of what follows the header. Both are
/// little-endian; read off the five images of the real EC800G package.
pub(crate) const SIMAGE_LENGTH_AT: usize = 0x24;
pub(crate) const SIMAGE_CRC_AT: usize = 0x84;

fn be(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_be_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

fn le(bytes: &[u8], at: usize) -> Option<u32> {
    be(bytes, at).map(u32::swap_bytes)
}

/// Whether the bytes begin with a uImage whose two CRCs are right. Padding may follow.
pub(crate) fn is_whole_uimage(bytes: &[u8]) -> bool {
    let check = || {
        let mut header: [u8; UIMAGE_HEADER] = bytes.get(..UIMAGE_HEADER)?.try_into().ok()?;
        let data = bytes.get(UIMAGE_HEADER..UIMAGE_HEADER + be(bytes, 12)? as usize)?;
        header[4..8].fill(0);
        Some(be(bytes, 4)? == crc32(&header) && be(bytes, 24)? == crc32(data))
    };
    bytes.starts_with(&UIMAGE_MAGIC) && check().unwrap_or(false)
}

/// Whether the bytes are a simage of exactly that length with a right data CRC.
pub(crate) fn is_whole_simage(bytes: &[u8]) -> bool {
    let check = || {
        let data = bytes.get(SIMAGE_HEADER..)?;
        let length = le(bytes, SIMAGE_LENGTH_AT)? as usize;
        Some(length == bytes.len() && le(bytes, SIMAGE_CRC_AT)? == crc32(data))
    };
    bytes.starts_with(&SIMAGE_MAGIC) && check().unwrap_or(false)
}

/// A uImage of these data with right CRCs, for ARM firmware.
pub(crate) fn uimage(name: &str, load: u32, entry: u32, data: &[u8]) -> Vec<u8> {
    let mut image = UIMAGE_MAGIC.to_vec();
    let time = 0x6000_0000_u32;
    for word in [0, time, data.len() as u32, load, entry, crc32(data), 0x0502_0100] {
        image.extend(word.to_be_bytes());
    }
    image.extend(name.bytes().take(31));
    image.resize(UIMAGE_HEADER, 0);
    let header_crc = crc32(&image);
    image[4..8].copy_from_slice(&header_crc.to_be_bytes());
    image.extend_from_slice(data);
    image
}

/// A simage of these data with a right data CRC. The word at 4, whose meaning is not known, is a hash of the name.
pub(crate) fn simage(name: &str, data: &[u8]) -> Vec<u8> {
    let mut image = vec![0; SIMAGE_HEADER];
    let mut put = |at: usize, word: u32| image[at..at + 4].copy_from_slice(&word.to_le_bytes());
    put(4, crc32(name.as_bytes()));
    put(SIMAGE_LENGTH_AT, (SIMAGE_HEADER + data.len()) as u32);
    put(0x68, 1);
    put(0x6C, 0x0001_0001);
    put(0x74, 1);
    put(0x7C, SIMAGE_HEADER as u32);
    put(SIMAGE_CRC_AT, crc32(data));
    image[..4].copy_from_slice(&SIMAGE_MAGIC);
    image[0x28..0x2C].copy_from_slice(b"1_0_");
    image.extend_from_slice(data);
    image
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The 80-byte FDL1 of specs/unisoc-pac-bsl.md §10.
    const WORKED: [u8; 32] = [
        0x27, 0x05, 0x19, 0x56, 0x9D, 0x99, 0x29, 0x89, 0x60, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x10, 0x00,
        0x80, 0x01, 0x00, 0x00, 0x80, 0x01, 0x00, 0xF4, 0xA7, 0xFD, 0x67, 0x05, 0x02, 0x01, 0x00,
    ];

    #[test]
    fn builds_the_worked_loader_and_finds_it_whole() {
        let data: Vec<u8> = (0x10..0x20).collect();
        let image = uimage("demo-fdl1", 0x0080_0100, 0x0080_0100, &data);
        assert_eq!(image[..32], WORKED);
        assert!(is_whole_uimage(&image));
        let padded = [image.clone(), vec![0; 100]].concat();
        assert!(is_whole_uimage(&padded));
        for at in [4, 9, 26, 70] {
            let mut broken = image.clone();
            broken[at] ^= 1;
            assert!(!is_whole_uimage(&broken), "byte {at}");
        }
        assert!(!is_whole_uimage(&image[..79]));
    }

    #[test]
    fn a_simage_is_whole_only_in_its_own_length() {
        let image = simage("fdl", &[7; 1000]);
        assert!(is_whole_simage(&image));
        assert!(!is_whole_simage(&image[..1200]));
        let mut broken = image;
        broken[0x200] ^= 1;
        assert!(!is_whole_simage(&broken));
    }
}
