//! The record: what stands in it whatever happens to the program.

use serde_json::Value;

use super::*;
use crate::identity::Source;

fn attempt(journal: &Journal, run: RunId, slot: &str) -> AttemptId {
    let beginning = Beginning {
        run,
        slot,
        number: 1,
        label: None,
        package: None,
    };
    journal.begin_attempt(&beginning).unwrap()
}

fn passed(imei: &str) -> Outcome {
    let mut outcome = Outcome::of_bug("none");
    outcome.exit_code = 0;
    outcome.written = crate::Written::Complete;
    outcome.before = Some(Identity::unknown(Source::At));
    outcome.before.as_mut().unwrap().imei = Some(imei.into());
    outcome
}

fn verdict(journal: &Journal, attempt: AttemptId) -> Option<String> {
    let query = "SELECT verdict FROM attempt WHERE id = ?";
    journal
        .connection
        .query_row(query, [attempt], |row| row.get(0))
        .unwrap()
}

#[test]
fn what_a_dead_program_has_left_open_was_interrupted() {
    let folder = tempfile::tempdir().unwrap();
    let journal = Journal::open(folder.path()).unwrap();
    assert!(is_at_work(folder.path()));
    assert_eq!(Journal::open(folder.path()).unwrap_err().kind, Kind::LinkBusy);
    let run = journal.begin_run("L", "S", None, "").unwrap();
    let (left, ended) = (attempt(&journal, run, "A"), attempt(&journal, run, "B"));
    journal.phase(left, Phase::Write).unwrap();
    journal.end_attempt(ended, &passed("1"), &[]).unwrap();
    drop(journal);
    assert!(!is_at_work(folder.path()));
    let journal = Journal::open(folder.path()).unwrap();
    assert_eq!(verdict(&journal, left).as_deref(), Some("interrupted"));
    assert_eq!(verdict(&journal, ended).as_deref(), Some("failed"));
}

#[test]
fn a_record_of_a_newer_version_is_not_touched() {
    let folder = tempfile::tempdir().unwrap();
    drop(Journal::open(folder.path()).unwrap());
    let connection = Connection::open(file_in(folder.path())).unwrap();
    connection.pragma_update(None, "user_version", 99).unwrap();
    drop(connection);
    let error = Journal::open(folder.path()).unwrap_err();
    assert_eq!(error.kind, Kind::JournalFailed);
    assert!(error.message.contains("version 99"), "{error}");
}

#[test]
fn a_module_that_has_been_here_before_is_flagged() {
    let folder = tempfile::tempdir().unwrap();
    let journal = Journal::open(folder.path()).unwrap();
    let run = journal.begin_run("L", "S", None, "").unwrap();
    let first = attempt(&journal, run, "A");
    journal
        .change("UPDATE attempt SET package_sha256 = 'one' WHERE id = ?", [first])
        .unwrap();
    journal.end_attempt(first, &passed("1"), &[]).unwrap();
    let again = attempt(&journal, run, "A");
    assert_eq!(journal.flags(again, "1", "two").unwrap(), Vec::<String>::new());
    let elsewhere = attempt(&journal, run, "B");
    let flags = journal.flags(elsewhere, "1", "two").unwrap();
    assert_eq!(flags.len(), 2, "{flags:?}");
    assert!(
        flags[0].starts_with("IMEI 1 was flashed before: slot `A`, 20"),
        "{flags:?}"
    );
    assert!(flags[1].contains("another package today"), "{flags:?}");
    assert_eq!(journal.flags(elsewhere, "1", "one").unwrap().len(), 1);
    assert_eq!(
        journal.flags(elsewhere, "2", "two").unwrap(),
        Vec::<String>::new()
    );
}

fn messages(journal: &Journal) -> Vec<(AttemptId, String, Value)> {
    let row = |row: &rusqlite::Row<'_>| {
        let document: String = row.get(2)?;
        Ok((row.get(0)?, row.get(1)?, serde_json::from_str(&document).unwrap()))
    };
    let mut query = journal
        .connection
        .prepare("SELECT attempt, id, document FROM message ORDER BY number")
        .unwrap();
    query.query_map([], row).unwrap().map(Result::unwrap).collect()
}

#[test]
fn each_attempt_that_ends_leaves_one_message() {
    let folder = tempfile::tempdir().unwrap();
    let journal = Journal::open(folder.path()).unwrap();
    let run = journal.begin_run("L", "S", Some("Ada"), "").unwrap();
    let (left, ended) = (attempt(&journal, run, "A"), attempt(&journal, run, "B"));
    journal.phase(left, Phase::Write).unwrap();
    assert!(messages(&journal).is_empty());
    journal
        .end_attempt(ended, &passed("1"), &["flag".into()])
        .unwrap();
    // A slot that was given up, and says a word after all.
    journal.end_attempt(ended, &passed("2"), &[]).unwrap();
    drop(journal);
    let journal = Journal::open(folder.path()).unwrap();
    drop(journal);
    let found = messages(&Journal::open(folder.path()).unwrap());
    assert_eq!(
        found.iter().map(|(attempt, ..)| *attempt).collect::<Vec<_>>(),
        [ended, left]
    );
    let (_, id, document) = &found[0];
    assert_eq!((&document["schema"], &document["id"]), (&1.into(), &json!(id)));
    let told = &document["attempt"];
    assert_eq!(
        (&told["imei"], &told["operator"], &told["slot"]),
        (&"1".into(), &"Ada".into(), &"B".into())
    );
    assert_eq!(
        (&told["flags"], &told["exit_code"]),
        (&json!(["flag"]), &0.into())
    );
    let told = &found[1].2["attempt"];
    assert_eq!(
        (&told["verdict"], &told["ended"]),
        (&"interrupted".into(), &Value::Null)
    );
    assert_eq!(
        (&told["written"]["state"], &told["phases"][0]["phase"]),
        (&"unknown".into(), &"write".into())
    );
}

#[test]
fn a_record_without_an_outbox_gets_one() {
    let folder = tempfile::tempdir().unwrap();
    drop(Journal::open(folder.path()).unwrap());
    let connection = Connection::open(file_in(folder.path())).unwrap();
    connection
        .execute_batch("DROP TABLE message; DROP TABLE destination; PRAGMA user_version = 1")
        .unwrap();
    connection
        .execute_batch(
            "INSERT INTO run VALUES (1, '', NULL, 'L', 'S', NULL, '', ''); \
             INSERT INTO attempt (run, slot, number, began) VALUES (1, 'A', 1, '')",
        )
        .unwrap();
    drop(connection);
    assert_eq!(messages(&Journal::open(folder.path()).unwrap()).len(), 1);
}
