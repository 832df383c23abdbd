//! Whole runs over a virtual Eigencomm module: the transcript of the specification, packages, ways into download mode.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::panic)]

mod client;
mod dlboot;

use std::time::Duration;

use client::{Client, PATIENCE};
use dlboot::stages::{NEW, REVISION, builder, generated, in_lpc, in_rom, read};
use dlboot::{AG, DL, FLEX_ID, Host, LPC, QUIET, Said, WRONG_STATE, burn_header, header, hex};
use qpyflash_virtual::{
    EigencommFlash, EigencommModule, EigencommPackage, FlashChip, Mode, Role, RunShape, Scale, VirtualBus,
    WayIn,
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

/// Whether every sector that no region of the package touches is what it was.
fn assert_untouched_elsewhere(module: &EigencommModule, before: &EigencommFlash, package: &EigencommPackage) {
    let (flash, regions) = (module.flash(), package.expected_regions());
    let is_touched = |chip: FlashChip, sector: usize| {
        let of_chip = regions.iter().filter(|region| region.1 == chip);
        let mut ends = of_chip.map(|region| (region.2 as usize, region.2 as usize + region.3.len()));
        ends.any(|(start, end)| start < sector + 0x1000 && sector < end)
    };
    for chip in [FlashChip::Ap, FlashChip::Cp] {
        let (now, then) = (flash.bytes(chip), before.bytes(chip));
        let sectors = (0..now.len()).step_by(0x1000);
        let changed = sectors.filter(|at| now[*at..at + 0x1000] != then[*at..at + 0x1000]);
        let wrong: Vec<_> = changed.filter(|at| !is_touched(chip, *at)).collect();
        assert_eq!(wrong, Vec::<usize>::new(), "{chip:?}");
    }
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
    assert_untouched_elsewhere(&module, &before, package);
}

#[test]
fn takes_a_whole_package_and_runs_it() {
    writes(&generated());
}

#[test]
fn takes_a_package_of_realistic_size_with_three_files() {
    writes(&EigencommPackage::generate("EC800ECNLCR02A01M04_OCPU_QPY", Scale::Realistic).with_file_count(3));
}

/// The transcript of specs/eigencomm-agentboot.md §9, steps 1 to 12 and 14 to 32.
const TRANSCRIPT: &str = "
H 00D3022B 00D3022B                       M 00D3022B
H 2000CD32 00000000                       M 2000CD32000C 00000002 01000000 02262120
H 2100CD32 00000000                       M 2100CD320004 484D4954
H 2200CD32 00000000                       M 2200CD320000
H 3100CD32 04000000 10010000              M 3100CD320004 10010000
H 3200CD32 10010000 {agent header} AF260000     M 3201CD320000
H 3A00CD32 00000000                       M 3A00CD320000
H 00D3022B 00D3022B                       M 00D3022B
H 2000CD32 00000000                       M 2000CD32000C 00000002 01000000 02262120
H 2100CD32 00000000                       M 2100CD320004 494D424F
H 2200CD32 00000000                       M 2200CD320000
H 3100CD32 04000000 30000000              M 3100CD320004 30000000
H 3200CD32 30000000 {agent} C9110000      M 3201CD320000
H 3A00CD32 00000000                       M 3A00CD320000
H CDD3022B CDD3022B                       M CDD3022B
H 42004CB3 0400009E 49584C46 9F766891     M 42004CB30000 08AD88E5
H AAD3022B AAD3022B                       M
H AAD3022B AAD3022B                       M AAD3022B
H 2000CD32 00000000 B35BC3EA              M 2000CD32000C 01000001 01000000 11262120 A0E0EF9C
H 2100CD32 00000000 2D5B6926              M 2100CD320004 484D4954 254F9503
H 2200CD32 00000000 CE5CE6A8              M 2200CD320000 BB026E58
H 3100CD32 0400009E 10010000 13E24EAC     M 3100CD320004 10010000 85FCBF1E
H 3200CD32 1001008E {image header} 1505FFBB     M 3201CD320000 9029D866
H 3A00CD32 00000000 5076B807              M 3A00CD320000 4D82EBB7
H AAD3022B AAD3022B                       M AAD3022B
H 2000CD32 00000000 B35BC3EA              M 2000CD32000C 01000001 01000000 11262120 A0E0EF9C
H 2100CD32 00000000 2D5B6926              M 2100CD320004 49584C46 D6CC0A2F
H 2200CD32 00000000 CE5CE6A8              M 2200CD320000 BB026E58
H 3100CD32 0400009E 40000000 86878166     M 3100CD320004 40000000 109970D4
H 3200CD32 40000031 {image} DFE9F91D      M 3201CD320000 9029D866
H 3A00CD32 00000000 5076B807              M 3A00CD320000 4D82EBB7
H 44004CB3 00000000 ADAB08E7              M 44004CB30004 00000000 F3EBF4EE
H CDD3022B CDD3022B                       M CDD3022B
H 21004CB3 08000025 10000000 0000B000 FE8A0BBA  M 21004CB30010 000102030405060708090A0B0C0D0E0F 59F9F5E8
H AA004CB3 00000000 FE9C5271              M AA004CB30008 5A7A5A7A5A7A5A7A A5E8989A";

#[test]
fn answers_the_transcript_of_the_specification_byte_for_byte() {
    let (_bus, module, mut host) = in_rom(builder().any_agent());
    let (agent, image): (Vec<u8>, Vec<u8>) = ((0x40..0x70).collect(), (0..0x40).collect());
    let known = [
        ("{agent header}", header(b"IMBO", 0, &agent, 921_600, 1)),
        ("{agent}", agent),
        ("{image header}", header(FLEX_ID, 0x30_0000, &image, 0, 0)),
        ("{image}", image),
    ];
    let digits = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02X}")).collect::<String>();
    let fill = |text: &str| {
        let filled = known.iter().fold(text.to_owned(), |text, (name, bytes)| {
            text.replace(name, &digits(bytes))
        });
        hex(&filled)
    };
    for line in TRANSCRIPT.lines().filter_map(|line| line.strip_prefix('H')) {
        let (sent, wanted) = line.split_once('M').unwrap();
        let wanted = fill(wanted);
        host.client.send(&fill(sent)).unwrap();
        let within = if wanted.is_empty() { QUIET } else { PATIENCE };
        assert_eq!(host.bytes(wanted.len().max(1), within), wanted, "after {sent}");
    }
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
        (WayIn::EcrstOnly, "AT+ECRST=delay,99\r\n", true),
        (WayIn::BootPinOnly, "AT+ECRST=delay,99\r\n", false),
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
    host.sync(LPC);
    let body = [0x5A; 100];
    let status = host.burn_with(
        &burn_header(FLEX_ID, 0x38_0000, &body),
        FLEX_ID,
        &[1, 0xE0],
        &body,
    );
    assert_eq!(status, Ok(0));
}
