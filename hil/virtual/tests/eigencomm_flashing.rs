//! Whole runs over a virtual Eigencomm module: the transcript of the specification, packages, ways into download mode.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::panic)]

mod client;
mod dlboot;

use std::time::Duration;

use client::{Client, PATIENCE};
use dlboot::stages::{NEW, REVISION, builder, generated, in_lpc, in_rom, read};
use dlboot::{AG, DL, FLEX_ID, Host, LPC, QUIET, Said, WRONG_STATE, burn_header, header};
use qpyflash_virtual::{
    EigencommModule, EigencommPackage, FlashChip, Mode, Role, RunShape, Scale, VirtualBus, WayIn,
};

const PLENTY: Duration = Duration::from_secs(60);

/// Whether the flash holds what the package says, and RF data are what they were.
fn assert_written(module: &EigencommModule, package: &EigencommPackage, calibration: &[Vec<u8>; 2]) {
    let flash = module.flash();
    for (name, chip, at, bytes) in package.expected_regions() {
        let found = flash.region(chip, at, bytes.len()).unwrap();
        let difference = found
            .iter()
            .zip(&bytes)
            .position(|(found, wanted)| found != wanted);
        assert_eq!(difference, None, "{name} at {at:#x}");
    }
    assert_eq!(flash.calibration().map(<[u8]>::to_vec), *calibration);
}

fn writes(package: &EigencommPackage) {
    let (_bus, module, mut host) = in_rom(builder().strict());
    let before = module.flash();
    let parts = read(package);
    host.load(&parts.usb_agent);
    host.write(&parts).unwrap();
    host.reset();
    module.wait_for_revision(package.revision(), PLENTY).unwrap();
    assert_written(&module, package, &before.calibration().map(<[u8]>::to_vec));
    assert_eq!(module.violations(), Vec::<String>::new());
    // Nothing else has changed: between the images, the areas and the sectors around them.
    let mut expected = before.clone();
    let _ = &mut expected;
    let outside = [
        (FlashChip::Ap, 0x3C_C000, 0x4000),
        (FlashChip::Cp, 0xC_D000, 0x3_3000),
    ];
    for (chip, at, length) in outside {
        assert_eq!(
            module.flash().region(chip, at, length),
            before.region(chip, at, length)
        );
    }
}

#[test]
fn takes_a_whole_package_and_runs_it() {
    writes(&generated());
}

#[test]
fn takes_a_package_of_realistic_size_with_three_files() {
    writes(&EigencommPackage::generate("EC800ECNLCR02A01M04_OCPU_QPY", Scale::Realistic).with_file_count(3));
}

