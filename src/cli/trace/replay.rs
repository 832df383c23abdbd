//! `qpyflash trace replay FILE`

use std::path::PathBuf;

use clap::Args;
use qpyflash::trace::{Difference, Recording, Replayed, Said, With, replay};
use qpyflash::{Error, Kind, firmware};

use crate::cli::options::read_backup;
use crate::cli::printer::{Form, Printer};

/// Options of `trace replay`.
#[derive(Debug, Args)]
pub struct Arguments {
    /// The recording
    pub file: PathBuf,
    /// The package of the recorded run
    #[arg(long, value_name = "FILE")]
    pub package: Option<PathBuf>,
    /// Take another package than the recorded one, to see where they differ
    #[arg(long)]
    pub any_package: bool,
    /// The NV backup that the recorded run was given
    #[arg(long, value_name = "FILE")]
    pub nv_backup: Option<PathBuf>,
    /// Bytes of one frame to the loader, for the recording of another tool (Unisoc)
    #[arg(long, value_name = "BYTES", value_parser = crate::cli::options::frame)]
    pub frame: Option<u16>,
}

pub fn run(arguments: &Arguments, printer: &Printer) -> Result<u8, Error> {
    let recording = Recording::read(&arguments.file)?;
    let package = arguments.package.as_deref().map(firmware::resolve).transpose()?;
    let with = With {
        package: package.as_ref(),
        any_package: arguments.any_package,
        nv_backup: arguments.nv_backup.as_deref().map(read_backup).transpose()?,
        frame: arguments.frame,
    };
    let replayed = replay(&recording, &with)?;
    let error = error(&replayed);
    match printer.form {
        Form::Text => {
            text(&replayed, printer);
            if let Some(error) = &error {
                printer.error(error);
            }
        }
        _ => printer.json(&serde_json::json!({
            "schema": 1,
            "equal": error.is_none(),
            "replay": replayed,
            "error": error.as_ref().map(qpyflash::flash::ErrorReport::of),
        })),
    }
    Ok(error.map_or(0, |error| error.exit_code()))
}

fn error(replayed: &Replayed) -> Option<Error> {
    if replayed.difference.is_some() {
        let text = "what would be said now is not what the recording holds";
        return Some(Error::new(Kind::TraceDiffers, text));
    }
    replayed.cut_off.then(|| {
        let text = "the recording was cut off before the run had ended; everything in it is equal";
        Error::new(Kind::TraceUnreadable, text)
    })
}

fn text(replayed: &Replayed, printer: &Printer) {
    for why in &replayed.skipped {
        printer.say(&format!("not said again: {why}"));
    }
    if let Some(difference) = &replayed.difference {
        printer.result(&words(difference, printer));
        return;
    }
    printer.result(&format!(
        "equal: {} bytes of {} exchanges, {} of them download sessions",
        replayed.bytes, replayed.lines, replayed.sessions
    ));
}

fn words(difference: &Difference, printer: &Printer) -> String {
    let place = difference
        .entry
        .map_or("behind its last entry".into(), |entry| format!("at line {entry}"));
    let phase = difference
        .phase
        .map_or(String::new(), |phase| format!(", phase {phase}"));
    let mut text = format!(
        "the first difference is {place} of the recording, {:.6} s{phase}, on {} ({})",
        difference.t, difference.port, difference.talk
    );
    let side = |name: &str, style: &str, said: &Option<Said>, nothing: &str| {
        let words = said.as_ref().map_or(nothing.to_owned(), |said| {
            format!(
                "{}\n            byte {} of {}: {}",
                said.meaning, said.offset, said.bytes, said.hex
            )
        });
        format!("\n  {} {words}", printer.paint(style, &format!("{name:<9}")))
    };
    text += &side("recorded", "33", &difference.recorded, "nothing more");
    text += &side("now", "36", &difference.now, "nothing more");
    if let Some(why) = &difference.because {
        text += &format!("\n  because   {why}");
    }
    text
}
