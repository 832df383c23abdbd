//! The usb-redir protocol, spoken to QEMU as the side that has the device. Numbers are little-endian. Source: usbredir's
//! docs/usb-redirection-protocol.md, version 0.7.

use std::io;

use crate::device::{Completion, Status, TO_HOST, Transfer};
use crate::host::{Command, Incoming, Protocol};
use crate::layout::{Layout, Speed};

/// Packet types.
mod kind {
    pub const HELLO: u32 = 0;
    pub const DEVICE_CONNECT: u32 = 1;
    pub const DEVICE_DISCONNECT: u32 = 2;
    pub const RESET: u32 = 3;
    pub const INTERFACE_INFO: u32 = 4;
    pub const EP_INFO: u32 = 5;
    pub const SET_CONFIGURATION: u32 = 6;
    pub const GET_CONFIGURATION: u32 = 7;
    pub const CONFIGURATION_STATUS: u32 = 8;
    pub const SET_ALT_SETTING: u32 = 9;
    pub const GET_ALT_SETTING: u32 = 10;
    pub const ALT_SETTING_STATUS: u32 = 11;
    pub const START_INTERRUPT_RECEIVING: u32 = 15;
    pub const STOP_INTERRUPT_RECEIVING: u32 = 16;
    pub const INTERRUPT_RECEIVING_STATUS: u32 = 17;
    pub const CANCEL_DATA_PACKET: u32 = 21;
    pub const DEVICE_DISCONNECT_ACK: u32 = 24;
    pub const CONTROL: u32 = 100;
    pub const BULK: u32 = 101;
}

/// What this side can do: device versions, acknowledged disconnects, packet sizes, 64-bit ids, 32-bit bulk lengths.
const CAPABILITIES: u32 = (1 << 1) | (1 << 3) | (1 << 4) | (1 << 5) | (1 << 6);
const VERSION_BYTES: usize = 64;
/// Bytes of a packet's header before the hello has been exchanged, and after.
const SHORT_HEADER_BYTES: usize = 12;
const HEADER_BYTES: usize = 16;
const CONTROL_BYTES: usize = 10;
const BULK_BYTES: usize = 10;
/// Places in the tables of endpoints and interfaces.
const PLACES: usize = 32;
/// Longest packet that is believed.
const LONGEST_BYTES: usize = 16 << 20;

/// SET_CONFIGURATION, GET_CONFIGURATION, SET_INTERFACE and GET_INTERFACE as the device knows them.
const SET_CONFIGURATION: [u8; 2] = [0x00, 9];
const GET_CONFIGURATION: [u8; 2] = [0x80, 8];
const SET_INTERFACE: [u8; 2] = [0x01, 11];
const GET_INTERFACE: [u8; 2] = [0x81, 10];

/// One connection to QEMU, which outlives the stays of a device.
#[derive(Debug, Default)]
pub struct Redir {
    /// QEMU has said hello, and can do everything that this side can.
    is_greeted: bool,
    /// The tables of the device that is connected.
    tables: Vec<u8>,
}

/// This side's hello.
pub fn hello(out: &mut Vec<u8>) {
    let mut body = [0; VERSION_BYTES + 4];
    let name = b"qpyflash usb rig";
    body[..name.len()].copy_from_slice(name);
    body[VERSION_BYTES..].copy_from_slice(&CAPABILITIES.to_le_bytes());
    for word in [kind::HELLO, body.len() as u32, 0] {
        out.extend(word.to_le_bytes());
    }
    out.extend(body);
}

impl Redir {
    /// Whether packets can be sent.
    pub fn is_greeted(&self) -> bool {
        self.is_greeted
    }

    /// Says that a device is connected.
    pub fn connect(&mut self, layout: &Layout, out: &mut Vec<u8>) {
        self.tables.clear();
        put(&mut self.tables, kind::EP_INFO, 0, &endpoint_table(layout));
        put(
            &mut self.tables,
            kind::INTERFACE_INFO,
            0,
            &interface_table(layout),
        );
        out.extend(&self.tables);
        let speed = match layout.speed {
            Speed::Full => 1,
            Speed::High => 2,
        };
        let [class, subclass, protocol] = layout.shape.class;
        let mut body = vec![speed, class, subclass, protocol];
        for number in [layout.vid, layout.pid, layout.release] {
            body.extend(number.to_le_bytes());
        }
        put(out, kind::DEVICE_CONNECT, 0, &body);
    }

