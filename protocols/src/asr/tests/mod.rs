//! Whole exchanges on a virtual clock, against the real vectors.

mod ethos;
mod ethos_module;
mod faults;
mod frames;
mod golden;
mod modes;
mod module;
mod packages;
mod scripts;
mod sparse_images;
mod stale;

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Value, json};

use super::plan::Plan;
use super::{Options, Report, write};
use crate::{Failure, FormatError};
pub(crate) use module::{Heard, Instead, Module};

/// A file of the real ASR vectors.
pub(crate) fn vector(name: &str) -> Vec<u8> {
    let root = std::env::var("QPYFLASH_VECTORS")
        .unwrap_or_else(|_| concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/vectors").to_owned());
    let path = format!("{root}/asr/{name}");
    std::fs::read(&path).unwrap_or_else(|error| {
        panic!("{path}: {error}; the vectors belong beside the project, or set QPYFLASH_VECTORS")
    })
}

/// A package being made up.
pub(crate) struct Maker {
    pub entries: Vec<Value>,
    pub members: BTreeMap<String, Arc<[u8]>>,
}

impl Maker {
    /// The real SDK's package, up to its first `flash`: requires, preboot, flasher, the 8 MB tables.
    pub fn sdk() -> Self {
        let Value::Array(mut entries) = serde_json::from_slice(&vector("sdk/download.json")).expect("JSON")
        else {
            panic!("an array")
        };
        entries.pop();
        let members = [
            ("preboot.img", "sdk/ASR1603/preboot.img"),
            ("flasher.img", "sdk/ASR1603/flasher.img"),
            ("flashinfo.bin", "sdk/flashinfo_8M.bin"),
            ("partition.bin", "sdk/partition_8M.bin"),
        ];
        let members = members.map(|(name, file)| (name.to_owned(), vector(file).into()));
        Maker {
            entries,
            members: members.into(),
        }
    }

    pub fn entry(mut self, entry: Value) -> Self {
        self.entries.push(entry);
        self
    }

    pub fn member(mut self, name: &str, bytes: &[u8]) -> Self {
        self.members.insert(name.to_owned(), bytes.into());
        self
    }

    /// A `flash` entry with its image.
    pub fn flash(self, name: &str, partition: &str, bytes: &[u8]) -> Self {
        self.member(name, bytes)
            .entry(json!({"command": "flash", "group": "1", "image": name, "partition": partition}))
    }

    pub fn plan(&self) -> Result<Plan, FormatError> {
        let json = serde_json::to_vec(&self.entries).expect("JSON");
        Plan::from_download_json(&json, &mut |name| self.members.get(name).cloned())
    }
}

/// The SDK's package with `HELLO` for `user_app`.
pub(crate) fn hello() -> Plan {
    Maker::sdk()
        .flash("app.bin", "user_app", b"HELLO")
        .plan()
        .expect("a good package")
}

/// The module after a session with these options, and how it went.
pub(crate) fn wire_of(
    plan: &Plan,
    mut module: Module,
    options: &Options,
) -> (Module, Result<Report, Failure>) {
    let result = write(&mut module, plan, options);
    (module, result)
}

/// Runs a whole session.
pub(crate) fn run(module: &mut Module, plan: &Plan) -> Result<Report, Failure> {
    write(module, plan, &Options::default())
}
