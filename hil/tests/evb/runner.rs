//! The runner itself: what it prints, what it asks, what it refuses, and how it is stopped.

use qpyflash_virtual::{AsrModule, AsrPackage, Chip, Scale, VirtualBus};
use rustix::process::{Pid, Signal, kill_process};

use crate::desk::{Desk, scenario};

#[test]
fn a_dry_run_says_what_would_be_done_and_does_nothing() {
    let desk = Desk::with("asr1603", "");
    let ended = desk.evb(&["board.toml", "--dry-run"]);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    for words in [
        "desk: EC600NCNLA (asr) on 1-4.2, virtual",
        "4. refuse-other-submodel: Firmware for another submodel",
        "may be lost: its firmware until the second run",
        "- qpyflash write {good}; meanwhile its power is cut",
        "SKIPPED: the board lacks `uart`",
        "50 times:",
    ] {
        assert!(ended.stdout.contains(words), "{words}\n{}", ended.stdout);
    }
    assert_eq!(desk.files(".").len(), 1, "only the board file");
    let chinese = desk.evb(&["board.toml", "--dry-run", "--chinese"]);
    assert!(
        chinese.stdout.contains("拒绝同系列其他子型号的固件"),
        "{}",
        chinese.stdout
    );
}

#[test]
fn nothing_is_done_without_consent() {
    let desk = Desk::with("asr1603", "");
    let ended = desk.evb(&["board.toml", "--scenario", "write"]);
    assert_eq!(ended.code, Some(1));
    assert!(ended.stderr.contains("there was no consent"), "{}", ended.stderr);
    assert_eq!(desk.files(".").len(), 1, "only the board file");
}

#[test]
fn nothing_is_written_when_the_backup_fails() {
    let desk = Desk::with("uis8910", "fault = 'fdl2.read-nv=silence'");
    let fault = "case \"$1\" in read) echo '{\"kind\":\"finished\",\"outcome\":{}}'; exit 4 ;; esac; exec \"$REAL\" \"$@\"";
    desk.file("board.toml", "name = 'desk'\nvirtual = 'uis8910'\n");
    let program = desk.script(fault).display().to_string();
    let ended = desk.play(&["--scenario", "write", "--qpyflash", &program]);
    assert_eq!(ended.code, Some(1));
    assert!(
        ended.stdout.contains("no backup, so nothing is written"),
        "{}",
        ended.stdout
    );
    let results = desk.results();
    assert_eq!(results["scenarios"][0]["verdict"], "skipped");
    assert_eq!(results["passed"], false);
}

#[test]
fn a_board_file_with_a_mistake_is_refused_with_the_reason() {
    let desk = Desk::with("asr1603", "");
    for (board, words) in [
        ("name = 'x'", "`oc` is missing"),
        ("name = 'x'\noc = 'EC600N'", "submodel is missing"),
        ("name = 'x'\noc = 'EC600NCNLA'", "`packages.good` is missing"),
        (
            "name = 'x'\noc = 'EC600NCNLA'\npackages.good = 'fw.zip'",
            "`path` is missing",
        ),
        (
            "name = 'x'\nvirtual = 'asr1603'\npath = '1-4'",
            "a virtual board needs no",
        ),
        ("name = 'x'\nvirtual = 'ec999'", "there is no kind `ec999`"),
        (
            "name = 'x'\nvirtual = 'asr1603'\nfault = 'flash'",
            "is not a fault",
        ),
        (
            "name = 'x'\nvirtual = 'asr1603'\ncolour = 'red'",
            "unknown field `colour`",
        ),
        (
            "name = 'x'\noc = 'EC600NCNLA'\npath = '1-4'\npackages.good = 'none.zip'",
            "the good package is not sound",
        ),
    ] {
        desk.file("board.toml", board);
        let ended = desk.evb(&["board.toml", "--dry-run"]);
        assert_eq!(ended.code, Some(1), "{board}");
        assert!(ended.stderr.contains(words), "{words}\n{}", ended.stderr);
    }
    let ended = desk.evb(&["board.toml", "--scenario", "wirte"]);
    assert!(
        ended.stderr.contains("there is no scenario `wirte`"),
        "{}",
        ended.stderr
    );
    assert_eq!(desk.evb(&[]).code, Some(2));
}

#[test]
fn the_board_that_is_shown_as_an_example_is_one() {
    let desk = Desk::with("asr1603", "");
    let example = include_str!("../../boards/example.toml");
    desk.file("board.toml", example);
    let ended = desk.evb(&["board.toml", "--dry-run"]);
    assert!(
        ended.stderr.contains("the good package is not sound"),
        "{}",
        ended.stderr
    );
    for kind in [
        "asr1603",
        "asr1601-boot2",
        "uis8910",
        "uis8850",
        "ec618",
        "ec618-uart",
    ] {
        let board = format!("{}/boards/virtual-{kind}.toml", env!("CARGO_MANIFEST_DIR"));
        let ended = desk.evb(&[&board, "--dry-run", "--scenario", "identify"]);
        assert_eq!(ended.code, Some(0), "{kind}: {}", ended.stderr);
    }
}

