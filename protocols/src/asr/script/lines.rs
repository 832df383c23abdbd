//! The script as lines: commands with their expected replies and payloads, not yet understood.

use std::ops::Range;

use super::{Expected, FILE, Line, Purpose};
use crate::FormatError;
use crate::asr::aboot::number;
use crate::asr::corrupt;

/// First word of the file. Source: specs/asr-aboot.md §5.4 (V).
const MAGIC: &[u8] = b"!CRANE!";
/// Bytes that one variant appends and does not count. Source: §5.4 (V-lin).
const TRAILER_BYTES: usize = 64;
/// The longest line, in bytes. Source: §5.4 (V).
const LONGEST_LINE: usize = 126;

/// The lines of a script.
pub(super) struct Lines {
    pub lines: Vec<Line>,
    /// Whether any line ended in CRLF.
    pub carriage_returns: bool,
}

/// Splits the whole file; payloads are left where they are.
pub(super) fn read(bytes: &[u8]) -> Result<Lines, FormatError> {
    let mut cursor = Cursor {
        bytes,
        at: 0,
        carriage_returns: false,
    };
    cursor.header()?;
    let mut lines = Vec::new();
    while let Some(command) = cursor.line()? {
        lines.push(read_command(command.to_owned(), &mut cursor)?);
    }
    Ok(Lines {
        lines,
        carriage_returns: cursor.carriage_returns,
    })
}

fn read_command(command: String, cursor: &mut Cursor<'_>) -> Result<Line, FormatError> {
    let what = format!("{FILE}: `{command}`");
    let reply = cursor
        .line()?
        .ok_or_else(|| corrupt(&what, "the file ends before its expected reply"))?;
    let mut line = Line {
        command,
        expected: Expected::Okay,
        payload: None,
        purpose: Purpose::Ask,
    };
    if let Some(size) = line.command.strip_prefix("download:") {
        let size = hex(size).filter(|_| reply.strip_prefix("DATA").and_then(hex) == hex(size));
        let size = size.ok_or_else(|| corrupt(&what, format!("`{reply}` is not the same size")))?;
        line.payload = Some(cursor.payload(&what, size as usize)?);
        let stored = cursor.line()?.unwrap_or_default();
        return match stored.starts_with("OKAY") {
            true => Ok(line),
            false => Err(corrupt(
                &what,
                format!(
                    "`{}` is expected after its bytes instead of `OKAY`",
                    stored.escape_debug()
                ),
            )),
        };
    }
    let value = reply.strip_prefix("OKAY").ok_or_else(|| {
        corrupt(
            &what,
            format!("the expected reply `{}` is no `OKAY`", reply.escape_debug()),
        )
    })?;
    line.expected = match line.command.strip_prefix("getvar:") {
        None => Expected::Okay,
        Some(_) if value.trim().is_empty() => Expected::Okay,
        Some("max-download-size") => {
            let least = number(value)
                .ok_or_else(|| corrupt(&what, format!("`{}` is not a number", value.escape_debug())))?;
            Expected::AtLeast(least)
        }
        Some("version-bootrom") => Expected::OneOf(vec![value.trim().to_owned()]),
        Some(_) => Expected::OneOf(value.split('|').map(|value| value.trim().to_owned()).collect()),
    };
    Ok(line)
}

fn hex(digits: &str) -> Option<u32> {
    u32::from_str_radix(digits, 16).ok()
}

/// A place in the file.
struct Cursor<'s> {
    bytes: &'s [u8],
    at: usize,
    carriage_returns: bool,
}

impl<'s> Cursor<'s> {
    /// Magic and length; a trailer is left out of what follows.
    fn header(&mut self) -> Result<(), FormatError> {
        let found = &self.bytes[..self.bytes.len().min(MAGIC.len())];
        if found != MAGIC {
            return Err(FormatError::NotThis {
                what: FILE.to_owned(),
                expected: "an ASR script (`!CRANE!`)",
                found: format!(
                    "it begins with `{}`",
                    String::from_utf8_lossy(found).escape_debug()
                ),
            });
        }
        let first = self.line()?.unwrap_or_default();
        let mut words = first.split_ascii_whitespace().skip(1);
        let stated = words.next().and_then(hex).filter(|_| words.next().is_none());
        let stated = stated
            .ok_or_else(|| corrupt(FILE, format!("`{}` states no length", first.escape_debug())))?
            as usize;
        let whole = self.bytes.len();
        if stated != whole && stated.checked_add(TRAILER_BYTES) != Some(whole) {
            return Err(corrupt(FILE, format!("it states {stated} bytes and has {whole}")));
        }
        self.bytes = &self.bytes[..stated];
        Ok(())
    }

    /// The next line that is not blank, without its end.
    fn line(&mut self) -> Result<Option<&'s str>, FormatError> {
        while self.at < self.bytes.len() {
            let rest = &self.bytes[self.at..];
            let end = memchr::memchr(b'\n', rest);
            let length = end.unwrap_or(rest.len());
            let place = self.at;
            self.at += length + usize::from(end.is_some());
            let line = &rest[..length];
            let bare = line.strip_suffix(b"\r").unwrap_or(line);
            self.carriage_returns |= bare.len() < line.len();
            if bare.len() > LONGEST_LINE {
                return Err(corrupt(
                    FILE,
                    format!("the line at {place:#x} has {} bytes", bare.len()),
                ));
            }
            if !bare
                .iter()
                .all(|byte| (b' '..=b'~').contains(byte) || *byte == b'\t')
            {
                return Err(corrupt(FILE, format!("the line at {place:#x} is not text")));
            }
            let text = std::str::from_utf8(bare).unwrap_or_default();
            if !text.trim().is_empty() {
                return Ok(Some(text));
            }
        }
        Ok(None)
    }

    fn payload(&mut self, what: &str, size: usize) -> Result<Range<usize>, FormatError> {
        let end = self.at.checked_add(size).filter(|&end| end <= self.bytes.len());
        let end = end.ok_or_else(|| FormatError::Truncated {
            what: what.to_owned(),
            need: size as u64,
            have: (self.bytes.len() - self.at) as u64,
        })?;
        let payload = self.at..end;
        self.at = end;
        Ok(payload)
    }
}
