use super::super::scripted::{Replies, Scripted};
use super::*;
use crate::identity::Witness;

/// The interpreter of a module in run mode.
pub(in crate::identity) struct Interpreter {
    state: State,
    typed: Vec<u8>,
    pub restarts: u32,
    values: Vec<(&'static str, &'static str)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::identity) enum State {
    Running,
    Stuck,
    Friendly,
    Raw,
    Locked,
}

pub(in crate::identity) const EC600N: [(&str, &str); 7] = [
    ("rev", "EC600NCNLAR03A08M08_OCPU_QPY"),
    ("model", "EC600N"),
    ("imei", "866327040830317"),
    ("sn", "D1Q20GM050038341P"),
    ("sysname", "sysname=EC600N-CNLA"),
    ("qpyver", "qpyver=V0006"),
    ("platform", "EC600NCN_LA"),
];

impl Interpreter {
    pub fn new(state: State, values: &[(&'static str, &'static str)]) -> Self {
        Interpreter {
            state,
            typed: Vec::new(),
            restarts: 0,
            values: values.to_vec(),
        }
    }

    pub fn answer(&mut self, bytes: &[u8]) -> Replies {
        let said: Vec<u8> = bytes.iter().flat_map(|byte| self.key(*byte)).collect();
        if said.is_empty() {
            Replies::new()
        } else {
            vec![(3, said)]
        }
    }

    fn key(&mut self, byte: u8) -> Vec<u8> {
        match (self.state, byte) {
            (State::Stuck, _) => Vec::new(),
            (State::Locked, b'\r' | 3) => b"REPL refuse\r\n".to_vec(),
            (State::Locked, _) => Vec::new(),
            (State::Running, 3) => {
                self.state = State::Friendly;
                b"\r\nTraceback (most recent call last):\r\nKeyboardInterrupt: \r\n>>> ".to_vec()
            }
            (State::Running, _) => Vec::new(),
            (State::Friendly | State::Raw, 1) => {
                self.state = State::Raw;
                self.typed.clear();
                b"raw REPL; CTRL-B to exit\r\n>".to_vec()
            }
            (State::Friendly | State::Raw, 2) => {
                self.state = State::Friendly;
                b"\r\nQuecpython 1.12 on 2020-06-23 ; EC600N with QUECTEL\r\n>>> ".to_vec()
            }
            (State::Friendly, 3 | b'\r') => b"\r\n>>> ".to_vec(),
            (State::Friendly | State::Raw, 4) if self.typed.is_empty() => {
                self.restarts += 1;
                self.state = State::Running;
                b"OK\r\nMPY: soft reboot\r\n".to_vec()
            }
            (State::Raw, 4) => self.run(),
            (State::Raw, 3) => {
                self.typed.clear();
                Vec::new()
            }
            (State::Raw, other) => {
                self.typed.push(other);
                Vec::new()
            }
            (State::Friendly, other) => vec![other],
        }
    }

    fn run(&mut self) -> Vec<u8> {
        let program = String::from_utf8(std::mem::take(&mut self.typed)).unwrap();
        let mut printed = String::from("OK");
        for line in program.lines() {
            let Some((key, _)) = line
                .trim()
                .strip_prefix("print('")
                .and_then(|rest| rest.split_once("=' + str("))
            else {
                continue;
            };
            if let Some((_, value)) = self.values.iter().find(|(name, _)| *name == key) {
                printed += &format!("{key}={value}\r\n");
            }
        }
        (printed + "\x04\x04>").into_bytes()
    }
}

fn ask_interpreter(
    state: State,
    values: &[(&'static str, &'static str)],
) -> (Result<Identity, IdentityError>, u32, String) {
    let mut interpreter = Interpreter::new(state, values);
    let mut wire = Scripted::new(|bytes| interpreter.answer(bytes));
    let found = read(&mut wire);
    let sent = wire.sent_text();
    drop(wire);
    (found, interpreter.restarts, sent)
}

#[test]
fn asks_an_idle_prompt_without_disturbing_it() {
    let (found, restarts, sent) = ask_interpreter(State::Friendly, &EC600N);
    let found = found.unwrap();
    assert_eq!(found.ordering_code.unwrap().first_part(), "EC600NCNLA");
    assert_eq!(found.sysname.as_deref(), Some("EC600N-CNLA"));
    assert_eq!(found.board.as_deref(), Some("EC600NCN_LA"));
    assert_eq!(found.qpy_version.as_deref(), Some("V0006"));
    assert_eq!(found.object_id.as_deref(), Some("EC600N"));
    assert_eq!(found.imei.as_deref(), Some("866327040830317"));
    assert_eq!(found.serial_number.as_deref(), Some("D1Q20GM050038341P"));
    assert_eq!(
        (found.source, found.witness),
        (Source::Repl, Some(Witness::QuecPython))
    );
    assert_eq!((found.program_stopped, restarts), (false, 0));
    assert!(!sent.contains(r"\x03"), "{sent}");
    assert!(sent.starts_with(r"\r\x01try:\n import modem"), "{sent}");
    assert!(sent.ends_with(r"\x04\x02"), "{sent}");
}

