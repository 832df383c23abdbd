//! `doctor` and `udev`: what a person sees of this host and what is done to it.

use std::fs;
use std::path::Path;

use qpyflash_virtual::{AsrModule, Role};
use serde_json::{Value, json};

use crate::attached::{Holding, plug};
use crate::bench::{Bench, OLD};
use crate::ports::as_nobody;

const SHIPPED: &str = include_str!("../../udev/70-qpyflash.rules");

/// The findings of a check, as level and text.
fn findings<'r>(report: &'r Value, check: &str) -> Vec<(&'r str, &'r str)> {
    let findings = report["findings"].as_array().unwrap();
    let ours = findings.iter().filter(|finding| finding["check"] == check);
    ours.map(|finding| {
        (
            finding["level"].as_str().unwrap(),
            finding["text"].as_str().unwrap(),
        )
    })
    .collect()
}

#[test]
fn the_doctor_finds_a_module_and_nothing_in_its_way() {
    let bench = Bench::new();
    let module = bench.attach(AsrModule::builder(OLD));
    let ended = bench.say("doctor --json").end();
    assert_eq!(ended.code, Some(0), "{ended:#?}");
    let report = ended.json();
    assert_eq!((&report["schema"], &report["exit_code"]), (&json!(1), &json!(0)));
    assert_eq!(
        findings(&report, "module"),
        [("ok", "1-4.2 (2c7c:6001) in run mode")]
    );
    assert_eq!(findings(&report, "permission")[0].0, "ok");
    let text = bench.say("doctor").end().stdout;
    assert!(text.contains("ok module"), "{text}");
    assert_eq!(module.counters().at_bytes, 0);
}

#[test]
fn the_doctors_exit_code_is_that_of_the_commands() {
    let bench = Bench::new();
    let nothing = bench.say("doctor").end();
    assert_eq!(nothing.code, Some(4), "{nothing:#?}");
    assert!(nothing.stdout.contains("x  module"), "{nothing:#?}");
    assert!(
        nothing
            .stdout
            .contains("do: check the module's power and the cable"),
        "{nothing:#?}"
    );
    plug(&bench, ("2c7c", "0903"), true, &[(2, None), (3, None)]);
    let unbound = bench.say("doctor --json").end();
    assert_eq!(unbound.code, Some(4), "{unbound:#?}");
    assert_eq!(findings(&unbound.json(), "driver")[0].0, "obstacle");
}

#[cfg(target_os = "linux")]
#[test]
fn a_forbidden_and_a_held_port_end_the_doctor_with_8() {
    let bench = Bench::new();
    let module = bench.attach(AsrModule::builder(OLD));
    let holding = Holding::port(&module.tty(Role::At).unwrap());
    let ended = bench.say("doctor --json").end();
    assert_eq!(ended.code, Some(8), "{ended:#?}");
    let report = ended.json();
    let [(level, text)] = findings(&report, "busy")[..] else {
        panic!("{report:#}");
    };
    assert_eq!(level, "obstacle");
    assert!(text.ends_with(&holding.name()), "{text}");
    drop(holding);

    let ended = as_nobody(&bench, &module, &["doctor", "--json"]).end();
    assert_eq!(ended.code, Some(8), "{ended:#?}");
    let report = ended.json();
    let (level, text) = findings(&report, "permission")[0];
    assert_eq!(level, "obstacle");
    assert!(
        text.contains("no permission to open") && text.contains(" 0000"),
        "{text}"
    );
}

/// A host recorded in a folder, with a module whose driver is missing.
#[test]
fn the_doctor_examines_a_recorded_host() {
    let bench = Bench::new();
    let device = "host/sys/bus/usb/devices/1-4.2";
    for (name, text) in [
        ("idVendor", "2c7c\n"),
        ("idProduct", "6001\n"),
        ("speed", "480\n"),
    ] {
        bench.file(&format!("{device}/{name}"), text);
    }
    bench.file(&format!("{device}/1-4.2:1.3/bInterfaceNumber"), "03\n");
    bench.file("host/proc/sys/kernel/osrelease", "6.1.0-56-amd64\n");
    bench.file("host/proc/9/comm", "ModemManager\n");
    let ended = bench.say("doctor --root host --json").end();
    assert_eq!(ended.code, Some(0), "{ended:#?}");
    let report = ended.json();
    let (level, driver) = findings(&report, "driver")[0];
    assert_eq!(level, "warning");
    for words in ["since 6.7 ", "this is 6.1", "reached over raw USB"] {
        assert!(driver.contains(words), "{driver}");
    }
    let manager = findings(&report, "modem-manager")[0];
    assert_eq!(manager.0, "warning");
    assert!(manager.1.contains("ModemManager (process 9)"), "{}", manager.1);
    assert_eq!(findings(&report, "udev")[0].0, "warning");
}

#[test]
fn udev_prints_the_shipped_rules_and_installs_them_where_told() {
    let bench = Bench::new();
    let printed = bench.say("udev").end();
    assert_eq!(
        (printed.code, printed.stdout.as_str()),
        (Some(0), SHIPPED.trim_end())
    );
    assert!(printed.stderr.contains("--install"), "{printed:#?}");
    assert_eq!(bench.say("udev --json").end().json()["rules"], SHIPPED);

    let ended = bench
        .say("udev --install --file rules --group uucp --no-modem-manager")
        .end();
    assert_eq!(ended.code, Some(0), "{ended:#?}");
    let written = fs::read_to_string(bench.path().join("rules")).unwrap();
    let told_off = |line: &&str| line.contains("2c7c") && line.contains("ID_MM_DEVICE_IGNORE");
    assert_eq!(written.lines().filter(told_off).count(), 5, "{written}");
    assert!(
        written.contains("GROUP=\"uucp\"") && !written.contains("dialout"),
        "{written}"
    );
    assert_eq!(bench.say("udev --group nobody").end().code, Some(2));
}

#[test]
fn who_may_not_install_the_rules_is_told_the_command_that_may() {
    let bench = Bench::new();
    let module = bench.attach(AsrModule::builder(OLD));
    let ended = as_nobody(&bench, &module, &["udev", "--install", "--no-modem-manager"]).end();
    let stderr = &ended.stderr;
    if Path::new("/etc/udev/rules.d").exists() {
        assert_eq!(ended.code, Some(8), "{ended:#?}");
        assert!(
            stderr.contains("sudo ") && stderr.contains("udev --install --no-modem-manager"),
            "{stderr}"
        );
    } else {
        assert_eq!(ended.code, Some(2), "{ended:#?}");
    }
}
