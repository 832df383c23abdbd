//! A package: a plan whose writes stay inside the flash and whose boot area is written last, or a refusal. The input
//! changes a sound package, and the check sums are made right, so that it reaches what lies behind them.

use std::sync::{Arc, LazyLock};

use arbitrary::{Arbitrary, Unstructured};
use qpyflash_protocols::Platform;
use qpyflash_protocols::unisoc::{Action, Pac, Plan, pac};

use super::package;

/// Bytes of one entry of the table.
const ENTRY_BYTES: usize = 2580;

/// CRC-16/ARC of every byte.
static TABLE: LazyLock<[u16; 256]> = LazyLock::new(|| {
    std::array::from_fn(|byte| (0..8).fold(byte as u16, |crc, _| (crc >> 1) ^ (0xA001 * (crc & 1))))
});

fn crc(bytes: &[u8]) -> [u8; 2] {
    let table = &*TABLE;
    let crc = bytes.iter().fold(0u16, |crc, byte| {
        (crc >> 8) ^ table[usize::from(crc as u8 ^ byte)]
    });
    crc.to_le_bytes()
}

fn put(file: &mut [u8], at: usize, word: u32) {
    if let Some(place) = file.get_mut(at..at + 4) {
        place.copy_from_slice(&word.to_le_bytes());
    }
}

fn put_text(file: &mut [u8], at: usize, text: &str) {
    let units = text.encode_utf16().flat_map(u16::to_le_bytes);
    file[at..]
        .iter_mut()
        .zip(units)
        .for_each(|(byte, unit)| *byte = unit);
}

fn seal(file: &mut [u8]) {
    put(file, 48, file.len() as u32);
    if file.len() >= pac::HEADER_BYTES {
        file[pac::MAGIC_AT].copy_from_slice(&pac::MAGIC);
        let (header, rest) = (crc(&file[..2120]), crc(&file[pac::HEADER_BYTES..]));
        file[2120..2122].copy_from_slice(&header);
        file[2122..2124].copy_from_slice(&rest);
    }
}

/// The package as a file.
fn file() -> Vec<u8> {
    let small = package::small(Platform::Unisoc8910);
    let mut file = vec![0; pac::HEADER_BYTES + (small.entries.len() + 1) * ENTRY_BYTES];
    put_text(&mut file, 52, &small.product);
    put(&mut file, 1076, small.entries.len() as u32 + 1);
    let xml = ("", 0, 2, &small.xml);
    let entries = small.entries.iter().map(|entry| {
        let flag = u32::from(!entry.data.is_empty());
        (entry.id.as_str(), entry.address, flag, &entry.data)
    });
    for (number, (id, address, flag, data)) in entries.chain([xml]).enumerate() {
        let at = pac::HEADER_BYTES + number * ENTRY_BYTES;
        put_text(&mut file, at + 4, id);
        let offset = file.len() as u32;
        for (field, word) in [
            (0, 2580),
            (1540, data.len() as u32),
            (1544, flag),
            (1548, 1),
            (1552, offset),
            (1564, address),
        ] {
            put(&mut file, at + field, word);
        }
        file.extend_from_slice(data);
    }
    seal(&mut file);
    file
}

static FILE: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let file = file();
    let pac = Pac::parse(&file).expect("a sound file");
    Plan::from_pac(Arc::new(pac)).expect("a sound package");
    file
});

/// Reads a file whose check sums have been made right.
fn check(mut file: Vec<u8>) {
    seal(&mut file);
    let Ok(pac) = Pac::parse(&file) else { return };
    let Ok(plan) = Plan::from_pac(Arc::new(pac)) else {
        return;
    };
    let changes = || plan.steps().iter().filter(|step| step.action.changes_flash());
    let (first, last) = (changes().next(), changes().next_back());
    assert_eq!(first.map(|step| step.address), Some(0x6000_0000));
    assert_eq!(last.map(|step| step.address), Some(0x6000_0000));
    for step in changes() {
        let size = match step.action {
            Action::Erase { size } => size.into(),
            _ => step.data.len() as u64,
        };
        let end = u64::from(step.address) + size;
        assert!(step.address >= 0xFE00_0001 || (step.address >= 0x6000_0000 && end <= 0x6100_0000));
    }
}

/// Words to put somewhere, and bytes to change the end with.
type Changes<'f> = (Vec<(u16, u32)>, &'f [u8]);

/// One input.
pub fn run(input: &[u8]) {
    let _ = Pac::parse(input);
    check(input.to_vec());
    let Ok((words, tail)) = Changes::arbitrary_take_rest(Unstructured::new(input)) else {
        return;
    };
    let mut file = FILE.clone();
    for (at, word) in words {
        put(&mut file, at.into(), word);
    }
    let kept = file.len() - tail.len().min(file.len());
    file[kept..]
        .iter_mut()
        .zip(tail)
        .for_each(|(byte, other)| *byte ^= other);
    check(file);
}
