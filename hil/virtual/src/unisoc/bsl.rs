//! Commands and replies of BSL, and what a loader makes of a command. Source: specs/unisoc-pac-bsl.md §5.1-5.2.

use std::time::Duration;

use crate::fault::Request;

pub(super) const CONNECT: u16 = 0x00;
pub(super) const START_DATA: u16 = 0x01;
pub(super) const MIDST_DATA: u16 = 0x02;
pub(super) const END_DATA: u16 = 0x03;
pub(super) const EXEC_DATA: u16 = 0x04;
pub(super) const NORMAL_RESET: u16 = 0x05;
pub(super) const READ_FLASH: u16 = 0x06;
pub(super) const CHANGE_BAUD: u16 = 0x09;
pub(super) const ERASE_FLASH: u16 = 0x0A;
pub(super) const REPARTITION: u16 = 0x0B;
pub(super) const POWER_OFF: u16 = 0x17;
pub(super) const ENABLE_DEBUG: u16 = 0x25;

pub(super) const ACK: u16 = 0x80;
pub(super) const VER: u16 = 0x81;
pub(super) const INVALID_CMD: u16 = 0x82;
pub(super) const UNKNOWN_CMD: u16 = 0x83;
pub(super) const OPERATION_FAILED: u16 = 0x84;
pub(super) const NOT_SUPPORT_BAUDRATE: u16 = 0x85;
pub(super) const DOWN_NOT_START: u16 = 0x86;
pub(super) const DOWN_DEST_ERROR: u16 = 0x89;
pub(super) const DOWN_SIZE_ERROR: u16 = 0x8A;
pub(super) const VERIFY_ERROR: u16 = 0x8B;
pub(super) const READ_FLASH_DATA: u16 = 0x93;
pub(super) const INCOMPATIBLE_PARTITION: u16 = 0x96;
pub(super) const UNKNOWN_DEVICE: u16 = 0x97;

/// What a command asks for, as faults name it.
pub(super) fn request(kind: u16) -> Request {
    match kind {
        CONNECT => Request::Connect,
        START_DATA => Request::Start,
        MIDST_DATA => Request::Midst,
        END_DATA => Request::End,
        EXEC_DATA => Request::Exec,
        NORMAL_RESET => Request::Reset,
        READ_FLASH => Request::ReadFlash,
        CHANGE_BAUD => Request::ChangeBaud,
        ERASE_FLASH => Request::EraseFlash,
        _ => Request::Other,
    }
}

/// The big-endian word number `index` of a payload.
pub(super) fn word(payload: &[u8], index: usize) -> Option<u32> {
    let bytes = payload.get(4 * index..4 * index + 4)?;
    Some(u32::from_be_bytes(bytes.try_into().ok()?))
}

/// What a loader makes of a command.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Verdict {
    /// Code and payload of the reply; none for silence.
    pub reply: Option<(u16, Vec<u8>)>,
    /// Time before the reply.
    pub takes: Duration,
    pub then: Then,
}

/// What follows a command.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Then {
    GoOn,
    /// The loader stops for ever: only a power cycle helps.
    Stop,
    /// The image in RAM runs.
    Run(Vec<u8>),
    /// The module restarts.
    Reset,
}

impl Verdict {
    pub fn code(code: u16) -> Self {
        Verdict {
            reply: Some((code, Vec::new())),
            takes: Duration::ZERO,
            then: Then::GoOn,
        }
    }

    pub fn data(payload: Vec<u8>) -> Self {
        Verdict {
            reply: Some((READ_FLASH_DATA, payload)),
            ..Verdict::silence()
        }
    }

    pub fn silence() -> Self {
        Verdict {
            reply: None,
            takes: Duration::ZERO,
            then: Then::GoOn,
        }
    }

    pub fn after(self, takes: Duration) -> Self {
        Verdict { takes, ..self }
    }

    pub fn and(self, then: Then) -> Self {
        Verdict { then, ..self }
    }
}
