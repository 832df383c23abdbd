//! What goes where: stdout holds the result and nothing else, stderr everything for a person.

use std::process::Stdio;

use qpyflash_virtual::AsrModule;
use serde_json::Value;

use crate::bench::{Bench, NEW, OLD, PATIENCE, Untouched, assert_holds, firmware};
use crate::harness::each;

#[test]
fn every_command_prints_one_object_with_json() {
    let bench = Bench::new();
    let _module = bench.attach(AsrModule::builder(OLD));
    for line in [
        "list",
        "identify",
        "inspect fw.zip",
        "check fw.zip",
        "resolve --oc EC600NCNLA fw.zip",
        "unpack fw.zip -o out",
        "write fw.zip",
    ] {
        let ended = bench.say(&format!("{line} --json")).end();
        assert_eq!(ended.code, Some(0), "{ended:#?}");
        assert_eq!(ended.json()["schema"], 1, "{line}");
    }
}

#[test]
fn the_stream_of_a_write_names_every_phase_and_counts_every_byte() {
    let bench = Bench::new();
    let _module = bench.attach(AsrModule::builder(OLD));
    let ended = bench.say("write fw.zip --jsonl").end();
    ended.expect_written("confirmed");
    assert_eq!(ended.stderr, "");
    let events = ended.events();
    let phases: Vec<&str> = events
        .iter()
        .filter(|event| event["kind"] == "phase_started")
        .map(|event| event["phase"].as_str().unwrap())
        .collect();
    assert_eq!(
        phases,
        [
            "resolve",
            "find",
            "identify",
            "clear",
            "enter-download",
            "sync",
            "check-chip",
            "load-helper",
            "write",
            "verify",
            "reset",
            "confirm"
        ]
    );
    let done = |event: &&Value| event["kind"] == "phase_done";
    assert_eq!(events.iter().filter(done).count(), phases.len());
    for image in ["bootloader.ubi", "cp.bin", "system.img", "updater.bin"] {
        let last = events.iter().rfind(|event| event["image"] == image).unwrap();
        let size = firmware().member(image).unwrap().len();
        assert_eq!(
            (&last["done"], &last["total"]),
            (&Value::from(size), &Value::from(size))
        );
    }
    let times: Vec<f64> = events.iter().map(|event| event["t"].as_f64().unwrap()).collect();
    assert!(times.is_sorted());
    assert_eq!(events.last().unwrap()["slot"], "1-4.2");
}

#[test]
fn the_stream_of_a_failure_ends_with_finished_too() {
    let bench = Bench::new();
    for (line, code, error) in [
        ("write missing.zip", 3, "package.unreadable"),
        ("write fw.zip", 4, "module.missing"),
        ("check fw.zip --oc EC600NCNLF", 6, "refused.submodel"),
    ] {
        bench
            .say(&format!("{line} --jsonl"))
            .end()
            .expect(code, error, "nothing");
    }
}

#[test]
fn a_person_sees_the_result_on_stdout_and_the_progress_on_stderr() {
    let bench = Bench::new();
    let module = bench.attach(AsrModule::builder(OLD));
    let ended = bench.say("write fw.zip").end();
    assert_eq!(ended.code, Some(0), "{ended:#?}");
    let lines: Vec<&str> = ended.stdout.lines().collect();
    assert_eq!(lines.len(), 2, "{ended:#?}");
    assert!(lines[0].starts_with("written: `"), "{ended:#?}");
    assert_eq!(
        lines[1],
        format!("confirmed: the module was `{OLD}` and reports `{NEW}` now")
    );
    for words in [
        "entering download mode",
        "writing",
        "cp.bin",
        "warning: the application on the module",
    ] {
        assert!(ended.stderr.contains(words), "{words}\n{}", ended.stderr);
    }
    assert!(
        !ended.stderr.contains('\x1b'),
        "colours go to terminals only: {ended:#?}"
    );

    let loud = bench.say("write fw.zip -v --color always").end();
    assert_eq!(loud.code, Some(0), "{loud:#?}");
    assert!(loud.stderr.contains("program \"cp\" done"), "{}", loud.stderr);
    assert!(loud.stderr.contains('\x1b'));
    let quiet = bench.say("check fw.zip --quiet").end();
    assert_eq!((quiet.code, quiet.stderr.as_str()), (Some(0), ""));
    assert_eq!(module.revision().as_deref(), Some(NEW));
}

