//! `firmware.bin`: commands, expected replies and payloads in one file, for small hosts.
//!
//! ```text
//! !CRANE! 0123abcd\n                       magic, length of the file in hex
//! getvar:product\nOKAYarom-tiny\n          command, expected reply
//! download:000041a0\nDATA000041a0\n<0x41a0 raw bytes>[\n]OKAY\n
//! verify\nOKAY\ncall\nOKAY\n
//! ```
//!
//! Payloads for flash are in sparse form already, cut to the flasher's size, and are sent unchanged.
//! Source: specs/asr-aboot.md §5.4 (V).

use std::ops::Range;
use std::sync::Arc;

mod lines;
mod walk;

use lines::Lines;

use super::plan::{Plan, Route};
use crate::FormatError;

/// The name for messages.
const FILE: &str = "firmware.bin";

/// A script, validated.
#[derive(Debug, Clone)]
pub(super) struct Script {
    pub bytes: Arc<[u8]>,
    pub lines: Vec<Line>,
}

/// A command and what must come back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Line {
    pub command: String,
    pub expected: Expected,
    /// Bytes of the script that follow the command's DATA reply.
    pub payload: Option<Range<usize>>,
    /// What the line belongs to.
    pub purpose: Purpose,
}

/// What a reply must be. Source: §5.4: aboot-tiny's rules.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Expected {
    /// OKAY, with any value.
    Okay,
    /// OKAY with one of these values.
    OneOf(Vec<String>),
    /// OKAY with a number at least this large.
    AtLeast(u32),
}

/// What a line belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Purpose {
    /// Questions and the like.
    Ask,
    /// Loading and running this helper of the plan.
    Call(usize),
    /// Handing this helper of the plan, a table, to the flasher.
    Partition(usize),
    /// Erasing this partition.
    Erase(String),
    /// Writing these bytes of this image of the plan.
    Flash { image: usize, bytes: Range<u64> },
}

impl Script {
    /// The boot ROM the script is for, if it asks.
    pub fn version_bootrom(&self) -> Option<&[String]> {
        self.lines.iter().find_map(|line| match &line.expected {
            Expected::OneOf(values) if line.command == "getvar:version-bootrom" => Some(values.as_slice()),
            _ => None,
        })
    }
}

impl Plan {
    /// Reads a `firmware.bin` script.
    ///
    /// # Errors
    /// [`FormatError`] with the first thing that would fail, or that we refuse to do.
    pub fn from_script(bytes: Arc<[u8]>) -> Result<Plan, FormatError> {
        let Lines {
            mut lines,
            carriage_returns,
        } = lines::read(&bytes)?;
        let (images, helpers, mut warnings) = walk::walk(&bytes, &mut lines)?;
        if carriage_returns {
            warnings.push(format!(
                "{FILE} has CRLF line ends; it may have been damaged on the way"
            ));
        }
        Ok(Plan {
            route: Route::Script(Script { bytes, lines }),
            images,
            helpers,
            warnings,
            production: None,
        })
    }
}
