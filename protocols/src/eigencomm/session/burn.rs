//! One image goes into flash.
//!
//! ```text
//! H LPC sync, BURN_ONE                          M echo, ACK
//! H AGBOOT sync (swallowed), AGBOOT sync        M echo
//! H SEL_IMAGE, DATA_HEAD, header, DONE          M HMIT, ACK      BL and AP: the header goes into its sectors
//! H AGBOOT sync ..                              M echo           when the sectors of the block are erased
//! H SEL_IMAGE, DATA_HEAD, packet .., DONE       M body id, ACK   for each 64 KiB, SEL_IMAGE for the first
//! H GET_BURN_STATUS                             M 0              written, and compared by the agent
//! ```
//!
//! Source: specs/eigencomm-agentboot.md §4.6, §4.7, §7.3.

use super::Session;
use crate::eigencomm::commands::{AP_FLASH, CP_FLASH, Code, Command, Stage, patience};
use crate::eigencomm::header::{self, HEADER_ID};
use crate::eigencomm::link::{Heard, Trouble, silent};
use crate::eigencomm::plan::{Burn, Kind};
use crate::{Cause, Phase};

/// Bytes of a block, whatever the transport. Shorter first blocks corrupt the image on an EC618, with a good status.
/// Source: §4.6, §4.7 (V*).
const BLOCK_BYTES: usize = 0x10000;
/// Bytes that are erased with one command.
const ERASE_BYTES: u32 = 0x10000;
/// An image is begun so often. Source: §7.3.
const IMAGE_TRIES: u32 = 3;
const ANSWER: (std::time::Duration, u32) = (patience::COMMAND, patience::COMMAND_TRIES);

impl Session<'_, '_> {
    /// Clears what of a file's partition lies behind the file. Source: §4.4, §5 step 7.
    pub(super) fn clear_rest(&mut self, burn: &Burn) -> Result<(), Cause> {
        let rest = burn.rest();
        let mut at = rest.start;
        while at < rest.end {
            self.enter(
                Phase::Erase,
                &format!("clearing the partition of `{}` at 0x{at:x}", burn.name),
            );
            if at == rest.start {
                self.loop_sync(patience::AGENT_SYNCS)?;
            }
            let next = (at + 1).next_multiple_of(ERASE_BYTES).min(rest.end);
            let mut range = [0; 8];
            range[..4].copy_from_slice(&(next - at).to_le_bytes());
            range[4..].copy_from_slice(&(burn.flash.window() + at).to_le_bytes());
            self.account.flash_changes(&burn.name);
            let patience = (patience::ERASE, patience::ERASE_TRIES);
            self.link.command(Command::FLASH_ERASE, 0, &range, patience)?;
            at = next;
        }
        Ok(())
    }

    /// Writes an image, three times at most: one that was broken off can be begun again as if nothing had been.
    pub(super) fn write_image(&mut self, burn: &Burn) -> Result<(), Cause> {
        let header = header::of_burn(burn);
        let before = self.account.bytes();
        for tries_left in (0..IMAGE_TRIES).rev() {
            let place = format!("0x{:x} of the {}", burn.address, burn.flash.name());
            self.account.image_in_work(&burn.name);
            self.enter(Phase::Write, &format!("writing `{}` to {place}", burn.name));
            match self.burn(burn, &header, before) {
                Ok(()) => break,
                Err(trouble) if tries_left > 0 && worth_another_try(&trouble) => {
                    let why = Cause::from(trouble);
                    self.link
                        .note(&format!("{}: {why}; beginning it again", self.account.doing));
                    self.link.stay_silent()?;
                }
                Err(trouble) => return Err(trouble.into()),
            }
        }
        Ok(())
    }

    fn burn(&mut self, burn: &Burn, header: &[u8], before: u64) -> Result<(), Trouble> {
        self.loop_sync(patience::AGENT_SYNCS)?;
        let mut request = burn.kind.id().to_vec();
        match burn.kind {
            Kind::Modem => request.extend(CP_FLASH),
            // Without its flash, a file goes to the one that was named last: behind the modem's image, that is the
            // one with the calibration data. Shown by the genuine agents.
            Kind::File => request.extend(AP_FLASH),
            Kind::Bootloader | Kind::System => {}
        }
        // Said twice, it would break off what it began.
        self.link.ask(Command::BURN_ONE, 0, &request, patience::COMMAND)?;
        self.image_session()?;
        self.base_info(HEADER_ID)?;
        self.send_data(header, |_, _| {})?;
        self.account.flash_changes(&burn.name);
        self.image_bytes(&burn.name, before, 0, burn.data.len() as u64);
        self.link.command(Command::DONE, 0, &[], ANSWER)?;
        let total = burn.data.len() as u64;
        let blocks = burn.data.chunks(BLOCK_BYTES);
        let last = blocks.len() - 1;
        for (number, block) in blocks.enumerate() {
            let start = number * BLOCK_BYTES;
            self.account.doing = format!(
                "writing `{}` to 0x{:x} of the {}",
                burn.name,
                burn.address as usize + start,
                burn.flash.name()
            );
            self.image_session()?;
            // Once in front of the body, as the vendor's host does before each block: no agent asks for it, and over
            // USB it would cost a quarter of the time. Source: §4.6 step 6 (V*).
            if number == 0 {
                self.base_info(burn.kind.id())?;
            }
            self.send_data(block, |session, done| {
                session.image_bytes(&burn.name, before, start as u64 + done, total);
            })?;
            match number == last {
                false => self.link.command(Command::DONE, 0, &[], ANSWER)?,
                true => self.end_image()?,
            }
        }
        self.burn_status()
    }

