//! How a run has ended: in words, against how it must end, and how fast it was.

use serde_json::Value;

use super::catalogue::Run;
use super::tool::Ended;
use super::{Judged, Stop};

/// Compares how a run has ended with how it must end.
pub fn expect(run: &Run, ended: &Ended) -> Judged {
    let text = |value: &Value| value.as_str().unwrap_or("none").to_owned();
    let said = &ended.said;
    let texts = [
        ("error", &run.error, text(&said["error"]["code"])),
        ("verdict", &run.verdict, text(&said["verdict"])),
        ("written", &run.written, text(&said["written"]["state"])),
    ];
    let mut wrong: Vec<String> = texts
        .into_iter()
        .filter_map(|(what, wanted, found)| {
            let wanted = wanted.as_ref().filter(|wanted| !wanted.allows(&found))?;
            Some(format!("{what} {found}, wanted {wanted:?}"))
        })
        .collect();
    if let Some(wanted) = &run.exit
        && !ended.code.is_some_and(|code| wanted.allows(&code))
    {
        wrong.insert(0, format!("exit {:?}, wanted {wanted:?}", ended.code));
    }
    match wrong.is_empty() {
        true => Ok(()),
        false => Err(Stop::Failed(format!(
            "{} ({})",
            wrong.join("; "),
            describe(ended)
        ))),
    }
}

/// How a run has ended, in one line.
pub fn describe(ended: &Ended) -> String {
    let code = ended.code.map_or("killed".into(), |code| format!("exit {code}"));
    let said = &ended.said;
    let word = said["error"]["code"]
        .as_str()
        .or(said["verdict"].as_str())
        .unwrap_or("no outcome");
    match said["written"]["state"].as_str() {
        Some(written) => format!("{code}, {word}, {written} written"),
        None => format!(
            "{code}, {word} {}",
            ended.stderr.lines().next().unwrap_or_default()
        ),
    }
}

/// The rate of the write phase, in bytes per second.
pub fn rate(outcome: &Value) -> Option<f64> {
    let phases = outcome["phases"].as_array()?.iter();
    let writing = phases.filter(|time| time["phase"] == "write");
    let seconds: f64 = writing.filter_map(|time| time["seconds"].as_f64()).sum();
    Some(outcome["bytes"].as_f64()? / seconds).filter(|rate| rate.is_finite())
}

/// Rates in words, with their ratio to what the line carries, in bytes per second, where that is known.
pub fn figure(rates: &[f64], line: Option<u64>) -> Option<String> {
    let slowest = rates.iter().copied().reduce(f64::min)?;
    let fastest = rates.iter().copied().reduce(f64::max)?;
    let (count, slow, fast) = (rates.len(), slowest / 1e6, fastest / 1e6);
    let text = match count {
        1 => format!("{slow:.3} MB/s in the write phase"),
        _ => format!("{count} writes at {slow:.3} to {fast:.3} MB/s in the write phase"),
    };
    Some(match line {
        Some(line) => format!("{text}, {:.0} % of the line", slowest * 100.0 / line as f64),
        None => text,
    })
}
