//! The modules among the devices.

use std::path::{Path, PathBuf};

use qpyflash_protocols::Platform;
use serde::Serialize;

use super::TopologyPath;
use super::usb_ids::{self, Mode, Role, UsbId};
use super::usb_list::{Bus, Speed, UsbEntry};
use crate::error::{Error, Kind};
use crate::link::{Address, Transport, UsbAddress};

/// A module as the bus shows it.
#[derive(Debug, Clone, Serialize)]
pub struct Attached {
    /// Where it sits.
    pub topology: TopologyPath,
    /// What it is doing.
    pub mode: Mode,
    /// The platform, where the id tells.
    pub platform: Option<Platform>,
    /// `2c7c:6001`.
    pub usb_id: String,
    /// Series that show this id.
    pub modules: &'static str,
    /// Its speed on the bus, where the system says it.
    pub speed: Option<Speed>,
    /// Its ports, in the order of the table: the best port for each role first.
    pub ports: Vec<Port>,
    /// Serial interfaces that no driver has made a port of, while no other interface has their role.
    pub unbound: Vec<Unbound>,
    /// The interfaces that raw USB can reach, the best for each role first, with or without a port; none on a virtual
    /// bus.
    #[serde(skip)]
    pub interfaces: Vec<Interface>,
    /// What is known about its id.
    #[serde(skip)]
    pub id: &'static UsbId,
}

/// A port of a module.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Port {
    /// What it is for; `None` where the table does not know the interface.
    pub role: Option<Role>,
    /// bInterfaceNumber.
    pub interface: u8,
    /// The operating system's node.
    pub path: PathBuf,
}

/// A serial interface without a port.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Unbound {
    /// What it is for.
    pub role: Role,
    /// bInterfaceNumber.
    pub interface: u8,
    /// A driver that has taken it without making a port of it.
    pub driver: Option<String>,
}

/// An interface with a role.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Interface {
    /// bInterfaceNumber.
    pub number: u8,
    /// What it is for.
    pub role: Role,
    /// A driver has taken it, with or without making a port of it. A program that has taken it is none.
    pub has_driver: bool,
}

impl Attached {
    /// The best port for `role`.
    pub fn port(&self, role: Role) -> Option<&Path> {
        self.ports_for(role).next().map(|port| port.path.as_path())
    }

    /// Every port for `role`, the best first.
    pub fn ports_for(&self, role: Role) -> impl Iterator<Item = &Port> {
        self.ports.iter().filter(move |port| port.role == Some(role))
    }

    /// Every way to the interfaces for `role`, the best first: what a driver has made ports of, or the interfaces
    /// themselves. Windows lets no program past a driver, so there raw USB is used only when asked for.
    /// Source: specs/usb-and-hosts.md §3.4.
    pub fn addresses(&self, role: Role, transport: Transport) -> Vec<Address> {
        let ttys: Vec<Address> = self
            .ports_for(role)
            .map(|port| Address::Tty(port.path.clone()))
            .collect();
        let raw = |is_wanted: fn(&Interface) -> bool| {
            let interfaces = self
                .interfaces
                .iter()
                .filter(|it| it.role == role && is_wanted(it));
            interfaces
                .map(|it| Address::Usb(self.usb_address(it.number)))
                .collect()
        };
        match transport {
            Transport::Tty => ttys,
            Transport::Usb => raw(|_| true),
            Transport::Auto if ttys.is_empty() && !cfg!(windows) => raw(|interface| !interface.has_driver),
            Transport::Auto => ttys,
        }
    }

    fn usb_address(&self, interface: u8) -> UsbAddress {
        let ttys = self.ports.iter().map(|port| (port.interface, port.path.clone()));
        UsbAddress {
            topology: self.topology.clone(),
            vid: self.id.vid,
            pid: self.id.pid,
            interface,
            ttys: ttys.collect(),
        }
    }

    /// Is the interface there that raw USB takes of the whole device? Interfaces come one by one.
    pub(super) fn has_best_interface(&self) -> bool {
        self.interfaces.first().map(|it| it.number) == best_interface(self.id)
    }

    /// The best way to the interfaces for `role`.
    pub fn address(&self, role: Role, transport: Transport) -> Option<Address> {
        self.addresses(role, transport).into_iter().next()
    }

    /// What the module is talked to by first: in run mode AT, or what else answers; in download mode its one port.
    pub fn best_address(&self, transport: Transport) -> Option<Address> {
        let roles: &[Role] = match self.mode {
            Mode::Run => &[Role::At, Role::Modem, Role::Repl],
            Mode::Download => &[Role::Download],
        };
        let known = roles.iter().find_map(|role| self.address(*role, transport));
        known.or_else(|| self.unknown_addresses(transport).into_iter().next())
    }

