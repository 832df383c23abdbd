//! What a sound package needs.

use qpyflash_protocols::asr::fip;

/// A helper that passes the checks.
pub fn helper() -> Vec<u8> {
    let mut bytes = [&fip::MAGIC[..], &[0x78, 0x56, 0x34, 0x12], &[0; 8], &[0x5F; 16]].concat();
    [96u64, 4, 0, 0, 0, 100, 0, 0]
        .iter()
        .for_each(|field| bytes.extend(field.to_le_bytes()));
    bytes.extend(b"code");
    bytes
}
