//! The report: `results.json` for programs, `summary.md` for people, and beside them all that every step said.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::bench::Bench;
use super::catalogue::Scenario;
use super::host::Host;
use super::tool::Ended;

/// Version of the form of `results.json`.
pub const SCHEMA: u32 = 1;

/// The whole report.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    pub schema: u32,
    pub kind: &'static str,
    pub began: String,
    pub tool: ToolFacts,
    pub host: Host,
    pub board: BoardFacts,
    pub packages: BTreeMap<String, PackageFacts>,
    /// Where the backups are that were made before anything else; never a part of the report.
    pub backups: Vec<PathBuf>,
    /// What the module said it was before.
    pub before: Value,
    pub scenarios: Vec<ScenarioRecord>,
    pub passed: bool,
    pub interrupted: bool,
    /// The state in which the module was left, and what to do.
    pub left: String,
}

/// The program under test.
#[derive(Debug, Clone, Serialize)]
pub struct ToolFacts {
    pub version: String,
    pub sha256: String,
}

/// The board.
#[derive(Debug, Clone, Serialize)]
pub struct BoardFacts {
    pub name: String,
    pub label: String,
    pub platform: String,
    pub path: Option<String>,
    pub uart: Option<PathBuf>,
    #[serde(rename = "virtual")]
    pub kind: Option<String>,
}

/// A package.
#[derive(Debug, Clone, Serialize)]
pub struct PackageFacts {
    pub file: String,
    /// None for an unpacked folder.
    pub sha256: Option<String>,
}

/// How a scenario ended.
#[derive(Debug, Clone, Serialize)]
pub struct ScenarioRecord {
    pub name: String,
    pub title: String,
    pub verdict: Verdict,
    /// Why it failed or was not played.
    pub why: Option<String>,
    pub cycles: u32,
    pub seconds: f64,
    /// Bytes per second of its write phases, where these are reported.
    pub rates: Vec<f64>,
    /// The rates in words.
    pub figure: Option<String>,
    pub steps: Vec<StepRecord>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    Passed,
    Failed,
    Skipped,
    Interrupted,
}

/// How a step ended.
#[derive(Debug, Clone, Serialize)]
pub struct StepRecord {
    pub step: &'static str,
    /// The command line, without `qpyflash`.
    pub line: Option<String>,
    /// Where its trace, its events and its stderr are.
    pub folder: Option<PathBuf>,
    pub exit: Option<i32>,
    pub verdict: Value,
    pub error: Value,
    pub written: Value,
    pub seconds: f64,
    /// Why it does not hold.
    pub why: Option<String>,
}

impl StepRecord {
    /// A step that is no run.
    pub fn of(step: &'static str, seconds: f64) -> Self {
        StepRecord {
            step,
            line: None,
            folder: None,
            exit: None,
            verdict: Value::Null,
            error: Value::Null,
            written: Value::Null,
            seconds,
            why: None,
        }
    }

    /// A run.
    pub fn run(step: &'static str, words: &[String], folder: &Path, ended: &Ended) -> Self {
        StepRecord {
            line: Some(words.join(" ")),
            folder: Some(folder.to_path_buf()),
            exit: ended.code,
            verdict: ended.said["verdict"].clone(),
            error: ended.said["error"]["code"].clone(),
            written: ended.said["written"]["state"].clone(),
            ..StepRecord::of(step, ended.seconds)
        }
    }
}

impl Report {
    /// A report about nothing yet.
    ///
    /// # Errors
    /// Packages that cannot be read.
    pub fn begin(bench: &Bench) -> std::io::Result<Self> {
        let mut packages = BTreeMap::new();
        for (name, file) in &bench.packages {
            let facts = PackageFacts {
                file: file
                    .file_name()
                    .unwrap_or_default()
                    .to_string_lossy()
                    .into_owned(),
                sha256: file.is_file().then(|| sha256(file)).transpose()?,
            };
            packages.insert(name.clone(), facts);
        }
        Ok(Report {
            schema: SCHEMA,
            kind: "qpyflash-evb-report",
            began: jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
            tool: ToolFacts {
                version: bench.tool.version()?,
                sha256: sha256(&bench.tool.program)?,
            },
            host: Host::this(),
            board: BoardFacts {
                name: bench.board.name.clone(),
                label: bench.label.first_part().to_owned(),
                platform: bench.platform.clone(),
                path: bench.path.clone(),
                uart: bench.uart.clone(),
                kind: bench.board.kind.clone(),
            },
            packages,
            backups: Vec::new(),
            before: Value::Null,
            scenarios: Vec::new(),
            passed: false,
            interrupted: false,
            left: String::new(),
        })
    }

