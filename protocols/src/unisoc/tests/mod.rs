//! Whole exchanges on a virtual clock, and what a package may and may not be.

mod faults;
mod golden;
mod module;
mod nv_runs;
mod plans;
mod runs;

use std::path::PathBuf;
use std::sync::{Arc, LazyLock};

use super::session::{Keeper, Kept};
use super::{Options, Pac, Plan, Report, write};
use crate::{Failure, Platform};
pub(crate) use module::{Instead, Module, Stage};

/// A file of the real vectors.
pub(crate) fn vector(name: &str) -> Vec<u8> {
    let root = std::env::var_os("QPYFLASH_VECTORS").map_or_else(
        || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/vectors")),
        PathBuf::from,
    );
    let path = root.join(name);
    std::fs::read(&path).unwrap_or_else(|why| panic!("the vector {} is needed: {why}", path.display()))
}

fn package(name: &str) -> Pac {
    Pac::parse(&vector(name)).expect("a sound package")
}

/// The package of the vendor's generator.
pub(crate) fn demo() -> Pac {
    static DEMO: LazyLock<Pac> = LazyLock::new(|| package("unisoc/demo8910.pac"));
    DEMO.clone()
}

/// A published package.
pub(crate) fn published() -> Pac {
    static PUBLISHED: LazyLock<Pac> = LazyLock::new(|| package("packages/QPY_OCPU_V0001_EC800G_CNLD_FW.pac"));
    PUBLISHED.clone()
}

pub(crate) fn plan_of(pac: Pac) -> Plan {
    Plan::from_pac(Arc::new(pac)).expect("a package that can be written")
}

/// A small package for each chip: everything a whole one has, in little.
pub(crate) fn small(platform: Platform) -> Plan {
    let mut pac = match platform {
        Platform::Unisoc8850 => published(),
        _ => demo(),
    };
    for entry in &mut pac.entries {
        let keep = match entry.id.as_str() {
            "NV" | "BOOTLOADER" | "SPL" => entry.data.len(),
            "HOST_FDL" | "FDL2" | "FDL" => 0x900,
            "AP" => 0x1001,
            _ => 0x333,
        };
        entry.data = entry.data[..entry.data.len().min(keep)].into();
    }
    pac.warnings.clear();
    plan_of(pac)
}

/// Keeps in memory what a run hands over, or refuses to.
#[derive(Default)]
pub(crate) struct Safe {
    pub nv: Vec<Vec<u8>>,
    pub phase_check: Option<Vec<u8>>,
    pub imei: Option<String>,
    pub refuses: bool,
}

impl Keeper for Safe {
    fn keep(&mut self, what: Kept<'_>) -> Result<(), String> {
        if self.refuses {
            return Err("the disk is full".into());
        }
        self.nv.push(what.nv.to_vec());
        self.phase_check = what.phase_check.map(<[u8]>::to_vec);
        self.imei = what.imei.map(str::to_owned);
        Ok(())
    }
}

/// Runs a whole session as most people do.
pub(crate) fn run(module: &mut Module, plan: &Plan) -> Result<Report, Failure> {
    write(module, plan, &Options::default(), &mut Safe::default())
}
