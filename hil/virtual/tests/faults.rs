//! What a virtual module does when it is given a fault, and when a host breaks the rules.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::panic)]

mod client;

use std::time::{Duration, Instant};

use client::{Client, PATIENCE};
use qpyflash_virtual::{
    AsrModule, AsrModuleBuilder, AsrPackage, Chip, Effect, Fault, Mode, Point, Role, Scale, Variant,
    VirtualBus,
};

const OLD: &str = "EC600NCNLAR03A07M08_OCPU_QPY";
const NEW: &str = "EC600NCNLAR03A08M08_OCPU_QPY";
/// Longer than two heartbeats.
const QUIET: Duration = Duration::from_millis(700);

/// A module in download mode after the handshake, with that fault.
fn struck(at: Point, nth: u32, what: Effect) -> (VirtualBus, AsrModule, Client) {
    started(AsrModule::builder(OLD).fault(Fault { at, nth, what }))
}

fn started(builder: AsrModuleBuilder) -> (VirtualBus, AsrModule, Client) {
    let bus = VirtualBus::temporary().unwrap();
    let times = (Duration::from_millis(20), Duration::from_millis(20));
    let module = builder
        .starts_in_download()
        .boot_times(times.0, times.1)
        .attach(&bus)
        .unwrap();
    module.wait_for_mode(Mode::Download, PATIENCE).unwrap();
    let mut loader = Client::open(module.tty(Role::Download).unwrap());
    loader.handshake();
    (bus, module, loader)
}

fn package() -> AsrPackage {
    AsrPackage::generate(NEW, Chip::Asr1603, Scale::Small)
}

fn script() -> Vec<u8> {
    package().member("firmware.bin").unwrap()
}

/// Loads preboot, flasher and tables.
fn load_flasher(loader: &mut Client) {
    for (member, commands) in [
        ("preboot.img", &["verify", "call"][..]),
        ("flasher.img", &["verify", "call"]),
        ("flashinfo.bin", &["partition"]),
        ("partition.bin", &["partition"]),
    ] {
        assert_eq!(loader.download(&package().member(member).unwrap()), "OKAY");
        for command in commands {
            assert_eq!(loader.ask(command), "OKAY", "{member}");
        }
    }
}

/// `HELLO` as a sparse image, from the worked example of the specification.
fn hello() -> Vec<u8> {
    let mut image = vec![
        0x3A, 0xFF, 0x26, 0xED, 1, 0, 0, 0, 32, 0, 16, 0, 0, 16, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0,
    ];
    image.extend([0; 8]);
    image.extend([0xC1, 0xCA, 0, 0, 1, 0, 0, 0, 0x10, 0x10, 0, 0, 0, 0, 0, 0]);
    image.extend(b"HELLO");
    image.extend([0; 4091]);
    image.extend([
        0xC4, 0xCA, 0, 0, 0, 0, 0, 0, 0x14, 0, 0, 0, 0, 0, 0, 0, 0xE2, 0x89, 0x66, 0x7E,
    ]);
    image
}

#[test]
fn is_silent_without_heartbeats_from_the_named_command_on() {
    let (_bus, _module, mut loader) = struck(Point::Getvar, 2, Effect::Silence);
    assert_eq!(loader.ask("getvar:product"), "OKAYarom-tiny");
    loader.send_frame(3, b"getvar:version").unwrap();
    assert_eq!(loader.answer(QUIET), None);
    assert_eq!(loader.frame(QUIET), None);
}

#[test]
fn loses_one_answer_and_keeps_the_link() {
    let (_bus, _module, mut loader) = struck(Point::Command, 1, Effect::LoseReply);
    loader.send_frame(3, b"getvar:version").unwrap();
    assert_eq!(loader.answer(QUIET), None);
    assert!(loader.heartbeats > 0);
    assert_eq!(loader.ask("getvar:version"), "OKAY0.5");
}

