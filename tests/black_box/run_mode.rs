//! The way from run mode to download mode: modules that are busy, slow, deaf, stubborn, or come back as they should
//! not.

use std::path::Path;
use std::time::{Duration, Instant};

use qpyflash_virtual::{
    AsrModule, AsrModuleBuilder, AsrPackage, AtOptions, Chip, Mode, QdownloadReply, ReplOptions, Role, Scale,
    VirtualBus,
};

use crate::bench::{Bench, NEW, OLD, PATIENCE, Untouched, assert_holds, firmware};
use crate::harness::each;

fn module_with(at: &AtOptions) -> AsrModuleBuilder {
    AsrModule::builder(OLD).at(at.clone())
}

#[test]
fn writes_modules_of_every_manner() {
    let standard = AtOptions::default;
    let cases = [
        (
            "0.3",
            AtOptions {
                echo: false,
                ..standard()
            },
        ),
        (
            "0.3",
            AtOptions {
                unsolicited: true,
                ..standard()
            },
        ),
        (
            "0.3",
            AtOptions {
                busy_commands: 2,
                ..standard()
            },
        ),
        (
            "0.3",
            AtOptions {
                reply_delay: Duration::from_millis(150),
                ..standard()
            },
        ),
        (
            "0.3",
            AtOptions {
                boots_for: Duration::from_secs(1),
                ..standard()
            },
        ),
        (
            "0.3",
            AtOptions {
                qdownload: QdownloadReply::CutOff,
                ..standard()
            },
        ),
        (
            "0.3",
            AtOptions {
                qdownload: QdownloadReply::Silent,
                ..standard()
            },
        ),
        (
            "0.3",
            AtOptions {
                leaves_after: Duration::from_millis(600),
                ..standard()
            },
        ),
        // The guard time of `+++` is the module's: it cannot be shortened. It takes long, and once is enough.
        (
            "1",
            AtOptions {
                data_mode: true,
                ..standard()
            },
        ),
    ];
    each(&cases, |(scale, at)| {
        let bench = Bench::new();
        let module = bench.attach(module_with(at));
        let (option, verdict) = match at.data_mode {
            true => ("--no-verify", "written-unasked"),
            false => ("", "confirmed"),
        };
        let ended = bench
            .say(&format!("write fw.zip --json {option}"))
            .scale(scale)
            .end();
        ended.expect_written(verdict);
        assert_holds(&module, firmware());
        assert_eq!(module.counters().diag_bytes, 0);
    });
}

type Builder = fn() -> AsrModuleBuilder;

#[test]
fn a_module_that_does_not_reach_download_mode_is_left_as_it_is() {
    fn replies(qdownload: QdownloadReply) -> AsrModuleBuilder {
        module_with(&AtOptions {
            qdownload,
            ..AtOptions::default()
        })
    }
    let cases: [(&str, Builder); 4] = [
        ("refused `AT+QDOWNLOAD=1`: ERROR", || {
            replies(QdownloadReply::Error)
        }),
        ("still in run mode", || replies(QdownloadReply::OkButStays)),
        ("no download port appeared", || {
            AsrModule::builder(OLD).boot_times(Duration::ZERO, Duration::from_secs(600))
        }),
        ("no download port appeared", || {
            AsrModule::builder(OLD).download_topology("1-4.3")
        }),
    ];
    each(&cases, |(words, builder)| {
        let bench = Bench::new();
        let module = bench.attach(builder());
        let before = module.flash();
        let outcome =
            bench
                .say("write fw.zip --json")
                .hasty()
                .end()
                .expect(9, "module.download-mode", "nothing");
        assert_eq!(outcome["error"]["phase"], "enter-download");
        assert!(
            outcome["error"]["message"].as_str().unwrap().contains(words),
            "{outcome:#}"
        );
        assert_eq!(module.bytes_received_in_download_mode(), 0);
        assert!(module.flash().bytes() == before.bytes());
    });
}

fn silent() -> AtOptions {
    AtOptions {
        silent: true,
        ..AtOptions::default()
    }
}

#[test]
fn a_silent_at_port_without_a_repl_is_an_error() {
    let bench = Bench::new();
    let module = bench.attach(AsrModule::builder("EC600NCNLAR03A07M08").at(silent()));
    let untouched = Untouched::now(&module);
    let ended = bench.say("write fw.zip --json").hasty().end();
    ended.expect(4, "module.silent", "nothing");
    untouched.assert();
}

/// Only AT leads to download mode.
#[test]
fn a_module_that_only_its_repl_identifies_is_left_as_it_is() {
    let bench = Bench::new();
    let module = bench.attach(module_with(&silent()));
    let before = module.flash();
    let ended = bench.say("write fw.zip --json").hasty().end();
    let outcome = ended.expect(9, "module.download-mode", "nothing");
    assert_eq!(outcome["before"]["source"], "repl");
    assert_eq!(outcome["ordering_code"], "EC600NCNLA");
    assert!(module.flash().bytes() == before.bytes());
}

