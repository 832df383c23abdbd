//! What is plugged in, before anybody asks whether it is a module.

use std::path::PathBuf;

use serde::Serialize;

use super::{TopologyPath, virtual_bus};

/// One USB device.
#[derive(Debug, Clone)]
pub struct UsbEntry {
    /// Vendor id.
    pub vid: u16,
    /// Product id.
    pub pid: u16,
    /// Where it sits.
    pub topology: TopologyPath,
    /// Does it carry a manufacturer, product or serial string?
    pub has_strings: bool,
    /// Its speed, where the system says it.
    pub speed: Option<Speed>,
    /// Its interfaces, in the order of their numbers.
    pub interfaces: Vec<UsbInterface>,
}

/// An interface of a USB device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UsbInterface {
    /// bInterfaceNumber.
    pub number: u8,
    /// The driver that has taken it, where the system says it.
    pub driver: Option<String>,
    /// The operating system's node of its serial port.
    pub port: Option<PathBuf>,
}

/// Speeds of USB.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Speed {
    /// 1.5 Mbit/s.
    Low,
    /// 12 Mbit/s.
    Full,
    /// 480 Mbit/s.
    High,
    /// 5 Gbit/s and more.
    Super,
}

/// Where devices are looked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Bus {
    /// A folder of virtual modules.
    Virtual(PathBuf),
    /// This host's own, as the system below this folder shows it: `/`, unless a recorded one is looked at.
    Host(PathBuf),
}

impl Bus {
    /// The virtual bus if one is named, this host's otherwise.
    pub fn current() -> Self {
        virtual_bus::folder().map_or_else(|| Bus::Host("/".into()), Bus::Virtual)
    }

    /// Everything that is plugged in.
    ///
    /// # Errors
    /// What the operating system says when the bus cannot be read.
    pub fn entries(&self) -> std::io::Result<Vec<UsbEntry>> {
        match self {
            Bus::Virtual(folder) => virtual_bus::entries(folder),
            #[cfg(target_os = "linux")]
            Bus::Host(root) => super::sysfs::entries(&root.join("sys")),
            #[cfg(not(target_os = "linux"))]
            Bus::Host(_) => super::host::entries(),
        }
    }
}
