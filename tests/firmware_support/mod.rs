//! Builds the published packages from real pieces and made-up images.

#![allow(dead_code, reason = "each test file uses its own part")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that cannot be set up fails"
)]

pub mod guide;

use std::io::{Cursor, Write};
use std::path::{Path, PathBuf};

use qpyflash::Error;
use qpyflash::firmware::{Package, resolve};
use sha2::{Digest, Sha256};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

/// A file of `../shared/vectors`.
pub fn vector(name: &str) -> Vec<u8> {
    let root = std::env::var_os("QPYFLASH_VECTORS").map_or_else(
        || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/vectors")),
        PathBuf::from,
    );
    let path = root.join(name);
    std::fs::read(&path).unwrap_or_else(|why| panic!("the vector {} is needed: {why}", path.display()))
}

pub const REAL_PAC: &str = "packages/QPY_OCPU_V0001_EC800G_CNLD_FW.pac";

/// A zip in the making.
pub struct Zip(ZipWriter<Cursor<Vec<u8>>>);

impl Zip {
    pub fn new() -> Zip {
        Zip(ZipWriter::new(Cursor::new(Vec::new())))
    }

    pub fn with(mut self, name: &str, bytes: &[u8]) -> Zip {
        self.0.start_file(name, SimpleFileOptions::default()).unwrap();
        self.0.write_all(bytes).unwrap();
        self
    }

    pub fn stored(mut self, name: &str, bytes: &[u8]) -> Zip {
        let options = SimpleFileOptions::default().compression_method(CompressionMethod::Stored);
        self.0.start_file(name, options).unwrap();
        self.0.write_all(bytes).unwrap();
        self
    }

    pub fn folder(mut self, name: &str) -> Zip {
        self.0.add_directory(name, SimpleFileOptions::default()).unwrap();
        self
    }

    pub fn link(mut self, name: &str, target: &str) -> Zip {
        self.0
            .add_symlink(name, target, SimpleFileOptions::default())
            .unwrap();
        self
    }

    /// All files of a tree, below a folder (empty for none).
    pub fn tree(self, folder: &str, files: &[(String, Vec<u8>)]) -> Zip {
        files.iter().fold(self, |zip, (name, bytes)| match folder {
            "" => zip.with(name, bytes),
            _ => zip.with(&format!("{folder}/{name}"), bytes),
        })
    }

    pub fn done(self) -> Vec<u8> {
        self.0.finish().unwrap().into_inner()
    }
}

/// A folder of one test.
pub struct Bench(tempfile::TempDir);

impl Bench {
    pub fn new() -> Bench {
        Bench(tempfile::tempdir().unwrap())
    }

    pub fn path(&self) -> &Path {
        self.0.path()
    }

    /// Writes a file, with its folders.
    pub fn file(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.0.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, bytes).unwrap();
        path
    }

    pub fn tree(&self, folder: &str, files: &[(String, Vec<u8>)]) -> PathBuf {
        for (name, bytes) in files {
            self.file(&format!("{folder}/{name}"), bytes);
        }
        self.0.path().join(folder)
    }

    pub fn resolve(&self, name: &str, bytes: &[u8]) -> Result<Package, Error> {
        resolve(&self.file(name, bytes))
    }
}

pub fn resolve_bytes(name: &str, bytes: &[u8]) -> Result<Package, Error> {
    Bench::new().resolve(name, bytes)
}

pub fn code(result: Result<Package, Error>) -> (&'static str, String) {
    let error = result.expect_err("it must be refused");
    (error.kind.code(), error.message)
}

pub fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

pub fn owned(files: &[(&str, &[u8])]) -> Vec<(String, Vec<u8>)> {
    files
        .iter()
        .map(|(name, bytes)| ((*name).to_owned(), bytes.to_vec()))
        .collect()
}