/// Whoever writes nothing gives the module its program back.
#[test]
fn a_program_that_was_stopped_to_ask_runs_again_when_nothing_is_written() {
    let other = AsrPackage::generate("EC600NCNLFR01A01M16_OCPU_QPY", Chip::Asr1603, Scale::Small);
    let lines = [
        ("identify", 0),
        ("check fw.zip", 0),
        ("write other.zip", 6),
        ("write fw.zip", 9),
    ];
    each(&lines, |(line, code)| {
        let bench = Bench::new();
        bench.file("other.zip", other.zip().unwrap());
        let busy = ReplOptions {
            running_script: true,
            ..ReplOptions::default()
        };
        let module = bench.attach(module_with(&silent()).repl(busy));
        let ended = bench.say(&format!("{line} --json")).hasty().end();
        assert_eq!(ended.code, Some(*code), "{ended:#?}");
        let said = ended.json();
        let identity = said.get("identity").unwrap_or(&said["before"]);
        assert_eq!(identity["source"], "repl");
        assert_eq!(identity["revision_text"], OLD);
        assert_eq!(identity["program_stopped"], true);
        let deadline = Instant::now() + PATIENCE;
        while !module.is_script_running() {
            assert!(Instant::now() < deadline, "the program does not run again");
            std::thread::yield_now();
        }
    });
}

#[test]
fn a_module_that_leaves_while_it_is_asked_is_gone_and_nothing_was_written() {
    let bench = Bench::new();
    let slow = AtOptions {
        reply_delay: Duration::from_millis(400),
        ..AtOptions::default()
    };
    let module = bench.attach(module_with(&slow));
    let running = bench.say("write fw.zip --json").scale("1").start();
    while module.at_commands().is_empty() {
        std::thread::yield_now();
    }
    module.detach();
    running.end().expect(4, "module.gone", "nothing");
}

#[test]
fn any_port_of_a_module_stands_for_the_module() {
    each(&[Role::Diag, Role::At, Role::Modem, Role::Repl], |role| {
        let bench = Bench::new();
        let module = bench.attach(AsrModule::builder(OLD));
        let port = module.tty(*role).unwrap();
        bench
            .qpyflash(&["write", "fw.zip", "--json", "--port", port.to_str().unwrap()])
            .end()
            .expect_written("confirmed");
        assert_holds(&module, firmware());
        assert_eq!(module.counters().diag_bytes, 0);
    });
}

/// A port that belongs to no module on the bus, as a UART adapter's does not.
fn unlisted(bench: &Bench, module: &AsrModule, role: Role, line: &str) -> crate::harness::Run {
    let elsewhere = VirtualBus::create(bench.path().join("another bus")).unwrap();
    let port = module.tty(role).unwrap();
    let mut arguments: Vec<&str> = line.split_whitespace().collect();
    arguments.extend(["--port", port.to_str().unwrap()]);
    let mut run = bench.qpyflash(&arguments);
    let (variable, bus) = elsewhere.environment();
    run.0.env(variable, bus);
    run
}

#[test]
fn a_log_port_is_recognised_and_never_written_to() {
    let bench = Bench::new();
    let module = bench.attach(AsrModule::builder(OLD));
    let untouched = Untouched::now(&module);
    let ended = unlisted(&bench, &module, Role::Diag, "write fw.zip --json")
        .scale("1")
        .end();
    let outcome = ended.expect(4, "module.garbage", "nothing");
    assert!(
        outcome["error"]["message"]
            .as_str()
            .unwrap()
            .contains("log or diagnosis port")
    );
    assert_eq!(module.counters().diag_bytes, 0);
    untouched.assert();
}

#[test]
fn a_port_that_is_not_on_the_bus_is_asked_as_it_is() {
    let bench = Bench::new();
    let module = bench.attach(AsrModule::builder(OLD));
    let untouched = Untouched::now(&module);
    for (role, source) in [(Role::At, "at"), (Role::Repl, "repl")] {
        let identified = unlisted(&bench, &module, role, "identify --json").end().json();
        assert_eq!(identified["identity"]["source"], source);
        assert_eq!(identified["identity"]["ordering_code"], "EC600NCNLA");
    }
    untouched.assert();
}

#[test]
fn a_loader_on_a_port_that_is_not_on_the_bus_is_written() {
    let bench = Bench::new();
    let module = bench.attach(AsrModule::builder(OLD).starts_in_download());
    let line = "write fw.zip --before none --oc EC600NCNLA --no-verify --json";
    unlisted(&bench, &module, Role::Download, line)
        .end()
        .expect_written("written-unasked");
    module.wait_for_revision(NEW, PATIENCE).unwrap();
    assert_holds(&module, firmware());
}

#[test]
fn enters_download_mode_and_says_where_to_go_on() {
    let bench = Bench::new();
    let module = bench.attach(AsrModule::builder(OLD));
    let entered = bench.say("enter-download --json").end();
    assert_eq!(entered.code, Some(0), "{entered:#?}");
    let port = module.tty(Role::Download).unwrap();
    assert_eq!(module.mode(), Mode::Download);
    assert_eq!(
        entered.json()["port"].as_str().map(Path::new),
        Some(port.as_path())
    );
    assert_eq!(module.bytes_received_in_download_mode(), 0);
    bench
        .qpyflash(&[
            "write",
            "fw.zip",
            "--json",
            "--before",
            "none",
            "--oc",
            "EC600NCNLA",
            "--port",
            port.to_str().unwrap(),
        ])
        .end()
        .expect_written("confirmed");
    assert_holds(&module, firmware());
}

#[test]
fn enter_download_says_so_when_the_module_stays() {
    let bench = Bench::new();
    let stays = AtOptions {
        qdownload: QdownloadReply::Error,
        ..AtOptions::default()
    };
    let _module = bench.attach(module_with(&stays));
    let ended = bench.say("enter-download --json").end();
    assert_eq!(ended.code, Some(9));
    assert_eq!(ended.json()["error"]["code"], "module.download-mode");
}
