//! A station that goes on: one module after the other is plugged into a slot, flashed and unplugged.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::time::Duration;

use qpyflash_virtual::{AsrModule, Effect, Fault, LinkModel, Mode, Point};
use rusqlite::Connection;
use rustix::fs::{Mode as FileMode, OFlags};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::bench::{Bench, PATIENCE, Untouched, assert_holds, firmware};
use crate::fixture::{asr, imei, report, station};
use crate::harness::{Ended, Running};
use crate::pty;

pub const CODE: &str = "EC600NCNLA";

pub fn is_of(event: &Value, slot: &str, kind: &str) -> bool {
    event["slot"] == slot && event["kind"] == kind
}

/// Waits until the slot asks for something that many times.
pub fn asks(running: &mut Running, slot: &str, nth: usize, what: &str) {
    running.wait_for_nth(nth, |event| is_of(event, slot, "waiting") && event["for"] == what);
}

/// Waits until that module of a slot has ended, and its restarted firmware has been let go of.
pub fn ends(running: &mut Running, slot: &str, unit: u64) {
    running.wait_for_nth(1, |event| is_of(event, slot, "finished") && event["unit"] == unit);
}

pub fn unplug(module: AsrModule) {
    module.detach();
    module.wait_for_mode(Mode::Off, PATIENCE).unwrap();
}

fn slow() -> LinkModel {
    LinkModel {
        bytes_per_second: Some(400_000),
        ..LinkModel::default()
    }
}

/// The exit code of every module, by slot. All events of a slot are gap-free; those of a module come together, begin
/// with `plugged` and end with `finished`, and nothing between two modules claims to be about one.
#[track_caller]
pub fn units(ended: &Ended) -> BTreeMap<String, Vec<i64>> {
    let (mut seqs, mut units) = (
        BTreeMap::<String, u64>::new(),
        BTreeMap::<String, Vec<i64>>::new(),
    );
    let mut at_work = BTreeMap::<String, u64>::new();
    for line in ended.stdout.lines() {
        let event: Value = serde_json::from_str(line).unwrap();
        let slot = event["slot"].as_str().unwrap_or_default().to_owned();
        let seq = seqs.entry(slot.clone()).or_default();
        assert_eq!(event["seq"], *seq, "{event}");
        *seq += 1;
        let done = units.entry(slot.clone()).or_default();
        let Some(unit) = event["unit"].as_u64() else {
            assert_ne!(event["kind"], "finished", "{event}");
            continue;
        };
        match at_work.insert(slot.clone(), unit) {
            None => assert_eq!((&event["kind"], unit), (&"plugged".into(), done.len() as u64 + 1)),
            Some(before) => assert_eq!(before, unit, "{event}"),
        }
        if event["kind"] == "finished" {
            done.push(event["outcome"]["exit_code"].as_i64().unwrap());
            at_work.remove(&slot);
        }
    }
    assert!(at_work.is_empty(), "{at_work:?}");
    units.remove("");
    units
}

fn of(pairs: &[(&str, &[i64])]) -> BTreeMap<String, Vec<i64>> {
    pairs
        .iter()
        .map(|(slot, codes)| ((*slot).to_owned(), codes.to_vec()))
        .collect()
}

