//! The highest court: the vendor's own FDL1 and FDL2, executed behind a pseudo-terminal by
//! `../shared/oracles/unisoc8910.py`, are written to by our session.
//!
//! Needs Python 3 with `venv`; the one package the oracle wants is put into a virtual environment below `target`
//! (or name an interpreter that has it with `QPYFLASH_ORACLE_PYTHON`).

#![cfg(unix)]
#![allow(
    clippy::expect_used,
    clippy::panic,
    reason = "a test that cannot be set up fails"
)]

mod faults;
#[path = "../oracle_support/oracle.rs"]
mod oracle;
#[path = "../oracle_support/pty.rs"]
mod pty;

use std::sync::Arc;
use std::time::Duration;

use oracle::{Court, Oracle, court, vector, vector_path};
use qpyflash_protocols::unisoc::{
    Keeper, Kept, Options, Pac, Plan, Report, Transport, erase_all, nv, read_nv, restore_nv, write,
};
use qpyflash_protocols::{Cause, Failure, Phase, WireError, Written};

const COURT: Court = Court {
    program: "unisoc8910.py",
    vectors: "unisoc",
    at_once: 3,
    longest_wait: Duration::from_secs(3),
};

/// The flash of a module that has an identity.
fn seed() -> String {
    let path = vector_path("seed8910.bin.gz");
    path.into_os_string().into_string().expect("a plain path")
}

/// Keeps in memory what a run hands over.
#[derive(Default)]
struct Safe {
    nv: Option<Vec<u8>>,
    phase_check: Option<Vec<u8>>,
    imei: Option<String>,
}

impl Keeper for Safe {
    fn keep(&mut self, what: Kept<'_>) -> Result<(), String> {
        assert!(self.nv.is_none(), "kept twice");
        self.nv = Some(what.nv.to_vec());
        self.phase_check = what.phase_check.map(<[u8]>::to_vec);
        self.imei = what.imei.map(str::to_owned);
        Ok(())
    }
}

fn plan() -> Plan {
    let pac = Pac::parse(&vector("demo8910.pac")).expect("the demo package is sound");
    Plan::from_pac(Arc::new(pac)).expect("the demo package can be written")
}

/// The item's bytes, without the zeros FDL2 pads it with.
fn item(area: &[u8], id: u16) -> Option<Vec<u8>> {
    let items = nv::items(area).expect("a sound NV area");
    let found = items.into_iter().find(|item| item.id == id)?;
    Some(area[found.place].to_vec())
}

fn run(oracle: &Oracle, options: &Options, safe: &mut Safe) -> Result<Report, Failure> {
    write(&mut oracle.wire(), &plan(), options, safe)
}

/// The images that lie in the flash for good stand there byte by byte.
fn assert_images(flash: &[u8], ids: &[&str]) {
    for step in plan()
        .steps()
        .iter()
        .filter(|step| ids.contains(&step.id.as_str()))
    {
        let at = (step.address - 0x6000_0000) as usize;
        assert!(
            flash[at..at + step.data.len()] == step.data[..],
            "`{}` differs",
            step.id
        );
    }
}

/// The module still is who it was: what a second session reads equals what the first one kept.
fn assert_same_module(flash: &str, safe: &Safe) {
    let kept = safe.nv.as_deref().expect("the NV area was kept");
    let again = Oracle::start(&["--strict", "--flash-in", flash]);
    let now = read_nv(&mut again.wire(), &plan(), &Options::default()).expect("it can be read");
    for id in [5, 0x179, 0x186, 0x1E4, 2, 0x26D, 0x26E] {
        assert_eq!(item(&now, id), item(kept, id), "NV item 0x{id:x}");
    }
    // The package has room for 16 bytes of this one.
    let (now, before) = (
        item(&now, 0x191).expect("it has one"),
        item(kept, 0x191).expect("it had one"),
    );
    assert_eq!(now[..16], before[..16]);
    again.finish();
}

#[test]
fn writes_a_package_and_keeps_what_makes_the_module_this_module() {
    court!();
    let oracle = Oracle::start(&["--strict", "--exit-after-reset", "--flash-in", &seed()]);
    let mut safe = Safe::default();
    let options = Options {
        imei: Some("866819204051627".into()),
        ..Options::default()
    };
    let report = run(&oracle, &options, &mut safe).expect("it is written");
    assert_eq!(
        (report.written, report.bytes),
        (Written::Complete, 0x3000 + 0x5004 + 0x800 + 0x2000)
    );
    assert_eq!(report.imei.as_deref(), Some("866819204051627"));
    assert_eq!(safe.imei, report.imei);
    assert_eq!(
        safe.phase_check.as_ref().map(|record| &record[..6]),
        Some(&b"90PSD1"[..])
    );
    let (summary, flash) = oracle.finish_at_reset();
    assert_eq!(summary["reset_seen"], true);
    assert_images(&flash.bytes(), &["AP", "BOOTLOADER"]);
    assert_same_module(flash.path(), &safe);
}

