//! `qpyflash read nv`, `qpyflash read rf`

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use qpyflash::Error;
use qpyflash::flash::{Job, RfBackup};

use super::options::{self, Claims, Global, Keeping, Target};
use super::printer::Printer;
use super::write::perform;

/// What can be read.
#[derive(Debug, Subcommand)]
pub enum Read {
    /// The NV area: calibration, IMEI and other items (Unisoc)
    Nv(Arguments),
    /// The RF and calibration data (Eigencomm)
    Rf(RfArguments),
}

/// Options of `read nv`.
#[derive(Debug, Args)]
pub struct Arguments {
    /// A package for the module: it holds the loaders or the agent
    #[arg(long, value_name = "FILE")]
    pub package: PathBuf,
    #[command(flatten)]
    pub target: Target,
    #[command(flatten)]
    pub claims: Claims,
    #[command(flatten)]
    pub keeping: Keeping,
}

/// Options of `read rf`.
#[derive(Debug, Args)]
pub struct RfArguments {
    #[command(flatten)]
    pub common: Arguments,
    /// Backup of this module's RF data to compare with; what differs is told, and ends in exit code 11
    #[arg(long, value_name = "FILE")]
    pub compare: Option<PathBuf>,
}

pub fn rf(arguments: &RfArguments, global: &Global, printer: &Printer) -> Result<u8, Error> {
    let common = &arguments.common;
    let mut request = options::request(&common.package, &common.target, &common.claims);
    common.keeping.apply(&mut request);
    request.rf_backup = arguments.compare.as_deref().map(read_rf).transpose()?;
    perform(Job::ReadRf, request, global, printer)
}

fn read_rf(path: &Path) -> Result<RfBackup, Error> {
    let backup = options::read_backup(path)?;
    Ok(RfBackup {
        name: backup.name,
        bytes: backup.area,
    })
}

pub fn nv(arguments: &Arguments, global: &Global, printer: &Printer) -> Result<u8, Error> {
    let mut request = options::request(&arguments.package, &arguments.target, &arguments.claims);
    arguments.keeping.apply(&mut request);
    perform(Job::ReadNv, request, global, printer)
}