#[test]
fn slots_go_on_by_themselves_and_a_module_that_stays_is_flashed_once() {
    let bench = Bench::new();
    let slots = [("A", "1-1", CODE), ("B", "1-2", CODE)];
    station(&bench, "empty_seconds = 3", &slots, &[(CODE, "fw.zip")]);
    let stays = bench.attach(asr("1-2", 20));
    let mut running = bench.say("fixture run --loop --jsonl").start();
    ends(&mut running, "B", 1);
    asks(&mut running, "B", 1, "removal");
    for unit in 1..=3 {
        asks(&mut running, "A", unit, "module");
        let module = bench.attach(asr("1-1", unit));
        ends(&mut running, "A", unit as u64);
        assert_holds(&module, firmware());
        // It restarts, and its plug is loose: all the while it is the same module.
        stays.power_cycle();
        assert_eq!(stays.wait_while_mode(Mode::Run, PATIENCE), Mode::Off);
        stays.wait_for_mode(Mode::Run, PATIENCE).unwrap();
        stays.detach();
        stays.wait_for_mode(Mode::Off, PATIENCE).unwrap();
        stays.attach();
        stays.wait_for_mode(Mode::Run, PATIENCE).unwrap();
        unplug(module);
    }
    asks(&mut running, "A", 4, "module");
    running.interrupt();
    let ended = running.end();
    assert_eq!(ended.code, Some(0), "{ended:#?}");
    assert_eq!(units(&ended), of(&[("A", &[0, 0, 0]), ("B", &[0])]));
    assert_holds(&stays, firmware());
    let all = report(&bench, "");
    let totals = &all["totals"];
    assert_eq!(
        (&totals["modules"], &totals["first_pass"]),
        (&4.into(), &4.into()),
        "{totals:#}"
    );
}

#[test]
fn what_dies_or_vanishes_is_marked_and_the_next_module_passes() {
    let bench = Bench::new();
    let slots = [("A", "1-1", CODE), ("B", "1-2", CODE)];
    station(
        &bench,
        "empty_seconds = 1\nretries = 2\nreturn_seconds = 2",
        &slots,
        &[(CODE, "fw.zip")],
    );
    let fault = |at, nth, what| Fault { at, nth, what };
    let mut running = bench.say("fixture run --loop --jsonl").start();
    asks(&mut running, "A", 1, "module");
    let vanishing = bench.attach(asr("1-1", 1).fault(fault(Point::Data(100), 9, Effect::Vanish)));
    let dying = asr("1-2", 2)
        .fault(fault(Point::Data(100), 6, Effect::PowerLoss))
        .fault(fault(Point::Flash, 3, Effect::PowerLoss))
        .crash_loop(Duration::from_secs(60), Duration::from_millis(50));
    let dying = bench.attach(dying);
    ends(&mut running, "A", 1);
    drop(vanishing);
    asks(&mut running, "A", 2, "module");
    let good = bench.attach(asr("1-1", 3));
    ends(&mut running, "A", 2);
    ends(&mut running, "B", 1);
    running.interrupt();
    let ended = running.end();
    assert_eq!(ended.code, Some(10), "{ended:#?}");
    assert_eq!(units(&ended), of(&[("A", &[10, 0]), ("B", &[0])]));
    assert_holds(&good, firmware());
    assert_holds(&dying, firmware());
    assert_eq!(report(&bench, "")["totals"]["modules"], 3);
}

#[test]
fn a_slot_that_hangs_is_out_of_service_and_the_others_go_on_waiting() {
    let bench = Bench::new();
    let slots = [("A", "1-1", CODE), ("B", "1-2", CODE)];
    station(&bench, "silent_seconds = 60", &slots, &[(CODE, "fw.zip")]);
    // Nobody reads it, so that a write to it does not come back once it is full.
    let trace = bench.path().join("trace");
    assert!(Command::new("mkfifo").arg(&trace).status().unwrap().success());
    let full = rustix::fs::open(
        &trace,
        OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC,
        FileMode::empty(),
    );
    let _full = full.unwrap();
    let _module = bench.attach(asr("1-1", 1));
    let mut running = bench.say("fixture run --loop --jsonl --trace trace").start();
    running.allow(Duration::from_secs(180));
    ends(&mut running, "A", 1);
    running.wait_for_nth(1, |event| is_of(event, "A", "out_of_service"));
    running.interrupt();
    let ended = running.end();
    let codes = units(&ended);
    assert_eq!(ended.code, Some(4), "{ended:#?}");
    assert_eq!(codes, of(&[("A", &[4]), ("B", &[])]));
    let attempt = &report(&bench, "")["attempts"][0];
    assert_eq!(attempt["error_code"], "slot.hung", "{attempt:#}");
    assert_eq!(attempt["written"]["state"], "helpers-only", "{attempt:#}");
}

