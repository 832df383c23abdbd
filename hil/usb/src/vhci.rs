//! Modules as devices of `vhci_hcd`, the kernel's virtual host controller: one end of a socket pair is given to it,
//! the other end serves URBs.

use std::fs;
use std::io::{self, Write};
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::sleep;
use std::time::{Duration, Instant};

use qpyflash_virtual::{Enumerated, Plugged, Socket};

use crate::device::Seen;
use crate::host::Link;
use crate::layout::Speed;
use crate::stay::{Stay, build};
use crate::usbip::UsbIp;

/// The first controller. Its root hub is bus 1 where there is no other controller.
const CONTROLLER: &str = "/sys/devices/platform/vhci_hcd.0";
/// In its table of ports: nothing is attached.
const FREE: &str = "004";
/// How long the kernel may take to let a device go.
const FREE_WITHIN: Duration = Duration::from_secs(5);

/// The root hub of `vhci_hcd`. Topology paths on it are `1-1` to `1-15`. Clones are the same hub.
#[derive(Debug, Clone)]
pub struct VhciHub {
    controller: PathBuf,
    seen: Arc<Mutex<Seen>>,
}

impl VhciHub {
    /// The hub of this machine.
    ///
    /// # Errors
    /// When the module `vhci-hcd` is not loaded.
    pub fn open() -> io::Result<Self> {
        let controller = PathBuf::from(CONTROLLER);
        fs::metadata(&controller)?;
        Ok(VhciHub {
            controller,
            seen: Arc::default(),
        })
    }

    /// What the host has done to the devices on this hub.
    pub fn seen(&self) -> Seen {
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait_until_free(&self, port: u8) -> io::Result<()> {
        let began = Instant::now();
        while !self.is_free(port)? {
            if began.elapsed() > FREE_WITHIN {
                return Err(io::Error::other(format!(
                    "port {port} of vhci_hcd does not become free"
                )));
            }
            sleep(Duration::from_millis(2));
        }
        Ok(())
    }

    /// Lines of the table are `hub port status speed …`.
    fn is_free(&self, port: u8) -> io::Result<bool> {
        let table = fs::read_to_string(self.controller.join("status"))?;
        Ok(table.lines().any(|line| {
            let mut words = line.split_whitespace().skip(1);
            words.next().and_then(|word| word.parse().ok()) == Some(port) && words.next() == Some(FREE)
        }))
    }
}

impl Socket for VhciHub {
    fn plug(&self, topology: &str, enumerated: &Enumerated) -> io::Result<Plugged> {
        let port = topology
            .strip_prefix("1-")
            .and_then(|port| port.parse::<u8>().ok()?.checked_sub(1))
            .ok_or_else(|| io::Error::other(format!("`{topology}` is no port of vhci_hcd's root hub")))?;
        let (mut device, pipes) = build(enumerated, None, Arc::clone(&self.seen))?;
        let (ours, theirs) = UnixStream::pair()?;
        self.wait_until_free(port)?;
        let speed = match device.layout().speed {
            Speed::Full => 2,
            Speed::High => 3,
        };
        let id = (1_u32 << 16) | (u32::from(port) + 2);
        let order = format!("{port} {} {} {speed}", theirs.as_raw_fd(), id);
        let mut attach = fs::OpenOptions::new()
            .write(true)
            .open(self.controller.join("attach"))?;
        attach.write_all(order.as_bytes())?;
        let mut link = Link::new(ours, UsbIp)?;
        let stay = Stay::begin(topology, move |stop| {
            if let Err(error) = link.serve(&mut device, &stop) {
                log::warn!("the device at vhci port {port} fails: {error}");
            }
        })?;
        Ok(Plugged {
            pipes,
            nodes: Vec::new(),
            presence: Box::new(stay),
        })
    }
}
