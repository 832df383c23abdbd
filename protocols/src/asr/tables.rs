//! The two tables a package brings: `flashinfo.bin` names the flash chips it knows, `partition.bin` divides one.
//!
//! Both are downloaded to the flasher by `partition` entries; it tells them apart by their first four bytes, and
//! so do we. Nothing is sent to a module before both have been checked here. Source: specs/asr-aboot.md §6 (V).

use crate::FormatError;

use super::{CRC32, corrupt};

/// First four bytes of a flash information table. Source: §6.2 (V).
const FLASH_INFO: [u8; 4] = *b"FNIF";
/// First four bytes of a partition table. Source: §6.1 (V).
const PARTITIONS: [u8; 4] = *b"BTPA";
/// Bytes of one record without its list of alternative chips, and of one alternative. Source: §6.2 (V).
const RECORD_BYTES: usize = 0x90;
const ALTERNATIVE_BYTES: usize = 0x48;
/// Records a file may chain. Source: §6.2 (V).
const MOST_RECORDS: usize = 3;
/// Entries of a partition table, bytes of one, and where the check sum stands. Source: §6.1 (V).
const MOST_ENTRIES: u32 = 32;
const ENTRY_BYTES: usize = 68;
const ENTRIES_AT: usize = 8;
const CRC_AT: usize = 0x888;

/// Partitions that hold calibration, IMEI or network data of one single module. A package may touch them, as the
/// vendor's own do, but a person is told. Source: §5.5 (1).
const OF_ONE_MODULE: [&str; 6] = ["rd", "rfbin", "nvm", "factory", "factory_a", "factory_b"];

/// What a `partition` entry downloads.
#[derive(Debug, Clone)]
pub enum Table {
    /// `flashinfo.bin`.
    Flash(FlashInfo),
    /// `partition.bin`.
    Partitions(PartitionTable),
}

impl Table {
    /// Reads either table, told apart by its first four bytes.
    ///
    /// # Errors
    /// [`FormatError`] when it is neither, or contradicts itself.
    pub fn parse(what: &str, bytes: &[u8]) -> Result<Self, FormatError> {
        match bytes.first_chunk::<4>() {
            Some(&FLASH_INFO) => FlashInfo::parse(what, bytes).map(Table::Flash),
            Some(&PARTITIONS) => PartitionTable::parse(what, bytes).map(Table::Partitions),
            _ => Err(FormatError::NotThis {
                what: what.to_owned(),
                expected: "a flash information table (FNIF) or a partition table (BTPA)",
                found: format!("it begins with {:02X?}", &bytes[..bytes.len().min(4)]),
            }),
        }
    }
}

/// The flash chips a package is made for. Source: §6.2 (V).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FlashInfo {
    /// Name of the main chip: `GD25LQ64C`.
    pub name: String,
    /// Its size in bytes.
    pub size: u64,
    /// How many records the file chains; each describes one flash of the module.
    pub records: usize,
}

impl FlashInfo {
    fn parse(what: &str, bytes: &[u8]) -> Result<Self, FormatError> {
        let mut rest = bytes;
        let mut main = None;
        for records in 1..=MOST_RECORDS {
            let (record, tail) = take(what, rest, RECORD_BYTES)?;
            if !record.starts_with(&FLASH_INFO) {
                return Err(corrupt(
                    what,
                    format!("record {records} does not begin with `FNIF`"),
                ));
            }
            let alternatives = u32_at(record, 0x8C) as usize;
            let (_, tail) = take(what, tail, alternatives.saturating_mul(ALTERNATIVE_BYTES))?;
            let first = main.get_or_insert_with(|| FlashInfo {
                name: text(&record[8..0x48]).unwrap_or_default(),
                size: u64::from(u32_at(record, 0x84)) << 32 | u64::from(u32_at(record, 0x80)),
                records,
            });
            first.records = records;
            let another = record[0x89] == 1;
            match (another, tail.is_empty()) {
                (true, _) => rest = tail,
                (false, true) if first.size > 0 => return Ok(first.clone()),
                (false, true) => return Err(corrupt(what, "its flash has a size of 0 bytes")),
                (false, false) => {
                    return Err(corrupt(
                        what,
                        format!("{} bytes follow its last record", tail.len()),
                    ));
                }
            }
        }
        Err(corrupt(what, format!("more than {MOST_RECORDS} records")))
    }
}

/// How the flash is divided. Source: §6.1 (V).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartitionTable {
    /// The entries, in the order of the file: children follow their parent.
    pub partitions: Vec<Partition>,
    /// Whether the file carries a check sum (the old form has none).
    pub has_crc: bool,
}

/// One entry of a partition table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Partition {
    /// Its name: `cp`.
    pub name: String,
    /// `raw`, `ubi`, `part` (container), `group` (root), `flash`, ...
    pub kind: String,
    /// First byte, counted from the start of the flash.
    pub start: u32,
    /// Size in bytes.
    pub size: u32,
    /// Bytes in use, where known.
    pub used: u32,
    /// Level in the tree; the root has 0.
    pub depth: u32,
}

