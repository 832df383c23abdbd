//! A small Unisoc host for the tests of the virtual modules: PDL, BSL, packages. It shares no code with them.
#![allow(dead_code)]

pub mod stages;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use qpyflash_virtual::UnisocChip;

use crate::client::{Client, PATIENCE};

pub const CONNECT: u16 = 0;
pub const START: u16 = 1;
pub const MIDST: u16 = 2;
pub const END: u16 = 3;
pub const EXEC: u16 = 4;
pub const RESET: u16 = 5;
pub const READ: u16 = 6;
pub const ERASE: u16 = 10;
pub const ACK: u16 = 0x80;
pub const VER: u16 = 0x81;
pub const NV: u32 = 0xFE00_0003;
/// Long enough to see that nothing comes.
pub const QUIET: Duration = Duration::from_millis(150);

/// One open download port.
pub struct Bsl {
    pub client: Client,
    pub crc: bool,
    received: Vec<u8>,
}

fn sum(bytes: &[u8]) -> u16 {
    let total = bytes.iter().enumerate().fold(0_u64, |total, (place, byte)| {
        total + (u64::from(*byte) << if place % 2 == 0 { 8 } else { 0 })
    });
    !(u16::try_from(total % 0xFFFF).unwrap()
        | if total > 0 && total % 0xFFFF == 0 {
            0xFFFF
        } else {
            0
        })
}

fn crc(bytes: &[u8]) -> u16 {
    let mut crc = 0_u16;
    for bit in bytes
        .iter()
        .flat_map(|byte| (0..8).rev().map(move |bit| byte >> bit & 1))
    {
        let out = crc >> 15 ^ u16::from(bit);
        crc = crc << 1 ^ if out == 1 { 0x1021 } else { 0 };
    }
    crc
}

pub fn words(words: &[u32]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_be_bytes()).collect()
}

impl Bsl {
    pub fn open(path: impl AsRef<std::path::Path>, crc: bool) -> Self {
        Bsl {
            client: Client::open(path),
            crc,
            received: Vec::new(),
        }
    }

    pub fn encode(&self, kind: u16, payload: &[u8]) -> Vec<u8> {
        let mut body = words(&[u32::from(kind) << 16 | payload.len() as u32]);
        body.extend_from_slice(payload);
        let check = if self.crc { crc(&body) } else { sum(&body) };
        body.extend(check.to_be_bytes());
        let mut frame = vec![0x7E];
        for byte in body {
            match byte {
                0x7D | 0x7E => frame.extend([0x7D, byte ^ 0x20]),
                byte => frame.push(byte),
            }
        }
        frame.push(0x7E);
        frame
    }

    /// The next reply as code and payload; none when there was none within `within`.
    pub fn reply(&mut self, within: Duration) -> Option<(u16, Vec<u8>)> {
        let deadline = Instant::now() + within;
        loop {
            if let Some(reply) = self.take_reply() {
                return Some(reply);
            }
            let bytes = self
                .client
                .read(deadline.saturating_duration_since(Instant::now()))?;
            if bytes.is_empty() {
                return None;
            }
            self.received.extend(bytes);
        }
    }

    fn take_reply(&mut self) -> Option<(u16, Vec<u8>)> {
        loop {
            let start = self.received.iter().position(|byte| *byte == 0x7E)?;
            let length = self.received[start + 1..].iter().position(|byte| *byte == 0x7E)?;
            let frame: Vec<u8> = self
                .received
                .drain(..start + 1 + length)
                .skip(start + 1)
                .collect();
            let mut body = Vec::new();
            let mut bytes = frame.into_iter();
            while let Some(byte) = bytes.next() {
                body.push(if byte == 0x7D { bytes.next()? ^ 0x20 } else { byte });
            }
            if body.len() < 6 {
                continue;
            }
            self.received.drain(..1);
            let (data, check) = body.split_at(body.len() - 2);
            let expected = if self.crc { crc(data) } else { sum(data) };
            if check != expected.to_be_bytes() {
                return Some((0xFFFF, body));
            }
            return Some((u16::from_be_bytes([data[0], data[1]]), data[4..].to_vec()));
        }
    }

    pub fn ask(&mut self, kind: u16, payload: &[u8]) -> Option<(u16, Vec<u8>)> {
        self.ask_within(kind, payload, PATIENCE)
    }

    pub fn ask_within(&mut self, kind: u16, payload: &[u8], within: Duration) -> Option<(u16, Vec<u8>)> {
        let frame = self.encode(kind, payload);
        self.client.send(&frame).ok()?;
        self.reply(within)
    }

