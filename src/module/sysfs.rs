//! Which tty belongs to which interface of which USB device, from Linux's sysfs.
#![cfg(any(target_os = "linux", test))]

use std::path::{Path, PathBuf};

use super::TopologyPath;
use super::usb_list::UsbPort;

/// The ttys of the device at `topology`. In sysfs an interface is a folder `1-4.2:1.3`; its tty is a folder in it
/// named `ttyUSB1`, or `tty/ttyACM0` for CDC-ACM.
pub fn ports(sys: &Path, topology: &TopologyPath) -> Vec<UsbPort> {
    let device = sys.join("bus/usb/devices").join(topology.to_string());
    let mut ports: Vec<UsbPort> = folders(&device)
        .filter_map(|folder| {
            let name = folder.file_name()?.to_str()?;
            let interface = name
                .strip_prefix(&format!("{topology}:"))?
                .split_once('.')?
                .1
                .parse()
                .ok()?;
            let tty = folders(&folder)
                .chain(folders(&folder.join("tty")))
                .find_map(|inner| node(inner.file_name()?.to_str()?))?;
            Some(UsbPort { interface, path: tty })
        })
        .collect();
    ports.sort_by_key(|port| port.interface);
    ports
}

fn node(name: &str) -> Option<PathBuf> {
    (name.starts_with("ttyUSB") || name.starts_with("ttyACM")).then(|| Path::new("/dev").join(name))
}

fn folders(at: &Path) -> impl Iterator<Item = PathBuf> {
    std::fs::read_dir(at)
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_option_and_acm_ttys_of_one_device_by_interface() {
        let sys = tempfile::tempdir().unwrap();
        let device = sys.path().join("bus/usb/devices/1-4.2");
        for folder in [
            "1-4.2:1.3/ttyUSB1",
            "1-4.2:1.5/tty/ttyACM0",
            "1-4.2:1.0/net/usb0",
            "1-4.21:1.3/ttyUSB9",
        ] {
            std::fs::create_dir_all(device.join(folder)).unwrap();
        }
        let ports = ports(sys.path(), &"1-4.2".parse().unwrap());
        let found: Vec<_> = ports
            .iter()
            .map(|p| (p.interface, p.path.to_str().unwrap()))
            .collect();
        assert_eq!(found, [(3, "/dev/ttyUSB1"), (5, "/dev/ttyACM0")]);
    }
}
