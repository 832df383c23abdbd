//! Where what is said now leaves what was said then.

use qpyflash_protocols::Phase;
use serde::Serialize;

use super::recording::Moment;

/// Bytes that are shown of what was said, and how many of them stand before the difference.
const SHOWN: usize = 24;
const BEFORE: usize = 8;

/// The first difference between a recording and what is said now.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Difference {
    /// The port of the line.
    pub port: String,
    /// What was said on it.
    pub talk: String,
    /// Where: the line of the file, counted from 1; none behind the end of the line's recording.
    pub entry: Option<usize>,
    /// When, in seconds since the recording began.
    pub t: f64,
    /// The phase of the recorded run.
    pub phase: Option<Phase>,
    /// What the recording holds; none when it ends there.
    pub recorded: Option<Said>,
    /// What is said now; none when nothing is.
    pub now: Option<Said>,
    /// Why nothing more is said now, where that is a failure.
    pub because: Option<String>,
}

/// A piece of what was said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Said {
    /// In words.
    pub meaning: String,
    /// How many bytes were said at once.
    pub bytes: usize,
    /// The first different byte among them.
    pub offset: usize,
    /// Some bytes around it, as upper-case hex with blanks.
    pub hex: String,
}

impl Said {
    /// What differs first at `offset`.
    pub(super) fn new(bytes: &[u8], offset: usize, meaning: String) -> Self {
        let from = offset.saturating_sub(BEFORE).min(bytes.len());
        let to = (from + SHOWN).min(bytes.len());
        let mut hex = super::rows::hex(&bytes[from..to]);
        if from > 0 {
            hex.insert_str(0, "… ");
        }
        if to < bytes.len() {
            hex.push_str(" …");
        }
        Said {
            meaning,
            bytes: bytes.len(),
            offset,
            hex,
        }
    }
}

impl Difference {
    /// At a moment of a line; the line's names are filled in by who knows it.
    pub(super) fn at(moment: Option<&Moment<'_>>, recorded: Option<Said>, now: Option<Said>) -> Self {
        Difference {
            port: String::new(),
            talk: String::new(),
            entry: moment.map(|moment| moment.number),
            t: moment.map_or(0.0, |moment| moment.t),
            phase: moment.and_then(|moment| moment.phase),
            recorded,
            now,
            because: None,
        }
    }
}
