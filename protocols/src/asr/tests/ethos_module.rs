//! The module of `module.rs` behind ETHOS, with its own simple codec: what it says in SMUX frames is polled for here.

use std::collections::VecDeque;
use std::time::Duration;

use super::module::Module;
use crate::{Progress, Wire, WireError};

pub(super) const MAC: [u8; 6] = [0x02, 0xE3, 0x96, 0x6C, 0x7C, 0x41];

/// What is changed about the module.
#[derive(Debug, Clone, Default)]
pub(super) struct Quirks {
    /// Every so many Ethernet frames is lost, or comes twice, counted in each direction.
    pub loses_every: usize,
    pub doubles_every: usize,
    /// Answers no packet from this one on.
    pub deaf_after: Option<usize>,
    /// Statuses come in the acknowledgement of the command.
    pub out_of_turn: bool,
    /// Every command is answered by an error packet.
    pub errs: bool,
    pub largest_packet: u16,
}

/// The module and the wire to it.
pub(super) struct EthosModule {
    pub inner: Module,
    pub quirks: Quirks,
    /// Fastboot packets heard, with those heard again.
    pub packets: Vec<Vec<u8>>,
    /// Payloads of the texts heard.
    pub texts: Vec<Vec<u8>>,
    /// Advertisements of the host heard.
    pub advertised: usize,
    frame: Vec<u8>,
    kind: u8,
    escaped: bool,
    inside: bool,
    raw: usize,
    expected: u16,
    last: Vec<u8>,
    statuses: VecDeque<Vec<u8>>,
    words: VecDeque<u8>,
    frames: [usize; 2],
}

fn checksum(source: &[u8], destination: &[u8], next: u8, payload: &[u8]) -> u16 {
    let mut bytes = [
        source,
        destination,
        &(payload.len() as u32).to_be_bytes(),
        &[0, 0, 0, next],
    ]
    .concat();
    bytes.extend_from_slice(payload);
    if bytes.len() % 2 == 1 {
        bytes.push(0);
    }
    let mut sum: u64 = bytes
        .chunks(2)
        .map(|pair| u64::from(pair[0]) * 256 + u64::from(pair[1]))
        .sum();
    while sum > 0xFFFF {
        sum = (sum & 0xFFFF) + (sum >> 16);
    }
    !(sum as u16)
}

fn local(mac: &[u8]) -> Vec<u8> {
    let mut address = vec![
        0xFE,
        0x80,
        0,
        0,
        0,
        0,
        0,
        0,
        mac[0] ^ 2,
        mac[1],
        mac[2],
        0xFF,
        0xFE,
    ];
    address.extend(&mac[3..6]);
    address
}

fn ethernet(to: &[u8], next: u8, hop: u8, mut payload: Vec<u8>, at: usize) -> Vec<u8> {
    let (source, destination) = (local(&MAC), local(to));
    let sum = checksum(&source, &destination, next, &payload);
    payload[at..at + 2].copy_from_slice(&sum.to_be_bytes());
    let length = (payload.len() as u16).to_be_bytes();
    let head = [to, &MAC, &[0x86, 0xDD, 0x60, 0, 0, 0], &length, &[next, hop]].concat();
    [head, source, destination, payload].concat()
}

impl EthosModule {
    pub fn new(mut inner: Module) -> Self {
        inner.greeting = b"~UUUU~";
        EthosModule {
            inner,
            quirks: Quirks {
                largest_packet: 1452,
                ..Quirks::default()
            },
            packets: Vec::new(),
            texts: Vec::new(),
            advertised: 0,
            frame: Vec::new(),
            kind: 0,
            escaped: false,
            inside: false,
            raw: 0,
            expected: 0xFFF0,
            last: Vec::new(),
            statuses: VecDeque::new(),
            words: VecDeque::new(),
            frames: [0; 2],
        }
    }

    pub fn with(mut self, change: impl FnOnce(&mut Quirks)) -> Self {
        change(&mut self.quirks);
        self
    }

    fn arrivals(&mut self, direction: usize) -> usize {
        self.frames[direction] += 1;
        let strikes = |every: usize| every > 0 && self.frames[direction].is_multiple_of(every);
        match (
            strikes(self.quirks.loses_every),
            strikes(self.quirks.doubles_every),
        ) {
            (true, _) => 0,
            (_, true) => 2,
            _ => 1,
        }
    }

