//! `qpyflash restore nv FILE`

use std::path::PathBuf;

use clap::{Args, Subcommand};
use qpyflash::Error;
use qpyflash::flash::Job;

use super::options::{self, Claims, Global, Keeping, Target, read_backup};
use super::printer::Printer;
use super::write::perform;

/// What can be restored.
#[derive(Debug, Subcommand)]
pub enum Restore {
    /// The NV area: calibration, IMEI and other items (Unisoc)
    Nv(Arguments),
}

/// Options of `restore nv`.
#[derive(Debug, Args)]
pub struct Arguments {
    /// Backup of this very module's NV items, made by `write`, `read nv`, `restore nv` or `erase all`
    pub file: PathBuf,
    /// A package for the module: it holds the loaders
    #[arg(long, value_name = "FILE")]
    pub package: PathBuf,
    /// IMEI on the module's label, where the module itself reports that of another
    #[arg(long, value_parser = imei)]
    pub imei: Option<String>,
    #[command(flatten)]
    pub target: Target,
    #[command(flatten)]
    pub claims: Claims,
    #[command(flatten)]
    pub keeping: Keeping,
}

fn imei(text: &str) -> Result<String, String> {
    match text.len() == 15 && text.bytes().all(|byte| byte.is_ascii_digit()) {
        true => Ok(text.into()),
        false => Err("fifteen digits".into()),
    }
}

pub fn nv(arguments: &Arguments, global: &Global, printer: &Printer) -> Result<u8, Error> {
    let mut request = options::request(&arguments.package, &arguments.target, &arguments.claims);
    arguments.keeping.apply(&mut request);
    request.nv_backup = Some(read_backup(&arguments.file)?);
    request.label_imei.clone_from(&arguments.imei);
    perform(Job::RestoreNv, request, global, printer)
}
