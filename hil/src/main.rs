//! Benches, scenarios and hand-held virtual modules for those who work on qpyflash.

use std::process::ExitCode;

use clap::Parser;

mod attach;
mod bench;
mod cli;
mod evb;
mod interrupt;
mod package;
mod rig;

fn main() -> ExitCode {
    match cli::Cli::parse().run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}
