//! USB devices, their interfaces and ttys, from Linux's sysfs. Nothing is opened and no right is needed.
//!
//! ```text
//! bus/usb/devices/1-4.2/              idVendor idProduct speed descriptors dev
//! bus/usb/devices/1-4.2/1-4.2:1.3/    driver -> …/option   ttyUSB1/tty/ttyUSB1/
//! bus/usb/devices/1-4.2/1-4.2:1.5/    driver -> …/cdc_acm  tty/ttyACM0/
//! ```
#![cfg(any(target_os = "linux", test))]

use std::path::{Path, PathBuf};

use super::TopologyPath;
use super::usb_list::{Speed, UsbEntry, UsbInterface};

/// Offsets of iManufacturer, iProduct and iSerialNumber in a device descriptor.
const STRING_INDICES: std::ops::Range<usize> = 14..17;

/// Every device below `sys`. A host without USB has none; a device that goes while it is read is not there.
///
/// # Errors
/// What the operating system says when the folder of devices exists and cannot be read.
pub fn entries(sys: &Path) -> std::io::Result<Vec<UsbEntry>> {
    let devices = match std::fs::read_dir(devices(sys)) {
        Ok(devices) => devices,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    // Interfaces (`1-4:1.0`) and root hubs (`usb1`) have no topology path for a name.
    let named = |entry: std::fs::DirEntry| entry.file_name().to_str()?.parse().ok();
    Ok(devices
        .flatten()
        .filter_map(named)
        .filter_map(|topology| entry(sys, topology))
        .collect())
}

/// The folder of a device.
pub fn device(sys: &Path, topology: &TopologyPath) -> PathBuf {
    devices(sys).join(topology.to_string())
}

fn devices(sys: &Path) -> PathBuf {
    sys.join("bus/usb/devices")
}

fn entry(sys: &Path, topology: TopologyPath) -> Option<UsbEntry> {
    let device = device(sys, &topology);
    let text = |name: &str| std::fs::read_to_string(device.join(name)).ok();
    let number = |name: &str| u16::from_str_radix(text(name)?.trim(), 16).ok();
    Some(UsbEntry {
        vid: number("idVendor")?,
        pid: number("idProduct")?,
        has_strings: has_strings(&device),
        speed: text("speed").and_then(|speed| speed_of(speed.trim())),
        interfaces: interfaces(&device, &topology),
        topology,
    })
}

/// A string that is announced and could not be read has no file of its own, so the descriptor is asked too.
fn has_strings(device: &Path) -> bool {
    let announced = std::fs::read(device.join("descriptors")).is_ok_and(|bytes| {
        bytes
            .get(STRING_INDICES)
            .is_some_and(|indices| indices.iter().any(|index| *index != 0))
    });
    let known = ["manufacturer", "product", "serial"];
    announced || known.iter().any(|name| device.join(name).exists())
}

fn speed_of(megabits: &str) -> Option<Speed> {
    Some(match megabits {
        "1.5" => Speed::Low,
        "12" => Speed::Full,
        "480" => Speed::High,
        other => other
            .parse::<u32>()
            .ok()
            .filter(|rate| *rate >= 5000)
            .map(|_| Speed::Super)?,
    })
}

/// An interface is a folder `1-4.2:1.3`; its tty is a folder in it named `ttyUSB1/tty/ttyUSB1`, or `tty/ttyACM0` for
/// CDC-ACM. A `ttyUSB1` without a tty is one that its driver has not made yet, or cannot make: `option` takes interfaces
/// without bulk endpoints too.
fn interfaces(device: &Path, topology: &TopologyPath) -> Vec<UsbInterface> {
    let prefix = format!("{topology}:");
    let mut interfaces: Vec<UsbInterface> = folders(device)
        .filter_map(|folder| {
            let name = folder.file_name()?.to_str()?;
            let (_, number) = name.strip_prefix(&prefix)?.split_once('.')?;
            let driver = std::fs::read_link(folder.join("driver")).ok();
            Some(UsbInterface {
                number: number.parse().ok()?,
                driver: driver.and_then(|link| Some(link.file_name()?.to_str()?.to_owned())),
                port: folders(&folder)
                    .map(|inner| inner.join("tty"))
                    .chain([folder.join("tty")])
                    .flat_map(|ttys| folders(&ttys))
                    .find_map(|inner| node(inner.file_name()?.to_str()?)),
            })
        })
        .collect();
    interfaces.sort_by_key(|interface| interface.number);
    interfaces
}

fn node(name: &str) -> Option<PathBuf> {
    (name.starts_with("ttyUSB") || name.starts_with("ttyACM")).then(|| Path::new("/dev").join(name))
}

fn folders(at: &Path) -> impl Iterator<Item = PathBuf> + use<> {
    std::fs::read_dir(at)
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path())
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use super::*;

    fn write(path: &Path, bytes: impl AsRef<[u8]>) {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }

    #[test]
    fn finds_option_and_acm_ttys_of_one_device_by_interface() {
        let sys = tempfile::tempdir().unwrap();
        let device = sys.path().join("bus/usb/devices/1-4.2");
        for folder in [
            "1-4.2:1.3/ttyUSB1/tty/ttyUSB1",
            "1-4.2:1.4/ttyUSB2",
            "1-4.2:1.5/tty/ttyACM0",
            "1-4.2:1.0/net/usb0",
            "1-4.21:1.3/ttyUSB9/tty/ttyUSB9",
        ] {
            std::fs::create_dir_all(device.join(folder)).unwrap();
        }
        std::os::unix::fs::symlink("../../drivers/option", device.join("1-4.2:1.3/driver")).unwrap();
        write(&device.join("idVendor"), "2c7c\n");
        write(&device.join("idProduct"), "6001\n");
        write(&device.join("speed"), "480\n");
        std::fs::create_dir_all(sys.path().join("bus/usb/devices/usb1")).unwrap();
        let entries = entries(sys.path()).unwrap();
        let [entry] = &entries[..] else {
            panic!("{entries:?}")
        };
        assert_eq!((entry.vid, entry.pid), (0x2c7c, 0x6001));
        assert_eq!((entry.speed, entry.has_strings), (Some(Speed::High), false));
        let found: Vec<_> = entry
            .interfaces
            .iter()
            .map(|one| (one.number, one.driver.as_deref(), one.port.as_deref()))
            .collect();
        let node = |name| Some(Path::new(name));
        assert_eq!(
            found,
            [
                (0, None, None),
                (3, Some("option"), node("/dev/ttyUSB1")),
                (4, None, None),
                (5, None, node("/dev/ttyACM0"))
            ]
        );
    }

    #[test]
    fn a_string_that_could_not_be_read_is_a_string_all_the_same() {
        let sys = tempfile::tempdir().unwrap();
        let device = sys.path().join("bus/usb/devices/1-1");
        write(&device.join("idVendor"), "0525\n");
        write(&device.join("idProduct"), "a4a7\n");
        let mut descriptor = [0_u8; 18];
        write(&device.join("descriptors"), descriptor);
        assert!(!entries(sys.path()).unwrap()[0].has_strings);
        descriptor[15] = 2;
        write(&device.join("descriptors"), descriptor);
        assert!(entries(sys.path()).unwrap()[0].has_strings);
    }

    #[test]
    fn a_host_without_usb_has_no_devices() {
        let sys = tempfile::tempdir().unwrap();
        assert!(entries(sys.path()).unwrap().is_empty());
    }
}