    fn frame_out(&mut self, kind: u8, payload: &[u8]) {
        self.words.push_back(0x7E);
        if kind > 0 {
            self.words.extend([0x7D, kind ^ 0x20]);
        }
        for &byte in payload {
            match byte {
                0x7D | 0x7E => self.words.extend([0x7D, byte ^ 0x20]),
                byte => self.words.push_back(byte),
            }
        }
        self.words.push_back(0x7E);
    }

    fn say(&mut self, frame: &[u8]) {
        for _ in 0..self.arrivals(1) {
            self.frame_out(0, frame);
        }
    }

    /// What the module behind has said since; log and heartbeats are let go.
    fn collect(&mut self) {
        let mut buffer = [0; 4096];
        let mut bytes = Vec::new();
        while let Ok(count @ 1..) = self.inner.receive(&mut buffer, Duration::ZERO) {
            bytes.extend_from_slice(&buffer[..count]);
        }
        for frame in bytes.split(|&byte| byte == 0x7E) {
            match frame {
                [0x7D, b'#', text @ ..] => self.statuses.push_back(text.to_vec()),
                b"UUUU" => self.frame_out(0, b"UUUU"),
                [0x7D, ..] | [] => {}
                text => self.frame_out(1, text),
            }
        }
    }

    fn data(&mut self, data: &[u8]) {
        let mut frame = vec![0x7E, 0x7D, b'$'];
        for &byte in data {
            match byte {
                0x7D | 0x7E => frame.extend([0x7D, byte ^ 0x20]),
                byte => frame.push(byte),
            }
        }
        frame.push(0x7E);
        let _ = self.inner.send(&frame);
    }

    fn byte(&mut self, byte: u8) {
        match byte {
            0x7E if self.inside && !self.frame.is_empty() => {
                self.inside = false;
                let frame = std::mem::take(&mut self.frame);
                self.understand(&frame);
            }
            0x7E if self.frame.ends_with(b"UUUU") => {
                self.frame.clear();
                let _ = self.inner.send(b"UUUU~");
            }
            0x7E => {
                (self.inside, self.kind) = (true, 0);
                self.frame.clear();
            }
            0x7D if self.inside => self.escaped = true,
            byte if self.escaped => {
                self.escaped = false;
                match byte {
                    0x5E | 0x5D => self.frame.push(byte ^ 0x20),
                    kind => self.kind = kind ^ 0x20,
                }
            }
            byte => self.frame.push(byte),
        }
    }

    fn understand(&mut self, frame: &[u8]) {
        match (self.kind, frame) {
            (0, b"UUUU") => {
                let _ = self.inner.send(b"~UUUU~");
            }
            (0, frame) => {
                for _ in 0..self.arrivals(0) {
                    self.ethernet(frame);
                }
            }
            (1, text) => {
                self.texts.push(text.to_vec());
                let digits = std::str::from_utf8(&text[17..]).expect("a data-request");
                assert_eq!(&text[4..17], b"data-request:");
                self.raw = usize::from_str_radix(digits, 16).expect("hex digits");
                self.expected = u16::from_be_bytes([text[2], text[3]]).wrapping_add(1);
            }
            (2, host) => {
                let host = host.to_vec();
                self.frame_out(3, &MAC);
                let mut solicits = vec![135, 0, 0, 0, 0, 0, 0, 0];
                solicits.extend(local(&host));
                solicits.extend([1, 1]);
                solicits.extend(MAC);
                let (source, mut group) = (local(&MAC), vec![0xFF, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xFF]);
                group.extend(&host[3..]);
                let sum = checksum(&source, &group, 58, &solicits).to_be_bytes();
                solicits[2..4].copy_from_slice(&sum);
                let head = [0x33, 0x33, 0xFF, host[3], host[4], host[5]];
                let ip = [0x86, 0xDD, 0x60, 0, 0, 0, 0, 32, 58, 255];
                let frame = [&head[..], &MAC, &ip, &source, &group, &solicits].concat();
                self.say(&frame);
            }
            (3, _) => {}
            other => panic!("the host said {other:02X?}"),
        }
    }

