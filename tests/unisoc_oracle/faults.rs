//! What goes wrong on the line, or with the supply: the flash is what the run says, or a second run makes it so.

use super::oracle::two_at_once;
use super::*;

/// Replies by their number within a stage, and what they answer.
const REPLIES: [(&str, &str); 14] = [
    ("rom:1", "PDL CONNECT"),
    ("rom:4", "PDL MID_DATA"),
    ("fdl1:1", "VER"),
    ("fdl1:2", "CONNECT"),
    ("fdl1:7", "MIDST_DATA of FDL2"),
    ("fdl2:1", "EXEC_DATA"),
    ("fdl2:5", "READ_FLASH of NV"),
    ("fdl2:14", "READ_FLASH of the record of production"),
    ("fdl2:15", "ERASE_FLASH"),
    ("fdl2:16", "START_DATA of AP"),
    ("fdl2:19", "MIDST_DATA of AP"),
    ("fdl2:23", "END_DATA of AP"),
    ("fdl2:40", "END_DATA of NV"),
    ("fdl2:60", "the last READ_FLASH of NV"),
];

fn survives(fault: &str) {
    let runs = REPLIES.map(|(reply, what)| {
        let fault = fault.to_owned();
        std::thread::spawn(move || {
            let oracle = Oracle::start(&[
                "--strict",
                "--exit-after-reset",
                "--flash-in",
                &seed(),
                &fault,
                reply,
            ]);
            let mut safe = Safe::default();
            run(&oracle, &Options::default(), &mut safe)
                .unwrap_or_else(|failure| panic!("{fault} {reply} ({what}): {failure}\n{:#?}", failure.log));
            let (_, flash) = oracle.finish_at_reset();
            assert_images(&flash.bytes(), &["AP", "BOOTLOADER"]);
            assert_same_module(flash.path(), &safe);
        })
    });
    for run in runs {
        run.join().expect("every run completes");
    }
}

#[test]
fn completes_although_a_reply_is_lost() {
    court!();
    survives("--drop-reply");
}

#[test]
fn completes_although_a_reply_is_damaged() {
    court!();
    survives("--corrupt-reply");
}

/// A run that ends well has written what it says; after any other a plain second one does, and the module is still who
/// it was.
fn never_lies(oracle: Oracle, stale_at: Option<usize>, cancel_at: &[u8], what: &str) {
    let mut wire = oracle.wire();
    (wire.stale_at, wire.cancel_at) = (stale_at, cancel_at.to_vec());
    let (mut safe, mut again) = (Safe::default(), Safe::default());
    let result = write(&mut wire, &plan(), &Options::default(), &mut safe);
    if let Err(failure) = result {
        assert_ne!(failure.written, Written::Complete, "{what}: {failure}");
        oracle.power_cycle();
        wire.cancel_at = Vec::new();
        let options = Options {
            earlier_nv: safe.nv.clone(),
            ..Options::default()
        };
        write(&mut wire, &plan(), &options, &mut again)
            .unwrap_or_else(|why| panic!("{what}: {failure}; the second run: {why}"));
    }
    drop(wire);
    let (_, flash) = oracle.finish_with(false);
    assert_images(&flash.bytes(), &["AP", "BOOTLOADER"]);
    assert_same_module(flash.path(), if safe.nv.is_some() { &safe } else { &again });
}

fn all_at_once(tests: Vec<Box<dyn FnOnce() + Send>>) {
    let running: Vec<_> = tests.into_iter().map(std::thread::spawn).collect();
    for test in running {
        test.join().expect("every run ends as it says");
    }
}

#[test]
fn never_lies_although_an_answer_comes_again_in_the_place_of_the_next() {
    court!();
    // PDL; FDL1; reads of NV; the erase; images; the NV write and its reads.
    let answers = [3, 9, 14, 20, 24, 34, 37, 42, 46, 60, 70];
    let test = |answer: usize| -> Box<dyn FnOnce() + Send> {
        Box::new(move || {
            let oracle = Oracle::start(&["--flash-in", &seed()]);
            never_lies(oracle, Some(answer), b"", &format!("answer {answer}"));
        })
    };
    all_at_once(answers.into_iter().map(test).collect());
}

#[test]
fn never_lies_although_the_supply_fails() {
    court!();
    // START_DATA of FDL2; ERASE_FLASH of the boot area; START_DATA of AP, and of NV.
    let commands: [&'static [u8]; 4] = [
        b"\x7e\x00\x01\x00\x08\x00\x81",
        b"\x7e\x00\x0a\x00\x08\x60\x00",
        b"\x7e\x00\x01\x00\x08\x60\x01",
        b"\x7e\x00\x01\x00\x0c\xfe",
    ];
    let test = |command: &'static [u8]| -> Box<dyn FnOnce() + Send> {
        Box::new(move || {
            let oracle = Oracle::start(&["--strict", "--flash-in", &seed()]);
            never_lies(oracle, None, command, &format!("{command:02x?}"));
        })
    };
    all_at_once(commands.into_iter().map(test).collect());
}

#[test]
fn completes_although_replies_come_in_pieces_and_late() {
    court!();
    for faults in [
        ["--piece-bytes", "61"],
        ["--turnround-ms", "20"],
        ["--erase-ms", "100"],
    ] {
        let oracle = Oracle::start(&[&["--strict", "--flash-in", &seed()][..], &faults].concat());
        never_lies(oracle, None, b"", faults[0]);
    }
}

#[test]
fn completes_in_a_second_run_after_the_module_vanished() {
    court!();
    // In FDL1; while NV is read; in AP; in PS; about the NV write; in BOOTLOADER.
    two_at_once(&[20_000, 66_000, 72_000, 85_000, 102_000, 108_000], |bytes| {
        let vanish = bytes.to_string();
        let oracle = Oracle::start(&["--strict", "--flash-in", &seed(), "--vanish-after-bytes", &vanish]);
        let mut first = Safe::default();
        let failure = run(&oracle, &Options::default(), &mut first).expect_err("the module is gone");
        assert_eq!(failure.cause, Cause::Wire(WireError::Gone), "{failure}");
        assert_ne!(failure.written, Written::Complete);
        let (_, flash) = oracle.finish();
        let second = Oracle::start(&["--strict", "--exit-after-reset", "--flash-in", flash.path()]);
        let options = Options {
            earlier_nv: first.nv.clone(),
            ..Options::default()
        };
        let mut again = Safe::default();
        run(&second, &options, &mut again).unwrap_or_else(|failure| panic!("after {bytes}: {failure}"));
        let (_, flash) = second.finish_at_reset();
        assert_images(&flash.bytes(), &["AP", "BOOTLOADER"]);
        if let Some(nv) = first.nv {
            assert_same_module(
                flash.path(),
                &Safe {
                    nv: Some(nv),
                    ..Safe::default()
                },
            );
        }
    });
}
