//! The byte pipe a session speaks over, and the words in which it reports and fails.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// One module at the other end of a byte pipe, with its own clock.
///
/// The clock is part of the wire so that a test can turn it: a session that waits nine seconds for a silent
/// module takes microseconds over a virtual wire.
pub trait Wire {
    /// Sends all of `bytes`, or fails.
    ///
    /// # Errors
    /// [`WireError`] when the module is gone, takes no bytes any more, or the run was cancelled.
    fn send(&mut self, bytes: &[u8]) -> Result<(), WireError>;

    /// Receives at least one byte into `into` and returns the count; 0 means that `within` has passed in
    /// silence. A zero `within` asks for what has already arrived.
    ///
    /// # Errors
    /// [`WireError`] when the module is gone or the run was cancelled.
    fn receive(&mut self, into: &mut [u8], within: Duration) -> Result<usize, WireError>;

    /// Changes the line speed; without meaning over USB.
    ///
    /// # Errors
    /// [`WireError`] when the line refuses that speed.
    fn set_baud(&mut self, baud: u32) -> Result<(), WireError>;

    /// Time since the session began.
    fn now(&self) -> Duration;

    /// Lets time pass. Incoming bytes are kept.
    ///
    /// # Errors
    /// [`WireError::Cancelled`] when the run was cancelled meanwhile.
    fn pause(&mut self, how_long: Duration) -> Result<(), WireError>;

    /// Tells the run a fact: a phase, or bytes that the module has acknowledged.
    fn report(&mut self, fact: Progress<'_>);
}

/// What can happen to the pipe itself.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WireError {
    /// The port or the device has disappeared.
    #[error("the module left the bus")]
    Gone,
    /// The module takes no more bytes.
    #[error("the module has taken no byte for {} ms", .waited.as_millis())]
    Stalled {
        /// How long the write was blocked.
        waited: Duration,
    },
    /// The person at the terminal, or the line, stopped the run.
    #[error("interrupted")]
    Cancelled,
    /// Anything else the operating system says about the port.
    #[error("{0}")]
    Failed(String),
}

/// The phases of a run, in order. Source: DESIGN §7.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    /// A file becomes a package.
    Resolve,
    /// The module is found.
    Find,
    /// The module says what it is.
    Identify,
    /// Package and module are compared.
    Clear,
    /// The module is sent into download mode and followed.
    EnterDownload,
    /// The first answer of the loader.
    Sync,
    /// Code is loaded into the module's RAM and started.
    LoadHelper,
    /// The chip must fit the package.
    CheckChip,
    /// Flash is erased.
    Erase,
    /// Images are written.
    Write,
    /// What was written is proven.
    Verify,
    /// The module is restarted.
    Reset,
    /// The restarted module says what it is now.
    Confirm,
}

impl Phase {
    /// Every phase, in order.
    pub const ALL: [Phase; 13] = [
        Phase::Resolve,
        Phase::Find,
        Phase::Identify,
        Phase::Clear,
        Phase::EnterDownload,
        Phase::Sync,
        Phase::LoadHelper,
        Phase::CheckChip,
        Phase::Erase,
        Phase::Write,
        Phase::Verify,
        Phase::Reset,
        Phase::Confirm,
    ];

    /// The name used in JSON output.
    pub const fn name(self) -> &'static str {
        match self {
            Phase::Resolve => "resolve",
            Phase::Find => "find",
            Phase::Identify => "identify",
            Phase::Clear => "clear",
            Phase::EnterDownload => "enter-download",
            Phase::Sync => "sync",
            Phase::LoadHelper => "load-helper",
            Phase::CheckChip => "check-chip",
            Phase::Erase => "erase",
            Phase::Write => "write",
            Phase::Verify => "verify",
            Phase::Reset => "reset",
            Phase::Confirm => "confirm",
        }
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A fact a session reports while it runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress<'a> {
    /// A phase begins; the one before it has ended.
    Phase(Phase),
    /// `done` of `total` bytes of `image` have been acknowledged by the module; while it is verified, have been read
    /// back.
    Bytes {
        /// Name of the image.
        image: &'a str,
        /// Bytes acknowledged so far.
        done: u64,
        /// Bytes of the image.
        total: u64,
    },
    /// Something a person may want to know; never needed to understand the outcome.
    Note(&'a str),
}

/// How much of the module's flash has been changed.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "kebab-case")]
pub enum Written {
    /// Nothing was written; the module is as it was.
    #[default]
    Nothing,
    /// Only code in RAM was loaded; flash is as it was.
    HelpersOnly,
    /// Flash has been changed, and not completely written.
    Partial {
        /// The image that was being written.
        image: String,
        /// Bytes of all images acknowledged before the run ended.
        bytes: u64,
    },
    /// Everything was written, and the module said so.
    Complete,
}

impl fmt::Display for Written {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Written::Nothing => f.write_str("nothing was written"),
            Written::HelpersOnly => {
                f.write_str("nothing was written to flash (only helper code was loaded into RAM)")
            }
            Written::Partial { image, bytes } => {
                write!(
                    f,
                    "partly written: {bytes} bytes were acknowledged, `{image}` was in work"
                )
            }
            Written::Complete => f.write_str("everything was written"),
        }
    }
}

/// What ended the dialogue with a module too early.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{doing}: {cause}")]
pub struct Failure {
    /// The phase in which it ended.
    pub phase: Phase,
    /// What was being done, to which image and offset: "writing `cp.bin` to `cp` at 0x100000".
    pub doing: String,
    /// What came back instead of the expected answer.
    pub cause: Cause,
    /// What has been written.
    pub written: Written,
    /// The module's own last log lines, oldest first.
    pub log: Vec<String>,
}

/// What came back instead of the expected answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Cause {
    /// The pipe failed.
    #[error(transparent)]
    Wire(#[from] WireError),
    /// Nothing came back.
    #[error("no answer to `{sent}` within {:.1} s ({tries} tries)", .waited.as_secs_f64())]
    Silent {
        /// Name of what was sent.
        sent: String,
        /// How long the module was waited for.
        waited: Duration,
        /// How often it was sent.
        tries: u32,
    },
    /// The module said no.
    #[error("the module refused `{sent}`: {answer}")]
    Refused {
        /// Name of what was sent.
        sent: String,
        /// The module's words or code.
        answer: String,
    },
    /// The module's answer makes no sense.
    #[error("the module answered `{sent}` with {answer}")]
    Malformed {
        /// Name of what was sent.
        sent: String,
        /// What came back, shortened.
        answer: String,
    },
    /// The chip in download mode is not the one the package is for.
    #[error("the package is for another chip: {why}")]
    WrongChip {
        /// The variable and both values.
        why: String,
    },
    /// The module in download mode is not the one it is taken for.
    #[error("this is another module: {0}")]
    OtherModule(String),
    /// The module has lost what nobody else has, and going on would make that final.
    #[error("{0}")]
    WouldLose(String),
    /// What a run must not destroy could not be put into safety; it ended before it destroyed anything.
    #[error("the backup cannot be saved: {0}")]
    NotKept(String),
    /// The module speaks something that this version does not.
    #[error("{0}")]
    Unsupported(String),
}