    /// The code of the reply.
    pub fn code(&mut self, kind: u16, payload: &[u8]) -> u16 {
        self.ask(kind, payload)
            .unwrap_or_else(|| panic!("no reply to {kind:#x}"))
            .0
    }

    /// START, MIDST in frames of `frame` bytes, END; the error is the first code that is no ACK.
    pub fn object(&mut self, start: &[u32], image: &[u8], frame: usize) -> Result<(), u16> {
        let mut ask = |kind: u16, payload: &[u8]| match self.ask(kind, payload) {
            Some((ACK, _)) => Ok(()),
            other => Err(other.map_or(0, |(code, _)| code)),
        };
        ask(START, &words(start))?;
        image.chunks(frame).try_for_each(|piece| ask(MIDST, piece))?;
        ask(END, &[])
    }

    /// Sends flags and reads the version.
    pub fn sync(&mut self, flags: usize) -> String {
        self.client.send(&vec![0x7E; flags]).unwrap();
        let (code, text) = self.reply(PATIENCE).unwrap();
        assert_eq!(code, VER);
        String::from_utf8_lossy(&text).into_owned()
    }

    /// A PDL packet; none when it is not answered.
    pub fn pdl(&mut self, command: u32, address: u32, size: usize, data: &[u8]) -> Option<u32> {
        let mut packet = vec![0xAE];
        packet.extend((12 + data.len() as u32).to_le_bytes());
        packet.extend([0xFF, 0, 0]);
        for word in [command, address, size as u32] {
            packet.extend(word.to_le_bytes());
        }
        packet.extend_from_slice(data);
        self.client.send(&packet).ok()?;
        let within = if command == 7 { QUIET } else { PATIENCE };
        let mut reply = Vec::new();
        while reply.len() < 12 {
            let bytes = self.client.read(within)?;
            if bytes.is_empty() {
                return None;
            }
            reply.extend(bytes);
        }
        assert_eq!((reply[0], reply.len()), (0xAE, 12));
        Some(u32::from_le_bytes([reply[8], reply[9], reply[10], reply[11]]))
    }

    /// Loads FDL1 over PDL and runs it.
    pub fn load_fdl1(&mut self, image: &[u8]) {
        assert_eq!(self.pdl(0, 0, 0, &[]), Some(0));
        assert_eq!(self.pdl(4, 0x0080_00C0, image.len(), b"PDL1\0"), Some(0));
        for (index, block) in image.chunks(0x800).enumerate() {
            assert_eq!(self.pdl(5, index as u32, block.len(), block), Some(0));
        }
        assert_eq!(self.pdl(6, 0, 0, &[0x1C, 0x3C, 0x6E, 6]), Some(0));
        assert_eq!(self.pdl(7, 0, 0, &[]), None);
    }

    /// Mask ROM to FDL2 of the UIS8910.
    pub fn load_8910(&mut self, pac: &Pac) {
        self.load_fdl1(pac.data("HOST_FDL"));
        assert_eq!(self.sync(1), "Spreadtrum Boot Block version 1.2\0");
        assert_eq!(self.code(CONNECT, &[]), ACK);
        let fdl2 = pac.data("FDL2");
        self.object(&[0x0081_0000, fdl2.len() as u32], fdl2, 0x840)
            .unwrap();
        assert_eq!(self.code(EXEC, &[]), ACK);
        assert_eq!(self.code(CONNECT, &[]), ACK);
    }

    /// Mask ROM to FDL of the UIS8850.
    pub fn load_8850(&mut self, pac: &Pac) {
        assert_eq!(self.sync(3), "SPRD3\0");
        assert_eq!(self.code(CONNECT, &[]), ACK);
        let fdl = pac.data("FDL");
        self.object(&[0x5080_0000, fdl.len() as u32], fdl, 0x210).unwrap();
        assert_eq!(self.code(EXEC, &[]), ACK);
        self.crc = false;
        self.sync(3);
        assert_eq!(self.code(CONNECT, &[]), ACK);
    }

    /// Mask ROM to the loader that writes.
    pub fn load(&mut self, chip: UnisocChip, pac: &Pac) {
        match chip {
            UnisocChip::Uis8910 => self.load_8910(pac),
            UnisocChip::Uis8850 => self.load_8850(pac),
        }
    }

