//! The platform's own protocol, chosen by the package. The permit is the key: nothing else leads here.

use std::path::PathBuf;

use qpyflash_protocols::unisoc::{Keeper, Kept};
use qpyflash_protocols::{Cause, Failure, Phase, Wire, Written, asr};

use super::eigencomm::RfData;
use super::outcome::Proof;
use super::{After, Carrier, Job, Request};
use crate::backup::Backups;
use crate::firmware::Plan;
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
    /// Where; the name is the module's place until its IMEI is known.
    pub backups: Backups,
    /// The files that were made.
    pub files: Vec<PathBuf>,
}

impl Keep {
    pub fn file(&mut self, what: &str, bytes: &[u8]) -> Result<(), String> {
        let kept = self.backups.keep(what, bytes);
        let path = kept.map_err(|why| format!("`{}`: {why}", self.backups.folder().display()))?;
        self.files.push(path);
        Ok(())
    }
}

impl Keeper for Keep {
    fn keep(&mut self, what: Kept<'_>) -> Result<(), String> {
        if let Some(imei) = what.imei {
            self.backups.rename(imei);
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
    match (permit.package().plan(), context.job) {
        (Plan::Asr(plan), Job::Write) => {
            let options = asr::Options {
                production: permit.production(),
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
        (Plan::Asr(_), _) => Err(no_session(permit)),
    }
}

/// `flash` has refused this before the module was looked for.
fn no_session(permit: &WritePermit) -> Box<Failure> {
    let platform = permit.package().platform().title();
    Box::new(Failure {
        phase: Phase::Sync,
        doing: format!("serving a module of {platform}"),
        cause: Cause::Unsupported("this version has no session for it".into()),
        written: Written::Nothing,
        log: Vec::new(),
    })
}
