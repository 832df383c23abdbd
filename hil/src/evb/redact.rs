//! A report that can be sent: without IMEI, serial numbers, the user's folder, and the packages, which are not ours.

use std::collections::BTreeSet;
use std::error::Error;
use std::fs::{self, File};
use std::io::BufWriter;
use std::path::{Path, PathBuf};

use qpyflash::trace::Recording;
use serde_json::Value;

/// Digits of an IMEI.
const IMEI_DIGITS: usize = 15;
/// Members of JSON objects that tell which module it is.
const TELLING: [&str; 2] = ["imei", "serial_number"];
/// What is copied as text.
const TEXTS: [&str; 5] = [
    "results.json",
    "summary.md",
    "command.txt",
    "events.jsonl",
    "stderr.txt",
];

/// What is copied as a recording.
const TRACE: &str = "trace.jsonl";

/// Copies the report in `from` to the new folder `to`.
///
/// # Errors
/// A folder that holds no report, or that exists already.
pub fn copy(from: &Path, to: &Path) -> Result<(), Box<dyn Error>> {
    if !from.join("results.json").is_file() {
        return Err(format!("`{}` holds no report", from.display()).into());
    }
    fs::create_dir(to).map_err(|why| format!("cannot make `{}`: {why}", to.display()))?;
    let files = named(from, &TEXTS)?;
    let mut telling = BTreeSet::new();
    for file in &files {
        for line in fs::read_to_string(file)?.lines() {
            gather(&serde_json::from_str(line).unwrap_or_default(), &mut telling);
        }
    }
    gather(
        &serde_json::from_slice(&fs::read(from.join("results.json"))?)?,
        &mut telling,
    );
    for file in files {
        let text = redacted(&fs::read_to_string(&file)?, &telling);
        fs::write(target(&file, from, to)?, text)?;
    }
    for file in named(from, &[TRACE])? {
        let mut recording = Recording::read(&file)?;
        recording.redact();
        recording.write_to(BufWriter::new(File::create(target(&file, from, to)?)?))?;
    }
    Ok(())
}

/// The same place in the copy.
fn target(file: &Path, from: &Path, to: &Path) -> Result<PathBuf, Box<dyn Error>> {
    let target = to.join(file.strip_prefix(from)?);
    if let Some(folder) = target.parent() {
        fs::create_dir_all(folder)?;
    }
    Ok(target)
}

/// Replaces a report by its redacted copy.
///
/// # Errors
/// The operating system's.
pub fn in_place(report: &Path) -> Result<(), Box<dyn Error>> {
    let beside = report.with_extension("redacting");
    copy(report, &beside)?;
    fs::remove_dir_all(report)?;
    Ok(fs::rename(beside, report)?)
}

/// The files of these names below a folder.
fn named(folder: &Path, names: &[&str]) -> std::io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            found.extend(named(&path, names)?);
        } else if path
            .file_name()
            .is_some_and(|name| names.iter().any(|wanted| name == *wanted))
        {
            found.push(path);
        }
    }
    Ok(found)
}

/// Gathers what tells which module it is.
fn gather(value: &Value, into: &mut BTreeSet<String>) {
    match value {
        Value::Object(members) => {
            for (name, value) in members {
                match value.as_str() {
                    Some(text) if TELLING.contains(&name.as_str()) => drop(into.insert(text.to_owned())),
                    _ => gather(value, into),
                }
            }
        }
        Value::Array(values) => values.iter().for_each(|value| gather(value, into)),
        _ => {}
    }
}

fn redacted(text: &str, telling: &BTreeSet<String>) -> String {
    let mut text = telling
        .iter()
        .filter(|secret| secret.len() > 3)
        .fold(text.to_owned(), |text, secret| text.replace(secret, "REDACTED"));
    if let Some(home) = std::env::var("HOME").ok().filter(|home| home.len() > 1) {
        text = text.replace(&home, "~");
    }
    without_imeis(&text)
}

/// Replaces every number that could be an IMEI, wherever it stands: the module may have said one in passing.
fn without_imeis(text: &str) -> String {
    let mut cleaned = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(|c: char| c.is_ascii_alphanumeric()) {
        cleaned.push_str(&rest[..at]);
        let word = &rest[at..];
        let end = word
            .find(|c: char| !c.is_ascii_alphanumeric())
            .unwrap_or(word.len());
        let (word, after) = word.split_at(end);
        let is_imei = word.len() == IMEI_DIGITS && word.bytes().all(|byte| byte.is_ascii_digit());
        cleaned.push_str(if is_imei { "REDACTED" } else { word });
        rest = after;
    }
    cleaned + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leaves_out_what_tells_which_module_it_is() {
        let mut telling = BTreeSet::new();
        let said =
            serde_json::json!({"a": [{"imei": "866327040830317", "serial_number": "D1Q20GM050038341P"}]});
        gather(&said, &mut telling);
        let text = "backups/866327040830317/x D1Q20GM050038341P 123456789012345, sha 9123456789012345f";
        let clean = redacted(text, &telling);
        assert_eq!(
            clean,
            "backups/REDACTED/x REDACTED REDACTED, sha 9123456789012345f"
        );
    }
}
