//! How a session is to run, who keeps what cannot be replaced, and what comes out.

use std::time::Duration;

use crate::eigencomm::Transport;
use crate::eigencomm::settings::is_agent_baud;
use crate::{Cause, Written};

/// How a package is to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// What carries the bytes.
    pub transport: Transport,
    /// The line speed of the agent over a UART; the package's own unless given. A multiple of 100 up to 3,276,700.
    pub agent_baud: Option<u32>,
    /// Cuts what is sent into small writes, for a port that loses large ones.
    pub pacing: Option<Pacing>,
    /// What becomes of the module afterwards.
    pub after: After,
    /// Reads everything back that was written. Without it, the agent's own comparison of each block counts.
    pub verify: bool,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            transport: Transport::Usb,
            agent_baud: None,
            pacing: None,
            after: After::Reset,
            verify: true,
        }
    }
}

impl Options {
    /// Nothing is sent with options that cannot work.
    ///
    /// # Errors
    /// [`Cause::Unsupported`], which says what cannot be done.
    pub fn check(&self) -> Result<(), Cause> {
        match self.agent_baud {
            Some(baud) if !is_agent_baud(baud) => Err(Cause::Unsupported(format!(
                "a line speed of {baud}: an agent takes multiples of 100 up to 3276700"
            ))),
            _ => Ok(()),
        }
    }
}

/// Small writes. Source: specs/eigencomm-agentboot.md §1.2: a vendor tool sends 64 bytes a millisecond; no agent
/// needs it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pacing {
    /// Bytes of one write.
    pub bytes: usize,
    /// Between two of them.
    pub pause: Duration,
}

/// What becomes of the module when everything is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum After {
    /// It restarts.
    Reset,
    /// It stays in download mode; the next run finds the agent running.
    Stay,
}

/// Keeps what a run would destroy if it went wrong. Called once, before the first erase.
pub trait Keeper {
    /// Must have `rf`, the CP flash from 0xC0000 to its end, on durable storage when it returns.
    ///
    /// # Errors
    /// The reason, for a person; the run then ends, and nothing has been erased.
    fn keep(&mut self, rf: &[u8]) -> Result<(), String>;
}

/// How what was written has been proven.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Proof {
    /// The agent compared each block; everything was read back with BULK_READ, and equals.
    BulkRead,
    /// The agent compared each block; everything was read back with READ_MEM, and equals.
    MemoryRead,
    /// The agent compared each block; nothing was read back, as was wanted.
    AgentOnly,
}

/// What a complete run has achieved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// [`Written::Complete`], or [`Written::HelpersOnly`] after a run that only reads.
    pub written: Written,
    /// Bytes of all images for flash.
    pub bytes: u64,
    /// How they have been proven.
    pub proof: Proof,
}
