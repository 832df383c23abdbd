//! `qpyflash erase all`

use std::io::{IsTerminal, stdin};
use std::path::PathBuf;

use clap::{Args, Subcommand};
use qpyflash::flash::Job;
use qpyflash::{Error, Kind};

use super::options::{self, Claims, Global, Keeping, Lost, Target};
use super::printer::Printer;
use super::write::perform;

/// What can be erased.
#[derive(Debug, Subcommand)]
pub enum Erase {
    /// Everything but NV items and record of production, which are saved and written back: afterwards the module has
    /// no firmware, and stays in download mode until it is written (Unisoc)
    All(Arguments),
}

/// Options of `erase all`.
#[derive(Debug, Args)]
pub struct Arguments {
    /// A package for the module: it holds the loaders
    #[arg(long, value_name = "FILE")]
    pub package: PathBuf,
    /// Do not ask whether it is meant
    #[arg(short, long)]
    pub yes: bool,
    #[command(flatten)]
    pub target: Target,
    #[command(flatten)]
    pub claims: Claims,
    #[command(flatten)]
    pub keeping: Keeping,
    #[command(flatten)]
    pub lost: Lost,
}

pub fn all(arguments: &Arguments, global: &Global, printer: &Printer) -> Result<u8, Error> {
    let mut request = options::request(&arguments.package, &arguments.target, &arguments.claims);
    arguments.keeping.apply(&mut request);
    arguments.lost.apply(&mut request)?;
    if !arguments.yes {
        ask(global, printer)?;
    }
    perform(Job::EraseAll, request, global, printer)
}

/// Goes on only after a clear yes.
fn ask(global: &Global, printer: &Printer) -> Result<(), Error> {
    if global.non_interactive || !stdin().is_terminal() {
        let text = "`erase all` leaves the module without firmware, and there is nobody to ask whether that is meant";
        return Err(Error::new(Kind::Usage, text).hint("give `--yes` if it is"));
    }
    printer.ask(
        "this erases everything on the module: firmware, application and files; its NV items and its record of \
         production are saved and written back. Type `yes` to go on: ",
    );
    let mut answer = String::new();
    match stdin().read_line(&mut answer) {
        Ok(_) if answer.trim() == "yes" => Ok(()),
        Ok(_) => Err(Error::new(Kind::Interrupted, "not confirmed: nothing was done")),
        Err(why) => Err(Error::new(
            Kind::Usage,
            format!("the answer cannot be read: {why}"),
        )),
    }
}
