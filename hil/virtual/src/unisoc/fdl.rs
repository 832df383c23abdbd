//! The loader that writes the flash: FDL2 of the UIS8910, FDL of the UIS8850. Source: specs/unisoc-pac-bsl.md
//! §5.3-5.5; the FDL2 side is measured on the genuine image.

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use super::bsl::{self, Then, Verdict};
use super::builder::NvStart;
use super::flash::{SECTOR, UnisocFlash};
use super::object::{Object, Place};
use super::{Unisoc, UnisocChip, factory, guard, nv};
use crate::shared::lock;

/// Longest payload that FDL2 takes. Measured. Source: specs/unisoc-pac-bsl.md §4.5.
pub(super) const LIMIT_8910: usize = 0x301A;
/// Longest payload that the 8850's FDL takes: what the vendor's older hosts send. Source: §4.5; the true limit is
/// unknown [?].
pub(super) const LIMIT_8850: usize = 0xFC00;

const RUNNING_NV: u32 = 0xFE00_0001;
const PHASE_CHECK: u32 = 0xFE00_0002;
const NV: u32 = 0xFE00_0003;
const CPIO: u32 = 0xFE00_0004;
const APPLICATION_IMAGE: u32 = 0xFE00_0005;
const FILE_SYSTEM: u32 = 0xFE00_0006;
/// Erases everything when it is the size, and the address is 0.
const EVERYTHING: u32 = 0xFFFF_FFFF;

/// The loader; everything in it is RAM.
#[derive(Debug)]
pub(super) struct Fdl {
    chip: UnisocChip,
    flash: Arc<Mutex<UnisocFlash>>,
    bytes_per_second: Option<u64>,
    has_external_flash: bool,
    /// The models in the image, and the module's own. Source: specs/unisoc-pac-bsl.md §7.
    models: Vec<String>,
    model: Option<String>,
    object: Option<Object>,
    /// The NV bin as it was at the last read of offset 0.
    snapshot: Option<Vec<u8>>,
    /// The byte sum that the START of an NV object has announced. The genuine FDL2 ignores it; others check it.
    announced_sum: Option<u32>,
    has_wrong_nv_crc: bool,
    saved_nv: Option<Vec<u8>>,
    saved_phase_check: Option<Vec<u8>>,
    /// What the host did that the loader lets pass and that harms.
    pub complaint: Option<String>,
}

impl Fdl {
    /// The loader in `image`, on a module with these settings.
    pub fn new(image: &[u8], settings: &Unisoc, flash: Arc<Mutex<UnisocFlash>>) -> Self {
        let models = match settings.chip {
            UnisocChip::Uis8910 => Vec::new(),
            UnisocChip::Uis8850 => guard::models(image),
        };
        Fdl {
            chip: settings.chip,
            flash,
            bytes_per_second: settings.bytes_per_second,
            has_external_flash: settings.has_external_flash,
            models,
            model: settings.model.clone(),
            object: None,
            snapshot: None,
            announced_sum: None,
            has_wrong_nv_crc: settings.nv == NvStart::WrongCrc,
            saved_nv: None,
            saved_phase_check: None,
            complaint: None,
        }
    }

    /// Does what a command says.
    pub fn execute(&mut self, kind: u16, payload: &[u8]) -> Verdict {
        match kind {
            bsl::CONNECT | bsl::CHANGE_BAUD | bsl::REPARTITION | bsl::POWER_OFF | bsl::ENABLE_DEBUG => {
                Verdict::code(bsl::ACK)
            }
            bsl::START_DATA => self.start(payload),
            bsl::MIDST_DATA => self.middle(payload),
            bsl::END_DATA => self.end(),
            bsl::NORMAL_RESET => Verdict::code(bsl::ACK).and(Then::Reset),
            bsl::READ_FLASH => self.read(payload),
            bsl::ERASE_FLASH => self.erase(payload),
            _ => Verdict::code(bsl::INVALID_CMD),
        }
    }

    /// Whether a frame longer than its receive FIFO makes a real one panic. Source: specs/unisoc-pac-bsl.md §2.3.
    pub fn has_fifo(&self) -> bool {
        self.chip == UnisocChip::Uis8910
    }

