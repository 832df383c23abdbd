//! `qpyflash trace show FILE`

use std::path::PathBuf;

use clap::Args;
use qpyflash::trace::record::Bytes;
use qpyflash::trace::{Recording, Row, rows};
use qpyflash::{Error, Kind, Phase};

use crate::cli::printer::{Form, Printer};

/// Bytes of hex in a row.
const SHORT: usize = 16;
/// Characters for the words of a row; hex stands behind them.
const WORDS: usize = 44;

/// Options of `trace show`.
#[derive(Debug, Args)]
pub struct Arguments {
    /// The recording
    pub file: PathBuf,
    /// Show all bytes, not the first 16 of each row
    #[arg(long)]
    pub hex: bool,
    /// Show one phase only: `identify`, `sync`, `write` …
    #[arg(long, value_name = "PHASE", value_parser = phase)]
    pub phase: Option<Phase>,
    /// Mask IMEI, serial number, ICCID and IMSI, in words and bytes; with `--jsonl` that makes a recording for others
    ///
    /// Found are runs of 14 digits and more, the values of `+EGMR:` and `sn=`, IMEIs among NV items, and packed forms
    /// of every IMEI that is said as text. Not found are other packed numbers, numbers that the framing cuts, hashes and
    /// keys, and names in paths. What was masked can be shown, not replayed.
    #[arg(long)]
    pub redact: bool,
}

fn phase(text: &str) -> Result<Phase, String> {
    let names = Phase::ALL.map(Phase::name).join(", ");
    let found = Phase::ALL.into_iter().find(|phase| phase.name() == text);
    found.ok_or(format!("one of {names}"))
}

pub fn run(arguments: &Arguments, printer: &Printer) -> Result<u8, Error> {
    let mut recording = Recording::read(&arguments.file)?;
    if arguments.redact {
        recording.redact();
    }
    match printer.form {
        Form::Text => text(&recording, arguments, printer),
        Form::JsonLines => {
            printer.json_line(&recording.header);
            recording.entries.iter().all(|entry| printer.json_line(entry));
        }
        Form::Json => {
            let text = "`--json` prints one object, and a recording has one for each line";
            return Err(Error::new(Kind::Usage, text).hint("use `--jsonl`"));
        }
    }
    if recording.cut_off {
        printer.say("the recording was cut off: its last line had no end and is not shown");
    }
    Ok(0)
}

fn text(recording: &Recording, arguments: &Arguments, printer: &Printer) {
    if let Some(origin) = &recording.header.capture {
        let id = origin.usb_id.as_deref().unwrap_or("unknown id");
        printer.line(&format!(
            "from the capture `{}`: device {} ({id})",
            origin.file, origin.device
        ));
    }
    let most = if arguments.hex { usize::MAX } else { SHORT };
    for row in rows(recording, arguments.phase) {
        let line = match row {
            Row::Phase(phase) => printer.paint("1", &format!("--- {phase} ---")),
            Row::Event { t, text } => format!("{t:>11.6}    {}", printer.paint("2", &text)),
            Row::Bytes { t, bytes } => said(t, bytes, most, printer),
        };
        if !printer.verbatim(&line) {
            return;
        }
    }
}

fn said(t: f64, bytes: &Bytes, most: usize, printer: &Printer) -> String {
    let style = if bytes.is_ours() { "36" } else { "33" };
    let words = bytes.meaning.as_deref().unwrap_or("…");
    let hex = bytes.hex(most);
    let arrow = printer.paint(style, &bytes.arrow().to_string());
    format!(
        "{t:>11.6}  {arrow} {}  {}",
        printer.paint(style, &format!("{words:<WORDS$}")),
        printer.paint("2", &hex)
    )
}
