//! The specifications' transcripts, described; and bytes that are nobody's.

use proptest::prelude::*;

use super::*;

fn bytes(hex: &str) -> Vec<u8> {
    let digits: Vec<u8> = hex.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
    digits
        .chunks(2)
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect()
}

/// `>` for the host, `<` for the module, bytes in hex, and what they mean.
#[track_caller]
fn transcript(platform: Platform, lines: &[(char, &str, &str)]) {
    let mut describer = Describer::of(platform);
    for &(arrow, hex, meaning) in lines {
        let side = if arrow == '>' { Side::Host } else { Side::Module };
        assert_eq!(describer.describe(side, &bytes(hex)), meaning, "{arrow} {hex}");
    }
}

#[test]
fn tells_smux_as_the_specification_does() {
    // specs/asr-aboot.md §10
    transcript(
        Platform::Asr,
        &[
            ('>', "55555555 7E 55555555 7E", "UUUU~ ×2"),
            ('<', "7E 55414254 7E", "~UABT~"),
            ('>', "55414254 7E  55414254 7E", "UABT~ ×2"),
            ('>', "7E7D21 07D0 7E", "HELLO mtu 2000"),
            ('<', "7E7D22 0400 7E", "HELLO_REPLY mtu 1024"),
            ('<', "7E7D25 48 7E", "heartbeat"),
            (
                '>',
                "7E7D23 6765747661723A76657273696F6E2D626F6F74726F6D 7E",
                "getvar:version-bootrom",
            ),
            ('<', "7E7D23 4F4B4159323031392E30312E3135 7E", "OKAY2019.01.15"),
            ('<', "7E7D23 4F4B41590920307866303030 7E", "OKAY\\t 0xf000"),
            ('>', "7E7D24 010064AA 7D5E 7D5D 00FF11223344 7E", "DATA 0xc bytes"),
            (
                '>',
                "7E7D24 0102 7E 7E7D24 03 7E 7E7D24 04",
                "DATA 0x3 bytes in 2 frames",
            ),
            ('>', "05 7E", "DATA 0x2 bytes"),
            ('<', "7E 48690A 7E", "log `Hi`"),
        ],
    );
}

#[test]
fn tells_ethos_apart_and_counts_what_passes_by_its_frames() {
    let mut describer = Describer::of(Platform::Asr);
    assert_eq!(describer.describe(Side::Host, b"UUUU~"), "UUUU~");
    assert_eq!(describer.describe(Side::Module, b"~UUUU~"), "~UUUU~");
    assert_eq!(describer.describe(Side::Host, b"~\x7d\x22ABCDEF~"), "HELLO");
    assert_eq!(
        describer.describe(Side::Module, b"~\x7d\x23ABCDEF~"),
        "HELLO_REPLY"
    );
    let announced = b"~\x7d\x21\x03\x80\x00\x01data-request:00000005~ab~";
    assert_eq!(
        describer.describe(Side::Host, announced),
        "data-request:00000005, raw 0x3 bytes"
    );
    let rest = b"cd~\x7d\x21\x03\x80\x00\x01data-request:00000000~";
    assert_eq!(
        describer.describe(Side::Host, rest),
        "raw 0x2 bytes, data-request:00000000"
    );
}

#[test]
fn tells_pdl_and_bsl_as_the_specification_does() {
    // specs/unisoc-pac-bsl.md §10
    transcript(
        Platform::Unisoc8910,
        &[
            ('>', "AE0C000000FF0000 00000000 00000000 00000000", "PDL CONNECT"),
            ('<', "AE04000000FF0000", ""),
            ('<', "00000000", "PDL ACK"),
            (
                '>',
                "AE11000000FF0000 04000000 C0008000 50000000 50444C3100",
                "PDL START_DATA 0x008000c0, 0x50 bytes",
            ),
            (
                '>',
                "AE10000000FF0000 05000000 00000000 04000000 27051956",
                "PDL MID_DATA 0x4 bytes",
            ),
            ('>', "7E", "7E"),
            (
                '<',
                "7E00810022537072656164747275 6D20426F6F7420426C6F636B2076657273696F6E20312E3200A9E97E",
                "VER `Spreadtrum Boot Block version 1.2`",
            ),
            ('>', "7E 0000 0000 FFFF 7E", "CONNECT"),
            ('<', "7E 0080 0000 FF7F 7E", "ACK"),
            ('>', "7E 0009 0004 0001C200 3DF1 7E", "CHANGE_BAUD 115200"),
            (
                '>',
                "7E 0001 0008 00810000 00000050 FF25 7E",
                "START_DATA 0x00810000, 0x50 bytes",
            ),
            (
                '>',
                "7E 0002 0018 557D5E7D5D0102030405060708090A0B0C0D0E0F101112131415 BEED 7E",
                "MIDST_DATA 0x18 bytes",
            ),
            (
                '>',
                "7E 0006 000C FE000003 00003000 00000000 D1E9 7E",
                "READ_FLASH 0xfe000003, 0x3000 bytes at 0x0",
            ),
            ('<', "7E 0096 0000 FF69 7E", "INCOMPATIBLE_PARTITION (0x96)"),
            (
                '>',
                "7E 000A 0008 60000000 00010000 9FEC 7E",
                "ERASE_FLASH 0x60000000, 0x10000 bytes",
            ),
            (
                '>',
                "7E 0003 0000 FFFC 7E 7E 0005 0000 FFFA 7E",
                "END_DATA, NORMAL_RESET",
            ),
        ],
    );
    transcript(
        Platform::Unisoc8850,
        &[
            ('>', "7E7E7E", "7E ×3"),
            ('<', "7E 0081 0006 535052443300 570A 7E", "VER `SPRD3`"),
            ('>', "7E 0000 0000 0000 7E", "CONNECT"),
            ('<', "7E 0080 0000 3B5A 7E", "ACK"),
        ],
    );
}

