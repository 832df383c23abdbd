//! What is asked of a USB device, and libusb's way to do it. Everything above this is tested without a device.

use std::time::Duration;

use qpyflash_protocols::WireError;

use super::greeting::{ClassRequest, TO_INTERFACE};

/// Time for a request on the control endpoint [?].
const CONTROL_WITHIN: Duration = Duration::from_secs(1);
/// GET_STATUS of the device: answered by every device that is there. Source: USB 2.0 §9.4.5.
const GET_STATUS: (u8, u8) = (0x80, 0x00);

/// An open device.
pub(super) trait Device: Send + Sync {
    /// One transfer to the host: ends when `into` is full, with a short packet, or when the time is up and some bytes
    /// have come. 0 is a packet without bytes. `into` must have room for whole packets.
    fn receive(&self, endpoint: u8, into: &mut [u8], within: Duration) -> Result<usize, Fault>;

    /// One transfer from the host; fewer bytes than given when the time is up.
    fn send(&self, endpoint: u8, bytes: &[u8], within: Duration) -> Result<usize, Fault>;

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

/// What a device or libusb says no with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Fault {
    /// The time was up and nothing had been carried.
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
        let what = match self {
            Fault::Gone => return WireError::Gone,
            Fault::Failed(_) if !device.is_there() => return WireError::Gone,
            Fault::Failed(why) => why,
            Fault::Late => "the time is up".into(),
            Fault::Stalled => "it has stalled again".into(),
            Fault::Overflow => "the module sent more than was asked for".into(),
            Fault::Denied => "no permission".into(),
            Fault::Busy => "another program has taken the interface".into(),
            Fault::Unsupported => "this system cannot do that".into(),
        };
        WireError::Failed(format!("USB endpoint 0x{endpoint:02x}: {what}"))
    }
}

/// A device that libusb has opened.
pub(super) struct LibUsb(pub rusb::DeviceHandle<rusb::Context>);

impl LibUsb {
    /// libusb takes 0 for no end.
    fn at_least_a_millisecond(within: Duration) -> Duration {
        within.max(Duration::from_millis(1))
    }
}

impl Device for LibUsb {
    fn receive(&self, endpoint: u8, into: &mut [u8], within: Duration) -> Result<usize, Fault> {
        Ok(self
            .0
            .read_bulk(endpoint, into, Self::at_least_a_millisecond(within))?)
    }

    fn send(&self, endpoint: u8, bytes: &[u8], within: Duration) -> Result<usize, Fault> {
        Ok(self
            .0
            .write_bulk(endpoint, bytes, Self::at_least_a_millisecond(within))?)
    }

    fn request(&self, request: &ClassRequest) -> Result<(), Fault> {
        let ClassRequest {
            request,
            value,
            index,
            data,
        } = request;
        self.0
            .write_control(TO_INTERFACE, *request, *value, *index, data, CONTROL_WITHIN)?;
        Ok(())
    }

    fn clear_halt(&self, endpoint: u8) -> Result<(), Fault> {
        Ok(self.0.clear_halt(endpoint)?)
    }

    fn is_there(&self) -> bool {
        let (kind, request) = GET_STATUS;
        self.0
            .read_control(kind, request, 0, 0, &mut [0; 2], CONTROL_WITHIN)
            .is_ok()
    }

    fn has_driver(&self, interface: u8) -> bool {
        self.0.kernel_driver_active(interface).unwrap_or(false)
    }

    fn detach_driver(&self, interface: u8) -> Result<(), Fault> {
        Ok(self.0.detach_kernel_driver(interface)?)
    }

    fn attach_driver(&self, interface: u8) -> Result<(), Fault> {
        Ok(self.0.attach_kernel_driver(interface)?)
    }

    fn claim(&self, interface: u8, setting: u8) -> Result<(), Fault> {
        self.0.claim_interface(interface)?;
        match setting {
            // Every interface begins in it, and some firmware stalls the request.
            0 => Ok(()),
            setting => Ok(self.0.set_alternate_setting(interface, setting)?),
        }
    }

    fn release(&self, interface: u8) -> Result<(), Fault> {
        Ok(self.0.release_interface(interface)?)
    }
}
