//! What a module is: ordering codes, revisions, and the questions that make it tell.

mod ordering_code;
mod revision;
mod series;
mod shared;

use serde::Serialize;

pub use ordering_code::{OrderingCode, OrderingCodeError};
pub use revision::{Revision, RevisionError};
pub use series::{Scope, platform_of_series, scope_of_series, series_of};
pub use shared::{acceptable, same_group, shared_firmware};

/// What a module's own word is worth. Everything it says comes from the firmware that runs on it, not from
/// fuses. Source: specs/identity.md §3.1, §3.3 point 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Witness {
    /// Most likely the firmware it left the factory with, so its ordering code is the module's own.
    Factory,
    /// QuecPython: it names the package that was flashed last, which may be a shared or a wrong one.
    QuecPython,
    /// Other OpenCPU firmware: it names what was flashed last, too.
    OpenCpu,
}
