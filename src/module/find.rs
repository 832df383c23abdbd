//! From what a person typed to one module.

use std::path::{Path, PathBuf};

use qpyflash_protocols::Platform;

use super::usb_ids::{Mode, Role};
use super::{Attached, TopologyPath, attached};
use crate::error::{Error, Kind};

/// Where one module is attached; never what it is.
#[derive(Debug, Clone)]
pub struct Module {
    /// The port that was given, or chosen.
    pub port: PathBuf,
    /// What the bus says about it; `None` for a port that belongs to no module on the bus: a UART adapter.
    pub attached: Option<Attached>,
}

impl Module {
    /// `1-4.2 (/dev/ttyUSB1)`, or the port alone.
    pub fn place(&self) -> String {
        match &self.attached {
            Some(module) => format!("{} ({})", module.topology, self.port.display()),
            None => self.port.display().to_string(),
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

    /// The ports that may say what the module is, in the order to ask: AT, then the REPL. A port that belongs to
    /// no known module is asked as it is.
    pub fn identity_ports(&self) -> Vec<(Option<Role>, PathBuf)> {
        let Some(module) = &self.attached else {
            return vec![(None, self.port.clone())];
        };
        let asked = [Role::At, Role::Repl];
        let ports = asked
            .iter()
            .flat_map(|role| module.ports.iter().filter(|port| port.role == Some(*role)));
        ports.map(|port| (port.role, port.path.clone())).collect()
    }

    fn of(attached: Attached) -> Result<Self, Error> {
        let role = match attached.mode {
            Mode::Run => Role::At,
            Mode::Download => Role::Download,
        };
        let Some(port) = attached
            .port(role)
            .or(attached.port(Role::Repl))
            .map(Path::to_path_buf)
        else {
            let text = format!(
                "the module on {} ({}) shows no usable port: no driver has bound its interfaces",
                attached.topology, attached.usb_id
            );
            return Err(Error::new(Kind::ModuleMissing, text)
                .at(attached.topology.to_string())
                .hint("`qpyflash udev` shows the rules that make the kernel bind them"));
        };
        Ok(Module {
            port,
            attached: Some(attached),
        })
    }
}

/// Finds the module that `port` (a node, or `usb:1-4.2`) or `path` names; without either, the only one attached.
///
/// # Errors
/// [`Kind::ModuleMissing`] when there is none, [`Kind::ModuleSeveral`] when there are several and none was named.
pub fn find(port: Option<&str>, path: Option<&TopologyPath>) -> Result<Module, Error> {
    let modules = attached()?;
    if let Some(path) = path {
        return at_path(modules, path);
    }
    match port {
        Some(port) => match port.strip_prefix("usb:") {
            Some(path) => {
                let path = path
                    .parse()
                    .map_err(|error| Error::new(Kind::Usage, format!("--port: {error}")))?;
                at_path(modules, &path)
            }
            None => at_port(modules, Path::new(port)),
        },
        None => only_one(modules),
    }
}

fn at_path(modules: Vec<Attached>, path: &TopologyPath) -> Result<Module, Error> {
    match modules.into_iter().find(|module| module.topology == *path) {
        Some(module) => Module::of(module),
        None => Err(
            Error::new(Kind::ModuleMissing, format!("no module is attached at `{path}`"))
                .at(path.to_string())
                .hint("`qpyflash list` shows the modules that are attached, with their paths"),
        ),
    }
}

/// The port is taken as given; it need not be listed anywhere.
fn at_port(modules: Vec<Attached>, port: &Path) -> Result<Module, Error> {
    if cfg!(unix) && !port.exists() {
        return Err(crate::link::OpenError::Missing(port.display().to_string()).into());
    }
    match modules.into_iter().find(|module| module.has_port(port)) {
        // Any port of a module stands for the module: its table says which one answers AT.
        Some(module) => Module::of(module),
        None => Ok(Module {
            port: port.to_path_buf(),
            attached: None,
        }),
    }
}

fn only_one(mut modules: Vec<Attached>) -> Result<Module, Error> {
    match (modules.pop(), modules.is_empty()) {
        (Some(module), true) => Module::of(module),
        (None, _) => Err(Error::new(Kind::ModuleMissing, "no module is attached")
            .hint("check the cable and the power, or name a port with `--port`")),
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
