//! Eigencomm EC618 modules: `.binpkg` packages, written through the boot ROM and the agent it loads. `README.md`
//! beside this file is the protocol on one page.
//!
//! Source: specs/eigencomm-agentboot.md.

pub mod binpkg;
pub mod commands;
mod describe;
mod extras;
pub mod frame;
mod header;
mod ini;
mod link;
mod map;
mod plan;
mod regions;
mod rf;
mod session;
mod settings;
mod transport;

#[cfg(test)]
mod tests;

pub use binpkg::{Binpkg, Entry, Version};
pub(crate) use describe::Describer;
pub use extras::{EXTRAS, EXTRAS_FILE, Extra, extras};
pub use map::{Flash, RF_BACKUP, Region};
pub use plan::{Burn, Companions, Kind, Plan};
pub use regions::{FORMAT_FILE, Named, regions};
pub use rf::{RfPart, is_rf, rf_differences, rf_parts};
pub use session::{After, Keeper, Options, Pacing, Proof, Report, read_rf, write};
pub use settings::Settings;
pub use transport::Transport;
