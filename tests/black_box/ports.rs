//! Ports that cannot be had: missing, forbidden, busy, or no ports at all.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use qpyflash_virtual::{AsrModule, AtOptions, Role};

use crate::bench::{Bench, OLD, Untouched, assert_holds, firmware};
use crate::harness::{Run, each};

/// A user without rights: `nobody`.
const NOBODY: u32 = 65534;

#[test]
fn what_is_no_port_is_said_to_be_none() {
    let cases = ["missing", "fw.zip", "folder", "pipe", "/dev/null", "usb:9-9"];
    each(&cases, |port| {
        let bench = Bench::new();
        fs::create_dir(bench.path().join("folder")).unwrap();
        let pipe = bench.path().join("pipe");
        rustix::fs::mknodat(
            rustix::fs::CWD,
            &pipe,
            rustix::fs::FileType::Fifo,
            rustix::fs::Mode::RWXU,
            0,
        )
        .unwrap();
        for options in ["", "--before none --oc EC600NCNLA"] {
            let line = format!("write fw.zip --json --port {port} {options}");
            let ended = bench.say(&line).end();
            ended.expect(4, "module.missing", "nothing");
        }
        // It is still what it was.
        assert!(fs::read(bench.path().join("fw.zip")).unwrap() == firmware_zip());
    });
}

fn firmware_zip() -> Vec<u8> {
    firmware().public_zip(crate::bench::NAME).unwrap()
}

#[test]
fn nothing_attached_is_said_plainly() {
    let bench = Bench::new();
    for command in [
        "write fw.zip",
        "identify",
        "enter-download",
        "write fw.zip --path 1-4.2",
    ] {
        let ended = bench.say(command).end();
        assert_eq!((ended.code, ended.stdout.as_str()), (Some(4), ""), "{command}");
        assert!(ended.stderr.contains("no module is attached"), "{ended:#?}");
    }
}

/// Runs as a user that may not open the module's ports. Root may open everything, so it becomes somebody else.
pub fn as_nobody(bench: &Bench, module: &AsrModule, arguments: &[&str]) -> Run {
    for (_, tty) in module.ttys() {
        fs::set_permissions(tty, Permissions::from_mode(0o000)).unwrap();
    }
    // Whoever built the binary may keep others out of the folder it is in.
    let program = bench.path().join("qpyflash");
    // Copied by another process: a child that a test beside this one starts could inherit a descriptor of ours that
    // writes to it, and what is being written cannot be started.
    let mut copy = Command::new("cp");
    copy.args([env!("CARGO_BIN_EXE_qpyflash").as_ref(), program.as_os_str()]);
    assert!(copy.status().unwrap().success());
    let open_to_all = |path: &Path| fs::set_permissions(path, Permissions::from_mode(0o755)).unwrap();
    [bench.bus.path(), bench.path(), &program]
        .into_iter()
        .for_each(open_to_all);
    let mut run = bench.run(program.as_os_str(), arguments);
    if rustix::process::geteuid().is_root() {
        run.0.uid(NOBODY).gid(NOBODY);
    }
    run
}

#[test]
fn a_forbidden_port_is_named_with_what_helps() {
    each(&[false, true], |in_download_mode| {
        let bench = Bench::new();
        let builder = AsrModule::builder(OLD);
        let module = bench.attach(match in_download_mode {
            true => builder.starts_in_download(),
            false => builder,
        });
        let untouched = Untouched::now(&module);
        let arguments = ["write", "fw.zip", "--json", "--oc", "EC600NCNLA"];
        let ended = as_nobody(&bench, &module, &arguments).end();
        let outcome = ended.expect(8, "link.denied", "nothing");
        assert!(
            outcome["error"]["hints"].to_string().contains("udev"),
            "{outcome:#}"
        );
        untouched.assert();
        assert_eq!(module.counters().at_bytes, 0);
    });
}

