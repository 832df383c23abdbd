//! The codecs alone, on one core: the best of several rounds, so that what else runs on the machine counts little.

use std::hint::black_box;
use std::time::{Duration, Instant};

use qpyflash_protocols::asr::smux::{DataFrames, Decoder};
use qpyflash_protocols::asr::sparse::{Reader, Segments, Sparse};

use super::rig;
use super::{Figure, Outcome};

/// Least rate of SMUX on firmware, in bytes of payload per second.
const SMUX_LEAST: f64 = 1.0;
/// The payload of one frame, as modules agree to. Source: specs/asr-aboot.md §3.3 (V).
const MTU: usize = 1024;
/// The download area of the flasher. Source: specs/asr-aboot.md §4.2 (V).
const SEGMENT_BYTES: u32 = 0x10_0000;
/// Bytes a reader takes at once.
pub const READ_BYTES: usize = 4096;
const MEGABYTE: usize = 1 << 20;

pub fn measure(quick: bool) -> Outcome<Vec<Figure>> {
    let size = if quick { MEGABYTE } else { 8 * MEGABYTE };
    let firmware: Vec<u8> = rig::firmware().into_iter().cycle().take(size).collect();
    let noise = rig::noise(size);
    let kinds = [
        ("firmware", &firmware, true),
        ("random bytes", &noise, false),
        ("nothing to stuff", &vec![0x55; size], false),
        ("everything to stuff", &vec![0x7E; size], false),
    ];
    let mut figures = Vec::new();
    for (kind, bytes, bounded) in kinds {
        let special = bytes.iter().filter(|byte| matches!(byte, 0x7D | 0x7E)).count();
        let detail = format!(
            "{:.2} % of the bytes are stuffed",
            special as f64 * 100.0 / size as f64
        );
        let bound = |figure: Figure| {
            if bounded {
                figure.at_least(SMUX_LEAST)
            } else {
                figure
            }
        };
        let mut wire = Vec::with_capacity(2 * size + size / 64);
        let encode = best_rate(size, || encode(bytes, &mut wire));
        let decode = best_rate(size, || decode(&wire));
        figures.push(bound(
            figure(format!("SMUX encode, {kind}"), encode).detail(&detail),
        ));
        figures.push(bound(
            figure(format!("SMUX decode, {kind}"), decode).detail(detail),
        ));
    }
    let build = best_rate(size, || {
        Segments::new(&firmware, SEGMENT_BYTES).map_or(0, |all| all.map(|one| one.len as usize).sum())
    });
    let built = Segments::new(&firmware, u32::MAX).and_then(|mut all| all.next());
    let built = built.ok_or("no segment")?.pieces.concat();
    let check = best_rate(size, || {
        Sparse::parse("", &built, u64::MAX, Reader::Flasher)
            .map_or(0, |sparse| sparse.expanded_bytes() as usize)
    });
    figures.push(figure("CRC of a sparse image, firmware", check));
    let detail = "blocks compared, chunk headers, CRC; image bytes are borrowed";
    figures.push(figure("sparse segments, firmware", build).detail(detail));
    Ok(figures)
}

fn figure(name: impl Into<String>, rate: f64) -> Figure {
    Figure::new("codec", name, rate, "GB/s")
}

fn encode(bytes: &[u8], wire: &mut Vec<u8>) -> usize {
    wire.clear();
    let mut frames = DataFrames::new(MTU);
    frames.push(bytes, wire);
    frames.finish(wire);
    wire.len()
}

fn decode(wire: &[u8]) -> usize {
    let mut decoder = Decoder::new();
    let mut bytes = 0;
    for mut read in wire.chunks(READ_BYTES) {
        while let Some(frame) = decoder.next(&mut read) {
            bytes += frame.payload.len();
        }
    }
    bytes
}

/// The best of some rounds, in GB/s.
pub fn best_rate(bytes: usize, mut work: impl FnMut() -> usize) -> f64 {
    let round = |_| {
        let began = Instant::now();
        black_box(work());
        began.elapsed()
    };
    let best = (0..7).map(round).min().unwrap_or(Duration::MAX);
    bytes as f64 / best.as_secs_f64() / 1e9
}
