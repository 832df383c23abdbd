//! What befalls a virtual Unisoc module, and how it boots afterwards.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::panic)]

mod bsl;
mod client;

use std::time::{Duration, Instant};

use bsl::{ACK, Bsl, CONNECT, END, ERASE, EXEC, MIDST, NV, Pac, QUIET, READ, RESET, START, VER, words};
use client::{Client, PATIENCE};
use qpyflash_virtual::{
    Effect, Fault, LinkModel, Mode, Point, Request, Role, Scale, Stage, UnisocChip, UnisocModule,
    UnisocModuleBuilder, UnisocPackage, VirtualBus,
};

const REVISION: &str = "EC600UCNLBR03A01M08_OCPU_QPY";
const NEW: &str = "EC600UCNLBR03A02M08_OCPU_QPY";
const AP: u32 = 0x6001_0000;
const PHASE_CHECK: u32 = 0xFE00_0002;

fn package() -> Pac {
    Pac::read(&UnisocPackage::generate(NEW, UnisocChip::Uis8910, Scale::Small).bytes())
}

fn builder() -> UnisocModuleBuilder {
    let short = Duration::from_millis(20);
    UnisocModule::builder(UnisocChip::Uis8910, REVISION).boot_times(short, short)
}

/// A UIS8910 in its mask ROM.
fn in_rom(builder: UnisocModuleBuilder) -> (VirtualBus, UnisocModule, Bsl) {
    let bus = VirtualBus::temporary().unwrap();
    let module = builder.starts_in_download().attach(&bus).unwrap();
    module.wait_for_mode(Mode::Download, PATIENCE).unwrap();
    let loader = Bsl::open(module.tty(Role::Download).unwrap(), false);
    (bus, module, loader)
}

/// A UIS8910 in FDL1, synchronised.
fn in_fdl1() -> (VirtualBus, UnisocModule, Bsl) {
    let (bus, module, mut loader) = in_rom(builder());
    loader.load_fdl1(package().data("HOST_FDL"));
    loader.sync(1);
    (bus, module, loader)
}

/// A UIS8910 in FDL2.
fn in_fdl2(builder: UnisocModuleBuilder) -> (VirtualBus, UnisocModule, Bsl) {
    let (bus, module, mut loader) = in_rom(builder);
    loader.load_8910(&package());
    (bus, module, loader)
}

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
fn a_wrong_sum_stops_the_loaders_for_good() {
    let (_bus, module, mut loader) = in_fdl1();
    loader.client.send(&[0x7E, 0, 0, 0, 0, 0xFF, 0xFE, 0x7E]).unwrap();
    assert_eq!(loader.ask_within(CONNECT, &[], QUIET), None);
    assert_eq!(
        module.violations(),
        ["Fdl1: a frame with a wrong length or check"]
    );
    module.power_cycle();
    module.wait_for_revision(REVISION, PATIENCE).unwrap();

    let (_bus, _module, mut loader) = in_fdl2(builder());
    let mut frame = loader.encode(START, &words(&[AP, 0x10]));
    frame[8] ^= 1;
    loader.client.send(&frame).unwrap();
    assert_eq!(loader.ask_within(CONNECT, &[], QUIET), None);
}

#[test]
fn what_does_not_fit_its_length_is_dropped_and_the_next_frame_answered() {
    let (_bus, _module, mut loader) = in_fdl1();
    assert_eq!(loader.code(START, &words(&[0x0081_0000, 0x3_0000])), ACK);
    assert_eq!(loader.code(MIDST, &[0x55; 0x85A]), ACK);
    assert_eq!(loader.ask_within(MIDST, &[0x55; 0x85B], QUIET), None);
    assert_eq!(loader.code(CONNECT, &[]), ACK);
    assert_eq!(loader.ask_within(EXEC, &[], QUIET), None, "no uImage");
    assert_eq!(loader.code(CONNECT, b"more"), ACK);

    let (_bus, _module, mut loader) = in_fdl2(builder());
    assert_eq!(loader.code(START, &words(&[AP, 0x6034])), ACK);
    assert_eq!(loader.code(MIDST, &[0x7E; 0x301A]), ACK);
    assert_eq!(loader.ask_within(MIDST, &[0x7E; 0x301B], QUIET), None);
    loader.client.send(&[0x7E]).unwrap();
    assert_eq!(loader.reply(QUIET), None, "no version from FDL2");
    assert_eq!(loader.code(MIDST, &[0x7D; 0x301A]), ACK);
    assert_eq!(loader.code(END, &[]), ACK);
}

