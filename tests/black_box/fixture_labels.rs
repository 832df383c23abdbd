//! Labels that come while a station is at work: from stdin, and from a scanner on a serial port.

use std::fs::File;
use std::io::Write;
use std::os::unix::fs::symlink;

use qpyflash_virtual::AsrModule;
use serde_json::Value;

use crate::bench::{Bench, Untouched, assert_holds, firmware};
use crate::fixture::{asr, imei, report, station};
use crate::fixture_loop::{CODE, asks, ends, is_of, units, unplug};
use crate::harness::Running;
use crate::pty;

/// The serial number of all these modules.
const SERIAL: &str = "D1Q20GM050038341P";

/// Waits until a label was not taken, and why is said.
fn rejects(running: &mut Running, slot: Option<&str>, why: &str) {
    running.wait_for_nth(1, |event| {
        event["slot"].as_str() == slot
            && event["kind"] == "warning"
            && event["text"].as_str().is_some_and(|text| text.contains(why))
    });
}

/// Waits until a slot has that label.
fn takes(running: &mut Running, slot: &str, label: &str) {
    let text = format!("label: {label}");
    running.wait_for_nth(1, |event| is_of(event, slot, "note") && event["text"] == *text);
}

#[test]
fn a_label_from_stdin_is_for_the_slots_next_module_and_is_used_up() {
    let bench = Bench::new();
    let slots = [("A", "1-1", ""), ("B", "1-2", CODE)];
    station(&bench, "empty_seconds = 1", &slots, &[(CODE, "fw.zip")]);
    let mut running = bench.say("fixture run --loop --labels --jsonl").start_listening();
    asks(&mut running, "A", 1, "module-and-label");
    asks(&mut running, "B", 1, "module");
    for (line, slot, why) in [
        ("what EC600NCNLA", None, "`what` is no slot"),
        ("A EC600N", Some("A"), "scan it again"),
        ("A,EC600NCNLA,12345", Some("A"), "`12345` is no IMEI"),
        ("A EC600NCNLA 1 2 3", Some("A"), "more than ordering code"),
        ("\u{7}\u{1}", None, "cannot be read"),
    ] {
        running.tell(line);
        rejects(&mut running, slot, why);
    }

    // What is plugged in waits for its label; a second one that says something else makes the first doubtful.
    let first = bench.attach(asr("1-1", 1));
    asks(&mut running, "A", 1, "label");
    running.tell(&format!("A;{CODE}-N06-SNNSA;{}", imei(1)));
    ends(&mut running, "A", 1);
    assert_holds(&first, firmware());
    for (label, taken) in [(imei(7), true), (imei(2), false), (imei(2), true)] {
        running.tell(&format!("A {CODE} {label} {SERIAL}"));
        match taken {
            true => takes(&mut running, "A", &format!("{CODE} {label} {SERIAL}")),
            false => rejects(&mut running, Some("A"), "two different labels"),
        }
    }
    unplug(first);
    asks(&mut running, "A", 1, "module");
    let second = bench.attach(asr("1-1", 2));
    ends(&mut running, "A", 2);
    assert_holds(&second, firmware());
    unplug(second);

    // The label is used up; one that is another module's is refused, and nothing is written.
    asks(&mut running, "A", 2, "module-and-label");
    running.tell(&format!("A {CODE} {}", imei(9)));
    let third = bench.attach(asr("1-1", 3));
    let untouched = Untouched::now(&third);
    ends(&mut running, "A", 3);
    untouched.assert();
    // A product that this station does not have.
    running.tell("B EC800MCNGA");
    takes(&mut running, "B", "EC800MCNGA");
    let foreign = bench.attach(asr("1-2", 4));
    let untouched = Untouched::now(&foreign);
    ends(&mut running, "B", 1);
    untouched.assert();
    running.interrupt();
    let ended = running.end();
    assert_eq!(ended.code, Some(6), "{ended:#?}");
    let found = units(&ended);
    assert_eq!((&found["A"][..], &found["B"][..]), (&[0, 0, 6][..], &[6][..]));
    let all = report(&bench, "");
    let labels: Vec<_> = all["attempts"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| {
            (
                one["label_ordering_code"].clone(),
                one["label_imei"].clone(),
                one["label_serial_number"].clone(),
            )
        })
        .collect();
    let label = |code: &str, imei: Option<String>, sn: Option<&str>| {
        (Value::from(code), Value::from(imei), Value::from(sn))
    };
    assert_eq!(
        labels,
        [
            label("EC600NCNLA-N06-SNNSA", Some(imei(1)), None),
            label(CODE, Some(imei(2)), Some(SERIAL)),
            label(CODE, Some(imei(9)), None),
            label("EC800MCNGA", None, None),
        ]
    );
}

