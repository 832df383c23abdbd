//! Every scenario can fail: with a program or a module that is sabotaged, it says what does not hold.

use crate::desk::{Desk, scenario};

/// Refuses the package, and writes another one behind its back.
const WRITES_ALL_THE_SAME: &str = r#"
case "$1 $2" in
"write "*/good-*.zip) case "$*" in *CNZZ*) ;; *) exec "$REAL" "$@" ;; esac ;;
"write "*) ;;
*) exec "$REAL" "$@" ;;
esac
"$REAL" write "$(dirname "$2")"/older-*.zip --path 1-4.2 --quiet --backup-dir . >/dev/null
exec "$REAL" "$@"
"#;

/// Says from the third time on that the module is another one.
const SEES_ANOTHER: &str = r#"
[ "$1" = identify ] || exec "$REAL" "$@"
echo >> asked
[ "$(wc -l < asked)" -gt 2 ] || exec "$REAL" "$@"
"$REAL" "$@" | sed s/EC600NCNLA/EC600NCNLF/
"#;

/// Says that a module which was waited for is written, and has not touched it.
const ONLY_SAYS_SO: &str = r#"
case "$*" in *--wait*) ;; *) exec "$REAL" "$@" ;; esac
echo '{"kind":"finished","outcome":{"verdict":"confirmed","written":{"state":"complete"}}}'
"#;
/// The same, but the module is powered at its BOOT key, as it wants.
const ONLY_SAYS_SO_AT_THE_KEY: &str = r#"
case "$*" in *--oc*) ;; *) exec "$REAL" "$@" ;; esac
echo '{"kind":"phase_started","phase":"find"}'
echo '{"kind":"finished","outcome":{"verdict":"confirmed","written":{"state":"complete"}}}'
"#;

/// Lets a second program at the same module have its way.
const LETS_A_SECOND_IN: &str = r#"
"$REAL" "$@"
code=$?
[ $code -ne 8 ] || exit 0
exit $code
"#;

/// Does not hear Ctrl-C.
const IS_DEAF: &str = "trap '' INT\n\"$REAL\" \"$@\"";

/// Plays one scenario that must fail, for a reason with these words in it.
#[track_caller]
fn fails(name: &str, kind: &str, fault: &str, script: &str, words: &str) {
    let fault = match fault {
        "" => String::new(),
        fault => format!("fault = '{fault}'"),
    };
    let desk = Desk::with(kind, &fault);
    let mut arguments = vec!["--scenario", name, "--cycles", "2"];
    let program = desk.script(if script.is_empty() {
        "exec \"$REAL\" \"$@\""
    } else {
        script
    });
    let program = program.display().to_string();
    arguments.extend(["--qpyflash", &program]);
    let ended = desk.play(&arguments);
    assert_eq!(ended.code, Some(1), "{}\n{}", ended.stdout, ended.stderr);
    assert!(ended.stderr.contains("not everything holds"), "{}", ended.stderr);
    let results = desk.results();
    let record = scenario(&results, name);
    assert_eq!(record["verdict"], "failed", "{record:#}\n{}", ended.stdout);
    let why = record["why"].as_str().unwrap();
    assert!(why.contains(words), "{why}\n{}", ended.stdout);
    let last = record["steps"].as_array().unwrap();
    assert!(last.iter().any(|step| step["why"] == why), "{record:#}");
}

const CHANGED: &str = "the module has changed: the virtual module's flash";

#[test]
fn a_refusal_that_is_none() {
    for name in ["platform", "series", "submodel"] {
        fails(
            &format!("refuse-other-{name}"),
            "asr1603",
            "",
            WRITES_ALL_THE_SAME,
            CHANGED,
        );
    }
}

#[test]
fn a_refusal_of_the_label_or_of_damage_that_is_none() {
    for name in ["refuse-label", "refuse-damaged", "refuse-hostile"] {
        fails(name, "asr1603", "", WRITES_ALL_THE_SAME, CHANGED);
    }
}

#[test]
fn a_refusal_that_loses_nv_items_shows_in_what_is_read_back_too() {
    let script = WRITES_ALL_THE_SAME;
    fails(
        "refuse-other-submodel",
        "uis8910",
        "",
        script,
        "the revision, which was",
    );
}

#[test]
fn a_module_that_is_another_one() {
    fails(
        "identify",
        "asr1603",
        "",
        SEES_ANOTHER,
        "the module says EC600NCNLF",
    );
}

#[test]
fn a_module_that_refuses_an_image() {
    for (name, fault) in [
        ("write", "flash@3=refuse:no room"),
        ("write-twice", "flash@17=refuse:no room"),
        ("change-version", "flash@3=refuse:no room"),
        ("soak", "flash@17=refuse:no room"),
    ] {
        fails(name, "asr1603", fault, "", "exit Some(10)");
    }
}

#[test]
fn a_module_that_is_silent_at_its_boot_key() {
    fails("boot-key", "asr1603", "preamble=silence", "", "module.silent");
    fails(
        "boot-key",
        "asr1603",
        "",
        ONLY_SAYS_SO_AT_THE_KEY,
        // It runs what it ran, or is still at its boot key: that depends on the moment.
        "the module ",
    );
}

#[test]
fn a_module_on_a_uart_that_refuses_an_image() {
    // It is whole again by the second write; so the first must not pass.
    fails(
        "wrong-speed",
        "ec618-uart",
        "ec.lpc.burn-one=nak:80",
        "",
        "exit Some(10)",
    );
}

#[test]
fn a_second_host_that_is_let_in() {
    fails(
        "two-hosts",
        "asr1603",
        "",
        LETS_A_SECOND_IN,
        "the second host got exit 0",
    );
}

#[test]
fn a_program_that_does_not_hear_ctrl_c() {
    fails("interrupt", "asr1603", "", IS_DEAF, "exit Some(0)");
}

#[test]
fn a_module_that_stays_half_written() {
    let (ended, silent) = ("the run ended before `BootKey`", "does not say what it is");
    let cases = [
        ("kill-host", ONLY_SAYS_SO, ended),
        ("unplug", ONLY_SAYS_SO, ended),
        ("power-cut", ONLY_SAYS_SO, ended),
        ("kill-host", ONLY_SAYS_SO_AT_THE_KEY, silent),
        ("unplug", ONLY_SAYS_SO_AT_THE_KEY, silent),
        ("power-cut", ONLY_SAYS_SO_AT_THE_KEY, silent),
        // Whether anything was erased depends on the moment: it may run what it ran.
        ("unplug-erase", ONLY_SAYS_SO_AT_THE_KEY, "the module "),
    ];
    std::thread::scope(|threads| {
        for (name, script, words) in cases {
            threads.spawn(move || fails(name, "asr1603", "", script, words));
        }
    });
}

#[test]
fn an_expectation_that_is_wrong() {
    let desk = Desk::with("asr1603", "");
    desk.file(
        "mine.toml",
        "title = { en = 'x', zh = 'x' }\nmay-lose = { en = 'x', zh = 'x' }\n[[step]]\ndo = 'run'\n\
         line = 'write {good}'\nexit = 0\nverdict = 'written-unasked'\nwritten = ['nothing', 'partial']\n",
    );
    let ended = desk.play(&["--scenario", "mine.toml"]);
    assert_eq!(ended.code, Some(1));
    let results = desk.results();
    let why = scenario(&results, "mine")["why"].as_str().unwrap();
    assert!(
        why.starts_with("verdict confirmed, wanted") && why.contains("written complete"),
        "{why}"
    );
}
