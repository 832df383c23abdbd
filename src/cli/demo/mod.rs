//! `qpyflash demo`: the main job on an embedded virtual module.
//!
//! The virtual module sits on a virtual bus, and the commands shown are run as they are printed, by this very
//! program: nothing here knows that the module is virtual.

#[cfg(unix)]
mod show;
#[cfg(unix)]
mod stage;

use clap::Args;
use qpyflash::Error;

use super::options::Global;
use super::printer::Printer;

/// Options of `demo`.
#[derive(Debug, Args)]
pub struct Arguments {
    /// Platform of the virtual module
    #[arg(long, value_enum, default_value = "asr")]
    pub platform: Platform,
    /// Speed of the virtual line
    #[arg(long, value_enum, default_value = "usb-full")]
    pub speed: Speed,
}

/// Platforms with a virtual module.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Platform {
    /// EC600NCNLA: ASR1603, served by the mask ROM
    Asr,
    /// EC600SCNAA: ASR1601, served by the mask ROM
    Asr1601,
    /// EC600SCNAA: ASR1601, served by boot2 in flash
    Asr1601Boot2,
    /// EC600UCNLB: UIS8910
    Unisoc8910,
    /// EC800GCNLD: UIS8850
    Unisoc8850,
    /// EC600ECNLC: EC618
    Eigencomm618,
}

/// Speeds of the virtual line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Speed {
    /// 921600 baud
    Uart921600,
    /// 3 Mbaud
    Uart3m,
    /// USB full speed, 1.0 MB/s
    UsbFull,
    /// USB high speed, 30 MB/s
    UsbHigh,
    /// As fast as this machine goes
    Instant,
}

#[cfg(not(unix))]
pub fn run(_: &Arguments, _: &Global, _: &Printer) -> Result<u8, Error> {
    Err(Error::new(
        qpyflash::Kind::Usage,
        "the demo needs pseudo-terminals, which this system does not have",
    ))
}

#[cfg(unix)]
pub fn run(arguments: &Arguments, global: &Global, printer: &Printer) -> Result<u8, Error> {
    show::run(arguments, global, printer)
}
