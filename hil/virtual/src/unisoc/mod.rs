//! The virtual Unisoc modules: run mode, mask ROM, FDL1, FDL2 or FDL, flash with NV items. Source:
//! specs/unisoc-pac-bsl.md.

mod bsl;
mod builder;
pub(crate) mod checks;
pub(crate) mod cpio;
mod desk;
pub(crate) mod factory;
mod fdl;
mod fdl1;
mod flash;
mod guard;
mod hdlc;
pub(crate) mod images;
mod loader;
pub(crate) mod nv;
mod object;
mod pdl;
mod personality;
mod rom8850;

pub use builder::{Unisoc, UnisocChip};
pub use flash::UnisocFlash;
pub use nv::NvItems;

use crate::builder::VirtualModuleBuilder;
use crate::module::VirtualModule;

/// A virtual Unisoc module on a virtual bus.
pub type UnisocModule = VirtualModule<Unisoc>;
/// Sets up a virtual Unisoc module; made by [`UnisocModule::builder`].
pub type UnisocModuleBuilder = VirtualModuleBuilder<Unisoc>;

impl VirtualModule<Unisoc> {
    /// Sets up a module with that chip that runs firmware of that revision.
    pub fn builder(chip: UnisocChip, revision: &str) -> UnisocModuleBuilder {
        VirtualModuleBuilder::new(Unisoc::new(chip), Some(revision))
    }

    /// Sets up a module with blank flash, which stays in its boot ROM until it is written.
    pub fn blank(chip: UnisocChip) -> UnisocModuleBuilder {
        VirtualModuleBuilder::new(Unisoc::new(chip), None)
    }

    /// The bytes of the NOR at that address, as the chip sees it (`0x60010000`).
    pub fn region(&self, address: u32, length: usize) -> Option<Vec<u8>> {
        self.memory().region(address, length).map(<[u8]>::to_vec)
    }

    /// The factory NV items, by id.
    pub fn nv_items(&self) -> NvItems {
        self.memory().nv_items().clone()
    }
}
