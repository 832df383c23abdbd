//! The virtual ASR module: run mode, boot ROM, flasher, flash array. Source: specs/asr-aboot.md.

mod builder;
mod commands;
mod ethos;
mod fip;
mod flash;
mod loader;
mod personality;
mod programmer;
mod smux;
mod sparse;
mod tables;

pub use builder::{Asr, Variant};
pub use flash::Flash;

use crate::builder::VirtualModuleBuilder;
use crate::module::VirtualModule;

/// A virtual ASR module on a virtual bus.
pub type AsrModule = VirtualModule<Asr>;
/// Sets up a virtual ASR module; made by [`AsrModule::builder`].
pub type AsrModuleBuilder = VirtualModuleBuilder<Asr>;

impl VirtualModule<Asr> {
    /// Sets up a module that runs firmware of that revision.
    pub fn builder(revision: &str) -> AsrModuleBuilder {
        VirtualModuleBuilder::new(Asr::default(), Some(revision))
    }

    /// Sets up a module without firmware, which crash-loops until it is written.
    pub fn blank() -> AsrModuleBuilder {
        VirtualModuleBuilder::new(Asr::default(), None)
    }

    /// The bytes of a partition of the table that was last given to the module.
    pub fn partition(&self, name: &str) -> Option<Vec<u8>> {
        self.flash().partition(name).map(<[u8]>::to_vec)
    }
}

/// Checks a sparse segment as the flasher does; gives the bytes of the whole image.
#[cfg(test)]
pub(crate) fn check_sparse(segment: &[u8], partition_bytes: usize) -> Result<usize, &'static str> {
    sparse::read(segment, partition_bytes).map(|segment| segment.image_bytes)
}
