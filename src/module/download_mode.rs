//! Following a module while it leaves the bus and comes back as something else.
//!
//! The module is known by its socket alone. What appears there must have appeared after the command and must carry
//! an id of the platform that was sent to download mode. Source: specs/usb-and-hosts.md §2.2.

use std::thread::sleep;
use std::time::{Duration, Instant};

use qpyflash_protocols::Platform;

use super::find::remote;
use super::settling::Settling;
use super::usb_ids::{Mode, by_hand};
use super::{Attached, Module, TopologyPath, attached, find};
use crate::error::{Error, Kind};
use crate::event::Events;
use crate::link::{Settings, Transport};

/// Time between two looks at the bus. A crashing module shows its boot ROM for half a second only.
/// Source: specs/asr-aboot.md §1.3 (≤ 50 ms).
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// How long a module that acknowledged its reset may stay on the bus. Source: specs/unisoc-pac-bsl.md §5.3: it
/// resets after 2 ms (V); the rest is the host's own delay.
const LEAVES_WITHIN: Duration = Duration::from_secs(2);

/// How long to wait for what. Source: specs/usb-and-hosts.md §2.1 [?].
#[derive(Debug, Clone, Copy)]
pub struct Deadlines {
    /// For the run-mode module to leave the bus.
    pub disappear: Duration,
    /// For the download device to appear.
    pub appear: Duration,
    /// For run mode to come back after the reset.
    pub restart: Duration,
    /// For a module that came back in download mode to leave it by itself. Source: specs/asr-aboot.md §8.4.
    pub linger: Duration,
    /// For a module that somebody puts into download mode by hand.
    pub by_hand: Duration,
}

impl Default for Deadlines {
    fn default() -> Self {
        Deadlines {
            disappear: Duration::from_secs(10),
            appear: Duration::from_secs(30),
            restart: Duration::from_secs(120),
            linger: Duration::from_secs(30),
            by_hand: Duration::from_secs(60),
        }
    }
}

/// What a restarted module came back as.
#[derive(Debug, Clone)]
pub enum Appeared {
    /// Its firmware runs.
    Running(Attached),
    /// It is in download mode again and stays there.
    InDownloadMode,
    /// Nothing came back in time.
    Nothing,
}

/// One socket under watch, and everything that sat elsewhere when the watch began.
#[derive(Debug, Clone)]
pub struct Watch {
    socket: Option<TopologyPath>,
    bystanders: Vec<TopologyPath>,
}

impl Watch {
    /// Begins to watch `socket`; without one, for whatever single module is plugged in from now on. Must be called
    /// before the module is sent away.
    ///
    /// # Errors
    /// [`Kind::LinkFailed`] when the bus cannot be read.
    pub fn begin(socket: Option<&TopologyPath>) -> Result<Self, Error> {
        let mut bystanders: Vec<TopologyPath> =
            attached()?.into_iter().map(|module| module.topology).collect();
        bystanders.retain(|path| Some(path) != socket);
        Ok(Watch {
            socket: socket.cloned(),
            bystanders,
        })
    }

    /// The module that sits in the socket now. Some hubs show a module under another bus number once its speed
    /// changes, so the port chain decides; but what sat elsewhere before is never taken for it.
    fn module(&self) -> Result<Option<Attached>, Error> {
        let here = |module: &Attached| {
            self.socket
                .as_ref()
                .is_none_or(|s| module.topology.same_socket(s))
        };
        let mut found: Vec<Attached> = attached()?
            .into_iter()
            .filter(|module| here(module) && !self.bystanders.contains(&module.topology))
            .collect();
        if let Some(exact) = found
            .iter()
            .position(|module| Some(&module.topology) == self.socket.as_ref())
        {
            return Ok(Some(found.swap_remove(exact)));
        }
        Ok(if found.len() == 1 { found.pop() } else { None })
    }

