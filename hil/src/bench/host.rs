//! The host alone: a whole write over lines whose time is computed ([`super::simulated`]), so that nothing but the
//! host's own time stands between it and what the line allows.
//!
//! What is measured is the phase `write`, on the simulated clock. In that time the line allows
//!
//! ```text
//! bytes sent / rate of the line + answers of the module * its turn-round time
//! ```
//!
//! Bytes are counted at the port: after stuffing, with all framing and commands. The module answers each command,
//! and the data of each download. The bytes still go through a pseudo-terminal to a virtual module, which checks
//! every one of them.
//!
//! The same images over ETHOS, to the mask ROM of ASR1601, have no bound: their rate is there to be compared.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use qpyflash::Phase;
use qpyflash::event::{EventKind, Events};
use qpyflash::firmware::{self, Plan};
use qpyflash::link::{Line, Serial, Settings};
use qpyflash_protocols::asr;
use qpyflash_virtual::{Chip, LinkModel, Variant};

use super::rig::{Package, Rig, answers};
use super::simulated::{Clock, SimulatedLine};
use super::{Figure, Outcome, lock};

/// Least share of what the line allows, in per cent.
const LEAST: f64 = 97.0;
const LINES: [&str; 4] = ["uart-921600", "uart-3m", "usb-full", "usb-high"];
const TURN_ROUNDS_MS: [u64; 3] = [0, 1, 4];
/// The best of so many writes counts: each lasts a moment only, and what else runs on the machine disturbs it.
const WRITES: usize = 5;

pub fn measure(quick: bool) -> Outcome<Vec<Figure>> {
    let smaller = if quick { 4 } else { 1 };
    let package = Package::realistic(smaller)?;
    let for_ethos = Package::realistic_for(Chip::Asr1601, smaller)?;
    let mut figures = Vec::new();
    for name in LINES {
        for turn_round in TURN_ROUNDS_MS {
            let model = LinkModel::named(name).ok_or("no such line")?;
            let model = model.with_turn_round(Duration::from_millis(turn_round));
            let run = best(WRITES, &package, &Variant::Rom1603, model)?;
            figures.push(
                run.figure(format!("{name}, turn-round {turn_round} ms"))
                    .at_least(LEAST),
            );
            let run = best(1, &for_ethos, &Variant::Rom1601, model)?;
            figures.push(run.rate(format!("{name}, turn-round {turn_round} ms, ETHOS")));
        }
    }
    Ok(figures)
}

fn best(writes: usize, package: &Package, loader: &Variant, model: LinkModel) -> Outcome<Run> {
    let runs = (0..writes)
        .map(|_| write(package, loader, model))
        .collect::<Outcome<Vec<_>>>()?;
    let best = runs
        .into_iter()
        .max_by(|one, other| one.share().total_cmp(&other.share()));
    best.ok_or_else(|| "no write".into())
}

/// What happened in the phase `write`.
struct Run {
    model: LinkModel,
    image_bytes: u64,
    answers: u64,
    took: Clock,
}

impl Run {
    /// How much of what the line allows was reached, in per cent.
    fn share(&self) -> f64 {
        let rate = self.model.bytes_per_second.unwrap_or(u64::MAX) as f64;
        let line = self.took.bytes as f64 / rate;
        let answers = self.answers as f64 * self.model.turn_round.as_secs_f64();
        100.0 * (line + answers) / self.took.now.as_secs_f64()
    }

    fn figure(&self, name: String) -> Figure {
        Figure::new("host", name, self.share(), "%").detail(format!(
            "{:.3} MB/s: {}",
            self.megabytes_per_second(),
            self.words()
        ))
    }

    /// The rate alone.
    fn rate(&self, name: String) -> Figure {
        Figure::new("host", name, self.megabytes_per_second(), "MB/s").detail(self.words())
    }

    fn megabytes_per_second(&self) -> f64 {
        self.image_bytes as f64 / 1e6 / self.took.now.as_secs_f64()
    }

    fn words(&self) -> String {
        let (seconds, images) = (self.took.now.as_secs_f64(), self.image_bytes as f64 / 1e6);
        format!(
            "{images:.2} MB of images as {:.2} MB in {seconds:.2} s, {} answers; {:.1} ms of work, most of it beside the line's",
            self.took.bytes as f64 / 1e6,
            self.answers,
            self.took.host.as_secs_f64() * 1e3,
        )
    }
}

fn write(package: &Package, loader: &Variant, model: LinkModel) -> Outcome<Run> {
    let rig = Rig::served_by(loader.clone(), LinkModel::default())?;
    let (line, clock) = SimulatedLine::new(Serial::open(&rig.port, 115_200)?, model);
    let seen = Arc::new(Mutex::new(Vec::new()));
    let (clock_now, module, counts) = (Arc::clone(&clock), Arc::clone(&rig.module), Arc::clone(&seen));
    let mut events = Events::new(Box::new(move |event| match event.kind {
        EventKind::PhaseStarted { phase: Phase::Write }
        | EventKind::PhaseDone {
            phase: Phase::Write, ..
        } => {
            lock(&counts).push((*lock(&clock_now), answers(&module)));
        }
        _ => {}
    }));
    let package = firmware::resolve(&package.file)?;
    let Plan::Asr(plan) = package.plan() else {
        return Err("the package is not for ASR".into());
    };
    let settings = Settings::default();
    let mut wire = Line::new(Box::new(line), &mut events, &settings);
    let options = asr::Options {
        after: asr::After::Stay,
        ..asr::Options::default()
    };
    let report = asr::write(&mut wire, plan, &options)?;
    let seen = lock(&seen);
    let [(before, answers_before), (after, answers)] = seen[..] else {
        return Err("the phase `write` did not begin and end once".into());
    };
    Ok(Run {
        model,
        image_bytes: report.bytes,
        answers: answers - answers_before,
        took: after.since(&before),
    })
}
