//! The same through ser2net: every platform that has a UART, and every command that needs no USB.

use qpyflash_virtual::{
    AsrModule, EigencommModule, Mode, Platform, UartAdapter, UnisocModule, VirtualModule,
};

use super::ser2net::Ser2net;
use super::{back_to_the_boot_rom, behind_uart, eigencomm_behind_uart, wait_for_midst, write, writing};
use crate::bench::{Bench, OLD, PATIENCE, assert_holds, firmware};
use crate::harness::each;
use crate::{eigencomm, unisoc};

fn runs<P: Platform>(module: &VirtualModule<P>) {
    module.wait_for_mode(Mode::Run, PATIENCE).unwrap();
}

/// Through ser2net, where it is installed; and straight, as a port of this host.
#[derive(Debug, Clone, Copy)]
enum Way {
    Ser2net,
    Straight,
}

const WAYS: [Way; 2] = [Way::Ser2net, Way::Straight];

/// `identify` and `write`; false when ser2net is not installed.
fn identified_and_written(bench: &Bench, way: Way, adapter: &UartAdapter, code: &str) -> bool {
    let server = match way {
        Way::Straight => None,
        Way::Ser2net => match Ser2net::start(adapter.node()) {
            None => return false,
            server => server,
        },
    };
    let (port, transport) = match &server {
        Some(server) => (server.url(), "network"),
        None => (adapter.node().display().to_string(), "uart"),
    };
    let ended = bench.say(&format!("identify --json --port {port}")).end();
    assert_eq!(ended.code, Some(0), "{ended:#?}");
    assert_eq!(ended.json()["identity"]["ordering_code"], code);
    // At its own pace: an agent that is about to restart hears nothing of what comes next.
    let run = writing(bench, &port, "").scale("1");
    let outcome = run.end().expect_written("confirmed");
    assert_eq!(outcome["transport"], transport);
    true
}

#[test]
fn an_asr_module_is_written() {
    each(&WAYS, |way| {
        let bench = Bench::new();
        let (adapter, module) = behind_uart(AsrModule::builder(OLD));
        if identified_and_written(&bench, *way, &adapter, "EC600NCNLA") {
            assert_holds(&module, firmware());
        }
    });
}

#[test]
fn unisoc_modules_are_written() {
    each(&WAYS, |way| {
        for (chip, old, new, code) in unisoc::CHIPS {
            let bench = Bench::bare();
            let package = unisoc::package(chip, new);
            bench.file("fw.zip", package.public_bin_zip("QPY_OCPU_V0004_FW").unwrap());
            let adapter = UartAdapter::new().unwrap();
            let module = UnisocModule::builder(chip, old).attach(&adapter).unwrap();
            runs(&module);
            if identified_and_written(&bench, *way, &adapter, code) {
                unisoc::assert_holds(&module, &package);
                assert!(module.violations().is_empty(), "{:?}", module.violations());
            }
        }
    });
}

#[test]
fn an_eigencomm_module_is_written() {
    each(&WAYS, |way| {
        let bench = Bench::bare();
        let (package, adapter, module) = eigencomm_behind_uart(&bench);
        if identified_and_written(&bench, *way, &adapter, eigencomm::CODE) {
            eigencomm::assert_holds(&module, &package);
        }
    });
}

#[test]
fn the_other_commands_work() {
    let (chip, old, new, _) = unisoc::CHIPS[0];
    let bench = Bench::bare();
    bench.file("fw.pac", unisoc::package(chip, new).bytes());
    let adapter = UartAdapter::new().unwrap();
    let module = UnisocModule::builder(chip, old).attach(&adapter).unwrap();
    runs(&module);
    let Some(server) = Ser2net::start(adapter.node()) else {
        return;
    };
    let say = |line: &str| {
        let ended = bench.say(&format!("{line} --json --port {}", server.url())).end();
        assert_eq!(ended.code, Some(0), "{ended:#?}");
        ended
    };
    say("reset");
    assert_eq!(module.counters().boots, 2);
    let read = say("read nv --package fw.pac --backup-dir kept").outcome();
    let backup = read["backups"][0].as_str().unwrap();
    assert!(std::fs::metadata(bench.path().join(backup)).unwrap().len() > 0);
    runs(&module);
    say("enter-download");
    assert_eq!(module.mode(), Mode::Download);
}

#[test]
fn the_rf_data_of_an_eigencomm_module_are_read() {
    let bench = Bench::bare();
    bench.file(
        "fw.zip",
        eigencomm::package(eigencomm::NEW)
            .folder_zip("QPY_BETA0003_EC600E_CNLC_FW")
            .unwrap(),
    );
    let adapter = UartAdapter::new().unwrap();
    let module = EigencommModule::builder(eigencomm::OLD)
        .over_uart()
        .attach(&adapter)
        .unwrap();
    runs(&module);
    let Some(server) = Ser2net::start(adapter.node()) else {
        return;
    };
    let line = format!(
        "read rf --package fw.zip --json --backup-dir kept --port {}",
        server.url()
    );
    let outcome = bench.say(&line).end().outcome();
    assert_eq!(outcome["exit_code"], 0, "{outcome:#}");
    let kept = std::fs::read(bench.path().join(outcome["backups"][0].as_str().unwrap())).unwrap();
    assert!(module.cp(0xC_0000, kept.len()).unwrap() == kept);
}

#[test]
fn a_server_that_dies_in_the_midst_leaves_a_module_that_can_be_written_again() {
    let bench = Bench::new();
    let (adapter, module) = behind_uart(AsrModule::builder(OLD).programming_speed(30_000));
    let Some(mut server) = Ser2net::start(adapter.node()) else {
        return;
    };
    let mut run = bench
        .say(&format!("write fw.zip --jsonl --port {}", server.url()))
        .start();
    wait_for_midst(&mut run);
    server.kill();
    run.end().expect(10, "module.gone", "partial");
    back_to_the_boot_rom(&module);
    let server = Ser2net::start(adapter.node()).unwrap();
    write(&bench, &server.url(), "--before none --oc EC600NCNLA").expect_written("confirmed");
    assert_holds(&module, firmware());
}

#[test]
fn a_second_client_is_told_that_the_port_is_in_use() {
    let bench = Bench::new();
    let (adapter, module) = behind_uart(AsrModule::builder(OLD));
    let Some(server) = Ser2net::start(adapter.node()) else {
        return;
    };
    let (_, address) = server
        .url()
        .split_once("//")
        .map(|(a, b)| (a.to_owned(), b.to_owned()))
        .unwrap();
    let _other = std::net::TcpStream::connect(address).unwrap();
    write(&bench, &server.url(), "").expect(8, "link.busy", "nothing");
    assert!(module.at_commands().is_empty());
}
