//! A station of a production line with 1, 4, 16 and 32 modules, each over a line of its own as fast as USB full speed.
//!
//! | figure | bound |
//! |---|---|
//! | time of a batch, beside that of one module alone | ≤ 1.1 with 16 modules |
//! | the most memory | ≤ 40 MB + the expanded package + 1 MB a slot |
//! | time of the processor for a megabyte of images | |
//! | the slowest good slot when five of sixteen modules are bad, beside the same slots of a clean batch | ≤ 1.1 |
//!
//! The program is the released one; the virtual modules are in this process, and compete with it for the processor.

use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use qpyflash_virtual::{
    AsrModule, AsrModuleBuilder, AtOptions, Effect, Fault, LinkModel, Mode, Point, VirtualBus,
};
use serde_json::Value;
use tempfile::TempDir;

use super::program::{Taken, build, watch};
use super::rig::{LABEL, PROGRAMMING_SPEED, Package};
use super::{Figure, Outcome, best};

/// Slots of a batch, and those of a quick look.
const SIZES: &[usize] = &[1, 4, 16, 32];
const QUICK_SIZES: &[usize] = &[BOUNDED];
/// The size that has a bound on its time.
const BOUNDED: usize = 16;
/// Most time of a batch, and of a good slot beside bad ones, as a multiple of what it is without the others.
const MOST: f64 = 1.1;
/// What the program may hold besides the package and its slots, in megabytes, and what it may hold for a slot.
const BESIDES_MB: f64 = 40.0;
const SLOT_MB: f64 = 1.0;
/// Time-outs of a batch: only the bad modules come near them.
const HASTE: &str = "0.3";
const OLD: &str = "EC600NCNLAR03A07M08_OCPU_QPY";

pub fn measure(quick: bool) -> Outcome<Vec<Figure>> {
    let program = build()?;
    let package = Package::realistic(if quick { 4 } else { 1 })?;
    let alone = run(&program, &package, 1, &good)?;
    let mut figures = Vec::new();
    for &size in if quick { QUICK_SIZES } else { SIZES } {
        let mut last = None;
        let time = || {
            let batch = run(&program, &package, size, &good)?;
            batch.all_have_passed()?;
            let figure = batch.beside(&alone);
            last = Some(batch);
            Ok(if size == BOUNDED {
                figure.at_most(MOST)
            } else {
                figure
            })
        };
        figures.push(best(time)?);
        let batch = last.ok_or("no batch")?;
        figures.push(batch.memory(&package));
        figures.push(batch.processor());
    }
    figures.push(best(|| disturbed(&program, &package))?);
    Ok(figures)
}

/// Five bad modules of sixteen: how much longer the others take.
fn disturbed(program: &Path, package: &Package) -> Outcome<Figure> {
    let clean = run(program, package, BOUNDED, &good)?;
    clean.all_have_passed()?;
    let mixed = run(program, package, BOUNDED, &with_five_bad_ones)?;
    let passed: Vec<&Slot> = mixed.slots.iter().filter(|slot| slot.exit_code == 0).collect();
    // The one that dies twice passes too, in its own time.
    if passed.len() != BOUNDED - 4 {
        return Err(format!("{} slots have passed: {:?}", passed.len(), mixed.slots).into());
    }
    let times = passed.iter().filter(|slot| slot.number >= 5).map(|slot| {
        let of_clean = clean.slots.iter().find(|other| other.number == slot.number);
        of_clean.map_or(f64::INFINITY, |other| slot.seconds / other.seconds)
    });
    let slowest = times.fold(0.0, f64::max);
    Ok(
        Figure::new("fixture", "good slots beside five bad ones", slowest, "x")
            .at_most(MOST)
            .detail("the slowest of eleven, beside the same slot of a clean batch"),
    )
}

/// The module of a slot.
type Module<'a> = &'a dyn Fn(usize) -> AsrModuleBuilder;

fn good(number: usize) -> AsrModuleBuilder {
    AsrModule::builder(OLD).identity(|identity| identity.imei = format!("8663270400{number:05}"))
}

/// Silent, vanishing, of another ordering code, talking garbage, dying twice; the rest is good.
fn with_five_bad_ones(number: usize) -> AsrModuleBuilder {
    let fault = |at, nth, what| Fault { at, nth, what };
    match number {
        0 => good(number).at(AtOptions {
            silent: true,
            ..AtOptions::default()
        }),
        1 => good(number).fault(fault(Point::Data(100), 9, Effect::Vanish)),
        2 => AsrModule::builder("EC600NCNLFR01A01M16"),
        3 => (1..=9).fold(good(number), |builder, nth| {
            let words = Effect::Garbage(b"\x7e\x7d\x23WHAT\x7e\x00\xff\x7d\x7d~~~garbage".to_vec());
            builder.fault(fault(Point::Getvar, nth, words))
        }),
        4 => good(number)
            .fault(fault(Point::Data(100), 6, Effect::PowerLoss))
            .fault(fault(Point::Flash, 3, Effect::PowerLoss))
            .crash_loop(Duration::from_secs(60), Duration::from_millis(50)),
        _ => good(number),
    }
}