    /// Ports of which nobody knows what they are for, where one of them may be the AT port.
    pub fn unknown_addresses(&self, transport: Transport) -> Vec<Address> {
        let asked = self.mode == Mode::Run && self.id.asks_unknown_ports && transport != Transport::Usb;
        let ports = self.ports.iter().filter(|port| asked && port.role.is_none());
        ports.map(|port| Address::Tty(port.path.clone())).collect()
    }

    /// Does this node belong to the module? Links are followed.
    pub fn has_port(&self, node: &Path) -> bool {
        self.ports.iter().any(|port| same_port(&port.path, node))
    }

    /// On a virtual bus there are ports only.
    fn on(mut self, bus: &Bus) -> Self {
        if matches!(bus, Bus::Virtual(_)) {
            self.interfaces.clear();
        }
        self
    }

    /// The module that `entry` is, if it is one. A device that only shares the id of one is none.
    pub(crate) fn from_usb(entry: UsbEntry) -> Option<Self> {
        let id = usb_ids::lookup(entry.vid, entry.pid)?;
        if id.only_nameless && (entry.has_strings || entry.speed != Some(Speed::Full)) {
            return None;
        }
        let mut ports = Vec::new();
        let mut portless = Vec::new();
        let mut interfaces = Vec::new();
        for interface in entry.interfaces {
            let (role, number) = (id.role(interface.number), interface.number);
            let driver = interface.driver.as_deref();
            interfaces.extend(role.map(|role| Interface {
                number,
                role,
                has_driver: driver.is_some_and(|name| name != USBFS),
            }));
            match (interface.port, role) {
                (Some(path), role) => ports.push(Port {
                    role,
                    interface: number,
                    path,
                }),
                (None, Some(role)) => portless.push(Unbound {
                    role,
                    interface: number,
                    driver: interface.driver,
                }),
                (None, None) => {}
            }
        }
        let rank = |interface: u8| id.interfaces.iter().position(|(number, _)| *number == interface);
        ports.sort_by_key(|port| rank(port.interface).unwrap_or(usize::MAX));
        interfaces.sort_by_key(|it| (Some(it.number) != best_interface(id), rank(it.number)));
        portless.retain(|unbound| !ports.iter().any(|port| port.role == Some(unbound.role)));
        Some(Attached {
            topology: entry.topology,
            mode: id.mode,
            platform: id.platform,
            usb_id: id.to_string(),
            modules: id.modules,
            speed: entry.speed,
            ports,
            unbound: portless,
            interfaces,
            id,
        })
    }
}

/// What Linux calls the driver of an interface that a program has taken.
const USBFS: &str = "usbfs";

/// What raw USB takes first. Ports are bound at the control interface of a download device, which not every boot ROM
/// has; the vendors' hosts take the last, which carries the data. Source: specs/usb-and-hosts.md §1.2 [V].
fn best_interface(id: &UsbId) -> Option<u8> {
    let best = match id.mode {
        Mode::Run => id.interfaces.first(),
        Mode::Download => id.interfaces.last(),
    };
    best.map(|(number, _)| *number)
}

