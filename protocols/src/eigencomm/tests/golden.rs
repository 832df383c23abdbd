//! Bytes of the specification's tables: specs/eigencomm-agentboot.md §4.1, §4.5, §7.2, §9. What the module of these
//! tests says is held against them too.

use sha2::{Digest, Sha256};

use super::module::frames::{crc8, crc32};
use super::*;
use crate::eigencomm::commands::{AP_FLASH, CP_FLASH, Code, Command};
use crate::eigencomm::frame::{Check, Decoder, Event, encode};
use crate::eigencomm::header::{self, build};
use crate::eigencomm::{Settings, Transport};

/// Bytes from hex, whatever stands between the pairs.
fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.bytes().filter(|letter| letter.is_ascii_hexdigit()).collect();
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).expect("ASCII"), 16);
    digits
        .chunks(2)
        .map(|pair| byte(pair).expect("a pair of digits"))
        .collect()
}

fn sent(check: Check, command: Command, index: u8, data: &[u8]) -> Vec<u8> {
    let mut raw = Vec::new();
    encode(check, command, index, data, &mut raw);
    raw
}

fn request(command: Command, data: &str) -> Vec<u8> {
    sent(Check::Crc, command, 0, &hex(data))
}

/// The agent and the image of §9.
fn agent() -> Vec<u8> {
    (0x40..0x70).collect()
}

fn image() -> Vec<u8> {
    (0..0x40).collect()
}

const AGENT_HEADER: &str =
    "01 00 00 10 48 4D 49 54 07 05 18 20 00 00 00 00 01 00 00 00 EE 00 00 A4 01 00 00 00 00 00 00 00
    A1 E7 C9 AA 3D BB 3B 2F 29 CF 1D 47 BC 3A D0 D3 EE 6C 57 01 49 97 86 FD 8D BE 5A 5F DD 58 86 7C
    49 4D 42 4F 00 00 00 00 00 00 01 04 30 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00
    6F 8C 40 50 84 71 ED 66 A9 82 C1 3D D5 27 54 55 00 8E C1 CD 33 FD BD 23 51 A5 D8 C8 F1 57 45 64";
const FLEX_HEADER: &str =
    "01 00 00 10 48 4D 49 54 07 05 18 20 00 00 00 00 01 00 00 00 EE 00 00 00 00 00 00 00 00 00 00 00
    B3 FA EA DC D4 3A 25 5F AA 85 8A 33 49 BB C2 D9 40 75 56 C1 70 A4 AF 8C 96 BA 22 6E BF 67 3D 6F
    49 58 4C 46 00 00 30 00 00 00 01 04 40 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00
    FD EA B9 AC F3 71 03 62 BD 26 58 CD C9 A2 9E 8F 9C 75 7F CF 98 11 60 3A 8C 44 7C D1 D9 15 11 08";

fn whole_header(text: &str) -> Vec<u8> {
    [hex(text), vec![0; 0x90]].concat()
}

#[test]
fn builds_the_headers_of_the_transcript() {
    let settings = Settings {
        agent_baud: 921_600,
        pullup_qspi: true,
    };
    assert_eq!(
        header::of_agent(&agent(), settings)[..],
        whole_header(AGENT_HEADER)
    );
    let flex = build(*b"IXLF", 0x30_0000, &image(), 0, 0);
    assert_eq!(flex[..], whole_header(FLEX_HEADER));
}