/// How a slot ended.
#[derive(Debug)]
struct Slot {
    number: usize,
    exit_code: i64,
    seconds: f64,
    bytes: f64,
}

struct Batch {
    slots: Vec<Slot>,
    taken: Taken,
}

fn run(program: &Path, package: &Package, size: usize, module: Module<'_>) -> Outcome<Batch> {
    let bus = VirtualBus::temporary()?;
    let line = LinkModel::named("usb-full").ok_or("no such line")?;
    let attach = |number| -> Outcome<AsrModule> {
        let module = module(number).topology(&path(number)).link(line);
        Ok(module.programming_speed(PROGRAMMING_SPEED).attach(&bus)?)
    };
    let modules: Vec<AsrModule> = (0..size).map(attach).collect::<Outcome<_>>()?;
    for module in &modules {
        module.wait_for_mode(Mode::Run, Duration::from_secs(20))?;
    }
    let station = TempDir::new()?;
    std::fs::write(station.path().join("fixture.toml"), station_of(package, size)?)?;
    let (variable, place) = bus.environment();
    let mut command = Command::new(program);
    command
        .args(["fixture", "run", "--jsonl", "--quiet", "--timeout-scale", HASTE])
        .current_dir(station.path())
        .env(variable, place);
    let taken = watch(&mut command)?;
    let slots = taken.lines.iter().filter_map(|line| finished(line)).collect();
    Ok(Batch { slots, taken })
}

fn path(number: usize) -> String {
    format!("1-4.{}", number + 1)
}

fn station_of(package: &Package, size: usize) -> Outcome<String> {
    let sha256 = qpyflash::firmware::resolve(&package.file)?.sha256().to_owned();
    let file = package.file.display();
    let mut text = format!(
        "line = \"bench\"\nstation = \"bench\"\nstate = \"state\"\n\
         [limits]\nretries = 2\nreturn_seconds = 5\n\
         [[product]]\nordering_code = \"{LABEL}\"\nfile = '{file}'\nsha256 = \"{sha256}\"\n"
    );
    for number in 0..size {
        let path = path(number);
        write!(
            text,
            "[[slot]]\nname = \"{number}\"\npath = \"{path}\"\nordering_code = \"{LABEL}\"\n"
        )?;
    }
    Ok(text)
}

/// The slot whose end this event tells.
fn finished(line: &str) -> Option<Slot> {
    let event: Value = serde_json::from_str(line).ok()?;
    let outcome = event.get("outcome").filter(|_| event["kind"] == "finished")?;
    Some(Slot {
        number: event["slot"].as_str()?.parse().ok()?,
        exit_code: outcome["exit_code"].as_i64()?,
        seconds: outcome["seconds"].as_f64()?,
        bytes: outcome["bytes"].as_f64()?,
    })
}

impl Batch {
    fn all_have_passed(&self) -> Outcome<()> {
        match self.slots.iter().find(|slot| slot.exit_code != 0) {
            None if self.taken.status.success() => Ok(()),
            bad => Err(format!("the batch failed ({}): {bad:?}", self.taken.status).into()),
        }
    }

    fn megabytes(&self) -> f64 {
        self.slots.iter().map(|slot| slot.bytes).sum::<f64>() / 1e6
    }

    fn beside(&self, alone: &Batch) -> Figure {
        let (time, one) = (self.taken.time.as_secs_f64(), alone.taken.time.as_secs_f64());
        Figure::new(
            "fixture",
            format!("{} modules: time", self.slots.len()),
            time / one,
            "x",
        )
        .detail(format!(
            "{time:.2} s for {:.1} MB of images, one alone {one:.2} s",
            self.megabytes()
        ))
    }

    fn memory(&self, package: &Package) -> Figure {
        let (slots, expanded) = (self.slots.len(), package.expanded() as f64 / 1e6);
        let name = format!("{slots} modules: peak memory");
        Figure::new("fixture", name, self.taken.memory / 1e6, "MB")
            .at_most(BESIDES_MB + expanded + SLOT_MB * slots as f64)
            .detail(format!("package of {expanded:.1} MB expanded"))
    }

    fn processor(&self) -> Figure {
        let name = format!("{} modules: processor", self.slots.len());
        let figure = 1e3 * self.taken.cpu / self.megabytes();
        Figure::new("fixture", name, figure, "ms").detail("a megabyte of images, all threads")
    }
}
