//! USB captures made by hand, and made recordings of.
//!
//! The packets are written from the kernel's Documentation/usb/usbmon.rst (48 bytes of head, 64 in the mmapped form)
//! and from USBPcap.h (27 bytes of head), each number by its place.

use std::io::Cursor;
use std::time::Duration;

use pcap_file::pcap::{PcapHeader, PcapPacket, PcapWriter};
use pcap_file::pcapng::PcapNgWriter;
use pcap_file::pcapng::blocks::enhanced_packet::EnhancedPacketBlock;
use pcap_file::pcapng::blocks::interface_description::InterfaceDescriptionBlock;
use pcap_file::{DataLink, Endianness};
use serde_json::Value;

use crate::bench::Bench;
use crate::harness::{Ended, each};
use crate::traces::{assert_ends, record, text};

/// Bytes of the largest transfer of the made-up host.
const TRANSFER: usize = 16384;
const MODULE: Device = Device { bus: 1, number: 7 };
const ENDPOINTS: (u8, u8) = (0x01, 0x82);

#[derive(Clone, Copy)]
struct Device {
    bus: u16,
    number: u8,
}

/// One event of a transfer.
struct Event {
    stage: u8,
    transfer: u8,
    endpoint: u8,
    device: Device,
    id: u64,
    micros: u64,
    /// Bytes asked for, or carried.
    length: usize,
    setup: Option<[u8; 8]>,
    data: Vec<u8>,
}

impl Event {
    /// As usbmon writes it, in either byte order, with the head of that link type.
    fn usbmon(&self, link: u32, big: bool) -> Vec<u8> {
        let number = |bytes: &[u8]| {
            if big {
                bytes.iter().rev().copied().collect()
            } else {
                bytes.to_vec()
            }
        };
        let mut packet: Vec<u8> = number(&self.id.to_le_bytes());
        packet.extend([self.stage, self.transfer, self.endpoint, self.device.number]);
        packet.extend(number(&self.device.bus.to_le_bytes()));
        packet.push(if self.setup.is_some() { 0 } else { b'-' });
        packet.push(if self.data.is_empty() { b'<' } else { 0 });
        packet.extend(number(&((self.micros / 1_000_000) as i64).to_le_bytes()));
        packet.extend(number(&((self.micros % 1_000_000) as i32).to_le_bytes()));
        packet.extend(number(&0_i32.to_le_bytes()));
        packet.extend(number(&(self.length as u32).to_le_bytes()));
        packet.extend(number(&(self.data.len() as u32).to_le_bytes()));
        packet.extend(self.setup.unwrap_or_default());
        if link == 220 {
            packet.extend([0; 16]);
        }
        packet.extend(&self.data);
        packet
    }

    /// As USBPcap writes it.
    fn usbpcap(&self) -> Vec<u8> {
        let completes = self.stage == b'C';
        let is_control = self.transfer == 2;
        let data = match self.setup {
            Some(setup) => setup.to_vec(),
            None => self.data.clone(),
        };
        let mut packet = vec![if is_control { 28 } else { 27 }, 0];
        packet.extend(self.id.to_le_bytes());
        packet.extend([0; 4]);
        packet.extend([9, 0, u8::from(completes)]);
        packet.extend(self.device.bus.to_le_bytes());
        packet.extend(u16::from(self.device.number).to_le_bytes());
        packet.extend([self.endpoint, self.transfer]);
        packet.extend((data.len() as u32).to_le_bytes());
        if is_control {
            packet.push(if completes { 3 } else { 0 });
        }
        packet.extend(data);
        packet
    }
}

/// A made-up host on a made-up bus.
#[derive(Default)]
struct Host {
    events: Vec<Event>,
    id: u64,
    micros: u64,
}