#[test]
fn builds_the_headers_of_the_real_agents() {
    let settings = Settings {
        agent_baud: 921_600,
        pullup_qspi: true,
    };
    let plan = plan_of(real(), companions());
    let hashes = [
        (
            Transport::Usb,
            "0bd2f394b9acb1f4ae7eee70b8774e457bbf7bd2a0ea70fc6ea32f92fc1e98e7",
            "6112d1350735dd55328caeccc44cff7f2be289f3add8bc29b3a2c37ff1083757",
        ),
        (
            Transport::Uart,
            "e0504605e825bed5360d507a4d83e1bb05225e2204d5d954a50c513945e480ed",
            "df4d0105931da583b4e79980c20df476de7e88defac8190e77bc99b2cb08dacb",
        ),
    ];
    for (transport, body, own) in hashes {
        let agent = plan.agent(transport).expect("it is there");
        assert_eq!(Sha256::digest(agent)[..], hex(body), "{transport:?}");
        assert_eq!(
            header::of_agent(agent, settings)[32..64],
            hex(own),
            "{transport:?}"
        );
    }
    let agent = plan.agent(Transport::Usb).expect("it is there");
    let header = header::of_agent(agent, settings);
    assert_eq!(header[76..80], hex("F0 8A 00 00"));
    let tail = |raw: Vec<u8>| raw[raw.len() - 4..].to_vec();
    let data = |index: u8, bytes: &[u8]| sent(Check::Sum, Command::DOWNLOAD_DATA, index, bytes);
    assert_eq!(tail(data(0, &header)), hex("63 2B 00 00"));
    assert_eq!(tail(data(0, &agent[..0x400])), hex("19 77 01 00"));
    assert_eq!(tail(data(1, &agent[0x400..0x800])), hex("1A 9D 01 00"));
    let last = data(34, &agent[34 * 0x400..]);
    assert_eq!(last[..8], hex("32 22 CD 32 F0 02 00 00"));
    assert_eq!(tail(last), hex("3F C5 00 00"));
}

#[test]
fn carries_speeds_as_the_table_says() {
    let word = |agent_baud| {
        let pullup_qspi = false;
        let header = header::of_agent(
            &agent(),
            Settings {
                agent_baud,
                pullup_qspi,
            },
        );
        (header[22..24].to_vec(), header[24])
    };
    assert_eq!(word(921_600), (hex("00 A4"), 0));
    assert_eq!(word(2_000_000), (hex("20 CE"), 0));
    assert_eq!(word(115_200), (hex("80 84"), 0));
}

