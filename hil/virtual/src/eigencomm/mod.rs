//! The virtual Eigencomm modules, of the chip EC618: run mode, mask ROM, agent, two flash chips. Source:
//! specs/eigencomm-agentboot.md. Where that leaves a question, the genuine agents of 2021 answered it in an emulator.

mod agent;
pub(crate) mod agents;
mod builder;
mod burn;
mod desk;
mod factory;
mod flash;
mod frame;
pub(crate) mod header;
mod input;
mod loader;
mod lpc;
mod personality;
mod receiver;
mod rom;

pub use agents::AgentKind;
pub use builder::{Eigencomm, RunShape, WayIn};
pub use flash::{EigencommFlash, FlashChip};

use crate::builder::VirtualModuleBuilder;
use crate::module::VirtualModule;

/// A virtual Eigencomm module on a virtual bus.
pub type EigencommModule = VirtualModule<Eigencomm>;
/// Sets up a virtual Eigencomm module; made by [`EigencommModule::builder`].
pub type EigencommModuleBuilder = VirtualModuleBuilder<Eigencomm>;

impl VirtualModule<Eigencomm> {
    /// Sets up a module that runs firmware of that revision.
    pub fn builder(revision: &str) -> EigencommModuleBuilder {
        VirtualModuleBuilder::new(Eigencomm::new(), Some(revision))
    }

    /// Sets up a module without firmware, with RF data. It is dead, off the bus, unless the boot pin is held.
    pub fn blank() -> EigencommModuleBuilder {
        VirtualModuleBuilder::new(Eigencomm::new(), None)
    }

    /// Bytes of the AP flash at that offset; none when they are not all in it.
    pub fn ap(&self, offset: u32, length: usize) -> Option<Vec<u8>> {
        self.memory()
            .region(FlashChip::Ap, offset, length)
            .map(<[u8]>::to_vec)
    }

    /// Bytes of the CP flash at that offset; none when they are not all in it.
    pub fn cp(&self, offset: u32, length: usize) -> Option<Vec<u8>> {
        self.memory()
            .region(FlashChip::Cp, offset, length)
            .map(<[u8]>::to_vec)
    }
}

#[cfg(test)]
mod tests;
