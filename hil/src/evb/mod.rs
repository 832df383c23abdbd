//! `evb`: scenarios that prove or break the tool on a board, real or virtual.
//!
//! ```text
//! hil/scenarios/*.toml   catalogue   what is done, and what must hold afterwards
//! hil/boards/*.toml      board       which module, which packages, who has the hands at it
//!                        bench       both, set up; packages that must be refused are made
//!                        session     backups, then the scenarios, then the state that is left
//!                        play        one scenario: its steps drive the real `qpyflash`
//!                        report      what came of it
//! ```

/// Says a line. Nobody may be listening any more: that must not end a session in the middle of a write.
macro_rules! say {
    ($($words:tt)*) => {{
        use std::io::Write as _;
        let _ = writeln!(std::io::stdout(), $($words)*);
    }};
}

/// Says something that is continued on the same line.
macro_rules! say_on {
    ($($words:tt)*) => {{
        use std::io::Write as _;
        let mut stdout = std::io::stdout();
        let _ = write!(stdout, $($words)*).and_then(|()| stdout.flush());
    }};
}

mod bench;
mod board;
mod catalogue;
mod ending;
mod hands;
mod host;
mod meanwhile;
mod packages;
mod plan;
mod play;
mod redact;
mod replays;
mod report;
mod session;
mod tool;
mod watch;
mod witness;

use std::error::Error;
use std::fmt;
use std::io::{BufRead, IsTerminal, Write};
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};

use crate::interrupt::watch_for_interrupt;
use bench::Bench;
use board::Board;
use catalogue::Scenario;
use report::Report;
use session::Session;

/// Why a step ends a scenario.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stop {
    /// Something is not as it must be.
    Failed(String),
    /// Ctrl-C.
    Interrupted,
}

type Judged<T = ()> = Result<T, Stop>;

impl fmt::Display for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Stop::Failed(why) => f.write_str(why),
            Stop::Interrupted => f.write_str("interrupted"),
        }
    }
}

impl From<String> for Stop {
    fn from(why: String) -> Self {
        Stop::Failed(why)
    }
}

impl From<std::io::Error> for Stop {
    fn from(why: std::io::Error) -> Self {
        Stop::Failed(why.to_string())
    }
}

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub struct Arguments {
    #[command(subcommand)]
    afterwards: Option<Afterwards>,
    /// The board file: `hil/boards/example.toml` shows one
    #[arg(required = true)]
    board: Option<PathBuf>,
    /// Only this scenario, by name or as a file `*.toml`; repeatable
    #[arg(long, value_name = "NAME")]
    scenario: Vec<String>,
    /// Only print what would be done, and what could be lost
    #[arg(long)]
    dry_run: bool,
    /// Do not ask before the module is touched
    #[arg(long)]
    yes: bool,
    /// How often a scenario with cycles is repeated [default: as it says, 50]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    cycles: Option<u32>,
    /// Folder for the report, which must not exist [default: `evb-report-TIME`]
    #[arg(long, value_name = "DIR")]
    report: Option<PathBuf>,
    /// Folder for backups of NV items and RF data, which never go into the report
    #[arg(long, value_name = "DIR", default_value = "evb-backups")]
    backups: PathBuf,
    /// Leave IMEI and serial numbers out of the report
    #[arg(long)]
    redact: bool,
    /// The program under test [default: `qpyflash` beside this program]
    #[arg(long, value_name = "FILE")]
    qpyflash: Option<PathBuf>,
    /// 用中文显示场景
    #[arg(long)]
    chinese: bool,
}

/// What is done with a report.
#[derive(Debug, Subcommand)]
enum Afterwards {
    /// Copy a report without IMEI and serial numbers, to send it
    Report {
        /// The folder of the report
        report: PathBuf,
        /// Leave IMEI and serial numbers out
        #[arg(long, required = true)]
        redact: bool,
        /// Folder for the copy, which must not exist
        #[arg(short, long, value_name = "SHARE")]
        output: PathBuf,
    },
    /// Make tests of a report's recordings: each that can be said again is kept
    Import {
        /// The folder of the report
        report: PathBuf,
        /// Folder for the tests, which must not exist: `hil/replays/NAME`
        #[arg(short, long, value_name = "DIR")]
        output: PathBuf,
    },
    /// Say imported recordings again, and find where the program says something else today
    Replay {
        /// Folders that `import` has made
        #[arg(required = true)]
        replays: Vec<PathBuf>,
        /// Folder with packages that were too large to be kept
        #[arg(long, value_name = "DIR")]
        packages: Option<PathBuf>,
    },
}

