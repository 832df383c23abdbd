//! The three published layouts of an ASR package. Source: the vendor's firmware selection guide.

use std::io::{self, Cursor, Write};

use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, ZipWriter};

use super::AsrPackage;

pub(crate) const DISCLAIMER: &str = "Quectel_Disclaimer_for_Software_BETA_Version.pdf";
pub(crate) const PDF: &[u8] = b"%PDF-1.4\n% generated, holds no text\n%%EOF\n";

/// A zip of these members, deflated as fast as it goes. The same members give the same bytes.
pub(crate) fn zip_of(members: &[(String, Vec<u8>)]) -> io::Result<Vec<u8>> {
    let options = SimpleFileOptions::default()
        .compression_method(CompressionMethod::Deflated)
        .compression_level(Some(1))
        .last_modified_time(DateTime::default());
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, bytes) in members {
        zip.start_file(name.as_str(), options)?;
        zip.write_all(bytes)?;
    }
    Ok(zip.finish()?.into_inner())
}

impl AsrPackage {
    /// Layout 1: a zip with `download.json` and the images at its root.
    ///
    /// # Errors
    /// What the zip writer refuses: two members of one name.
    pub fn zip(&self) -> io::Result<Vec<u8>> {
        zip_of(&self.members())
    }

    /// Layout 2: build results, in which the flashable zip has the same name as the outer one, `<revision>.zip`.
    ///
    /// # Errors
    /// What the zip writer refuses: two members of one name.
    pub fn wrapped_zip(&self) -> io::Result<Vec<u8>> {
        let revision = &self.revision;
        let inside = |name: &str| format!("{revision}/{name}");
        let notes = format!("{{\"revision\": \"{revision}\"}}\n").into_bytes();
        zip_of(&[
            (DISCLAIMER.into(), PDF.to_vec()),
            (
                inside("DBG/CRANE_DS_XIP_DM_GENERIC.map"),
                b"Memory Map of the image\n".to_vec(),
            ),
            (
                inside("DBG/CRANE_DS_XIP_DM_GENERIC_MDB.txt"),
                b"generated\n".to_vec(),
            ),
            (inside("DBG/customer_app.elf"), b"\x7FELF".to_vec()),
            (
                inside("DBG/customer_app.map"),
                b"Memory Map of the image\n".to_vec(),
            ),
            (inside(&format!("{revision}.json")), notes.clone()),
            (inside(&format!("{revision}.zip")), self.zip()?),
            (
                inside(&format!("{revision}_release_pack.zip")),
                zip_of(&[(format!("{revision}.json"), notes)])?,
            ),
        ])
    }

    /// Layout 3: a public package of that name (`QPY_OCPU_V0006_EC600N_CNLA_FW`), in which the flashable zip is
    /// called `.bin`.
    ///
    /// # Errors
    /// What the zip writer refuses: two members of one name.
    pub fn public_zip(&self, name: &str) -> io::Result<Vec<u8>> {
        let changelog = format!("# Changelog\n\n**[{name}] 2024-10-16**\n\n- generated\n");
        zip_of(&[
            (format!("{name}/changelog.md"), changelog.into_bytes()),
            (format!("{name}/{name}.bin"), self.zip()?),
            (format!("{name}/{DISCLAIMER}"), PDF.to_vec()),
        ])
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use zip::ZipArchive;

    use super::*;
    use crate::{Chip, Scale};

    fn names(bytes: &[u8]) -> Vec<String> {
        let archive = ZipArchive::new(Cursor::new(bytes)).unwrap();
        archive
            .file_names()
            .map(|name| name.unwrap().into_owned())
            .collect()
    }

    fn extract(bytes: &[u8], name: &str) -> Vec<u8> {
        let mut archive = ZipArchive::new(Cursor::new(bytes)).unwrap();
        let mut content = Vec::new();
        archive.by_name(name).unwrap().read_to_end(&mut content).unwrap();
        content
    }

    #[test]
    fn holds_the_same_payload_in_all_three_layouts() {
        let revision = "EC800KCNCCR07A01M02_OCPY_QPY_BETA1202";
        let package = AsrPackage::generate(revision, Chip::Asr1603, Scale::Small);
        let plain = package.zip().unwrap();
        assert_eq!(
            extract(&plain, "system.img"),
            package.member("system.img").unwrap()
        );
        assert!(names(&plain).contains(&"download.json".to_owned()));

        let inner = format!("{revision}/{revision}.zip");
        assert_eq!(extract(&package.wrapped_zip().unwrap(), &inner), plain);
        let name = "QPY_OCPU_BETA0002_EC800K_CNCC_FW";
        let public = package.public_zip(name).unwrap();
        assert_eq!(extract(&public, &format!("{name}/{name}.bin")), plain);
        assert_eq!(names(&public).len(), 3);
    }
}
