use std::path::PathBuf;

use proptest::prelude::*;

use super::*;

fn vector(name: &str) -> Vec<u8> {
    let root = std::env::var_os("QPYFLASH_VECTORS").map_or_else(
        || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/vectors")),
        PathBuf::from,
    );
    let path = root.join(name);
    std::fs::read(&path).unwrap_or_else(|why| panic!("the vector {} is needed: {why}", path.display()))
}

fn demo() -> Vec<u8> {
    vector("unisoc/demo8910.pac")
}

/// Makes both check sums right again after a test has changed the file.
fn sealed(mut file: Vec<u8>) -> Vec<u8> {
    let length = file.len() as u32;
    file[48..52].copy_from_slice(&length.to_le_bytes());
    let data = CRC16.checksum(&file[HEADER_BYTES..]);
    let header = CRC16.checksum(&file[..2120]);
    file[2120..2122].copy_from_slice(&header.to_le_bytes());
    file[2122..2124].copy_from_slice(&data.to_le_bytes());
    file
}

fn changed(change: impl FnOnce(&mut Vec<u8>)) -> Result<Pac, FormatError> {
    let mut file = demo();
    change(&mut file);
    Pac::parse(&sealed(file))
}

fn put(file: &mut [u8], at: usize, value: u32) {
    file[at..at + 4].copy_from_slice(&value.to_le_bytes());
}

fn put_text(file: &mut [u8], at: usize, value: &str) {
    for (unit, pair) in value.encode_utf16().zip(file[at..].chunks_exact_mut(2)) {
        pair.copy_from_slice(&unit.to_le_bytes());
    }
}

const fn entry_at(number: usize) -> usize {
    HEADER_BYTES + number * ENTRY_BYTES
}

#[test]
fn decodes_the_worked_example() {
    let pac = Pac::parse(&demo()).unwrap();
    assert_eq!(pac.platform, Platform::Unisoc8910);
    assert_eq!(
        (pac.product.as_str(), pac.product_version.as_str()),
        ("UIX8910_MODEM", "8910 MODULE")
    );
    assert_eq!(pac.alias, "demo");
    assert_eq!(pac.xml.len(), 0xFCD);
    assert!(pac.warnings.is_empty(), "{:?}", pac.warnings);
    assert_eq!(pac.contents(), Contents::CoreOnly);
    let table: Vec<_> = pac
        .entries
        .iter()
        .map(|e| (e.id.as_str(), e.data.len(), e.selected, e.can_omit, e.address))
        .collect();
    assert_eq!(
        table,
        [
            ("HOST_FDL", 0x3520, true, false, 0x0080_00C0),
            ("FDL2", 0xCE00, true, false, 0x0081_0000),
            ("ERASE_BOOT", 0, true, true, 0x6000_0000),
            ("AP", 0x3000, true, false, 0x6001_0000),
            ("PS", 0x5004, true, false, 0x604A_0000),
            ("FMT_FSSYS", 0, false, true, 0xFE00_0006),
            ("PhaseCheck", 0, true, true, 0xFE00_0002),
            ("FLASH", 0, true, true, 0xFE00_0001),
            ("NV", 0x800, true, true, 0xFE00_0003),
            ("BOOTLOADER", 0x2000, true, false, 0x6000_0000),
        ]
    );
    assert_eq!(&pac.entries[0].data[..], vector("unisoc/fdl1.img"));
    assert_eq!(&pac.entries[1].data[..], vector("unisoc/fdl2.img"));
}

#[test]
fn decodes_a_published_8850_package() {
    let pac = Pac::parse(&vector("packages/QPY_OCPU_V0001_EC800G_CNLD_FW.pac")).unwrap();
    assert_eq!(pac.platform, Platform::Unisoc8850);
    assert_eq!(pac.contents(), Contents::Whole);
    assert_eq!(pac.entries.len(), 17);
    let app = pac.entries.iter().find(|entry| entry.id == "APPIMG").unwrap();
    assert_eq!(app.file_name, "EC800GCNLDR02A01M04_OCPU_QPY.sign.img");
    assert_eq!((app.data.len(), app.address), (0x52780, 0x6016_6000));
}

#[test]
fn accounts_for_every_byte_of_a_package() {
    for name in [
        "unisoc/demo8910.pac",
        "packages/QPY_OCPU_V0001_EC800G_CNLD_FW.pac",
    ] {
        let file = vector(name);
        let pac = Pac::parse(&file).unwrap();
        let table = HEADER_BYTES + (pac.entries.len() + 1) * ENTRY_BYTES;
        let data: Vec<u8> = pac
            .entries
            .iter()
            .flat_map(|entry| entry.data.to_vec())
            .chain(pac.xml.to_vec())
            .collect();
        assert!(file[table..] == data, "{name}");
    }
}

