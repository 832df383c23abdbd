//! From the mask ROM to a loader that can erase and write.
//!
//! ```text
//! UIS8910   PDL: CONNECT, load HOST_FDL, EXEC     FDL1: 7E, VER, CONNECT, CHANGE_BAUD, load FDL2, EXEC     FDL2: ACK
//! UIS8850   7E 7E 7E, VER, CONNECT, load FDL, EXEC (CRC-16)     FDL: 7E 7E 7E, VER, CONNECT (sum)
//! ```
//!
//! FDL1 stops for good at anything it does not expect, so it hears nothing but these commands with these values.
//! Source: specs/unisoc-pac-bsl.md §5.3, §6.1, §6.3, §6.4.

use super::{Session, objects};
use crate::unisoc::bsl::{Code, Command, patience};
use crate::unisoc::hdlc::{Check, FLAG};
use crate::unisoc::link::{Trouble, silent};
use crate::unisoc::plan::Step;
use crate::unisoc::session::Transport;
use crate::{Cause, FormatError, Phase, Progress};

/// Payload of a frame to FDL1, in bytes. Source: §4.5 (V).
const FDL1_FRAME: u16 = 0x840;
/// Payload of a frame to the mask ROM of the UIS8850, in bytes. Source: §4.5 (V).
const ROM_FRAME: u16 = 0x210;
/// The rate that the vendor's host names where none is wanted. Source: §6.1 step 6 (V).
const VENDOR_BAUD: u32 = 115_200;
/// A loader that is given one flag, and one that counts to three. Source: §5.3 (V).
const ONE_FLAG: &[u8] = &[FLAG];
const THREE_FLAGS: &[u8] = &[FLAG; 3];

