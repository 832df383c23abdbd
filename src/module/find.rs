//! From what a person typed to one module.

use std::path::Path;

use qpyflash_protocols::Platform;

use super::attached::survey;
use super::topology::NotATopologyPath;
use super::usb_ids::{Driver, Mode, Role, UART_ADAPTERS, lookup};
use super::usb_list::{Bus, UsbEntry};
use super::{Attached, TopologyPath};
use crate::error::{Error, Kind};
use crate::link::{Address, RemoteAddress, Transport};

/// Where one module is attached; never what it is.
#[derive(Debug, Clone)]
pub struct Module {
    /// The port that was given, or chosen.
    pub port: Address,
    /// What the bus says about it; `None` for a port that belongs to no module on the bus: a UART adapter, or a port on
    /// the network.
    pub attached: Option<Attached>,
}

impl Module {
    /// `1-4.2 (/dev/ttyUSB1)`, or the port alone.
    pub fn place(&self) -> String {
        match &self.attached {
            Some(module) => format!("{} ({})", module.topology, self.port),
            None => self.port.to_string(),
        }
    }

    /// Where it sits on the bus.
    pub fn topology(&self) -> Option<&TopologyPath> {
        self.attached.as_ref().map(|module| &module.topology)
    }

    /// What it is doing, as far as the bus says.
    pub fn mode(&self) -> Option<Mode> {
        self.attached.as_ref().map(|module| module.mode)
    }

    /// The platform its USB id names.
    pub fn platform(&self) -> Option<Platform> {
        self.attached.as_ref().and_then(|module| module.platform)
    }

    /// The ports that may say what the module is, in the order to ask: the AT ports, the modem port, ports of unknown
    /// roles where those may be AT ports, the REPL. A log port is never among them. A port that belongs to no known module is asked as it is.
    pub fn identity_ports(&self, transport: Transport) -> Vec<(Option<Role>, Address)> {
        let Some(module) = &self.attached else {
            return vec![(None, self.port.clone())];
        };
        let of = |role| {
            let addresses = module.addresses(role, transport).into_iter();
            addresses.map(move |address| (Some(role), address))
        };
        let unknown = module.unknown_addresses(transport).into_iter();
        of(Role::At)
            .chain(of(Role::Modem))
            .chain(unknown.map(|address| (None, address)))
            .chain(of(Role::Repl))
            .collect()
    }

    /// A module, talked to at its best address.
    ///
    /// # Errors
    /// [`Kind::ModuleMissing`] when `transport` finds no way to it.
    pub fn of(attached: Attached, transport: Transport) -> Result<Self, Error> {
        let Some(port) = attached.best_address(transport) else {
            return Err(portless(&attached, transport));
        };
        Ok(Module {
            port,
            attached: Some(attached),
        })
    }
}

/// Finds the module that `port` (a node, `usb:1-4.2`, or `rfc2217://host:port`) or `path` names; without either, the only one attached.
///
/// # Errors
/// [`Kind::ModuleMissing`] when there is none, [`Kind::ModuleSeveral`] when there are several and none was named,
/// [`Kind::Usage`] when raw USB is asked for where there is none.
pub fn find(port: Option<&str>, path: Option<&TopologyPath>, transport: Transport) -> Result<Module, Error> {
    if let (None, Some(address)) = (path, port.map(remote).transpose()?.flatten()) {
        return alone(Address::Remote(address), transport);
    }
    let bus = Bus::current();
    if let (Bus::Virtual(folder), Transport::Usb) = (&bus, transport) {
        let text = format!(
            "there is no raw USB on the virtual bus `{}`, only ports",
            folder.display()
        );
        return Err(Error::new(Kind::Usage, text).hint("leave `--transport usb` away"));
    }
    let (modules, others) = survey(&bus)?;
    let found = match (path, port) {
        (Some(path), _) => at_path(modules, path)?,
        (None, Some(port)) => match port.strip_prefix("usb:") {
            Some(path) => at_path(modules, &topology_of(path)?)?,
            None => match at_port(modules, Path::new(port))? {
                Some(attached) => attached,
                None => return alone(Address::Tty(port.into()), transport),
            },
        },
        (None, None) => only_one(modules, &others)?,
    };
    Module::of(found, transport)
}

/// The path in `1-4.2`, or in `1-4.2#if3` as messages name an interface: any interface of a module stands for it.
fn topology_of(text: &str) -> Result<TopologyPath, Error> {
    let (path, interface) = text.split_once("#if").unwrap_or((text, "0"));
    let usage = |why: String| Error::new(Kind::Usage, format!("`--port` cannot be understood: {why}"));
    interface
        .parse::<u8>()
        .map_err(|_| usage(format!("`{interface}` is not the number of an interface")))?;
    path.parse()
        .map_err(|why: NotATopologyPath| usage(why.to_string()))
}

