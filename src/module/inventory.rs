//! Everything `list` shows: the modules, what stands between this user and each port, and what else is plugged in
//! that a person might take for a module.

use std::path::{Path, PathBuf};

use serde::Serialize;

use super::usb_ids::{self, UART_ADAPTERS};
use super::usb_list::{Bus, UsbEntry};
use super::{Attached, TopologyPath, survey};
use crate::error::Error;
use crate::link::{Holder, Rights, holders, may_open};

/// What is plugged in.
#[derive(Debug, Clone, Serialize)]
pub struct Inventory {
    /// The modules.
    pub modules: Vec<Listed>,
    /// Devices that are no modules and could be taken for one.
    pub others: Vec<Other>,
}

/// A module, and what stands in the way of each port of it.
#[derive(Debug, Clone, Serialize)]
pub struct Listed {
    /// The module.
    #[serde(flatten)]
    pub module: Attached,
    /// The ports that this user cannot have, and why.
    pub blocked: Vec<Blocked>,
}

/// A port that cannot be had.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Blocked {
    /// Its node.
    pub path: PathBuf,
    /// Why not.
    #[serde(flatten)]
    pub by: Obstacle,
}

/// Why a port cannot be had.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "why", rename_all = "lowercase")]
pub enum Obstacle {
    /// This user may not open it.
    Denied {
        /// Who may.
        rights: Option<Rights>,
    },
    /// Another program holds it.
    Busy {
        /// Which.
        holder: Holder,
    },
}

impl std::fmt::Display for Obstacle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Obstacle::Denied { rights: Some(rights) } => write!(f, "no permission ({rights})"),
            Obstacle::Denied { rights: None } => f.write_str("no permission"),
            Obstacle::Busy { holder } => write!(f, "in use by {holder}"),
        }
    }
}

/// A device that is no module.
#[derive(Debug, Clone, Serialize)]
pub struct Other {
    /// Where it sits.
    pub topology: TopologyPath,
    /// `1a86:7523`.
    pub usb_id: String,
    /// What it is.
    pub what: &'static str,
    /// Its serial ports.
    pub ports: Vec<PathBuf>,
}

impl Other {
    /// A device worth a word, or nothing.
    fn of(device: &UsbEntry) -> Option<Self> {
        let what = if UART_ADAPTERS.contains(&(device.vid, device.pid)) {
            "UART adapter; a module may be behind it"
        } else {
            usb_ids::lookup(device.vid, device.pid)
                .map(|_| "Linux USB gadget with the id of a boot ROM; no module")?
        };
        Some(Other {
            topology: device.topology.clone(),
            usb_id: format!("{:04x}:{:04x}", device.vid, device.pid),
            what,
            ports: device
                .interfaces
                .iter()
                .filter_map(|one| one.port.clone())
                .collect(),
        })
    }
}

/// What is plugged in, without opening anything.
///
/// # Errors
/// [`LinkFailed`](crate::Kind::LinkFailed) when the bus cannot be read.
pub fn inventory(bus: &Bus) -> Result<Inventory, Error> {
    let (modules, others) = survey(bus)?;
    let others = others.iter().filter_map(Other::of).collect();
    let nodes: Vec<PathBuf> = modules
        .iter()
        .flat_map(|module| module.ports.iter().map(|port| port.path.clone()))
        .collect();
    let mut blocked: Vec<Blocked> = nodes
        .iter()
        .zip(holders(Path::new("/proc"), &nodes))
        .filter_map(|(path, holder)| {
            let by = match (holder, may_open(path)) {
                (Some(holder), _) => Obstacle::Busy { holder },
                (None, Err(why)) if why.kind() == std::io::ErrorKind::PermissionDenied => Obstacle::Denied {
                    rights: Rights::of(path, Path::new("/etc")),
                },
                _ => return None,
            };
            Some(Blocked {
                path: path.clone(),
                by,
            })
        })
        .collect();
    let mut listed = Vec::new();
    for module in modules {
        let ours = |blocked: &mut Blocked| module.ports.iter().any(|port| port.path == blocked.path);
        let blocked = blocked.extract_if(.., ours).collect();
        listed.push(Listed { module, blocked });
    }
    Ok(Inventory {
        modules: listed,
        others,
    })
}
