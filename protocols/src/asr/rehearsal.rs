//! A package is gone through as the module would go through it, before any module is touched: whatever would
//! fail half-way is found here. Source: specs/asr-aboot.md §5.1, §5.3, §6.

use super::tables::{FlashInfo, PartitionTable, Table, is_of_one_module};
use super::{corrupt, sparse, unsupported};
use crate::FormatError;

/// The longest partition name, in bytes: the table's field without its closing zero. Source: §6.1 (V).
pub(super) const LONGEST_PARTITION: usize = 31;
/// The longest name of a variable, in bytes: a command has 127, of which `getvar:` takes 7. Source: §4.1 (V).
pub(super) const LONGEST_VARIABLE: usize = 120;

/// What the module would know by now.
#[derive(Debug, Default)]
pub(super) struct Rehearsal {
    chip_is_required: bool,
    helper_runs: bool,
    flash: Option<FlashInfo>,
    table: Option<PartitionTable>,
    last_flashed: Option<String>,
    writes: bool,
    warnings: Vec<String>,
}

impl Rehearsal {
    /// The package requires a value of this variable.
    pub fn require(&mut self, variable: &str) {
        self.chip_is_required |= matches!(variable, "version-bootrom" | "product");
    }

    /// Helper code is started.
    pub fn call(&mut self) {
        self.helper_runs = true;
    }

    /// A table is handed to the flasher.
    pub fn partition(&mut self, what: &str, table: &Table) -> Result<(), FormatError> {
        self.needs_flasher(what)?;
        match table {
            Table::Flash(info) => self.flash = Some(info.clone()),
            Table::Partitions(table) => {
                if !table.has_crc {
                    self.warn(format!("`{what}` has no check sum (old form)"));
                }
                self.table = Some(table.clone());
            }
        }
        self.compare_sizes(what)
    }

    /// The table must not reach beyond the chip. Source: §6.2, §11 no. 17.
    fn compare_sizes(&mut self, what: &str) -> Result<(), FormatError> {
        let (Some(info), Some(table)) = (&self.flash, &self.table) else {
            return Ok(());
        };
        let (chip, divided) = (info.size, table.size());
        if info.records == 1 && divided > chip {
            let place = format!("the flash chip `{}`", info.name);
            return Err(FormatError::TooLarge {
                what: what.to_owned(),
                size: divided,
                place,
                limit: chip,
            });
        }
        if divided != chip {
            let sizes = format!(
                "`{}` has {chip} bytes, the partition table divides {divided}",
                info.name
            );
            self.warn(format!("flash size: {sizes}"));
        }
        Ok(())
    }

    /// A partition is erased.
    pub fn erase(&mut self, partition: &str) -> Result<(), FormatError> {
        self.needs_flasher(&format!("erasing `{partition}`"))?;
        self.find(partition)?;
        self.touches(partition, "erases");
        Ok(())
    }

    /// An image of `size` bytes is written from the start of a partition.
    pub fn flash(&mut self, what: &str, partition: &str, size: u64) -> Result<(), FormatError> {
        if self.last_flashed.as_deref() == Some(partition) {
            let why = "the flasher does not go back to the start of a partition it has just written";
            return Err(unsupported(format!("writing `{partition}` twice in a row"), why));
        }
        self.flash_segment(what, partition, size)
    }

    /// A segment of an image of `size` bytes is written; the caller knows that it follows the one before.
    pub fn flash_segment(&mut self, what: &str, partition: &str, size: u64) -> Result<(), FormatError> {
        self.needs_flasher(&format!("writing `{what}`"))?;
        if size == 0 {
            return Err(corrupt(format!("`{what}`"), "it is empty"));
        }
        let size = size.next_multiple_of(sparse::BLOCK as u64);
        let limit = self.find(partition)?.map_or(u64::from(u32::MAX), u64::from);
        if size > limit {
            let (what, place) = (format!("`{what}`"), format!("partition `{partition}`"));
            return Err(FormatError::TooLarge {
                what,
                size,
                place,
                limit,
            });
        }
        self.touches(partition, "writes");
        self.last_flashed = Some(partition.to_owned());
        Ok(())
    }

    /// What a person should know, if everything would go well.
    pub fn finish(mut self) -> Result<Vec<String>, FormatError> {
        if !self.writes {
            return Err(unsupported(
                "a package that writes nothing",
                "there is nothing to do",
            ));
        }
        if !self.chip_is_required {
            self.warn("the package does not say which chip it is for".to_owned());
        }
        if self.table.is_none() {
            self.warn("unknown partition table: no image can be compared with its partition".to_owned());
        }
        if self.flash.is_none() {
            self.warn("unknown flash size: the package has no flash information table".to_owned());
        }
        Ok(self.warnings)
    }

    /// Without a flasher the boot ROM would get commands it does not know. Source: §5.2: productionOnly.
    fn needs_flasher(&self, what: &str) -> Result<(), FormatError> {
        if self.helper_runs {
            return Ok(());
        }
        Err(unsupported(what, "no `call` entry starts a flasher before it"))
    }

    /// The size of a partition; nothing when there is no table to ask.
    fn find(&self, partition: &str) -> Result<Option<u32>, FormatError> {
        check_name("partition", partition, LONGEST_PARTITION)?;
        let Some(table) = &self.table else { return Ok(None) };
        match table.find(partition) {
            Some(found) => Ok(Some(found.size)),
            None => Err(FormatError::Missing {
                what: format!("partition `{partition}` of the partition table"),
            }),
        }
    }

    fn touches(&mut self, partition: &str, verb: &str) {
        self.writes = true;
        let inside = match &self.table {
            Some(table) => table.of_one_module(partition).join("`, `"),
            None if is_of_one_module(partition) => partition.to_owned(),
            None => String::new(),
        };
        // A warning at every write would teach people not to read warnings.
        let usual = verb == "writes" && WRITTEN_BY_EVERY_FULL_PACKAGE.contains(&partition);
        if !inside.is_empty() && !usual {
            let data = "which may hold calibration, IMEI or network data of one single module";
            self.warn(format!("the package {verb} `{inside}`, {data}"));
        }
    }

    fn warn(&mut self, warning: String) {
        if !self.warnings.contains(&warning) {
            self.warnings.push(warning);
        }
    }
}

/// Partitions of one module for which every full package of the vendor's brings an image. Source: §5.5 (1).
const WRITTEN_BY_EVERY_FULL_PACKAGE: [&str; 2] = ["rd", "rfbin"];

/// Names go into commands: printable ASCII without blanks, of bounded length.
pub(super) fn check_name(what: &str, name: &str, longest: usize) -> Result<(), FormatError> {
    let printable = name.bytes().all(|byte| byte.is_ascii_graphic());
    if printable && (1..=longest).contains(&name.len()) {
        return Ok(());
    }
    let shown = name.chars().take(longest).collect::<String>();
    Err(corrupt(
        format!("{what} `{}`", shown.escape_debug()),
        format!("a name has 1 to {longest} printable ASCII characters"),
    ))
}
