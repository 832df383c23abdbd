//! Virtual Unisoc modules are flashed over their pseudo-terminals by a client that shares no code with them.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::panic)]

mod bsl;
mod client;

use bsl::{ACK, Bsl, ERASE, Pac, READ, RESET, vector, words};
use client::{Client, PATIENCE};
use qpyflash_virtual::{
    Identity, Memory, Mode, NvItems, Role, Scale, UnisocChip, UnisocModule, UnisocModuleBuilder,
    UnisocPackage, VirtualBus,
};

const OLD_8910: &str = "EC600UCNLBR03A01M08_OCPU_QPY";
const OLD_8850: &str = "EC800GCNLDR01A01M04_OCPU_QPY";

fn demo() -> Pac {
    Pac::read(&vector("unisoc/demo8910.pac"))
}

fn real() -> Pac {
    Pac::read(&vector("packages/QPY_OCPU_V0001_EC800G_CNLD_FW.pac"))
}

fn description(bus: &VirtualBus) -> serde_json::Value {
    serde_json::from_slice(&std::fs::read(bus.path().join("1-4.2.json")).unwrap()).unwrap()
}

/// Attaches the module and sends it to download mode over AT.
fn in_download_mode(builder: UnisocModuleBuilder, bus: &VirtualBus, crc: bool) -> (UnisocModule, Bsl) {
    let module = builder.attach(bus).unwrap();
    module.wait_for_mode(Mode::Run, PATIENCE).unwrap();
    let mut at = Client::open(module.tty(Role::At).unwrap());
    at.send(b"AT+QDOWNLOAD=1\r").unwrap();
    module.wait_for_mode(Mode::Download, PATIENCE).unwrap();
    let loader = Bsl::open(module.tty(Role::Download).unwrap(), crc);
    (module, loader)
}

fn assert_region(module: &UnisocModule, address: u32, expected: &[u8], what: &str) {
    let found = module.region(address, expected.len()).unwrap();
    let wrong = found
        .iter()
        .zip(expected)
        .position(|(found, expected)| found != expected);
    assert_eq!(wrong, None, "first wrong byte of `{what}`");
}

/// Every NV item is what it was. An 8910 has IMEIs of FF besides, which its own bin presents.
fn assert_kept(module: &UnisocModule, before: &NvItems) {
    let after = module.nv_items();
    for (id, item) in before {
        assert_eq!(after.get(id), Some(item), "NV item {id:#x}");
    }
}

#[test]
fn takes_the_demo_package_with_its_genuine_loaders() {
    let bus = VirtualBus::temporary().unwrap();
    let (module, mut loader) =
        in_download_mode(UnisocModule::builder(UnisocChip::Uis8910, OLD_8910), &bus, false);
    assert_eq!(description(&bus)["vid"], "0525");
    assert_eq!(description(&bus)["speed"], "full");
    let (pac, before) = (demo(), module.nv_items());
    loader.load_8910(&pac);
    loader.write(&pac, 0x800).unwrap();
    for id in ["AP", "PS", "BOOTLOADER"] {
        assert_region(&module, pac.entry(id).address, pac.data(id), id);
    }
    assert_kept(&module, &before);
    assert_eq!(module.violations(), Vec::<String>::new());
    assert_eq!(loader.code(RESET, &[]), ACK);
    // Its BOOTLOADER is no uImage, so the ROM finds nothing to start.
    module.wait_for_mode(Mode::Off, PATIENCE).unwrap();
    module.wait_for_mode(Mode::Download, PATIENCE).unwrap();
}

#[test]
fn runs_the_real_package_after_it_was_written_to_the_8850() {
    let bus = VirtualBus::temporary().unwrap();
    let (module, mut loader) =
        in_download_mode(UnisocModule::builder(UnisocChip::Uis8850, OLD_8850), &bus, true);
    assert_eq!(description(&bus)["pid"], "4d16");
    let (pac, before) = (real(), module.nv_items());
    loader.load_8850(&pac);
    loader.write(&pac, 0x800).unwrap();
    assert_eq!(loader.code(RESET, &[]), ACK);
    module
        .wait_for_revision("EC800GCNLDR02A01M04_OCPU_QPY", PATIENCE)
        .unwrap();
    for id in ["SPL", "BOOT", "AP", "APPIMG"] {
        assert_region(&module, pac.entry(id).address, pac.data(id), id);
    }
    let erased = pac.entry("ERASE_PY_FS_B");
    assert_region(
        &module,
        erased.address,
        &vec![0xFF; erased.region as usize],
        "ERASE_PY_FS_B",
    );
    assert_kept(&module, &before);
    let flash = module.flash();
    assert!(flash.file("/modem/mem_index_list").is_some());
    assert!(flash.files().any(|name| name.starts_with("/factory/indeltanv_")));
    assert_eq!(flash.formats(), ["FMOD"]);
    assert_eq!(module.violations(), Vec::<String>::new());
}

/// Writes a generated package to a module of that chip and waits for its revision.
fn write_generated(chip: UnisocChip, old: &str, new: &str, frame: usize) {
    let bus = VirtualBus::temporary().unwrap();
    let crc = chip == UnisocChip::Uis8850;
    let (module, mut loader) = in_download_mode(UnisocModule::builder(chip, old), &bus, crc);
    let package = UnisocPackage::generate(new, chip, Scale::Small);
    let (pac, before) = (Pac::read(&package.bytes()), module.nv_items());
    loader.load(chip, &pac);
    loader.write(&pac, frame).unwrap();
    assert_eq!(loader.code(RESET, &[]), ACK);
    module.wait_for_revision(new, PATIENCE).unwrap();
    for (id, address, expected) in package.expected_regions() {
        assert_region(&module, address, &expected, &id);
    }
    assert_kept(&module, &before);
    // The receive FIFO of a real 8910 holds 8 KiB.
    let is_too_long = chip == UnisocChip::Uis8910 && frame > 0x1FF0;
    let complains = |text: &String| text == "Fdl2: a frame longer than the receive FIFO";
    assert!(
        module.violations().iter().all(complains),
        "{:?}",
        module.violations()
    );
    assert_eq!(module.violations().is_empty(), !is_too_long);
    assert_eq!(module.counters().boots, 3);
}

