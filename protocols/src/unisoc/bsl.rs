//! BSL: commands and replies by name, the addresses that are no flash, and how long each answer may take.
//!
//! ```text
//! H CONNECT                    M ACK
//! H START_DATA address size    M ACK
//! H MIDST_DATA bytes           M ACK       one frame outstanding, always
//! H END_DATA                   M ACK       what was written has been read back and compared
//! H ERASE_FLASH address size   M ACK
//! H READ_FLASH address length  M 0x93 bytes
//! ```
//!
//! Source: specs/unisoc-pac-bsl.md §5.

use std::fmt;

/// The commands the loaders of these chips know and we send. Source: §5.1, §5.3 (V).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u16)]
pub(super) enum Command {
    /// 0x00
    Connect = 0x00,
    /// 0x01: address, size, and for NV the byte sum
    StartData = 0x01,
    /// 0x02: bytes
    MidstData = 0x02,
    /// 0x03
    EndData = 0x03,
    /// 0x04
    ExecData = 0x04,
    /// 0x05
    NormalReset = 0x05,
    /// 0x06: address, length, offset
    ReadFlash = 0x06,
    /// 0x09: rate
    ChangeBaud = 0x09,
    /// 0x0A: address, size
    EraseFlash = 0x0A,
}

impl Command {
    /// Every command.
    pub const ALL: [Command; 9] = [
        Command::Connect,
        Command::StartData,
        Command::MidstData,
        Command::EndData,
        Command::ExecData,
        Command::NormalReset,
        Command::ReadFlash,
        Command::ChangeBaud,
        Command::EraseFlash,
    ];

    /// Bytes answer READ_FLASH and nothing else, an acknowledgement anything else. Source: §5.3 (V).
    pub fn may_be_answered_with(self, code: Code) -> bool {
        match code {
            Code::ACK => self != Command::ReadFlash,
            Code::READ_FLASH => self == Command::ReadFlash,
            _ => true,
        }
    }

    /// The protocol's own spelling.
    pub const fn name(self) -> &'static str {
        match self {
            Command::Connect => "CONNECT",
            Command::StartData => "START_DATA",
            Command::MidstData => "MIDST_DATA",
            Command::EndData => "END_DATA",
            Command::ExecData => "EXEC_DATA",
            Command::NormalReset => "NORMAL_RESET",
            Command::ReadFlash => "READ_FLASH",
            Command::ChangeBaud => "CHANGE_BAUD",
            Command::EraseFlash => "ERASE_FLASH",
        }
    }
}

/// The type of a reply. Source: §5.2 (2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Code(pub u16);

impl Code {
    /// Done.
    pub const ACK: Code = Code(0x80);
    /// The answer to a flag: the loader's version text.
    pub const VER: Code = Code(0x81);
    /// Order or address not allowed now.
    pub const INVALID_CMD: Code = Code(0x82);
    /// More or fewer bytes than announced.
    pub const DOWN_SIZE_ERROR: Code = Code(0x8A);
    /// What was written reads back differently.
    pub const VERIFY_ERROR: Code = Code(0x8B);
    /// Bytes that were asked for.
    pub const READ_FLASH: Code = Code(0x93);
    /// In answer to READ_FLASH: there is nothing. Source: §5.2.
    pub const INCOMPATIBLE_PARTITION: Code = Code(0x96);
    /// The model of this module is not among those the firmware is for. Source: §5.3 (V).
    pub const UNKNOWN_DEVICE: Code = Code(0x97);
    /// Text of the loader; answers nothing. Source: §5.2 (?).
    pub const LOG: Code = Code(0xFF);
}

impl Code {
    /// The protocol's own spelling.
    pub const fn name(self) -> &'static str {
        match self.0 {
            0x80 => "ACK",
            0x81 => "VER",
            0x82 => "INVALID_CMD",
            0x83 => "UNKNOWN_CMD",
            0x84 => "OPERATION_FAILED",
            0x85 => "NOT_SUPPORT_BAUDRATE",
            0x86 => "DOWN_NOT_START",
            0x87 => "DOWN_MULTI_START",
            0x88 => "DOWN_EARLY_END",
            0x89 => "DOWN_DEST_ERROR",
            0x8A => "DOWN_SIZE_ERROR",
            0x8B => "VERIFY_ERROR",
            0x8C => "NOT_VERIFY",
            0x8D => "NOT_ENOUGH_MEMORY",
            0x8E => "WAIT_INPUT_TIMEOUT",
            0x8F => "OPERATION_SUCCEED",
            0x93 => "READ_FLASH",
            0x96 => "INCOMPATIBLE_PARTITION",
            0x97 => "UNKNOWN_DEVICE",
            0x98 => "INVALID_DEVICE_SIZE",
            0xA0 => "CHECKSUM_ERROR",
            0xA1 => "CHECKSUM_DIFF",
            0xA2 => "WRITE_ERROR",
            0xA3 => "CHIPID_NOT_MATCH",
            0xA4 => "FLASH_CFG_ERROR",
            0xA6 => "SECURITY_VERIFICATION_FAIL",
            0xAA => "SEC_VERIFY_ERROR",
            0xAC => "NOT_ENABLE_WRITE_FLASH",
            0xAD => "SECUREBOOT_ERROR",
            0xB3 => "WRITE_PROTECTION",
            0xB4 => "FLASH_INIT_FAIL",
            0xFE => "UNSUPPORTED_COMMAND",
            0xFF => "LOG",
            _ => "a reply without a name",
        }
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (0x{:02x})", self.name(), self.0)
    }
}

