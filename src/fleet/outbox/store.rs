//! Messages in the record, and how far each destination has come.

use std::fs::{File, OpenOptions, TryLockError};
use std::path::Path;

use rusqlite::{Connection, OpenFlags, OptionalExtension, params};
use serde::Serialize;
use serde_json::{Value, json};
use uuid::Uuid;

use super::SCHEMA;
use super::settings::Publish;
use crate::error::Error;
use crate::fleet::journal::{AttemptId, PATIENCE, failure, file_in, now};
use crate::fleet::{report, schema};

/// Adds the message of an attempt that has just ended, in the transaction that ends it.
pub(in crate::fleet) fn add(connection: &Connection, attempt: AttemptId) -> rusqlite::Result<()> {
    let id = Uuid::new_v4().to_string();
    let told = report::attempt_that_ended(connection, attempt)?;
    let document = json!({ "schema": SCHEMA, "id": id, "attempt": told }).to_string();
    connection
        .execute(
            "INSERT INTO message (id, attempt, made, document) VALUES (?, ?, ?, ?)",
            params![id, attempt, now(), document],
        )
        .map(drop)
}

/// What a destination has not got yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Waiting {
    /// `mqtt` or `http`.
    pub destination: &'static str,
    /// Messages that it has not got.
    pub messages: u64,
    /// When the oldest of them was made, UTC.
    pub since: Option<String>,
    /// When it was last tried in vain, UTC; nothing once it has worked since.
    pub tried: Option<String>,
    /// What was wrong then.
    pub error: Option<String>,
}

/// What waits for each destination of a station.
///
/// # Errors
/// [`JournalFailed`](crate::Kind::JournalFailed) when there is no record, or it cannot be read.
pub fn waiting(state: &Path, publish: &Publish) -> Result<Vec<Waiting>, Error> {
    let file = file_in(state);
    let read = || -> rusqlite::Result<Vec<Waiting>> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(&file, flags)?;
        connection.busy_timeout(PATIENCE)?;
        if !schema::has_outbox(&connection)? {
            return Ok(Vec::new());
        }
        publish
            .destinations()
            .map(|name| waiting_for(&connection, name))
            .collect()
    };
    read().map_err(|why| failure(&file, &why.to_string()))
}

fn waiting_for(connection: &Connection, destination: &'static str) -> rusqlite::Result<Waiting> {
    let (delivered, tried, error) = connection
        .query_row(
            "SELECT delivered, tried, error FROM destination WHERE name = ?",
            [destination],
            |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)),
        )
        .optional()?
        .unwrap_or((0_i64, None, None));
    let count = "SELECT count(*), min(made) FROM message WHERE number > ?";
    connection.query_row(count, [delivered], |row| {
        Ok(Waiting {
            destination,
            messages: row.get::<_, i64>(0)?.unsigned_abs(),
            since: row.get(1)?,
            tried,
            error,
        })
    })
}

/// A message on its way.
#[derive(Debug)]
pub(super) struct Message {
    pub number: i64,
    /// The same whenever the message is sent.
    pub id: String,
    /// The bytes that are sent: a JSON document.
    pub document: String,
}

impl Message {
    /// The attempt it tells of.
    pub fn attempt(&self) -> Value {
        let mut document: Value = serde_json::from_str(&self.document).unwrap_or_default();
        document.get_mut("attempt").map(Value::take).unwrap_or_default()
    }
}

/// The messages for one destination. Only one program at a time holds it, so that they stay in order.
pub(super) struct Queue {
    connection: Connection,
    destination: &'static str,
    _lock: File,
}

impl Queue {
    /// Opens it; nothing while there is no record, or another program holds it.
    ///
    /// # Errors
    /// What the operating system or SQLite says.
    pub fn open(state: &Path, destination: &'static str) -> Result<Option<Self>, String> {
        let words = |why: rusqlite::Error| why.to_string();
        let file = file_in(state);
        if !file.exists() {
            return Ok(None);
        }
        let lock = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(state.join(format!("{destination}.lock")))
            .map_err(|why| why.to_string())?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Ok(None),
            Err(TryLockError::Error(why)) => return Err(why.to_string()),
        }
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(file, flags).map_err(words)?;
        connection.busy_timeout(PATIENCE).map_err(words)?;
        if !schema::has_outbox(&connection).map_err(words)? {
            return Ok(None);
        }
        // In WAL mode this keeps the database whole and waits for no disk, so that a slot never waits for a courier. A
        // power cut may undo that a message was delivered: it is delivered again.
        connection
            .pragma_update(None, "synchronous", "NORMAL")
            .map_err(words)?;
        Ok(Some(Queue {
            connection,
            destination,
            _lock: lock,
        }))
    }

    /// The oldest message that the destination has not got.
    pub fn next(&self) -> rusqlite::Result<Option<Message>> {
        let next = "SELECT number, id, document FROM message WHERE number > \
                    coalesce((SELECT delivered FROM destination WHERE name = ?), 0) ORDER BY number LIMIT 1";
        self.connection
            .prepare_cached(next)?
            .query_row([self.destination], |row| {
                Ok(Message {
                    number: row.get(0)?,
                    id: row.get(1)?,
                    document: row.get(2)?,
                })
            })
            .optional()
    }

    /// The destination has this message, and all before it.
    pub fn delivered(&self, message: &Message) -> rusqlite::Result<()> {
        self.connection
            .prepare_cached(
                "INSERT INTO destination (name, delivered) VALUES (?, ?) ON CONFLICT(name) DO UPDATE \
                 SET delivered = excluded.delivered, tried = NULL, error = NULL",
            )?
            .execute(params![self.destination, message.number])
            .map(drop)
    }

    /// The destination was tried in vain.
    pub fn failed(&self, why: &str) -> rusqlite::Result<()> {
        self.connection
            .prepare_cached(
                "INSERT INTO destination (name, tried, error) VALUES (?, ?, ?) ON CONFLICT(name) DO UPDATE \
                 SET tried = excluded.tried, error = excluded.error",
            )?
            .execute(params![self.destination, now(), why])
            .map(drop)
    }
}
