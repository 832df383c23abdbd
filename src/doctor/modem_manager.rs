//! Does ModemManager run, and has it been told to leave the modules alone? It probes every port it is allowed, and a
//! probe in the middle of a write has killed devices. Source: specs/usb-and-hosts.md §3.2.

use super::{Finding, Host, Seen, name};
use crate::link::Holder;
use crate::module::{Attached, Bus, Mode};

const CHECK: &str = "modem-manager";
const PROGRAM: &str = "ModemManager";

/// The property that keeps it away. Source: specs/usb-and-hosts.md §3.2 \[V\].
const IGNORE: &str = "E:ID_MM_DEVICE_IGNORE=1";

pub fn check(host: &Host, seen: &Seen) -> Vec<Finding> {
    let Some(program) = host.running(PROGRAM) else {
        return match host.kernel() {
            Some(_) => vec![Finding::ok(CHECK, "ModemManager does not run")],
            None => Vec::new(),
        };
    };
    let findings: Vec<Finding> = seen
        .modules
        .iter()
        .filter_map(|module| concern(host, &program, module))
        .collect();
    if !findings.is_empty() {
        return findings;
    }
    let text = match seen.modules.is_empty() {
        true => format!("{program} runs; there is no module to keep it from"),
        false => format!("{program} runs and leaves every module alone"),
    };
    vec![Finding::ok(CHECK, text)]
}

/// What a run on this module should know of ModemManager.
pub fn of(host: &Host, module: &Attached) -> Option<Finding> {
    concern(host, &host.running(PROGRAM)?, module)
}

/// A virtual module is none of its business.
fn concern(host: &Host, program: &Holder, module: &Attached) -> Option<Finding> {
    let is_virtual = matches!(host.bus(), Bus::Virtual(_));
    let data = host.udev_data(module).unwrap_or_default();
    if is_virtual || data.lines().any(|line| line == IGNORE) {
        return None;
    }
    let remedy = match module.mode {
        Mode::Run => {
            "if nobody uses it for data: `sudo qpyflash udev --install --no-modem-manager`, then replug"
        }
        Mode::Download => "`sudo qpyflash udev --install`, then replug the module",
    };
    let text = format!(
        "{program} runs and has not been told to leave {} alone: it may probe the ports",
        name(module)
    );
    Some(Finding::warning(CHECK, text, remedy))
}
