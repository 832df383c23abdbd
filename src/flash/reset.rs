//! Restarting a module without writing it.

use std::time::{Duration, Instant};

use qpyflash_protocols::Phase;

use super::at_port;
use super::prepare::{OPEN_PATIENCE, alone_with};
use crate::error::{Error, Kind};
use crate::event::Events;
use crate::identity::{Talk, probe};
use crate::link::{Line, Settings, Speech};
use crate::module::{Appeared, Deadlines, Mode, Module, Watch, await_leaving, await_restart};

/// How long a module behind a UART adapter is given to stop answering: its port stays, so nothing else shows that it
/// has restarted.
const UART_LEAVES_AFTER: Duration = Duration::from_millis(500);

/// Restarts a module in run mode by AT command and waits until it runs again on the same path.
///
/// # Errors
/// [`Kind::ModuleUnsupported`] in download mode, where no loader is there to take the order;
/// [`Kind::ModuleRefused`], [`Kind::ModuleSilent`] and the link's; [`Kind::ModuleGone`] when it does not come back.
pub fn reset(
    module: &Module,
    baud: u32,
    deadlines: &Deadlines,
    settings: &Settings,
    events: &mut Events,
) -> Result<Module, Error> {
    let _alone = alone_with(module, events)?;
    if module.mode() == Some(Mode::Download) {
        return Err(in_download_mode(module));
    }
    let watch = Watch::begin(module.topology())?;
    events.start(Phase::Find);
    let port = at_port::answering(module, baud, settings, events)?;
    events.start(Phase::Reset);
    let talk = Talk::Restart;
    let speech = Speech::text(talk.name());
    let mut line = Line::open(&port, baud, OPEN_PATIENCE, speech, events, settings)?;
    talk.hold(&mut line)
        .map_err(|error| Error::from(error).at(module.place()))?;
    drop(line);
    if module.attached.is_none() {
        std::thread::sleep(UART_LEAVES_AFTER.mul_f64(settings.timeout_scale));
        return answers_again(module.clone(), &watch, baud, deadlines, settings, events);
    }
    let place = module.place();
    if !await_leaving(&watch, deadlines, settings, events)? {
        let text = format!(
            "`{}` was sent, but the module on {place} has not left the bus within {} s",
            probe::RESTART,
            deadlines.disappear.as_secs()
        );
        return Err(Error::new(Kind::ModuleRefused, text)
            .at(place)
            .hint("restart it by hand: press RESET, or take its supply away and give it back"));
    }
    match await_restart(&watch, deadlines, settings, events)? {
        Appeared::Running(attached) => {
            let restarted = Module::of(attached, settings.transport)?;
            answers_again(restarted, &watch, baud, deadlines, settings, events)
        }
        Appeared::InDownloadMode => Err(gone(module, "came back in download mode and stays there")
            .hint("take its supply away and give it back; if it stays, write it with `--oc OC`")),
        Appeared::Nothing => Err(gone(
            module,
            &format!("did not come back within {} s", deadlines.restart.as_secs()),
        )
        .hint("power-cycle it, and look at the cable and the hub")),
    }
}

/// A module that has just started needs some time before it answers, and its host before all its ports are there.
fn answers_again(
    mut module: Module,
    watch: &Watch,
    baud: u32,
    deadlines: &Deadlines,
    settings: &Settings,
    events: &mut Events,
) -> Result<Module, Error> {
    let deadline = Instant::now() + deadlines.restart.mul_f64(settings.timeout_scale);
    loop {
        match at_port::answering(&module, baud, settings, events) {
            Ok(port) => return Ok(Module { port, ..module }),
            Err(error) if error.kind == Kind::Interrupted || Instant::now() >= deadline => return Err(error),
            Err(_) => std::thread::sleep(Duration::from_millis(50)),
        }
        if module.attached.is_some()
            && let Some(running) = watch.running(settings.transport)?
        {
            module.attached = Some(running);
        }
    }
}

fn gone(module: &Module, what: &str) -> Error {
    let text = format!("the module on {} was restarted and {what}", module.place());
    Error::new(Kind::ModuleGone, text).at(module.place())
}

/// A boot ROM takes no AT command, and no restart from anybody who has not loaded helpers into it.
fn in_download_mode(module: &Module) -> Error {
    let text = format!(
        "the module on {} is in download mode: there it takes no AT command, so it cannot be restarted from here",
        module.place()
    );
    Error::new(Kind::ModuleUnsupported, text)
        .at(module.place())
        .hint("take its supply away and give it back: a module with whole firmware then starts it")
        .hint("if it comes back in download mode, write it: `qpyflash write FILE --oc OC`, with the OC on its label")
}
