//! A conversation in lines and prompts, that stops for good when the port turns out to carry logs.

use std::time::Duration;

use memchr::memmem;
use qpyflash_protocols::Wire;

use super::IdentityError;

/// Most bytes that may come without the expected answer. Boot messages and URCs stay far below.
const FLOOD_BYTES: usize = 8 * 1024;

/// Bytes that are judged together when the port is suspected to carry logs.
const SAMPLE_BYTES: usize = 512;

/// Strange characters that make a log port; line noise when a UART is opened stays below.
const STRANGE_CHARS: usize = 8;

/// The mark of a textual log port. Source: specs/identity.md §1.6 [1].
const LOG_MARK: &str = "%DBG";

/// A port, what it has said and nobody has read yet, and what it looked like so far.
pub(super) struct Dialogue<'w> {
    wire: &'w mut dyn Wire,
    unread: Vec<u8>,
    sample: Vec<u8>,
    unanswered: usize,
}

impl<'w> Dialogue<'w> {
    pub(super) fn new(wire: &'w mut dyn Wire) -> Self {
        Dialogue {
            wire,
            unread: Vec::new(),
            sample: Vec::new(),
            unanswered: 0,
        }
    }

    pub(super) fn now(&self) -> Duration {
        self.wire.now()
    }

    pub(super) fn send(&mut self, bytes: &[u8]) -> Result<(), IdentityError> {
        self.unanswered = 0;
        Ok(self.wire.send(bytes)?)
    }

    pub(super) fn pause(&mut self, how_long: Duration) -> Result<(), IdentityError> {
        Ok(self.wire.pause(how_long)?)
    }

    /// What has been received and not been read, shortened and escaped for a message.
    pub(super) fn rest(&self) -> String {
        quoted(&self.unread)
    }

    /// The next line that is not empty, without its end; nothing when the time is up.
    pub(super) fn line(&mut self, until: Duration) -> Result<Option<String>, IdentityError> {
        loop {
            while let Some(end) = self.unread.iter().position(|b| matches!(b, b'\r' | b'\n')) {
                let line: Vec<u8> = self.unread.drain(..=end).collect();
                let text = String::from_utf8_lossy(&line).trim().to_owned();
                if !text.is_empty() {
                    return Ok(Some(text));
                }
            }
            if !self.hear(until)? {
                return Ok(None);
            }
        }
    }

    /// A line that has begun and not ended is `>>>`: the prompt of a REPL.
    pub(super) fn at_prompt(&self) -> bool {
        self.unread.starts_with(b">>>")
    }

    /// `RDY` stands among what came last: the module has just booted. Source: specs/identity.md §1.1.
    pub(super) fn heard_a_boot(&self) -> bool {
        memmem::find(&self.sample, b"RDY\r\n").is_some()
    }

    /// Reads up to and with the first of `marks` that comes, and returns its index with what stood before it.
    pub(super) fn until_any(
        &mut self,
        marks: &[&[u8]],
        until: Duration,
    ) -> Result<Option<(usize, Vec<u8>)>, IdentityError> {
        loop {
            let first = marks.iter().enumerate().filter_map(|(which, mark)| {
                let at = memmem::find(&self.unread, mark)?;
                Some((at, which))
            });
            if let Some((at, which)) = first.min() {
                let before = self.unread.drain(..at + marks[which].len()).take(at).collect();
                return Ok(Some((which, before)));
            }
            if !self.hear(until)? {
                return Ok(None);
            }
        }
    }

    /// Listens without writing until it has been quiet for `quiet`, at most `longest`; forgets what came.
    pub(super) fn settle(&mut self, quiet: Duration, longest: Duration) -> Result<(), IdentityError> {
        let end = self.now() + longest;
        while self.now() < end {
            let until = (self.now() + quiet).min(end);
            if !self.hear(until)? {
                break;
            }
        }
        self.unread.clear();
        Ok(())
    }

    /// Listens for `how_long` without writing; what came stays unread.
    pub(super) fn listen(&mut self, how_long: Duration) -> Result<(), IdentityError> {
        let until = self.now() + how_long;
        while self.hear(until)? {}
        Ok(())
    }

    /// Waits for more bytes; false when none came in time. What has arrived already is taken even after that,
    /// and [`FLOOD_BYTES`] bounds a port that never stops.
    fn hear(&mut self, until: Duration) -> Result<bool, IdentityError> {
        let mut chunk = [0; 512];
        let within = until.saturating_sub(self.wire.now());
        let count = self.wire.receive(&mut chunk, within)?;
        let heard = chunk.get(..count).unwrap_or_default();
        self.unread.extend_from_slice(heard);
        self.sample.extend_from_slice(heard);
        self.unanswered = self.unanswered.saturating_add(count);
        self.recognise_log_port()?;
        Ok(count > 0)
    }

    /// Fails when the port's bytes look like a log. Source: specs/identity.md §1.6.
    fn recognise_log_port(&mut self) -> Result<(), IdentityError> {
        if self.sample.len() > SAMPLE_BYTES {
            self.sample.drain(..self.sample.len() - SAMPLE_BYTES);
        }
        let text = String::from_utf8_lossy(&self.sample);
        let strange = text.chars().filter(|c| is_strange(*c)).count();
        let binary = strange >= STRANGE_CHARS && strange * 4 > text.chars().count();
        if binary || text.contains(LOG_MARK) || self.unanswered > FLOOD_BYTES {
            return Err(IdentityError::LogPort {
                seen: quoted(&self.sample),
            });
        }
        Ok(())
    }
}

/// Neither text nor one of the control characters a terminal or a raw REPL uses.
fn is_strange(c: char) -> bool {
    c == char::REPLACEMENT_CHARACTER
        || (c.is_control() && !matches!(c, '\r' | '\n' | '\t' | '\x04' | '\x08' | '\x1b'))
}

/// The first bytes, escaped.
pub(super) fn escaped(bytes: impl AsRef<[u8]>) -> String {
    let bytes = bytes.as_ref();
    let head = bytes.get(..64).unwrap_or(bytes);
    let more = if head.len() < bytes.len() { "…" } else { "" };
    format!("{}{more}", head.escape_ascii())
}

fn quoted(bytes: &[u8]) -> String {
    format!("`{}`", escaped(bytes))
}
