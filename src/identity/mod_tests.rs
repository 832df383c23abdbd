use std::cell::Cell;

use super::repl::tests::{EC600N, Interpreter, State};
use super::scripted::{AtModule, Replies, Scripted};
use super::*;

#[test]
fn an_at_port_is_asked_as_one() {
    let mut module = AtModule::new();
    let mut wire = Scripted::new(|bytes| module.answer(bytes));
    assert_eq!(read(&mut wire).unwrap().source, Source::At);
    assert!(!wire.sent_text().contains(r"\x03"));
}

#[test]
fn a_repl_is_asked_as_one_whether_a_program_runs_or_not() {
    for (state, stopped) in [
        (State::Friendly, false),
        (State::Running, true),
        (State::Raw, false),
    ] {
        let mut interpreter = Interpreter::new(state, &EC600N);
        let mut wire = Scripted::new(|bytes| interpreter.answer(bytes));
        let found = read(&mut wire).unwrap();
        assert_eq!(
            (found.source, found.program_stopped),
            (Source::Repl, stopped),
            "{state:?}"
        );
    }
}

#[test]
fn a_locked_repl_is_left_after_the_first_word() {
    let mut interpreter = Interpreter::new(State::Locked, &EC600N);
    let mut wire = Scripted::new(|bytes| interpreter.answer(bytes));
    assert_eq!(read(&mut wire), Err(IdentityError::ReplLocked));
    assert_eq!(wire.sent_text(), r"AT\r\n");
}

#[test]
fn silence_is_told_with_everything_that_was_tried() {
    let mut wire = Scripted::new(|_| Replies::new());
    let Err(IdentityError::Silent { asked, waited }) = read(&mut wire) else {
        panic!()
    };
    assert_eq!(asked, "`AT` and the Python prompt");
    assert!(waited.as_secs() > 10 && waited.as_secs() < 30, "{waited:?}");
}

#[test]
fn a_module_that_boots_meanwhile_is_asked_after_all() {
    for ready_at in [2_000, 6_000, 9_000, 15_000] {
        for ask in [read, at::read] {
            let mut module = AtModule::new();
            let now = Cell::new(0);
            let mut wire = Scripted::new(|bytes| {
                if now.get() < ready_at {
                    Replies::new()
                } else {
                    module.answer(bytes)
                }
            })
            .saying(ready_at, "\r\nRDY\r\n\r\n+CFUN: 1\r\n")
            .showing_time_to(&now);
            assert!(ask(&mut wire).unwrap().ordering_code.is_some(), "{ready_at}");
        }
    }
}

#[test]
fn a_log_port_never_hears_a_word() {
    let mut wire = Scripted::new(|_| Replies::new()).saying(10, "%DBG 1\r\n");
    assert!(matches!(read(&mut wire), Err(IdentityError::LogPort { .. })));
    assert_eq!(wire.sent_text(), "");
}

#[test]
fn goes_into_json_with_texts_for_codes() {
    let mut module = AtModule::new();
    let mut wire = Scripted::new(|bytes| module.answer(bytes));
    let json = serde_json::to_value(read(&mut wire).unwrap()).unwrap();
    assert_eq!(json["ordering_code"], "EC600NCNLA");
    assert_eq!(json["revision"], "EC600NCNLAR03A07M08");
    assert_eq!(
        (&json["source"], &json["witness"]),
        (&"at".into(), &"factory".into())
    );
}
