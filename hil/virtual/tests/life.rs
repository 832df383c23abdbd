//! How virtual modules come, go and come back, seen from the bus and from their run-mode ports.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::panic)]

mod client;

use std::time::Duration;

use client::{Client, PATIENCE};
use qpyflash_virtual::{AsrModule, AsrModuleBuilder, Mode, ReplOptions, Role, VirtualBus};

const REVISION: &str = "EC600NCNLAR03A07M08_OCPU_QPY";
const SHORT: Duration = Duration::from_millis(20);

fn running(builder: AsrModuleBuilder, bus: &VirtualBus) -> AsrModule {
    let module = builder.boot_times(SHORT, SHORT).attach(bus).unwrap();
    module.wait_for_mode(Mode::Run, PATIENCE).unwrap();
    module
}

fn send_to_download(module: &AsrModule) {
    let mut at = Client::open(module.tty(Role::At).unwrap());
    at.send(b"AT+QDOWNLOAD=1\r").unwrap();
    module.wait_for_mode(Mode::Download, PATIENCE).unwrap();
}

/// The topology paths on the bus.
fn attached(bus: &VirtualBus) -> Vec<String> {
    let entries = std::fs::read_dir(bus.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut paths: Vec<_> = entries
        .filter_map(|name| name.strip_suffix(".json").map(str::to_owned))
        .collect();
    paths.sort();
    paths
}

fn description(bus: &VirtualBus, topology: &str) -> serde_json::Value {
    serde_json::from_slice(&std::fs::read(bus.path().join(format!("{topology}.json"))).unwrap()).unwrap()
}

#[test]
fn two_modules_share_a_bus_and_leave_it_clean() {
    let bus = VirtualBus::temporary().unwrap();
    let first = running(AsrModule::builder(REVISION).topology("1-1"), &bus);
    let second = running(
        AsrModule::builder("EC800MCNLER06A08M08")
            .topology("1-2")
            .product_ids(0x6002, 0x3004),
        &bus,
    );
    assert_eq!(attached(&bus), ["1-1", "1-2"]);
    assert_eq!(description(&bus, "1-2")["pid"], "6002");
    assert!(first.tty(Role::Repl).is_some());
    assert_eq!(second.tty(Role::Repl), None, "standard AT firmware has no REPL");
    drop(first);
    assert_eq!(attached(&bus), ["1-2"]);
    drop(second);
    assert!(attached(&bus).is_empty());
    assert_eq!(std::fs::read_dir(bus.path().join("dev")).unwrap().count(), 0);
}

#[test]
fn shows_the_ids_and_strings_of_download_mode_at_the_same_path() {
    let bus = VirtualBus::temporary().unwrap();
    let module = running(AsrModule::builder(REVISION).product_ids(0x6001, 0x3017), &bus);
    send_to_download(&module);
    let seen = description(&bus, "1-4.2");
    assert_eq!(
        (seen["vid"].as_str(), seen["pid"].as_str()),
        (Some("2ecc"), Some("3017"))
    );
    assert_eq!(seen["manufacturer"], "ASR Microelectornics");
    assert_eq!(seen["product"], "Arom Usb Boot Port");
    assert_eq!(seen["serial"], "arom0123456789");
    assert_eq!(seen["interfaces"][1]["tty"], serde_json::Value::Null);
}

#[test]
fn can_come_back_at_another_path_which_a_host_must_not_follow() {
    let bus = VirtualBus::temporary().unwrap();
    let module = running(AsrModule::builder(REVISION).download_topology("1-4.3"), &bus);
    send_to_download(&module);
    assert_eq!(attached(&bus), ["1-4.3"]);
}

#[test]
fn the_boot_pin_counts_at_reset_and_holds_download_mode() {
    let bus = VirtualBus::temporary().unwrap();
    let module = running(AsrModule::builder(REVISION), &bus);
    module.set_boot_pin(true);
    assert_eq!(module.mode(), Mode::Run);
    module.power_cycle();
    module.wait_for_mode(Mode::Download, PATIENCE).unwrap();
    module.set_boot_pin(false);
    module.power_cycle();
    module.wait_for_revision(REVISION, PATIENCE).unwrap();
}

#[test]
fn shows_the_download_port_at_each_boot_and_stays_there_when_spoken_to() {
    let bus = VirtualBus::temporary().unwrap();
    let window = Duration::from_millis(300);
    let builder = AsrModule::builder(REVISION)
        .boot_window(window)
        .boot_times(SHORT, SHORT);
    let module = builder.attach(&bus).unwrap();
    module.wait_for_mode(Mode::Download, PATIENCE).unwrap();
    module.wait_for_revision(REVISION, PATIENCE).unwrap();

    module.power_cycle();
    module.wait_for_mode(Mode::Download, PATIENCE).unwrap();
    let mut loader = Client::open(module.tty(Role::Download).unwrap());
    loader.handshake();
    assert_eq!(module.wait_while_mode(Mode::Download, 2 * window), Mode::Download);
}

#[test]
fn is_gone_while_detached() {
    let bus = VirtualBus::temporary().unwrap();
    let module = running(AsrModule::builder(REVISION), &bus);
    let mut at = Client::open(module.tty(Role::At).unwrap());
    module.detach();
    module.wait_for_mode(Mode::Off, PATIENCE).unwrap();
    assert!(attached(&bus).is_empty());
    assert_eq!(module.tty(Role::At), None);
    assert_eq!(at.read(PATIENCE), Some(Vec::new()));
    module.attach();
    module.wait_for_revision(REVISION, PATIENCE).unwrap();
    assert_eq!(module.counters().boots, 2);
}

#[test]
fn a_script_that_was_stopped_runs_again_after_a_restart() {
    let bus = VirtualBus::temporary().unwrap();
    let script = ReplOptions {
        running_script: true,
        ..ReplOptions::default()
    };
    let module = running(AsrModule::builder(REVISION).repl(script), &bus);
    assert!(module.is_script_running());
    let mut repl = Client::open(module.tty(Role::Repl).unwrap());
    repl.send(b"\r\x03\x03").unwrap();
    repl.read_until(">>> ");
    assert!(!module.is_script_running());
    repl.send(b"\x01from misc import Power\nPower.powerRestart()\x04")
        .unwrap();
    repl.read_until("OK\x04\x04>");
    module.wait_for_mode(Mode::Off, PATIENCE).unwrap();
    module.wait_for_mode(Mode::Run, PATIENCE).unwrap();
    assert!(module.is_script_running());
    assert_eq!(module.repl_code().len(), 1);
}

#[test]
fn the_diagnostic_port_talks_unasked_and_counts_what_it_hears() {
    let bus = VirtualBus::temporary().unwrap();
    let module = running(AsrModule::builder(REVISION), &bus);
    let mut diag = Client::open(module.tty(Role::Diag).unwrap());
    let record = diag.read(PATIENCE).unwrap();
    assert!(record.windows(4).any(|bytes| bytes == b"%DBG"), "{record:?}");
    assert_eq!(module.counters().diag_bytes, 0);
}

#[test]
fn names_what_it_waited_for_when_a_second_module_takes_its_place() {
    let bus = VirtualBus::temporary().unwrap();
    let _first = running(AsrModule::builder(REVISION), &bus);
    let second = AsrModule::builder(REVISION)
        .boot_times(SHORT, SHORT)
        .attach(&bus)
        .unwrap();
    let error = second
        .wait_for_mode(Mode::Run, Duration::from_millis(300))
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("a module is already attached at `1-4.2`"),
        "{error}"
    );
}

#[test]
fn two_orders_at_once_are_both_obeyed_and_no_third() {
    let bus = VirtualBus::temporary().unwrap();
    let builder = AsrModule::builder(REVISION).boot_times(Duration::from_secs(1), SHORT);
    let module = builder.attach(&bus).unwrap();
    module.wait_for_mode(Mode::Run, PATIENCE).unwrap();
    module.detach();
    module.attach();
    module.wait_for_mode(Mode::Off, PATIENCE).unwrap();
    module.wait_for_mode(Mode::Run, PATIENCE).unwrap();
    assert_eq!(
        module.wait_while_mode(Mode::Run, Duration::from_millis(300)),
        Mode::Run
    );
    assert_eq!(module.counters().boots, 2);
}
