//! What can go wrong in download mode, at every step: the run ends soon, says what was written, never calls it a
//! success, and a plain second run makes the module whole.

use std::time::Duration;

use qpyflash_virtual::{AsrModule, Effect, Fault, Mode, Point};

use crate::bench::{Bench, NEW, OLD, PATIENCE, assert_holds, firmware};
use crate::harness::each;

use Effect::{
    Answer, DuplicateReply, Garbage, LoseReply, Noise, PowerLoss, Refuse, ShortReads, Silence, Slow,
    StopReading, Vanish,
};
use Point::{
    AfterData, Call, Complete, Confirmation, Data, Disconnect, Download, Erase, Flash, Getvar, Hello,
    Partition, Preamble, Programming, Progress, Reboot, Verify,
};

/// No fault of these tests may hold a run up for longer, on a busy machine.
const BOUND: Duration = Duration::from_secs(20);

/// A fault, and how the run must end: exit code, error and what was written.
type Case = (Point, u32, Effect, i32, &'static str, &'static str);

/// The first four downloads are helpers, the others images.
const HELPER: u32 = 2;
const IMAGE: u32 = 9;

fn garbage() -> Effect {
    Garbage(b"\x7e\x7d\x23WHAT\x7e\x00\xff\x7d\x7d~~~garbage".to_vec())
}

fn refuse() -> Effect {
    Refuse("no, thank you".into())
}

fn nonsense() -> Effect {
    Answer("MAYBE".into())
}

fn module_with(what: &Effect, at: Point, nth: u32) -> qpyflash_virtual::AsrModuleBuilder {
    let fault = Fault {
        at,
        nth,
        what: what.clone(),
    };
    AsrModule::builder(OLD)
        .fault(fault)
        .crash_loop(Duration::from_secs(60), Duration::from_millis(50))
}

/// Runs every case, then takes the supply away and writes again as the hint says.
fn fails_and_recovers(cases: &[Case]) {
    each(cases, |(at, nth, what, code, error, written)| {
        let bench = Bench::new();
        let module = bench.attach(module_with(what, *at, *nth));
        let before = module.flash();
        let ended = bench.say("write fw.zip --json").hasty().end();
        let outcome = ended.expect(*code, error, written);
        assert!(ended.took < BOUND, "{:?}", ended.took);
        assert!(
            !outcome["error"]["hints"].as_array().unwrap().is_empty(),
            "{outcome:#}"
        );
        if *written != "partial" {
            assert!(module.flash().bytes() == before.bytes(), "flash has changed");
        }
        recovers(&bench, &module);
    });
}

/// A plain second run, after the supply was taken away, makes the module whole.
fn recovers(bench: &Bench, module: &AsrModule) {
    module.detach();
    module.wait_for_mode(Mode::Off, PATIENCE).unwrap();
    module.attach();
    let line = match module.wait_while_mode(Mode::Off, PATIENCE) {
        Mode::Run => "write fw.zip --json",
        _ => "write fw.zip --json --before none --path 1-4.2 --oc EC600NCNLA",
    };
    bench.say(line).end().expect_written("confirmed");
    assert_holds(module, firmware());
    assert_eq!(module.revision().as_deref(), Some(NEW));
}

/// Faults that a run must get over by itself.
#[test]
fn gets_over_what_does_no_harm() {
    let cases = [
        (Preamble, 1, LoseReply),
        (Preamble, 1, garbage()),
        (Preamble, 1, DuplicateReply),
        (Confirmation, 1, LoseReply),
        (Confirmation, 1, DuplicateReply),
        (Hello, 1, LoseReply),
        (Hello, 1, DuplicateReply),
        (Hello, 1, ShortReads),
        (Getvar, 2, DuplicateReply),
        (Download, 1, DuplicateReply),
        (AfterData, IMAGE, DuplicateReply),
        (Flash, 2, DuplicateReply),
        (
            Call,
            1,
            Noise(b"[WARN: Preboot   ] text without a frame\n".to_vec()),
        ),
        (Flash, 3, Noise(vec![0x7E; 40])),
        (Call, 2, Slow(Duration::from_secs(2))),
        (Programming, 4, Slow(Duration::from_secs(2))),
        (Complete, 1, Slow(Duration::from_secs(2))),
        // Everything is written by then.
        (Disconnect, 1, Silence),
        (Disconnect, 1, LoseReply),
        (Disconnect, 1, garbage()),
        (Disconnect, 1, PowerLoss),
    ];
    each(&cases, |(at, nth, what)| {
        let bench = Bench::new();
        let module = bench.attach(module_with(what, *at, *nth));
        bench.say("write fw.zip --json").end().expect_written("confirmed");
        assert_holds(&module, firmware());
    });
}

#[test]
fn a_fault_while_the_link_is_opened_leaves_nothing_written() {
    fails_and_recovers(&[
        (Preamble, 1, Silence, 4, "module.silent", "nothing"),
        (Preamble, 1, StopReading, 4, "module.silent", "nothing"),
        (Preamble, 1, Vanish, 4, "module.gone", "nothing"),
        (Preamble, 1, PowerLoss, 4, "module.gone", "nothing"),
        (Confirmation, 1, Silence, 4, "module.silent", "nothing"),
        (Hello, 1, Silence, 4, "module.silent", "nothing"),
        (Hello, 1, Vanish, 4, "module.gone", "nothing"),
        (Getvar, 1, Silence, 4, "module.silent", "nothing"),
        (Getvar, 1, LoseReply, 4, "module.silent", "nothing"),
        (Getvar, 1, garbage(), 4, "module.garbage", "nothing"),
        (Getvar, 1, nonsense(), 4, "module.garbage", "nothing"),
        (Getvar, 1, refuse(), 4, "module.nak", "nothing"),
        (Getvar, 4, PowerLoss, 4, "module.gone", "nothing"),
        (Progress, 1, refuse(), 4, "module.nak", "nothing"),
    ]);
}

