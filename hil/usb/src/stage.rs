//! What a scenario plays on: a hub, a machine, and the words with which it asks and judges.

use std::collections::BTreeMap;
use std::io;
use std::sync::Mutex;
use std::thread::sleep;
use std::time::{Duration, Instant};

use qpyflash_virtual::{Enumerated, Fault, Mode, Plugged, Scale, Socket};
use serde_json::Value;

use crate::machine::{Call, Ended, Machine, WORK};
use crate::subject::{Kind, Setup, Subject};
use crate::vhci::VhciHub;

/// What a scenario says when it fails: what was found, and what was wanted.
pub type Judged<T = ()> = Result<T, String>;

/// Longest run of one command. TCG is ten to twenty times slower than the machine it runs on.
pub const PATIENCE: Duration = Duration::from_secs(60);
/// Longest wait for a module or for the kernel to see one.
pub const SETTLE: Duration = Duration::from_secs(15);
/// Interval between two looks.
const GLANCE: Duration = Duration::from_millis(20);

/// Where modules are plugged in.
#[derive(Debug, Clone)]
pub enum Hub {
    Vhci(VhciHub),
}

impl Socket for Hub {
    fn plug(&self, topology: &str, enumerated: &Enumerated) -> io::Result<Plugged> {
        match self {
            Hub::Vhci(hub) => hub.plug(topology, enumerated),
        }
    }
}

/// A stage.
pub struct Stage<'a> {
    pub hub: Hub,
    pub machine: &'a dyn Machine,
    /// Topology paths at which modules can be plugged in, and a name for the hub.
    pub sockets: Vec<String>,
    /// Further options of every `qpyflash write`.
    pub options: Vec<String>,
    figures: Mutex<Vec<String>>,
}

impl<'a> Stage<'a> {
    pub fn new(hub: Hub, machine: &'a dyn Machine, sockets: Vec<String>, options: Vec<String>) -> Self {
        Stage {
            hub,
            machine,
            sockets,
            options,
            figures: Mutex::default(),
        }
    }

    /// Plugs a module in and waits until the kernel has made its ports.
    pub fn plug(&self, kind: &Kind, socket: usize, setup: &Setup) -> Judged<Box<dyn Subject>> {
        let topology = &self.sockets[socket];
        let subject = words(kind.plug(&self.hub, topology, setup, Scale::Small))?;
        let mode = if setup.in_download {
            Mode::Download
        } else {
            Mode::Run
        };
        subject.wait_for_mode(mode, SETTLE)?;
        self.wait_for_ports(topology)?;
        Ok(subject)
    }

    /// Waits until `qpyflash list` shows a module with a port at that path.
    pub fn wait_for_ports(&self, topology: &str) -> Judged {
        let mut seen = String::new();
        self.wait(&format!("ports at {topology}"), || {
            let ended = self.qpyflash(&["list", "--json"])?;
            seen = ended.stdout;
            let list: Value = serde_json::from_str(&seen).unwrap_or_default();
            let modules = list["modules"].as_array().cloned().unwrap_or_default();
            let is_there = |module: &Value| {
                module["topology"] == topology
                    && module["ports"].as_array().is_some_and(|ports| !ports.is_empty())
            };
            Ok(modules.iter().any(is_there))
        })
        .map_err(|why| format!("{why}; `qpyflash list` says {seen}"))
    }

    /// Waits until `look` is true.
    pub fn wait(&self, what: &str, mut look: impl FnMut() -> Judged<bool>) -> Judged {
        let began = Instant::now();
        while !look()? {
            if began.elapsed() > SETTLE {
                return Err(format!("no {what} within {} s", SETTLE.as_secs()));
            }
            sleep(GLANCE);
        }
        Ok(())
    }

    /// Puts the package of a kind into the working folder and returns its name.
    pub fn package(&self, kind: &Kind) -> Judged<String> {
        let name = format!("{}.zip", kind.package);
        let bytes = words(kind.archive(Scale::Small))?;
        words(self.machine.put(&format!("{WORK}/{name}"), &bytes))?;
        Ok(name)
    }

    /// Runs `qpyflash` as root.
    pub fn qpyflash(&self, arguments: &[&str]) -> Judged<Ended> {
        self.qpyflash_as(None, arguments)
    }

    /// Runs `qpyflash` as a user and group.
    pub fn qpyflash_as(&self, user: Option<(u32, u32)>, arguments: &[&str]) -> Judged<Ended> {
        self.run(user, &[&["qpyflash"], arguments].concat())
    }