impl Partition {
    /// One past its last byte.
    fn end(&self) -> u64 {
        u64::from(self.start) + u64::from(self.size)
    }

    fn overlaps(&self, other: &Partition) -> bool {
        u64::from(self.start) < other.end() && u64::from(other.start) < self.end()
    }
}

impl PartitionTable {
    fn parse(what: &str, bytes: &[u8]) -> Result<Self, FormatError> {
        let (body, rest) = take(what, bytes, CRC_AT)?;
        let has_crc = !rest.is_empty();
        if has_crc {
            let (field, _) = take(what, rest, 4)?;
            let (stored, computed) = (u32_at(field, 0), CRC32.checksum(body));
            if stored != computed {
                return Err(corrupt(
                    what,
                    format!(
                        "CRC {stored:08X} stored, {computed:08X} computed: it was changed without a new CRC"
                    ),
                ));
            }
        }
        let count = u32_at(body, 4);
        if count == 0 || count > MOST_ENTRIES {
            return Err(corrupt(
                what,
                format!("{count} entries, 1 to {MOST_ENTRIES} are possible"),
            ));
        }
        let partitions = body[ENTRIES_AT..]
            .chunks_exact(ENTRY_BYTES)
            .take(count as usize)
            .enumerate()
            .map(|(number, entry)| {
                read_entry(entry)
                    .ok_or_else(|| corrupt(what, format!("entry {number} has an impossible name")))
            })
            .collect::<Result<Vec<_>, _>>()?;
        let table = PartitionTable { partitions, has_crc };
        table.check_places(what)?;
        Ok(table)
    }

    /// Every name once, every partition inside the whole.
    fn check_places(&self, what: &str) -> Result<(), FormatError> {
        let whole = self.size();
        for (number, partition) in self.partitions.iter().enumerate() {
            let name = &partition.name;
            if self.partitions[..number]
                .iter()
                .any(|earlier| earlier.name == *name)
            {
                return Err(corrupt(what, format!("partition `{name}` twice")));
            }
            if partition.end() > whole {
                let place = format!("{:#x}+{:#x}", partition.start, partition.size);
                return Err(corrupt(
                    what,
                    format!("partition `{name}` at {place} ends beyond {whole:#x}"),
                ));
            }
        }
        Ok(())
    }

    /// Bytes the table divides: the size of its root.
    pub fn size(&self) -> u64 {
        let root = self.partitions.iter().find(|partition| partition.name == "all");
        root.or(self.partitions.first())
            .map_or(0, |root| root.size.into())
    }

    /// The partition of this name.
    pub fn find(&self, name: &str) -> Option<&Partition> {
        self.partitions.iter().find(|partition| partition.name == name)
    }

    /// The partitions with data of one single module that lie in the partition of this name, itself included.
    pub fn of_one_module(&self, name: &str) -> Vec<&str> {
        let Some(target) = self.find(name) else {
            return Vec::new();
        };
        let touched = self
            .partitions
            .iter()
            .filter(|other| other.name == name || other.overlaps(target));
        touched
            .map(|other| other.name.as_str())
            .filter(|other| OF_ONE_MODULE.contains(other))
            .collect()
    }
}

/// Whether a partition of this name holds data of one single module; without a table to look deeper.
pub fn is_of_one_module(name: &str) -> bool {
    OF_ONE_MODULE.contains(&name)
}

fn read_entry(entry: &[u8]) -> Option<Partition> {
    let kind = entry[0x20..0x30].split(|&byte| byte == 0).next()?;
    Some(Partition {
        name: text(&entry[..0x20]).filter(|name| !name.is_empty())?,
        kind: text(kind)?,
        start: u32_at(entry, 0x30),
        size: u32_at(entry, 0x34),
        used: u32_at(entry, 0x3C),
        depth: u32_at(entry, 0x40),
    })
}

/// A NUL-padded field of printable ASCII.
fn text(field: &[u8]) -> Option<String> {
    let name = field.split(|&byte| byte == 0).next()?;
    let printable = name.iter().all(|byte| byte.is_ascii_graphic() || *byte == b' ');
    printable.then(|| String::from_utf8_lossy(name).into_owned())
}

