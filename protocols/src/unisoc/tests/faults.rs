//! Everything that can go wrong on the wire, phase by phase.

use std::time::Duration;

use super::runs::assert_written;
use super::*;
use crate::{Cause, Phase, WireError, Written};

const CHIP: Platform = Platform::Unisoc8910;

fn fail(module: &mut Module) -> Failure {
    run(module, &small(CHIP)).expect_err("the run must fail")
}

fn partial(image: &str, bytes: u64) -> Written {
    let image = image.to_owned();
    Written::Partial { image, bytes }
}

/// Where a command stands in the run of the small package, and what has been changed when it is not answered.
fn steps() -> Vec<(&'static str, usize, Phase, Written)> {
    use Phase::{CheckChip, Erase, LoadHelper, Verify, Write};
    let (ap, ps, nv, boot) = (0x1001, 0x333, 0x800, 0x2000);
    vec![
        ("PDL START_DATA", 1, LoadHelper, Written::HelpersOnly),
        ("PDL MID_DATA", 2, LoadHelper, Written::HelpersOnly),
        ("PDL END_DATA", 1, LoadHelper, Written::HelpersOnly),
        ("CONNECT", 1, LoadHelper, Written::HelpersOnly),
        ("START_DATA 810000", 1, LoadHelper, Written::HelpersOnly),
        ("MIDST_DATA", 2, LoadHelper, Written::HelpersOnly),
        ("END_DATA", 1, LoadHelper, Written::HelpersOnly),
        ("EXEC_DATA", 1, LoadHelper, Written::HelpersOnly),
        ("CONNECT", 3, CheckChip, Written::HelpersOnly),
        ("READ_FLASH fe000003 3000 0", 1, CheckChip, Written::HelpersOnly),
        (
            "READ_FLASH fe000003 2000 1e000",
            1,
            CheckChip,
            Written::HelpersOnly,
        ),
        ("ERASE_FLASH", 1, Erase, partial("ERASE_BOOT", 0)),
        ("START_DATA 60010000", 1, Write, partial("AP", 0)),
        ("MIDST_DATA 800", 2, Write, partial("AP", 0x800)),
        ("END_DATA", 2, Write, partial("AP", ap)),
        ("START_DATA 604a0000", 1, Write, partial("PS", ap)),
        ("ERASE_FLASH fe000001", 1, Write, partial("FLASH", ap + ps)),
        ("START_DATA fe000003", 1, Write, partial("NV", ap + ps)),
        ("END_DATA", 4, Write, partial("NV", ap + ps + nv)),
        (
            "READ_FLASH fe000003 3000 0",
            2,
            Write,
            partial("NV", ap + ps + nv),
        ),
        (
            "START_DATA 60000000",
            1,
            Write,
            partial("BOOTLOADER", ap + ps + nv),
        ),
        ("END_DATA", 5, Write, partial("BOOTLOADER", ap + ps + nv + boot)),
        (
            "READ_FLASH fe000003 3000 0",
            3,
            Verify,
            partial("BOOTLOADER", ap + ps + nv + boot),
        ),
        ("CONNECT", 4, Verify, partial("BOOTLOADER", ap + ps + nv + boot)),
    ]
}

#[test]
fn stops_at_a_refusal_of_any_command() {
    for (command, nth, phase, written) in steps() {
        let mut module = Module::new(CHIP);
        // A second no is needed where another try is allowed.
        for _ in 0..2 {
            module = module.on(command, nth, Instead::Code(0x89));
        }
        let pdl = command.starts_with("PDL");
        let module = &mut if pdl {
            module.on(command, nth, Instead::Code(0x89))
        } else {
            module
        };
        let failure = fail(module);
        assert!(
            matches!(failure.cause, Cause::Refused { .. }),
            "{command} {nth}: {failure}"
        );
        assert_eq!(
            (failure.phase, failure.written),
            (phase, written),
            "{command} {nth}"
        );
    }
}

