//! The `.pac` file: a header, a table of entries, their data, and last an XML that describes the run.
//!
//! ```text
//! header (2124) | entry[0..n) (2580 each) | data areas | last data area = XML
//! ```
//! All numbers are little-endian, all texts UTF-16LE that end at the first NUL or with their field.
//! Source: specs/unisoc-pac-bsl.md §1.

use std::collections::HashSet;
use std::ops::Range;
use std::sync::Arc;

use crc::{CRC_16_ARC, Crc, Table};

use super::{corrupt, uimage};
use crate::{FormatError, Platform};

/// Both check sums of the file, and that of an NV area. Source: specs/unisoc-pac-bsl.md §1.3, §4.3 (V).
pub(super) static CRC16: Crc<u16, Table<16>> = Crc::<u16, Table<16>>::new(&CRC_16_ARC);

/// Bytes of the header.
pub const HEADER_BYTES: usize = 2124;
/// Bytes of one entry of the table.
const ENTRY_BYTES: usize = 2580;
/// Bytes `FA FF FA FF` near the end of the header.
pub const MAGIC: [u8; 4] = [0xFA, 0xFF, 0xFA, 0xFF];
/// Where [`MAGIC`] stands.
pub const MAGIC_AT: Range<usize> = 2116..2120;
/// Entries a package may have, the XML included. Source: specs/unisoc-pac-bsl.md §1.4.
const ENTRY_COUNT: std::ops::RangeInclusive<usize> = 2..=256;
/// Bytes the XML may have. Source: specs/unisoc-pac-bsl.md §1.4.
const XML_BYTES: std::ops::RangeInclusive<usize> = 1024..=1 << 20;
/// Largest package for a Cat.1 module, in bytes. Source: specs/unisoc-pac-bsl.md §11 row 10.
const FILE_LIMIT: u64 = 256 << 20;
/// `nFileFlag` of the XML.
const FLAG_XML: u32 = 2;
/// Where the only loader of a UIS8850 runs. Source: specs/unisoc-pac-bsl.md §1.6 (V).
const LOADER_8850: u32 = 0x5080_0000;

/// What a package can be used for, judged by its entries and never by its name.
/// Source: specs/unisoc-pac-bsl.md §1.7, specs/identity.md §5.3.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Contents {
    /// Core (`AP`) and application (`APPIMG`): the firmware.
    Whole,
    /// Core alone: boots, but runs no QuecPython.
    CoreOnly,
    /// Application alone.
    ApplicationOnly,
    /// Neither: erases only.
    Tool,
}

/// One entry of the table: a file, or an operation without data.
#[derive(Debug, Clone)]
pub struct Entry {
    /// `HOST_FDL`, `AP`, `PhaseCheck`.
    pub id: String,
    /// Name of the file it was made of; empty for an operation.
    pub file_name: String,
    /// Flash address, load address, or one of the special addresses from 0xFE000001.
    pub address: u32,
    /// Whether it is part of a run by default.
    pub selected: bool,
    /// Whether a person may leave it out.
    pub can_omit: bool,
    /// The file; empty for an operation.
    pub data: Arc<[u8]>,
}

impl Entry {
    /// Whether it is code that only runs in the module's RAM. Source: specs/unisoc-pac-bsl.md §1.6.
    pub fn is_loader(&self) -> bool {
        matches!(self.id.as_str(), "HOST_FDL" | "FDL" | "FDL2")
    }
}

/// A package whose lengths, bounds and check sums are right.
#[derive(Debug, Clone)]
pub struct Pac {
    /// The chip it is for.
    pub platform: Platform,
    /// `UIX8910_MODEM`.
    pub product: String,
    /// `8910 MODULE`.
    pub product_version: String,
    /// A free name.
    pub alias: String,
    /// The table in its own order, which is the order of flashing; without the XML.
    pub entries: Vec<Entry>,
    /// The description of the run.
    pub xml: Arc<[u8]>,
    /// What a person should know.
    pub warnings: Vec<String>,
}

