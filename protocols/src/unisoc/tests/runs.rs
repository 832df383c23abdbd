//! Runs in which nothing, or nothing that matters, goes wrong.

use std::time::Duration;

use super::*;
use crate::unisoc::{After, Transport, erase_all, read_nv, restore_nv};
use crate::{Phase, Written};

const BOTH: [Platform; 2] = [Platform::Unisoc8910, Platform::Unisoc8850];

fn with(options: Options, platform: Platform) -> Module {
    let mut module = Module::new(platform);
    write(&mut module, &small(platform), &options, &mut Safe::default())
        .unwrap_or_else(|failure| panic!("{platform}: {failure}"));
    module
}

/// Everything the plan writes stands in the module, byte by byte.
pub(super) fn assert_written(module: &Module, plan: &Plan) {
    let images = plan
        .steps()
        .iter()
        .filter(|step| step.action == crate::unisoc::Action::Write);
    // Archives go to one and the same address: the last one counts.
    let mut last: std::collections::BTreeMap<u32, &[u8]> = std::collections::BTreeMap::new();
    images.for_each(|step| _ = last.insert(step.address, &step.data));
    for (address, data) in last {
        assert_eq!(
            module.flash.get(&address).map(|held| &held[..]),
            Some(data),
            "0x{address:08x}"
        );
    }
}

#[test]
fn writes_every_image_and_keeps_identity() {
    for platform in BOTH {
        let plan = small(platform);
        let (mut module, mut safe) = (Module::new(platform), Safe::default());
        let own = module.nv.clone().expect("it has items");
        let report = write(&mut module, &plan, &Options::default(), &mut safe)
            .unwrap_or_else(|failure| panic!("{platform}: {failure}\n{:?}", module.notes));
        assert_written(&module, &plan);
        let flashed = |step: &&crate::unisoc::Step| step.action.changes_flash();
        let bytes: usize = plan
            .steps()
            .iter()
            .filter(flashed)
            .map(|step| step.data.len())
            .sum();
        assert_eq!((report.written, report.bytes), (Written::Complete, bytes as u64));
        assert_eq!(report.imei.as_deref(), Some(module::IMEI));
        assert_eq!((safe.nv.len(), safe.imei), (1, report.imei));
        assert_eq!(safe.phase_check, module.phase_check);
        for (id, data) in own.iter().filter(|(id, _)| *id != 0x191) {
            let held = module.nv_item(*id).expect("it is there");
            assert_eq!(held.get(..data.len()), Some(&data[..]), "{platform} 0x{id:x}");
        }
        let phases = [
            Phase::Sync,
            Phase::LoadHelper,
            Phase::CheckChip,
            Phase::Erase,
            Phase::Write,
            Phase::Verify,
            Phase::Reset,
        ];
        assert_eq!(module.phases, phases);
        assert_eq!(module.stage, Stage::Run);
        assert_eq!(
            module.count("START_DATA fe000002"),
            0,
            "the record of production is not touched"
        );
    }
}

#[test]
fn erases_the_boot_area_first_and_writes_it_last() {
    for platform in BOTH {
        let module = with(Options::default(), platform);
        let changes = |text: &&str| {
            text.starts_with("ERASE_FLASH")
                || (text.starts_with("START_DATA")
                    && !text.contains(" 810000")
                    && !text.contains(" 50800000"))
        };
        let changes: Vec<&str> = module.commands().into_iter().filter(changes).collect();
        assert!(
            changes
                .first()
                .is_some_and(|text| text.starts_with("ERASE_FLASH 60000000"))
        );
        assert!(
            changes
                .last()
                .is_some_and(|text| text.starts_with("START_DATA 60000000"))
        );
        let first_erase = module
            .commands()
            .iter()
            .position(|text| text.starts_with("ERASE"))
            .expect("it erases");
        let nv_read = module
            .commands()
            .iter()
            .rposition(|text| text.starts_with("READ_FLASH fe000002"));
        assert!(nv_read.is_some_and(|read| read < first_erase));
    }
}