#[test]
fn encodes_every_frame_of_the_tables() {
    let frames = [
        (
            request(Command::GET_VERSION, ""),
            "20 00 CD 32 00 00 00 00 B3 5B C3 EA",
        ),
        (
            request(Command::SEL_IMAGE, ""),
            "21 00 CD 32 00 00 00 00 2D 5B 69 26",
        ),
        (
            request(Command::VERIFY_IMAGE, ""),
            "22 00 CD 32 00 00 00 00 CE 5C E6 A8",
        ),
        (request(Command::DONE, ""), "3A 00 CD 32 00 00 00 00 50 76 B8 07"),
        (
            request(Command::GET_BURN_STATUS, ""),
            "44 00 4C B3 00 00 00 00 AD AB 08 E7",
        ),
        (
            request(Command::SYS_RST, ""),
            "AA 00 4C B3 00 00 00 00 FE 9C 52 71",
        ),
        (
            request(Command::DATA_HEAD, "10 01 00 00"),
            "31 00 CD 32 04 00 00 9E 10 01 00 00 13 E2 4E AC",
        ),
        (
            request(Command::DATA_HEAD, "40 00 00 00"),
            "31 00 CD 32 04 00 00 9E 40 00 00 00 86 87 81 66",
        ),
        (
            request(Command::DATA_HEAD, "00 00 01 00"),
            "31 00 CD 32 04 00 00 9E 00 00 01 00 FA EE 8E E4",
        ),
        (
            request(Command::DATA_HEAD, "00 40 00 00"),
            "31 00 CD 32 04 00 00 9E 00 40 00 00 7B 52 0F 8D",
        ),
        (
            request(Command::DATA_HEAD, "00 C0 00 00"),
            "31 00 CD 32 04 00 00 9E 00 C0 00 00 FB 49 3A 6C",
        ),
        (
            request(Command::BURN_ONE, "49 4D 42 4F"),
            "42 00 4C B3 04 00 00 9E 49 4D 42 4F 2E 82 DA 6C",
        ),
        (
            request(Command::BURN_ONE, "49 42 4B 44"),
            "42 00 4C B3 04 00 00 9E 49 42 4B 44 D2 A7 96 21",
        ),
        (
            request(Command::BURN_ONE, "49 42 50 43 01 E1"),
            "42 00 4C B3 06 00 00 D1 49 42 50 43 01 E1 36 57 D1 F2",
        ),
        (
            request(Command::BURN_ONE, "49 42 50 43"),
            "42 00 4C B3 04 00 00 9E 49 42 50 43 EB F9 C4 16",
        ),
        (
            request(Command::BURN_ONE, "49 58 4C 46"),
            "42 00 4C B3 04 00 00 9E 49 58 4C 46 9F 76 68 91",
        ),
        (
            request(Command::BURN_ONE, "49 58 4C 46 01 E1"),
            "42 00 4C B3 06 00 00 D1 49 58 4C 46 01 E1 D9 F2 85 C4",
        ),
        (
            request(Command::FLASH_ERASE, "00 00 01 00 00 00 80 00"),
            "10 00 4C B3 08 00 00 25 00 00 01 00 00 00 80 00 F1 8A DA 8D",
        ),
        (
            request(Command::FLASH_ERASE, "00 10 00 00 00 40 BB 00"),
            "10 00 4C B3 08 00 00 25 00 10 00 00 00 40 BB 00 62 A7 70 6D",
        ),
        (
            request(Command::FLASH_ERASE, "00 10 00 00 00 00 80 00"),
            "10 00 4C B3 08 00 00 25 00 10 00 00 00 00 80 00 9A C5 58 21",
        ),
        (
            request(Command::READ_MEM, "10 00 00 00 00 00 B0 00"),
            "21 00 4C B3 08 00 00 25 10 00 00 00 00 00 B0 00 FE 8A 0B BA",
        ),
        (
            request(Command::READ_MEM, "F0 00 00 00 00 00 80 00"),
            "21 00 4C B3 08 00 00 25 F0 00 00 00 00 00 80 00 6C 99 9D E6",
        ),
        (
            request(Command::BULK_READ, "01 00 00 00 00 00 00 00 01 E0"),
            "24 00 4C B3 0A 00 00 6A 01 00 00 00 00 00 00 00 01 E0 C6 DC 10 AF",
        ),
        (
            request(Command::BULK_READ, "01 00 00 00 00 00 0E 00 01 E1"),
            "24 00 4C B3 0A 00 00 6A 01 00 00 00 00 00 0E 00 01 E1 63 9B C8 38",
        ),
        (
            sent(Check::Sum, Command::DOWNLOAD_DATA, 3, &hex("AA 55")),
            "32 03 CD 32 02 00 00 00 AA 55 35 02 00 00",
        ),
    ];
    for (frame, table) in frames {
        assert_eq!(frame, hex(table), "{table}");
    }
    assert_eq!(
        (&AP_FLASH[..], &CP_FLASH[..]),
        (&hex("01 E0")[..], &hex("01 E1")[..])
    );
}

#[test]
fn encodes_data_with_the_check_sums_of_the_transcript() {
    let header = sent(Check::Crc, Command::DOWNLOAD_DATA, 0, &whole_header(FLEX_HEADER));
    assert_eq!(header[..8], hex("32 00 CD 32 10 01 00 8E"));
    assert_eq!(header[280..], hex("15 05 FF BB"));
    let body = sent(Check::Crc, Command::DOWNLOAD_DATA, 0, &image());
    assert_eq!(
        (&body[..8], &body[72..]),
        (&hex("32 00 CD 32 40 00 00 31")[..], &hex("DF E9 F9 1D")[..])
    );
    for (length, crc) in [
        (4, 0x9E),
        (6, 0xD1),
        (8, 0x25),
        (10, 0x6A),
        (64, 0x31),
        (0x110, 0x8E),
        (0x400, 0x3B),
        (0x1000, 0xEC),
        (0x4000, 0x9B),
        (0x8000, 0x2F),
        (0x1_0000, 0x5E),
    ] {
        let frame = sent(Check::Crc, Command::DOWNLOAD_DATA, 0, &vec![0; length]);
        assert_eq!(frame[7], crc, "{length:x}");
        assert_eq!(crc8(&frame[4..7]), crc, "the module agrees");
    }
}

