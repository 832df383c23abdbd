//! Everything that can go wrong on the wire, phase by phase.

use std::time::Duration;

use super::module::Bulk;
use super::*;
use crate::eigencomm::Transport;
use crate::{Cause, Phase, WireError, Written};

const LOADER: u64 = 21_312;
const SYSTEM: u64 = 0x1_2345;
const MODEM: u64 = 0x1_0802;
const FILE: u64 = 0x2_1234;

fn fail(module: &mut Module) -> Failure {
    run(module, &small()).expect_err("the run must fail")
}

fn partial(image: &str, bytes: u64) -> Written {
    let image = image.to_owned();
    Written::Partial { image, bytes }
}

/// What is heard in the run of the small package, and what has been changed when it is not answered.
fn steps() -> Vec<(&'static str, usize, Phase, Written)> {
    use Phase::{CheckChip, Erase, LoadHelper, Verify, Write};
    let (loader, system, file) = ("ap_bootloader", "ap_at_command", "ap_application.bin");
    let before_system = LOADER;
    let before_file = LOADER + SYSTEM + MODEM;
    let all = before_file + FILE;
    vec![
        ("DL SYNC", 1, Phase::Sync, Written::Nothing),
        ("ROM GET_VERSION", 1, LoadHelper, Written::Nothing),
        ("ROM SEL_IMAGE", 1, LoadHelper, Written::Nothing),
        ("ROM VERIFY_IMAGE", 1, LoadHelper, Written::Nothing),
        ("ROM DATA_HEAD 272", 1, LoadHelper, Written::Nothing),
        ("ROM DATA 0 272", 1, LoadHelper, Written::Nothing),
        ("ROM DONE", 1, LoadHelper, Written::Nothing),
        ("DL SYNC", 2, LoadHelper, Written::Nothing),
        ("ROM SEL_IMAGE", 2, LoadHelper, Written::Nothing),
        ("ROM DATA_HEAD 3000", 1, LoadHelper, Written::HelpersOnly),
        ("ROM DATA 2", 1, LoadHelper, Written::HelpersOnly),
        ("ROM DONE", 2, LoadHelper, Written::HelpersOnly),
        ("LPC SYNC", 1, LoadHelper, Written::HelpersOnly),
        ("LPC SYNC", 2, CheckChip, Written::HelpersOnly),
        ("BULK_READ d0000 e1", 1, CheckChip, Written::HelpersOnly),
        ("LPC SYNC", 3, Erase, Written::HelpersOnly),
        ("FLASH_ERASE", 1, Erase, partial(file, 0)),
        ("FLASH_ERASE", 4, Erase, partial(file, 0)),
        ("LPC SYNC", 4, Write, partial(loader, 0)),
        ("BURN_ONE IMBO", 1, Write, partial(loader, 0)),
        ("AG SYNC", 2, Write, partial(loader, 0)),
        ("GET_VERSION", 1, Write, partial(loader, 0)),
        ("SEL_IMAGE", 1, Write, partial(loader, 0)),
        ("VERIFY_IMAGE", 1, Write, partial(loader, 0)),
        ("DATA_HEAD of header", 1, Write, partial(loader, 0)),
        ("DATA of header", 1, Write, partial(loader, 0)),
        ("DONE of header", 1, Write, partial(loader, 0)),
        ("SEL_IMAGE", 2, Write, partial(loader, 0)),
        ("DATA_HEAD of block", 1, Write, partial(loader, 0)),
        ("DATA of block 0", 1, Write, partial(loader, 0)),
        ("DATA of block 1", 1, Write, partial(loader, 0x4000)),
        ("DONE of block", 1, Write, partial(loader, LOADER)),
        ("GET_BURN_STATUS", 1, Write, partial(loader, LOADER)),
        ("BURN_ONE IBKD", 1, Write, partial(system, LOADER)),
        ("DONE of header", 2, Write, partial(system, before_system)),
        (
            "DATA of block 3",
            1,
            Write,
            partial(system, before_system + 0xC000),
        ),
        (
            "DONE of block",
            2,
            Write,
            partial(system, before_system + 0x1_0000),
        ),
        (
            "DATA of block 0",
            3,
            Write,
            partial(system, before_system + 0x1_0000),
        ),
        (
            "BURN_ONE IBPC",
            1,
            Write,
            partial("cp-demo-flash", before_system + SYSTEM),
        ),
        ("BURN_ONE IXLF", 1, Write, partial(file, before_file)),
        ("GET_BURN_STATUS", 4, Write, partial(file, all)),
        ("READ_MEM 800000", 1, Verify, partial(file, all)),
        ("BULK_READ 34000 e0", 1, Verify, partial(file, all)),
        ("BULK_READ f0000 e1", 2, Verify, partial(file, all)),
    ]
}

