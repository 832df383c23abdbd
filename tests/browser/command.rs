//! The options of the page on the command line.

use std::net::TcpListener;

use qpyflash_virtual::AsrModule;

use crate::bench::{Bench, OLD, Untouched};

fn bench() -> Bench {
    let bench = Bench::bare();
    bench.file(
        "fixture.toml",
        "line = \"L1\"\nstation = \"S1\"\nstate = \"state\"\n[[slot]]\nname = \"A\"\npath = \"1-1\"\n",
    );
    bench
}

#[test]
fn what_cannot_be_served_ends_the_run_before_anything_is_touched() {
    let bench = bench();
    let module = bench.attach(AsrModule::builder(OLD).topology("1-1"));
    let untouched = Untouched::now(&module);
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = taken.local_addr().unwrap();
    bench.file("short", "too-short\n");
    for (options, code, error) in [
        (format!("--board {taken}"), 8, "link.busy"),
        ("--board 0.0.0.0:0".into(), 2, "usage"),
        ("--board 192.0.2.1:1".into(), 2, "usage"),
        ("--board 127.0.0.1:0 --board-token-file short".into(), 2, "usage"),
        ("--board 127.0.0.1:0 --board-token-file none".into(), 2, "usage"),
    ] {
        let ended = bench.say(&format!("fixture run --json {options}")).end();
        assert_eq!(ended.code, Some(code), "{options}: {ended:#?}");
        assert_eq!(ended.json()["error"]["code"], error, "{options}");
    }
    let mut weak = bench.say("fixture run --json --board [::1]:0");
    weak.0.env("QPYFLASH_BOARD_TOKEN", "guess-me");
    let weak = weak.end();
    assert_eq!(weak.code, Some(2), "{weak:#?}");
    assert!(!weak.stdout.contains("guess-me") && !weak.stderr.contains("guess-me"));
    assert!(!bench.path().join("state").exists(), "no record was begun");
    untouched.assert();
    assert_eq!(module.counters().at_bytes, 0);
}