    /// Says that the device is gone. QEMU acknowledges it.
    pub fn disconnect(&mut self, out: &mut Vec<u8>) {
        put(out, kind::DEVICE_DISCONNECT, 0, &[]);
    }

    fn command(
        &mut self,
        packet: u32,
        id: u64,
        body: &[u8],
        out: &mut Vec<u8>,
    ) -> io::Result<Option<Command>> {
        let request = |[request_type, request]: [u8; 2], value: u8, index: u8| {
            let length = (request_type & TO_HOST) >> 7;
            Some(Command::Submit(Transfer {
                id,
                endpoint: request_type & TO_HOST,
                setup: [request_type, request, value, 0, index, 0, length, 0],
                length: usize::from(length),
                ..Transfer::default()
            }))
        };
        Ok(match (packet, body) {
            (kind::HELLO, [_, ..]) => {
                let theirs = body.get(VERSION_BYTES..VERSION_BYTES + 4).unwrap_or_default();
                let theirs = <[u8; 4]>::try_from(theirs).map_or(0, u32::from_le_bytes);
                if theirs & CAPABILITIES != CAPABILITIES {
                    return Err(io::Error::other(format!("QEMU can only {theirs:#x}")));
                }
                self.is_greeted = true;
                None
            }
            (kind::RESET, []) => Some(Command::Reset),
            (kind::SET_CONFIGURATION, [value]) => request(SET_CONFIGURATION, *value, 0),
            (kind::GET_CONFIGURATION, []) => request(GET_CONFIGURATION, 0, 0),
            (kind::SET_ALT_SETTING, [interface, value]) => request(SET_INTERFACE, *value, *interface),
            (kind::GET_ALT_SETTING, [interface]) => request(GET_INTERFACE, 0, *interface),
            (kind::START_INTERRUPT_RECEIVING | kind::STOP_INTERRUPT_RECEIVING, [endpoint]) => {
                put(out, kind::INTERRUPT_RECEIVING_STATUS, id, &[0, *endpoint]);
                None
            }
            (kind::CANCEL_DATA_PACKET, []) => Some(Command::Cancel { id, victim: id }),
            (kind::DEVICE_DISCONNECT_ACK, []) => Some(Command::MayLeave),
            (kind::CONTROL, body) => Some(Command::Submit(
                control(id, body).ok_or_else(|| malformed(packet))?,
            )),
            (kind::BULK, body) => Some(Command::Submit(bulk(id, body).ok_or_else(|| malformed(packet))?)),
            // Filters, streams and kinds of transfer that the device has no endpoint for.
            _ => None,
        })
    }
}

fn malformed(packet: u32) -> io::Error {
    io::Error::other(format!("a malformed packet of type {packet}"))
}

/// endpoint, request, request type, status, value, index, length, data
fn control(id: u64, body: &[u8]) -> Option<Transfer> {
    let [endpoint, request, request_type, _, v0, v1, i0, i1, l0, l1] =
        *body.first_chunk::<CONTROL_BYTES>()?;
    Some(Transfer {
        id,
        endpoint: endpoint & TO_HOST,
        setup: [request_type, request, v0, v1, i0, i1, l0, l1],
        length: usize::from(u16::from_le_bytes([l0, l1])),
        data: body[CONTROL_BYTES..].to_vec(),
        ends_with_zero_packet: false,
    })
}

/// endpoint, status, low half of the length, stream, high half of the length, data
fn bulk(id: u64, body: &[u8]) -> Option<Transfer> {
    let [endpoint, _, l0, l1, _, _, _, _, l2, l3] = *body.first_chunk::<BULK_BYTES>()?;
    Some(Transfer {
        id,
        endpoint,
        length: u32::from_le_bytes([l0, l1, l2, l3]) as usize,
        data: body[BULK_BYTES..].to_vec(),
        ..Transfer::default()
    })
}

impl Protocol for Redir {
    fn next(&mut self, incoming: &mut Incoming, out: &mut Vec<u8>) -> io::Result<Option<Command>> {
        loop {
            let header_bytes = if self.is_greeted {
                HEADER_BYTES
            } else {
                SHORT_HEADER_BYTES
            };
            let Some(header) = incoming.peek(header_bytes) else {
                return Ok(None);
            };
            let word = |place: usize| {
                u32::from_le_bytes([
                    header[place],
                    header[place + 1],
                    header[place + 2],
                    header[place + 3],
                ])
            };
            let high = if self.is_greeted { word(12) } else { 0 };
            let (packet, length) = (word(0), word(4) as usize);
            let id = u64::from(word(8)) | u64::from(high) << 32;
            if length > LONGEST_BYTES {
                return Err(io::Error::other(format!("a packet of {length} bytes")));
            }
            let Some(message) = incoming.peek(header_bytes + length) else {
                return Ok(None);
            };
            let body = message[header_bytes..].to_vec();
            incoming.skip(header_bytes + length);
            if let Some(command) = self.command(packet, id, &body, out)? {
                return Ok(Some(command));
            }
        }
    }

