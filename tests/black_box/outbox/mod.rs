//! The outbox of a station: what the plant's network gets, whatever happens to it, to the program and to the host.

mod broker;
mod kills;
mod mqtt;
mod service;
mod web;

use std::path::Path;
use std::sync::{Arc, Condvar, Mutex};

use rusqlite::{Connection, OpenFlags};
use serde_json::Value;

use crate::bench::{Bench, PATIENCE};
use crate::harness::Ended;

/// A message as it arrived.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Arrival {
    /// The topic, or the first line of the request.
    pub place: String,
    /// The id beside the message.
    pub id: String,
    pub body: Value,
}

/// Messages in the order in which they arrived, and how many of the last may come again: one at most is on its way to
/// us, but a broker that restarts may repeat whatever it has not seen acknowledged.
#[derive(Clone)]
pub struct Received(Arc<(Mutex<Vec<Arrival>>, Condvar)>, usize);

impl Received {
    pub fn new(again: usize) -> Self {
        Received(Arc::default(), again)
    }

    fn add(&self, place: &str, id: &str, body: Value) {
        let (place, id) = (place.to_owned(), id.to_owned());
        self.0.0.lock().unwrap().push(Arrival { place, id, body });
        self.0.1.notify_all();
    }

    pub fn all(&self) -> Vec<Arrival> {
        self.0.0.lock().unwrap().clone()
    }

    /// Waits until the message with this id has arrived.
    #[track_caller]
    pub fn wait_for(&self, id: &str) {
        let missing = |arrived: &mut Vec<Arrival>| !arrived.iter().any(|one| one.id == id);
        let arrived = self.0.0.lock().unwrap();
        let (arrived, _) = self.0.1.wait_timeout_while(arrived, PATIENCE, missing).unwrap();
        assert!(
            arrived.iter().any(|one| one.id == id),
            "{id} has not arrived: {arrived:#?}"
        );
    }

    /// Waits until every one of these messages has arrived.
    #[track_caller]
    pub fn wait_for_all(&self, messages: &[Kept]) -> Vec<Arrival> {
        self.wait_for(&messages[messages.len() - 1].id);
        let arrived = self.all();
        assert_delivered(messages, &arrived, self.1);
        arrived
    }
}

/// A message as it is kept.
#[derive(Debug, Clone)]
pub struct Kept {
    pub attempt: i64,
    pub id: String,
    pub document: Value,
}

/// Every message has arrived, in order and as it is kept; after one came the next, or again one of the last so many.
#[track_caller]
pub fn assert_delivered(messages: &[Kept], arrived: &[Arrival], again: usize) {
    let mut next = 0;
    for one in arrived {
        let number = messages
            .iter()
            .position(|message| message.id == one.id)
            .unwrap_or_else(|| panic!("{one:?} is not in the record"));
        assert!(
            number <= next && number + again >= next,
            "message {number} after {next} others"
        );
        assert_eq!(one.body, messages[number].document);
        next = next.max(number + 1);
    }
    assert_eq!(next, messages.len(), "not everything has arrived");
}

/// The messages in a record, in order. What must be so of every record is asserted.
#[track_caller]
pub fn messages(database: &Path) -> Vec<Kept> {
    let connection = Connection::open_with_flags(database, OpenFlags::SQLITE_OPEN_READ_WRITE).unwrap();
    let sound: String = connection
        .query_row("PRAGMA integrity_check", [], |row| row.get(0))
        .unwrap();
    assert_eq!(sound, "ok");
    let count = |query: &str| -> i64 { connection.query_row(query, [], |row| row.get(0)).unwrap() };
    let foreign = "SELECT count(*) FROM pragma_foreign_key_check";
    assert_eq!(count(foreign), 0);
    // An attempt has a message exactly when it is over.
    let differs = "SELECT count(*) FROM attempt LEFT JOIN message ON message.attempt = attempt.id \
                   WHERE (attempt.verdict IS NULL) != (message.id IS NULL)";
    assert_eq!(count(differs), 0);
    let half = "SELECT count(*) FROM attempt WHERE verdict IS NOT NULL AND verdict != 'interrupted' AND \
                (ended IS NULL OR exit_code IS NULL OR written IS NULL)";
    assert_eq!(count(half), 0);
    let mut query = connection
        .prepare("SELECT attempt, id, document FROM message ORDER BY number")
        .unwrap();
    let kept = |row: &rusqlite::Row<'_>| {
        let (attempt, id, document): (i64, String, String) = (row.get(0)?, row.get(1)?, row.get(2)?);
        let document: Value = serde_json::from_str(&document).unwrap();
        assert_eq!(
            (&document["id"], &document["attempt"]["id"]),
            (&id.as_str().into(), &attempt.into())
        );
        Ok(Kept {
            attempt,
            id,
            document,
        })
    };
    query.query_map([], kept).unwrap().map(Result::unwrap).collect()
}

pub fn database(bench: &Bench) -> std::path::PathBuf {
    bench.path().join("state/journal.sqlite3")
}

/// A station whose slots are empty, which makes an attempt each without a module.
pub fn empty_station(bench: &Bench, slots: usize, publish: &str) {
    let names: Vec<(String, String)> = (1..=slots).map(|n| (format!("S{n}"), format!("1-{n}"))).collect();
    let slots: Vec<(&str, &str, &str)> = names
        .iter()
        .map(|(name, path)| (name.as_str(), path.as_str(), "EC600NCNLA"))
        .collect();
    crate::fixture::station(
        bench,
        "retries = 0\nparallel = 1",
        &slots,
        &[("EC600NCNLA", "fw.zip")],
    );
    add(bench, publish);
}

/// Adds to the file of the station.
pub fn add(bench: &Bench, text: &str) {
    let old = std::fs::read_to_string(bench.path().join("fixture.toml")).unwrap();
    bench.file("fixture.toml", old + text);
}

/// `qpyflash fixture …`, which must end with this code.
#[track_caller]
pub fn fixture(bench: &Bench, line: &str, code: i32) -> Ended {
    let ended = bench.say(&format!("fixture {line}")).end();
    assert_eq!(ended.code, Some(code), "{ended:#?}");
    ended
}

/// What waits for a destination, by `fixture report`.
#[track_caller]
pub fn waiting(bench: &Bench, destination: &str) -> Value {
    let report = fixture(bench, "report --json", 0).json();
    let all = report["outbox"].as_array().unwrap();
    all.iter()
        .find(|one| one["destination"] == destination)
        .unwrap()
        .clone()
}

/// No file of the station's record, and nothing that was said, has the secret in it.
#[track_caller]
pub fn assert_secret(bench: &Bench, said: &[&Ended], secret: &str) {
    let holds = |bytes: &[u8]| {
        bytes
            .windows(secret.len())
            .any(|window| window == secret.as_bytes())
    };
    for ended in said {
        assert!(!holds(format!("{ended:?}").as_bytes()), "{ended:#?}");
    }
    for entry in std::fs::read_dir(bench.path().join("state")).unwrap() {
        let path = entry.unwrap().path();
        assert!(
            !path.is_file() || !holds(&std::fs::read(&path).unwrap()),
            "{}",
            path.display()
        );
    }
}
