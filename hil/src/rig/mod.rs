//! `rig`: Debian's stock kernel in QEMU, virtual modules on its USB buses, the real `qpyflash` on its real drivers.
//!
//! Nothing is installed: kernel, modules and udev are downloaded packages, unpacked into `target/rig`. The guest runs
//! from memory and is thrown away.

mod debian;
mod guest;
mod initramfs;
mod kernel;
mod table;

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use clap::Args;
use qpyflash_usb_rig::{Report, SCENARIOS};

use guest::{Boot, Guest};
use table::Table;

/// Options of `rig`.
#[derive(Debug, Args)]
pub struct Arguments {
    /// Scenarios to play, by the beginning of their names [default: all]
    scenarios: Vec<String>,
    /// Show the scenarios and end
    #[arg(long)]
    list: bool,
    /// An option of every `qpyflash write`, as in `--option=--transport=usb`; repeatable
    #[arg(long = "option", value_name = "OPTION")]
    options: Vec<String>,
    /// Show the guest's console
    #[arg(long)]
    console: bool,
    /// The guest is given up after so many seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 170)]
    within: u64,
}

/// Boots the guest, plays the scenarios, prints what came of each.
pub fn run(arguments: &Arguments) -> Result<(), Box<dyn Error>> {
    if arguments.list {
        for scenario in SCENARIOS {
            println!("{:<24} {}", scenario.name, scenario.shows);
        }
        return Ok(());
    }
    let began = Instant::now();
    let root = Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .unwrap_or(Path::new("."));
    let folder = target(root).join("rig");
    std::fs::create_dir_all(&folder)?;
    let debian = debian::fetch(&folder)?;
    let programs = build(root)?;
    let boot = Boot {
        folder: &folder,
        debian: &debian,
        programs: &programs,
        arguments: guest_arguments(arguments),
        within: Duration::from_secs(arguments.within),
        shows_console: arguments.console,
    };
    let mut table = Table::begin();
    let mut guest = Guest::boot(&boot)?;
    let mut reports = Vec::new();
    let end = guest.watch(|report| {
        table.row(&report);
        reports.push(report);
    })?;
    table.end(began.elapsed());
    let missing = missing(&arguments.scenarios, &reports);
    if let Some(why) = end {
        return Err(format!("{why}\n{}", guest.last_words()).into());
    }
    if !missing.is_empty() {
        return Err(format!("not played: {}\n{}", missing.join(", "), guest.last_words()).into());
    }
    match reports.iter().filter(|report| !report.passed).count() {
        0 => Ok(()),
        failed => Err(format!(
            "{failed} of {} scenarios failed; console in {}",
            reports.len(),
            guest.console().display()
        )
        .into()),
    }
}

fn guest_arguments(arguments: &Arguments) -> Vec<String> {
    let separator = (!arguments.options.is_empty()).then(|| "--".to_owned());
    let names = arguments.scenarios.iter().cloned();
    names
        .chain(separator)
        .chain(arguments.options.iter().cloned())
        .collect()
}

/// The scenarios that were wanted and did not report.
fn missing(wanted: &[String], reports: &[Report]) -> Vec<&'static str> {
    let is_wanted =
        |name: &str| wanted.is_empty() || wanted.iter().any(|wanted| name.starts_with(wanted.as_str()));
    let has_reported = |name: &str| reports.iter().any(|report| report.scenario == name);
    let names = SCENARIOS.iter().map(|scenario| scenario.name);
    names
        .filter(|name| is_wanted(name) && !has_reported(name))
        .collect()
}

fn target(root: &Path) -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from)
}

/// Builds the programs that run in the guest and returns their paths.
fn build(root: &Path) -> Result<Vec<PathBuf>, Box<dyn Error>> {
    let packages = ["qpyflash", "qpyflash-usb-rig"];
    let cargo = std::env::var_os("CARGO").unwrap_or("cargo".into());
    let mut command = Command::new(cargo);
    command
        .current_dir(root)
        .args(["build", "--release", "--locked", "--quiet"]);
    command.args(packages.iter().flat_map(|package| ["-p", package]));
    if !command.status()?.success() {
        return Err("the guest's programs do not build".into());
    }
    let release = target(root).join("release");
    Ok(packages.iter().map(|package| release.join(package)).collect())
}
