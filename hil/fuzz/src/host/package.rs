//! A file or an archive: a package or an error of a package, and nothing is unpacked outside of its folder.

use std::fs;
use std::io::{Cursor, Write};
use std::path::Path;
use std::sync::LazyLock;

use arbitrary::Arbitrary;
use qpyflash::firmware;
use tempfile::TempDir;
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use crate::read;

static FOLDER: LazyLock<TempDir> = LazyLock::new(|| TempDir::new().expect("a folder for files"));

/// What is made of the input.
#[derive(Arbitrary, Debug)]
enum File<'f> {
    /// Anything.
    Raw(&'f [u8]),
    /// An archive of these members, with these names.
    Archive(Vec<(&'f str, &'f [u8])>),
    /// An archive in an archive.
    Nested(&'f str, Vec<(&'f str, &'f [u8])>),
    /// A sound archive with some of its bytes changed.
    Damaged(Vec<(u16, u8)>),
}

/// One input.
pub fn run(bytes: &[u8]) {
    let Some((name, file)) = read::<(u8, File<'_>)>(bytes) else {
        return;
    };
    let contents = match file {
        File::Raw(bytes) => bytes.to_vec(),
        File::Archive(members) => archive(&members),
        File::Nested(name, members) => archive(&[(name, &archive(&members))]),
        File::Damaged(changes) => {
            let json = br#"[{"command":"flash","image":"a.img","partition":"a"}]"#;
            let sound = archive(&[
                ("download.json", json),
                ("a.img", &[0x5A; 300]),
                ("firmware.bin", b"x"),
            ]);
            changes.into_iter().fold(sound, |mut bytes, (place, change)| {
                let place = usize::from(place) % bytes.len();
                bytes[place] ^= change;
                bytes
            })
        }
    };
    let names = [
        "QPY_OCPU_V0006_EC600N_CNLA_FW.zip",
        "fw.bin",
        "fw.pac",
        "fw.binpkg",
    ];
    let file = FOLDER.path().join(names[usize::from(name) % names.len()]);
    fs::write(&file, contents).expect("room for a file");
    check(&file);
    fs::remove_file(&file).expect("the file");
}

fn check(file: &Path) {
    let package = firmware::resolve(file);
    if let Err(error) = &package {
        assert_eq!(error.exit_code(), 3, "{error:?}");
    }
    let _ = firmware::inspect::inspect(file);
    let out = TempDir::new_in(FOLDER.path()).expect("a folder");
    let inside = out.path().join("out");
    let _ = firmware::unpack(file, &inside);
    let beside = fs::read_dir(out.path()).expect("the folder").flatten();
    assert!(beside.map(|entry| entry.path()).all(|path| path == inside));
}

fn archive(members: &[(&str, &[u8])]) -> Vec<u8> {
    let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, bytes) in members {
        if archive.start_file(*name, SimpleFileOptions::default()).is_ok() {
            archive.write_all(bytes).expect("memory");
        }
    }
    archive.finish().expect("memory").into_inner()
}
