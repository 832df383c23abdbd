//! `qpyflash unpack FILE -o DIR`

use std::path::PathBuf;

use clap::Args;
use qpyflash::Error;
use qpyflash::firmware;

use super::printer::{Form, Printer};

/// Options of `unpack`.
#[derive(Debug, Args)]
pub struct Arguments {
    /// The firmware, in any published layout
    pub file: PathBuf,
    /// Folder for the extracted files; made if it does not exist, and nothing in it is overwritten
    #[arg(short, long, value_name = "DIR")]
    pub output: PathBuf,
}

pub fn run(arguments: &Arguments, printer: &Printer) -> Result<u8, Error> {
    let files = firmware::unpack(&arguments.file, &arguments.output)?;
    match printer.form {
        Form::Text => files
            .iter()
            .for_each(|file| _ = printer.verbatim(&file.display().to_string())),
        _ => printer.json(&serde_json::json!({ "schema": 1, "files": files })),
    }
    Ok(0)
}
