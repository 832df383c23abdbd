//! One port of a device: how transfers become the bytes of a module, packet by packet.

use std::collections::VecDeque;
use std::io;

use crate::device::{Status, Transfer};
use crate::layout::PortEndpoints;

/// Most bytes taken from a port at once.
const MOST_AT_ONCE: usize = 16 * 1024;

/// What carries the bytes of a port to and from the module. 0 means: not now.
pub trait Fifo {
    /// Takes bytes that the module says.
    ///
    /// # Errors
    /// The operating system's.
    fn take(&mut self, into: &mut [u8]) -> io::Result<usize>;

    /// Gives bytes to the module.
    ///
    /// # Errors
    /// The operating system's.
    fn give(&mut self, bytes: &[u8]) -> io::Result<usize>;
}

/// One port of a device.
pub struct Port<F> {
    pub ends: PortEndpoints,
    pub fifo: F,
    pub has_dtr: bool,
    /// Transfers from the host, oldest first.
    pub arriving: VecDeque<Transfer>,
    /// Transfers to the host, oldest first.
    pub waiting: VecDeque<Transfer>,
    /// What has arrived and the module has not taken; of it, the first `ready` bytes can be seen by the module.
    received: Vec<u8>,
    pub ready: usize,
    /// What the module has said and no host has taken.
    pub said: Vec<u8>,
    /// The next transfer to the host is the zero-length packet that ends the one before.
    pub zero_packet_due: bool,
}

impl<F: Fifo> Port<F> {
    /// A port that no host has touched.
    pub fn new(ends: PortEndpoints, fifo: F) -> Self {
        Port {
            ends,
            fifo,
            has_dtr: false,
            arriving: VecDeque::new(),
            waiting: VecDeque::new(),
            received: Vec::new(),
            ready: 0,
            said: Vec::new(),
            zero_packet_due: false,
        }
    }

    /// Gives the module what it can see; whether it has taken everything.
    ///
    /// # Errors
    /// Those of the fifo.
    pub fn deliver(&mut self) -> io::Result<bool> {
        while self.ready > 0 {
            let count = self.fifo.give(&self.received[..self.ready])?;
            if count == 0 {
                return Ok(false);
            }
            self.received.drain(..count);
            self.ready -= count;
        }
        Ok(true)
    }

    /// Takes a transfer's bytes. With a DMA block they are seen when the block is full or a short packet ends it.
    pub fn receive(&mut self, transfer: &Transfer, packet: usize, block: Option<usize>) {
        let Some(block) = block else {
            self.received.extend(&transfer.data);
            self.ready = self.received.len();
            return;
        };
        let zero_packet: &[&[u8]] = if transfer.ends_with_zero_packet || transfer.data.is_empty() {
            &[&[]]
        } else {
            &[]
        };
        for bytes in transfer.data.chunks(packet).chain(zero_packet.iter().copied()) {
            self.received.extend(bytes);
            if bytes.len() < packet {
                self.ready = self.received.len();
            } else if self.received.len() - self.ready >= block {
                self.ready += block;
            }
        }
    }

    /// The bytes of the next transfer to a host that has room for `length`; none when the module is silent.
    ///
    /// # Errors
    /// Those of the fifo.
    pub fn next_transfer(
        &mut self,
        length: usize,
        packet: usize,
        piece: Option<usize>,
    ) -> io::Result<Option<(Status, Vec<u8>)>> {
        // A host that has no room for whole packets is sent whole packets all the same.
        let wanted = length.next_multiple_of(packet).min(piece.unwrap_or(usize::MAX));
        if self.said.is_empty() && !self.has_more()? {
            return Ok(None);
        }
        while self.said.len() < wanted && self.listen()? > 0 {}
        let rest = self.said.split_off(wanted.min(self.said.len()));
        let mut data = std::mem::replace(&mut self.said, rest);
        let status = if data.len() > length {
            Status::Babble
        } else {
            Status::Done
        };
        data.truncate(length);
        Ok(Some((status, data)))
    }

    /// Whether the module has said more.
    ///
    /// # Errors
    /// Those of the fifo.
    pub fn has_more(&mut self) -> io::Result<bool> {
        Ok(!self.said.is_empty() || self.listen()? > 0)
    }

    /// Takes what the module says into `said`.
    fn listen(&mut self) -> io::Result<usize> {
        let mut buffer = [0; MOST_AT_ONCE];
        let count = self.fifo.take(&mut buffer)?;
        self.said.extend(&buffer[..count]);
        Ok(count)
    }
}