    /// Writes both files into `folder`.
    ///
    /// # Errors
    /// The operating system's.
    pub fn write(&self, folder: &Path) -> std::io::Result<()> {
        let mut own = self.clone();
        for record in own.scenarios.iter_mut().flat_map(|scenario| &mut scenario.steps) {
            record.folder = record
                .folder
                .take()
                .map(|path| path.strip_prefix(folder).map_or(path.clone(), Path::to_path_buf));
        }
        fs::write(folder.join("results.json"), serde_json::to_vec_pretty(&own)?)?;
        fs::write(folder.join("summary.md"), own.summary())
    }

    fn summary(&self) -> String {
        let mut text = format!("# {}: {}\n\n", self.board.name, self.in_a_word());
        let mut line = |what: &str, value: &str| {
            let _ = writeln!(text, "- {what}: {value}");
        };
        line(
            "module",
            &format!("{} ({})", self.board.label, self.board.platform),
        );
        line(
            "it said before",
            self.before["revision_text"].as_str().unwrap_or("nothing"),
        );
        if let Some(kind) = &self.board.kind {
            line("virtual", kind);
        }
        line(
            "qpyflash",
            &format!("{}, sha256 {}", self.tool.version, self.tool.sha256),
        );
        line(
            "host",
            &format!(
                "{} {}, kernel {}",
                self.host.system,
                self.host.architecture,
                self.host.kernel.as_deref().unwrap_or("unknown")
            ),
        );
        line("began", &self.began);
        line("left", &self.left);
        text += "\n| scenario | what it proves | result | s | |\n|---|---|---|---|---|\n";
        for scenario in &self.scenarios {
            let notes: Vec<String> = [&scenario.figure, &scenario.why]
                .into_iter()
                .flatten()
                .cloned()
                .collect();
            let _ = writeln!(
                text,
                "| {} | {} | {:?} | {:.1} | {} |",
                scenario.name,
                scenario.title,
                scenario.verdict,
                scenario.seconds,
                notes.join("; ").replace('|', "/").replace('\n', " ")
            );
        }
        text += "\n| package | file | sha256 |\n|---|---|---|\n";
        for (name, package) in &self.packages {
            let _ = writeln!(
                text,
                "| {name} | {} | {} |",
                package.file,
                package.sha256.as_deref().unwrap_or("-")
            );
        }
        text += "\n## USB\n\n```\n";
        text += &self.host.usb.join("\n");
        text + "\n```\n"
    }

    /// How it went.
    pub fn in_a_word(&self) -> String {
        let count = |verdict| {
            self.scenarios
                .iter()
                .filter(|scenario| scenario.verdict == verdict)
                .count()
        };
        let mut text = format!(
            "{} passed, {} failed, {} skipped",
            count(Verdict::Passed),
            count(Verdict::Failed),
            count(Verdict::Skipped)
        );
        if self.interrupted {
            text += ", interrupted";
        }
        text
    }
}

impl ScenarioRecord {
    /// A scenario that was not played yet.
    pub fn of(scenario: &Scenario, cycles: u32, chinese: bool) -> Self {
        ScenarioRecord {
            name: scenario.name.clone(),
            title: scenario.title.in_chinese(chinese).to_owned(),
            verdict: Verdict::Skipped,
            why: None,
            cycles,
            seconds: 0.0,
            rates: Vec::new(),
            figure: None,
            steps: Vec::new(),
        }
    }
}

fn sha256(file: &Path) -> std::io::Result<String> {
    let digest = Sha256::digest(fs::read(file)?);
    Ok(digest.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    }))
}
