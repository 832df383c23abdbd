//! Formats and protocol of the platform.

pub mod download_json;
pub mod ethos;
pub mod fip;
mod package;
pub mod script;
pub mod session;
pub mod smux;
pub mod sparse;
pub mod tables;
