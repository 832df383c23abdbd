//! The sparse form in which every image for flash goes over the wire: a header of 32 bytes, chunks with headers
//! of 16, and a CRC-32 of what the segment expands to.
//!
//! ```text
//! 3AFF26ED 0100 0000 2000 1000 00100000  blocks chunks 0 0      file header
//! C3CA 0000 blocks 16 0                                         DONT_CARE: blocks of earlier, later segments
//! C1CA 0000 blocks 16+n 0   n bytes                             RAW
//! C2CA 0000 blocks 24 0     word 00000000                       FILL: one 32-bit word, repeated
//! C4CA 0000 0 20 0          crc32                               CRC32, always last
//! ```
//!
//! [`Segments`] cuts an image to the module's download area without copying it; [`Sparse`] reads an image that
//! is in sparse form already, ours or Android's (28-byte header, 12-byte chunk headers).
//! Source: specs/asr-aboot.md §5.3 (V).

mod build;
mod read;

pub use build::{Segment, Segments};
pub use read::{Reader, Sparse};

/// First four bytes of a sparse image. Source: §5.3 (V).
pub const MAGIC: [u8; 4] = [0x3A, 0xFF, 0x26, 0xED];
/// Bytes of one block of the segments we build. Source: §5.3 (V).
pub const BLOCK: usize = 4096;

/// Sizes of our headers in bytes; Android's are 28 and 12. Source: §5.3 (V).
const FILE_HEADER: u16 = 32;
const CHUNK_HEADER: u16 = 16;
/// The smallest headers a reader must take. Source: §5.3 (V).
const LEAST_FILE_HEADER: u16 = 28;
const LEAST_CHUNK_HEADER: u16 = 12;
/// Bytes after the header of a FILL chunk: the word and four zeros; Android has the word alone. Source: §5.3 (V).
const FILL_BODY: u32 = 8;
const ANDROID_FILL_BODY: u32 = 4;
const CRC_BODY: u32 = 4;

const RAW: u16 = 0xCAC1;
const FILL: u16 = 0xCAC2;
const DONT_CARE: u16 = 0xCAC3;
const CRC: u16 = 0xCAC4;

/// What holes of an image that came in sparse form are filled with: the flasher takes no holes between data.
/// Source: §5.3 (V) for the rule; the value is Android's reading (?).
const HOLE: u8 = 0;
