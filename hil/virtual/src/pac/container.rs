//! The `.pac` file: header, entries, data. Source: specs/unisoc-pac-bsl.md §1.1-1.3.

use super::PacEntry;
use crate::unisoc::UnisocChip;
use crate::unisoc::checks::crc_arc;

const HEADER: usize = 2124;
const ENTRY: usize = 2580;
/// Where the CRCs stand: the first covers what is before, the second what is after.
const CRCS_AT: usize = 2120;
const LENGTH_AT: usize = 48;
const MAGIC: u32 = 0xFFFA_FFFA;

/// Product, version and alias of a chip's packages. Source: the real EC800G package, and §1.1.
pub(super) fn names(chip: UnisocChip) -> [&'static str; 3] {
    match chip {
        UnisocChip::Uis8910 => ["UIX8910_MODEM", "8910 MODULE", "8915DM_cat1_open"],
        UnisocChip::Uis8850 => ["8850_MODEM", "8850 MODULE", "8850XM_cat1_open"],
    }
}

/// Appends `text` in a field of that many bytes.
fn text(into: &mut Vec<u8>, text: &str, bytes: usize) {
    let end = into.len() + bytes;
    into.extend(text.encode_utf16().flat_map(u16::to_le_bytes));
    into.resize(end, 0);
}

fn words(into: &mut Vec<u8>, words: &[u32]) {
    into.extend(words.iter().flat_map(|word| word.to_le_bytes()));
}

/// The file of these entries; the XML is its last one.
pub(super) fn build(chip: UnisocChip, entries: &[PacEntry], xml: &[u8]) -> Vec<u8> {
    let [product, version, alias] = names(chip);
    let count = entries.len() + 1;
    let mut file = Vec::new();
    text(&mut file, "BP_R1.0.0", LENGTH_AT);
    words(&mut file, &[0]);
    text(&mut file, product, 512);
    text(&mut file, version, 512);
    words(&mut file, &[count as u32, HEADER as u32, 0, 1, 1, 1, 0]);
    text(&mut file, alias, 200);
    words(&mut file, &[0, 1, 1]);
    file.resize(CRCS_AT - 4, 0);
    words(&mut file, &[MAGIC]);
    file.resize(HEADER, 0);

    let mut offset = HEADER + count * ENTRY;
    for entry in entries {
        let flag = u32::from(!entry.data.is_empty());
        let flags = [flag, entry.is_selected.into()];
        let name = (entry.id.as_str(), entry.file.as_str());
        put_entry(
            &mut file,
            name,
            entry.data.len(),
            flags,
            offset,
            (entry.can_omit, entry.address),
        );
        offset += entry.data.len();
    }
    put_entry(
        &mut file,
        ("", &format!("{product}.xml")),
        xml.len(),
        [2, 0],
        offset,
        (false, 0),
    );
    for entry in entries {
        file.extend_from_slice(&entry.data);
    }
    file.extend_from_slice(xml);
    let length = file.len() as u32;
    file[LENGTH_AT..LENGTH_AT + 4].copy_from_slice(&length.to_le_bytes());
    put_crcs(&mut file);
    file
}

fn put_entry(
    file: &mut Vec<u8>,
    (id, name): (&str, &str),
    length: usize,
    [flag, check]: [u32; 2],
    offset: usize,
    (can_omit, address): (bool, u32),
) {
    let end = file.len() + ENTRY;
    words(file, &[ENTRY as u32]);
    text(file, id, 512);
    text(file, name, 512);
    text(file, "", 504);
    words(
        file,
        &[
            0,
            0,
            length as u32,
            flag,
            check,
            offset as u32,
            can_omit.into(),
            1,
            address,
        ],
    );
    file.resize(end, 0);
}

/// Computes both CRCs anew.
pub(super) fn put_crcs(file: &mut [u8]) {
    if file.len() < HEADER {
        return;
    }
    let crcs = [crc_arc(&file[..CRCS_AT]), crc_arc(&file[HEADER..])];
    for (crc, at) in crcs.into_iter().zip([CRCS_AT, CRCS_AT + 2]) {
        file[at..at + 2].copy_from_slice(&crc.to_le_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Where specs/unisoc-pac-bsl.md §1.8 shows each field of its worked package.
    #[test]
    fn has_every_field_where_the_worked_package_has_it() {
        let entry = PacEntry {
            id: "HOST_FDL".into(),
            file: "fdl1.img".into(),
            kind: "HOST_FDL",
            address: 0x0080_00C0,
            region: 0xFF40,
            data: vec![0xAB; 0x3520],
            is_selected: true,
            can_omit: false,
        };
        let xml = vec![b' '; 1024];
        let file = build(UnisocChip::Uis8910, &[entry], &xml);
        let word = |at: usize| u32::from_le_bytes(file[at..at + 4].try_into().unwrap());
        assert_eq!(file[..6], [0x42, 0, 0x50, 0, 0x5F, 0]);
        assert_eq!(word(0x30) as usize, file.len());
        assert_eq!(file[0x34..0x3A], [0x55, 0, 0x49, 0, 0x58, 0]);
        assert_eq!(file[0x234..0x238], [0x38, 0, 0x39, 0]);
        let header: Vec<_> = (0x434..0x450).step_by(4).map(word).collect();
        assert_eq!(header, [2, 2124, 0, 1, 1, 1, 0]);
        assert_eq!([word(0x518), word(0x51C), word(0x520)], [0, 1, 1]);
        assert_eq!(file[0x844..0x848], [0xFA, 0xFF, 0xFA, 0xFF]);
        assert_eq!(word(0x84C), 2580);
        assert_eq!(file[0x850..0x854], [0x48, 0, 0x4F, 0]);
        let fields: Vec<_> = (0xE48..0xE6C).step_by(4).map(word).collect();
        let data_at = 2124 + 2 * 2580;
        assert_eq!(fields, [0, 0, 0x3520, 1, 1, data_at, 0, 1, 0x0080_00C0]);
        assert_eq!(file[data_at as usize..][..4], [0xAB; 4]);
        let mut again = file.clone();
        put_crcs(&mut again);
        assert_eq!(again, file);
    }
}
