//! What the record says: attempts, yield, cycle times, and what goes wrong most.

use std::path::Path;

use rusqlite::{Connection, OpenFlags, Row, params};
use serde::Serialize;
use serde_json::Value;

use super::journal::{failure, file_in, is_at_work};
use crate::error::Error;

/// Which attempts.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Begun at this time or later: `2026-11-25` or a longer beginning of `2026-11-25T19:00:00Z`, UTC.
    pub since: Option<String>,
    /// Begun before this time.
    pub until: Option<String>,
    /// First letters of the ordering code.
    pub ordering_code: Option<String>,
    /// The module's IMEI.
    pub imei: Option<String>,
    /// `confirmed`, `failed`, `refused`, `interrupted`, `running`; or `pass`, `fail` for all of that kind.
    pub verdict: Option<String>,
}

/// One attempt, as recorded.
#[derive(Debug, Clone, Serialize)]
pub struct Attempt {
    /// Its number in the record.
    pub id: i64,
    /// Its run.
    pub run: i64,
    /// The line.
    pub line: String,
    /// The station.
    pub station: String,
    /// The slot.
    pub slot: String,
    /// Which attempt of the run in this slot, from 1.
    pub number: u32,
    /// When it began, UTC.
    pub began: String,
    /// When it ended; nothing for one that was interrupted, or is running.
    pub ended: Option<String>,
    /// How long it took.
    pub seconds: Option<f64>,
    /// The module's place.
    pub place: Option<String>,
    /// The ordering code of the label.
    pub label_ordering_code: Option<String>,
    /// The IMEI of the label.
    pub label_imei: Option<String>,
    /// The serial number of the label.
    pub label_serial_number: Option<String>,
    /// The ordering code that the gate accepted.
    pub ordering_code: Option<String>,
    /// The module's IMEI.
    pub imei: Option<String>,
    /// What the module said it was before.
    pub before: Value,
    /// What it said afterwards.
    pub after: Value,
    /// SHA-256 of the package.
    pub package_sha256: Option<String>,
    /// The chain of archives it came out of.
    pub package_origin: Value,
    /// Image bytes that the module acknowledged.
    pub bytes: i64,
    /// How it ended.
    pub verdict: String,
    /// The exit code.
    pub exit_code: Option<u8>,
    /// The code of the error.
    pub error_code: Option<String>,
    /// The error.
    pub error: Option<String>,
    /// What was written. Of an attempt that was interrupted, `unknown` when it had come to change the flash.
    pub written: Value,
    /// What is strange about the module.
    pub flags: Value,
    /// Who worked at the station.
    pub operator: Option<String>,
    /// The version of qpyflash.
    pub tool_version: String,
    /// What it went through, in order.
    pub phases: Vec<PhaseEntry>,
}

/// A phase of an attempt.
#[derive(Debug, Clone, Serialize)]
pub struct PhaseEntry {
    /// Which.
    pub phase: String,
    /// When it began, UTC.
    pub began: String,
    /// How long it took; nothing where the attempt ended without a word.
    pub seconds: Option<f64>,
}

impl Attempt {
    /// Everything went well.
    pub fn passed(&self) -> bool {
        self.exit_code == Some(0)
    }
}

/// What a person asks first about a day.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Totals {
    /// Attempts.
    pub attempts: usize,
    /// Modules: slots of runs.
    pub modules: usize,
    /// Modules that passed in the end.
    pub passed: usize,
    /// Modules that passed at their first attempt.
    pub first_pass: usize,
    /// `first_pass` of `modules`, 0 to 1.
    pub first_pass_yield: Option<f64>,
    /// Shortest, middle and longest time of an attempt that passed, in seconds.
    pub cycle_seconds: Option<[f64; 3]>,
    /// Codes of errors and how often each was met, most often first.
    pub failures: Vec<(String, usize)>,
}

const ATTEMPTS: &str = "SELECT attempt.*, run.line, run.station, run.operator, run.tool_version \
                        FROM attempt JOIN run ON run.id = attempt.run";

/// The attempts in a station's record that the filter lets through, oldest first.
///
/// # Errors
/// [`JournalFailed`](crate::Kind::JournalFailed) when there is no record, or it cannot be read.
pub fn attempts(state: &Path, filter: &Filter) -> Result<Vec<Attempt>, Error> {
    recorded(state, filter, is_at_work(state))
}

/// The same, for who knows whether a program is at work on the station.
pub(super) fn recorded(state: &Path, filter: &Filter, is_running: bool) -> Result<Vec<Attempt>, Error> {
    let file = file_in(state);
    let code = filter.ordering_code.as_ref();
    // As it is kept: without the blanks of firmware names.
    let code = code.map(|code| code.replace(['_', ' '], "").to_ascii_uppercase());
    let read = || -> rusqlite::Result<Vec<Attempt>> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(&file, flags)?;
        let mut query = connection.prepare(&format!(
            "{ATTEMPTS} WHERE attempt.began >= coalesce(?1, '') AND attempt.began < coalesce(?2, '~') \
             AND (?3 IS NULL OR coalesce(ordering_code, label_oc) LIKE ?3 || '%') \
             AND (?4 IS NULL OR imei = ?4 OR label_imei = ?4) ORDER BY attempt.id"
        ))?;
        let values = params![filter.since, filter.until, code, filter.imei];
        let mut attempts: Vec<Attempt> = query
            .query_map(values, |row| attempt(row, is_running))?
            .collect::<rusqlite::Result<_>>()?;
        for attempt in &mut attempts {
            add_phases(&connection, attempt)?;
        }
        Ok(attempts)
    };
    let mut attempts = read().map_err(|why| failure(&file, &why.to_string()))?;
    if let Some(verdict) = &filter.verdict {
        attempts.retain(|attempt| match verdict.as_str() {
            "pass" => attempt.passed(),
            "fail" => !attempt.passed(),
            exactly => attempt.verdict == exactly,
        });
    }
    Ok(attempts)
}

