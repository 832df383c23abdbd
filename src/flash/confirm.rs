//! After the reset: does the module say that it is what was written?

use std::time::{Duration, Instant};

use super::prepare::identify;
use super::{Outcome, Request, Verdict};
use crate::error::{Error, Kind};
use crate::event::Events;
use crate::gate::WritePermit;
use crate::identity::Identity;
use crate::link::Settings;
use crate::module::{Appeared, Module, Watch, await_blank, await_restart};
use qpyflash_protocols::{Phase, Written};

/// A module behind a UART is not asked before it has left what was running in it: an EC618 resets about 100 ms after it
/// was told to. Source: specs/eigencomm-agentboot.md §4.3.
const LETS_GO: Duration = Duration::from_millis(250);

/// Waits for the module to run again, asks it what it is, and compares.
pub(super) fn confirm(
    permit: &WritePermit,
    module: &Module,
    watch: &Watch,
    request: &Request,
    settings: &Settings,
    events: &mut Events,
    outcome: &mut Outcome,
) -> Result<Verdict, Error> {
    events.start(Phase::Confirm);
    let mut restarted = match &module.attached {
        None => {
            std::thread::sleep(LETS_GO);
            module.clone()
        }
        Some(before) => match await_restart(watch, &request.deadlines, settings, events)
            .map_err(|error| interrupted(error, module))?
        {
            Appeared::Running(after) => {
                Module::of(after, settings.transport).map_err(|error| error.written(Written::Complete))?
            }
            Appeared::InDownloadMode => return Ok(Verdict::WrittenPowerCycle),
            Appeared::Nothing => {
                let text = format!(
                    "everything was written, but the module did not come back on {} within {} s",
                    before.topology,
                    request.deadlines.restart.as_secs()
                );
                return Err(Error::new(Kind::NotConfirmed, text)
                    .at(module.place())
                    .written(Written::Complete)
                    .hint("power-cycle the module, then ask it with `qpyflash identify`"));
            }
        },
    };
    let identity = ask_until_it_answers(&mut restarted, watch, request, settings, events)?;
    let verdict = compare(permit, &identity, &restarted);
    outcome.after = Some(identity);
    verdict
}

/// An erased module has nothing to start, so its boot ROM must be what comes back.
pub(super) fn confirm_blank(
    module: &Module,
    watch: &Watch,
    request: &Request,
    settings: &Settings,
    events: &mut Events,
) -> Result<Verdict, Error> {
    if module.attached.is_none() {
        return Ok(Verdict::Erased);
    }
    events.start(Phase::Confirm);
    let appeared = await_blank(watch, &request.deadlines, settings, events)
        .map_err(|error| interrupted(error, module))?;
    let (how, hint) = match appeared {
        Appeared::InDownloadMode => return Ok(Verdict::Erased),
        Appeared::Running(_) => (
            "came back in run mode",
            "ask it with `qpyflash identify`: if it answers, it was not erased",
        ),
        Appeared::Nothing => (
            "did not come back",
            "power-cycle the module, with the BOOT key if it does not show up in download mode",
        ),
    };
    let text = format!(
        "everything was erased, but the module on {} {how}",
        module.place()
    );
    Err(Error::new(Kind::NotConfirmed, text)
        .at(module.place())
        .written(Written::Complete)
        .hint(hint))
}

/// A module that has just started needs some time before it answers, and its host before all its ports are there:
/// interfaces are bound one after the other, so the port that answers may come after the first that is seen.
fn ask_until_it_answers(
    module: &mut Module,
    watch: &Watch,
    request: &Request,
    settings: &Settings,
    events: &mut Events,
) -> Result<Identity, Error> {
    let deadline = Instant::now() + request.deadlines.restart.mul_f64(settings.timeout_scale);
    loop {
        match identify(module, request.baud, settings, events) {
            Ok(asked) => return Ok(asked.identity),
            Err(error) if error.kind == Kind::Interrupted => return Err(interrupted(error, module)),
            Err(error) if Instant::now() >= deadline => {
                let text = format!(
                    "everything was written, but the restarted module does not say what it is: {error}"
                );
                return Err(Error::new(Kind::NotConfirmed, text)
                    .at(module.place())
                    .written(Written::Complete)
                    .hint("power-cycle the module, then ask it with `qpyflash identify`"));
            }
            Err(_) => std::thread::sleep(Duration::from_millis(50)),
        }
        if module.attached.is_some()
            && let Some(running) = watch
                .running(settings.transport)
                .map_err(|error| error.written(Written::Complete))?
        {
            module.attached = Some(running);
        }
    }
}

fn interrupted(error: Error, module: &Module) -> Error {
    if error.kind != Kind::Interrupted {
        return error.written(Written::Complete);
    }
    let text = "interrupted after everything was written, before the module could confirm it";
    Error::new(Kind::NotConfirmed, text)
        .at(module.place())
        .written(Written::Complete)
}

/// The revision of the package must be the revision the module reports; a package that holds none must at least
/// be of the module's submodel.
fn compare(permit: &WritePermit, identity: &Identity, module: &Module) -> Result<Verdict, Error> {
    let reported = identity.revision_text.as_deref().unwrap_or("nothing");
    let fits = match permit.expected_revision() {
        Some(expected) => expected == reported,
        None => identity
            .ordering_code
            .as_ref()
            .is_some_and(|code| permit.is_built_for(code)),
    };
    if fits {
        return Ok(Verdict::Confirmed);
    }
    let expected = permit.expected_revision().unwrap_or("the package's submodel");
    let text =
        format!("everything was written, but the module reports `{reported}` where `{expected}` was written");
    Err(Error::new(Kind::NotConfirmed, text)
        .at(module.place())
        .written(Written::Complete)
        .hint("power-cycle the module and ask it again with `qpyflash identify`; if it still differs, write again"))
}
