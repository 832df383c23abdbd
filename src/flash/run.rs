//! From the permit to the restarted module.

use std::path::PathBuf;
use std::time::Duration;

use qpyflash_protocols::{Failure, Phase, Platform, Wire, asr};

use super::confirm::confirm;
use super::prepare::Cleared;
use super::{After, Before, Outcome, Request, Verdict};
use crate::error::{Error, Kind};
use crate::event::Events;
use crate::firmware::Plan;
use crate::gate::WritePermit;
use crate::identity;
use crate::link::{Line, Settings, open_patiently};
use crate::module::{Deadlines, Mode, Module, Watch, await_download_mode, usb_ids::Role};

/// How long a freshly enumerated port is tried again while it cannot be opened.
/// Source: specs/usb-and-hosts.md §3.4 (20 × 250 ms) [?].
const OPEN_PATIENCE: Duration = Duration::from_secs(5);

/// How long a port that belongs to no known module is watched for disappearing after the download command. A
/// module behind a UART adapter never makes its port disappear. Source: specs/asr-aboot.md §1.2 [?].
const UART_DECIDES_AFTER: Duration = Duration::from_secs(2);

pub(super) fn run(
    cleared: Cleared,
    request: &Request,
    settings: &Settings,
    events: &mut Events,
    outcome: &mut Outcome,
) -> Result<Verdict, Error> {
    let Cleared {
        permit,
        module,
        asked,
        owner: _owner,
    } = cleared;
    let watch = Watch::begin(module.topology())?;
    let port = match request.before {
        _ if module.mode() == Some(Mode::Download) => module.port.clone(),
        Before::None => module.port.clone(),
        _ => {
            let platform = Some(permit.package().platform());
            let entered = enter(
                &module,
                platform,
                &watch,
                request.baud,
                &request.deadlines,
                settings,
                events,
            );
            if let (Err(_), Some(asked)) = (&entered, &asked) {
                asked.let_program_go_on(request.baud, settings, events);
            }
            entered?
        }
    };

    let serial = open_patiently(&port, request.baud, OPEN_PATIENCE, &settings.cancel).map_err(|error| {
        Error::from(error).hint("the module is in download mode; power-cycle it to go back")
    })?;
    let mut line = Line::new(Box::new(serial), events, settings);
    let bytes = session(&mut line, &permit, request).map_err(|failure| {
        outcome.bytes = super::failure::acknowledged(&failure.written);
        super::failure::explain(*failure, &permit, &module.place())
    })?;
    drop(line);
    outcome.bytes = bytes;
    outcome.written = qpyflash_protocols::Written::Complete;

    match (request.after, request.verify) {
        (After::Stay, _) | (_, false) => Ok(Verdict::WrittenUnasked),
        (After::Reset, true) => confirm(&permit, &module, &watch, request, settings, events, outcome),
    }
}

/// The platform's own protocol. The permit is the key: nothing else leads here.
fn session(wire: &mut dyn Wire, permit: &WritePermit, request: &Request) -> Result<u64, Box<Failure>> {
    match permit.package().plan() {
        Plan::Asr(plan) => {
            let options = asr::Options {
                production: request.production,
                after: match request.after {
                    After::Reset => asr::After::Reset,
                    After::Stay => asr::After::Stay,
                },
                ..asr::Options::default()
            };
            asr::write(wire, plan, &options)
                .map(|report| report.bytes)
                .map_err(Box::new)
        }
        Plan::Unisoc(_) | Plan::Eigencomm(_) => unreachable_platform(permit.package().platform()),
    }
}

/// `flash::write` has refused these platforms before the module was looked for.
fn unreachable_platform(platform: Platform) -> Result<u64, Box<Failure>> {
    Err(Box::new(Failure {
        phase: Phase::Sync,
        doing: format!("writing a package for {}", platform.title()),
        cause: qpyflash_protocols::Cause::Unsupported("this version has no session for it".into()),
        written: qpyflash_protocols::Written::Nothing,
        log: Vec::new(),
    }))
}

/// Sends a module that answers AT into download mode and returns its download port.
///
/// # Errors
/// [`Kind::DownloadModeNotReached`], and the link's.
pub fn enter_download(
    module: &Module,
    baud: u32,
    deadlines: &Deadlines,
    settings: &Settings,
    events: &mut Events,
) -> Result<PathBuf, Error> {
    let _owner = super::prepare::own(module)?;
    let watch = Watch::begin(module.topology())?;
    enter(
        module,
        module.platform(),
        &watch,
        baud,
        deadlines,
        settings,
        events,
    )
}

fn enter(
    module: &Module,
    platform: Option<Platform>,
    watch: &Watch,
    baud: u32,
    deadlines: &Deadlines,
    settings: &Settings,
    events: &mut Events,
) -> Result<PathBuf, Error> {
    events.start(Phase::EnterDownload);
    let at_port = match &module.attached {
        Some(attached) => attached.port(Role::At).map(PathBuf::from).ok_or_else(|| {
            let text = format!("the module on {} shows no AT port", module.place());
            Error::new(Kind::DownloadModeNotReached, text)
        })?,
        None => module.port.clone(),
    };
    let serial = open_patiently(&at_port, baud, OPEN_PATIENCE, &settings.cancel)?;
    let mut line = Line::new(Box::new(serial), events, settings);
    identity::at::enter_download_mode(&mut line).map_err(|error| match Error::from(error) {
        error if error.kind == Kind::Interrupted => error,
        error => {
            let text = format!(
                "cannot send the module on {} into download mode: {error}",
                module.place()
            );
            Error {
                kind: Kind::DownloadModeNotReached,
                message: text,
                ..error
            }
        }
    })?;
    drop(line);
    if module.attached.is_none() && stays(&at_port, settings) {
        return Ok(at_port);
    }
    let found = await_download_mode(watch, platform, deadlines, settings, events)?;
    found.port(Role::Download).map(PathBuf::from).ok_or_else(|| {
        Error::new(
            Kind::DownloadModeNotReached,
            format!(
                "the module on {} is in download mode but shows no port",
                found.topology
            ),
        )
    })
}

/// Does a port that is not on the bus outlive the command? Then it is a UART, and the boot ROM speaks on it.
fn stays(port: &std::path::Path, settings: &Settings) -> bool {
    let deadline = std::time::Instant::now() + UART_DECIDES_AFTER.mul_f64(settings.timeout_scale);
    while std::time::Instant::now() < deadline && !settings.cancel.is_set() {
        if !port.exists() {
            return false;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    true
}
