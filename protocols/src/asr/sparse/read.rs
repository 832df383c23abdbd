//! Sparse images become plain ones.

use std::ops::Range;

use super::{
    ANDROID_FILL_BODY, BLOCK, CRC, CRC_BODY, DONT_CARE, FILL, FILL_BODY, HOLE, LEAST_CHUNK_HEADER,
    LEAST_FILE_HEADER, MAGIC, RAW,
};
use crate::FormatError;
use crate::asr::{CRC32, corrupt};

/// An image in sparse form, read and checked.
#[derive(Debug, Clone)]
pub struct Sparse<'a> {
    block_bytes: u32,
    total_blocks: u32,
    chunks: Vec<Chunk<'a>>,
}

/// A stretch of the image, in blocks.
#[derive(Debug, Clone, Copy)]
struct Chunk<'a> {
    blocks: u32,
    content: ChunkContent<'a>,
}

#[derive(Debug, Clone, Copy)]
enum ChunkContent<'a> {
    Raw(&'a [u8]),
    Fill([u8; 4]),
    DontCare,
}

/// Who will read the sparse image next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reader {
    /// We do: Android's shorter FILL is taken too.
    Host,
    /// The flasher does: it takes only what §5.3 lists.
    Flasher,
}

impl<'a> Sparse<'a> {
    /// Whether these bytes are in sparse form.
    pub fn is_sparse(bytes: &[u8]) -> bool {
        bytes.starts_with(&MAGIC)
    }

    /// Reads and checks all of `bytes`: sizes, block counts, the CRC and that nothing follows it. An image that
    /// would expand to more than `limit` bytes is refused before any work is done for it.
    ///
    /// # Errors
    /// [`FormatError`] with the first contradiction.
    pub fn parse(what: &str, bytes: &'a [u8], limit: u64, reader: Reader) -> Result<Self, FormatError> {
        let header = Header::parse(what, bytes)?;
        let mut sparse = Sparse {
            block_bytes: header.block_bytes,
            total_blocks: header.total_blocks,
            chunks: Vec::new(),
        };
        if sparse.expanded_bytes() > limit {
            let (size, place) = (sparse.expanded_bytes(), "the largest image we expand".to_owned());
            return Err(FormatError::TooLarge {
                what: what.to_owned(),
                size,
                place,
                limit,
            });
        }
        let mut rest = bytes
            .get(usize::from(header.file_header)..)
            .ok_or_else(|| truncated(what, header.file_header.into(), bytes.len()))?;
        let mut crc = None;
        for number in 0..header.chunks {
            let what = format!("{what}: sparse chunk {number}");
            if crc.is_some() {
                return Err(corrupt(what, "it follows the CRC, which must be last"));
            }
            let chunk = RawChunk::take(&what, &mut rest, header.chunk_header)?;
            match sparse.read(&what, &chunk, reader)? {
                Read::Content(content) => sparse.chunks.push(Chunk {
                    blocks: chunk.blocks,
                    content,
                }),
                Read::Crc(stored) => crc = Some(stored),
            }
        }
        if !rest.is_empty() {
            return Err(corrupt(
                what,
                format!("{} bytes follow the last sparse chunk", rest.len()),
            ));
        }
        sparse.check_sum(what)?;
        match crc {
            Some(stored) => sparse.check_crc(what, stored, reader)?,
            None if reader == Reader::Flasher => return Err(corrupt(what, "it has no CRC chunk")),
            None => {}
        }
        Ok(sparse)
    }

