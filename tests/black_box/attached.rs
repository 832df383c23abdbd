//! What `list` shows of the bus, `list --watch` of its changes, and which port of a module is asked.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use qpyflash_virtual::{AsrModule, Mode, Role, UnisocChip, UnisocModule};
use serde_json::{Value, json};

use crate::bench::{Bench, OLD, PATIENCE, Untouched};
use crate::ports::as_nobody;

/// Plugs a device in that is nothing but its description. `ports` are interfaces and their nodes.
pub fn plug(bench: &Bench, id: (&str, &str), named: bool, ports: &[(u8, Option<&Path>)]) {
    let interface =
        |(number, tty): &(u8, Option<&Path>)| json!({ "number": number, "class": "ff", "tty": tty });
    let description = json!({
        "topology": "1-5",
        "vid": id.0,
        "pid": id.1,
        "bcd_device": "0000",
        "manufacturer": named.then_some("somebody"),
        "product": null,
        "serial": null,
        "speed": "full",
        "interfaces": ports.iter().map(interface).collect::<Vec<_>>(),
    });
    std::fs::write(bench.bus.path().join("1-5.json"), description.to_string()).unwrap();
}

#[test]
fn an_interface_without_a_driver_is_seen_and_named_with_what_helps() {
    let bench = Bench::new();
    plug(&bench, ("2c7c", "0904"), true, &[(2, None), (3, None), (8, None)]);
    let shown = bench.say("list --json").end().json();
    let module = &shown["modules"][0];
    assert_eq!(
        (&module["usb_id"], &module["mode"]),
        (&json!("2c7c:0904"), &json!("run"))
    );
    assert_eq!(module["ports"], json!([]));
    assert_eq!(
        module["unbound"][0],
        json!({ "role": "at", "interface": 2, "driver": null })
    );
    let text = bench.say("list").end().stdout;
    assert!(text.contains("no driver has bound interface 2"), "{text}");

    let ended = bench.say("identify --json").end();
    assert_eq!(ended.code, Some(4), "{ended:#?}");
    let error = &ended.json()["error"];
    assert_eq!(error["code"], "module.missing");
    assert!(
        error["message"].as_str().unwrap().contains("no driver"),
        "{error:#}"
    );
    assert!(error["hints"].to_string().contains("2c7c 0904 ff"), "{error:#}");
}

#[test]
fn a_gadget_with_the_id_of_a_boot_rom_is_shown_and_never_taken_for_a_module() {
    let bench = Bench::new();
    let node = bench.file("ttyACM0", "");
    plug(&bench, ("0525", "a4a7"), true, &[(0, Some(&node))]);
    let shown = bench.say("list --json").end().json();
    assert_eq!(shown["modules"], json!([]));
    assert_eq!(shown["others"][0]["usb_id"], "0525:a4a7");
    let ended = bench.say("write fw.zip --oc EC600NCNLA --json").end();
    let outcome = ended.expect(4, "module.missing", "nothing");
    assert!(
        outcome["error"]["hints"].to_string().contains("gadget"),
        "{outcome:#}"
    );

    plug(&bench, ("0525", "a4a7"), false, &[(0, Some(&node))]);
    let shown = bench.say("list --json").end().json();
    assert_eq!(shown["modules"][0]["mode"], "download");
    assert_eq!(shown["others"], json!([]));
}

#[test]
fn an_adapter_is_no_module_and_its_port_is_proposed() {
    let bench = Bench::new();
    let node = bench.file("ttyUSB7", "");
    plug(&bench, ("1a86", "7523"), true, &[(0, Some(&node))]);
    let ended = bench.say("identify").end();
    assert_eq!(ended.code, Some(4));
    for words in [
        "no module is attached",
        "1a86:7523 on 1-5",
        "--port",
        "charging",
        "virtual machine",
        "doctor",
    ] {
        assert!(ended.stderr.contains(words), "{words}\n{}", ended.stderr);
    }
    let listed = bench.say("list").end().stdout;
    assert!(
        listed.contains("UART adapter") && listed.contains("ttyUSB7"),
        "{listed}"
    );
}