/// Addresses. Source: §5.4, §1.6 (V).
pub(super) mod address {
    use std::ops::Range;

    /// The NOR flash as these modules have it: up to 16 MiB.
    pub const NOR: Range<u64> = 0x6000_0000..0x6100_0000;
    /// Erased here: the running copies of the NV items.
    pub const RUNNING_NV: u32 = 0xFE00_0001;
    /// The production record, [`PHASE_CHECK_BYTES`] long.
    pub const PHASE_CHECK: u32 = 0xFE00_0002;
    /// Length of the production record in bytes.
    pub const PHASE_CHECK_BYTES: u32 = 0x100;
    /// The factory NV items as one area.
    pub const NV: u32 = 0xFE00_0003;
    /// A cpio archive that the module unpacks.
    pub const CPIO: u32 = 0xFE00_0004;
    /// Erased here: the application.
    pub const APPLICATION: u32 = 0xFE00_0005;
    /// Erased here: a file system; its name stands in place of the size.
    pub const FILE_SYSTEM: u32 = 0xFE00_0006;
    /// Erased with [`EVERYTHING_BYTES`]: the whole flash.
    pub const EVERYTHING: u32 = 0;
    /// See [`EVERYTHING`].
    pub const EVERYTHING_BYTES: u32 = 0xFFFF_FFFF;
}

/// How long each answer may take. Source: §6.7, the column of advice, where nothing else is said.
pub(super) mod patience {
    use std::time::Duration;

    /// Between two flags of a sync, and how many times.
    pub const SYNC: (Duration, u32) = (Duration::from_millis(500), 10);
    /// The same for the mask ROM of the UIS8850. Source: §6.4 (V).
    pub const SYNC_ROM: (Duration, u32) = (Duration::from_secs(1), 5);
    /// CONNECT.
    pub const CONNECT: Duration = Duration::from_secs(3);
    /// CHANGE_BAUD.
    pub const CHANGE_BAUD: Duration = Duration::from_secs(2);
    /// START_DATA.
    pub const START: Duration = Duration::from_secs(30);
    /// MIDST_DATA into RAM: nothing is erased, so the vendor's shorter limit serves. Source: §6.7 vendor Linux (V).
    pub const MIDST_RAM: Duration = Duration::from_secs(15);
    /// MIDST_DATA into flash.
    pub const MIDST: Duration = Duration::from_secs(60);
    /// END_DATA: reading back, unpacking.
    pub const END: Duration = Duration::from_secs(60);
    /// EXEC_DATA.
    pub const EXEC: Duration = Duration::from_secs(15);
    /// The first command after EXEC_DATA: file systems are mounted. Source: §5.3 (V).
    pub const FIRST_COMMAND: Duration = Duration::from_secs(15);
    /// ERASE_FLASH of a region or a file system.
    pub const ERASE: Duration = Duration::from_secs(60);
    /// ERASE_FLASH of everything.
    pub const ERASE_EVERYTHING: Duration = Duration::from_secs(120);
    /// READ_FLASH.
    pub const READ: Duration = Duration::from_secs(15);
    /// NORMAL_RESET: everything is written by then. The length is ours.
    pub const RESET: Duration = Duration::from_secs(3);
    /// A whole frame after a damaged one: if none follows, the damaged one was the answer. The length is ours.
    pub const AFTER_DAMAGE: Duration = Duration::from_millis(500);
    /// The line must be silent for this long before a new beginning. The length is ours.
    pub const QUIET: Duration = Duration::from_millis(100);
    /// From the acknowledgement of CHANGE_BAUD to the next byte. Source: §2.4.
    pub const BAUD_SWITCH: Duration = Duration::from_millis(10);
}
