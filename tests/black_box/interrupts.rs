//! Ctrl-C in every phase: the stream says when to press it, and it always ends with `finished`.

use std::time::Duration;

use qpyflash_virtual::{AsrModule, AsrModuleBuilder, AtOptions, Effect, Fault, LinkModel, Mode, Point};

use rustix::process::Signal;

use crate::bench::{Bench, NEW, OLD, PATIENCE, assert_holds, firmware};
use crate::harness::each;

/// Longer than any test waits: what takes so long is in work when Ctrl-C is pressed.
const LONG: Duration = Duration::from_secs(30);
/// How soon a run must stop.
const SOON: Duration = Duration::from_secs(5);

fn slow(at: Point) -> AsrModuleBuilder {
    AsrModule::builder(OLD).fault(Fault {
        at,
        nth: 1,
        what: Effect::Slow(LONG),
    })
}

fn at(options: AtOptions) -> AsrModuleBuilder {
    AsrModule::builder(OLD).at(options)
}

/// A module that is slow in one phase.
fn slow_in(phase: &str) -> AsrModuleBuilder {
    let silent = AtOptions {
        silent: true,
        ..AtOptions::default()
    };
    match phase {
        "resolve" | "find" | "identify" | "clear" => at(silent),
        "enter-download" => AsrModule::builder(OLD).boot_times(Duration::ZERO, LONG),
        "sync" => slow(Point::Preamble),
        "check-chip" => slow(Point::Getvar),
        "load-helper" => slow(Point::Call),
        "write" => AsrModule::builder(OLD).programming_speed(1000),
        "verify" => slow(Point::Complete),
        "reset" => slow(Point::Disconnect),
        _ => AsrModule::builder(OLD)
            .starts_in_download()
            .boot_times(LONG, Duration::ZERO),
    }
}

/// A phase has begun; where it first loads and then waits, it has loaded something.
fn is_at_work(phase: &str, event: &serde_json::Value) -> bool {
    let done = |image: &str| event["image"] == image && event["done"] == event["total"];
    match phase {
        "load-helper" => done("preboot.img"),
        "write" => done("bootloader.ubi"),
        _ => event["kind"] == "phase_started" && event["phase"] == phase,
    }
}

#[test]
fn ctrl_c_in_each_phase_says_what_was_written() {
    let cases = [
        ("resolve", 130, "interrupted", "nothing"),
        ("find", 130, "interrupted", "nothing"),
        ("identify", 130, "interrupted", "nothing"),
        ("enter-download", 130, "interrupted", "nothing"),
        ("sync", 130, "interrupted", "nothing"),
        ("check-chip", 130, "interrupted", "nothing"),
        ("load-helper", 130, "interrupted", "helpers-only"),
        ("write", 12, "interrupted", "partial"),
        ("verify", 12, "interrupted", "partial"),
        // Everything is written; only the module's own word is missing.
        ("reset", 11, "module.not-confirmed", "complete"),
        ("confirm", 11, "module.not-confirmed", "complete"),
    ];
    each(&cases, |(phase, code, error, written)| {
        let bench = Bench::new();
        let module = bench.attach(slow_in(phase).crash_loop(LONG, Duration::from_millis(50)));
        let before = module.flash();
        let line = "write fw.zip --jsonl --path 1-4.2 --oc EC600NCNLA";
        let mut running = bench.say(line).scale("1").start();
        running.wait_for(|event| is_at_work(phase, event));
        running.interrupt();
        let ended = running.end();
        ended.expect(*code, error, written);
        assert!(ended.took < SOON, "{:?}", ended.took);
        if matches!(*written, "nothing" | "helpers-only") {
            assert!(module.flash().bytes() == before.bytes());
        }
    });
}

#[test]
fn ctrl_c_after_some_images_counts_their_bytes_and_a_second_run_recovers() {
    let bench = Bench::new();
    let line = LinkModel {
        bytes_per_second: Some(60_000),
        turn_round: Duration::ZERO,
    };
    let module = bench.attach(
        AsrModule::builder(OLD)
            .link(line)
            .crash_loop(LONG, Duration::from_millis(50)),
    );
    let mut running = bench.say("write fw.zip --jsonl").scale("1").start();
    running.wait_for(|event| event["image"] == "cp.bin" && event["done"] == event["total"]);
    running.interrupt();
    let outcome = running.end().expect(12, "interrupted", "partial");
    let written = outcome["written"]["bytes"].as_u64().unwrap();
    assert_eq!(outcome["bytes"], written);
    let of = |member: &str| firmware().member(member).unwrap().len() as u64;
    let until_cp = [
        "bootloader.ubi",
        "partition.bin",
        "fwcerts.bin",
        "ReliableData.bin",
        "apn.bin",
        "cp.bin",
    ];
    assert_eq!(written, until_cp.iter().map(|member| of(member)).sum::<u64>());

    module.power_cycle();
    assert_eq!(module.wait_while_mode(Mode::Download, PATIENCE), Mode::Off);
    module.wait_for_mode(Mode::Download, PATIENCE).unwrap();
    bench
        .say("write fw.zip --before none --oc EC600NCNLA --json")
        .end()
        .expect_written("confirmed");
    assert_holds(&module, firmware());
}

#[test]
fn a_wait_for_a_module_ends_with_ctrl_c_a_service_managers_signal_or_a_closed_terminal() {
    each(&[Signal::INT, Signal::TERM, Signal::HUP], |signal| {
        let bench = Bench::new();
        let line = "write fw.zip --before wait --oc EC600NCNLA --jsonl";
        let mut running = bench.say(line).scale("1").start();
        running.wait_for_phase("find");
        running.signal(*signal);
        let ended = running.end();
        ended.expect(130, "interrupted", "nothing");
        assert!(ended.took < SOON, "{:?}", ended.took);
    });
}

#[test]
fn a_module_that_was_let_go_by_ctrl_c_runs_what_was_written() {
    let bench = Bench::new();
    let module = bench.attach(AsrModule::builder(OLD).boot_times(Duration::from_secs(1), Duration::ZERO));
    let mut running = bench.say("write fw.zip --jsonl").scale("1").start();
    running.wait_for_phase("confirm");
    running.interrupt();
    running.end().expect(11, "module.not-confirmed", "complete");
    module.wait_for_revision(NEW, PATIENCE).unwrap();
    assert_holds(&module, firmware());
}

#[test]
fn ctrl_c_ends_a_command_that_is_no_run() {
    let bench = Bench::new();
    let module = bench.attach(slow_in("enter-download"));
    let running = bench.say("enter-download --json").scale("1").start();
    module.wait_for_mode(Mode::Off, PATIENCE).unwrap();
    running.interrupt();
    let ended = running.end();
    assert_eq!(ended.code, Some(130), "{ended:#?}");
    assert!(ended.took < SOON, "{:?}", ended.took);
}
