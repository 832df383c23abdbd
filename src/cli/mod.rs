//! The command line: one file per subcommand, and no decisions.

mod check;
mod completions;
mod demo;
mod doctor;
mod enter_download;
mod erase;
mod fixture;
mod identify;
mod inspect;
mod language;
mod list;
mod options;
mod outcome;
mod printer;
mod progress;
mod read;
mod reset;
mod resolve;
mod restore;
mod trace;
mod udev;
mod unpack;
mod write;

use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};
use qpyflash::Error;

use language::Language;
use options::Global;
use printer::Printer;

/// Flashes QuecPython firmware onto Quectel cellular modules, and refuses what does not fit.
#[derive(Debug, Parser)]
#[command(
    name = "qpyflash",
    version,
    about,
    max_term_width = 100,
    subcommand_required = true
)]
#[command(after_help = EXIT_CODES)]
struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

const EXIT_CODES: &str = "\
Exit codes:
  0  done and confirmed                         7  refused: identity unknown
  1  unexpected (a bug)                         8  no permission, or port busy
  2  usage                                      9  download mode not reached
  3  package unreadable or inconsistent        10  write failed: the module needs another run
  4  no module, or time ran out                11  written, but verify or confirm differs
  5  several modules, none chosen              12  interrupted while writing
  6  refused: wrong module                    130  interrupted before writing";

#[derive(Debug, Subcommand)]
enum Command {
    /// Write a firmware package to a module
    Write(write::Arguments),
    /// Do everything up to the first write: may this package go onto this module?
    Check(check::Arguments),
    /// Show what a package holds and what it is built for
    Inspect(inspect::Arguments),
    /// Extract the images of a package
    Unpack(unpack::Arguments),
    /// Find the packages that a module may take
    Resolve(resolve::Arguments),
    /// List the modules that are attached
    List(list::Arguments),
    /// Ask a module what it is
    Identify(identify::Arguments),
    /// Read from a module what nobody else has
    #[command(subcommand)]
    Read(read::Read),
    /// Write back to a module what was read from it
    #[command(subcommand)]
    Restore(restore::Restore),
    /// Erase a module
    #[command(subcommand)]
    Erase(erase::Erase),
    /// Flash many modules at once, on a production line
    #[command(subcommand)]
    Fixture(fixture::Fixture),
    /// Send a module into download mode
    EnterDownload(enter_download::Arguments),
    /// Restart a module that is in run mode
    Reset(reset::Arguments),
    /// Show it all on an embedded virtual module
    Demo(demo::Arguments),
    /// Show, replay and import recordings of the exchange with a module
    #[command(subcommand)]
    Trace(trace::Trace),
    /// Say what keeps this host from working with modules, and what to do about it
    Doctor(doctor::Arguments),
    /// Print or install the udev rules (Linux)
    Udev(udev::Arguments),
    /// Print a completion script for a shell
    Completions(completions::Arguments),
    /// Print the manual page
    Man,
}

/// Parses the command line, runs the command, and returns the exit code.
pub fn run() -> u8 {
    let language = Language::wanted();
    let matches = language.prepare(Cli::command()).try_get_matches();
    let cli = match matches.and_then(|matches| Cli::from_arg_matches(&matches)) {
        Ok(cli) => cli,
        Err(error) => return language.print(&error),
    };
    let printer = Printer::new(&cli.global, language);
    match dispatch(cli, &printer) {
        Ok(code) => code,
        Err(error) => {
            printer.error(&error);
            error.exit_code()
        }
    }
}

fn dispatch(cli: Cli, printer: &Printer) -> Result<u8, Error> {
    let global = cli.global;
    match cli.command {
        Command::Write(arguments) => write::run(&arguments, &global, printer),
        Command::Check(arguments) => check::run(&arguments, &global, printer),
        Command::Inspect(arguments) => inspect::run(&arguments, printer),
        Command::Unpack(arguments) => unpack::run(&arguments, printer),
        Command::Resolve(arguments) => resolve::run(&arguments, printer),
        Command::List(arguments) => list::run(&arguments, &global, printer),
        Command::Identify(arguments) => identify::run(&arguments, &global, printer),
        Command::Read(read::Read::Nv(arguments)) => read::nv(&arguments, &global, printer),
        Command::Read(read::Read::Rf(arguments)) => read::rf(&arguments, &global, printer),
        Command::Restore(restore::Restore::Nv(arguments)) => restore::nv(&arguments, &global, printer),
        Command::Erase(erase::Erase::All(arguments)) => erase::all(&arguments, &global, printer),
        Command::Fixture(command) => fixture::run(&command, &global, printer),
        Command::EnterDownload(arguments) => enter_download::run(&arguments, &global, printer),
        Command::Reset(arguments) => reset::run(&arguments, &global, printer),
        Command::Demo(arguments) => demo::run(&arguments, &global, printer),
        Command::Trace(command) => trace::run(&command, printer),
        Command::Doctor(arguments) => doctor::run(&arguments, printer),
        Command::Udev(arguments) => udev::run(&arguments, printer),
        Command::Completions(arguments) => completions::run(&arguments, &mut Cli::command(), printer),
        Command::Man => completions::manual(Cli::command(), printer),
    }
}
