//! What a reader of a report must know about the host, and nothing that tells who it belongs to.

use std::fs;
use std::path::Path;

use serde::Serialize;

/// Facts about the host.
#[derive(Debug, Clone, Serialize)]
pub struct Host {
    pub system: &'static str,
    pub architecture: &'static str,
    pub kernel: Option<String>,
    /// A line for each USB device: path, ids, speed, drivers of its interfaces. No serial numbers.
    pub usb: Vec<String>,
}

impl Host {
    /// This host.
    pub fn this() -> Self {
        Host {
            system: std::env::consts::OS,
            architecture: std::env::consts::ARCH,
            kernel: word(Path::new("/proc/sys/kernel/osrelease")),
            usb: usb(Path::new("/sys/bus/usb/devices")),
        }
    }
}

fn word(path: &Path) -> Option<String> {
    Some(fs::read_to_string(path).ok()?.trim().to_owned())
}

/// An unreadable tree is an empty one: a machine without USB has none.
fn usb(devices: &Path) -> Vec<String> {
    let names = |folder: &Path| -> Vec<String> {
        let entries = fs::read_dir(folder).into_iter().flatten().flatten();
        let mut names: Vec<String> = entries
            .map(|entry| entry.file_name().to_string_lossy().into_owned())
            .collect();
        names.sort();
        names
    };
    let mut lines = Vec::new();
    for name in names(devices) {
        let device = devices.join(&name);
        let fact = |what: &str| word(&device.join(what)).unwrap_or_else(|| "-".into());
        if name.contains(':') || !device.join("idVendor").exists() {
            continue;
        }
        let drivers = names(&device)
            .into_iter()
            .filter(|part| part.starts_with(&format!("{name}:")));
        let drivers: Vec<String> = drivers
            .filter_map(|part| {
                let driver = fs::read_link(device.join(part).join("driver")).ok()?;
                Some(driver.file_name()?.to_string_lossy().into_owned())
            })
            .collect();
        lines.push(format!(
            "{name}  {}:{}  {} Mbit/s  {}",
            fact("idVendor"),
            fact("idProduct"),
            fact("speed"),
            drivers.join(" ")
        ));
    }
    lines
}
