//! The devices, through libusb, and the system's list of ports.

use rusb::UsbContext;

use super::super::TopologyPath;
use super::super::usb_list::{Speed, UsbEntry, UsbInterface};
use super::{ListedPort, assign};

/// Every device. A host without USB has none.
pub fn entries() -> std::io::Result<Vec<UsbEntry>> {
    let Ok(context) = rusb::Context::new() else {
        return Ok(Vec::new());
    };
    let devices = context.devices().map_err(std::io::Error::other)?;
    let mut entries: Vec<UsbEntry> = devices.iter().filter_map(|device| entry(&device)).collect();
    let listed = listed_ports();
    let known: Vec<(u16, u16, &TopologyPath)> = entries
        .iter()
        .map(|entry| (entry.vid, entry.pid, &entry.topology))
        .collect();
    let given = assign(&known, &listed);
    for (entry, ports) in entries.iter_mut().zip(given) {
        ports
            .into_iter()
            .for_each(|port| give(port, &mut entry.interfaces));
        entry.interfaces.sort_by_key(|interface| interface.number);
    }
    Ok(entries)
}

/// A port whose interface the system does not name is the CDC-ACM port of a device with one function, and that is
/// bound at 0.
fn give(port: ListedPort, interfaces: &mut Vec<UsbInterface>) {
    let number = port.interface.unwrap_or(0);
    match interfaces.iter_mut().find(|interface| interface.number == number) {
        Some(interface) => interface.port = Some(port.node),
        None => interfaces.push(UsbInterface {
            number,
            driver: None,
            port: Some(port.node),
        }),
    }
}

/// The interfaces by the descriptors; none of a device that is not configured.
fn interfaces(device: &rusb::Device<rusb::Context>) -> Vec<UsbInterface> {
    let Ok(configuration) = device.active_config_descriptor() else {
        return Vec::new();
    };
    let interface = |interface: rusb::Interface<'_>| UsbInterface {
        number: interface.number(),
        driver: None,
        port: None,
    };
    configuration.interfaces().map(interface).collect()
}

fn entry(device: &rusb::Device<rusb::Context>) -> Option<UsbEntry> {
    let descriptor = device.device_descriptor().ok()?;
    let chain = device.port_numbers().ok().filter(|chain| !chain.is_empty())?;
    let strings = [
        descriptor.manufacturer_string_index(),
        descriptor.product_string_index(),
        descriptor.serial_number_string_index(),
    ];
    Some(UsbEntry {
        vid: descriptor.vendor_id(),
        pid: descriptor.product_id(),
        topology: TopologyPath::new(device.bus_number(), &chain),
        has_strings: strings.iter().any(Option::is_some),
        speed: match device.speed() {
            rusb::Speed::Low => Some(Speed::Low),
            rusb::Speed::Full => Some(Speed::Full),
            rusb::Speed::High => Some(Speed::High),
            rusb::Speed::Super | rusb::Speed::SuperPlus => Some(Speed::Super),
            _ => None,
        },
        interfaces: interfaces(device),
    })
}

#[cfg(windows)]
fn listed_ports() -> Vec<ListedPort> {
    super::windows::ports(&registry::records(), &registry::present())
}

#[cfg(windows)]
mod registry {
    use winreg::RegKey;
    use winreg::enums::HKEY_LOCAL_MACHINE;

    use super::super::windows::Record;

    /// Every USB device that has or had a port. A key that cannot be read is passed over.
    pub fn records() -> Vec<Record> {
        let machine = RegKey::predef(HKEY_LOCAL_MACHINE);
        let Ok(usb) = machine.open_subkey(r"SYSTEM\CurrentControlSet\Enum\USB") else {
            return Vec::new();
        };
        let mut records = Vec::new();
        for device in usb.enum_keys().flatten() {
            let Ok(instances) = usb.open_subkey(&device) else {
                continue;
            };
            for instance in instances.enum_keys().flatten() {
                let Ok(key) = instances.open_subkey(&instance) else {
                    continue;
                };
                let port = key
                    .open_subkey("Device Parameters")
                    .and_then(|parameters| parameters.get_value("PortName"));
                if let Ok(port) = port {
                    records.push(Record {
                        device: device.clone(),
                        location: key.get_value("LocationInformation").ok(),
                        port,
                    });
                }
            }
        }
        records
    }

    /// The ports that exist now.
    pub fn present() -> Vec<String> {
        RegKey::predef(HKEY_LOCAL_MACHINE)
            .open_subkey(r"HARDWARE\DEVICEMAP\SERIALCOMM")
            .map(|ports| {
                let names: Vec<String> = ports.enum_values().flatten().map(|(name, _)| name).collect();
                names
                    .iter()
                    .filter_map(|name| ports.get_value(name).ok())
                    .collect()
            })
            .unwrap_or_default()
    }
}

#[cfg(not(windows))]
fn listed_ports() -> Vec<ListedPort> {
    let listed = serialport::available_ports().unwrap_or_default();
    let usb = listed.into_iter().filter_map(|port| match port.port_type {
        serialport::SerialPortType::UsbPort(usb) => Some((port.port_name, usb)),
        _ => None,
    });
    usb.filter_map(|(name, usb)| {
        Some(ListedPort {
            place: place(&name)?,
            node: name.into(),
            vid: usb.vid,
            pid: usb.pid,
            interface: usb.interface,
        })
    })
    .collect()
}

#[cfg(target_os = "macos")]
use super::macos::place;

/// What a name says is known on macOS only.
#[cfg(not(any(windows, target_os = "macos")))]
fn place(_: &str) -> Option<super::Place> {
    Some(super::Place::Unknown)
}
