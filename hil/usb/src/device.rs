//! The USB device: control requests, and bulk transfers packet by packet as a bus would carry them.
//!
//! It knows neither how a host's controller reaches it nor what its bytes mean. A transfer that it cannot serve yet
//! stays pending, which on a wire is a NAK. Source: USB 2.0 §5.8, §8.5, §9.4; CDC PSTN 1.2 §6.3.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::descriptors::descriptor;
use crate::layout::Layout;
use crate::port::{Fifo, Port};

/// The direction bit of an endpoint address, and of bmRequestType: from the device to the host.
pub const TO_HOST: u8 = 0x80;
/// A line coding nobody has set: 115200 8N1.
const LINE_CODING: [u8; 7] = [0x00, 0xC2, 0x01, 0x00, 0, 0, 8];

/// A transfer that a host has begun.
#[derive(Debug, Clone, Default)]
pub struct Transfer {
    /// The host controller's name for it.
    pub id: u64,
    /// Endpoint address, with [`TO_HOST`].
    pub endpoint: u8,
    /// The setup packet, for endpoint 0.
    pub setup: [u8; 8],
    /// Bytes the host has room for.
    pub length: usize,
    /// Bytes the host sends.
    pub data: Vec<u8>,
    /// A zero-length packet follows data that is whole packets.
    pub ends_with_zero_packet: bool,
}

/// What became of a transfer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Completion {
    pub id: u64,
    pub endpoint: u8,
    pub setup: [u8; 8],
    pub status: Status,
    /// Bytes carried, either way.
    pub actual: usize,
    /// What goes to the host.
    pub data: Vec<u8>,
}

/// How a transfer ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    Done,
    /// The endpoint is halted, or the request is not known.
    Stall,
    /// A packet was longer than the room that was left for it.
    Babble,
    Cancelled,
}

/// What a host has done that no tty shows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Seen {
    /// Bus resets. `vhci_hcd` keeps them to itself.
    pub resets: u32,
    /// SET_CONFIGURATION.
    pub configurations: u32,
    /// SET_LINE_CODING.
    pub line_codings: u32,
    /// SET_CONTROL_LINE_STATE with DTR.
    pub dtr_raised: u32,
    /// Zero-length packets that the host has sent.
    pub zero_length_out: u32,
    /// Zero-length packets that the host was sent in a transfer of their own.
    pub zero_length_in: u32,
    /// CLEAR_FEATURE(ENDPOINT_HALT).
    pub halts_cleared: u32,
}

/// One device on a bus.
pub struct Device<F> {
    layout: Layout,
    ports: Vec<Port<F>>,
    configuration: u8,
    line_coding: [u8; 7],
    halted: Vec<u8>,
    /// Transfers to the host on endpoints that never have anything to say.
    idle: Vec<Transfer>,
    done: Vec<Completion>,
    seen: Arc<Mutex<Seen>>,
}

impl<F: Fifo> Device<F> {
    /// A device that has just been attached; `fifos` belong to the layout's ports, in their order.
    pub fn new(layout: Layout, fifos: Vec<F>, seen: Arc<Mutex<Seen>>) -> Self {
        let ports = layout.ports.iter().zip(fifos);
        let ports = ports.map(|(ends, fifo)| Port::new(*ends, fifo)).collect();
        Device {
            layout,
            ports,
            configuration: 0,
            line_coding: LINE_CODING,
            halted: Vec::new(),
            idle: Vec::new(),
            done: Vec::new(),
            seen,
        }
    }

    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// The bus is reset: the device is as it was when it was attached.
    pub fn reset(&mut self) {
        self.seen().resets += 1;
        self.configuration = 0;
        self.halted.clear();
        self.ports.iter_mut().for_each(|port| port.has_dtr = false);
    }

