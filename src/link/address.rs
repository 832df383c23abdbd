//! Names of the places that bytes for a module can go to, and which kind of place is wanted.

use std::fmt;
use std::path::PathBuf;

use serde::{Serialize, Serializer};

use super::RemoteAddress;
use crate::module::TopologyPath;

/// What carries the bytes to a module on the bus.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Transport {
    /// The port a driver has made of the interface; raw USB where there is none.
    #[default]
    Auto,
    /// Ports of drivers only.
    Tty,
    /// Raw USB only.
    Usb,
}

/// Where bytes for a module go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Address {
    /// A tty or COM port, by its node.
    Tty(PathBuf),
    /// A serial interface of a USB device, with no driver in between.
    Usb(UsbAddress),
    /// A serial port that a server on the network serves.
    Remote(RemoteAddress),
}

/// A serial interface of a USB device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UsbAddress {
    /// Where the device sits.
    pub topology: TopologyPath,
    /// Its vendor id: a device that has become another one is not opened.
    pub vid: u16,
    /// Its product id.
    pub pid: u16,
    /// bInterfaceNumber; of a CDC function either of its two.
    pub interface: u8,
    /// The ports that drivers have made of the device's interfaces: one goes away while its interface is in use.
    pub ttys: Vec<(u8, PathBuf)>,
}

impl Address {
    /// Whether no driver is in between.
    pub const fn is_raw_usb(&self) -> bool {
        matches!(self, Address::Usb(_))
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Address::Tty(node) => node.display().fmt(f),
            Address::Usb(usb) => usb.fmt(f),
            Address::Remote(remote) => remote.fmt(f),
        }
    }
}

impl fmt::Display for UsbAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "usb:{}#if{}", self.topology, self.interface)
    }
}

impl Serialize for Address {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl From<PathBuf> for Address {
    fn from(node: PathBuf) -> Self {
        Address::Tty(node)
    }
}