#[test]
fn decodes_every_answer_of_the_tables() {
    let answers = [
        "20 00 CD 32 00 0C 01 00 00 01 01 00 00 00 11 26 21 20 A0 E0 EF 9C",
        "21 00 CD 32 00 04 48 4D 49 54 25 4F 95 03",
        "21 00 CD 32 00 04 49 4D 42 4F 67 38 B8 D2",
        "21 00 CD 32 00 04 49 42 4B 44 9B 1D F4 9F",
        "21 00 CD 32 00 04 49 42 50 43 A2 43 A6 A8",
        "21 00 CD 32 00 04 49 58 4C 46 D6 CC 0A 2F",
        "22 00 CD 32 00 00 BB 02 6E 58",
        "31 00 CD 32 00 04 10 01 00 00 85 FC BF 1E",
        "31 00 CD 32 00 04 40 00 00 00 10 99 70 D4",
        "31 00 CD 32 00 04 00 40 00 00 ED 4C FE 3F",
        "31 00 CD 32 00 04 00 00 01 00 6C F0 7F 56",
        "32 01 CD 32 00 00 90 29 D8 66",
        "32 02 CD 32 00 00 40 53 78 21",
        "32 03 CD 32 00 00 F0 7A 18 1C",
        "32 04 CD 32 00 00 E0 A6 38 AE",
        "3A 00 CD 32 00 00 4D 82 EB B7",
        "42 00 4C B3 00 00 08 AD 88 E5",
        "44 00 4C B3 00 04 00 00 00 00 F3 EB F4 EE",
        "44 00 4C B3 00 04 FF 00 00 00 02 ED F1 30",
        "44 00 4C B3 00 04 32 00 00 00 D9 DB D6 B4",
        "44 00 4C B3 00 04 33 00 00 00 BC BC 6A 0C",
        "44 00 4C B3 00 04 96 00 00 00 8B 55 DF 76",
        "44 00 4C B3 00 04 98 00 00 00 B8 22 00 96",
        "21 00 4C B3 00 10 00 01 02 03 04 05 06 07 08 09 0A 0B 0C 0D 0E 0F 59 F9 F5 E8",
        "10 00 4C B3 00 00 F4 04 CE A4",
        "AA 00 4C B3 00 08 5A 7A 5A 7A 5A 7A 5A 7A A5 E8 98 9A",
    ];
    for table in answers {
        let raw = hex(table);
        let mut decoder = Decoder::new(Check::Crc);
        decoder.push(&raw);
        let (code, index, order) = (raw[0], raw[1], [raw[2], raw[3]]);
        let answer = Event::Answer { code, index, order };
        assert_eq!(decoder.next_answer(), Some(answer), "{table}");
        assert_eq!(decoder.payload(), &raw[6..raw.len() - 4], "{table}");
        assert_eq!(
            raw[raw.len() - 4..],
            crc32(&raw[..raw.len() - 4]),
            "the module agrees"
        );
    }
    let refusals = [
        ("10 00 4C B3 01 04 32 00 00 00 4E 2E 75 CF", 0x32),
        ("A1 00 4C B3 01 04 80 00 00 00 58 48 3A 19", 0x80),
        ("32 00 CD 32 01 04 9C 00 00 00 97 F7 99 98", 0x9C),
        ("32 00 CD 32 01 04 9A 00 00 00 4B A8 F2 BD", 0x9A),
        ("AA D3 02 2B 01 04 9A 00 00 00 2C 91 C4 13", 0x9A),
        ("50 76 B8 07 01 04 9B 00 00 00 3D B4 0E 4D", 0x9B),
        ("31 00 CD 32 01 04 94 00 00 00 7B 64 1A B6", 0x94),
        ("42 00 4C B3 01 04 98 00 00 00 5A 81 42 50", 0x98),
    ];
    for (table, code) in refusals {
        let raw = hex(table);
        let mut decoder = Decoder::new(Check::Crc);
        decoder.push(&raw);
        let head = [raw[0], raw[1], raw[2], raw[3]];
        let refusal = Code(code);
        assert_eq!(
            decoder.next_answer(),
            Some(Event::Refusal { head, refusal }),
            "{table}"
        );
    }
}

