//! From the boot ROM to a loaded agent.
//!
//! ```text
//! H sync, GET_VERSION       M 00000002 ..       the family: nothing is sent to another one
//! H SEL_IMAGE               M HMIT              a header is wanted: DATA_HEAD, DOWNLOAD_DATA, DONE
//! H sync, .., SEL_IMAGE     M IMBO              the agent is wanted: the same, in the ROM's packets
//! ```
//!
//! Source: specs/eigencomm-agentboot.md §3.

use super::Session;
use crate::eigencomm::commands::{Command, Stage, patience};
use crate::eigencomm::frame::Check;
use crate::eigencomm::header::{self, AGENT_ID, HEADER_ID};
use crate::eigencomm::link::{Heard, Trouble, silent};
use crate::{Cause, Progress};

/// Line speed of the boot ROM. Source: §1.2 (V).
const ROM_BAUD: u32 = 115_200;
/// Top byte of the ROM's version: the family. Source: §3.4 (?): derived from all the values of the vendor's settings.
const FAMILY_EC618: u8 = 0x02;
/// A header is offered so often when the answer to its end is lost.
const HEADER_TRIES: u32 = 3;
/// DATA_HEAD is repeated so often when its answer makes no sense.
const GRANT_TRIES: u32 = 3;
/// Patience with any of the ROM's answers.
const ANSWER: (std::time::Duration, u32) = (patience::COMMAND, patience::COMMAND_TRIES);

impl Session<'_, '_> {
    /// Looks for the boot ROM; false when an agent is there already, as after a run that was broken off.
    /// Source: §3.1, §5.
    pub(super) fn find(&mut self) -> Result<bool, Cause> {
        for _ in 0..patience::ROUNDS {
            if self.is_uart() {
                self.link.set_baud(ROM_BAUD)?;
            }
            match self.rom_sync(patience::ROM_SYNCS)? {
                Heard::Echo => return Ok(true),
                Heard::WrongState => return self.found_agent(),
                Heard::Silence => {}
            }
            // An agent that listens at its own speed, or that waits for the rest of an image.
            if self.is_uart() {
                self.link.set_baud(self.settings().agent_baud)?;
            }
            self.link.stay_silent()?;
            for _ in 0..patience::LOOP_SYNCS {
                if self.link.sync(Stage::Loop, patience::ECHO)? == Heard::Echo {
                    return self.found_agent();
                }
            }
        }
        let tries = patience::ROUNDS * (patience::ROM_SYNCS + patience::LOOP_SYNCS);
        let waited = patience::ECHO * tries + patience::SILENCE * patience::ROUNDS;
        Err(silent(Stage::Rom.sync_name(), waited, tries))
    }

    /// Some agent answers. It must be the plan's: its RAM will be compared.
    fn found_agent(&mut self) -> Result<bool, Cause> {
        self.link
            .note("an agent is already running in the module; using it if it is the package's");
        self.link.expect(Check::Crc);
        self.agent_doubted = true;
        self.loop_sync(patience::AGENT_SYNCS)?;
        Ok(false)
    }

    fn rom_sync(&mut self, tries: u32) -> Result<Heard, Cause> {
        for _ in 0..tries {
            match self.link.sync(Stage::Rom, patience::ECHO)? {
                Heard::Echo if self.link.ends_with_the_echo()? => return Ok(Heard::Echo),
                Heard::Echo | Heard::Silence => {}
                Heard::WrongState => return Ok(Heard::WrongState),
            }
        }
        Ok(Heard::Silence)
    }

    /// The boot ROM has echoed. Source: §3.5.
    pub(super) fn load_agent(&mut self, agent: &[u8]) -> Result<(), Cause> {
        let header = header::of_agent(agent, self.settings());
        let mut offered = 0;
        while self.rom_wants()? == HEADER_ID {
            if offered == HEADER_TRIES {
                return Err(out_of_step("it keeps asking for the agent's header"));
            }
            offered += 1;
            self.send_data(&header, |_, _| {})?;
            self.rom_done()?;
            if self.rom_sync(patience::COMMAND_TRIES)? != Heard::Echo {
                let waited = patience::ECHO * patience::COMMAND_TRIES;
                return Err(silent(Stage::Rom.sync_name(), waited, patience::COMMAND_TRIES));
            }
        }
        if offered == 0 {
            return Err(out_of_step(
                "it waits for the rest of an agent, of a run that was broken off",
            ));
        }
        self.account.ram_changes();
        let total = agent.len() as u64;
        self.send_data(agent, |session, done| {
            session.link.report(Progress::Bytes {
                image: "agentboot",
                done,
                total,
            });
        })?;
        // Nobody knows what the ROM makes of a packet that comes twice.
        self.agent_doubted = self.link.has_retried();
        self.account.doing = "starting the agent".to_owned();
        self.rom_done()
    }

