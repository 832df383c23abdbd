//! Every scenario on a virtual module of every platform.

use std::fs;
use std::path::Path;
use std::thread;

use crate::desk::{Desk, scenario};

/// Desks that share a catalogue; the scenarios mostly wait.
const DESKS: usize = 4;

/// Plays the whole catalogue and looks at what must hold beyond that it passed.
#[track_caller]
fn plays_all(kind: &str, keeps: &[&str]) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios");
    let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let names: Vec<String> = files
        .map(|file| file.file_stem().unwrap().to_str().unwrap().to_owned())
        .collect();
    assert!(names.len() > DESKS);
    thread::scope(|scope| {
        let desks: Vec<_> = (0..DESKS)
            .map(|first| {
                let names = names.iter().skip(first).step_by(DESKS);
                scope.spawn(move || plays(kind, names, keeps))
            })
            .collect();
        let played: usize = desks.into_iter().map(|desk| desk.join().unwrap()).sum();
        assert_eq!(played, names.len());
    });
}

/// Plays these scenarios at one desk, and returns how many there were.
#[track_caller]
fn plays<'n>(kind: &str, names: impl Iterator<Item = &'n String>, keeps: &[&str]) -> usize {
    let desk = Desk::with(kind, "");
    let mut arguments = vec!["--cycles", "3"];
    arguments.extend(names.flat_map(|name| ["--scenario", name]));
    let ended = desk.play(&arguments);
    assert_eq!(ended.code, Some(0), "{}\n{}", ended.stdout, ended.stderr);
    let results = desk.results();
    assert_eq!(results["passed"], true);
    let scenarios = results["scenarios"].as_array().unwrap();
    for one in scenarios {
        let wanted = if one["name"] == "wrong-speed" {
            "skipped"
        } else {
            "passed"
        };
        assert_eq!(one["verdict"], wanted, "{one:#}");
        if one["name"] == "soak" {
            assert_eq!(one["cycles"], 3);
            assert_eq!(one["rates"].as_array().unwrap().len(), 3);
            let figure = one["figure"].as_str().unwrap();
            assert!(
                figure.starts_with("3 writes at") && figure.ends_with("% of the line"),
                "{figure}"
            );
        }
    }
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
    scenarios.len()
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
