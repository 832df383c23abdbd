//! Modules as devices of an emulated controller in QEMU: one Unix socket for each port of its hubs.

use std::collections::HashMap;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::sleep;
use std::time::{Duration, Instant};

use qpyflash_virtual::{Enumerated, Plugged, Socket};

use crate::device::{Device, Seen};
use crate::host::{Link, Served};
use crate::layout::Speed;
use crate::redir::{Redir, hello};
use crate::stay::{DeviceEnd, Stay, build};

/// How long QEMU may take to open its sockets, to greet, and to let a device go.
const WITHIN: Duration = Duration::from_secs(5);

/// The ports of QEMU's hubs. Topology paths are those that the guest sees. Clones are the same hubs.
#[derive(Debug, Clone)]
pub struct RedirectedHub {
    folder: PathBuf,
    /// The connections of ports that have no device now.
    links: Arc<Mutex<HashMap<String, Link<Redir>>>>,
    seen: Arc<Mutex<Seen>>,
}

impl RedirectedHub {
    /// Topology paths of the sockets on the root hub; its third port has the hub.
    pub const ROOT_SOCKETS: [&'static str; 2] = ["1-1", "1-2"];
    /// Topology paths of the sockets on the hub.
    pub const HUB_SOCKETS: [&'static str; 4] = ["1-3.1", "1-3.2", "1-3.3", "1-3.4"];

    /// The hubs whose ports have sockets in that folder, named by [`RedirectedHub::socket`].
    pub fn at(folder: &Path) -> Self {
        RedirectedHub {
            folder: folder.to_owned(),
            links: Arc::default(),
            seen: Arc::default(),
        }
    }

    /// The socket of one port.
    pub fn socket(folder: &Path, topology: &str) -> PathBuf {
        folder.join(format!("{topology}.socket"))
    }

    /// What the host has done to the devices on these hubs.
    pub fn seen(&self) -> Seen {
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn links(&self) -> MutexGuard<'_, HashMap<String, Link<Redir>>> {
        self.links.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The connection of a port, greeted.
    fn link(&self, topology: &str) -> io::Result<Link<Redir>> {
        if let Some(link) = self.links().remove(topology) {
            return Ok(link);
        }
        let path = Self::socket(&self.folder, topology);
        let began = Instant::now();
        let stream = loop {
            match UnixStream::connect(&path) {
                Ok(stream) => break stream,
                Err(error) if began.elapsed() > WITHIN => return Err(error),
                Err(_) => sleep(Duration::from_millis(10)),
            }
        };
        let mut link = Link::new(stream, Redir::default())?;
        hello(&mut link.out);
        while !link.protocol.is_greeted() {
            link.greet()?;
            if began.elapsed() > 2 * WITHIN {
                return Err(io::Error::other(format!(
                    "QEMU does not greet at {}",
                    path.display()
                )));
            }
        }
        Ok(link)
    }
}

impl Socket for RedirectedHub {
    fn plug(&self, topology: &str, enumerated: &Enumerated) -> io::Result<Plugged> {
        // QEMU's hub is a full-speed one.
        let speed = topology.contains('.').then_some(Speed::Full);
        let (mut device, pipes) = build(enumerated, speed, Arc::clone(&self.seen))?;
        let mut link = self.link(topology)?;
        link.protocol.connect(device.layout(), &mut link.out);
        let (hub, name) = (self.clone(), topology.to_owned());
        let stay = Stay::begin(topology, move |stop| match serve(&mut link, &mut device, &stop) {
            Ok(Served::Stopped) => drop(hub.links().insert(name, link)),
            Ok(Served::Released) => log::warn!("QEMU has closed the socket of {name}"),
            Err(error) => log::warn!("the device at {name} fails: {error}"),
        })?;
        Ok(Plugged {
            pipes,
            nodes: Vec::new(),
            presence: Box::new(stay),
        })
    }
}

/// Serves the device until it has to leave, and takes leave of QEMU.
fn serve(link: &mut Link<Redir>, device: &mut Device<DeviceEnd>, stop: &impl AsFd) -> io::Result<Served> {
    let served = link.serve(device, stop)?;
    if served == Served::Stopped {
        link.protocol.disconnect(&mut link.out);
        let began = Instant::now();
        while !link.take_leave(device)? {
            if began.elapsed() > WITHIN {
                return Err(io::Error::other("QEMU does not let the device go"));
            }
        }
    }
    Ok(served)
}
