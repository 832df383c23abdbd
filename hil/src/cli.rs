//! The command line: one variant for each command, whose arguments stand beside its code.

use std::error::Error;

use clap::{Parser, Subcommand};

use crate::{attach, bench, evb, package, rig};

/// Benches, scenarios and hand-held virtual modules for those who work on qpyflash
#[derive(Debug, Parser)]
#[command(name = "qpyflash-hil", version)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Attach a virtual module to a virtual bus and keep it there until Ctrl-C
    Attach(attach::Arguments),
    /// Make a small package that a virtual module can be written with
    Package(package::Arguments),
    /// Measure speed and memory of the host program against their bounds
    Bench(bench::Arguments),
    /// Prove or break the tool on a board, real or virtual, by scenarios
    Evb(evb::Arguments),
    /// Write virtual modules through the real USB drivers of a kernel in QEMU
    Rig(rig::Arguments),
}

impl Cli {
    /// Runs the command.
    pub fn run(self) -> Result<(), Box<dyn Error>> {
        match self.command {
            Command::Attach(arguments) => attach::run(&arguments),
            Command::Package(arguments) => package::run(&arguments),
            Command::Bench(arguments) => bench::run(&arguments),
            Command::Evb(arguments) => evb::run(&arguments),
            Command::Rig(arguments) => rig::run(&arguments),
        }
    }
}