    fn read(&self, what: &str, chunk: &RawChunk<'a>, reader: Reader) -> Result<Read<'a>, FormatError> {
        let data_bytes = u64::from(chunk.blocks) * u64::from(self.block_bytes);
        let size = chunk.body.len() as u64;
        let wrong = |need: u64| corrupt(what, format!("{size} bytes of data instead of {need}"));
        match chunk.kind {
            RAW if size == data_bytes => Ok(Read::Content(ChunkContent::Raw(chunk.body))),
            RAW => Err(wrong(data_bytes)),
            FILL if size == u64::from(FILL_BODY)
                || (reader == Reader::Host && size == u64::from(ANDROID_FILL_BODY)) =>
            {
                Ok(Read::Content(ChunkContent::Fill(
                    u32_at(chunk.body, 0).to_le_bytes(),
                )))
            }
            FILL => Err(wrong(FILL_BODY.into())),
            DONT_CARE if size == 0 => Ok(Read::Content(ChunkContent::DontCare)),
            DONT_CARE => Err(wrong(0)),
            CRC if size == u64::from(CRC_BODY) && chunk.blocks == 0 => Ok(Read::Crc(u32_at(chunk.body, 0))),
            CRC => Err(wrong(CRC_BODY.into())),
            kind => Err(corrupt(what, format!("unknown kind {kind:04X}"))),
        }
    }

    fn check_sum(&self, what: &str) -> Result<(), FormatError> {
        let sum: u64 = self.chunks.iter().map(|chunk| u64::from(chunk.blocks)).sum();
        if sum == u64::from(self.total_blocks) {
            return Ok(());
        }
        Err(corrupt(
            what,
            format!(
                "its chunks hold {sum} blocks, its header says {}",
                self.total_blocks
            ),
        ))
    }

    /// The vendor's CRC leaves holes out, Android's may count them as zeros; the flasher knows only the first.
    fn check_crc(&self, what: &str, stored: u32, reader: Reader) -> Result<(), FormatError> {
        let computed = self.crc(false);
        let holes = self
            .chunks
            .iter()
            .any(|chunk| matches!(chunk.content, ChunkContent::DontCare));
        if computed == stored || (reader == Reader::Host && holes && self.crc(true) == stored) {
            return Ok(());
        }
        Err(corrupt(
            what,
            format!("sparse CRC {stored:08X} stored, {computed:08X} computed"),
        ))
    }

    fn crc(&self, with_holes: bool) -> u32 {
        let mut digest = CRC32.digest();
        for chunk in &self.chunks {
            let word = match chunk.content {
                ChunkContent::Raw(bytes) => {
                    digest.update(bytes);
                    continue;
                }
                ChunkContent::Fill(word) => word,
                ChunkContent::DontCare if with_holes => [HOLE; 4],
                ChunkContent::DontCare => continue,
            };
            let page = [word; BLOCK / 4];
            let mut left = u64::from(chunk.blocks) * u64::from(self.block_bytes);
            while left > 0 {
                let now = left.min(BLOCK as u64);
                digest.update(&page.as_flattened()[..now as usize]);
                left -= now;
            }
        }
        digest.finalize()
    }

    /// Size of the whole image in bytes, as its header states it.
    pub fn expanded_bytes(&self) -> u64 {
        u64::from(self.block_bytes) * u64::from(self.total_blocks)
    }

    /// The blocks that carry data, when they are without a hole between them; nothing when there is a hole or
    /// no data at all. The flasher takes no holes.
    pub fn data_bytes_range(&self) -> Option<Range<u64>> {
        let is_data = |chunk: &Chunk| chunk.blocks > 0 && !matches!(chunk.content, ChunkContent::DontCare);
        let first = self.chunks.iter().position(is_data)?;
        let last = self.chunks.iter().rposition(is_data)?;
        let blocks = |chunks: &[Chunk]| chunks.iter().map(|chunk| u64::from(chunk.blocks)).sum::<u64>();
        let data = &self.chunks[first..=last];
        let whole = data.iter().all(|chunk| chunk.blocks == 0 || is_data(chunk));
        let size = u64::from(self.block_bytes);
        let start = blocks(&self.chunks[..first]) * size;
        whole.then(|| start..start + blocks(data) * size)
    }

    /// Appends the data blocks to `into`, without holes.
    pub fn append_data(&self, into: &mut Vec<u8>) {
        self.append(into, false);
    }

    /// The image in full.
    pub fn expand(&self) -> Vec<u8> {
        let mut image = Vec::with_capacity(usize::try_from(self.expanded_bytes()).unwrap_or_default());
        self.append(&mut image, true);
        image
    }

    fn append(&self, into: &mut Vec<u8>, with_holes: bool) {
        for chunk in &self.chunks {
            let bytes = chunk.blocks as usize * self.block_bytes as usize;
            match chunk.content {
                ChunkContent::Raw(data) => into.extend_from_slice(data),
                ChunkContent::Fill(word) => into.extend(word.iter().copied().cycle().take(bytes)),
                ChunkContent::DontCare if with_holes => into.resize(into.len() + bytes, HOLE),
                ChunkContent::DontCare => {}
            }
        }
    }
}

/// The fields of the file header, checked.
struct Header {
    file_header: u16,
    chunk_header: u16,
    block_bytes: u32,
    total_blocks: u32,
    chunks: u32,
}

impl Header {
    fn parse(what: &str, bytes: &[u8]) -> Result<Self, FormatError> {
        let fixed = bytes
            .first_chunk::<28>()
            .ok_or_else(|| truncated(what, 28, bytes.len()))?;
        let header = Header {
            file_header: u16_at(fixed, 8),
            chunk_header: u16_at(fixed, 10),
            block_bytes: u32_at(fixed, 12),
            total_blocks: u32_at(fixed, 16),
            chunks: u32_at(fixed, 20),
        };
        if !fixed.starts_with(&MAGIC) {
            return Err(corrupt(what, "it does not begin with the sparse magic 3AFF26ED"));
        }
        if u16_at(fixed, 4) != 1 {
            return Err(corrupt(
                what,
                format!("sparse version {} instead of 1", u16_at(fixed, 4)),
            ));
        }
        if header.file_header < LEAST_FILE_HEADER || header.chunk_header < LEAST_CHUNK_HEADER {
            let sizes = format!(
                "sparse headers of {} and {} bytes, at least 28 and 12 needed",
                header.file_header, header.chunk_header
            );
            return Err(corrupt(what, sizes));
        }
        if header.block_bytes == 0 || !header.block_bytes.is_multiple_of(4) {
            return Err(corrupt(
                what,
                format!("a sparse block size of {} bytes", header.block_bytes),
            ));
        }
        Ok(header)
    }
}

/// A chunk as it stands in the file.
struct RawChunk<'a> {
    kind: u16,
    blocks: u32,
    body: &'a [u8],
}