#[test]
fn ctrl_c_lets_what_is_written_end_and_starts_nothing_more() {
    let bench = Bench::new();
    let slots = [("A", "1-1", CODE), ("B", "1-2", CODE), ("C", "1-3", CODE)];
    station(&bench, "parallel = 1", &slots, &[(CODE, "fw.zip")]);
    let written = bench.attach(asr("1-1", 1).link(slow()));
    let mut running = bench.say("fixture run --loop --jsonl").start();
    running.wait_for_nth(1, |event| {
        is_of(event, "A", "phase_started") && event["phase"] == "write"
    });
    let queued = bench.attach(asr("1-3", 3));
    let untouched = Untouched::now(&queued);
    running.wait_for_nth(1, |event| is_of(event, "C", "plugged"));
    running.interrupt();
    let ended = running.end();
    assert_eq!(ended.code, Some(130), "{ended:#?}");
    assert_eq!(units(&ended), of(&[("A", &[0]), ("B", &[]), ("C", &[130])]));
    assert_holds(&written, firmware());
    untouched.assert();
    let all = report(&bench, "");
    let verdicts: Vec<_> = all["attempts"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| &one["verdict"])
        .collect();
    assert_eq!(verdicts, ["confirmed", "interrupted"], "{all:#}");
}

#[test]
fn a_second_ctrl_c_stops_what_is_written() {
    let bench = Bench::new();
    station(&bench, "", &[("A", "1-1", CODE)], &[(CODE, "fw.zip")]);
    let link = LinkModel {
        bytes_per_second: Some(20_000),
        ..LinkModel::default()
    };
    let _module = bench.attach(asr("1-1", 1).link(link));
    let mut running = bench.say("fixture run --loop --jsonl").start();
    running.wait_for_nth(1, |event| {
        is_of(event, "A", "bytes") && event["image"] != "preboot"
    });
    running.interrupt();
    // Two signals at once are one.
    running.wait_for(|event| is_of(event, "A", "bytes"));
    running.interrupt();
    let ended = running.end();
    let units = units(&ended);
    assert!(matches!(units["A"][..], [12 | 130]), "{ended:#?}");
    assert_eq!(ended.code.map(i64::from), Some(units["A"][0]));
    assert_eq!(report(&bench, "")["attempts"][0]["verdict"], "interrupted");
}

#[test]
fn a_record_that_cannot_be_kept_stops_the_station() {
    let bench = Bench::new();
    let slots = [("A", "1-1", CODE), ("B", "1-2", CODE)];
    station(&bench, "empty_seconds = 1", &slots, &[(CODE, "fw.zip")]);
    let first = bench.attach(asr("1-1", 1));
    let mut running = bench.say("fixture run --loop --jsonl").start();
    ends(&mut running, "A", 1);
    unplug(first);
    asks(&mut running, "A", 1, "module");
    let journal = Connection::open(bench.path().join("state/journal.sqlite3")).unwrap();
    journal
        .execute_batch("ALTER TABLE attempt RENAME TO lost")
        .unwrap();
    let second = bench.attach(asr("1-1", 2));
    let untouched = Untouched::now(&second);
    let ended = running.end();
    assert_eq!(ended.code, Some(1), "{ended:#?}");
    assert_eq!(units(&ended), of(&[("A", &[0, 1]), ("B", &[])]));
    assert!(ended.stdout.contains("journal.failed"), "{ended:#?}");
    untouched.assert();
}

#[test]
fn a_loop_that_could_not_go_on_is_refused() {
    let bench = Bench::new();
    station(
        &bench,
        "",
        &[("A", "1-1", ""), ("B", "1-2", CODE)],
        &[(CODE, "fw.zip")],
    );
    let ended = bench.say("fixture run --loop").end();
    assert_eq!(ended.code, Some(2), "{ended:#?}");
    assert!(
        ended.stderr.contains("slot `A` has no `ordering_code`") && ended.stderr.contains("--scanner"),
        "{ended:#?}"
    );
    let text = std::fs::read_to_string(bench.path().join("fixture.toml")).unwrap();
    bench.file(
        "fixture.toml",
        text.replace("path = \"1-2\"", "port = \"/dev/ttyUSB0\""),
    );
    let ended = bench.say("fixture run --loop --slot B").end();
    assert_eq!(ended.code, Some(2), "{ended:#?}");
    assert!(
        ended.stderr.contains("slot `B` is the port `/dev/ttyUSB0`"),
        "{ended:#?}"
    );
}

