//! Has a driver made ports of the module's serial interfaces? Source: specs/usb-and-hosts.md §3.1.

use super::{Finding, Host, Seen, name};
use crate::error::Kind;
use crate::link::{Address, Transport};
use crate::module::usb_ids::{Driver, Role};
use crate::module::{Attached, Unbound};

const CHECK: &str = "driver";

pub fn check(host: &Host, seen: &Seen) -> Vec<Finding> {
    let missing: Vec<Finding> = seen
        .modules
        .iter()
        .filter_map(|module| examine(host, module))
        .collect();
    if missing.is_empty() && !seen.modules.is_empty() {
        return vec![Finding::ok(CHECK, "every serial interface has its port")];
    }
    missing
}

fn examine(host: &Host, module: &Attached) -> Option<Finding> {
    if module.unbound.is_empty() && !module.ports.is_empty() {
        return None;
    }
    let interfaces: Vec<String> = module.unbound.iter().map(describe).collect();
    let text = match interfaces.is_empty() {
        true => format!("{} shows no serial interface", name(module)),
        false => format!("{} has no port for {}", name(module), interfaces.join(", ")),
    };
    let (why, remedy) = why(host, module);
    let text = format!("{text}: {why}");
    let usable = [Role::At, Role::Modem, Role::Repl, Role::Download]
        .into_iter()
        .any(|role| module.port(role).is_some());
    Some(match (usable, raw_usb(module)) {
        (true, _) => Finding::warning(CHECK, text, remedy),
        (false, true) => Finding::warning(
            CHECK,
            format!("{text}; it is reached over raw USB meanwhile"),
            remedy,
        ),
        (false, false) => Finding::obstacle(CHECK, Kind::ModuleMissing, text, remedy),
    })
}

/// Whether commands reach the module past the missing driver.
pub(super) fn raw_usb(module: &Attached) -> bool {
    matches!(module.best_address(Transport::Auto), Some(Address::Usb(_)))
}

fn describe(unbound: &Unbound) -> String {
    let role = unbound.role.word();
    match &unbound.driver {
        Some(driver) => format!("{role} (interface {}, taken by `{driver}`)", unbound.interface),
        None => format!("{role} (interface {})", unbound.interface),
    }
}

/// Why there is none, and what to do.
fn why(host: &Host, module: &Attached) -> (String, String) {
    let id = module.id;
    let Some(kernel) = host.kernel() else {
        let remedy = match cfg!(target_os = "macos") {
            // Source: specs/usb-and-hosts.md §3.5 [2].
            true => {
                "put the module into download mode by hand: macOS has a driver for its port there, and none for AT"
            }
            false => "install the vendor's USB driver for this module",
        };
        return ("no driver has taken it".into(), remedy.into());
    };
    let teach = || {
        format!(
            "`sudo qpyflash udev --install` and replug, or until the next start: `{}`",
            id.new_id_command()
        )
    };
    match id.driver {
        Driver::Option { since: None } => ("no kernel's `option` driver lists this id".into(), teach()),
        Driver::Option {
            since: Some((major, minor)),
        } if kernel < (major, minor) => (
            format!(
                "the kernel's `option` driver lists this id since {major}.{minor} (late stable kernels before it may, \
                 too), this is {}.{}",
                kernel.0, kernel.1
            ),
            teach(),
        ),
        Driver::Option { .. } => ("`option` is not loaded".into(), "`sudo modprobe option`".into()),
        Driver::CdcAcm => ("`cdc_acm` is not loaded".into(), "`sudo modprobe cdc_acm`".into()),
        Driver::Unknown => (
            "no driver of the kernel is known to take this id".into(),
            format!("`{}`", id.new_id_command()),
        ),
    }
}