impl Host {
    fn event(&mut self, stage: u8, transfer: u8, device: Device, endpoint: u8, length: usize, data: &[u8]) {
        self.events.push(Event {
            stage,
            transfer,
            endpoint,
            device,
            id: self.id,
            micros: 1_764_000_000_000_000 + self.micros,
            length,
            setup: None,
            data: data.to_vec(),
        });
    }

    /// Asks for a descriptor and gets it.
    fn describe(&mut self, device: Device, kind: u8, descriptor: &[u8]) {
        self.id += 1;
        self.event(b'S', 2, device, 0x80, descriptor.len(), &[]);
        let length = descriptor.len() as u8;
        self.events.last_mut().unwrap().setup = Some([0x80, 6, 0, kind, 0, 0, length, 0]);
        self.event(b'C', 2, device, 0x80, descriptor.len(), descriptor);
    }

    /// A device with these ids, and two interfaces with two bulk endpoints each.
    fn plug_in(&mut self, device: Device, vid: u16, pid: u16) {
        let ([v0, v1], [p0, p1]) = (vid.to_le_bytes(), pid.to_le_bytes());
        self.describe(
            device,
            1,
            &[18, 1, 0, 2, 0, 0, 0, 64, v0, v1, p0, p1, 0, 0, 0, 0, 0, 1],
        );
        let mut configuration = vec![9, 2, 55, 0, 2, 1, 0, 0xA0, 50];
        for (number, out, into) in [(0, 0x03, 0x81), (2, ENDPOINTS.0, ENDPOINTS.1)] {
            configuration.extend([9, 4, number, 0, 2, 0xFF, 0, 0, 0]);
            for endpoint in [out, into] {
                configuration.extend([7, 5, endpoint, 2, 0, 2, 0]);
            }
        }
        self.describe(device, 2, &configuration);
    }

    fn write(&mut self, device: Device, endpoint: u8, bytes: &[u8]) {
        for part in bytes.chunks(TRANSFER) {
            self.id += 1;
            self.event(b'S', 3, device, endpoint, part.len(), part);
            self.event(b'C', 3, device, endpoint, part.len(), &[]);
        }
    }

    fn read(&mut self, device: Device, endpoint: u8, bytes: &[u8]) {
        self.id += 1;
        self.event(b'S', 3, device, endpoint, 4096, &[]);
        self.event(b'C', 3, device, endpoint, bytes.len(), bytes);
    }

    /// What the download session of a recording has said, said on the bus.
    fn say(&mut self, trace: &str) {
        let entries: Vec<Value> = trace
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        // By the clock of the session, which runs slower where every wait is to be shorter.
        let scale = entries[0]["timeout_scale"].as_f64().unwrap();
        let opened = entries.iter().find(|entry| entry["talk"] == "session").unwrap();
        let (line, began) = (&opened["line"], opened["t"].as_f64().unwrap());
        for entry in entries.iter().filter(|entry| &entry["line"] == line) {
            let Some(hex) = entry["hex"].as_str() else {
                continue;
            };
            let pairs = hex
                .as_bytes()
                .chunks(2)
                .map(|pair| std::str::from_utf8(pair).unwrap());
            let bytes: Vec<u8> = pairs.map(|pair| u8::from_str_radix(pair, 16).unwrap()).collect();
            self.micros = ((entry["t"].as_f64().unwrap() - began) * 1e6 / scale) as u64;
            match entry["direction"] == "to-module" {
                true => self.write(MODULE, ENDPOINTS.0, &bytes),
                false => self.read(MODULE, ENDPOINTS.1, &bytes),
            }
        }
    }

    /// A pcap file; of each packet at most `snaplen` bytes.
    fn pcap(&self, link: u32, big: bool, snaplen: usize) -> Vec<u8> {
        let header = PcapHeader {
            datalink: DataLink::from(link),
            endianness: if big { Endianness::Big } else { Endianness::Little },
            snaplen: 0x10_0000,
            ..PcapHeader::default()
        };
        let mut writer = PcapWriter::with_header(Vec::new(), header).unwrap();
        for event in &self.events {
            let packet = match link {
                249 => event.usbpcap(),
                _ => event.usbmon(link, big),
            };
            let captured = &packet[..packet.len().min(snaplen)];
            let at = Duration::from_micros(event.micros);
            let packet = PcapPacket::new(at, packet.len() as u32, captured);
            writer.write_packet(&packet).unwrap();
        }
        writer.into_writer()
    }

