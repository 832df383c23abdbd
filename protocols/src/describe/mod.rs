//! What the bytes on a wire mean, in the words of the specifications' transcripts: for a recording, and for the
//! person who reads it.
//!
//! ```
//! use qpyflash_protocols::describe::{Describer, Side};
//! use qpyflash_protocols::Platform;
//! let mut asr = Describer::of(Platform::Asr);
//! assert_eq!(asr.describe(Side::Host, b"~}#getvar:product~"), "getvar:product");
//! assert_eq!(asr.describe(Side::Module, b"~}#OKAYarom"), "");
//! assert_eq!(asr.describe(Side::Module, b"-tiny~"), "OKAYarom-tiny");
//! ```
//!
//! A describer only ever reads: nothing that is sent or received depends on it, and no byte can make it fail. A frame
//! that is cut into several reads is described where it ends; large data are counted, not shown.

#[cfg(test)]
mod tests;
mod text;
mod words;

pub(crate) use words::{Words, quoted};

use crate::Platform;
use crate::asr::preamble;
use crate::{asr, eigencomm, unisoc};

/// Who spoke.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Side {
    /// The host.
    Host,
    /// The module.
    Module,
}

/// Follows both directions of one line.
#[derive(Debug)]
pub struct Describer(Speech);

#[derive(Debug)]
enum Speech {
    Text,
    Asr(Box<asr::Describer>),
    Unisoc(Box<unisoc::Describer>),
    Eigencomm(Box<eigencomm::Describer>),
}

impl Describer {
    /// For a line to a module of that platform in download mode.
    pub fn of(platform: Platform) -> Self {
        Describer(match platform {
            Platform::Asr => Speech::Asr(Box::default()),
            Platform::Unisoc8910 | Platform::Unisoc8850 => Speech::Unisoc(Box::default()),
            Platform::Eigencomm618 => Speech::Eigencomm(Box::default()),
        })
    }

    /// For a line to a module in run mode: AT commands, or a Python prompt.
    pub fn of_text() -> Self {
        Describer(Speech::Text)
    }

    /// What these bytes mean; empty where no frame ends in them.
    pub fn describe(&mut self, side: Side, bytes: &[u8]) -> String {
        let mut words = Words::default();
        match &mut self.0 {
            Speech::Text => text::describe(bytes, &mut words),
            Speech::Asr(describer) => describer.describe(side, bytes, &mut words),
            Speech::Unisoc(describer) => describer.describe(side, bytes, &mut words),
            Speech::Eigencomm(describer) => describer.describe(side, bytes, &mut words),
        }
        words.into_text()
    }
}

/// The platform of a module in download mode, by the first bytes that its host says: each protocol is opened in a way
/// of its own. Source: specs/asr-aboot.md §3.1, unisoc-pac-bsl.md §4.1, §6.4, eigencomm-agentboot.md §3.1, §4.2.
pub fn platform_of(first: &[u8]) -> Option<Platform> {
    let syncs = [eigencomm::commands::Stage::Rom, eigencomm::commands::Stage::Loop];
    match first {
        _ if first.starts_with(preamble::CALL) => Some(Platform::Asr),
        [0xAE, _, _, 0, 0, 0xFF, ..] => Some(Platform::Unisoc8910),
        [0x7E, 0x7E, ..] => Some(Platform::Unisoc8850),
        _ if syncs.iter().any(|stage| first.starts_with(&stage.sync_word())) => Some(Platform::Eigencomm618),
        _ => None,
    }
}
