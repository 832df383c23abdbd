//! PDL: what the mask ROM of the UIS8910 speaks until the first loader runs. No check sum, no escape, all
//! numbers little-endian.
//!
//! ```text
//! H AE | length u32 | FF 00 00 | command u32 | address u32 | size u32 | data
//! M AE 04 00 00 00 FF xx xx | code u32                                 0 = ACK; xx may be garbage
//! ```
//!
//! Source: specs/unisoc-pac-bsl.md §4.1, §6.1 (V).

use std::time::Duration;

use super::link::{Link, Trouble};
use crate::{Cause, WireError};

/// First byte of a frame either way.
pub(super) const TAG: u8 = 0xAE;
/// Flow id of a request and of a reply without error.
const FLOW: u8 = 0xFF;
/// Flow id of a reply with an error.
const FLOW_ERROR: u8 = 0xEE;
/// Bytes before the body.
pub(super) const HEAD_BYTES: usize = 8;
/// Bytes of a reply.
const REPLY_BYTES: usize = 12;
/// Data of one MID_DATA, in bytes. Source: §4.5 (V).
pub(super) const BLOCK_BYTES: usize = 0x800;
/// What START_DATA carries.
const START_TAG: &[u8] = b"PDL1\0";
/// What END_DATA carries.
const END_CONSTANT: &[u8] = &[0x1C, 0x3C, 0x6E, 0x06];
/// Waits. Source: §6.7.
const CONNECT_WITHIN: Duration = Duration::from_secs(3);
const DATA_WITHIN: Duration = Duration::from_secs(10);
/// Whether EXEC_DATA ever answers on a real ROM is not known; an error must be heard. Source: §11 no. 2 (?).
const EXEC_WITHIN: Duration = Duration::from_millis(200);

/// The commands of the mask ROM.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub(super) enum Command {
    /// 0
    Connect = 0,
    /// 4: load address, total size
    StartData = 4,
    /// 5: index of the block, its size, its bytes
    MidData = 5,
    /// 6
    EndData = 6,
    /// 7
    ExecData = 7,
}

impl Command {
    /// Every command.
    pub const ALL: [Command; 5] = [
        Command::Connect,
        Command::StartData,
        Command::MidData,
        Command::EndData,
        Command::ExecData,
    ];

    pub const fn name(self) -> &'static str {
        match self {
            Command::Connect => "PDL CONNECT",
            Command::StartData => "PDL START_DATA",
            Command::MidData => "PDL MID_DATA",
            Command::EndData => "PDL END_DATA",
            Command::ExecData => "PDL EXEC_DATA",
        }
    }
}

/// Writes one request in place of what `out` holds.
pub(super) fn encode(command: Command, address: u32, size: u32, data: &[u8], out: &mut Vec<u8>) {
    out.clear();
    out.push(TAG);
    out.extend_from_slice(&(12 + data.len() as u32).to_le_bytes());
    out.extend_from_slice(&[FLOW, 0, 0]);
    for word in [command as u32, address, size] {
        out.extend_from_slice(&word.to_le_bytes());
    }
    out.extend_from_slice(data);
}

/// Finds a reply among bytes that arrive as they like.
#[derive(Debug, Default)]
pub(super) struct Hunter {
    held: Vec<u8>,
}

impl Hunter {
    /// Takes one byte; the code when it completes a reply.
    pub fn push(&mut self, byte: u8) -> Option<u32> {
        self.held.push(byte);
        while !self.held.is_empty() && !self.plausible() {
            self.held.remove(0);
        }
        let code = self.held.get(HEAD_BYTES..REPLY_BYTES)?.try_into().ok()?;
        self.held.clear();
        Some(u32::from_le_bytes(code))
    }

    fn plausible(&self) -> bool {
        let wanted = [TAG, 4, 0, 0, 0];
        let head = self.held.iter().zip(wanted).all(|(byte, wanted)| *byte == wanted);
        head && self
            .held
            .get(wanted.len())
            .is_none_or(|flow| [FLOW, FLOW_ERROR].contains(flow))
    }
}

