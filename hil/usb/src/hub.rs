//! Where modules are plugged in, and how its sockets are named.

use std::io;

use qpyflash_virtual::{Enumerated, Plugged, Socket};

use crate::device::Seen;
use crate::redirected::RedirectedHub;
use crate::vhci::VhciHub;

/// A hub of real kernel drivers.
#[derive(Debug, Clone)]
pub enum Hub {
    /// The root hub of `vhci_hcd`, in the same kernel.
    Vhci(VhciHub),
    /// The root hub of an xHCI controller in QEMU, and a hub in its third port.
    Redirected(RedirectedHub),
}

impl Hub {
    /// A short name.
    pub fn name(&self) -> &'static str {
        match self {
            Hub::Vhci(_) => "vhci",
            Hub::Redirected(_) => "xhci",
        }
    }

    /// Topology paths of sockets, the first two on the root hub.
    pub fn sockets(&self) -> [&'static str; 4] {
        match self {
            Hub::Vhci(_) => ["1-1", "1-2", "1-3", "1-4"],
            Hub::Redirected(_) => {
                let ([first, second], [third, fourth, ..]) =
                    (RedirectedHub::ROOT_SOCKETS, RedirectedHub::HUB_SOCKETS);
                [first, second, third, fourth]
            }
        }
    }

    /// Topology paths of sockets on one hub, which is not the root hub where there is another.
    pub fn hub_sockets(&self) -> [&'static str; 4] {
        match self {
            Hub::Vhci(_) => self.sockets(),
            Hub::Redirected(_) => RedirectedHub::HUB_SOCKETS,
        }
    }

    /// What the host has done to the devices on this hub.
    pub fn seen(&self) -> Seen {
        match self {
            Hub::Vhci(hub) => hub.seen(),
            Hub::Redirected(hub) => hub.seen(),
        }
    }

    /// Whether a device sees that its bus is reset. `vhci_hcd` keeps that to itself.
    pub fn shows_resets(&self) -> bool {
        matches!(self, Hub::Redirected(_))
    }
}

impl Socket for Hub {
    fn plug(&self, topology: &str, enumerated: &Enumerated) -> io::Result<Plugged> {
        match self {
            Hub::Vhci(hub) => hub.plug(topology, enumerated),
            Hub::Redirected(hub) => hub.plug(topology, enumerated),
        }
    }
}