/// The package of §9 beside small images, written with the agent of §9.
fn dialogue() -> Module {
    let mut package = real();
    package.entries.truncate(1);
    let file = "ap_application.bin";
    let (address, limit) = (0x30_0000, 0x1000);
    let companions = Companions {
        usb_agent: Some(agent().into()),
        extras: vec![(Extra { file, address, limit }, image().into())],
        ..Companions::default()
    };
    let mut module = Module::new();
    run(&mut module, &plan_of(package, companions)).expect("it is written");
    module
}

/// Both sides, in order: what the host sends, and what the module says.
fn assert_dialogue(module: &Module, from: usize, said_from: usize, rows: &[(&str, &str)]) {
    let mut said = module.said[said_from..].iter();
    for (number, (host, answer)) in rows.iter().enumerate() {
        assert_eq!(module.sent[from + number], hex(host), "row {number}");
        if !answer.is_empty() {
            assert_eq!(said.next(), Some(&hex(answer)), "row {number}");
        }
    }
}

#[test]
fn speaks_the_transcript_with_the_boot_rom() {
    let header = format!(
        "32 00 CD 32 10 01 00 00 {AGENT_HEADER} {} AF 26 00 00",
        "00".repeat(0x90)
    );
    let body =
        "404142434445464748494A4B4C4D4E4F505152535455565758595A5B5C5D5E5F606162636465666768696A6B6C6D6E6F";
    let body = format!("32 00 CD 32 30 00 00 00 {body} C9 11 00 00");
    let version = (
        "20 00 CD 32 00 00 00 00",
        "20 00 CD 32 00 0C 00 00 00 02 01 00 00 00 02 26 21 20",
    );
    let rows = [
        ("00 D3 02 2B 00 D3 02 2B", "00 D3 02 2B"),
        version,
        ("21 00 CD 32 00 00 00 00", "21 00 CD 32 00 04 48 4D 49 54"),
        ("22 00 CD 32 00 00 00 00", "22 00 CD 32 00 00"),
        (
            "31 00 CD 32 04 00 00 00 10 01 00 00",
            "31 00 CD 32 00 04 10 01 00 00",
        ),
        (&header, "32 01 CD 32 00 00"),
        ("3A 00 CD 32 00 00 00 00", "3A 00 CD 32 00 00"),
        ("00 D3 02 2B 00 D3 02 2B", "00 D3 02 2B"),
        version,
        ("21 00 CD 32 00 00 00 00", "21 00 CD 32 00 04 49 4D 42 4F"),
        ("22 00 CD 32 00 00 00 00", "22 00 CD 32 00 00"),
        (
            "31 00 CD 32 04 00 00 00 30 00 00 00",
            "31 00 CD 32 00 04 30 00 00 00",
        ),
        (&body, "32 01 CD 32 00 00"),
        ("3A 00 CD 32 00 00 00 00", "3A 00 CD 32 00 00"),
        ("CD D3 02 2B CD D3 02 2B", "CD D3 02 2B"),
    ];
    assert_dialogue(&dialogue(), 0, 0, &rows);
}

