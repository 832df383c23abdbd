//! Formats and protocol of the platform.

pub mod binpkg;
mod flash;
pub mod frames;
mod package;
pub mod plan;
pub mod session;
