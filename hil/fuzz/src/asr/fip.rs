//! No container makes the check panic.

use qpyflash_protocols::asr::fip;

/// One input.
pub fn run(bytes: &[u8]) {
    let _ = fip::check("fuzz", bytes);
    let _ = fip::check(
        "fuzz",
        &[&fip::MAGIC[..], &[0x78, 0x56, 0x34, 0x12], bytes].concat(),
    );
}
