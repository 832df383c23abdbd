use std::path::PathBuf;

use proptest::prelude::*;

use super::*;

fn real() -> Vec<u8> {
    let root = std::env::var_os("QPYFLASH_VECTORS").map_or_else(
        || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/vectors")),
        PathBuf::from,
    );
    let path = root.join("eigencomm/at_command.binpkg");
    std::fs::read(&path).unwrap_or_else(|why| panic!("the vector {} is needed: {why}", path.display()))
}

fn field(value: &str, size: usize) -> Vec<u8> {
    let mut field = value.as_bytes().to_vec();
    field.resize(size, 0);
    field
}

/// Builds a package by the tables of the specification, with one image of three bytes.
fn built(version: &str, product: &str, flash_size: u32) -> Vec<u8> {
    let data = [1, 2, 3];
    let hash: String = Sha256::digest(data)
        .iter()
        .map(|byte| format!("{byte:02X}"))
        .collect();
    let legacy = version == "105";
    let mut file = field(version, 8);
    if !legacy {
        file.extend(b"bpkg");
    }
    file.extend([1, 0, 0, 0, 1, 0, 0, 0]);
    file.extend(field("SHA256", 8));
    let variants = u16::from(!product.is_empty());
    if !legacy {
        file.extend(variants.to_le_bytes());
        file.extend((variants * 140).to_le_bytes());
        file.extend([0; 4]);
    }
    file.extend([0; 16]);
    if variants == 1 {
        file.extend([2, 0, 0, 0]);
        file.extend([field("productname", 64), field(product, 64), vec![0; 8]].concat());
    }
    let start = file.len() as u32;
    file.extend(field("ap_at_command", 64));
    file.extend(0x24000u32.to_le_bytes());
    if !legacy {
        file.extend(flash_size.to_le_bytes());
    }
    file.extend(start.to_le_bytes());
    file.extend(3u32.to_le_bytes());
    file.extend(field(&hash, 256));
    file.extend(field("AP", 16));
    file.extend(vec![0; if legacy { 4 } else { 12 }]);
    file.extend(data);
    file
}

#[test]
fn decodes_the_real_package() {
    let package = Binpkg::parse(&real()).unwrap();
    assert_eq!((package.version, package.built), (Version::V106, 0x61A8_73E3));
    assert_eq!(package.platform(), Ok(Platform::Eigencomm618));
    assert!(package.warnings.is_empty());
    let table: Vec<_> = package
        .entries
        .iter()
        .map(|e| {
            (
                e.name.as_str(),
                e.kind.as_str(),
                e.address,
                e.flash_size,
                e.data.len(),
            )
        })
        .collect();
    assert_eq!(
        table,
        [
            ("ap_bootloader", "BL", 0x4000, 0x8000, 21312),
            ("ap_at_command", "AP", 0x24000, 0x2D_C000, 1_965_332),
            ("cp-demo-flash", "CP", 0, 0x80000, 417_470),
        ]
    );
}

#[test]
fn reads_the_older_version() {
    let package = Binpkg::parse(&built("105", "", 0)).unwrap();
    assert_eq!(
        (package.version, package.platform()),
        (Version::V105, Ok(Platform::Eigencomm618))
    );
    assert_eq!(
        (package.entries[0].address, &package.entries[0].data[..]),
        (0x24000, &[1, 2, 3][..])
    );
    assert!(Binpkg::begins(&built("105", "", 0)));
}

#[test]
fn refuses_an_ec7xx_package_by_name() {
    let package = Binpkg::parse(&built("111", "EC718P_PRD", 0)).unwrap();
    let error = package.platform().unwrap_err();
    assert!(
        matches!(&error, FormatError::Unsupported { what, .. } if what.contains("EC718P_PRD")),
        "{error}"
    );
    assert!(
        error
            .to_string()
            .contains("`ap_at_command` (AP, 0x24000, 3 bytes)"),
        "{error}"
    );
}

#[test]
fn refuses_an_image_larger_than_its_partition() {
    assert!(Binpkg::parse(&built("106", "", 3)).is_ok());
    let error = Binpkg::parse(&built("106", "", 2)).unwrap_err();
    assert!(
        matches!(
            error,
            FormatError::TooLarge {
                size: 3,
                limit: 2,
                ..
            }
        ),
        "{error}"
    );
}

#[test]
fn refuses_a_changed_byte_in_every_image() {
    for at in [0x1A0, 0x54DF, 0x564C, 0x1E_535F, 0x1E_54CC, 0x24_B389] {
        let mut file = real();
        file[at] ^= 1;
        let error = Binpkg::parse(&file).unwrap_err();
        assert!(error.to_string().contains("SHA-256"), "{at:x}: {error}");
    }
}

#[test]
fn refuses_what_is_cut_or_appended() {
    let whole = built("106", "", 0);
    for length in 0..whole.len() {
        let error = Binpkg::parse(&whole[..length]).unwrap_err();
        assert!(
            matches!(error, FormatError::Truncated { .. } | FormatError::NotThis { .. }),
            "{error}"
        );
    }
    assert!(Binpkg::parse(&[whole.as_slice(), &[0]].concat()).is_err());
}

#[test]
fn refuses_broken_headers() {
    let broken: [(&str, usize, u8); 6] = [
        ("version", 2, b'7'),
        ("bpkg", 8, b'B'),
        ("images", 16, 65),
        ("SHA256", 20, b'M'),
        ("variants", 28, 1),
        ("its name", 0x34, b'/'),
    ];
    for (word, at, value) in broken {
        let mut file = built("106", "", 0);
        file[at] = value;
        let error = Binpkg::parse(&file).unwrap_err();
        assert!(error.to_string().contains(word), "{word}: {error}");
    }
}

#[test]
fn warns_when_an_entry_points_elsewhere() {
    let mut file = built("106", "", 0);
    file[0x34 + 72] ^= 1;
    assert_eq!(Binpkg::parse(&file).unwrap().warnings.len(), 1);
}

proptest! {
    #[test]
    fn never_panics(at in 0..500usize, value: u32, cut in 0..600usize, version in 0..3usize) {
        let mut file = built(["105", "106", "111"][version], "EC718", 9);
        if let Some(field) = file.get_mut(at..at + 4) {
            field.copy_from_slice(&value.to_le_bytes());
        }
        let _ = Binpkg::parse(&file);
        file.truncate(cut);
        let _ = Binpkg::parse(&file);
    }
}
