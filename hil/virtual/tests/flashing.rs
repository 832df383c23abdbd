//! A virtual module is flashed over its pseudo-terminals by a client that shares no code with it.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::panic)]

mod client;

use std::time::Duration;

use client::{Client, PATIENCE};
use qpyflash_virtual::{
    AsrModule, AsrModuleBuilder, AsrPackage, Chip, Mode, Role, Scale, Variant, VirtualBus,
};

const OLD: &str = "EC600NCNLAR03A07M08_OCPU_QPY";
const NEW: &str = "EC600NCNLAR03A08M08_OCPU_QPY";

fn package(chip: Chip) -> AsrPackage {
    AsrPackage::generate(NEW, chip, Scale::Small)
}

/// Attaches the module, sends it to download mode over AT and shakes hands.
fn in_download_mode(builder: AsrModuleBuilder, bus: &VirtualBus) -> (AsrModule, Client) {
    let module = builder.attach(bus).unwrap();
    module.wait_for_mode(Mode::Run, PATIENCE).unwrap();
    let mut at = Client::open(module.tty(Role::At).unwrap());
    at.send(b"ATE0\rAT+QDownLOAD=1\r").unwrap();
    assert!(at.read_until("OK\r\n\r\nOK\r\n").starts_with("ATE0\r\r\n"));
    module.wait_for_mode(Mode::Download, PATIENCE).unwrap();
    let mut loader = Client::open(module.tty(Role::Download).unwrap());
    assert_eq!(loader.handshake(), 1024);
    (module, loader)
}

fn assert_written(module: &AsrModule, package: &AsrPackage) {
    for (name, expected) in package.expected_partitions() {
        let found = module.partition(&name).unwrap();
        assert_eq!(found.len(), expected.len(), "{name}");
        let wrong = found
            .iter()
            .zip(&expected)
            .position(|(found, expected)| found != expected);
        assert_eq!(wrong, None, "first wrong byte of `{name}`");
    }
}

#[test]
fn runs_the_new_revision_after_a_whole_package_was_written() {
    let bus = VirtualBus::temporary().unwrap();
    let (module, mut loader) = in_download_mode(AsrModule::builder(OLD), &bus);
    let package = package(Chip::Asr1603);
    loader
        .play(&package.member("firmware.bin").unwrap(), "call")
        .unwrap();
    loader.finish();
    module.wait_for_revision(NEW, PATIENCE).unwrap();
    assert_written(&module, &package);
    assert!(loader.heard.contains(&"PROG100".to_owned()));
    assert_eq!(module.counters().fuse_requests, 0);
    assert_eq!(module.commands().last().map(String::as_str), Some("disconnect"));

    let mut at = Client::open(module.tty(Role::At).unwrap());
    at.send(b"AT+CGMR\r").unwrap();
    assert!(at.read_until("OK\r\n").contains(NEW));
}

#[test]
fn boot2_takes_nop_for_call_and_answers_after_the_work() {
    let bus = VirtualBus::temporary().unwrap();
    let variant = Variant::Boot2Of1601("2021.02.03".into());
    let (module, mut loader) = in_download_mode(AsrModule::builder(OLD).variant(variant), &bus);
    let package = package(Chip::Asr1601);
    assert_eq!(loader.ask("getvar:platform"), "OKAYAROM-TINY-BOOT2");
    assert_eq!(loader.ask("getvar:version-boot2"), "OKAY2021.02.03");
    loader
        .play(&package.member("firmware.bin").unwrap(), "nop")
        .unwrap();
    assert!(
        loader
            .heard
            .contains(&"INFOpartition \"cp\" written successfully.".to_owned())
    );
    loader.finish();
    module.wait_for_revision(NEW, PATIENCE).unwrap();
    assert_written(&module, &package);
}

#[test]
fn boot2_refuses_to_be_overwritten_by_call() {
    let bus = VirtualBus::temporary().unwrap();
    let variant = Variant::Boot2Of1601("2021.02.03".into());
    let (_module, mut loader) = in_download_mode(AsrModule::builder(OLD).variant(variant), &bus);
    let failed = loader
        .play(&package(Chip::Asr1601).member("firmware.bin").unwrap(), "call")
        .unwrap_err();
    assert_eq!(failed.0, "call");
}

#[test]
fn the_1601_mask_rom_asks_for_ethos_and_speaks_no_smux() {
    let bus = VirtualBus::temporary().unwrap();
    let module = AsrModule::builder(OLD)
        .variant(Variant::Rom1601)
        .starts_in_download()
        .attach(&bus)
        .unwrap();
    module.wait_for_mode(Mode::Download, PATIENCE).unwrap();
    let mut loader = Client::open(module.tty(Role::Download).unwrap());
    loader.send(b"UUUU~UUUU~").unwrap();
    assert_eq!(loader.frame(PATIENCE), Some((0, b"UUUU".to_vec())));
    assert_eq!(loader.frame(PATIENCE), Some((0, b"UUUU".to_vec())));
    loader.send(b"~UABT~~\x7d\x21\x04\x00~").unwrap();
    assert_eq!(loader.frame(Duration::from_millis(200)), None);
}

#[test]
fn crash_loops_when_half_flashed_and_is_recovered_in_the_short_window() {
    let bus = VirtualBus::temporary().unwrap();
    let short = (Duration::from_millis(400), Duration::from_millis(50));
    let (module, mut loader) = in_download_mode(AsrModule::builder(OLD).crash_loop(short.0, short.1), &bus);
    let package = package(Chip::Asr1603);
    let script = package.member("firmware.bin").unwrap();
    loader.play(&script, "call").unwrap();
    module.power_cycle();
    module.wait_for_mode(Mode::Off, PATIENCE).unwrap();
    module.wait_for_mode(Mode::Download, PATIENCE).unwrap();
    assert_eq!(module.wait_while_mode(Mode::Download, PATIENCE), Mode::Off);
    assert!(module.counters().failed_boots > 0);

    module.wait_for_mode(Mode::Download, PATIENCE).unwrap();
    let mut loader = Client::open(module.tty(Role::Download).unwrap());
    loader.handshake();
    loader.play(&script, "call").unwrap();
    loader.finish();
    module.wait_for_revision(NEW, PATIENCE).unwrap();
    assert_written(&module, &package);
}

#[test]
fn stays_in_download_mode_after_a_write_until_it_is_power_cycled() {
    let bus = VirtualBus::temporary().unwrap();
    let (module, mut loader) =
        in_download_mode(AsrModule::builder(OLD).stays_in_download_after_reboot(), &bus);
    loader
        .play(&package(Chip::Asr1603).member("firmware.bin").unwrap(), "call")
        .unwrap();
    loader.finish();
    module.wait_for_mode(Mode::Off, PATIENCE).unwrap();
    module.wait_for_mode(Mode::Download, PATIENCE).unwrap();
    module.power_cycle();
    module.wait_for_revision(NEW, PATIENCE).unwrap();
}

#[test]
fn an_untouched_module_has_counted_nothing_and_keeps_its_flash() {
    let bus = VirtualBus::temporary().unwrap();
    let module = AsrModule::builder(OLD).attach(&bus).unwrap();
    module.wait_for_mode(Mode::Run, PATIENCE).unwrap();
    let before = module.flash();
    module.power_cycle();
    module.wait_for_mode(Mode::Off, PATIENCE).unwrap();
    module.wait_for_revision(OLD, PATIENCE).unwrap();
    assert_eq!(module.bytes_received_in_download_mode(), 0);
    assert!(module.flash().bytes() == before.bytes());
}
