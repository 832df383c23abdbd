//! `qpyflash trace show|replay|import`

mod import;
mod replay;
mod show;

use clap::Subcommand;
use qpyflash::Error;

use super::printer::Printer;

/// What is done with a recording.
#[derive(Debug, Subcommand)]
pub enum Trace {
    /// Print a recording in words, as a transcript
    Show(show::Arguments),
    /// Say a recorded run again without a module, and show where it would say something else now
    ///
    /// Exits with 0 when every byte would be the same, with 11 at the first difference, with 3 when the recording ends
    /// before the run does. No port is opened.
    Replay(replay::Arguments),
    /// Make a recording of a USB capture of another tool (usbmon, USBPcap)
    Import(import::Arguments),
}

pub fn run(command: &Trace, printer: &Printer) -> Result<u8, Error> {
    match command {
        Trace::Show(arguments) => show::run(arguments, printer),
        Trace::Replay(arguments) => replay::run(arguments, printer),
        Trace::Import(arguments) => import::run(arguments, printer),
    }
}
