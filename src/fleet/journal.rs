//! The record of a station: what was done to which module, kept so that nothing can be lost.
//!
//! An attempt stands in the record before the first byte goes to the module, and each phase before it begins. After a
//! `kill -9` or a power cut the database opens, and an attempt without an end is one that was interrupted.

use std::fs::{File, OpenOptions};
use std::path::{Path, PathBuf};
use std::time::Duration;

use qpyflash_protocols::Phase;
use rusqlite::{Connection, OptionalExtension, Transaction, TransactionBehavior, params};
use serde_json::json;

use super::label::Label;
use super::{outbox, schema};
use crate::error::{Error, Kind};
use crate::firmware::Package;
use crate::flash::Outcome;
use crate::identity::Identity;

/// How long another reader or writer of the database is waited for.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);

/// The record, open for writing; one at a time.
#[derive(Debug)]
pub struct Journal {
    connection: Connection,
    file: PathBuf,
    /// Held as long as the record is open for writing.
    _lock: File,
}

/// Names a run in the record.
pub type RunId = i64;
/// Names an attempt in the record.
pub type AttemptId = i64;

/// What is known of an attempt before it begins.
#[derive(Debug)]
pub struct Beginning<'a> {
    /// Its run.
    pub run: RunId,
    /// The slot.
    pub slot: &'a str,
    /// Which attempt of the run in this slot, from 1.
    pub number: u32,
    /// What is expected in the slot; nothing when that was refused.
    pub label: Option<&'a Label>,
    /// What is to be written.
    pub package: Option<&'a Package>,
}

/// The file of the record in a station's state directory.
pub fn file_in(state: &Path) -> PathBuf {
    state.join("journal.sqlite3")
}

/// Is a program at work on the station right now?
pub fn is_at_work(state: &Path) -> bool {
    let lock = File::open(state.join("journal.lock"));
    lock.is_ok_and(|lock| matches!(lock.try_lock_shared(), Err(std::fs::TryLockError::WouldBlock)))
}

impl Journal {
    /// Opens the record in `state`, makes it if there is none, and marks what a dead program has left open.
    ///
    /// # Errors
    /// [`Kind::LinkBusy`] when another program is at work on this station; [`Kind::JournalFailed`].
    pub fn open(state: &Path) -> Result<Self, Error> {
        let file = file_in(state);
        let failed = |why: String| failure(&file, &why);
        std::fs::create_dir_all(state).map_err(|why| failed(why.to_string()))?;
        let lock = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(state.join("journal.lock"))
            .map_err(|why| failed(why.to_string()))?;
        lock.try_lock().map_err(|why| match why {
            std::fs::TryLockError::WouldBlock => {
                let text = format!(
                    "another qpyflash is at work on the station of `{}`",
                    state.display()
                );
                Error::new(Kind::LinkBusy, text)
            }
            std::fs::TryLockError::Error(why) => failed(why.to_string()),
        })?;
        let mut connection = Connection::open(&file).map_err(|why| failed(why.to_string()))?;
        prepare(&mut connection).map_err(failed)?;
        let journal = Journal {
            connection,
            file: file.clone(),
            _lock: lock,
        };
        journal.close_what_was_left()?;
        Ok(journal)
    }

    /// Nobody else is at work: attempts without an end have been interrupted.
    fn close_what_was_left(&self) -> Result<(), Error> {
        self.together(|transaction| {
            let open = "SELECT id FROM attempt WHERE ended IS NULL AND verdict IS NULL ORDER BY id";
            let open: Vec<AttemptId> = transaction
                .prepare(open)?
                .query_map([], |row| row.get(0))?
                .collect::<rusqlite::Result<_>>()?;
            for attempt in open {
                transaction.execute(
                    "UPDATE attempt SET verdict = 'interrupted', error_code = 'interrupted', error = 'the program \
                     ended in the middle of the attempt' WHERE id = ?",
                    [attempt],
                )?;
                outbox::add(transaction, attempt)?;
            }
            Ok(())
        })
    }

