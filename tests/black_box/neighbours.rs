//! Several modules on one bus: the one that was meant is written, and never another.

use std::time::Duration;

use qpyflash_virtual::{AsrModule, Mode};

use crate::bench::{Bench, NEW, OLD, PATIENCE, Untouched, assert_holds, firmware};
use crate::harness::each;

#[test]
fn with_several_modules_one_must_be_named() {
    let bench = Bench::new();
    let one = bench.attach(AsrModule::builder(OLD).topology("1-4.2"));
    let other = bench.attach(AsrModule::builder("EC600NCNLFR01A01M16").topology("3-1"));
    let (untouched, untouched_too) = (Untouched::now(&one), Untouched::now(&other));
    for command in ["write fw.zip", "check fw.zip", "identify", "enter-download"] {
        let ended = bench.say(command).end();
        assert_eq!((ended.code, ended.stdout.as_str()), (Some(5), ""), "{command}");
        assert!(
            ended.stderr.contains("2 modules are attached: 1-4.2 ("),
            "{ended:#?}"
        );
        assert!(ended.stderr.contains("3-1 ("), "{ended:#?}");
        assert!(
            ended
                .stderr
                .contains("hint: choose one with `--path` or `--port`"),
            "{ended:#?}"
        );
    }
    bench
        .say("write fw.zip --json")
        .end()
        .expect(5, "module.several", "nothing");
    untouched.assert();
    untouched_too.assert();
    assert_eq!(other.counters().at_bytes, 0);
}

#[test]
fn the_one_that_is_named_is_written() {
    each(&["--path 3-1", "--port usb:3-1"], |option| {
        let bench = Bench::new();
        let bystander = bench.attach(AsrModule::builder(OLD).topology("1-4.2"));
        let meant = bench.attach(AsrModule::builder(OLD).topology("3-1"));
        let untouched = Untouched::now(&bystander);
        bench
            .say(&format!("write fw.zip --json {option}"))
            .end()
            .expect_written("confirmed");
        assert_holds(&meant, firmware());
        untouched.assert();
        assert_eq!(bystander.counters().at_bytes, 0);
    });
}

/// A module that is in download mode already is never taken for the one that is awaited, whatever its socket is
/// called: the same port chain on another bus is the same socket only for what was not there before.
#[test]
fn a_module_that_was_in_download_mode_before_is_never_written_in_place_of_the_one_that_is_followed() {
    each(&["1-4.3", "2-4.2", "1-4"], |elsewhere| {
        let bench = Bench::new();
        let other = bench.attach(AsrModule::builder(OLD).topology(elsewhere).starts_in_download());
        let meant = bench.attach(AsrModule::builder(OLD).topology("1-4.2"));
        bench
            .say("write fw.zip --path 1-4.2 --json")
            .end()
            .expect_written("confirmed");
        assert_holds(&meant, firmware());
        assert_eq!(other.bytes_received_in_download_mode(), 0);
    });
}

#[test]
fn a_module_that_appears_in_download_mode_while_another_is_followed_is_not_written() {
    let bench = Bench::new();
    let slow = Duration::from_millis(1500);
    let meant = bench.attach(
        AsrModule::builder(OLD)
            .topology("1-4.2")
            .boot_times(Duration::from_millis(100), slow),
    );
    let running = bench.say("write fw.zip --json").start();
    meant.wait_for_mode(Mode::Off, PATIENCE).unwrap();
    let other = bench.attach(AsrModule::builder(OLD).topology("1-4.3").starts_in_download());
    assert_eq!(meant.mode(), Mode::Off, "the other one was plugged in too late");
    running.end().expect_written("confirmed");
    assert_holds(&meant, firmware());
    assert_eq!(meant.revision().as_deref(), Some(NEW));
    assert_eq!(other.bytes_received_in_download_mode(), 0);
}

#[test]
fn a_module_that_never_comes_back_is_not_replaced_by_its_neighbour() {
    let bench = Bench::new();
    let other = bench.attach(AsrModule::builder(OLD).topology("1-4.3").starts_in_download());
    let meant = bench.attach(
        AsrModule::builder(OLD)
            .topology("1-4.2")
            .boot_times(Duration::ZERO, Duration::from_secs(600)),
    );
    bench
        .say("write fw.zip --path 1-4.2 --json")
        .hasty()
        .end()
        .expect(9, "module.download-mode", "nothing");
    assert_eq!(other.bytes_received_in_download_mode(), 0);
    assert_eq!(meant.bytes_received_in_download_mode(), 0);
}

#[test]
fn two_runs_write_two_modules_at_once() {
    let bench = Bench::new();
    let modules = ["1-4.2", "1-4.3"].map(|path| bench.attach(AsrModule::builder(OLD).topology(path)));
    let runs =
        ["1-4.2", "1-4.3"].map(|path| bench.say(&format!("write fw.zip --json --path {path}")).start());
    for run in runs {
        run.end().expect_written("confirmed");
    }
    modules.iter().for_each(|module| assert_holds(module, firmware()));
}

#[test]
fn of_two_modules_in_download_mode_one_must_be_named() {
    let bench = Bench::new();
    let modules = ["1-4.2", "1-4.3"]
        .map(|path| bench.attach(AsrModule::builder(OLD).topology(path).starts_in_download()));
    for before in ["auto", "none", "wait"] {
        let line = format!("write fw.zip --oc EC600NCNLA --before {before} --json");
        bench.say(&line).end().expect(5, "module.several", "nothing");
    }
    for module in &modules {
        assert_eq!(module.bytes_received_in_download_mode(), 0);
    }
    bench
        .say("write fw.zip --oc EC600NCNLA --path 1-4.3 --json")
        .end()
        .expect_written("confirmed");
    assert_holds(&modules[1], firmware());
    assert_eq!(modules[0].bytes_received_in_download_mode(), 0);
}

/// What the bus shows of a module of another platform in download mode.
const UNISOC: &str = r#"{"topology": "1-4.2", "vid": "1782", "pid": "4d16", "bcd_device": "0000", "manufacturer": null,
    "product": null, "serial": null, "speed": "high", "interfaces": [{"number": 1, "class": "ff", "tty": "/dev/null"}]}"#;

#[test]
fn a_download_port_of_another_platform_in_the_same_socket_is_not_written() {
    let bench = Bench::new();
    let gone = bench.attach(AsrModule::builder(OLD).boot_times(Duration::ZERO, Duration::from_secs(600)));
    let running = bench.say("write fw.zip --json").scale("1").start();
    gone.wait_for_mode(Mode::Off, PATIENCE).unwrap();
    std::fs::write(bench.bus.path().join("1-4.2.json"), UNISOC).unwrap();
    let outcome = running.end().expect(9, "module.download-mode", "nothing");
    let message = outcome["error"]["message"].as_str().unwrap();
    assert!(message.contains("came back as 1782:4d16"), "{message}");
}
