//! The 272 bytes that go before an image, of the agent and of everything the agent burns.
//!
//! Source: specs/eigencomm-agentboot.md §3.6 (V): rebuilt byte for byte from a capture and from a flash read-back.

use sha2::{Digest, Sha256};

use super::Settings;
use super::plan::{Burn, Kind};
use super::settings::BAUD_UNIT;

/// Bytes of a header.
pub(super) const HEADER_BYTES: usize = 0x110;
/// What SEL_IMAGE says when a header is wanted.
pub(super) const HEADER_ID: [u8; 4] = *b"HMIT";
/// Body ids: what SEL_IMAGE says when the body is wanted, and what BURN_ONE names. Source: §3.6.
pub(super) const AGENT_ID: [u8; 4] = *b"IMBO";

const VERSION: u32 = 0x1000_0001;
const DATE: u32 = 0x2018_0507;
/// The body's hash is not checked by a flasher, and none of the vendor's images says otherwise.
const HASH_NONE: u8 = 0xEE;
/// Bit 15 of the speed word: it holds a speed.
const HAS_BAUD: u16 = 0x8000;
/// Where the vendor's tool says that images are loaded; nobody looks at it.
const LOAD_AT: u32 = 0x0401_0000;
const FLAG_PULLUP_QSPI: u32 = 1;
/// The address holds. EC618 agents ignore it; the vendor's tool sets it. Source: §4.7 (V).
const FLAG_ADDRESS: u32 = 4;

const FLAGS_AT: usize = 24;
const HASH_AT: usize = 32;
const BODY_AT: usize = 64;
const BODY_HASH_AT: usize = 96;

impl Kind {
    /// Its body id.
    pub(super) const fn id(self) -> [u8; 4] {
        match self {
            Kind::Bootloader => *b"IMBO",
            Kind::System => *b"IBKD",
            Kind::Modem => *b"IBPC",
            Kind::File => *b"IXLF",
        }
    }
}

/// The header of an agent.
pub(super) fn of_agent(agent: &[u8], settings: Settings) -> [u8; HEADER_BYTES] {
    let units = u16::try_from(settings.agent_baud / BAUD_UNIT).unwrap_or(0);
    let flags = if settings.pullup_qspi { FLAG_PULLUP_QSPI } else { 0 };
    build(AGENT_ID, 0, agent, HAS_BAUD | units, flags)
}

/// The header of an image for flash.
pub(super) fn of_burn(burn: &Burn) -> [u8; HEADER_BYTES] {
    let flags = if burn.address == 0 { 0 } else { FLAG_ADDRESS };
    build(burn.kind.id(), burn.address, &burn.data, 0, flags)
}

/// A header with its own hash in it.
pub(super) fn build(id: [u8; 4], address: u32, body: &[u8], baud: u16, flags: u32) -> [u8; HEADER_BYTES] {
    let mut header = [0; HEADER_BYTES];
    let mut put = |at: usize, bytes: &[u8]| header[at..at + bytes.len()].copy_from_slice(bytes);
    put(0, &VERSION.to_le_bytes());
    put(4, &HEADER_ID);
    put(8, &DATE.to_le_bytes());
    put(16, &1u32.to_le_bytes());
    put(20, &[HASH_NONE]);
    put(22, &baud.to_le_bytes());
    put(FLAGS_AT, &flags.to_le_bytes());
    put(BODY_AT, &id);
    put(BODY_AT + 4, &address.to_le_bytes());
    put(BODY_AT + 8, &LOAD_AT.to_le_bytes());
    put(BODY_AT + 12, &(body.len() as u32).to_le_bytes());
    put(BODY_HASH_AT, &Sha256::digest(body));
    let hash = Sha256::digest(header);
    header[HASH_AT..HASH_AT + hash.len()].copy_from_slice(&hash);
    header
}
