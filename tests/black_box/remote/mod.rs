//! Modules behind a port on the network: a UART adapter, a server of RFC 2217, and `--port rfc2217://host:port`.

mod ser2net;
mod server;
mod through_ser2net;

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

use sha2::Digest;

use qpyflash_virtual::{
    AsrModule, AsrModuleBuilder, EigencommModule, EigencommPackage, Mode, Role, UartAdapter,
};

use self::server::{Manner, Server};
use crate::bench::{Bench, NEW, OLD, PATIENCE, Untouched, assert_holds, firmware};
use crate::eigencomm;
use crate::harness::{Ended, Run, Running, each};

/// Bytes of a write after which something happens: helpers are loaded by then, and flash is being written.
const MIDST: usize = 70_000;
/// No run in vain of these tests takes so long.
const SOON: Duration = Duration::from_secs(40);

/// An Eigencomm module that runs behind a UART adapter, and the package for it in `fw.zip`.
fn eigencomm_behind_uart(bench: &Bench) -> (EigencommPackage, UartAdapter, EigencommModule) {
    let package = eigencomm::package(eigencomm::NEW);
    let wrapped = package.public_bin_zip("QPY_OCPU_V0003_EC600E_CNLC_FW");
    bench.file("fw.zip", wrapped.unwrap());
    let adapter = UartAdapter::new().unwrap();
    let builder = EigencommModule::builder(eigencomm::OLD).over_uart();
    let module = builder.attach(&adapter).unwrap();
    module.wait_for_mode(Mode::Run, PATIENCE).unwrap();
    (package, adapter, module)
}

/// A module behind a UART adapter.
fn behind_uart(builder: AsrModuleBuilder) -> (UartAdapter, AsrModule) {
    let adapter = UartAdapter::new().unwrap();
    let module = builder.attach(&adapter).unwrap();
    assert_ne!(module.wait_while_mode(Mode::Off, PATIENCE), Mode::Off);
    (adapter, module)
}

fn writing(bench: &Bench, url: &str, options: &str) -> Run {
    bench.say(&format!(
        "write fw.zip --json --backup-dir kept --port {url} {options}"
    ))
}

fn write(bench: &Bench, url: &str, options: &str) -> Ended {
    writing(bench, url, options).end()
}

/// Waits until the first image is in the module's flash and the next is in work.
fn wait_for_midst(run: &mut Running) {
    run.wait_for(|event| event["image"] == "bootloader.ubi" && event["done"] == event["total"]);
}

/// A person takes the supply away, and gives it back with the BOOT key held.
fn back_to_the_boot_rom(module: &AsrModule) {
    module.set_boot_pin(true);
    module.power_cycle();
    module.wait_while_mode(Mode::Download, PATIENCE);
    module.wait_for_mode(Mode::Download, PATIENCE).unwrap();
    module.set_boot_pin(false);
}

#[test]
fn the_port_is_set_up_and_every_byte_arrives() {
    let bench = Bench::new();
    each(&[Manner::Honest, Manner::Drips, Manner::Suspends], |manner| {
        let (adapter, module) = behind_uart(AsrModule::builder(OLD));
        let server = Server::start("127.0.0.1", adapter.node(), *manner);
        let outcome = write(&bench, &server.url(), "").expect_written("confirmed");
        assert_eq!(outcome["transport"], "network");
        assert_holds(&module, firmware());
        assert_eq!(module.revision().as_deref(), Some(NEW));
        let seen = server.seen();
        assert!(seen.clients >= 4, "{seen:?}");
        assert_eq!(seen.purges, seen.clients);
        assert!(seen.speeds.iter().all(|speed| *speed == 115_200), "{seen:?}");
        let each_time = [(2, 8), (3, 1), (4, 1), (5, 1), (5, 8), (5, 11), (10, 0), (11, 0)];
        assert_eq!(seen.settings[..8], each_time);
    });
}

#[test]
fn an_eigencomm_module_gets_its_uart_agent_and_its_speed() {
    let bench = Bench::bare();
    let (package, adapter, module) = eigencomm_behind_uart(&bench);
    let server = Server::start("127.0.0.1", adapter.node(), Manner::Honest);
    let run = writing(&bench, &server.url(), "--flash-baud 2000000");
    run.scale("1").end().expect_written("confirmed");
    eigencomm::assert_holds(&module, &package);
    assert!(server.seen().speeds.contains(&2_000_000), "{:?}", server.seen());
}