#[test]
fn a_fault_while_helpers_are_loaded_leaves_flash_as_it_was() {
    fails_and_recovers(&[
        (Download, 1, Silence, 4, "module.silent", "nothing"),
        (Download, 1, refuse(), 4, "module.nak", "nothing"),
        (Download, 2, nonsense(), 4, "module.garbage", "helpers-only"),
        (
            Download,
            2,
            Answer("DATA00000001".into()),
            4,
            "module.garbage",
            "helpers-only",
        ),
        (Download, 3, DuplicateReply, 4, "module.garbage", "helpers-only"),
        (Data(1), 1, Silence, 4, "module.silent", "helpers-only"),
        (
            Data(9000),
            HELPER,
            StopReading,
            4,
            "module.silent",
            "helpers-only",
        ),
        (Data(9000), HELPER, Vanish, 4, "module.gone", "helpers-only"),
        (Data(9000), HELPER, PowerLoss, 4, "module.gone", "helpers-only"),
        (Data(9000), HELPER, refuse(), 4, "module.nak", "helpers-only"),
        (Verify, 1, LoseReply, 4, "module.silent", "helpers-only"),
        (AfterData, 2, refuse(), 4, "module.nak", "helpers-only"),
        (Verify, 1, Silence, 4, "module.silent", "helpers-only"),
        (Verify, 1, refuse(), 4, "module.nak", "helpers-only"),
        (Verify, 2, nonsense(), 4, "module.garbage", "helpers-only"),
        (Call, 1, Silence, 4, "module.silent", "helpers-only"),
        (Call, 1, refuse(), 4, "module.nak", "helpers-only"),
        (Call, 2, Vanish, 4, "module.gone", "helpers-only"),
        (Partition, 1, refuse(), 4, "module.nak", "helpers-only"),
        (Partition, 2, PowerLoss, 4, "module.gone", "helpers-only"),
    ]);
}

#[test]
fn a_fault_while_flash_is_written_is_told_as_half_written() {
    fails_and_recovers(&[
        (Erase, 1, Silence, 10, "module.silent", "partial"),
        (Erase, 1, refuse(), 10, "module.nak", "partial"),
        (Erase, 2, Vanish, 10, "module.gone", "partial"),
        (Getvar, 15, Silence, 10, "module.silent", "partial"),
        (Download, IMAGE, Silence, 10, "module.silent", "partial"),
        (Download, IMAGE, refuse(), 10, "module.nak", "partial"),
        (Data(100), IMAGE, Silence, 10, "module.silent", "partial"),
        (Data(100), IMAGE, refuse(), 10, "module.nak", "partial"),
        (Data(20_000), 10, StopReading, 10, "module.silent", "partial"),
        (Data(20_000), 10, Vanish, 10, "module.gone", "partial"),
        (Data(20_000), 10, PowerLoss, 10, "module.gone", "partial"),
        (AfterData, IMAGE, nonsense(), 10, "module.garbage", "partial"),
        (Flash, 1, Silence, 10, "module.silent", "partial"),
        (Flash, 2, refuse(), 10, "module.nak", "partial"),
        (Flash, 2, nonsense(), 10, "module.garbage", "partial"),
        (Flash, 5, garbage(), 10, "module.garbage", "partial"),
        (Flash, 13, Vanish, 10, "module.gone", "partial"),
    ]);
}

/// Work is acknowledged before it is done. Source: specs/asr-aboot.md §4.5.
#[test]
fn what_fails_after_it_was_acknowledged_is_never_called_written() {
    fails_and_recovers(&[
        (Programming, 1, refuse(), 10, "module.nak", "partial"),
        (Programming, 3, refuse(), 10, "module.nak", "partial"),
        (Programming, 8, PowerLoss, 10, "module.gone", "partial"),
        // The last image: only `complete` tells.
        (Programming, 15, refuse(), 10, "module.nak", "partial"),
        (Programming, 15, Vanish, 10, "module.gone", "partial"),
        (Reboot, 1, refuse(), 10, "module.nak", "partial"),
        (Reboot, 1, Silence, 10, "module.silent", "partial"),
        (Complete, 1, Silence, 10, "module.silent", "partial"),
        (Complete, 1, refuse(), 10, "module.nak", "partial"),
        (Complete, 1, nonsense(), 10, "module.garbage", "partial"),
        (Complete, 1, Vanish, 10, "module.gone", "partial"),
        (Complete, 1, PowerLoss, 10, "module.gone", "partial"),
    ]);
}

#[test]
fn a_half_written_module_says_so_to_a_person() {
    let bench = Bench::new();
    let _module = bench.attach(module_with(&refuse(), Flash, 4));
    let ended = bench.say("write fw.zip").end();
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(10), ""));
    for words in [
        "error: ",
        "the module refused `flash:rd`: `FAILno, thank you`",
        "partly written: ",
        "hint: the module is half-written",
        "--before none --oc EC600NCNLA",
    ] {
        assert!(ended.stderr.contains(words), "{words}\n{}", ended.stderr);
    }
}
