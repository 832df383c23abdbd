//! A small Eigencomm host for the tests of the virtual modules: DLBOOT, LPC, AGBOOT, containers, image headers. It
//! shares no code with them.
#![allow(dead_code)]

pub mod package;
pub mod stages;

use std::time::{Duration, Instant};

use sha2::{Digest, Sha256};

use crate::client::{Client, PATIENCE};
use package::Package;

pub const DL: [u8; 4] = [0x00, 0xD3, 0x02, 0x2B];
pub const LPC: [u8; 4] = [0xCD, 0xD3, 0x02, 0x2B];
pub const AG: [u8; 4] = [0xAA, 0xD3, 0x02, 0x2B];
pub const WRONG_STATE: [u8; 4] = [0x2B, 0x02, 0xD3, 0xEE];
pub const BL_ID: &[u8; 4] = b"IMBO";
pub const AP_ID: &[u8; 4] = b"IBKD";
pub const CP_ID: &[u8; 4] = b"IBPC";
pub const FLEX_ID: &[u8; 4] = b"IXLF";
/// Names the CP flash in BURN_ONE.
pub const TO_CP: [u8; 2] = [1, 0xE1];
pub const TO_AP: [u8; 2] = [1, 0xE0];
/// Long enough to see that nothing comes.
pub const QUIET: Duration = Duration::from_millis(120);

/// A free place in the AP flash.
pub const FLEX_AT: u32 = 0x38_0000;
pub const NOTHING: [u8; 0] = [];

pub fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<_> = text.chars().filter_map(|digit| digit.to_digit(16)).collect();
    digits
        .chunks(2)
        .map(|pair| (pair[0] << 4 | pair[1]) as u8)
        .collect()
}

pub fn pattern(length: usize) -> Vec<u8> {
    (0..length).map(|place| (place * 7 % 253) as u8).collect()
}

pub fn done() -> Said {
    Said::Ack(Vec::new())
}

pub fn nak(code: u32) -> Said {
    Said::Nak(0, code)
}

/// What a command came to: the data of an ACK, the index and code of a NAK, or silence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Said {
    Ack(Vec<u8>),
    Nak(u8, u32),
    Nothing,
    /// Something else, or a wrong check.
    Garbled(Vec<u8>),
}

/// One open download port.
pub struct Host {
    pub client: Client,
    received: Vec<u8>,
}

pub fn words(words: &[u32]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_le_bytes()).collect()
}

pub fn maxim(bytes: &[u8]) -> u8 {
    let mut crc = 0_u8;
    for bit in bytes
        .iter()
        .flat_map(|byte| (0..8).map(move |bit| byte >> bit & 1))
    {
        let mix = (crc ^ bit) & 1;
        crc = (crc >> 1) ^ (mix * 0x8C);
    }
    crc
}

pub fn ieee(bytes: &[u8]) -> u32 {
    let mut crc = u32::MAX;
    for bit in bytes
        .iter()
        .flat_map(|byte| (0..8).map(move |bit| u32::from(byte >> bit & 1)))
    {
        let mix = (crc ^ bit) & 1;
        crc = (crc >> 1) ^ (mix * 0xEDB8_8320);
    }
    !crc
}

/// A frame of the agent.
pub fn frame(order: [u8; 2], command: u8, index: u8, data: &[u8]) -> Vec<u8> {
    let mut frame = vec![command, index, order[0], order[1]];
    frame.extend((data.len() as u32).to_le_bytes());
    frame.extend_from_slice(data);
    let check = ieee(&frame);
    frame[7] = maxim(&frame[4..7]);
    frame.extend(check.to_le_bytes());
    frame
}

pub fn ag(command: u8, index: u8, data: &[u8]) -> Vec<u8> {
    frame([0xCD, 0x32], command, index, data)
}

pub fn lpc(command: u8, data: &[u8]) -> Vec<u8> {
    frame([0x4C, 0xB3], command, 0, data)
}

/// An image header; `baud` and `flags` are those of offsets 22 and 24.
pub fn header(id: &[u8; 4], address: u32, body: &[u8], baud: u32, flags: u32) -> Vec<u8> {
    let mut header = words(&[0x1000_0001, 0x5449_4D48, 0x2018_0507, 0, 1]);
    let rate = if baud == 0 { 0 } else { 0x8000 + baud / 100 };
    header.extend(words(&[0xEE | rate << 16, flags, 0]));
    header.extend([0; 32]);
    header.extend_from_slice(id);
    header.extend(words(&[address, 0x0401_0000, body.len() as u32, 0, 0, 0, 0]));
    header.extend(Sha256::digest(body));
    header.resize(272, 0);
    let own = Sha256::digest(&header);
    header[32..64].copy_from_slice(&own);
    header
}

