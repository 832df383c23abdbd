//! What is plugged in, before anybody asks whether it is a module.

use std::path::PathBuf;

use rusb::UsbContext;

use super::{TopologyPath, sysfs, virtual_bus};

/// One USB device.
#[derive(Debug, Clone)]
pub struct UsbEntry {
    /// Vendor id.
    pub vid: u16,
    /// Product id.
    pub pid: u16,
    /// Where it sits.
    pub topology: TopologyPath,
    /// Does it carry a manufacturer or product string?
    pub has_strings: bool,
    /// Its serial ports.
    pub ports: Vec<UsbPort>,
}

/// A serial port of a USB device.
#[derive(Debug, Clone)]
pub struct UsbPort {
    /// bInterfaceNumber.
    pub interface: u8,
    /// The operating system's node.
    pub path: PathBuf,
}

/// Everything on the bus: the virtual one if it is named, this host's otherwise.
///
/// # Errors
/// What the operating system says when the bus cannot be read.
pub fn usb_list() -> std::io::Result<Vec<UsbEntry>> {
    match virtual_bus::folder() {
        Some(folder) => virtual_bus::entries(&folder),
        None => real_entries(),
    }
}

/// This host's bus, through libusb. A host without USB has an empty one.
fn real_entries() -> std::io::Result<Vec<UsbEntry>> {
    let Ok(context) = rusb::Context::new() else {
        return Ok(Vec::new());
    };
    let devices = context.devices().map_err(std::io::Error::other)?;
    Ok(devices.iter().filter_map(|device| entry(&device)).collect())
}

fn entry(device: &rusb::Device<rusb::Context>) -> Option<UsbEntry> {
    let descriptor = device.device_descriptor().ok()?;
    let chain = device.port_numbers().ok().filter(|chain| !chain.is_empty())?;
    let topology = TopologyPath::new(device.bus_number(), &chain);
    let has_strings =
        descriptor.manufacturer_string_index().is_some() || descriptor.product_string_index().is_some();
    let (vid, pid) = (descriptor.vendor_id(), descriptor.product_id());
    Some(UsbEntry {
        vid,
        pid,
        has_strings,
        ports: ports(&topology, vid, pid),
        topology,
    })
}

/// Linux says in sysfs which tty belongs to which interface.
#[cfg(target_os = "linux")]
fn ports(topology: &TopologyPath, _vid: u16, _pid: u16) -> Vec<UsbPort> {
    sysfs::ports(std::path::Path::new("/sys"), topology)
}

/// Elsewhere ports are matched by id, which is certain only while one such module is attached. A port whose
/// interface the system does not name is a CDC-ACM one, and those are bound at 0.
#[cfg(not(target_os = "linux"))]
fn ports(_topology: &TopologyPath, vid: u16, pid: u16) -> Vec<UsbPort> {
    let listed = serialport::available_ports().unwrap_or_default();
    let ours = listed.into_iter().filter_map(|port| match port.port_type {
        serialport::SerialPortType::UsbPort(usb) if usb.vid == vid && usb.pid == pid => Some(UsbPort {
            interface: usb.interface.unwrap_or(0),
            path: PathBuf::from(port.port_name),
        }),
        _ => None,
    });
    ours.collect()
}
