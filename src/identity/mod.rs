//! What a module is: ordering codes, revisions, and the questions that make it tell.
//!
//! Everything a module says about itself comes from the firmware that runs on it, not from fuses: a module
//! with the wrong firmware claims the wrong ordering code. So an [`Identity`] always says who the
//! [`Witness`] is, and holds an ordering code only when two statements of the module agree.
//!
//! Nothing here decides what may be written; that is [`crate::gate`]'s alone.

pub mod at;
mod dialogue;
mod error;
mod ordering_code;
pub mod probe;
pub mod repl;
mod revision;
#[cfg(test)]
mod scripted;
mod series;
mod shared;
mod talk;

use qpyflash_protocols::Wire;
use serde::Serialize;

use at::Heard;
use dialogue::Dialogue;
pub use error::IdentityError;
pub use ordering_code::{OrderingCode, OrderingCodeError};
pub use revision::{Revision, RevisionError};
pub use series::{Scope, platform_of_series, scope_of_series, series_of};
pub use shared::{acceptable, same_group, shared_firmware};
pub use talk::{Question, Talk};

/// IMEIs that stand in firmware images: a module that reports one has lost its NV data.
/// Source: specs/identity.md §3.1.
const DEFAULT_IMEIS: [&str; 3] = ["864430010001091", "864430010001092", "352751019523267"];

/// Who told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Source {
    /// An AT port.
    At,
    /// The Python prompt.
    Repl,
}

impl Source {
    /// As people write it.
    pub const fn name(self) -> &'static str {
        match self {
            Source::At => "AT",
            Source::Repl => "REPL",
        }
    }
}

/// What a module's own word is worth. Source: specs/identity.md §3.1, §3.3 point 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Witness {
    /// Most likely the firmware it left the factory with, so its ordering code is the module's own.
    Factory,
    /// QuecPython: it names the package that was flashed last, which may be a shared or a wrong one.
    QuecPython,
    /// Other OpenCPU firmware: it names what was flashed last, too.
    OpenCpu,
}

/// What a module has said about itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Identity {
    /// The ordering code, when two statements of the module agree on it. It never has options.
    pub ordering_code: Option<OrderingCode>,
    /// The revision, when it follows the grammar; not trusted while [`Self::ordering_code`] is empty.
    pub revision: Option<Revision>,
    /// The revision as the module wrote it.
    pub revision_text: Option<String>,
    /// Second line of `ATI`, or `modem.getDevModel()`: the series, sometimes more.
    pub object_id: Option<String>,
    /// `EC600N-CNLA`, from `uos.uname()`.
    pub sysname: Option<String>,
    /// The vendor's build name `EC600NCN_LA`, from `usys.platform`.
    pub board: Option<String>,
    /// `V0006`: the published version of the QuecPython that runs.
    pub qpy_version: Option<String>,
    /// Fifteen digits. May be a default, see [`Self::has_default_imei`].
    pub imei: Option<String>,
    /// The factory's serial number.
    pub serial_number: Option<String>,
    /// Who told.
    pub source: Source,
    /// What the revision is worth.
    pub witness: Option<Witness>,
    /// A Python program was stopped to ask; [`repl::restart_program`] starts it again.
    pub program_stopped: bool,
    /// What a person should know.
    pub notes: Vec<String>,
}

impl Identity {
    /// An identity of which nothing is known yet.
    pub(crate) fn unknown(source: Source) -> Self {
        Identity {
            ordering_code: None,
            revision: None,
            revision_text: None,
            object_id: None,
            sysname: None,
            board: None,
            qpy_version: None,
            imei: None,
            serial_number: None,
            source,
            witness: None,
            program_stopped: false,
            notes: Vec::new(),
        }
    }

    /// The IMEI is one that stands in firmware images, so it names no module.
    pub fn has_default_imei(&self) -> bool {
        self.imei
            .as_deref()
            .is_some_and(|imei| DEFAULT_IMEIS.contains(&imei))
    }

    /// Keeps a revision as told. A module with a REPL runs QuecPython, whatever its revision says.
    fn set_revision(&mut self, text: &str) {
        self.revision = text.parse().ok();
        self.revision_text = Some(text.to_owned());
        self.witness = match self.source {
            Source::Repl => Some(Witness::QuecPython),
            Source::At => self.revision.as_ref().map(Revision::witness),
        };
    }

    fn note_default_imei(&mut self) {
        if self.has_default_imei() {
            self.notes.push(
                "the IMEI is the default of a firmware image: the module has lost its NV data, and this IMEI names no module"
                    .into(),
            );
        }
    }
}

/// Asks a port of which nobody knows whether it is an AT port or a REPL.
///
/// It listens first, asks `AT`, and tries the REPL only on a port that answers `AT` like Python or not at all.
/// A port that turns out to carry logs is never written to again. When the interface is known to be a REPL,
/// use [`repl::read`]: it is quicker and does not type `AT` into a program.
///
/// # Errors
/// [`IdentityError`] when the port is silent, carries logs, is locked, or fails.
pub fn read(wire: &mut dyn Wire) -> Result<Identity, IdentityError> {
    let mut port = Dialogue::new(wire);
    let began = port.now();
    let silent = |port: &Dialogue<'_>| {
        let asked = "`AT` and the Python prompt".into();
        IdentityError::Silent {
            asked,
            waited: port.now().saturating_sub(began),
        }
    };
    match at::synchronise(&mut port)? {
        Heard::At => at::ask_all(&mut port),
        Heard::LockedRepl => Err(IdentityError::ReplLocked),
        Heard::Repl => repl::ask_all(&mut port),
        Heard::Nothing => match repl::ask_all(&mut port) {
            Err(IdentityError::Silent { .. }) if port.heard_a_boot() => match at::synchronise(&mut port)? {
                Heard::At => at::ask_all(&mut port),
                _ => Err(silent(&port)),
            },
            Err(IdentityError::Silent { .. }) => Err(silent(&port)),
            other => other,
        },
    }
}

#[cfg(test)]
#[path = "mod_tests.rs"]
mod tests;