#[test]
fn gives_up_on_a_loader_that_has_stopped() {
    for (command, nth, phase, written) in steps() {
        let mut module = Module::new(CHIP).on(command, nth, Instead::Dead);
        let failure = fail(&mut module);
        assert!(
            matches!(failure.cause, Cause::Silent { .. }),
            "{command} {nth}: {failure}"
        );
        assert_eq!(
            (failure.phase, failure.written),
            (phase, written),
            "{command} {nth}"
        );
        let waited = module.now;
        assert!(waited < Duration::from_secs(100), "{command} {nth}: {waited:?}");
        let told = module.notes.iter().any(|note| note.contains("power-cycle"));
        assert!(
            told || command.starts_with("PDL") || command == "CONNECT",
            "{command} {nth}: {:?}",
            module.notes
        );
    }
}

#[test]
fn completes_although_any_one_answer_is_lost_damaged_or_doubled() {
    for instead in [Instead::Mute, Instead::Damaged, Instead::Twice] {
        for (command, nth, ..) in steps() {
            let mut module = Module::new(CHIP).on(command, nth, instead.clone());
            let report = run(&mut module, &small(CHIP)).unwrap_or_else(|failure| {
                panic!("{instead:?} {command} {nth}: {failure}\n{:#?}", module.notes)
            });
            assert_eq!(report.written, Written::Complete);
            assert_written(&module, &small(CHIP));
        }
    }
}

#[test]
fn restarts_the_object_after_a_lost_acknowledgement() {
    let mut module = Module::new(CHIP).on("MIDST_DATA 800", 2, Instead::Mute);
    run(&mut module, &small(CHIP)).expect("it is written");
    let commands = module.commands();
    let lost = commands
        .iter()
        .position(|text| *text == "START_DATA 60010000 1001")
        .expect("it starts");
    let wanted = [
        "START_DATA 60010000 1001",
        "MIDST_DATA 800",
        "MIDST_DATA 800",
        "CONNECT",
        "START_DATA 60010000 1001",
        "MIDST_DATA 800",
        "MIDST_DATA 800",
        "MIDST_DATA 1",
        "END_DATA",
    ];
    assert_eq!(commands[lost..lost + wanted.len()], wanted);
    assert_written(&module, &small(CHIP));
}

#[test]
fn restarts_the_object_in_fdl1_only_when_an_answer_was_lost() {
    let at = |instead| Module::new(CHIP).on("MIDST_DATA 840", 1, instead);
    let mut module = at(Instead::Mute);
    run(&mut module, &small(CHIP)).expect("it is written");
    assert_eq!(module.count("START_DATA 810000"), 2);
    let mut module = at(Instead::Code(0x8A));
    assert!(matches!(fail(&mut module).cause, Cause::Refused { .. }));
    assert_eq!(module.count("START_DATA 810000"), 1);
}

#[test]
fn counts_no_byte_twice_when_an_object_begins_again() {
    let plan = small(CHIP);
    let mut module = Module::new(CHIP).on("END_DATA", 2, Instead::Damaged);
    let report = run(&mut module, &plan).expect("it is written");
    let clean = run(&mut Module::new(CHIP), &plan).expect("it is written");
    assert_eq!(report.bytes, clean.bytes);
}

#[test]
fn retries_after_a_wrong_size_twice_and_after_a_wrong_reading_once() {
    for (code, good, bad) in [(0x8A, 2, 3), (0x8B, 1, 2)] {
        let refusing = |times: usize| {
            (0..times).fold(Module::new(CHIP), |module, n| {
                module.on("MIDST_DATA 800", 1 + n, Instead::Code(code))
            })
        };
        run(&mut refusing(good), &small(CHIP)).unwrap_or_else(|failure| panic!("{code:x}: {failure}"));
        let mut module = refusing(bad);
        let failure = fail(&mut module);
        assert!(matches!(failure.cause, Cause::Refused { .. }), "{failure}");
        assert_eq!(module.count("START_DATA 60010000"), bad);
    }
}

#[test]
fn gives_up_an_object_that_is_lost_three_times() {
    let mut module = Module::new(CHIP);
    for _ in 0..3 {
        module = module.on("MIDST_DATA 1", 1, Instead::Mute);
    }
    let failure = fail(&mut module);
    assert!(matches!(failure.cause, Cause::Silent { .. }), "{failure}");
    assert_eq!(module.count("START_DATA 60010000"), 3);
    assert!(
        failure.doing.contains("`AP`") && failure.doing.contains("byte 4096 of 4097"),
        "{failure}"
    );
}

