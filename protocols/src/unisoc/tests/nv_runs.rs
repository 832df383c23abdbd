//! What becomes of the NV items when a module has lost them, keeps them badly, or nobody can keep them.

use super::*;
use crate::unisoc::{erase_all, nv, restore_nv};
use crate::{Cause, Phase, Written};

const CHIP: Platform = Platform::Unisoc8910;

fn fail(module: &mut Module, options: &Options, safe: &mut Safe) -> Failure {
    let failure = write(module, &small(CHIP), options, safe).expect_err("the run must fail");
    assert_eq!(module.erased, [], "{failure}");
    failure
}

fn earlier() -> Option<Vec<u8>> {
    let mut module = Module::new(CHIP);
    module.stage = Stage::Fdl2;
    module.nv_area()
}

#[test]
fn refuses_a_module_without_nv_and_says_what_would_be_lost() {
    let mut module = Module::new(CHIP);
    module.nv = None;
    let failure = fail(&mut module, &Options::default(), &mut Safe::default());
    assert_eq!(
        (failure.phase, &failure.written),
        (Phase::CheckChip, &Written::HelpersOnly)
    );
    assert!(failure.to_string().contains("IMEI and calibration"), "{failure}");
    assert_eq!(module.stage, Stage::Run, "it is let go");
}

#[test]
fn restores_an_earlier_area_whole_before_it_merges() {
    for nv in [None, Some(vec![(0x26E, vec![1; 61])])] {
        let mut module = Module::new(CHIP);
        module.nv = nv;
        let options = Options {
            earlier_nv: earlier(),
            ..Options::default()
        };
        let report = write(&mut module, &small(CHIP), &options, &mut Safe::default()).expect("it is written");
        assert_eq!(report.imei.as_deref(), Some(module::IMEI));
        let whole = Module::new(CHIP);
        for id in [5, 0x179, 2, 0x26E, 0x26F] {
            assert_eq!(module.nv_item(id), whole.nv_item(id), "0x{id:x}");
        }
    }
}

#[test]
fn uses_the_modules_own_area_while_it_has_one() {
    let mut other = Module::new(CHIP);
    other.stage = Stage::Fdl2;
    other.nv = Some(vec![
        (5, vec![0x1A, 0x32, 0x54, 0x76, 0x98, 0x10, 0x32, 0x54]),
        (0x26E, vec![0; 61]),
    ]);
    let options = Options {
        earlier_nv: other.nv_area(),
        ..Options::default()
    };
    let mut module = Module::new(CHIP);
    let report = write(&mut module, &small(CHIP), &options, &mut Safe::default()).expect("it is written");
    assert_eq!(report.imei.as_deref(), Some(module::IMEI));
    assert_eq!(module.nv_item(0x26E), Module::new(CHIP).nv_item(0x26E));
}

#[test]
fn refuses_a_damaged_earlier_area_before_anything_is_sent() {
    let options = Options {
        earlier_nv: earlier().map(|mut area| {
            area[100] ^= 1;
            area
        }),
        ..Options::default()
    };
    let mut module = Module::new(CHIP);
    let failure = fail(&mut module, &options, &mut Safe::default());
    assert_eq!((failure.phase, failure.written), (Phase::Clear, Written::Nothing));
    assert!(module.sent.is_empty());
}

#[test]
fn refuses_another_module_than_the_one_in_run_mode() {
    let options = Options {
        imei: Some("123456789012345".into()),
        ..Options::default()
    };
    let mut module = Module::new(CHIP);
    let failure = fail(&mut module, &options, &mut Safe::default());
    assert!(matches!(failure.cause, Cause::OtherModule(_)), "{failure}");
    assert!(failure.to_string().contains(module::IMEI), "{failure}");
    let mut lost = Module::new(CHIP);
    lost.nv = None;
    let options = Options {
        earlier_nv: earlier(),
        ..options
    };
    let failure = fail(&mut lost, &options, &mut Safe::default());
    assert!(matches!(failure.cause, Cause::OtherModule(_)), "{failure}");
}

#[test]
fn refuses_to_go_on_when_nobody_keeps_the_area() {
    let mut module = Module::new(CHIP);
    let mut full = Safe {
        refuses: true,
        ..Safe::default()
    };
    let failure = fail(&mut module, &Options::default(), &mut full);
    assert!(matches!(failure.cause, Cause::NotKept(_)), "{failure}");
    assert!(failure.to_string().contains("the disk is full"), "{failure}");
    assert_eq!(failure.written, Written::HelpersOnly);
}

#[test]
fn refuses_to_fill_missing_calibration_unless_allowed() {
    let mut module = Module::new(CHIP);
    module
        .nv
        .as_mut()
        .expect("it has items")
        .retain(|(id, _)| *id != 0x26E);
    let items = module.nv.clone();
    let failure = fail(&mut module, &Options::default(), &mut Safe::default());
    assert!(failure.to_string().contains("0x26e"), "{failure}");
    let mut module = Module::new(CHIP);
    module.nv = items;
    let options = Options {
        take_missing_items: true,
        ..Options::default()
    };
    write(&mut module, &small(CHIP), &options, &mut Safe::default()).expect("it is allowed");
    assert!(
        module.notes.iter().any(|note| note.contains("0x26e")),
        "{:?}",
        module.notes
    );
}

