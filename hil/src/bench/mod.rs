//! `bench`: the speed and the appetite of the host program, measured against fixed bounds.
//!
//! | group | what is measured | bound |
//! |---|---|---|
//! | `codec` | SMUX, sparse images and their CRC, on one core | SMUX on firmware ≥ 1 GB/s |
//! | `host` | the session over lines whose time is computed | ≥ 97 % of what the line allows |
//! | `line` | a whole write over lines that take their time | ≥ 97 %, but for the fastest |
//! | `greeting` | from the loader's first answer to our first command | ≤ 50 ms |
//! | `unisoc` | frames and answers, over computed lines and in real time | see `unisoc/` |
//! | `memory` | the most that the real program ever holds | ≤ 40 MB + the expanded package |
//! | `fixture` | a station with 1 to 32 modules | see `fixture.rs` |
//!
//! Figures without a bound are there to be read. "Firmware" are the images of the generated package: 0.7 % of their
//! bytes are stuffed, of the real SDK's `flasher.img` 0.8 %.

mod codec;
mod eigencomm;
mod figure;
mod fixture;
mod floor;
mod greeting;
mod host;
mod line;
mod memory;
mod program;
mod rig;
mod simulated;
mod terminal;
mod unisoc;

use std::error::Error;
use std::sync::{Mutex, MutexGuard, PoisonError};

use clap::Args;

use figure::{Figure, best, print_head, print_json, print_rows};

type Outcome<T> = Result<T, Box<dyn Error>>;

#[derive(Debug, Args)]
pub struct Arguments {
    /// One JSON object instead of the table
    #[arg(long)]
    json: bool,
    /// Less of everything: a look, not a measurement
    #[arg(long)]
    quick: bool,
    /// Only these groups
    #[arg(long, value_enum, value_name = "GROUP")]
    only: Vec<Group>,
}

/// What can be measured alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Group {
    Codec,
    Host,
    Line,
    Greeting,
    Unisoc,
    Eigencomm,
    Memory,
    Fixture,
}

/// A measurement of one group; the flag asks for less of it.
type Bench = fn(bool) -> Outcome<Vec<Figure>>;

const BENCHES: [(Group, Bench); 8] = [
    (Group::Codec, codec::measure),
    (Group::Host, host::measure),
    (Group::Line, line::measure),
    (Group::Greeting, greeting::measure),
    (Group::Unisoc, unisoc::measure),
    (Group::Eigencomm, eigencomm::measure),
    (Group::Memory, memory::measure),
    (Group::Fixture, fixture::measure),
];

/// Measures and prints.
///
/// # Errors
/// When something cannot be measured, or a bound is missed.
pub fn run(arguments: &Arguments) -> Outcome<()> {
    let mut figures = Vec::new();
    if !arguments.json {
        print_head();
    }
    for (group, bench) in BENCHES {
        if arguments.only.is_empty() || arguments.only.contains(&group) {
            let measured = bench(arguments.quick)?;
            if !arguments.json {
                print_rows(&measured);
            }
            figures.extend(measured);
        }
    }
    if arguments.json {
        print_json(&figures)?;
    }
    match figures.iter().filter(|figure| !figure.holds()).count() {
        0 => Ok(()),
        missed => Err(format!(
            "{missed} of {} bounds missed",
            figures.iter().filter(|f| f.bound.is_some()).count()
        )
        .into()),
    }
}

/// What a thread that has panicked leaves behind is still a count.
fn lock<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}
