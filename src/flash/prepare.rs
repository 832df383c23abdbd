//! Everything before the first byte: resolve, find, identify, clear.

use std::sync::Arc;
use std::time::Duration;

use qpyflash_protocols::{Phase, WireError, unisoc};

use super::{Before, Carrier, Job, Outcome, Request};
use crate::doctor::{Host, disturbance};
use crate::error::{Error, Kind};
use crate::event::Events;
use crate::firmware::{self, Package, Plan};
use crate::gate::{self, Backup, Claim, Scan, WritePermit};
use crate::identity::{Identity, IdentityError, Question, Talk};
use crate::link::{Address, Line, Owner, Settings, Speech};
use crate::module::usb_ids::Role;
use crate::module::{self, Inhibited, Mode, Module, virtual_bus_name};
use crate::trace::record::Event;

/// How long a busy or forbidden port is tried again before a run begins. A listener that probes a fresh port lets
/// go of it within some seconds, and a person should hear soon that a terminal is still open.
pub(super) const OPEN_PATIENCE: Duration = Duration::from_millis(500);

/// A module and the permit to write it.
pub(super) struct Cleared {
    pub permit: WritePermit,
    pub module: Module,
    /// What it said; nothing in download mode.
    pub asked: Option<Asked>,
    /// Held until the run ends, so that no second run steps in.
    pub owner: Owner,
    /// Keeps ModemManager off until the run ends.
    pub inhibited: Option<Inhibited>,
}

/// Reads and validates the file.
pub(super) fn package(
    request: &Request,
    events: &mut Events,
    outcome: &mut Outcome,
) -> Result<Arc<Package>, Error> {
    events.start(Phase::Resolve);
    let package = Arc::new(firmware::resolve(&request.file)?);
    outcome.set_package(&package);
    Ok(package)
}

/// Finds the module, asks what it is, and lets the gate decide.
pub(super) fn clear(
    package: Arc<Package>,
    job: Job,
    request: &Request,
    settings: &Settings,
    events: &mut Events,
    outcome: &mut Outcome,
) -> Result<Cleared, Error> {
    settings.record(|| Event::Package {
        file: request.file.display().to_string(),
        sha256: package.sha256().to_owned(),
        platform: package.platform(),
    });
    events.start(Phase::Find);
    let module = find(request, settings, events)?;
    if request.port.is_none() && request.path.is_none() {
        events.note(format!("using the only module attached, on {}", module.place()));
    }
    let owner = own(&module)?;
    events.set_slot(slot(&module));
    outcome.module = Some(module.place());
    let inhibited = keep_off_others(&module, events).unwrap_or_else(|warning| {
        outcome.warn(warning, events);
        None
    });
    if let Plan::Eigencomm(plan) = package.plan() {
        super::eigencomm::check_agent(plan, module.attached.is_none())?;
    }
    let carrier = Carrier::of(&module, &module.port);
    events.note(format!(
        "the module on {} is reached over {}",
        module.place(),
        carrier.words()
    ));
    outcome.transport = Some(carrier);

    let in_download_mode = is_in_download_mode(&module, request.before)?;
    let mut asked = None;
    if !in_download_mode {
        events.start(Phase::Identify);
        asked = identify_or_unknown(&module, request, settings, events)?;
        outcome.before = asked.as_ref().map(|asked| asked.identity.clone());
        outcome
            .before
            .iter()
            .for_each(|identity| events.identified(identity));
    }
    let place = module.place();
    let decision = decide(
        &package,
        job,
        request,
        Some((&module, in_download_mode)),
        &place,
        events,
        outcome,
    );
    match decision {
        Ok(permit) => Ok(Cleared {
            permit,
            module,
            asked,
            owner,
            inhibited,
        }),
        Err(refused) => {
            if let Some(asked) = asked {
                asked.let_program_go_on(request.baud, settings, events);
            }
            Err(refused)
        }
    }
}

/// Lets the gate decide on paper: the label alone says what the module is.
pub(super) fn clear_on_paper(
    package: &Arc<Package>,
    request: &Request,
    events: &mut Events,
    outcome: &mut Outcome,
) -> Result<(), Error> {
    decide(package, Job::Write, request, None, "paper", events, outcome)
        .map(drop)
        .map_err(|error| Error { slot: None, ..error })
}

