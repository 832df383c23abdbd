//! `quec_download_config.ini`: where the files beside the `.binpkg` go.
//!
//! ```text
//! [File]
//! File_Count = 4
//! [File_1]
//! START_ADDR = 0x200000
//! MAX_SIZE = 0x100000
//! ```
//! Source: specs/eigencomm-agentboot.md §2.6 (V), specs/identity.md §5.2 (V).

use super::ini::Ini;
use crate::FormatError;

/// Name of the file, beside the `.binpkg`.
pub const EXTRAS_FILE: &str = "quec_download_config.ini";
/// The files that sections `File_1` to `File_4` stand for. The file itself does not name them.
pub const EXTRAS: [&str; 4] = [
    "ap_application.bin",
    "ap_updater.bin",
    "customer_fs.bin",
    "customer_backup_fs.bin",
];
/// How many of them a package has. Source: specs/eigencomm-agentboot.md §2.6 (V).
const EXTRAS_COUNT: std::ops::RangeInclusive<usize> = 3..=4;

/// One file beside the `.binpkg` that is written to the AP flash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Extra {
    /// `ap_application.bin`.
    pub file: &'static str,
    /// Raw offset in the AP flash.
    pub address: u32,
    /// Bytes it may have.
    pub limit: u32,
}

/// Reads `quec_download_config.ini`.
///
/// # Errors
/// [`FormatError`] when the count, an address or a size is missing or no number.
pub fn extras(ini: &[u8]) -> Result<Vec<Extra>, FormatError> {
    let ini = Ini::parse(EXTRAS_FILE, ini);
    let count = ini.needed("File", "File_Count")? as usize;
    let files = EXTRAS
        .get(..count)
        .filter(|_| EXTRAS_COUNT.contains(&count))
        .ok_or_else(|| FormatError::Unsupported {
            what: format!("`File_Count` {count} in `{EXTRAS_FILE}`"),
            why: "3 or 4 files are known".into(),
        })?;
    let extra = |(index, file): (usize, &&'static str)| {
        let section = format!("File_{}", index + 1);
        Ok(Extra {
            file,
            address: ini.needed(&section, "START_ADDR")?,
            limit: ini.needed(&section, "MAX_SIZE")?,
        })
    };
    files.iter().enumerate().map(extra).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn reads_addresses_and_sizes_in_any_spelling() {
        let ini = "\u{feff}[File]\r\nFile_Count=3 ; of four\r\n[File_1]\r\nSTART_ADDR = 0x200000\r\nMAX_SIZE=0X1000\r\n\
                   # a comment\r\n[file_2]\r\nstart_addr = \"0x3b4000\"\r\nMAX_SIZE = 4096\r\n[File_3]\r\nSTART_ADDR=1\r\nMAX_SIZE=2";
        let found: Vec<_> = extras(ini.as_bytes())
            .unwrap()
            .iter()
            .map(|e| (e.file, e.address, e.limit))
            .collect();
        assert_eq!(
            found,
            [
                ("ap_application.bin", 0x20_0000, 0x1000),
                ("ap_updater.bin", 0x3B_4000, 4096),
                ("customer_fs.bin", 1, 2)
            ]
        );
    }

    #[test]
    fn refuses_what_is_missing_or_no_number() {
        let bad: [&[u8]; 5] = [
            b"",
            b"[File]\nFile_Count=0",
            b"[File]\nFile_Count=5",
            b"[File]\nFile_Count=1\n[File_1]\nSTART_ADDR=0x1",
            b"[File]\nFile_Count=1\n[File_1]\nSTART_ADDR=0x1\nMAX_SIZE=many",
        ];
        for ini in bad {
            assert!(extras(ini).is_err(), "{}", String::from_utf8_lossy(ini));
        }
    }

    proptest! {
        #[test]
        fn never_panics(ini in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = extras(&ini);
        }
    }
}