/// A scanner at the other end of a pseudo-terminal, found under `scanner` in the folder of files. Dropping it unplugs it.
struct Scanner(File, std::path::PathBuf);

impl Scanner {
    fn plug(bench: &Bench) -> Self {
        let (master, slave) = pty::open();
        let link = bench.path().join("scanner");
        symlink(slave, &link).unwrap();
        Scanner(master, link)
    }

    fn scan(&mut self, text: &[u8]) {
        self.0.write_all(text).unwrap();
    }
}

impl Drop for Scanner {
    fn drop(&mut self) {
        std::fs::remove_file(&self.1).unwrap();
    }
}

fn with_scanner(bench: &Bench) {
    let text = std::fs::read_to_string(bench.path().join("fixture.toml")).unwrap();
    bench.file(
        "fixture.toml",
        format!("{text}[scanner]\nport = \"scanner\"\nbaud = 115200\n"),
    );
}

#[test]
fn a_scanner_may_come_and_go_and_talk_nonsense() {
    let bench = Bench::new();
    station(
        &bench,
        "empty_seconds = 1",
        &[("A", "1-1", "")],
        &[(CODE, "fw.zip")],
    );
    with_scanner(&bench);
    let module: AsrModule = bench.attach(asr("1-1", 1));
    let untouched = Untouched::now(&module);
    let mut running = bench.say("fixture run --loop --jsonl").start();
    let is_gone = |event: &Value| {
        event["slot"].is_null()
            && event["kind"] == "warning"
            && event["text"]
                .as_str()
                .is_some_and(|text| text.contains("labels are missing"))
    };
    let is_back = |event: &Value| {
        event["text"]
            .as_str()
            .is_some_and(|text| text.contains("there again"))
    };
    running.wait_for_nth(1, is_gone);
    let mut scanner = Scanner::plug(&bench);
    running.wait_for_nth(1, is_back);
    scanner.scan(b"\xff\xfe\x00garbage\r");
    rejects(&mut running, None, "cannot be read");
    scanner.scan(&[b'A'; 2000]);
    scanner.scan(b"\r\n");
    running.wait_for_nth(2, |event| {
        event["text"]
            .as_str()
            .is_some_and(|text| text.contains("cannot be read"))
    });
    // Half a label is none when the scanner goes.
    scanner.scan(format!("A\t{CODE}\t{}", imei(1)).as_bytes());
    drop(scanner);
    running.wait_for_nth(2, is_gone);
    untouched.assert();
    let mut scanner = Scanner::plug(&bench);
    running.wait_for_nth(2, is_back);
    scanner.scan(format!("A\t{CODE}\t{}\r", imei(1)).as_bytes());
    ends(&mut running, "A", 1);
    running.interrupt();
    let ended = running.end();
    assert_eq!(ended.code, Some(0), "{ended:#?}");
    assert_eq!(units(&ended)["A"], [0]);
    assert_holds(&module, firmware());
}

#[test]
fn a_batch_with_a_scanner_waits_for_each_label() {
    let bench = Bench::new();
    let slots = [("A", "1-1", ""), ("B", "1-2", CODE)];
    station(&bench, "", &slots, &[(CODE, "fw.zip")]);
    let modules = ["1-1", "1-2"].map(|path| bench.attach(asr(path, path.len())));
    let mut scanner = Scanner::plug(&bench);
    let link = scanner.1.display().to_string();
    let mut running = bench
        .qpyflash(&["fixture", "run", "--jsonl", "--scanner", &link])
        .start();
    asks(&mut running, "A", 1, "label");
    asks(&mut running, "B", 1, "label");
    scanner.scan(b"B EC600NCNLA\n");
    ends(&mut running, "B", 1);
    running.interrupt();
    let ended = running.end();
    assert_eq!(ended.code, Some(130), "{ended:#?}");
    assert_eq!(modules[0].counters().at_bytes, 0);
    assert_holds(&modules[1], firmware());
}