/// A program that probes a port in the middle of a write can ruin it: it is kept off while the run lasts, or a person
/// is warned before it begins.
fn keep_off_others(module: &Module, events: &mut Events) -> Result<Option<Inhibited>, String> {
    let Some(attached) = &module.attached else {
        return Ok(None);
    };
    let Some(found) = disturbance(&Host::this(), attached) else {
        return Ok(None);
    };
    match Inhibited::begin(&attached.topology) {
        Ok(inhibited) => {
            events.note(format!("{}; it leaves it alone while this run lasts", found.text));
            Ok(Some(inhibited))
        }
        Err(why) => {
            let remedy = found.remedy.unwrap_or_default();
            Err(format!("{} (it cannot be kept off: {why}); {remedy}", found.text))
        }
    }
}

/// A module for a command that restarts it, alone until what is returned is dropped.
pub(super) fn alone_with(module: &Module, events: &mut Events) -> Result<(Owner, Option<Inhibited>), Error> {
    let owner = own(module)?;
    let inhibited = keep_off_others(module, events).unwrap_or_else(|warning| {
        events.warn(warning);
        None
    });
    Ok((owner, inhibited))
}

/// `module` comes with whether it is in download mode.
fn decide(
    package: &Arc<Package>,
    job: Job,
    request: &Request,
    module: Option<(&Module, bool)>,
    place: &str,
    events: &mut Events,
    outcome: &mut Outcome,
) -> Result<WritePermit, Error> {
    events.start(Phase::Clear);
    let claim = Claim {
        label: request.label.as_ref(),
        identity: outcome.before.as_ref(),
        platform_by_usb: module.and_then(|(module, _)| module.platform()),
        built_for: request.built_for.as_ref(),
        production: request.production,
        purpose: job.purpose(),
        backup: request.nv_backup.as_ref().map(|backup| Backup {
            name: &backup.name,
            imei: unisoc::nv::imei(&backup.area),
            label: request.label_imei.as_deref(),
        }),
        scan: request.scan.as_ref().map(|scan| Scan {
            imei: scan.imei.as_deref(),
            serial_number: scan.serial_number.as_deref(),
        }),
        download_mode: module.is_none_or(|(_, in_download_mode)| in_download_mode),
        place,
    };
    let permit = gate::clear(package, &claim)?;
    outcome.set_permit(&permit);
    announce(package, job, outcome, events);
    for warning in permit.warnings() {
        outcome.warn(warning.to_string(), events);
    }
    Ok(permit)
}

/// Says what the package's own checks found, before the module is touched: all of it, or what is about its loaders
/// when nothing else of it is used.
pub(super) fn announce(package: &Package, job: Job, outcome: &mut Outcome, events: &mut Events) {
    let warnings = match (job, package.plan()) {
        (Job::Write, _) => package.warnings(),
        (_, Plan::Unisoc(plan)) => &plan.pac().warnings,
        (_, Plan::Asr(_) | Plan::Eigencomm(_)) => &[],
    };
    for warning in warnings {
        outcome.warn(warning.clone(), events);
    }
}

/// A module's USB id proves its mode; what was asked for must not contradict it, or the module's own word about
/// what it is would be passed over.
fn is_in_download_mode(module: &Module, before: Before) -> Result<bool, Error> {
    let contradiction = |mode: &str, hint: &str| {
        let text = format!(
            "the module on {} is in {mode}, `--before` says otherwise",
            module.place()
        );
        Err(Error::new(Kind::Usage, text).at(module.place()).hint(hint))
    };
    match (module.mode(), before) {
        (Some(Mode::Run), Before::None) => {
            contradiction("run mode", "leave `--before` away: the module can say what it is")
        }
        (Some(Mode::Download), Before::At) => contradiction(
            "download mode",
            "leave `--before` away, and give `--oc` from the label",
        ),
        (mode, before) => Ok(before == Before::None || mode == Some(Mode::Download)),
    }
}

fn find(request: &Request, settings: &Settings, events: &mut Events) -> Result<Module, Error> {
    match request.before {
        Before::Wait => module::await_any_in_download_mode(
            request.port.as_deref(),
            request.path.as_ref(),
            &request.deadlines,
            settings,
            events,
        ),
        _ => module::find(request.port.as_deref(), request.path.as_ref(), settings.transport),
    }
}

/// Takes the one-owner lock on the module's place.
fn own(module: &Module) -> Result<Owner, Error> {
    let bus = match module.port {
        Address::Remote(_) => "network".into(),
        Address::Tty(_) | Address::Usb(_) => virtual_bus_name(),
    };
    Ok(Owner::take(&bus, &slot(module))?)
}