    /// The module under watch, while its firmware runs and can be talked to.
    ///
    /// # Errors
    /// [`Kind::LinkFailed`] when the bus cannot be read.
    pub fn running(&self, transport: Transport) -> Result<Option<Attached>, Error> {
        Ok(self
            .module()?
            .filter(|module| module.mode == Mode::Run && module.best_address(transport).is_some()))
    }

    fn place(&self) -> String {
        self.socket
            .as_ref()
            .map_or("the bus".into(), TopologyPath::to_string)
    }
}

/// Waits until the module under watch, which was given `command`, has left run mode and its download device is
/// there; if `platform` is given, it must be that platform's.
///
/// # Errors
/// [`Kind::DownloadModeNotReached`] when it stays, does not come back, or comes back in run mode or as another
/// platform;
/// [`Kind::Interrupted`].
pub fn await_download_mode(
    watch: &Watch,
    command: &str,
    platform: Option<Platform>,
    deadlines: &Deadlines,
    settings: &Settings,
    events: &mut Events,
) -> Result<Attached, Error> {
    let socket = watch.place();
    let not_reached = |why: String| Error::new(Kind::DownloadModeNotReached, why).at(socket.clone());
    if !await_leaving(watch, deadlines, settings, events)? {
        return Err(not_reached(format!(
            "`{}` was sent, but the module on {socket} is still in run mode after {} s",
            command,
            deadlines.disappear.as_secs()
        )));
    }
    let mut settling = Settling::new(settings);
    let found = wait(
        deadlines.appear,
        settings,
        events,
        &format!("the download port on {socket}"),
        || Ok(settling.settled(watch.module()?, Instant::now())),
    )?;
    match found {
        Some(module) if module.mode == Mode::Run => Err(not_reached(format!(
            "the module on {socket} restarted after `{}`, but came back in run mode",
            command
        ))),
        Some(module) if platform.is_none() || module.platform == platform => Ok(module),
        Some(module) => Err(not_reached(format!(
            "the module on {socket} came back as {} ({}), expected was {}",
            module.usb_id,
            module.platform.map_or("unknown", Platform::title),
            platform.map_or("any", Platform::title)
        ))),
        None => Err(not_reached(format!(
            "the module left {socket}, but no download port appeared there within {} s",
            deadlines.appear.as_secs()
        ))
        .hint("replug or power-cycle the module, and look at the cable and the hub")),
    }
}

/// Waits until the module under watch has left the bus, or has changed its mode; false when it stays.
///
/// # Errors
/// [`Kind::Interrupted`], and [`Kind::LinkFailed`] when the bus cannot be read.
pub fn await_leaving(
    watch: &Watch,
    deadlines: &Deadlines,
    settings: &Settings,
    events: &mut Events,
) -> Result<bool, Error> {
    let what = format!("{} to leave run mode", watch.place());
    let left = wait(deadlines.disappear, settings, events, &what, || {
        Ok((watch.module()?.map(|module| module.mode) != Some(Mode::Run)).then_some(()))
    })?;
    Ok(left.is_some())
}

/// Waits until the module under watch, which has just been told to restart, is running again.
///
/// # Errors
/// [`Kind::Interrupted`].
pub fn await_restart(
    watch: &Watch,
    deadlines: &Deadlines,
    settings: &Settings,
    events: &mut Events,
) -> Result<Appeared, Error> {
    let mut download_since: Option<Instant> = None;
    let linger = deadlines.linger.mul_f64(settings.timeout_scale);
    let what = format!("{} to restart", watch.place());
    let mut settling = Settling::new(settings);
    let came = wait(deadlines.restart, settings, events, &what, || {
        let seen = watch.module()?;
        if seen.as_ref().is_some_and(|module| module.mode == Mode::Download) {
            let since = *download_since.get_or_insert_with(Instant::now);
            return Ok((since.elapsed() >= linger).then_some(Appeared::InDownloadMode));
        }
        // One that comes and goes has not stayed: it crashes, or it boots.
        download_since = None;
        Ok(settling.settled(seen, Instant::now()).map(Appeared::Running))
    })?;
    Ok(match came {
        Some(appeared) => appeared,
        None if download_since.is_some() => Appeared::InDownloadMode,
        None => Appeared::Nothing,
    })
}