#[test]
fn stops_a_running_program_says_so_and_can_restart_it() {
    let mut interpreter = Interpreter::new(State::Running, &EC600N);
    let mut wire = Scripted::new(|bytes| interpreter.answer(bytes));
    let found = read(&mut wire).unwrap();
    assert!(found.program_stopped);
    assert!(found.notes.iter().any(|note| note.contains("stopped")));
    restart_program(&mut wire).unwrap();
    drop(wire);
    assert_eq!((interpreter.restarts, interpreter.state), (1, State::Running));
}

#[test]
fn a_port_left_in_raw_repl_is_no_running_program() {
    let (found, restarts, _) = ask_interpreter(State::Raw, &EC600N);
    assert_eq!((found.unwrap().program_stopped, restarts), (false, 0));
}

#[test]
fn a_locked_repl_is_left_alone() {
    let (found, _, sent) = ask_interpreter(State::Locked, &EC600N);
    assert_eq!((found, sent.as_str()), (Err(IdentityError::ReplLocked), r"\r"));
}

#[test]
fn a_silent_port_is_given_up() {
    let (found, ..) = ask_interpreter(State::Stuck, &EC600N);
    assert!(matches!(found, Err(IdentityError::Silent { .. })));
}

#[test]
fn a_missing_answer_does_not_lose_the_others() {
    let partly = [
        ("rev", "EC600NCNLAR03A08M08_OCPU_QPY"),
        ("imei", "-1"),
        ("sn", "-1"),
        ("sysname", "sysname=EC600N-CNLA"),
    ];
    let found = ask_interpreter(State::Friendly, &partly).0.unwrap();
    assert!(found.ordering_code.is_some());
    assert_eq!((found.imei, found.serial_number, found.board), (None, None, None));
}

#[test]
fn the_revision_needs_a_second_statement_that_agrees() {
    for (values, note) in [
        (
            &[("rev", "EC600NCNLAR03A08M08_OCPU_QPY")][..],
            "no second statement",
        ),
        (
            &[
                ("rev", "EC600NCNLAR03A08M08_OCPU_QPY"),
                ("sysname", "sysname=EC600N-CNLF"),
            ],
            "neither is trusted",
        ),
        (
            &[
                ("rev", "EC600NCNLAR03A08M08_OCPU_QPY"),
                ("sysname", "sysname=EC600N-CNLA"),
                ("platform", "EC600NCN_LF_BT"),
            ],
            "neither is trusted",
        ),
        (
            &[("rev", "-1"), ("sysname", "sysname=EC600N-CNLA")],
            "does not tell its revision",
        ),
    ] {
        let found = ask_interpreter(State::Friendly, values).0.unwrap();
        assert_eq!(found.ordering_code, None, "{values:?}");
        assert!(
            found.notes.iter().any(|text| text.contains(note)),
            "{:?}",
            found.notes
        );
    }
}

#[test]
fn restarts_the_program_when_the_questions_fail() {
    let mut interpreter = Interpreter::new(State::Running, &EC600N);
    // The first ^A is lost.
    let mut lost = true;
    let mut wire = Scripted::new(|bytes| match bytes {
        b"\x01" if std::mem::take(&mut lost) => Replies::new(),
        _ => interpreter.answer(bytes),
    });
    assert!(matches!(read(&mut wire), Err(IdentityError::Garbled { .. })));
    drop(wire);
    assert_eq!((interpreter.restarts, interpreter.state), (1, State::Running));
}

#[test]
fn a_log_port_never_hears_a_word() {
    let mut wire = Scripted::new(|_| Replies::new()).saying(50, [0x7e, 0, 1, 2, 3, 0x81, 0, 0, 0, 0x7e]);
    assert!(matches!(read(&mut wire), Err(IdentityError::LogPort { .. })));
    assert_eq!(wire.sent_text(), "");
}

#[test]
fn a_program_that_prints_is_no_log_port() {
    let mut interpreter = Interpreter::new(State::Running, &EC600N);
    let mut wire = Scripted::new(|bytes| interpreter.answer(bytes))
        .saying(50, "温度 23.5\r\n温度 23.6\r\n")
        .in_chunks(2);
    assert!(read(&mut wire).unwrap().ordering_code.is_some());
}

#[test]
fn answers_arrive_in_any_chunks() {
    for chunk in [1, 2, 3, 5, 64] {
        let mut interpreter = Interpreter::new(State::Running, &EC600N);
        let mut wire = Scripted::new(|bytes| interpreter.answer(bytes)).in_chunks(chunk);
        assert!(read(&mut wire).unwrap().ordering_code.is_some(), "{chunk}");
    }
}

#[test]
fn every_question_stands_in_a_guarded_statement_of_its_own() {
    let program = questions();
    for (key, expression) in QUESTIONS {
        let statement = format!("try:\n print('{key}=' + str({expression}))\nexcept Exception:\n pass\n");
        assert!(program.contains(&statement), "{program}");
    }
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(64))]

    #[test]
    fn arbitrary_replies_never_panic_and_always_end(replies: Vec<Vec<u8>>, chunk in 1usize..40) {
        let mut turn = replies.iter().cycle();
        let mut wire = Scripted::new(|_| turn.next().map(|r| (7, r.clone())).into_iter().collect()).in_chunks(chunk);
        let _ = read(&mut wire);
        proptest::prop_assert!(wire.now() < Duration::from_secs(120));
    }

    #[test]
    fn arbitrary_output_never_panics(printed in "((rev|imei|sn|sysname|platform)=\\PC{0,20}\r\n){0,8}\\PC*") {
        let _ = identity_from(&printed, true);
    }
}