    /// Asks the ROM who it is, and what it wants: a header, or the agent.
    fn rom_wants(&mut self) -> Result<[u8; 4], Cause> {
        let known = |version: &[u8]| version.get(3) == Some(&FAMILY_EC618);
        let version = self.rom_says(Command::GET_VERSION, known)?;
        if !known(&version) {
            return Err(Cause::WrongChip {
                why: format!(
                    "the boot ROM's version is {}, that of an EC618 begins with 0x02",
                    version_words(&version)
                ),
            });
        }
        let known = |id: &[u8]| id == HEADER_ID || id == AGENT_ID;
        let wanted = self.rom_says(Command::SEL_IMAGE, known)?;
        if !known(&wanted) {
            return Err(out_of_step(&format!("it wants `{}`", wanted.escape_ascii())));
        }
        self.link.command(Command::VERIFY_IMAGE, 0, &[], ANSWER)?;
        Ok(wanted.try_into().unwrap_or_default())
    }

    /// The ROM's answer. It has no check sum, so one that we do not know counts only when it comes twice.
    fn rom_says(&mut self, command: Command, is_known: impl Fn(&[u8]) -> bool) -> Result<Vec<u8>, Cause> {
        let mut before = Vec::new();
        for _ in 0..patience::COMMAND_TRIES {
            self.link.command(command, 0, &[], ANSWER)?;
            let answer = self.link.payload();
            if is_known(answer) || answer == before {
                return Ok(answer.to_vec());
            }
            before = answer.to_vec();
        }
        Ok(before)
    }

    /// The end of the header or the agent. When the answer is lost, what the module says next tells whether it had
    /// arrived; repeated, it would be bytes that nobody waits for.
    fn rom_done(&mut self) -> Result<(), Cause> {
        match self.link.ask(Command::DONE, 0, &[], patience::COMMAND) {
            Err(Trouble::Lost(why)) => {
                self.link.note(&format!("{why}; going on"));
                Ok(())
            }
            answer => Ok(answer?),
        }
    }
}

/// Packets, for the boot ROM and for the agent.
impl Session<'_, '_> {
    /// DATA_HEAD and DOWNLOAD_DATA until everything is sent, in packets of the size that the module grants.
    pub(super) fn send_data(
        &mut self,
        data: &[u8],
        mut acknowledged: impl FnMut(&mut Self, u64),
    ) -> Result<(), Trouble> {
        let (mut rest, mut index) = (data, 0u8);
        while !rest.is_empty() {
            let packet = self.granted(rest)?;
            self.link.command(Command::DOWNLOAD_DATA, index, packet, ANSWER)?;
            (rest, index) = (&rest[packet.len()..], index.wrapping_add(1));
            acknowledged(self, (data.len() - rest.len()) as u64);
        }
        Ok(())
    }

    /// As much of the rest as the module takes at once.
    fn granted<'d>(&mut self, rest: &'d [u8]) -> Result<&'d [u8], Trouble> {
        let left = (rest.len() as u32).to_le_bytes();
        let mut granted = 0;
        for _ in 0..GRANT_TRIES {
            self.link.command(Command::DATA_HEAD, 0, &left, ANSWER)?;
            granted = self.link.payload().try_into().map_or(0, u32::from_le_bytes) as usize;
            if let Some(packet) = rest.get(..granted).filter(|packet| !packet.is_empty()) {
                return Ok(packet);
            }
        }
        Err(Trouble::Lost(Cause::Malformed {
            sent: Command::DATA_HEAD.name.into(),
            answer: format!("a packet of {granted} bytes where {} are left", rest.len()),
        }))
    }
}

fn version_words(version: &[u8]) -> String {
    let words = version
        .chunks_exact(4)
        .map(|word| format!("0x{:02x}{:02x}{:02x}{:02x}", word[3], word[2], word[1], word[0]));
    words.collect::<Vec<_>>().join(" ")
}

fn out_of_step(how: &str) -> Cause {
    Cause::Unsupported(format!(
        "the boot ROM is in the middle of something: {how}; power-cycle the module and run again"
    ))
}