#[test]
fn doubles_replaces_and_precedes_answers() {
    let (_bus, module, mut loader) = struck(Point::Getvar, 1, Effect::DuplicateReply);
    assert_eq!(loader.ask("getvar:version"), "OKAY0.5");
    assert_eq!(loader.answer(PATIENCE).unwrap(), "OKAY0.5");
    module.give(Fault {
        at: Point::Progress,
        nth: 1,
        what: Effect::Answer("WHAT".into()),
    });
    assert_eq!(loader.ask("progress:00000001"), "WHAT");
    module.give(Fault {
        at: Point::Progress,
        nth: 1,
        what: Effect::Noise(b"\xFF\x00noise~~".to_vec()),
    });
    assert_eq!(loader.ask("progress:00000001"), "OKAY");
    module.give(Fault {
        at: Point::Progress,
        nth: 1,
        what: Effect::Garbage(b"~\x7d\x23garb".to_vec()),
    });
    loader.send_frame(3, b"progress:00000001").unwrap();
    assert_eq!(loader.answer(Duration::from_millis(100)), None);
}

#[test]
fn refuses_at_every_named_command() {
    for (point, command) in [
        (Point::Getvar, "getvar:product"),
        (Point::Progress, "progress:"),
        (Point::Download, "download:"),
        (Point::AfterData, "download:"),
        (Point::Verify, "verify"),
        (Point::Call, "call"),
        (Point::Partition, "partition"),
        (Point::Erase, "erase:fota_param"),
        (Point::Flash, "flash:bootloader"),
    ] {
        let (_bus, _module, mut loader) = struck(point, 1, Effect::Refuse("injected".into()));
        let (failed, answer) = loader.play(&script(), "call").unwrap_err();
        assert!(failed.starts_with(command), "{point:?} struck at {failed}");
        assert_eq!(answer, "FAILinjected");
    }
}

#[test]
fn refuses_at_the_end_of_a_run() {
    for (point, command) in [
        (Point::Reboot, "reboot"),
        (Point::Complete, "complete"),
        (Point::Disconnect, "disconnect"),
    ] {
        let (_bus, _module, mut loader) = struck(point, 1, Effect::Refuse("injected".into()));
        assert_eq!(loader.ask(command), "FAILinjected");
    }
}

#[test]
fn fails_late_and_twice_and_never_completes() {
    let (_bus, module, mut loader) = struck(
        Point::Programming,
        4,
        Effect::Refuse("flash write failure".into()),
    );
    let failed = loader.play(&script(), "call").unwrap_err();
    assert!(
        failed.0.starts_with("flash:")
            || failed.0.starts_with("getvar:")
            || failed.0.starts_with("download:")
    );
    assert_eq!(failed.1, "FAILsparse: flash write failure");
    let heard = &loader.heard;
    assert!(heard.iter().any(|text| text.starts_with("OKAY")));
    assert!(
        loader
            .answer(PATIENCE)
            .unwrap()
            .starts_with("FAILwrote partition")
    );
    while loader.answer(Duration::from_millis(50)).is_some() {}
    loader.send_frame(3, b"complete").unwrap();
    assert_eq!(loader.answer(QUIET), None);
    assert!(loader.heartbeats > 0);
    module.power_cycle();
    module.wait_for_mode(Mode::Off, PATIENCE).unwrap();
    assert!(module.flash().is_torn());
}

#[test]
fn a_direct_flasher_is_dead_after_its_failure() {
    let variant = Variant::Boot2Of1601("2021.02.03".into());
    let fault = Fault {
        at: Point::Programming,
        nth: 2,
        what: Effect::Refuse("flash write failure".into()),
    };
    let (_bus, _module, mut loader) = started(AsrModule::builder(OLD).variant(variant).fault(fault));
    let failed = loader.play(&script(), "nop").unwrap_err();
    assert_eq!(failed.1, "FAILerase partition \"bootloader\" failed.");
    assert!(loader.heard.contains(&"INFOflash write failure".to_owned()));
    assert_eq!(loader.frame(QUIET), None);
}

