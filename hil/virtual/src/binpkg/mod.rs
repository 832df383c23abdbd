//! Generated Eigencomm packages of realistic structure: `at_command.binpkg` and the files beside it. Source:
//! specs/eigencomm-agentboot.md §2, specs/identity.md §5.
//!
//! The contents are deterministic pseudo-random bytes; headers, hashes, vectors, settings and the place of the
//! revision are those of real packages. No byte is a vendor's, unless it is given to [`EigencommPackage::around`].

mod companions;
mod container;
mod layout;
mod recipe;

use crate::Scale;
use crate::eigencomm::FlashChip;
use crate::eigencomm::header::{Header, ImageId};
use crate::identity::find_revision;

/// Name of the container in its folder.
const BINPKG: &str = "at_command.binpkg";
/// Erased around a header. Source: specs/eigencomm-agentboot.md §4.6 [V*].
const HEADER_SECTORS: usize = 0x2000;
/// Where the AP image's header is kept; the bootloader's is at 0.
const AP_HEADER_AT: u32 = 0x2000;

/// One image of the container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BinpkgEntry {
    /// `ap_bootloader`, `ap_at_command`, `cp-demo-flash`.
    pub name: String,
    /// `BL`, `AP` or `CP`.
    pub kind: String,
    /// Offset in its flash chip.
    pub address: u32,
    /// Size of its partition, in bytes; no image is larger.
    pub partition_bytes: u32,
    /// The bytes.
    pub data: Vec<u8>,
}

/// A file that `quec_download_config.ini` names.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Extra {
    file: &'static str,
    start: u32,
    size: u32,
}

/// One generated package, and what the flash must hold after it was written.
#[derive(Debug, Clone)]
pub struct EigencommPackage {
    revision: String,
    entries: Vec<BinpkgEntry>,
    /// The container when it is not made from the entries.
    given: Option<Vec<u8>>,
    files: Vec<(String, Vec<u8>)>,
    extras: Vec<Extra>,
    file_count: usize,
}

impl EigencommPackage {
    /// Generates the package of that revision, with four files beside the container. The same arguments give the
    /// same bytes.
    pub fn generate(revision: &str, scale: Scale) -> Self {
        Self::new(revision, recipe::entries(revision, scale), scale)
    }

    /// A package around a genuine container of version "106" and genuine agents. The other files are small made-up
    /// ones; the application begins behind the AP image.
    pub fn around(binpkg: &[u8], usb_agent: &[u8], uart_agent: &[u8]) -> Self {
        let entries = container::read(binpkg);
        let ap = entries.iter().find(|entry| entry.kind == "AP");
        let revision = ap.and_then(|ap| find_revision(&ap.data)).unwrap_or_default();
        let mut package = Self::new(&revision, entries, Scale::Small)
            .with_file(companions::USB_AGENT, usb_agent)
            .with_file(companions::UART_AGENT, uart_agent);
        package.given = Some(binpkg.to_vec());
        package
    }

    fn new(revision: &str, entries: Vec<BinpkgEntry>, scale: Scale) -> Self {
        EigencommPackage {
            revision: revision.to_owned(),
            files: companions::files(revision, scale),
            extras: companions::extras(&entries),
            entries,
            given: None,
            file_count: 4,
        }
    }

    /// The revision in its AP image.
    pub fn revision(&self) -> &str {
        &self.revision
    }

    /// The images of the container, in its order.
    pub fn entries(&self) -> &[BinpkgEntry] {
        &self.entries
    }

    /// The image of that kind: `BL`, `AP` or `CP`.
    pub fn entry(&self, kind: &str) -> Option<&BinpkgEntry> {
        self.entries.iter().find(|entry| entry.kind == kind)
    }

    /// Changes the images; hashes and offsets follow.
    #[must_use]
    pub fn with_entries(mut self, change: impl FnOnce(&mut Vec<BinpkgEntry>)) -> Self {
        change(&mut self.entries);
        self.given = None;
        self
    }

    /// How many files `quec_download_config.ini` names: 3, or 4 with `customer_backup_fs.bin`.
    #[must_use]
    pub fn with_file_count(mut self, count: usize) -> Self {
        self.file_count = count;
        self
    }

