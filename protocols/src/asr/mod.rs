//! ASR Cat.1 modules (ASR1601, 1603, 1606): packages with `download.json` or `firmware.bin`, and the aboot
//! download protocol over SMUX or ETHOS. `README.md` beside this file is the protocol on one page.
//!
//! ```no_run
//! # fn read_member(name: &str) -> Option<std::sync::Arc<[u8]>> { None }
//! # fn flash(json: &[u8], wire: &mut dyn qpyflash_protocols::Wire) -> Result<(), Box<dyn std::error::Error>> {
//! use qpyflash_protocols::asr;
//! let plan = asr::Plan::from_download_json(json, &mut read_member)?;
//! let report = asr::write(wire, &plan, &asr::Options::default())?;
//! println!("{} bytes to {}", report.bytes, report.chip.version_bootrom);
//! # Ok(()) }
//! ```

mod aboot;
mod describe;
pub mod ethos;
pub mod fip;
mod line;
mod link;
mod log;
mod package;
mod plan;
pub mod preamble;
mod rehearsal;
mod script;
mod session;
pub mod smux;
pub mod sparse;
pub mod tables;
#[cfg(test)]
mod tests;

pub use aboot::chip_name;
pub(crate) use describe::Describer;
pub use plan::{Image, Plan, Production};
pub use session::{After, Chip, Options, Report, write};

use crate::FormatError;

/// The CRC of sparse images and partition tables: IEEE, as in zlib.
static CRC32: crc::Crc<u32, crc::Table<16>> = crc::Crc::<u32, crc::Table<16>>::new(&crc::CRC_32_ISO_HDLC);

fn corrupt(what: impl Into<String>, why: impl Into<String>) -> FormatError {
    FormatError::Corrupt {
        what: what.into(),
        why: why.into(),
    }
}

fn unsupported(what: impl Into<String>, why: impl Into<String>) -> FormatError {
    FormatError::Unsupported {
        what: what.into(),
        why: why.into(),
    }
}