    fn ethernet(&mut self, frame: &[u8]) {
        let (source, destination, payload) = (&frame[22..38], &frame[38..54], &frame[54..]);
        assert_eq!(
            checksum(source, destination, frame[20], payload),
            0,
            "a wrong check sum"
        );
        assert!(frame.len() <= 1514, "a frame of {} bytes", frame.len());
        match (frame[20], payload[0]) {
            (58, 135) => {
                let mut advertises = vec![136, 0, 0, 0, 0x60, 0, 0, 0];
                advertises.extend(local(&MAC));
                advertises.extend([2, 1]);
                advertises.extend(MAC);
                let frame = ethernet(&frame[6..12], 58, 255, advertises, 2);
                self.say(&frame);
            }
            (58, 136) => self.advertised += 1,
            (17, _) => {
                assert_eq!(payload[2..4], [0x15, 0xB2], "the port");
                self.packets.push(payload[8..].to_vec());
                if self
                    .quirks
                    .deaf_after
                    .is_some_and(|after| self.packets.len() > after)
                {
                    return;
                }
                if let Some(answer) = self.fastboot(&payload[8..]) {
                    let length = (8 + answer.len() as u16).to_be_bytes();
                    let ports = [0x15, 0xB2, payload[0], payload[1]];
                    let udp = [&ports[..], &length, &[0, 0], &answer].concat();
                    let frame = ethernet(&frame[6..12], 17, 64, udp, 6);
                    self.say(&frame);
                }
            }
            _ => {}
        }
    }

    fn fastboot(&mut self, packet: &[u8]) -> Option<Vec<u8>> {
        let sequence = u16::from_be_bytes([packet[2], packet[3]]);
        let mut answer = vec![packet[0], 0, packet[2], packet[3]];
        if packet[0] == 1 {
            answer.extend(self.expected.to_be_bytes());
            return Some(answer);
        }
        if sequence.wrapping_add(1) == self.expected {
            return Some(self.last.clone());
        }
        if sequence != self.expected {
            return None;
        }
        match (packet[0], &packet[4..]) {
            (2, [0, 1, _, _]) => {
                answer.extend([0, 1]);
                answer.extend(self.quirks.largest_packet.to_be_bytes());
            }
            (3, []) => {
                self.collect();
                answer.extend(self.statuses.pop_front().unwrap_or_default());
            }
            (3, _) if self.quirks.errs => {
                answer[0] = 0;
                answer.extend(b"out of memory");
            }
            (3, data) if self.inner.awaits_data() => self.data(data),
            (3, text) => {
                let _ = self.inner.send(&[b"~\x7d#", text, b"~"].concat());
                if self.quirks.out_of_turn {
                    answer.extend(b"OKAY");
                }
            }
            other => panic!("the host sent {other:02X?}"),
        }
        self.expected = self.expected.wrapping_add(1);
        self.last.clone_from(&answer);
        Some(answer)
    }
}

impl Wire for EthosModule {
    fn send(&mut self, mut bytes: &[u8]) -> Result<(), WireError> {
        self.inner.check()?;
        self.inner.largest_send = self.inner.largest_send.max(bytes.len());
        while !bytes.is_empty() {
            let (raw, framed) = bytes.split_at(self.raw.min(bytes.len()));
            self.raw -= raw.len();
            raw.chunks(1024).for_each(|piece| self.data(piece));
            bytes = framed;
            if let Some((&first, rest)) = framed.split_first() {
                self.byte(first);
                bytes = rest;
            }
        }
        Ok(())
    }

    fn receive(&mut self, into: &mut [u8], within: Duration) -> Result<usize, WireError> {
        self.inner.check()?;
        self.collect();
        if self.words.is_empty() {
            self.inner.now += within;
            self.collect();
        }
        self.inner.now += Duration::from_micros(50);
        let count = self.words.len().min(into.len());
        for (place, byte) in into.iter_mut().zip(self.words.drain(..count)) {
            *place = byte;
        }
        Ok(count)
    }

    fn set_baud(&mut self, baud: u32) -> Result<(), WireError> {
        self.inner.set_baud(baud)
    }

    fn now(&self) -> Duration {
        self.inner.now
    }

    fn pause(&mut self, how_long: Duration) -> Result<(), WireError> {
        self.inner.pause(how_long)
    }

    fn report(&mut self, fact: Progress<'_>) {
        self.inner.report(fact);
    }
}