#[test]
fn sends_nothing_to_fdl1_that_would_stop_it() {
    let module = with(Options::default(), Platform::Unisoc8910);
    let commands = module.commands();
    let from = commands.iter().position(|text| *text == "7E").expect("a sync");
    let to = commands
        .iter()
        .position(|text| *text == "EXEC_DATA")
        .expect("a start");
    assert_eq!(
        commands[from..from + 5],
        [
            "7E",
            "CONNECT",
            "CHANGE_BAUD 1c200",
            "CONNECT",
            "START_DATA 810000 900"
        ]
    );
    assert_eq!(
        commands[from + 5..=to],
        ["MIDST_DATA 840", "MIDST_DATA c0", "END_DATA", "EXEC_DATA"]
    );
    assert_eq!(module.count("CHANGE_BAUD"), 1);
    assert_eq!(module.bauds, [0; 0], "over USB the speed means nothing");
}

#[test]
fn sends_the_frames_each_stage_takes() {
    let module = with(Options::default(), Platform::Unisoc8850);
    assert!(module.count("MIDST_DATA 210") >= 3);
    assert!(module.count("MIDST_DATA 800") >= 3);
    let last_of_ap = format!("MIDST_DATA {:x}", 0x1001 % 0x800);
    assert_eq!(module.count(&last_of_ap), 1, "the odd length is sent as it is");
    for (platform, frame) in [(Platform::Unisoc8910, 0x3000), (Platform::Unisoc8850, 0xFC00)] {
        let module = with(
            Options {
                frame,
                ..Options::default()
            },
            platform,
        );
        assert_eq!(module.count("MIDST_DATA 1001"), 1);
    }
}

#[test]
fn refuses_frames_that_a_loader_drops() {
    for (platform, frame) in [
        (Platform::Unisoc8910, 0x3001),
        (Platform::Unisoc8850, 0xFC01),
        (Platform::Unisoc8910, 0),
    ] {
        let mut module = Module::new(platform);
        let options = Options {
            frame,
            ..Options::default()
        };
        let failure =
            write(&mut module, &small(platform), &options, &mut Safe::default()).expect_err("refused");
        assert_eq!((failure.phase, failure.written), (Phase::Clear, Written::Nothing));
        assert!(module.sent.is_empty());
    }
}

#[test]
fn changes_the_line_speed_once_over_a_uart() {
    for platform in BOTH {
        let options = Options {
            transport: Transport::Uart,
            baud: Some(921_600),
            ..Options::default()
        };
        let module = with(options, platform);
        assert_eq!(module.count("CHANGE_BAUD"), module.count("CHANGE_BAUD e1000"));
        assert_eq!((module.count("CHANGE_BAUD"), module.bauds), (1, vec![921_600]));
    }
}

#[test]
fn ends_every_transfer_of_raw_usb_with_a_short_packet() {
    for platform in BOTH {
        let module = with(
            Options {
                transport: Transport::RawUsb,
                frame: 64 - 8,
                ..Options::default()
            },
            platform,
        );
        let frames = module
            .sent
            .iter()
            .filter(|write| write[0] == 0x7E || write.len() == 1);
        for write in frames {
            assert_ne!(write.len() % 64, 0, "{:02X?}", &write[..8]);
        }
        assert!(
            module.sent.iter().any(|write| *write == [0x7E]),
            "some frame was split"
        );
    }
}

#[test]
fn writes_one_frame_with_one_write() {
    let module = with(Options::default(), Platform::Unisoc8910);
    let frames = module.commands().iter().filter(|text| !text.is_empty()).count();
    assert_eq!(module.sent.len(), frames);
}

#[test]
fn stays_when_told_to() {
    for platform in BOTH {
        let stay = Options {
            after: After::Stay,
            ..Options::default()
        };
        let module = with(stay, platform);
        assert_eq!(module.count("NORMAL_RESET"), 0);
    }
}