#[test]
fn has_written_an_image_when_its_end_is_acknowledged() {
    court!();
    let oracle = Oracle::start(&["--strict", "--flash-in", &seed()]);
    let mut wire = oracle.wire();
    // ERASE_FLASH 0xFE000001, the entry after PS.
    wire.cancel_at = b"\x7e\x00\x0a\x00\x08\xfe\x00\x00\x01".to_vec();
    let failure = write(&mut wire, &plan(), &Options::default(), &mut Safe::default()).expect_err("stopped");
    assert_eq!(failure.cause, Cause::Wire(WireError::Cancelled));
    let bytes = 0x3000 + 0x5004;
    assert_eq!(
        failure.written,
        Written::Partial {
            image: "FLASH".into(),
            bytes
        }
    );
    drop(wire);
    let (_, flash) = oracle.finish();
    assert_images(&flash.bytes(), &["AP", "PS"]);
    assert!(
        flash.bytes()[..0x10000].iter().all(|&byte| byte == 0xFF),
        "the boot area is blank"
    );
}

#[test]
fn writes_large_frames_and_over_a_uart() {
    court!();
    let large = Options {
        frame: 0x3000,
        ..Options::default()
    };
    let uart = Options {
        transport: Transport::Uart,
        baud: Some(921_600),
        ..Options::default()
    };
    let raw_usb = Options {
        transport: Transport::RawUsb,
        ..Options::default()
    };
    for (options, transport, strict) in [
        (large, "usb", false),
        (uart, "uart", true),
        (raw_usb, "usb", true),
    ] {
        let mut arguments = vec!["--exit-after-reset", "--transport", transport, "--flash-in"];
        let seed = seed();
        arguments.push(&seed);
        if strict {
            arguments.push("--strict");
        }
        let oracle = Oracle::start(&arguments);
        run(&oracle, &options, &mut Safe::default())
            .unwrap_or_else(|failure| panic!("{options:?}: {failure}"));
        let flash = oracle.finish_with(strict).1;
        assert_images(&flash.bytes(), &["AP", "BOOTLOADER"]);
    }
}

#[test]
fn stops_before_anything_is_erased_when_the_module_has_no_nv() {
    court!();
    let oracle = Oracle::start(&["--strict"]);
    let failure = run(&oracle, &Options::default(), &mut Safe::default()).expect_err("it must stop");
    assert_eq!(
        (failure.phase, &failure.written),
        (Phase::CheckChip, &Written::HelpersOnly)
    );
    assert!(failure.to_string().contains("0x96"), "{failure}");
    assert!(failure.to_string().contains("IMEI and calibration"), "{failure}");
    let (_, flash) = oracle.finish();
    assert!(
        flash.bytes().iter().all(|&byte| byte == 0xFF),
        "something was written"
    );
}

#[test]
fn writes_over_a_blank_nv_with_an_earlier_one() {
    court!();
    let seeded = Oracle::start(&["--strict", "--flash-in", &seed()]);
    let earlier = read_nv(&mut seeded.wire(), &plan(), &Options::default()).expect("it has one");
    seeded.finish();
    let oracle = Oracle::start(&["--strict", "--exit-after-reset"]);
    let options = Options {
        earlier_nv: Some(earlier.clone()),
        ..Options::default()
    };
    let report = run(&oracle, &options, &mut Safe::default()).expect("it is written");
    assert_eq!(report.imei.as_deref(), Some("866819204051627"));
    let (_, flash) = oracle.finish_at_reset();
    assert_images(&flash.bytes(), &["AP", "BOOTLOADER"]);
    let safe = Safe {
        nv: Some(earlier),
        ..Safe::default()
    };
    assert_same_module(flash.path(), &safe);
}

#[test]
fn restores_a_kept_nv_area() {
    court!();
    let seeded = Oracle::start(&["--strict", "--flash-in", &seed()]);
    let kept = read_nv(&mut seeded.wire(), &plan(), &Options::default()).expect("it has one");
    seeded.finish();
    let blank = Oracle::start(&["--strict", "--exit-after-reset"]);
    let report = restore_nv(
        &mut blank.wire(),
        &plan(),
        &Options::default(),
        &kept,
        &mut Safe::default(),
    );
    assert_eq!(report.expect("it is restored").written, Written::Complete);
    let (_, flash) = blank.finish_at_reset();
    let again = Oracle::start(&["--strict", "--flash-in", flash.path()]);
    let now = read_nv(&mut again.wire(), &plan(), &Options::default()).expect("it has one again");
    assert_eq!(
        nv::difference(&kept, &nv::ids(&kept).expect("sound"), &now),
        Ok(None)
    );
    again.finish();
}

