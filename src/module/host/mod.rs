//! USB devices and their ports where there is no sysfs: libusb names the devices and their sockets, the system names
//! the serial ports, and each port must be given to its device.
//!
//! A port is given to a device only when no other device could be meant: two modules of one id that cannot be told
//! apart get no ports, since the wrong one must never be written.
#![cfg(any(not(target_os = "linux"), test))]

#[cfg(not(target_os = "linux"))]
mod devices;
#[cfg(any(target_os = "macos", test))]
mod macos;
#[cfg(any(windows, test))]
mod windows;

#[cfg(not(target_os = "linux"))]
pub use devices::entries;

use std::path::PathBuf;

use super::TopologyPath;

/// A serial port as the system lists it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedPort {
    /// `COM10`, `/dev/cu.usbmodem14201`.
    pub node: PathBuf,
    /// Vendor id of its device.
    pub vid: u16,
    /// Product id.
    pub pid: u16,
    /// bInterfaceNumber, where the system says it.
    pub interface: Option<u8>,
    /// What the system says about the socket.
    pub place: Place,
}

/// What a system says about the socket of a port's device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// The ports from the root hub on.
    Chain(Vec<u8>),
    /// The port of the last hub only.
    HubPort(u8),
    /// The digits of a name that begins with the place (macOS).
    Digits(String),
    /// Nothing.
    Unknown,
}

impl Place {
    /// How closely it agrees with a socket; nothing when it contradicts it.
    fn agreement(&self, socket: &TopologyPath) -> Option<usize> {
        match self {
            Place::Chain(chain) => (chain == socket.chain()).then_some(0),
            Place::HubPort(port) => (socket.chain().last() == Some(port)).then_some(0),
            Place::Digits(digits) => {
                let place = location_digits(socket);
                let rest = digits.strip_prefix(&place)?;
                // A port number follows, and perhaps hub ports of a device further on.
                (!rest.is_empty()).then_some(place.len())
            }
            Place::Unknown => Some(0),
        }
    }
}

/// The digits of a macOS locationID without the zeros at its ends: `142` is bus 0x14, root port 2.
fn location_digits(socket: &TopologyPath) -> String {
    let chain = socket.chain().iter().map(|port| format!("{port:x}"));
    format!("{:x}", socket.bus()) + &chain.collect::<String>()
}

/// For each device, by id and socket, the ports that are its own beyond doubt.
pub fn assign(devices: &[(u16, u16, &TopologyPath)], ports: &[ListedPort]) -> Vec<Vec<ListedPort>> {
    let mut given = vec![Vec::new(); devices.len()];
    for port in ports {
        let agreeing: Vec<(usize, usize)> = devices
            .iter()
            .enumerate()
            .filter(|(_, (vid, pid, _))| (*vid, *pid) == (port.vid, port.pid))
            .filter_map(|(number, (_, _, socket))| Some((port.place.agreement(socket)?, number)))
            .collect();
        let best = agreeing.iter().map(|(closeness, _)| *closeness).max();
        let mut best = agreeing.iter().filter(|(closeness, _)| Some(*closeness) == best);
        if let (Some((_, number)), None) = (best.next(), best.next()) {
            given[*number].push(port.clone());
        }
    }
    given
}

#[cfg(test)]
mod tests {
    use super::*;

    fn port(node: &str, pid: u16, place: Place) -> ListedPort {
        ListedPort {
            node: node.into(),
            vid: 0x2ecc,
            pid,
            interface: None,
            place,
        }
    }

    fn assigned(sockets: &[&str], ports: &[ListedPort]) -> Vec<Vec<String>> {
        let sockets: Vec<TopologyPath> = sockets.iter().map(|text| text.parse().unwrap()).collect();
        let devices: Vec<_> = sockets.iter().map(|socket| (0x2ecc, 0x3004, socket)).collect();
        let name = |port: &ListedPort| port.node.display().to_string();
        let names = |ports: &Vec<ListedPort>| ports.iter().map(name).collect();
        assign(&devices, ports).iter().map(names).collect()
    }

    #[test]
    fn a_port_goes_to_the_device_in_its_socket() {
        let ports = [
            port("COM4", 0x3004, Place::Chain(vec![4, 2])),
            port("COM11", 0x3004, Place::HubPort(3)),
            port("COM5", 0x3017, Place::Chain(vec![4, 2])),
        ];
        assert_eq!(
            assigned(&["1-4.2", "1-4.3"], &ports),
            [vec!["COM4"], vec!["COM11"]]
        );
    }

    #[test]
    fn two_devices_that_cannot_be_told_apart_get_no_port() {
        let unknown = [port("COM4", 0x3004, Place::Unknown)];
        assert_eq!(assigned(&["1-4.2"], &unknown), [vec!["COM4"]]);
        assert_eq!(assigned(&["1-4.2", "1-5"], &unknown), [vec![""; 0], vec![]]);
        let same_port = [port("COM4", 0x3004, Place::HubPort(2))];
        assert_eq!(assigned(&["1-4.2", "1-5.2"], &same_port), [vec![""; 0], vec![]]);
    }

    #[test]
    fn a_name_with_digits_goes_to_the_socket_that_explains_most_of_them() {
        // Bus 0x14, root port 2, and port 1 of a hub there.
        let ports = [
            port("a", 0x3004, Place::Digits("14201".into())),
            port("b", 0x3004, Place::Digits("142101".into())),
            port("c", 0x3004, Place::Digits("14301".into())),
        ];
        assert_eq!(assigned(&["20-2", "20-2.1"], &ports), [vec!["a"], vec!["b"]]);
    }
}