impl Pac {
    /// Reads a whole `.pac` file and checks everything that specs/unisoc-pac-bsl.md §1.4 asks for, except the
    /// contents of the XML.
    ///
    /// # Errors
    /// [`FormatError`] when a length, a bound, a check sum or the table contradicts the file, or when the
    /// package is for a chip that qpyflash does not write.
    pub fn parse(file: &[u8]) -> Result<Pac, FormatError> {
        let header = header_of(file)?;
        check_length(file, header)?;
        check_sums(file, header)?;
        let count = word(header, 1076) as usize;
        if !ENTRY_COUNT.contains(&count) {
            let why = format!("{count} entries, at least 2 and at most 256 were expected");
            return Err(corrupt("the entry table of the .pac file", why));
        }
        let data_start = HEADER_BYTES + count * ENTRY_BYTES;
        let table = file
            .get(HEADER_BYTES..data_start)
            .ok_or_else(|| truncated(data_start as u64, file))?;
        let mut entries = Vec::with_capacity(count);
        let mut xml = None;
        for (number, raw) in table.chunks_exact(ENTRY_BYTES).enumerate() {
            let (entry, is_xml) = entry_of(file, raw, data_start, number, is_version_2(header))?;
            if !is_xml {
                entries.push(entry);
            } else if xml.replace(entry.data).is_some() {
                return Err(corrupt(
                    "the entry table of the .pac file",
                    "it has two XML entries",
                ));
            }
        }
        refuse_twins(&entries)?;
        let xml = checked_xml(xml)?;
        let (product, product_version) = (text(&header[52..564]), text(&header[564..1076]));
        let platform = chip(&product, &product_version, &entries)?;
        let warnings = loader_warnings(platform, &entries);
        let alias = text(&header[1104..1304]);
        Ok(Pac {
            platform,
            product,
            product_version,
            alias,
            entries,
            xml,
            warnings,
        })
    }

    /// What the package can be used for.
    pub fn contents(&self) -> Contents {
        let has = |id: &str| {
            self.entries
                .iter()
                .any(|entry| entry.id == id && !entry.data.is_empty())
        };
        match (has("AP"), has("APPIMG")) {
            (true, true) => Contents::Whole,
            (true, false) => Contents::CoreOnly,
            (false, true) => Contents::ApplicationOnly,
            (false, false) => Contents::Tool,
        }
    }
}

fn header_of(file: &[u8]) -> Result<&[u8], FormatError> {
    let header = file
        .get(..HEADER_BYTES)
        .ok_or_else(|| truncated(HEADER_BYTES as u64, file))?;
    if header[MAGIC_AT] != MAGIC {
        return Err(FormatError::NotThis {
            what: "the file".into(),
            expected: "a .pac package",
            found: format!(
                "0x{:08x} stands at 2116 instead of 0xfffafffa",
                word(header, 2116)
            ),
        });
    }
    Ok(header)
}

/// Only version 2 uses the last four bytes of the version text as the high half of the length.
fn is_version_2(header: &[u8]) -> bool {
    text(&header[..44]).starts_with("BP_R2")
}

fn check_length(file: &[u8], header: &[u8]) -> Result<(), FormatError> {
    let high = if is_version_2(header) { word(header, 44) } else { 0 };
    let promised = u64::from(high) << 32 | u64::from(word(header, 48));
    if promised > FILE_LIMIT {
        let place = "a Cat.1 package".into();
        return Err(FormatError::TooLarge {
            what: "the .pac file".into(),
            size: promised,
            place,
            limit: FILE_LIMIT,
        });
    }
    if promised > file.len() as u64 {
        return Err(truncated(promised, file));
    }
    if promised < file.len() as u64 {
        let why = format!(
            "its header promises {promised} bytes, the file has {}",
            file.len()
        );
        return Err(corrupt("the .pac file", why));
    }
    Ok(())
}

/// CRC1 covers the header up to itself, CRC2 everything behind the header.
fn check_sums(file: &[u8], header: &[u8]) -> Result<(), FormatError> {
    let sums = [
        ("the header of the .pac file", &header[..2120], half(header, 2120)),
        ("the .pac file", &file[HEADER_BYTES..], half(header, 2122)),
    ];
    for (what, covered, stored) in sums {
        let found = CRC16.checksum(covered);
        if found != stored {
            return Err(corrupt(
                what,
                format!("its CRC-16 is 0x{found:04x}, the header says 0x{stored:04x}"),
            ));
        }
    }
    Ok(())
}

fn entry_of(
    file: &[u8],
    raw: &[u8],
    data_start: usize,
    number: usize,
    version_2: bool,
) -> Result<(Entry, bool), FormatError> {
    let what = format!("entry {number} of the .pac file");
    if word(raw, 0) as usize != ENTRY_BYTES {
        return Err(corrupt(
            &what,
            format!("its size is {}, not {ENTRY_BYTES}", word(raw, 0)),
        ));
    }
    let wide = |high, low| {
        let high = if version_2 { word(raw, high) } else { 0 };
        u64::from(high) << 32 | u64::from(word(raw, low))
    };
    let (size, offset) = (wide(1532, 1540), wide(1536, 1552));
    let (id, file_name, flag) = (text(&raw[4..516]), text(&raw[516..1028]), word(raw, 1544));
    let is_xml = id.is_empty() && flag == FLAG_XML;
    if id.is_empty() != is_xml {
        return Err(corrupt(&what, format!("it has no ID, and its flag is {flag}")));
    }
    if flag == 0 && size != 0 {
        return Err(corrupt(
            &what,
            format!("`{id}` is an operation and yet has {size} bytes of data"),
        ));
    }
    let data = match size {
        0 => &[][..],
        _ => area(file, data_start, offset, size).ok_or_else(|| {
            corrupt(
                &what,
                format!(
                    "{size} bytes at {offset} lie outside the {} bytes of the file",
                    file.len()
                ),
            )
        })?,
    };
    let entry = Entry {
        id,
        file_name,
        address: word(raw, 1564),
        selected: word(raw, 1548) != 0,
        can_omit: word(raw, 1556) != 0,
        data: data.into(),
    };
    Ok((entry, is_xml))
}