/// An area whose item `id` is `more` bytes longer.
fn lengthened(area: &[u8], id: u16, more: usize) -> Vec<u8> {
    let items = nv::items(area).expect("a sound NV area");
    let found = items.into_iter().find(|item| item.id == id).expect("it has one");
    let mut data = area[found.place.clone()].to_vec();
    data.extend((0..more).map(|byte| byte as u8 | 1));
    let (length, padded) = (data.len() as u16, found.place.len().next_multiple_of(4));
    data.resize(data.len().next_multiple_of(4), 0);
    let mut longer = area.to_vec();
    longer.splice(found.place.start..found.place.start + padded, data);
    longer[found.place.start - 2..found.place.start].copy_from_slice(&length.to_le_bytes());
    longer.truncate(area.len());
    nv::seal(&mut longer);
    longer
}

#[test]
fn keeps_calibration_that_is_longer_than_the_package_has_it() {
    court!();
    let seeded = Oracle::start(&["--strict", "--flash-in", &seed()]);
    let kept = read_nv(&mut seeded.wire(), &plan(), &Options::default()).expect("it has one");
    seeded.finish();
    let long = lengthened(&kept, 0x26E, 301);
    let oracle = Oracle::start(&["--strict", "--exit-after-reset", "--flash-in", &seed()]);
    let options = Options::default();
    restore_nv(&mut oracle.wire(), &plan(), &options, &long, &mut Safe::default())
        .expect("the longer item is taken");
    let (_, flash) = oracle.finish_at_reset();
    let again = Oracle::start(&["--strict", "--exit-after-reset", "--flash-in", flash.path()]);
    let mut safe = Safe::default();
    run(&again, &options, &mut safe).expect("it is written");
    assert_eq!(
        item(safe.nv.as_deref().expect("it was kept"), 0x26E),
        item(&long, 0x26E)
    );
    let (_, flash) = again.finish_at_reset();
    assert_images(&flash.bytes(), &["AP", "BOOTLOADER"]);
    let last = Oracle::start(&["--strict", "--flash-in", flash.path()]);
    let now = read_nv(&mut last.wire(), &plan(), &options).expect("it can be read");
    assert_eq!(item(&now, 0x26E), item(&long, 0x26E));
    last.finish();
}

#[test]
fn erases_all_but_identity_and_calibration() {
    court!();
    let oracle = Oracle::start(&["--strict", "--exit-after-reset", "--flash-in", &seed()]);
    let mut safe = Safe::default();
    let report =
        erase_all(&mut oracle.wire(), &plan(), &Options::default(), &mut safe).expect("it is erased");
    assert_eq!(report.written, Written::Complete);
    let (_, flash) = oracle.finish_at_reset();
    assert!(
        flash.bytes()[..0x10000].iter().all(|&byte| byte == 0xFF),
        "the boot area is blank"
    );
    let again = Oracle::start(&["--strict", "--exit-after-reset", "--flash-in", flash.path()]);
    let mut second = Safe::default();
    run(&again, &Options::default(), &mut second).expect("it can be written again");
    assert_eq!(second.phase_check, safe.phase_check);
    assert!(second.phase_check.is_some());
    let kept = safe.nv.expect("it had NV items");
    let ids = nv::ids(&kept).expect("sound");
    assert_eq!(
        nv::difference(&kept, &ids, &second.nv.expect("it has them again")),
        Ok(None)
    );
    again.finish_at_reset();
}

#[test]
fn says_that_a_loader_has_stopped() {
    court!();
    let oracle = Oracle::start(&["--flash-in", &seed()]);
    let mut wire = oracle.wire();
    // Spoils the check sum of a frame to FDL1 on the way: FDL1 stops for good.
    wire.spoil_at = Some(20_000);
    let failure =
        write(&mut wire, &plan(), &Options::default(), &mut Safe::default()).expect_err("it has stopped");
    assert!(matches!(failure.cause, Cause::Silent { .. }), "{failure}");
    assert_eq!(
        (failure.phase, failure.written),
        (Phase::LoadHelper, Written::HelpersOnly)
    );
    assert!(
        failure.log.iter().any(|line| line.contains("power-cycle")),
        "{:?}",
        failure.log
    );
    // Nobody is at home; after a power cycle the next run completes.
    let failure =
        write(&mut wire, &plan(), &Options::default(), &mut Safe::default()).expect_err("still stopped");
    assert_eq!((failure.phase, failure.written), (Phase::Sync, Written::Nothing));
    oracle.power_cycle();
    write(&mut wire, &plan(), &Options::default(), &mut Safe::default()).expect("it is written now");
    drop(wire);
    oracle.finish_with(false);
}

#[test]
fn refuses_a_loader_of_an_earlier_run() {
    court!();
    let oracle = Oracle::start(&["--flash-in", &seed()]);
    let stay = Options {
        after: qpyflash_protocols::unisoc::After::Stay,
        ..Options::default()
    };
    read_nv(&mut oracle.wire(), &plan(), &stay).expect("it can be read");
    let failure = run(&oracle, &Options::default(), &mut Safe::default()).expect_err("FDL2 is running");
    assert!(failure.to_string().contains("power-cycle"), "{failure}");
    assert_eq!(failure.written, Written::Nothing);
    oracle.finish_with(false);
}
