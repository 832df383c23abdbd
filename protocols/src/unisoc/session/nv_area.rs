//! What the module holds and nobody else has: read, kept, merged, written, read back.
//!
//! ```text
//! H READ_FLASH FE000003, 0x3000, offset 0, 0x3000, ...     M 0x93 bytes; 0x96 where there is none
//! H START_DATA FE000003, size, byte sum; MIDST_DATA ...; END_DATA
//! ```
//!
//! Source: specs/unisoc-pac-bsl.md §5.4, §5.5, §6.3 steps 8 and 9, §6.6.

use super::objects::{TRIES, words};
use super::{Keeper, Kept, Session, no_nv, nv_differs};
use crate::unisoc::bsl::{Code, Command, address, patience};
use crate::unisoc::link::Trouble;
use crate::unisoc::nv::{self, MergeRefusal, Merged};
use crate::{Cause, Platform};

/// Bytes asked for at once. Source: §4.5, §5.4 (V).
const PIECE_BYTES: u32 = 0x3000;

/// What the module holds and nobody else has.
pub(super) struct Own {
    /// The NV area, checked.
    pub nv: Option<Vec<u8>>,
    /// The record of production.
    pub phase_check: Option<Vec<u8>>,
}

/// What came back for a piece.
enum Piece {
    Bytes,
    Nothing(Code),
}

