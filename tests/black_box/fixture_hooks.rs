//! Commands that a station runs before and after its modules, and itself.

use std::time::{Duration, Instant};

use qpyflash_virtual::AsrModule;
use serde_json::Value;

use crate::bench::{Bench, Untouched};
use crate::fixture::{asr, expect, imei, report, slot, station};
use crate::fixture_loop::{CODE, asks, ends, unplug};

#[test]
fn hooks_get_the_slot_and_a_failing_one_keeps_the_module_untouched() {
    let bench = Bench::new();
    let code = "EC600NCNLA";
    let module = bench.attach(asr("1-1", 1));
    let untouched = Untouched::now(&module);
    station(&bench, "", &[("A", "1-1", code)], &[(code, "fw.zip")]);
    let text = std::fs::read_to_string(bench.path().join("fixture.toml")).unwrap();
    bench.file("fixture.toml", format!("{text}[hooks]\nbefore = [\"false\"]\n"));
    let outcome = bench.say("fixture run --json").end().json();
    expect(&outcome, "A", 4, "hook.failed", "nothing");
    untouched.assert();
    bench.file(
        "fixture.toml",
        format!("{text}[hooks]\nstart = [\"false\"]\nend = [\"sh\", \"-c\", \"cat > end\"]\n"),
    );
    let ended = bench.say("fixture run --json").end();
    assert_eq!(
        (ended.code, &ended.json()["error"]["code"]),
        (Some(4), &"hook.failed".into())
    );
    let end = std::fs::read(bench.path().join("end")).unwrap();
    let end: Value = serde_json::from_slice(&end).unwrap();
    assert_eq!((&end["hook"], &end["exit_code"]), (&"end".into(), &4.into()));
    untouched.assert();
    let hooks =
        "[hooks]\nbefore = [\"sh\", \"-c\", \"cat > before\"]\nafter = [\"sh\", \"-c\", \"cat > after\"]\n";
    bench.file("fixture.toml", format!("{text}{hooks}"));
    let began = Instant::now();
    for flags in [0, 1] {
        let outcome = bench.say("fixture run --json").end().json();
        expect(&outcome, "A", 0, "", "complete");
        let seen = slot(&outcome, "A")["warnings"].to_string();
        assert_eq!(seen.matches("was flashed before").count(), flags, "{seen}");
    }
    assert!(began.elapsed() < Duration::from_secs(60));
    let document = |name: &str| -> Value {
        serde_json::from_slice(&std::fs::read(bench.path().join(name)).unwrap()).unwrap()
    };
    assert_eq!(
        (&document("before")["slot"], &document("before")["pass"]),
        (&"A".into(), &Value::Null)
    );
    assert_eq!(document("after")["outcome"]["verdict"], "confirmed");

    let failing = "[hooks]\nafter = [\"false\"]\n";
    bench.file("fixture.toml", format!("{text}{failing}"));
    let outcome = bench.say("fixture run --json").end().json();
    expect(&outcome, "A", 11, "hook.failed", "complete");
    let recorded = &report(&bench, "")["attempts"];
    let last = recorded
        .as_array()
        .unwrap()
        .iter()
        .max_by_key(|attempt| attempt["id"].as_i64());
    let last = last.unwrap();
    assert_eq!(
        (&last["verdict"], &last["error_code"]),
        (&"failed".into(), &"hook.failed".into()),
        "{last:#}"
    );
}

#[test]
fn ctrl_c_while_the_station_starts_is_heard_before_a_module_is_touched() {
    let bench = Bench::new();
    let code = "EC600NCNLA";
    let module = bench.attach(asr("1-1", 1));
    let untouched = Untouched::now(&module);
    station(&bench, "", &[("A", "1-1", code)], &[(code, "fw.zip")]);
    let text = std::fs::read_to_string(bench.path().join("fixture.toml")).unwrap();
    let hooks = "start = [\"sh\", \"-c\", \"kill -INT $PPID\"]\nend = [\"sh\", \"-c\", \"cat > end\"]\n";
    bench.file("fixture.toml", format!("{text}[hooks]\n{hooks}"));
    let outcome = bench.say("fixture run --json").end().json();
    expect(&outcome, "A", 130, "interrupted", "nothing");
    untouched.assert();
    assert!(bench.path().join("end").exists());
    assert_eq!(report(&bench, "")["attempts"][0]["verdict"], "interrupted");
}

#[test]
fn hooks_hear_of_the_station_and_of_every_module() {
    let bench = Bench::new();
    station(
        &bench,
        "empty_seconds = 1",
        &[("A", "1-1", CODE)],
        &[(CODE, "fw.zip")],
    );
    let text = std::fs::read_to_string(bench.path().join("fixture.toml")).unwrap();
    let hook = |name: &str| format!("{name} = [\"sh\", \"-c\", \"cat >> heard; echo >> heard\"]\n");
    let hooks: String = ["start", "before", "after", "end"].map(hook).concat();
    bench.file("fixture.toml", format!("{text}[hooks]\n{hooks}"));
    let wrong = bench.attach(AsrModule::builder("EC600NCNLFR01A01M16").topology("1-1"));
    let mut running = bench.say("fixture run --loop --jsonl").start();
    ends(&mut running, "A", 1);
    unplug(wrong);
    asks(&mut running, "A", 1, "module");
    let _right = bench.attach(asr("1-1", 1));
    ends(&mut running, "A", 2);
    running.interrupt();
    let ended = running.end();
    assert_eq!(ended.code, Some(6), "{ended:#?}");
    let heard = std::fs::read_to_string(bench.path().join("heard")).unwrap();
    let heard: Vec<Value> = heard
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let names: Vec<_> = heard.iter().map(|one| one["hook"].as_str().unwrap()).collect();
    assert_eq!(names, ["start", "before", "after", "before", "after", "end"]);
    assert_eq!(heard[0]["slots"][0], "A");
    assert_eq!((&heard[2]["unit"], &heard[2]["pass"]), (&1.into(), &false.into()));
    assert_eq!((&heard[4]["unit"], &heard[4]["pass"]), (&2.into(), &true.into()));
    assert_eq!(heard[4]["outcome"]["before"]["imei"], imei(1));
    assert_eq!(
        (
            &heard[5]["exit_code"],
            &heard[5]["slots"][0]["passed"],
            &heard[5]["slots"][0]["failed"]
        ),
        (&6.into(), &1.into(), &1.into())
    );
}