#[test]
fn speaks_the_transcript_with_the_agent() {
    let module = dialogue();
    // Unlike the transcript, a file always names its flash, and its header has bit 2 of the flags.
    let burn = sent(Check::Crc, Command::BURN_ONE, 0, b"IXLF\x01\xe0");
    let at =
        |frames: &[Vec<u8>], frame: &[u8]| frames.iter().position(|one| one == frame).expect("it is there");
    let said = module
        .said
        .iter()
        .rposition(|raw| raw[..] == hex("42 00 4C B3 00 00 08 AD 88 E5"));
    let flags = build(*b"IXLF", 0x30_0000, &image(), 0, 4);
    let header = sent(Check::Crc, Command::DOWNLOAD_DATA, 0, &flags);
    let shown = |raw: &[u8]| raw.iter().map(|byte| format!("{byte:02X}")).collect::<String>();
    let (burn_row, header_row, image_row) = (shown(&burn), shown(&header), shown(&image()));
    let image_row = format!("32 00 CD 32 40 00 00 31 {image_row} DF E9 F9 1D");
    let sync = "AA D3 02 2B AA D3 02 2B";
    let version = (
        "20 00 CD 32 00 00 00 00 B3 5B C3 EA",
        "20 00 CD 32 00 0C 01 00 00 01 01 00 00 00 11 26 21 20 A0 E0 EF 9C",
    );
    let select = "21 00 CD 32 00 00 00 00 2D 5B 69 26";
    let verify = (
        "22 00 CD 32 00 00 00 00 CE 5C E6 A8",
        "22 00 CD 32 00 00 BB 02 6E 58",
    );
    let acknowledged = "32 01 CD 32 00 00 90 29 D8 66";
    let done = (
        "3A 00 CD 32 00 00 00 00 50 76 B8 07",
        "3A 00 CD 32 00 00 4D 82 EB B7",
    );
    let rows = [
        (burn_row.as_str(), "42 00 4C B3 00 00 08 AD 88 E5"),
        (sync, ""),
        (sync, "AA D3 02 2B"),
        version,
        (select, "21 00 CD 32 00 04 48 4D 49 54 25 4F 95 03"),
        verify,
        (
            "31 00 CD 32 04 00 00 9E 10 01 00 00 13 E2 4E AC",
            "31 00 CD 32 00 04 10 01 00 00 85 FC BF 1E",
        ),
        (&header_row, acknowledged),
        done,
        // The module is erasing.
        (sync, ""),
        (sync, ""),
        (sync, ""),
        (sync, "AA D3 02 2B"),
        version,
        (select, "21 00 CD 32 00 04 49 58 4C 46 D6 CC 0A 2F"),
        verify,
        (
            "31 00 CD 32 04 00 00 9E 40 00 00 00 86 87 81 66",
            "31 00 CD 32 00 04 40 00 00 00 10 99 70 D4",
        ),
        (&image_row, acknowledged),
        done,
        (
            "44 00 4C B3 00 00 00 00 AD AB 08 E7",
            "44 00 4C B3 00 04 00 00 00 00 F3 EB F4 EE",
        ),
        ("CD D3 02 2B CD D3 02 2B", "CD D3 02 2B"),
    ];
    assert_dialogue(
        &module,
        at(&module.sent, &burn),
        said.expect("it is acknowledged"),
        &rows,
    );
    let last = [
        ("CD D3 02 2B CD D3 02 2B", "CD D3 02 2B"),
        (
            "AA 00 4C B3 00 00 00 00 FE 9C 52 71",
            "AA 00 4C B3 00 08 5A 7A 5A 7A 5A 7A 5A 7A A5 E8 98 9A",
        ),
    ];
    let (sent, said) = (module.sent.len() - 2, module.said.len() - 2);
    assert_dialogue(&module, sent, said, &last);
}
