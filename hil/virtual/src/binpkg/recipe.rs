//! The images of the generated packages. Source: specs/eigencomm-agentboot.md §2.4 (the real package), §2.6.

use super::BinpkgEntry;
use crate::Scale;
use crate::identity::Identity;
use crate::package::contents::code;

/// Where the AP flash is in the address space.
const XIP: u32 = 0x0080_0000;
/// Vectors at the start of an image, as words.
const VECTORS: usize = 16;
/// Where the run of names begins, in realistic and in small images.
const NAMES_AT: [usize; 2] = [0x4_0390, 0x8390];

/// `ap_bootloader`, `ap_at_command` and `cp-demo-flash`, with the addresses and partitions of the real package.
///
/// The AP image ends below 0x200000, where the application begins.
pub(super) fn entries(revision: &str, scale: Scale) -> Vec<BinpkgEntry> {
    let length = |realistic, small| match scale {
        Scale::Realistic => realistic,
        Scale::Small => small,
    };
    let entry = |name: &str, kind: &str, (address, partition_bytes): (u32, u32), data| BinpkgEntry {
        name: name.into(),
        kind: kind.into(),
        address,
        partition_bytes,
        data,
    };
    let bl = image(&format!("BL {revision}"), 0x4000, 0x86E8, length(0x5340, 0x1A40));
    let mut ap = image(
        &format!("AP {revision}"),
        0x2_4000,
        0x0046_3AF0,
        length(0x1C_E188, 0x1_4D14),
    );
    let names = names(revision);
    let at = NAMES_AT[usize::from(scale == Scale::Small)];
    ap[at..at + names.len()].copy_from_slice(names.as_bytes());
    let cp = processor(&format!("CP {revision}"), length(0x6_5EBE, 0x1_1EBE));
    vec![
        entry("ap_bootloader", "BL", (0x4000, 0x8000), bl),
        entry("ap_at_command", "AP", (0x2_4000, 0x2D_C000), ap),
        entry("cp-demo-flash", "CP", (0, 0x8_0000), cp),
    ]
}

/// The run of the real image: default IMEIs, revision, series, revision, submodel, each ended by NUL.
fn names(revision: &str) -> String {
    let identity = Identity::of(revision);
    let (series, submodel) = (identity.object_id, identity.sysname);
    format!(
        "\x00864430010001091\x00864430010001092\x0001\0{revision}\0{series}\0{revision}\0V01\0Quectel\0{submodel}\0"
    )
}

/// Code for the AP flash: its vectors point into itself.
fn image(seed: &str, address: u32, stack: u32, length: usize) -> Vec<u8> {
    let reset = XIP + address + (length as u32 / 3).next_multiple_of(4) + 1;
    with_vectors(code(seed, length), stack, reset)
}

/// Code for the communication processor, which runs at 0x860000.
fn processor(seed: &str, length: usize) -> Vec<u8> {
    with_vectors(code(seed, length), 0x0053_2970, 0x0086_1109)
}

pub(super) fn with_vectors(mut data: Vec<u8>, stack: u32, reset: u32) -> Vec<u8> {
    let other = reset + 0x10;
    for (place, vector) in data.chunks_exact_mut(4).take(VECTORS).enumerate() {
        let word = match place {
            0 => stack,
            1 => reset,
            7..=10 | 13 => 0,
            _ => other,
        };
        vector.copy_from_slice(&word.to_le_bytes());
    }
    data
}
