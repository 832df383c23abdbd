//! The program as it is released, and what it takes from the machine while it works.

use std::env;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use super::Outcome;

/// What a program took.
#[derive(Debug)]
pub struct Taken {
    /// How it ended.
    pub status: ExitStatus,
    /// What it wrote to stdout.
    pub lines: Vec<String>,
    /// From its start to its end.
    pub time: Duration,
    /// The peak of its resident memory, in bytes.
    pub memory: f64,
    /// The time of all its threads on all cores, in seconds.
    pub cpu: f64,
}

/// Builds the program as it is released, and tells where it lies.
pub fn build() -> Outcome<PathBuf> {
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

/// Runs a command that says an event for every step, and looks at what it has taken each time: both figures only
/// grow, and nothing of size happens after the last event.
pub fn watch(command: &mut Command) -> Outcome<Taken> {
    let began = Instant::now();
    let mut child = command.stdout(Stdio::piped()).stdin(Stdio::null()).spawn()?;
    let process = PathBuf::from(format!("/proc/{}", child.id()));
    let (mut lines, mut memory, mut cpu) = (Vec::new(), None, None);
    for line in BufReader::new(child.stdout.take().ok_or("no stdout")?).lines() {
        lines.push(line?);
        memory = high_water_mark(&process).or(memory);
        cpu = cpu_seconds(&process).or(cpu);
    }
    let status = child.wait()?;
    let (Some(memory), Some(cpu)) = (memory, cpu) else {
        return Err("this system does not tell what a program takes".into());
    };
    Ok(Taken {
        status,
        lines,
        time: began.elapsed(),
        memory,
        cpu,
    })
}

/// `VmHWM` of a running process, in bytes. Source: proc_pid_status(5).
fn high_water_mark(process: &Path) -> Option<f64> {
    let text = fs::read_to_string(process.join("status")).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kibibytes: f64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes * 1024.0)
}

/// User and system time of a running process: the fields 14 and 15, in hundredths of a second. Source:
/// proc_pid_stat(5).
fn cpu_seconds(process: &Path) -> Option<f64> {
    let text = fs::read_to_string(process.join("stat")).ok()?;
    // The name of the program is in brackets and may hold anything.
    let (_, fields) = text.rsplit_once(')')?;
    let mut ticks = fields
        .split_whitespace()
        .skip(11)
        .map_while(|field| field.parse::<f64>().ok());
    Some((ticks.next()? + ticks.next()?) / 100.0)
}