#[test]
fn reports_only_bytes_that_were_acknowledged() {
    let module = with(Options::default(), Platform::Unisoc8910);
    let ap: Vec<(u64, u64)> = module
        .acknowledged
        .iter()
        .filter(|(image, ..)| image == "AP")
        .map(|(_, done, total)| (*done, *total))
        .collect();
    assert_eq!(
        ap,
        [(0, 0x1001), (0x800, 0x1001), (0x1000, 0x1001), (0x1001, 0x1001)]
    );
}

#[test]
fn understands_replies_in_single_bytes_and_garbage_before_them() {
    for platform in BOTH {
        let mut module = Module::new(platform).on("7E", 1, Instead::After(b"\0\xAE~noise~".to_vec()));
        module.piece = 1;
        run(&mut module, &small(platform)).unwrap_or_else(|failure| panic!("{platform}: {failure}"));
    }
}

#[test]
fn skips_log_frames_and_shows_them() {
    let log = [0x7E, 0x00, 0xFF, 0x00, 0x02, b'h', b'i', 0x96, 0x95, 0x7E];
    let mut module = Module::new(Platform::Unisoc8910).on("END_DATA", 2, Instead::After(log.to_vec()));
    run(&mut module, &small(Platform::Unisoc8910)).expect("it is written");
    assert!(module.notes.iter().any(|note| note == "hi"), "{:?}", module.notes);
}

#[test]
fn waits_for_slow_work() {
    // One second less than specs/unisoc-pac-bsl.md §6.7 advises.
    for (command, seconds) in [
        ("CONNECT", 2),
        ("CHANGE_BAUD", 1),
        ("START_DATA", 29),
        ("MIDST_DATA 840", 14),
        ("MIDST_DATA 800", 59),
        ("END_DATA", 59),
        ("EXEC_DATA", 14),
        ("ERASE_FLASH", 59),
        ("READ_FLASH", 14),
    ] {
        let late = Instead::Late(Duration::from_secs(seconds));
        let mut module = Module::new(Platform::Unisoc8910).on(command, 1, late);
        run(&mut module, &small(Platform::Unisoc8910))
            .unwrap_or_else(|failure| panic!("{command}: {failure}"));
        assert_eq!(module.count("START_DATA 60010000"), 1, "{command}");
    }
}

#[test]
fn reads_and_restores_the_nv_area() {
    for platform in BOTH {
        let mut module = Module::new(platform);
        let area = read_nv(&mut module, &small(platform), &Options::default()).expect("it has one");
        assert_eq!(crate::unisoc::nv::imei(&area).as_deref(), Some(module::IMEI));
        assert_eq!(
            (
                module.stage,
                module.erased.len(),
                module.flash.keys().filter(|at| **at >= 0x6000_0000).count()
            ),
            (Stage::Run, 0, 0)
        );
        let mut other = Module::new(platform);
        other.nv = Some(vec![(5, vec![0x1A; 8])]);
        let mut safe = Safe::default();
        let report = restore_nv(
            &mut other,
            &small(platform),
            &Options::default(),
            &area,
            &mut safe,
        );
        assert_eq!(
            report.expect("it is restored").imei.as_deref(),
            Some(module::IMEI)
        );
        assert_eq!(other.nv, Module::new(platform).nv);
        assert_eq!(safe.nv.len(), 1, "what it had was kept");
        let mut damaged = area.clone();
        damaged[20] ^= 1;
        let mut untouched = Module::new(platform);
        restore_nv(
            &mut untouched,
            &small(platform),
            &Options::default(),
            &damaged,
            &mut safe,
        )
        .expect_err("refused");
        assert!(untouched.sent.is_empty());
    }
}

#[test]
fn erases_everything_but_what_nobody_else_has() {
    for platform in BOTH {
        let mut module = Module::new(platform);
        let (nv, record) = (module.nv.clone(), module.phase_check.clone());
        let mut safe = Safe::default();
        erase_all(&mut module, &small(platform), &Options::default(), &mut safe)
            .unwrap_or_else(|failure| panic!("{platform}: {failure}"));
        assert_eq!(module.erased, [(0, 0xFFFF_FFFF)]);
        assert_eq!((&module.nv, &module.phase_check), (&nv, &record));
        assert_eq!((safe.nv.len(), safe.phase_check), (1, record));
    }
}