#[test]
fn answers_the_transcript_of_the_specification_byte_for_byte() {
    let (_bus, module, mut host) = in_rom(builder().any_agent());
    let hex = |text: &str| -> Vec<u8> {
        let digits: Vec<_> = text.chars().filter_map(|digit| digit.to_digit(16)).collect();
        digits
            .chunks(2)
            .map(|pair| (pair[0] << 4 | pair[1]) as u8)
            .collect()
    };
    let agent: Vec<u8> = (0x40..0x70).collect();
    let image: Vec<u8> = (0..0x40).collect();
    let join = |parts: &[&[u8]]| parts.concat();
    let mut say = |sent: &[u8], wanted: &str| {
        host.client.send(sent).unwrap();
        let wanted = hex(wanted);
        let within = if wanted.is_empty() { QUIET } else { PATIENCE };
        let count = wanted.len().max(1);
        assert_eq!(host.bytes(count, within), wanted, "after {sent:02X?}");
    };
    // Step 1 to 7.
    let info = |say: &mut dyn FnMut(&[u8], &str), wanted: &str| {
        say(
            &hex("20 00 CD 32 00 00 00 00"),
            "20 00 CD 32 00 0C 00 00 00 02 01 00 00 00 02 26 21 20",
        );
        say(&hex("21 00 CD 32 00 00 00 00"), wanted);
        say(&hex("22 00 CD 32 00 00 00 00"), "22 00 CD 32 00 00");
    };
    say(&hex("00 D3 02 2B 00 D3 02 2B"), "00 D3 02 2B");
    info(&mut say, "21 00 CD 32 00 04 48 4D 49 54");
    say(
        &hex("31 00 CD 32 04 00 00 00 10 01 00 00"),
        "31 00 CD 32 00 04 10 01 00 00",
    );
    let head = header(b"IMBO", 0, &agent, 921_600, 1);
    say(
        &join(&[&hex("32 00 CD 32 10 01 00 00"), &head, &hex("AF 26 00 00")]),
        "32 01 CD 32 00 00",
    );
    say(&hex("3A 00 CD 32 00 00 00 00"), "3A 00 CD 32 00 00");
    // Step 8 to 12.
    say(&hex("00 D3 02 2B 00 D3 02 2B"), "00 D3 02 2B");
    info(&mut say, "21 00 CD 32 00 04 49 4D 42 4F");
    say(
        &hex("31 00 CD 32 04 00 00 00 30 00 00 00"),
        "31 00 CD 32 00 04 30 00 00 00",
    );
    say(
        &join(&[&hex("32 00 CD 32 30 00 00 00"), &agent, &hex("C9 11 00 00")]),
        "32 01 CD 32 00 00",
    );
    say(&hex("3A 00 CD 32 00 00 00 00"), "3A 00 CD 32 00 00");
    // Step 14 to 20.
    let ag_info = |say: &mut dyn FnMut(&[u8], &str), wanted: &str| {
        say(
            &hex("20 00 CD 32 00 00 00 00 B3 5B C3 EA"),
            "20 00 CD 32 00 0C 01 00 00 01 01 00 00 00 11 26 21 20 A0 E0 EF 9C",
        );
        say(&hex("21 00 CD 32 00 00 00 00 2D 5B 69 26"), wanted);
        say(
            &hex("22 00 CD 32 00 00 00 00 CE 5C E6 A8"),
            "22 00 CD 32 00 00 BB 02 6E 58",
        );
    };
    say(&hex("CD D3 02 2B CD D3 02 2B"), "CD D3 02 2B");
    say(
        &hex("42 00 4C B3 04 00 00 9E 49 58 4C 46 9F 76 68 91"),
        "42 00 4C B3 00 00 08 AD 88 E5",
    );
    say(&hex("AA D3 02 2B AA D3 02 2B"), "");
    say(&hex("AA D3 02 2B AA D3 02 2B"), "AA D3 02 2B");
    ag_info(&mut say, "21 00 CD 32 00 04 48 4D 49 54 25 4F 95 03");
    // Step 21 to 23.
    say(
        &hex("31 00 CD 32 04 00 00 9E 10 01 00 00 13 E2 4E AC"),
        "31 00 CD 32 00 04 10 01 00 00 85 FC BF 1E",
    );
    let flex = header(FLEX_ID, 0x30_0000, &image, 0, 0);
    say(
        &join(&[&hex("32 00 CD 32 10 01 00 8E"), &flex, &hex("15 05 FF BB")]),
        "32 01 CD 32 00 00 90 29 D8 66",
    );
    say(
        &hex("3A 00 CD 32 00 00 00 00 50 76 B8 07"),
        "3A 00 CD 32 00 00 4D 82 EB B7",
    );
    // Step 24 to 29.
    say(&hex("AA D3 02 2B AA D3 02 2B"), "AA D3 02 2B");
    ag_info(&mut say, "21 00 CD 32 00 04 49 58 4C 46 D6 CC 0A 2F");
    say(
        &hex("31 00 CD 32 04 00 00 9E 40 00 00 00 86 87 81 66"),
        "31 00 CD 32 00 04 40 00 00 00 10 99 70 D4",
    );
    say(
        &join(&[&hex("32 00 CD 32 40 00 00 31"), &image, &hex("DF E9 F9 1D")]),
        "32 01 CD 32 00 00 90 29 D8 66",
    );
    say(
        &hex("3A 00 CD 32 00 00 00 00 50 76 B8 07"),
        "3A 00 CD 32 00 00 4D 82 EB B7",
    );
    say(
        &hex("44 00 4C B3 00 00 00 00 AD AB 08 E7"),
        "44 00 4C B3 00 04 00 00 00 00 F3 EB F4 EE",
    );
    // Step 30 to 32.
    say(&hex("CD D3 02 2B CD D3 02 2B"), "CD D3 02 2B");
    say(
        &hex("21 00 4C B3 08 00 00 25 10 00 00 00 00 00 B0 00 FE 8A 0B BA"),
        "21 00 4C B3 00 10 00 01 02 03 04 05 06 07 08 09 0A 0B 0C 0D 0E 0F 59 F9 F5 E8",
    );
    say(
        &hex("AA 00 4C B3 00 00 00 00 FE 9C 52 71"),
        "AA 00 4C B3 00 08 5A 7A 5A 7A 5A 7A 5A 7A A5 E8 98 9A",
    );
    module.wait_for_revision(REVISION, PATIENCE).unwrap();
    assert_eq!(module.violations(), Vec::<String>::new());
}

