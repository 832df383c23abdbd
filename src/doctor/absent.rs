//! Is there a module at all? If not, what makes one invisible? Source: specs/usb-and-hosts.md §2.2, §3.1.

use super::{Finding, Host, Seen, name};
use crate::error::Kind;
use crate::module::usb_ids::{UART_ADAPTERS, lookup};

const CHECK: &str = "module";

/// Makers of virtual machines, as DMI names them.
const MACHINES: [&str; 8] = [
    "QEMU",
    "VMware",
    "VirtualBox",
    "innotek",
    "Xen",
    "Parallels",
    "Bochs",
    "KVM",
];

pub fn check(host: &Host, seen: &Seen) -> Vec<Finding> {
    if !seen.modules.is_empty() {
        let found = |module| format!("{} in {}", name(module), module.mode.words());
        let list: Vec<String> = seen.modules.iter().map(found).collect();
        return vec![Finding::ok(CHECK, list.join(", "))];
    }
    let mut findings = vec![Finding::obstacle(
        CHECK,
        Kind::ModuleMissing,
        "no module is seen on USB",
        "check the module's power and the cable: one made for charging has no data lines and shows nothing",
    )];
    for device in &seen.others {
        let id = (device.vid, device.pid);
        let device = format!("{:04x}:{:04x} on {}", id.0, id.1, device.topology);
        if UART_ADAPTERS.contains(&id) {
            findings.push(Finding::warning(
                CHECK,
                format!("{device} is a UART adapter; a module may be behind it"),
                "name its port with `--port`; a write needs the module's own USB",
            ));
        } else if lookup(id.0, id.1).is_some() {
            findings.push(Finding::warning(
                CHECK,
                format!(
                    "{device} has the id of a boot ROM and is a Linux USB gadget, by its strings or its speed"
                ),
                "plug the module in, and leave the gadget alone",
            ));
        }
    }
    findings.extend(
        enclosure(host).map(|(what, remedy)| Finding::warning(CHECK, format!("this is {what}"), remedy)),
    );
    findings
}

/// What this system runs inside of.
fn enclosure(host: &Host) -> Option<(String, &'static str)> {
    const PASS: &str =
        "pass the module through, in run mode and in download mode: it changes its id between the two";
    if host.text("/proc/version").to_lowercase().contains("microsoft") {
        return Some((
            "WSL".into(),
            "attach the module with `usbipd attach --wsl --auto-attach`, once in run mode and once in download mode",
        ));
    }
    if host.path("/.dockerenv").exists() || host.path("/run/.containerenv").exists() {
        return Some((
            "a container".into(),
            "give it `/dev` and `/sys` of its host, so that new ports show up in it",
        ));
    }
    let dmi = host.text("/sys/class/dmi/id/sys_vendor") + &host.text("/sys/class/dmi/id/product_name");
    let machine = MACHINES.into_iter().find(|name| dmi.contains(name));
    let hyper_v = dmi.contains("Microsoft") && dmi.contains("Virtual Machine");
    let machine = machine.or(hyper_v.then_some("Hyper-V"))?;
    Some((format!("a virtual machine ({machine})"), PASS))
}