/// The header of an image for the flash, as a careful host writes it.
pub fn burn_header(id: &[u8; 4], address: u32, body: &[u8]) -> Vec<u8> {
    header(id, address, body, 0, if address == 0 { 0 } else { 4 })
}

impl Host {
    pub fn open(path: impl AsRef<std::path::Path>) -> Self {
        Host {
            client: Client::open(path),
            received: Vec::new(),
        }
    }

    /// The next `count` bytes; those that came when `within` has passed first.
    pub fn bytes(&mut self, count: usize, within: Duration) -> Vec<u8> {
        let deadline = Instant::now() + within;
        while self.received.len() < count {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.client.read(left) {
                Some(bytes) if !bytes.is_empty() => self.received.extend(bytes),
                _ => break,
            }
        }
        let count = count.min(self.received.len());
        self.received.drain(..count).collect()
    }

    /// Everything that comes until the line is silent.
    pub fn rest(&mut self) -> Vec<u8> {
        self.bytes(1 << 20, QUIET)
    }

    /// Sends, and returns everything that comes until the line is silent.
    pub fn exchange(&mut self, bytes: &[u8]) -> Vec<u8> {
        self.client.send(bytes).unwrap();
        self.rest()
    }

    /// Sends the word twice; true when it is echoed.
    pub fn sync_once(&mut self, word: [u8; 4], within: Duration) -> bool {
        if self.client.send(&[word, word].concat()).is_err() {
            return false;
        }
        self.bytes(4, within) == word
    }

    pub fn try_sync(&mut self, word: [u8; 4]) -> bool {
        (0..10).any(|_| self.sync_once(word, Duration::from_millis(250)))
    }

    pub fn sync(&mut self, word: [u8; 4]) {
        assert!(self.try_sync(word), "no echo of {word:02X?}");
    }

    fn reply(&mut self, has_check: bool, within: Duration) -> Said {
        let mut reply = self.bytes(6, within);
        if reply.is_empty() {
            return Said::Nothing;
        }
        if reply.len() == 6 {
            let length = usize::from(reply[5]) + if has_check { 4 } else { 0 };
            reply.extend(self.bytes(length, QUIET));
        }
        let end = reply.len() - if has_check { 4.min(reply.len()) } else { 0 };
        if reply.len() < 6 || end != 6 + usize::from(reply[5]) {
            return Said::Garbled(reply);
        }
        let stale = reply[4] == 1 && reply[6] == 0x9C;
        if has_check && !stale && reply[end..] != ieee(&reply[..end]).to_le_bytes() {
            return Said::Garbled(reply);
        }
        match reply[4] {
            0 => Said::Ack(reply[6..end].to_vec()),
            _ => Said::Nak(reply[1], u32::from_le_bytes(reply[6..10].try_into().unwrap())),
        }
    }

    /// A command of the ROM.
    pub fn rom(&mut self, command: u8, index: u8, data: &[u8]) -> Said {
        let mut frame = vec![command, index, 0xCD, 0x32];
        frame.extend((data.len() as u32).to_le_bytes());
        frame.extend_from_slice(data);
        if command == 0x32 {
            let sum: u32 = frame.iter().map(|byte| u32::from(*byte)).sum();
            frame.extend(sum.to_le_bytes());
        }
        match self.client.send(&frame) {
            Ok(()) => self.reply(false, PATIENCE),
            Err(_) => Said::Nothing,
        }
    }

    /// A frame of the agent.
    pub fn ask(&mut self, frame: &[u8]) -> Said {
        self.ask_within(frame, PATIENCE)
    }

    pub fn ask_within(&mut self, frame: &[u8], within: Duration) -> Said {
        match self.client.send(frame) {
            Ok(()) => self.reply(true, within),
            Err(_) => Said::Nothing,
        }
    }

    /// One session of the ROM; the error is what went wrong.
    pub fn rom_image(&mut self, id: &[u8; 4], image: &[u8]) -> Result<(), Said> {
        self.sync(DL);
        ack(self.rom(0x20, 0, &[]))?;
        match self.rom(0x21, 0, &[]) {
            Said::Ack(wanted) if wanted == id => {}
            other => return Err(other),
        }
        ack(self.rom(0x22, 0, &[]))?;
        let (mut at, mut index) = (0, 0_u8);
        while at < image.len() {
            let granted = granted(self.rom(0x31, 0, &words(&[(image.len() - at) as u32])))?;
            ack(self.rom(0x32, index, &image[at..at + granted]))?;
            (at, index) = (at + granted, index.wrapping_add(1));
        }
        ack(self.rom(0x3A, 0, &[])).map(drop)
    }

