//! `qpyflash read nv`

use std::path::PathBuf;

use clap::{Args, Subcommand};
use qpyflash::Error;
use qpyflash::flash::Job;

use super::options::{self, Claims, Global, Keeping, Target};
use super::printer::Printer;
use super::write::perform;

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
    arguments.keeping.apply(&mut request);
    perform(Job::ReadNv, request, global, printer)
}
