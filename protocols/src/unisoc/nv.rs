//! The NV area: the items that make a module this module, and how a package's items are merged with them.
//!
//! ```text
//! crc u16 BE | 2 free bytes | item* | FF FF | FF ...          item: id u16 LE, length u16 LE, data, padded to 4
//! ```
//!
//! The calibration and the IMEI in it exist nowhere else. Nothing here touches a module; the session reads the
//! area, has it kept by its caller, merges, writes, and reads it back. Source: specs/unisoc-pac-bsl.md §5.5, §6.6.

use std::collections::HashSet;
use std::ops::Range;

use super::pac::CRC16;
use super::xml::KeptItem;
use super::{corrupt, unsupported};
use crate::FormatError;

/// Where the first item stands.
const FIRST_ITEM: usize = 4;
/// What the CRC covers begins here.
const COVERED_FROM: usize = 2;
/// Items of one area. Source: §6.6 step 2.
const ITEM_LIMIT: usize = 1024;
/// Bytes at the end of the list: an id of 0xFFFF, and what the genuine FDL2 reads as its length.
const END_MARK_BYTES: usize = 4;
/// An id from here on ends the list. Source: §6.6 step 2.
const END_ID: u16 = 0xFFFE;
/// First word of the data of item 0 in an area of several blocks, which other chips have. Source: §6.6 step 3.
const INDEX_MAGIC: &[u8] = b"INDX";

/// The IMEI.
pub const IMEI: u16 = 5;
/// Further IMEIs. Source: §6.6 step 1, §11 no. 13 (?): kept where both sides have them, which can do no harm.
const FURTHER_IMEIS: [u16; 2] = [0x186, 0x1E4];
/// The parameters behind the place-holder "Calibration". Source: §6.6 (?): the vendor's PC tool keeps calibration
/// by name, the vendor's Linux loader drops the place-holder; a module's own calibration is always the right one.
const CALIBRATION: u16 = 2;
/// The items that the module's loader pads with zeros. Source: §6.6 (V) for 0x26D; the genuine FDL2 does the same
/// to 0x191 (40 bytes).
const PADDED: [u16; 2] = [0x26D, 0x191];
/// Items of fixed length, which the module refuses at any other. Source: §6.6 (V) for the coding; the genuine FDL2
/// answers 0x84 to seven bytes.
const IMEIS: [u16; 4] = [IMEI, 0x179, 0x186, 0x1E4];
/// Calibration: its loss cannot be made good, so it is never shortened. Source: §11 no. 14, which asks for a
/// refusal instead: an item that keeps its length loses nothing, and the genuine FDL2 takes back an area with the
/// items as long as it has sent them.
const NEVER_SHORTENED: [u16; 4] = [CALIBRATION, 0x26D, 0x26E, 0x26F];

/// One item, and where its data stands in the area.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// Which.
    pub id: u16,
    /// The data.
    pub place: Range<usize>,
}

/// The items of an area, in their order.
///
/// # Errors
/// [`FormatError`] when the list has no end, leaves the area, or is that of another chip.
pub fn items(area: &[u8]) -> Result<Vec<Item>, FormatError> {
    let mut items = Vec::new();
    let mut at = FIRST_ITEM;
    while at != area.len() {
        let id = half(area, at)?;
        if id >= END_ID {
            return Ok(items);
        }
        if items.len() == ITEM_LIMIT {
            return Err(corrupt(
                "the NV area",
                format!("it has no end within {ITEM_LIMIT} items"),
            ));
        }
        let length = usize::from(half(area, at + 2)?);
        let place = at + 4..at + 4 + length;
        let data = area
            .get(place.clone())
            .ok_or_else(|| outside(id, at, area.len()))?;
        if id == 0 && data.starts_with(INDEX_MAGIC) {
            return Err(unsupported(
                "an NV area of several blocks",
                "it is for another chip",
            ));
        }
        at = place.start + length.next_multiple_of(4);
        if at > area.len() {
            return Err(outside(id, place.start, area.len()));
        }
        items.push(Item { id, place });
    }
    Ok(items)
}

/// The ids of an area's items.
///
/// # Errors
/// As [`items`].
pub fn ids(area: &[u8]) -> Result<Vec<u16>, FormatError> {
    Ok(items(area)?.into_iter().map(|item| item.id).collect())
}

/// Checks an area that a module has sent or a person has kept: its CRC and its list.
///
/// # Errors
/// [`FormatError`] with both values.
pub fn check(area: &[u8]) -> Result<(), FormatError> {
    let covered = area.get(COVERED_FROM..).filter(|covered| covered.len() >= 2);
    let covered = covered.ok_or_else(|| FormatError::Truncated {
        what: "the NV area".into(),
        need: FIRST_ITEM as u64,
        have: area.len() as u64,
    })?;
    let (found, stored) = (CRC16.checksum(covered), u16::from_be_bytes([area[0], area[1]]));
    if found != stored {
        let why = format!("its CRC-16 is 0x{found:04x}, its first two bytes say 0x{stored:04x}");
        return Err(corrupt("the NV area", why));
    }
    items(area).map(drop)
}

