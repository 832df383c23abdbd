//! Modules at the stage where a test begins.

use std::time::Duration;

use qpyflash_virtual::{
    Mode, Role, Scale, UnisocChip, UnisocModule, UnisocModuleBuilder, UnisocPackage, VirtualBus,
};

use super::{Bsl, Pac};
use crate::client::PATIENCE;

pub const REVISION: &str = "EC600UCNLBR03A01M08_OCPU_QPY";
pub const NEW: &str = "EC600UCNLBR03A02M08_OCPU_QPY";
pub const AP: u32 = 0x6001_0000;
pub const PHASE_CHECK: u32 = 0xFE00_0002;

pub fn package() -> Pac {
    Pac::read(&UnisocPackage::generate(NEW, UnisocChip::Uis8910, Scale::Small).bytes())
}

pub fn builder() -> UnisocModuleBuilder {
    let short = Duration::from_millis(20);
    UnisocModule::builder(UnisocChip::Uis8910, REVISION).boot_times(short, short)
}

/// A UIS8910 in its mask ROM.
pub fn in_rom(builder: UnisocModuleBuilder) -> (VirtualBus, UnisocModule, Bsl) {
    let bus = VirtualBus::temporary().unwrap();
    let module = builder.starts_in_download().attach(&bus).unwrap();
    module.wait_for_mode(Mode::Download, PATIENCE).unwrap();
    let loader = Bsl::open(module.tty(Role::Download).unwrap(), false);
    (bus, module, loader)
}

/// A UIS8910 in FDL1, synchronised.
pub fn in_fdl1() -> (VirtualBus, UnisocModule, Bsl) {
    let (bus, module, mut loader) = in_rom(builder());
    loader.load_fdl1(package().data("HOST_FDL"));
    loader.sync(1);
    (bus, module, loader)
}

/// A UIS8910 in FDL2.
pub fn in_fdl2(builder: UnisocModuleBuilder) -> (VirtualBus, UnisocModule, Bsl) {
    let (bus, module, mut loader) = in_rom(builder);
    loader.load_8910(&package());
    (bus, module, loader)
}
