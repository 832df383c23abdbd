//! The virtual ASR module: run mode, boot ROM, flasher, flash array. Source: specs/asr-aboot.md.

mod builder;
mod commands;
mod fip;
mod flash;
mod life;
mod loader;
mod module;
mod programmer;
mod shared;
mod smux;
mod sparse;
mod tables;

pub use builder::{AsrModuleBuilder, Variant};
pub use flash::Flash;
pub use module::{AsrModule, Timeout};
pub use shared::{Counters, Mode, Role};

pub(crate) use shared::Shared;

/// Checks a sparse segment as the flasher does; gives the bytes of the whole image.
#[cfg(test)]
pub(crate) fn check_sparse(segment: &[u8], partition_bytes: usize) -> Result<usize, &'static str> {
    sparse::read(segment, partition_bytes).map(|segment| segment.image_bytes)
}
