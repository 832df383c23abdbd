//! The chip platforms qpyflash knows.

use serde::{Deserialize, Serialize};

/// A chip platform: one package format and one download protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Platform {
    /// ASR1601, 1602, 1603, 1606 and 1609: `download.json` over aboot.
    Asr,
    /// UIS8910DM: `.pac` over PDL and BSL, two loaders.
    Unisoc8910,
    /// UIS8850: `.pac` over BSL, one loader.
    Unisoc8850,
    /// EC618: `.binpkg` through agentboot.
    Eigencomm618,
}

impl Platform {
    /// Every platform, in the order of the documentation.
    pub const ALL: [Platform; 4] = [
        Platform::Asr,
        Platform::Unisoc8910,
        Platform::Unisoc8850,
        Platform::Eigencomm618,
    ];

    /// The name used in JSON output and on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Platform::Asr => "asr",
            Platform::Unisoc8910 => "unisoc8910",
            Platform::Unisoc8850 => "unisoc8850",
            Platform::Eigencomm618 => "eigencomm618",
        }
    }

    /// The name used in sentences for a person.
    pub const fn title(self) -> &'static str {
        match self {
            Platform::Asr => "ASR Cat.1",
            Platform::Unisoc8910 => "Unisoc UIS8910",
            Platform::Unisoc8850 => "Unisoc UIS8850",
            Platform::Eigencomm618 => "Eigencomm EC618",
        }
    }
}

impl std::fmt::Display for Platform {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}
