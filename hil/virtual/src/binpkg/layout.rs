//! The two published layouts of an Eigencomm package. Source: the vendor's firmware selection guide.

use std::io;

use super::EigencommPackage;
use crate::Scale;
use crate::package::contents::code;
use crate::package::layout::{DISCLAIMER, PDF, zip_of};

/// What newer trees hold besides. None of it is burned.
const NEWER: [(&str, usize); 5] = [
    ("single_pkg/ap_at_command.bin", 3000),
    ("single_pkg/cp-demo-flash.bin", 3000),
    ("allpkg_qdownload_image.bin", 5000),
    ("apcp_app_qdownload_image.bin", 4000),
    ("apcp_qdownload_image.bin", 3000),
];

impl EigencommPackage {
    /// Layout 7: a build, or an old public package of that name (`QPY_BETA0003_EC800E_CNLC_FW`), whose folder lies
    /// in the zip itself.
    ///
    /// # Errors
    /// What the zip writer refuses.
    pub fn folder_zip(&self, name: &str) -> io::Result<Vec<u8>> {
        let mut members = vec![
            (DISCLAIMER.into(), PDF.to_vec()),
            ("changelog.md".into(), changelog(name)),
        ];
        members.extend(self.folder(name));
        zip_of(&members)
    }

    /// Layout 8: a new public package of that name (`QPY_OCPU_V0003_EC800E_CNLC_FW`), with a zip called `.bin` in it
    /// that holds `platform_config.json` and the folder, in which newer trees have more files.
    ///
    /// # Errors
    /// What the zip writer refuses.
    pub fn public_bin_zip(&self, name: &str) -> io::Result<Vec<u8>> {
        let mut inside = vec![(
            "platform_config.json".to_owned(),
            b"{\n  \"platform\": \"EIGEN\"\n}".to_vec(),
        )];
        inside.extend(self.folder(name));
        for (file, length) in NEWER {
            inside.push((format!("{name}/{file}"), code(file, length)));
        }
        let program = EigencommPackage::generate(&self.revision, Scale::Small).binpkg();
        inside.push((format!("{name}/quec_usb_prog_pkg.bin"), program));
        zip_of(&[
            (format!("{name}/changelog.md"), changelog(name)),
            (format!("{name}/{name}.bin"), zip_of(&inside)?),
            (format!("{name}/{DISCLAIMER}"), PDF.to_vec()),
        ])
    }

    fn folder(&self, name: &str) -> impl Iterator<Item = (String, Vec<u8>)> {
        let files = self.files();
        files
            .into_iter()
            .map(move |(path, bytes)| (format!("{name}/{path}"), bytes))
    }
}

fn changelog(name: &str) -> Vec<u8> {
    format!("# Changelog\n\n**[{name}] 2024-10-16**\n\n- generated\n").into_bytes()
}

#[cfg(test)]
mod tests {
    use std::io::{Cursor, Read};

    use zip::ZipArchive;

    use super::*;

    fn extract(bytes: &[u8], name: &str) -> Vec<u8> {
        let mut archive = ZipArchive::new(Cursor::new(bytes)).unwrap();
        let mut content = Vec::new();
        archive.by_name(name).unwrap().read_to_end(&mut content).unwrap();
        content
    }

    #[test]
    fn holds_the_same_folder_in_both_layouts() {
        let package = EigencommPackage::generate("EC800ECNLCR02A01M04_OCPU_QPY", Scale::Small);
        let name = "QPY_OCPU_V0003_EC800E_CNLC_FW";
        let old = package.folder_zip(name).unwrap();
        let new = package.public_bin_zip(name).unwrap();
        let bin = extract(&new, &format!("{name}/{name}.bin"));
        assert_eq!(
            extract(&bin, "platform_config.json"),
            b"{\n  \"platform\": \"EIGEN\"\n}"
        );
        for (path, bytes) in package.files() {
            let inside = format!("{name}/{path}");
            assert_eq!(extract(&old, &inside), bytes, "{path}");
            assert_eq!(extract(&bin, &inside), bytes, "{path}");
        }
        let prog = extract(&bin, &format!("{name}/quec_usb_prog_pkg.bin"));
        assert_eq!(prog[8..12], *b"bpkg", "looks like a payload and is none");
    }
}
