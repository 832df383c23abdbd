//! `qpyflash write FILE`

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use qpyflash::Error;
use qpyflash::event::Events;
use qpyflash::flash::{self, Job, Outcome, Request};
use qpyflash::fleet;
use qpyflash::link::Cancel;

use super::options::{self, Claims, Global, Keeping, Lost, Target};
use super::printer::Printer;
use super::{outcome, progress};

/// Options of `write`.
#[derive(Debug, Args)]
pub struct Arguments {
    /// The firmware, in any published layout: zip, bin, pac, binpkg or an unpacked folder
    pub file: PathBuf,
    #[command(flatten)]
    pub target: Target,
    #[command(flatten)]
    pub claims: Claims,
    #[command(flatten)]
    pub keeping: Keeping,
    #[command(flatten)]
    pub lost: Lost,
    /// Let the package fill NV items of identity or calibration that the module lacks (Unisoc)
    #[arg(long)]
    pub fill_missing_nv: bool,
    /// What happens after the last image
    #[arg(long, value_enum, default_value = "reset")]
    pub after: After,
    /// Do not read back what was written (Eigencomm), and do not ask the restarted module what it is now
    #[arg(long)]
    pub no_verify: bool,
}

/// What happens after the last image.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum After {
    /// The module restarts
    Reset,
    /// The module stays in download mode
    Stay,
}

pub fn run(arguments: &Arguments, global: &Global, printer: &Printer) -> Result<u8, Error> {
    let mut request = options::request(&arguments.file, &arguments.target, &arguments.claims);
    request.verify = !arguments.no_verify;
    request.after = match arguments.after {
        After::Reset => flash::After::Reset,
        After::Stay => flash::After::Stay,
    };
    request.fill_missing_nv = arguments.fill_missing_nv;
    arguments.keeping.apply(&mut request);
    arguments.lost.apply(&mut request)?;
    perform(Job::Write, request, global, printer)
}

/// Does a job and shows how it ended.
pub fn perform(job: Job, request: Request, global: &Global, printer: &Printer) -> Result<u8, Error> {
    let cancel = Cancel::default();
    let settings = global.settings(&cancel)?;
    let events = Events::new(progress::sink(printer));
    let work = move || flash::perform(job, &request, &settings, events);
    Ok(outcome::show(&conducted(&cancel, printer, work), printer))
}

/// Runs under the conductor; a bug still ends in an outcome.
pub fn conducted(
    cancel: &Cancel,
    printer: &Printer,
    work: impl FnOnce() -> Outcome + Send + 'static,
) -> Outcome {
    fleet::conduct(cancel, work).unwrap_or_else(|bug| {
        let mut events = Events::new(progress::sink(printer));
        events.finish(Outcome::of_bug(&bug.message))
    })
}
