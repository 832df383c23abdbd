//! Which modules are attached, where, and in which mode. Where a module is, never what it is.

mod attached;
mod download_mode;
mod find;
mod sysfs;
mod topology;
pub mod usb_ids;
mod usb_list;
mod virtual_bus;

pub use attached::{Attached, Port, attached};
pub use download_mode::{
    Appeared, Deadlines, Watch, await_any_in_download_mode, await_blank, await_download_mode, await_restart,
};
pub use find::{Module, find};
pub use topology::TopologyPath;
pub use usb_ids::Mode;
pub use virtual_bus::name as virtual_bus_name;