#[test]
fn fdl1_takes_the_first_flag_of_anything_for_its_sync() {
    let (_bus, _module, mut loader) = in_rom(builder());
    loader.load_fdl1(package().data("HOST_FDL"));
    assert_eq!(loader.ask(CONNECT, &[]).unwrap().0, VER);
    assert_eq!(loader.reply(QUIET), None);
    assert_eq!(loader.code(CONNECT, &[]), ACK);
}

#[test]
fn a_loader_whose_image_is_broken_never_speaks() {
    let (_bus, _module, mut loader) = in_rom(builder());
    let mut image = package().data("HOST_FDL").to_vec();
    image[0x100] ^= 1;
    loader.load_fdl1(&image);
    loader.client.send(&[0x7E]).unwrap();
    assert_eq!(loader.reply(QUIET), None);
}

#[test]
fn knows_the_order_of_an_object_and_its_end() {
    let (_bus, module, mut loader) = in_fdl2(builder());
    assert_eq!(loader.code(MIDST, b"x"), 0x86);
    assert_eq!(loader.code(END, &[]), 0x86);
    assert_eq!(loader.code(START, &words(&[AP, 4])), ACK);
    assert_eq!(loader.code(MIDST, b"12345"), 0x8A);
    assert_eq!(loader.code(MIDST, b"12"), ACK);
    assert_eq!(loader.code(END, &[]), 0x8A);
    assert_eq!(loader.code(CONNECT, &[]), ACK);
    assert_eq!(loader.code(MIDST, b"34"), ACK);
    assert_eq!(loader.code(END, &[]), ACK);
    assert_eq!(module.region(AP, 5).unwrap(), b"1234\xFF");
    assert_eq!(loader.code(START, &words(&[AP, 4])), ACK);
    assert_eq!(loader.code(START, &words(&[AP, 2])), ACK);
    assert_eq!(loader.code(MIDST, b"ab"), ACK);
    assert_eq!(loader.code(END, &[]), ACK);
    assert_eq!(module.region(AP, 3).unwrap(), b"ab\xFF");
}

#[test]
fn a_start_that_was_refused_swallows_what_follows() {
    let (_bus, module, mut loader) = in_fdl2(builder());
    let before = module.region(AP, 4).unwrap();
    assert_eq!(loader.code(START, &words(&[0x1000_0000, 4])), 0x89);
    assert_eq!(loader.code(MIDST, b"1234"), 0x86);
    assert_eq!(loader.code(START, &words(&[AP + 0x1000, 8])), ACK);
    assert_eq!(loader.code(START, &words(&[0x6080_0000, 4])), 0x89);
    assert_eq!(loader.code(MIDST, b"1234"), ACK);
    assert_eq!(loader.code(END, &[]), ACK);
    assert_eq!(module.region(AP, 4).unwrap(), before);
    assert_eq!(module.region(AP + 0x1000, 4).unwrap(), [0xFF; 4]);
}

#[test]
fn erases_whole_sectors_only() {
    let (_bus, module, mut loader) = in_fdl2(builder());
    let place = AP + 0x10_0000;
    let fill = |loader: &mut Bsl| loader.object(&[place, 0x3000], &[0x11; 0x3000], 0x800).unwrap();
    fill(&mut loader);
    let erase = |loader: &mut Bsl, address: u32, size: u32| loader.code(ERASE, &words(&[address, size]));
    assert_eq!(erase(&mut loader, place + 0x800, 0x1000), 0x82);
    assert_eq!(erase(&mut loader, place, 0), ACK);
    assert_eq!(module.region(place, 0x3000).unwrap(), [0x11; 0x3000]);
    assert_eq!(erase(&mut loader, place, 0x1800), 0x82);
    assert_eq!(
        module.region(place, 0x1001).unwrap(),
        [vec![0xFF; 0x1000], vec![0x11]].concat()
    );
    assert_eq!(erase(&mut loader, 0x607F_F000, 0x2000), 0x82);
    assert_eq!(erase(&mut loader, 0x1000_0000, 0x1000), 0x82);
    assert_eq!(loader.code(ERASE, &words(&[place])), 0x82);
    // An object erases the sectors it begins and ends in.
    fill(&mut loader);
    loader
        .object(&[place + 0x1800, 0x100], &[0x22; 0x100], 0x800)
        .unwrap();
    let sector = module.region(place + 0x1000, 0x1000).unwrap();
    assert_eq!(sector[..0x800], [0xFF; 0x800]);
    assert_eq!(sector[0x800..0x900], [0x22; 0x100]);
    assert_eq!(sector[0x900..], [0xFF; 0x700]);
}

