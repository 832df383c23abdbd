//! What happened, plainly.

use std::error::Error as _;
use std::path::PathBuf;
use std::time::Duration;

use qpyflash_protocols::{Phase, Written, eigencomm};
use serde::Serialize;

use super::{Carrier, RfData};
use crate::error::{Error, Kind};
use crate::event::Events;
use crate::firmware::{BuiltFor, Package};
use crate::gate::WritePermit;
use crate::identity::Identity;

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// Written, and the restarted module says so itself.
    Confirmed,
    /// Written, and the module said `complete`; it stays in download mode until it is power-cycled.
    WrittenPowerCycle,
    /// Written, and the module said `complete`; nobody asked it again.
    WrittenUnasked,
    /// What was asked for is done; nothing of it is firmware.
    Done,
    /// The kept NV items are in the module, and read back as they are.
    NvRestored,
    /// The module is blank but for its NV items and record of production, which read back as they were. It stays in
    /// download mode until it is written.
    Erased,
    /// A check, and everything fits.
    Clear,
    /// We said no.
    Refused,
    /// Somebody stopped the run.
    Interrupted,
    /// It went wrong.
    Failed,
}

/// How a complete write has been proven, beyond the module's own word for each image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Proof {
    /// All images were read back in large blocks, and equal.
    BulkRead,
    /// All images were read back in small pieces, and equal.
    MemoryRead,
    /// Nothing was read back, as was asked for: the module's own comparison counts.
    ModuleOnly,
}

impl From<eigencomm::Proof> for Proof {
    fn from(proof: eigencomm::Proof) -> Self {
        match proof {
            eigencomm::Proof::BulkRead => Proof::BulkRead,
            eigencomm::Proof::MemoryRead => Proof::MemoryRead,
            eigencomm::Proof::AgentOnly => Proof::ModuleOnly,
        }
    }
}

/// An error in a form that can be kept and sent.
#[derive(Debug, Clone, Serialize)]
pub struct ErrorReport {
    /// Stable code: `refused.submodel`.
    pub code: &'static str,
    /// The sentence.
    pub message: String,
    /// Where in the run.
    pub phase: Option<Phase>,
    /// What to do next.
    pub hints: Vec<String>,
    /// The chain of causes, and the module's own last words; shown with `-v`.
    pub details: Vec<String>,
}

impl ErrorReport {
    /// Keeps everything an error knows.
    pub fn of(error: &Error) -> Self {
        let mut details = Vec::new();
        let mut cause = error.source();
        while let Some(inner) = cause {
            details.push(inner.to_string());
            cause = inner.source();
        }
        let mut hints = error.hints.clone();
        if hints.is_empty() {
            hints.push(error.kind.next_step().into());
        }
        ErrorReport {
            code: error.kind.code(),
            message: error.message.clone(),
            phase: error.phase,
            hints,
            details,
        }
    }
}

/// The package of a run, without its data.
#[derive(Debug, Clone, Serialize)]
pub struct PackageSummary {
    /// The chain of archives, outermost first.
    pub origin: Vec<String>,
    /// SHA-256 of the file.
    pub sha256: String,
    /// What it is built for, with the evidence.
    pub built_for: BuiltFor,
}

/// The time a phase took.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct PhaseTime {
    /// Which.
    pub phase: Phase,
    /// How long.
    pub seconds: f64,
}

/// What happened in a run.
#[derive(Debug, Clone, Serialize)]
pub struct Outcome {
    /// Version of this form.
    pub schema: u32,
    /// How it ended.
    pub verdict: Verdict,
    /// The process exit code for it.
    pub exit_code: u8,
    /// Where the module sits.
    pub module: Option<String>,
    /// What carried the bytes: first the questions in run mode, in the end the firmware.
    pub transport: Option<Carrier>,
    /// The module's ordering code, as the gate accepted it.
    pub ordering_code: Option<String>,
    /// What was to be written.
    pub package: Option<PackageSummary>,
    /// What a person stated with `--built-for`.
    pub stated_built_for: Option<String>,
    /// What has been written.
    pub written: Written,
    /// Image bytes that the module acknowledged.
    pub bytes: u64,
    /// How that has been proven, where the protocol lets one choose.
    pub proof: Option<Proof>,
    /// RF data that were read.
    pub rf: Option<RfData>,
    /// Backups that were made before anything was erased.
    pub backups: Vec<PathBuf>,
    /// What the module said it was before.
    pub before: Option<Identity>,
    /// What it says it is now.
    pub after: Option<Identity>,
    /// What a person should know.
    pub warnings: Vec<String>,
    /// What went wrong.
    pub error: Option<ErrorReport>,
    /// The time each phase took, in the order of the run.
    pub phases: Vec<PhaseTime>,
    /// The time of the whole run, in seconds.
    pub seconds: f64,
}

