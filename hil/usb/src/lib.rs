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
mod layout;
mod machine;
mod scenarios;
mod shapes;
mod stage;
mod stay;
mod subject;
mod usbip;
mod vhci;

pub use machine::{Call, Ended, Here, Machine, WORK};
pub use scenarios::{Report, SCENARIOS, Scenario, play};
pub use stage::{Hub, Stage};
pub use vhci::VhciHub;
