//! Recordings: read or refused; written, they are read the same; masked and said again, they end.

use qpyflash::trace::{Recording, With, replay, rows};

const HEADER: &[u8] = b"{\"schema\":2,\"kind\":\"qpyflash-trace\",\"version\":\"0\",\"timeout_scale\":1.0}\n";

/// One input: what follows the header.
pub fn run(bytes: &[u8]) {
    let file = [HEADER, bytes].concat();
    let Ok(mut recording) = Recording::parse(&file[..], "x") else {
        return;
    };
    let mut again = Vec::new();
    recording.write_to(&mut again).expect("room");
    let again = Recording::parse(&again[..], "x").expect("what was written");
    assert_eq!(again.entries, recording.entries);
    let _ = rows(&recording, None).count();
    let _ = replay(&recording, &With::default());
    recording.redact();
}
