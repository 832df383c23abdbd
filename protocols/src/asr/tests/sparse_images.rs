//! Sparse images: specs/asr-aboot.md §5.3 and the segments of the vendor's own tool.

use proptest::collection::vec;
use proptest::prelude::*;

use super::vector;
use crate::FormatError;
use crate::asr::sparse::{BLOCK, Reader, Segments, Sparse};

const MIB: u32 = 0x10_0000;
const ROOM: u64 = 1 << 26;

fn segments(image: &[u8], max: u32) -> Vec<Vec<u8>> {
    let cut = Segments::new(image, max).expect("a block fits");
    cut.map(|segment| {
        let bytes = segment.pieces.concat();
        assert_eq!(bytes.len(), segment.len as usize);
        bytes
    })
    .collect()
}

fn expand(sparse: &[u8], reader: Reader) -> Result<Vec<u8>, FormatError> {
    Ok(Sparse::parse("x", sparse, ROOM, reader)?.expand())
}

/// Android's form: headers of 28 and 12 bytes, FILL of 4.
fn android(block: u32, chunks: &[(u16, u32, &[u8])]) -> Vec<u8> {
    let blocks: u32 = chunks.iter().map(|(_, blocks, _)| blocks).sum();
    let mut bytes = vec![0x3A, 0xFF, 0x26, 0xED, 1, 0, 0, 0, 28, 0, 12, 0];
    [block, blocks, chunks.len() as u32, 0]
        .iter()
        .for_each(|field| bytes.extend(field.to_le_bytes()));
    for (kind, blocks, body) in chunks {
        bytes.extend(kind.to_le_bytes());
        bytes.extend([0, 0]);
        bytes.extend(blocks.to_le_bytes());
        bytes.extend((12 + body.len() as u32).to_le_bytes());
        bytes.extend(*body);
    }
    bytes
}

#[test]
fn builds_what_the_vendor_s_tool_builds() {
    assert_eq!(segments(b"HELLO", MIB), [vector("sparse/sparse_HELLO.bin")]);
    assert_eq!(
        segments(&[0; 2 * BLOCK], MIB),
        [vector("sparse/sparse_zero_2blk.bin")]
    );
    for name in ["sparse_100bytes.bin", "sparse_raw_fill_mix.bin"] {
        let vendor = vector(&format!("sparse/{name}"));
        let image = expand(&vendor, Reader::Flasher).expect(name);
        assert_eq!(segments(&image, MIB), [vendor], "{name}");
    }
    let hundred = expand(&vector("sparse/sparse_100bytes.bin"), Reader::Flasher).expect("100 bytes");
    assert_eq!(
        segments(&hundred[..100], MIB),
        [vector("sparse/sparse_100bytes.bin")]
    );
}

#[test]
fn builds_the_vendor_s_second_segment() {
    let vendor = vector("sparse/sparse_seg2of2_256blk.bin");
    let parsed = Sparse::parse("x", &vendor, ROOM, Reader::Flasher).expect("good");
    assert_eq!(
        (parsed.expanded_bytes(), parsed.data_bytes_range()),
        (256 << 12, Some(255 << 12..256 << 12))
    );
    let mut image = vec![0x11; 255 * BLOCK];
    parsed.append_data(&mut image);
    assert_eq!(segments(&image, MIB).last(), Some(&vendor));
}

#[test]
fn holds_as_many_blocks_as_fit() {
    let noise: Vec<u8> = (0..700 * BLOCK as u32)
        .map(|n| (n.wrapping_mul(2_654_435_761) >> 11) as u8)
        .collect();
    for (max, blocks) in [(0x10_0000, 255), (0x1_0000, 15), (0x8000, 7)] {
        let cut = segments(&noise, max);
        assert_eq!(cut.len(), 700usize.div_ceil(blocks), "{max:#x}");
        assert!(cut.iter().all(|segment| segment.len() <= max as usize));
        let first = Sparse::parse("x", &cut[0], ROOM, Reader::Flasher).expect("good");
        assert_eq!(first.data_bytes_range(), Some(0..(blocks * BLOCK) as u64));
    }
    let sizes: Vec<usize> = segments(&noise, MIB).iter().map(Vec::len).collect();
    assert_eq!(sizes, [0xF_F054, 0xF_F064, 52 + 32 + 190 * BLOCK]);
    assert!(Segments::new(&noise, 100).is_none());
    assert!(Segments::new(&noise, 4195).is_none());
    assert!(Segments::new(&noise, 4196 + 16).is_some());
}

#[test]
fn borrows_the_image() {
    let image = [0xA5, 1, 2, 3].repeat(3 * BLOCK);
    let noisy: Vec<u8> = image
        .iter()
        .enumerate()
        .map(|(at, byte)| byte ^ at as u8)
        .collect();
    for segment in Segments::new(&noisy, MIB).expect("fits") {
        let own: usize = segment
            .pieces
            .iter()
            .filter(|piece| matches!(piece, std::borrow::Cow::Owned(_)))
            .map(|piece| piece.len())
            .sum();
        assert!(own < 200, "{own} bytes of our own");
    }
}

#[test]
fn reads_android_s_form() {
    let raw = [7u8; BLOCK];
    let image = android(
        4096,
        &[(0xCAC1, 1, &raw), (0xCAC2, 2, &[1, 2, 3, 4]), (0xCAC3, 1, &[])],
    );
    let expanded = expand(&image, Reader::Host).expect("good");
    assert_eq!(expanded[..BLOCK], raw);
    assert_eq!(expanded[BLOCK..3 * BLOCK], [1, 2, 3, 4].repeat(2 * BLOCK / 4));
    assert_eq!(expanded[3 * BLOCK..], [0; BLOCK]);
    let refusal = expand(&image, Reader::Flasher)
        .expect_err("the flasher wants 8")
        .to_string();
    assert!(refusal.contains("4 bytes of data instead of 8"), "{refusal}");
}