impl<'p> Session<'_, 'p> {
    /// The mask ROM speaks PDL, FDL1 loads FDL2, and FDL2 says so by itself. Source: §6.3.
    pub(super) fn load_8910(&mut self) -> Result<(), Cause> {
        let (fdl1, fdl2) = (self.helper("HOST_FDL")?, self.helper("FDL2")?);
        // Asked twice, whatever is wrong with the first answer. Source: §9.1.
        if matches!(self.link.pdl_connect(), Ok(true)) || self.link.pdl_connect()? {
            self.load_fdl1(fdl1)?;
            self.sync_fdl1()?;
        } else {
            self.find_fdl1()?;
        }
        self.link.connect(patience::CONNECT)?;
        self.change_baud(VENDOR_BAUD)?;
        self.enter(Phase::LoadHelper, "loading `FDL2` into RAM");
        self.load(fdl2, FDL1_FRAME, 3)?;
        self.account.doing = "starting `FDL2`".to_owned();
        match self.link.command(Command::ExecData, &[], patience::EXEC) {
            // Either loader answers CONNECT; should FDL1 still be there, it stops at the next command, and flash is
            // as it was. Source: §5.3 (V).
            Err(Trouble::Lost(lost)) => Ok(self.link.revive(lost)?),
            Err(Trouble::Refused {
                code: Code::INCOMPATIBLE_PARTITION,
                ..
            }) => Ok(()),
            answer => Ok(answer?),
        }
    }

    /// Loads the first loader over PDL, with one full retry. Source: §6.3 step 4.
    fn load_fdl1(&mut self, fdl1: &Step) -> Result<(), Cause> {
        self.enter(Phase::LoadHelper, "loading `HOST_FDL` into RAM");
        self.account.ram_changes();
        let total = fdl1.data.len() as u64;
        let mut tries = 0;
        loop {
            tries += 1;
            let loaded = self.link.pdl_load(fdl1.address, &fdl1.data, |link, done| {
                link.report(Progress::Bytes {
                    image: &fdl1.id,
                    done: done as u64,
                    total,
                });
            });
            match loaded.and_then(|()| self.link.pdl_exec()) {
                Ok(()) => return Ok(()),
                Err(Trouble::Fatal(Cause::Wire(gone))) => return Err(gone.into()),
                Err(trouble) if tries == 2 => return Err(trouble.into()),
                Err(trouble) => {
                    let why = Cause::from(trouble);
                    self.link.note(&format!("{why}; beginning again"));
                    if !self.link.pdl_connect()? {
                        return Err(why);
                    }
                }
            }
        }
    }

    /// FDL1 answers its first flag with its version, and no later one. Source: §4.4, §6.3 step 5.
    fn sync_fdl1(&mut self) -> Result<(), Cause> {
        self.account.doing = "waiting for `HOST_FDL` to start".to_owned();
        match self.link.sync(ONE_FLAG, patience::SYNC)? {
            Some(Check::Sum16) => Ok(()),
            Some(Check::Crc16) => Err(other_rom("UIS8850")),
            None => self.connect_unheard("7E"),
        }
    }

    /// No version came from a loader that must be there: its one answer may have been lost, and CONNECT tells.
    fn connect_unheard(&mut self, flags: &str) -> Result<(), Cause> {
        match self.link.connect(patience::CONNECT) {
            Err(Trouble::Lost(_)) => {
                let (period, tries) = patience::SYNC;
                Err(silent(flags, period * tries, tries))
            }
            answer => Ok(answer?),
        }
    }

    /// No mask ROM answers. An FDL1 that has heard nothing yet can be used; any other loader is of a run that was
    /// broken off, and FDL1 and FDL2 cannot be told apart without harm. Source: §6.3 step 3.
    fn find_fdl1(&mut self) -> Result<(), Cause> {
        match self.link.sync(THREE_FLAGS, (patience::CONNECT, 1))? {
            Some(Check::Sum16) => {
                self.account.ram_changes();
                Ok(())
            }
            Some(Check::Crc16) => Err(other_rom("UIS8850")),
            None => self.refuse_old_loader("PDL CONNECT"),
        }
    }

    /// One stage: the mask ROM loads the loader and says so. Source: §6.4.
    pub(super) fn load_8850(&mut self) -> Result<(), Cause> {
        let fdl = self.helper("FDL")?;
        match self.link.sync(THREE_FLAGS, patience::SYNC_ROM)? {
            Some(Check::Crc16) => {}
            Some(Check::Sum16) => return Err(old_loader()),
            None if self.link.pdl_connect()? => return Err(other_rom("UIS8910")),
            None => self.find_rom_8850()?,
        }
        self.link.connect(patience::CONNECT)?;
        self.enter(Phase::LoadHelper, "loading `FDL` into RAM");
        // The ROM goes on counting over a second START_DATA: a broken load is not begun again. Source: §6.4 (V).
        self.load(fdl, ROM_FRAME, 1)?;
        self.account.doing = "starting `FDL`".to_owned();
        match self.link.command(Command::ExecData, &[], patience::EXEC) {
            // Flags tell: FDL answers them, and the ROM does not any more.
            Err(Trouble::Lost(why)) => self.link.note(&format!("{why}; taking it for done")),
            answer => answer?,
        }
        self.link.expect(Check::Sum16);
        if self.link.sync(THREE_FLAGS, patience::SYNC)?.is_none() {
            self.connect_unheard("7E 7E 7E")?;
        }
        self.link.connect(patience::CONNECT)?;
        match self.options.transport == Transport::Uart && self.options.baud.is_some() {
            true => self.change_baud(VENDOR_BAUD),
            false => Ok(()),
        }
    }

    /// Nobody says a version. A ROM whose only one was lost refuses a frame with another check sum, in a frame with its
    /// own; a loader that an earlier run has left acknowledges it. Source: §5.3, §6.4 (V).
    fn find_rom_8850(&mut self) -> Result<(), Cause> {
        self.link.expect(Check::Sum16);
        match self.refuse_old_loader("7E 7E 7E") {
            Err(Cause::Malformed { .. }) => {
                self.link.expect(Check::Crc16);
                Ok(())
            }
            refused => refused,
        }
    }

    /// CHANGE_BAUD, once a run. Over USB it means nothing; over a UART the module answers at the old rate and then
    /// switches, so an answer that was lost is no reason to stay. Source: §2.4 (V).
    fn change_baud(&mut self, default: u32) -> Result<(), Cause> {
        let uart = self.options.transport == Transport::Uart;
        let rate = self.options.baud.filter(|_| uart).unwrap_or(default);
        self.account.doing = format!("changing the line speed to {rate}");
        match self
            .link
            .command(Command::ChangeBaud, &rate.to_be_bytes(), patience::CHANGE_BAUD)
        {
            Ok(()) => {}
            Err(Trouble::Lost(why)) => self.link.note(&format!("{why}; taking it for done")),
            Err(refused) => return Err(refused.into()),
        }
        if uart {
            self.link.set_baud(rate)?;
            self.link.pause(patience::BAUD_SWITCH)?;
        }
        Ok(self.link.connect(patience::CONNECT)?)
    }

    /// Loads code over BSL.
    fn load(&mut self, step: &Step, frame: u16, tries: u32) -> Result<(), Cause> {
        self.account.ram_changes();
        let target = objects::words([step.address, step.data.len() as u32]);
        let object = objects::Object {
            name: &step.id,
            start: &target,
            data: &step.data,
            frame,
            midst: patience::MIDST_RAM,
            tries,
            for_flash: false,
        };
        self.send_object(&object)
    }

    fn helper(&self, id: &str) -> Result<&'p Step, Cause> {
        let missing = || FormatError::Missing {
            what: format!("the loader `{id}`"),
        };
        Ok(self.plan.loader(id).ok_or_else(missing)?)
    }

    /// Nobody answers as a mask ROM does: is a loader there?
    fn refuse_old_loader(&mut self, sent: &str) -> Result<(), Cause> {
        match self.link.command(Command::Connect, &[], patience::CONNECT) {
            Ok(()) => Err(old_loader()),
            Err(Trouble::Lost(Cause::Silent { .. })) => Err(silent(sent, patience::CONNECT, 2)),
            Err(other) => Err(other.into()),
        }
    }
}

fn old_loader() -> Cause {
    Cause::Unsupported(
        "the loader of an earlier run is still running in the module: power-cycle it and run again".into(),
    )
}

fn other_rom(chip: &str) -> Cause {
    Cause::WrongChip {
        why: format!("the boot ROM that answers is that of a {chip}"),
    }
}
