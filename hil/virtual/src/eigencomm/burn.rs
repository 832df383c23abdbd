//! What AGBOOT does with a header and with blocks: it erases, programs and reads back. Source:
//! specs/eigencomm-agentboot.md §4.4, §4.6, and the genuine agents of 2021.
//!
//! Hashes and counts are not checked: what is wrong is noted, and refused only by a strict module.

use std::ops::Range;
use std::time::Duration;

use sha2::{Digest, Sha256};

use super::agent::Agent;
use super::desk::{Desk, Turn};
use super::flash::{
    AP_AT_UNLESS_TOLD, AP_HEADER_AT, BL_AT, BL_HEADER_AT, CALIBRATION, FlashChip, OutsideTheChip,
};
use super::frame::code;
use super::header::{HEADER, Header, ImageId};
use super::input::Input;
use crate::fault::EigencommStage;

const STAGE: EigencommStage = EigencommStage::Ag;
/// Bytes of a block; the last one is shorter.
const BLOCK: usize = 0x1_0000;
/// Largest image. Measured on the genuine agents.
const LARGEST_IMAGE: u32 = 0x3F_C000;
/// Lowest address of an image in the AP flash. Source: §4.6 [V*].
const LOWEST: u32 = 0x4000;
/// Bytes erased around a stored header.
const HEADER_SECTORS: usize = 0x2000;
/// Time to program 256 bytes. Source: appendix A [?].
const PROGRAM_256: Duration = Duration::from_micros(400);

/// The image being burned.
#[derive(Debug, Default)]
pub(super) struct Burn {
    /// What BURN_ONE has named.
    pub target: Option<(ImageId, FlashChip)>,
    /// The header, when its session is over, and where the image goes.
    pub header: Option<Header>,
    at: usize,
    /// Bytes of the image that are programmed.
    written: usize,
    digest: Sha256,
    /// Time that the erase in the background takes.
    erases_for: Duration,
    pub session: Session,
}

/// One session: the header's, or a block's.
#[derive(Debug, Default)]
pub(super) struct Session {
    /// Bytes received, index of the next packet, and what the last DATA_HEAD was granted.
    pub received: usize,
    pub index: u8,
    pub granted: Option<usize>,
    /// The data of the last DATA_HEAD; a shorter one overwrites its beginning only.
    pub asked: [u8; 4],
    pub wrong_lengths: u32,
}

impl Burn {
    pub fn new(id: ImageId, chip: FlashChip) -> Self {
        Burn {
            target: Some((id, chip)),
            ..Burn::default()
        }
    }

    /// Bytes that the current session is to receive.
    pub fn expected(&self) -> usize {
        match &self.header {
            None => HEADER,
            Some(header) => (header.size() as usize - self.written).min(BLOCK),
        }
    }

    fn chip(&self) -> FlashChip {
        self.target.map_or(FlashChip::Ap, |(_, chip)| chip)
    }

    /// Where the next block goes.
    fn next_block(&self) -> Range<usize> {
        let start = self.at + self.written;
        start..start + self.expected()
    }
}

impl Agent {
    /// Reads the header; false when there is nothing to write, the status of the failure otherwise.
    pub(super) fn begin_image(
        &mut self,
        input: &mut Input,
        desk: &mut Desk,
        turn: &mut Turn<'_>,
    ) -> Result<bool, u32> {
        let header = <[u8; HEADER]>::try_from(&self.header_buffer[..HEADER]);
        let (Ok(header), Some((id, chip))) = (header.map(Header), self.burn.target) else {
            return Err(code::WRONG_IMAGE);
        };
        self.look_at(&header, id, desk)?;
        if header.id() != id.bytes() {
            return Err(code::WRONG_IMAGE);
        }
        if header.is_skipped() || header.size() == 0 {
            return Ok(false);
        }
        if header.size() > LARGEST_IMAGE {
            return Err(code::TOO_LARGE);
        }
        self.store_header(&header, id, input, turn)?;
        self.burn.at = place(id, chip, header.burn_address())?;
        let is_calibration =
            chip == FlashChip::Cp && self.burn.at + header.size() as usize > CALIBRATION.start;
        if is_calibration {
            desk.violation(STAGE, "an image over RF data");
            if self.conduct.strict {
                return Err(code::ERASE_FAILED);
            }
        }
        self.burn.header = Some(header);
        self.erase_block(input, turn)?;
        Ok(true)
    }