#[test]
fn a_server_of_the_next_internet_is_reached_too() {
    if TcpListener::bind("[::1]:0").is_err() {
        let _ = writeln!(std::io::stderr(), "skipped: this host has no IPv6");
        return;
    }
    let bench = Bench::new();
    let (adapter, _module) = behind_uart(AsrModule::builder(OLD));
    let server = Server::start("::1", adapter.node(), Manner::Honest);
    let url = format!("rfc2217://[::1]:{}", server.port);
    let ended = bench.say(&format!("identify --json --port {url}")).end();
    assert_eq!(ended.code, Some(0), "{ended:#?}");
    assert_eq!(ended.json()["module"], *url);
    assert_eq!(ended.json()["identity"]["ordering_code"], "EC600NCNLA");
}

#[test]
fn servers_that_cannot_serve_a_module_are_told_apart_and_touch_nothing() {
    let cases = [
        (Manner::RefusesAll, "refuses COM-PORT-OPTION"),
        (Manner::RefusesBinary, "refuses binary transmission"),
        (Manner::Mute, "says nothing for 5 s"),
    ];
    each(&cases, |(manner, words)| {
        let bench = Bench::new();
        let (adapter, module) = behind_uart(AsrModule::builder(OLD));
        let untouched = Untouched::now(&module);
        let server = Server::start("127.0.0.1", adapter.node(), *manner);
        let ended = write(&bench, &server.url(), "");
        let outcome = ended.expect(4, "link.unsupported", "nothing");
        let message = outcome["error"]["message"].as_str().unwrap();
        assert!(
            message.contains(words) && message.contains(&server.url()),
            "{message}"
        );
        assert!(
            outcome["error"]["hints"][0]
                .as_str()
                .unwrap()
                .contains("telnet(rfc2217)")
        );
        assert!(ended.took < SOON, "{:?}", ended.took);
        untouched.assert();
        assert!(module.at_commands().is_empty());
    });
}

#[test]
fn a_speed_that_is_not_set_is_an_error_that_names_both() {
    let bench = Bench::new();
    let (adapter, module) = behind_uart(AsrModule::builder(OLD));
    let untouched = Untouched::now(&module);
    let server = Server::start("127.0.0.1", adapter.node(), Manner::KeepsItsSpeed);
    let outcome = write(&bench, &server.url(), "--baud 921600").expect(4, "link.unsupported", "nothing");
    let message = outcome["error"]["message"].as_str().unwrap();
    assert!(message.contains("115200 baud instead of 921600"), "{message}");
    untouched.assert();
}

#[test]
fn something_else_at_the_port_is_quoted() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let web = std::thread::spawn(move || {
        let (mut client, _) = listener.accept().unwrap();
        let _ = client.read(&mut [0; 64]);
        let _ = client.write_all(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n");
    });
    let bench = Bench::new();
    let ended = bench
        .say(&format!("identify --json --port rfc2217://127.0.0.1:{port}"))
        .end();
    web.join().unwrap();
    assert_eq!(ended.code, Some(4), "{ended:#?}");
    let error = &ended.json()["error"];
    assert_eq!(error["code"], "link.unsupported");
    let message = error["message"].as_str().unwrap();
    assert!(
        message.contains("it says `HTTP/1.1 400 Bad Request`"),
        "{message}"
    );
}

#[test]
fn nobody_at_the_port_and_nonsense_are_errors_of_their_own() {
    let bench = Bench::new();
    let free = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let cases = [
        (
            format!("identify --json --port rfc2217://127.0.0.1:{free}"),
            4,
            "link.failed",
        ),
        ("identify --json --port rfc2217://".into(), 2, "usage"),
        ("identify --json --port rfc2217://me@rack".into(), 2, "usage"),
        (
            "identify --json --port rfc2217://rack --transport usb".into(),
            2,
            "usage",
        ),
        (
            "write fw.zip --json --port rfc2217://rack --wait".into(),
            2,
            "usage",
        ),
    ];
    for (line, code, error) in cases {
        let ended = bench.say(&line).end();
        assert_eq!(ended.code, Some(code), "{ended:#?}");
        assert_eq!(ended.json()["error"]["code"], error, "{line}");
    }
}

#[test]
fn a_port_in_use_is_busy_whoever_holds_it() {
    let bench = Bench::new();
    let (adapter, module) = behind_uart(AsrModule::builder(OLD));
    let untouched = Untouched::now(&module);
    let server = Server::start("127.0.0.1", adapter.node(), Manner::Honest);
    let _other = TcpStream::connect(("127.0.0.1", server.port)).unwrap();
    let outcome = write(&bench, &server.url(), "").expect(8, "link.busy", "nothing");
    let hint = outcome["error"]["hints"][0].as_str().unwrap();
    assert!(hint.contains("one client"), "{hint}");
    untouched.assert();
}