#[test]
fn tells_boot_rom_and_agent_as_the_specification_does() {
    // specs/eigencomm-agentboot.md §9
    transcript(
        Platform::Eigencomm618,
        &[
            ('>', "00D3022B 00D3022B", "DLBOOT sync"),
            ('<', "00D3022B", "DLBOOT echo"),
            ('>', "2000CD32 00000000", "GET_VERSION"),
            (
                '<',
                "2000CD32000C 00000002 01000000 02262120",
                "version 0x02000000, id 1, build 20212602",
            ),
            ('>', "2100CD32 00000000", "SEL_IMAGE"),
            ('<', "2100CD320004 484D4954", "wants TIMH"),
            ('>', "3100CD32 04000000 10010000", "DATA_HEAD 0x110"),
            ('<', "3100CD320004 10010000", "grants 0x110"),
            ('>', "3200CD32 04000000 40414243", ""),
            ('>', "AF260000", "DOWNLOAD_DATA 0x4 bytes"),
            ('<', "3201CD320000", "ACK"),
            ('>', "CDD3022B CDD3022B", "LPC sync"),
            ('<', "CDD3022B", "LPC echo"),
            ('>', "42004CB3 0400009E 49584C46 9F766891", "BURN_ONE FLXI"),
            ('<', "42004CB30000 08AD88E5", "ACK"),
            ('>', "AAD3022B AAD3022B", "AGBOOT sync"),
            ('<', "AAD3022B", "AGBOOT echo"),
            ('>', "2000CD32 00000000 B35BC3EA", "GET_VERSION"),
            ('>', "AAD3022B", "AGBOOT sync"),
            ('<', "2B02D3EE", "another program is listening"),
        ],
    );
}

#[test]
fn shows_lines_as_they_are() {
    let mut text = Describer::of_text();
    assert_eq!(text.describe(Side::Host, b"AT+CGMR\r\n"), "AT+CGMR");
    assert_eq!(
        text.describe(Side::Module, b"\r\nEC600NCNLAR03A07M08\r\n\r\nOK\r\n"),
        "EC600NCNLAR03A07M08, OK"
    );
    assert_eq!(text.describe(Side::Host, b"\r\x03\x03"), "\\u{3}\\u{3}");
    let long = text.describe(Side::Module, &[b'x'; 5000]);
    assert!(long.len() < 200 && long.ends_with('…'), "{long}");
}

#[test]
fn tells_platforms_by_the_first_bytes_of_a_host() {
    for (first, platform) in [
        ("5555555 57E", Some(Platform::Asr)),
        ("AE0C000000FF0000 00000000", Some(Platform::Unisoc8910)),
        ("7E7E7E", Some(Platform::Unisoc8850)),
        ("00D3022B00D3022B", Some(Platform::Eigencomm618)),
        ("CDD3022BCDD3022B", Some(Platform::Eigencomm618)),
        ("41540D0A", None),
        ("", None),
    ] {
        assert_eq!(platform_of(&bytes(first)), platform, "{first}");
    }
}

fn any_platform() -> impl Strategy<Value = Platform> {
    proptest::sample::select(&Platform::ALL[..])
}

/// Bytes that look like the beginnings of frames, and others.
fn noise() -> impl Strategy<Value = Vec<u8>> {
    let marks = [
        &b"~"[..],
        b"UUUU~",
        b"~UUUU~",
        b"\x7d#",
        b"\x7d!",
        b"\xAE",
        b"\xCD\x32",
        b"\x4C\xB3",
        b"\x00\xD3\x02\x2B",
        b"data-request:000000ff",
        b"\x00",
        b"\x86\xDD",
    ];
    let piece = prop_oneof![
        proptest::sample::select(marks.map(<[u8]>::to_vec).to_vec()),
        proptest::collection::vec(any::<u8>(), 0..20),
    ];
    proptest::collection::vec(piece, 0..60).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn no_bytes_can_make_it_fail_and_its_words_stay_few(
        platform in any_platform(),
        said in proptest::collection::vec((any::<bool>(), noise()), 0..12),
    ) {
        let mut describer = Describer::of(platform);
        for (host, bytes) in said {
            let side = if host { Side::Host } else { Side::Module };
            let words = describer.describe(side, &bytes);
            prop_assert!(words.len() < 8000, "{} characters", words.len());
        }
    }

    #[test]
    fn a_frame_is_told_once_however_it_is_cut(cut in 1usize..20) {
        let frame = b"~\x7d#getvar:product~";
        let mut describer = Describer::of(Platform::Asr);
        let (first, second) = frame.split_at(cut.min(frame.len() - 1));
        prop_assert_eq!(describer.describe(Side::Host, first), "");
        prop_assert_eq!(describer.describe(Side::Host, second), "getvar:product");
    }
}