    /// A run begins.
    ///
    /// # Errors
    /// [`Kind::JournalFailed`].
    pub fn begin_run(
        &self,
        line: &str,
        station: &str,
        operator: Option<&str>,
        configuration: &str,
    ) -> Result<RunId, Error> {
        self.change(
            "INSERT INTO run (began, line, station, operator, tool_version, configuration) VALUES (?, ?, ?, ?, ?, ?)",
            params![now(), line, station, operator, env!("CARGO_PKG_VERSION"), configuration],
        )?;
        Ok(self.connection.last_insert_rowid())
    }

    /// A run ends.
    ///
    /// # Errors
    /// [`Kind::JournalFailed`].
    pub fn end_run(&self, run: RunId) -> Result<(), Error> {
        self.change("UPDATE run SET ended = ? WHERE id = ?", params![now(), run])
    }

    /// An attempt begins. When this returns, that is on the disk.
    ///
    /// # Errors
    /// [`Kind::JournalFailed`]; the module must then be left alone.
    pub fn begin_attempt(&self, beginning: &Beginning<'_>) -> Result<AttemptId, Error> {
        let label = beginning.label;
        let origin = beginning
            .package
            .map(|package| json!(package.origin()).to_string());
        self.change(
            "INSERT INTO attempt (run, slot, number, began, label_oc, label_imei, label_sn, package_sha256, \
             package_origin, imei) VALUES (?, ?, ?, ?, ?, ?6, ?, ?, ?, ?6)",
            params![
                beginning.run,
                beginning.slot,
                beginning.number,
                now(),
                label.map(|label| label.ordering_code.to_string()),
                label.and_then(|label| label.imei.clone()),
                label.and_then(|label| label.serial_number.clone()),
                beginning.package.map(Package::sha256),
                origin,
            ],
        )?;
        Ok(self.connection.last_insert_rowid())
    }

    /// A phase begins.
    ///
    /// # Errors
    /// [`Kind::JournalFailed`].
    pub fn phase(&self, attempt: AttemptId, phase: Phase) -> Result<(), Error> {
        self.change(
            "INSERT INTO phase (attempt, number, phase, began) \
             SELECT ?1, coalesce(max(number), 0) + 1, ?2, ?3 FROM phase WHERE attempt = ?1",
            params![attempt, word(&json!(phase)), now()],
        )
    }

    /// The module has said what it is.
    ///
    /// # Errors
    /// [`Kind::JournalFailed`].
    pub fn identified(&self, attempt: AttemptId, identity: &Identity) -> Result<(), Error> {
        let imei = identity.imei.as_ref().filter(|_| !identity.has_default_imei());
        self.change(
            "UPDATE attempt SET before = ?, imei = coalesce(?, imei) WHERE id = ?",
            params![json!(identity).to_string(), imei, attempt],
        )
    }

    /// An attempt ends, and the message that tells of it is in the outbox. One that has ended already stays as it is.
    ///
    /// # Errors
    /// [`Kind::JournalFailed`].
    pub fn end_attempt(&self, attempt: AttemptId, outcome: &Outcome, flags: &[String]) -> Result<(), Error> {
        let before = outcome.before.as_ref();
        let error = outcome.error.as_ref();
        self.together(|transaction| {
            for (number, time) in (1_i64..).zip(&outcome.phases) {
                let of_phase = "UPDATE phase SET seconds = ? WHERE attempt = ? AND number = ?";
                transaction.execute(of_phase, params![time.seconds, attempt, number])?;
            }
            let ended = transaction.execute(
                "UPDATE attempt SET ended = ?, seconds = ?, place = ?, ordering_code = ?, imei = coalesce(?, imei), \
                 before = coalesce(?, before), after = ?, bytes = ?, verdict = ?, exit_code = ?, error_code = ?, error = ?, written = ?, \
                 flags = ? WHERE id = ? AND ended IS NULL",
                params![
                    now(),
                    outcome.seconds,
                    outcome.module,
                    outcome.ordering_code,
                    imei(outcome),
                    before.map(|identity| json!(identity).to_string()),
                    outcome.after.as_ref().map(|identity| json!(identity).to_string()),
                    i64::try_from(outcome.bytes).unwrap_or(i64::MAX),
                    word(&json!(outcome.verdict)),
                    outcome.exit_code,
                    error.map(|error| error.code),
                    error.map(|error| error.message.clone()),
                    json!(outcome.written).to_string(),
                    json!(flags).to_string(),
                    attempt,
                ],
            )?;
            match ended {
                0 => Ok(()),
                _ => outbox::add(transaction, attempt),
            }
        })
    }