/// The IMEI of an area, or nothing when it holds none. Source: §6.6: the first digit in the high half of the
/// first byte, above 0xA; then two digits a byte, low half first (V).
pub fn imei(area: &[u8]) -> Option<String> {
    let item = items(area).ok()?.into_iter().find(|item| item.id == IMEI)?;
    let bytes: [u8; 8] = area.get(item.place)?.try_into().ok()?;
    let halves = bytes.into_iter().flat_map(|byte| [byte & 15, byte >> 4]).skip(1);
    let digits: Option<String> = halves.map(|half| char::from_digit(half.into(), 10)).collect();
    digits
}

/// The sum of all bytes, which START_DATA carries. Source: §5.5 (V).
pub fn byte_sum(area: &[u8]) -> u32 {
    area.iter().fold(0u32, |sum, &byte| sum.wrapping_add(byte.into()))
}

/// Puts the right CRC in front, high byte first. An area shorter than that is left alone.
pub fn seal(area: &mut [u8]) {
    if let Some((crc, covered)) = area.split_first_chunk_mut::<COVERED_FROM>() {
        *crc = CRC16.checksum(covered).to_be_bytes();
    }
}

/// What a merge has made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Merged {
    /// The area to write, sealed: of the package's size, or longer where calibration has no room in that.
    pub area: Vec<u8>,
    /// The items that carry the module's own data.
    pub kept: Vec<u16>,
    /// What a person should know.
    pub warnings: Vec<String>,
}

/// Why a merge is refused; nothing has been changed then.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MergeRefusal {
    /// One of the two areas is damaged.
    #[error(transparent)]
    Format(#[from] FormatError),
    /// The module lacks items that the package would fill with its own: its calibration or identity would be lost.
    #[error(
        "the module has no NV item {}, and the package would fill it with its own; restore a kept NV area of this \
         module first",
        .0.join(", ")
    )]
    Missing(Vec<String>),
    /// The package has less room for an item that must not be shortened and cannot grow.
    #[error("the NV item {item} has {module} bytes in the module, the package has room for {package}")]
    TooLong {
        /// Which.
        item: String,
        /// Bytes of the module's own.
        module: usize,
        /// Bytes of the package's.
        package: usize,
    },
    /// With the module's own calibration the area becomes longer than the module takes it.
    #[error("with the module's own calibration the NV area has {size} bytes, the module takes {room}")]
    NoRoom {
        /// Bytes of the merged area.
        size: usize,
        /// Bytes that the module takes.
        room: usize,
    },
}

/// The package's area with the module's own items in it. Items that the package lacks are left out: the module
/// keeps those by itself. Source: §6.6, §5.5 (V).
///
/// An item of another length is copied as far as both reach (the vendor's host reads past the end). Calibration
/// that is longer in the module keeps its length: it takes the free end of the area, and then makes the area longer,
/// up to the `room` bytes that the module takes.
///
/// # Errors
/// [`MergeRefusal`].
pub fn merge(
    own: &[u8],
    package: &[u8],
    room: usize,
    kept_items: &[KeptItem],
    take_missing: bool,
) -> Result<Merged, MergeRefusal> {
    let (own_items, new_items) = (items(own)?, items(package)?);
    let mut merged = Merged {
        area: package.to_vec(),
        kept: Vec::new(),
        warnings: Vec::new(),
    };
    let mut missing = Vec::new();
    for (id, name, may_be_missing) in wanted(kept_items) {
        let title = title(id, name);
        if !new_items.iter().any(|item| item.id == id) {
            continue;
        }
        match own_items.iter().find(|item| item.id == id) {
            Some(item) => carry(id, &own[item.place.clone()], &title, &mut merged)?,
            None if may_be_missing => {}
            None if take_missing => merged.warnings.push(format!(
                "the module has no NV item {title}: it gets the package's"
            )),
            None => missing.push(title),
        }
    }
    if !missing.is_empty() {
        return Err(MergeRefusal::Missing(missing));
    }
    let size = merged.area.len();
    if size > room.max(package.len()) {
        return Err(MergeRefusal::NoRoom { size, room });
    }
    seal(&mut merged.area);
    Ok(merged)
}

/// The items to keep, each once: those of the package's list, and those every module must keep.
fn wanted(kept_items: &[KeptItem]) -> Vec<(u16, &str, bool)> {
    let listed = kept_items
        .iter()
        .filter_map(|item| Some((item.id?, item.name.as_str(), item.may_be_missing)));
    let always = [(IMEI, "IMEI", false), (CALIBRATION, "calibration", true)];
    let further = FURTHER_IMEIS.map(|id| (id, "IMEI", true));
    let mut seen = HashSet::new();
    let all = always.into_iter().chain(listed).chain(further);
    all.filter(|(id, ..)| seen.insert(*id)).collect()
}

