//! What names a module is masked wherever it can be found, and nothing else.

use super::{host, module, recording};
use crate::trace::record::What;
use crate::trace::{Recording, redact_text};

const IMEI: &str = "866327040830317";

fn text(recording: &Recording) -> String {
    let mut file = Vec::new();
    recording.write_to(&mut file).unwrap();
    String::from_utf8(file).unwrap()
}

fn said(recording: &Recording) -> Vec<String> {
    let bytes = recording.entries.iter().filter_map(|entry| match &entry.what {
        What::Bytes(bytes) => Some(bytes.bytes.escape_ascii().to_string()),
        What::Event(_) => None,
    });
    bytes.collect()
}

#[test]
fn masks_numbers_also_where_a_read_cuts_them() {
    let (head, tail) = IMEI.split_at(6);
    let mut recording = recording(
        "ask-at",
        &[
            &host("AT+CGSN\r\n"),
            &module(&format!("\r\n{head}")),
            &module(&format!("{tail}\r\n")),
            &module("+EGMR: \"D1Q20GM050038341P\"\r\nOK\r\n"),
            &module("sn=ABC123\r\n+QCCID: 89860012345678901234\r\n20251125 1764000000000\r\n"),
        ],
    );
    let before = text(&recording);
    recording.redact();
    assert_eq!(
        said(&recording),
        [
            "AT+CGSN\\r\\n",
            "\\r\\nXXXXXX",
            "XXXXXXXXX\\r\\n",
            "+EGMR: \\\"XXXXXXXXXXXXXXXXX\\\"\\r\\nOK\\r\\n",
            "sn=XXXXXX\\r\\n+QCCID: XXXXXXXXXXXXXXXXXXXX\\r\\n20251125 1764000000000\\r\\n",
        ]
    );
    assert_eq!(text(&recording).len(), before.len());
}

#[test]
fn masks_packed_forms_of_a_number_that_was_said_as_text() {
    // Half byte 0xA in front, low half first: as an NV item keeps it.
    let packed = r#""direction":"from-module","hex":"00008a666372400830711100""#;
    let item = r#""direction":"from-module","hex":"008a662307043830711100""#;
    let mut masked = recording("ask-at", &[&module(IMEI), packed, item]);
    masked.redact();
    assert!(
        text(&masked).contains("00ffffffffffffffff1100"),
        "{}",
        text(&masked)
    );
    assert!(
        text(&masked).contains("00008a66637240083071"),
        "other digits stay"
    );
}

#[test]
fn masks_words_and_options_but_no_hash() {
    let hash = "1".repeat(64);
    let mut masked = recording(
        "ask-at",
        &[
            &format!(r#""direction":"from-module","hex":"00","meaning":"IMEI {IMEI}""#),
            &format!(
                r#""event":"session","options":{{"imei":"{IMEI}","package":"{hash}","list":["{IMEI}"]}}"#
            ),
            &format!(r#""event":"package","file":"/x/{IMEI}/fw.zip","sha256":"{hash}","platform":"asr""#),
        ],
    );
    masked.redact();
    let text = text(&masked);
    assert!(!text.contains(IMEI), "{text}");
    assert!(text.matches(&hash).count() == 2, "{text}");
    assert_eq!(
        redact_text("IMEI 866327040830317, 12345"),
        "IMEI XXXXXXXXXXXXXXX, 12345"
    );
    assert_eq!(redact_text("ü 866327040830317 ü"), "ü XXXXXXXXXXXXXXX ü");
}
