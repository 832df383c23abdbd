//! Every dialogue with a module in run mode, by name: a recording says which one it holds, so that it can be held
//! again.

use qpyflash_protocols::Wire;

use super::at::DownloadCommand;
use super::{Identity, IdentityError, at, probe, read, repl};

/// How a module is asked what it is: what is known about the port decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Question {
    /// On its AT port.
    At,
    /// On a port that may carry somebody's data.
    Modem,
    /// On its Python prompt.
    Repl,
    /// On a port of which nothing is known.
    Any,
}

impl Question {
    /// Asks.
    ///
    /// # Errors
    /// [`IdentityError`] when the port does not say what the module is.
    pub fn ask(self, wire: &mut dyn Wire) -> Result<Identity, IdentityError> {
        match self {
            Question::At => at::read(wire),
            Question::Modem => probe::read_at_once(wire),
            Question::Repl => repl::read(wire),
            Question::Any => read(wire),
        }
    }
}

/// A dialogue on one opening of a port.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Talk {
    /// What are you?
    Ask(Question),
    /// Is this an AT port? Asked often enough for a module that boots.
    Probe,
    /// The same, asked once.
    ProbeOnce,
    /// Go to download mode.
    Enter(DownloadCommand),
    /// Restart.
    Restart,
    /// Run the Python program again.
    RestartProgram,
}

impl Talk {
    /// Every dialogue.
    pub const ALL: [Talk; 10] = [
        Talk::Ask(Question::At),
        Talk::Ask(Question::Modem),
        Talk::Ask(Question::Repl),
        Talk::Ask(Question::Any),
        Talk::Probe,
        Talk::ProbeOnce,
        Talk::Enter(DownloadCommand::Qdownload),
        Talk::Enter(DownloadCommand::Ecrst),
        Talk::Restart,
        Talk::RestartProgram,
    ];

    /// Its name in a recording.
    pub const fn name(self) -> &'static str {
        match self {
            Talk::Ask(Question::At) => "ask-at",
            Talk::Ask(Question::Modem) => "ask-modem",
            Talk::Ask(Question::Repl) => "ask-repl",
            Talk::Ask(Question::Any) => "ask-any",
            Talk::Probe => "probe",
            Talk::ProbeOnce => "probe-once",
            Talk::Enter(DownloadCommand::Qdownload) => "enter-by-qdownload",
            Talk::Enter(DownloadCommand::Ecrst) => "enter-by-ecrst",
            Talk::Restart => "restart",
            Talk::RestartProgram => "restart-program",
        }
    }

    /// The dialogue with that name.
    pub fn of_name(name: &str) -> Option<Talk> {
        Talk::ALL.into_iter().find(|talk| talk.name() == name)
    }

    /// Holds it, for what is said in it alone.
    ///
    /// # Errors
    /// That of the dialogue.
    pub fn hold(self, wire: &mut dyn Wire) -> Result<(), IdentityError> {
        match self {
            Talk::Ask(question) => question.ask(wire).map(drop),
            Talk::Probe => probe::answers(wire),
            Talk::ProbeOnce => probe::answers_at_once(wire),
            Talk::Enter(command) => at::enter_download_mode(wire, command).map(drop),
            Talk::Restart => probe::restart(wire).map(drop),
            Talk::RestartProgram => repl::restart_program(wire),
        }
    }
}
