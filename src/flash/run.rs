//! From the permit to the restarted module.

use std::path::PathBuf;
use std::time::Duration;

use qpyflash_protocols::{Phase, Platform};

use super::confirm::confirm;
use super::prepare::Cleared;
use super::session::{self, Context, Keep};
use super::{After, Before, Job, Outcome, Request, Verdict};
use crate::backup::Backups;
use crate::error::{Error, Kind};
use crate::event::Events;
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
    job: Job,
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
    let mut context = context(job, request, &module, outcome)?;
    let mut line = Line::new(Box::new(serial), events, settings);
    let result = session::run(&mut line, &permit, &mut context);
    drop(line);
    outcome.set_backups(context.keep.files, events);
    let achieved = result.map_err(|failure| {
        outcome.bytes = super::failure::acknowledged(&failure.written);
        let story = super::failure::Story {
            job,
            permit: &permit,
            backups: &outcome.backups,
            place: &module.place(),
        };
        story.explain(*failure)
    })?;
    outcome.bytes = achieved.bytes;
    outcome.written = achieved.written;

    match (job, request.after, request.verify) {
        (Job::Write, After::Reset, true) => {
            confirm(&permit, &module, &watch, request, settings, events, outcome)
        }
        (Job::Write, ..) => Ok(Verdict::WrittenUnasked),
        (Job::ReadNv, ..) => Ok(Verdict::Done),
        (Job::RestoreNv, ..) => Ok(Verdict::NvRestored),
        (Job::EraseAll, ..) => Ok(Verdict::Erased),
    }
}

/// A backup that cannot be made must stop the run before the module is asked for anything.
fn context<'a>(
    job: Job,
    request: &'a Request,
    module: &Module,
    outcome: &Outcome,
) -> Result<Context<'a>, Error> {
    let imei = outcome
        .before
        .as_ref()
        .filter(|identity| !identity.has_default_imei())
        .and_then(|identity| identity.imei.clone());
    let name = imei.clone().unwrap_or_else(|| super::prepare::slot(module));
    let backups = Backups::of(&name, request.backup_dir.as_deref())
        .map_err(|why| Error::new(Kind::Usage, format!("no folder for backups: {why}")))?;
    Ok(Context {
        request,
        job,
        imei,
        is_uart: module.attached.is_none(),
        keep: Keep {
            backups,
            files: Vec::new(),
        },
    })
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