#[test]
fn gives_the_host_one_byte_at_a_time() {
    let (_bus, _module, mut loader) = struck(Point::Getvar, 1, Effect::ShortReads);
    loader.send_frame(3, b"getvar:version").unwrap();
    let reads: Vec<_> = (0..40).map(|_| loader.read(PATIENCE).unwrap().len()).collect();
    // The kernel may join bytes when the host is scheduled late, so not every read is as short as it was sent.
    assert!(
        reads.iter().filter(|length| **length == 1).count() > 20,
        "{reads:?}"
    );
}

#[test]
fn vanishes_from_the_bus_and_hangs_up() {
    let (bus, module, mut loader) = struck(Point::Data(5000), 1, Effect::Vanish);
    let image = package().member("preboot.img").unwrap();
    assert!(
        loader
            .ask(&format!("download:{:08x}", image.len()))
            .starts_with("DATA")
    );
    let _ = loader.send_data(&image);
    module.wait_for_mode(Mode::Off, PATIENCE).unwrap();
    assert!(!bus.path().join("1-4.2.json").exists());
    let deadline = Instant::now() + PATIENCE;
    while loader.read(PATIENCE).is_some_and(|bytes| !bytes.is_empty()) {
        assert!(Instant::now() < deadline);
    }
    assert!(loader.send(b"~").is_err());
    module.attach();
    module.wait_for_revision(OLD, PATIENCE).unwrap();
}

#[test]
fn boots_the_old_firmware_after_a_power_loss_before_anything_was_written() {
    let (_bus, module, mut loader) = struck(Point::Data(20_000), 2, Effect::PowerLoss);
    assert_eq!(loader.download(&package().member("preboot.img").unwrap()), "OKAY");
    assert_eq!(
        (loader.ask("verify"), loader.ask("call")),
        ("OKAY".into(), "OKAY".into())
    );
    let flasher = package().member("flasher.img").unwrap();
    assert!(
        loader
            .ask(&format!("download:{:08x}", flasher.len()))
            .starts_with("DATA")
    );
    let _ = loader.send_data(&flasher);
    module.wait_for_revision(OLD, PATIENCE).unwrap();
    assert!(!module.flash().is_torn());
}

#[test]
fn does_not_boot_after_a_power_loss_while_programming() {
    let (_bus, module, mut loader) = struck(Point::Programming, 3, Effect::PowerLoss);
    let (_, answer) = loader.play(&script(), "call").unwrap_err();
    assert_eq!(answer, "nothing");
    let begun = Instant::now();
    while module.counters().failed_boots == 0 {
        assert!(begun.elapsed() < PATIENCE, "it has not restarted");
        std::thread::sleep(Duration::from_millis(5));
    }
    module.wait_for_mode(Mode::Download, PATIENCE).unwrap();
    assert!(module.flash().is_torn());
}

#[test]
fn stops_reading_while_its_heart_beats() {
    let (_bus, _module, mut loader) = struck(Point::Download, 1, Effect::StopReading);
    assert_eq!(loader.ask("download:0000f000"), "DATA0000f000");
    let before = loader.heartbeats;
    assert!(loader.fill_up() < 200_000, "the module must stop taking bytes");
    assert_eq!(loader.answer(QUIET), None);
    assert!(loader.heartbeats > before);
}

#[test]
fn a_slow_erase_is_filled_with_progress() {
    let (_bus, _module, mut loader) =
        struck(Point::Programming, 1, Effect::Slow(Duration::from_millis(1300)));
    let begun = Instant::now();
    loader.play(&script(), "call").unwrap();
    assert_eq!(loader.ask("complete"), "OKAY");
    assert!(begun.elapsed() > Duration::from_millis(1300));
    assert!(
        loader
            .heard
            .iter()
            .filter(|text| text.starts_with("PROG"))
            .count()
            >= 2
    );
}

