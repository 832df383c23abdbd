//! Generated Unisoc `.pac` packages of realistic structure. Source: specs/unisoc-pac-bsl.md §1, specs/identity.md
//! §4.3.
//!
//! The contents are deterministic pseudo-random bytes; headers, CRCs, XML and the places of the revision are those
//! of real packages. No byte is a vendor's.

mod container;
mod layout;
mod recipe;
mod xml;

use crate::Scale;
use crate::unisoc::UnisocChip;

/// One entry of a package, and what its XML says of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PacEntry {
    /// `AP`, `ERASE_BOOT` ...
    pub id: String,
    /// Name of the file; empty for operations.
    pub file: String,
    /// Type in the XML: `CODE`, `EraseFlash`, `NV` ...
    pub kind: &'static str,
    /// Target, load address, or special address.
    pub address: u32,
    /// Size in the XML: of the region, or the name of a file system.
    pub region: u32,
    /// The bytes; empty for operations.
    pub data: Vec<u8>,
    /// nCheckFlag: selected unless the user says otherwise.
    pub is_selected: bool,
    /// dwCanOmitFlag.
    pub can_omit: bool,
}

impl PacEntry {
    fn end(&self) -> u64 {
        u64::from(self.address) + u64::from(self.region)
    }

    fn is_in_nor(&self) -> bool {
        (0x6000_0000..0x7000_0000).contains(&self.address)
    }
}

/// One generated package, and what the flash must hold after it was written.
#[derive(Debug, Clone)]
pub struct UnisocPackage {
    revision: String,
    chip: UnisocChip,
    entries: Vec<PacEntry>,
    xml: Option<String>,
}

impl UnisocPackage {
    /// Generates the package that is flashed, `_merge.pac`, of that revision. The same arguments give the same
    /// bytes.
    pub fn generate(revision: &str, chip: UnisocChip, scale: Scale) -> Self {
        UnisocPackage {
            revision: revision.to_owned(),
            chip,
            entries: recipe::entries(revision, chip, scale),
            xml: None,
        }
    }

    /// The revision in its images.
    pub fn revision(&self) -> &str {
        &self.revision
    }

    /// The chip it is for.
    pub fn chip(&self) -> UnisocChip {
        self.chip
    }

    /// The entries in the order in which they are flashed, without the XML.
    pub fn entries(&self) -> &[PacEntry] {
        &self.entries
    }

    /// The entry of that name.
    pub fn entry(&self, id: &str) -> Option<&PacEntry> {
        self.entries.iter().find(|entry| entry.id == id)
    }

    /// Changes the list of entries; the XML follows.
    #[must_use]
    pub fn with_entries(mut self, change: impl FnOnce(&mut Vec<PacEntry>)) -> Self {
        change(&mut self.entries);
        self
    }

    /// Changes one entry; the XML follows. Nothing happens when there is none of that name.
    #[must_use]
    pub fn with_entry(mut self, id: &str, change: impl FnOnce(&mut PacEntry)) -> Self {
        if let Some(entry) = self.entries.iter_mut().find(|entry| entry.id == id) {
            change(entry);
        }
        self
    }

    /// Leaves an entry out, of the XML too.
    #[must_use]
    pub fn without_entry(mut self, id: &str) -> Self {
        self.entries.retain(|entry| entry.id != id);
        self
    }

    /// The text of the XML.
    pub fn xml(&self) -> String {
        self.xml
            .clone()
            .unwrap_or_else(|| xml::text(self.chip, &self.entries))
    }

    /// Changes the text of the XML, which no longer follows the entries.
    #[must_use]
    pub fn with_xml(mut self, change: impl FnOnce(&mut String)) -> Self {
        let mut text = self.xml();
        change(&mut text);
        self.xml = Some(text);
        self
    }

    /// The file.
    pub fn bytes(&self) -> Vec<u8> {
        container::build(self.chip, &self.entries, self.xml().as_bytes())
    }

    /// The file with a change that its CRCs and its length field do not follow: a transmission error.
    pub fn broken(&self, change: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
        let mut bytes = self.bytes();
        change(&mut bytes);
        bytes
    }

    /// The file with a change that its CRCs follow: a wrong build. The length field does not.
    pub fn altered(&self, change: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
        let mut bytes = self.broken(change);
        container::put_crcs(&mut bytes);
        bytes
    }