/// Are these two names of one port? Links are followed; COM ports have two spellings.
/// Source: specs/usb-and-hosts.md §3.4.
pub(super) fn same_port(one: &Path, other: &Path) -> bool {
    let real = |path: &Path| path.canonicalize().ok();
    let com = |path: &Path| {
        let name = path.to_str()?.trim_start_matches(r"\\.\").to_ascii_uppercase();
        let is_com = name.strip_prefix("COM")?.parse::<u16>().is_ok();
        is_com.then_some(name)
    };
    one == other
        || (com(one).is_some() && com(one) == com(other))
        || (real(one).is_some() && real(one) == real(other))
}

/// Every module on the bus, in the order of the topology paths.
///
/// # Errors
/// [`Kind::LinkFailed`] when the bus cannot be read.
pub fn attached() -> Result<Vec<Attached>, Error> {
    Ok(survey(&Bus::current())?.0)
}

/// The modules on a bus and the other devices, each in the order of the topology paths.
///
/// # Errors
/// [`Kind::LinkFailed`] when the bus cannot be read.
pub fn survey(bus: &Bus) -> Result<(Vec<Attached>, Vec<UsbEntry>), Error> {
    let entries = bus
        .entries()
        .map_err(|why| Error::new(Kind::LinkFailed, format!("cannot list USB: {why}")).caused_by(why))?;
    let (mut modules, mut others) = (Vec::new(), Vec::new());
    for entry in entries {
        match Attached::from_usb(entry.clone()) {
            Some(module) => modules.push(module.on(bus)),
            None => others.push(entry),
        }
    }
    modules.sort_by(|a, b| a.topology.cmp(&b.topology));
    others.sort_by(|a, b| a.topology.cmp(&b.topology));
    Ok((modules, others))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::module::usb_list::UsbInterface;

    fn device(vid: u16, pid: u16, interfaces: &[(u8, Option<&str>)]) -> UsbEntry {
        let interface = |(number, port): &(u8, Option<&str>)| UsbInterface {
            number: *number,
            driver: None,
            port: port.map(PathBuf::from),
        };
        UsbEntry {
            vid,
            pid,
            topology: "1-4.2".parse().unwrap(),
            has_strings: false,
            speed: Some(Speed::Full),
            interfaces: interfaces.iter().map(interface).collect(),
        }
    }

    #[test]
    fn a_gadget_that_shares_the_boot_roms_id_is_no_module() {
        let rom = device(0x0525, 0xa4a7, &[(0, Some("/dev/ttyACM0"))]);
        let named = UsbEntry {
            has_strings: true,
            ..rom.clone()
        };
        let fast = UsbEntry {
            speed: Some(Speed::High),
            ..rom.clone()
        };
        let unknown = UsbEntry {
            speed: None,
            ..rom.clone()
        };
        assert!(Attached::from_usb(rom).is_some());
        for gadget in [named, fast, unknown] {
            assert!(Attached::from_usb(gadget.clone()).is_none(), "{gadget:?}");
        }
    }

    #[test]
    fn ports_stand_in_the_order_of_the_table_and_what_is_missing_is_named() {
        let entry = device(
            0x2c7c,
            0x6001,
            &[
                (0, None),
                (2, Some("U0")),
                (3, None),
                (4, Some("U1")),
                (9, Some("U2")),
            ],
        );
        let module = Attached::from_usb(entry).unwrap();
        let ports: Vec<_> = module
            .ports
            .iter()
            .map(|port| (port.interface, port.role))
            .collect();
        assert_eq!(ports, [(4, Some(Role::Modem)), (2, Some(Role::Log)), (9, None)]);
        let missing: Vec<_> = module
            .unbound
            .iter()
            .map(|one| (one.interface, one.role))
            .collect();
        assert_eq!(missing, [(3, Role::At)]);
    }

    #[test]
    fn the_data_interface_of_a_cdc_port_is_not_missing() {
        let entry = device(0x2ecc, 0x3004, &[(0, Some("/dev/ttyACM0")), (1, None)]);
        assert!(Attached::from_usb(entry).unwrap().unbound.is_empty());
    }

    #[test]
    fn raw_usb_takes_the_data_interface_and_knows_whose_port_goes_away() {
        let module =
            Attached::from_usb(device(0x2ecc, 0x3004, &[(0, Some("/dev/ttyACM0")), (1, None)])).unwrap();
        let named = |transport| module.best_address(transport).unwrap().to_string();
        assert_eq!(named(Transport::Auto), "/dev/ttyACM0");
        assert_eq!(named(Transport::Usb), "usb:1-4.2#if1");
        let Some(Address::Usb(usb)) = module.best_address(Transport::Usb) else {
            panic!("no raw USB");
        };
        assert_eq!(usb.ttys, [(0, "/dev/ttyACM0".into())]);
        let rom = Attached::from_usb(device(0x1782, 0x4d16, &[(0, None), (1, None)])).unwrap();
        assert_eq!(rom.best_address(Transport::Tty), None);
        assert_eq!(
            rom.best_address(Transport::Auto).unwrap().to_string(),
            "usb:1-4.2#if1"
        );
    }

    #[test]
    fn what_a_driver_has_taken_is_left_to_it_unless_raw_usb_is_asked_for() {
        let driven = |driver: &str| {
            let mut entry = device(0x2c7c, 0x0903, &[(2, Some("/dev/ttyACM0")), (3, None)]);
            entry.interfaces[1].driver = Some(driver.into());
            let module = Attached::from_usb(entry).unwrap();
            [Transport::Auto, Transport::Usb].map(|it| module.address(Role::At, it).is_some())
        };
        assert_eq!(driven("cdc_acm"), [false, true]);
        assert_eq!(driven("usbfs"), [true, true]);
    }

    #[test]
    fn each_role_goes_its_own_way() {
        let entry = device(0x2c7c, 0x6001, &[(3, None), (5, Some("/dev/ttyACM0")), (6, None)]);
        let module = Attached::from_usb(entry).unwrap();
        let way = |role| module.address(role, Transport::Auto).map(|it| it.to_string());
        assert_eq!(way(Role::At).as_deref(), Some("usb:1-4.2#if3"));
        assert_eq!(way(Role::Repl).as_deref(), Some("/dev/ttyACM0"));
        assert_eq!(way(Role::Modem), None);
        let virtually = module.on(&Bus::Virtual("/tmp".into()));
        assert_eq!(virtually.address(Role::At, Transport::Auto), None);
    }

    #[test]
    fn a_com_port_is_known_in_both_spellings() {
        let same = |one: &str, other: &str| same_port(Path::new(one), Path::new(other));
        assert!(same("COM10", r"\\.\COM10") && same("com3", "COM3"));
        assert!(!same("COM1", "COM10") && !same("COMPASS", "COMB"));
    }
}