#[test]
fn a_read_of_64_kib_and_more_loses_data() {
    let (_bus, module, mut loader) = in_fdl2(builder());
    let read = |loader: &mut Bsl, list: &[u32]| loader.ask(READ, &words(list)).unwrap();
    assert_eq!(
        read(&mut loader, &[AP, 0x1_0010, 0]),
        (0x93, module.region(AP, 0x10).unwrap())
    );
    assert_eq!(
        read(&mut loader, &[AP, 0xFFFF, 5]),
        (0x93, module.region(AP, 0xFFFF).unwrap())
    );
    assert_eq!(read(&mut loader, &[AP, 3]), (0x93, module.region(AP, 3).unwrap()));
    assert_eq!(read(&mut loader, &[0x607F_FFFF, 2, 0]).0, 0x82);
    assert_eq!(read(&mut loader, &[0, 0x10, 0]).0, 0x82);
}

#[test]
fn nv_is_read_from_a_snapshot_and_stored_item_by_item() {
    let (_bus, module, mut loader) = in_fdl2(builder());
    assert_eq!(loader.read_nv(0x3000, 0x10), Ok(vec![0; 0x10]));
    assert!(module.violations()[0].contains("before offset 0"));
    let bin = loader.nv_bin().unwrap();
    assert_eq!(bin.len(), 0x2_0000);
    assert_eq!(loader.read_nv(0x1_FFF0, 0x3000).unwrap().len(), 0x10);
    assert_eq!(loader.read_nv(0x2_0000, 0x10), Err(0x82));
    assert_eq!(loader.code(READ, &words(&[NV, 0x10])), 0x82);
    assert_eq!(loader.code(START, &words(&[NV, 0x2_0001, 0])), 0x8A);

    let imei = module.nv_items()[&5].clone();
    let mut broken = bin.clone();
    broken[0x100] ^= 1;
    assert_eq!(
        loader.object(&[NV, bin.len() as u32, 0], &broken, 0x800),
        Err(0x84)
    );
    assert_eq!(loader.object(&[NV, 0, 0], &[], 0x800), Err(0x84));
    assert_eq!(module.nv_items()[&5], imei);
    // The worked example of the specification: one item, the others stay.
    let mut worked = vec![
        7, 2, 0xFF, 0xFF, 5, 0, 8, 0, 0x8A, 0x66, 0x81, 0x92, 0x40, 0x50, 0x60, 0x71,
    ];
    worked.resize(32, 0xFF);
    loader.object(&[NV, 32, 0x1568], &worked, 0x800).unwrap();
    let items = module.nv_items();
    assert_eq!(items[&5], worked[8..16]);
    assert_eq!(items.len(), loader_items(&bin));
    assert!(
        module.flash().running_nv_items().is_none(),
        "the running copy is deleted"
    );
}

/// How many items a bin has that are not FF.
fn loader_items(bin: &[u8]) -> usize {
    let (mut at, mut count) = (4, 0);
    while bin[at..at + 2] != [0xFF; 2] {
        let length = usize::from(u16::from_le_bytes([bin[at + 2], bin[at + 3]]));
        let data = &bin[at + 4..at + 4 + length];
        count += usize::from(data.iter().any(|byte| *byte != 0xFF));
        at += 4 + length.next_multiple_of(4);
    }
    count
}

#[test]
fn erase_all_saves_nv_once_and_phase_check_until_the_next_nv() {
    let (_bus, module, mut loader) = in_fdl2(builder());
    let bin = loader.nv_bin().unwrap();
    let phase_check = loader.ask(READ, &words(&[PHASE_CHECK, 0x100, 0])).unwrap().1;
    assert!(phase_check.starts_with(b"90PSD1Q20GM0"));
    assert_eq!(loader.code(ERASE, &words(&[0, 0xFFFF_FFFF])), ACK);
    assert!(module.flash().bytes().iter().all(|byte| *byte == 0xFF));
    assert_eq!(loader.nv_bin().unwrap(), bin);
    assert_eq!(loader.read_nv(0, 0x10), Err(0x96));
    assert_eq!(loader.code(READ, &words(&[PHASE_CHECK, 0x100, 0])), 0x96);
    loader.object(&[NV, bin.len() as u32, 0], &bin, 0x800).unwrap();
    let (code, restored) = loader.ask(READ, &words(&[PHASE_CHECK, 0x100, 0])).unwrap();
    assert_eq!((code, restored), (0x93, phase_check));
}

