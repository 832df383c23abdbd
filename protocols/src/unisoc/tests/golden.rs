//! The bytes of specs/unisoc-pac-bsl.md §4.6, §5.5 and §10.

use super::*;
use crate::unisoc::bsl::{Code, Command};
use crate::unisoc::hdlc::{self, Check, Decoder, Event};
use crate::unisoc::pac::Entry;
use crate::unisoc::pdl;

fn bytes(hex: &str) -> Vec<u8> {
    hex.split_whitespace()
        .map(|byte| u8::from_str_radix(byte, 16).expect("hex"))
        .collect()
}

fn frame(check: Check, command: Command, payload: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    hdlc::encode(check, command as u16, payload, &mut out);
    out
}

fn args(words: &[u32]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_be_bytes()).collect()
}

#[test]
fn encodes_the_worked_frames_of_the_loaders() {
    use Command::{
        ChangeBaud, Connect, EndData, EraseFlash, ExecData, MidstData, NormalReset, ReadFlash, StartData,
    };
    let worked = [
        (Connect, vec![], "7E 00 00 00 00 FF FF 7E"),
        (
            StartData,
            args(&[0x0081_0000, 0xCE00]),
            "7E 00 01 00 08 00 81 00 00 00 00 CE 00 31 75 7E",
        ),
        (
            StartData,
            args(&[0x6001_0000, 0x18]),
            "7E 00 01 00 08 60 01 00 00 00 00 00 18 9F DD 7E",
        ),
        (
            StartData,
            args(&[0xFE00_0003, 0x800, 0x0007_9D4F]),
            "7E 00 01 00 0C FE 00 00 03 00 00 08 00 00 07 9D 4F 5C 98 7E",
        ),
        (
            StartData,
            args(&[0xFE00_0002, 0x100]),
            "7E 00 01 00 08 FE 00 00 02 00 00 01 00 00 F4 7E",
        ),
        (
            MidstData,
            vec![0x7D, 0x7E, 1],
            "7E 00 02 00 03 7D 5D 7D 5E 01 81 7C 7E",
        ),
        (EndData, vec![], "7E 00 03 00 00 FF FC 7E"),
        (ExecData, vec![], "7E 00 04 00 00 FF FB 7E"),
        (NormalReset, vec![], "7E 00 05 00 00 FF FA 7E"),
        (
            ReadFlash,
            args(&[0xFE00_0003, 0x3000, 0]),
            "7E 00 06 00 0C FE 00 00 03 00 00 30 00 00 00 00 00 D1 E9 7E",
        ),
        (
            ReadFlash,
            args(&[0xFE00_0002, 0x100, 0]),
            "7E 00 06 00 0C FE 00 00 02 00 00 01 00 00 00 00 00 00 EB 7E",
        ),
        (
            ReadFlash,
            args(&[0x6001_0000, 0x40, 0]),
            "7E 00 06 00 0C 60 01 00 00 00 00 00 40 00 00 00 00 9F AC 7E",
        ),
        (
            ChangeBaud,
            args(&[115_200]),
            "7E 00 09 00 04 00 01 C2 00 3D F1 7E",
        ),
        (
            ChangeBaud,
            args(&[460_800]),
            "7E 00 09 00 04 00 07 08 00 F7 EB 7E",
        ),
        (
            ChangeBaud,
            args(&[921_600]),
            "7E 00 09 00 04 00 0E 10 00 EF E4 7E",
        ),
        (
            ChangeBaud,
            args(&[4_000_000]),
            "7E 00 09 00 04 00 3D 09 00 F6 B5 7E",
        ),
        (
            EraseFlash,
            args(&[0x6000_0000, 0x10000]),
            "7E 00 0A 00 08 60 00 00 00 00 01 00 00 9F EC 7E",
        ),
        (
            EraseFlash,
            args(&[0x6000_0000, 0x20000]),
            "7E 00 0A 00 08 60 00 00 00 00 02 00 00 9F EB 7E",
        ),
        (
            EraseFlash,
            args(&[0, 0xFFFF_FFFF]),
            "7E 00 0A 00 08 00 00 00 00 FF FF FF FF FF ED 7E",
        ),
        (
            EraseFlash,
            args(&[0xFE00_0001, 0]),
            "7E 00 0A 00 08 FE 00 00 01 00 00 00 00 01 EC 7E",
        ),
        (
            EraseFlash,
            args(&[0xFE00_0005, 0]),
            "7E 00 0A 00 08 FE 00 00 05 00 00 00 00 01 E8 7E",
        ),
        (
            EraseFlash,
            args(&[0xFE00_0006, 0x5359_5346]),
            "7E 00 0A 00 08 FE 00 00 06 53 59 53 46 5B 47 7E",
        ),
    ];
    for (command, payload, wire) in worked {
        let encoded = frame(Check::Sum16, command, &payload);
        assert_eq!(encoded, bytes(wire), "{} {payload:02X?}", command.name());
    }
}