/// A port that belongs to no module on the bus is taken as given.
fn alone(port: Address, transport: Transport) -> Result<Module, Error> {
    if transport == Transport::Usb {
        let text =
            format!("`{port}` belongs to no module on the bus, so raw USB cannot reach what is behind it");
        return Err(Error::new(Kind::Usage, text).hint("leave `--transport usb` away"));
    }
    Ok(Module { port, attached: None })
}

/// The port on the network that `port` names, if it names one.
///
/// # Errors
/// [`Kind::Usage`] for one that cannot be.
pub(super) fn remote(port: &str) -> Result<Option<RemoteAddress>, Error> {
    RemoteAddress::in_name(port)
        .map_err(|why| Error::new(Kind::Usage, format!("`--port` cannot be understood: {why}")))
}

fn at_path(modules: Vec<Attached>, path: &TopologyPath) -> Result<Attached, Error> {
    let mut modules = modules.into_iter();
    modules.find(|module| module.topology == *path).ok_or_else(|| {
        Error::new(Kind::ModuleMissing, format!("no module is attached at `{path}`"))
            .at(path.to_string())
            .hint("`qpyflash list` shows the modules that are attached, with their paths")
    })
}

/// Any port of a module stands for the module: its table says which one answers AT. The port need not be listed
/// anywhere.
fn at_port(modules: Vec<Attached>, port: &Path) -> Result<Option<Attached>, Error> {
    if cfg!(unix) && !port.exists() {
        return Err(crate::link::OpenError::Missing(port.display().to_string()).into());
    }
    Ok(modules.into_iter().find(|module| module.has_port(port)))
}

fn only_one(mut modules: Vec<Attached>, others: &[UsbEntry]) -> Result<Attached, Error> {
    match (modules.pop(), modules.is_empty()) {
        (Some(module), true) => Ok(module),
        (None, _) => Err(nothing(others)),
        (Some(last), false) => {
            let list: Vec<String> = modules
                .iter()
                .chain([&last])
                .map(|module| {
                    let port = module.ports.first().map(|port| port.path.display().to_string());
                    format!("{} ({})", module.topology, port.as_deref().unwrap_or("no port"))
                })
                .collect();
            let text = format!("{} modules are attached: {}", list.len(), list.join(", "));
            Err(Error::new(Kind::ModuleSeveral, text).hint("choose one with `--path` or `--port`"))
        }
    }
}

/// A module that no driver has made a port of is there all the same, and must not look like none.
fn portless(module: &Attached, transport: Transport) -> Error {
    let shows = match transport {
        Transport::Usb => "no interface that raw USB could use",
        _ => "no usable port: no driver has bound its interfaces",
    };
    let text = format!(
        "the module on {} ({}) shows {shows}",
        module.topology, module.usb_id
    );
    let error = Error::new(Kind::ModuleMissing, text).at(module.topology.to_string());
    let error = match transport {
        Transport::Tty if !module.interfaces.is_empty() => {
            error.hint("leave `--transport tty` away: raw USB needs no driver")
        }
        _ => error,
    };
    let error = match module.id.driver {
        Driver::Option { .. } if cfg!(target_os = "linux") => error.hint(format!(
            "make the kernel bind them: `sudo qpyflash udev --install` and replug the module, or, until the next \
             start of this host: `{}`",
            module.id.new_id_command()
        )),
        _ => error,
    };
    error.hint("`qpyflash doctor` looks closer")
}

/// What to look at when nothing is a module, beginning with what is there.
fn nothing(others: &[UsbEntry]) -> Error {
    let mut error = Error::new(Kind::ModuleMissing, "no module is attached");
    for device in others {
        let id = (device.vid, device.pid);
        let name = format!("{:04x}:{:04x} on {}", id.0, id.1, device.topology);
        if UART_ADAPTERS.contains(&id) {
            error = error.hint(format!(
                "{name} is a UART adapter: if the module is behind it, name its port with `--port`"
            ));
        } else if lookup(id.0, id.1).is_some() {
            error = error.hint(format!(
                "{name} has the id of a boot ROM but is a Linux USB gadget, by its strings or its speed"
            ));
        }
    }
    error
        .hint(
            "check the power and the cable (a cable made for charging shows nothing), or name a port with `--port`; \
             in a virtual machine pass the module through, in run mode and in download mode",
        )
        .hint("`qpyflash doctor` looks closer")
}
