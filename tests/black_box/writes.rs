//! Whole writes: every partition is compared with the package afterwards.

use std::time::Duration;

use qpyflash_virtual::{AsrModule, AsrPackage, AtOptions, Chip, Effect, Fault, Mode, Point, Scale, Variant};

use crate::bench::{Bench, NAME, NEW, OLD, PATIENCE, Untouched, assert_holds, firmware};
use crate::harness::each;

/// An ASR1601 module, whose download mode after an AT command is served by boot2.
const OLD_1601: &str = "EC600SCNAAR01A01M16_OCPU_PY";
const NEW_1601: &str = "EC600SCNAAR01A02M16_OCPU_PY";

#[test]
fn writes_every_published_layout_from_any_path() {
    let layouts = [
        ("QPY_OCPU_V0006_EC600N_CNLA_FW.zip", firmware().public_zip(NAME)),
        ("EC600NCNLAR03A08M08_OCPU_QPY.zip", firmware().wrapped_zip()),
        ("EC600NCNLAR03A08M08_OCPU_QPY (1).ZIP", firmware().zip()),
        ("QPY_OCPU_V0006_EC600N_CNLA_FW.bin", firmware().zip()),
        ("fw", firmware().zip()),
        ("我的 固件/量产 2024/固件包.zip", firmware().public_zip(NAME)),
    ];
    each(&layouts, |(path, bytes)| {
        let bench = Bench::new();
        let module = bench.attach(AsrModule::builder(OLD));
        bench.file(path, bytes.as_ref().unwrap());
        let outcome = bench
            .qpyflash(&["write", path, "--json"])
            .end()
            .expect_written("confirmed");
        assert_eq!(outcome["after"]["revision_text"], NEW);
        assert_holds(&module, firmware());
        assert_eq!(module.revision().as_deref(), Some(NEW));
    });
}

#[test]
fn writes_an_unpacked_folder() {
    let bench = Bench::new();
    let module = bench.attach(AsrModule::builder(OLD));
    for (name, bytes) in firmware().members() {
        bench.file(&format!("解压 后/{name}"), bytes);
    }
    bench
        .qpyflash(&["write", "解压 后", "--json"])
        .end()
        .expect_written("confirmed");
    assert_holds(&module, firmware());
}

#[test]
fn writes_a_script_and_expands_its_segments() {
    let bench = Bench::new();
    let module = bench.attach(AsrModule::builder(OLD));
    bench.file("firmware.bin", firmware().member("firmware.bin").unwrap());
    bench
        .say("write firmware.bin --json")
        .end()
        .expect_written("confirmed");
    assert_holds(&module, firmware());
}

#[test]
fn writes_an_image_of_several_downloads() {
    let bench = Bench::new();
    let module = bench.attach(
        AsrModule::builder(OLD)
            .max_download_sizes(0xF000, 0x8000)
            .mtu(512),
    );
    let package = AsrPackage::generate(NEW, Chip::Asr1603, Scale::Realistic);
    bench.file("fw.zip", package.zip().unwrap());
    let outcome = bench.say("write fw.zip --json").end().expect_written("confirmed");
    assert!(outcome["bytes"].as_u64() > Some(5_000_000), "{outcome:#}");
    assert_holds(&module, &package);
}

/// Source: specs/asr-aboot.md §4.4.
#[test]
fn boot2_is_asked_for_nop_or_spared_its_helpers_by_its_date() {
    let cases = [
        ("2021.01.17", "fw.zip", 2),
        ("2022.03.01", "firmware.bin", 2),
        ("2021.01.16", "fw.zip", 0),
        ("2020.05.20", "firmware.bin", 0),
        ("", "fw.zip", 0),
    ];
    each(&cases, |(date, file, helpers)| {
        let package = AsrPackage::generate(NEW_1601, Chip::Asr1601, Scale::Small);
        let bench = Bench::new();
        bench.file("fw.zip", package.zip().unwrap());
        bench.file("firmware.bin", package.member("firmware.bin").unwrap());
        let variant = Variant::Boot2Of1601((*date).to_owned());
        let module = bench.attach(
            AsrModule::builder(OLD_1601)
                .variant(variant)
                .product_ids(0x6001, 0x3017),
        );
        bench
            .qpyflash(&["write", file, "--json"])
            .end()
            .expect_written("confirmed");
        assert_holds(&module, &package);
        let count = |word: &str| {
            module
                .commands()
                .iter()
                .filter(|&command| command == word)
                .count()
        };
        assert_eq!(
            (count("call"), count("nop"), count("verify")),
            (0, *helpers, *helpers)
        );
    });
}

