//! `qpyflash write FILE`

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use qpyflash::Error;
use qpyflash::event::Events;
use qpyflash::flash::{self, Outcome};
use qpyflash::fleet;
use qpyflash::link::Cancel;

use super::options::{self, Claims, Global, Keeping, Target};
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
    /// What happens after the last image
    #[arg(long, value_enum, default_value = "reset")]
    pub after: After,
    /// Do not ask the restarted module what it is now
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
    arguments.keeping.apply(&mut request)?;
    let cancel = Cancel::default();
    let settings = global.settings(&cancel)?;
    let events = Events::new(progress::sink(printer));
    Ok(outcome::show(
        &conducted(&cancel, printer, move || {
            flash::write(&request, &settings, events)
        }),
        printer,
    ))
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
