//! The most memory that the real program ever holds.

use std::env;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use qpyflash_virtual::LinkModel;

use super::rig::{LABEL, Package, Rig};
use super::{Figure, Outcome};

/// What the program may hold besides the package, in megabytes.
const BESIDES_MB: f64 = 40.0;

pub fn measure(quick: bool) -> Outcome<Vec<Figure>> {
    let program = build()?;
    let realistic = Package::realistic(1)?;
    let mut figures = vec![figure(
        "write",
        &program,
        &realistic,
        &["write", "--after", "stay"],
    )?];
    if !quick {
        let large = Package::oversized(10)?;
        figures.push(figure("check, large images", &program, &large, &["check"])?);
    }
    Ok(figures)
}

/// Builds the program as it is released, and tells where it lies.
fn build() -> Outcome<PathBuf> {
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let built = Command::new(cargo)
        .args([
            "build",
            "--release",
            "--quiet",
            "--package",
            "qpyflash",
            "--bin",
            "qpyflash",
        ])
        .current_dir(&workspace)
        .status()?;
    if !built.success() {
        return Err("qpyflash does not build".into());
    }
    let target = env::var_os("CARGO_TARGET_DIR").map_or_else(|| workspace.join("target"), PathBuf::from);
    Ok(target.join("release/qpyflash"))
}

fn figure(name: &str, program: &Path, package: &Package, words: &[&str]) -> Outcome<Figure> {
    let rig = Rig::new(LinkModel::default())?;
    let members = package.contents.members();
    // The script is the same package once more, and is not read.
    let expanded: usize = members
        .iter()
        .filter(|(name, _)| name != "firmware.bin")
        .map(|(_, bytes)| bytes.len())
        .sum();
    let expanded = expanded as f64 / 1e6;
    let mut command = Command::new(program);
    command
        .args(words)
        .arg(&package.file)
        .args(["--before", "none", "--oc", LABEL, "--jsonl", "--quiet", "--port"])
        .arg(&rig.port);
    let peak = peak(&mut command)? / 1e6;
    Ok(Figure::new("memory", format!("{name}: peak"), peak, "MB")
        .at_most(BESIDES_MB + expanded)
        .detail(format!(
            "package of {expanded:.1} MB expanded, {:.1} MB zipped",
            fs::metadata(&package.file)?.len() as f64 / 1e6
        )))
}

/// The peak of the resident memory of a command, in bytes. It says an event for every step, and its memory is
/// looked at each time: the peak only grows, and nothing of size happens after the last event.
fn peak(command: &mut Command) -> Outcome<f64> {
    let mut child = command.stdout(Stdio::piped()).stdin(Stdio::null()).spawn()?;
    let status = PathBuf::from(format!("/proc/{}/status", child.id()));
    let mut peak = None;
    for line in BufReader::new(child.stdout.take().ok_or("no stdout")?).lines() {
        line?;
        peak = high_water_mark(&status).or(peak);
    }
    let ended = child.wait()?;
    match peak {
        Some(peak) if ended.success() => Ok(peak),
        Some(_) => Err(format!("{command:?} failed: {ended}").into()),
        None => Err("this system does not tell the peak of a program's memory".into()),
    }
}

/// `VmHWM` of a running process, in bytes. Source: proc_pid_status(5).
fn high_water_mark(status: &Path) -> Option<f64> {
    let text = fs::read_to_string(status).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kibibytes: f64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes * 1024.0)
}
