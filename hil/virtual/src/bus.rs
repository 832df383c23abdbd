//! The virtual bus: a directory in which each attached virtual module is described as USB enumeration would
//! describe a real one.
//!
//! `<dir>/<topology>.json` is one attached module, put there by an atomic rename. Its interfaces name their tty
//! nodes, `<dir>/dev/ttyUSBn` and `<dir>/dev/ttyACMn`, which are symbolic links to pseudo-terminals. On
//! disconnect the nodes go first, then the description, then the pseudo-terminals hang up.

use std::fs;
use std::io;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Serialize;
use tempfile::TempDir;

use crate::pty::Pty;
use crate::socket::{Enumerated, Pipe, Plugged, Socket};

/// Environment variable that tells the host program where the virtual bus is.
pub const BUS_VARIABLE: &str = "QPYFLASH_VIRTUAL_BUS";

/// The directory that plays the USB bus. Clones are the same bus.
#[derive(Debug, Clone)]
pub struct VirtualBus {
    dir: PathBuf,
    _temporary: Option<Arc<TempDir>>,
}

impl VirtualBus {
    /// Opens a bus in `dir`, which is made when it does not exist.
    ///
    /// # Errors
    /// The operating system's error when the directory cannot be made.
    pub fn create(dir: impl AsRef<Path>) -> io::Result<Self> {
        fs::create_dir_all(dir.as_ref().join("dev"))?;
        Ok(VirtualBus {
            dir: dir.as_ref().canonicalize()?,
            _temporary: None,
        })
    }

    /// Opens a bus in a new directory that is removed with the last clone.
    ///
    /// # Errors
    /// The operating system's error when the directory cannot be made.
    pub fn temporary() -> io::Result<Self> {
        let dir = TempDir::with_prefix("qpyflash-bus-")?;
        let bus = Self::create(dir.path())?;
        Ok(VirtualBus {
            _temporary: Some(Arc::new(dir)),
            ..bus
        })
    }

    /// The directory.
    pub fn path(&self) -> &Path {
        &self.dir
    }

    /// Name and value of the environment variable with which the host program finds this bus.
    pub fn environment(&self) -> (&'static str, &Path) {
        (BUS_VARIABLE, &self.dir)
    }

    /// Announces a module with its ports; it stays until the returned value is dropped.
    fn attach(&self, mut description: Description, ports: &[(u8, &Pty)]) -> io::Result<Attachment> {
        let entry = self.dir.join(format!("{}.json", description.topology));
        if entry.exists() {
            let text = format!("a module is already attached at `{}`", description.topology);
            return Err(io::Error::new(io::ErrorKind::AlreadyExists, text));
        }
        let mut attachment = Attachment {
            entry,
            nodes: Vec::new(),
        };
        for interface in &mut description.interfaces {
            let Some((_, pty)) = ports.iter().find(|(number, _)| *number == interface.number) else {
                continue;
            };
            let node = self.make_node(interface.class, pty)?;
            attachment.nodes.push((interface.number, node.clone()));
            interface.tty = Some(node);
        }
        let draft = self.dir.join(format!(".{}.draft", description.topology));
        fs::write(&draft, serde_json::to_vec_pretty(&description)?)?;
        fs::rename(&draft, &attachment.entry)?;
        Ok(attachment)
    }

    /// Links the lowest free node name to the pseudo-terminal, as the kernel numbers ports.
    fn make_node(&self, class: &str, pty: &Pty) -> io::Result<PathBuf> {
        let driver = if class == CDC_CONTROL { "ttyACM" } else { "ttyUSB" };
        for number in 0..=u8::MAX {
            let node = self.dir.join("dev").join(format!("{driver}{number}"));
            match symlink(pty.slave_path(), &node) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                made => return made.map(|()| node),
            }
        }
        Err(io::Error::other(format!(
            "no free {driver} number on the virtual bus"
        )))
    }
}

impl Socket for VirtualBus {
    fn plug(&self, topology: &str, enumerated: &Enumerated) -> io::Result<Plugged> {
        let with_port = enumerated
            .interfaces
            .iter()
            .filter(|interface| interface.role.is_some());
        let ptys = with_port
            .map(|interface| Ok((interface.number, Pty::open()?)))
            .collect::<io::Result<Vec<_>>>()?;
        let announced: Vec<_> = ptys.iter().map(|(number, pty)| (*number, pty)).collect();
        let attachment = self.attach(Description::of(topology, enumerated), &announced)?;
        Ok(Plugged {
            nodes: attachment.nodes.clone(),
            presence: Box::new(attachment),
            pipes: ptys
                .into_iter()
                .map(|(_, pty)| Box::new(pty) as Box<dyn Pipe>)
                .collect(),
        })
    }
}

