//! What carries the bytes of a run.

use serde::Serialize;

use crate::link::Address;
use crate::module::Module;

/// What carries the bytes to a module.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Carrier {
    /// A UART, behind an adapter that is not the module's.
    Uart,
    /// A port that a server on the network serves: a UART as far as can be known from here.
    Network,
    /// The port that a driver has made of the module's USB interface.
    Tty,
    /// The module's USB interface itself.
    Usb,
}

impl Carrier {
    pub(super) fn of(module: &Module, address: &Address) -> Self {
        match (address, &module.attached) {
            (Address::Usb(_), _) => Carrier::Usb,
            (Address::Remote(_), _) => Carrier::Network,
            (Address::Tty(_), Some(_)) => Carrier::Tty,
            (Address::Tty(_), None) => Carrier::Uart,
        }
    }

    /// The words for a note.
    pub(super) const fn words(self) -> &'static str {
        match self {
            Carrier::Uart => "a port that belongs to no module on the bus",
            Carrier::Network => "a port on the network, which is taken for a UART",
            Carrier::Tty => "its driver's port",
            Carrier::Usb => "raw USB",
        }
    }
}
