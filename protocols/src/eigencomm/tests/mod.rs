//! Whole exchanges on a virtual clock, and what a package may and may not be.

mod plans;

use std::path::PathBuf;
use std::sync::{Arc, LazyLock};

use super::{Binpkg, Companions, Extra, Plan};

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
