//! The recordings of a report as tests: each exchange is said again, and must be what was said then.
//!
//! ```text
//! NAME/replays.json    which recording belongs to which scenario, command line and package
//! NAME/traces/*.jsonl  the recordings
//! NAME/packages/*      the packages, where they are small enough to be kept
//! ```

use std::collections::BTreeMap;
use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};

use qpyflash::firmware::{self, Package};
use qpyflash::trace::{Difference, Recording, Replayed, Said, With, replay};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Version of the form of `replays.json`.
const SCHEMA: u32 = 1;
/// A larger package is named by its hash only, and must be at hand when the recording is said again.
const LARGEST_KEPT: u64 = 1 << 20;

/// `replays.json`.
#[derive(Debug, Serialize, Deserialize)]
struct Bundle {
    schema: u32,
    label: String,
    version: String,
    replays: Vec<OneReplay>,
}

/// A recording that can be said again.
#[derive(Debug, Serialize, Deserialize)]
struct OneReplay {
    scenario: String,
    /// The command line, without paths.
    line: String,
    exit: Option<i32>,
    trace: String,
    /// File name of its package.
    package: Option<String>,
    /// Its bytes are kept beside the recording.
    is_kept: bool,
}

/// Takes those recordings of a report over into the new folder `into` that can be said again.
///
/// # Errors
/// A folder that holds no report, or that exists already; a report of which no recording can be said again.
pub fn import(report: &Path, into: &Path) -> Result<(), Box<dyn Error>> {
    let results = fs::read(report.join("results.json"));
    let results = results.map_err(|why| format!("`{}` holds no report: {why}", report.display()))?;
    let results: Value = serde_json::from_slice(&results)?;
    fs::create_dir_all(into.parent().unwrap_or(Path::new("")))?;
    fs::create_dir(into).map_err(|why| format!("cannot make `{}`: {why}", into.display()))?;
    fs::create_dir(into.join("traces"))?;
    fs::create_dir(into.join("packages"))?;
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let mut bundle = Bundle {
        schema: SCHEMA,
        label: text(&results["board"]["label"]),
        version: text(&results["tool"]["version"]),
        replays: Vec::new(),
    };
    let mut packages = Packages::default();
    for scenario in results["scenarios"].as_array().into_iter().flatten() {
        for step in scenario["steps"].as_array().into_iter().flatten() {
            let Some(folder) = step["folder"].as_str() else {
                continue;
            };
            match take(&report.join(folder), step, into, &mut packages) {
                Ok(None) => {}
                Ok(Some(mut taken)) => {
                    taken.scenario = text(&scenario["name"]);
                    bundle.replays.push(taken);
                }
                Err(why) => println!("left out: {folder}: {why}"),
            }
        }
    }
    fs::write(into.join("replays.json"), serde_json::to_vec_pretty(&bundle)?)?;
    println!("{} recordings in `{}`", bundle.replays.len(), into.display());
    match bundle.replays.is_empty() {
        true => Err("no recording of this report can be said again".into()),
        false => Ok(()),
    }
}