impl Outcome {
    pub(super) fn begun() -> Self {
        Outcome {
            schema: crate::event::SCHEMA,
            verdict: Verdict::Failed,
            exit_code: 1,
            module: None,
            transport: None,
            ordering_code: None,
            package: None,
            stated_built_for: None,
            written: Written::Nothing,
            bytes: 0,
            proof: None,
            rf: None,
            backups: Vec::new(),
            before: None,
            after: None,
            warnings: Vec::new(),
            error: None,
            phases: Vec::new(),
            seconds: 0.0,
        }
    }

    /// A run that ended in a bug of ours: nobody can say what has been written.
    pub fn of_bug(what: &str) -> Self {
        let mut outcome = Outcome::begun();
        let error = Error::new(Kind::Internal, format!("qpyflash failed: {what}"))
            .hint("this is a bug; power-cycle the module before the next run, and please report it");
        outcome.conclude(Err(error), None);
        outcome
    }

    /// A run that ended before it began.
    pub(crate) fn of_error(error: Error) -> Self {
        let mut outcome = Outcome::begun();
        outcome.conclude(Err(error), None);
        outcome
    }

    /// Something went wrong after the run. The first error stays; what came after it is added.
    pub(crate) fn fail(&mut self, error: &Error) {
        match &mut self.error {
            Some(first) => first.details.push(error.to_string()),
            None => {
                self.error = Some(ErrorReport::of(error));
                self.verdict = Verdict::Failed;
                self.exit_code = error.exit_code();
            }
        }
    }

    pub(super) fn set_package(&mut self, package: &Package) {
        self.package = Some(PackageSummary {
            origin: package.origin().to_vec(),
            sha256: package.sha256().to_owned(),
            built_for: package.built_for().clone(),
        });
    }

    pub(super) fn warn(&mut self, warning: String, events: &mut Events) {
        if !self.warnings.contains(&warning) {
            events.warn(warning.clone());
            self.warnings.push(warning);
        }
    }

    pub(super) fn set_backups(&mut self, files: Vec<PathBuf>, events: &mut Events) {
        for file in &files {
            events.note(format!("backup: {}", file.display()));
        }
        self.backups = files;
    }

    pub(super) fn set_permit(&mut self, permit: &WritePermit) {
        self.ordering_code = Some(permit.ordering_code().to_string());
        self.stated_built_for = permit.stated_built_for().map(ToString::to_string);
    }

    pub(super) fn conclude(&mut self, result: Result<Verdict, Error>, phase: Option<Phase>) {
        match result {
            Ok(verdict) => {
                self.verdict = verdict;
                self.exit_code = 0;
            }
            Err(mut error) => {
                error.phase = error.phase.or(phase);
                self.exit_code = error.exit_code();
                self.verdict = match self.exit_code {
                    6 | 7 => Verdict::Refused,
                    12 | 130 => Verdict::Interrupted,
                    _ => Verdict::Failed,
                };
                self.module = self.module.take().or(error.slot.clone());
                self.error = Some(ErrorReport::of(&error));
                self.written = error.written;
            }
        }
    }

    pub(crate) fn set_times(&mut self, times: &[(Phase, Duration)], whole: Duration) {
        let time = |&(phase, took): &(Phase, Duration)| PhaseTime {
            phase,
            seconds: took.as_secs_f64(),
        };
        self.phases = times.iter().map(time).collect();
        self.seconds = whole.as_secs_f64();
    }
}