#[test]
fn formats_the_file_systems_it_has() {
    let (_bus, module, mut loader) = in_fdl2(builder());
    let mut format = |name: &[u8; 4]| loader.code(ERASE, &words(&[0xFE00_0006, u32::from_le_bytes(*name)]));
    assert_eq!([format(b"FSYS"), format(b"FMOD")], [ACK, ACK]);
    assert_eq!([format(b"FEXT"), format(b"\0\0\0\0")], [0x84, 0x84]);
    assert_eq!(module.flash().formats(), ["FSYS", "FMOD"]);
    let (_bus, _module, mut loader) = in_fdl2(builder().external_flash());
    let external = u32::from_le_bytes(*b"FEXT");
    assert_eq!(loader.code(ERASE, &words(&[0xFE00_0006, external])), ACK);
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
fn notices_a_host_that_does_not_wait_for_answers() {
    let (_bus, module, mut loader) = in_fdl2(builder());
    let connect = loader.encode(CONNECT, &[]);
    loader.client.send(&[connect.clone(), connect].concat()).unwrap();
    assert_eq!(loader.reply(PATIENCE).unwrap().0, ACK);
    assert_eq!(loader.reply(PATIENCE).unwrap().0, ACK);
    assert_eq!(
        module.violations(),
        ["Fdl2: the host did not wait for the answer before"]
    );
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

#[test]
fn the_8850_rom_says_what_is_wrong_and_waits_for_three_flags() {
    let bus = VirtualBus::temporary().unwrap();
    let module = UnisocModule::blank(UnisocChip::Uis8850).attach(&bus).unwrap();
    module.wait_for_mode(Mode::Download, PATIENCE).unwrap();
    let mut loader = Bsl::open(module.tty(Role::Download).unwrap(), true);
    loader.client.send(&[0x7E, 0x7E, 0x00, 0x7E]).unwrap();
    assert_eq!(loader.reply(QUIET), None);
    assert_eq!(loader.sync(2), "SPRD3\0");
    loader.client.send(&[0x7E, 0, 0, 0, 0, 0, 1, 0x7E]).unwrap();
    assert_eq!(loader.reply(PATIENCE).unwrap().0, 0x8B);
    assert_eq!(loader.code(END, &[]), 0x82);
    assert_eq!(loader.code(ERASE, &[0; 8]), 0x83);
    assert_eq!(loader.code(START, &words(&[0x5080_0000, 0x1_4001])), 0x82);
    loader
        .object(&[0x5080_0000, 0x400], &[0x5A; 0x400], 0x210)
        .unwrap();
    assert_eq!(loader.code(EXEC, &[]), 0x8B, "no simage");
    module.power_cycle();
    module.wait_for_mode(Mode::Off, PATIENCE).unwrap();
    module.wait_for_mode(Mode::Download, PATIENCE).unwrap();
}

#[test]
fn the_8850_programs_its_boot_area_only_at_the_end() {
    let bus = VirtualBus::temporary().unwrap();
    let revision = "EC800GCNLDR01A01M04_OCPU_QPY";
    let builder = UnisocModule::builder(UnisocChip::Uis8850, revision).starts_in_download();
    let module = builder.attach(&bus).unwrap();
    module.wait_for_mode(Mode::Download, PATIENCE).unwrap();
    let mut loader = Bsl::open(module.tty(Role::Download).unwrap(), true);
    let package = UnisocPackage::generate(revision, UnisocChip::Uis8850, Scale::Small);
    loader.load_8850(&Pac::read(&package.bytes()));
    assert_eq!(loader.code(ERASE, &words(&[0x6000_0000, 0x2_0000])), ACK);
    let spl = &package.entry("SPL").unwrap().data;
    assert_eq!(loader.code(START, &words(&[0x6000_0000, spl.len() as u32])), ACK);
    for piece in spl.chunks(0x800) {
        assert_eq!(loader.code(MIDST, piece), ACK);
    }
    assert!(
        module
            .region(0x6000_0000, 0x1000)
            .unwrap()
            .iter()
            .all(|byte| *byte == 0xFF)
    );
    assert_eq!(loader.code(END, &[]), ACK);
    assert_eq!(&module.region(0x6000_0000, spl.len()).unwrap(), spl);
    // It reads its NV in its real size.
    let bin = loader.nv_bin().unwrap();
    assert!(!bin.len().is_multiple_of(0x3000) && bin.len() < 0x2_8000);
    assert_eq!(bin[bin.len() - 4..], [0xFF; 4]);
}