    /// Reads `length` bytes of the NV area at `offset`.
    pub fn read_nv(&mut self, offset: u32, length: u32) -> Result<Vec<u8>, u16> {
        match self.ask(READ, &words(&[NV, length, offset])) {
            Some((0x93, data)) => Ok(data),
            other => Err(other.map_or(0, |(code, _)| code)),
        }
    }

    /// The whole NV bin of the module.
    pub fn nv_bin(&mut self) -> Result<Vec<u8>, u16> {
        let mut bin = Vec::new();
        loop {
            match self.read_nv(bin.len() as u32, 0x3000) {
                Ok(piece) => bin.extend(piece),
                Err(0x82) if !bin.is_empty() => return Ok(bin),
                Err(code) => return Err(code),
            }
            if bin.len() >= 0x2_8000 {
                return Ok(bin);
            }
        }
    }

    /// Runs the entries of a package in their order, the module's own NV kept; the error names entry and code.
    pub fn write(&mut self, pac: &Pac, frame: usize) -> Result<(), (String, u16)> {
        let bin = self.nv_bin().map_err(|code| ("NV".to_owned(), code))?;
        for entry in pac.entries.iter().filter(|entry| entry.is_selected) {
            let failed = |code| (entry.id.clone(), code);
            match entry.kind.as_str() {
                "HOST_FDL" | "FDL" | "FDL2" => {}
                "EraseFlash" => match self.ask(ERASE, &words(&[entry.address, entry.region])) {
                    Some((ACK, _)) => {}
                    other => return Err(failed(other.map_or(0, |(code, _)| code))),
                },
                "NV" => {
                    let sum = bin.iter().map(|byte| u32::from(*byte)).sum();
                    let start = [entry.address, bin.len() as u32, sum];
                    self.object(&start, &bin, frame).map_err(failed)?;
                }
                _ if entry.id == "PhaseCheck" || entry.kind.is_empty() => {}
                _ => self
                    .object(&[entry.address, entry.data.len() as u32], &entry.data, frame)
                    .map_err(failed)?,
            }
        }
        Ok(())
    }
}

/// A package, read without a single check.
pub struct Pac {
    pub entries: Vec<Entry>,
}

pub struct Entry {
    pub id: String,
    pub file: String,
    pub data: Vec<u8>,
    pub address: u32,
    pub is_selected: bool,
    /// Type and size of the XML.
    pub kind: String,
    pub region: u32,
}

impl Pac {
    pub fn read(bytes: &[u8]) -> Self {
        let word = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap());
        let text = |at: usize, length: usize| {
            let units = bytes[at..at + length]
                .chunks(2)
                .map(|c| u16::from_le_bytes([c[0], c[1]]));
            String::from_utf16(&units.take_while(|unit| *unit != 0).collect::<Vec<_>>()).unwrap()
        };
        let mut entries: Vec<_> = (0..word(0x434) as usize)
            .map(|number| 2124 + 2580 * number)
            .map(|at| Entry {
                id: text(at + 4, 512),
                file: text(at + 516, 512),
                data: bytes[word(at + 1552) as usize..][..word(at + 1540) as usize].to_vec(),
                address: word(at + 1564),
                is_selected: word(at + 1548) == 1,
                kind: String::new(),
                region: 0,
            })
            .collect();
        let xml = String::from_utf8(entries.last().unwrap().data.clone()).unwrap();
        for entry in entries.iter_mut().filter(|entry| !entry.id.is_empty()) {
            let (_, file) = xml.split_once(&format!("<ID>{}</ID>", entry.id)).unwrap();
            let element = |name: &str| {
                let (_, rest) = file.split_once(&format!("<{name}>")).unwrap();
                rest.split_once('<').unwrap().0.to_owned()
            };
            entry.kind = element("Type");
            entry.region = u32::from_str_radix(&element("Size")[2..], 16).unwrap();
        }
        Pac { entries }
    }

    pub fn entry(&self, id: &str) -> &Entry {
        self.entries.iter().find(|entry| entry.id == id).unwrap()
    }

    pub fn data(&self, id: &str) -> &[u8] {
        &self.entry(id).data
    }
}

/// A file of the shared vectors.
pub fn vector(name: &str) -> Vec<u8> {
    let given = std::env::var_os("QPYFLASH_VECTORS").map(PathBuf::from);
    let beside = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/vectors");
    let path = given.unwrap_or_else(|| beside.into()).join(name);
    std::fs::read(&path).unwrap_or_else(|error| {
        panic!(
            "cannot read the test vector {}: {error}; set QPYFLASH_VECTORS",
            path.display()
        )
    })
}
