//! Raw USB: a serial function of a module, with no driver in between.
//!
//! ```text
//! find      the device in its socket, still with the same id
//! choose    interfaces and endpoints, by its descriptors             function.rs
//! take      the interfaces from their drivers                        claim.rs
//! greet     the class requests of the platform                       greeting.rs
//! carry     two byte streams over two bulk endpoints                 streams.rs
//! give back the interfaces to their drivers                          claim.rs
//! ```
//!
//! It must never take an interface whose port another program has open. A program that is killed gives nothing back:
//! the port then stays away until the module is replugged.

mod claim;
mod device;
#[cfg(test)]
mod fake;
mod function;
mod greeting;
mod streams;
#[cfg(test)]
mod tests;
mod transfer;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use qpyflash_protocols::WireError;
use rusb::UsbContext;

use self::claim::Claimed;
use self::device::{Device, Fault, LibUsb};
use self::function::{Endpoint, Function, Interface};
use self::streams::Streams;
use super::{OpenError, Pipe, Rights, UsbAddress, holder};

/// The bits of wMaxPacketSize that are one. Source: USB 2.0 §9.6.6.
const PACKET_BITS: u16 = 0x07FF;

/// An open serial function.
struct RawUsb<D: Device> {
    streams: Streams,
    claimed: Claimed<D>,
    device: Arc<D>,
    function: Function,
    id: (u16, u16),
}

/// Opens the function that the interface belongs to.
///
/// # Errors
/// [`OpenError`] tells a missing device from a forbidden and a busy one.
pub(super) fn open(address: &UsbAddress, baud: u32) -> Result<Box<dyn Pipe>, OpenError> {
    let name = address.to_string();
    let found = find(address).map_err(|fault| refused(fault.into(), &name, None))?;
    let found = found.ok_or_else(|| OpenError::Missing(name.clone()))?;
    let node = node(&found);
    let sorted = |fault: Fault| refused(fault, &name, node.as_deref());
    let handle = found.open().map_err(|error| sorted(error.into()))?;
    let interfaces = interfaces(&handle).map_err(|error| sorted(error.into()))?;
    let function =
        Function::of(address.interface, &interfaces).ok_or_else(|| OpenError::NotAPort(name.clone()))?;
    leave_what_is_in_use(address, &function)?;
    let id = (address.vid, address.pid);
    let raw = RawUsb::begin(Arc::new(LibUsb::new(handle)), function, id, baud).map_err(sorted)?;
    Ok(Box::new(raw))
}

/// A port that another program has open is not taken from it.
fn leave_what_is_in_use(address: &UsbAddress, function: &Function) -> Result<(), OpenError> {
    let ours = |number: &u8| function.interfaces().any(|interface| interface == *number);
    let mut ttys = address.ttys.iter().filter(|(number, _)| ours(number));
    let in_use = ttys.find_map(|(_, tty)| Some((tty, holder(Path::new("/proc"), tty)?)));
    in_use.map_or(Ok(()), |(tty, holder)| {
        Err(OpenError::Busy {
            port: tty.display().to_string(),
            holder: Some(holder),
        })
    })
}

impl<D: Device + 'static> RawUsb<D> {
    /// Takes the interfaces, greets, and begins to listen.
    fn begin(device: Arc<D>, function: Function, id: (u16, u16), baud: u32) -> Result<Self, Fault> {
        let claimed = Claimed::take(device.clone(), &function)?;
        for request in greeting::greeting(id.0, id.1, &function, baud) {
            match device.request(&request) {
                Err(Fault::Gone) => return Err(Fault::Gone),
                // Like the lines of a port that has none: some firmware refuses what changes nothing for it.
                Err(why) => log::debug!("class request 0x{:02x}: {why:?}", request.request),
                Ok(()) => {}
            }
        }
        Ok(RawUsb {
            streams: Streams::start(&device, &function),
            claimed,
            device,
            function,
            id,
        })
    }
}

