//! The program that runs in the guest: it plays scenarios there.

use std::fs::File;
use std::io::Write;
use std::process::ExitCode;

use qpyflash_usb_rig::{Here, Hub, Stage, VhciHub, play};

/// Plays the named scenarios on this machine's `vhci_hcd` and writes a JSON line for each to the first argument.
fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let Some(results) = arguments.next() else {
        eprintln!("usage: qpyflash-usb-rig RESULTS [SCENARIO…] [-- OPTION…]");
        return ExitCode::from(2);
    };
    let rest: Vec<String> = arguments.collect();
    match run(&results, &rest) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(results: &str, arguments: &[String]) -> std::io::Result<bool> {
    let mut parts = arguments.splitn(2, |argument| argument == "--");
    let names = parts.next().unwrap_or_default();
    let options = parts.next().unwrap_or_default().to_vec();
    let mut results = File::options().append(true).create(true).open(results)?;
    let sockets = (1..=6).map(|port| format!("1-{port}")).collect();
    let stage = Stage::new(Hub::Vhci(VhciHub::open()?), &Here, sockets, options);
    let mut all_passed = true;
    play(&stage, names, |report| {
        all_passed &= report.passed;
        let line = serde_json::to_string(&report).unwrap_or_default();
        let _ = writeln!(results, "{line}");
    });
    Ok(all_passed)
}