#[test]
fn completes_although_any_one_answer_is_lost_damaged_or_doubled() {
    for instead in [Instead::Mute, Instead::Damaged, Instead::Twice] {
        for (heard, nth, ..) in steps() {
            let mut module = Module::new().on(heard, nth, instead.clone());
            let report = run(&mut module, &small()).unwrap_or_else(|failure| {
                panic!("{instead:?} {heard} {nth}: {failure}\n{:#?}", module.notes)
            });
            assert_eq!(report.written, Written::Complete);
            assert_written(&module, &small());
            assert!(module.now < Duration::from_secs(30), "{instead:?} {heard} {nth}");
        }
    }
}

#[test]
fn completes_although_any_one_frame_is_not_heard() {
    // The end of the agent is the one frame that is never sent twice.
    for (heard, nth, ..) in steps()
        .into_iter()
        .filter(|step| (step.0, step.1) != ("ROM DONE", 2))
    {
        let mut module = Module::new().on(heard, nth, Instead::Deaf);
        run(&mut module, &small())
            .unwrap_or_else(|failure| panic!("{heard} {nth}: {failure}\n{:#?}", module.notes));
        assert_written(&module, &small());
    }
    let mut module = Module::new().on("ROM DONE", 2, Instead::Deaf);
    let failure = fail(&mut module);
    assert_eq!(
        (failure.phase, failure.written),
        (Phase::LoadHelper, Written::HelpersOnly)
    );
}

#[test]
fn completes_over_a_uart_although_answers_are_lost() {
    let options = Options {
        transport: Transport::Uart,
        ..Options::default()
    };
    for heard in [
        "DATA of block 0",
        "DONE of block",
        "BURN_ONE",
        "AG SYNC",
        "GET_BURN_STATUS",
    ] {
        for instead in [Instead::Mute, Instead::Deaf, Instead::Code(0x9A)] {
            let mut module = Module::uart().on(heard, 2, instead.clone());
            write(&mut module, &small(), &options, &mut Safe::default())
                .unwrap_or_else(|failure| panic!("{heard} {instead:?}: {failure}\n{:#?}", module.notes));
            assert_written(&module, &small());
        }
    }
}

#[test]
fn gives_up_on_a_module_that_has_stopped() {
    for (heard, nth, phase, written) in steps() {
        let mut module = Module::new().on(heard, nth, Instead::Dead);
        let failure = fail(&mut module);
        assert!(
            matches!(failure.cause, Cause::Silent { .. }),
            "{heard} {nth}: {failure}"
        );
        assert_eq!(
            (failure.phase, failure.written),
            (phase, written),
            "{heard} {nth}"
        );
        let waited = module.now;
        assert!(waited < Duration::from_secs(75), "{heard} {nth}: {waited:?}");
    }
}

