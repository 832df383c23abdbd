//! The runner itself: what it prints, what it asks, what it refuses, and how it is stopped.

use rustix::process::{Pid, Signal, kill_process};

use crate::desk::Desk;

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
