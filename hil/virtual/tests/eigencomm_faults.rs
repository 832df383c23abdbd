//! What befalls a virtual Eigencomm module, and how it boots afterwards.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::panic)]

mod client;
mod dlboot;

use std::time::{Duration, Instant};

use client::PATIENCE;
use dlboot::stages::{NEW, REVISION, builder, generated, in_block, in_lpc, in_rom, read};
use dlboot::{
    AG, DL, FLEX_AT, FLEX_ID, Host, LPC, NOTHING, QUIET, Said, WRONG_STATE, ag, burn_header, done, header,
    hex, lpc, nak, pattern, words,
};
use qpyflash_virtual::{EigencommModule, Fault, LinkModel, Mode, Role, VirtualBus};

fn fault(text: &str) -> Fault {
    text.parse().unwrap()
}

#[test]
fn replies_are_lost_doubled_corrupted_replaced_and_late() {
    let (_bus, module, mut host) = in_lpc(builder());
    let version = ag(0x20, 0, &[]);
    in_block(&mut host, &pattern(0x40));
    module.give(fault("ec.ag.version=lose-reply"));
    assert_eq!(host.exchange(&version), NOTHING);
    module.give(fault("ec.ag.version=duplicate-reply"));
    assert_eq!(host.exchange(&version).len(), 44);
    module.give(fault("ec.ag.version=corrupt-reply"));
    assert!(matches!(host.ask(&version), Said::Garbled(_)));
    module.give(fault("ec.ag.data=nak:9e"));
    assert_eq!(host.ask(&ag(0x32, 0, &pattern(0x40))), nak(0x9E));
    module.give(fault("ec.ag.head=garbage:2b02d3ee"));
    assert_eq!(host.exchange(&ag(0x31, 0, &words(&[0x40]))), WRONG_STATE);
    module.give(fault("ec.ag.version=noise:ff00"));
    assert_eq!(host.exchange(&version)[..3], [0xFF, 0x00, 0x20]);
    module.give(fault("ec.ag.version=answer:text"));
    assert_eq!(host.ask(&version), Said::Ack(b"text".to_vec()));
    module.give(fault("ec.ag.version=slow:200"));
    let begun = Instant::now();
    assert!(matches!(host.ask(&version), Said::Ack(_)));
    assert!(begun.elapsed() >= Duration::from_millis(200));
    assert_eq!(
        host.ask(&ag(0x32, 0, &pattern(0x40))),
        done(),
        "what was refused was not done"
    );
    module.give(fault("ec.ag.done=lose-reply"));
    assert_eq!(host.exchange(&ag(0x3A, 0, &[])), NOTHING);
    assert_eq!(host.status(), Ok(0), "done all the same");
    assert_eq!(module.ap(FLEX_AT, 0x40).unwrap(), pattern(0x40));
    module.give(fault("ec.lpc.any=silence"));
    assert_eq!(host.exchange(&lpc(0x44, &[])), NOTHING);
    assert_eq!(host.exchange(&[LPC, LPC].concat()), NOTHING);
    assert_eq!(module.violations(), Vec::<String>::new());
}

#[test]
fn faults_strike_in_the_rom_and_in_lpc() {
    let (_bus, module, mut host) = in_rom(builder().fault(fault("ec.rom.sync=ignore-syncs:3")));
    for _ in 0..3 {
        assert!(!host.sync_once(DL, QUIET));
    }
    host.sync(DL);
    module.give(fault("ec.rom.version=corrupt-reply"));
    let version = hex("20 00 CD 32 00 00 00 00");
    assert_ne!(host.exchange(&version), host.exchange(&version));
    module.give(fault("ec.rom.data@3=nak:9a"));
    module.give(fault("ec.rom.done@2=nak:84"));
    let agent = generated().usb_agent();
    let head = header(b"IMBO", 0, &agent, 921_600, 1);
    host.rom_image(b"HMIT", &head).unwrap();
    // The first packet of data was the header's.
    assert_eq!(host.rom_image(b"IMBO", &agent), Err(Said::Nak(1, 0x9A)));
    assert_eq!(host.rom_image(b"IMBO", &agent), Err(nak(0x84)));
    module.power_cycle();
    module.wait_for_revision(REVISION, PATIENCE).unwrap();

    let (_bus, module, mut host) = in_lpc(builder());
    module.give(fault("ec.lpc.burn-one=nak:80"));
    assert_eq!(host.ask(&lpc(0x42, FLEX_ID)), nak(0x80));
    module.give(fault("ec.lpc.burn-one=lose-reply"));
    assert_eq!(host.exchange(&lpc(0x42, FLEX_ID)), NOTHING);
    assert_eq!(host.ask(&lpc(0x42, FLEX_ID)), done(), "asked again");
    module.give(fault("ec.ag.sync@3=ignore-syncs:2"));
    assert_eq!(host.exchange(&[AG, AG].concat()), NOTHING);
    assert_eq!(host.exchange(&[AG, AG].concat()), AG);
    host.session(&burn_header(FLEX_ID, FLEX_AT, &pattern(0x40)))
        .unwrap();
    assert_eq!(host.exchange(&[AG, AG].concat()), NOTHING);
    assert_eq!(host.exchange(&[AG, AG].concat()), NOTHING);
    assert_eq!(host.exchange(&[AG, AG].concat()), AG);
    assert!(
        module.commands().contains(&"LPC BURN_ONE 464C5849".to_owned()),
        "{:?}",
        module.commands()
    );
}

