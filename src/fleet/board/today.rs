//! Yield and cycle time of the day, from the station's record.

use std::path::Path;

use rusqlite::Connection;
use serde::Serialize;

use crate::fleet::report::{Filter, recorded, totals};

/// What a day has brought so far. Modules in work do not count yet.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Today {
    modules: usize,
    passed: usize,
    /// 0 to 1.
    first_pass_yield: Option<f64>,
    /// Of the attempts that passed, in seconds.
    median_seconds: Option<f64>,
    last_seconds: Option<f64>,
}

/// Reads the record in a station's state directory, if there is one. It never takes the station's lock, so that it
/// cannot keep a run from beginning.
pub(super) fn read(state: &Path) -> Option<Today> {
    let filter = Filter {
        since: Some(midnight()?),
        ..Filter::default()
    };
    let mut attempts = recorded(state, &filter, true).ok()?;
    attempts.retain(|attempt| attempt.verdict != "running");
    let totals = totals(&attempts);
    let last = attempts
        .iter()
        .filter(|attempt| attempt.passed())
        .max_by(|a, b| a.ended.cmp(&b.ended));
    Some(Today {
        modules: totals.modules,
        passed: totals.passed,
        first_pass_yield: totals.first_pass_yield,
        median_seconds: totals.cycle_seconds.map(|[_, median, _]| median),
        last_seconds: last.and_then(|attempt| attempt.seconds),
    })
}

/// When the day began here, in UTC, as the record writes it.
fn midnight() -> Option<String> {
    let sql = "SELECT strftime('%Y-%m-%dT%H:%M:%SZ', 'now', 'localtime', 'start of day', 'utc')";
    Connection::open_in_memory()
        .ok()?
        .query_row(sql, [], |row| row.get(0))
        .ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flash::Outcome;
    use crate::fleet::journal::{Beginning, Journal};

    #[test]
    fn modules_in_work_do_not_count() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(read(folder.path()), None);
        let journal = Journal::open(folder.path()).unwrap();
        let run = journal.begin_run("L", "S", None, "").unwrap();
        for (slot, exit_code) in [("A", Some(0)), ("B", Some(10)), ("C", Some(0)), ("D", None)] {
            let beginning = Beginning {
                run,
                slot,
                number: 1,
                label: None,
                package: None,
            };
            let attempt = journal.begin_attempt(&beginning).unwrap();
            let mut outcome = Outcome::of_bug("none");
            outcome.seconds = if slot == "A" { 20.0 } else { 40.0 };
            if let Some(exit_code) = exit_code {
                outcome.exit_code = exit_code;
                journal.end_attempt(attempt, &outcome, &[]).unwrap();
            }
        }
        let expected = Today {
            modules: 3,
            passed: 2,
            first_pass_yield: Some(2.0 / 3.0),
            median_seconds: Some(40.0),
            last_seconds: Some(40.0),
        };
        assert_eq!(read(folder.path()), Some(expected));
    }
}
