//! The platform's own protocol, chosen by the package. The permit is the key: nothing else leads here.

use std::path::PathBuf;

use qpyflash_protocols::unisoc::{Keeper, Kept};
use qpyflash_protocols::{Cause, Failure, Phase, Wire, Written, asr};

use super::eigencomm::RfData;
use super::outcome::Proof;
use super::{After, Carrier, Job, Request};
use crate::backup::Backups;
use crate::firmware::{Package, Plan};
use crate::gate::WritePermit;

/// What a session has achieved.
pub(super) struct Achieved {
    /// Image bytes that the module acknowledged.
    pub bytes: u64,
    /// What the run has put into flash.
    pub written: Written,
    /// How that has been proven, where the protocol lets one choose.
    pub proof: Option<Proof>,
    /// RF data that were read.
    pub rf: Option<RfData>,
}

impl Achieved {
    pub fn new(bytes: u64, written: Written) -> Self {
        Achieved {
            bytes,
            written,
            proof: None,
            rf: None,
        }
    }
}

/// What a session needs beside the package.
pub(super) struct Context<'a> {
    pub request: &'a Request,
    pub job: Job,
    /// The IMEI the module has reported in run mode.
    pub imei: Option<String>,
    pub carrier: Carrier,
    pub keep: Keep,
}

/// Keeps what the module holds and nobody else has, before anything is erased.
pub(super) struct Keep {
    /// Where; the name is the module's place until its IMEI is known. None where there is no module.
    pub backups: Option<Backups>,
    /// The files that were made.
    pub files: Vec<PathBuf>,
}

impl Keep {
    /// For a session without a module.
    pub fn nowhere() -> Self {
        Keep {
            backups: None,
            files: Vec::new(),
        }
    }

    pub fn file(&mut self, what: &str, bytes: &[u8]) -> Result<(), String> {
        if let Some(backups) = &self.backups {
            let kept = backups.keep(what, bytes);
            let path = kept.map_err(|why| format!("`{}`: {why}", backups.folder().display()))?;
            self.files.push(path);
        }
        Ok(())
    }
}

impl Keeper for Keep {
    fn keep(&mut self, what: Kept<'_>) -> Result<(), String> {
        if let (Some(backups), Some(imei)) = (&mut self.backups, what.imei) {
            backups.rename(imei);
        }
        self.file("nv", what.nv)?;
        what.phase_check
            .map_or(Ok(()), |record| self.file("phasecheck", record))
    }
}

/// Carries the job out.
pub(super) fn run(
    wire: &mut dyn Wire,
    permit: &WritePermit,
    context: &mut Context<'_>,
) -> Result<Achieved, Box<Failure>> {
    carry_out(wire, permit.package(), permit.production(), context)
}

/// The same without a permit, for a wire that leads to no module.
pub(super) fn carry_out(
    wire: &mut dyn Wire,
    package: &Package,
    production: bool,
    context: &mut Context<'_>,
) -> Result<Achieved, Box<Failure>> {
    match (package.plan(), context.job) {
        (Plan::Asr(plan), Job::Write) => {
            let options = asr::Options {
                production,
                after: match context.request.after {
                    After::Reset => asr::After::Reset,
                    After::Stay => asr::After::Stay,
                },
                ..asr::Options::default()
            };
            let report = asr::write(wire, plan, &options)?;
            Ok(Achieved::new(report.bytes, report.written))
        }
        (Plan::Unisoc(plan), _) => super::unisoc::run(wire, plan, context),
        (Plan::Eigencomm(plan), _) => super::eigencomm::run(wire, plan, context),
        (Plan::Asr(_), _) => Err(no_session(package)),
    }
}

/// `flash` has refused this before the module was looked for.
fn no_session(package: &Package) -> Box<Failure> {
    let platform = package.platform().title();
    Box::new(Failure {
        phase: Phase::Sync,
        doing: format!("serving a module of {platform}"),
        cause: Cause::Unsupported("this version has no session for it".into()),
        written: Written::Nothing,
        log: Vec::new(),
    })
}
