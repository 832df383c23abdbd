//! A validated package: what will be written, and what it is built for.

use std::sync::Arc;

use qpyflash_protocols::Platform;
use serde::Serialize;

use super::payload::sha256;

/// One image of a package. The data is shared by all modules that are written at once.
#[derive(Debug, Clone)]
pub struct Image {
    /// Its name in the package.
    pub name: String,
    /// Partition, section or address it goes to; empty for code that only runs in RAM.
    pub target: String,
    /// The bytes.
    pub data: Arc<[u8]>,
}

impl Image {
    /// SHA-256 of the bytes, lower-case hex.
    pub fn sha256(&self) -> String {
        sha256(&self.data)
    }
}

/// One witness for what a package is built for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Evidence {
    /// Where it was found: `revision in system.img`, `member name`, `changelog.md`, `file name`.
    pub from: String,
    /// The text as found.
    pub value: String,
}

/// What a package is built for, and how we know. Source: specs/identity.md §4.2, §4.3.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct BuiltFor {
    /// `EC600N`; unknown when no witness names it.
    pub series: Option<String>,
    /// `CNLA`.
    pub submodel: Option<String>,
    /// `BT`, `EXTFS8M`, `VOLTE`.
    pub variant: Option<String>,
    /// The whole revision string found inside the payload, the strongest witness.
    pub revision: Option<String>,
    /// Every witness, strongest first, also those that contradict.
    pub evidence: Vec<Evidence>,
}

impl BuiltFor {
    /// The revision, where it stands inside the payload: the firmware will report it. A revision that only an
    /// archive's name tells is a claim.
    pub fn proven_revision(&self) -> Option<&str> {
        let revision = self.revision.as_deref()?;
        let inside = |one: &Evidence| one.from.starts_with("revision in ") || one.from == "entry name";
        self.evidence
            .iter()
            .any(|one| inside(one) && one.value == revision)
            .then_some(revision)
    }
}

/// What the platform's session needs, validated completely.
#[derive(Debug, Clone)]
pub enum Plan {
    /// An ASR `download.json` or `firmware.bin`.
    Asr(Arc<qpyflash_protocols::asr::Plan>),
    /// A Unisoc `.pac`.
    Unisoc(Arc<qpyflash_protocols::unisoc::Plan>),
    /// An Eigencomm `.binpkg` with the files beside it.
    Eigencomm(Arc<qpyflash_protocols::eigencomm::Plan>),
}

/// A package of which every hash, check sum and bound has been checked.
#[derive(Debug, Clone)]
pub struct Package {
    pub(crate) platform: Platform,
    pub(crate) built_for: BuiltFor,
    pub(crate) images: Vec<Image>,
    pub(crate) helpers: Vec<Image>,
    pub(crate) sha256: String,
    pub(crate) origin: Vec<String>,
    pub(crate) warnings: Vec<String>,
    pub(crate) plan: Plan,
}

impl Package {
    /// The chip platform it is for.
    pub fn platform(&self) -> Platform {
        self.platform
    }
    /// What it is built for, with the evidence.
    pub fn built_for(&self) -> &BuiltFor {
        &self.built_for
    }
    /// What goes to flash, in the order of the package.
    pub fn images(&self) -> &[Image] {
        &self.images
    }
    /// Code that only runs in RAM: preboot and flasher, FDL, agentboot.
    pub fn helpers(&self) -> &[Image] {
        &self.helpers
    }
    /// SHA-256 of the file that was given, lower-case hex; of a folder, over its members in order.
    pub fn sha256(&self) -> &str {
        &self.sha256
    }
    /// The chain of archives it came out of, outermost first.
    pub fn origin(&self) -> &[String] {
        &self.origin
    }
    /// What a person should know before writing it.
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }
    /// What the platform's session needs.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }
}

#[cfg(test)]
impl Package {
    /// A package that is only looked at, for tests of those who decide over packages.
    pub(crate) fn for_decision(platform: Platform, origin: &str, built_for: BuiltFor) -> Package {
        Package {
            platform,
            built_for,
            images: Vec::new(),
            helpers: Vec::new(),
            sha256: String::new(),
            origin: vec![origin.to_owned()],
            warnings: Vec::new(),
            plan: Plan::Asr(Arc::default()),
        }
    }
}
