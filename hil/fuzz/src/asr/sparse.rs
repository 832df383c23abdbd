//! No sparse image makes the parser panic; what it takes expands to the size it states, and comes back the same
//! after it is cut into segments.

use arbitrary::Arbitrary;
use qpyflash_protocols::asr::sparse::{BLOCK, MAGIC, Reader, Segments, Sparse};

use crate::read;

const LIMIT: u64 = 1 << 20;

/// A chunk of which the sizes are right unless `size` changes them.
#[derive(Arbitrary, Debug)]
struct Chunk<'f> {
    kind: u8,
    blocks: u8,
    body: &'f [u8],
    size: Option<u32>,
}

fn build(block: u8, total: Option<u32>, wide: bool, chunks: &[Chunk<'_>]) -> Vec<u8> {
    let block = u32::from(block % 64) * 4;
    let blocks = chunks.iter().map(|chunk| u32::from(chunk.blocks)).sum();
    let mut bytes = [
        &MAGIC[..],
        &[
            1,
            0,
            0,
            0,
            if wide { 32 } else { 28 },
            0,
            if wide { 16 } else { 12 },
            0,
        ],
    ]
    .concat();
    for field in [block, total.unwrap_or(blocks), chunks.len() as u32, 0] {
        bytes.extend(field.to_le_bytes());
    }
    bytes.resize(if wide { 32 } else { 28 }, 0);
    for chunk in chunks {
        let mut body = chunk.body.to_vec();
        match chunk.kind % 5 {
            1 => body.resize(block as usize * usize::from(chunk.blocks), 0x55),
            2 => body.resize(if wide { 8 } else { 4 }, 0),
            3 => body.clear(),
            4 => body.resize(4, 0),
            _ => {}
        }
        let header = if wide { 16 } else { 12 };
        bytes.extend([0xC0 + chunk.kind % 5, 0xCA, 0, 0]);
        bytes.extend(u32::from(chunk.blocks).to_le_bytes());
        bytes.extend(chunk.size.unwrap_or(header + body.len() as u32).to_le_bytes());
        bytes.resize(bytes.len() + header as usize - 12, 0);
        bytes.extend(body);
    }
    bytes
}

fn check(bytes: &[u8], reader: Reader, max: u16) {
    let Ok(sparse) = Sparse::parse("fuzz", bytes, LIMIT, reader) else {
        return;
    };
    let mut image = sparse.expand();
    assert_eq!(image.len() as u64, sparse.expanded_bytes());
    let Some(segments) = Segments::new(&image, u32::from(max) + 4300) else {
        return;
    };
    let mut again = Vec::new();
    for segment in segments {
        let bytes = segment.pieces.concat();
        assert_eq!(bytes.len(), segment.len as usize);
        let part =
            Sparse::parse("segment", &bytes, LIMIT + BLOCK as u64, Reader::Flasher).expect("our own segment");
        assert_eq!(
            part.data_bytes_range().map(|place| place.start),
            Some(again.len() as u64)
        );
        part.append_data(&mut again);
    }
    image.resize(image.len().next_multiple_of(BLOCK), 0);
    assert_eq!(image, again);
}

type Input<'f> = (bool, bool, u16, u8, Option<u32>, Vec<Chunk<'f>>, &'f [u8]);

/// One input.
pub fn run(bytes: &[u8]) {
    let Some(input) = read::<Input<'_>>(bytes) else {
        return;
    };
    let (host, wide, max, block, total, chunks, raw) = input;
    let reader = if host { Reader::Host } else { Reader::Flasher };
    check(&build(block, total, wide, &chunks), reader, max);
    check(raw, reader, max);
    check(&[&MAGIC[..], raw].concat(), reader, max);
}