    /// Loads an agent, and waits for it in LPC.
    pub fn load(&mut self, agent: &[u8]) {
        let head = header(BL_ID, 0, agent, 921_600, 1);
        self.rom_image(b"HMIT", &head).unwrap();
        self.rom_image(BL_ID, agent).unwrap();
        self.sync(LPC);
    }

    /// The data of one session, and DONE.
    pub fn session(&mut self, data: &[u8]) -> Result<(), Said> {
        let (mut at, mut index) = (0, 0_u8);
        while at < data.len() {
            let left = words(&[(data.len() - at) as u32]);
            let granted = granted(self.ask(&ag(0x31, 0, &left)))?;
            ack(self.ask(&ag(0x32, index, &data[at..at + granted])))?;
            (at, index) = (at + granted, index.wrapping_add(1));
        }
        ack(self.ask(&ag(0x3A, 0, &[]))).map(drop)
    }

    /// BURN_ONE up to the echo of its AG sync.
    pub fn begin(&mut self, id: &[u8; 4], suffix: &[u8]) {
        self.try_begin(id, suffix).unwrap();
    }

    fn try_begin(&mut self, id: &[u8; 4], suffix: &[u8]) -> Result<(), Said> {
        let named = [&id[..], suffix].concat();
        if !self.try_sync(LPC) {
            return Err(Said::Nothing);
        }
        ack(self.ask(&lpc(0x42, &named)))?;
        // The first sync is swallowed.
        let echoed = self.sync_once(AG, QUIET);
        if echoed || !self.try_sync(AG) {
            return Err(Said::Nothing);
        }
        Ok(())
    }

    /// Burns an image with that header; gives the status.
    pub fn burn_with(
        &mut self,
        header: &[u8],
        id: &[u8; 4],
        suffix: &[u8],
        body: &[u8],
    ) -> Result<u32, Said> {
        self.try_begin(id, suffix)?;
        self.session(header)?;
        for block in body.chunks(0x1_0000) {
            if !self.try_sync(AG) {
                return Err(Said::Nothing);
            }
            self.session(block)?;
        }
        self.status()
    }

    pub fn burn(&mut self, id: &[u8; 4], suffix: &[u8], address: u32, body: &[u8]) -> Result<u32, Said> {
        self.burn_with(&burn_header(id, address, body), id, suffix, body)
    }

    /// GET_BURN_STATUS.
    pub fn status(&mut self) -> Result<u32, Said> {
        let data = ack(self.ask(&lpc(0x44, &[])))?;
        Ok(u32::from_le_bytes(data.try_into().unwrap()))
    }

    pub fn erase(&mut self, address: u32, length: u32) -> Said {
        self.ask(&lpc(0x10, &words(&[length, address])))
    }

    pub fn read(&mut self, address: u32, length: u32) -> Said {
        self.ask(&lpc(0x21, &words(&[length, address])))
    }

    /// Burns a whole package as the vendor's tools do, extra files after an erase of their areas.
    pub fn write(&mut self, package: &Package) -> Result<(), Said> {
        for (kind, address, data) in &package.images {
            let (id, suffix) = match kind.as_str() {
                "BL" => (BL_ID, &[][..]),
                "AP" => (AP_ID, &[][..]),
                _ => (CP_ID, &TO_CP[..]),
            };
            is_good(self.burn(id, suffix, *address, data)?)?;
        }
        for (start, size, data) in &package.extras {
            self.sync(LPC);
            ack(self.erase(0x80_0000 + start, *size))?;
            is_good(self.burn(FLEX_ID, &TO_AP, *start, data)?)?;
        }
        Ok(())
    }

    /// SYS_RST.
    pub fn reset(&mut self) {
        self.sync(LPC);
        assert_eq!(self.ask(&lpc(0xAA, &[])), Said::Ack(b"ZzZzZzZz".to_vec()));
    }
}

pub fn ack(said: Said) -> Result<Vec<u8>, Said> {
    match said {
        Said::Ack(data) => Ok(data),
        other => Err(other),
    }
}

fn granted(said: Said) -> Result<usize, Said> {
    let data = ack(said)?;
    Ok(u32::from_le_bytes(data.try_into().unwrap()) as usize)
}

fn is_good(status: u32) -> Result<(), Said> {
    if status == 0 {
        Ok(())
    } else {
        Err(Said::Nak(0, status))
    }
}
