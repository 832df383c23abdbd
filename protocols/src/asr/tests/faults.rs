//! Everything that can go wrong on the wire, phase by phase.

use std::time::Duration;

use super::*;
use crate::{Cause, Phase, WireError, Written};

fn fail(module: &mut Module) -> Failure {
    run(module, &hello()).expect_err("the run must fail")
}

/// Where a command stands in the run, and what has been changed by then.
fn steps() -> Vec<(&'static str, usize, Phase, Written)> {
    use Phase::{CheckChip, LoadHelper, Verify, Write};
    let partial = |bytes| Written::Partial {
        image: "app.bin".into(),
        bytes,
    };
    vec![
        ("getvar:version-bootrom", 1, CheckChip, Written::Nothing),
        ("getvar:product", 1, CheckChip, Written::Nothing),
        ("progress:", 1, CheckChip, Written::Nothing),
        ("getvar:max-download-size", 1, LoadHelper, Written::Nothing),
        ("download:", 1, LoadHelper, Written::Nothing),
        ("data", 1, LoadHelper, Written::HelpersOnly),
        ("verify", 1, LoadHelper, Written::HelpersOnly),
        ("call", 1, LoadHelper, Written::HelpersOnly),
        ("verify", 2, LoadHelper, Written::HelpersOnly),
        ("call", 2, LoadHelper, Written::HelpersOnly),
        ("partition", 1, LoadHelper, Written::HelpersOnly),
        ("data", 4, LoadHelper, Written::HelpersOnly),
        ("partition", 2, LoadHelper, Written::HelpersOnly),
        ("download:", 5, Write, Written::HelpersOnly),
        ("data", 5, Write, Written::HelpersOnly),
        ("flash:", 1, Write, partial(0)),
        ("reboot", 1, Verify, partial(5)),
        ("complete", 1, Verify, partial(5)),
    ]
}

#[test]
fn stops_at_a_fail_of_any_command() {
    for (command, nth, phase, written) in steps() {
        let mut module = Module::new().on(command, nth, Instead::Say(vec!["INFOdetail", "FAILno way"]));
        let failure = fail(&mut module);
        assert!(
            matches!(&failure.cause, Cause::Refused { answer, .. } if answer == "`FAILno way`"),
            "{failure}"
        );
        assert_eq!(
            (failure.phase, failure.written),
            (phase, written),
            "{command} {nth}"
        );
        assert_eq!(failure.log.last().map(String::as_str), Some("detail"));
        let last = module
            .heard
            .last()
            .map(|(_, heard)| heard.clone())
            .expect("something");
        match (command, last) {
            ("data", Heard::Download(_)) => {}
            (_, Heard::Command(text)) => assert!(text.starts_with(command), "{command}, then {text}"),
            (_, other) => panic!("{command}, then {other:?}"),
        }
    }
}

#[test]
fn gives_up_after_nine_seconds_of_silence_at_any_command() {
    for (command, nth, phase, written) in steps() {
        let mut module = Module::new().on(command, nth, Instead::DeadForEver);
        let failure = fail(&mut module);
        assert!(matches!(failure.cause, Cause::Silent { .. }), "{failure}");
        assert_eq!(
            (failure.phase, failure.written),
            (phase, written),
            "{command} {nth}"
        );
        let began = module.heard.iter().rev().find(|(_, heard)| {
            matches!(heard, Heard::Command(text) if text.starts_with(command))
                || matches!(heard, Heard::Download(_))
        });
        let waited = module.now - began.expect("it was heard").0;
        let revived = if command == "call" || command.ends_with("size") {
            9
        } else {
            0
        };
        let (least, most) = (
            Duration::from_secs(9),
            Duration::from_millis(9_400 + revived * 1_000),
        );
        assert!((least..=most).contains(&waited), "{command} {nth}: {waited:?}");
    }
}

#[test]
fn gives_up_at_any_command_although_the_heart_beats_for_ever() {
    for (command, nth, phase, written) in steps() {
        let mut module = Module::new().on(command, nth, Instead::Mute);
        let failure = fail(&mut module);
        assert!(matches!(failure.cause, Cause::Silent { .. }), "{failure}");
        assert_eq!(
            (failure.phase, failure.written),
            (phase, written),
            "{command} {nth}"
        );
        assert!(
            module.now <= Duration::from_secs(15 * 60 + 20),
            "{command} {nth}: {:?}",
            module.now
        );
    }
}

