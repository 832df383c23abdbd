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

/// An agent that runs may have changed its variables, which lie at the end of what was loaded, behind all code: in
/// this last part of it differences are no difference (?). The genuine agents of 2021 change none (V*).
const VARIABLES: usize = 8;

impl Session<'_, '_> {
    /// The boot ROM has everything, and starts the agent, which over a UART speaks at the speed of its header.
    pub(super) fn start_agent(&mut self) -> Result<(), Cause> {
        self.account.doing = "waiting for the agent to start".to_owned();
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

    /// The agent's code in RAM is the plan's, byte for byte. No boot ROM has been asked for its family, or an answer
    /// was lost while the agent was loaded; this tells more than either. Source: §4.5 (V*): other addresses than
    /// those of the flashes are read as memory.
    pub(super) fn check_agent(&mut self, agent: &[u8]) -> Result<(), Cause> {
        self.account.doing = "comparing the agent in RAM with the package's".to_owned();
        let variables = agent.len() - agent.len() / VARIABLES;
        for (number, piece) in agent.chunks(READ_MEM_BYTES).enumerate() {
            let at = number * READ_MEM_BYTES;
            self.read_memory(AGENT_AT + at as u32, piece.len())?;
            let code = piece.len().min(variables.saturating_sub(at));
            if self.link.payload().get(..code) != piece.get(..code) {
                return Err(Cause::Unsupported(format!(
                    "the agent that is running in the module is not the package's: it differs within {code} bytes \
                     from 0x{at:x}; power-cycle the module into download mode and run again"
                )));
            }
        }
        Ok(())
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
