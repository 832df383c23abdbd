//! One run: a file, a module, and what happens between them.
//!
//! [`write()`] does the whole of it, [`check`] everything up to the first byte. Both always end in an [`Outcome`],
//! whatever goes wrong. Data goes one way: everything that can fail without touching the module is done before the
//! module is touched.

mod at_port;
mod carrier;
mod confirm;
mod eigencomm;
mod enter;
mod failure;
mod job;
mod outcome;
mod prepare;
mod recorded;
mod request;
mod reset;
mod run;
mod session;
mod unisoc;

pub use carrier::Carrier;
pub use eigencomm::{RfData, RfPart};
pub use enter::enter_download;
pub use failure::Story;
pub use job::Job;
pub use outcome::{ErrorReport, Outcome, PackageSummary, PhaseTime, Proof, Verdict};
pub use prepare::identify_alone;
pub use recorded::SessionOptions;
pub(crate) use recorded::say_again;
pub use request::{After, Before, FLASH_BAUDS, NvBackup, Request, RfBackup, ScannedLabel, parse_pacing};
pub use reset::reset;

use std::sync::Arc;

use qpyflash_protocols::Phase;

use crate::error::{Error, Kind};
use crate::event::Events;
use crate::firmware::{Package, Plan};
use crate::link::Settings;
use crate::module::attached;

/// Writes a package to a module: the main job.
pub fn write(request: &Request, settings: &Settings, events: Events) -> Outcome {
    perform(Job::Write, request, settings, events)
}

/// Writes a package that is in memory already, for many modules at once. The file of the request is not read.
pub fn write_package(
    package: &Arc<Package>,
    request: &Request,
    settings: &Settings,
    mut events: Events,
) -> Outcome {
    let mut outcome = Outcome::begun();
    outcome.set_package(package);
    let result = servable(package, Job::Write, request)
        .and_then(|()| {
            let package = Arc::clone(package);
            prepare::clear(package, Job::Write, request, settings, &mut events, &mut outcome)
        })
        .and_then(|cleared| run::run(cleared, Job::Write, request, settings, &mut events, &mut outcome));
    outcome.conclude(result, events.phase());
    events.finish(outcome)
}

/// Does everything up to the first byte with a package that is in memory already.
pub fn check_package(
    package: &Arc<Package>,
    request: &Request,
    settings: &Settings,
    mut events: Events,
) -> Outcome {
    let mut outcome = Outcome::begun();
    outcome.set_package(package);
    let result = servable(package, Job::Write, request).and_then(|()| {
        let package = Arc::clone(package);
        may_be_written(package, request, settings, &mut events, &mut outcome)
    });
    outcome.conclude(result.map(|()| Verdict::Clear), events.phase());
    events.finish(outcome)
}

/// Does a job on a module. Every job needs a package for the module: where it is not written it gives the loaders.
pub fn perform(job: Job, request: &Request, settings: &Settings, mut events: Events) -> Outcome {
    let mut outcome = Outcome::begun();
    let result = prepare::package(request, &mut events, &mut outcome)
        .and_then(|package| servable(&package, job, request).map(|()| package))
        .and_then(|package| prepare::clear(package, job, request, settings, &mut events, &mut outcome))
        .and_then(|cleared| run::run(cleared, job, request, settings, &mut events, &mut outcome));
    outcome.conclude(result, events.phase());
    events.finish(outcome)
}

/// Does everything up to the first byte: may this package go onto this module? Where no module is attached, the
/// ordering code from the label stands for it; without one the package alone is checked.
pub fn check(request: &Request, settings: &Settings, mut events: Events) -> Outcome {
    let mut outcome = Outcome::begun();
    let result = prepare::package(request, &mut events, &mut outcome)
        .and_then(|package| may_be_written(package, request, settings, &mut events, &mut outcome));
    outcome.conclude(result.map(|()| Verdict::Clear), events.phase());
    events.finish(outcome)
}

fn may_be_written(
    package: Arc<Package>,
    request: &Request,
    settings: &Settings,
    events: &mut Events,
    outcome: &mut Outcome,
) -> Result<(), Error> {
    let named = request.port.is_some() || request.path.is_some();
    if !named && attached()?.is_empty() {
        if request.label.is_some() {
            return prepare::clear_on_paper(&package, request, events, outcome);
        }
        prepare::announce(&package, Job::Write, outcome, events);
        return Ok(());
    }
    let cleared = prepare::clear(package, Job::Write, request, settings, events, outcome)?;
    if let Some(asked) = cleared.asked {
        asked.let_program_go_on(request.baud, settings, events);
    }
    Ok(())
}

/// Is there a session for this job on this platform, and can it work with what was asked for? Found out before the
/// module is looked for.
fn servable(package: &Package, job: Job, request: &Request) -> Result<(), Error> {
    match (package.plan(), job) {
        (Plan::Asr(_), Job::Write) => Ok(()),
        (Plan::Unisoc(plan), Job::Write | Job::ReadNv | Job::RestoreNv | Job::EraseAll) => {
            unisoc::check(plan, request)
        }
        (Plan::Eigencomm(plan), Job::Write | Job::ReadRf) => eigencomm::check(plan, request),
        (_, job) => Err(Error::new(
            Kind::PackageUnsupported,
            format!(
                "this version has no `{}` for {}",
                job.words(),
                package.platform().title()
            ),
        )
        .in_phase(Phase::Resolve)
        .hint("`qpyflash inspect` and `qpyflash check` work for this package")),
    }
}