    /// A host begins a transfer.
    pub fn submit(&mut self, transfer: Transfer) {
        let endpoint = transfer.endpoint;
        if endpoint & 0x0F == 0 {
            return self.control(transfer);
        }
        if self.halted.contains(&endpoint) || !self.layout.endpoints().any(|(_, e)| e.address == endpoint) {
            return self.complete(transfer, Status::Stall, Vec::new());
        }
        if let Some(port) = self.ports.iter_mut().find(|port| port.ends.bulk_in == endpoint) {
            return port.waiting.push_back(transfer);
        }
        if let Some(port) = self.ports.iter_mut().find(|port| port.ends.bulk_out == endpoint) {
            return port.arriving.push_back(transfer);
        }
        match endpoint & TO_HOST {
            0 => self.complete(transfer, Status::Done, Vec::new()),
            _ => self.idle.push(transfer),
        }
    }

    /// A host takes a transfer back. Whether it was still pending.
    pub fn cancel(&mut self, id: u64) -> bool {
        let queues = self
            .ports
            .iter_mut()
            .flat_map(|port| [&mut port.arriving, &mut port.waiting]);
        let found = queues
            .filter_map(|queue| {
                let place = queue.iter().position(|transfer| transfer.id == id)?;
                queue.remove(place)
            })
            .next();
        let idle = self.idle.iter().position(|transfer| transfer.id == id);
        match found.or_else(|| idle.map(|place| self.idle.swap_remove(place))) {
            Some(transfer) => {
                self.complete(transfer, Status::Cancelled, Vec::new());
                true
            }
            None => false,
        }
    }

    /// Moves every byte that can be moved now.
    ///
    /// # Errors
    /// Those of the fifos.
    pub fn pump(&mut self) -> io::Result<()> {
        for place in 0..self.ports.len() {
            self.pump_to_module(place)?;
            self.pump_to_host(place)?;
        }
        Ok(())
    }

    /// What has become of transfers since the last call.
    pub fn take_done(&mut self) -> Vec<Completion> {
        std::mem::take(&mut self.done)
    }