#[test]
fn an_agent_answers_only_on_its_own_port() {
    let package = generated();
    let (_bus, module, mut host) = in_rom(builder());
    host.rom_image(b"HMIT", &header(b"IMBO", 0, &package.uart_agent(), 921_600, 1))
        .unwrap();
    host.rom_image(b"IMBO", &package.uart_agent()).unwrap();
    assert!(!host.sync_once(LPC, QUIET) && !host.sync_once(DL, QUIET));
    assert_eq!(module.violations(), ["rom: an agent for the other port"]);
    module.power_cycle();
    module.wait_for_revision(REVISION, PATIENCE).unwrap();
}

#[test]
fn no_agent_answers_on_a_chip_of_another_family() {
    let (_bus, module, mut host) = in_rom(builder().rom_version(0x0300_0000, 2));
    host.sync(DL);
    let version = dlboot::words(&[0x0300_0000, 2, 0x2021_2602]);
    assert_eq!(host.rom(0x20, 0, &[]), Said::Ack(version));
    let agent = generated().usb_agent();
    host.rom_image(b"HMIT", &header(b"IMBO", 0, &agent, 921_600, 1))
        .unwrap();
    host.rom_image(b"IMBO", &agent).unwrap();
    assert!(!host.sync_once(LPC, QUIET));
    assert_eq!(module.violations(), ["rom: an agent for another chip"]);
}

#[test]
fn at_commands_lead_to_download_mode_as_far_as_the_firmware_has_them() {
    for (way, command, leads) in [
        (WayIn::Qdownload, "AT+QDOWNLOAD=1\r\n", true),
        (WayIn::Qdownload, "AT+ECRST=delay,99\r\n", true),
        (WayIn::EcrstOnly, "AT+QDOWNLOAD=1\r\n", false),
        (WayIn::EcrstOnly, "AT+ECRST=delay,20\r\n", true),
        (WayIn::BootPinOnly, "AT+ECRST=delay,20\r\n", false),
        (WayIn::BootPinOnly, "AT+QDOWNLOAD=1\r\n", false),
    ] {
        let bus = VirtualBus::temporary().unwrap();
        let module = builder().way_in(way).attach(&bus).unwrap();
        module.wait_for_mode(Mode::Run, PATIENCE).unwrap();
        let mut at = Client::open(module.tty(Role::At).unwrap());
        at.send(command.as_bytes()).unwrap();
        at.read_until(if leads { "OK" } else { "ERROR" });
        if leads {
            module.wait_for_mode(Mode::Download, PATIENCE).unwrap();
            let mut host = Host::open(module.tty(Role::Download).unwrap());
            host.sync(DL);
        } else {
            assert_eq!(
                module.wait_while_mode(Mode::Run, QUIET),
                Mode::Run,
                "{way:?} {command}"
            );
        }
    }
}

