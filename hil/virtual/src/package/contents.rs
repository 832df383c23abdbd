//! The contents of generated images: deterministic, compressible, and full of every byte value.

use super::Scale;
use super::recipe::Image;

const BLOCK: usize = 4096;
const LINE: usize = 64;
const LINES: usize = 128;
/// Where the revision stands.
const REVISION_AT: usize = 0x240;
/// Small images are so many times smaller, and still at least so many bytes.
const SMALLER: usize = 64;
const SMALLEST: usize = 0x500;

/// A xorshift generator; never cryptographic, always the same.
pub(super) struct Noise(u64);

impl Noise {
    pub fn new(seed: &str) -> Self {
        let start = 0xCBF2_9CE4_8422_2325_u64;
        let hash = seed.bytes().fold(start, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01B3)
        });
        Noise(hash | 1)
    }

    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    pub fn bytes(&mut self, count: usize) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(count + 8);
        while bytes.len() < count {
            bytes.extend(self.next().to_le_bytes());
        }
        bytes.truncate(count);
        bytes
    }
}

/// The bytes of an image.
pub(super) fn image(image: &Image, revision: &str, scale: Scale) -> Vec<u8> {
    let length = match scale {
        Scale::Realistic => image.size,
        Scale::Small => (image.size / SMALLER).max(SMALLEST.min(image.size)),
    };
    let mut bytes = code(&format!("{} {revision}", image.member), length);
    if image.has_revision {
        let text = format!("\0{revision}\0");
        bytes[REVISION_AT..REVISION_AT + text.len()].copy_from_slice(text.as_bytes());
    }
    bytes
}

/// So many bytes that compress as firmware does. Some blocks are all zero, some erased, the others drawn from a
/// stock of lines.
pub(crate) fn code(seed: &str, length: usize) -> Vec<u8> {
    let mut noise = Noise::new(seed);
    let stock = noise.bytes(LINE * LINES);
    let mut bytes = Vec::with_capacity(length + BLOCK);
    while bytes.len() < length {
        let end = bytes.len() + BLOCK;
        match noise.next() >> 60 {
            0 if !bytes.is_empty() => bytes.resize(end, 0),
            1 if !bytes.is_empty() => bytes.resize(end, 0xFF),
            _ => {
                while bytes.len() < end {
                    let line = (noise.next() >> 40) as usize % LINES * LINE;
                    bytes.extend_from_slice(&stock[line..line + LINE]);
                }
            }
        }
    }
    bytes.truncate(length);
    bytes
}