fn take<'a>(what: &str, bytes: &'a [u8], count: usize) -> Result<(&'a [u8], &'a [u8]), FormatError> {
    bytes
        .split_at_checked(count)
        .ok_or_else(|| FormatError::Truncated {
            what: what.to_owned(),
            need: count as u64,
            have: bytes.len() as u64,
        })
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    bytes
        .get(at..)
        .and_then(|tail| tail.first_chunk())
        .map_or(0, |&field| u32::from_le_bytes(field))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::asr::tests::vector;
    use proptest::prelude::*;

    fn partitions(bytes: &[u8]) -> Result<PartitionTable, FormatError> {
        match Table::parse("partition.bin", bytes)? {
            Table::Partitions(table) => Ok(table),
            Table::Flash(_) => panic!("taken for a flash information table"),
        }
    }

    fn flash(bytes: &[u8]) -> Result<FlashInfo, FormatError> {
        match Table::parse("flashinfo.bin", bytes)? {
            Table::Flash(info) => Ok(info),
            Table::Partitions(_) => panic!("taken for a partition table"),
        }
    }

    fn with_new_crc(mut bytes: Vec<u8>) -> Vec<u8> {
        let crc = CRC32.checksum(&bytes[..CRC_AT]);
        bytes[CRC_AT..].copy_from_slice(&crc.to_le_bytes());
        bytes
    }

    #[test]
    fn reads_the_real_8_mb_table() {
        let table = partitions(&vector("sdk/partition_8M.bin")).expect("a good table");
        assert_eq!(
            (table.partitions.len(), table.size(), table.has_crc),
            (22, 0x80_0000, true)
        );
        let cp = table.find("cp").expect("cp");
        assert_eq!(
            (cp.start, cp.size, cp.kind.as_str(), cp.depth),
            (0x4_0000, 0x35_9000, "raw", 3)
        );
        assert_eq!(
            table.find("bootloader").map(|entry| entry.kind.as_str()),
            Some("ubi")
        );
        assert_eq!(
            table.find("external").map(|entry| entry.kind.as_str()),
            Some("flash")
        );
        assert_eq!(
            table.find("user_app").map(|entry| (entry.size, entry.used)),
            Some((0x8_0000, 0x1000))
        );
    }

    #[test]
    fn refuses_the_real_16_mb_table_with_its_stale_crc() {
        let refusal = partitions(&vector("sdk/partition_16M.bin"))
            .expect_err("a stale CRC")
            .to_string();
        assert!(
            refusal.contains("BD083CF7 stored, 338F6331 computed"),
            "{refusal}"
        );
    }

    #[test]
    fn takes_the_16_mb_table_with_a_new_crc() {
        let table = partitions(&with_new_crc(vector("sdk/partition_16M.bin"))).expect("a good table");
        assert_eq!(
            (table.size(), table.find("user_fs").map(|fs| fs.size)),
            (0x100_0000, Some(0x20_0000))
        );
    }

    #[test]
    fn takes_the_old_form_without_crc() {
        let old = partitions(&vector("sdk/partition_8M.bin")[..CRC_AT]).expect("the old form");
        assert!(!old.has_crc);
    }

    #[test]
    fn refuses_a_table_cut_short() {
        let whole = vector("sdk/partition_8M.bin");
        for cut in [4, CRC_AT - 1, CRC_AT + 3] {
            assert!(
                matches!(partitions(&whole[..cut]), Err(FormatError::Truncated { .. })),
                "cut at {cut}"
            );
        }
    }

    #[test]
    fn refuses_a_partition_beyond_the_flash() {
        let mut bytes = vector("sdk/partition_8M.bin");
        let size_of_nvm = ENTRIES_AT + 18 * ENTRY_BYTES + 0x34;
        bytes[size_of_nvm + 2] = 0xFF;
        let refusal = partitions(&with_new_crc(bytes)).expect_err("too far").to_string();
        assert!(refusal.contains("`nvm`"), "{refusal}");
    }

    #[test]
    fn reads_the_real_flash_information() {
        let small = flash(&vector("sdk/flashinfo_8M.bin")).expect("8 MB");
        assert_eq!(
            small,
            FlashInfo {
                name: "GD25LQ64C".into(),
                size: 0x80_0000,
                records: 1
            }
        );
        assert_eq!(
            flash(&vector("sdk/flashinfo_16M.bin")).map(|info| info.size),
            Ok(0x100_0000)
        );
    }

    #[test]
    fn refuses_flash_information_of_the_wrong_length() {
        let whole = vector("sdk/flashinfo_8M.bin");
        assert!(matches!(
            flash(&whole[..whole.len() - 1]),
            Err(FormatError::Truncated { .. })
        ));
        assert!(matches!(
            flash(&[&whole[..], &[0]].concat()),
            Err(FormatError::Corrupt { .. })
        ));
    }

    #[test]
    fn reads_chained_flash_information() {
        let mut first = vector("sdk/flashinfo_8M.bin");
        first[0x89] = 1;
        let second = vector("sdk/flashinfo_16M.bin");
        let info = flash(&[&first[..], &second].concat()).expect("two records");
        assert_eq!((info.size, info.records), (0x80_0000, 2));
    }

    #[test]
    fn knows_what_lies_inside_a_container() {
        let table = partitions(&vector("sdk/partition_8M.bin")).expect("a good table");
        assert_eq!(table.of_one_module("nvm"), ["nvm"]);
        assert_eq!(table.of_one_module("system"), ["rd", "rfbin"]);
        assert_eq!(
            table.of_one_module("factory"),
            ["factory", "factory_a", "factory_b"]
        );
        assert!(table.of_one_module("cp").is_empty());
    }

    proptest! {
        #[test]
        fn never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..3000), which in any::<bool>()) {
            let magic = if which { FLASH_INFO } else { PARTITIONS };
            let _ = Table::parse("x", &[&magic[..], &bytes].concat());
        }
    }
}