/// In all weathers: one frame in fifty lost, or delivered twice, in either direction. Source: specs/asr-aboot.md §3.7.
#[test]
fn a_rom_that_speaks_ethos_is_written() {
    let rom = || AsrModule::builder(OLD_1601).variant(Variant::Rom1601);
    let in_weather = |weather: &str| match weather {
        "loses" => rom().loses_every(50),
        "doubles" => rom().doubles_every(50),
        _ => rom(),
    };
    let cases = [
        ("", "fw.zip"),
        ("", "firmware.bin"),
        ("loses", "fw.zip"),
        ("doubles", "fw.zip"),
    ];
    each(&cases, |(weather, file)| {
        let bench = Bench::new();
        let package = AsrPackage::generate(NEW_1601, Chip::Asr1601, Scale::Small);
        bench.file("fw.zip", package.zip().unwrap());
        bench.file("firmware.bin", package.member("firmware.bin").unwrap());
        let module = bench.attach(in_weather(weather));
        bench
            .qpyflash(&["write", file, "--json"])
            .end()
            .expect_written("confirmed");
        assert_holds(&module, &package);
        assert_eq!(module.revision().as_deref(), Some(NEW_1601));
    });
}

#[test]
fn a_module_with_factory_firmware_and_no_repl_is_written() {
    let bench = Bench::new();
    let module = bench.attach(AsrModule::builder("EC600NCNLAR03A07M08"));
    let outcome = bench.say("write fw.zip --json").end().expect_written("confirmed");
    assert_eq!(outcome["before"]["witness"], "factory");
    assert_eq!(outcome["after"]["witness"], "quec-python");
    assert_holds(&module, firmware());
}

#[test]
fn a_module_in_download_mode_is_written_without_one_at_byte() {
    let lines = [
        "--before none --oc EC600NCNLA",
        "--oc EC600NCNLA-N05",
        "--path 1-4.2 --oc EC600NCNLA",
        "--port usb:1-4.2 --before none --oc EC600NCNLA",
        "--wait --oc EC600NCNLA",
    ];
    each(&lines, |options| {
        let bench = Bench::new();
        let module = bench.attach(AsrModule::builder(OLD).starts_in_download());
        let outcome = bench
            .say(&format!("write fw.zip --no-verify --json {options}"))
            .end()
            .expect_written("written-unasked");
        assert!(outcome["before"].is_null(), "{outcome:#}");
        module.wait_for_revision(NEW, PATIENCE).unwrap();
        assert_holds(&module, firmware());
        assert_eq!(module.counters().at_bytes, 0);
        assert_eq!(module.counters().repl_bytes, 0);
    });
}

#[test]
fn a_module_that_is_plugged_in_later_is_waited_for() {
    let bench = Bench::new();
    let mut running = bench
        .say("write fw.zip --before wait --oc EC600NCNLA --jsonl")
        .scale("1")
        .start();
    running.wait_for_phase("find");
    let module = bench.attach(AsrModule::builder(OLD).starts_in_download());
    running.end().expect_written("confirmed");
    assert_holds(&module, firmware());
}

#[test]
fn stays_in_download_mode_when_asked_to() {
    let bench = Bench::new();
    let module = bench.attach(AsrModule::builder(OLD));
    bench
        .say("write fw.zip --after stay --json")
        .end()
        .expect_written("written-unasked");
    assert_eq!(module.mode(), Mode::Download);
    assert_eq!(module.commands().last().unwrap(), "complete");
    assert!(!module.commands().contains(&"reboot".to_owned()));
    assert_holds(&module, firmware());
    module.power_cycle();
    module.wait_for_revision(NEW, PATIENCE).unwrap();
}

#[test]
fn does_not_ask_again_when_told_not_to() {
    let bench = Bench::new();
    let module = bench.attach(AsrModule::builder(OLD));
    let outcome = bench
        .say("write fw.zip --no-verify --json")
        .end()
        .expect_written("written-unasked");
    assert!(outcome["after"].is_null(), "{outcome:#}");
    module.wait_for_revision(NEW, PATIENCE).unwrap();
    assert_holds(&module, firmware());
}

/// Source: specs/asr-aboot.md §8.4.
#[test]
fn a_module_that_stays_in_download_mode_is_to_be_power_cycled() {
    let bench = Bench::new();
    let module = bench.attach(AsrModule::builder(OLD).stays_in_download_after_reboot());
    let ended = bench.say("write fw.zip").hasty().end();
    assert_eq!(ended.code, Some(0), "{ended:#?}");
    assert!(ended.stdout.contains("now power-cycle it"), "{ended:#?}");
    assert_holds(&module, firmware());
    module.power_cycle();
    module.wait_for_revision(NEW, PATIENCE).unwrap();
}

