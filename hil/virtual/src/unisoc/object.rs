//! What lies between START and END: bytes for the NOR, or for one of the special addresses. Source:
//! specs/unisoc-pac-bsl.md §5.4.

use std::ops::Range;

use super::flash::{SECTOR, UnisocFlash};
use super::{bsl, cpio, nv};

/// An object that has been started.
#[derive(Debug)]
pub(super) enum Object {
    /// Programmed as it arrives; sectors are erased just before.
    Nor {
        range: Range<usize>,
        next: usize,
        erased_to: usize,
    },
    /// Kept in RAM until END.
    Kept {
        place: Place,
        size: usize,
        data: Vec<u8>,
    },
    /// What is left after a START that was refused: counted, acknowledged, and stored nowhere. Measured.
    Lost { missing: usize },
}

/// Where an object goes at END.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    PhaseCheck,
    Nv,
    Cpio,
    /// The 8850's boot area, which is programmed as a whole.
    BootArea(usize),
}

impl Object {
    /// Begins to program the array: the first sectors are erased at once.
    pub fn nor(range: Range<usize>, flash: &mut UnisocFlash) -> Self {
        let mut object = Object::Nor {
            next: range.start,
            erased_to: range.start / SECTOR * SECTOR,
            range: range.clone(),
        };
        if range.start < range.end {
            flash.begin(range.clone());
            object.erase_up_to(range.start + 1, flash);
        }
        object
    }

    /// Keeps `size` bytes for that place, which is mounted, and made when there is none.
    pub fn kept(place: Place, size: usize, flash: &mut UnisocFlash) -> Self {
        flash.is_formatted |= !matches!(place, Place::BootArea(_));
        Object::Kept {
            place,
            size,
            data: Vec::new(),
        }
    }

    /// The byte sum of an NV object.
    pub fn nv_sum(&self) -> Option<u32> {
        match self {
            Object::Kept {
                place: Place::Nv,
                data,
                ..
            } => Some(data.iter().map(|byte| u32::from(*byte)).sum()),
            _ => None,
        }
    }

    fn missing(&self) -> usize {
        match self {
            Object::Nor { range, next, .. } => range.end - next,
            Object::Kept { size, data, .. } => size - data.len(),
            Object::Lost { missing } => *missing,
        }
    }

    /// Takes bytes; returns the reply and how many bytes of flash were erased. A frame that is too long is refused
    /// and forgotten, and the object goes on: measured.
    pub fn take(&mut self, bytes: &[u8], flash: &mut UnisocFlash) -> (u16, usize) {
        if bytes.len() > self.missing() {
            return (bsl::DOWN_SIZE_ERROR, 0);
        }
        let mut erased = 0;
        match self {
            Object::Kept { data, .. } => data.extend_from_slice(bytes),
            Object::Lost { missing } => *missing -= bytes.len(),
            Object::Nor { next, .. } => {
                let at = *next;
                *next += bytes.len();
                erased = self.erase_up_to(at + bytes.len(), flash);
                flash.program(at, bytes);
            }
        }
        (bsl::ACK, erased)
    }

    fn erase_up_to(&mut self, position: usize, flash: &mut UnisocFlash) -> usize {
        let Object::Nor { range, erased_to, .. } = self else {
            return 0;
        };
        let (from, end) = (*erased_to, range.end.next_multiple_of(SECTOR));
        while *erased_to < position {
            *erased_to = flash.erase_unit(*erased_to, end);
        }
        *erased_to - from
    }

    /// Ends the object, if every byte is there; returns the reply. What was programmed is what was sent, so the
    /// genuine read-back always agrees.
    pub fn end(&mut self, flash: &mut UnisocFlash) -> u16 {
        if self.missing() > 0 {
            return bsl::DOWN_SIZE_ERROR;
        }
        match self {
            Object::Lost { .. } => {}
            Object::Nor { range, .. } => {
                if range.start < range.end {
                    flash.complete();
                }
                return bsl::ACK;
            }
            Object::Kept { place, data, .. } => match *place {
                Place::PhaseCheck => flash.phase_check = Some(std::mem::take(data)),
                Place::Cpio => cpio::unpack(data, &mut flash.files),
                Place::Nv => match flash.store_nv(data) {
                    Ok(()) => {}
                    Err(nv::BadBin) => return bsl::OPERATION_FAILED,
                },
                Place::BootArea(at) => {
                    let range = at..at + data.len();
                    let mut whole = Object::nor(range, flash);
                    whole.take(data, flash);
                    return whole.end(flash);
                }
            },
        }
        bsl::ACK
    }
}
