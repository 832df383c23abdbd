//! The host that is examined: this one, or one recorded in a folder.

use std::path::{Path, PathBuf};

use crate::link::{self, Holder};
use crate::module::{Attached, Bus, Port};

/// A host to examine.
pub struct Host {
    root: PathBuf,
    bus: Bus,
    pub(super) may_open: fn(&Path) -> std::io::Result<()>,
}

impl Host {
    /// This one, with the virtual bus if one is named.
    pub fn this() -> Self {
        Host {
            root: "/".into(),
            bus: Bus::current(),
            may_open: link::may_open,
        }
    }

    /// The one whose `/sys`, `/proc`, `/dev`, `/etc` and `/run` lie below `root`.
    pub fn recorded(root: impl Into<PathBuf>) -> Self {
        let root = root.into();
        Host {
            bus: Bus::Host(root.clone()),
            root,
            may_open: link::may_open,
        }
    }

    pub(super) fn bus(&self) -> &Bus {
        &self.bus
    }

    /// The place of an absolute path.
    pub(super) fn path(&self, absolute: &str) -> PathBuf {
        self.root.join(absolute.trim_start_matches('/'))
    }

    /// A file's text; empty when there is none.
    pub(super) fn text(&self, absolute: &str) -> String {
        std::fs::read_to_string(self.path(absolute)).unwrap_or_default()
    }

    /// The place of a port. The nodes of a virtual bus are where they say they are.
    pub(super) fn node(&self, port: &Port) -> PathBuf {
        match (&self.bus, port.path.to_str()) {
            (Bus::Host(_), Some(path)) if cfg!(unix) => self.path(path),
            _ => port.path.clone(),
        }
    }

    /// The program of that name, if it runs.
    pub(super) fn running(&self, name: &str) -> Option<Holder> {
        link::programs(&self.path("/proc")).find(|program| program.name == name)
    }

    /// What sysfs says of a module's device. None on a virtual bus.
    #[cfg(target_os = "linux")]
    fn sysfs(&self, module: &Attached, attribute: &str) -> Option<String> {
        let Bus::Host(root) = &self.bus else {
            return None;
        };
        let device = crate::module::sysfs_device(&root.join("sys"), &module.topology);
        std::fs::read_to_string(device.join(attribute)).ok()
    }

    /// The node of the module's device itself: as a person knows it, and where it is.
    #[cfg(target_os = "linux")]
    pub(super) fn usb_node(&self, module: &Attached) -> Option<(PathBuf, PathBuf)> {
        let number = |attribute| self.sysfs(module, attribute)?.trim().parse::<u16>().ok();
        let path = format!("/dev/bus/usb/{:03}/{:03}", number("busnum")?, number("devnum")?);
        Some((path.clone().into(), self.path(&path)))
    }

    /// There are no such nodes here.
    #[cfg(not(target_os = "linux"))]
    pub(super) fn usb_node(&self, _: &Attached) -> Option<(PathBuf, PathBuf)> {
        None
    }

    /// What udev keeps of a module's device, `KEY=value` a line. None on a virtual bus, and without udev.
    #[cfg(target_os = "linux")]
    pub(super) fn udev_data(&self, module: &Attached) -> Option<String> {
        let number = self.sysfs(module, "dev")?;
        let path = self.path("/run/udev/data").join(format!("c{}", number.trim()));
        std::fs::read_to_string(path).ok()
    }

    /// There is no udev here.
    #[cfg(not(target_os = "linux"))]
    pub(super) fn udev_data(&self, _: &Attached) -> Option<String> {
        None
    }

    /// Version of the kernel, where it is Linux.
    pub(super) fn kernel(&self) -> Option<(u16, u16)> {
        let text = self.text("/proc/sys/kernel/osrelease");
        let mut numbers = text.split(|c: char| !c.is_ascii_digit());
        Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
    }
}
