//! What is a recording, and what is none.

use proptest::prelude::*;

use super::{HEADER, host, module, parse, recording};
use crate::Kind;
use crate::trace::record::{Direction, What};
use crate::trace::{Row, rows};

#[test]
fn reads_what_it_writes() {
    let silence = r#""event":"silence","within":0.3"#;
    let gone = r#""event":"failed","during":"receive","fault":"gone""#;
    let recording = recording(
        "ask-at",
        &[
            silence,
            &host("AT\r\n"),
            &module("OK"),
            gone,
            r#""event":"closed""#,
        ],
    );
    let mut file = Vec::new();
    recording.write_to(&mut file).unwrap();
    assert_eq!(parse(std::str::from_utf8(&file).unwrap()).unwrap(), recording);
    let lines = recording.lines();
    assert_eq!(lines.len(), 1);
    assert_eq!(
        (lines[0].port, lines[0].talk, lines[0].is_whole),
        ("/dev/ttyUSB1", "ask-at", true)
    );
    assert_eq!(lines[0].entries.len(), 4);
    let What::Bytes(said) = lines[0].entries[1].what else {
        panic!("bytes")
    };
    assert_eq!(
        (said.direction, &said.bytes[..]),
        (Direction::ToModule, &b"AT\r\n"[..])
    );
    let texts: Vec<String> = rows(&recording, None)
        .filter_map(|row| match row {
            Row::Event { text, .. } => Some(text),
            _ => None,
        })
        .collect();
    assert_eq!(
        texts,
        [
            "opened /dev/ttyUSB1 at 115200 baud: ask-at",
            "0.300 s of silence",
            "receive failed: the module left the bus",
            "closed"
        ]
    );
}

#[test]
fn a_last_line_without_end_is_dropped_and_told() {
    let whole = format!("{HEADER}\n{{\"t\":1,\"event\":\"closed\"}}\n");
    for cut in 1..24 {
        let cut_off = parse(&whole[..whole.len() - 1 - cut]).unwrap();
        assert!(cut_off.cut_off && cut_off.entries.is_empty(), "{cut}");
    }
    assert_eq!(parse(&whole[..whole.len() - 1]).unwrap().entries.len(), 1);
}

#[test]
fn what_is_no_recording_is_refused_with_its_line() {
    for (text, words) in [
        (String::new(), "it is empty"),
        ("hello\n".into(), "does not begin as a recording"),
        (HEADER.replace("trace", "face"), "does not begin as a recording"),
        (HEADER.replace(":2,", ":3,"), "of schema 3"),
        (HEADER.replace("1.0", "0"), "timeout_scale"),
        (format!("{HEADER}\nhello\n{HEADER}\n"), "line 2"),
        (
            format!("{HEADER}\n{{\"t\":-1,\"event\":\"closed\"}}\n"),
            "line 2 has no possible time",
        ),
        (
            format!("{HEADER}\n{{\"t\":1,\"direction\":\"to-module\",\"hex\":\"4\"}}\n"),
            "line 2",
        ),
        (
            format!("{HEADER}\n{{\"t\":1,\"direction\":\"to-module\",\"hex\":\"4g\"}}\n"),
            "line 2",
        ),
    ] {
        let error = parse(&text).unwrap_err();
        assert_eq!((error.kind, error.exit_code()), (Kind::TraceUnreadable, 3));
        assert!(error.message.contains(words), "{words}: {error}");
    }
}

proptest! {
    #[test]
    fn no_text_makes_reading_fail_in_another_way(lines in proptest::collection::vec(".{0,60}", 0..6), garbage in proptest::collection::vec(any::<u8>(), 0..60)) {
        let text = format!("{HEADER}\n{}\n", lines.join("\n"));
        let _ = parse(&text);
        let mut bytes = HEADER.as_bytes().to_vec();
        bytes.extend(garbage);
        let _ = crate::trace::Recording::parse(&bytes[..], "x");
    }
}