impl<D: Device> Pipe for RawUsb<D> {
    fn write(&mut self, bytes: &[u8], within: Duration) -> Result<usize, WireError> {
        self.streams.write(bytes, within)
    }

    fn read(&mut self, into: &mut [u8], within: Duration) -> Result<usize, WireError> {
        self.streams.read(into, within)
    }

    fn set_baud(&mut self, baud: u32) -> Result<(), WireError> {
        match greeting::new_speed(self.id.0, self.id.1, &self.function, baud)
            .map(|it| self.device.request(&it))
        {
            Some(Err(Fault::Gone)) => Err(WireError::Gone),
            // Its bytes are packets: a function that knows no speed carries them all the same.
            Some(Err(_) | Ok(())) | None => Ok(()),
        }
    }

    fn close(&mut self) -> Vec<String> {
        self.streams.stop();
        self.claimed.give_back()
    }
}

/// The device in that socket, if it is still the same.
fn find(address: &UsbAddress) -> rusb::Result<Option<rusb::Device<rusb::Context>>> {
    let is_meant = |device: &rusb::Device<rusb::Context>| {
        let sits = device.bus_number() == address.topology.bus()
            && device
                .port_numbers()
                .is_ok_and(|chain| chain == address.topology.chain());
        let id = device
            .device_descriptor()
            .map(|it| (it.vendor_id(), it.product_id()));
        sits && id == Ok((address.vid, address.pid))
    };
    Ok(rusb::Context::new()?.devices()?.iter().find(is_meant))
}

/// The interfaces of the configuration in use; a device that nobody has configured gets its first.
fn interfaces(handle: &rusb::DeviceHandle<rusb::Context>) -> rusb::Result<Vec<Interface>> {
    let device = handle.device();
    let configuration = match device.active_config_descriptor() {
        Ok(configuration) => configuration,
        Err(rusb::Error::NotFound) => {
            let first = device.config_descriptor(0)?;
            handle.set_active_configuration(first.number())?;
            first
        }
        Err(error) => return Err(error),
    };
    let settings = configuration
        .interfaces()
        .flat_map(|interface| interface.descriptors());
    Ok(settings.map(|setting| described(&setting)).collect())
}

fn described(setting: &rusb::InterfaceDescriptor<'_>) -> Interface {
    let bulk = setting
        .endpoint_descriptors()
        .filter(|endpoint| endpoint.transfer_type() == rusb::TransferType::Bulk);
    Interface {
        number: setting.interface_number(),
        setting: setting.setting_number(),
        class: [setting.class_code(), setting.sub_class_code()],
        bulk: bulk
            .map(|endpoint| Endpoint {
                address: endpoint.address(),
                packet: usize::from(endpoint.max_packet_size() & PACKET_BITS),
            })
            .collect(),
        extra: setting.extra().to_vec(),
    }
}

/// The node whose rights decide, on Linux.
fn node(device: &rusb::Device<rusb::Context>) -> Option<PathBuf> {
    let node = format!("/dev/bus/usb/{:03}/{:03}", device.bus_number(), device.address());
    cfg!(target_os = "linux").then(|| node.into())
}

/// Why a device cannot be had, about the node where there is one.
fn refused(fault: Fault, name: &str, node: Option<&Path>) -> OpenError {
    let port = node.map_or(name.to_owned(), |node| node.display().to_string());
    let why = match fault {
        Fault::Gone => return OpenError::Missing(name.to_owned()),
        Fault::Denied => {
            let rights = node.and_then(|node| Rights::of(node, Path::new("/etc")));
            return OpenError::Denied { port, rights };
        }
        Fault::Busy => return OpenError::Busy { port, holder: None },
        Fault::Unsupported => "this system lets no program talk to it past its driver".into(),
        Fault::Failed(why) => why,
        Fault::Late => "it does not answer".into(),
        Fault::Stalled | Fault::Overflow => "it refuses".into(),
    };
    OpenError::Failed {
        port: name.to_owned(),
        why,
    }
}