#[test]
fn encodes_the_worked_frames_of_the_8850_rom() {
    let worked = [
        (Command::Connect, vec![], "7E 00 00 00 00 00 00 7E"),
        (
            Command::StartData,
            args(&[0x5080_0000, 0x1000]),
            "7E 00 01 00 08 50 80 00 00 00 00 10 00 92 58 7E",
        ),
        (
            Command::MidstData,
            vec![0x7D, 0x7E, 1, 2],
            "7E 00 02 00 04 7D 5D 7D 5E 01 02 42 6C 7E",
        ),
        (Command::EndData, vec![], "7E 00 03 00 00 59 50 7E"),
        (Command::ExecData, vec![], "7E 00 04 00 00 DC C0 7E"),
    ];
    for (command, payload, wire) in worked {
        assert_eq!(
            frame(Check::Crc16, command, &payload),
            bytes(wire),
            "{}",
            command.name()
        );
    }
}

#[test]
fn decodes_the_worked_replies() {
    let sum = |kind| (kind, Check::Sum16);
    let crc = |kind| (kind, Check::Crc16);
    let version = "7E 00 81 00 22 53 70 72 65 61 64 74 72 75 6D 20 42 6F 6F 74 20 42 6C 6F 63 6B 20 76 65 72 73 69 \
                   6F 6E 20 31 2E 32 00 A9 E9 7E";
    let mut worked = vec![
        ("7E 00 80 00 00 FF 7F 7E".to_owned(), sum(0x80), &b""[..]),
        (version.into(), sum(0x81), b"Spreadtrum Boot Block version 1.2\0"),
        ("7E 00 82 00 00 FF 7D 5D 7E".into(), sum(0x82), b""),
        ("7E 00 80 00 00 3B 5A 7E".into(), crc(0x80), b""),
        (
            "7E 00 81 00 06 53 50 52 44 33 00 57 0A 7E".into(),
            crc(0x81),
            b"SPRD3\0",
        ),
        ("7E 00 8B 00 00 CB AB 7E".into(), crc(0x8B), b""),
        ("7E 00 82 00 00 55 3A 7E".into(), crc(0x82), b""),
    ];
    for (kind, low) in [
        (0x84, 0x7B),
        (0x86, 0x79),
        (0x89, 0x76),
        (0x8A, 0x75),
        (0x8B, 0x74),
        (0x8D, 0x72),
        (0x96, 0x69),
        (0x97, 0x68),
        (0xAA, 0x55),
    ] {
        worked.push((format!("7E 00 {kind:02X} 00 00 FF {low:02X} 7E"), sum(kind), b""));
    }
    for (wire, (kind, check), payload) in worked {
        let mut decoder = Decoder::new(Check::Sum16);
        let event = decoder.next(&mut &bytes(&wire)[..]);
        assert_eq!(event, Some(Event::Frame { kind, check }), "{wire}");
        assert_eq!(decoder.payload(), payload);
    }
    assert_eq!(Code(0x97).to_string(), "UNKNOWN_DEVICE (0x97)");
}

#[test]
fn encodes_the_worked_requests_to_the_mask_rom() {
    let mut out = Vec::new();
    pdl::encode(pdl::Command::Connect, 0, 0, &[], &mut out);
    assert_eq!(
        out,
        bytes("AE 0C 00 00 00 FF 00 00 00 00 00 00 00 00 00 00 00 00 00 00")
    );
    pdl::encode(pdl::Command::StartData, 0x0080_00C0, 0x50, b"PDL1\0", &mut out);
    let start = "AE 11 00 00 00 FF 00 00 04 00 00 00 C0 00 80 00 50 00 00 00 50 44 4C 31 00";
    assert_eq!(out, bytes(start));
    pdl::encode(pdl::Command::ExecData, 0, 0, &[], &mut out);
    assert_eq!(
        out,
        bytes("AE 0C 00 00 00 FF 00 00 07 00 00 00 00 00 00 00 00 00 00 00")
    );
}

const FDL1: &str =
    "27 05 19 56 9D 99 29 89 60 00 00 00 00 00 00 10 00 80 01 00 00 80 01 00 F4 A7 FD 67 05 02 01 00
    64 65 6D 6F 2D 66 64 6C 31 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00
    10 11 12 13 14 15 16 17 18 19 1A 1B 1C 1D 1E 1F";
const FDL2: &str =
    "27 05 19 56 49 40 0C 24 60 00 00 00 00 00 00 10 00 81 00 40 00 81 00 40 69 D1 BD 05 05 02 01 00
    64 65 6D 6F 2D 66 64 6C 32 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00
    70 71 72 73 74 75 76 77 78 79 7A 7B 7C 7D 7E 7F";

