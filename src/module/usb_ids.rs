//! The one table of USB ids: run mode and download mode of every family. Source: specs/usb-and-hosts.md §1.
//!
//! An id never says which module it is: 2c7c:6002 alone spans five series and two chip vendors.

use qpyflash_protocols::Platform;
use serde::{Deserialize, Serialize};

/// What the module is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// Its firmware runs and answers AT commands.
    Run,
    /// Its boot ROM or loader waits for a download.
    Download,
}

/// What an interface of a module is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// AT commands.
    At,
    /// QuecPython's interactive prompt.
    Repl,
    /// The download port.
    Download,
    /// PPP; answers AT too.
    Modem,
    /// Logs and diagnosis: never written to.
    Log,
}

/// One row: a VID and PID, and what they mean.
#[derive(Debug, Clone, Copy)]
pub struct UsbId {
    /// Vendor id.
    pub vid: u16,
    /// Product id.
    pub pid: u16,
    /// Run or download mode.
    pub mode: Mode,
    /// The chip platform; `None` where several share the id.
    pub platform: Option<Platform>,
    /// Interface number and role, the best one first.
    pub interfaces: &'static [(u8, Role)],
    /// The modules that show it.
    pub modules: &'static str,
    /// A device with this id is a module only if it carries no strings: the id is also the Linux serial gadget's.
    pub only_without_strings: bool,
}

use Role::{At, Download, Log, Modem, Repl};

/// ASR and Unisoc 8850 share the role numbers of their relatives where nothing else is known.
const ASR_RUN: &[(u8, Role)] = &[(3, At), (4, Modem), (5, Repl), (2, Log)];
const UNISOC_RUN: &[(u8, Role)] = &[
    (2, At),
    (7, Modem),
    (8, Repl),
    (20, Repl),
    (3, Log),
    (4, Log),
    (5, Log),
    (6, Log),
];
const EIGENCOMM_RUN: &[(u8, Role)] = &[(3, At), (2, At), (0, Log), (1, Log)];

/// The table. ASR's run-mode ids are shared with EC718 modules, so they name no platform.
/// Source: specs/usb-and-hosts.md §1.1 (run mode), §1.2 (download mode).
pub const TABLE: &[UsbId] = &[
    run(0x2c7c, 0x6001, None, ASR_RUN, "EC100Y EC600S EC600N"),
    run(
        0x2c7c,
        0x6002,
        None,
        ASR_RUN,
        "EC800N EC600M EC800M EC600K EC800K EG810M EG800K EG800P",
    ),
    run(
        0x2c7c,
        0x0901,
        Some(Platform::Unisoc8910),
        UNISOC_RUN,
        "EC200U EC600U EG912U EG915U",
    ),
    run(
        0x2c7c,
        0x0904,
        Some(Platform::Unisoc8850),
        UNISOC_RUN,
        "EC600G EC800G",
    ),
    run(
        0x2c7c,
        0x0903,
        Some(Platform::Eigencomm618),
        EIGENCOMM_RUN,
        "EC600E EC800E",
    ),
    download(0x2ecc, 0x3017, Platform::Asr, "EC600S-CNAA and relatives"),
    download(0x2ecc, 0x3004, Platform::Asr, "other ASR modules"),
    UsbId {
        only_without_strings: true,
        ..download(
            0x0525,
            0xa4a7,
            Platform::Unisoc8910,
            "EC200U EC600U EG912U EG915U",
        )
    },
    download(0x1782, 0x4d16, Platform::Unisoc8850, "EC600G EC800G"),
    download(0x17d1, 0x0001, Platform::Eigencomm618, "EC600E EC800E"),
];

const fn run(
    vid: u16,
    pid: u16,
    platform: Option<Platform>,
    interfaces: &'static [(u8, Role)],
    modules: &'static str,
) -> UsbId {
    UsbId {
        vid,
        pid,
        mode: Mode::Run,
        platform,
        interfaces,
        modules,
        only_without_strings: false,
    }
}

const fn download(vid: u16, pid: u16, platform: Platform, modules: &'static str) -> UsbId {
    UsbId {
        vid,
        pid,
        mode: Mode::Download,
        platform: Some(platform),
        // CDC-ACM ttys are bound at interface 0, the control interface; the data interface is 1.
        interfaces: &[(0, Download), (1, Download)],
        modules,
        only_without_strings: false,
    }
}

/// Looks an id up.
pub fn lookup(vid: u16, pid: u16) -> Option<&'static UsbId> {
    TABLE.iter().find(|id| id.vid == vid && id.pid == pid)
}

impl UsbId {
    /// The role of an interface.
    pub fn role(&self, interface: u8) -> Option<Role> {
        self.interfaces
            .iter()
            .find(|(number, _)| *number == interface)
            .map(|(_, role)| *role)
    }
}
