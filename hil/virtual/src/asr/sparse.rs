//! The sparse images a flasher accepts. Source: specs/asr-aboot.md §5.3.

use crate::crc::Crc32;

const MAGIC: [u8; 4] = [0x3A, 0xFF, 0x26, 0xED];
const RAW: u16 = 0xCAC1;
const FILL: u16 = 0xCAC2;
const DONT_CARE: u16 = 0xCAC3;
const CRC: u16 = 0xCAC4;
/// Body of a FILL chunk: the pattern and four zero bytes. Android has the pattern alone.
const FILL_BODY: usize = 8;

/// One piece of the image, at its offset in the partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Piece<'a> {
    Raw(&'a [u8]),
    Fill { pattern: [u8; 4], bytes: usize },
}

impl Piece<'_> {
    pub fn len(&self) -> usize {
        match self {
            Piece::Raw(bytes) => bytes.len(),
            Piece::Fill { bytes, .. } => *bytes,
        }
    }
}

/// A checked segment: which pieces go where, and how large the whole image is.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Segment<'a> {
    pub image_bytes: usize,
    pub pieces: Vec<(usize, Piece<'a>)>,
}

struct Header {
    chunk_header: usize,
    block: usize,
    total_blocks: usize,
    chunks: usize,
}

fn u16_at(bytes: &[u8], offset: usize) -> Option<u16> {
    bytes
        .get(offset..)?
        .first_chunk()
        .copied()
        .map(u16::from_le_bytes)
}

fn size_at(bytes: &[u8], offset: usize) -> Option<usize> {
    bytes
        .get(offset..)?
        .first_chunk()
        .copied()
        .map(|bytes| u32::from_le_bytes(bytes) as usize)
}

/// Whether `bytes` begins as a sparse image does.
pub(crate) fn is_sparse(bytes: &[u8]) -> bool {
    bytes.starts_with(&MAGIC)
}

/// Reads a segment, with every check the real flashers make and their words for what is wrong.
pub(crate) fn read(bytes: &[u8], partition_bytes: usize) -> Result<Segment<'_>, &'static str> {
    let (header, mut rest) = read_header(bytes, partition_bytes)?;
    let mut segment = Segment {
        image_bytes: header.total_blocks * header.block,
        pieces: Vec::new(),
    };
    let mut crc = Crc32::new();
    let mut block = 0usize;
    for _ in 0..header.chunks {
        let overread = "buffer overreads occured due to invalid sparse header";
        let kind = u16_at(rest, 0).ok_or(overread)?;
        let blocks = size_at(rest, 4).ok_or(overread)?;
        let total = size_at(rest, 8).ok_or(overread)?;
        let body = rest.get(header.chunk_header..total).ok_or(overread)?;
        let data = blocks
            .checked_mul(header.block)
            .ok_or("integer overflow occured")?;
        let offset = block * header.block;
        match kind {
            RAW if body.len() != data => return Err("Bogus chunk size for chunk type Raw"),
            FILL if body.len() != FILL_BODY => return Err("Bogus chunk size for chunk type FILL"),
            DONT_CARE if !body.is_empty() => return Err("bogus size for chunk type DONT CARE"),
            CRC if body.len() != 4 => return Err("Bogus chunk size for chunk type CRC"),
            RAW | FILL | DONT_CARE | CRC => {}
            _ => return Err("Unknown chunk type"),
        }
        if kind != CRC && offset + data > segment.image_bytes {
            return Err("Chunk data size exceeds partition size");
        }
        match kind {
            RAW | FILL if blocks == 0 => {}
            RAW => {
                crc.update(body);
                segment.pieces.push((offset, Piece::Raw(body)));
            }
            FILL => {
                let pattern = [body[0], body[1], body[2], body[3]];
                (0..data / 4).for_each(|_| crc.update(&pattern));
                segment
                    .pieces
                    .push((offset, Piece::Fill { pattern, bytes: data }));
            }
            CRC if size_at(body, 0) != Some(crc.value() as usize) => return Err("invalid sparse crc"),
            _ => {}
        }
        block += if kind == CRC { 0 } else { blocks };
        rest = &rest[total..];
    }
    if block != header.total_blocks {
        return Err("sparse image write failure");
    }
    Ok(segment)
}

