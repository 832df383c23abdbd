//! Every scenario on a virtual module of every platform.

use std::fs;

use crate::desk::{Desk, scenario};

/// Plays the whole catalogue and looks at what must hold beyond that it passed.
#[track_caller]
fn plays_all(kind: &str, keeps: &[&str]) {
    let desk = Desk::with(kind, "");
    let ended = desk.play(&["--cycles", "3"]);
    assert_eq!(ended.code, Some(0), "{}\n{}", ended.stdout, ended.stderr);
    let results = desk.results();
    assert_eq!(results["passed"], true);
    for one in results["scenarios"].as_array().unwrap() {
        let wanted = if one["name"] == "wrong-speed" {
            "skipped"
        } else {
            "passed"
        };
        assert_eq!(one["verdict"], wanted, "{one:#}");
    }
    assert_eq!(scenario(&results, "soak")["cycles"], 3);
    let soak = scenario(&results, "soak");
    assert_eq!(soak["rates"].as_array().unwrap().len(), 3);
    let figure = soak["figure"].as_str().unwrap();
    assert!(
        figure.starts_with("3 writes at") && figure.ends_with("% of the line"),
        "{figure}"
    );
    let mut kept: Vec<&str> = results["backups"]
        .as_array()
        .unwrap()
        .iter()
        .map(|file| {
            let file = file.as_str().unwrap();
            assert!(fs::metadata(file).unwrap().len() > 0, "{file}");
            file.rsplit('-').next().unwrap()
        })
        .collect();
    kept.sort_unstable();
    assert_eq!(kept, keeps);
}

#[test]
fn asr1603() {
    plays_all("asr1603", &[]);
}

#[test]
fn uis8910() {
    plays_all("uis8910", &["nv.bin"]);
}

#[test]
fn uis8850() {
    plays_all("uis8850", &["nv.bin"]);
}

#[test]
fn ec618() {
    plays_all("ec618", &["rf.bin"]);
}

#[test]
fn ec618_on_a_uart() {
    let desk = Desk::with("ec618-uart", "");
    let ended = desk.play(&["--scenario", "wrong-speed"]);
    assert_eq!(ended.code, Some(0), "{}\n{}", ended.stdout, ended.stderr);
    assert_eq!(scenario(&desk.results(), "wrong-speed")["verdict"], "passed");
}