#[test]
fn knows_the_order_of_things() {
    let (_bus, module, mut loader) = started(AsrModule::builder(OLD));
    assert!(loader.ask("flash:cp").starts_with("FAIL"));
    assert!(loader.ask("partition").starts_with("FAIL"));
    assert!(loader.ask("call").starts_with("FAIL"));
    assert!(loader.ask("nop").starts_with("FAIL"));
    assert!(loader.ask("download:0000f001").starts_with("FAIL"));
    assert_eq!(loader.ask("getvar:no-such-thing"), "OKAY");
    assert_eq!(loader.ask("getvar:max-download-size"), "OKAY\t 0xf000");
    assert_eq!(loader.download(b"not a container"), "OKAY");
    assert!(loader.ask("verify").starts_with("FAIL"));
    load_flasher(&mut loader);
    assert_eq!(loader.ask("getvar:max-download-size"), "OKAY\t 0x100000");
    assert_eq!(loader.ask("getvar:partition-type:bootloader"), "OKAYubi");
    assert_eq!(loader.ask("getvar:partition-start:cp"), "OKAY\t 0x40000");
    assert_eq!(loader.ask("useflash:external"), "OKAY");
    assert_eq!(loader.ask("useflash:none"), "FAILflash name \"none\" not found");
    assert_eq!(loader.ask("fuse"), "OKAY");
    assert_eq!(module.counters().fuse_requests, 1);
}

#[test]
fn refuses_tables_that_are_wrong() {
    let (_bus, _module, mut loader) = started(AsrModule::builder(OLD).flash_chip(0x80_0000, 0x20, 0x6017));
    for member in ["preboot.img", "flasher.img"] {
        assert_eq!(loader.download(&package().member(member).unwrap()), "OKAY");
        assert_eq!(
            (loader.ask("verify"), loader.ask("call")),
            ("OKAY".into(), "OKAY".into())
        );
    }
    assert_eq!(
        loader.download(&package().member("flashinfo.bin").unwrap()),
        "OKAY"
    );
    assert_eq!(
        loader.ask("partition"),
        "FAILparse flash information table failed"
    );
    let mut table = package().member("partition.bin").unwrap();
    table[200] ^= 1;
    assert_eq!(loader.download(&table), "OKAY");
    assert_eq!(
        loader.ask("partition"),
        "FAILparse partition information table failed"
    );
    assert_eq!(loader.download(b"neither"), "OKAY");
    assert_eq!(
        loader.ask("partition"),
        "FAILunknown partition command file format"
    );
}

#[test]
fn fails_when_a_partition_is_flashed_twice_in_a_row() {
    let (_bus, module, mut loader) = started(AsrModule::builder(OLD));
    load_flasher(&mut loader);
    for expected in ["OKAY", "OKAY"] {
        assert_eq!(loader.download(&hello()), "OKAY");
        assert_eq!(loader.ask("flash:fwcerts"), expected);
    }
    assert_eq!(
        loader.answer(PATIENCE).unwrap(),
        "FAILsparse: flash write failure"
    );
    assert!(module.partition("fwcerts").unwrap().starts_with(b"HELLO\0"));
}

#[test]
fn fails_late_when_the_partition_is_not_in_the_table_or_holds_others() {
    for name in ["nothing", "firmware", "external"] {
        let (_bus, _module, mut loader) = started(AsrModule::builder(OLD));
        load_flasher(&mut loader);
        assert_eq!(loader.download(&hello()), "OKAY");
        assert_eq!(loader.ask(&format!("flash:{name}")), "OKAY");
        let reason = format!("FAILwriting partition \"{name}\" not found or not supported.");
        assert_eq!(loader.answer(PATIENCE).unwrap(), reason);
    }
}

#[test]
fn takes_a_download_in_ragged_frames_and_at_most_three_blocks_ahead() {
    let (_bus, _module, mut loader) = started(AsrModule::builder(OLD).programming_speed(20_000));
    load_flasher(&mut loader);
    let begun = Instant::now();
    for name in ["fwcerts", "apn", "logo", "nvm"] {
        let image = hello();
        assert!(
            loader
                .ask(&format!("download:{:x}", image.len()))
                .starts_with("DATA")
        );
        for piece in [&image[..1], &image[1..700], &image[700..]] {
            loader.send_data(piece).unwrap();
        }
        assert_eq!(loader.answer(PATIENCE).unwrap(), "OKAY");
        assert_eq!(loader.ask(&format!("flash:{name}")), "OKAY");
    }
    assert!(
        begun.elapsed() >= Duration::from_millis(180),
        "the fourth download waits for a free block"
    );
}
