//! The host over lines whose time is computed ([`super::super::simulated`]), against what the line allows. The bytes
//! go to a virtual module, which checks every one of them.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use qpyflash::link::Serial;
use qpyflash_protocols::unisoc::Plan;
use qpyflash_virtual::{LinkModel, Mode, Role, UnisocChip, UnisocModule, VirtualBus};

use super::session::{self, IMAGE};
use crate::bench::simulated::{Clock, SimulatedLine};
use crate::bench::{Figure, Outcome, lock};

/// Least share of what the line allows, in per cent.
const LEAST: f64 = 95.0;
const LINES: [&str; 3] = ["uart-921600", "usb-full", "usb-high"];
const TURN_ROUND: Duration = Duration::from_millis(1);
/// The frame of the vendor's host, and the largest that the loader of the UIS8910 takes.
/// Source: specs/unisoc-pac-bsl.md §4.5 (V).
const FRAMES: [(UnisocChip, u16); 3] = [
    (UnisocChip::Uis8910, 0x800),
    (UnisocChip::Uis8850, 0x800),
    (UnisocChip::Uis8850, 0x3000),
];
/// The best of so many writes counts: what else runs on the machine disturbs them.
const WRITES: usize = 3;

pub fn measure(quick: bool) -> Outcome<Vec<Figure>> {
    let mut figures = Vec::new();
    for (chip, frame) in FRAMES {
        let plan = session::realistic(chip)?;
        for name in LINES {
            let model = LinkModel::named(name).ok_or("no such line")?;
            let model = model.with_turn_round(TURN_ROUND);
            let mut best: Option<Run> = None;
            for _ in 0..if quick { 1 } else { WRITES } {
                let run = write(&plan, chip, frame, model)?;
                best = match best {
                    Some(best) if best.share() >= run.share() => Some(best),
                    _ => Some(run),
                };
            }
            let best = best.ok_or("no write")?;
            let name = format!("{chip:?}, {frame:#x}, {name}, 1 ms");
            figures.push(best.figure(name).at_least(LEAST));
        }
    }
    Ok(figures)
}

/// What happened from the first byte of the image to the last.
struct Run {
    model: LinkModel,
    bytes: u64,
    frames: u64,
    took: Clock,
}

impl Run {
    /// How much of what the line allows was reached, in per cent.
    fn share(&self) -> f64 {
        let line = self.bytes as f64 / self.model.bytes_per_second.unwrap_or(u64::MAX) as f64;
        let answers = self.frames as f64 * self.model.turn_round.as_secs_f64();
        100.0 * (line + answers) / self.took.now.as_secs_f64()
    }

    fn figure(&self, name: String) -> Figure {
        let seconds = self.took.now.as_secs_f64();
        Figure::new("unisoc", name, self.share(), "%").detail(format!(
            "{:.3} MB/s: {} frames, {:.2} MB as {:.2} MB; {:.1} us of work a frame, most of it beside the module's",
            self.bytes as f64 / 1e6 / seconds,
            self.frames,
            self.bytes as f64 / 1e6,
            self.took.bytes as f64 / 1e6,
            self.took.host.as_secs_f64() * 1e6 / self.frames as f64,
        ))
    }
}

fn write(plan: &Plan, chip: UnisocChip, frame: u16, model: LinkModel) -> Outcome<Run> {
    let bus = VirtualBus::temporary()?;
    let module = UnisocModule::builder(chip, session::revision(chip))
        .starts_in_download()
        .attach(&bus)?;
    module.wait_for_mode(Mode::Download, Duration::from_secs(10))?;
    let port = module.tty(Role::Download).ok_or("no download port")?;
    let (line, clock) = SimulatedLine::new(Serial::open(&port, 115_200)?, model);
    let seen = Arc::new(Mutex::new(Vec::new()));
    let counts = Arc::clone(&seen);
    session::write(line, plan, frame, move |image, done, total| {
        if image == IMAGE && (done == 0 || done == total) {
            lock(&counts).push((*lock(&clock), total));
        }
    })?;
    let seen = lock(&seen);
    let [(before, _), (after, bytes)] = seen[..] else {
        return Err("the image was not written once".into());
    };
    Ok(Run {
        model,
        bytes,
        frames: bytes.div_ceil(frame.into()),
        took: after.since(&before),
    })
}