    /// Writes the headers of bootloader and AP to their sectors.
    fn store_header(
        &mut self,
        header: &Header,
        id: ImageId,
        input: &mut Input,
        turn: &mut Turn<'_>,
    ) -> Result<(), u32> {
        let at = match id {
            ImageId::Bl => BL_HEADER_AT,
            ImageId::Ap => AP_HEADER_AT,
            ImageId::Cp | ImageId::Flex => return Ok(()),
        };
        let chip = self.burn.chip();
        let takes = self.flash().erase(chip, at, HEADER_SECTORS);
        let takes = takes.map_err(|OutsideTheChip| code::ERASE_FAILED)?;
        self.be_busy(takes + 2 * PROGRAM_256, false, input, turn.now);
        let is_good = self.flash().program(chip, at, &header.0);
        if is_good { Ok(()) } else { Err(code::DIFFERS) }
    }

    /// Notes what the genuine agents do not look at.
    fn look_at(&self, header: &Header, id: ImageId, desk: &Desk) -> Result<(), u32> {
        let address = header.burn_address();
        let wrongs = [
            (
                !header.has_own_hash(),
                "a header that does not match its own hash",
            ),
            (
                !header.is_usual(),
                "a header with other constants than the vendor's",
            ),
            (header.flags() & 2 != 0, "a header that asks for dribbling"),
            (
                id != ImageId::Bl && !address.is_multiple_of(0x1000),
                "an image that begins inside a sector",
            ),
        ];
        let mut is_wrong = false;
        for (_, text) in wrongs.into_iter().filter(|(is_wrong, _)| *is_wrong) {
            desk.violation(STAGE, text);
            is_wrong = true;
        }
        if is_wrong && self.conduct.strict {
            Err(code::BAD_PARAMETER)
        } else {
            Ok(())
        }
    }

    /// Erases what the next block needs. A whole aligned block is erased while its data arrive; before any other the
    /// input is dropped when the erase is over.
    fn erase_block(&mut self, input: &mut Input, turn: &mut Turn<'_>) -> Result<(), u32> {
        let (chip, block) = (self.burn.chip(), self.burn.next_block());
        let takes = self.flash().erase(chip, block.start, block.len());
        let takes = takes.map_err(|OutsideTheChip| code::ERASE_FAILED)?;
        let in_background = block.len() == BLOCK && block.start.is_multiple_of(BLOCK);
        if in_background {
            self.burn.erases_for = takes;
        } else {
            self.be_busy(takes, true, input, turn.now);
        }
        Ok(())
    }

    /// Programs the block and reads it back; false when it was the last.
    pub(super) fn program_block(
        &mut self,
        input: &mut Input,
        desk: &mut Desk,
        turn: &mut Turn<'_>,
    ) -> Result<bool, u32> {
        let (chip, block) = (self.burn.chip(), self.burn.next_block());
        let bytes = self.buffer[..block.len()].to_vec();
        let takes =
            PROGRAM_256 * block.len().div_ceil(256) as u32 + std::mem::take(&mut self.burn.erases_for);
        self.be_busy(takes, false, input, turn.now);
        if !self.flash().program(chip, block.start, &bytes) {
            return Err(code::DIFFERS);
        }
        self.burn.digest.update(&bytes);
        self.burn.written += block.len();
        if self.burn.expected() > 0 {
            self.erase_block(input, turn)?;
            return Ok(true);
        }
        let digest = std::mem::take(&mut self.burn.digest).finalize();
        let announced = self
            .burn
            .header
            .as_ref()
            .is_some_and(|header| header.0[96..128] == digest[..]);
        if !announced {
            desk.violation(STAGE, "an image that is not the one its header announces");
            if self.conduct.strict {
                return Err(code::DIFFERS);
            }
        }
        Ok(false)
    }
}

/// Where an image goes in its chip. Source: §4.6 [V*].
fn place(id: ImageId, chip: FlashChip, address: u32) -> Result<usize, u32> {
    match (id, chip, address) {
        (ImageId::Bl, ..) => Ok(BL_AT),
        (ImageId::Ap, _, 0) => Ok(AP_AT_UNLESS_TOLD),
        (ImageId::Flex, _, 0) => Err(code::ERASE_FAILED),
        (_, FlashChip::Ap, address) if address < LOWEST => Err(code::BAD_ADDRESS),
        (_, _, address) if address % 0x100 != 0 => Err(code::BAD_ADDRESS),
        (_, _, address) => Ok(address as usize),
    }
}
