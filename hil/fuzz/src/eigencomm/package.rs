//! A sound package with everything in little, to begin from.

use std::sync::Arc;

use qpyflash_protocols::eigencomm::{Binpkg, Entry, Version};

/// Code that starts inside of itself.
fn code(address: u32, size: usize) -> Arc<[u8]> {
    let mut image: Vec<u8> = (0..size as u32)
        .map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8)
        .collect();
    image[4..8].copy_from_slice(&(0x80_0000 + address + 9).to_le_bytes());
    image.into()
}

/// The package as its parser would give it: a boot loader, a system of two blocks, a modem.
pub fn small() -> Binpkg {
    let entry = |name: &str, kind: &str, address, size| Entry {
        name: name.into(),
        kind: kind.into(),
        address,
        flash_size: 0,
        data: code(address, size),
    };
    Binpkg {
        version: Version::V106,
        built: 0,
        product: None,
        entries: vec![
            entry("ap_bootloader", "BL", 0x4000, 300),
            entry("ap_at_command", "AP", 0x2_4000, 0x1_0100),
            entry("cp-demo-flash", "CP", 0, 1000),
        ],
        warnings: Vec::new(),
    }
}
