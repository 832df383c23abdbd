//! What the flashes hold: 64 KiB at a time where the agent does it, else 240 bytes.
//!
//! ```text
//! H BULK_READ 1, raw offset, chip     M 24 00 4C B3 00 FA, 65,536 bytes, CRC32
//! H READ_MEM length, address          M length bytes
//! ```
//!
//! Source: specs/eigencomm-agentboot.md §4.5 (V*).

use super::Session;
use crate::eigencomm::commands::{AP_FLASH, CP_FLASH, Command, patience};
use crate::eigencomm::frame::BULK_BYTES;
use crate::eigencomm::header;
use crate::eigencomm::link::Trouble;
use crate::eigencomm::map::{CP_IMAGES, Flash, RF_BACKUP};
use crate::eigencomm::plan::Burn;
use crate::eigencomm::session::agent::READ_MEM_BYTES;
use crate::{Cause, Progress};

/// The RF data are read so often at most.
const RF_TRIES: u32 = 3;
/// From this size on, one BULK_READ costs less than READ_MEM.
const BULK_FROM: u32 = 0x1000;

impl Session<'_, '_> {
    /// `size` bytes from a raw address of a flash. The agent is in its command loop.
    pub(super) fn read(&mut self, flash: Flash, start: u32, size: u32) -> Result<Vec<u8>, Trouble> {
        let mut bytes = Vec::with_capacity(size as usize);
        while bytes.len() < size as usize {
            let at = start + bytes.len() as u32;
            let left = size - bytes.len() as u32;
            if self.bulk_reads && left >= BULK_FROM && self.read_bulk(flash, at, left, &mut bytes)? {
                continue;
            }
            let piece = (left as usize).min(READ_MEM_BYTES);
            self.read_memory(flash.window() + at, piece)?;
            bytes.extend(self.link.payload());
        }
        Ok(bytes)
    }

    /// What cannot be replaced: it is read until every answer was the answer to its own request.
    pub(super) fn read_rf(&mut self) -> Result<Vec<u8>, Cause> {
        self.account.doing = format!("reading the RF data at 0x{:x} of the CP flash", RF_BACKUP.start);
        for _ in 0..RF_TRIES {
            self.loop_sync(patience::AGENT_SYNCS)?;
            let rf = self.read(Flash::Cp, RF_BACKUP.start, RF_BACKUP.end - RF_BACKUP.start)?;
            if self.link.is_settled()? {
                return Ok(rf);
            }
            self.link.note("an answer too many: reading the RF data again");
        }
        Err(Cause::Malformed {
            sent: Command::BULK_READ.name.into(),
            answer: "more answers than it was asked for".into(),
        })
    }

    /// Appends up to 64 KiB; false when the agent does not do this. The window is moved back where it would reach
    /// beyond the chip, for nobody checks that.
    fn read_bulk(&mut self, flash: Flash, at: u32, left: u32, bytes: &mut Vec<u8>) -> Result<bool, Trouble> {
        let from = at.min(flash.size() - BULK_BYTES as u32);
        let mut request = [0; 10];
        request[..4].copy_from_slice(&1u32.to_le_bytes());
        request[4..8].copy_from_slice(&from.to_le_bytes());
        request[8..].copy_from_slice(match flash {
            Flash::Ap => &AP_FLASH,
            Flash::Cp => &CP_FLASH,
        });
        let patience = (patience::BULK_READ, patience::BULK_READ_TRIES);
        match self.link.command(Command::BULK_READ, 0, &request, patience) {
            Ok(()) => {}
            Err(Trouble::Fatal(cause)) => return Err(Trouble::Fatal(cause)),
            Err(why) => {
                self.link
                    .note(&format!("{}; reading in small pieces instead", Cause::from(why)));
                self.bulk_reads = false;
                self.link.stay_silent()?;
                self.loop_sync(patience::AGENT_SYNCS)?;
                return Ok(false);
            }
        }
        let skipped = (at - from) as usize;
        let wanted = self.link.payload().get(skipped..).unwrap_or_default();
        let wanted = &wanted[..wanted.len().min(left as usize)];
        bytes.extend(wanted);
        Ok(!wanted.is_empty())
    }

    /// An image and its stored header are what was sent.
    pub(super) fn compare_image(&mut self, burn: &Burn) -> Result<(), Cause> {
        if let Some(sectors) = burn.kind.header() {
            self.account.doing = format!("reading back the header of `{}`", burn.name);
            let header = header::of_burn(burn);
            self.compare(Flash::Ap, sectors.start, &header)?;
        }
        let total = burn.data.len() as u64;
        for (number, block) in burn.data.chunks(BULK_BYTES).enumerate() {
            let start = (number * BULK_BYTES) as u32;
            self.account.doing = format!(
                "reading back `{}` at 0x{:x} of the {}",
                burn.name,
                burn.address + start,
                burn.flash.name()
            );
            self.compare(burn.flash, burn.address + start, block)?;
            self.link.report(Progress::Bytes {
                image: &burn.name,
                done: u64::from(start) + block.len() as u64,
                total,
            });
        }
        Ok(())
    }

    /// What nobody can replace is as it was before.
    pub(super) fn compare_rf(&mut self, rf: &[u8]) -> Result<(), Cause> {
        self.account.doing = "comparing the RF data with those of before".to_owned();
        let kept = rf
            .get((CP_IMAGES.end - RF_BACKUP.start) as usize..)
            .unwrap_or_default();
        self.compare(Flash::Cp, CP_IMAGES.end, kept)
    }

    fn compare(&mut self, flash: Flash, at: u32, wanted: &[u8]) -> Result<(), Cause> {
        let differs = |held: &[u8]| match held == wanted {
            true => None,
            false => held.iter().zip(wanted).position(|(held, wanted)| held != wanted),
        };
        let mut held = self.read(flash, at, wanted.len() as u32)?;
        if differs(&held).is_some() && !self.link.is_settled()? {
            self.link.note("an answer too many: reading that again");
            held = self.read(flash, at, wanted.len() as u32)?;
        }
        let Some(first) = differs(&held) else {
            return Ok(());
        };
        Err(Cause::Malformed {
            sent: if self.bulk_reads {
                Command::BULK_READ
            } else {
                Command::READ_MEM
            }
            .name
            .into(),
            answer: format!(
                "other bytes than were written: at 0x{:x} of the {} it holds 0x{:02x} instead of 0x{:02x}",
                at as usize + first,
                flash.name(),
                held[first],
                wanted[first]
            ),
        })
    }
}
