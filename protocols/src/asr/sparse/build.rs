//! Images become segments.

use std::borrow::Cow;
use std::ops::Range;

use super::{BLOCK, CHUNK_HEADER, CRC, CRC_BODY, DONT_CARE, FILE_HEADER, FILL, MAGIC, RAW};
use crate::asr::CRC32;

/// Cuts an image into segments that fit the module's download area.
#[derive(Debug, Clone)]
pub struct Segments<'a> {
    image: &'a [u8],
    total_blocks: u32,
    blocks_each: u32,
    next: u32,
}

/// One segment: a download of its own, followed by `flash:`.
#[derive(Debug, Clone)]
pub struct Segment<'a> {
    /// Its bytes, in order; all of the image's own bytes are borrowed.
    pub pieces: Vec<Cow<'a, [u8]>>,
    /// How many bytes that is.
    pub len: u32,
    /// The image's bytes up to the end of this segment.
    pub image_end: u64,
}

impl<'a> Segments<'a> {
    /// Segments of at most `max_bytes`; nothing when not even one block fits, or the image has 2^32 blocks.
    pub fn new(image: &'a [u8], max_bytes: u32) -> Option<Self> {
        let overhead = u32::from(FILE_HEADER) + 4 * u32::from(CHUNK_HEADER) + CRC_BODY;
        let blocks_each = max_bytes.checked_sub(overhead)? / BLOCK as u32;
        let total_blocks = u32::try_from(image.len().div_ceil(BLOCK)).ok()?;
        (blocks_each > 0).then_some(Segments {
            image,
            total_blocks,
            blocks_each,
            next: 0,
        })
    }

    fn build(&self, blocks: Range<u32>) -> Segment<'a> {
        let mut segment = Builder::default();
        segment.skip(blocks.start);
        let mut digest = CRC32.digest();
        let mut at = blocks.start;
        while at < blocks.end {
            let content = Content::of(self.block(at));
            let run = (at + 1..blocks.end)
                .take_while(|&next| Content::of(self.block(next)) == content)
                .count();
            let end = at + 1 + run as u32;
            match content {
                Content::Fill(word) => segment.fill(end - at, word, &mut digest),
                Content::Raw => segment.raw(end - at, self.bytes(at..end), &mut digest),
            }
            at = end;
        }
        segment.skip(self.total_blocks - blocks.end);
        let image_end = self.bytes(0..blocks.end).len() as u64;
        segment.finish(self.total_blocks, digest.finalize(), image_end)
    }

    fn block(&self, number: u32) -> &'a [u8] {
        self.bytes(number..number + 1)
    }

    /// The image's bytes in these blocks; the last block may be short.
    fn bytes(&self, blocks: Range<u32>) -> &'a [u8] {
        let place = |block: u32| (block as usize).saturating_mul(BLOCK).min(self.image.len());
        &self.image[place(blocks.start)..place(blocks.end)]
    }
}

impl<'a> Iterator for Segments<'a> {
    type Item = Segment<'a>;

    fn next(&mut self) -> Option<Segment<'a>> {
        let start = self.next;
        let end = start.saturating_add(self.blocks_each).min(self.total_blocks);
        self.next = end;
        (start < end).then(|| self.build(start..end))
    }
}

/// What a block is sent as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Content {
    Raw,
    Fill([u8; 4]),
}

impl Content {
    /// A short block counts as filled up with zeros.
    fn of(block: &[u8]) -> Content {
        match block.first_chunk::<4>() {
            Some(&word) if block.len() == BLOCK && block[4..] == block[..BLOCK - 4] => Content::Fill(word),
            _ if block.len() < BLOCK && block.iter().all(|&byte| byte == 0) => Content::Fill([0; 4]),
            _ => Content::Raw,
        }
    }
}

/// Collects chunks: what is written by us between what is borrowed from the image.
#[derive(Default)]
struct Builder<'a> {
    body: Vec<Cow<'a, [u8]>>,
    chunks: u32,
    len: u32,
}

impl<'a> Builder<'a> {
    fn chunk(&mut self, kind: u16, blocks: u32, own: &[u8], borrowed_bytes: u32) {
        let size = u32::from(CHUNK_HEADER) + own.len() as u32 + borrowed_bytes;
        let mut chunk = Vec::with_capacity(usize::from(CHUNK_HEADER) + own.len());
        chunk.extend_from_slice(&kind.to_le_bytes());
        chunk.extend_from_slice(&[0; 2]);
        chunk.extend_from_slice(&blocks.to_le_bytes());
        chunk.extend_from_slice(&size.to_le_bytes());
        chunk.extend_from_slice(&[0; 4]);
        chunk.extend_from_slice(own);
        self.body.push(Cow::Owned(chunk));
        self.chunks += 1;
        self.len += size;
    }

    fn skip(&mut self, blocks: u32) {
        if blocks > 0 {
            self.chunk(DONT_CARE, blocks, &[], 0);
        }
    }

    fn raw(&mut self, blocks: u32, bytes: &'a [u8], digest: &mut Digest) {
        const ZEROS: &[u8] = &[0; BLOCK];
        let padding = &ZEROS[..bytes.len().next_multiple_of(BLOCK) - bytes.len()];
        self.chunk(RAW, blocks, &[], blocks * BLOCK as u32);
        for part in [bytes, padding] {
            digest.update(part);
            self.body.push(Cow::Borrowed(part));
        }
    }

    fn fill(&mut self, blocks: u32, word: [u8; 4], digest: &mut Digest) {
        let [a, b, c, d] = word;
        self.chunk(FILL, blocks, &[a, b, c, d, 0, 0, 0, 0], 0);
        let block = word.repeat(BLOCK / 4);
        (0..blocks).for_each(|_| digest.update(&block));
    }

    fn finish(mut self, total_blocks: u32, crc: u32, image_end: u64) -> Segment<'a> {
        self.chunk(CRC, 0, &crc.to_le_bytes(), 0);
        let mut header = Vec::with_capacity(usize::from(FILE_HEADER));
        header.extend_from_slice(&MAGIC);
        header.extend_from_slice(&[1, 0, 0, 0]);
        header.extend_from_slice(&FILE_HEADER.to_le_bytes());
        header.extend_from_slice(&CHUNK_HEADER.to_le_bytes());
        header.extend_from_slice(&(BLOCK as u32).to_le_bytes());
        header.extend_from_slice(&total_blocks.to_le_bytes());
        header.extend_from_slice(&self.chunks.to_le_bytes());
        header.extend_from_slice(&[0; 8]);
        let len = self.len + u32::from(FILE_HEADER);
        self.body.insert(0, Cow::Owned(header));
        Segment {
            pieces: self.body,
            len,
            image_end,
        }
    }
}

type Digest<'a> = crc::Digest<'a, u32, crc::Table<16>>;