#[test]
fn ctrl_c_leaves_a_report_and_says_how_the_module_was_left() {
    let desk = Desk::with("asr1603", "");
    let mut child = desk.play_until(
        "load-helper write",
        &["--scenario", "write", "--scenario", "soak"],
    );
    kill_process(Pid::from_child(&child), Signal::INT).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(1));
    let results = desk.results();
    assert_eq!(results["interrupted"], true);
    assert_eq!(results["passed"], false);
    assert_eq!(results["scenarios"][0]["verdict"], "interrupted");
    assert_eq!(results["scenarios"][1]["why"], "interrupted");
    let step = &results["scenarios"][0]["steps"][0];
    assert_eq!((&step["exit"], &step["written"]), (&12.into(), &"partial".into()));
    let left = results["left"].as_str().unwrap();
    for words in ["half-written", "--wait --oc EC600NCNLA"] {
        assert!(left.contains(words), "{left}");
    }
}

/// The terminal is closed, and nobody reads any more.
#[test]
fn a_closed_terminal_leaves_a_report_too() {
    let desk = Desk::with("asr1603", "");
    let mut child = desk.play_until_closed("load-helper write", &["--scenario", "write"]);
    kill_process(Pid::from_child(&child), Signal::HUP).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(1));
    assert_eq!(desk.results()["interrupted"], true);
}

/// A board that is no virtual one for the runner: it knows no more of the module than of a real one.
#[test]
fn a_board_with_its_own_package_and_without_hands_plays_what_it_can() {
    let desk = Desk::with("asr1603", "");
    let bus = VirtualBus::temporary().unwrap();
    let module = AsrModule::builder("EC600NCNLAR03A07M08_OCPU_QPY")
        .attach(&bus)
        .unwrap();
    let package = |revision: &str| {
        AsrPackage::generate(revision, Chip::Asr1603, Scale::Small)
            .zip()
            .unwrap()
    };
    std::fs::write(
        desk.path().join("fw.zip"),
        package("EC600NCNLAR03A08M08_OCPU_QPY"),
    )
    .unwrap();
    std::fs::write(
        desk.path().join("other.zip"),
        package("EC600NCNLFR01A01M16_OCPU_QPY"),
    )
    .unwrap();
    let board = "name = 'x'\noc = 'EC600NCNLA'\npath = '1-4.2'\nline = 'usb-high'\n\
                 packages.good = 'fw.zip'\npackages.other-submodel = 'other.zip'\n\
                 [control]\npower-off = 'none'\nboot-press = 'none'\n";
    desk.file("board.toml", board);
    let names = [
        "refuse-other-submodel",
        "refuse-damaged",
        "write",
        "power-cut",
        "boot-key",
        "unplug",
    ];
    let mut arguments: Vec<&str> = names.iter().flat_map(|name| ["--scenario", name]).collect();
    let ended = desk.play_on(&bus, &arguments);
    assert_eq!(ended.code, Some(0), "{}\n{}", ended.stdout, ended.stderr);
    assert_eq!(module.revision().as_deref(), Some("EC600NCNLAR03A08M08_OCPU_QPY"));
    let results = desk.results();
    let verdicts = names.map(|name| scenario(&results, name)["verdict"].as_str().unwrap());
    assert_eq!(
        verdicts,
        ["passed", "passed", "passed", "skipped", "skipped", "skipped"]
    );
    assert_eq!(results["packages"]["other-submodel"]["file"], "other.zip");

    // A package for another module is found out before anything is begun.
    desk.file(
        "board.toml",
        &board.replace("good = 'fw.zip'", "good = 'other.zip'"),
    );
    std::fs::remove_dir_all(desk.path().join("report")).unwrap();
    let before = module.flash();
    let ended = desk.play_on(&bus, &["--scenario", "write"]);
    assert_eq!(ended.code, Some(1), "{}", ended.stdout);
    assert!(
        ended.stdout.contains("the package `good` is not for this module"),
        "{}",
        ended.stdout
    );
    assert!(module.flash().bytes() == before.bytes());

    // Hands that cannot do what they say.
    desk.file(
        "board.toml",
        &board.replace("power-off = 'none'", "power-off = 'exit 3'\npower-on = 'true'"),
    );
    std::fs::remove_dir_all(desk.path().join("report")).unwrap();
    arguments.truncate(8);
    let ended = desk.play_on(&bus, &arguments[6..]);
    assert_eq!(ended.code, Some(1), "{}", ended.stdout);
    let results = desk.results();
    let why = scenario(&results, "power-cut")["why"].as_str().unwrap();
    assert!(why.contains("`exit 3` ended with"), "{why}");
}
