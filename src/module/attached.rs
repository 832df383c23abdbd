//! The modules among the devices.

use std::path::{Path, PathBuf};

use qpyflash_protocols::Platform;
use serde::Serialize;

use super::TopologyPath;
use super::usb_ids::{self, Mode, Role};
use super::usb_list::{UsbEntry, usb_list};
use crate::error::{Error, Kind};

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
    /// Its ports, in the order of the table: the best port for each role first.
    pub ports: Vec<Port>,
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

impl Attached {
    /// The best port for `role`.
    pub fn port(&self, role: Role) -> Option<&Path> {
        self.ports
            .iter()
            .find(|port| port.role == Some(role))
            .map(|port| port.path.as_path())
    }

    /// Does this node belong to the module? Links are followed.
    pub fn has_port(&self, node: &Path) -> bool {
        let real = |path: &Path| path.canonicalize().ok();
        self.ports
            .iter()
            .any(|port| port.path == node || (real(node).is_some() && real(&port.path) == real(node)))
    }

    fn from_usb(entry: UsbEntry) -> Option<Self> {
        let id = usb_ids::lookup(entry.vid, entry.pid)?;
        if id.only_without_strings && entry.has_strings {
            return None;
        }
        let rank = |interface: u8| id.interfaces.iter().position(|(number, _)| *number == interface);
        let mut ports: Vec<Port> = entry
            .ports
            .into_iter()
            .map(|port| Port {
                role: id.role(port.interface),
                interface: port.interface,
                path: port.path,
            })
            .collect();
        ports.sort_by_key(|port| rank(port.interface).unwrap_or(usize::MAX));
        Some(Attached {
            topology: entry.topology,
            mode: id.mode,
            platform: id.platform,
            usb_id: format!("{:04x}:{:04x}", entry.vid, entry.pid),
            modules: id.modules,
            ports,
        })
    }
}

/// Every module on the bus, in the order of the topology paths.
///
/// # Errors
/// [`Kind::LinkFailed`] when the bus cannot be read.
pub fn attached() -> Result<Vec<Attached>, Error> {
    let entries = usb_list()
        .map_err(|why| Error::new(Kind::LinkFailed, format!("cannot list USB: {why}")).caused_by(why))?;
    let mut modules: Vec<Attached> = entries.into_iter().filter_map(Attached::from_usb).collect();
    modules.sort_by(|a, b| a.topology.cmp(&b.topology));
    Ok(modules)
}
