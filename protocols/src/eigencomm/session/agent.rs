//! The agent starts, or is found running, and is the package's own.
//!
//! Source: specs/eigencomm-agentboot.md §3.5 step 7, §4.2, §5.

use super::Session;
use crate::Cause;
use crate::eigencomm::commands::{Command, Stage, patience};
use crate::eigencomm::frame::Check;
use crate::eigencomm::link::{Heard, Trouble, silent};

/// Where an EC618 agent lies in the module's RAM. Source: §3.6, §10 (V*).
const AGENT_AT: u32 = 0x42_2000;
/// Bytes of one READ_MEM. An agent would give 255; no host asks for more than this. Source: §4.3 (V*), §11 no. 22.
pub(super) const READ_MEM_BYTES: usize = 240;

/// An agent that runs has changed its variables, which lie among what was loaded: of so many pieces one may differ.
/// In another agent, even another build, code moves and nearly every piece differs (?).
const CHANGED_AT_MOST: usize = 8;

impl Session<'_, '_> {
    /// The boot ROM has everything, and starts the agent, which over a UART speaks at the speed of its header.
    pub(super) fn start_agent(&mut self) -> Result<(), Cause> {
        self.doing = "waiting for the agent to start".to_owned();
        self.link.expect(Check::Crc);
        self.link.pause(patience::BAUD_SWITCH)?;
        if self.is_uart() {
            self.link.set_baud(self.settings().agent_baud)?;
            self.link.pause(patience::BAUD_SWITCH)?;
        }
        Ok(self.loop_sync(patience::AGENT_SYNCS)?)
    }

    /// Brings the agent back to its command loop from wherever it is. The word aborts an image that is being received
    /// without an answer, so it is said again; after three in vain the module is given time to forget half a frame.
    /// Source: §4.2 (V*).
    pub(super) fn loop_sync(&mut self, tries: u32) -> Result<(), Trouble> {
        let began = self.link.now();
        for tried in 1..=tries {
            if self.link.sync(Stage::Loop, patience::ECHO)? == Heard::Echo {
                return Ok(());
            }
            if tried % patience::SYNCS_BETWEEN_SILENCES == 0 {
                self.link.stay_silent()?;
            }
        }
        let waited = self.link.now() - began;
        Err(Trouble::Fatal(silent(Stage::Loop.sync_name(), waited, tries)))
    }

    /// The agent's code in RAM is the plan's. No boot ROM has been asked for its family, or an answer was lost while
    /// the agent was loaded; this tells more than either. Source: §4.5 (V*): other addresses than those of the
    /// flashes are read as memory.
    pub(super) fn check_agent(&mut self, agent: &[u8]) -> Result<(), Cause> {
        self.doing = "comparing the agent in RAM with the package's".to_owned();
        let pieces = agent.chunks(READ_MEM_BYTES);
        let count = pieces.len();
        let mut changed = 0;
        for (number, piece) in pieces.enumerate() {
            self.read_memory(AGENT_AT + (number * READ_MEM_BYTES) as u32, piece.len())?;
            changed += usize::from(self.link.payload() != piece);
        }
        match changed * CHANGED_AT_MOST <= count {
            true => Ok(()),
            false => Err(Cause::Unsupported(format!(
                "the agent that is running in the module is not the package's: {changed} of its {count} pieces are \
                 others; power-cycle the module into download mode and run again"
            ))),
        }
    }

    /// READ_MEM; the bytes are the payload.
    pub(super) fn read_memory(&mut self, address: u32, size: usize) -> Result<(), Trouble> {
        let mut request = [0; 8];
        request[..4].copy_from_slice(&(size as u32).to_le_bytes());
        request[4..].copy_from_slice(&address.to_le_bytes());
        let patience = (patience::COMMAND, patience::COMMAND_TRIES);
        self.link.command(Command::READ_MEM, 0, &request, patience)?;
        match self.link.payload().len() {
            got if got == size => Ok(()),
            got => Err(Trouble::Fatal(Cause::Malformed {
                sent: Command::READ_MEM.name.into(),
                answer: format!("{got} bytes instead of {size}"),
            })),
        }
    }
}
