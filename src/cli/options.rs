//! Options that several commands share.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::builder::FalseyValueParser;
use clap::{ArgAction, Args, ValueEnum};
use qpyflash::flash::{self, FLASH_BAUDS, NvBackup, Request, parse_pacing};
use qpyflash::identity::OrderingCode;
use qpyflash::link::{self, Cancel, Settings, Trace};
use qpyflash::module::{Deadlines, TopologyPath};
use qpyflash::{Error, Kind};

use super::language::{self, Language};

/// Options of every command.
#[derive(Debug, Args)]
#[command(next_help_heading = "Options of every command")]
pub struct Global {
    /// Print one JSON object on stdout
    #[arg(long, global = true, conflicts_with = "jsonl")]
    pub json: bool,
    /// Print every event as a JSON line on stdout
    #[arg(long, global = true)]
    pub jsonl: bool,
    /// Only errors on stderr
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub quiet: bool,
    /// Show notes and causes; twice, also every byte
    #[arg(short, long, global = true, action = ArgAction::Count)]
    pub verbose: u8,
    /// Never ask anything
    #[arg(long, global = true, env = "QPYFLASH_NON_INTERACTIVE", value_parser = FalseyValueParser::new())]
    pub non_interactive: bool,
    /// Colours on stderr
    #[arg(
        long,
        global = true,
        value_enum,
        default_value = "auto",
        env = "QPYFLASH_COLOR"
    )]
    pub color: Color,
    /// Language of what a person reads, by default that of the locale; JSON stays English
    #[arg(long, global = true, value_enum, env = language::VARIABLE)]
    pub lang: Option<Language>,
    /// Stretch every time-out, for slow hubs and virtual machines
    #[arg(
        long,
        global = true,
        value_name = "FACTOR",
        default_value = "1",
        env = "QPYFLASH_TIMEOUT_SCALE"
    )]
    #[arg(value_parser = scale)]
    pub timeout_scale: f64,
    /// What carries the bytes to a module on USB: the port that a driver has made, or the interface itself
    #[arg(
        long,
        global = true,
        value_enum,
        default_value = "auto",
        env = "QPYFLASH_TRANSPORT"
    )]
    pub transport: Transport,
    /// Record the exchange in FILE, as JSON lines that `trace show` and `trace replay` read; it holds IMEI and serial number
    #[arg(long, global = true, value_name = "FILE", env = "QPYFLASH_TRACE")]
    pub trace: Option<PathBuf>,
}

/// When to use colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Color {
    /// On a terminal
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

impl Global {
    /// What the link needs to know.
    pub fn settings(&self, cancel: &Cancel) -> Result<Settings, Error> {
        let trace = self.trace.as_ref().map(|path| {
            Trace::create(path, self.timeout_scale).map_err(|why| {
                Error::new(
                    Kind::Usage,
                    format!("cannot create the trace `{}`: {why}", path.display()),
                )
                .hint("name a file in a folder that exists and that this user may write to")
            })
        });
        Ok(Settings {
            cancel: cancel.clone(),
            timeout_scale: self.timeout_scale,
            trace: trace.transpose()?,
            transport: self.transport.into(),
        })
    }
}

/// What carries the bytes to a module on USB.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Transport {
    /// The port; raw USB where no driver has made one
    Auto,
    /// The port only
    Tty,
    /// Raw USB only: the driver gets its interface back afterwards
    Usb,
}

impl From<Transport> for link::Transport {
    fn from(transport: Transport) -> Self {
        match transport {
            Transport::Auto => link::Transport::Auto,
            Transport::Tty => link::Transport::Tty,
            Transport::Usb => link::Transport::Usb,
        }
    }
}

fn scale(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(factor) if (0.01..=100.0).contains(&factor) => Ok(factor),
        _ => Err("a factor from 0.01 to 100".into()),
    }
}

/// Which module.
#[derive(Debug, Clone, Default, Args)]
pub struct Target {
    /// Port of the module: `/dev/ttyUSB0`, `COM10`, `usb:1-4.2`, `rfc2217://host:port`
    #[arg(short, long, env = "QPYFLASH_PORT")]
    pub port: Option<String>,
    /// USB topology path of the module: `1-4.2`
    #[arg(long, value_name = "PATH", conflicts_with = "port", env = "QPYFLASH_PATH")]
    pub path: Option<TopologyPath>,
    /// Line speed; without meaning over USB
    #[arg(short, long, default_value_t = 115_200, env = "QPYFLASH_BAUD")]
    pub baud: u32,
}

/// What the person knows about module and package.
#[derive(Debug, Clone, Args)]
pub struct Claims {
    /// Ordering code on the module's label: `EC800MCNGA-I05-SGNSA`
    #[arg(long, value_name = "OC", env = "QPYFLASH_OC")]
    pub oc: Option<OrderingCode>,
    /// What the package is built for, where it says so nowhere itself: `EC600N_CNLA`
    #[arg(long, value_name = "SERIES_SUBMODEL")]
    pub built_for: Option<OrderingCode>,
    /// Also run the package's production groups
    #[arg(long)]
    pub production: bool,
    /// How download mode is reached
    #[arg(long, value_enum, default_value = "auto", env = "QPYFLASH_BEFORE")]
    pub before: Before,
    /// Wait for a module in download mode to appear, 60 s unless told: `--wait=120`
    #[arg(long, value_name = "SECONDS", num_args = 0..=1, require_equals = true, default_missing_value = "60")]
    #[arg(conflicts_with = "before", value_parser = seconds)]
    pub wait: Option<u64>,
}

