//! The container: a header, then for each image an entry and its bytes. Source: specs/eigencomm-agentboot.md §2.1 [V].

use sha2::{Digest, Sha256};

use super::BinpkgEntry;

const HEADER: usize = 52;
const ENTRY: usize = 364;
/// 2021-12-02, as the real package.
const BUILT: u32 = 0x61A8_73E3;

/// The file of version "106".
pub(super) fn build(entries: &[BinpkgEntry]) -> Vec<u8> {
    let mut file = field(b"106", 8);
    file.extend(b"bpkg");
    file.extend(BUILT.to_le_bytes());
    file.extend((entries.len() as u32).to_le_bytes());
    file.extend(field(b"SHA256", 8));
    file.resize(HEADER, 0);
    for entry in entries {
        let offset = file.len() as u32;
        file.extend(field(entry.name.as_bytes(), 64));
        for word in [
            entry.address,
            entry.partition_bytes,
            offset,
            entry.data.len() as u32,
        ] {
            file.extend(word.to_le_bytes());
        }
        file.extend(field(hex(&entry.data).as_bytes(), 256));
        file.extend(field(entry.kind.as_bytes(), 16));
        file.resize(offset as usize + ENTRY, 0);
        file.extend_from_slice(&entry.data);
    }
    file
}

/// The entries of a file of version "106", believed without a check; those before the first that is cut off.
pub(super) fn read(file: &[u8]) -> Vec<BinpkgEntry> {
    let count = word(file, 16).unwrap_or(0);
    let mut at = HEADER + usize::from(half(file, 30).unwrap_or(0));
    let mut entries = Vec::new();
    for _ in 0..count {
        let Some((entry, end)) = read_entry(file, at) else {
            break;
        };
        entries.push(entry);
        at = end;
    }
    entries
}

fn read_entry(file: &[u8], at: usize) -> Option<(BinpkgEntry, usize)> {
    let head = file.get(at..at + ENTRY)?;
    let begin = at + ENTRY + usize::from(half(head, 354)?);
    let end = begin.checked_add(word(head, 76)? as usize)?;
    let entry = BinpkgEntry {
        name: text(&head[..64]),
        address: word(head, 64)?,
        partition_bytes: word(head, 68)?,
        kind: text(&head[336..352]),
        data: file.get(begin..end)?.to_vec(),
    };
    Some((entry, end))
}

fn field(text: &[u8], length: usize) -> Vec<u8> {
    let mut field = text.to_vec();
    field.resize(length, 0);
    field
}

fn text(field: &[u8]) -> String {
    let end = field.iter().position(|byte| *byte == 0).unwrap_or(field.len());
    String::from_utf8_lossy(&field[..end]).into_owned()
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

fn half(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_le_bytes(bytes.get(at..at + 2)?.try_into().ok()?))
}

fn hex(data: &[u8]) -> String {
    Sha256::digest(data)
        .iter()
        .map(|byte| format!("{byte:02X}"))
        .collect()
}