/// Interface class of a CDC-ACM control interface, which Linux makes a `ttyACMn` of.
pub(crate) const CDC_CONTROL: &str = "02";
/// Interface class of a CDC-ACM data interface.
pub(crate) const CDC_DATA: &str = "0a";
/// Interface class of a vendor-specific serial interface, which Linux makes a `ttyUSBn` of.
pub(crate) const VENDOR: &str = "ff";

/// What enumeration tells of a module. Numbers are hexadecimal text, absent strings are null.
#[derive(Debug, Clone, Serialize)]
struct Description {
    topology: String,
    vid: String,
    pid: String,
    bcd_device: String,
    manufacturer: Option<String>,
    product: Option<String>,
    serial: Option<String>,
    speed: &'static str,
    interfaces: Vec<Interface>,
}

impl Description {
    fn of(topology: &str, enumerated: &Enumerated) -> Self {
        let [manufacturer, product, serial] = enumerated.strings.map(|text| text.map(str::to_owned));
        Description {
            topology: topology.to_owned(),
            vid: format!("{:04x}", enumerated.vid),
            pid: format!("{:04x}", enumerated.pid),
            bcd_device: enumerated.bcd_device.into(),
            manufacturer,
            product,
            serial,
            speed: enumerated.speed,
            interfaces: enumerated
                .interfaces
                .iter()
                .map(|interface| Interface::new(interface.number, interface.class))
                .collect(),
        }
    }
}

/// One USB interface.
#[derive(Debug, Clone, Serialize)]
struct Interface {
    number: u8,
    class: &'static str,
    tty: Option<PathBuf>,
}

impl Interface {
    fn new(number: u8, class: &'static str) -> Self {
        Interface {
            number,
            class,
            tty: None,
        }
    }
}

/// A module's presence on the bus; ends when dropped.
#[derive(Debug)]
struct Attachment {
    entry: PathBuf,
    /// Interface numbers and their tty nodes.
    nodes: Vec<(u8, PathBuf)>,
}

impl Drop for Attachment {
    fn drop(&mut self) {
        for (_, node) in &self.nodes {
            let _ = fs::remove_file(node);
        }
        let _ = fs::remove_file(&self.entry);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn description(topology: &str) -> Description {
        Description {
            topology: topology.into(),
            vid: "2c7c".into(),
            pid: "6001".into(),
            bcd_device: "0318".into(),
            manufacturer: Some("Android".into()),
            product: None,
            serial: Some("0000".into()),
            speed: "high",
            interfaces: vec![
                Interface::new(3, VENDOR),
                Interface::new(5, CDC_CONTROL),
                Interface::new(6, CDC_DATA),
            ],
        }
    }

    #[test]
    fn describes_a_module_while_it_is_attached_and_only_then() {
        let bus = VirtualBus::temporary().unwrap();
        let (at, repl) = (Pty::open().unwrap(), Pty::open().unwrap());
        let attachment = bus.attach(description("1-4.2"), &[(3, &at), (5, &repl)]).unwrap();

        let entry = bus.path().join("1-4.2.json");
        let json: serde_json::Value = serde_json::from_slice(&fs::read(&entry).unwrap()).unwrap();
        let dev = bus.path().join("dev");
        assert_eq!(json["vid"], "2c7c");
        assert_eq!(json["product"], serde_json::Value::Null);
        assert_eq!(
            json["interfaces"][0]["tty"],
            dev.join("ttyUSB0").to_str().unwrap()
        );
        assert_eq!(
            json["interfaces"][1]["tty"],
            dev.join("ttyACM0").to_str().unwrap()
        );
        assert_eq!(json["interfaces"][2]["tty"], serde_json::Value::Null);
        assert_eq!(fs::read_link(dev.join("ttyUSB0")).unwrap(), at.slave_path());

        drop(attachment);
        assert!(!entry.exists());
        assert_eq!(fs::read_dir(dev).unwrap().count(), 0);
    }

    #[test]
    fn gives_the_lowest_free_number_as_the_kernel_does() {
        let bus = VirtualBus::temporary().unwrap();
        let pty = Pty::open().unwrap();
        let first = bus.attach(description("1-1"), &[(3, &pty)]).unwrap();
        let second = bus.attach(description("1-2"), &[(3, &pty)]).unwrap();
        assert!(second.nodes[0].1.ends_with("dev/ttyUSB1"));
        drop(first);
        let third = bus.attach(description("1-3"), &[(3, &pty)]).unwrap();
        assert!(third.nodes[0].1.ends_with("dev/ttyUSB0"));
    }

    #[test]
    fn refuses_two_modules_at_one_path() {
        let bus = VirtualBus::temporary().unwrap();
        let _first = bus.attach(description("1-1"), &[]).unwrap();
        let error = bus.attach(description("1-1"), &[]).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AlreadyExists);
    }
}
