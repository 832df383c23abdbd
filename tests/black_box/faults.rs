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
    AfterData, Call, Complete, Confirmation, Data, Disconnect, Download, Flash, Getvar, Hello, Preamble,
    Programming,
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

/// Every other fault at every request is in the matrix, of modules that are in download mode already.
#[test]
fn a_module_that_was_sent_to_download_mode_is_left_as_the_run_says() {
    fails_and_recovers(&[
        (Preamble, 1, PowerLoss, 4, "module.gone", "nothing"),
        (Hello, 1, Vanish, 4, "module.gone", "nothing"),
        (Getvar, 1, garbage(), 4, "module.garbage", "nothing"),
        (
            Download,
            2,
            Answer("DATA00000001".into()),
            4,
            "module.garbage",
            "helpers-only",
        ),
        (
            Data(9000),
            HELPER,
            StopReading,
            4,
            "module.silent",
            "helpers-only",
        ),
        (Call, 1, refuse(), 4, "module.nak", "helpers-only"),
        (Download, IMAGE, Silence, 10, "module.silent", "partial"),
        (Data(20_000), 10, PowerLoss, 10, "module.gone", "partial"),
        (Flash, 5, garbage(), 10, "module.garbage", "partial"),
        (Programming, 15, refuse(), 10, "module.nak", "partial"),
        (Complete, 1, Vanish, 10, "module.gone", "partial"),
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
