//! Whole exchanges on a virtual clock, and what a package may and may not be.

mod faults;
mod frames;
mod golden;
mod module;
mod plans;
mod runs;

use std::path::PathBuf;
use std::sync::{Arc, LazyLock};

use super::{Binpkg, Burn, Companions, Extra, Keeper, Kind, Options, Plan, Report, write};
use crate::Failure;
pub(crate) use module::{Instead, Module, Stage};

/// A file of the real vectors.
pub(crate) fn vector(name: &str) -> Vec<u8> {
    let root = std::env::var_os("QPYFLASH_VECTORS").map_or_else(
        || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/vectors")),
        PathBuf::from,
    );
    let path = root.join("eigencomm").join(name);
    std::fs::read(&path).unwrap_or_else(|why| panic!("the vector {} is needed: {why}", path.display()))
}

/// The real package of an EC600E.
pub(crate) fn real() -> Binpkg {
    static REAL: LazyLock<Binpkg> =
        LazyLock::new(|| Binpkg::parse(&vector("at_command.binpkg")).expect("a sound package"));
    REAL.clone()
}

/// Bytes that repeat late, so that a piece in the wrong place is seen.
pub(crate) fn pattern(seed: u32, size: usize) -> Arc<[u8]> {
    let byte = |n: usize| ((n as u32).wrapping_add(seed).wrapping_mul(2_654_435_761) >> 24) as u8;
    (0..size).map(byte).collect()
}

/// Both real agents, and files where they do not touch the real package.
pub(crate) fn companions() -> Companions {
    let extra = |file, address, limit, size| (Extra { file, address, limit }, pattern(address, size));
    Companions {
        usb_agent: Some(vector("agentboot_usb.bin").into()),
        uart_agent: Some(vector("agentboot_uart.bin").into()),
        extras: vec![
            extra("ap_application.bin", 0x30_0000, 0x6_0000, 0x2_1234),
            extra("ap_updater.bin", 0x3B_4000, 0x1_8000, 0x7001),
            extra("customer_fs.bin", 0x36_0000, 0x5_4000, 0x1000),
        ],
        usb_settings: Some(vector("config.ini").into()),
        ..Companions::default()
    }
}

pub(crate) fn plan_of(binpkg: Binpkg, companions: Companions) -> Plan {
    Plan::new(Arc::new(binpkg), companions).expect("a package that can be written")
}

/// The real package in little: a boot loader of one block, a system of two, a modem of two, one file.
pub(crate) fn small() -> Plan {
    static SMALL: LazyLock<Plan> = LazyLock::new(make_small);
    SMALL.clone()
}

fn make_small() -> Plan {
    let mut package = real();
    let mut system = package.entries[1].data[..0x1_2345].to_vec();
    system[4..8].copy_from_slice(&0x82_5001u32.to_le_bytes());
    package.entries[1].data = system.into();
    package.entries[2].data = package.entries[2].data[..0x1_0802].into();
    let mut companions = companions();
    companions.extras.truncate(1);
    companions.usb_agent = Some(pattern(3, 3000));
    companions.uart_agent = Some(pattern(4, 2048));
    plan_of(package, companions)
}

/// Keeps in memory what a run hands over, or refuses to.
#[derive(Default)]
pub(crate) struct Safe {
    pub rf: Vec<Vec<u8>>,
    pub refuses: bool,
}

impl Keeper for Safe {
    fn keep(&mut self, rf: &[u8]) -> Result<(), String> {
        if self.refuses {
            return Err("the disk is full".into());
        }
        self.rf.push(rf.to_vec());
        Ok(())
    }
}

/// Runs a whole session as most people do.
pub(crate) fn run(module: &mut Module, plan: &Plan) -> Result<Report, Failure> {
    write(module, plan, &Options::default(), &mut Safe::default())
}

/// What both flashes must hold after the plan was written over a used module, by the placement table of the
/// specification. The headers are those that the module was sent.
pub(crate) fn placed(plan: &Plan, module: &Module) -> Vec<u8> {
    let mut flash = module::USED.to_vec();
    let base = |burn: &Burn| match burn.kind {
        Kind::Modem => module::AP_BYTES,
        _ => 0,
    };
    for burn in plan.burns() {
        let room = match burn.kind {
            Kind::File => burn.limit as usize,
            _ => burn.data.len(),
        };
        let at = base(burn) + burn.address as usize;
        flash[at..(at + room).next_multiple_of(0x1000)].fill(0xFF);
        flash[at..at + burn.data.len()].copy_from_slice(&burn.data);
    }
    for at in [0, 0x2000] {
        flash[at..at + 0x2000].fill(0xFF);
        flash[at..at + 272].copy_from_slice(&module.flash[at..at + 272]);
    }
    flash
}

pub(crate) fn assert_written(module: &Module, plan: &Plan) {
    let wanted = placed(plan, module);
    if module.flash == wanted {
        return;
    }
    let differs = module
        .flash
        .iter()
        .zip(&wanted)
        .position(|(held, wanted)| held != wanted);
    assert_eq!(differs.map(|at| format!("{at:x}")), None);
}
