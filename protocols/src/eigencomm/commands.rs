//! The words of the dialogue: the three programs and their sync words, commands, answers, and how long each is waited
//! for.
//!
//! Source: specs/eigencomm-agentboot.md §3.4, §4.2, §4.3, §4.8, §7.1.

use std::fmt;

/// The programs that answer, one after the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// DLBOOT, the mask ROM: takes the agent.
    Rom,
    /// LPC, the agent's command loop.
    Loop,
    /// AGBOOT, the agent's receiver of images, entered by BURN_ONE.
    Image,
}

impl Stage {
    /// What opens a session with it, and what it echoes. Source: §3.1, §4.2 (V*).
    pub const fn sync_word(self) -> [u8; 4] {
        let first = match self {
            Stage::Rom => 0x00,
            Stage::Loop => 0xCD,
            Stage::Image => 0xAA,
        };
        [first, 0xD3, 0x02, 0x2B]
    }

    /// Its name in errors.
    pub const fn sync_name(self) -> &'static str {
        match self {
            Stage::Rom => "DLBOOT sync",
            Stage::Loop => "LPC sync",
            Stage::Image => "AGBOOT sync",
        }
    }
}

/// What a program says to a sync that belongs to another one. Source: §4.2 (V*).
pub(super) const WRONG_STATE: [u8; 4] = [0x2B, 0x02, 0xD3, 0xEE];

/// A command: its byte, the order bytes that tell whose it is, and its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Command {
    /// The first byte of its frames.
    pub code: u8,
    /// Whose it is: [`IMAGE_ORDER`] or [`LOOP_ORDER`].
    pub order: [u8; 2],
    /// As the specification spells it.
    pub name: &'static str,
}

/// Order bytes of DLBOOT and AGBOOT. Source: §3.2.
pub const IMAGE_ORDER: [u8; 2] = [0xCD, 0x32];
/// Order bytes of LPC. Source: §4.1.
pub const LOOP_ORDER: [u8; 2] = [0x4C, 0xB3];

const fn image(code: u8, name: &'static str) -> Command {
    Command {
        code,
        order: IMAGE_ORDER,
        name,
    }
}

const fn looped(code: u8, name: &'static str) -> Command {
    Command {
        code,
        order: LOOP_ORDER,
        name,
    }
}

impl Command {
    /// Every command, in the order of the specification.
    pub(super) const ALL: [Command; 12] = [
        Command::GET_VERSION,
        Command::SEL_IMAGE,
        Command::VERIFY_IMAGE,
        Command::DATA_HEAD,
        Command::DOWNLOAD_DATA,
        Command::DONE,
        Command::FLASH_ERASE,
        Command::READ_MEM,
        Command::BULK_READ,
        Command::BURN_ONE,
        Command::GET_BURN_STATUS,
        Command::SYS_RST,
    ];

    /// 12 bytes: version, id, build.
    pub const GET_VERSION: Command = image(0x20, "GET_VERSION");
    /// 4 bytes: the id of what is wanted next.
    pub const SEL_IMAGE: Command = image(0x21, "SEL_IMAGE");
    /// Says nothing that anybody looks at; every host asks it.
    pub const VERIFY_IMAGE: Command = image(0x22, "VERIFY_IMAGE");
    /// u32 bytes left; answered with u32 bytes of the next packet.
    pub const DATA_HEAD: Command = image(0x31, "DATA_HEAD");
    /// The bytes; the index counts packets.
    pub const DOWNLOAD_DATA: Command = image(0x32, "DOWNLOAD_DATA");
    /// A header or a block is complete.
    pub const DONE: Command = image(0x3A, "DONE");
    /// u32 length, u32 address of the memory map.
    pub const FLASH_ERASE: Command = looped(0x10, "FLASH_ERASE");
    /// u32 length, u32 address of the memory map.
    pub const READ_MEM: Command = looped(0x21, "READ_MEM");
    /// u32 1, u32 raw offset, chip; answered with 65,536 bytes.
    pub const BULK_READ: Command = looped(0x24, "BULK_READ");
    /// Image id, and the chip when it is not the AP flash.
    pub const BURN_ONE: Command = looped(0x42, "BURN_ONE");
    /// u32 code.
    pub const GET_BURN_STATUS: Command = looped(0x44, "GET_BURN_STATUS");
    /// The module restarts 100 ms after its answer.
    pub const SYS_RST: Command = looped(0xAA, "SYS_RST");

    /// The index of its answer. Source: §3.3.
    pub const fn answer_index(self, index: u8) -> u8 {
        if self.code == Command::DOWNLOAD_DATA.code && self.order[0] == IMAGE_ORDER[0] {
            index.wrapping_add(1)
        } else {
            index
        }
    }
}

/// The suffixes that name a chip. Source: §4.3, §4.5 (V*).
pub(super) const AP_FLASH: [u8; 2] = [0x01, 0xE0];
pub(super) const CP_FLASH: [u8; 2] = [0x01, 0xE1];

/// What a refusal or a status says. Source: §7.1 (V*).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Code(pub u32);