#[test]
fn gives_the_host_one_byte_at_a_time_and_stops_reading() {
    let (_bus, module, mut host) = in_lpc(builder());
    module.give(fault("ec.lpc.read=short-reads"));
    assert_eq!(
        host.read(0x80_2000, 0x40),
        Said::Ack(module.ap(0x2000, 0x40).unwrap())
    );
    module.give(fault("ec.lpc.status=stop-reading"));
    assert_eq!(host.status(), Ok(0));
    assert!(
        host.client.fill_up() < 400_000,
        "the module must stop taking bytes"
    );
}

/// Writes the package with that fault, which ends the run; gives what became of the module.
fn struck_while_writing(what: &str) -> (VirtualBus, EigencommModule) {
    let (bus, module, mut host) = in_rom(builder().fault(fault(what)));
    let parts = read(&generated());
    host.load(&parts.usb_agent);
    assert!(host.write(&parts).is_err());
    (bus, module)
}

/// Held at its boot pin, it takes the package and runs it.
fn assert_writable(module: &EigencommModule) {
    module.set_boot_pin(true);
    module.power_cycle();
    module.wait_while_mode(Mode::Run, PATIENCE);
    module.wait_for_mode(Mode::Download, PATIENCE).unwrap();
    module.set_boot_pin(false);
    let mut host = Host::open(module.tty(Role::Download).unwrap());
    let parts = read(&generated());
    host.load(&parts.usb_agent);
    host.write(&parts).unwrap();
    host.reset();
    module.wait_for_revision(NEW, PATIENCE).unwrap();
}

#[test]
fn is_dead_after_a_power_loss_until_it_is_written_again_by_the_boot_pin() {
    // The agent is the first image, then BL, AP, CP. The third AG sync of BL is that of its body.
    for what in [
        "ec.ag.sync@3=power-loss",
        "data:5000@2=power-loss",
        "data:70000@3=power-loss",
    ] {
        let (_bus, module) = struck_while_writing(what);
        module.wait_for_mode(Mode::Off, PATIENCE).unwrap();
        assert_eq!(module.wait_while_mode(Mode::Off, QUIET), Mode::Off, "{what}");
        assert!(!module.flash().boots(), "{what}");
        let calibration = module.cp(0xC_D000, 0x3_3000);
        assert_writable(&module);
        assert_eq!(module.cp(0xC_D000, 0x3_3000), calibration);
    }
}

#[test]
fn boots_the_new_firmware_when_power_is_lost_in_the_cp_image() {
    let (_bus, module) = struck_while_writing("data:9000@4=power-loss");
    module.wait_for_revision(NEW, PATIENCE).unwrap();
}

#[test]
fn boots_the_old_firmware_when_power_is_lost_before_anything_is_erased() {
    let (_bus, module) = struck_while_writing("ec.lpc.burn-one=power-loss");
    module.wait_for_revision(REVISION, PATIENCE).unwrap();
}

#[test]
fn vanishes_from_the_bus_and_comes_back() {
    let (bus, module) = struck_while_writing("data:4096@3=vanish");
    module.wait_for_mode(Mode::Off, PATIENCE).unwrap();
    assert!(!bus.path().join("1-4.2.json").exists());
    module.attach();
    assert_eq!(
        module.wait_while_mode(Mode::Off, QUIET),
        Mode::Off,
        "nothing boots"
    );
    assert_writable(&module);
}

#[test]
fn answers_after_its_turn_round_time_and_the_time_of_the_line() {
    let turn_round = Duration::from_millis(4);
    let link = LinkModel::named("usb-full").unwrap().with_turn_round(turn_round);
    let (_bus, _module, mut host) = in_lpc(builder().link(link));
    in_block(&mut host, &pattern(0x1_0000));
    let begun = Instant::now();
    host.session(&pattern(0x1_0000)).unwrap();
    // Four times DATA_HEAD and data, then DONE, at 1 MB/s and 4 ms each.
    let least = Duration::from_micros(65_536) + 9 * turn_round;
    assert!(begun.elapsed() >= least, "{:?}", begun.elapsed());
}
