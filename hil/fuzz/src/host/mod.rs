//! What this host reads: files, names, the description of a station, a module's own words.

pub mod identity;
pub mod names;
pub mod package;
pub mod station;
