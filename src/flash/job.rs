//! What a run does once the module is in download mode.

/// The work of one run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Job {
    /// Write the package.
    Write,
    /// Read the NV area and keep it; the package gives the loaders only.
    ReadNv,
}

impl Job {
    /// The words for a person.
    pub const fn words(self) -> &'static str {
        match self {
            Job::Write => "write",
            Job::ReadNv => "read nv",
        }
    }
}
