//! From the permit to the restarted module.

use std::time::Duration;

use qpyflash_protocols::Written;

use super::carrier::Carrier;
use super::confirm::{confirm, confirm_blank};
use super::enter::{Order, enter};
use super::prepare::Cleared;
use super::recorded::SessionOptions;
use super::session::{self, Context, Keep};
use super::{After, Before, Job, Outcome, Request, Verdict};
use crate::backup::Backups;
use crate::error::{Error, Kind};
use crate::event::Events;
use crate::link::{Line, Settings, Speech};
use crate::module::{Mode, Module, Watch};

/// How long a freshly enumerated port is tried again while it cannot be opened.
/// Source: specs/usb-and-hosts.md §3.4 (20 × 250 ms) [?].
pub(super) const OPEN_PATIENCE: Duration = Duration::from_secs(5);

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
        inhibited: _inhibited,
    } = cleared;
    let watch = Watch::begin(module.topology())?;
    let port = match request.before {
        _ if module.mode() == Some(Mode::Download) => module.port.clone(),
        Before::None => module.port.clone(),
        _ => {
            let order = Order {
                platform: Some(permit.package().platform()),
                baud: request.baud,
                deadlines: &request.deadlines,
                settings,
            };
            let entered = enter(&module, &watch, &order, events);
            if let (Err(_), Some(asked)) = (&entered, &asked) {
                asked.let_program_go_on(request.baud, settings, events);
            }
            entered?
        }
    };

    let carrier = Carrier::of(&module, &port);
    events.note(format!(
        "the module in download mode is reached over {}, at {port}",
        carrier.words()
    ));
    outcome.transport = Some(carrier);
    let mut context = context(job, request, &module, carrier, outcome)?;
    let speech = Speech::session(permit.package().platform());
    let mut line =
        Line::open(&port, request.baud, OPEN_PATIENCE, speech, events, settings).map_err(|error| {
            Error::from(error).hint("the module is in download mode; power-cycle it to go back")
        })?;
    line.record(|| SessionOptions::of(permit.package(), permit.production(), &context).event());
    let result = session::run(&mut line, &permit, &mut context);
    drop(line);
    outcome.set_backups(context.keep.files, events);
    let achieved = result.map_err(|failure| {
        outcome.bytes = super::failure::acknowledged(&failure.written);
        let story = super::Story {
            job,
            platform: permit.package().platform(),
            ordering_code: permit.ordering_code(),
            backups: &outcome.backups,
            place: &module.place(),
            carrier,
        };
        story.explain(*failure)
    })?;
    outcome.bytes = achieved.bytes;
    outcome.written = achieved.written;
    outcome.proof = achieved.proof;
    outcome.rf = achieved.rf;

    match (job, request.after, request.verify) {
        (Job::Write, After::Reset, true) => {
            confirm(&permit, &module, &watch, request, settings, events, outcome)
        }
        (Job::Write, ..) => Ok(Verdict::WrittenUnasked),
        (Job::ReadNv, ..) => Ok(Verdict::Done),
        (Job::ReadRf, ..) => compared(outcome, &module),
        (Job::RestoreNv, ..) => Ok(Verdict::NvRestored),
        (Job::EraseAll, ..) => confirm_blank(&module, &watch, request, settings, events),
    }
}

/// RF data that were to be those of a file, and are not, are an error: somebody asked.
fn compared(outcome: &Outcome, module: &Module) -> Result<Verdict, Error> {
    let Some((rf, first)) = outcome.rf.as_ref().and_then(|rf| Some((rf, rf.differs.first()?))) else {
        return Ok(Verdict::Done);
    };
    let text = format!(
        "the RF data of the module on {} differ from `{}` in {} place(s), first at 0x{:x} of the CP flash",
        module.place(),
        rf.compared_with.as_deref().unwrap_or_default(),
        rf.differs.len(),
        first.start
    );
    Err(Error::new(Kind::Differs, text)
        .at(module.place())
        .written(Written::HelpersOnly)
        .hint("what was read is kept; nothing of the module was changed"))
}

/// A backup that cannot be made must stop the run before the module is asked for anything.
fn context<'a>(
    job: Job,
    request: &'a Request,
    module: &Module,
    carrier: Carrier,
    outcome: &Outcome,
) -> Result<Context<'a>, Error> {
    let imei = outcome
        .before
        .as_ref()
        .filter(|identity| !identity.has_default_imei())
        .and_then(|identity| identity.imei.clone());
    let name = imei.clone().unwrap_or_else(|| super::prepare::slot(module));
    let backups = Backups::of(&name, request.backup_dir.as_deref()).map_err(|why| {
        Error::new(Kind::Usage, format!("no folder for backups: {why}"))
            .hint("name one with `--backup-dir DIR`")
    })?;
    Ok(Context {
        request,
        job,
        imei,
        carrier,
        keep: Keep {
            backups: Some(backups),
            files: Vec::new(),
        },
    })
}