#[test]
fn refuses_a_wrong_check_sum() {
    for (at, word) in [
        (2120, "header"),
        (2122, ".pac file"),
        (100, "header"),
        (140_000, ".pac file"),
    ] {
        let mut file = demo();
        file[at] ^= 1;
        let error = Pac::parse(&file).unwrap_err();
        assert!(
            matches!(&error, FormatError::Corrupt { what, why }
            if what.contains(word) && why.contains("CRC-16")),
            "{at}: {error}"
        );
    }
}

#[test]
fn refuses_a_file_shorter_or_longer_than_promised() {
    let whole = demo();
    for length in [0, 100, 2123, 2124, 5000, whole.len() - 1] {
        let error = Pac::parse(&whole[..length]).unwrap_err();
        assert!(
            matches!(error, FormatError::Truncated { .. }),
            "{length}: {error}"
        );
    }
    let longer = [whole.as_slice(), &[0]].concat();
    assert!(matches!(Pac::parse(&longer), Err(FormatError::Corrupt { .. })));
}

#[test]
fn uses_the_high_length_words_in_version_2_only() {
    let version = |file: &mut Vec<u8>, text| {
        put_text(file, 0, text);
        put(file, 44, 1);
        put(file, entry_at(3) + 1532, 1);
    };
    assert!(changed(|file| version(file, "BP_R1.0.0")).is_ok());
    let error = changed(|file| version(file, "BP_R2.0.1")).unwrap_err();
    assert!(matches!(error, FormatError::TooLarge { .. }), "{error}");
}

#[test]
fn refuses_a_broken_table() {
    type Change = fn(&mut Vec<u8>);
    let broken: [(&str, Change); 7] = [
        ("not 2580", |file| put(file, entry_at(1), 2579)),
        ("outside", |file| put(file, entry_at(3) + 1552, 143_000)),
        ("outside", |file| put(file, entry_at(3) + 1552, 2124)),
        ("outside", |file| put(file, entry_at(3) + 1540, u32::MAX)),
        ("twice", |file| put_text(file, entry_at(4) + 4, "AP")),
        ("entries", |file| put(file, 1076, 1)),
        ("operation", |file| put(file, entry_at(3) + 1544, 0)),
    ];
    for (word, change) in broken {
        let error = changed(change).unwrap_err();
        assert!(error.to_string().contains(word), "{word}: {error}");
    }
}

#[test]
fn refuses_a_package_without_xml() {
    let error = changed(|file| {
        put(file, 1076, 10);
    })
    .unwrap_err();
    assert!(matches!(error, FormatError::Missing { .. }), "{error}");
    let error = changed(|file| put(file, entry_at(10) + 1540, 1023)).unwrap_err();
    assert!(error.to_string().contains("XML"), "{error}");
}

#[test]
fn refuses_a_chip_it_does_not_write_by_name() {
    for chip in ["8310", "710"] {
        let error = changed(|file| {
            file[52..1076].fill(0);
            put_text(file, 52, &format!("UDX{chip}_MODEM"));
        })
        .unwrap_err();
        assert!(
            matches!(&error, FormatError::Unsupported { why, .. } if why.contains(chip)),
            "{error}"
        );
    }
}

#[test]
fn refuses_a_name_that_contradicts_the_loaders() {
    let error = changed(|file| {
        put_text(file, 52, "UIX8850");
        put_text(file, 564, "8850");
    })
    .unwrap_err();
    assert!(error.to_string().contains("UIS8910"), "{error}");
}

#[test]
fn warns_of_a_damaged_loader() {
    let pac = changed(|file| file[0x7728 + 100] ^= 1).unwrap();
    assert_eq!(pac.warnings.len(), 1);
    assert!(pac.warnings[0].contains("HOST_FDL"), "{:?}", pac.warnings);
}

proptest! {
    #[test]
    fn never_panics_on_changed_files(at in 0..HEADER_BYTES + 11 * ENTRY_BYTES, value: u32, cut in 0..143_897usize) {
        let mut file = demo();
        let end = (at + 4).min(file.len());
        file[at..end].copy_from_slice(&value.to_le_bytes()[..end - at]);
        let _ = Pac::parse(&file);
        let _ = Pac::parse(&sealed(file.clone()));
        file.truncate(cut);
        let _ = Pac::parse(&file);
    }

    #[test]
    fn never_panics_on_noise(noise in proptest::collection::vec(any::<u8>(), 0..6000)) {
        let mut file = noise;
        let _ = Pac::parse(&file);
        if file.len() >= HEADER_BYTES {
            file[MAGIC_AT].copy_from_slice(&MAGIC);
            let _ = Pac::parse(&sealed(file));
        }
    }
}
