//! The UIS8910's mask ROM: PDL packets, little-endian, without check or escape. Source: specs/unisoc-pac-bsl.md §4.1.
//!
//! ```text
//! H AE 0C 00 00 00 FF 00 00 | 00 00 00 00 ...            CONNECT
//! M AE 04 00 00 00 FF 00 00 | 00 00 00 00                ACK
//! H ... START_DATA, MID_DATA, END_DATA, EXEC_DATA         EXEC is answered only when it fails
//! ```

use super::images::UIMAGE_MAGIC;
use crate::fault::Request;

const TAG: u8 = 0xAE;
const FLOW: u8 = 0xFF;
const FLOW_OF_ERRORS: u8 = 0xEE;
const HEADER: usize = 8;
/// Command, address, size.
const PACKET_HEAD: usize = 12;
/// Largest body: the head and 0x800 bytes of data.
const LARGEST_BODY: usize = 0x80C;
/// Where stage 1 may lie in RAM. Source: specs/unisoc-pac-bsl.md §4.1.
const ROOM_AT: u32 = 0x0080_00C0;
const ROOM: u32 = 0xFF40;

/// Reply codes.
pub(super) const ACK: u32 = 0;
const UNKNOWN_CMD: u32 = 3;
const INVALID_ADDR: u32 = 4;
const INVALID_SIZE: u32 = 7;
const VERIFY_ERROR: u32 = 9;

/// One packet from the host.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Packet {
    pub command: u32,
    pub address: u32,
    pub size: u32,
    pub data: Vec<u8>,
}

impl Packet {
    /// What it asks for.
    pub fn request(&self) -> Request {
        match self.command {
            0 => Request::Connect,
            4 => Request::Start,
            5 => Request::Midst,
            6 => Request::End,
            7 => Request::Exec,
            _ => Request::Other,
        }
    }
}

/// A reply with that code.
pub(super) fn reply(code: u32, garbage: bool) -> Vec<u8> {
    let flow = if code == ACK { FLOW } else { FLOW_OF_ERRORS };
    let reserved = if garbage { [0x5A, 0xC3] } else { [0, 0] };
    let mut reply = vec![TAG, 4, 0, 0, 0, flow];
    reply.extend(reserved);
    reply.extend(code.to_le_bytes());
    reply
}

/// What the ROM makes of a packet.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    Reply(u32),
    /// The loaded image runs.
    Runs(Vec<u8>),
}

/// The ROM's packet server.
#[derive(Debug, Default)]
pub(super) struct Pdl {
    buffer: Vec<u8>,
    address: u32,
    size: usize,
    image: Vec<u8>,
    blocks: u32,
    /// What the host did that the vendor's own never does.
    pub complaint: Option<String>,
}

impl Pdl {
    /// Takes bytes up to the end of the next packet; none when `rest` is used up.
    pub fn next(&mut self, rest: &mut &[u8]) -> Option<Packet> {
        loop {
            self.hunt(rest);
            if self.buffer.len() < HEADER {
                return None;
            }
            let body =
                u32::from_le_bytes([self.buffer[1], self.buffer[2], self.buffer[3], self.buffer[4]]) as usize;
            if self.buffer[5] != FLOW || !(PACKET_HEAD..=LARGEST_BODY).contains(&body) {
                self.buffer.clear();
                continue;
            }
            self.take(rest, HEADER + body);
            if self.buffer.len() < HEADER + body {
                return None;
            }
            let packet = std::mem::take(&mut self.buffer);
            let word =
                |at: usize| u32::from_le_bytes([packet[at], packet[at + 1], packet[at + 2], packet[at + 3]]);
            return Some(Packet {
                command: word(8),
                address: word(12),
                size: word(16),
                data: packet[HEADER + PACKET_HEAD..].to_vec(),
            });
        }
    }

    /// Drops everything before a tag, and takes a header.
    fn hunt(&mut self, rest: &mut &[u8]) {
        if self.buffer.is_empty() {
            let junk = rest.iter().position(|byte| *byte == TAG).unwrap_or(rest.len());
            *rest = &rest[junk..];
        }
        self.take(rest, HEADER);
    }

    fn take(&mut self, rest: &mut &[u8], up_to: usize) {
        let wanted = up_to.saturating_sub(self.buffer.len()).min(rest.len());
        self.buffer.extend_from_slice(&rest[..wanted]);
        *rest = &rest[wanted..];
    }

    /// Does what a packet says.
    pub fn execute(&mut self, packet: &Packet) -> Outcome {
        let code = match packet.command {
            0 => ACK,
            4 => self.start(packet),
            5 => self.middle(packet),
            6 => {
                let vendors = packet.data == [0x1C, 0x3C, 0x6E, 0x06] && self.image.len() == self.size;
                self.demand(
                    vendors,
                    "END_DATA without its constant, or before every byte was sent",
                );
                ACK
            }
            7 if self.image.starts_with(&UIMAGE_MAGIC) && self.address == ROOM_AT => {
                return Outcome::Runs(std::mem::take(&mut self.image));
            }
            7 => VERIFY_ERROR,
            _ => UNKNOWN_CMD,
        };
        Outcome::Reply(code)
    }

