//! `qpyflash check FILE`

use std::path::PathBuf;

use clap::Args;
use qpyflash::Error;
use qpyflash::event::Events;
use qpyflash::flash;
use qpyflash::link::Cancel;

use super::options::{self, Claims, Global, Target};
use super::printer::Printer;
use super::write::conducted;
use super::{outcome, progress};

/// Options of `check`.
#[derive(Debug, Args)]
pub struct Arguments {
    /// The firmware, in any published layout
    pub file: PathBuf,
    #[command(flatten)]
    pub target: Target,
    #[command(flatten)]
    pub claims: Claims,
}

pub fn run(arguments: &Arguments, global: &Global, printer: &Printer) -> Result<u8, Error> {
    let request = options::request(&arguments.file, &arguments.target, &arguments.claims);
    let cancel = Cancel::default();
    let settings = global.settings(&cancel)?;
    let events = Events::new(progress::sink(printer));
    let work = move || flash::check(&request, &settings, events);
    Ok(outcome::show(&conducted(&cancel, printer, work), printer))
}
