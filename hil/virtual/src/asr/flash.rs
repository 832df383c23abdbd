//! The flash array of a virtual module, and what it knows about being half written.

use std::ops::Range;

use crate::asr::sparse::Piece;
use crate::asr::tables::PartitionTable;
use crate::identity::find_revision;
use crate::life::Memory;

/// The flash array: its bytes, the layout last given to it, and which parts are torn.
#[derive(Debug, Clone)]
pub struct Flash {
    bytes: Vec<u8>,
    layout: Option<PartitionTable>,
    touched: Vec<Touched>,
    torn: Vec<Range<usize>>,
    revision: Option<String>,
    /// Where the revision was found; unknown for what the factory wrote.
    revision_in: Option<Range<usize>>,
}

/// A partition that was changed since the module was powered.
#[derive(Debug, Clone)]
struct Touched {
    range: Range<usize>,
    whole: bool,
}

/// What an erased byte reads.
const ERASED: u8 = 0xFF;

impl Flash {
    /// A flash array as the factory leaves it: full of other firmware, of that revision.
    pub(crate) fn factory(size: usize, revision: Option<&str>) -> Self {
        let mut word = 0x5EED_F1A5_u32;
        let mut next = || {
            word ^= word << 13;
            word ^= word >> 17;
            word ^= word << 5;
            word
        };
        let mut bytes = Vec::with_capacity(size);
        while bytes.len() < size {
            bytes.extend(next().to_le_bytes());
        }
        let revision = revision.map(str::to_owned);
        Flash {
            bytes,
            layout: None,
            touched: Vec::new(),
            torn: Vec::new(),
            revision,
            revision_in: None,
        }
    }

    /// Every byte of the array.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The bytes of a partition of the table that was last given to the module.
    pub fn partition(&self, name: &str) -> Option<&[u8]> {
        self.bytes.get(self.place(name)?)
    }

    /// Where it lies in the array.
    pub fn place(&self, name: &str) -> Option<Range<usize>> {
        Some(self.layout.as_ref()?.find(name)?.range())
    }

    /// The revision that boots; none when the firmware is torn or there is none.
    pub fn revision(&self) -> Option<&str> {
        self.revision.as_deref().filter(|_| self.torn.is_empty())
    }

    /// Whether parts of the firmware were erased or begun, and not completed.
    pub fn is_torn(&self) -> bool {
        !self.torn.is_empty()
    }

    pub(crate) fn set_layout(&mut self, layout: PartitionTable) {
        self.layout = Some(layout);
    }

    pub(crate) fn contains(&self, range: &Range<usize>) -> bool {
        range.end <= self.bytes.len()
    }

    /// Erases a partition. A partition that is erased and not written is whole: some packages only erase.
    pub(crate) fn erase(&mut self, range: Range<usize>) {
        self.bytes[range.clone()].fill(ERASED);
        self.touched.retain(|touched| touched.range != range);
        self.touched.push(Touched { range, whole: true });
    }

    /// Writes a piece of an image; `whole` says whether the image in that partition is complete with it.
    pub(crate) fn write(&mut self, partition: &Range<usize>, offset: usize, piece: Piece<'_>, whole: bool) {
        let start = partition.start + offset;
        let target = &mut self.bytes[start..start + piece.len()];
        match piece {
            Piece::Raw(bytes) => target.copy_from_slice(bytes),
            Piece::Fill { pattern, .. } => {
                target
                    .chunks_mut(4)
                    .for_each(|word| word.copy_from_slice(&pattern[..word.len()]));
            }
        }
        if let Some(touched) = self
            .touched
            .iter_mut()
            .find(|touched| touched.range == *partition)
        {
            touched.whole = whole;
        }
    }

    /// `complete` has succeeded: what was written whole is good, and the newest firmware is what was written.
    pub(crate) fn commit(&mut self) {
        for touched in std::mem::take(&mut self.touched) {
            self.torn.retain(|torn| *torn != touched.range);
            match find_revision(&self.bytes[touched.range.clone()]) {
                _ if !touched.whole => self.torn.push(touched.range),
                Some(revision) => (self.revision, self.revision_in) = (Some(revision), Some(touched.range)),
                None if self.revision_in.as_ref() == Some(&touched.range) => {
                    (self.revision, self.revision_in) = (find_revision(&self.bytes), None);
                }
                None => {}
            }
        }
    }
}

impl Memory for Flash {
    fn revision(&self) -> Option<String> {
        Flash::revision(self).map(str::to_owned)
    }

    fn lose_power(&mut self) {
        self.torn.extend(
            std::mem::take(&mut self.touched)
                .into_iter()
                .map(|touched| touched.range),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PART: Range<usize> = 0x1000..0x3000;
    const REVISION: &[u8; 32] = b"\0\0EC600NCNLAR03A08M08_OCPU_QPY\0\0";

    fn flash() -> Flash {
        Flash::factory(0x4000, Some("EC600NCNLAR03A07M08"))
    }

    #[test]
    fn boots_the_revision_that_was_written_and_completed() {
        let mut flash = flash();
        flash.erase(PART);
        flash.write(&PART, 0, Piece::Raw(REVISION), true);
        flash.commit();
        assert_eq!(flash.revision(), Some("EC600NCNLAR03A08M08_OCPU_QPY"));
        assert_eq!(flash.bytes()[0x1000 + 32..0x3000], [ERASED; 0x2000 - 32]);
    }

    #[test]
    fn does_not_boot_after_power_was_lost_until_the_same_partition_is_whole_again() {
        let mut flash = flash();
        flash.erase(PART);
        flash.lose_power();
        assert_eq!(flash.revision(), None);
        flash.erase(0x3000..0x4000);
        flash.commit();
        assert!(flash.is_torn());
        flash.erase(PART);
        flash.write(&PART, 0, Piece::Raw(REVISION), true);
        flash.commit();
        assert_eq!(flash.revision(), Some("EC600NCNLAR03A08M08_OCPU_QPY"));
    }

    #[test]
    fn does_not_boot_an_image_of_which_segments_are_missing() {
        let mut flash = flash();
        flash.erase(PART);
        flash.write(&PART, 0, Piece::Raw(REVISION), false);
        flash.commit();
        assert!(flash.is_torn());
    }

    #[test]
    fn does_not_boot_when_the_firmware_was_erased() {
        let mut flash = flash();
        flash.erase(PART);
        flash.write(&PART, 0, Piece::Raw(REVISION), true);
        flash.commit();
        flash.erase(PART);
        flash.commit();
        assert_eq!(flash.revision(), None);
        assert!(!flash.is_torn());
    }

    #[test]
    fn keeps_the_factory_firmware_when_only_other_partitions_are_written() {
        let mut flash = flash();
        flash.erase(PART);
        flash.commit();
        assert_eq!(flash.revision(), Some("EC600NCNLAR03A07M08"));
    }
}