#[test]
fn the_trace_holds_every_byte_of_the_exchange() {
    let bench = Bench::new();
    let module = bench.attach(AsrModule::builder(OLD));
    bench
        .say("write fw.zip --json --trace trace.jsonl --no-verify")
        .end()
        .expect_written("written-unasked");
    let trace = std::fs::read_to_string(bench.path().join("trace.jsonl")).unwrap();
    let entries: Vec<Value> = trace
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(entries[0]["kind"], "qpyflash-trace");
    let sent: usize = entries
        .iter()
        .filter(|entry| entry["direction"] == "to-module")
        .map(|entry| entry["hex"].as_str().unwrap().len() / 2)
        .sum();
    let counters = module.counters();
    assert_eq!(sent as u64, counters.at_bytes + counters.download_bytes);
}

#[test]
fn a_reader_that_goes_away_does_not_stop_a_write() {
    each(&["--jsonl", "--json", "-vv"], |options| {
        let bench = Bench::new();
        let module = bench.attach(AsrModule::builder(OLD));
        let mut command = bench.say(&format!("write fw.zip {options}")).0;
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        drop((child.stdout.take(), child.stderr.take()));
        module.wait_for_revision(NEW, PATIENCE).unwrap();
        assert_eq!(child.wait().unwrap().code(), Some(0));
        assert_holds(&module, firmware());
    });
}

#[test]
fn the_environment_stands_for_options_and_an_option_beats_it() {
    let bench = Bench::new();
    let module = bench.attach(AsrModule::builder(OLD).starts_in_download());
    let in_environment = |line: &str, code: &str| {
        let mut run = bench.say(line);
        run.0.env("QPYFLASH_OC", code).env("QPYFLASH_PATH", "1-4.2");
        run.end()
    };
    let ended = in_environment("write fw.zip --json", "EC600NCNLF");
    ended.expect(6, "refused.submodel", "nothing");
    let ended = in_environment("write fw.zip --json --oc EC600NCNLF", "EC600NCNLA");
    ended.expect(6, "refused.submodel", "nothing");
    assert_eq!(module.bytes_received_in_download_mode(), 0);
    in_environment("write fw.zip --json --oc EC600NCNLA", "EC600NCNLF").expect_written("confirmed");
    assert_holds(&module, firmware());
}

#[test]
fn what_is_asked_about_the_program_itself_is_answered_on_stdout() {
    let bench = Bench::new();
    for (line, words) in [
        ("--version", "qpyflash 0"),
        ("--help", "Exit codes:"),
        ("write --help", "--before"),
        ("udev", "ATTRS{idVendor}"),
        ("completions bash", "_qpyflash"),
        ("man", ".TH qpyflash"),
    ] {
        let ended = bench.say(line).end();
        assert_eq!(ended.code, Some(0), "{ended:#?}");
        assert!(ended.stdout.contains(words), "{line}\n{}", ended.stdout);
    }
}

#[test]
fn the_demo_refuses_and_writes_on_a_bus_of_its_own() {
    let bench = Bench::new();
    let bystander = bench.attach(AsrModule::builder(OLD));
    let untouched = Untouched::now(&bystander);
    let ended = bench.say("demo --speed instant --json").scale("1").end();
    assert_eq!(ended.code, Some(0), "{ended:#?}");
    let shown = ended.json();
    assert_eq!(shown["refusal"]["error"]["code"], "refused.submodel");
    assert_eq!(shown["write"]["verdict"], "confirmed");
    untouched.assert();
    assert_eq!(bystander.counters().at_bytes, 0);
}
