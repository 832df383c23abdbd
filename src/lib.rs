//! Flashes QuecPython firmware onto Quectel cellular modules, and refuses what does not fit.

pub mod choose;
pub mod error;
pub mod event;
pub mod firmware;
pub mod flash;
pub mod fleet;
pub mod gate;
pub mod identity;
pub mod link;
pub mod module;

pub use error::{Error, Kind};
pub use qpyflash_protocols::{Phase, Platform, Written};
