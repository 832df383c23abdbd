//! Are the udev rules there, and are they those of this version?

use super::{Finding, Host, Seen};
use crate::module::udev;

const CHECK: &str = "udev";

pub fn check(host: &Host, _: &Seen) -> Vec<Finding> {
    if host.kernel().is_none() {
        return Vec::new();
    }
    let install = "`sudo qpyflash udev --install`";
    vec![match installed(host) {
        None => Finding::warning(CHECK, format!("there is no {}", udev::FILE), install),
        Some(text) if udev::is_current(&text) => Finding::ok(CHECK, format!("{} is current", udev::FILE)),
        Some(_) => Finding::warning(
            CHECK,
            format!("{} is not what this version installs", udev::FILE),
            install,
        ),
    }]
}

/// The rules as they are installed.
pub fn installed(host: &Host) -> Option<String> {
    std::fs::read_to_string(host.path(udev::FILE)).ok()
}
