//! Generated ASR firmware packages of realistic structure. Source: specs/asr-aboot.md §5-7.
//!
//! The contents are deterministic pseudo-random bytes; the revision stands in `system.img` and
//! `customer_app.bin` as the build puts it there. No byte is a vendor's.

pub(crate) mod contents;
pub(crate) mod layout;
mod recipe;
mod script;
mod tables;

use std::collections::BTreeMap;

use serde_json::{Value, json};

use recipe::{IMAGES, Image};

/// Which chip a package is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Chip {
    /// Boot ROM 2019.01.15.
    Asr1601,
    /// Boot ROM 2020.07.30.
    Asr1603,
}

/// How large a package is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scale {
    /// 3 to 6 MB, as real packages are.
    Realistic,
    /// 100 to 200 KB, for fast tests.
    Small,
}

/// One generated package: its members, what `download.json` says, and what the flash must hold afterwards.
#[derive(Debug, Clone)]
pub struct AsrPackage {
    revision: String,
    chip: Chip,
    entries: Vec<Value>,
    members: Vec<(String, Vec<u8>)>,
}

impl AsrPackage {
    /// Generates a package of that revision. The same arguments give the same bytes.
    pub fn generate(revision: &str, chip: Chip, scale: Scale) -> Self {
        let mut package = AsrPackage {
            revision: revision.to_owned(),
            chip,
            entries: Vec::new(),
            members: Vec::new(),
        };
        let helpers = [("preboot.img", 27_788), ("flasher.img", 33_676)];
        for (name, length) in helpers {
            package.members.push((name.into(), tables::fip(name, length)));
        }
        package
            .members
            .push(("flashinfo.bin".into(), tables::flash_info()));
        for image in IMAGES {
            let bytes = match image.member {
                "partition.bin" => tables::partition_table(),
                _ => contents::image(image, revision, scale),
            };
            package.members.push((image.member.into(), bytes));
        }
        package
            .members
            .push(("fota.json".into(), b"{\n  \"fota\": []\n}\n".to_vec()));
        package.entries = package.standard_entries();
        package
    }

    /// The revision in its images.
    pub fn revision(&self) -> &str {
        &self.revision
    }

    /// The bytes of a member; `download.json` and `firmware.bin` are made from the entries.
    pub fn member(&self, name: &str) -> Option<Vec<u8>> {
        self.members()
            .into_iter()
            .find(|(known, _)| known == name)
            .map(|(_, bytes)| bytes)
    }

    /// Every member of the package, in the order of the zip.
    pub fn members(&self) -> Vec<(String, Vec<u8>)> {
        let is_given = |name: &str| self.members.iter().any(|(known, _)| known == name);
        let mut members = Vec::new();
        if !is_given("download.json") {
            members.push(("download.json".into(), self.download_json()));
        }
        if !is_given("firmware.bin") {
            members.push((
                "firmware.bin".into(),
                script::firmware_bin(&self.entries, &self.members),
            ));
        }
        members.extend(self.members.iter().cloned());
        members
    }

    /// Adds a member, or replaces the one of that name, `download.json` and `firmware.bin` too.
    #[must_use]
    pub fn with_member(mut self, name: &str, bytes: impl Into<Vec<u8>>) -> Self {
        match self.members.iter_mut().find(|(known, _)| known == name) {
            Some((_, known)) => *known = bytes.into(),
            None => self.members.push((name.into(), bytes.into())),
        }
        self
    }

    /// Leaves a member out; the entries still name it.
    #[must_use]
    pub fn without_member(mut self, name: &str) -> Self {
        self.members.retain(|(known, _)| known != name);
        self
    }

    /// Changes the bytes of a member, as a transmission error or a wrong build would.
    #[must_use]
    pub fn with_changed(mut self, name: &str, change: impl FnOnce(&mut Vec<u8>)) -> Self {
        if let Some((_, bytes)) = self.members.iter_mut().find(|(known, _)| known == name) {
            change(bytes);
        }
        self
    }

    /// Changes the entries of `download.json`.
    #[must_use]
    pub fn with_entries(mut self, change: impl FnOnce(&mut Vec<Value>)) -> Self {
        change(&mut self.entries);
        self
    }

    /// What each partition must hold after the package was written: the image, zeros up to a whole block of
    /// 4096 bytes, and erased flash after that.
    pub fn expected_partitions(&self) -> BTreeMap<String, Vec<u8>> {
        let mut expected = BTreeMap::new();
        for entry in &self.entries {
            let text = |field: &str| entry.get(field).and_then(Value::as_str).unwrap_or_default();
            let Some(partition) = recipe::find_partition(text("partition")) else {
                continue;
            };
            let member = self.members.iter().find(|(name, _)| name == text("image"));
            let mut bytes = match (text("command"), member) {
                ("flash", Some((_, bytes))) => bytes.clone(),
                ("erase", _) => Vec::new(),
                _ => continue,
            };
            bytes.resize(bytes.len().next_multiple_of(4096), 0);
            bytes.resize(partition.size as usize, 0xFF);
            expected.insert(partition.name.to_owned(), bytes);
        }
        expected
    }

