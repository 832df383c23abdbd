//! `flashinfo.bin` and `partition.bin` as the flasher reads them. Source: specs/asr-aboot.md §6.

use std::ops::Range;

use crate::crc::crc32;

/// `FNIF`: flash information.
pub(crate) const FLASH_INFO_MAGIC: &[u8; 4] = b"FNIF";
/// `BTPA`: partition table.
pub(crate) const PARTITION_MAGIC: &[u8; 4] = b"BTPA";

const RECORD_BYTES: usize = 0x90;
const ALTERNATIVE_BYTES: usize = 0x48;
const MOST_RECORDS: usize = 3;
/// Table without its CRC.
const TABLE_BYTES: usize = 0x888;
const ENTRY_BYTES: usize = 0x44;
const MOST_ENTRIES: usize = 32;

fn u16_at(bytes: &[u8], offset: usize) -> Option<u16> {
    bytes
        .get(offset..)?
        .first_chunk()
        .copied()
        .map(u16::from_le_bytes)
}

fn u32_at(bytes: &[u8], offset: usize) -> Option<u32> {
    bytes
        .get(offset..)?
        .first_chunk()
        .copied()
        .map(u32::from_le_bytes)
}

fn text_at(bytes: &[u8], range: Range<usize>) -> Option<String> {
    let field = bytes.get(range)?.split(|byte| *byte == 0).next()?;
    Some(String::from_utf8_lossy(field).into_owned())
}

/// The chips, as manufacturer and device id, for which flash information was given.
pub(crate) fn flash_chips(mut bytes: &[u8]) -> Option<Vec<(u16, u16)>> {
    let mut chips = Vec::new();
    for _ in 0..MOST_RECORDS {
        if !bytes.starts_with(FLASH_INFO_MAGIC) {
            return None;
        }
        chips.push((u16_at(bytes, 4)?, u16_at(bytes, 6)?));
        let alternatives = usize::try_from(u32_at(bytes, 0x8C)?).ok()?;
        let length = alternatives
            .checked_mul(ALTERNATIVE_BYTES)?
            .checked_add(RECORD_BYTES)?;
        let record = bytes.get(..length)?;
        for alternative in record[RECORD_BYTES..].chunks_exact(ALTERNATIVE_BYTES) {
            chips.push((u16_at(alternative, 0)?, u16_at(alternative, 2)?));
        }
        bytes = &bytes[length..];
        if record[0x89] != 1 {
            break;
        }
    }
    Some(chips)
}

/// One partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Partition {
    pub name: String,
    pub kind: String,
    pub start: u32,
    pub size: u32,
    pub vstart: u32,
}

impl Partition {
    /// Whether it holds data of its own, and not only other partitions.
    pub fn is_writable(&self) -> bool {
        !matches!(self.kind.as_str(), "group" | "part" | "flash")
    }

    pub fn range(&self) -> Range<usize> {
        self.start as usize..self.start as usize + self.size as usize
    }
}

/// A partition table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PartitionTable {
    partitions: Vec<Partition>,
}

impl PartitionTable {
    /// Reads a table; the old form without a CRC is accepted.
    pub fn read(bytes: &[u8]) -> Result<Self, &'static str> {
        if bytes.len() < TABLE_BYTES {
            return Err("ptable size too small");
        }
        if bytes.len() >= TABLE_BYTES + 4 && u32_at(bytes, TABLE_BYTES) != Some(crc32(&bytes[..TABLE_BYTES]))
        {
            return Err("ptable crc error");
        }
        let count = u32_at(bytes, 4).unwrap_or_default() as usize;
        if !bytes.starts_with(PARTITION_MAGIC) || count > MOST_ENTRIES {
            return Err("ptable header error");
        }
        let entries = bytes[8..TABLE_BYTES].chunks_exact(ENTRY_BYTES).take(count);
        let partitions = entries
            .map(Self::entry)
            .collect::<Option<Vec<_>>>()
            .ok_or("ptable entry error")?;
        Ok(PartitionTable { partitions })
    }

    fn entry(bytes: &[u8]) -> Option<Partition> {
        Some(Partition {
            name: text_at(bytes, 0..32)?,
            kind: text_at(bytes, 32..48)?,
            start: u32_at(bytes, 48)?,
            size: u32_at(bytes, 52)?,
            vstart: u32_at(bytes, 56)?,
        })
    }

    pub fn find(&self, name: &str) -> Option<&Partition> {
        self.partitions.iter().find(|partition| partition.name == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vector(name: &str) -> Vec<u8> {
        let given = std::env::var_os("QPYFLASH_VECTORS").map(std::path::PathBuf::from);
        let beside = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/vectors");
        let path = given.unwrap_or_else(|| beside.into()).join("asr/sdk").join(name);
        std::fs::read(&path).unwrap_or_else(|error| {
            panic!(
                "cannot read the test vector {}: {error}; set QPYFLASH_VECTORS",
                path.display()
            )
        })
    }

    #[test]
    fn reads_the_real_eight_megabyte_table() {
        let table = PartitionTable::read(&vector("partition_8M.bin")).unwrap();
        assert_eq!(table.partitions.len(), 22);
        let cp = table.find("cp").unwrap();
        assert_eq!(
            (cp.kind.as_str(), cp.start, cp.size, cp.vstart),
            ("raw", 0x40000, 0x359000, 0x8004_0000)
        );
        assert!(!table.find("external").unwrap().is_writable());
        assert_eq!(table.find("bootloader").unwrap().kind, "ubi");
    }

    #[test]
    fn refuses_the_real_table_with_the_stale_crc_but_takes_the_old_form() {
        let table = vector("partition_16M.bin");
        assert_eq!(PartitionTable::read(&table), Err("ptable crc error"));
        assert!(PartitionTable::read(&table[..TABLE_BYTES]).is_ok());
        assert_eq!(
            PartitionTable::read(&table[..TABLE_BYTES - 1]),
            Err("ptable size too small")
        );
    }

    #[test]
    fn reads_the_chips_of_the_real_flash_information() {
        let chips = flash_chips(&vector("flashinfo_8M.bin")).unwrap();
        assert_eq!(chips.len(), 8);
        assert_eq!(chips[..3], [(0xC8, 0x6017), (0xC8, 0x6017), (0xEF, 0x6017)]);
        assert_eq!(flash_chips(&vector("flashinfo_16M.bin")).unwrap().len(), 13);
        assert_eq!(flash_chips(&vector("flashinfo_8M.bin")[..640]), None);
    }
}
