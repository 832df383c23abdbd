//! What a run does once the module is in download mode.

use serde::{Deserialize, Serialize};

use crate::gate::Purpose;

/// The work of one run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Job {
    /// Write the package.
    Write,
    /// Read the NV area and keep it; the package gives the loaders only.
    ReadNv,
    /// Read the RF data and keep them; the package gives the agent only.
    ReadRf,
    /// Write a kept NV area back; the package gives the loaders only.
    RestoreNv,
    /// Erase the whole flash except NV items and record of production; the package gives the loaders only.
    EraseAll,
}

impl Job {
    /// The words for a person, which are also those of the command line.
    pub const fn words(self) -> &'static str {
        match self {
            Job::Write => "write",
            Job::ReadNv => "read nv",
            Job::ReadRf => "read rf",
            Job::RestoreNv => "restore nv",
            Job::EraseAll => "erase all",
        }
    }

    /// What the gate must decide for it.
    pub(super) const fn purpose(self) -> Purpose {
        match self {
            Job::Write => Purpose::Write,
            Job::ReadNv | Job::ReadRf | Job::RestoreNv => Purpose::Helpers,
            Job::EraseAll => Purpose::EraseAll,
        }
    }
}