    /// Where an extra file begins in the AP flash, and the size of its area, in bytes; `quec_download_config.ini`
    /// follows. Nothing happens when there is no such file.
    #[must_use]
    pub fn with_area(mut self, file: &str, start: u32, size: u32) -> Self {
        if let Some(extra) = self.extras.iter_mut().find(|extra| extra.file == file) {
            (extra.start, extra.size) = (start, size);
        }
        self
    }

    /// Adds a file beside the container, or replaces the one of that path.
    #[must_use]
    pub fn with_file(mut self, path: &str, bytes: impl Into<Vec<u8>>) -> Self {
        match self.files.iter_mut().find(|(known, _)| known == path) {
            Some((_, known)) => *known = bytes.into(),
            None => self.files.push((path.into(), bytes.into())),
        }
        self
    }

    /// Leaves a file out; the settings still name it.
    #[must_use]
    pub fn without_file(mut self, path: &str) -> Self {
        self.files.retain(|(known, _)| known != path);
        if path == companions::CONFIG {
            self.file_count = 0;
        }
        self
    }

    /// The container, `at_command.binpkg`.
    pub fn binpkg(&self) -> Vec<u8> {
        self.given
            .clone()
            .unwrap_or_else(|| container::build(&self.entries))
    }

    /// The container with a change that its hashes do not follow.
    pub fn broken(&self, change: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
        let mut bytes = self.binpkg();
        change(&mut bytes);
        bytes
    }

    /// The bytes of a file of the folder: `ap_updater.bin`, `agentboot_usb/agentboot.bin`, `at_command.binpkg`.
    pub fn file(&self, path: &str) -> Option<Vec<u8>> {
        let found = self.files().into_iter().find(|(known, _)| known == path);
        found.map(|(_, bytes)| bytes)
    }

    /// The agent for the USB download port; empty when it was left out.
    pub fn usb_agent(&self) -> Vec<u8> {
        self.file(companions::USB_AGENT).unwrap_or_default()
    }

    /// The agent for UART1; empty when it was left out.
    pub fn uart_agent(&self) -> Vec<u8> {
        self.file(companions::UART_AGENT).unwrap_or_default()
    }

    /// Every file of the folder, by its path below it.
    pub fn files(&self) -> Vec<(String, Vec<u8>)> {
        let mut files = self.files.clone();
        let is_given = |path: &str| self.files.iter().any(|(known, _)| known == path);
        if !is_given(BINPKG) {
            files.push((BINPKG.into(), self.binpkg()));
        }
        if !is_given(companions::CONFIG) && self.file_count > 0 {
            let config = companions::config(&self.extras, self.file_count);
            files.push((companions::CONFIG.into(), config.into_bytes()));
        }
        files.sort_by(|(one, _), (other, _)| one.cmp(other));
        files
    }

    /// What the flash must hold after the package was written: name, chip, offset and bytes of the header sectors
    /// (`BL header`, `AP header`), of each image, and of the area of each extra file, erased behind the file.
    ///
    /// The headers are those of a host that sets "burnaddr valid", bit 2 of their flags, when burnaddr is not zero.
    /// Source: specs/eigencomm-agentboot.md §4.6-4.7.
    pub fn expected_regions(&self) -> Vec<(String, FlashChip, u32, Vec<u8>)> {
        let mut regions = Vec::new();
        for entry in &self.entries {
            let (chip, header) = match entry.kind.as_str() {
                "BL" => (FlashChip::Ap, Some((ImageId::Bl, 0))),
                "AP" => (FlashChip::Ap, Some((ImageId::Ap, AP_HEADER_AT))),
                _ => (FlashChip::Cp, None),
            };
            if let Some((id, at)) = header {
                let header = Header::of(id, entry.address, &entry.data);
                let sectors = padded(&header.0, HEADER_SECTORS);
                regions.push((format!("{} header", entry.kind), chip, at, sectors));
            }
            regions.push((entry.name.clone(), chip, entry.address, entry.data.clone()));
        }
        for extra in self.extras.iter().take(self.file_count) {
            if let Some((_, bytes)) = self.files.iter().find(|(path, _)| path == extra.file) {
                let area = padded(bytes, extra.size as usize);
                regions.push((extra.file.into(), FlashChip::Ap, extra.start, area));
            }
        }
        regions
    }
}

fn padded(bytes: &[u8], length: usize) -> Vec<u8> {
    let mut area = bytes.to_vec();
    area.resize(length.max(bytes.len()), 0xFF);
    area
}

#[cfg(test)]
mod tests;
