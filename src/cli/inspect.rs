//! `qpyflash inspect FILE`

use std::path::PathBuf;

use clap::Args;
use qpyflash::Error;
use qpyflash::firmware::inspect;

use super::printer::{Form, Printer};

/// Options of `inspect`.
#[derive(Debug, Args)]
pub struct Arguments {
    /// The firmware, in any published layout
    pub file: PathBuf,
}

pub fn run(arguments: &Arguments, printer: &Printer) -> Result<u8, Error> {
    let inspection = inspect::inspect(&arguments.file)?;
    match printer.form {
        Form::Text => printer.result(&inspect::render(&inspection)),
        _ => printer.json(&inspection),
    }
    Ok(0)
}
