//! The tables of the record, and the way from each version to the next.

use rusqlite::Connection;

/// Each entry brings the database to the next `user_version`. Entries are never changed, only added.
const MIGRATIONS: [&str; 2] = [RUNS, OUTBOX];

const RUNS: &str = "
CREATE TABLE run (
    id            INTEGER PRIMARY KEY,
    began         TEXT NOT NULL,
    ended         TEXT,
    line          TEXT NOT NULL,
    station       TEXT NOT NULL,
    operator      TEXT,
    tool_version  TEXT NOT NULL,
    configuration TEXT NOT NULL
);
CREATE TABLE attempt (
    id             INTEGER PRIMARY KEY,
    run            INTEGER NOT NULL REFERENCES run(id),
    slot           TEXT NOT NULL,
    number         INTEGER NOT NULL,
    began          TEXT NOT NULL,
    ended          TEXT,
    seconds        REAL,
    place          TEXT,
    label_oc       TEXT,
    label_imei     TEXT,
    label_sn       TEXT,
    package_sha256 TEXT,
    package_origin TEXT,
    ordering_code  TEXT,
    imei           TEXT,
    before         TEXT,
    after          TEXT,
    bytes          INTEGER NOT NULL DEFAULT 0,
    verdict        TEXT,
    exit_code      INTEGER,
    error_code     TEXT,
    error          TEXT,
    written        TEXT,
    flags          TEXT NOT NULL DEFAULT '[]'
);
CREATE INDEX attempt_imei ON attempt(imei);
CREATE INDEX attempt_began ON attempt(began);
CREATE TABLE phase (
    attempt INTEGER NOT NULL REFERENCES attempt(id),
    number  INTEGER NOT NULL,
    phase   TEXT NOT NULL,
    began   TEXT NOT NULL,
    seconds REAL,
    PRIMARY KEY (attempt, number)
) WITHOUT ROWID;
";

/// A message for each attempt that has ended, in the order in which they ended, and for each destination the number of
/// the last message that it has.
const OUTBOX: &str = "
CREATE TABLE message (
    number   INTEGER PRIMARY KEY AUTOINCREMENT,
    id       TEXT NOT NULL UNIQUE,
    attempt  INTEGER NOT NULL UNIQUE REFERENCES attempt(id),
    made     TEXT NOT NULL,
    document TEXT NOT NULL
);
CREATE TABLE destination (
    name      TEXT PRIMARY KEY,
    delivered INTEGER NOT NULL DEFAULT 0,
    tried     TEXT,
    error     TEXT
) WITHOUT ROWID;
";

/// Does the database have a place for messages?
pub(super) fn has_outbox(connection: &Connection) -> rusqlite::Result<bool> {
    let version: u32 = connection.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    Ok(version >= 2)
}

/// Brings the tables up to date.
///
/// # Errors
/// What is wrong: a database of a newer qpyflash, or SQLite's words.
pub(super) fn migrate(connection: &mut Connection) -> Result<(), String> {
    let words = |why: rusqlite::Error| why.to_string();
    let transaction = connection
        .transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)
        .map_err(words)?;
    let version: u32 = transaction
        .query_row("PRAGMA user_version", [], |row| row.get(0))
        .map_err(words)?;
    let Some(missing) = MIGRATIONS.get(version as usize..) else {
        return Err(format!(
            "it has version {version}, this qpyflash knows {}: use the newer qpyflash that wrote it",
            MIGRATIONS.len()
        ));
    };
    for (next, migration) in (version + 1..).zip(missing) {
        transaction.execute_batch(migration).map_err(words)?;
        transaction
            .pragma_update(None, "user_version", next)
            .map_err(words)?;
    }
    transaction.commit().map_err(words)
}