    /// A pcapng file, with a clock of microseconds.
    fn pcapng(&self, link: u32) -> Vec<u8> {
        let mut writer = PcapNgWriter::new(Cursor::new(Vec::new())).unwrap();
        let interface = InterfaceDescriptionBlock::new(DataLink::from(link), 0x10_0000);
        writer.write_pcapng_block(interface).unwrap();
        let big = cfg!(target_endian = "big");
        for event in &self.events {
            let packet = match link {
                249 => event.usbpcap(),
                _ => event.usbmon(link, writer.section().endianness == Endianness::Big || big),
            };
            let block = EnhancedPacketBlock {
                interface_id: 0,
                // The library writes nanoseconds whatever the clock.
                timestamp: Duration::from_nanos(event.micros),
                original_len: packet.len() as u32,
                data: packet.into(),
                options: Vec::new(),
            };
            writer.write_pcapng_block(block).unwrap();
        }
        writer.into_inner().into_inner()
    }
}

fn import(bench: &Bench, options: &str) -> Ended {
    bench
        .say(&format!("trace import c.pcap -o i.jsonl {options}"))
        .end()
}

#[test]
fn a_captured_write_of_every_platform_is_equal_when_said_again() {
    each(&["asr", "ethos", "8910", "8850", "ec618"], |platform| {
        let (bench, _module) = record(platform);
        let mut host = Host::default();
        host.plug_in(MODULE, 0x1782, 0x4D00);
        host.say(&text(&bench, "t.jsonl"));
        bench.file("c.pcap", host.pcap(220, false, usize::MAX));
        let imported = import(&bench, "--json");
        assert_ends(&imported, 0);
        let imported = imported.json();
        assert_eq!(imported["imported"]["origin"]["usb_id"], "1782:4d00");
        assert_eq!(imported["imported"]["origin"]["in_endpoint"], 0x82);
        assert_eq!(imported["imported"]["unfinished"], 0);
        let replayed = bench.say("trace replay i.jsonl --package fw.zip").end();
        assert_ends(&replayed, 0);
        assert!(replayed.stdout.starts_with("equal: "), "{replayed:#?}");
        assert_ends(&bench.say("trace show i.jsonl --hex").end(), 0);
    });
}

#[test]
fn every_kind_of_capture_gives_the_same_recording() {
    let (bench, _module) = record("asr");
    let mut host = Host::default();
    host.say(&text(&bench, "t.jsonl"));
    let body = |text: &str| text.split_once('\n').unwrap().1.to_owned();
    bench.file("c.pcap", host.pcap(220, false, usize::MAX));
    assert_ends(&import(&bench, ""), 0);
    let expected = body(&text(&bench, "i.jsonl"));
    let files = [
        host.pcap(189, false, usize::MAX),
        host.pcap(189, true, usize::MAX),
        host.pcap(220, true, usize::MAX),
        host.pcap(249, false, usize::MAX),
        host.pcapng(220),
        host.pcapng(249),
    ];
    for file in files {
        bench.file("c.pcap", file);
        assert_ends(&import(&bench, ""), 0);
        assert_eq!(body(&text(&bench, "i.jsonl")), expected);
    }
}

