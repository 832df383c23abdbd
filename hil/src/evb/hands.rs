//! The hands at the board: its supply, its cable, its BOOT key; moved by commands, by the operator, or virtual.

use std::cell::Cell;
use std::io::BufRead;
use std::process::Command;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

use qpyflash_usb_rig::subject::Subject;
use qpyflash_virtual::Mode;
use serde::Deserialize;

use super::{Judged, Stop};

/// What hands can do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deed {
    PowerOff,
    PowerOn,
    CableOut,
    CableIn,
    BootPress,
    BootRelease,
}

/// Who does it: a shell command, `"ask"` (the operator, on the terminal), or `"none"`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Controls {
    pub power_off: Option<String>,
    pub power_on: Option<String>,
    pub cable_out: Option<String>,
    pub cable_in: Option<String>,
    pub boot_press: Option<String>,
    pub boot_release: Option<String>,
}

/// How long a virtual module may take to leave the bus.
const AT_ONCE: Duration = Duration::from_secs(10);
const GLANCE: Duration = Duration::from_millis(100);

/// The hands.
pub struct Hands {
    controls: Controls,
    subject: Option<Rc<dyn Subject>>,
    /// Whether somebody sits at the terminal.
    has_operator: bool,
    interrupted: Arc<AtomicBool>,
    /// What they have changed: the supply is off, the cable is out, the key is held.
    is_off: Cell<bool>,
    is_out: Cell<bool>,
    is_held: Cell<bool>,
}

impl Hands {
    pub fn new(
        controls: Controls,
        subject: Option<Rc<dyn Subject>>,
        has_operator: bool,
        interrupted: Arc<AtomicBool>,
    ) -> Self {
        Hands {
            controls,
            subject,
            has_operator,
            interrupted,
            is_off: Cell::new(false),
            is_out: Cell::new(false),
            is_held: Cell::new(false),
        }
    }

    fn control(&self, deed: Deed) -> &str {
        let control = match deed {
            Deed::PowerOff => &self.controls.power_off,
            Deed::PowerOn => &self.controls.power_on,
            Deed::CableOut => &self.controls.cable_out,
            Deed::CableIn => &self.controls.cable_in,
            Deed::BootPress => &self.controls.boot_press,
            Deed::BootRelease => &self.controls.boot_release,
        };
        control.as_deref().unwrap_or("ask")
    }

    /// Whether they can do it.
    pub fn can(&self, deed: Deed) -> bool {
        self.subject.is_some()
            || match self.control(deed) {
                "none" => false,
                "ask" => self.has_operator,
                _ => true,
            }
    }

    /// Does it, unless it is done already.
    pub fn act(&self, deed: Deed) -> Judged {
        let (state, becomes) = match deed {
            Deed::PowerOff => (&self.is_off, true),
            Deed::PowerOn => (&self.is_off, false),
            Deed::CableOut => (&self.is_out, true),
            Deed::CableIn => (&self.is_out, false),
            Deed::BootPress => (&self.is_held, true),
            Deed::BootRelease => (&self.is_held, false),
        };
        if state.get() == becomes {
            return Ok(());
        }
        match (&self.subject, self.control(deed)) {
            (Some(subject), _) => act_on(&**subject, deed)?,
            (None, "ask") => self.ask(deed)?,
            (None, "none") => return Err(Stop::Failed(format!("the board has no way to {}", deed.words()))),
            (None, command) => run(command)?,
        }
        state.set(becomes);
        Ok(())
    }

    /// Takes the supply away and gives it back.
    pub fn power_cycle(&self) -> Judged {
        self.act(Deed::PowerOff)?;
        self.act(Deed::PowerOn)
    }

    /// Gives back all that was taken.
    pub fn let_go(&self) -> Judged {
        self.act(Deed::BootRelease)?;
        self.act(Deed::CableIn)?;
        self.act(Deed::PowerOn)
    }

    /// Tells the operator, and waits for Enter.
    fn ask(&self, deed: Deed) -> Judged {
        if !self.has_operator {
            return Err(Stop::Failed(format!("nobody is there to {}", deed.words())));
        }
        say!("\n>>> NOW: {}, then press Enter", deed.words());
        let (sender, pressed) = channel();
        std::thread::spawn(move || {
            let mut line = String::new();
            let _ = sender.send(std::io::stdin().lock().read_line(&mut line));
        });
        loop {
            match pressed.recv_timeout(GLANCE) {
                Ok(Ok(1..)) => return Ok(()),
                Ok(_) => return Err(Stop::Failed("the terminal is closed".into())),
                Err(RecvTimeoutError::Timeout) if !self.interrupted.load(Ordering::Relaxed) => {}
                Err(_) => return Err(Stop::Interrupted),
            }
        }
    }
}

impl Deed {
    pub const fn words(self) -> &'static str {
        match self {
            Deed::PowerOff => "switch the module's power off",
            Deed::PowerOn => "switch the module's power on",
            Deed::CableOut => "pull the module's cable",
            Deed::CableIn => "plug the module's cable in",
            Deed::BootPress => "press the BOOT key and hold it",
            Deed::BootRelease => "let the BOOT key go",
        }
    }
}

/// A virtual module is fed by its cable.
fn act_on(subject: &dyn Subject, deed: Deed) -> Judged {
    match deed {
        Deed::PowerOff | Deed::CableOut => {
            subject.detach();
            Ok(subject.wait_for_mode(Mode::Off, AT_ONCE)?)
        }
        Deed::PowerOn | Deed::CableIn => {
            subject.attach();
            Ok(())
        }
        Deed::BootPress | Deed::BootRelease => {
            subject.hold_boot_key(deed == Deed::BootPress);
            Ok(())
        }
    }
}

fn run(command: &str) -> Judged {
    let ended = Command::new("sh").args(["-c", command]).output()?;
    if ended.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&ended.stderr);
    Err(Stop::Failed(format!(
        "`{command}` ended with {}: {}",
        ended.status,
        said.trim()
    )))
}
