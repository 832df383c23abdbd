//! The three published layouts of a Unisoc package. Source: the vendor's firmware selection guide.

use std::io;

use super::container::names;
use super::{PacEntry, UnisocPackage, recipe};
use crate::package::layout::{DISCLAIMER, PDF, zip_of};
use crate::unisoc::UnisocChip;

/// Deletes the application image. Source: specs/unisoc-pac-bsl.md §1.6.
const APPLICATION_IMAGE: u32 = 0xFE00_0005;

impl UnisocPackage {
    /// The package with the loaders and these entries only.
    fn only(&self, keep: impl Fn(&PacEntry) -> bool) -> Self {
        let mut package = self.clone();
        package.entries.retain(|entry| {
            let is_loader = matches!(entry.id.as_str(), "HOST_FDL" | "FDL2" | "FDL");
            is_loader || keep(entry)
        });
        package
    }

    /// Layout 4: the results of a build, in which five packages lie. The one to flash is `*_merge.pac`; the others
    /// are the core without application, the application alone, and two that only erase.
    ///
    /// # Errors
    /// What the zip writer refuses.
    pub fn temporary_zip(&self) -> io::Result<Vec<u8>> {
        let (revision, core) = (&self.revision, names(self.chip)[2]);
        let inside = |name: String| format!("{revision}/{name}");
        let is_python = |entry: &PacEntry| entry.id.starts_with("ERASE_PY_FS");
        let is_application = |entry: &PacEntry| entry.id == "APPIMG" || is_python(entry);
        let delete = self
            .only(|_| false)
            .with_entries(|entries| entries.push(recipe::operation("DEL_APPIMG", APPLICATION_IMAGE, 0)));
        let map = || b"Memory Map of the image\n".to_vec();
        let image = self.entry("APPIMG").map(|entry| entry.data.clone());
        zip_of(&[
            (DISCLAIMER.into(), PDF.to_vec()),
            (inside("app/customer_app.elf".into()), b"\x7FELF".to_vec()),
            (inside(format!("app/{revision}.elf")), b"\x7FELF".to_vec()),
            (inside(format!("app/{revision}.img")), image.unwrap_or_default()),
            (inside(format!("app/{revision}.map")), map()),
            (
                inside(format!("app/{revision}.pac")),
                self.only(|entry| entry.id == "APPIMG").bytes(),
            ),
            (inside(format!("app/{revision}_flash_delete.pac")), delete.bytes()),
            (
                inside(format!("app/{revision}_pyfs_erase.pac")),
                self.only(is_python).bytes(),
            ),
            (inside(format!("{core}.elf")), b"\x7FELF".to_vec()),
            (inside(format!("{core}.map")), map()),
            (
                inside(format!("{core}_{revision}.pac")),
                self.only(|entry| !is_application(entry)).bytes(),
            ),
            (inside(format!("{core}_{revision}_merge.pac")), self.bytes()),
        ])
    }

    /// Layout 5: an old public package of that name (`QPY_OCPU_BETA0004_EC600U_CNLB_FW`), with the `.pac` in it.
    ///
    /// # Errors
    /// What the zip writer refuses.
    pub fn public_zip(&self, name: &str) -> io::Result<Vec<u8>> {
        UnisocPackage::wrap_old(name, &self.bytes())
    }

    /// Layout 6: a new public package of that name, with a zip called `.bin` in it that holds `.pac` and
    /// `platform_config.json`.
    ///
    /// # Errors
    /// What the zip writer refuses.
    pub fn public_bin_zip(&self, name: &str) -> io::Result<Vec<u8>> {
        UnisocPackage::wrap_new(name, self.chip, &self.bytes())
    }

    /// Layout 5 around any `.pac`.
    ///
    /// # Errors
    /// What the zip writer refuses.
    pub fn wrap_old(name: &str, pac: &[u8]) -> io::Result<Vec<u8>> {
        public(name, "pac", pac)
    }

    /// Layout 6 around any `.pac` for that chip.
    ///
    /// # Errors
    /// What the zip writer refuses.
    pub fn wrap_new(name: &str, chip: UnisocChip, pac: &[u8]) -> io::Result<Vec<u8>> {
        let platform = match chip {
            UnisocChip::Uis8910 => "unisoc8910",
            UnisocChip::Uis8850 => "unisoc8850",
        };
        let config = format!("{{\n  \"platform\": \"{platform}\"\n}}");
        let bin = zip_of(&[
            ("platform_config.json".into(), config.into_bytes()),
            (format!("{name}.pac"), pac.to_vec()),
        ])?;
        public(name, "bin", &bin)
    }
}

fn public(name: &str, extension: &str, payload: &[u8]) -> io::Result<Vec<u8>> {
    let changelog = format!("# Changelog\n\n**[{name}] 2024-10-16**\n\n- generated\n");
    zip_of(&[
        (format!("{name}/changelog.md"), changelog.into_bytes()),
        (format!("{name}/{name}.{extension}"), payload.to_vec()),
        (format!("{name}/{DISCLAIMER}"), PDF.to_vec()),
    ])
}

#[cfg(test)]
mod tests {
    use std::io::{Cursor, Read};

    use zip::ZipArchive;

    use super::*;
    use crate::Scale;

    fn extract(bytes: &[u8], name: &str) -> Vec<u8> {
        let mut archive = ZipArchive::new(Cursor::new(bytes)).unwrap();
        let mut content = Vec::new();
        archive.by_name(name).unwrap().read_to_end(&mut content).unwrap();
        content
    }

    #[test]
    fn holds_the_same_payload_in_all_three_layouts() {
        let revision = "EC600UCNLBR03A01M08_BT_OCPU_QPY_BETA1107";
        let package = UnisocPackage::generate(revision, UnisocChip::Uis8910, Scale::Small);
        let pac = package.bytes();
        let temporary = package.temporary_zip().unwrap();
        let merge = format!("{revision}/8915DM_cat1_open_{revision}_merge.pac");
        assert_eq!(extract(&temporary, &merge), pac);
        for other in [
            format!("{revision}/8915DM_cat1_open_{revision}.pac"),
            format!("{revision}/app/{revision}.pac"),
            format!("{revision}/app/{revision}_flash_delete.pac"),
            format!("{revision}/app/{revision}_pyfs_erase.pac"),
        ] {
            assert!(extract(&temporary, &other).len() < pac.len(), "{other}");
        }
        let name = "QPY_OCPU_BETA0001_EC600U_CNLC_FW";
        let old = package.public_zip(name).unwrap();
        assert_eq!(extract(&old, &format!("{name}/{name}.pac")), pac);
        let bin = extract(
            &package.public_bin_zip(name).unwrap(),
            &format!("{name}/{name}.bin"),
        );
        assert_eq!(extract(&bin, &format!("{name}.pac")), pac);
        assert_eq!(
            extract(&bin, "platform_config.json"),
            b"{\n  \"platform\": \"unisoc8910\"\n}"
        );
    }
}
