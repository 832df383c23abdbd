//! The platform's own protocol, chosen by the package. The permit is the key: nothing else leads here.

use std::path::PathBuf;

use qpyflash_protocols::unisoc::{self, Keeper, Kept};
use qpyflash_protocols::{Cause, Failure, Phase, Wire, Written, asr};

use super::{After, Job, Request};
use crate::backup::Backups;
use crate::firmware::Plan;
use crate::gate::WritePermit;

/// What a session has achieved.
pub(super) struct Achieved {
    /// Image bytes that the module acknowledged.
    pub bytes: u64,
    /// What the run has put into flash.
    pub written: Written,
}

/// What a session needs beside the package.
pub(super) struct Context<'a> {
    pub request: &'a Request,
    pub job: Job,
    /// The IMEI the module has reported in run mode.
    pub imei: Option<String>,
    /// The module sits behind a UART adapter.
    pub is_uart: bool,
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
    fn file(&mut self, what: &str, bytes: &[u8]) -> Result<(), String> {
        let path = self.backups.keep(what, bytes).map_err(|why| why.to_string())?;
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
            Ok(Achieved {
                bytes: report.bytes,
                written: report.written,
            })
        }
        (Plan::Unisoc(plan), job) => run_unisoc(wire, plan, job, context),
        (Plan::Asr(_) | Plan::Eigencomm(_), _) => Err(no_session(permit)),
    }
}

fn run_unisoc(
    wire: &mut dyn Wire,
    plan: &unisoc::Plan,
    job: Job,
    context: &mut Context<'_>,
) -> Result<Achieved, Box<Failure>> {
    let request = context.request;
    let defaults = unisoc::Options::default();
    let options = unisoc::Options {
        frame: request.frame.unwrap_or(defaults.frame),
        transport: if context.is_uart {
            unisoc::Transport::Uart
        } else {
            unisoc::Transport::Tty
        },
        after: match request.after {
            After::Reset => unisoc::After::Reset,
            After::Stay => unisoc::After::Stay,
        },
        earlier_nv: request.earlier_nv.clone(),
        imei: context.imei.clone(),
        take_missing_items: request.fill_missing_nv,
        ..defaults
    };
    let keep = &mut context.keep;
    let done = |report: unisoc::Report| Achieved {
        bytes: report.bytes,
        written: report.written,
    };
    let unchanged = || Achieved {
        bytes: 0,
        written: Written::HelpersOnly,
    };
    match job {
        Job::Write => Ok(done(unisoc::write(wire, plan, &options, keep)?)),
        Job::ReadNv => {
            let nv = unisoc::read_nv(wire, plan, &options)?;
            let imei = unisoc::nv::imei(&nv);
            keep.keep(Kept {
                nv: &nv,
                phase_check: None,
                imei: imei.as_deref(),
            })
            .map_err(unkept)?;
            Ok(unchanged())
        }
    }
}

fn unkept(why: String) -> Box<Failure> {
    Box::new(Failure {
        phase: Phase::Verify,
        doing: "keeping what was read".into(),
        cause: Cause::Unsupported(format!("it cannot be saved: {why}")),
        written: Written::HelpersOnly,
        log: Vec::new(),
    })
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
