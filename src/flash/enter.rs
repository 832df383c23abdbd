//! From run mode to download mode: the orders a module may obey, one after the other, and what came of each.

use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

use qpyflash_protocols::{Phase, Platform, Wire, WireError};

use super::at_port;
use super::prepare::alone_with;
use super::run::OPEN_PATIENCE;
use crate::error::{Error, Kind};
use crate::event::Events;
use crate::identity::Talk;
use crate::identity::at::DownloadCommand;
use crate::link::{Address, Line, Settings, Speech};
use crate::module::usb_ids::{Role, by_hand};
use crate::module::{Attached, Deadlines, Module, Watch, await_download_mode};

/// How long a port that belongs to no known module is watched for disappearing after the download command. A
/// module behind a UART adapter, on this host or on that of a server, never makes its port disappear. Source: specs/asr-aboot.md §1.2 [?].
const UART_DECIDES_AFTER: Duration = Duration::from_secs(2);

/// How a module is to be sent into download mode.
#[derive(Clone, Copy)]
pub(super) struct Order<'a> {
    /// What must appear; any platform when it is not known.
    pub platform: Option<Platform>,
    /// Line speed; without meaning over USB.
    pub baud: u32,
    pub deadlines: &'a Deadlines,
    pub settings: &'a Settings,
}

/// The commands a platform's firmware may know, the gentlest first.
fn commands(platform: Option<Platform>) -> &'static [DownloadCommand] {
    match platform {
        Some(Platform::Eigencomm618) => &[DownloadCommand::Qdownload, DownloadCommand::Ecrst],
        _ => &[DownloadCommand::Qdownload],
    }
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
) -> Result<Address, Error> {
    let _alone = alone_with(module, events)?;
    let watch = Watch::begin(module.topology())?;
    let order = Order {
        platform: module.platform(),
        baud,
        deadlines,
        settings,
    };
    enter(module, &watch, &order, events)
}

/// Tries one command after the other, as long as the module is in run mode again or still.
pub(super) fn enter(
    module: &Module,
    watch: &Watch,
    order: &Order<'_>,
    events: &mut Events,
) -> Result<Address, Error> {
    events.start(Phase::EnterDownload);
    let mut here = module.attached.clone();
    let mut commands = commands(order.platform).iter().peekable();
    loop {
        let Some(&command) = commands.next() else {
            let text = format!("the module on {} knows no way into download mode", module.place());
            return Err(Error::new(Kind::DownloadModeNotReached, text));
        };
        let error = match obey(module, here.as_ref(), command, watch, order, events) {
            Err(error) if error.kind == Kind::DownloadModeNotReached => error,
            result => return result,
        };
        if commands.peek().is_none() {
            return Err(error);
        }
        match (&module.attached, watch.running(order.settings.transport)?) {
            // Its ports may have other names since it has restarted.
            (Some(_), Some(running)) => here = Some(running),
            (Some(_), None) => return Err(error),
            (None, _) => {}
        }
        events.note(format!("{error}; trying another way"));
    }
}

/// One command, and where the module went.
fn obey(
    module: &Module,
    here: Option<&Attached>,
    command: DownloadCommand,
    watch: &Watch,
    order: &Order<'_>,
    events: &mut Events,
) -> Result<Address, Error> {
    let not_reached = |text: String| Error::new(Kind::DownloadModeNotReached, text);
    let at_port = match here {
        Some(attached) => match attached.address(Role::At, order.settings.transport) {
            Some(address) => address,
            None => {
                let here = Module::of(attached.clone(), order.settings.transport)?;
                at_port::answering(&here, order.baud, order.settings, events).map_err(|error| match error
                    .kind
                {
                    Kind::ModuleSilent => not_reached(error.message),
                    _ => error,
                })?
            }
        },
        None => module.port.clone(),
    };
    let talk = Talk::Enter(command);
    let speech = Speech::text(talk.name());
    let mut line = Line::open(
        &at_port,
        order.baud,
        OPEN_PATIENCE,
        speech,
        events,
        order.settings,
    )?;
    let ordered = talk.hold(&mut line);
    let is_remote = matches!(at_port, Address::Remote(_));
    let is_served = is_remote && ordered.is_ok() && is_still_served(&mut line);
    drop(line);
    ordered.map_err(|error| match Error::from(error) {
        error if error.kind == Kind::Interrupted => error,
        error => {
            let text = format!(
                "cannot send the module on {} into download mode: {error}",
                module.place()
            );
            let kind = Kind::DownloadModeNotReached;
            boot_key(
                Error {
                    kind,
                    message: text,
                    ..error
                },
                order.platform,
            )
        }
    })?;
    match (&module.attached, &at_port) {
        (None, Address::Tty(node)) if stays(node, order.settings) => return Ok(at_port),
        (None, Address::Remote(_)) if is_served => return Ok(at_port),
        (None, Address::Remote(_)) => return Err(out_of_reach(module)),
        _ => {}
    }
    let found = await_download_mode(
        watch,
        command.words(),
        order.platform,
        order.deadlines,
        order.settings,
        events,
    )
    .map_err(|error| match error.kind {
        Kind::DownloadModeNotReached if error.hints.is_empty() => boot_key(error, order.platform),
        _ => error,
    })?;
    found.best_address(order.settings.transport).ok_or_else(|| {
        not_reached(format!(
            "the module on {} is in download mode but shows no port",
            found.topology
        ))
    })
}

/// What a person can do when no command leads into download mode.
fn boot_key(error: Error, platform: Option<Platform>) -> Error {
    error.hint(format!(
        "run again with `--wait --oc OC`, then {}",
        by_hand(platform)
    ))
}

/// Does the server of a port keep the connection after the command? Then the port is a UART, and the boot ROM speaks
/// on it.
fn is_still_served(line: &mut Line<'_>) -> bool {
    let until = line.now() + UART_DECIDES_AFTER;
    let mut last_words = [0; 256];
    while line.now() < until {
        match line.receive(&mut last_words, until.saturating_sub(line.now())) {
            Err(WireError::Gone) => return false,
            Err(_) => return true,
            Ok(_) => {}
        }
    }
    true
}

/// A module on the USB of another host comes back there as another port, which nobody can see from here.
fn out_of_reach(module: &Module) -> Error {
    let text = format!(
        "the module on {} has left its port for download mode: on the server it hangs on USB, and is now another port",
        module.place()
    );
    Error::new(Kind::ModuleGone, text)
        .at(module.place())
        .hint("run qpyflash on the server: only there a module on USB can be followed into download mode")
        .hint("or export its download port, too, and name that: `--before none --oc OC --no-verify`")
}

/// Does a port that is not on the bus outlive the command? Then it is a UART, and the boot ROM speaks on it.
fn stays(port: &Path, settings: &Settings) -> bool {
    let deadline = Instant::now() + UART_DECIDES_AFTER.mul_f64(settings.timeout_scale);
    while Instant::now() < deadline && !settings.cancel.is_set() {
        if !port.exists() {
            return false;
        }
        sleep(Duration::from_millis(20));
    }
    true
}
