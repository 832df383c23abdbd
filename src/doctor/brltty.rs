//! Does brltty, the driver of braille displays, take a UART adapter for one? Source: specs/usb-and-hosts.md §3.2.

use std::path::Path;

use super::{Finding, Host, Seen};
use crate::module::UsbEntry;
use crate::module::usb_ids::TAKEN_BY_BRLTTY;

const CHECK: &str = "brltty";

/// Folders of udev rules; a file in the first hides one of its name in the others.
const RULES: [&str; 3] = ["/etc/udev/rules.d", "/lib/udev/rules.d", "/usr/lib/udev/rules.d"];

pub fn check(host: &Host, seen: &Seen) -> Vec<Finding> {
    let affected = |device: &&UsbEntry| {
        let has_port = device.interfaces.iter().any(|interface| interface.port.is_some());
        TAKEN_BY_BRLTTY.contains(&(device.vid, device.pid)) && !has_port
    };
    let because = match (host.running("brltty"), rules(host)) {
        (Some(program), _) => format!("{program} runs"),
        (None, Some(file)) => format!("its rules are in {file}"),
        (None, None) => return Vec::new(),
    };
    let finding = |device: &UsbEntry| {
        Finding::warning(
            CHECK,
            format!(
                "the UART adapter {:04x}:{:04x} on {} has no port, and brltty takes such adapters: {because}",
                device.vid, device.pid, device.topology
            ),
            "if no braille display is used: `sudo apt remove brltty`, then replug the adapter",
        )
    };
    seen.others.iter().filter(affected).map(finding).collect()
}

/// A rules file of brltty that is not masked.
fn rules(host: &Host) -> Option<String> {
    RULES.into_iter().find_map(|folder| {
        let files = std::fs::read_dir(host.path(folder))
            .into_iter()
            .flatten()
            .flatten();
        let mut names = files.filter_map(|file| file.file_name().into_string().ok());
        let name = names.find(|name| name.contains("brltty") && !is_masked(host, name))?;
        Some(format!("{folder}/{name}"))
    })
}

/// A link to /dev/null, or an empty file, in place of the rules.
fn is_masked(host: &Host, name: &str) -> bool {
    let ours = host.path(RULES[0]).join(name);
    let to_nowhere = std::fs::read_link(&ours).is_ok_and(|target| target == Path::new("/dev/null"));
    to_nowhere || std::fs::metadata(&ours).is_ok_and(|about| about.len() == 0)
}