    /// For each port: whether its fifo is waited for, to take bytes and to give some.
    pub fn wants(&self) -> impl Iterator<Item = (&F, bool, bool)> {
        self.ports.iter().map(|port| {
            let listens = !self.layout.shape.needs_dtr || port.has_dtr;
            let takes = listens && port.said.is_empty() && !port.waiting.is_empty();
            (&port.fifo, takes, port.ready > 0)
        })
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn complete(&mut self, transfer: Transfer, status: Status, data: Vec<u8>) {
        let actual = match (status, transfer.endpoint & TO_HOST) {
            (Status::Done, 0) => transfer.data.len(),
            _ => data.len(),
        };
        self.done.push(Completion {
            id: transfer.id,
            endpoint: transfer.endpoint,
            setup: transfer.setup,
            status,
            actual,
            data,
        });
    }

    fn pump_to_module(&mut self, place: usize) -> io::Result<()> {
        let packet = usize::from(self.layout.speed.bulk_packet());
        let (block, needs_dtr) = (self.layout.shape.receive_block, self.layout.shape.needs_dtr);
        loop {
            let port = &mut self.ports[place];
            if !port.deliver()? {
                return Ok(());
            }
            if needs_dtr && !port.has_dtr {
                return Ok(());
            }
            let Some(transfer) = port.arriving.pop_front() else {
                return Ok(());
            };
            let is_zero_length = transfer.data.is_empty() || transfer.ends_with_zero_packet;
            port.receive(&transfer, packet, block);
            self.seen().zero_length_out += u32::from(is_zero_length);
            self.complete(transfer, Status::Done, Vec::new());
        }
    }

    fn pump_to_host(&mut self, place: usize) -> io::Result<()> {
        let packet = usize::from(self.layout.speed.bulk_packet());
        let (piece, needs_dtr) = (self.layout.shape.reply_piece, self.layout.shape.needs_dtr);
        loop {
            let port = &mut self.ports[place];
            if needs_dtr && !port.has_dtr {
                return Ok(());
            }
            let Some(length) = port.waiting.front().map(|transfer| transfer.length) else {
                return Ok(());
            };
            let (status, data) = match port.zero_packet_due {
                true => (Status::Done, Vec::new()),
                false => match port.next_transfer(length, packet, piece)? {
                    Some(next) => next,
                    None => return Ok(()),
                },
            };
            let is_zero_packet = std::mem::take(&mut port.zero_packet_due);
            if status == Status::Done && data.len() == length && !is_zero_packet {
                let has_more = piece.is_none() && port.has_more()?;
                port.zero_packet_due = data.len().is_multiple_of(packet) && !has_more;
            }
            if let Some(transfer) = port.waiting.pop_front() {
                self.seen().zero_length_in += u32::from(is_zero_packet);
                self.complete(transfer, status, data);
            }
        }
    }

    fn control(&mut self, transfer: Transfer) {
        let reply = self.answer(&transfer);
        let is_to_host = transfer.setup[0] & TO_HOST != 0;
        match reply {
            None => self.complete(transfer, Status::Stall, Vec::new()),
            Some(mut data) => {
                data.truncate(if is_to_host { transfer.length } else { 0 });
                self.complete(transfer, Status::Done, data);
            }
        }
    }

    /// The data of a control request's answer; none when the device refuses it.
    fn answer(&mut self, transfer: &Transfer) -> Option<Vec<u8>> {
        let [kind, request, ..] = transfer.setup;
        let value = u16::from_le_bytes([transfer.setup[2], transfer.setup[3]]);
        let [index, _] = [transfer.setup[4], transfer.setup[5]];
        match (kind, request) {
            // GET_STATUS of device, interface, endpoint
            (0x80 | 0x81, 0) => Some(vec![0, 0]),
            (0x82, 0) => Some(vec![u8::from(self.halted.contains(&index)), 0]),
            // CLEAR_FEATURE and SET_FEATURE: ENDPOINT_HALT, and the device's own, which do nothing
            (0x02, 1) => {
                self.seen().halts_cleared += 1;
                self.halted.retain(|halted| *halted != index);
                Some(Vec::new())
            }
            (0x02, 3) => {
                self.halted.push(index);
                Some(Vec::new())
            }
            (0x00, 1 | 3 | 5) => Some(Vec::new()),
            // GET_DESCRIPTOR
            (0x80, 6) => descriptor(&self.layout, value),
            // GET_CONFIGURATION and SET_CONFIGURATION
            (0x80, 8) => Some(vec![self.configuration]),
            (0x00, 9) if value <= 1 => {
                self.seen().configurations += 1;
                self.configuration = value as u8;
                self.halted.clear();
                Some(Vec::new())
            }
            // GET_INTERFACE and SET_INTERFACE
            (0x81, 10) => Some(vec![0]),
            (0x01, 11) => {
                let interface = self
                    .layout
                    .interfaces
                    .iter()
                    .find(|known| known.number == index)?;
                (value == 0 || (value == 1 && interface.has_idle_setting)).then(Vec::new)
            }
            (0x21 | 0xA1, _) => self.class_request(kind, request, value, index, &transfer.data),
            _ => None,
        }
    }

    fn class_request(
        &mut self,
        kind: u8,
        request: u8,
        value: u16,
        index: u8,
        data: &[u8],
    ) -> Option<Vec<u8>> {
        match (kind, request) {
            // SET_LINE_CODING and GET_LINE_CODING
            (0x21, 0x20) => {
                self.line_coding = data.try_into().ok()?;
                self.seen().line_codings += 1;
                Some(Vec::new())
            }
            (0xA1, 0x21) => Some(self.line_coding.to_vec()),
            // SET_CONTROL_LINE_STATE: vendors' hosts send it to interfaces of every class
            (0x21, 0x22) => {
                let has_dtr = value & 1 != 0;
                if let Some(port) = self.ports.iter_mut().find(|port| port.ends.interface == index) {
                    port.has_dtr = has_dtr;
                }
                self.seen().dtr_raised += u32::from(has_dtr);
                Some(Vec::new())
            }
            // SEND_BREAK; SET_ETHERNET_PACKET_FILTER
            (0x21, 0x23 | 0x43) => Some(Vec::new()),
            _ => None,
        }
    }
}
