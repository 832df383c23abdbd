//! Eigencomm modules, from the published file to the restarted module: both flash chips are compared image by image,
//! and the RF data survive.

use std::time::Duration;

use qpyflash_virtual::{EigencommModule, EigencommPackage, FlashChip, Mode, Role, RunShape, Scale, WayIn};
use serde_json::Value;

use crate::bench::{Bench, PATIENCE, vector};
use crate::harness::each;

pub const OLD: &str = "EC600ECNLCR01A01M04_OCPU_QPY";
pub const NEW: &str = "EC600ECNLCR01A02M04_OCPU_QPY";
pub const CODE: &str = "EC600ECNLC";
/// What is backed up of the CP flash, and what of it no run may touch.
const RF_BACKUP: (u32, usize) = (0xC_0000, 0x4_0000);
const RF_DATA: (u32, usize) = (0xC_D000, 0x3_3000);

pub fn package(revision: &str) -> EigencommPackage {
    EigencommPackage::generate(revision, Scale::Small)
}

/// A file `fw.zip` with that package.
fn with_package(package: &EigencommPackage) -> Bench {
    let bench = Bench::new();
    bench.file(
        "fw.zip",
        package.public_bin_zip("QPY_OCPU_V0003_EC600E_CNLC_FW").unwrap(),
    );
    bench
}

#[track_caller]
pub fn assert_holds(module: &EigencommModule, package: &EigencommPackage) {
    let expected = package.expected_regions();
    assert!(expected.len() >= 9, "{} regions", expected.len());
    for (name, chip, offset, bytes) in expected {
        let held = match chip {
            FlashChip::Ap => module.ap(offset, bytes.len()),
            FlashChip::Cp => module.cp(offset, bytes.len()),
        };
        assert!(held.as_ref() == Some(&bytes), "`{name}` at {offset:#x} differs");
    }
    assert_eq!(module.revision().as_deref(), Some(package.revision()));
    assert!(module.violations().is_empty(), "{:?}", module.violations());
}

fn rf(module: &EigencommModule) -> Vec<u8> {
    module.cp(RF_DATA.0, RF_DATA.1).unwrap()
}

/// Both flash chips.
pub fn chips(module: &EigencommModule) -> [Option<Vec<u8>>; 2] {
    [module.ap(0, 0x40_0000), module.cp(0, 0x10_0000)]
}

#[track_caller]
fn backup(bench: &Bench, outcome: &Value) -> Vec<u8> {
    let backups = outcome["backups"].as_array().unwrap();
    assert_eq!(backups.len(), 1, "{outcome:#}");
    std::fs::read(bench.path().join(backups[0].as_str().unwrap())).unwrap()
}

#[test]
fn writes_every_image_in_both_layouts_and_keeps_the_rf_data() {
    let package = package(NEW);
    let zips = [
        package.folder_zip("QPY_BETA0003_EC600E_CNLC_FW").unwrap(),
        package.public_bin_zip("QPY_OCPU_V0003_EC600E_CNLC_FW").unwrap(),
    ];
    each(&[0, 1], |layout| {
        let bench = Bench::new();
        bench.file("fw.zip", &zips[*layout]);
        let module = bench.attach(EigencommModule::builder(OLD));
        let (kept, before) = (rf(&module), module.cp(RF_BACKUP.0, RF_BACKUP.1).unwrap());
        let outcome = bench
            .say("write fw.zip --json --backup-dir kept")
            .end()
            .expect_written("confirmed");
        assert_holds(&module, &package);
        assert!(rf(&module) == kept, "RF data have changed");
        assert!(backup(&bench, &outcome) == before, "the backup is another");
        assert_eq!(outcome["proof"], "bulk-read");
    });
}

#[test]
fn writes_the_real_package_in_both_layouts() {
    let vector = |name: &str| vector(&format!("eigencomm/{name}"));
    let package = EigencommPackage::around(
        &vector("at_command.binpkg"),
        &vector("agentboot_usb.bin"),
        &vector("agentboot_uart.bin"),
    );
    let zips = [
        package.folder_zip("QPY_BETA0003_EC600E_CNLC_FW").unwrap(),
        package.public_bin_zip("QPY_OCPU_V0003_EC600E_CNLC_FW").unwrap(),
    ];
    each(&[0, 1], |layout| {
        let bench = Bench::new();
        bench.file("fw.zip", &zips[*layout]);
        let module = bench.attach(EigencommModule::builder(OLD));
        bench
            .say("write fw.zip --json --backup-dir kept")
            .end()
            .expect_written("confirmed");
        assert_holds(&module, &package);
        assert_eq!(package.revision(), "EC600ECNLCR01A01M04_BETA1201");
    });
}

