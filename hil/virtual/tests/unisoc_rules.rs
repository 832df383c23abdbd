//! What a virtual Unisoc module takes, refuses, drops and lets pass, as measured on the genuine loaders.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::panic)]

mod bsl;
mod client;

use bsl::stages::{AP, PHASE_CHECK, REVISION, builder, in_fdl1, in_fdl2, in_rom, package};
use bsl::{ACK, Bsl, CONNECT, END, ERASE, EXEC, MIDST, NV, Pac, QUIET, READ, START, VER, words};
use client::PATIENCE;
use qpyflash_virtual::{Mode, Role, Scale, UnisocChip, UnisocModule, UnisocPackage, VirtualBus};

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
    let complaints = module.violations();
    assert_eq!(complaints.len(), 2, "{complaints:?}");
    assert!(complaints[1].contains("another byte sum"));
    loader.object(&[NV, 32], &worked, 0x800).unwrap();
    assert_eq!(module.violations().len(), 3, "no sum at all");
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
