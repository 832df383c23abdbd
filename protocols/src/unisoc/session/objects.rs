//! Objects: what is sent between START_DATA and END_DATA, and what is erased.
//!
//! An acknowledgement that is lost is never answered by sending the frame again, which the module would append a
//! second time: the object begins anew at START_DATA. Source: specs/unisoc-pac-bsl.md §5.4, §9.1, §9.2 (V).

use std::time::Duration;

use super::{Session, Step};
use crate::unisoc::bsl::{Code, Command, address, patience};
use crate::unisoc::link::Trouble;
use crate::{Cause, Phase, Progress};

/// How often an object is sent at most when answers are lost or sizes differ. Source: §9.1: two tries more.
pub(super) const TRIES: u32 = 3;
/// The same when what was written reads back differently: a fault of the flash. Source: §9.1: one try more.
const TRIES_AFTER_VERIFY_ERROR: u32 = 2;

/// One object on the wire.
pub(super) struct Object<'a> {
    pub name: &'a str,
    /// What START_DATA carries.
    pub start: &'a [u8],
    pub data: &'a [u8],
    /// Payload of one frame, in bytes.
    pub frame: u16,
    /// Patience with one frame.
    pub midst: Duration,
    pub tries: u32,
    pub for_flash: bool,
}

/// Words as the protocol has them, big-endian.
pub(super) fn words<const N: usize>(words: [u32; N]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_be_bytes()).collect()
}

impl Session<'_, '_> {
    pub(super) fn write_image(&mut self, step: &Step) -> Result<(), Cause> {
        let doing = format!("writing `{}` to 0x{:08x}", step.id, step.address);
        self.enter(Phase::Write, &doing);
        self.send_to_flash(
            &step.id,
            &words([step.address, step.data.len() as u32]),
            &step.data,
        )
    }

    pub(super) fn write_phase_check(&mut self, record: &[u8]) -> Result<(), Cause> {
        let target = words([address::PHASE_CHECK, address::PHASE_CHECK_BYTES]);
        self.send_to_flash("PhaseCheck", &target, record)
    }

    /// Sends an object to the loader that writes flash.
    pub(super) fn send_to_flash(&mut self, name: &str, start: &[u8], data: &[u8]) -> Result<(), Cause> {
        self.flash_changes(name)?;
        self.send_object(&Object {
            name,
            start,
            data,
            frame: self.options.frame,
            midst: patience::MIDST,
            tries: TRIES,
            for_flash: true,
        })
    }

    /// Sends an object until every frame of it has been acknowledged.
    pub(super) fn send_object(&mut self, object: &Object<'_>) -> Result<(), Cause> {
        let (before, doing) = (self.account.bytes(), self.account.doing.clone());
        let mut tries = 0;
        loop {
            tries += 1;
            self.account.doing.clone_from(&doing);
            let trouble = match self.attempt(object, before) {
                Ok(()) => {
                    self.account.doing = doing;
                    return Ok(());
                }
                Err(trouble) => trouble,
            };
            let allowed = match trouble {
                Trouble::Lost(_) => object.tries,
                // A stage that loads into RAM stops when it has refused. Source: §9.1 (V).
                Trouble::Refused { .. } if !object.for_flash => 1,
                Trouble::Refused {
                    code: Code::DOWN_SIZE_ERROR,
                    ..
                } => object.tries,
                Trouble::Refused {
                    code: Code::VERIFY_ERROR,
                    ..
                } => object.tries.min(TRIES_AFTER_VERIFY_ERROR),
                _ => 1,
            };
            if tries >= allowed {
                return Err(trouble.into());
            }
            if let Trouble::Lost(lost) = trouble {
                self.link.revive(lost)?;
            }
            self.link.note(&format!("beginning `{}` again", object.name));
        }
    }

    /// START_DATA, MIDST_DATA to the last byte, END_DATA. The next frame is encoded while the module works.
    fn attempt(&mut self, object: &Object<'_>, before: u64) -> Result<(), Trouble> {
        let doing = self.account.doing.clone();
        let total = object.data.len() as u64;
        self.link
            .command(Command::StartData, object.start, patience::START)?;
        self.progress(object, before, 0);
        let mut frames = object.data.chunks(object.frame.into());
        let mut done = 0;
        let mut current = frames.next();
        if let Some(first) = current {
            self.link.prepare(Command::MidstData, first);
        }
        while let Some(frame) = current {
            self.link.send()?;
            current = frames.next();
            if let Some(next) = current {
                self.link.prepare(Command::MidstData, next);
            }
            if let Err(trouble) = self.link.acknowledged(object.midst) {
                self.account.doing = format!("{doing}, at byte {done} of {total}");
                return Err(trouble);
            }
            done += frame.len() as u64;
            self.progress(object, before, done);
        }
        self.link.command(Command::EndData, &[], patience::END)
    }

    fn progress(&mut self, object: &Object<'_>, before: u64, done: u64) {
        let (image, total) = (object.name, object.data.len() as u64);
        match object.for_flash {
            true => self.image_bytes(image, before, done, total),
            false => self.link.report(Progress::Bytes { image, done, total }),
        }
    }

    /// Erases a region, a file system, or what a special address stands for.
    pub(super) fn erase(&mut self, step: &Step, size: u32) -> Result<(), Cause> {
        let doing = format!("erasing `{}` at 0x{:08x}", step.id, step.address);
        self.enter(Phase::Erase, &doing);
        self.erase_flash(&step.id, [step.address, size], patience::ERASE)
    }

    pub(super) fn erase_all_flash(&mut self) -> Result<(), Cause> {
        self.enter(Phase::Erase, "erasing the whole flash");
        let everything = [address::EVERYTHING, address::EVERYTHING_BYTES];
        self.erase_flash("the whole flash", everything, patience::ERASE_EVERYTHING)
    }

    /// Erasing twice does no harm, so an answer that was lost is asked for again.
    fn erase_flash(&mut self, name: &str, target: [u32; 2], within: Duration) -> Result<(), Cause> {
        let is_first = !self.account.is_half_written();
        self.flash_changes(name)?;
        let mut tries = 0;
        loop {
            tries += 1;
            match self.link.command(Command::EraseFlash, &words(target), within) {
                Ok(()) => return Ok(()),
                Err(Trouble::Lost(lost)) if tries < TRIES => self.link.revive(lost)?,
                Err(Trouble::Refused {
                    code: Code::UNKNOWN_DEVICE,
                    ..
                }) if tries == 1 && is_first => {
                    self.account.take_back();
                    return Err(unknown_model());
                }
                Err(trouble) => return Err(trouble.into()),
            }
        }
    }
}

/// The loader's own guard, at the first erase: nothing has been changed by then. Source: §7 (V).
fn unknown_model() -> Cause {
    Cause::WrongChip {
        why: format!(
            "the loader answers ERASE_FLASH with {}: this module's model is not in the list of models that the \
             firmware is for, and nothing has been erased",
            Code::UNKNOWN_DEVICE
        ),
    }
}