#[test]
fn says_so_when_the_module_leaves() {
    for (heard, nth, phase, written) in steps() {
        for (instead, error) in [
            (Instead::Vanish, WireError::Gone),
            (Instead::Cancel, WireError::Cancelled),
        ] {
            let mut module = Module::new().on(heard, nth, instead);
            let failure = fail(&mut module);
            assert_eq!(failure.cause, Cause::Wire(error), "{heard} {nth}");
            assert_eq!(
                (failure.phase, &failure.written),
                (phase, &written),
                "{heard} {nth}"
            );
        }
    }
}

#[test]
fn waits_for_a_boot_rom_and_not_for_ever() {
    let mut module = Module::new();
    module.stage = Stage::Run;
    let failure = fail(&mut module);
    assert_eq!(
        (failure.phase, &failure.written),
        (Phase::Sync, &Written::Nothing)
    );
    assert!(matches!(failure.cause, Cause::Silent { .. }), "{failure}");
    assert!(
        (Duration::from_secs(15)..Duration::from_secs(40)).contains(&module.now),
        "{:?}",
        module.now
    );
}

#[test]
fn sends_a_spoilt_frame_again_without_beginning_the_image_again() {
    let clean = {
        let mut module = Module::new();
        run(&mut module, &small()).expect("it is written");
        module.now
    };
    for code in [0x9A, 0x9B, 0x9E] {
        for heard in [
            "DATA of block 1",
            "DATA_HEAD of block",
            "DONE of block",
            "SEL_IMAGE",
        ] {
            let mut module = Module::new().on(heard, 2, Instead::Code(code));
            run(&mut module, &small())
                .unwrap_or_else(|failure| panic!("{heard} {code:x}: {failure}\n{:#?}", module.notes));
            assert_written(&module, &small());
            assert_eq!(module.count("BURN_ONE"), 4, "{heard} {code:x}");
            assert!(
                module.now < clean + Duration::from_secs(1),
                "{heard} {code:x}: it was not sent in vain"
            );
        }
    }
}

/// The module has the packet, and refuses its number when it comes again, with a stale check sum.
#[test]
fn takes_a_refused_number_for_the_lost_acknowledgement() {
    let mut module = Module::new().on("DATA of block 1", 1, Instead::Mute);
    run(&mut module, &small()).expect("it is written");
    assert_written(&module, &small());
    assert_eq!(module.count("BURN_ONE"), 4);
    assert_eq!(
        &module.names()[first(&module, "DATA of block 1")..][..3],
        ["DATA of block 1", "DATA of block 1", "DONE of block"]
    );
}

#[test]
fn never_repeats_the_end_of_an_image() {
    let mut module = Module::new().on("DONE of block", 1, Instead::Mute);
    run(&mut module, &small()).expect("it is written");
    assert_written(&module, &small());
    assert_eq!(module.count("BURN_ONE"), 4);
    assert_eq!(
        &module.names()[first(&module, "DONE of block")..][..2],
        ["DONE of block", "GET_BURN_STATUS"]
    );
}

fn first(module: &Module, heard: &str) -> usize {
    module
        .names()
        .iter()
        .position(|name| *name == heard)
        .expect("it was heard")
}

#[test]
fn begins_an_image_again_when_that_may_help() {
    for code in [0x30, 0x31, 0x32, 0x33, 0x83, 0x96, 0x9D] {
        let mut module = Module::new().on("DATA of block 1", 2, Instead::Code(code));
        run(&mut module, &small()).unwrap_or_else(|failure| panic!("{code:x}: {failure}"));
        assert_written(&module, &small());
        assert_eq!(module.count("BURN_ONE IBKD"), 2, "{code:x}");
        let status = Instead::Data(vec![code as u8, 0, 0, 0]);
        let mut module = Module::new().on("GET_BURN_STATUS", 3, status);
        run(&mut module, &small()).unwrap_or_else(|failure| panic!("status {code:x}: {failure}"));
        assert_written(&module, &small());
        assert_eq!(module.count("BURN_ONE IBPC"), 2, "{code:x}");
    }
}