#[test]
fn list_asks_each_module_in_run_mode_when_told_to() {
    let bench = Bench::new();
    let running = bench.attach(AsrModule::builder(OLD));
    let untouched = Untouched::now(&running);
    let loader = bench.attach(AsrModule::builder(OLD).topology("1-4.3").starts_in_download());
    let shown = bench.say("list --identify --json").end().json();
    let identity = &shown["modules"][0]["identity"];
    assert_eq!(identity["ordering_code"], "EC600NCNLA");
    assert_eq!(identity["imei"], "866327040830317");
    assert_eq!(shown["modules"][1].get("identity"), None);
    let text = bench.say("list --identify").end().stdout;
    assert!(
        text.contains(&format!("EC600NCNLA  {OLD}  IMEI 866327040830317")),
        "{text}"
    );
    untouched.assert();
    assert_eq!(loader.bytes_received_in_download_mode(), 0);
}

/// A program that has a port for itself until it is dropped.
pub struct Holding(Child);

impl Holding {
    pub fn port(port: &Path) -> Self {
        let mut shell = Command::new("sh");
        let script = "exec 9<>\"$0\" && flock -n 9 && echo held && read end";
        shell.args(["-c", script]).arg(port);
        let mut child = shell
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut word = [0; 4];
        child.stdout.as_mut().unwrap().read_exact(&mut word).unwrap();
        Holding(child)
    }

    /// As qpyflash names it.
    pub fn name(&self) -> String {
        format!("sh (process {})", self.0.id())
    }
}

