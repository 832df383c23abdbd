//! Which modules are attached, where, and in which mode. Where a module is, never what it is.

mod attached;
mod dbus;
mod download_mode;
mod find;
mod follow;
mod host;
mod inhibit;
mod inventory;
mod settling;
mod sysfs;
mod topology;
pub mod udev;
pub mod usb_ids;
mod usb_list;
mod usb_page;
mod virtual_bus;

pub use attached::{Attached, Interface, Port, Unbound, attached, survey};
pub use download_mode::{
    Appeared, Deadlines, Watch, await_any_in_download_mode, await_blank, await_download_mode, await_leaving,
    await_restart,
};
pub use find::{Module, find};
pub use follow::{Change, Follower, follow};
pub use inhibit::Inhibited;
pub use inventory::{Inventory, Listed, Other, inventory};
pub(crate) use settling::Settling;
#[cfg(target_os = "linux")]
pub(crate) use sysfs::device as sysfs_device;
pub use topology::TopologyPath;
pub use usb_ids::Mode;
pub use usb_list::{Bus, Speed, UsbEntry, UsbInterface};
pub use usb_page::usb_page;
pub use virtual_bus::name as virtual_bus_name;