#[test]
fn begins_an_image_again_when_its_session_is_lost() {
    for heard in [
        "DATA of block 1",
        "SEL_IMAGE",
        "DONE of block",
        "DATA_HEAD of header",
    ] {
        let mut module = Module::new().on(heard, 2, Instead::Elsewhere);
        run(&mut module, &small()).unwrap_or_else(|failure| panic!("{heard}: {failure}"));
        assert_written(&module, &small());
        assert_eq!(module.count("BURN_ONE"), 5, "{heard}");
        assert_eq!(module.count("an AGBOOT command in LPC"), 0, "{heard}");
    }
}

#[test]
fn stops_at_what_another_try_cannot_mend() {
    for code in [0x01, 0x6F, 0x80, 0x81, 0x82, 0x94, 0x98, 0x77] {
        for (heard, nth, written) in [
            ("BURN_ONE IBKD", 1, partial("ap_at_command", LOADER)),
            ("DATA of block 0", 2, partial("ap_at_command", LOADER)),
        ] {
            let mut module = Module::new().on(heard, nth, Instead::Code(code));
            let failure = fail(&mut module);
            assert!(matches!(failure.cause, Cause::Refused { .. }), "{failure}");
            assert!(
                failure.to_string().contains(&format!("0x{code:02x}")),
                "{failure}"
            );
            assert!(failure.to_string().contains("`ap_at_command`"), "{failure}");
            assert_eq!(failure.written, written, "{heard} {code:x}");
            assert_eq!(module.count("BURN_ONE IBKD"), 1);
        }
        let status = Instead::Data(vec![code as u8, 0, 0, 0]);
        let failure = fail(&mut Module::new().on("GET_BURN_STATUS", 2, status));
        assert!(failure.to_string().contains("GET_BURN_STATUS"), "{failure}");
    }
    let failure = fail(&mut Module::new().on("FLASH_ERASE", 2, Instead::Code(0x32)));
    assert_eq!(
        (failure.phase, &failure.written),
        (Phase::Erase, &partial("ap_application.bin", 0))
    );
    assert!(failure.doing.contains("0x330000"), "{failure}");
}

#[test]
fn gives_up_on_a_flash_that_does_not_hold() {
    let mut module = Module::new();
    module.stuck = Some(0x3_5000);
    let failure = fail(&mut module);
    assert!(failure.to_string().contains("0x33"), "{failure}");
    assert_eq!(module.count("BURN_ONE IBKD"), 3);
    assert_eq!(failure.written, partial("ap_at_command", LOADER + SYSTEM));
    assert_ne!(
        module.stage,
        Stage::Run,
        "a half-written module keeps its agent for another run"
    );
    assert!(
        failure.log.iter().any(|line| line.contains("run again")),
        "{:?}",
        failure.log
    );
    module.stuck = None;
    run(&mut module, &small()).expect("the next run completes");
    assert_written(&module, &small());
}

#[test]
fn refuses_grants_and_announcements_that_make_no_sense() {
    for grant in [vec![0; 4], vec![1, 0, 1, 0], vec![0xFF; 4], vec![1, 2]] {
        let mut module = Module::new();
        for _ in 0..9 {
            module = module.on("DATA_HEAD of block", 1, Instead::Data(grant.clone()));
        }
        let failure = fail(&mut module);
        assert!(matches!(failure.cause, Cause::Malformed { .. }), "{failure}");
        assert_eq!(failure.written, partial("ap_bootloader", 0));
    }
    let mut module = Module::new();
    for _ in 0..3 {
        module = module.on("SEL_IMAGE", 1, Instead::Data(b"IBKD".to_vec()));
    }
    assert!(fail(&mut module).to_string().contains("IBKD"));
    let mut module = Module::new();
    for _ in 0..2 {
        module = module.on("ROM SEL_IMAGE", 1, Instead::Data(b"ABCD".to_vec()));
    }
    let failure = fail(&mut module);
    assert!(failure.to_string().contains("power-cycle"), "{failure}");
    assert_eq!((failure.written, module.count("ROM DATA")), (Written::Nothing, 0));
}

