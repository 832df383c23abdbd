//! Why a module did not tell what it is.

use std::time::Duration;

use qpyflash_protocols::{Phase, WireError};

use crate::error::{Error, Kind};

/// Why a module did not tell what it is.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IdentityError {
    /// Nothing came back.
    #[error("the module does not answer: {asked} brought nothing in {:.0} s", .waited.as_secs_f64())]
    Silent {
        /// What was sent, for a person.
        asked: String,
        /// How long it was waited for.
        waited: Duration,
    },
    /// The port carries log or diagnosis traffic. Nothing more has been written to it.
    #[error("this is a log or diagnosis port, neither AT nor REPL: it sends {seen}")]
    LogPort {
        /// The beginning of the traffic, escaped.
        seen: String,
    },
    /// The REPL is protected by a password.
    #[error("the REPL is locked: the module answers `REPL refuse`")]
    ReplLocked,
    /// The port speaks, but not as it should.
    #[error("the module answered {asked} with {answer}")]
    Garbled {
        /// What was sent.
        asked: &'static str,
        /// What came back, shortened and escaped.
        answer: String,
    },
    /// The module will not enter download mode.
    #[error("the module refused `{command}`: {answer}")]
    Refused {
        /// What was sent.
        command: &'static str,
        /// The module's words.
        answer: String,
    },
    /// The module will not restart.
    #[error("the module refused `{}`: {answer}", super::probe::RESTART)]
    RestartRefused {
        /// The module's words.
        answer: String,
    },
    /// The pipe failed.
    #[error(transparent)]
    Wire(#[from] WireError),
}

impl From<IdentityError> for Error {
    fn from(error: IdentityError) -> Error {
        let (kind, hint) = match &error {
            IdentityError::Silent { .. } => (
                Kind::ModuleSilent,
                "choose another of the module's ports with `--port` (`qpyflash list` shows them), or restart the module",
            ),
            IdentityError::LogPort { .. } => (
                Kind::ModuleGarbage,
                "choose the AT port with `--port`; `qpyflash list` shows which one it is",
            ),
            IdentityError::ReplLocked => (
                Kind::ModuleRefused,
                "use the AT port, or type the ordering code from the label (`--oc`) with the module in download mode",
            ),
            IdentityError::Garbled { .. } => (
                Kind::ModuleGarbage,
                "close every other program that uses this port, and try again",
            ),
            IdentityError::Refused { .. } => (
                Kind::DownloadModeNotReached,
                "start the module with its BOOT key or pad held, then write with `--before none --oc OC`",
            ),
            IdentityError::RestartRefused { .. } => (
                Kind::ModuleRefused,
                "restart it by hand: press RESET, or take its supply away and give it back",
            ),
            IdentityError::Wire(wire) => return wire_error(wire),
        };
        let phase = match error {
            IdentityError::Refused { .. } => Phase::EnterDownload,
            IdentityError::RestartRefused { .. } => Phase::Reset,
            _ => Phase::Identify,
        };
        Error::new(kind, error.to_string())
            .in_phase(phase)
            .hint(hint)
            .caused_by(error)
    }
}

fn wire_error(wire: &WireError) -> Error {
    let (kind, hint) = match wire {
        WireError::Gone => (
            Kind::ModuleGone,
            "check cable and power, wait until the module is back, and try again",
        ),
        WireError::Stalled { .. } => (
            Kind::ModuleSilent,
            "restart the module, or choose another of its ports",
        ),
        WireError::Cancelled => {
            return Error::new(
                Kind::Interrupted,
                "interrupted while asking the module what it is",
            )
            .in_phase(Phase::Identify);
        }
        WireError::Failed(_) => (
            Kind::LinkFailed,
            "unplug the module, plug it in again, and try again",
        ),
    };
    let message = format!("asking the module what it is: {wire}");
    Error::new(kind, message)
        .in_phase(Phase::Identify)
        .hint(hint)
        .caused_by(wire.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_failure_has_its_kind_and_exit_code() {
        let silent = IdentityError::Silent {
            asked: "`AT`".into(),
            waited: Duration::from_secs(9),
        };
        for (error, kind, exit) in [
            (silent, Kind::ModuleSilent, 4),
            (
                IdentityError::LogPort {
                    seen: "`%DBG`".into(),
                },
                Kind::ModuleGarbage,
                4,
            ),
            (IdentityError::ReplLocked, Kind::ModuleRefused, 4),
            (
                IdentityError::Garbled {
                    asked: "`ATI`",
                    answer: "`x`".into(),
                },
                Kind::ModuleGarbage,
                4,
            ),
            (
                IdentityError::Refused {
                    command: "AT+QDOWNLOAD=1",
                    answer: "+CME ERROR: 4".into(),
                },
                Kind::DownloadModeNotReached,
                9,
            ),
            (
                IdentityError::RestartRefused {
                    answer: "ERROR".into(),
                },
                Kind::ModuleRefused,
                4,
            ),
            (WireError::Gone.into(), Kind::ModuleGone, 4),
            (WireError::Cancelled.into(), Kind::Interrupted, 130),
            (
                WireError::Stalled {
                    waited: Duration::ZERO,
                }
                .into(),
                Kind::ModuleSilent,
                4,
            ),
            (WireError::Failed("EIO".into()).into(), Kind::LinkFailed, 4),
        ] {
            let found = Error::from(error);
            assert_eq!((found.kind, found.exit_code()), (kind, exit), "{found}");
            assert!(found.hints.len() == 1 || kind == Kind::Interrupted, "{found}");
        }
    }
}
