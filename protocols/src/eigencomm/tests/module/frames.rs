//! The module's own codec, by specs/eigencomm-agentboot.md §3.2, §3.3, §4.1.

/// One byte's remainder, the polynomial reflected.
const fn remainder(mut crc: u32, polynomial: u32) -> u32 {
    let mut bit = 0;
    while bit < 8 {
        crc = (crc >> 1) ^ if crc & 1 == 1 { polynomial } else { 0 };
        bit += 1;
    }
    crc
}

const TABLE: [u32; 256] = {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        table[byte] = remainder(byte as u32, 0xEDB8_8320);
        byte += 1;
    }
    table
};

pub(crate) fn crc32(bytes: &[u8]) -> [u8; 4] {
    let step = |crc: u32, byte: &u8| (crc >> 8) ^ TABLE[usize::from(crc as u8 ^ byte)];
    (!bytes.iter().fold(!0, step)).to_le_bytes()
}

pub(crate) fn crc8(bytes: &[u8]) -> u8 {
    let step = |crc: u32, byte: &u8| remainder(crc ^ u32::from(*byte), 0x8C);
    bytes.iter().fold(0, step) as u8
}

/// A reply of the agent, or of the ROM when it is not checked.
pub(crate) fn reply(head: [u8; 4], state: u8, data: &[u8], checked: bool) -> Vec<u8> {
    let mut raw = [&head[..], &[state, data.len() as u8], data].concat();
    if checked {
        raw.extend(crc32(&raw));
    }
    raw
}

/// A command that has come whole.
pub(crate) struct Heard {
    pub head: [u8; 4],
    pub data: Vec<u8>,
    /// CRC32, or the ROM's sum.
    pub sound: bool,
    /// CRC8 of the length.
    pub length_sound: bool,
}

/// Bytes of the command that `input` begins, when that is known.
pub(crate) fn size(input: &[u8], of_rom: bool) -> Option<usize> {
    let length = u32::from_le_bytes(input.get(4..8)?.try_into().ok()?) & 0x1_FFFF;
    let tail = if !of_rom || input[0] == 0x32 { 4 } else { 0 };
    Some(8 + length as usize + tail)
}

/// Reads a whole command.
pub(crate) fn command(raw: &[u8], of_rom: bool) -> Heard {
    let length = size(raw, false).map_or(0, |size| size - 12);
    let (data, tail) = raw[8..].split_at(length);
    let mut plain = raw[..8 + length].to_vec();
    let length_sound = of_rom || raw[7] == if length == 0 { 0 } else { crc8(&raw[4..7]) };
    let sound = match of_rom {
        true if tail.is_empty() => true,
        true => {
            let sum = plain
                .iter()
                .fold(0u32, |sum, &byte| sum.wrapping_add(byte.into()));
            sum.to_le_bytes() == tail
        }
        false => {
            plain[7] = 0;
            crc32(&plain) == tail
        }
    };
    Heard {
        head: [raw[0], raw[1], raw[2], raw[3]],
        data: data.to_vec(),
        sound,
        length_sound,
    }
}