/// Takes the recording of a step, if it has one on which anything was said.
fn take(
    folder: &Path,
    step: &Value,
    into: &Path,
    packages: &mut Packages,
) -> Result<Option<OneReplay>, Box<dyn Error>> {
    let trace = folder.join("trace.jsonl");
    if !trace.is_file() {
        return Ok(None);
    }
    let line = step["line"].as_str().unwrap_or_default();
    let words: Vec<&str> = line.split(' ').collect();
    let file = match words[..] {
        ["read", _, "--package", file, ..] => Some(Path::new(file)),
        ["write" | "check", file, ..] => Some(Path::new(file)),
        _ => None,
    };
    let package = file.map(|file| packages.at(file));
    let replayed = say_again(&trace, package.flatten())?;
    if replayed.lines == 0 {
        return Ok(None);
    }
    let name = |path: &Path| {
        path.file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned()
    };
    let parents = [folder.parent().unwrap_or(folder), folder].map(name);
    let target = format!("traces/{}.jsonl", parents.join("-"));
    fs::copy(&trace, into.join(&target))?;
    let is_small =
        |file: &Path| fs::metadata(file).is_ok_and(|facts| facts.is_file() && facts.len() <= LARGEST_KEPT);
    let kept = file.filter(|file| replayed.sessions > 0 && is_small(file));
    if let Some(file) = kept {
        fs::copy(file, into.join("packages").join(name(file)))?;
    }
    Ok(Some(OneReplay {
        scenario: String::new(),
        line: words
            .iter()
            .map(|word| name(Path::new(word)))
            .collect::<Vec<_>>()
            .join(" "),
        exit: step["exit"].as_i64().and_then(|code| i32::try_from(code).ok()),
        trace: target,
        package: file.filter(|_| replayed.sessions > 0).map(name),
        is_kept: kept.is_some(),
    }))
}

/// Says every recording of these folders again; packages that are not kept are looked for in `packages`.
///
/// # Errors
/// The recordings that say something else now.
pub fn say_all_again(bundles: &[PathBuf], beside: Option<&Path>) -> Result<(), Box<dyn Error>> {
    let (mut same, mut skipped, mut differing) = (0, 0, 0);
    for bundle in bundles {
        let listed: Bundle = serde_json::from_slice(&fs::read(bundle.join("replays.json"))?)?;
        if listed.schema != SCHEMA {
            return Err(format!(
                "`{}` has the form {}, not {SCHEMA}",
                bundle.display(),
                listed.schema
            )
            .into());
        }
        let mut packages = Packages::default();
        for one in listed.replays {
            let kept = bundle.join("packages");
            let folder = if one.is_kept { Some(kept.as_path()) } else { beside };
            let file = one.package.as_ref().and_then(|name| Some(folder?.join(name)));
            if one.package.is_some() && !file.as_ref().is_some_and(|file| file.exists()) {
                skipped += 1;
                println!(
                    "skipped: {}: `{}` is needed",
                    one.trace,
                    one.package.unwrap_or_default()
                );
                continue;
            }
            match say_again(&bundle.join(&one.trace), file.and_then(|file| packages.at(&file))) {
                Ok(_) => same += 1,
                Err(why) => {
                    differing += 1;
                    println!("{} ({}): {why}", one.trace, one.line);
                }
            }
        }
    }
    println!("{same} recordings are said again as they were, {differing} differ, {skipped} skipped");
    match differing {
        0 => Ok(()),
        _ => Err(format!("{differing} recordings differ").into()),
    }
}

/// Says a recording again.
fn say_again(trace: &Path, package: Option<&Package>) -> Result<Replayed, Box<dyn Error>> {
    let recording = Recording::read(trace)?;
    let with = With {
        package,
        ..With::default()
    };
    let replayed = replay(&recording, &with)?;
    match &replayed.difference {
        None => Ok(replayed),
        Some(difference) => Err(words(difference).into()),
    }
}

fn words(difference: &Difference) -> String {
    let said = |said: &Option<Said>| {
        said.as_ref()
            .map_or("nothing".into(), |said| format!("`{}`", said.meaning))
    };
    let place = difference
        .entry
        .map_or("behind its end".into(), |line| format!("in line {line}"));
    format!(
        "it differs {place}: then {}, now {} {}",
        said(&difference.recorded),
        said(&difference.now),
        difference.because.as_deref().unwrap_or_default()
    )
}

/// Packages that were read already. What cannot be read has no session to be said again.
#[derive(Default)]
struct Packages(BTreeMap<PathBuf, Option<Package>>);

impl Packages {
    fn at(&mut self, file: &Path) -> Option<&Package> {
        let read = || firmware::resolve(file).ok();
        self.0.entry(file.to_path_buf()).or_insert_with(read).as_ref()
    }
}
