//! What a scenario plays on: a hub, a machine, and the words with which it asks and judges.

use std::io;
use std::sync::Mutex;
use std::thread::sleep;
use std::time::{Duration, Instant};

use qpyflash_virtual::{BUS_VARIABLE, Fault, Mode};
use serde_json::Value;

use crate::hub::Hub;
use crate::machine::{Call, Ended, Machine, WORK};
use crate::subject::{Kind, Setup, Subject};

/// What a scenario says when it fails: what was found, and what was wanted.
pub(crate) type Judged<T = ()> = Result<T, String>;

/// Longest run of one command. TCG is ten to twenty times slower than the machine it runs on.
const PATIENCE: Duration = Duration::from_secs(60);
/// Longest wait for a module or for the kernel to see one.
pub(crate) const SETTLE: Duration = Duration::from_secs(15);
/// Interval between two looks.
const GLANCE: Duration = Duration::from_millis(20);

/// A stage.
pub struct Stage<'a> {
    pub(crate) hub: Hub,
    pub(crate) machine: &'a dyn Machine,
    /// Further options of every `qpyflash write`.
    options: Vec<String>,
    figures: Mutex<Vec<String>>,
}

impl<'a> Stage<'a> {
    /// A stage; `options` go to every `qpyflash write`.
    pub fn new(hub: Hub, machine: &'a dyn Machine, options: Vec<String>) -> Self {
        Stage {
            hub,
            machine,
            options,
            figures: Mutex::default(),
        }
    }

    /// Plugs a module in and waits until the kernel has made its ports.
    pub(crate) fn plug(&self, kind: &Kind, topology: &str, setup: &Setup) -> Judged<Box<dyn Subject>> {
        let subject = self.plug_without_ports(kind, topology, setup)?;
        self.wait_for_ports(topology)?;
        Ok(subject)
    }

    /// Plugs a module in that the kernel makes no ports for.
    pub(crate) fn plug_without_ports(
        &self,
        kind: &Kind,
        topology: &str,
        setup: &Setup,
    ) -> Judged<Box<dyn Subject>> {
        let subject = words(kind.plug(&self.hub, topology, setup))?;
        let mode = if setup.in_download {
            Mode::Download
        } else {
            Mode::Run
        };
        subject.wait_for_mode(mode, SETTLE)?;
        Ok(subject)
    }