impl<'p> Session<'_, 'p> {
    /// Reads what must not be lost, and makes sure that it is the module it was in run mode.
    pub(super) fn read_own(&mut self) -> Result<Own, Cause> {
        let nv = match self.read_nv() {
            Err(damaged @ Cause::Malformed { .. }) if self.options.earlier_nv.is_some() => {
                self.link.note(&damaged.to_string());
                None
            }
            read => read?,
        };
        self.imei = nv.as_deref().and_then(nv::imei);
        self.check_imei()?;
        self.account.doing = "reading the record of production".to_owned();
        let phase_check = self.read_phase_check()?;
        Ok(Own { nv, phase_check })
    }

    /// All that download mode can tell of whether this is the module that was asked in run mode. Source: §7.
    fn check_imei(&self) -> Result<(), Cause> {
        match (&self.options.imei, &self.imei) {
            (Some(seen), Some(found)) if seen != found => Err(Cause::OtherModule(format!(
                "the module had the IMEI {seen} in run mode, this one has {found}"
            ))),
            _ => Ok(()),
        }
    }

    /// The module's NV area, or nothing if it has none. Reading does no harm, so it begins again after any trouble.
    pub(super) fn read_nv(&mut self) -> Result<Option<Vec<u8>>, Cause> {
        self.account.doing = "reading the module's NV items".to_owned();
        let mut tries = 0;
        loop {
            tries += 1;
            let trouble = match self.read_nv_once() {
                Ok(None) => return Ok(None),
                Ok(Some(area)) => match nv::check(&area) {
                    Ok(()) => return Ok(Some(area)),
                    Err(why) => Trouble::Fatal(Cause::Malformed {
                        sent: Command::ReadFlash.name().into(),
                        answer: format!("an NV area that cannot be used: {why}"),
                    }),
                },
                Err(Trouble::Fatal(cause @ Cause::Wire(_))) => return Err(cause),
                Err(trouble) => trouble,
            };
            if tries == TRIES || matches!(trouble, Trouble::Refused { .. }) {
                return Err(trouble.into());
            }
            self.link.revive(trouble.into())?;
        }
    }

    fn read_nv_once(&mut self) -> Result<Option<Vec<u8>>, Trouble> {
        let room = self.plan.nv_room();
        let mut area = Vec::with_capacity(room as usize);
        while (area.len() as u32) < room {
            let offset = area.len() as u32;
            let length = PIECE_BYTES.min(room - offset);
            match self.read_piece([address::NV, length, offset])? {
                Piece::Nothing(Code::INCOMPATIBLE_PARTITION) if offset == 0 => return Ok(None),
                // The loader of the UIS8850 gives no more than there is. Source: §5.3 (V).
                Piece::Nothing(Code::INVALID_CMD) if offset > 0 && self.ends_early() => break,
                Piece::Nothing(code) => {
                    let sent = Command::ReadFlash;
                    return Err(Trouble::Refused { sent, code });
                }
                Piece::Bytes => {}
            }
            let bytes = self.link.payload();
            let count = bytes.len() as u32;
            if count > length || (count < length && !self.ends_early()) {
                return Err(Trouble::Lost(wrong_length(bytes.len(), length)));
            }
            area.extend_from_slice(bytes);
            if count < length {
                break;
            }
        }
        Ok(Some(area))
    }

    fn ends_early(&self) -> bool {
        self.plan.platform() == Platform::Unisoc8850
    }

    /// The record of production. A loader that cannot say what it holds is no reason to stop: a run does not
    /// touch it. Source: §5.4: 0x96 where there is none (V); after an erase the genuine FDL2 says 0x84.
    fn read_phase_check(&mut self) -> Result<Option<Vec<u8>>, Cause> {
        let words = [address::PHASE_CHECK, address::PHASE_CHECK_BYTES, 0];
        for _ in 0..TRIES {
            let lost = match self.read_piece(words) {
                Ok(Piece::Nothing(_)) => return Ok(None),
                Ok(Piece::Bytes) => {
                    let record = self.link.payload().to_vec();
                    if record.len() == address::PHASE_CHECK_BYTES as usize {
                        return Ok(Some(record));
                    }
                    wrong_length(record.len(), address::PHASE_CHECK_BYTES)
                }
                Err(Trouble::Lost(lost)) => lost,
                Err(trouble) => return Err(trouble.into()),
            };
            self.link.revive(lost)?;
        }
        Ok(None)
    }

    /// Compares the record of production with what it was, if there was one.
    pub(super) fn verify_phase_check(&mut self, record: Option<&[u8]>) -> Result<(), Cause> {
        self.account.doing = "comparing the record of production".to_owned();
        match record.is_some() && self.read_phase_check()?.as_deref() != record {
            true => Err(Cause::Malformed {
                sent: Command::ReadFlash.name().into(),
                answer: "a record of production that is not what was written".into(),
            }),
            false => Ok(()),
        }
    }

    fn read_piece(&mut self, place: [u32; 3]) -> Result<Piece, Trouble> {
        match self.link.ask(Command::ReadFlash, &words(place), patience::READ)? {
            Code::READ_FLASH => Ok(Piece::Bytes),
            code => Ok(Piece::Nothing(code)),
        }
    }

    /// Hands the module's own to the caller, before anything is erased.
    pub(super) fn keep(&mut self, own: &Own, keeper: &mut dyn Keeper) -> Result<(), Cause> {
        let Some(nv) = &own.nv else { return Ok(()) };
        self.account.doing = "keeping the module's NV items".to_owned();
        let kept = Kept {
            nv,
            phase_check: own.phase_check.as_deref(),
            imei: self.imei.as_deref(),
        };
        keeper.keep(kept).map_err(Cause::NotKept)
    }

    /// The earlier NV area, if the module has lost its own: it has none, or none with an IMEI. Source: §9.4.
    ///
    /// # Errors
    /// When it is that of another module than the one in run mode.
    pub(super) fn earlier_nv(&mut self, own: &Own) -> Result<Option<&'p [u8]>, Cause> {
        let whole = own.nv.as_deref().is_some_and(|area| nv::imei(area).is_some());
        let Some(area) = self.options.earlier_nv.as_deref().filter(|_| !whole) else {
            return Ok(None);
        };
        self.imei = nv::imei(area);
        self.check_imei()?;
        self.link
            .note("the module has lost its NV items: the earlier ones are used");
        Ok(Some(area))
    }

    /// The package's NV items with the module's own among them; nothing if the package has none. Source: §6.6.
    pub(super) fn merge(&mut self, own: &Own, earlier: Option<&[u8]>) -> Result<Option<Merged>, Cause> {
        let Some(package) = self.plan.nv() else {
            return Ok(None);
        };
        self.account.doing = "merging the module's NV items with the package's".to_owned();
        let Some(old) = earlier.or(own.nv.as_deref()) else {
            return Err(no_nv(
                "its IMEI and calibration would become the package's for good, unless an earlier NV area of this \
                 very module is given",
            ));
        };
        let merged = nv::merge(
            old,
            &package.data,
            self.plan.nv_room() as usize,
            self.plan.kept_items(),
            self.options.take_missing_items,
        );
        let merged = merged.map_err(|why| match why {
            MergeRefusal::Missing(_) => Cause::WouldLose(why.to_string()),
            _ => Cause::Unsupported(why.to_string()),
        })?;
        for warning in &merged.warnings {
            self.link.note(warning);
        }
        Ok(Some(merged))
    }

    /// Writes an area and compares it, up to three times, while the boot area is still blank. Source: §6.1: as the
    /// vendor's PC tool (V).
    pub(super) fn write_nv(&mut self, name: &str, area: &[u8], kept: &[u16]) -> Result<(), Cause> {
        let doing = self.account.doing.clone();
        let start = words([address::NV, area.len() as u32, nv::byte_sum(area)]);
        let before = self.account.bytes();
        for _ in 0..TRIES {
            self.account.doing.clone_from(&doing);
            self.account.acknowledged(before);
            self.send_to_flash(name, &start, area)?;
            match self.nv_difference(area, kept)? {
                None => return Ok(()),
                Some(how) => self.link.note(&format!("{how}: writing the NV area again")),
            }
        }
        Err(nv_differs(&format!("after {TRIES} tries it is another")))
    }

    /// What differs between `area` and what the module holds.
    pub(super) fn nv_difference(&mut self, area: &[u8], kept: &[u16]) -> Result<Option<String>, Cause> {
        match self.read_nv()? {
            None => Ok(Some("there is none".into())),
            Some(held) => Ok(nv::difference(area, kept, &held)?),
        }
    }

    /// A kept area goes back to the module it is of. The label decides over what the module's own area says, which
    /// may be that of another module. Source: §7.
    pub(super) fn check_owner(&self, area: &[u8]) -> Result<(), Cause> {
        let (owner, by) = match (&self.options.label_imei, &self.imei) {
            (Some(label), _) => (label, "by its label"),
            (None, Some(own)) => (own, "by its own NV items"),
            (None, None) => return Ok(()),
        };
        let kept = nv::imei(area);
        if kept.as_ref() == Some(owner) {
            return Ok(());
        }
        let kept = kept.map_or("holds no IMEI".into(), |imei| format!("is of IMEI {imei}"));
        Err(Cause::OtherModule(format!(
            "the NV area to restore {kept}, the module has the IMEI {owner} {by}"
        )))
    }
}

fn wrong_length(found: usize, asked: u32) -> Cause {
    Cause::Malformed {
        sent: Command::ReadFlash.name().into(),
        answer: format!("{found} bytes where {asked} were asked for"),
    }
}
