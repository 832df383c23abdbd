//! Packets of fastboot over UDP: four bytes of header, and data. Source: specs/asr-aboot.md §3.7 (V).
//!
//! | off | size | field |
//! |---|---|---|
//! | 0 | 1 | id |
//! | 1 | 1 | flags: bit 0 says that more follows |
//! | 2 | 2 | sequence, big-endian |
//! | 4 | .. | data |

/// Bytes of the header.
pub const HEADER: usize = 4;
/// Bytes of the largest packet that fits an Ethernet frame: 1500 less the headers of IPv6 and UDP. With more the
/// vendor's own host stalls. Source: specs/asr-aboot.md §3.7 (V-win).
pub const LARGEST: u16 = 1452;
/// Bytes of the smallest largest packet a module may ask for. Source: §3.7 (V).
pub const SMALLEST: u16 = 512;
/// Flag: more data of this download follow.
pub const MORE: u8 = 1;
/// Flag of the announcement of raw bytes; with [`MORE`] unless it is the last. Source: §3.7 (V-win).
pub const RAW: u8 = 0x80;

/// What a packet is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Id {
    /// The module has failed; the data are a text for a person.
    Error = 0,
    /// Asks which sequence the module expects. Not sequence-checked.
    Query = 1,
    /// Agrees on version and size.
    Init = 2,
    /// A command, data, a poll; and what acknowledges them.
    Fastboot = 3,
}

/// The header of a packet.
pub fn header(id: Id, flags: u8, sequence: u16) -> [u8; HEADER] {
    let [high, low] = sequence.to_be_bytes();
    [id as u8, flags, high, low]
}

/// Id, sequence and data of a packet; nothing when it is none.
pub fn parse(bytes: &[u8]) -> Option<(Id, u16, &[u8])> {
    let (&[id, _, high, low], data) = bytes.split_first_chunk::<HEADER>()?;
    let id = [Id::Error, Id::Query, Id::Init, Id::Fastboot]
        .into_iter()
        .find(|known| *known as u8 == id)?;
    Some((id, u16::from_be_bytes([high, low]), data))
}

/// The first number of 16 bits in the data of a packet, big-endian.
pub fn number(data: &[u8]) -> Option<u16> {
    data.first_chunk().map(|bytes| u16::from_be_bytes(*bytes))
}
