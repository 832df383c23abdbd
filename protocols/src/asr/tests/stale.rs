//! Answers that come twice: with nothing in them that names their command, they could be taken for the next one.

use std::time::Duration;

use super::*;
use crate::{Cause, Written};

/// An answer that comes once more while the next one is waited for.
const ONCE_MORE: Duration = Duration::from_micros(1500);

#[test]
fn completes_although_an_answer_comes_again_in_the_place_of_the_next() {
    for (command, nth) in [
        ("progress", 1),
        ("getvar:max", 1),
        ("download:", 1),
        ("data", 1),
        ("verify", 1),
        ("call", 2),
        ("partition", 2),
        ("download:", 5),
        ("data", 5),
        ("flash:", 1),
        ("reboot", 1),
    ] {
        let mut module = Module::new().on(command, nth, Instead::Again(ONCE_MORE));
        let report =
            run(&mut module, &hello()).unwrap_or_else(|failure| panic!("{command} {nth}: {failure}"));
        assert_eq!(report.written, Written::Complete);
        assert_eq!(module.downloads().len(), 5, "{command} {nth}");
    }
}

#[test]
fn takes_no_answer_that_comes_again_for_the_proof() {
    for command in ["data", "flash:", "reboot"] {
        let nth = if command == "data" { 5 } else { 1 };
        let failed = Instead::Say(vec!["FAILwrote partition \"user_app\" failed."]);
        let mut module = Module::new()
            .on(command, nth, Instead::Again(ONCE_MORE))
            .on("complete", 1, failed);
        let failure = run(&mut module, &hello()).expect_err(command);
        assert!(
            matches!(failure.cause, Cause::Refused { .. }),
            "{command}: {failure}"
        );
        assert!(matches!(failure.written, Written::Partial { .. }), "{command}");
    }
}