#[test]
fn a_module_on_a_uart_gets_the_uart_agent_at_the_speed_of_the_package_or_the_one_asked_for() {
    each(&["", "--flash-baud 2000000"], |options| {
        let package = package(NEW);
        let bench = with_package(&package);
        let module = bench.attach(EigencommModule::builder(OLD).over_uart().starts_in_download());
        let port = module.tty(Role::Download).unwrap();
        let line = format!(
            "write fw.zip --json --backup-dir kept --before none --no-verify --oc {CODE} --port {} {options}",
            port.display()
        );
        let outcome = bench.say(&line).end().expect_written("written-unasked");
        assert_eq!(outcome["proof"], "module-only");
        module.wait_for_revision(NEW, PATIENCE).unwrap();
        assert_holds(&module, &package);
    });
}

#[test]
fn without_the_agent_for_the_modules_port_nothing_is_asked_of_it() {
    let usb = package(NEW).without_file("agentboot_usb/agentboot.bin");
    let bench = with_package(&usb);
    let module = bench.attach(EigencommModule::builder(OLD));
    for command in ["write", "check"] {
        let ended = bench.say(&format!("{command} fw.zip --json")).end();
        let outcome = ended.expect(3, "package.unsupported", "nothing");
        let message = outcome["error"]["message"].as_str().unwrap();
        assert!(message.contains("agentboot_usb/agentboot.bin"), "{message}");
    }
    assert!(module.at_commands().is_empty(), "{:?}", module.at_commands());
    let alone = package(NEW).binpkg();
    bench.file("alone.binpkg", alone);
    bench
        .say("write alone.binpkg --json")
        .end()
        .expect(3, "package.unsupported", "nothing");
    assert!(module.at_commands().is_empty());
}

#[test]
fn a_package_for_another_submodel_leaves_the_module_alone() {
    let bench = with_package(&package("EC600ECNLQR01A01M04_OCPU_QPY"));
    let module = bench.attach(EigencommModule::builder("EC600ECNLCR01A01M04"));
    let before = chips(&module);
    bench
        .say("write fw.zip --json --backup-dir kept")
        .end()
        .expect(6, "refused.submodel", "nothing");
    assert_eq!(module.bytes_received_in_download_mode(), 0);
    assert!(chips(&module) == before, "flash has changed");
}

#[test]
fn packages_for_other_chips_of_the_maker_are_refused_by_name() {
    let bench = Bench::new();
    bench.file(
        "x.binpkg",
        package(NEW).broken(|file| file[..3].copy_from_slice(b"111")),
    );
    let ended = bench.say("write x.binpkg --json").end();
    let outcome = ended.expect(3, "package.unsupported", "nothing");
    let message = outcome["error"]["message"].as_str().unwrap();
    assert!(message.contains("EC716 and EC718"), "{message}");
}

#[test]
fn a_boot_rom_of_another_family_is_refused_before_it_gets_a_program() {
    let package = package(NEW);
    let bench = with_package(&package);
    let module = bench.attach(EigencommModule::builder(OLD).rom_version(0x0300_0000, 2));
    let before = chips(&module);
    let ended = bench.say("write fw.zip --json --backup-dir kept").end();
    let outcome = ended.expect(6, "refused.chip", "nothing");
    assert_eq!(outcome["error"]["phase"], "load-helper", "{outcome:#}");
    assert!(
        outcome["error"]["message"]
            .as_str()
            .unwrap()
            .contains("0x03000000")
    );
    assert!(chips(&module) == before, "flash has changed");
}

#[test]
fn every_way_into_download_mode_is_tried_and_the_last_one_is_told() {
    let package = package(NEW);
    let bench = with_package(&package);
    let module = bench.attach(EigencommModule::builder(OLD).way_in(WayIn::EcrstOnly));
    bench
        .say("write fw.zip --json --backup-dir kept")
        .end()
        .expect_written("confirmed");
    assert_holds(&module, &package);

    // The shape of 2021, whose AT port sits where nobody would look for it.
    let bench = with_package(&package);
    let shape = EigencommModule::builder(OLD).run_shape(RunShape::CdcAcm);
    let module = bench.attach(shape.way_in(WayIn::EcrstOnly));
    bench
        .say("write fw.zip --json --backup-dir kept")
        .end()
        .expect_written("confirmed");
    assert_holds(&module, &package);

    let bench = with_package(&package);
    let module = bench.attach(EigencommModule::builder(OLD).way_in(WayIn::BootPinOnly));
    let ended = bench.say("write fw.zip --json --backup-dir kept").end();
    let outcome = ended.expect(9, "module.download-mode", "nothing");
    let hints = outcome["error"]["hints"].to_string();
    assert!(hints.contains("USB_BOOT") && hints.contains("--wait"), "{hints}");
    assert_eq!(module.mode(), Mode::Run);

    let line = format!("write fw.zip --jsonl --backup-dir kept --wait=20s --oc {CODE}");
    let mut waiting = bench.say(&line).start();
    waiting.wait_for_phase("find");
    module.set_boot_pin(true);
    module.power_cycle();
    waiting.wait_for_phase("write");
    module.set_boot_pin(false);
    waiting.end().expect_written("confirmed");
    assert_holds(&module, &package);
}