/// The package of §10: no NV, no file systems.
fn transcript_plan() -> Plan {
    let mut pac = demo();
    let kept = ["HOST_FDL", "FDL2", "ERASE_BOOT", "AP", "BOOTLOADER"];
    pac.entries.retain(|entry| kept.contains(&entry.id.as_str()));
    let mut ap = bytes("55 7E 7D");
    ap.extend(1..=0x15);
    let data = [bytes(FDL1), bytes(FDL2), vec![], ap, (0..16).collect()];
    for (entry, data) in pac.entries.iter_mut().zip(data) {
        entry.data = data.into();
    }
    let xml = String::from_utf8(pac.xml.to_vec()).expect("text");
    let mut blocks = xml.split("<File>");
    let head = blocks.next().expect("a head").to_owned();
    let wanted = |block: &&str| {
        pac.entries
            .iter()
            .any(|Entry { id, .. }| block.contains(&format!("<ID>{id}</ID>")))
    };
    let xml = blocks
        .filter(wanted)
        .fold(head, |xml, block| xml + "<File>" + block);
    pac.xml = xml.into_bytes().into();
    plan_of(pac)
}

#[test]
fn says_what_the_transcript_says() {
    let mut module = Module::new(Platform::Unisoc8910);
    // With the 80-byte loaders of the transcript the area of the module need not be read to its end.
    module.nv = None;
    run(&mut module, &transcript_plan()).expect("it is written");
    let mid = format!("AE 5C 00 00 00 FF 00 00 05 00 00 00 00 00 00 00 50 00 00 00 {FDL1}");
    let fdl2_on_the_wire = format!(
        "7E 00 02 00 50 {} 8A 17 7E",
        FDL2.replace("7D 7E 7F", "7D 5D 7D 5E 7F")
    );
    let transcript = [
        "AE 0C 00 00 00 FF 00 00 00 00 00 00 00 00 00 00 00 00 00 00",
        "AE 11 00 00 00 FF 00 00 04 00 00 00 C0 00 80 00 50 00 00 00 50 44 4C 31 00",
        &mid,
        "AE 10 00 00 00 FF 00 00 06 00 00 00 00 00 00 00 00 00 00 00 1C 3C 6E 06",
        "AE 0C 00 00 00 FF 00 00 07 00 00 00 00 00 00 00 00 00 00 00",
        "7E",
        "7E 00 00 00 00 FF FF 7E",
        "7E 00 09 00 04 00 01 C2 00 3D F1 7E",
        "7E 00 00 00 00 FF FF 7E",
        "7E 00 01 00 08 00 81 00 00 00 00 00 50 FF 25 7E",
        &fdl2_on_the_wire,
        "7E 00 03 00 00 FF FC 7E",
        "7E 00 04 00 00 FF FB 7E",
        // FDL2; §6.3 steps 8 and 9 begin with CONNECT and add the record of production.
        "7E 00 00 00 00 FF FF 7E",
        "7E 00 06 00 0C FE 00 00 03 00 00 30 00 00 00 00 00 D1 E9 7E",
        "7E 00 06 00 0C FE 00 00 02 00 00 01 00 00 00 00 00 00 EB 7E",
        "7E 00 0A 00 08 60 00 00 00 00 01 00 00 9F EC 7E",
        "7E 00 01 00 08 60 01 00 00 00 00 00 18 9F DD 7E",
        "7E 00 02 00 18 55 7D 5E 7D 5D 01 02 03 04 05 06 07 08 09 0A 0B 0C 0D 0E 0F 10 11 12 13 14 15 BE ED 7E",
        "7E 00 03 00 00 FF FC 7E",
        "7E 00 01 00 08 60 00 00 00 00 00 00 10 9F E6 7E",
        "7E 00 02 00 10 00 01 02 03 04 05 06 07 08 09 0A 0B 0C 0D 0E 0F C7 AD 7E",
        "7E 00 03 00 00 FF FC 7E",
        // Ours: no answer is left over.
        "7E 00 00 00 00 FF FF 7E",
        "7E 00 05 00 00 FF FA 7E",
    ];
    for (at, wire) in transcript.iter().enumerate() {
        assert_eq!(module.sent.get(at), Some(&bytes(wire)), "write {at}");
    }
    assert_eq!(module.sent.len(), transcript.len());
}

#[test]
fn greets_an_8850_as_the_transcript_does() {
    let mut module = Module::new(Platform::Unisoc8850);
    run(&mut module, &small(Platform::Unisoc8850)).expect("it is written");
    let beginning = ["7E 7E 7E", "7E 00 00 00 00 00 00 7E"];
    for (at, wire) in beginning.iter().enumerate() {
        assert_eq!(module.sent[at], bytes(wire), "write {at}");
    }
    let exec = bytes("7E 00 04 00 00 DC C0 7E");
    let at = module
        .sent
        .iter()
        .position(|write| *write == exec)
        .expect("EXEC_DATA");
    assert_eq!(module.sent[at - 1], bytes("7E 00 03 00 00 59 50 7E"));
    assert_eq!(module.sent[at + 1], bytes("7E 7E 7E"));
    assert_eq!(module.sent[at + 2], bytes("7E 00 00 00 00 FF FF 7E"));
}