/// The host calls, another device talks, and the module answers on a second pair, too.
fn busy_bus() -> Host {
    let mut host = Host::default();
    let other = Device { bus: 1, number: 9 };
    host.plug_in(MODULE, 0x2ECC, 0x3001);
    host.write(MODULE, 0x03, b"AT\r\n");
    host.read(MODULE, 0x81, b"OK\r\n");
    host.write(other, 0x02, b"a disk");
    host.read(other, 0x82, b"its bytes");
    for _ in 0..20 {
        host.write(MODULE, ENDPOINTS.0, b"UUUU~");
    }
    host.read(MODULE, ENDPOINTS.1, b"~UABT~");
    host
}

#[test]
fn of_several_devices_and_endpoints_one_must_be_meant() {
    let bench = Bench::bare();
    bench.file("c.pcap", busy_bus().pcap(220, false, usize::MAX));
    let several = import(&bench, "");
    assert_ends(&several, 5);
    for words in [
        "1.7  2ecc:3001  interface 2  endpoints 0x01,0x82",
        "1.9  endpoints 0x02,0x82",
        "--device",
    ] {
        assert!(several.stderr.contains(words), "{words}: {}", several.stderr);
    }
    let chosen = import(&bench, "--device 1.7");
    assert_ends(&chosen, 0);
    assert!(
        chosen.stdout.contains("ASR Cat.1, 100 bytes to and 6 bytes from"),
        "{}",
        chosen.stdout
    );
    assert!(
        chosen.stderr.contains("--endpoints 0x03,0x81"),
        "{}",
        chosen.stderr
    );
    assert_ends(&import(&bench, "--device 1.7 --endpoints 0x03,0x81"), 0);
    let shown = bench.say("trace show i.jsonl").end();
    assert!(
        shown.stdout.contains("> AT ") && shown.stdout.contains("< OK "),
        "{}",
        shown.stdout
    );
    assert_ends(&import(&bench, "--device 1.8"), 4);
    assert_ends(&import(&bench, "--device here"), 2);
}

#[test]
fn a_transfer_counts_with_what_it_has_really_carried() {
    let mut host = Host::default();
    host.write(MODULE, 1, b"UUUU~UUUU~");
    // Half of it was taken; then one that never ended, and one that was refused.
    host.events.last_mut().unwrap().length = 5;
    host.read(MODULE, 0x81, b"~UABT~");
    host.id += 1;
    host.event(b'S', 3, MODULE, 1, 4, b"lost");
    host.id += 1;
    host.event(b'S', 3, MODULE, 1, 3, b"bad");
    host.event(b'E', 3, MODULE, 1, 0, &[]);
    host.read(MODULE, 0x81, b"~UABT~");
    let bench = Bench::bare();
    bench.file("c.pcap", host.pcap(220, false, usize::MAX));
    let imported = import(&bench, "--json").json();
    assert_eq!(imported["imported"]["bytes_to_module"], 5);
    assert_eq!(imported["imported"]["bytes_from_module"], 12);
    assert_eq!(imported["imported"]["unfinished"], 1);
}

#[test]
fn a_capture_that_was_cut_short_is_told_where() {
    let bench = Bench::bare();
    for (link, snaplen) in [(189, 51), (220, 67), (249, 30)] {
        bench.file("c.pcap", busy_bus().pcap(link, false, snaplen));
        let cut = import(&bench, "--device 1.7");
        assert_ends(&cut, 3);
        assert!(cut.stderr.contains("it was cut short"), "{}", cut.stderr);
        assert!(cut.stderr.contains("tcpdump -s 0"), "{}", cut.stderr);
        assert!(!bench.path().join("i.jsonl").exists());
    }
    let whole = busy_bus().pcap(220, false, usize::MAX);
    for file in [&whole[..whole.len() - 3], b"hello, world", b""] {
        bench.file("c.pcap", file);
        assert_ends(&import(&bench, "--device 1.7"), 3);
    }
    bench.file("c.pcap", whole);
    assert_ends(&bench.say("trace import none.pcap -o i.jsonl").end(), 3);
    assert_ends(
        &bench
            .say("trace import c.pcap -o none/i.jsonl --device 1.7")
            .end(),
        2,
    );
}