/// The mask ROM over a link.
impl Link<'_> {
    /// Whether a mask ROM answers.
    pub fn pdl_connect(&mut self) -> Result<bool, Cause> {
        match self.pdl(Command::Connect, 0, 0, &[], CONNECT_WITHIN) {
            Ok(()) => Ok(true),
            Err(Trouble::Lost(_)) => Ok(false),
            Err(other) => Err(other.into()),
        }
    }

    /// Loads code into RAM; `done` hears the bytes acknowledged.
    pub fn pdl_load(
        &mut self,
        address: u32,
        code: &[u8],
        mut done: impl FnMut(&mut Self, usize),
    ) -> Result<(), Trouble> {
        self.pdl(
            Command::StartData,
            address,
            code.len() as u32,
            START_TAG,
            DATA_WITHIN,
        )?;
        let mut sent = 0;
        for (index, block) in code.chunks(BLOCK_BYTES).enumerate() {
            self.pdl(
                Command::MidData,
                index as u32,
                block.len() as u32,
                block,
                DATA_WITHIN,
            )?;
            sent += block.len();
            done(self, sent);
        }
        self.pdl(Command::EndData, 0, 0, END_CONSTANT, DATA_WITHIN)
    }

    /// Starts what was loaded. Silence is the good answer.
    pub fn pdl_exec(&mut self) -> Result<(), Trouble> {
        match self.pdl(Command::ExecData, 0, 0, &[], EXEC_WITHIN) {
            Err(Trouble::Lost(_)) => Ok(()),
            answer => answer,
        }
    }

    fn pdl(
        &mut self,
        command: Command,
        address: u32,
        size: u32,
        data: &[u8],
        within: Duration,
    ) -> Result<(), Trouble> {
        let code = self.raw_exchange(
            |out| encode(command, address, size, data, out),
            &mut Hunter::default(),
            within,
        );
        match code? {
            Some(0) => Ok(()),
            // The names of the codes differ by one between the vendor's own sources. Source: §4.1.
            Some(code) => Err(Trouble::Fatal(Cause::Refused {
                sent: command.name().into(),
                answer: format!("error {code} of the mask ROM"),
            })),
            None => Err(Trouble::Lost(Cause::Silent {
                sent: command.name().into(),
                waited: within,
                tries: 1,
            })),
        }
    }

    /// Sends bytes as they are and hunts for a reply.
    fn raw_exchange(
        &mut self,
        encode: impl FnOnce(&mut Vec<u8>),
        hunter: &mut Hunter,
        within: Duration,
    ) -> Result<Option<u32>, WireError> {
        self.drain()?;
        self.send_raw(encode)?;
        let until = self.deadline(within);
        while let Some(bytes) = self.read_raw(until)? {
            for &byte in bytes {
                if let Some(code) = hunter.push(byte) {
                    return Ok(Some(code));
                }
            }
        }
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn hunt(bytes: &[u8]) -> Vec<u32> {
        let mut hunter = Hunter::default();
        bytes.iter().filter_map(|&byte| hunter.push(byte)).collect()
    }

    #[test]
    fn finds_replies_behind_garbage_and_with_garbage_in_them() {
        let good = [0xAE, 4, 0, 0, 0, 0xFF, 0xDE, 0xAD, 0, 0, 0, 0];
        let bad = [0xAE, 4, 0, 0, 0, 0xEE, 0, 0, 7, 0, 0, 0];
        assert_eq!(
            hunt(&[&[0xAE, 4, 0xAE][..], &good, &bad, &[0xAE]].concat()),
            [0, 7]
        );
        assert!(hunt(&good[..11]).is_empty());
    }

    proptest! {
        #[test]
        fn holds_no_more_than_a_reply(noise in proptest::collection::vec(prop_oneof![Just(0xAE), Just(0), Just(4), any::<u8>()], 0..300)) {
            let mut hunter = Hunter::default();
            for byte in noise {
                hunter.push(byte);
                prop_assert!(hunter.held.len() < REPLY_BYTES);
            }
        }
    }
}