#[test]
fn a_port_that_a_terminal_holds_is_busy() {
    let bench = Bench::new();
    let module = bench.attach(AsrModule::builder(OLD));
    let port = module.tty(Role::At).unwrap();
    let terminal = serialport::new(port.to_str().unwrap(), 115_200)
        .open_native()
        .unwrap();
    for command in ["write fw.zip --json", "check fw.zip --json"] {
        let ended = bench.say(command).end();
        let outcome = ended.expect(8, "link.busy", "nothing");
        assert!(
            outcome["error"]["message"]
                .as_str()
                .unwrap()
                .contains("in use by another program")
        );
    }
    assert_eq!(module.counters().at_bytes, 0);
    drop(terminal);
    bench.say("write fw.zip --json").end().expect_written("confirmed");
}

/// From the first question to the last confirmation, also while the module has no port at all.
#[test]
fn a_second_run_on_the_same_module_is_turned_away_in_every_phase() {
    let bench = Bench::new();
    let slow = AtOptions {
        reply_delay: Duration::from_millis(100),
        ..AtOptions::default()
    };
    let module = bench.attach(
        AsrModule::builder(OLD)
            .at(slow)
            .boot_times(Duration::from_millis(500), Duration::from_millis(500))
            .programming_speed(200_000),
    );
    let mut first = bench.say("write fw.zip --jsonl").scale("1").start();
    for (phase, line) in [
        ("identify", "write fw.zip --json"),
        ("identify", "check fw.zip --json"),
        ("write", "write fw.zip --before none --oc EC600NCNLA --json"),
    ] {
        first.wait_for_phase_or_later(phase);
        bench.say(line).end().expect(8, "link.busy", "nothing");
    }
    first.end().expect_written("confirmed");
    assert_holds(&module, firmware());
}

#[test]
fn a_port_that_is_not_on_the_bus_is_one_runs_alone_too() {
    let bench = Bench::new();
    let slow = AtOptions {
        reply_delay: Duration::from_millis(300),
        ..AtOptions::default()
    };
    let module = bench.attach(AsrModule::builder(OLD).at(slow));
    let port = module.tty(Role::At).unwrap();
    let arguments = ["identify", "--port", port.to_str().unwrap(), "--json"];
    let elsewhere = qpyflash_virtual::VirtualBus::temporary().unwrap();
    let (variable, bus) = elsewhere.environment();
    let unlisted = || {
        let mut run = bench.qpyflash(&arguments).scale("1");
        run.0.env(variable, bus);
        run
    };
    let first = unlisted().start();
    while module.counters().at_bytes == 0 {
        std::thread::yield_now();
    }
    let second = unlisted().end();
    assert_eq!(second.code, Some(8), "{second:#?}");
    assert_eq!(second.json()["error"]["code"], "link.busy");
    assert_eq!(first.end().code, Some(0));
}

#[test]
fn the_transport_is_told_and_a_virtual_bus_has_ports_only() {
    let bench = Bench::new();
    let module = bench.attach(AsrModule::builder(OLD));
    let raw = bench.say("write fw.zip --json --transport usb").end();
    assert_eq!(raw.code, Some(2), "{raw:#?}");
    let message = raw.json()["error"]["message"].to_string();
    assert!(message.contains("no raw USB on the virtual bus"), "{message}");
    assert_eq!(module.at_commands(), Vec::<String>::new());
    let unknown = bench.say("identify --transport pigeon").end();
    assert_eq!(unknown.code, Some(2), "{unknown:#?}");
    let written = bench.say("write fw.zip --json --transport tty -v").end();
    written.expect_written("confirmed");
    assert_eq!(written.json()["transport"], "tty");
    assert!(
        written.stderr.contains("reached over its driver's port"),
        "{written:#?}"
    );
}

#[test]
fn a_port_beside_the_bus_is_a_uart_and_never_raw_usb() {
    let bench = Bench::new();
    let node = bench.file("ttyUSB7", "");
    let run = bench.qpyflash(&["identify", "--transport", "usb", "--port", node.to_str().unwrap()]);
    assert_eq!(run.end().code, Some(2));
    let named = bench.say("identify --json --port usb:1-9#if3").end();
    assert_eq!(named.json()["error"]["code"], "module.missing", "{named:#?}");
    let nonsense = bench.say("identify --json --port usb:1-9#ifx").end();
    assert_eq!(nonsense.json()["error"]["code"], "usage", "{nonsense:#?}");
}
