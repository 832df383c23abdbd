//! `format_ec618.json`: the regions that the platform's erase functions know.
//!
//! ```text
//! // comments may occur
//! { "rr": { "begin": "0x88E7000", "length": "0x19000" },
//!   "cal": [ { "stor_type": "cp_flash", "offst_flag": "1", "begin": "0xE7000", "length": "0x19000" } ] }
//! ```
//! Source: specs/eigencomm-agentboot.md §2.7 (V) for the reference file; Quectel's own has not been seen.

use serde_json::Value;

use super::ini::number;
use super::map::{Flash, Region};
use crate::FormatError;

/// Name of the file, beside the `.binpkg`.
pub const FORMAT_FILE: &str = "format_ec618.json";
/// The keys we look at, what each means, and whether a package that erases it is refused. Source: §2.7 (V).
const KEYS: [(&str, &str, bool); 5] = [
    ("rr", "live RF and calibration data (`rr`)", true),
    ("drr", "default RF data (`drr`)", true),
    ("cal", "calibration data (`cal`)", true),
    ("fs", "the platform's settings and NV files (`fs`)", false),
    ("fraw", "the platform's flag sector (`fraw`)", false),
];

/// A region of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Named {
    /// Where it is, and what it is called.
    pub region: Region,
    /// No package may erase it: nobody can replace what it holds.
    pub precious: bool,
}

/// Reads `format_ec618.json`. Keys that say nothing about what must survive are ignored, and so are empty regions.
///
/// # Errors
/// [`FormatError`] when it is no JSON, or a region is in no flash.
pub fn regions(file: &[u8]) -> Result<Vec<Named>, FormatError> {
    let text = without_comments(&String::from_utf8_lossy(file));
    let json: Value = serde_json::from_str(text.trim_start_matches('\u{feff}'))
        .map_err(|why| corrupt(format!("it is no JSON: {why}")))?;
    let mut found = Vec::new();
    for (key, name, precious) in KEYS {
        let items = match json.get(key) {
            None | Some(Value::Null) => continue,
            Some(Value::Array(items)) => items.iter().collect(),
            Some(one) => vec![one],
        };
        for item in items {
            found.extend(region(key, name, item)?.map(|region| Named { region, precious }));
        }
    }
    Ok(found)
}

/// One region; none when its length is 0.
fn region(key: &str, name: &str, item: &Value) -> Result<Option<Region>, FormatError> {
    let field = |field: &str| {
        let value = item
            .get(field)
            .ok_or_else(|| corrupt(format!("`{key}` has no `{field}`")))?;
        parsed(value).ok_or_else(|| corrupt(format!("`{field}` of `{key}` is {value}, which is no number")))
    };
    let (begin, length) = (field("begin")?, field("length")?);
    if length == 0 {
        return Ok(None);
    }
    let is_raw = item.get("offst_flag").and_then(parsed) == Some(1);
    let of_cp = item.get("stor_type").and_then(Value::as_str) == Some("cp_flash");
    let (flash, start) = match (is_raw, of_cp) {
        (true, true) => (Flash::Cp, begin),
        (true, false) => (Flash::Ap, begin),
        (false, _) if begin >= Flash::Cp.window() => (Flash::Cp, begin - Flash::Cp.window()),
        (false, _) => (Flash::Ap, begin.wrapping_sub(Flash::Ap.window())),
    };
    let end = start.checked_add(length).filter(|end| *end <= flash.size());
    let end = end.ok_or_else(|| {
        corrupt(format!(
            "`{key}`, 0x{length:x} bytes at 0x{begin:x}, lies in no flash"
        ))
    })?;
    Ok(Some(Region {
        name: name.into(),
        flash,
        range: start..end,
    }))
}

fn parsed(value: &Value) -> Option<u32> {
    match value {
        Value::String(text) => number(text.trim()),
        other => other.as_u64()?.try_into().ok(),
    }
}

/// Takes `//` to the end of its line away, except inside of a text.
fn without_comments(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for line in text.lines() {
        let (mut inside, mut escaped, mut end) = (false, false, line.len());
        for (at, letter) in line.char_indices() {
            match letter {
                _ if escaped => escaped = false,
                '\\' if inside => escaped = true,
                '"' => inside = !inside,
                '/' if !inside && line[at..].starts_with("//") => {
                    end = at;
                    break;
                }
                _ => {}
            }
        }
        out.push_str(&line[..end]);
        out.push('\n');
    }
    out
}

fn corrupt(why: String) -> FormatError {
    FormatError::Corrupt {
        what: format!("`{FORMAT_FILE}`"),
        why,
    }
}
