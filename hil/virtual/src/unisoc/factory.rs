//! What a module has in its flash before a host touches it: firmware, NV items with its own calibration, PhaseCheck.

use super::nv::{self, NvItems};
use super::{UnisocChip, images};
use crate::identity::Identity;

/// Where the revision stands in an application image.
const REVISION_AT: usize = 0x240;
/// Length of the application that the factory wrote.
const APPLICATION_BYTES: usize = 0x20_0000;
/// Source: specs/unisoc-pac-bsl.md §6.6.
const PHASE_CHECK_MAGIC: u32 = 0x5350_3039;
pub(super) const PHASE_CHECK_BYTES: usize = 0x100;
const SERIAL_NUMBER_AT: usize = 4;

/// A xorshift generator; never cryptographic, always the same for the same seed.
fn noise(seed: &str) -> impl FnMut() -> u32 {
    let mut word = seed.bytes().fold(0x811C_9DC5_u32, |hash, byte| {
        (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193)
    }) | 1;
    move || {
        word ^= word << 13;
        word ^= word >> 17;
        word ^= word << 5;
        word
    }
}

fn noise_bytes(seed: &str, length: usize) -> Vec<u8> {
    let mut next = noise(seed);
    let words = length.div_ceil(4);
    let mut bytes: Vec<u8> = (0..words).flat_map(|_| next().to_le_bytes()).collect();
    bytes.truncate(length);
    bytes
}

/// Fills the array with firmware of that revision.
pub(super) fn firmware(chip: UnisocChip, revision: &str, array: &mut [u8]) {
    let mut next = noise("factory firmware");
    for word in array.chunks_mut(4) {
        word.copy_from_slice(&next().to_le_bytes()[..word.len()]);
    }
    let mut application = noise_bytes(revision, APPLICATION_BYTES);
    let text = format!("\0{revision}\0");
    application[REVISION_AT..REVISION_AT + text.len()].copy_from_slice(text.as_bytes());
    let (boot, application) = match chip {
        UnisocChip::Uis8910 => (
            images::uimage("factory bootloader", 0x0080_0100, 0x0080_0100, &[0x5A; 0x8000]),
            images::uimage("factory application", 0x6001_0040, 0x6001_0040, &application),
        ),
        UnisocChip::Uis8850 => (
            images::simage("factory spl", &[0x5A; 0x8000]),
            images::simage("factory application", &application),
        ),
    };
    let application_at = chip.application_at();
    for (at, image) in [(0, boot), (application_at, application)] {
        if let Some(place) = array.get_mut(at..at + image.len()) {
            place.copy_from_slice(&image);
        }
    }
}

/// The items of a calibrated module. Calibration is its own: no other serial number has the same bytes.
pub(crate) fn nv_items(chip: UnisocChip, identity: &Identity) -> NvItems {
    let own = |name: &str, length: usize| noise_bytes(&format!("{name} {}", identity.serial_number), length);
    let model = identity.revision.get(..10).unwrap_or_default();
    let mut module_def = vec![0; 0x14];
    module_def[4..4 + model.len()].copy_from_slice(model.as_bytes());
    let mut items = NvItems::from([
        (nv::IMEI, nv::encode_imei(&identity.imei)),
        (0x179, nv::encode_imei(&second_imei(&identity.imei))),
        (nv::CALIBRATION, own("calibration", nv::CALIBRATION_BYTES)),
        (0x1F0, own("simlock", 0x40)),
        (nv::MODULE_DEF, module_def),
    ]);
    match chip {
        UnisocChip::Uis8910 => {
            items.insert(nv::GSM_CALIBRATION, own("gsm", 8192));
            items.insert(nv::LTE_CALIBRATION, own("lte", 0x3D));
            items.insert(0x191, own("bluetooth", 0x28));
        }
        UnisocChip::Uis8850 => {
            items.insert(nv::LTE_CALIBRATION, own("lte", 0xE800));
            items.insert(nv::GOLDEN, own("golden", 0x1000));
            items.insert(0x1B4, own("gps", 0x30));
        }
    }
    items
}

/// The IMEI of the second SIM slot: the last digit but one is another.
fn second_imei(imei: &str) -> String {
    let mut digits = imei.to_owned().into_bytes();
    if let Some(digit) = digits.get_mut(13) {
        *digit = b'0' + (*digit - b'0' + 1) % 10;
    }
    String::from_utf8_lossy(&digits).into_owned()
}

/// The PhaseCheck block: magic, serial number.
pub(super) fn phase_check(identity: &Identity) -> Vec<u8> {
    let mut block = vec![0; PHASE_CHECK_BYTES];
    block[..4].copy_from_slice(&PHASE_CHECK_MAGIC.to_le_bytes());
    let number: Vec<u8> = identity.serial_number.bytes().take(24).collect();
    block[SERIAL_NUMBER_AT..SERIAL_NUMBER_AT + number.len()].copy_from_slice(&number);
    block
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_modules_never_have_the_same_calibration() {
        let mut other = Identity::of("EC600UCNLBR03A01M08");
        let one = nv_items(UnisocChip::Uis8910, &other);
        other.serial_number = "D1Q20GM050038342P".into();
        other.imei = "866327040830325".into();
        let two = nv_items(UnisocChip::Uis8910, &other);
        for id in [
            nv::IMEI,
            0x179,
            nv::CALIBRATION,
            nv::GSM_CALIBRATION,
            nv::LTE_CALIBRATION,
        ] {
            assert_ne!(one[&id], two[&id], "item {id:#x}");
        }
        assert_eq!(one[&nv::MODULE_DEF][4..14], *b"EC600UCNLB");
        assert_eq!(phase_check(&other)[..8], *b"90PSD1Q2");
    }
}