    /// Opens AGBOOT for a header or a block. While the module erases and writes, syncs go unheard; none is sent
    /// before the one before it has had its time, for two at once may be cut in two. Source: §4.2, §4.6 (V*).
    fn image_session(&mut self) -> Result<(), Trouble> {
        let began = self.link.now();
        let mut tried = 0;
        loop {
            match self.link.sync(Stage::Image, patience::IMAGE_ECHO)? {
                Heard::Echo => return Ok(()),
                Heard::WrongState => return Err(Trouble::Elsewhere(Stage::Image.sync_name())),
                Heard::Silence => {}
            }
            tried += 1;
            let waited = self.link.now() - began;
            if waited > patience::BLOCK {
                return Err(Trouble::Lost(silent(Stage::Image.sync_name(), waited, tried)));
            }
            if tried % patience::IMAGE_SYNCS_BETWEEN_SILENCES == 0 {
                self.link.stay_silent()?;
            }
        }
    }

    /// Which agent it is, and that it waits for what is sent next. Source: §4.6 step 4.
    fn base_info(&mut self, wanted: [u8; 4]) -> Result<(), Trouble> {
        self.link.command(Command::GET_VERSION, 0, &[], ANSWER)?;
        self.note_agent();
        self.link.command(Command::SEL_IMAGE, 0, &[], ANSWER)?;
        if self.link.payload() != wanted {
            let announced = self.link.payload().escape_ascii();
            return Err(Trouble::Lost(Cause::Malformed {
                sent: Command::SEL_IMAGE.name.into(),
                answer: format!("that it wants `{announced}`"),
            }));
        }
        self.link.command(Command::VERIFY_IMAGE, 0, &[], ANSWER)
    }

    /// Says once which agent it is: its build stands in its version. Source: §6 (V*).
    fn note_agent(&mut self) {
        let build = self.link.payload().get(8..12);
        if let Some(&[a, b, c, d]) = build.filter(|_| !self.agent_noted) {
            self.agent_noted = true;
            self.link
                .note(&format!("the agent is build 0x{d:02x}{c:02x}{b:02x}{a:02x}"));
        }
    }

    /// DONE of the last block. Once it has arrived, the agent is back in its command loop, where another one would
    /// be misread; should the answer be lost, the status tells. Source: §7.2, §7.3 (V*).
    fn end_image(&mut self) -> Result<(), Trouble> {
        for _ in 0..patience::COMMAND_TRIES {
            match self.link.ask(Command::DONE, 0, &[], patience::COMMAND) {
                Err(Trouble::Refused { code, .. }) if code.is_of_the_line() => {
                    self.link.pause(patience::FLUSH)?;
                }
                Err(Trouble::Lost(why)) => {
                    self.link.note(&format!("{why}; asking for the status"));
                    break;
                }
                answer => return answer,
            }
        }
        Ok(())
    }

    /// Waits until the last block is written. Source: §4.6 step 7.
    fn burn_status(&mut self) -> Result<(), Trouble> {
        let until = self.link.now() + patience::STATUS;
        loop {
            let sent = Command::GET_BURN_STATUS;
            let answer = self.link.ask(sent, 0, &[], patience::STATUS_ANSWER);
            let answer = answer.map(|()| {
                self.link
                    .payload()
                    .try_into()
                    .map_or(u32::MAX, u32::from_le_bytes)
            });
            let over = self.link.now() >= until;
            match answer.map(Code) {
                Ok(Code::GOOD) => return Ok(()),
                Ok(Code::NOT_FINISHED) if !over => self.link.pause(patience::STATUS_AGAIN)?,
                Ok(code) => return Err(Trouble::Refused { sent, index: 0, code }),
                Err(Trouble::Lost(_)) if !over => {}
                // The rest of a DONE that the command loop did not understand. Source: §7.2 (V*).
                Err(Trouble::Refused { code, .. }) if code.is_of_the_line() && !over => {}
                Err(trouble) => return Err(trouble),
            }
        }
    }
}

fn worth_another_try(trouble: &Trouble) -> bool {
    match trouble {
        Trouble::Lost(_) | Trouble::Elsewhere(_) => true,
        Trouble::Refused { code, .. } => code.allows_another_try(),
        Trouble::Fatal(_) => false,
    }
}