impl Code {
    /// All is well.
    pub const GOOD: Code = Code(0);
    /// The frame's CRC32 was wrong.
    pub const BAD_CRC: Code = Code(0x9A);
    /// The length's CRC8 was wrong.
    pub const BAD_LENGTH_CRC: Code = Code(0x9B);
    /// Another packet was expected.
    pub const BAD_INDEX: Code = Code(0x9C);
    /// A frame stopped in its middle.
    pub const BYTE_TIME_OUT: Code = Code(0x9E);
    /// The image is not finished, or was refused.
    pub const NOT_FINISHED: Code = Code(0xFF);

    /// The same frame may be sent again: it did not arrive as it was sent. Source: §7.3.
    pub fn is_of_the_line(self) -> bool {
        matches!(self, Code::BAD_CRC | Code::BAD_LENGTH_CRC | Code::BYTE_TIME_OUT)
    }

    /// The image may be begun again: the flash failed, or the session was lost. Source: §7.1, §7.3.
    pub fn allows_another_try(self) -> bool {
        self.is_of_the_line()
            || matches!(self.0, 0x30..=0x33 | 0x83..=0x85 | 0x96 | 0x99 | 0x9C | 0x9D | 0xFF)
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let meaning = match self.0 {
            0x00 => "good",
            0x01 => "the place of the image is not allowed",
            0x30 => "the flash could not be read",
            0x31 => "the flash could not be written",
            0x32 => "the flash could not be erased",
            0x33 => "the flash does not hold what was written",
            0x6F => "the header is too large",
            0x80 => "unknown command",
            0x81 => "wrong order bytes",
            0x82 => "bad parameter",
            0x83 => "the image was broken off",
            0x94 => "more than its buffer holds",
            0x96 => "it waited in vain",
            0x98 => "no such image here",
            0x99 => "disconnected",
            0x9A => "wrong check sum",
            0x9B => "wrong check sum of the length",
            0x9C => "wrong packet number",
            0x9D => "not ready",
            0x9E => "bytes were missing",
            0xFF => "not finished",
            _ => return write!(f, "0x{:02x}", self.0),
        };
        write!(f, "0x{:02x} ({meaning})", self.0)
    }
}

/// How long to wait, and how often to try. Source: §4.8.
pub(super) mod patience {
    use std::time::Duration;

    /// Any answer that needs no flash. More than the second after which a module forgets half a frame (V*), so that
    /// a second try never lands in the first.
    pub const COMMAND: Duration = Duration::from_millis(1200);
    /// A frame is sent so often. Source: §7.3.
    pub const COMMAND_TRIES: u32 = 10;
    /// The echo of a sync.
    pub const ECHO: Duration = Duration::from_millis(200);
    /// The echo of an AGBOOT sync, the first of which is always swallowed, and of which the module loses any that
    /// come while it erases (V*).
    pub const IMAGE_ECHO: Duration = Duration::from_millis(100);
    /// A module erases and writes a block before it answers the next sync.
    pub const BLOCK: Duration = Duration::from_secs(15);
    /// AGBOOT syncs in vain after which the line is left in silence.
    pub const IMAGE_SYNCS_BETWEEN_SILENCES: u32 = 15;
    /// Syncs of the boot ROM in one round, and of an agent that may be there instead; rounds.
    pub const ROM_SYNCS: u32 = 10;
    pub const LOOP_SYNCS: u32 = 3;
    pub const ROUNDS: u32 = 6;
    /// Syncs of an agent that must be there, and how many in vain before the line is left in silence.
    pub const AGENT_SYNCS: u32 = 50;
    pub const SYNCS_BETWEEN_SILENCES: u32 = 3;
    /// After this long without a byte, a module has forgotten whatever it had half received. Source: §4.2 (V*).
    pub const SILENCE: Duration = Duration::from_millis(1200);
    /// A boot ROM's echo is its last byte; anything that follows it so soon is noise. Source: §3.1.
    pub const AFTER_ROM_ECHO: Duration = Duration::from_millis(10);
    /// A module that found a wrong check sum drops what comes next. Source: §7.2 (V*).
    pub const FLUSH: Duration = Duration::from_millis(450);
    /// Before and after the change of the line speed.
    pub const BAUD_SWITCH: Duration = Duration::from_millis(100);
    /// 64 KiB of erasing; so often.
    pub const ERASE: Duration = Duration::from_secs(10);
    pub const ERASE_TRIES: u32 = 3;
    /// 64 KiB out of a flash.
    pub const BULK_READ: Duration = Duration::from_secs(3);
    pub const BULK_READ_TRIES: u32 = 3;
    /// The end of an image, in all and between two questions.
    pub const STATUS: Duration = Duration::from_secs(15);
    pub const STATUS_ANSWER: Duration = Duration::from_millis(1500);
    pub const STATUS_AGAIN: Duration = Duration::from_millis(200);
    pub const RESET: Duration = Duration::from_secs(2);
    /// Nothing follows a damaged frame so late.
    pub const AFTER_DAMAGE: Duration = Duration::from_millis(100);
    /// The line is quiet after this long, and is given up for noisy after that.
    pub const QUIET: Duration = Duration::from_millis(50);
    pub const NOISY: Duration = Duration::from_secs(3);
    /// An answer to BULK_READ names no address: one that was given twice, or late, is known by the answer too many that
    /// begins within this. The length is ours.
    pub const SETTLED: Duration = Duration::from_millis(100);
}
