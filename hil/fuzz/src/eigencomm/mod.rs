//! Formats and protocol of the platform.

pub mod binpkg;
pub mod frames;
mod package;
pub mod plan;
pub mod session;
