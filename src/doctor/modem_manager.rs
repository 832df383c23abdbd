//! Does ModemManager run, and has it been told to leave the modules alone? It probes every port it is allowed, and a
//! probe in the middle of a write has killed devices. Source: specs/usb-and-hosts.md §3.2.

use super::{Finding, Host, Seen, name};
use crate::module::{Attached, Mode};

const CHECK: &str = "modem-manager";

/// The property that keeps it away. Source: specs/usb-and-hosts.md §3.2 [V].
const IGNORE: &str = "E:ID_MM_DEVICE_IGNORE=1";

pub fn check(host: &Host, seen: &Seen) -> Vec<Finding> {
    let Some(program) = host.running("ModemManager") else {
        return match host.kernel() {
            Some(_) => vec![Finding::ok(CHECK, "ModemManager does not run")],
            None => Vec::new(),
        };
    };
    let told = |module: &Attached| {
        host.udev_data(module)
            .is_some_and(|data| data.lines().any(|line| line == IGNORE))
    };
    let mut findings: Vec<Finding> = seen
        .modules
        .iter()
        .filter(|module| !told(module))
        .map(|module| {
            let remedy = match module.mode {
                Mode::Run => "if nobody uses it for data: `sudo qpyflash udev --install --no-modem-manager`, then replug",
                Mode::Download => "`sudo qpyflash udev --install`, then replug the module",
            };
            let text = format!(
                "{program} runs and has not been told to leave {} alone: it may probe the ports",
                name(module)
            );
            Finding::warning(CHECK, text, remedy)
        })
        .collect();
    if findings.is_empty() {
        let text = match seen.modules.is_empty() {
            true => format!("{program} runs; there is no module to keep it from"),
            false => format!("{program} runs and leaves every module alone"),
        };
        findings.push(Finding::ok(CHECK, text));
    }
    findings
}
