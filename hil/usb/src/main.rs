//! The program that runs in the guest.

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;

use qpyflash_usb_rig::{Here, Hub, Report, Stage, VhciHub, obey, play};

const USAGE: &str = "\
usage: qpyflash-usb-rig play RESULTS [SCENARIO…] [-- OPTION…]   play scenarios on this machine's vhci_hcd
       qpyflash-usb-rig obey PORT                              run the commands that come over a serial line";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let ended = match &arguments[..] {
        [verb, results, rest @ ..] if verb == "play" => play_here(Path::new(results), rest),
        [verb, port] if verb == "obey" => obey(Path::new(port)).map(|()| true),
        _ => {
            eprintln!("{USAGE}");
            return ExitCode::from(2);
        }
    };
    match ended {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Writes a JSON line for each scenario to `results`; whether all have passed.
fn play_here(results: &Path, arguments: &[String]) -> io::Result<bool> {
    let mut parts = arguments.splitn(2, |argument| argument == "--");
    let names = parts.next().unwrap_or_default();
    let options = parts.next().unwrap_or_default().to_vec();
    let mut results = File::options().append(true).create(true).open(results)?;
    let stage = Stage::new(Hub::Vhci(VhciHub::open()?), &Here, options);
    let mut all_passed = true;
    play(&stage, names, |report: Report| {
        all_passed &= report.passed;
        let line = serde_json::to_string(&report).unwrap_or_default();
        let _ = writeln!(results, "{line}");
    });
    Ok(all_passed)
}