    fn completed(&mut self, completion: &Completion, out: &mut Vec<u8>) {
        let status = match completion.status {
            Status::Done => 0,
            Status::Cancelled => 1,
            Status::Stall => 4,
            Status::Babble => 6,
        };
        let setup = completion.setup;
        let first = completion.data.first().copied().unwrap_or(0);
        let (packet, mut body) = match [setup[0], setup[1]] {
            _ if completion.endpoint & 0x0F != 0 => (kind::BULK, bulk_header(completion, status)),
            SET_CONFIGURATION => {
                out.extend(&self.tables);
                (kind::CONFIGURATION_STATUS, vec![status, setup[2]])
            }
            GET_CONFIGURATION => (kind::CONFIGURATION_STATUS, vec![status, first]),
            SET_INTERFACE => (kind::ALT_SETTING_STATUS, vec![status, setup[4], setup[2]]),
            GET_INTERFACE => (kind::ALT_SETTING_STATUS, vec![status, setup[4], first]),
            _ => (kind::CONTROL, control_header(completion, status)),
        };
        if matches!(packet, kind::CONTROL | kind::BULK) {
            body.extend(&completion.data);
        }
        put(out, packet, completion.id, &body);
    }

    fn cancelled(&mut self, _id: u64, _was_pending: bool, _out: &mut Vec<u8>) {
        // A transfer that was pending has been answered as cancelled; one that was not, before.
    }
}

fn bulk_header(completion: &Completion, status: u8) -> Vec<u8> {
    let [l0, l1, l2, l3] = (completion.actual as u32).to_le_bytes();
    vec![completion.endpoint, status, l0, l1, 0, 0, 0, 0, l2, l3]
}

fn control_header(completion: &Completion, status: u8) -> Vec<u8> {
    let [request_type, request, v0, v1, i0, i1, _, _] = completion.setup;
    let [l0, l1] = (completion.actual as u16).to_le_bytes();
    let endpoint = request_type & TO_HOST;
    vec![endpoint, request, request_type, status, v0, v1, i0, i1, l0, l1]
}

fn put(out: &mut Vec<u8>, packet: u32, id: u64, body: &[u8]) {
    out.extend(packet.to_le_bytes());
    out.extend((body.len() as u32).to_le_bytes());
    out.extend(id.to_le_bytes());
    out.extend(body);
}

/// Transfer type, interval, interface, and packet size of each endpoint; outgoing ones first.
fn endpoint_table(layout: &Layout) -> Vec<u8> {
    let (mut types, mut intervals, mut interfaces) = ([0xFF; PLACES], [0; PLACES], [0; PLACES]);
    let mut sizes = [0_u16; PLACES];
    for control in [0, 16] {
        (types[control], sizes[control]) = (0, 64);
    }
    for (interface, endpoint) in layout.endpoints() {
        let place =
            usize::from(endpoint.address & 0x0F) + if endpoint.address & TO_HOST != 0 { 16 } else { 0 };
        types[place] = if endpoint.is_bulk { 2 } else { 3 };
        intervals[place] = endpoint.interval;
        interfaces[place] = interface;
        sizes[place] = endpoint.max_packet;
    }
    let mut table = [types, intervals, interfaces].concat();
    table.extend(sizes.iter().flat_map(|size| size.to_le_bytes()));
    table
}

/// How many interfaces there are; number, class, subclass and protocol of each.
fn interface_table(layout: &Layout) -> Vec<u8> {
    let mut table = (layout.interfaces.len() as u32).to_le_bytes().to_vec();
    let mut column = |value: fn(&crate::layout::Interface) -> u8| {
        let values = layout.interfaces.iter().map(value);
        table.extend(values.chain(std::iter::repeat(0)).take(PLACES));
    };
    column(|interface| interface.number);
    column(|interface| interface.class[0]);
    column(|interface| interface.class[1]);
    column(|interface| interface.class[2]);
    table
}