#[test]
fn writes_the_area_again_when_it_reads_back_differently() {
    for (times, written) in [(1, 2), (2, 3)] {
        let mut module = Module::new(CHIP);
        module.nv = Some(vec![
            (5, module.nv_item(5).expect("it has one").to_vec()),
            (0x179, vec![9; 8]),
            (0x26E, vec![9; 61]),
        ]);
        // An item that the package brings anew is forgotten, so that the old one stays.
        module
            .nv
            .as_mut()
            .expect("it has items")
            .push((0x26D, vec![1; 4]));
        module.forgets = Some((0x26D, times));
        run(&mut module, &small(CHIP)).unwrap_or_else(|failure| panic!("{times}: {failure}"));
        assert_eq!(module.count("START_DATA fe000003"), written);
    }
    let mut module = Module::new(CHIP);
    module
        .nv
        .as_mut()
        .expect("it has items")
        .push((0x26D, vec![1; 4]));
    module.forgets = Some((0x26D, 9));
    let failure = run(&mut module, &small(CHIP)).expect_err("it never holds");
    assert!(matches!(failure.written, Written::Partial { .. }), "{failure}");
    assert_eq!(module.count("START_DATA fe000003"), 3);
    assert_eq!(
        module.count("START_DATA 60000000"),
        0,
        "the boot area stays blank"
    );
}

#[test]
fn sends_the_sum_of_the_bytes_it_writes() {
    let mut module = Module::new(CHIP);
    run(&mut module, &small(CHIP)).expect("it is written");
    let start = module
        .commands()
        .into_iter()
        .find(|text| text.starts_with("START_DATA fe000003"));
    let plan = small(CHIP);
    let package = &plan.nv().expect("it has one").data;
    let mut own = Module::new(CHIP);
    own.stage = Stage::Fdl2;
    let merged = nv::merge(
        &own.nv_area().expect("it has one"),
        package,
        plan.nv_room() as usize,
        plan.kept_items(),
        false,
    )
    .expect("sound");
    let wanted = format!("START_DATA fe000003 800 {:x}", nv::byte_sum(&merged.area));
    assert_eq!(start, Some(wanted.as_str()));
}

/// Another module, whole, with an IMEI of its own.
fn stranger() -> Module {
    let mut module = Module::new(CHIP);
    module.nv = Some(vec![
        (5, vec![0x1A, 0x32, 0x54, 0x76, 0x98, 0x10, 0x32, 0x54]),
        (0x26E, vec![7; 61]),
    ]);
    module
}

#[test]
fn restores_to_its_owner_alone_unless_the_label_says_so() {
    let area = earlier().expect("it has one");
    let restore = |module: &mut Module, label: Option<&str>| {
        let options = Options {
            label_imei: label.map(str::to_owned),
            ..Options::default()
        };
        restore_nv(module, &small(CHIP), &options, &area, &mut Safe::default())
    };
    let mut other = stranger();
    let failure = restore(&mut other, None).expect_err("it is of another module");
    assert!(matches!(failure.cause, Cause::OtherModule(_)), "{failure}");
    assert!(failure.to_string().contains("by its own NV items"), "{failure}");
    assert_eq!((failure.written, other.nv), (Written::HelpersOnly, stranger().nv));
    let mut labelled = stranger();
    restore(&mut labelled, Some(module::IMEI)).expect("the label decides");
    assert_eq!(labelled.nv_item(0x26E), Module::new(CHIP).nv_item(0x26E));
    let failure = restore(&mut Module::new(CHIP), Some("123456789012345")).expect_err("against the label");
    assert!(failure.to_string().contains("by its label"), "{failure}");
    let mut blank = Module::new(CHIP);
    blank.nv = None;
    restore(&mut blank, None).expect("nothing contradicts");
    assert_eq!(blank.nv, Module::new(CHIP).nv);
}

#[test]
fn erases_a_module_without_nv_only_with_an_earlier_area() {
    for nv in [None, Some(vec![(0x300, vec![1; 20])])] {
        let mut module = Module::new(CHIP);
        module.nv.clone_from(&nv);
        let options = Options {
            earlier_nv: earlier(),
            ..Options::default()
        };
        let report = erase_all(&mut module, &small(CHIP), &options, &mut Safe::default());
        assert_eq!(report.expect("it is erased").imei.as_deref(), Some(module::IMEI));
        assert_eq!(module.erased, [(0, 0xFFFF_FFFF)]);
        assert_eq!(module.nv_item(0x26E), Module::new(CHIP).nv_item(0x26E));
        let own = nv.and_then(|items| Some(items.first()?.1.clone()));
        if let Some(own) = own {
            assert_eq!(module.nv_item(0x300), Some(&own[..]), "what was left of its own");
        }
    }
    let mut module = Module::new(CHIP);
    module.nv = None;
    let failure = erase_all(
        &mut module,
        &small(CHIP),
        &Options::default(),
        &mut Safe::default(),
    )
    .expect_err("it has nothing to write back");
    assert!(matches!(failure.cause, Cause::WouldLose(_)), "{failure}");
    assert_eq!((failure.written, module.erased), (Written::HelpersOnly, vec![]));
}

#[test]
fn calibration_that_is_longer_in_the_module_keeps_its_length() {
    let mut module = Module::new(CHIP);
    let long: Vec<u8> = (0..3000u16).map(|byte| byte as u8).collect();
    let items = module.nv.as_mut().expect("it has items");
    items.retain(|(id, _)| *id != 0x26E);
    items.push((0x26E, long.clone()));
    run(&mut module, &small(CHIP)).expect("it is written");
    assert_eq!(module.nv_item(0x26E), Some(&long[..]));
}