    /// What is strange about a module of this IMEI: it has been here before.
    ///
    /// # Errors
    /// [`Kind::JournalFailed`].
    pub fn flags(&self, attempt: AttemptId, imei: &str, package_sha256: &str) -> Result<Vec<String>, Error> {
        let find = |condition: &str, wanted: &dyn rusqlite::ToSql| {
            let query = format!(
                "SELECT '`' || other.slot || '`, ' || other.began FROM attempt other, attempt this \
                 WHERE this.id = ?1 AND other.id != this.id AND other.imei = ?2 \
                 AND NOT (other.run = this.run AND other.slot = this.slot) AND {condition} \
                 ORDER BY other.id DESC LIMIT 1"
            );
            self.connection
                .query_row(&query, params![attempt, imei, wanted], |row| {
                    row.get::<_, String>(0)
                })
                .optional()
                .map_err(|why| failure(&self.file, &why.to_string()))
        };
        let twice = find(
            "(other.exit_code = 0 OR other.run = this.run) AND ?3 = ?3",
            &package_sha256,
        )?;
        let today = "date(other.began, 'localtime') = date(this.began, 'localtime')";
        let wrote = "json_extract(other.written, '$.state') IN ('partial', 'complete')";
        let other = find(
            &format!("other.package_sha256 != ?3 AND {today} AND {wrote}"),
            &package_sha256,
        )?;
        let twice = twice.map(|seen| format!("IMEI {imei} was flashed before: slot {seen}"));
        let other =
            other.map(|seen| format!("IMEI {imei} was written with another package today: slot {seen}"));
        Ok(twice.into_iter().chain(other).collect())
    }

    /// All of it or nothing. The outbox writes as well: who is to write says so before he reads.
    fn together(&self, work: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<()>) -> Result<(), Error> {
        Transaction::new_unchecked(&self.connection, TransactionBehavior::Immediate)
            .and_then(|transaction| {
                work(&transaction)?;
                transaction.commit()
            })
            .map_err(|why| failure(&self.file, &why.to_string()))
    }

    fn change(&self, sql: &str, values: impl rusqlite::Params) -> Result<(), Error> {
        self.connection
            .execute(sql, values)
            .map(drop)
            .map_err(|why| failure(&self.file, &why.to_string()))
    }
}

/// The IMEI of the module an outcome is about, unless it is a default of firmware images.
pub(super) fn imei(outcome: &Outcome) -> Option<String> {
    [&outcome.before, &outcome.after]
        .into_iter()
        .flatten()
        .filter(|identity| !identity.has_default_imei())
        .find_map(|identity| identity.imei.clone())
}

fn prepare(connection: &mut Connection) -> Result<(), String> {
    let words = |why: rusqlite::Error| why.to_string();
    connection.busy_timeout(PATIENCE).map_err(words)?;
    connection
        .pragma_update(None, "journal_mode", "WAL")
        .map_err(words)?;
    connection
        .pragma_update(None, "synchronous", "FULL")
        .map_err(words)?;
    connection
        .pragma_update(None, "foreign_keys", true)
        .map_err(words)?;
    schema::migrate(connection)
}

pub(super) fn failure(file: &Path, why: &str) -> Error {
    Error::new(
        Kind::JournalFailed,
        format!("the record `{}` cannot be kept or read: {why}", file.display()),
    )
}

/// The name that a unit variant is written as.
fn word(value: &serde_json::Value) -> Option<String> {
    value.as_str().map(str::to_owned)
}

pub(super) fn now() -> String {
    jiff::Timestamp::now()
        .strftime("%Y-%m-%dT%H:%M:%S.%3fZ")
        .to_string()
}

#[cfg(test)]
#[path = "journal_tests.rs"]
mod tests;