/// Where backups go, and how the loader is talked to.
#[derive(Debug, Clone, Args)]
pub struct Keeping {
    /// Folder for backups of NV items and RF data; this user's state directory by default
    #[arg(long, value_name = "DIR", env = "QPYFLASH_BACKUP_DIR")]
    pub backup_dir: Option<PathBuf>,
    /// Bytes of one frame to the loader (Unisoc)
    #[arg(long, value_name = "BYTES", value_parser = frame, env = "QPYFLASH_FRAME")]
    pub frame: Option<u16>,
    /// Line speed for writing, once the loader runs; without meaning over USB
    #[arg(long, value_name = "BAUD", value_parser = clap::value_parser!(u32).range(flash_bauds()), env = "QPYFLASH_FLASH_BAUD")]
    pub flash_baud: Option<u32>,
    /// Send in small writes with a pause between them, as `64B/1ms`, through ports that lose large ones (Eigencomm)
    #[arg(long, value_name = "BYTES/PAUSE", value_parser = parse_pacing, env = "QPYFLASH_PACING")]
    pub pacing: Option<(usize, Duration)>,
}

/// `60` or `60s`.
fn seconds(text: &str) -> Result<u64, String> {
    match text.strip_suffix('s').unwrap_or(text).parse() {
        Ok(seconds) if (1..=3600).contains(&seconds) => Ok(seconds),
        _ => Err("seconds from 1 to 3600, like 60 or 60s".into()),
    }
}

/// Line speeds that a loader may be asked for.
fn flash_bauds() -> std::ops::RangeInclusive<i64> {
    i64::from(*FLASH_BAUDS.start())..=i64::from(*FLASH_BAUDS.end())
}

/// For a module that has lost what nobody else has.
#[derive(Debug, Clone, Args)]
pub struct Lost {
    /// Backup of this very module's NV items, for the case that it has lost its own (Unisoc)
    #[arg(long, value_name = "FILE")]
    pub nv_backup: Option<PathBuf>,
}

pub fn frame(text: &str) -> Result<u16, String> {
    let number = match text.strip_prefix("0x") {
        Some(hex) => u16::from_str_radix(hex, 16),
        None => text.parse(),
    };
    number.map_err(|_| "a number of bytes, like 2048 or 0x800".into())
}

impl Keeping {
    /// Adds these options to a request.
    pub fn apply(&self, request: &mut Request) {
        request.backup_dir.clone_from(&self.backup_dir);
        request.frame = self.frame;
        request.flash_baud = self.flash_baud;
        request.pacing = self.pacing;
    }
}

impl Lost {
    /// Adds these options to a request.
    ///
    /// # Errors
    /// When the backup cannot be read.
    pub fn apply(&self, request: &mut Request) -> Result<(), Error> {
        request.nv_backup = self.nv_backup.as_deref().map(read_backup).transpose()?;
        Ok(())
    }
}

/// A backup, as it is in its file.
///
/// # Errors
/// When it cannot be read.
pub fn read_backup(path: &Path) -> Result<NvBackup, Error> {
    let name = path.display().to_string();
    match std::fs::read(path) {
        Ok(area) => Ok(NvBackup { name, area }),
        Err(why) => Err(
            Error::new(Kind::Usage, format!("cannot read the backup `{name}`: {why}"))
                .hint("see that the path is right and that this user may read it"),
        ),
    }
}

/// How download mode is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Before {
    /// By AT command; a module that is already there is taken as it is
    Auto,
    /// By AT command
    At,
    /// Wait for a module in download mode to appear
    Wait,
    /// The module is already there: not one AT byte is sent, and `--oc` is needed
    None,
}

impl From<Before> for flash::Before {
    fn from(before: Before) -> Self {
        match before {
            Before::Auto => flash::Before::Auto,
            Before::At => flash::Before::At,
            Before::Wait => flash::Before::Wait,
            Before::None => flash::Before::None,
        }
    }
}

/// A request from a command's options.
pub fn request(file: &Path, target: &Target, claims: &Claims) -> Request {
    let defaults = Request::new(file);
    let before = claims.wait.map_or(claims.before, |_| Before::Wait);
    let by_hand = claims
        .wait
        .map_or(defaults.deadlines.by_hand, Duration::from_secs);
    Request {
        port: target.port.clone(),
        path: target.path.clone(),
        baud: target.baud,
        label: claims.oc.clone(),
        built_for: claims.built_for.clone(),
        production: claims.production,
        before: before.into(),
        deadlines: Deadlines {
            by_hand,
            ..defaults.deadlines
        },
        ..defaults
    }
}