impl Drop for Holding {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        let _ = self.0.wait();
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_port_that_a_program_holds_is_shown_with_the_program() {
    let bench = Bench::new();
    let module = bench.attach(AsrModule::builder(OLD));
    let port = module.tty(Role::At).unwrap();
    let holding = Holding::port(&port);
    let shown = bench.say("list --json").end().json();
    let blocked = &shown["modules"][0]["blocked"];
    assert_eq!(blocked.as_array().unwrap().len(), 1, "{blocked:#}");
    assert_eq!(
        (&blocked[0]["why"], &blocked[0]["holder"]["name"]),
        (&json!("busy"), &json!("sh"))
    );
    let text = bench.say("list").end().stdout;
    assert!(text.contains(&format!("in use by {}", holding.name())), "{text}");

    let ended = bench.say("identify --json").end();
    assert_eq!(ended.code, Some(8), "{ended:#?}");
    let error = &ended.json()["error"];
    assert_eq!(error["code"], "link.busy");
    assert!(
        error["message"].as_str().unwrap().ends_with(&holding.name()),
        "{error:#}"
    );
    assert!(error["hints"].to_string().contains("close sh"), "{error:#}");
    assert_eq!(module.counters().at_bytes, 0);
    drop(holding);
    assert_eq!(bench.say("identify").end().code, Some(0));
    assert_eq!(
        bench.say("list --json").end().json()["modules"][0]["blocked"],
        json!([])
    );
}

#[cfg(target_os = "linux")]
#[test]
fn a_forbidden_port_is_shown_with_its_rights() {
    let bench = Bench::new();
    let module = bench.attach(AsrModule::builder(OLD));
    let ended = as_nobody(&bench, &module, &["list", "--json"]).end();
    assert_eq!(ended.code, Some(0), "{ended:#?}");
    let blocked = &ended.json()["modules"][0]["blocked"];
    assert_eq!(
        blocked.as_array().unwrap().len(),
        module.ttys().len(),
        "{blocked:#}"
    );
    assert_eq!(
        (&blocked[0]["why"], &blocked[0]["rights"]["mode"]),
        (&json!("denied"), &json!(0))
    );
    let text = as_nobody(&bench, &module, &["list"]).end().stdout;
    assert!(
        text.contains("no permission (") && text.contains(" 0000)"),
        "{text}"
    );
}

#[test]
fn watching_tells_what_comes_and_goes_until_somebody_stops_it() {
    let bench = Bench::new();
    let module = bench.attach(AsrModule::builder(OLD));
    let mut watching = bench.say("list --watch --jsonl").start();
    let told = |event: &Value, kind: &str, id: &str| event["kind"] == kind && event["module"]["usb_id"] == id;
    watching.wait_for(|event| told(event, "attached", "2c7c:6001"));
    module.detach();
    watching.wait_for(|event| told(event, "detached", "2c7c:6001"));
    module.attach();
    watching.wait_for(|event| told(event, "attached", "2c7c:6001"));
    let port = module.tty(Role::At).unwrap();
    assert_eq!(bench.say("enter-download").end().code, Some(0));
    watching.wait_for(|event| told(event, "attached", "2ecc:3004"));
    watching.interrupt();
    let ended = watching.end();
    assert_eq!(ended.code, Some(0), "{ended:#?}");
    let events: Vec<Value> = ended
        .stdout
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    for (number, event) in events.iter().enumerate() {
        assert_eq!(
            (&event["seq"], &event["schema"]),
            (&json!(number), &json!(1)),
            "{event}"
        );
    }
    assert_eq!(events[0]["module"]["ports"][0]["path"], port.to_str().unwrap());
    assert_eq!(events[0]["module"]["topology"], "1-4.2");
}

#[test]
fn watching_has_a_line_for_each_change_and_no_single_object() {
    let bench = Bench::new();
    let module = bench.attach(AsrModule::builder(OLD));
    let mut watching = bench.say("list --watch").start();
    watching.wait_for_line(|line| line.starts_with('+'));
    module.detach();
    watching.wait_for_line(|line| line.starts_with('-'));
    watching.interrupt();
    let ended = watching.end();
    assert_eq!(ended.code, Some(0), "{ended:#?}");
    let lines: Vec<&str> = ended.stdout.lines().collect();
    let [plugged, unplugged] = lines[..] else {
        panic!("{ended:#?}");
    };
    assert!(plugged.starts_with("+ 1-4.2  2c7c:6001  run mode"), "{plugged}");
    assert!(plugged.contains("  at "), "{plugged}");
    assert!(unplugged.starts_with("- 1-4.2  2c7c:6001"), "{unplugged}");
    assert_eq!(bench.say("list --watch --json").end().code, Some(2));
}

#[test]
fn a_link_to_any_port_and_a_usb_path_stand_for_the_module() {
    let bench = Bench::new();
    let module = bench.attach(AsrModule::builder(OLD));
    let untouched = Untouched::now(&module);
    let link = bench.path().join("platform-usb-0:2.1:1.2-port0");
    std::os::unix::fs::symlink(module.tty(Role::Diag).unwrap(), &link).unwrap();
    let real = module.tty(Role::Modem).unwrap().canonicalize().unwrap();
    for port in [link.to_str().unwrap(), real.to_str().unwrap(), "usb:1-4.2"] {
        let ended = bench.qpyflash(&["identify", "--json", "--port", port]).end();
        assert_eq!(ended.code, Some(0), "{ended:#?}");
        let at = module.tty(Role::At).unwrap();
        assert_eq!(
            ended.json()["module"],
            format!("1-4.2 ({})", at.display()),
            "{port}"
        );
    }
    untouched.assert();
    assert_eq!(module.counters().diag_bytes, 0);
}

/// Some firmware has its AT port elsewhere: the next port of the table is asked, and a log port hears nothing.
#[test]
fn where_the_at_port_carries_logs_the_modem_port_is_asked() {
    let bench = Bench::new();
    let builder = UnisocModule::builder(UnisocChip::Uis8910, "EC600UCNLBR03A02M08");
    let elsewhere = qpyflash_virtual::VirtualBus::temporary().unwrap();
    let module = builder.attach(&elsewhere).unwrap();
    module.wait_for_mode(Mode::Run, PATIENCE).unwrap();
    let tty = |role| -> PathBuf { module.tty(role).unwrap() };
    let (logs, modem) = (tty(Role::CpLog), tty(Role::Modem));
    plug(
        &bench,
        ("2c7c", "0901"),
        true,
        &[(2, Some(&logs)), (7, Some(&modem))],
    );
    // The logs come every 200 ms: a shorter time to listen would not hear them.
    let ended = bench.say("identify --json").scale("1").end();
    assert_eq!(ended.code, Some(0), "{ended:#?}");
    assert_eq!(ended.json()["identity"]["ordering_code"], "EC600UCNLB");
    assert_eq!(module.counters().diag_bytes, 0);
    assert_eq!(module.at_commands()[0], "AT");
}