pub(super) fn slot(module: &Module) -> String {
    match module.topology() {
        Some(path) => path.to_string(),
        None => module.port.to_string(),
    }
}

/// A module that cannot say what it is may still be named by its label; the gate decides. With no label, and on a
/// production line, its silence is the error.
fn identify_or_unknown(
    module: &Module,
    request: &Request,
    settings: &Settings,
    events: &mut Events,
) -> Result<Option<Asked>, Error> {
    match identify(module, request.baud, settings, events) {
        Ok(asked) => Ok(Some(asked)),
        Err(error) => match &request.label {
            Some(label) if request.scan.is_none() && error.kind == Kind::ModuleSilent => {
                events.note(format!("{error}; the label says {label}"));
                Ok(None)
            }
            _ => Err(error),
        },
    }
}

/// Asks a module what it is, as a run of its own.
///
/// # Errors
/// The first port's error when none answers, and [`Kind::LinkBusy`] when another run holds the module.
pub fn identify_alone(
    module: &Module,
    baud: u32,
    settings: &Settings,
    events: &mut Events,
) -> Result<Identity, Error> {
    // ModemManager is not kept off: somebody may be connected through the module, and a question changes nothing.
    let _owner = own(module)?;
    if module.mode() == Some(Mode::Download) {
        let text = format!(
            "the module on {} is in download mode: it cannot say what it is",
            module.place()
        );
        return Err(Error::new(Kind::UnknownModule, text)
            .at(module.place())
            .hint("power-cycle it to start its firmware, or read the ordering code on its label"));
    }
    let asked = identify(module, baud, settings, events)?;
    asked.let_program_go_on(baud, settings, events);
    Ok(asked.identity)
}

/// Asks the module what it is: on its AT port, its modem port, then on its REPL. A port of which the bus says nothing is asked what
/// kind it is first.
///
/// # Errors
/// The first port's error when no port answers; [`Kind::LinkDenied`] and [`Kind::LinkBusy`] at once.
pub(super) fn identify(
    module: &Module,
    baud: u32,
    settings: &Settings,
    events: &mut Events,
) -> Result<Asked, Error> {
    let mut first_error = None;
    for (role, port) in module.identity_ports(settings.transport) {
        let question = match role {
            Some(Role::At) => Question::At,
            Some(Role::Modem) => Question::Modem,
            Some(Role::Repl) => Question::Repl,
            _ => Question::Any,
        };
        let speech = Speech::text(Talk::Ask(question).name());
        let mut line = Line::open(&port, baud, OPEN_PATIENCE, speech, events, settings)?;
        let answer = question.ask(&mut line);
        drop(line);
        match answer {
            Ok(identity) => return Ok(Asked { identity, port }),
            Err(error @ IdentityError::Wire(WireError::Cancelled)) => return Err(error.into()),
            // Its other ports have gone with it.
            Err(error @ IdentityError::Wire(WireError::Gone)) => {
                return Err(Error::from(error).at(module.place()));
            }
            Err(error) => {
                let error = Error::from(error).at(module.place());
                events.note(format!("{port}: {error}"));
                first_error.get_or_insert(error);
            }
        }
    }
    Err(first_error.unwrap_or_else(|| {
        Error::new(
            Kind::ModuleSilent,
            format!("the module on {} has no AT port and no REPL", module.place()),
        )
        .at(module.place())
    }))
}

/// What a module said, and on which port.
pub(super) struct Asked {
    pub identity: Identity,
    port: Address,
}

impl Asked {
    /// Starts the Python program again that had to be stopped to ask. For a module that is not written after all.
    pub fn let_program_go_on(&self, baud: u32, settings: &Settings, events: &mut Events) {
        if !self.identity.program_stopped {
            return;
        }
        let talk = Talk::RestartProgram;
        let speech = Speech::text(talk.name());
        let restarted = Line::open(&self.port, baud, OPEN_PATIENCE, speech, events, settings)
            .map_err(Error::from)
            .and_then(|mut line| Ok(talk.hold(&mut line)?));
        match restarted {
            Ok(()) => events.note("the Python program that was stopped to ask is running again"),
            Err(error) => events.warn(format!(
                "the Python program that was stopped to ask could not be started again ({error}): power-cycle the module"
            )),
        }
    }
}
