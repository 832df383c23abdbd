//! Frames of the ROM and of the agent, with the codes in them. Source: specs/eigencomm-agentboot.md §3.1-3.3, §4.1, §7.1.
//!
//! ```text
//! H 31 00 CD 32 | 04 00 00 00 | 10 01 00 00               the ROM's DATA_HEAD, without a check
//! H 31 00 CD 32 | 04 00 00 9E | 10 01 00 00 | 13 E2 4E AC the agent's: CRC-8 in the length, CRC-32 at the end
//! M 31 00 CD 32 | 00 04 | 10 01 00 00 | 85 FC BF 1E       ACK, four bytes of data, CRC-32
//! ```

use crate::crc::crc32;
use crate::fault::EigencommRequest;

/// Words of the syncs, sent twice, echoed once.
pub(super) const DL: [u8; 4] = [0x00, 0xD3, 0x02, 0x2B];
pub(super) const LPC: [u8; 4] = [0xCD, 0xD3, 0x02, 0x2B];
pub(super) const AG: [u8; 4] = [0xAA, 0xD3, 0x02, 0x2B];
/// The agent's answer to the sync of another stage.
pub(super) const WRONG_STATE: [u8; 4] = [0x2B, 0x02, 0xD3, 0xEE];

/// Order bytes of the ROM and of AGBOOT, and of LPC.
pub(super) const ORDER_AG: [u8; 2] = [0xCD, 0x32];
pub(super) const ORDER_LPC: [u8; 2] = [0x4C, 0xB3];

pub(super) const GET_VERSION: u8 = 0x20;
pub(super) const SEL_IMAGE: u8 = 0x21;
pub(super) const VERIFY_IMAGE: u8 = 0x22;
pub(super) const DATA_HEAD: u8 = 0x31;
pub(super) const DOWNLOAD_DATA: u8 = 0x32;
pub(super) const DONE: u8 = 0x3A;
pub(super) const DISCONNECT: u8 = 0x40;

pub(super) const FLASH_ERASE: u8 = 0x10;
pub(super) const READ_MEM: u8 = 0x21;
pub(super) const MEM_WRITE: u8 = 0x22;
pub(super) const BULK_READ: u8 = 0x24;
pub(super) const EFUSE_READ: u8 = 0x31;
pub(super) const EFUSE_BURN: u8 = 0x32;
pub(super) const BURN_ONE: u8 = 0x42;
pub(super) const GET_BURN_STATUS: u8 = 0x44;
pub(super) const SYS_RST: u8 = 0xAA;

/// Codes of NAKs and of GET_BURN_STATUS.
pub(super) mod code {
    pub const GOOD: u32 = 0x00;
    pub const BAD_ADDRESS: u32 = 0x01;
    pub const EFUSE_REFUSED: u32 = 0x26;
    pub const ERASE_FAILED: u32 = 0x32;
    pub const DIFFERS: u32 = 0x33;
    pub const UNKNOWN: u32 = 0x80;
    pub const WRONG_ORDER: u32 = 0x81;
    pub const BAD_PARAMETER: u32 = 0x82;
    pub const ABORTED: u32 = 0x83;
    pub const WRONG_HASH: u32 = 0x84;
    pub const TOO_LARGE: u32 = 0x94;
    pub const TIME_OUT: u32 = 0x96;
    pub const WRONG_IMAGE: u32 = 0x98;
    pub const WRONG_CRC: u32 = 0x9A;
    pub const WRONG_LENGTH: u32 = 0x9B;
    pub const WRONG_INDEX: u32 = 0x9C;
    pub const UNFINISHED: u32 = 0xFF;
    /// The status after a sync of another stage where the first AG sync was due. Measured on the genuine agents.
    pub const NO_SYNC: u32 = 0x300;
}

/// The eight bytes with which every frame begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Head(pub [u8; 8]);

impl Head {
    pub fn command(self) -> u8 {
        self.0[0]
    }

    pub fn index(self) -> u8 {
        self.0[1]
    }

    /// The four bytes that a refusal repeats.
    pub fn start(self) -> [u8; 4] {
        [self.0[0], self.0[1], self.0[2], self.0[3]]
    }

    pub fn order(self) -> [u8; 2] {
        [self.0[2], self.0[3]]
    }

    /// Whether it is that sync: the word twice.
    pub fn is_sync(self, word: [u8; 4]) -> bool {
        self.0[..4] == word && self.0[4..] == word
    }

