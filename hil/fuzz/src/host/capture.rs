//! Captures of a USB bus: a recording that can be read, or an error.

use std::io::Cursor;

use qpyflash::trace::Recording;
use qpyflash::trace::import::{Choice, import};

/// One input.
pub fn run(bytes: &[u8]) {
    let mut out = Vec::new();
    if import(&mut Cursor::new(bytes), "x", &Choice::default(), &mut out).is_ok() {
        let recording = Recording::parse(&out[..], "x").expect("what was written");
        assert!(!recording.cut_off);
    }
}