/// One attempt that is over.
pub(super) fn attempt_that_ended(connection: &Connection, id: i64) -> rusqlite::Result<Attempt> {
    let query = format!("{ATTEMPTS} WHERE attempt.id = ?");
    let mut attempt = connection.query_row(&query, [id], |row| attempt(row, false))?;
    add_phases(connection, &mut attempt)?;
    Ok(attempt)
}

fn add_phases(connection: &Connection, attempt: &mut Attempt) -> rusqlite::Result<()> {
    let phase = |row: &Row<'_>| {
        Ok(PhaseEntry {
            phase: row.get(0)?,
            began: row.get(1)?,
            seconds: row.get(2)?,
        })
    };
    attempt.phases = connection
        .prepare_cached("SELECT phase, began, seconds FROM phase WHERE attempt = ? ORDER BY number")?
        .query_map([attempt.id], phase)?
        .collect::<rusqlite::Result<_>>()?;
    if attempt.written.is_null() {
        attempt.written = as_far_as_phases_tell(&attempt.phases);
    }
    Ok(())
}

fn attempt(row: &Row<'_>, is_running: bool) -> rusqlite::Result<Attempt> {
    let json = |name: &str| -> rusqlite::Result<Value> {
        let text: Option<String> = row.get(name)?;
        Ok(text
            .and_then(|text| serde_json::from_str(&text).ok())
            .unwrap_or_default())
    };
    let open = if is_running { "running" } else { "interrupted" };
    Ok(Attempt {
        id: row.get("id")?,
        run: row.get("run")?,
        line: row.get("line")?,
        station: row.get("station")?,
        slot: row.get("slot")?,
        number: row.get("number")?,
        began: row.get("began")?,
        ended: row.get("ended")?,
        seconds: row.get("seconds")?,
        place: row.get("place")?,
        label_ordering_code: row.get("label_oc")?,
        label_imei: row.get("label_imei")?,
        label_serial_number: row.get("label_sn")?,
        ordering_code: row.get("ordering_code")?,
        imei: row.get("imei")?,
        before: json("before")?,
        after: json("after")?,
        package_sha256: row.get("package_sha256")?,
        package_origin: json("package_origin")?,
        bytes: row.get("bytes")?,
        verdict: row
            .get::<_, Option<String>>("verdict")?
            .unwrap_or_else(|| open.into()),
        exit_code: row.get("exit_code")?,
        error_code: row.get("error_code")?,
        error: row.get("error")?,
        written: json("written")?,
        flags: json("flags")?,
        operator: row.get("operator")?,
        tool_version: row.get("tool_version")?,
        phases: Vec::new(),
    })
}

/// An attempt that could not say what it had written had changed nothing before the phases that do.
fn as_far_as_phases_tell(phases: &[PhaseEntry]) -> Value {
    let came_to = |names: &[&str]| phases.iter().any(|entry| names.contains(&entry.phase.as_str()));
    let state = if came_to(&["erase", "write", "verify", "reset", "confirm"]) {
        "unknown"
    } else if came_to(&["enter-download", "sync", "load-helper", "check-chip"]) {
        "helpers-only"
    } else {
        "nothing"
    };
    serde_json::json!({ "state": state })
}

/// Counts.
pub fn totals(attempts: &[Attempt]) -> Totals {
    let mut modules: Vec<(i64, &str)> = attempts.iter().map(|one| (one.run, one.slot.as_str())).collect();
    modules.sort_unstable();
    modules.dedup();
    let passed = attempts.iter().filter(|one| one.passed());
    let first_pass = passed.clone().filter(|one| one.number == 1).count();
    let mut seconds: Vec<f64> = passed.clone().filter_map(|one| one.seconds).collect();
    seconds.sort_by(f64::total_cmp);
    let middle = seconds.get(seconds.len() / 2).copied();
    let cycle_seconds = match (seconds.first(), middle, seconds.last()) {
        (Some(&shortest), Some(middle), Some(&longest)) => Some([shortest, middle, longest]),
        _ => None,
    };
    let mut failures: Vec<(String, usize)> = Vec::new();
    for code in attempts.iter().filter_map(|one| one.error_code.as_ref()) {
        match failures.iter_mut().find(|(known, _)| known == code) {
            Some((_, count)) => *count += 1,
            None => failures.push((code.clone(), 1)),
        }
    }
    failures.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    Totals {
        attempts: attempts.len(),
        modules: modules.len(),
        passed: passed.count(),
        first_pass,
        first_pass_yield: (!modules.is_empty()).then(|| first_pass as f64 / modules.len() as f64),
        cycle_seconds,
        failures,
    }
}