fn read_header(bytes: &[u8], partition_bytes: usize) -> Result<(Header, &[u8]), &'static str> {
    if bytes.len() < 28 {
        return Err("size too low");
    }
    if !is_sparse(bytes) {
        return Err("not a sparse file image");
    }
    let file_header = usize::from(u16_at(bytes, 8).unwrap_or_default());
    let header = Header {
        chunk_header: usize::from(u16_at(bytes, 10).unwrap_or_default()),
        block: size_at(bytes, 12).unwrap_or_default(),
        total_blocks: size_at(bytes, 16).unwrap_or_default(),
        chunks: size_at(bytes, 20).unwrap_or_default(),
    };
    if file_header < 28 {
        return Err("sparse header size mismatch");
    }
    if header.chunk_header < 12 {
        return Err("chunk header size mismatch");
    }
    if header.block == 0 || !header.block.is_multiple_of(4) {
        return Err("Invalid block size");
    }
    let image = header
        .total_blocks
        .checked_mul(header.block)
        .ok_or("integer overflow occured")?;
    if image > partition_bytes {
        return Err("size too large");
    }
    let rest = bytes
        .get(file_header..)
        .ok_or("buffer overreads occured due to invalid sparse header")?;
    Ok((header, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `HELLO`, byte for byte as the specification prints it.
    fn hello() -> Vec<u8> {
        let mut image = vec![
            0x3A, 0xFF, 0x26, 0xED, 1, 0, 0, 0, 0x20, 0, 0x10, 0, 0, 0x10, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0,
        ];
        image.extend([0; 8]);
        image.extend([0xC1, 0xCA, 0, 0, 1, 0, 0, 0, 0x10, 0x10, 0, 0, 0, 0, 0, 0]);
        image.extend(b"HELLO");
        image.extend([0; 4091]);
        image.extend([
            0xC4, 0xCA, 0, 0, 0, 0, 0, 0, 0x14, 0, 0, 0, 0, 0, 0, 0, 0xE2, 0x89, 0x66, 0x7E,
        ]);
        image
    }

    /// Two zero blocks as one FILL chunk, as the specification prints it.
    fn zero_blocks() -> Vec<u8> {
        let mut image = hello()[..32].to_vec();
        image[16] = 2;
        image.extend([
            0xC2, 0xCA, 0, 0, 2, 0, 0, 0, 0x18, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
        ]);
        image.extend([
            0xC4, 0xCA, 0, 0, 0, 0, 0, 0, 0x14, 0, 0, 0, 0, 0, 0, 0, 0x94, 0x99, 0xF4, 0xD8,
        ]);
        image
    }

    #[test]
    fn reads_the_worked_examples() {
        let image = hello();
        let segment = read(&image, 4096).unwrap();
        assert_eq!(segment.image_bytes, 4096);
        assert_eq!(segment.pieces, [(0, Piece::Raw(&image[48..48 + 4096]))]);
        let image = zero_blocks();
        assert_eq!(image.len(), 76);
        let fill = Piece::Fill {
            pattern: [0; 4],
            bytes: 8192,
        };
        assert_eq!(read(&image, 8192).unwrap().pieces, [(0, fill)]);
    }

    #[test]
    fn refuses_what_the_real_flashers_refuse() {
        let broken = |change: fn(&mut Vec<u8>)| {
            let mut image = hello();
            change(&mut image);
            read(&image, 4096).unwrap_err()
        };
        assert_eq!(read(&hello(), 4095), Err("size too large"));
        assert_eq!(broken(|image| image[48] ^= 1), "invalid sparse crc");
        assert_eq!(
            broken(|image| image[16] = 0),
            "Chunk data size exceeds partition size"
        );
        assert_eq!(broken(|image| image[8] = 24), "sparse header size mismatch");
        assert_eq!(broken(|image| image[10] = 8), "chunk header size mismatch");
        assert_eq!(broken(|image| image[12] = 2), "Invalid block size");
        assert_eq!(broken(|image| image.truncate(20)), "size too low");
        assert_eq!(broken(|image| image[0] = 0), "not a sparse file image");
        assert_eq!(
            broken(|image| image[36] = 0),
            "Bogus chunk size for chunk type Raw"
        );
        assert_eq!(broken(|image| image[32] = 0xC7), "Unknown chunk type");
        assert_eq!(
            broken(|image| image.truncate(image.len() - 4)),
            "buffer overreads occured due to invalid sparse header"
        );
    }

    #[test]
    fn refuses_a_stock_android_fill_of_four_bytes() {
        let mut image = zero_blocks();
        image[40] = 0x14;
        image.drain(52..56);
        assert_eq!(read(&image, 8192), Err("Bogus chunk size for chunk type FILL"));
    }

    #[test]
    fn refuses_a_segment_whose_blocks_do_not_add_up() {
        let mut image = zero_blocks();
        image[16] = 3;
        assert_eq!(read(&image, 16384), Err("sparse image write failure"));
    }
}