#[test]
fn is_described_on_the_bus_as_real_ones_are() {
    let bus = VirtualBus::temporary().unwrap();
    let described = || -> serde_json::Value {
        let json = std::fs::read(bus.path().join("1-4.2.json")).unwrap();
        serde_json::from_slice(&json).unwrap()
    };
    let classes = |value: &serde_json::Value| -> Vec<(u64, String)> {
        let interfaces = value["interfaces"].as_array().unwrap();
        let with_tty = interfaces.iter().filter(|interface| !interface["tty"].is_null());
        with_tty
            .map(|interface| {
                let class = interface["class"].as_str().unwrap();
                (interface["number"].as_u64().unwrap(), class.to_owned())
            })
            .collect()
    };
    let module = builder().attach(&bus).unwrap();
    module.wait_for_mode(Mode::Run, PATIENCE).unwrap();
    let run = described();
    assert_eq!(
        (run["vid"].as_str(), run["pid"].as_str()),
        (Some("2c7c"), Some("0903"))
    );
    let port = |number, class: &str| (number, class.to_owned());
    assert_eq!(
        classes(&run),
        [port(2, "ff"), port(3, "ff"), port(4, "ff"), port(5, "02")]
    );
    drop(module);
    let module = builder()
        .run_shape(RunShape::CdcAcm)
        .repl_interface(false)
        .attach(&bus)
        .unwrap();
    module.wait_for_mode(Mode::Run, PATIENCE).unwrap();
    assert_eq!(classes(&described()), [port(0, "02"), port(2, "02")]);
    module.set_boot_pin(true);
    module.power_cycle();
    module.wait_for_mode(Mode::Download, PATIENCE).unwrap();
    let download = described();
    assert_eq!(
        (download["vid"].as_str(), download["pid"].as_str()),
        (Some("17d1"), Some("0001"))
    );
    assert_eq!(classes(&download), [port(0, "02")]);
}

#[test]
fn without_firmware_only_the_boot_pin_helps() {
    let bus = VirtualBus::temporary().unwrap();
    let module = EigencommModule::blank().attach(&bus).unwrap();
    assert_eq!(module.wait_while_mode(Mode::Off, QUIET), Mode::Off);
    module.power_cycle();
    assert_eq!(module.wait_while_mode(Mode::Off, QUIET), Mode::Off);
    module.set_boot_pin(true);
    module.power_cycle();
    module.wait_for_mode(Mode::Download, PATIENCE).unwrap();
    let mut host = Host::open(module.tty(Role::Download).unwrap());
    let package = generated();
    let parts = read(&package);
    host.load(&parts.usb_agent);
    host.write(&parts).unwrap();
    module.set_boot_pin(false);
    host.reset();
    module.wait_for_revision(NEW, PATIENCE).unwrap();
}

#[test]
fn leaves_download_mode_when_nobody_speaks_if_told() {
    let (_bus, module, mut host) = in_rom(builder().download_idle(Duration::from_millis(300)));
    host.sync(DL);
    module.wait_for_revision(REVISION, PATIENCE).unwrap();
    assert_eq!(module.bytes_received_in_download_mode(), 8);
}

#[test]
fn a_running_agent_says_that_it_runs() {
    let (_bus, _module, mut host) = in_lpc(builder());
    assert_eq!(host.exchange(&[DL, DL].concat()), WRONG_STATE);
    assert_eq!(host.exchange(&[AG, AG].concat()), WRONG_STATE);
    assert!(host.sync_once(LPC, QUIET));
    let body = [0x5A; 100];
    let status = host.burn_with(
        &burn_header(FLEX_ID, 0x38_0000, &body),
        FLEX_ID,
        &[1, 0xE0],
        &body,
    );
    assert_eq!(status, Ok(0));
}
