//! What usbmon and USBPcap say about a transfer: its submission and its completion.
//!
//! ```text
//! usbmon     id u64 | 'S' 'C' 'E' | transfer u8 | endpoint u8 | device u8 | bus u16 | setup? | data? | seconds i64
//!            microseconds i32 | status i32 | length u32 | captured u32 | setup [8]       189: 48 bytes
//!            interval i32 | start i32 | flags u32 | descriptors u32                      220: 16 more, then those
//! USBPcap    head u16 | irp u64 | status u32 | function u16 | info u8 | bus u16 | device u16 | endpoint u8
//!            transfer u8 | length u32 | control only: stage u8                           249: little-endian
//! ```
//!
//! Source: Linux, Documentation/usb/usbmon.rst; USBPcap, USBPcap.h.

use super::bus::DeviceNumber;
use super::capture::Packet;

/// Link types. Source: <https://www.tcpdump.org/linktypes.html>.
const USB_LINUX: u32 = 189;
const USB_LINUX_MMAPPED: u32 = 220;
const USBPCAP: u32 = 249;
/// Bytes of usbmon's heads, and of one isochronous descriptor behind the longer.
const HEAD: usize = 48;
const LONG_HEAD: usize = 64;
const DESCRIPTOR: usize = 16;
/// Bytes of USBPcap's head, and where the stage of a control transfer stands.
const USBPCAP_HEAD: usize = 27;
/// USBPcap's info: the packet goes from the device's driver to whoever asked.
const COMPLETES: u8 = 1;
/// Stages of a control transfer. Source: USBPcap.h.
const STAGE_SETUP: u8 = 0;
/// bEndpointAddress: towards the host.
pub(super) const IN: u8 = 0x80;

/// Kinds of transfers that matter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Control,
    Bulk,
    /// Isochronous and interrupt.
    Else,
}

/// Where in its life a transfer is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    /// The host has asked for it.
    Submitted,
    /// It is over; so many bytes were carried, or all that were asked for.
    Completed(Option<u32>),
    /// It never began.
    Refused,
}

/// One event of a transfer.
#[derive(Debug)]
pub(super) struct Urb<'p> {
    /// Tells a transfer from all others that are under way.
    pub id: u64,
    pub device: DeviceNumber,
    /// bEndpointAddress.
    pub endpoint: u8,
    pub kind: Kind,
    pub stage: Stage,
    /// Bytes the host has asked for, or was given.
    pub length: u32,
    /// The request of a control transfer.
    pub setup: Option<[u8; 8]>,
    /// What was captured of the bytes.
    pub data: &'p [u8],
    /// When, in microseconds.
    pub micros: i64,
}

impl<'p> Urb<'p> {
    /// Nothing when the packet is something else, or too short to be anything.
    pub fn parse(packet: &'p Packet<'_>) -> Option<Urb<'p>> {
        match packet.link {
            USB_LINUX => usbmon(packet, HEAD),
            USB_LINUX_MMAPPED => usbmon(packet, LONG_HEAD),
            USBPCAP => usbpcap(packet),
            _ => None,
        }
    }
}

/// Numbers of a head, in the byte order of who captured.
struct Numbers<'p> {
    bytes: &'p [u8],
    big_endian: bool,
}

impl Numbers<'_> {
    fn bytes<const N: usize>(&self, at: usize) -> Option<[u8; N]> {
        let mut bytes: [u8; N] = *self.bytes.get(at..)?.first_chunk()?;
        if self.big_endian {
            bytes.reverse();
        }
        Some(bytes)
    }

    fn u16(&self, at: usize) -> Option<u16> {
        self.bytes(at).map(u16::from_le_bytes)
    }

    fn u32(&self, at: usize) -> Option<u32> {
        self.bytes(at).map(u32::from_le_bytes)
    }

    fn u64(&self, at: usize) -> Option<u64> {
        self.bytes(at).map(u64::from_le_bytes)
    }
}

fn usbmon<'p>(packet: &'p Packet<'_>, head: usize) -> Option<Urb<'p>> {
    let bytes: &[u8] = &packet.data;
    let numbers = Numbers {
        bytes,
        big_endian: packet.big_endian,
    };
    let length = numbers.u32(32)?;
    let descriptors = match head {
        LONG_HEAD => numbers.u32(60)? as usize,
        _ => 0,
    };
    let data = head.checked_add(descriptors.checked_mul(DESCRIPTOR)?)?;
    let captured = numbers.u32(36)? as usize;
    let data = bytes.get(data..)?;
    let seconds = i64::from_le_bytes(numbers.bytes(16)?);
    let micros = i32::from_le_bytes(numbers.bytes(24)?);
    let kind = match *bytes.get(9)? {
        2 => Kind::Control,
        3 => Kind::Bulk,
        _ => Kind::Else,
    };
    Some(Urb {
        id: numbers.u64(0)?,
        device: DeviceNumber {
            bus: numbers.u16(12)?,
            device: (*bytes.get(11)?).into(),
        },
        endpoint: *bytes.get(10)?,
        kind,
        stage: match *bytes.get(8)? {
            b'S' => Stage::Submitted,
            b'C' => Stage::Completed(Some(length)),
            b'E' => Stage::Refused,
            _ => return None,
        },
        length,
        setup: (*bytes.get(14)? == 0 && kind == Kind::Control)
            .then(|| bytes.get(40..).and_then(|rest| rest.first_chunk()).copied())
            .flatten(),
        data: &data[..data.len().min(captured)],
        micros: seconds.saturating_mul(1_000_000).saturating_add(micros.into()),
    })
}

fn usbpcap<'p>(packet: &'p Packet<'_>) -> Option<Urb<'p>> {
    let bytes: &[u8] = &packet.data;
    let numbers = Numbers {
        bytes,
        big_endian: false,
    };
    let head = usize::from(numbers.u16(0)?).max(USBPCAP_HEAD);
    let length = numbers.u32(23)?;
    let data = bytes.get(head..)?;
    let endpoint = *bytes.get(21)?;
    let kind = match *bytes.get(22)? {
        2 => Kind::Control,
        3 => Kind::Bulk,
        _ => Kind::Else,
    };
    let completes = bytes.get(16)? & COMPLETES != 0;
    let is_setup = kind == Kind::Control && !completes && bytes.get(USBPCAP_HEAD) == Some(&STAGE_SETUP);
    let status = numbers.u32(10)?;
    Some(Urb {
        id: numbers.u64(2)?,
        device: DeviceNumber {
            bus: numbers.u16(17)?,
            device: numbers.u16(19)?,
        },
        endpoint,
        kind,
        stage: match (completes, endpoint & IN != 0) {
            (false, _) => Stage::Submitted,
            (true, true) => Stage::Completed(Some(length)),
            // How much of a failed write has gone is not told.
            (true, false) if status != 0 => Stage::Refused,
            (true, false) => Stage::Completed(None),
        },
        length,
        setup: is_setup.then(|| data.first_chunk().copied()).flatten(),
        data: &data[..data.len().min(length as usize)],
        micros: packet.micros,
    })
}
