//! What `inspect` shows: a package as one JSON object, or for a person.

use std::fmt::Write;
use std::path::Path;

use qpyflash_protocols::Platform;
use serde::Serialize;

use super::package::{BuiltFor, Image, Package};
use super::resolve::resolve;
use super::steps::{self, Step};

/// The version of the JSON object.
pub const SCHEMA: u32 = 1;

/// A package, as `inspect --json` prints it. The order of the fields is that of the object.
#[derive(Debug, Clone, Serialize)]
pub struct Inspection {
    /// [`SCHEMA`].
    pub schema: u32,
    /// The platform of the content.
    pub platform: Platform,
    /// What it is built for, with all evidence.
    pub built_for: BuiltFor,
    /// What goes to flash.
    pub images: Vec<Part>,
    /// What only goes to RAM.
    pub helpers: Vec<Part>,
    /// What a run does, in the order of flashing; left out where the images say it all.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub steps: Vec<Step>,
    /// What of its own a module keeps; left out where the package has no say in that.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub kept: Vec<String>,
    /// The chain of archives it came out of, outermost first.
    pub origin: Vec<String>,
    /// Of the file or folder that was given.
    pub sha256: String,
    /// What a person should know before writing it.
    pub warnings: Vec<String>,
}

/// One image or helper.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Part {
    /// Its name in the package.
    pub name: String,
    /// Partition or address; empty for what only goes to RAM.
    pub target: String,
    /// Bytes.
    pub size: u64,
    /// Of its bytes, lower-case hex.
    pub sha256: String,
}

impl From<&Image> for Part {
    fn from(image: &Image) -> Part {
        Part {
            name: image.name.clone(),
            target: image.target.clone(),
            size: image.data.len() as u64,
            sha256: image.sha256(),
        }
    }
}

impl From<&Package> for Inspection {
    fn from(package: &Package) -> Inspection {
        Inspection {
            schema: SCHEMA,
            platform: package.platform(),
            built_for: package.built_for().clone(),
            images: package.images().iter().map(Part::from).collect(),
            helpers: package.helpers().iter().map(Part::from).collect(),
            steps: steps::steps(package.plan()),
            kept: steps::kept(package.plan()),
            origin: package.origin().to_vec(),
            sha256: package.sha256().to_owned(),
            warnings: package.warnings().to_vec(),
        }
    }
}

/// Resolves a file or folder and lists what is in it.
///
/// # Errors
/// As [`resolve`](super::resolve()).
pub fn inspect(path: &Path) -> Result<Inspection, crate::Error> {
    Ok(Inspection::from(&resolve(path)?))
}

/// The inspection for a person.
pub fn render(inspection: &Inspection) -> String {
    let built_for = &inspection.built_for;
    let mut text = format!("{}\n", inspection.origin.join(" > "));
    line(&mut text, "platform", inspection.platform.title());
    line(&mut text, "built for", &module(built_for));
    line(
        &mut text,
        "revision",
        built_for.revision.as_deref().unwrap_or("not found inside"),
    );
    line(&mut text, "sha256", &inspection.sha256);
    table(&mut text, "evidence, strongest first", &evidence(built_for));
    table(&mut text, "images", &parts(&inspection.images));
    table(&mut text, "helpers, run in RAM only", &parts(&inspection.helpers));
    table(
        &mut text,
        "steps, in the order of flashing",
        &step_rows(&inspection.steps),
    );
    if !inspection.kept.is_empty() {
        text.push_str("\nkept of the module's own\n");
        line(&mut text, "-", &inspection.kept.join(", "));
    }
    if !inspection.warnings.is_empty() {
        text.push_str("\nwarnings\n");
        inspection
            .warnings
            .iter()
            .for_each(|warning| line(&mut text, "-", warning));
    }
    text
}

/// `EC600U_CNLB, variant BT`, or the plain words that nothing says it.
pub(crate) fn module(built_for: &BuiltFor) -> String {
    let variant = built_for
        .variant
        .as_ref()
        .map_or(String::new(), |variant| format!(", variant {variant}"));
    match (&built_for.series, &built_for.submodel) {
        (Some(series), Some(submodel)) => format!("{series}_{submodel}{variant}"),
        (Some(series), None) => format!("{series}, submodel unknown{variant}"),
        _ => "unknown: nothing in it says which module".into(),
    }
}

fn evidence(built_for: &BuiltFor) -> Vec<[String; 4]> {
    let row = |from: &str, value: &str| [from.to_owned(), value.to_owned(), String::new(), String::new()];
    built_for
        .evidence
        .iter()
        .map(|one| row(&one.from, &one.value))
        .collect()
}

fn parts(parts: &[Part]) -> Vec<[String; 4]> {
    let row = |part: &Part| {
        let size = format!("{} bytes", part.size);
        let print = part.sha256.get(..12).unwrap_or_default();
        [
            part.name.clone(),
            part.target.clone(),
            size,
            format!("sha256 {print}…"),
        ]
    };
    parts.iter().map(row).collect()
}

fn step_rows(steps: &[Step]) -> Vec<[String; 4]> {
    let row = |step: &Step| {
        let last = match (&step.why, step.size) {
            (Some(why), _) => why.clone(),
            (None, 0) => String::new(),
            (None, size) => format!("{size} bytes"),
        };
        [
            step.name.clone(),
            step.action.words().into(),
            step.target.clone(),
            last,
        ]
    };
    steps.iter().map(row).collect()
}

fn line(text: &mut String, name: &str, value: &str) {
    // Writing to a string cannot fail.
    let _ = match name {
        "-" => writeln!(text, "  - {value}"),
        _ => writeln!(text, "  {name:<10} {value}"),
    };
}

/// Columns as wide as their widest cell; empty columns take no room.
fn table(text: &mut String, title: &str, rows: &[[String; 4]]) {
    if rows.is_empty() {
        return;
    }
    let width = |column: usize| {
        rows.iter()
            .map(|row| row[column].chars().count())
            .max()
            .unwrap_or(0)
    };
    let widths = [width(0), width(1), width(2), width(3)];
    let _ = writeln!(text, "\n{title}");
    for row in rows {
        let cells: Vec<String> = (0..4)
            .filter(|column| widths[*column] > 0)
            .map(|column| format!("{:<width$}", row[column], width = widths[column]))
            .collect();
        let _ = writeln!(text, "  {}", cells.join("  ").trim_end());
    }
}
