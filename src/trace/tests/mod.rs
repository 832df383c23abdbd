//! Recordings made by hand: read, masked, said again.

mod captures;
mod recordings;
mod redaction;
mod replays;

use std::fmt::Write as _;

use super::Recording;

const HEADER: &str = r#"{"schema":2,"kind":"qpyflash-trace","version":"0.0.0","timeout_scale":1.0}"#;

/// A recording of one line with these entries, each without `t` and `line`; one second lies between two.
fn recording(talk: &str, entries: &[&str]) -> Recording {
    let opened = format!(r#""event":"opened","port":"/dev/ttyUSB1","baud":115200,"talk":"{talk}""#);
    let mut text = HEADER.to_owned();
    for (number, entry) in [opened.as_str()].iter().chain(entries).enumerate() {
        let _ = write!(text, "\n{{\"t\":{number},\"line\":0,{entry}}}");
    }
    parse(&(text + "\n")).unwrap()
}

fn parse(text: &str) -> Result<Recording, crate::Error> {
    Recording::parse(text.as_bytes(), "x.jsonl")
}

fn said(direction: &str, text: &str) -> String {
    let hex: String = text.bytes().map(|byte| format!("{byte:02x}")).collect();
    format!(r#""direction":"{direction}","hex":"{hex}""#)
}

fn host(text: &str) -> String {
    said("to-module", text)
}

fn module(text: &str) -> String {
    said("from-module", text)
}