/// Waits until the module under watch, which has just been told to restart and has no firmware, is back.
///
/// # Errors
/// [`Kind::Interrupted`].
pub fn await_blank(
    watch: &Watch,
    deadlines: &Deadlines,
    settings: &Settings,
    events: &mut Events,
) -> Result<Appeared, Error> {
    let socket = watch.place();
    // One that has not been seen leaving has left between two looks.
    wait(
        LEAVES_WITHIN,
        settings,
        events,
        &format!("{socket} to restart"),
        || Ok(watch.module()?.is_none().then_some(())),
    )?;
    let mut settling = Settling::new(settings);
    let back = wait(
        deadlines.appear,
        settings,
        events,
        &format!("{socket} to come back"),
        || Ok(settling.settled(watch.module()?, Instant::now())),
    )?;
    Ok(match back {
        Some(module) if module.mode == Mode::Run => Appeared::Running(module),
        Some(_) => Appeared::InDownloadMode,
        None => Appeared::Nothing,
    })
}

/// Waits for a module in download mode: at `path`, at the port named `port`, or the only one on the bus.
///
/// # Errors
/// [`Kind::ModuleMissing`] when none appears in time, [`Kind::ModuleSeveral`], [`Kind::Interrupted`]; [`Kind::Usage`]
/// for a port on the network, where nothing can be seen to appear.
pub fn await_any_in_download_mode(
    port: Option<&str>,
    path: Option<&TopologyPath>,
    deadlines: &Deadlines,
    settings: &Settings,
    events: &mut Events,
) -> Result<Module, Error> {
    if let Some(address) = port.map(remote).transpose()?.flatten() {
        let text = format!("a module that is put into download mode cannot be seen to appear at `{address}`");
        return Err(Error::new(Kind::Usage, text).at(address.to_string()).hint(
            "put it into download mode first, then run with `--before none --oc OC` instead of waiting",
        ));
    }
    let mut settling = Settling::new(settings);
    let found = wait(
        deadlines.by_hand,
        settings,
        events,
        "a module in download mode",
        || match find(port, path, settings.transport) {
            Ok(Module {
                attached: Some(seen), ..
            }) if seen.mode == Mode::Download => {
                let settled = settling.settled(Some(seen), Instant::now());
                settled
                    .map(|module| Module::of(module, settings.transport))
                    .transpose()
            }
            Err(error) if error.kind != Kind::ModuleMissing => Err(error),
            _ => {
                settling.settled(None, Instant::now());
                Ok(None)
            }
        },
    )?;
    found.ok_or_else(|| {
        let text = format!(
            "no module appeared in download mode within {} s",
            deadlines.by_hand.as_secs()
        );
        Error::new(Kind::ModuleMissing, text).hint(by_hand(None))
    })
}

/// Looks again and again until `look` finds something or the time is up; says once a second what is awaited.
fn wait<T>(
    within: Duration,
    settings: &Settings,
    events: &mut Events,
    what: &str,
    mut look: impl FnMut() -> Result<Option<T>, Error>,
) -> Result<Option<T>, Error> {
    let within = within.mul_f64(settings.timeout_scale);
    let began = Instant::now();
    let mut told = 0;
    loop {
        if let Some(found) = look()? {
            return Ok(Some(found));
        }
        if settings.cancel.is_set() {
            return Err(Error::new(
                Kind::Interrupted,
                format!("interrupted while waiting for {what}"),
            ));
        }
        let waited = began.elapsed();
        if waited >= within {
            return Ok(None);
        }
        if waited.as_secs() > told {
            told = waited.as_secs();
            events.note(format!("waiting for {what}: {told} of {} s", within.as_secs()));
        }
        sleep(LOOK_EVERY);
    }
}