#[test]
fn asks_a_boot_rom_twice_before_it_calls_it_another() {
    let version = Instead::Data(vec![0, 0, 0, 3, 1, 0, 0, 0, 2, 0x26, 0x21, 0x20]);
    let mut module = Module::new().on("ROM GET_VERSION", 1, version);
    run(&mut module, &small()).expect("the line had spoilt it once");
}

#[test]
fn finds_what_the_flash_holds_instead() {
    let mut module = Module::new().on("READ_MEM 802000", 1, Instead::Data(vec![0xFF; 240]));
    let failure = fail(&mut module);
    assert_eq!(failure.phase, Phase::Verify);
    assert!(failure.doing.contains("header of `ap_at_command`"), "{failure}");
    let mut module = Module::new().on("READ_MEM 8800000", 1, Instead::Data(vec![0xFF; 240]));
    module.bulk = Bulk::Refuses;
    let failure = fail(&mut module);
    assert!(
        failure.doing.contains("`cp-demo-flash` at 0x0 of the CP flash"),
        "{failure}"
    );
    assert_eq!(
        failure.written,
        partial("ap_application.bin", LOADER + SYSTEM + MODEM + FILE)
    );
    let mut module = Module::new().on("READ_MEM 88cd000", 1, Instead::Data(vec![0xFF; 240]));
    module.bulk = Bulk::Refuses;
    let failure = fail(&mut module);
    assert!(failure.doing.contains("RF data"), "{failure}");
    assert!(
        failure.to_string().contains("0xcd000 of the CP flash"),
        "{failure}"
    );
}

#[test]
fn has_written_everything_when_only_the_restart_fails() {
    for instead in [
        Instead::Mute,
        Instead::Vanish,
        Instead::Code(0x80),
        Instead::Deaf,
        Instead::Dead,
    ] {
        let mut module = Module::new().on("SYS_RST", 1, instead.clone());
        let report = run(&mut module, &small()).unwrap_or_else(|failure| panic!("{instead:?}: {failure}"));
        assert_eq!(report.written, Written::Complete);
    }
    let failure = fail(&mut Module::new().on("SYS_RST", 1, Instead::Cancel));
    assert_eq!(
        (failure.phase, failure.written),
        (Phase::Reset, Written::Complete)
    );
}

#[test]
fn compares_the_agent_after_the_boot_rom_has_heard_anything_twice() {
    let clean = {
        let mut module = Module::new();
        run(&mut module, &small()).expect("it is written");
        module.count("READ_MEM 42")
    };
    assert_eq!(clean, 0);
    let mut module = Module::new().on("ROM DATA 1", 1, Instead::Mute);
    run(&mut module, &small()).expect("it is written");
    assert_eq!(module.count("READ_MEM 42"), 13);
}

#[test]
fn keeps_the_right_rf_data_although_an_answer_comes_again_in_the_place_of_the_next() {
    let kept = |mut module: Module| {
        let mut safe = Safe::default();
        write(&mut module, &small(), &Options::default(), &mut safe).expect("it is written");
        (safe.rf, module.count("BULK_READ"))
    };
    let (right, reads) = kept(Module::new());
    for block in ["BULK_READ c0000 e1", "BULK_READ d0000 e1", "BULK_READ f0000 e1"] {
        let again = Instead::Again(Duration::from_micros(1500));
        let (rf, more) = kept(Module::new().on(block, 1, again));
        assert!(rf == right, "{block}");
        assert_eq!(more, reads + 4, "{block}: the RF data are read again");
    }
}

#[test]
fn compares_an_image_again_after_an_answer_too_many() {
    let again = Instead::Again(Duration::from_micros(1500));
    let mut module = Module::new().on("BULK_READ 24000 e0", 1, again);
    run(&mut module, &small()).expect("it is written");
    assert_eq!(module.count("BULK_READ 34000 e0"), 2);
}