#[test]
fn a_module_that_reports_another_revision_afterwards_is_not_confirmed() {
    let bench = Bench::new();
    let module = bench.attach(AsrModule::builder(OLD));
    let other = "EC600NCNLAR03A09M08_OCPU_QPY";
    let package = firmware().clone().with_changed("customer_app.bin", |bytes| {
        let at = bytes
            .windows(NEW.len())
            .position(|window| window == NEW.as_bytes());
        bytes[at.unwrap()..][..other.len()].copy_from_slice(other.as_bytes());
    });
    bench.file("fw.zip", package.zip().unwrap());
    let outcome = bench
        .say("write fw.zip --json")
        .end()
        .expect(11, "module.not-confirmed", "complete");
    assert_eq!(outcome["after"]["revision_text"], other);
    assert_eq!(outcome["error"]["phase"], "confirm");
    assert_holds(&module, &package);
}

#[test]
fn a_second_write_right_after_the_first_is_as_good() {
    let bench = Bench::new();
    let module = bench.attach(AsrModule::builder(OLD));
    let newer = "EC600NCNLAR03A09M08_OCPU_QPY";
    let second = AsrPackage::generate(newer, Chip::Asr1603, Scale::Small);
    bench.file("second.zip", second.zip().unwrap());
    bench.say("write fw.zip --json").end().expect_written("confirmed");
    let outcome = bench
        .say("write second.zip --json")
        .end()
        .expect_written("confirmed");
    assert_eq!(outcome["before"]["revision_text"], NEW);
    assert_eq!(outcome["after"]["revision_text"], newer);
    assert_holds(&module, &second);
}

#[test]
fn a_check_is_a_write_without_the_writing() {
    let bench = Bench::new();
    let module = bench.attach(AsrModule::builder(OLD));
    let untouched = Untouched::now(&module);
    let outcome = bench.say("check fw.zip --json").end().outcome();
    assert_eq!(outcome["verdict"], "clear");
    assert_eq!(outcome["written"]["state"], "nothing");
    assert_eq!(outcome["before"]["revision_text"], OLD);
    untouched.assert();
}

#[test]
fn a_running_program_does_not_keep_a_module_from_being_written() {
    let bench = Bench::new();
    let options = qpyflash_virtual::ReplOptions {
        running_script: true,
        ..Default::default()
    };
    let slow = AtOptions {
        reply_delay: Duration::from_millis(20),
        ..AtOptions::default()
    };
    let module = bench.attach(AsrModule::builder(OLD).repl(options).at(slow));
    bench.say("write fw.zip --json").end().expect_written("confirmed");
    assert_holds(&module, firmware());
}

/// The boot ROM shows its port at every boot; that is no module that stays in download mode.
#[test]
fn a_module_that_shows_its_download_port_at_each_boot_is_confirmed() {
    let bench = Bench::new();
    let window = Duration::from_millis(600);
    let builder = AsrModule::builder(OLD).boot_window(window);
    let module = bench.attach(builder);
    module.wait_for_mode(Mode::Run, PATIENCE).unwrap();
    bench.say("write fw.zip --json").end().expect_written("confirmed");
    assert_holds(&module, firmware());
}

/// Source: specs/asr-aboot.md §1.3, §8.3.
#[test]
fn a_module_without_firmware_is_caught_in_its_short_window() {
    let bench = Bench::new();
    let (window, rest) = (Duration::from_millis(400), Duration::from_millis(500));
    let module = bench.attach(AsrModule::blank().crash_loop(window, rest));
    bench
        .say("write fw.zip --before wait --path 1-4.2 --oc EC600NCNLA --json")
        .scale("1")
        .end()
        .expect_written("confirmed");
    assert_holds(&module, firmware());
    assert_eq!(module.revision().as_deref(), Some(NEW));
}

/// A module that crashes at every boot shows its download port again and again; it does not stay there.
#[test]
fn a_module_that_does_not_come_back_or_comes_back_crashing_is_not_confirmed() {
    let vanish = || Fault {
        at: Point::Disconnect,
        nth: 1,
        what: Effect::Vanish,
    };
    each(&[false, true], |crashing| {
        let bench = Bench::new();
        let module = bench.attach(AsrModule::builder(OLD).fault(vanish()));
        let mut running = bench.say("write fw.zip --jsonl").scale("0.05").start();
        running.wait_for_phase("confirm");
        module.wait_for_mode(Mode::Off, PATIENCE).unwrap();
        let (window, rest) = (Duration::from_millis(300), Duration::from_millis(200));
        let crashes = || bench.attach(AsrModule::blank().crash_loop(window, rest));
        let other = crashing.then(crashes);
        running.end().expect(11, "module.not-confirmed", "complete");
        drop(other);
        module.attach();
        module.wait_for_revision(NEW, PATIENCE).unwrap();
        assert_holds(&module, firmware());
    });
}
