//! `qpyflash resolve --oc OC PATH…`

use std::path::PathBuf;

use clap::Args;
use qpyflash::Error;
use qpyflash::choose;
use qpyflash::identity::OrderingCode;

use super::printer::{Form, Printer};

/// Options of `resolve`.
#[derive(Debug, Args)]
pub struct Arguments {
    /// Ordering code of the module: `EC800MCNGA-I05-SGNSA`
    #[arg(long, value_name = "OC", env = "QPYFLASH_OC")]
    pub oc: OrderingCode,
    /// Files and folders to look through
    #[arg(required = true, value_name = "PATH")]
    pub paths: Vec<PathBuf>,
}

pub fn run(arguments: &Arguments, printer: &Printer) -> Result<u8, Error> {
    let choice = choose::choose(&arguments.oc, &arguments.paths);
    match printer.form {
        Form::Text => printer.result(&choose::render(&choice)),
        _ => printer.json(&choice),
    }
    // Like a search that found nothing, for scripts.
    Ok(if choice.fitting.is_empty() { 6 } else { 0 })
}