#[test]
fn waits_long_for_work_while_the_heart_beats() {
    for (command, patience) in [("call", 290), ("flash:", 890), ("complete", 890), ("verify", 29)] {
        let late = Instead::Late(Duration::from_secs(patience));
        let mut module = Module::new().on(command, 1, late);
        run(&mut module, &hello()).unwrap_or_else(|failure| panic!("{command}: {failure}"));
    }
}

#[test]
fn reports_a_module_that_vanishes_at_any_command() {
    for (command, nth, phase, written) in steps() {
        let failure = fail(&mut Module::new().on(command, nth, Instead::Vanish));
        assert_eq!(failure.cause, Cause::Wire(WireError::Gone));
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
        let mut module = Module::new().on(command, nth, Instead::Cancel);
        let failure = fail(&mut module);
        assert_eq!(failure.cause, Cause::Wire(WireError::Cancelled));
        assert_eq!(
            (failure.phase, failure.written),
            (phase, written),
            "{command} {nth}"
        );
        assert!(module.now < Duration::from_secs(1));
    }
    let failure = fail(&mut Module::new().on("disconnect", 1, Instead::Cancel));
    assert_eq!(
        (failure.phase, failure.written),
        (Phase::Reset, Written::Complete)
    );
}

#[test]
fn succeeds_whatever_happens_after_complete() {
    let words = [
        Instead::Vanish,
        Instead::Mute,
        Instead::DeadForEver,
        Instead::Say(vec!["FAILtoo late"]),
        Instead::Say(vec!["???"]),
    ];
    for instead in words {
        let mut module = Module::new().on("disconnect", 1, instead.clone());
        let report = run(&mut module, &hello()).unwrap_or_else(|failure| panic!("{instead:?}: {failure}"));
        assert_eq!(report.written, Written::Complete);
        let asked = module.first(|heard| *heard == Heard::Command("disconnect".into()));
        assert!(module.now - asked <= Duration::from_secs(1), "{instead:?}");
    }
}

#[test]
fn refuses_answers_that_make_no_sense() {
    for (command, nth, words) in [
        ("getvar:max", 1, "OKAYlots"),
        ("getvar:max", 1, "OKAY"),
        ("getvar:max", 5, "OKAY\t 0x100"),
        ("download:", 1, "DATA00000001"),
        ("download:", 1, "OKAY"),
        ("download:", 1, "DATA"),
        ("verify", 1, "DATA00000001"),
        ("call", 1, "what"),
        ("complete", 1, "ok"),
    ] {
        let failure = fail(&mut Module::new().on(command, nth, Instead::Say(vec![words])));
        assert!(
            matches!(failure.cause, Cause::Malformed { .. }),
            "{command} {words}: {failure}"
        );
        assert_ne!(failure.written, Written::Complete);
    }
}

#[test]
fn ends_at_a_fail_that_comes_unasked() {
    let late = Instead::SayMore(vec![
        "FAILsparse: invalid sparse crc",
        "FAILwrote partition failed.",
    ]);
    let mut module = Module::new().on("flash:", 1, late);
    let failure = fail(&mut module);
    assert_eq!(
        module.commands().last(),
        Some(&"flash:user_app"),
        "nothing is sent after it"
    );
    assert!(failure.to_string().contains("invalid sparse crc"), "{failure}");
    assert_eq!(
        failure.written,
        Written::Partial {
            image: "app.bin".into(),
            bytes: 5
        }
    );
}

#[test]
fn takes_a_fail_that_comes_with_the_next_answer_for_what_it_is() {
    let plan = Maker::sdk()
        .flash("cp.bin", "cp", b"cp")
        .flash("dsp.bin", "dsp", b"dsp")
        .plan()
        .expect("good");
    let words = vec!["FAILwrote partition \"cp\" failed.", "OKAYraw"];
    let mut module = Module::new().on("getvar:partition-type:dsp", 1, Instead::Say(words));
    let failure = run(&mut module, &plan).expect_err("a late FAIL");
    assert!(
        failure.to_string().contains("wrote partition \"cp\" failed."),
        "{failure}"
    );
    assert_eq!(module.commands().last(), Some(&"getvar:partition-type:dsp"));
}

