//! The two ways in which virtual modules get onto a USB bus of the guest.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::sync::mpsc::Sender;
use std::time::Duration;

use qpyflash_usb_rig::{Hub, RedirectedHub, Remote, Report, Stage, play};

use super::debian::Debian;
use super::guest::{Boot, Guest};

/// Drivers of the modules.
const DRIVERS: [&str; 3] = ["option", "cdc-acm", "cdc-ether"];

/// A way onto the bus.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Door {
    /// The modules are in the guest, on the kernel's virtual host controller
    Vhci,
    /// The modules are on the host, on QEMU's xHCI controller and a hub
    Xhci,
}

/// What both ways need.
pub struct Stock<'a> {
    pub folder: &'a Path,
    pub debian: &'a Debian,
    pub programs: &'a [PathBuf],
    pub scenarios: &'a [String],
    pub options: &'a [String],
    pub within: Duration,
}

impl Door {
    /// Boots a guest and plays the scenarios; reports each as it ends.
    ///
    /// # Errors
    /// In words, when the guest did not end by itself.
    pub fn play(self, stock: &Stock, reports: &Sender<Report>) -> Result<(), String> {
        let played = match self {
            Door::Vhci => play_inside(stock, reports),
            Door::Xhci => play_outside(stock, reports),
        };
        played.map_err(|error| error.to_string())
    }
}

fn play_inside(stock: &Stock, reports: &Sender<Report>) -> Result<(), Box<dyn Error>> {
    let separator = (!stock.options.is_empty()).then(|| "--".to_owned());
    let verb = ["play", "/dev/ttyS1"].map(str::to_owned).into_iter();
    let arguments = verb.chain(stock.scenarios.iter().cloned()).chain(separator);
    let guest = Guest::boot(&Boot {
        name: "vhci",
        modules: &[&["vhci-hcd"], &DRIVERS[..]].concat(),
        devices: Vec::new(),
        arguments: arguments.chain(stock.options.iter().cloned()).collect(),
        ..stock.boot()
    })?;
    guest.watch(|report| drop(reports.send(report)))
}

fn play_outside(stock: &Stock, reports: &Sender<Report>) -> Result<(), Box<dyn Error>> {
    // The names of Unix sockets must be short.
    let sockets = tempfile::Builder::new().prefix("rig-").tempdir()?;
    let line = sockets.path().join("line");
    let guest = Guest::boot(&Boot {
        name: "xhci",
        modules: &[&["xhci-pci", "virtio-pci", "virtio-console"], &DRIVERS[..]].concat(),
        devices: devices(sockets.path(), &line),
        arguments: ["obey", "/dev/vport0p1"].map(str::to_owned).into(),
        ..stock.boot()
    })?;
    let watcher = std::thread::spawn(move || guest.watch(drop).map_err(|error| error.to_string()));
    let played = Remote::connect(&line).and_then(|machine| {
        let hub = Hub::Redirected(RedirectedHub::at(sockets.path()));
        let stage = Stage::new(hub, &machine, stock.options.to_vec());
        play(&stage, stock.scenarios, |report| drop(reports.send(report)));
        machine.end()
    });
    watcher.join().map_err(|_| "the watcher panicked")??;
    Ok(played?)
}

/// An xHCI controller with a hub in its third port, a socket for each port, and the serial line of the agent.
fn devices(folder: &Path, line: &Path) -> Vec<String> {
    let socket =
        |name: &str, path: &Path| format!("socket,id={name},path={},server=on,wait=off", path.display());
    let mut pairs = vec![
        ("-device", "qemu-xhci,id=usb".to_owned()),
        ("-device", "usb-hub,bus=usb.0,port=3".to_owned()),
        ("-device", "virtio-serial-pci".to_owned()),
        ("-chardev", socket("line", line)),
        ("-device", "virtserialport,chardev=line".to_owned()),
    ];
    for topology in RedirectedHub::ROOT_SOCKETS
        .iter()
        .chain(&RedirectedHub::HUB_SOCKETS)
    {
        let port = topology.trim_start_matches("1-");
        let name = format!("port{port}");
        pairs.push((
            "-chardev",
            socket(&name, &RedirectedHub::socket(folder, topology)),
        ));
        pairs.push((
            "-device",
            format!("usb-redir,chardev={name},bus=usb.0,port={port}"),
        ));
    }
    pairs
        .into_iter()
        .flat_map(|(option, value)| [option.to_owned(), value])
        .collect()
}

impl<'a> Stock<'a> {
    fn boot(&self) -> Boot<'a> {
        Boot {
            folder: self.folder,
            debian: self.debian,
            programs: self.programs,
            name: "",
            modules: &[],
            devices: Vec::new(),
            arguments: Vec::new(),
            within: self.within,
        }
    }
}