    /// Runs `qpyflash write` with the stage's options and judges its outcome. `arguments` are words with blanks.
    pub fn write(&self, arguments: &str) -> Judged<Written> {
        let backups = format!("{WORK}/backups");
        let mut all = vec!["write", "--json", "--non-interactive", "--backup-dir", &backups];
        all.extend(arguments.split_whitespace());
        all.extend(self.options.iter().map(String::as_str));
        let ended = self.qpyflash(&all)?;
        Written::of(ended)
    }

    /// Runs any command.
    pub fn run(&self, user: Option<(u32, u32)>, arguments: &[&str]) -> Judged<Ended> {
        let call = Call {
            arguments: arguments.iter().map(ToString::to_string).collect(),
            environment: BTreeMap::new(),
            user,
            within: PATIENCE,
        };
        let ended = words(self.machine.call(&call))?;
        match ended.code {
            Some(_) => Ok(ended),
            None => Err(format!(
                "`{}` ran longer than {PATIENCE:?}\n{}",
                arguments.join(" "),
                ended.stderr
            )),
        }
    }

    /// Runs a line of shell.
    pub fn shell(&self, line: &str) -> Judged<String> {
        let ended = self.run(None, &["sh", "-c", line])?;
        match ended.code {
            Some(0) => Ok(ended.stdout),
            code => Err(format!(
                "`{line}` ended with {code:?}: {}{}",
                ended.stdout, ended.stderr
            )),
        }
    }

    /// Notes a figure for the table.
    pub fn figure(&self, text: String) {
        if let Ok(mut figures) = self.figures.lock() {
            figures.push(text);
        }
    }

    /// The figures noted since the last call.
    pub fn take_figures(&self) -> Vec<String> {
        self.figures
            .lock()
            .map(|mut figures| std::mem::take(&mut *figures))
            .unwrap_or_default()
    }
}

/// A fault that is written in this program.
pub fn fault(text: &str) -> Judged<Option<Fault>> {
    text.parse().map(Some)
}

/// An operating system's error as words.
pub fn words<T>(result: io::Result<T>) -> Judged<T> {
    result.map_err(|error| error.to_string())
}

/// Fails with words unless something holds.
pub fn ensure(holds: bool, otherwise: impl FnOnce() -> String) -> Judged {
    if holds { Ok(()) } else { Err(otherwise()) }
}

/// What came of a `qpyflash write --json`.
pub struct Written {
    pub ended: Ended,
    pub outcome: Value,
}

impl Written {
    fn of(ended: Ended) -> Judged<Self> {
        let outcome: Value = serde_json::from_str(&ended.stdout)
            .map_err(|why| format!("no JSON on stdout ({why}): {}{}", ended.stdout, ended.stderr))?;
        Ok(Written { ended, outcome })
    }

    /// Everything was written, the restarted module says so, and its flash holds the package.
    pub fn is_complete(&self, kind: &Kind, subject: &dyn Subject) -> Judged {
        let verdict = &self.outcome["verdict"];
        ensure(self.ended.code == Some(0) && verdict == "confirmed", || {
            self.describe()
        })?;
        let differing = subject.differing();
        ensure(differing.is_empty(), || {
            format!("the flash differs in {}", differing.join(", "))
        })?;
        ensure(subject.parts() > 0, || "there is nothing to compare".into())?;
        let revision = subject.revision();
        ensure(revision.as_deref() == Some(kind.new), || {
            format!("it runs {revision:?}, not {}", kind.new)
        })?;
        let violations = subject.violations();
        ensure(violations.is_empty(), || {
            format!("the host did harm: {}", violations.join(", "))
        })
    }

    /// It failed with that exit code and error code.
    pub fn failed_with(&self, exit: i32, code: &str) -> Judged {
        let found = &self.outcome["error"]["code"];
        ensure(self.ended.code == Some(exit) && found == code, || {
            format!("wanted exit {exit} and {code}, {}", self.describe())
        })
    }

    /// How it ended, in words.
    pub fn describe(&self) -> String {
        let error = &self.outcome["error"];
        format!(
            "exit {:?}, {} {}, written {}, {}",
            self.ended.code,
            error["code"],
            error["message"],
            self.outcome["written"]["state"],
            self.ended.stderr.trim()
        )
    }

    /// Image bytes per second of the write phase, in MB/s.
    pub fn rate(&self) -> Option<f64> {
        let bytes = self.outcome["bytes"].as_f64()?;
        let phases = self.outcome["phases"].as_array()?;
        let writes = phases.iter().filter(|phase| phase["phase"] == "write");
        let seconds: f64 = writes.filter_map(|phase| phase["seconds"].as_f64()).sum();
        (seconds > 0.0).then(|| bytes / seconds / 1e6)
    }
}
