//! The FIP container of preboot and flasher as `verify` checks it. Source: specs/asr-aboot.md §7.

const MAGIC: u32 = 0xAA64_0001;
const HEADER_BYTES: usize = 16;
const ENTRY_BYTES: usize = 40;

/// UUID of the image to run (BL2).
const BL2: [u8; 16] = [
    0x5F, 0xF9, 0xEC, 0x0B, 0x4D, 0x22, 0x3E, 0x4D, 0xA5, 0x44, 0xC3, 0x9D, 0x81, 0xC7, 0x3F, 0x0A,
];
/// UUID of its certificate.
const CERTIFICATE: [u8; 16] = [
    0xD6, 0xE2, 0x69, 0xEA, 0x5D, 0x63, 0xE4, 0x11, 0x8D, 0x8C, 0x9F, 0xBA, 0xBE, 0x99, 0x56, 0xA5,
];

/// Checks the container: magic, entries inside the file, an image and a certificate, terminator at the end.
pub(crate) fn check(bytes: &[u8]) -> Result<(), &'static str> {
    if bytes.first_chunk().copied().map(u32::from_le_bytes) != Some(MAGIC) {
        return Err("fip: bad magic");
    }
    let (mut image, mut certificate) = (false, false);
    for entry in bytes
        .get(HEADER_BYTES..)
        .unwrap_or_default()
        .chunks_exact(ENTRY_BYTES)
    {
        let number = |at: usize| {
            entry[at..]
                .first_chunk()
                .copied()
                .map(u64::from_le_bytes)
                .unwrap_or(u64::MAX)
        };
        let (offset, size) = (number(16), number(24));
        let end = offset.checked_add(size).filter(|end| *end <= bytes.len() as u64);
        if entry[..16] == [0; 16] {
            return match (image, certificate, offset == bytes.len() as u64) {
                (true, true, true) => Ok(()),
                (true, true, false) => Err("fip: wrong length"),
                _ => Err("fip: image or certificate missing"),
            };
        }
        end.ok_or("fip: entry outside the file")?;
        image |= entry[..16] == BL2 && size > 0;
        certificate |= entry[..16] == CERTIFICATE && size > 0;
    }
    Err("fip: no terminator")
}
