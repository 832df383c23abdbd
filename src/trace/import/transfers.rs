//! The bytes that two endpoints have really carried, in order: of a write when it was submitted, of a read when it
//! was completed.

use std::collections::VecDeque;

use super::bus::{DeviceNumber, Endpoints};
use super::capture::damaged;
use super::urb::{Kind, Stage, Urb};
use crate::error::Error;
use crate::trace::record::Direction;

/// Transfers, and bytes of them, that wait for a write to be completed. No host has more under way.
const MOST_WAITING: usize = 4096;
const MOST_WAITING_BYTES: usize = 64 << 20;

/// Bytes, when they were said (in microseconds), and by whom.
pub(super) type Transfer = (i64, Direction, Vec<u8>);

/// Follows two endpoints.
pub(super) struct Transfers<'n> {
    device: DeviceNumber,
    endpoints: Endpoints,
    name: &'n str,
    waiting: VecDeque<Waiting>,
    waiting_bytes: usize,
}

struct Waiting {
    /// Of a write that is not completed.
    id: Option<u64>,
    micros: i64,
    direction: Direction,
    /// Bytes that were to be carried, and what was captured of them.
    wanted: u32,
    bytes: Vec<u8>,
}

impl<'n> Transfers<'n> {
    pub fn new(device: DeviceNumber, endpoints: Endpoints, name: &'n str) -> Self {
        Transfers {
            device,
            endpoints,
            name,
            waiting: VecDeque::new(),
            waiting_bytes: 0,
        }
    }

    /// Takes in one event.
    pub fn see(&mut self, urb: &Urb<'_>) -> Result<(), Error> {
        if urb.device != self.device || urb.kind != Kind::Bulk {
            return Ok(());
        }
        if urb.endpoint == self.endpoints.out {
            match urb.stage {
                Stage::Submitted => self.push(urb, Some(urb.id), Direction::ToModule, urb.data)?,
                Stage::Completed(count) => self.complete(urb, count)?,
                Stage::Refused => self.waiting.retain(|one| one.id != Some(urb.id)),
            }
        } else if let (true, Stage::Completed(count)) = (urb.endpoint == self.endpoints.into, urb.stage) {
            let bytes = self.whole(urb.data, count.unwrap_or(urb.length), urb.micros)?;
            self.push(urb, None, Direction::FromModule, bytes)?;
        }
        Ok(())
    }

    fn push(
        &mut self,
        urb: &Urb<'_>,
        id: Option<u64>,
        direction: Direction,
        bytes: &[u8],
    ) -> Result<(), Error> {
        self.waiting_bytes += bytes.len();
        if self.waiting.len() >= MOST_WAITING || self.waiting_bytes > MOST_WAITING_BYTES {
            return Err(damaged(self.name, &"it does not hold the end of a transfer"));
        }
        self.waiting.push_back(Waiting {
            id,
            micros: urb.micros,
            direction,
            wanted: urb.length,
            bytes: bytes.to_vec(),
        });
        Ok(())
    }

    fn complete(&mut self, urb: &Urb<'_>, count: Option<u32>) -> Result<(), Error> {
        let Some(at) = self.waiting.iter().position(|one| one.id == Some(urb.id)) else {
            return Ok(());
        };
        let one = &self.waiting[at];
        let count = count.unwrap_or(one.wanted);
        let length = self.whole(&one.bytes, count, one.micros)?.len();
        let one = &mut self.waiting[at];
        one.bytes.truncate(length);
        one.id = None;
        Ok(())
    }

    /// The bytes that a transfer has carried; a capture that lacks some of them is worth nothing.
    fn whole<'b>(&self, captured: &'b [u8], carried: u32, micros: i64) -> Result<&'b [u8], Error> {
        captured.get(..carried as usize).ok_or_else(|| {
            let why = format!(
                "it was cut short: of a transfer of {carried} bytes at {:.6} s it holds {}",
                micros as f64 / 1e6,
                captured.len()
            );
            damaged(self.name, &why)
                .hint("capture whole packets: `tcpdump -s 0`, in Wireshark a snapshot length of 0")
        })
    }

    /// The next bytes whose transfer, and all before it, are completed.
    pub fn next(&mut self) -> Option<Transfer> {
        loop {
            self.waiting.front().filter(|one| one.id.is_none())?;
            let one = self.waiting.pop_front()?;
            self.waiting_bytes = self.waiting.iter().map(|one| one.bytes.len()).sum();
            if !one.bytes.is_empty() {
                return Some((one.micros, one.direction, one.bytes));
            }
        }
    }

    /// The capture is over: drops the writes whose end was not seen, and says how many there are.
    pub fn finish(&mut self) -> usize {
        let before = self.waiting.len();
        self.waiting.retain(|one| one.id.is_none());
        before - self.waiting.len()
    }
}
