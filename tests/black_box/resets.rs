//! `reset`: a module in run mode restarts, one in download mode is told how.

use std::time::Duration;

use qpyflash_virtual::{AsrModule, AtOptions, Mode, Role, UnisocChip, UnisocModule};

use crate::bench::{Bench, OLD, PATIENCE, assert_unchanged};

#[test]
fn a_module_in_run_mode_restarts_and_is_back_on_the_same_path() {
    let bench = Bench::new();
    let manners = [
        AtOptions::default(),
        AtOptions {
            boots_for: Duration::from_secs(1),
            unsolicited: true,
            ..AtOptions::default()
        },
    ];
    for options in manners {
        let module = bench.attach(AsrModule::builder(OLD).at(options));
        let before = module.flash();
        let ended = bench.say("reset --json").scale("1").end();
        assert_eq!(ended.code, Some(0), "{ended:#?}");
        let shown = ended.json();
        assert_eq!(shown["topology"], "1-4.2");
        assert_eq!(shown["port"], module.tty(Role::At).unwrap().to_str().unwrap());
        assert_eq!(module.counters().boots, 2);
        assert!(
            module.at_commands().contains(&"AT+CFUN=1,1".into()),
            "{:?}",
            module.at_commands()
        );
        assert_unchanged(&module, &before);
    }
}

#[test]
fn a_unisoc_module_restarts_too_and_the_answer_names_it() {
    let bench = Bench::new();
    let builder = UnisocModule::builder(UnisocChip::Uis8910, "EC600UCNLBR03A02M08");
    let module = builder.attach(&bench.bus).unwrap();
    module.wait_for_mode(Mode::Run, PATIENCE).unwrap();
    let ended = bench.say("reset").end();
    assert_eq!(ended.code, Some(0), "{ended:#?}");
    assert!(
        ended.stdout.contains("1-4.2") && ended.stdout.contains("has restarted"),
        "{ended:#?}"
    );
    assert_eq!(module.counters().boots, 2);
    assert_eq!(module.counters().diag_bytes, 0);
}

#[test]
fn a_module_in_download_mode_is_told_how_to_leave_it_and_hears_nothing() {
    let bench = Bench::new();
    let module = bench.attach(AsrModule::builder(OLD).starts_in_download());
    let ended = bench.say("reset --json").end();
    assert_eq!(ended.code, Some(4), "{ended:#?}");
    let error = &ended.json()["error"];
    assert_eq!(error["code"], "module.unsupported");
    for words in ["supply", "--oc OC"] {
        assert!(error["hints"].to_string().contains(words), "{error:#}");
    }
    assert_eq!(module.bytes_received_in_download_mode(), 0);
    assert_eq!(module.counters().boots, 1);
}

#[test]
fn a_module_that_will_not_restart_is_no_success() {
    let bench = Bench::new();
    let refusing = AtOptions {
        refused: vec!["AT+CFUN=1,1".into()],
        ..AtOptions::default()
    };
    let module = bench.attach(AsrModule::builder(OLD).at(refusing));
    let ended = bench.say("reset --json").end();
    assert_eq!(ended.code, Some(4), "{ended:#?}");
    assert_eq!(ended.json()["error"]["code"], "module.nak");
    assert_eq!(module.counters().boots, 1);
}

#[test]
fn a_module_that_does_not_come_back_is_no_success() {
    let bench = Bench::new();
    let module = bench.attach(AsrModule::builder(OLD));
    let running = bench.say("reset --json").scale("0.05").start();
    while !module.at_commands().contains(&"AT+CFUN=1,1".into()) {
        std::thread::yield_now();
    }
    module.detach();
    let ended = running.end();
    assert_eq!(ended.code, Some(4), "{ended:#?}");
    assert_eq!(ended.json()["error"]["code"], "module.gone");
}