/// Plays the scenarios on a board, or does something with a report.
///
/// # Errors
/// What is wrong with the board, and any scenario that failed.
pub fn run(arguments: &Arguments) -> Result<(), Box<dyn Error>> {
    match (&arguments.afterwards, &arguments.board) {
        (Some(Afterwards::Report { report, output, .. }), _) => {
            redact::copy(report, output)?;
            println!(
                "{} can be sent: it holds no IMEI and no serial number",
                output.display()
            );
            Ok(())
        }
        (Some(Afterwards::Import { report, output }), _) => replays::import(report, output),
        (Some(Afterwards::Replay { replays, packages }), _) => {
            replays::say_all_again(replays, packages.as_deref())
        }
        (None, Some(board)) => play(board, arguments),
        (None, None) => Err("a board file is needed".into()),
    }
}

fn play(board: &Path, arguments: &Arguments) -> Result<(), Box<dyn Error>> {
    let board = Board::read(board)?;
    let scenarios = catalogue::chosen(&arguments.scenario)?;
    let program = tool::find(arguments.qpyflash.as_deref())?;
    let folder = report_folder(arguments.report.as_deref())?;
    let done = play_into(&folder, board, scenarios, program, arguments);
    if !folder.join("results.json").exists() {
        std::fs::remove_dir_all(&folder)?;
    }
    done
}

/// Plays into the folder of the report, which holds no results where nothing was done.
fn play_into(
    folder: &Path,
    board: Board,
    scenarios: Vec<Scenario>,
    program: PathBuf,
    arguments: &Arguments,
) -> Result<(), Box<dyn Error>> {
    let made = folder.join("packages");
    std::fs::create_dir(&made)?;
    let has_operator = std::io::stdin().is_terminal();
    let interrupted = watch_for_interrupt()?;
    let bench = Bench::set_up(board, program, &made, has_operator, &interrupted)?;
    plan::print(&bench, &scenarios, arguments);
    if arguments.dry_run {
        return Ok(());
    }
    if !arguments.yes && !consents()? {
        return Err("nothing was done: there was no consent (or `--yes`)".into());
    }
    let mut report = Report::begin(&bench)?;
    let session = Session {
        bench: &bench,
        scenarios,
        cycles: arguments.cycles,
        chinese: arguments.chinese,
        folder: folder.to_path_buf(),
        backups: std::path::absolute(&arguments.backups)?,
    };
    session.play(&mut report);
    report.write(folder)?;
    if arguments.redact {
        redact::in_place(folder)?;
    }
    say!(
        "{}\nleft: {}\nreport: {}",
        report.in_a_word(),
        report.left,
        folder.display()
    );
    match (report.passed, report.interrupted) {
        (true, _) => Ok(()),
        (false, true) => Err("interrupted; the report says how far it came".into()),
        (false, false) => Err("not everything holds: see the report".into()),
    }
}

fn consents() -> std::io::Result<bool> {
    if !std::io::stdin().is_terminal() {
        return Ok(false);
    }
    print!("Go on? Type `yes`: ");
    std::io::stdout().flush()?;
    let mut line = String::new();
    std::io::stdin().lock().read_line(&mut line)?;
    Ok(line.trim() == "yes")
}

/// A new folder; an earlier report is never overwritten.
fn report_folder(given: Option<&Path>) -> Result<PathBuf, Box<dyn Error>> {
    let name = || {
        PathBuf::from(
            jiff::Timestamp::now()
                .strftime("evb-report-%Y%m%dT%H%M%SZ")
                .to_string(),
        )
    };
    let folder = std::path::absolute(given.map_or_else(name, Path::to_path_buf))?;
    if let Some(parent) = folder.parent() {
        std::fs::create_dir_all(parent)?;
    }
    std::fs::create_dir(&folder)
        .map_err(|why| format!("cannot make the report folder `{}`: {why}", folder.display()))?;
    Ok(folder)
}