    /// What the NOR must hold after the selected entries were run: name, address and bytes of each image, and of
    /// each erased region in which no image lies.
    pub fn expected_regions(&self) -> Vec<(String, u32, Vec<u8>)> {
        let run = || {
            self.entries
                .iter()
                .filter(|entry| entry.is_selected && entry.is_in_nor())
        };
        let is_image = |entry: &&PacEntry| !entry.data.is_empty();
        let holds_image = |erased: &PacEntry| {
            run()
                .filter(is_image)
                .any(|image| image.address < erased.end() as u32 && image.end() > erased.address.into())
        };
        run()
            .filter(|entry| !entry.data.is_empty() || !holds_image(entry))
            .map(|entry| {
                let bytes = match entry.data.is_empty() {
                    true => vec![0xFF; entry.region as usize],
                    false => entry.data.clone(),
                };
                (entry.id.clone(), entry.address, bytes)
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::find_revision;
    use crate::unisoc::images::{is_whole_simage, is_whole_uimage};
    use crate::unisoc::nv;

    const CHIPS: [(UnisocChip, &str); 2] = [
        (UnisocChip::Uis8910, "EC600UCNLBR03A02M08_OCPU_QPY"),
        (UnisocChip::Uis8850, "EC800GCNLDR02A02M04_OCPU_QPY"),
    ];

    #[test]
    fn is_of_realistic_size_and_the_same_each_time() {
        for ((chip, revision), sizes) in CHIPS
            .into_iter()
            .zip([5_000_000..7_000_000, 2_900_000..3_300_000])
        {
            let package = UnisocPackage::generate(revision, chip, Scale::Realistic);
            let bytes = package.bytes();
            assert!(sizes.contains(&bytes.len()), "{chip:?}: {} bytes", bytes.len());
            assert_eq!(
                UnisocPackage::generate(revision, chip, Scale::Realistic).bytes(),
                bytes
            );
            let small = UnisocPackage::generate(revision, chip, Scale::Small).bytes();
            assert!(small.len() < 400_000, "{chip:?}: {} bytes", small.len());
        }
    }

    #[test]
    fn no_image_is_larger_than_its_region_and_no_two_images_overlap() {
        for (chip, revision) in CHIPS {
            let package = UnisocPackage::generate(revision, chip, Scale::Realistic);
            let mut images: Vec<_> = package
                .entries()
                .iter()
                .filter(|entry| entry.is_in_nor() && entry.kind == "CODE")
                .collect();
            assert!(
                images
                    .iter()
                    .all(|entry| entry.data.len() <= entry.region as usize)
            );
            images.sort_by_key(|entry| entry.address);
            assert!(
                images
                    .windows(2)
                    .all(|pair| pair[0].end() <= pair[1].address.into())
            );
        }
    }

    #[test]
    fn its_headers_are_whole_and_its_nv_is_good() {
        for (chip, revision) in CHIPS {
            let package = UnisocPackage::generate(revision, chip, Scale::Small);
            let code = [
                "HOST_FDL",
                "FDL2",
                "FDL",
                "AP",
                "APPIMG",
                "BOOTLOADER",
                "BOOT",
                "SPL",
            ];
            for entry in code.into_iter().filter_map(|id| package.entry(id)) {
                let whole = match chip {
                    UnisocChip::Uis8910 => is_whole_uimage(&entry.data),
                    UnisocChip::Uis8850 => is_whole_simage(&entry.data),
                };
                assert!(whole, "{}", entry.id);
            }
            let mut items = nv::NvItems::new();
            nv::store_bin(chip, &package.entry("NV").unwrap().data, &mut items).unwrap();
            assert_eq!(
                nv::decode_imei(&items[&nv::IMEI]).as_deref(),
                Some("864430010001091")
            );
        }
    }

    #[test]
    fn names_its_revision_where_real_packages_do() {
        for (chip, revision) in CHIPS {
            let package = UnisocPackage::generate(revision, chip, Scale::Small);
            let application = &package.entry("AP").unwrap().data;
            assert_eq!(find_revision(application).as_deref(), Some(revision));
            let twice = format!("\0{revision}\0{revision}\0");
            let is_there = |text: &str, bytes: &[u8]| {
                bytes
                    .windows(text.len())
                    .filter(|window| *window == text.as_bytes())
                    .count()
            };
            assert_eq!(is_there(&twice, application), 1);
            let board = format!("{}_{}", &revision[..8], &revision[8..10]);
            let image = package.entry("APPIMG").unwrap();
            assert_eq!(is_there(&board, &image.data), 1);
            assert_eq!(image.file, format!("{revision}.sign.img"));
        }
    }

    #[test]
    fn expects_images_and_the_erased_regions_that_hold_none() {
        let package = UnisocPackage::generate(CHIPS[0].1, CHIPS[0].0, Scale::Small);
        let expected = package.expected_regions();
        let names: Vec<_> = expected.iter().map(|(id, _, _)| id.as_str()).collect();
        assert_eq!(
            names,
            [
                "AP",
                "APPIMG",
                "ERASE_PY_FS_U",
                "ERASE_PY_FS_B",
                "PS",
                "BOOTLOADER"
            ]
        );
        assert!(expected[2].2.iter().all(|byte| *byte == 0xFF));
    }

    #[test]
    fn can_be_broken_in_every_way_a_test_needs() {
        let package = UnisocPackage::generate(CHIPS[1].1, CHIPS[1].0, Scale::Small)
            .without_entry("BOOT")
            .with_entry("AP", |entry| entry.address += 0x1000)
            .with_xml(|xml| *xml = xml.replace("ERASE_SPL", "ERASE_ALL"));
        assert!(package.entry("BOOT").is_none());
        assert!(package.xml().contains("0x60031000") && !package.xml().contains("ERASE_SPL"));
        let whole = package.bytes();
        let broken = package.broken(|bytes| bytes[3000] ^= 1);
        let altered = package.altered(|bytes| bytes[3000] ^= 1);
        assert_eq!(whole[2116..2124], broken[2116..2124]);
        assert_ne!(whole[2122..2124], altered[2122..2124]);
        assert_eq!(broken[3000], altered[3000]);
    }
}
