//! `preboot.img` and `flasher.img`: containers of ARM Trusted Firmware (FIP), read only to be sure of them.
//!
//! ```text
//! 010064AA 78563412 flags[8]                     header
//! uuid[16] offset u64 size u64 flags u64         one entry of 40 bytes per image
//! 0[16]    length u64 ...                        terminator: zero UUID, offset = length of the file
//! ```
//!
//! They are never patched. Source: specs/asr-aboot.md §7 (V).

use crate::FormatError;

use super::corrupt;

/// First four bytes. Source: §7 (V).
pub const MAGIC: [u8; 4] = [0x01, 0x00, 0x64, 0xAA];
/// The next four. Source: §7 (V).
const SERIAL: [u8; 4] = [0x78, 0x56, 0x34, 0x12];
const HEADER_BYTES: usize = 16;
const ENTRY_BYTES: usize = 40;

/// Checks a container: magic, serial number, every entry inside the file, and a terminator that names the
/// file's own length. Returns the number of images in it.
///
/// # Errors
/// [`FormatError`] with the first contradiction.
pub fn check(what: &str, bytes: &[u8]) -> Result<usize, FormatError> {
    if !bytes.starts_with(&MAGIC) {
        return Err(FormatError::NotThis {
            what: what.to_owned(),
            expected: "an ASR boot image (FIP)",
            found: format!("it begins with {:02X?}", &bytes[..bytes.len().min(4)]),
        });
    }
    let length = bytes.len() as u64;
    let (header, table) = bytes
        .split_at_checked(HEADER_BYTES)
        .ok_or_else(|| short(what, 16, length))?;
    if header[4..8] != SERIAL {
        return Err(corrupt(what, "its serial number is not 12345678"));
    }
    for (number, entry) in table.chunks(ENTRY_BYTES).enumerate() {
        let table_end = (HEADER_BYTES + (number + 1) * ENTRY_BYTES) as u64;
        let (uuid, rest) = entry
            .split_first_chunk::<16>()
            .ok_or_else(|| short(what, table_end, length))?;
        let (offset, rest) = u64_of(rest).ok_or_else(|| short(what, table_end, length))?;
        let (size, rest) = u64_of(rest).ok_or_else(|| short(what, table_end, length))?;
        u64_of(rest).ok_or_else(|| short(what, table_end, length))?;
        if *uuid == [0; 16] {
            return match (offset == length, number) {
                (true, 1..) => Ok(number),
                (true, 0) => Err(corrupt(what, "it holds no image")),
                _ => Err(corrupt(
                    what,
                    format!("its table says {offset} bytes, the file has {length}"),
                )),
            };
        }
        if offset < table_end || offset.checked_add(size).is_none_or(|end| end > length) {
            let place = format!("entry {number}, {size} bytes at {offset}, is not inside its {length} bytes");
            return Err(corrupt(what, place));
        }
    }
    Err(corrupt(what, "its table has no end"))
}

fn short(what: &str, need: u64, have: u64) -> FormatError {
    FormatError::Truncated {
        what: what.to_owned(),
        need,
        have,
    }
}

fn u64_of(bytes: &[u8]) -> Option<(u64, &[u8])> {
    bytes
        .split_first_chunk()
        .map(|(field, rest)| (u64::from_le_bytes(*field), rest))
}

/// A container with one image of these bytes, as the tests need it.
#[cfg(test)]
pub(crate) fn container(image: &[u8]) -> Vec<u8> {
    let start = (HEADER_BYTES + 2 * ENTRY_BYTES) as u64;
    let length = start + image.len() as u64;
    let mut bytes = [&MAGIC[..], &SERIAL, &[0, 0, 0, 0, 1, 0, 0, 0], &[0x5F; 16]].concat();
    for field in [start, image.len() as u64, 0, 0, 0, length, 0, 0] {
        bytes.extend_from_slice(&field.to_le_bytes());
    }
    bytes.extend_from_slice(image);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::asr::tests::vector;
    use proptest::prelude::*;

    #[test]
    fn takes_the_vendor_s_images() {
        for name in ["preboot.img", "flasher.img"] {
            assert_eq!(check(name, &vector(&format!("sdk/ASR1603/{name}"))), Ok(2));
        }
    }

    #[test]
    fn takes_a_container_of_one_image() {
        assert_eq!(check("x", &container(b"code")), Ok(1));
    }

    #[test]
    fn refuses_a_file_cut_at_any_place() {
        let whole = container(b"code");
        for cut in 0..whole.len() {
            assert!(check("x", &whole[..cut]).is_err(), "cut at {cut}");
        }
    }

    #[test]
    fn refuses_an_entry_that_reaches_out_of_the_file() {
        let mut bytes = container(b"code");
        bytes[40..48].copy_from_slice(&u64::MAX.to_le_bytes());
        assert!(matches!(check("x", &bytes), Err(FormatError::Corrupt { .. })));
    }

    #[test]
    fn refuses_what_is_not_a_container() {
        assert!(matches!(
            check("x", b"PK\x03\x04"),
            Err(FormatError::NotThis { .. })
        ));
        assert!(matches!(check("x", b""), Err(FormatError::NotThis { .. })));
    }

    proptest! {
        #[test]
        fn never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = check("x", &[&MAGIC[..], &SERIAL, &bytes].concat());
        }
    }
}
