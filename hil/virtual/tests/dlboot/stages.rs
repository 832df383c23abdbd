//! Modules at the stage where a test begins.

use std::time::Duration;

use qpyflash_virtual::{
    EigencommModule, EigencommModuleBuilder, EigencommPackage, Mode, Role, Scale, VirtualBus,
};

use super::{Host, Package};
use crate::client::PATIENCE;

pub const REVISION: &str = "EC600ECNLCR01A01M04_OCPU_QPY";
pub const NEW: &str = "EC600ECNLCR01A02M04_OCPU_QPY";

pub fn generated() -> EigencommPackage {
    EigencommPackage::generate(NEW, Scale::Small)
}

pub fn read(package: &EigencommPackage) -> Package {
    Package::read(|path| package.file(path).unwrap_or_default())
}

pub fn builder() -> EigencommModuleBuilder {
    let short = Duration::from_millis(20);
    EigencommModule::builder(REVISION).boot_times(short, short)
}

/// A module in its mask ROM.
pub fn in_rom(builder: EigencommModuleBuilder) -> (VirtualBus, EigencommModule, Host) {
    let bus = VirtualBus::temporary().unwrap();
    let module = builder.starts_in_download().attach(&bus).unwrap();
    module.wait_for_mode(Mode::Download, PATIENCE).unwrap();
    let host = Host::open(module.tty(Role::Download).unwrap());
    (bus, module, host)
}

/// A module whose agent is in LPC.
pub fn in_lpc(builder: EigencommModuleBuilder) -> (VirtualBus, EigencommModule, Host) {
    let (bus, module, mut host) = in_rom(builder);
    host.load(&generated().usb_agent());
    (bus, module, host)
}