/// Made-up bytes that no archiver can shrink to nothing and that hold `text` NUL-terminated in the middle.
pub fn noise(seed: u32, size: usize, text: &str) -> Vec<u8> {
    let mut state = seed.wrapping_mul(2_654_435_761).wrapping_add(1);
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        // Never a letter, so that no text appears by chance.
        (state >> 24) as u8 | 0x80
    };
    let mut bytes: Vec<u8> = (0..size).map(|_| next()).collect();
    let at = size / 2;
    bytes[at..at + text.len()].copy_from_slice(text.as_bytes());
    bytes[at + text.len()] = 0;
    bytes
}

/// The files of a flashable ASR package: the guide's tree, with real loaders and tables.
pub fn asr(revision: &str) -> Vec<(String, Vec<u8>)> {
    let json = r#"[
      {"command":"require","group":"0","name":"product","value":"arom-tiny"},
      {"command":"progress","group":"0","name":"weight","value":5},
      {"command":"call","group":"0","image":"preboot.img"},
      {"command":"call","group":"0","image":"flasher.img"},
      {"command":"partition","group":"0","image":"flashinfo.bin"},
      {"command":"partition","group":"0","image":"partition.bin"},
      {"command":"flash","group":"1","image":"bootloader.ubi","partition":"bootloader","weight":1},
      {"command":"flash","group":"1","image":"cp.bin","partition":"cp","weight":1},
      {"command":"flash","group":"1","image":"dsp.bin","partition":"dsp","weight":1},
      {"command":"flash","group":"1","image":"rf.bin","partition":"rfbin","weight":1},
      {"command":"flash","group":"1","image":"system.img","partition":"user_app","weight":1},
      {"command":"flash","group":"1","image":"customer_app.bin","partition":"reserved","weight":1},
      {"command":"flash","group":"1","image":"customer_fs.bin","partition":"user_fs","weight":1}
    ]"#;
    owned(&[
        ("bootloader.ubi", &noise(1, 5000, "")),
        ("cp.bin", &noise(2, 40_000, "")),
        ("customer_app.bin", &noise(3, 9000, "")),
        ("customer_fs.bin", &noise(4, 8192, "")),
        ("download.json", json.as_bytes()),
        ("dsp.bin", &noise(5, 20_000, "")),
        ("firmware.bin", b"!CRANE! 00000011\n"),
        ("flasher.img", &vector("asr/sdk/ASR1603/flasher.img")),
        ("flashinfo.bin", &vector("asr/sdk/flashinfo_8M.bin")),
        ("fota.json", b"{}"),
        ("partition.bin", &vector("asr/sdk/partition_8M.bin")),
        ("preboot.img", &vector("asr/sdk/ASR1603/preboot.img")),
        ("ReliableData.bin", &noise(6, 3000, "")),
        ("rf.bin", &noise(7, 3000, "")),
        ("system.img", &noise(8, 30_000, revision)),
    ])
}

/// The files of an Eigencomm package as the guide shows them; `newer` adds those of 2024.
pub fn eigencomm(newer: bool) -> Vec<(String, Vec<u8>)> {
    let ini = "[File]\r\nFile_Count = 4\r\n\
        [File_1]\r\nSTART_ADDR = 0x240000\r\nMAX_SIZE = 0xc0000\r\n\
        [File_2]\r\nSTART_ADDR = 0x3b4000\r\nMAX_SIZE = 0x10000\r\n\
        [File_3]\r\nSTART_ADDR = 0x300000\r\nMAX_SIZE = 0x40000\r\n\
        [File_4]\r\nSTART_ADDR = 0x340000\r\nMAX_SIZE = 0x20000\r\n";
    let mut files = owned(&[
        (
            "agentboot_uart/agentboot.bin",
            &vector("eigencomm/agentboot_uart.bin"),
        ),
        (
            "agentboot_usb/agentboot.bin",
            &vector("eigencomm/agentboot_usb.bin"),
        ),
        ("ap_application.bin", &noise(11, 7000, "")),
        ("ap_updater.bin", &noise(12, 5000, "")),
        ("at_command.binpkg", &vector("eigencomm/at_command.binpkg")),
        ("customer_backup_fs.bin", &noise(13, 4096, "")),
        ("customer_fs.bin", &noise(14, 8192, "")),
        ("format_ec618.json", b"{}"),
        ("MergeRfTable.bin", &noise(15, 2000, "")),
        ("quec_download_config.ini", ini.as_bytes()),
        ("quec_download_uart.ini", &vector("eigencomm/config.ini")),
        ("quec_download_usb.ini", &vector("eigencomm/config.ini")),
    ]);
    if newer {
        let other = vector("eigencomm/at_command.binpkg");
        files.extend(owned(&[
            ("single_pkg/ap_at_command.bin", &noise(16, 3000, "")),
            ("single_pkg/cp-demo-flash.bin", &noise(17, 3000, "")),
            ("allpkg_qdownload_image.bin", &noise(18, 3000, "")),
            ("apcp_app_qdownload_image.bin", &noise(19, 3000, "")),
            ("apcp_qdownload_image.bin", &noise(20, 3000, "")),
            // Looks like a payload by content, and is none by its role.
            ("quec_usb_prog_pkg.bin", &other),
        ]));
    }
    files
}

