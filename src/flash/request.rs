//! What a person asks for.

use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use crate::identity::OrderingCode;
use crate::module::{Deadlines, TopologyPath};

/// How download mode is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Before {
    /// By AT command from run mode; a module that its USB id shows in download mode is taken as it is.
    #[default]
    Auto,
    /// By AT command.
    At,
    /// Wait for a module in download mode to appear.
    Wait,
    /// The module is already there: not one AT byte is sent.
    None,
}

/// What happens after the last image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum After {
    /// The module restarts and is asked what it is now.
    #[default]
    Reset,
    /// It stays in download mode.
    Stay,
}

/// A kept NV area.
#[derive(Debug, Clone)]
pub struct NvBackup {
    /// Where it was read from, for messages.
    pub name: String,
    /// The bytes of the file.
    pub area: Vec<u8>,
}

/// Kept RF data.
#[derive(Debug, Clone)]
pub struct RfBackup {
    /// Where it was read from, for messages.
    pub name: String,
    /// The bytes of the file.
    pub bytes: Vec<u8>,
}

/// The label that a production line has scanned, beside the ordering code.
#[derive(Debug, Clone, Default)]
pub struct ScannedLabel {
    /// The IMEI on it.
    pub imei: Option<String>,
    /// The serial number on it.
    pub serial_number: Option<String>,
}

/// Line speeds that a loader may be asked for. Source: specs/unisoc-pac-bsl.md §2.4: what the vendor's tool offers.
pub const FLASH_BAUDS: RangeInclusive<u32> = 57_600..=4_000_000;

/// Longest pause between two small writes.
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// Reads [`Request::pacing`] as a person writes it: `64B/1ms`.
///
/// # Errors
/// What it should look like.
pub fn parse_pacing(text: &str) -> Result<(usize, Duration), String> {
    let parts = text.split_once('/').and_then(|(bytes, pause)| {
        let bytes = bytes.strip_suffix('B').unwrap_or(bytes).parse().ok()?;
        let pause = pause.strip_suffix("ms").unwrap_or(pause).parse().ok()?;
        Some((bytes, Duration::from_millis(pause)))
    });
    parts
        .filter(|(bytes, pause)| *bytes > 0 && *pause <= LONGEST_PAUSE)
        .ok_or_else(|| "bytes of a write and milliseconds between two, like 64B/1ms".into())
}

/// One run, as asked for.
#[derive(Debug, Clone)]
pub struct Request {
    /// The firmware, in any published layout.
    pub file: PathBuf,
    /// `/dev/ttyUSB0`, `COM10`, `usb:1-4.2`, `rfc2217://host:port`.
    pub port: Option<String>,
    /// The topology path.
    pub path: Option<TopologyPath>,
    /// The ordering code on the module's label.
    pub label: Option<OrderingCode>,
    /// What the package is built for, where it says so nowhere itself: `EC600N_CNLA`.
    pub built_for: Option<OrderingCode>,
    /// Also run the package's production groups.
    pub production: bool,
    /// How download mode is reached.
    pub before: Before,
    /// What happens after the last image.
    pub after: After,
    /// Line speed; without meaning over USB.
    pub baud: u32,
    /// Line speed to change to for writing, where the module sits behind a UART; that of the boot ROM stays by
    /// default.
    pub flash_baud: Option<u32>,
    /// Read back what was written, where the protocol can, and ask the restarted module what it is now.
    pub verify: bool,
    /// How long to wait for what.
    pub deadlines: Deadlines,
    /// Bytes of one frame to the loader, where the protocol lets one choose.
    pub frame: Option<u16>,
    /// Folder for backups; this user's state directory by default.
    pub backup_dir: Option<PathBuf>,
    /// A kept NV area of this very module: what [`Job::RestoreNv`](super::Job::RestoreNv) writes back, and what
    /// other jobs use when the module has lost its own.
    pub nv_backup: Option<NvBackup>,
    /// Kept RF data that those of the module are compared with.
    pub rf_backup: Option<RfBackup>,
    /// Cuts what is sent into writes of so many bytes with a pause between them, for ports that lose large ones.
    pub pacing: Option<(usize, Duration)>,
    /// The IMEI on the module's label: whose NV area is restored, whatever the module's own says.
    pub label_imei: Option<String>,
    /// The run is one of a production line: label and module must agree wherever both speak, and a module in run mode
    /// that does not say what it is is not written.
    pub scan: Option<ScannedLabel>,
    /// Lets the package fill NV items of identity or calibration that the module lacks.
    pub fill_missing_nv: bool,
}

impl Request {
    /// A run with every choice at its default.
    pub fn new(file: impl Into<PathBuf>) -> Self {
        Request {
            file: file.into(),
            port: None,
            path: None,
            label: None,
            built_for: None,
            production: false,
            before: Before::default(),
            after: After::default(),
            baud: 115_200,
            flash_baud: None,
            verify: true,
            deadlines: Deadlines::default(),
            frame: None,
            backup_dir: None,
            nv_backup: None,
            rf_backup: None,
            pacing: None,
            label_imei: None,
            scan: None,
            fill_missing_nv: false,
        }
    }
}
