//! A recording as a transcript: one row for what was said at once, in the manner of the specifications.

use std::fmt::Write as _;

use qpyflash_protocols::Phase;

use super::record::{Bytes, Direction, Entry, Event, What};
use super::recording::Recording;

/// A silence that is worth a row, in seconds.
const WORTH_A_ROW: f64 = 0.1;

/// One row of a transcript.
#[derive(Debug, Clone, PartialEq)]
pub enum Row<'r> {
    /// A phase begins.
    Phase(Phase),
    /// Bytes went over a line.
    Bytes {
        /// Seconds since the recording began.
        t: f64,
        /// The bytes and what they mean.
        bytes: &'r Bytes,
    },
    /// Something else happened, in words.
    Event {
        /// Seconds since the recording began.
        t: f64,
        /// The words.
        text: String,
    },
}

/// The transcript of a recording, or of one phase of it.
pub fn rows(recording: &Recording, phase: Option<Phase>) -> impl Iterator<Item = Row<'_>> {
    let mut last = None;
    recording
        .entries
        .iter()
        .filter(move |entry| phase.is_none() || entry.phase == phase)
        .flat_map(move |entry| {
            let begins = entry.phase.filter(|phase| last.replace(*phase) != Some(*phase));
            begins.map(Row::Phase).into_iter().chain(row(entry))
        })
}

fn row(entry: &Entry) -> Option<Row<'_>> {
    let t = entry.t;
    match &entry.what {
        What::Bytes(bytes) => Some(Row::Bytes { t, bytes }),
        What::Event(event) => words(event).map(|text| Row::Event { t, text }),
    }
}

fn words(event: &Event) -> Option<String> {
    Some(match event {
        Event::Package {
            file,
            sha256,
            platform,
        } => format!("package `{file}` for {}, SHA-256 {sha256}", platform.title()),
        Event::Attached {
            topology,
            usb_id,
            mode,
            ports,
        } => {
            let ports = ports
                .iter()
                .map(|(interface, port)| format!(", interface {interface} {port}"));
            format!("{usb_id} on {topology} in {mode}{}", ports.collect::<String>())
        }
        Event::Opened { port, baud, talk, .. } => format!("opened {port} at {baud} baud: {talk}"),
        Event::Session { options } => format!("options {options}"),
        Event::Baud { baud } => format!("line speed {baud}"),
        Event::Silence { within } if *within >= WORTH_A_ROW => format!("{within:.3} s of silence"),
        Event::Silence { .. } => return None,
        Event::Failed { during, fault } => {
            let error = qpyflash_protocols::WireError::from(fault);
            format!("{during:?} failed: {error}").to_lowercase()
        }
        Event::Closed => "closed".into(),
    })
}

/// Upper-case hex with blanks, as the specifications write bytes.
pub(super) fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() * 3);
    for byte in bytes {
        let _ = write!(text, "{byte:02X} ");
    }
    text.truncate(text.trim_end().len());
    text
}

impl Bytes {
    /// The bytes as the specifications write them; `most` of them, with the count of all when there are more.
    pub fn hex(&self, most: usize) -> String {
        match self.bytes.get(..most) {
            Some(head) if head.len() < self.bytes.len() => {
                format!("{} … ({} bytes)", hex(head), self.bytes.len())
            }
            _ => hex(&self.bytes),
        }
    }

    /// `>` or `<`.
    pub const fn arrow(&self) -> char {
        self.direction.arrow()
    }

    /// Whether we said them.
    pub fn is_ours(&self) -> bool {
        self.direction == Direction::ToModule
    }
}