    /// Whether the word stands in either half.
    pub fn has_word(self, word: [u8; 4]) -> bool {
        self.0[..4] == word || self.0[4..] == word
    }

    /// The ROM's length.
    pub fn plain_length(self) -> usize {
        u32::from_le_bytes([self.0[4], self.0[5], self.0[6], self.0[7]]) as usize
    }

    /// Whether the top byte of the length is the CRC-8 of the others, as the agent has it.
    pub fn has_good_length(self) -> bool {
        self.0[7] == crc8(&self.0[4..7])
    }

    /// The agent's length, of which it keeps 17 bits.
    pub fn length(self) -> usize {
        (u32::from_le_bytes([self.0[4], self.0[5], self.0[6], 0]) & 0x1_FFFF) as usize
    }

    /// The CRC-32 of a frame of the agent with that data: over the plain length.
    pub fn check(self, data: &[u8]) -> u32 {
        let mut plain = self.0.to_vec();
        plain[7] = 0;
        plain.extend_from_slice(data);
        crc32(&plain)
    }
}

/// CRC-8 Maxim of a length.
pub(super) fn crc8(bytes: &[u8]) -> u8 {
    bytes.iter().fold(0, |crc, byte| {
        (0..8).fold(
            crc ^ byte,
            |crc, _| {
                if crc & 1 == 1 { crc >> 1 ^ 0x8C } else { crc >> 1 }
            },
        )
    })
}

/// A reply: the first four bytes of its head, state, and data, without a check.
pub(super) fn reply(head: [u8; 4], state: u8, data: &[u8]) -> Vec<u8> {
    let mut reply = head.to_vec();
    reply.extend([state, data.len() as u8]);
    reply.extend_from_slice(data);
    reply
}

/// The same with the CRC-32 of the agent.
pub(super) fn sealed(mut reply: Vec<u8>) -> Vec<u8> {
    let check = crc32(&reply);
    reply.extend(check.to_le_bytes());
    reply
}

/// The little-endian word number `index` of the data.
pub(super) fn word(data: &[u8], index: usize) -> Option<u32> {
    let bytes = data.get(4 * index..4 * index + 4)?;
    Some(u32::from_le_bytes(bytes.try_into().ok()?))
}

/// What a command of the ROM or of AGBOOT asks for, as faults name it.
pub(super) fn session_request(command: u8) -> EigencommRequest {
    match command {
        GET_VERSION => EigencommRequest::Version,
        SEL_IMAGE => EigencommRequest::Select,
        VERIFY_IMAGE => EigencommRequest::Verify,
        DATA_HEAD => EigencommRequest::Head,
        DOWNLOAD_DATA => EigencommRequest::Data,
        DONE => EigencommRequest::Done,
        _ => EigencommRequest::Other,
    }
}

/// What a command of LPC asks for, as faults name it.
pub(super) fn lpc_request(command: u8) -> EigencommRequest {
    match command {
        FLASH_ERASE => EigencommRequest::Erase,
        READ_MEM => EigencommRequest::Read,
        BULK_READ => EigencommRequest::BulkRead,
        BURN_ONE => EigencommRequest::BurnOne,
        GET_BURN_STATUS => EigencommRequest::Status,
        SYS_RST => EigencommRequest::Reset,
        _ => EigencommRequest::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn has_the_checks_of_the_specification() {
        for (length, check) in [
            (4_u32, 0x9E),
            (6, 0xD1),
            (0x110, 0x8E),
            (0x4000, 0x9B),
            (0x1_0000, 0x5E),
        ] {
            assert_eq!(crc8(&length.to_le_bytes()[..3]), check, "{length:#x}");
        }
        let head = Head([0x31, 0, 0xCD, 0x32, 4, 0, 0, 0x9E]);
        assert!(head.has_good_length());
        assert_eq!(
            head.check(&[0x10, 1, 0, 0]).to_le_bytes(),
            [0x13, 0xE2, 0x4E, 0xAC]
        );
        assert_eq!(
            sealed(reply([0x31, 0, 0xCD, 0x32], 0, &[0x10, 1, 0, 0])),
            [0x31, 0, 0xCD, 0x32, 0, 4, 0x10, 1, 0, 0, 0x85, 0xFC, 0xBF, 0x1E]
        );
        assert_eq!(
            Head([0x32, 0, 0xCD, 0x32, 0, 0, 3, 0]).length(),
            0x1_0000,
            "17 bits"
        );
    }
}
