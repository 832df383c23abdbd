//! What was found on a board becomes a test: recordings are imported, and said again.

use std::fs;
use std::path::{Path, PathBuf};

use crate::desk::Desk;

/// Every bundle that was imported into this repository.
#[test]
fn every_imported_recording_is_said_again_as_it_was() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("replays");
    let bundles: Vec<PathBuf> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    assert!(!bundles.is_empty());
    let bundles: Vec<&str> = bundles.iter().map(|path| path.to_str().unwrap()).collect();
    let ended = Desk::with("asr1603", "").evb(&[&["replay"], &bundles[..]].concat());
    assert_eq!(ended.code, Some(0), "{}\n{}", ended.stdout, ended.stderr);
    assert!(ended.stdout.contains("0 differ, 0 skipped"), "{}", ended.stdout);
}

#[test]
fn recordings_of_a_report_become_tests_that_can_fail() {
    for kind in ["asr1603", "uis8850", "ec618"] {
        let desk = Desk::with(kind, "");
        let ended = desk.play(&["--scenario", "refuse-label", "--scenario", "unplug"]);
        assert_eq!(ended.code, Some(0), "{}\n{}", ended.stdout, ended.stderr);
        let ended = desk.evb(&["import", "report", "-o", "replays/mine"]);
        assert_eq!(ended.code, Some(0), "{}\n{}", ended.stdout, ended.stderr);
        assert!(!ended.stdout.contains("left out"), "{}", ended.stdout);
        let ended = desk.evb(&["replay", "replays/mine"]);
        assert_eq!(ended.code, Some(0), "{}\n{}", ended.stdout, ended.stderr);
        assert!(ended.stdout.contains("0 differ, 0 skipped"), "{}", ended.stdout);

        // What the program once sent was other than what it sends now.
        let trace = desk
            .path()
            .join("replays/mine/traces/02-unplug-02-write-recover.jsonl");
        let text = fs::read_to_string(&trace).unwrap();
        let ours = text
            .lines()
            .filter(|line| line.contains("to-module"))
            .nth(6)
            .unwrap();
        let (head, tail) = ours.split_once("\"hex\":\"").unwrap();
        let other = if tail.starts_with('0') { "1" } else { "0" };
        let changed = text.replacen(ours, &format!("{head}\"hex\":\"{other}{}", &tail[1..]), 1);
        fs::write(&trace, changed).unwrap();
        let ended = desk.evb(&["replay", "replays/mine"]);
        assert_eq!(ended.code, Some(1), "{kind}: {}", ended.stdout);
        assert!(ended.stdout.contains("1 differ"), "{}", ended.stdout);

        fs::remove_dir_all(desk.path().join("replays/mine/packages")).unwrap();
        let ended = desk.evb(&["replay", "replays/mine"]);
        assert!(ended.stdout.contains("is needed"), "{}", ended.stdout);
    }
}