#[test]
fn reports_a_module_that_vanishes_at_any_command() {
    for (command, nth, phase, written) in steps() {
        let failure = fail(&mut Module::new(CHIP).on(command, nth, Instead::Vanish));
        assert_eq!(failure.cause, Cause::Wire(WireError::Gone), "{command} {nth}");
        assert_eq!(
            (failure.phase, failure.written),
            (phase, written),
            "{command} {nth}"
        );
    }
}

#[test]
fn ends_at_once_when_cancelled() {
    for (command, nth, phase, written) in steps() {
        let mut module = Module::new(CHIP).on(command, nth, Instead::Cancel);
        let failure = fail(&mut module);
        assert_eq!(
            failure.cause,
            Cause::Wire(WireError::Cancelled),
            "{command} {nth}"
        );
        assert_eq!(
            (failure.phase, failure.written),
            (phase, written),
            "{command} {nth}"
        );
        assert!(module.now < Duration::from_secs(3));
    }
    let failure = fail(&mut Module::new(CHIP).on("NORMAL_RESET", 1, Instead::Cancel));
    assert_eq!(
        (failure.phase, failure.written),
        (Phase::Reset, Written::Complete)
    );
}

#[test]
fn completes_in_a_second_run_after_a_power_cut_at_any_command() {
    for (command, nth, ..) in steps() {
        let mut module = Module::new(CHIP).on(command, nth, Instead::Vanish);
        let mut safe = Safe::default();
        write(&mut module, &small(CHIP), &Options::default(), &mut safe).expect_err("it is gone");
        let mut module = module.power_cycle(CHIP);
        let options = Options {
            earlier_nv: safe.nv.pop(),
            ..Options::default()
        };
        write(&mut module, &small(CHIP), &options, &mut Safe::default())
            .unwrap_or_else(|failure| panic!("{command} {nth}: {failure}"));
        assert_written(&module, &small(CHIP));
    }
}

#[test]
fn succeeds_whatever_happens_after_the_proof() {
    for instead in [
        Instead::Vanish,
        Instead::Mute,
        Instead::Dead,
        Instead::Code(0x82),
        Instead::Damaged,
    ] {
        let mut module = Module::new(CHIP).on("NORMAL_RESET", 1, instead.clone());
        let report =
            run(&mut module, &small(CHIP)).unwrap_or_else(|failure| panic!("{instead:?}: {failure}"));
        assert_eq!(report.written, Written::Complete);
    }
}

#[test]
fn resets_a_module_that_still_listens_after_a_failure() {
    let mut module = Module::new(CHIP).on("START_DATA 60010000", 1, Instead::Code(0x89));
    fail(&mut module);
    assert_eq!(module.stage, Stage::Run);
    let mut module = Module::new(CHIP).on("START_DATA 810000", 1, Instead::Code(0x89));
    fail(&mut module);
    assert_eq!(module.count("NORMAL_RESET"), 0, "FDL1 knows no such command");
}

#[test]
fn refuses_a_model_that_the_firmware_is_not_for_with_nothing_erased() {
    let chip = Platform::Unisoc8850;
    let mut module = Module::new(chip).on("ERASE_FLASH", 1, Instead::Code(0x97));
    let failure = run(&mut module, &small(chip)).expect_err("it is refused");
    assert!(matches!(failure.cause, Cause::WrongChip { .. }), "{failure}");
    assert!(
        failure.to_string().contains("0x97") && failure.to_string().contains("model"),
        "{failure}"
    );
    assert_eq!(failure.written, Written::HelpersOnly);
    assert_eq!(module.stage, Stage::Run);
    let mut later = Module::new(chip).on("ERASE_FLASH", 2, Instead::Code(0x97));
    let failure = run(&mut later, &small(chip)).expect_err("it is refused");
    assert!(matches!(failure.written, Written::Partial { .. }), "{failure}");
}

