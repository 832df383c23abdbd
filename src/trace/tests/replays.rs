//! Dialogues said again: equal, and the first difference where they are not.

use std::time::Duration;

use qpyflash_protocols::Wire;

use super::{host, module, recording};
use crate::Kind;
use crate::trace::wire::Replay;
use crate::trace::{Recording, Replayed, With, replay};

const CLOSED: &str = r#""event":"closed""#;

fn silence(within: f64) -> String {
    format!(r#""event":"silence","within":{within}"#)
}

fn polled(text: &str) -> String {
    module(text) + r#","polled":true"#
}

/// `AT` on a port that may carry data: listen for 0.3 s, ask once, settle.
fn probe(answer: &[&str]) -> Recording {
    let (listened, asked, settled) = (silence(0.3), host("AT\r\n"), silence(0.2));
    let mut entries: Vec<&str> = vec![&listened, &asked];
    entries.extend(answer);
    entries.extend([settled.as_str(), CLOSED]);
    recording("probe-once", &entries)
}

fn again(recording: &Recording) -> Replayed {
    replay(recording, &With::default()).unwrap()
}

#[test]
fn a_dialogue_is_equal_to_itself_however_its_reads_are_cut() {
    for answer in [vec!["\r\nOK\r\n"], vec!["\r", "\nO", "K\r", "\n"]] {
        let answer: Vec<String> = answer.into_iter().map(module).collect();
        let replayed = again(&probe(&answer.iter().map(String::as_str).collect::<Vec<_>>()));
        assert_eq!(replayed.difference, None);
        assert_eq!((replayed.lines, replayed.bytes, replayed.cut_off), (1, 4, false));
    }
}

#[test]
fn a_failure_of_the_line_is_said_again() {
    for fault in [
        r#""fault":"gone""#,
        r#""fault":"failed","why":"EIO""#,
        r#""fault":"cancelled""#,
    ] {
        let failed = format!(r#""event":"failed","during":"receive",{fault}"#);
        let recording = recording("probe-once", &[&silence(0.3), &host("AT\r\n"), &failed, CLOSED]);
        assert_eq!(again(&recording).difference, None, "{fault}");
    }
}

#[test]
fn other_bytes_are_the_first_difference_with_their_place() {
    let recording = recording(
        "probe-once",
        &[&silence(0.3), &host("AX\r\n"), &module("OK\r\n"), CLOSED],
    );
    let difference = again(&recording).difference.unwrap();
    assert_eq!((difference.entry, difference.t), (Some(4), 2.0));
    let (recorded, now) = (difference.recorded.unwrap(), difference.now.unwrap());
    assert_eq!((recorded.meaning.as_str(), recorded.offset), ("AX", 1));
    assert_eq!((now.meaning.as_str(), now.hex.as_str()), ("AT", "41 54 0D 0A"));
}

#[test]
fn what_is_said_no_more_and_what_is_said_beyond_are_differences() {
    let more = recording(
        "probe-once",
        &[
            &silence(0.3),
            &host("AT\r\n"),
            &module("OK\r\n"),
            &silence(0.2),
            &host("ATI\r\n"),
            CLOSED,
        ],
    );
    let difference = again(&more).difference.unwrap();
    assert_eq!(difference.recorded.unwrap().meaning, "ATI");
    assert_eq!(difference.now, None);
    let less = recording("probe-once", &[&silence(0.3), CLOSED]);
    let difference = again(&less).difference.unwrap();
    assert_eq!((difference.entry, difference.recorded), (None, None));
    assert_eq!(difference.now.unwrap().meaning, "AT");
}

#[test]
fn a_silence_that_became_longer_is_waited_for() {
    // The module answers after the second that is waited for it: now nobody is there any more.
    let late = recording(
        "probe-once",
        &[
            &silence(0.3),
            &host("AT\r\n"),
            &silence(9.0),
            &module("OK\r\n"),
            &host("ATI\r\n"),
            CLOSED,
        ],
    );
    let difference = again(&late).difference.unwrap();
    assert_eq!(difference.recorded.unwrap().meaning, "ATI");
    assert!(difference.because.is_some());
}

#[test]
fn a_recording_that_was_cut_off_is_equal_as_far_as_it_goes() {
    let cut = recording("probe-once", &[&silence(0.3), &host("AT\r\n")]);
    let replayed = again(&cut);
    assert_eq!((replayed.difference, replayed.cut_off), (None, true));
    let cut = recording("probe-once", &[&silence(0.3), &host("AX\r\n")]);
    assert!(again(&cut).difference.is_some());
}

#[test]
fn what_had_arrived_before_is_seen_by_who_looks_and_not_earlier() {
    let restart = [
        &polled("\r\n+CREG: 1\r\n"),
        &silence(0.2),
        &host("AT+CFUN=1,1\r\n"),
        &module("\r\nOK\r\n"),
    ];
    let mut entries: Vec<&str> = restart.iter().map(|entry| entry.as_str()).collect();
    entries.push(CLOSED);
    assert_eq!(again(&recording("restart", &entries)).difference, None);
}

#[test]
fn the_last_fraction_of_a_wait_passes_too() {
    let quiet = recording("session", &[&host("AT"), CLOSED]);
    let lines = quiet.lines();
    let mut wire = Replay::new(&lines[0], None, false);
    let until = Duration::from_micros(2900);
    for _ in 0..4 {
        let left = until.saturating_sub(wire.now()).min(Duration::from_millis(2));
        assert_eq!(wire.receive(&mut [0; 8], left), Ok(0));
    }
    assert_eq!(wire.now(), until);
}

#[test]
fn what_cannot_be_said_again_is_named() {
    let error = replay(&recording("sing", &[CLOSED]), &With::default()).unwrap_err();
    assert_eq!(
        (error.kind, error.message.contains("`sing`")),
        (Kind::TraceUnreadable, true)
    );
    let session = super::recording("session", &[CLOSED]);
    let error = replay(&session, &With::default()).unwrap_err();
    assert_eq!(error.kind, Kind::Usage);
}