#[test]
fn refuses_malformed_images() {
    let raw = [7u8; BLOCK];
    let good = android(4096, &[(0xCAC1, 1, &raw)]);
    let change = |at: usize, value: u8| {
        let mut bytes = good.clone();
        bytes[at] = value;
        bytes
    };
    let cases = [
        ("magic", change(0, 0)),
        ("version", change(4, 2)),
        ("file header", change(8, 27)),
        ("file header beyond the file", change(9, 0xFF)),
        ("chunk header", change(10, 11)),
        ("block size 0", change(13, 0)),
        ("block size 4098", change(12, 2)),
        ("total blocks", change(16, 2)),
        ("missing chunk", change(20, 2)),
        ("bytes after the last chunk", change(20, 0)),
        ("unknown chunk", change(28, 0xC9)),
        ("chunk size", change(36, 0)),
        (
            "chunk shorter than its header",
            [&good[..36], &[3, 0, 0, 0], &good[40..]].concat(),
        ),
        (
            "wrong CRC",
            android(4096, &[(0xCAC1, 1, &raw), (0xCAC4, 0, &[0; 4])]),
        ),
        (
            "CRC with blocks",
            android(4096, &[(0xCAC1, 1, &raw), (0xCAC4, 1, &[0; 4])]),
        ),
        (
            "CRC not last",
            android(4096, &[(0xCAC4, 0, &[0; 4]), (0xCAC1, 1, &raw)]),
        ),
        ("DONT_CARE with data", android(4096, &[(0xCAC3, 1, &raw)])),
        (
            "too large",
            android(0xFFFF_FFFC, &[(0xCAC2, 0xFFFF_FFFF, &[0; 4])]),
        ),
    ];
    assert!(expand(&good, Reader::Host).is_ok());
    for (why, bytes) in cases {
        assert!(expand(&bytes, Reader::Host).is_err(), "{why}");
    }
    for cut in 0..good.len() {
        assert!(expand(&good[..cut], Reader::Host).is_err(), "cut at {cut}");
    }
}

#[test]
fn checks_the_crc_as_the_vendor_or_android_counts_holes() {
    let raw = [7u8; BLOCK];
    let crc_of = |parts: &[&[u8]]| crate::asr::CRC32.checksum(&parts.concat()).to_le_bytes();
    for crc in [crc_of(&[&raw]), crc_of(&[&raw, &[0; BLOCK]])] {
        let image = android(4096, &[(0xCAC1, 1, &raw), (0xCAC3, 1, &[]), (0xCAC4, 0, &crc)]);
        assert!(expand(&image, Reader::Host).is_ok());
    }
}

#[test]
fn knows_holes_between_data() {
    let raw = [7u8; BLOCK];
    let crc = crate::asr::CRC32.checksum(&[raw, raw].concat()).to_le_bytes();
    let image = android(
        4096,
        &[
            (0xCAC1, 1, &raw),
            (0xCAC3, 1, &[]),
            (0xCAC1, 1, &raw),
            (0xCAC4, 0, &crc),
        ],
    );
    let sparse = Sparse::parse("x", &image, ROOM, Reader::Flasher).expect("well formed");
    assert_eq!(sparse.data_bytes_range(), None);
}

/// Images with runs of equal blocks in them.
fn blocky() -> impl Strategy<Value = Vec<u8>> {
    let block = prop_oneof![
        Just(vec![0u8; BLOCK]),
        Just(vec![0xFF; BLOCK]),
        any::<u8>().prop_map(|seed| (0..BLOCK).map(|at| (at as u8).wrapping_mul(seed)).collect()),
        any::<[u8; 4]>().prop_map(|word| word.repeat(BLOCK / 4)),
    ];
    (vec(block, 0..12), vec(any::<u8>(), 0..BLOCK))
        .prop_map(|(blocks, rest)| [blocks.concat(), rest].concat())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn segments_expand_to_the_image(image in blocky(), blocks in 1u32..14) {
        let max = 32 + 64 + 4 + blocks * BLOCK as u32;
        let total = image.len().next_multiple_of(BLOCK) as u64;
        let mut whole = Vec::new();
        for segment in segments(&image, max) {
            prop_assert!(segment.len() <= max as usize);
            let sparse = Sparse::parse("x", &segment, ROOM, Reader::Flasher).unwrap();
            prop_assert_eq!(sparse.expanded_bytes(), total);
            let place = sparse.data_bytes_range().unwrap();
            prop_assert_eq!(place.start, whole.len() as u64);
            sparse.append_data(&mut whole);
            prop_assert_eq!(place.end, whole.len() as u64);
        }
        let mut padded = image;
        padded.resize(total as usize, 0);
        prop_assert_eq!(whole, padded);
    }

    #[test]
    fn never_panics(bytes in vec(any::<u8>(), 0..300), chunk in 0u8..2, host in any::<bool>()) {
        let head = [0x3A, 0xFF, 0x26, 0xED, 1, 0, 0, 0, 28 + 4 * chunk, 0, 12 + 4 * chunk, 0];
        let reader = if host { Reader::Host } else { Reader::Flasher };
        let _ = expand(&[&head[..], &bytes].concat(), reader);
    }
}