#[test]
fn a_boot_rom_that_passes_by_at_every_start_is_not_taken_for_a_blank_module() {
    let bench = Bench::new();
    station(&bench, "", &[("A", "1-1", CODE)], &[(CODE, "fw.zip")]);
    let mut running = bench.say("fixture run --loop --jsonl").start();
    asks(&mut running, "A", 1, "module");
    // Its word is another than that of the slot: only one that is asked can say so.
    let wrong = AsrModule::builder("EC600NCNLFR01A01M16").topology("1-1");
    let wrong = bench.attach(wrong.boot_window(Duration::from_millis(600)));
    ends(&mut running, "A", 1);
    running.interrupt();
    let ended = running.end();
    assert_eq!(units(&ended), of(&[("A", &[6])]), "{ended:#?}");
    assert_eq!(wrong.bytes_received_in_download_mode(), 0);
}

#[test]
fn an_operator_sees_a_row_for_each_slot_and_what_to_do_next() {
    let bench = Bench::new();
    let slots = [("A1", "1-1", CODE), ("B2", "1-2", CODE)];
    station(&bench, "empty_seconds = 1", &slots, &[(CODE, "fw.zip")]);
    let (mut screen, terminal) = pty::terminal(24, 120);
    let mut run = bench.say("fixture run --loop --color always").0;
    let mut child = run
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(terminal)
        .spawn()
        .unwrap();
    drop(run);
    screen.wait_for("B2         plug in the next module");
    let good = bench.attach(asr("1-1", 1));
    screen.wait_for("\u{1b}[1;30;42m PASS \u{1b}[0m");
    screen.wait_for("unplug the module");
    unplug(good);
    // Behind the result of the last one, which stays.
    screen.wait_for(" s  plug in the next module");
    let _wrong = bench.attach(AsrModule::builder("EC600NCNLFR01A01M16").topology("1-1"));
    screen.wait_for("\u{1b}[1;37;41m FAIL \u{1b}[0m  refused.contradiction");
    screen.wait_for("hint: ");
    kill_process(Pid::from_child(&child), Signal::INT).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(6));
}

#[test]
fn without_a_terminal_it_is_plain_lines() {
    let bench = Bench::new();
    station(&bench, "", &[("A1", "1-1", CODE)], &[(CODE, "fw.zip")]);
    let _module = bench.attach(asr("1-1", 1));
    let ended = bench.say("fixture run").end();
    assert_eq!(ended.code, Some(0), "{ended:#?}");
    let said = |line: &str| ended.stderr.lines().any(|other| other.starts_with(line));
    assert!(
        said("A1         writing") && said("A1          PASS   "),
        "{ended:#?}"
    );
    assert!(!ended.stderr.contains(['\u{1b}', '\r']), "{ended:#?}");
    // A batch says at its end what is to be known of each module, a loop when the module ends.
    let is_result = |line: &str| line.starts_with(" PASS   A1 ") && line.contains(&imei(1));
    assert!(is_result(&ended.stdout), "{ended:#?}");
    let mut run = bench.say("fixture run --loop").0;
    run.stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = run.spawn().unwrap();
    let lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let mut lines = lines.map_while(Result::ok);
    assert!(lines.any(|line| is_result(&line)));
    assert!(lines.any(|line| line.starts_with("A1         unplug the module")));
    kill_process(Pid::from_child(&child), Signal::INT).unwrap();
    assert_eq!(lines.count(), 0);
    let ended = child.wait_with_output().unwrap();
    assert_eq!(
        String::from_utf8(ended.stdout).unwrap(),
        "A1         1 passed, 0 failed\n"
    );
}