#[test]
fn refuses_the_boot_rom_of_the_other_chip() {
    for (module, plan) in [
        (Platform::Unisoc8910, Platform::Unisoc8850),
        (Platform::Unisoc8850, Platform::Unisoc8910),
    ] {
        let mut module = Module::new(module);
        let failure = run(&mut module, &small(plan)).expect_err("another chip");
        assert!(matches!(failure.cause, Cause::WrongChip { .. }), "{failure}");
        assert_eq!(failure.written, Written::Nothing);
    }
}

#[test]
fn goes_on_with_an_fdl1_that_has_heard_nothing() {
    let mut module = Module::new(CHIP);
    module.stage = Stage::Fdl1(false);
    run(&mut module, &small(CHIP)).expect("it is written");
    assert_eq!(module.count("PDL"), 0);
}

#[test]
fn refuses_a_loader_of_an_earlier_run() {
    for (platform, stage) in [
        (CHIP, Stage::Fdl1(true)),
        (CHIP, Stage::Fdl2),
        (Platform::Unisoc8850, Stage::Fdl(true)),
        (Platform::Unisoc8850, Stage::Fdl(false)),
    ] {
        let mut module = Module::new(platform);
        module.stage = stage;
        let failure = run(&mut module, &small(platform)).expect_err("it is refused");
        assert!(
            failure.to_string().contains("power-cycle"),
            "{stage:?}: {failure}"
        );
        assert_eq!((failure.phase, failure.written), (Phase::Sync, Written::Nothing));
        assert_ne!(module.stage, Stage::Dead, "{stage:?}");
    }
}

#[test]
fn gives_up_when_nobody_is_there() {
    for platform in [CHIP, Platform::Unisoc8850] {
        let mut module = Module::new(platform);
        module.stage = Stage::Dead;
        let failure = run(&mut module, &small(platform)).expect_err("nobody answers");
        assert!(matches!(failure.cause, Cause::Silent { .. }), "{failure}");
        assert_eq!((failure.phase, failure.written), (Phase::Sync, Written::Nothing));
        assert!(module.now < Duration::from_secs(30), "{:?}", module.now);
    }
}

#[test]
fn syncs_with_a_loader_whose_version_was_lost() {
    // The first version of a UIS8850 is that of its boot ROM.
    for (chip, nth) in [(CHIP, 1), (Platform::Unisoc8850, 1), (Platform::Unisoc8850, 2)] {
        for instead in [Instead::Mute, Instead::Twice] {
            let mut module = Module::new(chip).on("7E", nth, instead);
            run(&mut module, &small(chip)).expect("it is written");
        }
    }
}

#[test]
fn begins_the_boot_rom_again_once() {
    let mut module = Module::new(CHIP).on("PDL CONNECT", 1, Instead::Code(8));
    run(&mut module, &small(CHIP)).expect("it is written");
    let mut module = Module::new(CHIP).on("PDL MID_DATA", 2, Instead::Code(10));
    run(&mut module, &small(CHIP)).expect("it is written");
    assert_eq!(module.count("PDL START_DATA"), 2);
    let mut module =
        Module::new(CHIP)
            .on("PDL EXEC_DATA", 1, Instead::Code(9))
            .on("PDL EXEC_DATA", 1, Instead::Code(9));
    let failure = fail(&mut module);
    assert!(failure.to_string().contains("error 9"), "{failure}");
}

#[test]
fn never_begins_a_load_again_in_the_8850_rom() {
    let chip = Platform::Unisoc8850;
    let mut module = Module::new(chip).on("MIDST_DATA 210", 2, Instead::Mute);
    let failure = run(&mut module, &small(chip)).expect_err("it cannot go on");
    assert!(matches!(failure.cause, Cause::Silent { .. }), "{failure}");
    assert_eq!(
        (module.count("START_DATA"), failure.written),
        (1, Written::HelpersOnly)
    );
    for (command, instead) in [
        ("EXEC_DATA", Instead::Mute),
        ("ERASE_FLASH 60000000", Instead::Mute),
        ("MIDST_DATA 800", Instead::Damaged),
        ("END_DATA", Instead::Twice),
        ("READ_FLASH", Instead::Mute),
    ] {
        let mut module = Module::new(chip).on(command, 1, instead.clone());
        run(&mut module, &small(chip)).unwrap_or_else(|failure| panic!("{command} {instead:?}: {failure}"));
        assert_written(&module, &small(chip));
    }
}
