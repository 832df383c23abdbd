//! What this host reads: files, names, the description of a station, a module's own words.

pub mod capture;
pub mod describe;
pub mod identity;
pub mod names;
pub mod package;
pub mod recording;
pub mod station;
pub mod telnet;