    /// Waits until `qpyflash list` shows a module with a port at that path.
    pub(crate) fn wait_for_ports(&self, topology: &str) -> Judged {
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
    pub(crate) fn wait(&self, what: &str, mut look: impl FnMut() -> Judged<bool>) -> Judged {
        let began = Instant::now();
        while !look()? {
            if began.elapsed() > SETTLE {
                return Err(format!("no {what} within {} s", SETTLE.as_secs()));
            }
            sleep(GLANCE);
        }
        Ok(())
    }

    /// Puts the small package of a kind into the working folder and returns its name.
    pub(crate) fn package(&self, kind: &Kind) -> Judged<String> {
        self.package_for(kind, &Setup::default())
    }

    /// Puts the package that is for a module so set up into the working folder and returns its name.
    pub(crate) fn package_for(&self, kind: &Kind, setup: &Setup) -> Judged<String> {
        let name = format!("{}.zip", kind.package);
        let bytes = words(kind.archive(setup.is_large))?;
        words(self.machine.put(&format!("{WORK}/{name}"), &bytes))?;
        Ok(name)
    }

    /// Runs `qpyflash` as root.
    pub(crate) fn qpyflash(&self, arguments: &[&str]) -> Judged<Ended> {
        self.qpyflash_as(None, arguments)
    }

    /// Runs `qpyflash` as a user and group.
    pub(crate) fn qpyflash_as(&self, user: Option<(u32, u32)>, arguments: &[&str]) -> Judged<Ended> {
        self.run(user, &[], &[&["qpyflash"], arguments].concat())
    }

    /// Runs `qpyflash write` with the stage's options. `arguments` are words with blanks between them.
    pub(crate) fn write(&self, arguments: &str) -> Judged<Written> {
        self.write_as(None, &[], arguments)
    }

    /// The same as a user and group, with further variables.
    pub(crate) fn write_as(
        &self,
        user: Option<(u32, u32)>,
        environment: &[(&str, &str)],
        arguments: &str,
    ) -> Judged<Written> {
        let backups = format!("{WORK}/backups");
        let mut all = vec![
            "qpyflash",
            "write",
            "--json",
            "--non-interactive",
            "--backup-dir",
            &backups,
        ];
        all.extend(arguments.split_whitespace());
        // A virtual bus has ports only, and a scenario that chooses must not be overruled.
        let is_free =
            environment.iter().all(|(name, _)| *name != BUS_VARIABLE) && !arguments.contains("--transport");
        let options = self.options.iter().map(String::as_str);
        all.extend(options.filter(|option| is_free || !option.starts_with("--transport")));
        Written::of(self.run(user, environment, &all)?)
    }

    /// Runs any command.
    fn run(
        &self,
        user: Option<(u32, u32)>,
        environment: &[(&str, &str)],
        arguments: &[&str],
    ) -> Judged<Ended> {
        let call = Call {
            arguments: arguments.iter().map(ToString::to_string).collect(),
            environment: environment
                .iter()
                .map(|(name, value)| (name.to_string(), value.to_string()))
                .collect(),
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
    pub(crate) fn shell(&self, line: &str) -> Judged<String> {
        let ended = self.run(None, &[], &["sh", "-c", line])?;
        match ended.code {
            Some(0) => Ok(ended.stdout),
            code => Err(format!(
                "`{line}` ended with {code:?}: {}{}",
                ended.stdout, ended.stderr
            )),
        }
    }

    /// Notes a figure for the table.
    pub(crate) fn figure(&self, text: String) {
        if let Ok(mut figures) = self.figures.lock() {
            figures.push(text);
        }
    }

    /// The figures noted since the last call.
    pub(crate) fn take_figures(&self) -> Vec<String> {
        self.figures
            .lock()
            .map(|mut figures| std::mem::take(&mut *figures))
            .unwrap_or_default()
    }
}

/// A fault that is written in this program.
pub(crate) fn fault(text: &str) -> Judged<Option<Fault>> {
    text.parse().map(Some)
}

/// An operating system's error as words.
pub(crate) fn words<T>(result: io::Result<T>) -> Judged<T> {
    result.map_err(|error| error.to_string())
}

/// Fails with words unless something holds.
pub(crate) fn ensure(holds: bool, otherwise: impl FnOnce() -> String) -> Judged {
    if holds { Ok(()) } else { Err(otherwise()) }
}

/// What came of a `qpyflash write --json`.
pub(crate) struct Written {
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
    pub(crate) fn is_complete(&self, kind: &Kind, subject: &dyn Subject) -> Judged {
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

    /// It failed with that exit code and error code, and says what to do next.
    pub(crate) fn failed_with(&self, exit: i32, code: &str) -> Judged {
        let found = &self.outcome["error"]["code"];
        ensure(self.ended.code == Some(exit) && found == code, || {
            format!("wanted exit {exit} and {code}, {}", self.describe())
        })?;
        let hints = self.outcome["error"]["hints"].as_array();
        ensure(hints.is_some_and(|hints| !hints.is_empty()), || {
            format!("no hint: {}", self.describe())
        })
    }

    /// How it ended, in words.
    pub(crate) fn describe(&self) -> String {
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
    pub(crate) fn rate(&self) -> Option<f64> {
        let bytes = self.outcome["bytes"].as_f64()?;
        let phases = self.outcome["phases"].as_array()?;
        let writes = phases.iter().filter(|phase| phase["phase"] == "write");
        let seconds: f64 = writes.filter_map(|phase| phase["seconds"].as_f64()).sum();
        (seconds > 0.0).then(|| bytes / seconds / 1e6)
    }
}
