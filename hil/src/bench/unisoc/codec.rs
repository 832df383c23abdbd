//! Frames alone, on one core.

use qpyflash_protocols::unisoc::hdlc::{Check, Decoder, encode};

use crate::bench::codec::{READ_BYTES, best_rate};
use crate::bench::{Figure, Outcome, rig};

/// Least rate, in GB/s of payload.
const LEAST: f64 = 1.0;
/// The frame of the vendor's host. Source: specs/unisoc-pac-bsl.md §4.5 (V).
const FRAME: usize = 0x800;
/// MIDST_DATA. Source: specs/unisoc-pac-bsl.md §5.1 (2).
const MIDST_DATA: u16 = 0x02;
const MEGABYTE: usize = 1 << 20;

pub fn measure(quick: bool) -> Outcome<Vec<Figure>> {
    let size = if quick { MEGABYTE } else { 8 * MEGABYTE };
    let firmware: Vec<u8> = rig::firmware().into_iter().cycle().take(size).collect();
    let mut figures = Vec::new();
    for (name, check) in [("sum", Check::Sum16), ("CRC", Check::Crc16)] {
        let mut wire = Vec::with_capacity(2 * size);
        let mut encode_all = || {
            wire.clear();
            for payload in firmware.chunks(FRAME) {
                encode(check, MIDST_DATA, payload, &mut wire);
            }
            wire.len()
        };
        let rate = best_rate(size, &mut encode_all);
        figures.push(Figure::new("unisoc", format!("encode, {name}"), rate, "GB/s").at_least(LEAST));
        encode_all();
        let rate = best_rate(size, || {
            let (mut decoder, mut frames) = (Decoder::new(check), 0);
            for mut read in wire.chunks(READ_BYTES) {
                while decoder.next(&mut read).is_some() {
                    frames += decoder.payload().len();
                }
            }
            frames
        });
        figures.push(Figure::new("unisoc", format!("decode, {name}"), rate, "GB/s").at_least(LEAST));
    }
    Ok(figures)
}
