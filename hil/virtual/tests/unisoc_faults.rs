//! What befalls a virtual Unisoc module, and how it boots afterwards.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::panic)]

mod bsl;
mod client;

use std::time::{Duration, Instant};

use bsl::stages::{AP, NEW, REVISION, builder, in_fdl2, in_rom, package};
use bsl::{ACK, Bsl, CONNECT, END, ERASE, EXEC, MIDST, QUIET, READ, RESET, START, words};
use client::{Client, PATIENCE};
use qpyflash_virtual::{
    Effect, Fault, LinkModel, Mode, Point, Request, Role, Stage, UnisocModule, VirtualBus,
};

fn fault(stage: Stage, request: Request, nth: u32, what: Effect) -> Fault {
    Fault {
        at: Point::Unisoc(stage, request),
        nth,
        what,
    }
}

fn fdl2(request: Request, what: Effect) -> Fault {
    fault(Stage::Fdl2, request, 1, what)
}

#[test]
fn reads_its_nv_with_a_wrong_crc_when_told() {
    let (_bus, _module, mut good) = in_fdl2(builder());
    let (_bus, _module, mut wrong) = in_fdl2(builder().wrong_nv_crc());
    let (good, wrong) = (good.nv_bin().unwrap(), wrong.nv_bin().unwrap());
    assert_ne!(good[..2], wrong[..2]);
    assert_eq!(good[2..], wrong[2..]);
}

#[test]
fn replies_are_lost_doubled_corrupted_replaced_and_late() {
    let (_bus, module, mut loader) = in_fdl2(builder());
    module.give(fdl2(Request::Connect, Effect::LoseReply));
    assert_eq!(loader.ask_within(CONNECT, &[], QUIET), None);
    assert_eq!(loader.code(CONNECT, &[]), ACK);

    module.give(fdl2(Request::Start, Effect::DuplicateReply));
    assert_eq!(loader.code(START, &words(&[AP, 4])), ACK);
    assert_eq!(loader.reply(PATIENCE).unwrap().0, ACK);

    module.give(fdl2(Request::Midst, Effect::CorruptReply));
    assert_eq!(loader.code(MIDST, b"12"), 0xFFFF, "a reply with a wrong check");

    module.give(fdl2(Request::Midst, Effect::Nak(0x8B)));
    assert_eq!(loader.code(MIDST, b"34"), 0x8B);
    assert_eq!(loader.code(END, &[]), 0x8A, "what was refused is not done");

    module.give(fdl2(
        Request::EraseFlash,
        Effect::Slow(Duration::from_millis(200)),
    ));
    let begun = Instant::now();
    assert_eq!(loader.code(ERASE, &words(&[AP, 0x1000])), ACK);
    assert!(begun.elapsed() >= Duration::from_millis(200));

    module.give(fdl2(Request::Connect, Effect::Noise(b"rubbish\xFF".to_vec())));
    assert_eq!(loader.code(CONNECT, &[]), ACK);
    module.give(fdl2(Request::Connect, Effect::Answer("log text".into())));
    assert_eq!(loader.ask(CONNECT, &[]), Some((0xFF, b"log text".to_vec())));
    module.give(fdl2(Request::Any, Effect::Garbage(b"~\x00\x80~".to_vec())));
    assert_eq!(loader.ask_within(CONNECT, &[], QUIET), None);
    module.give(fdl2(Request::Any, Effect::Silence));
    assert_eq!(loader.ask_within(CONNECT, &[], QUIET), None);
    assert_eq!(loader.ask_within(CONNECT, &[], QUIET), None);
    assert_eq!(module.violations(), Vec::<String>::new());
}

#[test]
fn faults_strike_in_rom_and_fdl1_too() {
    let (_bus, module, mut loader) = in_rom(builder().rom_garbage());
    module.give(fault(Stage::Rom, Request::Midst, 2, Effect::Nak(7)));
    assert_eq!(loader.pdl(4, 0x0080_00C0, 0x1000, b"PDL1\0"), Some(0));
    assert_eq!(loader.pdl(5, 0, 0x800, &[0; 0x800]), Some(0));
    assert_eq!(loader.pdl(5, 1, 0x800, &[0; 0x800]), Some(7));
    module.give(fault(
        Stage::Fdl1,
        Request::Sync,
        1,
        Effect::Answer("short".into()),
    ));
    module.give(fault(Stage::Fdl1, Request::Exec, 1, Effect::LoseReply));
    let pac = package();
    loader.load_fdl1(pac.data("HOST_FDL"));
    assert_eq!(loader.sync(1), "short");
    let image = pac.data("FDL2");
    loader
        .object(&[0x0081_0000, image.len() as u32], image, 0x840)
        .unwrap();
    assert_eq!(
        loader.ask_within(EXEC, &[], QUIET),
        None,
        "the first ACK of FDL2 is lost"
    );
    assert_eq!(loader.code(CONNECT, &[]), ACK);
    assert!(
        module.commands().contains(&"FDL1 EXEC".to_owned()),
        "{:?}",
        module.commands()
    );
}