enum Read<'a> {
    Content(ChunkContent<'a>),
    Crc(u32),
}

impl<'a> RawChunk<'a> {
    fn take(what: &str, rest: &mut &'a [u8], header_bytes: u16) -> Result<Self, FormatError> {
        let header_bytes = usize::from(header_bytes);
        let header = rest
            .get(..header_bytes)
            .ok_or_else(|| truncated(what, header_bytes, rest.len()))?;
        let size = u32_at(header, 8) as usize;
        if size < header_bytes {
            return Err(corrupt(
                what,
                format!("a size of {size} bytes, less than its header"),
            ));
        }
        let body = rest
            .get(header_bytes..size)
            .ok_or_else(|| truncated(what, size, rest.len()))?;
        *rest = &rest[size..];
        Ok(RawChunk {
            kind: u16_at(header, 0),
            blocks: u32_at(header, 4),
            body,
        })
    }
}

fn u16_at(bytes: &[u8], at: usize) -> u16 {
    bytes
        .get(at..)
        .and_then(|tail| tail.first_chunk())
        .map_or(0, |&field| u16::from_le_bytes(field))
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    bytes
        .get(at..)
        .and_then(|tail| tail.first_chunk())
        .map_or(0, |&field| u32::from_le_bytes(field))
}

fn truncated(what: &str, need: usize, have: usize) -> FormatError {
    FormatError::Truncated {
        what: what.to_owned(),
        need: need as u64,
        have: have as u64,
    }
}