#[test]
fn a_second_run_on_this_host_finds_the_port_taken() {
    let bench = Bench::new();
    let (adapter, module) = behind_uart(AsrModule::builder(OLD).programming_speed(200_000));
    let server = Server::start("127.0.0.1", adapter.node(), Manner::Honest);
    let url = server.url();
    let mut first = bench.say(&format!("write fw.zip --jsonl --port {url}")).start();
    first.wait_for_phase("write");
    let elsewhere = Bench::new();
    let second = elsewhere.say(&format!("identify --json --port {url}/")).end();
    assert_eq!(second.code, Some(8), "{second:#?}");
    assert_eq!(second.json()["error"]["code"], "link.busy");
    first.end().expect_written("confirmed");
    assert_holds(&module, firmware());
}

#[test]
fn a_server_that_hangs_up_leaves_a_module_that_can_be_written_again() {
    let bench = Bench::new();
    let (adapter, module) = behind_uart(AsrModule::builder(OLD));
    let server = Server::start("127.0.0.1", adapter.node(), Manner::HangsUpAfter(MIDST));
    let ended = write(&bench, &server.url(), "-v");
    let outcome = ended.expect(10, "module.gone", "partial");
    assert!(outcome["bytes"].as_u64().unwrap() < MIDST as u64, "{outcome:#}");
    assert!(ended.stderr.contains("the connection"), "{ended:#?}");
    drop(server);
    back_to_the_boot_rom(&module);
    let server = Server::start("127.0.0.1", adapter.node(), Manner::Honest);
    write(&bench, &server.url(), "--before none --oc EC600NCNLA").expect_written("confirmed");
    assert_holds(&module, firmware());
}

#[test]
fn a_server_that_takes_no_more_bytes_is_given_up() {
    let bench = Bench::new();
    let (adapter, _module) = behind_uart(AsrModule::builder(OLD));
    let server = Server::start("127.0.0.1", adapter.node(), Manner::StopsAfter(MIDST));
    let ended = write(&bench, &server.url(), "");
    ended.expect(10, "module.silent", "partial");
    assert!(ended.took < SOON, "{:?}", ended.took);
}

#[test]
fn ctrl_c_stops_a_write_over_the_network() {
    let bench = Bench::new();
    let (adapter, _module) = behind_uart(AsrModule::builder(OLD).programming_speed(1000));
    let server = Server::start("127.0.0.1", adapter.node(), Manner::Honest);
    let mut run = bench
        .say(&format!("write fw.zip --jsonl --port {}", server.url()))
        .start();
    wait_for_midst(&mut run);
    run.interrupt();
    run.end().expect(12, "interrupted", "partial");
}

/// A port that a driver has made of a module's USB, exported by the host it is plugged into.
#[test]
fn a_module_on_the_servers_usb_is_out_of_reach_once_it_has_left() {
    let bench = Bench::new();
    let there = Bench::new();
    let module = there.attach(AsrModule::builder(OLD));
    let flash = module.flash();
    let server = Server::start("127.0.0.1", &module.tty(Role::At).unwrap(), Manner::Honest);
    let outcome = write(&bench, &server.url(), "").expect(4, "module.gone", "nothing");
    let hint = outcome["error"]["hints"][0].as_str().unwrap();
    assert!(hint.contains("run qpyflash on the server"), "{outcome:#}");
    drop(server);
    module.wait_for_mode(Mode::Download, PATIENCE).unwrap();
    let server = Server::start("127.0.0.1", &module.tty(Role::Download).unwrap(), Manner::Honest);
    assert!(module.flash().bytes() == flash.bytes());
    write(&bench, &server.url(), "--before none --oc EC600NCNLA --no-verify")
        .expect_written("written-unasked");
    module.wait_for_revision(NEW, PATIENCE).unwrap();
    assert_holds(&module, firmware());
}

#[test]
fn a_station_writes_modules_on_the_network() {
    let bench = Bench::new();
    let sha256: String = sha2::Sha256::digest(std::fs::read(bench.path().join("fw.zip")).unwrap())
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let mut text = format!(
        "line = \"L1\"\nstation = \"S1\"\nstate = \"state\"\n[[product]]\nordering_code = \"EC600NCNLA\"\n\
         file = \"fw.zip\"\nsha256 = \"{sha256}\"\n"
    );
    let slots = ["A1", "A2"].map(|name| {
        let imei = format!("86632704000000{}", name.trim_start_matches('A'));
        let (adapter, module) =
            behind_uart(AsrModule::builder(OLD).identity(|identity| identity.imei = imei));
        let server = Server::start("127.0.0.1", adapter.node(), Manner::Honest);
        text += &format!(
            "[[slot]]\nname = \"{name}\"\nport = \"{}\"\nordering_code = \"EC600NCNLA\"\n",
            server.url()
        );
        (adapter, module, server)
    });
    bench.file("fixture.toml", text);
    let ended = bench.say("fixture run --json").end();
    assert_eq!(ended.code, Some(0), "{ended:#?}");
    for (_, module, server) in &slots {
        assert_holds(module, firmware());
        assert!(ended.stdout.contains(&server.url()), "{ended:#?}");
    }
}
