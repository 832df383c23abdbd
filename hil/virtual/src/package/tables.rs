//! The containers and tables of a package. Source: specs/asr-aboot.md §6-7.

use super::contents::Noise;
use super::recipe::{PARTITIONS, Partition};
use crate::crc::crc32;

/// Length of the certificate in a FIP container, as in the real files.
const CERTIFICATE_BYTES: usize = 0x40E;
/// Where the image begins: header, two entries, terminator.
const IMAGE_AT: usize = 16 + 3 * 40;

/// A FIP container of exactly `length` bytes (a multiple of 4) with an image and a certificate.
pub(super) fn fip(name: &str, length: usize) -> Vec<u8> {
    let image_bytes = length - IMAGE_AT - CERTIFICATE_BYTES.next_multiple_of(4);
    let certificate_at = length - CERTIFICATE_BYTES.next_multiple_of(4);
    let bl2 = 0x5FF9_EC0B_4D22_3E4D_A544_C39D_81C7_3F0A_u128;
    let certificate = 0xD6E2_69EA_5D63_E411_8D8C_9FBA_BE99_56A5_u128;
    let mut fip = Vec::with_capacity(length);
    fip.extend([0x01, 0x00, 0x64, 0xAA]);
    fip.extend(0x1234_5678_u32.to_le_bytes());
    fip.extend(0x1_0000_0000_u64.to_le_bytes());
    for (uuid, offset, size) in [
        (bl2, IMAGE_AT, image_bytes),
        (certificate, certificate_at, CERTIFICATE_BYTES),
        (0, length, 0),
    ] {
        fip.extend(uuid.to_be_bytes());
        fip.extend((offset as u64).to_le_bytes());
        fip.extend((size as u64).to_le_bytes());
        fip.extend([0; 8]);
    }
    fip.extend(Noise::new(name).bytes(image_bytes));
    fip.extend([0x30, 0x82, 0x04, 0x0A]);
    fip.resize(length, 0x5A);
    fip
}

/// Writes `text` into a field of `length` bytes, filled with NUL.
fn field(into: &mut Vec<u8>, text: &[u8], length: usize) {
    let end = into.len() + length;
    into.extend_from_slice(text);
    into.resize(end, 0);
}

/// Flash information of an 8 MiB GD25LQ64C with one alternative, W25Q64JW.
pub(super) fn flash_info() -> Vec<u8> {
    let mut info = b"FNIF".to_vec();
    info.extend([0xC8, 0x00, 0x17, 0x60]);
    field(&mut info, b"GD25LQ64C", 64);
    field(&mut info, b"QSPI_NOR", 32);
    for number in [1_u32, 0x1000, 0x100, 0x1000, 0x1_0000, 0] {
        info.extend(number.to_le_bytes());
    }
    info.extend(0x80_0000_u64.to_le_bytes());
    info.extend([0xFF, 0, 0, 0]);
    info.extend(2_u32.to_le_bytes());
    for (manufacturer, name) in [(0xC8_u8, &b"GD25LQ64C"[..]), (0xEF, b"W25Q64JW")] {
        info.extend([manufacturer, 0x00, 0x17, 0x60, 0, 0, 0, 0]);
        field(&mut info, name, 64);
    }
    info
}

/// The partition table of [`PARTITIONS`] with its CRC.
pub(super) fn partition_table() -> Vec<u8> {
    let mut table = b"BTPA".to_vec();
    table.extend((PARTITIONS.len() as u32).to_le_bytes());
    for Partition {
        name,
        kind,
        start,
        size,
        depth,
    } in PARTITIONS
    {
        field(&mut table, name.as_bytes(), 32);
        field(
            &mut table,
            if *kind == "flash" {
                b"flash\x000"
            } else {
                kind.as_bytes()
            },
            16,
        );
        let mapped = if *kind == "group" {
            u32::MAX
        } else {
            *start | 0x8000_0000
        };
        for number in [*start, *size, mapped, *size, *depth] {
            table.extend(number.to_le_bytes());
        }
    }
    table.resize(0x888, 0);
    let crc = crc32(&table);
    table.extend(crc.to_le_bytes());
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fip_container_has_the_length_asked_for_and_ends_with_it() {
        let fip = fip("flasher.img", 33_676);
        assert_eq!(fip.len(), 33_676);
        assert_eq!(fip[..8], [0x01, 0x00, 0x64, 0xAA, 0x78, 0x56, 0x34, 0x12]);
        assert_eq!(fip[16..20], [0x5F, 0xF9, 0xEC, 0x0B]);
        assert_eq!(fip[96 + 16..96 + 20], 33_676_u32.to_le_bytes());
    }

    #[test]
    fn tables_have_the_lengths_of_the_real_files() {
        assert_eq!(partition_table().len(), 2188);
        assert_eq!(flash_info().len(), 0x90 + 2 * 0x48);
        assert_eq!(&flash_info()[0x48..0x50], b"QSPI_NOR");
        assert_eq!(flash_info()[0x80..0x88], 0x80_0000_u64.to_le_bytes());
    }
}
