//! What is asked of a USB device, and libusb's way to do it. Everything above this is tested without a device.

use std::fmt;
use std::time::Duration;

use qpyflash_protocols::WireError;
use rusb::{Context, DeviceHandle};

use super::greeting::{ClassRequest, TO_INTERFACE};
use super::transfer::{self, Events};

/// Time for a request on the control endpoint [?].
const CONTROL_WITHIN: Duration = Duration::from_secs(1);
/// GET_STATUS of the device: answered by every device that is there. Source: USB 2.0 §9.4.5.
const GET_STATUS: (u8, u8) = (0x80, 0x00);

/// An open device.
pub(super) trait Device: Send + Sync {
    /// One transfer to the host: ends when `into` is full, with a short packet, or soon after it is not wanted any
    /// more. No bytes are a packet without any. `into` must have room for whole packets.
    fn receive(&self, endpoint: u8, into: &mut [u8], is_wanted: &dyn Fn() -> bool) -> Carried;

    /// One transfer from the host; fewer bytes than given when it was not wanted any more.
    fn send(&self, endpoint: u8, bytes: &[u8], is_wanted: &dyn Fn() -> bool) -> Carried;

    /// A class request to an interface.
    fn request(&self, request: &ClassRequest) -> Result<(), Fault>;

    /// Lets a stalled endpoint go on.
    fn clear_halt(&self, endpoint: u8) -> Result<(), Fault>;

    /// Does it still answer on the bus?
    fn is_there(&self) -> bool;

    /// Has a driver taken the interface?
    fn has_driver(&self, interface: u8) -> bool;

    /// Takes the interface from its driver.
    fn detach_driver(&self, interface: u8) -> Result<(), Fault>;

    /// Lets drivers have the interface.
    fn attach_driver(&self, interface: u8) -> Result<(), Fault>;

    /// Takes the interface for this program.
    fn claim(&self, interface: u8, setting: u8) -> Result<(), Fault>;

    /// Lets go of the interface.
    fn release(&self, interface: u8) -> Result<(), Fault>;
}

/// What has become of a transfer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Carried {
    /// Bytes that have crossed the bus, however it ended.
    pub bytes: usize,
    pub end: Result<(), Fault>,
}

impl Carried {
    /// Nothing has crossed the bus.
    pub const fn failed(fault: Fault) -> Self {
        Carried {
            bytes: 0,
            end: Err(fault),
        }
    }
}

/// What a device or libusb says no with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Fault {
    /// The time of a request was up.
    Late,
    /// The endpoint is halted, or the request is refused.
    Stalled,
    /// More came than there was room for: bytes are lost.
    Overflow,
    /// The device has left.
    Gone,
    /// The user may not.
    Denied,
    /// Somebody else has it.
    Busy,
    /// This system cannot do that with this device.
    Unsupported,
    /// Anything else: the device may have left, or the cable be bad.
    Failed(String),
}

impl From<rusb::Error> for Fault {
    fn from(error: rusb::Error) -> Self {
        match error {
            rusb::Error::Timeout | rusb::Error::Interrupted => Fault::Late,
            rusb::Error::Pipe => Fault::Stalled,
            rusb::Error::Overflow => Fault::Overflow,
            rusb::Error::NoDevice => Fault::Gone,
            rusb::Error::Access => Fault::Denied,
            rusb::Error::Busy => Fault::Busy,
            rusb::Error::NotSupported => Fault::Unsupported,
            rusb::Error::Io => Fault::Failed("the transfer failed on the bus".into()),
            other => Fault::Failed(other.to_string()),
        }
    }
}

impl Fault {
    /// What it means to a session. A device that leaves is noticed by some transfers before the system knows, so one
    /// that fails without a reason asks whether it is there.
    pub fn into_wire(self, device: &impl Device, endpoint: u8) -> WireError {
        match self {
            Fault::Gone => WireError::Gone,
            Fault::Failed(_) if !device.is_there() => WireError::Gone,
            why => WireError::Failed(format!("USB endpoint 0x{endpoint:02x}: {why}")),
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Fault::Gone => "the module left the bus",
            Fault::Failed(why) => why,
            Fault::Late => "the time is up",
            Fault::Stalled => "it has stalled again",
            Fault::Overflow => "the module sent more than was asked for",
            Fault::Denied => "no permission",
            Fault::Busy => "another program has taken the interface",
            Fault::Unsupported => "this system cannot do that",
        })
    }
}

/// A device that libusb has opened.
pub(super) struct LibUsb {
    /// Ends before the device is closed.
    _events: Events,
    handle: DeviceHandle<Context>,
}

impl LibUsb {
    pub fn new(handle: DeviceHandle<Context>) -> Self {
        LibUsb {
            _events: Events::start(handle.context()),
            handle,
        }
    }
}

impl Device for LibUsb {
    fn receive(&self, endpoint: u8, into: &mut [u8], is_wanted: &dyn Fn() -> bool) -> Carried {
        transfer::receive(&self.handle, endpoint, into, is_wanted)
    }

    fn send(&self, endpoint: u8, bytes: &[u8], is_wanted: &dyn Fn() -> bool) -> Carried {
        transfer::send(&self.handle, endpoint, bytes, is_wanted)
    }

    fn request(&self, request: &ClassRequest) -> Result<(), Fault> {
        let ClassRequest {
            request,
            value,
            index,
            data,
        } = request;
        self.handle
            .write_control(TO_INTERFACE, *request, *value, *index, data, CONTROL_WITHIN)?;
        Ok(())
    }

    fn clear_halt(&self, endpoint: u8) -> Result<(), Fault> {
        Ok(self.handle.clear_halt(endpoint)?)
    }

    fn is_there(&self) -> bool {
        let (kind, request) = GET_STATUS;
        self.handle
            .read_control(kind, request, 0, 0, &mut [0; 2], CONTROL_WITHIN)
            .is_ok()
    }

    fn has_driver(&self, interface: u8) -> bool {
        self.handle.kernel_driver_active(interface).unwrap_or(false)
    }

    fn detach_driver(&self, interface: u8) -> Result<(), Fault> {
        Ok(self.handle.detach_kernel_driver(interface)?)
    }

    fn attach_driver(&self, interface: u8) -> Result<(), Fault> {
        Ok(self.handle.attach_kernel_driver(interface)?)
    }

    fn claim(&self, interface: u8, setting: u8) -> Result<(), Fault> {
        self.handle.claim_interface(interface)?;
        match setting {
            // Every interface begins in it, and some firmware stalls the request.
            0 => Ok(()),
            setting => Ok(self.handle.set_alternate_setting(interface, setting)?),
        }
    }

    fn release(&self, interface: u8) -> Result<(), Fault> {
        Ok(self.handle.release_interface(interface)?)
    }
}
