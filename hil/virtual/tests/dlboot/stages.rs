//! Modules at the stage where a test begins.

use std::time::Duration;

use qpyflash_virtual::{
    EigencommModule, EigencommModuleBuilder, EigencommPackage, Mode, Role, Scale, VirtualBus,
};

use super::package::Package;
use super::{AG, BL_ID, FLEX_AT, FLEX_ID, Host, LPC, TO_AP, burn_header, header};
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

/// A module over UART1 whose agent is in LPC.
pub fn in_lpc_over_uart() -> (VirtualBus, EigencommModule, Host) {
    let (bus, module, mut host) = in_rom(builder().over_uart());
    let agent = generated().uart_agent();
    host.client.set_baud(115_200);
    host.rom_image(b"HMIT", &header(BL_ID, 0, &agent, 921_600, 1))
        .unwrap();
    host.rom_image(BL_ID, &agent).unwrap();
    host.client.set_baud(921_600);
    host.sync(LPC);
    (bus, module, host)
}

/// A block session of FLEX that is open.
pub fn in_block(host: &mut Host, body: &[u8]) {
    host.begin(FLEX_ID, &TO_AP);
    host.session(&burn_header(FLEX_ID, FLEX_AT, body)).unwrap();
    host.sync(AG);
}