#[test]
fn notices_a_fail_while_it_streams() {
    let image: Vec<u8> = (0..0x8_0000u32).map(|n| ((n * 7) >> 3) as u8).collect();
    let plan = Maker::sdk().flash("cp.bin", "cp", &image).plan().expect("good");
    let mut module = Module::new().on("download:", 5, Instead::SayMore(vec!["FAILno"]));
    let failure = run(&mut module, &plan).expect_err("a FAIL");
    assert!(matches!(failure.cause, Cause::Refused { .. }), "{failure}");
    assert!(module.downloads().len() == 4, "the download was broken off");
}

#[test]
fn drops_answers_to_nothing() {
    for nth in 1..=5 {
        let mut module = Module::new().on("data", nth, Instead::SayMore(vec!["OKAY"]));
        run(&mut module, &hello()).expect("a good run");
        assert!(
            module
                .notes
                .iter()
                .any(|note| note.contains("dropped an answer to nothing: `OKAY`"))
        );
    }
}

#[test]
fn takes_optional_questions_refused_for_empty_answers() {
    for question in ["getvar:version-boot2", "getvar:platform", "getvar:partition-type"] {
        let mut module = Module::new().on(question, 1, Instead::Say(vec!["FAILunknown variable"]));
        let report = run(&mut module, &hello()).expect("a good run");
        assert_eq!(report.chip.version_boot2, "");
    }
    let plan = Maker::sdk()
        .flash("cp.bin", "cp", b"cp")
        .flash("dsp.bin", "dsp", b"dsp")
        .plan()
        .expect("good");
    let mut module = Module::new().on(
        "getvar:partition-type",
        2,
        Instead::Say(vec!["FAILunknown variable"]),
    );
    run(&mut module, &plan).expect("a FAIL with work queued, and no other answer");
}

#[test]
fn recovers_from_silence_after_call_by_one_new_handshake() {
    for (command, nth) in [("getvar:max-download-size", 2), ("getvar:max-download-size", 3)] {
        let mut module = Module::new().on(command, nth, Instead::Dead);
        let report = run(&mut module, &hello()).unwrap_or_else(|failure| panic!("{command}: {failure}"));
        assert_eq!(report.written, Written::Complete);
        let hellos = module
            .heard
            .iter()
            .filter(|(_, heard)| matches!(heard, Heard::Hello(_)))
            .count();
        assert_eq!(hellos, 2);
    }
}

#[test]
fn waits_for_a_helper_that_keeps_the_module_from_answering() {
    for nth in [1, 2] {
        let asleep = Instead::Asleep(Duration::from_secs(14));
        let mut module = Module::new().on("call", nth, asleep);
        let report = run(&mut module, &hello()).unwrap_or_else(|failure| panic!("{failure}"));
        assert_eq!(report.written, Written::Complete);
        assert_eq!(
            module.commands().iter().filter(|text| **text == "call").count(),
            2,
            "it is never repeated"
        );
    }
}

#[test]
fn gives_up_when_the_answer_to_call_is_lost() {
    let mut module = Module::new().on("call", 1, Instead::Dead);
    let failure = fail(&mut module);
    assert!(
        matches!(&failure.cause, Cause::Silent { sent, .. } if sent == "call"),
        "{failure}"
    );
    assert_eq!(
        (failure.phase, failure.written),
        (Phase::LoadHelper, Written::HelpersOnly)
    );
    assert!(module.now < Duration::from_secs(60));
}

#[test]
fn erases_nothing_when_nothing_could_be_written() {
    let plan = Maker::sdk()
        .flash("bootloader.ubi", "bootloader", b"UBI#")
        .plan()
        .expect("good");
    let mut module = Module::new().on("getvar:max", 5, Instead::Say(vec!["OKAY\t 0x800"]));
    let failure = run(&mut module, &plan).expect_err("no block fits");
    assert_eq!(failure.written, Written::HelpersOnly);
}