#[test]
fn gives_the_host_one_byte_at_a_time_and_stops_reading() {
    let (_bus, module, mut loader) = in_fdl2(builder());
    module.give(fdl2(Request::ReadFlash, Effect::ShortReads));
    let (code, data) = loader.ask(READ, &words(&[AP, 0x40, 0])).unwrap();
    assert_eq!((code, data), (0x93, module.region(AP, 0x40).unwrap()));
    module.give(fdl2(Request::Connect, Effect::StopReading));
    assert_eq!(loader.code(CONNECT, &[]), ACK);
    assert!(
        loader.client.fill_up() < 400_000,
        "the module must stop taking bytes"
    );
}

/// Begins to write with that fault; gives what became of it.
fn struck_while_writing(what: Fault) -> (VirtualBus, UnisocModule) {
    let (bus, module, mut loader) = in_fdl2(builder().fault(what));
    assert!(loader.write(&package(), 0x800).is_err());
    (bus, module)
}

/// A second run over the same package completes.
fn assert_writable(module: &UnisocModule) {
    module.wait_for_mode(Mode::Download, PATIENCE).unwrap();
    let mut loader = Bsl::open(module.tty(Role::Download).unwrap(), false);
    loader.load_8910(&package());
    loader.write(&package(), 0x800).unwrap();
    assert_eq!(loader.code(RESET, &[]), ACK);
    module.wait_for_revision(NEW, PATIENCE).unwrap();
    assert!(!module.flash().is_torn());
}

#[test]
fn stays_in_its_rom_after_a_power_loss_and_is_written_again() {
    // HOST_FDL and FDL2 are the first two objects, AP the third, BOOTLOADER the last.
    for (object, bytes) in [(3, 5000), (5, 100), (8, 300)] {
        let at = Fault {
            at: Point::Data(bytes),
            nth: object,
            what: Effect::PowerLoss,
        };
        let (_bus, module) = struck_while_writing(at);
        let begun = Instant::now();
        while module.counters().boots < 2 {
            assert!(begun.elapsed() < PATIENCE, "it has not restarted");
            std::thread::sleep(Duration::from_millis(5));
        }
        assert!(!module.flash().boots(), "object {object}");
        assert_writable(&module);
    }
}

#[test]
fn vanishes_from_the_bus_and_comes_back_in_its_rom() {
    let at = Fault {
        at: Point::Data(4096),
        nth: 4,
        what: Effect::Vanish,
    };
    let (bus, module) = struck_while_writing(at);
    module.wait_for_mode(Mode::Off, PATIENCE).unwrap();
    assert!(!bus.path().join("1-4.2.json").exists());
    module.attach();
    assert_writable(&module);
}

#[test]
fn boots_the_old_firmware_when_power_is_lost_before_anything_is_erased() {
    let (_bus, module) = struck_while_writing(fdl2(Request::EraseFlash, Effect::PowerLoss));
    module.wait_for_revision(REVISION, PATIENCE).unwrap();
}

#[test]
fn hangs_when_the_application_is_torn_under_a_whole_bootloader() {
    let (_bus, module, mut loader) = in_fdl2(builder());
    assert_eq!(loader.code(START, &words(&[AP, 0x1000])), ACK);
    assert_eq!(loader.code(MIDST, &[0; 0x100]), ACK);
    module.power_cycle();
    module.wait_for_mode(Mode::Off, PATIENCE).unwrap();
    assert_eq!(module.wait_while_mode(Mode::Off, QUIET), Mode::Off);
    assert_eq!(module.counters().failed_boots, 1);
    module.set_boot_pin(true);
    module.power_cycle();
    assert_writable_with_pin(&module);
}

fn assert_writable_with_pin(module: &UnisocModule) {
    module.wait_for_mode(Mode::Download, PATIENCE).unwrap();
    module.set_boot_pin(false);
    assert_writable(module);
}

#[test]
fn a_power_cycle_leaves_download_mode_when_the_flash_is_whole() {
    let (_bus, module, _loader) = in_rom(builder());
    module.power_cycle();
    module.wait_for_revision(REVISION, PATIENCE).unwrap();
    let mut diag = Client::open(module.tty(Role::Diag).unwrap());
    diag.send(&[0x7E, 0x01, 0x00, 0x00, 0xAB, 0x08, 0x00, 0x05, 0x42, 0x7E])
        .unwrap();
    module.wait_for_mode(Mode::Download, PATIENCE).unwrap();
}

#[test]
fn answers_after_its_turn_round_time_and_the_time_of_the_line() {
    let link = LinkModel::named("usb-full").unwrap();
    let turn_round = Duration::from_millis(4);
    let (_bus, _module, mut loader) = in_fdl2(builder().link(link.with_turn_round(turn_round)));
    let begun = Instant::now();
    loader.object(&[AP, 0x8000], &[0x55; 0x8000], 0x800).unwrap();
    // 16 frames and START and END, at 1 MB/s and 4 ms each.
    let least = Duration::from_micros(32_768) + 18 * turn_round;
    assert!(begun.elapsed() >= least, "{:?}", begun.elapsed());
}
