//! `qpyflash read nv`

use std::path::PathBuf;

use clap::{Args, Subcommand};
use qpyflash::Error;
use qpyflash::event::Events;
use qpyflash::flash::{self, Job};
use qpyflash::link::Cancel;

use super::options::{self, Claims, Global, Keeping, Target};
use super::printer::Printer;
use super::write::conducted;
use super::{outcome, progress};

/// What can be read.
#[derive(Debug, Subcommand)]
pub enum Read {
    /// The NV area: calibration, IMEI and other items (Unisoc)
    Nv(Arguments),
}

/// Options of `read nv`.
#[derive(Debug, Args)]
pub struct Arguments {
    /// A package for the module: it holds the loaders
    #[arg(long, value_name = "FILE")]
    pub package: PathBuf,
    #[command(flatten)]
    pub target: Target,
    #[command(flatten)]
    pub claims: Claims,
    #[command(flatten)]
    pub keeping: Keeping,
}

pub fn nv(arguments: &Arguments, global: &Global, printer: &Printer) -> Result<u8, Error> {
    let mut request = options::request(&arguments.package, &arguments.target, &arguments.claims);
    arguments.keeping.apply(&mut request)?;
    let cancel = Cancel::default();
    let settings = global.settings(&cancel)?;
    let events = Events::new(progress::sink(printer));
    let work = move || flash::perform(Job::ReadNv, &request, &settings, events);
    Ok(outcome::show(&conducted(&cancel, printer, work), printer))
}
