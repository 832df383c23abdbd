//! `rig`: Debian's stock kernel in QEMU, virtual modules on its USB buses, the real `qpyflash` on its real drivers.
//!
//! Nothing is installed: kernel, modules and udev are downloaded packages, unpacked into `target/rig`. The guest runs
//! from memory and is thrown away.

mod debian;
mod doors;
mod guest;
mod initramfs;
mod kernel;
mod table;

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use clap::Args;
use qpyflash_usb_rig::SCENARIOS;

use doors::{Door, Stock};
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
    /// Only by this way onto the bus [default: both at once]
    #[arg(long, value_enum)]
    door: Option<Door>,
    /// A guest is given up after so many seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 300)]
    within: u64,
}

/// Boots the guests, plays the scenarios, prints what came of each.
///
/// # Errors
/// When a scenario fails, or a guest.
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
    let stock = Stock {
        folder: &folder,
        debian: &debian,
        programs: &programs,
        scenarios: &arguments.scenarios,
        options: &arguments.options,
        within: Duration::from_secs(arguments.within),
    };
    let doors = arguments
        .door
        .map_or(vec![Door::Vhci, Door::Xhci], |door| vec![door]);
    let mut table = Table::begin();
    let ends = std::thread::scope(|scope| {
        let (sender, reports) = channel();
        let playing: Vec<_> = doors
            .iter()
            .map(|door| {
                let (sender, stock) = (sender.clone(), &stock);
                scope.spawn(move || door.play(stock, &sender))
            })
            .collect();
        drop(sender);
        reports.iter().for_each(|report| table.row(report));
        playing
            .into_iter()
            .map(|thread| thread.join())
            .collect::<Vec<_>>()
    });
    table.end(began.elapsed());
    for end in ends {
        end.map_err(|_| "a thread panicked")??;
    }
    table.judge(doors.len() * wanted(&arguments.scenarios))
}

/// How many scenarios are wanted.
fn wanted(names: &[String]) -> usize {
    let is_wanted =
        |name: &str| names.is_empty() || names.iter().any(|wanted| name.starts_with(wanted.as_str()));
    SCENARIOS
        .iter()
        .filter(|scenario| is_wanted(scenario.name))
        .count()
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