#[test]
fn runs_a_generated_package_after_it_was_written_to_the_8910() {
    let new = "EC600UCNLBR03A02M08_OCPU_QPY";
    write_generated(UnisocChip::Uis8910, OLD_8910, new, 0x800);
    write_generated(UnisocChip::Uis8910, OLD_8910, new, 0x3000);
    write_generated(UnisocChip::Uis8910, OLD_8910, new, 0x7FF);
}

#[test]
fn runs_a_generated_package_after_it_was_written_to_the_8850() {
    let new = "EC800GCNLDR01A02M04_OCPU_QPY";
    write_generated(UnisocChip::Uis8850, OLD_8850, new, 0x800);
    write_generated(UnisocChip::Uis8850, OLD_8850, new, 0xFC00);
}

#[test]
fn the_8850_refuses_the_first_erase_of_a_package_that_does_not_list_its_model() {
    let bus = VirtualBus::temporary().unwrap();
    let builder = UnisocModule::builder(UnisocChip::Uis8850, "EC600GCNLAR01A01M08");
    let (module, mut loader) = in_download_mode(builder, &bus, true);
    let package = UnisocPackage::generate(OLD_8850, UnisocChip::Uis8850, Scale::Small);
    let (pac, before) = (Pac::read(&package.bytes()), module.flash());
    loader.load_8850(&pac);
    assert_eq!(loader.write(&pac, 0x800), Err(("ERASE_SPL".into(), 0x97)));
    assert!(module.flash().bytes() == before.bytes(), "nothing was erased");
    module.power_cycle();
    module.wait_for_revision("EC600GCNLAR01A01M08", PATIENCE).unwrap();
}

#[test]
fn goes_on_saying_its_imei_after_a_write() {
    let bus = VirtualBus::temporary().unwrap();
    let builder = UnisocModule::builder(UnisocChip::Uis8850, OLD_8850)
        .identity(|identity: &mut Identity| identity.imei = "866182904050617".into());
    let (module, mut loader) = in_download_mode(builder, &bus, true);
    let pac = real();
    loader.load_8850(&pac);
    loader.write(&pac, 0x800).unwrap();
    assert_eq!(loader.code(RESET, &[]), ACK);
    module.wait_for_mode(Mode::Off, PATIENCE).unwrap();
    module.wait_for_mode(Mode::Run, PATIENCE).unwrap();
    let mut at = Client::open(module.tty(Role::At).unwrap());
    at.send(b"AT+CGSN\r").unwrap();
    assert!(at.read_until("OK\r\n").contains("866182904050617"));
    let said = description(&bus);
    assert_eq!(
        (said["vid"].as_str(), said["pid"].as_str()),
        (Some("2c7c"), Some("0904"))
    );
}

#[test]
fn has_the_ports_of_run_mode() {
    let bus = VirtualBus::temporary().unwrap();
    let module = UnisocModule::builder(UnisocChip::Uis8910, OLD_8910)
        .attach(&bus)
        .unwrap();
    module.wait_for_mode(Mode::Run, PATIENCE).unwrap();
    let roles: Vec<_> = module.ttys().into_iter().map(|(role, _)| role).collect();
    assert_eq!(roles.len(), 7);
    assert!(roles.contains(&Role::Repl) && !roles.contains(&Role::Nmea));
    let interfaces = description(&bus)["interfaces"].as_array().unwrap().clone();
    assert_eq!(interfaces.len(), 9);
    assert_eq!(interfaces[0]["tty"], serde_json::Value::Null);
    assert!(interfaces[2]["tty"].as_str().unwrap().ends_with("ttyUSB0"));
}

#[test]
fn a_blank_module_stays_in_its_rom_and_has_no_nv() {
    let bus = VirtualBus::temporary().unwrap();
    let module = UnisocModule::blank(UnisocChip::Uis8910).attach(&bus).unwrap();
    module.wait_for_mode(Mode::Download, PATIENCE).unwrap();
    let mut loader = Bsl::open(module.tty(Role::Download).unwrap(), false);
    loader.load_8910(&demo());
    assert_eq!(loader.read_nv(0, 0x3000), Err(0x96));
    assert_eq!(loader.code(READ, &words(&[0xFE00_0002, 0x100, 0])), 0x96);
    assert_eq!(loader.code(ERASE, &words(&[0xFE00_0002, 0])), 0x96);
    module.power_cycle();
    module.wait_for_mode(Mode::Off, PATIENCE).unwrap();
    module.wait_for_mode(Mode::Download, PATIENCE).unwrap();
    assert!(!module.flash().boots());
    assert_eq!(module.flash().revision(), None);
}

#[test]
fn reads_the_name_of_the_installed_application() {
    let bus = VirtualBus::temporary().unwrap();
    let (_module, mut loader) =
        in_download_mode(UnisocModule::builder(UnisocChip::Uis8910, OLD_8910), &bus, false);
    loader.load_8910(&demo());
    let (code, header) = loader.ask(READ, &words(&[0x6001_0000, 0x40, 0])).unwrap();
    assert_eq!((code, &header[..4]), (0x93, &[0x27, 0x05, 0x19, 0x56][..]));
    assert!(header[0x20..].starts_with(b"factory application"));
}