/// The items that a module keeps when its NV area is merged with a package's, in words: `0x26d (GSM)`.
pub fn kept_titles(kept_items: &[KeptItem]) -> Vec<String> {
    let wanted = wanted(kept_items).into_iter();
    wanted.map(|(id, name, _)| title(id, name)).collect()
}

/// Puts the module's own data into an item of the area.
fn carry(id: u16, own: &[u8], title: &str, merged: &mut Merged) -> Result<(), MergeRefusal> {
    let all = items(&merged.area)?;
    let Some(new) = all.iter().find(|item| item.id == id) else {
        return Ok(());
    };
    let common = own.len().min(new.place.len());
    let lost = !is_padding(id, &own[common..]);
    if lost && IMEIS.contains(&id) {
        return Err(MergeRefusal::TooLong {
            item: title.to_owned(),
            module: own.len(),
            package: new.place.len(),
        });
    }
    let keeps_length = lost && NEVER_SHORTENED.contains(&id);
    if lost || own.len() < new.place.len() {
        let then = match keeps_length {
            true => "it keeps its length".to_owned(),
            false => format!("{common} are kept"),
        };
        merged.warnings.push(format!(
            "the NV item {title} has {} bytes in the module and {} in the package: {then}",
            own.len(),
            new.place.len()
        ));
    }
    merged.kept.push(id);
    if keeps_length {
        lengthen(&mut merged.area, &all, new, own);
    } else {
        let start = new.place.start;
        merged.area[start..start + common].copy_from_slice(&own[..common]);
    }
    Ok(())
}

/// Gives an item longer data. What follows moves back, into the blank end of the area as far as there is one.
fn lengthen(area: &mut Vec<u8>, all: &[Item], item: &Item, data: &[u8]) {
    let padded = |place: &Range<usize>| place.start + place.len().next_multiple_of(4);
    let end = all.last().map_or(FIRST_ITEM, |last| padded(&last.place));
    let grown = data.len().next_multiple_of(4) - item.place.len().next_multiple_of(4);
    // The end mark is the beginning of the blank end, and must not be used up.
    let blank = area[end..].iter().all(|byte| *byte == 0xFF);
    let spare = area.len().saturating_sub(end + END_MARK_BYTES);
    if blank {
        area.truncate(area.len() - grown.min(spare));
    }
    let mut new = data.to_vec();
    new.resize(data.len().next_multiple_of(4), 0);
    area.splice(item.place.start..padded(&item.place), new);
    // The length stands right before the data.
    let length = (data.len() as u16).to_le_bytes();
    area[item.place.start - 2..item.place.start].copy_from_slice(&length);
}

/// What differs between an area that was written and the one that the module has sent back: the first item that
/// is another, or a kept one that is gone. The module returns factory items only.
/// Source: §6.6 step 7; §5.4.
///
/// # Errors
/// [`FormatError`] when one of them cannot be read.
pub fn difference(written: &[u8], kept: &[u16], read_back: &[u8]) -> Result<Option<String>, FormatError> {
    let found = items(read_back)?;
    for item in items(written)? {
        let (id, data) = (item.id, &written[item.place]);
        match found.iter().find(|other| other.id == id) {
            Some(other) if same(id, data, &read_back[other.place.clone()]) => {}
            Some(_) => return Ok(Some(format!("the NV item 0x{id:x} has other contents"))),
            None if kept.contains(&id) => return Ok(Some(format!("the NV item 0x{id:x} is gone"))),
            None => {}
        }
    }
    Ok(None)
}

fn same(id: u16, written: &[u8], read: &[u8]) -> bool {
    let (data, rest) = read.split_at(read.len().min(written.len()));
    data == written && is_padding(id, rest)
}

/// Whether the end of an item is nothing but what the module's loader has added.
fn is_padding(id: u16, end: &[u8]) -> bool {
    end.is_empty() || (PADDED.contains(&id) && end.iter().all(|byte| *byte == 0))
}

fn title(id: u16, name: &str) -> String {
    match name {
        "" => format!("0x{id:x}"),
        name => format!("0x{id:x} ({name})"),
    }
}

fn half(area: &[u8], at: usize) -> Result<u16, FormatError> {
    match area.get(at..at + 2) {
        Some(&[low, high]) => Ok(u16::from_le_bytes([low, high])),
        _ => Err(corrupt(
            "the NV area",
            format!("its list of items has no end within its {} bytes", area.len()),
        )),
    }
}

fn outside(id: u16, at: usize, length: usize) -> FormatError {
    let why = format!("the item 0x{id:x} at {at} leaves the {length} bytes of the area");
    corrupt("the NV area", why)
}

#[cfg(test)]
#[path = "nv_tests.rs"]
mod tests;
