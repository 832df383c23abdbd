//! The cpio packages that loaders unpack into their file systems. Source: specs/unisoc-pac-bsl.md §1.6.

use std::collections::BTreeMap;

/// The old binary format, little-endian words.
const MAGIC: u16 = 0x71C7;
const HEADER: usize = 26;
const LAST: &str = "TRAILER!!!";

/// Unpacks every whole member before the closing one. The genuine FDL2 acknowledges packages that are no cpio at
/// all, so nothing here fails.
pub(super) fn unpack(package: &[u8], files: &mut BTreeMap<String, Vec<u8>>) {
    let mut rest = package;
    while let Some((name, data, after)) = member(rest) {
        if name == LAST {
            return;
        }
        files.insert(format!("/{name}"), data.to_vec());
        rest = after;
    }
}

fn member(bytes: &[u8]) -> Option<(String, &[u8], &[u8])> {
    let word = |at: usize| Some(u16::from_le_bytes(bytes.get(at..at + 2)?.try_into().ok()?));
    if word(0)? != MAGIC {
        return None;
    }
    let name_bytes = usize::from(word(20)?);
    let data_bytes = usize::from(word(22)?) << 16 | usize::from(word(24)?);
    let name = bytes.get(HEADER..HEADER + name_bytes)?;
    let data_at = HEADER + name_bytes.next_multiple_of(2);
    let data = bytes.get(data_at..data_at + data_bytes)?;
    let after = bytes
        .get(data_at + data_bytes.next_multiple_of(2)..)
        .unwrap_or_default();
    let name = name.split(|byte| *byte == 0).next()?;
    Some((String::from_utf8_lossy(name).into_owned(), data, after))
}

/// A package of these files.
pub(crate) fn pack(files: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let mut package = Vec::new();
    for (name, data) in files
        .iter()
        .map(|(name, data)| (*name, data.as_slice()))
        .chain([(LAST, &[][..])])
    {
        let words = [
            MAGIC,
            0,
            1,
            0o100_644,
            0,
            0,
            1,
            0,
            0,
            0,
            name.len() as u16 + 1,
            (data.len() >> 16) as u16,
            data.len() as u16,
        ];
        package.extend(words.into_iter().flat_map(u16::to_le_bytes));
        package.extend(name.bytes().chain([0]));
        package.resize(package.len().next_multiple_of(2), 0);
        package.extend_from_slice(data);
        package.resize(package.len().next_multiple_of(2), 0);
    }
    package
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unpacks_what_it_packs_with_odd_names_and_lengths() {
        let files = [
            ("modem/a", vec![1, 2, 3]),
            ("prepack", vec![]),
            ("x", vec![9; 0x1_0004]),
        ];
        let package = pack(&files);
        assert_eq!(package[..2], [0xC7, 0x71]);
        let mut unpacked = BTreeMap::new();
        unpack(&package, &mut unpacked);
        assert_eq!(unpacked.len(), 3);
        assert_eq!(unpacked["/modem/a"], [1, 2, 3]);
        assert_eq!(unpacked["/x"].len(), 0x1_0004);
    }

    #[test]
    fn takes_rubbish_and_half_members_without_a_word() {
        let mut unpacked = BTreeMap::new();
        unpack(b"rubbish", &mut unpacked);
        unpack(&[], &mut unpacked);
        let package = pack(&[("a", vec![7; 100])]);
        unpack(&package[..100], &mut unpacked);
        assert!(unpacked.is_empty());
    }
}