    fn download_json(&self) -> Vec<u8> {
        format!("{:#}\n", Value::Array(self.entries.clone())).into_bytes()
    }

    fn standard_entries(&self) -> Vec<Value> {
        let (product, bootrom) = match self.chip {
            Chip::Asr1601 => ("arom|arom-tiny", "2019.01.15"),
            Chip::Asr1603 => ("arom-tiny", "2020.07.30"),
        };
        let size_of = |member: &str| {
            self.members
                .iter()
                .find(|(name, _)| name == member)
                .map_or(0, |(_, bytes)| bytes.len())
        };
        let total: usize = IMAGES.iter().map(|image| size_of(image.member)).sum();
        let require = |name: &str, value: &str| json!({"command": "require", "group": "0", "name": name, "value": value});
        let load = |command: &str, image: &str| json!({"command": command, "group": "0", "image": image});
        let mut entries = vec![
            require("product", product),
            require("version", "0.5"),
            require("version-bootrom", bootrom),
            json!({"command": "progress", "group": "0", "name": "weight", "value": total}),
            load("call", "preboot.img"),
            load("call", "flasher.img"),
            load("partition", "flashinfo.bin"),
            load("partition", "partition.bin"),
            json!({"command": "erase", "group": "1", "partition": "fota_param"}),
        ];
        entries.extend(IMAGES.iter().map(|Image { member, partition, .. }| {
            let weight = size_of(member);
            json!({"command": "flash", "group": "1", "image": member, "partition": partition, "weight": weight})
        }));
        entries
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const REVISION: &str = "EC600NCNLAR03A08M08_OCPU_QPY";

    #[test]
    fn is_of_realistic_size_and_the_same_each_time() {
        let package = AsrPackage::generate(REVISION, Chip::Asr1603, Scale::Realistic);
        let images: usize = IMAGES
            .iter()
            .map(|image| package.member(image.member).unwrap().len())
            .sum();
        assert!((5_500_000..6_500_000).contains(&images), "{images} bytes");
        assert!(IMAGES.len() >= 12);
        let again = AsrPackage::generate(REVISION, Chip::Asr1603, Scale::Realistic);
        assert_eq!(package.members(), again.members());
        let small = AsrPackage::generate(REVISION, Chip::Asr1603, Scale::Small);
        let bytes: usize = IMAGES
            .iter()
            .map(|image| small.member(image.member).unwrap().len())
            .sum();
        assert!(bytes < 200_000, "{bytes} bytes");
    }

    #[test]
    fn every_image_fits_its_partition_and_no_two_partitions_overlap() {
        let package = AsrPackage::generate(REVISION, Chip::Asr1603, Scale::Realistic);
        for (name, bytes) in package.expected_partitions() {
            assert_eq!(
                bytes.len(),
                recipe::find_partition(&name).unwrap().size as usize,
                "{name}"
            );
        }
        let is_container = |kind: &str| matches!(kind, "group" | "part" | "flash");
        let mut data: Vec<_> = recipe::PARTITIONS
            .iter()
            .filter(|p| !is_container(p.kind))
            .collect();
        data.sort_by_key(|partition| partition.start);
        assert!(
            data.windows(2)
                .all(|pair| pair[0].start + pair[0].size <= pair[1].start)
        );
    }

    #[test]
    fn carries_its_revision_ended_by_nul_in_two_images() {
        let package = AsrPackage::generate(REVISION, Chip::Asr1603, Scale::Small);
        for member in ["system.img", "customer_app.bin"] {
            let bytes = package.member(member).unwrap();
            let found = crate::identity::find_revision(&bytes);
            assert_eq!(found.as_deref(), Some(REVISION), "{member}");
        }
    }

    #[test]
    fn can_be_broken_in_every_way_a_test_needs() {
        let package = AsrPackage::generate(REVISION, Chip::Asr1601, Scale::Small)
            .without_member("cp.bin")
            .with_member("extra.txt", "text")
            .with_changed("partition.bin", |bytes| bytes[100] ^= 1)
            .with_entries(|entries| entries.push(json!({"command": "fuse", "image": "extra.txt"})));
        assert_eq!(package.member("cp.bin"), None);
        assert_eq!(package.member("extra.txt").unwrap(), b"text");
        let entries: Vec<Value> = serde_json::from_slice(&package.member("download.json").unwrap()).unwrap();
        assert_eq!(entries.last().unwrap()["command"], "fuse");
        assert_eq!(entries[2]["value"], "2019.01.15");
    }
}
