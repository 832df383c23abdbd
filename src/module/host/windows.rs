//! COM ports of Windows, from what the registry keeps of each USB device under `Enum\USB`. The friendly name is never
//! looked at: it is translated, and depends on the driver. Source: specs/usb-and-hosts.md §3.4.
//!
//! ```text
//! VID_2C7C&PID_6002&MI_03\7&1A2B3C4&0&0003   LocationInformation = 0000.0014.0000.004.002.000.000.000.000
//!     Device Parameters                      PortName = COM10
//! VID_2ECC&PID_3004\arom0123456789           LocationInformation = Port_#0002.Hub_#0003
//! ```

use super::{ListedPort, Place};

/// What the registry keeps of one device that has a port.
#[derive(Debug, Clone)]
pub struct Record {
    /// `VID_2C7C&PID_6002&MI_03`.
    pub device: String,
    /// `LocationInformation`, or the first of the location paths.
    pub location: Option<String>,
    /// `COM10`.
    pub port: String,
}

/// The ports that exist now: the registry remembers every device that was ever plugged in, `present` are the names
/// under `HARDWARE\DEVICEMAP\SERIALCOMM`.
pub fn ports(records: &[Record], present: &[String]) -> Vec<ListedPort> {
    let exists = |name: &str| present.iter().any(|port| port.eq_ignore_ascii_case(name));
    records
        .iter()
        .filter(|record| exists(&record.port))
        .filter_map(|record| {
            let (vid, pid, interface) = device_id(&record.device)?;
            Some(ListedPort {
                node: record.port.clone().into(),
                vid,
                pid,
                interface,
                place: record.location.as_deref().map_or(Place::Unknown, place),
            })
        })
        .collect()
}

/// Vendor, product and interface of a device id. A device that is one function has no interface in it.
fn device_id(id: &str) -> Option<(u16, u16, Option<u8>)> {
    let id = id.to_ascii_uppercase();
    let field = |name: &str| id.split('&').find_map(|field| field.strip_prefix(name));
    let number = |digits: &str| u16::from_str_radix(digits, 16).ok();
    let interface = match field("MI_") {
        Some(digits) => Some(u8::from_str_radix(digits, 16).ok()?),
        None => None,
    };
    Some((number(field("VID_")?)?, number(field("PID_")?)?, interface))
}

/// What a location says. Three forms are known: `Port_#0002.Hub_#0003` of a device, whose hub number is given as hubs
/// come and says nothing about the tree; the numbers of a function's device, which are the controller's and then the
/// ports from the root hub on [?]; and location paths `PCIROOT(0)#PCI(1400)#USBROOT(0)#USB(4)#USB(2)`.
fn place(location: &str) -> Place {
    hub_port(location)
        .or_else(|| location_path(location))
        .or_else(|| numbers(location))
        .unwrap_or(Place::Unknown)
}

fn hub_port(location: &str) -> Option<Place> {
    let (port, _hub) = location.strip_prefix("Port_#")?.split_once(".Hub_#")?;
    Some(Place::HubPort(port.parse().ok()?))
}

fn location_path(location: &str) -> Option<Place> {
    let (_, sockets) = location.split_once("#USBROOT(")?;
    let ports = sockets.split('#').skip(1);
    let chain: Option<Vec<u8>> = ports
        .filter(|step| !step.starts_with("USBMI("))
        .map(|step| step.strip_prefix("USB(")?.strip_suffix(')')?.parse().ok())
        .collect();
    chain.filter(|chain| !chain.is_empty()).map(Place::Chain)
}

fn numbers(location: &str) -> Option<Place> {
    let fields: Vec<&str> = location.split('.').collect();
    let ports = fields.get(3..).filter(|ports| !ports.is_empty())?;
    let ports: Option<Vec<u8>> = ports.iter().map(|digits| digits.parse().ok()).collect();
    let chain: Vec<u8> = ports?.into_iter().take_while(|port| *port != 0).collect();
    (!chain.is_empty()).then_some(Place::Chain(chain))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(device: &str, location: &str, port: &str) -> Record {
        Record {
            device: device.into(),
            location: Some(location.into()),
            port: port.into(),
        }
    }

    #[test]
    fn reads_ports_of_functions_and_of_whole_devices() {
        let records = [
            record(
                "VID_2C7C&PID_6002&MI_03",
                "0000.0014.0000.004.002.000.000.000.000",
                "COM10",
            ),
            record("VID_2ECC&PID_3004", "Port_#0002.Hub_#0003", "COM11"),
            record("VID_2C7C&PID_0901&MI_08", "gone", "COM12"),
        ];
        let present = ["COM10".to_owned(), "COM11".into(), "COM1".into()];
        let found = ports(&records, &present);
        assert_eq!(
            found,
            [
                ListedPort {
                    node: "COM10".into(),
                    vid: 0x2c7c,
                    pid: 0x6002,
                    interface: Some(3),
                    place: Place::Chain(vec![4, 2]),
                },
                ListedPort {
                    node: "COM11".into(),
                    vid: 0x2ecc,
                    pid: 0x3004,
                    interface: None,
                    place: Place::HubPort(2),
                },
            ]
        );
    }

    #[test]
    fn interfaces_are_hexadecimal_as_usb_ports_are_not() {
        assert_eq!(
            device_id("vid_2c7c&pid_0901&mi_14"),
            Some((0x2c7c, 0x0901, Some(20)))
        );
        let path = "PCIROOT(0)#PCI(1400)#USBROOT(0)#USB(10)#USB(2)#USBMI(3)";
        assert_eq!(place(path), Place::Chain(vec![10, 2]));
    }

    #[test]
    fn what_is_no_location_says_nothing() {
        for text in [
            "",
            "Port_#x.Hub_#1",
            "Port_#0002",
            "on 1.2.3.x",
            "0000.0014.0000",
            "0000.0014.0000.000",
            "PCIROOT(0)#PCI(1400)",
            "#USBROOT(0)",
            "#USBROOT(0)#ACPI(x)",
        ] {
            assert_eq!(place(text), Place::Unknown, "{text}");
        }
        for id in [
            "",
            "ROOT_HUB30",
            "VID_2C7C",
            "VID_2C7C&PID_6002&MI_XX",
            "VID_X&PID_6002",
        ] {
            assert_eq!(device_id(id), None, "{id}");
        }
    }
}
