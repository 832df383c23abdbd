//! Virtual Quectel modules as USB devices of a real Linux kernel, and scenarios in which the real `qpyflash` writes
//! them through the kernel's own drivers.
//!
//! ```text
//! virtual module ─ pipe ─ device (descriptors, control requests, packets) ─┬─ usbip ─ vhci_hcd, in the same kernel
//!   qpyflash-virtual       this crate, no port and no clock                └─ redir ─ QEMU's xHCI, in a guest
//! ```
//! Like the virtual modules it is written from specifications alone. It never touches a real device.
#![cfg(unix)]

mod descriptors;
mod device;
mod host;
mod hub;
mod layout;
mod machine;
mod port;
mod redir;
mod redirected;
mod remote;
mod scenarios;
mod shapes;
mod stage;
mod stay;
pub mod subject;
#[cfg(test)]
mod tests;
mod usbip;
mod vhci;

pub use hub::Hub;
pub use machine::{Call, Ended, Here, Machine, WORK};
pub use redirected::RedirectedHub;
pub use remote::{Remote, obey};
pub use scenarios::{Report, SCENARIOS, Scenario, play};
pub use stage::Stage;
pub use vhci::VhciHub;