/// The package's XML without the `<File>` elements of these entries.
fn xml_without(xml: &[u8], ids: &[&str]) -> Vec<u8> {
    let mut text = String::from_utf8(xml.to_vec()).unwrap();
    for id in ids {
        let Some(at) = text.find(&format!("<ID>{id}</ID>")) else {
            continue;
        };
        let begin = text[..at].rfind("<File>").unwrap();
        let end = at + text[at..].find("</File>").unwrap() + "</File>".len();
        text.replace_range(begin..end, "");
    }
    text.into_bytes()
}

/// Rewrites a `.pac` without some entries, changed by `change`, with lengths and check sums made right again.
pub fn pac_without(pac: &[u8], ids: &[&str], change: impl Fn(&str, &mut Vec<u8>)) -> Vec<u8> {
    const HEADER: usize = 2124;
    const ENTRY: usize = 2580;
    let word = |at: usize| u32::from_le_bytes(pac[at..at + 4].try_into().unwrap()) as usize;
    let mut table = Vec::new();
    for number in 0..word(1076) {
        let at = HEADER + number * ENTRY;
        let id: String = pac[at + 4..at + 516]
            .chunks(2)
            .take_while(|c| c[0] != 0)
            .map(|c| c[0] as char)
            .collect();
        if !ids.contains(&id.as_str()) {
            let (size, offset) = (word(at + 1540), word(at + 1552));
            let mut data = if size == 0 {
                Vec::new()
            } else {
                pac[offset..offset + size].to_vec()
            };
            if id.is_empty() {
                data = xml_without(&data, ids);
            }
            change(&id, &mut data);
            table.push((pac[at..at + ENTRY].to_vec(), data));
        }
    }
    let mut file = pac[..HEADER].to_vec();
    file[1076..1080].copy_from_slice(&(table.len() as u32).to_le_bytes());
    let mut offset = HEADER + table.len() * ENTRY;
    for (entry, data) in &mut table {
        entry[1540..1544].copy_from_slice(&(data.len() as u32).to_le_bytes());
        entry[1552..1556].copy_from_slice(&(offset as u32).to_le_bytes());
        offset += data.len();
        file.extend_from_slice(entry);
    }
    table.iter().for_each(|(_, data)| file.extend_from_slice(data));
    let length = file.len() as u32;
    file[48..52].copy_from_slice(&length.to_le_bytes());
    let (header, body) = (crc16(&file[..2120]), crc16(&file[HEADER..]));
    file[2120..2122].copy_from_slice(&header.to_le_bytes());
    file[2122..2124].copy_from_slice(&body.to_le_bytes());
    file
}

/// CRC-16/ARC, bit by bit. Source: specs/unisoc-pac-bsl.md §1.3.
fn crc16(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0, |crc, byte| {
        (0..8).fold(crc ^ u16::from(*byte), |crc, _| {
            if crc & 1 == 1 { crc >> 1 ^ 0xA001 } else { crc >> 1 }
        })
    })
}
