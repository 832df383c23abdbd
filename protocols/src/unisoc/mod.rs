//! Unisoc UIS8910 and UIS8850 modules: `.pac` packages, written over PDL and BSL. `README.md` beside this file is
//! the format and the protocol on one page. Source: specs/unisoc-pac-bsl.md.
//!
//! ```no_run
//! # fn flash(file: &[u8], wire: &mut dyn qpyflash_protocols::Wire, keeper: &mut dyn qpyflash_protocols::unisoc::Keeper)
//! # -> Result<(), Box<dyn std::error::Error>> {
//! use std::sync::Arc;
//! use qpyflash_protocols::unisoc::{self, Pac};
//! let plan = unisoc::Plan::from_pac(Arc::new(Pac::parse(file)?))?;
//! let report = unisoc::write(wire, &plan, &unisoc::Options::default(), keeper)?;
//! println!("{} bytes to the module with IMEI {:?}", report.bytes, report.imei);
//! # Ok(()) }
//! ```

mod bsl;
mod describe;
pub mod hdlc;
mod link;
pub mod nv;
pub mod pac;
mod pdl;
mod plan;
mod session;
#[cfg(test)]
mod tests;
mod uimage;
pub mod xml;

pub(crate) use describe::Describer;
pub use pac::{Contents, Entry, Pac};
pub use plan::{Action, Plan, Step};
pub use session::{After, Keeper, Kept, Options, Report, Transport, erase_all, read_nv, restore_nv, write};

use crate::FormatError;

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
