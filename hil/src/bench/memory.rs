//! The most memory that the real program ever holds.

use std::fs;
use std::path::Path;
use std::process::Command;

use qpyflash_virtual::LinkModel;

use super::program::{build, watch};
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

fn figure(name: &str, program: &Path, package: &Package, words: &[&str]) -> Outcome<Figure> {
    let rig = Rig::new(LinkModel::default())?;
    let expanded = package.expanded() as f64 / 1e6;
    let mut command = Command::new(program);
    command
        .args(words)
        .arg(&package.file)
        .args(["--before", "none", "--oc", LABEL, "--jsonl", "--quiet", "--port"])
        .arg(&rig.port);
    let taken = watch(&mut command)?;
    if !taken.status.success() {
        return Err(format!("{command:?} failed: {}", taken.status).into());
    }
    let peak = taken.memory / 1e6;
    Ok(Figure::new("memory", format!("{name}: peak"), peak, "MB")
        .at_most(BESIDES_MB + expanded)
        .detail(format!(
            "package of {expanded:.1} MB expanded, {:.1} MB zipped",
            fs::metadata(&package.file)?.len() as f64 / 1e6
        )))
}