#[test]
fn aborts_on_the_last_words_of_the_loader() {
    for words in [
        "Exception at 0\n",
        "[ERR : Core      ] Assertion failed",
        "The firmware will stop running\n",
    ] {
        for (command, nth, phase, written) in steps() {
            let mut module = Module::new().on(command, nth, Instead::Log(words));
            let failure = fail(&mut module);
            assert!(failure.cause.to_string().contains(words.trim()), "{failure}");
            assert_eq!(
                (failure.phase, failure.written),
                (phase, written),
                "{command} {nth}"
            );
        }
    }
}

#[test]
fn keeps_the_module_s_log_for_the_report() {
    let mut module = Module::new().on(
        "verify",
        1,
        Instead::Log("[INFO: Aboot     ] verifying\n[ERR : Aboot     ] bad hash\n"),
    );
    let failure = fail(&mut module);
    assert_eq!(
        failure.log,
        ["[INFO: Aboot     ] verifying", "[ERR : Aboot     ] bad hash"]
    );
    assert!(module.notes.contains(&"[ERR : Aboot     ] bad hash".to_owned()));
}

#[test]
fn gives_up_when_the_preamble_is_not_answered() {
    let mut module = Module::new();
    module.preambles_needed = usize::MAX;
    let failure = fail(&mut module);
    assert!(
        matches!(failure.cause, Cause::Silent { tries: 500, .. }),
        "{failure}"
    );
    assert_eq!((failure.phase, failure.written), (Phase::Sync, Written::Nothing));
    assert_eq!(module.now, Duration::from_secs(10));
}

#[test]
fn waits_for_the_preamble_as_long_as_asked() {
    let mut module = Module::new();
    module.preambles_needed = 2_000;
    let options = Options {
        sync_within: Duration::from_secs(60),
        ..Options::default()
    };
    write(&mut module, &hello(), &options).expect("a good run");
}

#[test]
fn finds_the_answer_among_noise() {
    for greeting in [
        &b"\x00\xffboot\n~~UABT~~UABT~~UABT~"[..],
        b"Exception in the firmware before\n~[INFO: Rom       ] hi\n~~UABT~",
        b"~half a frame~UABT~\xf0\xf1",
    ] {
        let mut module = Module::new();
        module.greeting = greeting;
        run(&mut module, &hello()).unwrap_or_else(|failure| panic!("{greeting:?}: {failure}"));
    }
}

#[test]
fn refuses_an_mtu_of_nothing() {
    let mut module = Module::new();
    module.mtu = 0;
    let failure = fail(&mut module);
    assert!(matches!(failure.cause, Cause::Malformed { .. }), "{failure}");
}

#[test]
fn refuses_a_helper_larger_than_the_download_area() {
    let code = vec![0x55; 0xF000];
    let big = crate::asr::fip::container(&code);
    let plan = Maker::sdk()
        .member("preboot.img", &big)
        .flash("app.bin", "user_app", b"x")
        .plan()
        .expect("good");
    let mut module = Module::new();
    let failure = run(&mut module, &plan).expect_err("too large");
    assert!(
        failure.to_string().contains("61536 bytes, 61440 fit"),
        "{failure}"
    );
    assert_eq!(failure.written, Written::Nothing);
}

#[test]
fn reports_percentages_once_each() {
    let words = Instead::Say(vec!["PROG10", "PROG10", "PROG5", "PROG50", "PROG500", "OKAY"]);
    let mut module = Module::new().on("flash:", 1, words);
    run(&mut module, &hello()).expect("a good run");
    let percent: Vec<&String> = module.notes.iter().filter(|note| note.ends_with('%')).collect();
    assert_eq!(
        percent,
        [
            "the module has done 10 %",
            "the module has done 50 %",
            "the module has done 100 %"
        ]
    );
}

#[test]
fn refuses_a_plan_that_asks_for_nothing() {
    let mut module = Module::new();
    let failure = run(&mut module, &Plan::default()).expect_err("nothing to do");
    assert!(
        failure.to_string().contains("a package that writes nothing"),
        "{failure}"
    );
    assert_eq!(failure.written, Written::Nothing);
}
