//! Formats and protocol of the platform.

pub mod hdlc;
pub mod nv;
pub mod pac;
mod package;
pub mod session;
pub mod xml;
