//! The virtual bus: a folder in which virtual modules are described as USB enumeration would describe real ones.

use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::TopologyPath;
use super::usb_list::{Speed, UsbEntry, UsbInterface};

/// The environment variable that names the folder. When it is set, this host's real bus is not looked at.
pub const VARIABLE: &str = "QPYFLASH_VIRTUAL_BUS";

#[derive(Deserialize)]
struct Description {
    topology: TopologyPath,
    vid: String,
    pid: String,
    manufacturer: Option<String>,
    product: Option<String>,
    serial: Option<String>,
    speed: Option<String>,
    interfaces: Vec<Interface>,
}

#[derive(Deserialize)]
struct Interface {
    number: u8,
    tty: Option<PathBuf>,
}

/// The folder, if one is named.
pub fn folder() -> Option<PathBuf> {
    std::env::var_os(VARIABLE)
        .filter(|name| !name.is_empty())
        .map(PathBuf::from)
}

/// The name of the bus in work, for locks: `usb` is this host's own.
pub fn name() -> String {
    folder().map_or("usb".into(), |folder| folder.display().to_string())
}

/// The modules described in `folder`. A file that disappears or is incomplete while it is read is a module that
/// comes or goes, and is not there.
pub fn entries(folder: &Path) -> std::io::Result<Vec<UsbEntry>> {
    let mut entries = Vec::new();
    for file in std::fs::read_dir(folder)? {
        let path = file?.path();
        if path.extension().is_some_and(|extension| extension == "json") {
            entries.extend(std::fs::read(&path).ok().and_then(|text| entry(&text)));
        }
    }
    Ok(entries)
}

fn entry(text: &[u8]) -> Option<UsbEntry> {
    let description: Description = serde_json::from_slice(text).ok()?;
    let strings = [
        &description.manufacturer,
        &description.product,
        &description.serial,
    ];
    let mut interfaces: Vec<UsbInterface> = description
        .interfaces
        .into_iter()
        .map(|interface| UsbInterface {
            number: interface.number,
            driver: None,
            port: interface.tty,
        })
        .collect();
    interfaces.sort_by_key(|interface| interface.number);
    Some(UsbEntry {
        vid: u16::from_str_radix(&description.vid, 16).ok()?,
        pid: u16::from_str_radix(&description.pid, 16).ok()?,
        has_strings: strings.iter().any(|string| string.is_some()),
        speed: match description.speed.as_deref() {
            Some("low") => Some(Speed::Low),
            Some("full") => Some(Speed::Full),
            Some("high") => Some(Speed::High),
            Some("super") => Some(Speed::Super),
            _ => None,
        },
        topology: description.topology,
        interfaces,
    })
}
