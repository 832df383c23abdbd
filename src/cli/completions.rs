//! `qpyflash completions SHELL` and `qpyflash man`

use clap::{Args, Command};
use clap_complete::Shell;
use qpyflash::{Error, Kind};

use super::printer::Printer;

/// Options of `completions`.
#[derive(Debug, Args)]
pub struct Arguments {
    /// The shell
    pub shell: Shell,
}

pub fn run(arguments: &Arguments, command: &mut Command, printer: &Printer) -> Result<u8, Error> {
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, command, "qpyflash", &mut script);
    printer.verbatim(&String::from_utf8_lossy(&script));
    Ok(0)
}

pub fn manual(command: Command, printer: &Printer) -> Result<u8, Error> {
    let mut page = Vec::new();
    clap_mangen::Man::new(command)
        .render(&mut page)
        .map_err(|error| Error::new(Kind::Internal, format!("cannot render the manual: {error}")))?;
    printer.verbatim(&String::from_utf8_lossy(&page));
    Ok(0)
}