#[test]
fn a_dead_module_is_brought_back_at_the_boot_pin() {
    let package = package(NEW);
    let bench = with_package(&package);
    let module = EigencommModule::blank().boot_pin().attach(&bench.bus).unwrap();
    module.wait_for_mode(Mode::Download, PATIENCE).unwrap();
    module.set_boot_pin(false);
    bench
        .say(&format!("write fw.zip --json --backup-dir kept --oc {CODE}"))
        .end()
        .expect_written("confirmed");
    assert_holds(&module, &package);
}

#[test]
fn a_second_run_finds_the_agent_of_the_first() {
    let package = package(NEW);
    let bench = with_package(&package);
    let module = bench.attach(EigencommModule::builder(OLD));
    bench
        .say("write fw.zip --json --backup-dir kept --after stay")
        .end()
        .expect_written("written-unasked");
    assert_eq!(module.mode(), Mode::Download);
    bench
        .say(&format!("write fw.zip --json --backup-dir kept --oc {CODE}"))
        .end()
        .expect_written("confirmed");
    assert_holds(&module, &package);
}

#[test]
fn writes_in_small_pieces_when_asked_to() {
    let package = package(NEW);
    let bench = with_package(&package);
    let module = bench.attach(EigencommModule::builder(OLD));
    bench
        .say("write fw.zip --json --backup-dir kept --pacing 4096B/1ms")
        .end()
        .expect_written("confirmed");
    assert_holds(&module, &package);
    for wrong in ["0B/1ms", "64B", "64B/2000ms", "x/1ms"] {
        let ended = bench.say(&format!("write fw.zip --pacing {wrong}")).end();
        assert_eq!(ended.code, Some(2), "{wrong}");
    }
}

#[test]
fn reads_the_rf_data_and_compares_them_with_a_backup() {
    let bench = with_package(&package(NEW));
    let module = bench.attach(EigencommModule::builder(OLD));
    let before = chips(&module);
    let read = "read rf --package fw.zip --json --backup-dir kept";
    let ended = bench.say(read).end();
    assert_eq!(ended.code, Some(0), "{ended:#?}");
    let outcome = ended.outcome();
    assert_eq!(outcome["written"]["state"], "helpers-only");
    assert_eq!(outcome["rf"]["parts"].as_array().unwrap().len(), 2);
    let bytes = backup(&bench, &outcome);
    assert!(Some(&bytes) == module.cp(RF_BACKUP.0, RF_BACKUP.1).as_ref());
    module.wait_for_mode(Mode::Run, PATIENCE).unwrap();

    bench.file("same.bin", &bytes);
    let same = bench.say(&format!("{read} --compare same.bin")).end();
    assert_eq!(same.code, Some(0), "{same:#?}");
    assert_eq!(same.outcome()["rf"]["compared_with"], "same.bin");
    module.wait_for_mode(Mode::Run, PATIENCE).unwrap();

    let mut other = bytes.clone();
    other[0x3_0000] ^= 1;
    bench.file("other.bin", &other);
    let differs = bench.say(&format!("{read} --compare other.bin")).end();
    let outcome = differs.expect(11, "module.differs", "helpers-only");
    let message = outcome["error"]["message"].as_str().unwrap();
    assert!(message.contains("0xf0000"), "{message}");
    module.wait_for_mode(Mode::Run, PATIENCE).unwrap();

    bench.file("short.bin", &bytes[1..]);
    let asked = module.at_commands().len();
    bench
        .say(&format!("{read} --compare short.bin"))
        .end()
        .expect(3, "backup.corrupt", "nothing");
    assert_eq!(module.at_commands().len(), asked);
    assert!(chips(&module) == before, "flash has changed");
}

#[test]
fn jobs_of_other_platforms_are_refused_by_name() {
    let bench = with_package(&package(NEW));
    let module = bench.attach(EigencommModule::builder(OLD));
    for line in ["read nv --package fw.zip", "erase all --yes --package fw.zip"] {
        bench
            .say(&format!("{line} --json"))
            .end()
            .expect(3, "package.unsupported", "nothing");
    }
    assert!(module.at_commands().is_empty());
}

#[test]
fn a_person_is_told_what_was_proven() {
    let package = package(NEW);
    let bench = with_package(&package);
    let module = bench.attach(EigencommModule::builder(OLD));
    let ended = bench.say("write fw.zip --backup-dir kept").end();
    assert_eq!(ended.code, Some(0), "{ended:#?}");
    for words in [
        "written: `at_command.binpkg`",
        "every image was read back",
        &format!("reports `{NEW}` now"),
    ] {
        assert!(ended.stdout.contains(words), "{words}: {}", ended.stdout);
    }
    assert!(ended.took < Duration::from_secs(30));
    assert_holds(&module, &package);
}