/// The bytes of one entry, which must lie behind the table and inside the file.
fn area(file: &[u8], data_start: usize, offset: u64, size: u64) -> Option<&[u8]> {
    let start = usize::try_from(offset)
        .ok()
        .filter(|start| *start >= data_start)?;
    let end = start.checked_add(usize::try_from(size).ok()?)?;
    file.get(start..end)
}

fn refuse_twins(entries: &[Entry]) -> Result<(), FormatError> {
    let mut seen = HashSet::new();
    match entries.iter().find(|entry| !seen.insert(&entry.id)) {
        Some(twin) => Err(corrupt(
            "the entry table of the .pac file",
            format!("`{}` is in it twice", twin.id),
        )),
        None => Ok(()),
    }
}

fn checked_xml(xml: Option<Arc<[u8]>>) -> Result<Arc<[u8]>, FormatError> {
    let xml = xml.ok_or_else(|| FormatError::Missing {
        what: "the XML of the .pac file".into(),
    })?;
    if XML_BYTES.contains(&xml.len()) {
        return Ok(xml);
    }
    let why = format!(
        "{} bytes, at least 1024 and at most 1048576 were expected",
        xml.len()
    );
    Err(corrupt("the XML of the .pac file", why))
}

/// The name in the header and the loaders in the table must point to the same chip.
/// Source: specs/unisoc-pac-bsl.md §1.7 (1) and (?): either rule alone is not trusted.
fn chip(product: &str, version: &str, entries: &[Entry]) -> Result<Platform, FormatError> {
    let named = |chip: &str| product.contains(chip) || version.contains(chip);
    let what = || format!("the package of product `{product}`, version `{version}`");
    if let Some(other) = ["8310", "710"].into_iter().find(|chip| named(chip)) {
        let why = format!("it is for the UIS/UDX {other}, qpyflash writes UIS8910 and UIS8850");
        return Err(FormatError::Unsupported { what: what(), why });
    }
    let by_name = match (named("8910"), named("8850")) {
        (true, false) => Platform::Unisoc8910,
        (false, true) => Platform::Unisoc8850,
        (false, false) => {
            let why = "it names no chip that qpyflash knows (8910 or 8850)".into();
            return Err(FormatError::Unsupported { what: what(), why });
        }
        (true, true) => return Err(corrupt(what(), "it names two chips, 8910 and 8850")),
    };
    let find = |id: &str| entries.iter().find(|entry| entry.id == id);
    let by_loaders = match (find("HOST_FDL"), find("FDL"), find("FDL2")) {
        (Some(_), _, _) => Some(Platform::Unisoc8910),
        (None, Some(loader), None) if loader.address == LOADER_8850 => Some(Platform::Unisoc8850),
        _ => None,
    };
    if by_loaders == Some(by_name) {
        return Ok(by_name);
    }
    let loaders = by_loaders.map_or("of no known chip", Platform::title);
    Err(corrupt(
        what(),
        format!(
            "it is named for the {}, its loaders are {loaders}",
            by_name.title()
        ),
    ))
}

/// The module itself checks no more than the magic of its loaders, so a damaged one is worth a word.
fn loader_warnings(platform: Platform, entries: &[Entry]) -> Vec<String> {
    let loaders = entries
        .iter()
        .filter(|entry| platform == Platform::Unisoc8910 && entry.is_loader());
    loaders
        .filter_map(|entry| {
            let defect = uimage::defect(&entry.data)?;
            Some(format!(
                "the loader `{}` is not a whole uImage: {defect}",
                entry.id
            ))
        })
        .collect()
}

/// Callers pass offsets inside the header or inside one entry, whose lengths are fixed.
fn word(bytes: &[u8], at: usize) -> u32 {
    u32::from(half(bytes, at)) | u32::from(half(bytes, at + 2)) << 16
}

fn half(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes([bytes[at], bytes[at + 1]])
}

fn text(field: &[u8]) -> String {
    let units = field
        .chunks_exact(2)
        .map(|pair| u16::from_le_bytes([pair[0], pair[1]]));
    char::decode_utf16(units.take_while(|unit| *unit != 0))
        .map(|unit| unit.unwrap_or(char::REPLACEMENT_CHARACTER))
        .collect()
}

fn truncated(need: u64, file: &[u8]) -> FormatError {
    FormatError::Truncated {
        what: "the .pac file".into(),
        need,
        have: file.len() as u64,
    }
}

#[cfg(test)]
#[path = "pac_tests.rs"]
mod tests;