    fn flash(&self) -> MutexGuard<'_, UnisocFlash> {
        lock(&self.flash)
    }

    /// How long so many bytes take to be erased or programmed.
    fn work(&self, bytes: usize) -> Duration {
        let seconds = |rate: u64| bytes as f64 / rate.max(1) as f64;
        Duration::from_secs_f64(self.bytes_per_second.map_or(0.0, seconds))
    }

    /// A START that is refused takes the place of the object before it, and stores nothing.
    fn start(&mut self, payload: &[u8]) -> Verdict {
        let (Some(address), Some(size)) = (bsl::word(payload, 0), bsl::word(payload, 1)) else {
            return Verdict::code(bsl::DOWN_DEST_ERROR);
        };
        let size = size as usize;
        let object = match address {
            PHASE_CHECK if size != factory::PHASE_CHECK_BYTES => Err(bsl::DOWN_SIZE_ERROR),
            PHASE_CHECK => Ok(self.start_kept(Place::PhaseCheck, size)),
            NV if size > nv::area_bytes(self.chip) => Err(bsl::DOWN_SIZE_ERROR),
            NV => Ok(self.start_kept(Place::Nv, size)),
            CPIO => Ok(self.start_kept(Place::Cpio, size)),
            _ => self.start_nor(address, size).ok_or(bsl::DOWN_DEST_ERROR),
        };
        self.announced_sum = bsl::word(payload, 2);
        let lost = self.object.is_some() || address == NV;
        let (object, code) = match object {
            Ok(object) => (Some(object), bsl::ACK),
            Err(code) => (lost.then_some(Object::Lost { missing: size }), code),
        };
        self.object = object;
        Verdict::code(code)
    }

    fn start_kept(&self, place: Place, size: usize) -> Object {
        Object::kept(place, size, &mut self.flash())
    }

    fn start_nor(&self, address: u32, size: usize) -> Option<Object> {
        let mut flash = self.flash();
        let range = flash.range(address, size)?;
        let keeps = self.chip == UnisocChip::Uis8850 && range.start < self.chip.boot_area_bytes();
        Some(if keeps {
            Object::kept(Place::BootArea(range.start), size, &mut flash)
        } else {
            Object::nor(range, &mut flash)
        })
    }

    fn middle(&mut self, payload: &[u8]) -> Verdict {
        let Some(object) = &mut self.object else {
            return Verdict::code(bsl::DOWN_NOT_START);
        };
        let (code, erased) = object.take(payload, &mut lock(&self.flash));
        let takes = self.work(payload.len() + erased);
        Verdict::code(code).after(takes)
    }

    /// An END that is refused leaves the object as it is: measured.
    fn end(&mut self) -> Verdict {
        let Some(object) = &mut self.object else {
            return Verdict::code(bsl::DOWN_NOT_START);
        };
        let nv_sum = object.nv_sum();
        let mut flash = lock(&self.flash);
        let code = object.end(&mut flash);
        if nv_sum.is_some() && nv_sum != self.announced_sum {
            self.complaint = Some("START_DATA of NV announced another byte sum, or none".into());
        }
        if code == bsl::ACK {
            self.object = None;
            if let Some(saved) = self.saved_phase_check.take_if(|_| nv_sum.is_some()) {
                flash.phase_check = Some(saved);
            }
        }
        Verdict::code(code)
    }

    fn read(&mut self, payload: &[u8]) -> Verdict {
        let (Some(address), Some(length)) = (bsl::word(payload, 0), bsl::word(payload, 1)) else {
            return Verdict::code(bsl::INVALID_CMD);
        };
        match (address, bsl::word(payload, 2)) {
            (NV, Some(offset)) => self.read_nv(offset as usize, length as usize),
            (PHASE_CHECK, _) => self.read_phase_check(),
            _ => self.read_nor(address, length as usize),
        }
    }

    /// The last byte must lie in the NOR, which the one before an empty piece is: measured.
    fn read_nor(&self, address: u32, length: usize) -> Verdict {
        let flash = self.flash();
        let before = address.checked_sub(1).filter(|_| length == 0);
        match (
            flash.region(address, length),
            before.and_then(|at| flash.region(at, 1)),
        ) {
            (Some(_), None) if length == 0 => Verdict::code(bsl::INVALID_CMD),
            (Some(bytes), _) => Verdict::data(clipped(bytes)),
            (None, _) => Verdict::code(bsl::INVALID_CMD),
        }
    }

    fn read_phase_check(&self) -> Verdict {
        let flash = self.flash();
        match &flash.phase_check {
            Some(block) => Verdict::data(block.clone()),
            None if flash.is_formatted => Verdict::code(bsl::OPERATION_FAILED),
            None => Verdict::code(bsl::INCOMPATIBLE_PARTITION),
        }
    }

    /// Offset 0 takes a snapshot, from which the rest is served. The first one after everything was erased is the
    /// copy that was saved then.
    fn read_nv(&mut self, offset: usize, length: usize) -> Verdict {
        if self.chip == UnisocChip::Uis8910 && offset >= nv::area_bytes(self.chip) {
            return Verdict::code(bsl::INVALID_CMD);
        }
        if offset == 0 {
            let saved = self.saved_nv.take();
            let Some(mut bin) = saved.or_else(|| self.flash().nv_bin()) else {
                return Verdict::code(bsl::INCOMPATIBLE_PARTITION);
            };
            bin[0] ^= u8::from(self.has_wrong_nv_crc);
            self.snapshot = Some(bin);
        }
        let Some(snapshot) = &self.snapshot else {
            self.complaint = Some(format!("READ_FLASH of NV at offset {offset:#x} before offset 0"));
            let left = nv::area_bytes(self.chip).saturating_sub(offset);
            return Verdict::data(vec![0; length.min(left) & 0xFFFF]);
        };
        match snapshot.get(offset..) {
            Some(rest) if !rest.is_empty() => Verdict::data(clipped(&rest[..length.min(rest.len())])),
            _ => Verdict::code(bsl::INVALID_CMD),
        }
    }

    fn erase(&mut self, payload: &[u8]) -> Verdict {
        let is_listed = |model: &String| self.models.contains(model);
        if !self.models.is_empty() && self.model.as_ref().is_some_and(|model| !is_listed(model)) {
            return Verdict::code(bsl::UNKNOWN_DEVICE);
        }
        let (Some(address), Some(size)) = (bsl::word(payload, 0), bsl::word(payload, 1)) else {
            return Verdict::code(bsl::INVALID_CMD);
        };
        let code = match (address, size) {
            (0, EVERYTHING) => return self.erase_everything(),
            (RUNNING_NV, _) => {
                let mut flash = self.flash();
                (flash.running_nv, flash.is_formatted) = (None, true);
                bsl::ACK
            }
            (PHASE_CHECK, _) => {
                let mut flash = self.flash();
                flash.phase_check = None;
                if flash.is_formatted {
                    bsl::ACK
                } else {
                    bsl::INCOMPATIBLE_PARTITION
                }
            }
            (APPLICATION_IMAGE, _) => bsl::ACK,
            (FILE_SYSTEM, name) => self.format(&name.to_le_bytes()),
            _ => return self.erase_nor(address, size as usize),
        };
        Verdict::code(code)
    }

    fn format(&self, name: &[u8; 4]) -> u16 {
        let exists = match name {
            b"FSYS" | b"FMOD" => true,
            b"FEXT" => self.has_external_flash,
            _ => false,
        };
        if !exists {
            return bsl::OPERATION_FAILED;
        }
        self.flash()
            .formats
            .push(String::from_utf8_lossy(name).into_owned());
        bsl::ACK
    }

    /// Whole sectors only. A remainder is refused after the whole sectors are gone. Source:
    /// specs/unisoc-pac-bsl.md §5.4.
    fn erase_nor(&self, address: u32, size: usize) -> Verdict {
        let mut flash = self.flash();
        let Some(range) = flash
            .range(address, size)
            .filter(|range| range.start % SECTOR == 0)
        else {
            return Verdict::code(bsl::INVALID_CMD);
        };
        let whole = range.start..range.end / SECTOR * SECTOR;
        let code = if whole == range {
            bsl::ACK
        } else {
            bsl::INVALID_CMD
        };
        let takes = self.work(whole.len());
        flash.erase(whole);
        Verdict::code(code).after(takes)
    }

    /// NV and PhaseCheck are saved in RAM, and then everything is erased.
    fn erase_everything(&mut self) -> Verdict {
        let mut flash = lock(&self.flash);
        self.saved_nv = flash.nv_bin();
        self.saved_phase_check = flash.phase_check.clone();
        flash.erase_all();
        let takes = self.work(flash.bytes().len());
        Verdict::code(bsl::ACK).after(takes)
    }
}

/// Data of a reply whose 16-bit length field cannot hold more: only the remainder is sent. Measured.
fn clipped(bytes: &[u8]) -> Vec<u8> {
    bytes[..bytes.len() & 0xFFFF].to_vec()
}
