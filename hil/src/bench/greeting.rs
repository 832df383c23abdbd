//! From the loader's first answer to the first command: nothing there may wait for its own sake.

use std::fs;
use std::time::Duration;

use qpyflash::link::{Settings, Trace};
use qpyflash_virtual::LinkModel;
use serde_json::Value;

use super::rig::{Package, Rig};
use super::{Figure, Outcome};

/// Most time that we may take, in milliseconds.
const MOST_MS: f64 = 50.0;
/// How a command frame begins: delimiter, escape, kind 3. Source: specs/asr-aboot.md §3.2 (V).
const COMMAND: &str = "7e7d23";
/// How the loader's answer to the preamble looks. Source: specs/asr-aboot.md §3.1 (V).
const ANSWER: &str = "7e554142547e";

pub fn measure(_quick: bool) -> Outcome<Vec<Figure>> {
    let package = Package::realistic(1024)?;
    let mut figures = Vec::new();
    for turn_round in [0, 4] {
        let line = LinkModel::named("usb-full").ok_or("no such line")?;
        let rig = Rig::new(line.with_turn_round(Duration::from_millis(turn_round)))?;
        let file = package.file.with_file_name("trace.jsonl");
        let settings = Settings {
            trace: Some(Trace::create(&file, 1.0)?),
            ..Settings::default()
        };
        rig.write(&package, &settings, |_| {})?;
        let (ours, whole) = greeting(&fs::read_to_string(&file)?)?;
        let name = format!("first answer to first command, {turn_round} ms");
        figures.push(
            Figure::new("greeting", name, ours * 1e3, "ms")
                .at_most(MOST_MS)
                .detail(format!(
                    "between a word of the module and ours after it; {:.1} ms in all",
                    whole * 1e3
                )),
        );
    }
    Ok(figures)
}

/// Seconds from the first answer to the first command: those that lie between a word of the module and our next
/// one, and all of them.
fn greeting(trace: &str) -> Outcome<(f64, f64)> {
    let (mut heard, mut first, mut ours) = (None, None, 0.0);
    for line in trace.lines().skip(1) {
        let entry: Value = serde_json::from_str(line)?;
        let time = entry["t"].as_f64().ok_or("a line of the trace has no time")?;
        let Some(bytes) = entry["hex"].as_str() else {
            continue;
        };
        if entry["direction"] == "from-module" {
            if first.is_some() || bytes.contains(ANSWER) {
                first.get_or_insert(time);
                heard.get_or_insert(time);
            }
        } else if let Some(since) = heard.take() {
            ours += time - since;
        }
        if let Some(first) = first.filter(|_| bytes.starts_with(COMMAND)) {
            return Ok((ours, time - first));
        }
    }
    Err("the trace holds no command".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_only_the_time_after_a_word_of_the_module() {
        let said = |t: f64, direction: &str, hex: &str| {
            format!("{{\"t\":{t},\"phase\":\"sync\",\"direction\":\"{direction}\",\"hex\":\"{hex}\"}}\n")
        };
        let trace = [
            "{\"schema\":1}\n".to_owned(),
            said(1.0, "to-module", "555555557e"),
            said(1.5, "from-module", "7e554142547e"),
            said(1.625, "to-module", "7e554142547e"),
            said(2.0, "from-module", "7e554142547e"),
            said(2.25, "to-module", "7e7d2376657269667e"),
        ];
        assert_eq!(greeting(&trace.concat()).unwrap(), (0.375, 0.75));
        assert!(greeting(&trace[..5].concat()).is_err());
    }
}