    fn start(&mut self, packet: &Packet) -> u32 {
        (self.address, self.size, self.blocks) = (packet.address, packet.size as usize, 0);
        self.image.clear();
        self.demand(packet.data == b"PDL1\0", "START_DATA without its tag");
        let end = packet.address.checked_add(packet.size);
        if packet.address < ROOM_AT || end.is_none_or(|end| end > ROOM_AT + ROOM) {
            return INVALID_ADDR;
        }
        ACK
    }

    fn middle(&mut self, packet: &Packet) -> u32 {
        self.demand(
            packet.address == self.blocks && packet.size > 0,
            "MID_DATA out of order, or empty",
        );
        self.blocks += 1;
        if packet.size as usize != packet.data.len() || self.image.len() + packet.data.len() > self.size {
            return INVALID_SIZE;
        }
        self.image.extend_from_slice(&packet.data);
        ACK
    }

    fn demand(&mut self, is_met: bool, complaint: &str) {
        if !is_met {
            self.complaint.get_or_insert_with(|| complaint.to_owned());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::unisoc::images::uimage;

    fn packet(command: u32, address: u32, size: u32, data: &[u8]) -> Vec<u8> {
        let mut bytes = vec![TAG];
        bytes.extend((12 + data.len() as u32).to_le_bytes());
        bytes.extend([FLOW, 0, 0]);
        for word in [command, address, size] {
            bytes.extend(word.to_le_bytes());
        }
        bytes.extend_from_slice(data);
        bytes
    }

    fn say(rom: &mut Pdl, bytes: &[u8]) -> Outcome {
        let packet = rom.next(&mut &bytes[..]).unwrap();
        rom.execute(&packet)
    }

    #[test]
    fn loads_and_runs_an_image_in_two_blocks() {
        let image = uimage("fdl1", 0x0080_0100, 0x0080_02A4, &[0x7E; 3000]);
        let mut rom = Pdl::default();
        assert_eq!(say(&mut rom, &packet(0, 0, 0, &[])), Outcome::Reply(0));
        assert_eq!(
            say(&mut rom, &packet(4, 0x0080_00C0, image.len() as u32, b"PDL1\0")),
            Outcome::Reply(0)
        );
        for (index, block) in image.chunks(0x800).enumerate() {
            let block = packet(5, index as u32, block.len() as u32, block);
            assert_eq!(say(&mut rom, &block), Outcome::Reply(0));
        }
        assert_eq!(
            say(&mut rom, &packet(6, 0, 0, &[0x1C, 0x3C, 0x6E, 6])),
            Outcome::Reply(0)
        );
        assert_eq!(say(&mut rom, &packet(7, 0, 0, &[])), Outcome::Runs(image));
        assert_eq!(rom.complaint, None);
    }

    #[test]
    fn answers_with_the_codes_of_the_bootloaders_own_server() {
        let mut rom = Pdl::default();
        for (command, code) in [(1, 3), (9, 3), (13, 3), (7, 9)] {
            assert_eq!(say(&mut rom, &packet(command, 0, 0, &[])), Outcome::Reply(code));
        }
        assert_eq!(say(&mut rom, &packet(4, 0, 0x50, b"PDL1\0")), Outcome::Reply(4));
        assert_eq!(
            say(&mut rom, &packet(4, ROOM_AT, ROOM + 1, b"PDL1\0")),
            Outcome::Reply(4)
        );
        assert_eq!(
            say(&mut rom, &packet(4, ROOM_AT, ROOM, b"PDL1\0")),
            Outcome::Reply(0)
        );
        assert_eq!(say(&mut rom, &packet(5, 0, 4, b"abc")), Outcome::Reply(7));
        assert_eq!(rom.complaint, None);
        assert_eq!(say(&mut rom, &packet(5, 7, 3, b"abc")), Outcome::Reply(0));
        assert!(rom.complaint.unwrap().contains("out of order"));
    }

    #[test]
    fn hunts_for_the_tag_and_takes_packets_in_any_pieces() {
        let mut rom = Pdl::default();
        let bytes = [b"\x7E\x00junk".to_vec(), packet(0, 0, 0, &[])].concat();
        let mut found = None;
        for byte in bytes {
            found = found.or(rom.next(&mut &[byte][..]));
        }
        assert_eq!(found.map(|packet| packet.command), Some(0));
        assert_eq!(reply(0, false), [0xAE, 4, 0, 0, 0, 0xFF, 0, 0, 0, 0, 0, 0]);
        assert_eq!(reply(9, false)[5..], [0xEE, 0, 0, 9, 0, 0, 0]);
    }
}
