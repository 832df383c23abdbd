//! A station of a production line: many modules on one bus, written at once, and the record of it.

use std::process::{Command, Stdio};
use std::time::Duration;

use qpyflash_virtual::{
    AsrModule, AtOptions, Effect, EigencommModule, EigencommPackage, Fault, LinkModel, Point, UnisocModule,
    UnisocPackage,
};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::bench::{Bench, NEW, OLD, Untouched, assert_holds, firmware};
use crate::harness::Ended;
use crate::{eigencomm, unisoc};

/// A station with these slots: name, path, ordering code; and these packages: ordering code, file.
pub fn station(bench: &Bench, limits: &str, slots: &[(&str, &str, &str)], packages: &[(&str, &str)]) {
    let mut text = format!("line = \"L1\"\nstation = \"S1\"\nstate = \"state\"\n[limits]\n{limits}\n");
    for (code, file) in packages {
        let sha256 = sha256(&std::fs::read(bench.path().join(file)).unwrap());
        text +=
            &format!("[[product]]\nordering_code = \"{code}\"\nfile = \"{file}\"\nsha256 = \"{sha256}\"\n");
    }
    for (name, path, code) in slots {
        text += &format!("[[slot]]\nname = \"{name}\"\npath = \"{path}\"\n");
        if !code.is_empty() {
            text += &format!("ordering_code = \"{code}\"\n");
        }
    }
    bench.file("fixture.toml", text);
}

fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

pub fn imei(number: usize) -> String {
    format!("8663270400{number:05}")
}

pub fn asr(path: &str, number: usize) -> qpyflash_virtual::AsrModuleBuilder {
    AsrModule::builder(OLD)
        .topology(path)
        .identity(|identity| identity.imei = imei(number))
}

/// The outcome of a slot, from `--json`.
#[track_caller]
pub fn slot<'a>(ended: &'a Value, name: &str) -> &'a Value {
    let slots = ended["slots"].as_array().unwrap();
    &slots.iter().find(|one| one["slot"] == name).unwrap()["outcome"]
}

#[track_caller]
pub fn expect(ended: &Value, name: &str, code: i32, error: &str, written: &str) {
    let outcome = slot(ended, name);
    let found = (
        &outcome["exit_code"],
        outcome["error"]["code"].as_str(),
        &outcome["written"]["state"],
    );
    let error = Some(error).filter(|error| !error.is_empty());
    assert_eq!(
        found,
        (&Value::from(code), error, &Value::from(written)),
        "{name}: {outcome:#}"
    );
}

#[track_caller]
pub fn report(bench: &Bench, options: &str) -> Value {
    let ended = bench.say(&format!("fixture report --json {options}")).end();
    assert_eq!(ended.code, Some(0), "{ended:#?}");
    ended.json()
}

/// The events of each slot are gap-free, and `finished` is the last of them and stands nowhere else.
#[track_caller]
fn assert_every_slot_finishes(ended: &Ended, slots: usize) {
    let mut of_slots = std::collections::BTreeMap::<String, Vec<Value>>::new();
    for line in ended.stdout.lines() {
        let event: Value = serde_json::from_str(line).unwrap();
        of_slots
            .entry(event["slot"].as_str().unwrap().to_owned())
            .or_default()
            .push(event);
    }
    assert_eq!(of_slots.len(), slots, "{ended:#?}");
    for events in of_slots.values() {
        for (number, event) in events.iter().enumerate() {
            assert_eq!(event["seq"], number, "{event}");
            assert_eq!(event["kind"] == "finished", number + 1 == events.len(), "{event}");
        }
    }
}

#[test]
fn sixteen_modules_of_all_platforms_pass_at_once() {
    let bench = Bench::new();
    let eigencomm_package = eigencomm::package(eigencomm::NEW);
    let wrapped = eigencomm_package.public_bin_zip("QPY_OCPU_V0003_EC600E_CNLC_FW");
    bench.file("eigencomm.zip", wrapped.unwrap());
    let pacs: Vec<UnisocPackage> = unisoc::CHIPS
        .iter()
        .map(|&(chip, _, new, _)| unisoc::package(chip, new))
        .collect();
    for (pac, name) in pacs.iter().zip(["u0.zip", "u1.zip"]) {
        bench.file(name, pac.public_bin_zip("QPY_OCPU_V0004_FW").unwrap());
    }
    let codes = [
        "EC600NCNLA",
        unisoc::CHIPS[0].3,
        unisoc::CHIPS[1].3,
        eigencomm::CODE,
    ];
    let places: Vec<(String, String)> = (0..16)
        .map(|n| (format!("S{n}"), format!("1-4.{}", n + 1)))
        .collect();
    let slots: Vec<(&str, &str, &str)> = (0..16)
        .map(|n| (places[n].0.as_str(), places[n].1.as_str(), codes[n % 4]))
        .collect();
    let files = ["fw.zip", "u0.zip", "u1.zip", "eigencomm.zip"];
    let packages: Vec<(&str, &str)> = codes.into_iter().zip(files).collect();
    station(&bench, "", &slots, &packages);

    let (mut asrs, mut unisocs, mut eigencomms) = (Vec::new(), Vec::new(), Vec::new());
    for (n, (_, path)) in places.iter().enumerate() {
        match n % 4 {
            0 => asrs.push(bench.attach(asr(path, n))),
            3 => {
                let builder = EigencommModule::builder(eigencomm::OLD).topology(path);
                let builder = builder.identity(|identity| identity.imei = imei(n));
                eigencomms.push(bench.attach(builder));
            }
            chip => {
                let (kind, old, ..) = unisoc::CHIPS[chip - 1];
                let builder = UnisocModule::builder(kind, old).topology(path);
                let builder = builder.identity(|identity| identity.imei = imei(n));
                unisocs.push((chip - 1, bench.attach(builder)));
            }
        }
    }
    let checked = bench.say("fixture check --json").scale("1").end();
    assert_eq!(checked.code, Some(0), "{checked:#?}");
    let ended = bench.say("fixture run --jsonl --operator Ada").scale("1").end();
    assert_eq!(ended.code, Some(0), "{ended:#?}");
    assert_every_slot_finishes(&ended, 16);
    asrs.iter().for_each(|module| assert_holds(module, firmware()));
    unisocs
        .iter()
        .for_each(|(chip, module)| unisoc::assert_holds(module, &pacs[*chip]));
    for module in &eigencomms {
        let package: &EigencommPackage = &eigencomm_package;
        eigencomm::assert_holds(module, package);
    }

    let all = report(&bench, "");
    let totals = &all["totals"];
    assert_eq!(
        (&totals["modules"], &totals["first_pass"]),
        (&16.into(), &16.into()),
        "{totals:#}"
    );
    assert_eq!(all["attempts"][0]["operator"], "Ada");
    assert_eq!(
        report(&bench, "--oc ec600n_cnla --verdict pass")["totals"]["attempts"],
        4
    );
    let shown = bench.say(&format!("fixture show {}", imei(4))).end();
    assert!(
        shown.stdout.contains(NEW) && shown.stdout.contains("enter-download"),
        "{shown:#?}"
    );
    let csv = bench.say("fixture report --csv").end();
    assert_eq!(csv.stdout.lines().count(), 17, "{csv:#?}");
}

#[test]
fn what_goes_wrong_in_one_slot_stays_there() {
    let bench = Bench::new();
    let no_answer = AtOptions {
        silent: true,
        ..AtOptions::default()
    };
    let silent = AsrModule::builder("EC600NCNLAR03A07M08").topology("1-1");
    let _silent = bench.attach(silent.at(no_answer));
    let fault = |at, nth, what| Fault { at, nth, what };
    let vanishing = bench.attach(asr("1-2", 2).fault(fault(Point::Data(100), 9, Effect::Vanish)));
    let wrong = bench.attach(AsrModule::builder("EC600NCNLFR01A01M16").topology("1-3"));
    let garbage = Effect::Garbage(b"\x7e\x7d\x23WHAT\x7e\x00\xff\x7d\x7d~~~garbage".to_vec());
    let talking = (1..=3).fold(asr("1-4", 4), |builder, nth| {
        builder.fault(fault(Point::Getvar, nth, garbage.clone()))
    });
    let _talking = bench.attach(talking);
    let dying = asr("1-5", 5)
        .fault(fault(Point::Data(100), 6, Effect::PowerLoss))
        .fault(fault(Point::Flash, 3, Effect::PowerLoss))
        .crash_loop(Duration::from_secs(60), Duration::from_millis(50));
    let dying = bench.attach(dying);
    let good = ["1-6", "1-7"].map(|path| bench.attach(asr(path, path.len() + usize::from(path == "1-7"))));
    let untouched = Untouched::now(&wrong);
    let code = "EC600NCNLA";
    let slots = [
        ("silent", "1-1", code),
        ("vanishing", "1-2", code),
        ("wrong", "1-3", code),
        ("talking", "1-4", code),
        ("dying", "1-5", code),
        ("good1", "1-6", code),
        ("good2", "1-7", code),
        ("empty", "1-8", code),
    ];
    station(
        &bench,
        "retries = 2\nreturn_seconds = 5",
        &slots,
        &[(code, "fw.zip")],
    );
    let ended = bench.say("fixture run --json").end();
    let outcome = ended.json();
    expect(&outcome, "silent", 4, "module.silent", "nothing");
    expect(&outcome, "wrong", 6, "refused.contradiction", "nothing");
    expect(&outcome, "empty", 4, "module.missing", "nothing");
    for name in ["good1", "good2", "dying"] {
        expect(&outcome, name, 0, "", "complete");
    }
    expect(&outcome, "vanishing", 10, "module.missing", "partial");
    expect(&outcome, "talking", 4, "module.garbage", "nothing");
    assert_eq!(ended.code, Some(10), "{outcome:#}");
    let marked = |end: &&Value| end["outcome"]["exit_code"] != 0;
    let marked = outcome["slots"].as_array().unwrap().iter().filter(marked);
    let marked: Vec<&str> = marked.map(|end| end["slot"].as_str().unwrap()).collect();
    assert_eq!(marked, ["silent", "vanishing", "wrong", "talking", "empty"]);
    good.iter()
        .chain([&dying])
        .for_each(|module| assert_holds(module, firmware()));
    untouched.assert();
    drop(vanishing);
    let all = report(&bench, "");
    let attempts = |name: &str| {
        let all = all["attempts"].as_array().unwrap();
        all.iter().filter(|one| one["slot"] == name).count()
    };
    let counts = ["silent", "vanishing", "wrong", "talking", "dying", "good1"].map(attempts);
    assert_eq!(counts, [3, 3, 1, 3, 3, 1], "{all:#}");
}

#[test]
fn killed_at_any_moment_the_record_opens_and_the_next_run_starts() {
    let code = "EC600NCNLA";
    for phase in ["identify", "load-helper", "write"] {
        let bench = Bench::new();
        let modules = ["1-1", "1-2"].map(|path| {
            let link = LinkModel {
                bytes_per_second: Some(400_000),
                ..LinkModel::default()
            };
            bench.attach(asr(path, path.len() + usize::from(path == "1-2")).link(link))
        });
        station(
            &bench,
            "retries = 2",
            &[("A", "1-1", code), ("B", "1-2", code)],
            &[(code, "fw.zip")],
        );
        let mut running = bench.say("fixture run --jsonl").start();
        running.wait_for(|event| event["phase"] == phase && event["slot"] == "A");
        drop(running);
        let left = report(&bench, "");
        let attempts = left["attempts"].as_array().unwrap();
        let killed = attempts.iter().find(|one| one["slot"] == "A").unwrap();
        assert_eq!(killed["verdict"], "interrupted", "{killed:#}");
        let written = match phase {
            "identify" => "nothing",
            "load-helper" => "helpers-only",
            _ => "unknown",
        };
        assert_eq!(killed["written"]["state"], written, "{killed:#}");
        if phase != "identify" {
            assert_eq!(killed["imei"], imei(3), "{killed:#}");
        }
        for module in &modules {
            module.detach();
            module.attach();
            module.wait_while_mode(qpyflash_virtual::Mode::Off, crate::bench::PATIENCE);
        }
        let ended = bench.say("fixture run --json").end();
        assert_eq!(ended.code, Some(0), "{ended:#?}");
        modules.iter().for_each(|module| assert_holds(module, firmware()));
        let still = report(&bench, "--verdict interrupted");
        assert_eq!(still["totals"]["attempts"], attempts.len(), "{still:#}");
    }
}

#[test]
fn labels_from_stdin_decide_and_contradictions_are_left_alone() {
    let bench = Bench::new();
    let code = "EC600NCNLA";
    let modules = ["1-1", "1-2", "1-3", "1-4"];
    let modules = modules.map(|path| bench.attach(asr(path, path.bytes().last().unwrap().into())));
    let number = |slot: u8| imei(slot.into());
    let slots = [
        ("A", "1-1", ""),
        ("B", "1-2", ""),
        ("C", "1-3", code),
        ("D", "1-4", ""),
    ];
    station(&bench, "", &slots, &[(code, "fw.zip")]);
    let untouched: Vec<Untouched<'_>> = modules[1..].iter().map(Untouched::now).collect();
    let labels = format!(
        "A EC600NCNLA-N06-SNNSA {}\nB EC600NCNLA {}\nC EC600NCNLF\n",
        number(b'1'),
        number(b'9')
    );
    bench.file("labels", labels);
    let (variable, bus) = bench.bus.environment();
    let output = Command::new(env!("CARGO_BIN_EXE_qpyflash"))
        .args(["fixture", "run", "--json", "--labels"])
        .env(variable, bus.as_os_str())
        .env("QPYFLASH_TIMEOUT_SCALE", "0.3")
        .current_dir(bench.path())
        .stdin(Stdio::from(
            std::fs::File::open(bench.path().join("labels")).unwrap(),
        ))
        .output()
        .unwrap();
    let outcome: Value = serde_json::from_slice(&output.stdout).unwrap();
    expect(&outcome, "A", 0, "", "complete");
    expect(&outcome, "B", 6, "refused.contradiction", "nothing");
    expect(&outcome, "C", 6, "refused.contradiction", "nothing");
    expect(&outcome, "D", 7, "unknown.module", "nothing");
    assert_eq!(output.status.code(), Some(6));
    assert_holds(&modules[0], firmware());
    untouched.iter().for_each(Untouched::assert);
    let all = report(&bench, "");
    let label = |name: &str| {
        let all = all["attempts"].as_array().unwrap();
        let mut of_slot = all.iter().filter(|one| one["slot"] == name);
        let one = of_slot.next().unwrap();
        assert!(of_slot.next().is_none(), "{all:#?}");
        (one["label_ordering_code"].as_str(), one["label_imei"].as_str())
    };
    let number = [b'1', b'9'].map(number);
    let expected = [
        (Some("EC600NCNLA-N06-SNNSA"), Some(&*number[0])),
        (Some("EC600NCNLA"), Some(&*number[1])),
        (Some("EC600NCNLF"), None),
        (None, None),
    ];
    assert_eq!(["A", "B", "C", "D"].map(label), expected);
}

#[test]
fn a_package_that_is_not_the_pinned_one_stops_everything() {
    let bench = Bench::new();
    let module = bench.attach(asr("1-1", 1));
    let untouched = Untouched::now(&module);
    station(
        &bench,
        "",
        &[("A", "1-1", "EC600NCNLA")],
        &[("EC600NCNLA", "fw.zip")],
    );
    bench.file(
        "fw.zip",
        firmware().public_zip("QPY_OCPU_V0007_EC600N_CNLA_FW").unwrap(),
    );
    for command in ["run", "check"] {
        let ended = bench.say(&format!("fixture {command} --json")).end();
        assert_eq!(ended.code, Some(3), "{ended:#?}");
        assert_eq!(ended.json()["error"]["code"], "package.other");
    }
    untouched.assert();
    assert_eq!(module.counters().at_bytes, 0);
}

#[test]
fn ctrl_c_starts_nothing_more_and_lets_what_runs_end() {
    let bench = Bench::new();
    let code = "EC600NCNLA";
    let modules = ["1-1", "1-2"].map(|path| bench.attach(asr(path, path.bytes().last().unwrap().into())));
    let untouched = Untouched::now(&modules[1]);
    let slots = [("A", "1-1", code), ("B", "1-2", code)];
    station(&bench, "parallel = 1", &slots, &[(code, "fw.zip")]);
    let mut running = bench.say("fixture run --jsonl").start();
    running.wait_for_phase("load-helper");
    running.interrupt();
    let ended = running.end();
    assert_eq!(ended.code, Some(130), "{ended:#?}");
    assert_every_slot_finishes(&ended, 2);
    assert_holds(&modules[0], firmware());
    untouched.assert();
    let verdicts = report(&bench, "");
    let verdicts: Vec<&Value> = verdicts["attempts"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| &one["verdict"])
        .collect();
    assert_eq!(verdicts, ["confirmed", "interrupted"]);
}

#[test]
fn a_check_names_the_wrong_module_and_the_missing_one() {
    let bench = Bench::new();
    let code = "EC600NCNLA";
    let good = bench.attach(asr("1-1", 1));
    let wrong = bench.attach(AsrModule::builder("EC600NCNLFR01A01M16").topology("1-2"));
    let other = bench.attach(AsrModule::builder("EC600NCNLFR01A01M16").topology("1-4"));
    let untouched = [&good, &wrong, &other].map(Untouched::now);
    let slots = [
        ("good", "1-1", code),
        ("wrong", "1-2", code),
        ("missing", "1-3", code),
        ("unknown", "1-4", ""),
    ];
    station(&bench, "", &slots, &[(code, "fw.zip")]);
    let ended = bench.say("fixture check --json").end();
    let outcome = ended.json();
    expect(&outcome, "good", 0, "", "nothing");
    expect(&outcome, "wrong", 6, "refused.contradiction", "nothing");
    expect(&outcome, "missing", 4, "module.missing", "nothing");
    expect(&outcome, "unknown", 7, "unknown.package", "nothing");
    assert_eq!(ended.code, Some(6), "{outcome:#}");
    let ended = bench.say("fixture check --slot good --slot missing").end();
    assert_eq!(ended.code, Some(4), "{ended:#?}");
    assert!(
        ended.stdout.starts_with(
            "good       ready, EC600NCNLA\nmissing    module.missing: no module is attached at `1-3`"
        ),
        "{ended:#?}"
    );
    untouched.iter().for_each(Untouched::assert);
}

#[test]
fn the_slots_are_learned_by_plugging_one_module_after_the_other() {
    let bench = Bench::new();
    let code = "EC600NCNLA";
    let _was_there = bench.attach(asr("1-9", 9));
    station(&bench, "", &[], &[(code, "fw.zip")]);
    let mut running = bench.say("fixture learn A B --jsonl").start();
    let modules = [("A", "2-1"), ("B", "1-3")].map(|(name, path)| {
        running.wait_for(|step| step["kind"] == "plug" && step["name"] == name);
        let module = bench.attach(asr(path, path.bytes().last().unwrap().into()));
        running.wait_for(|step| step["kind"] == "found" && step["name"] == name && step["path"] == path);
        module
    });
    assert_eq!(running.end().code, Some(0));
    let checked = bench.say("fixture check").end();
    assert_eq!(
        checked.stdout, "A          ready, EC600NCNLA\nB          ready, EC600NCNLA",
        "{checked:#?}"
    );
    assert_eq!(bench.say("fixture learn A").end().code, Some(2));
    assert!(
        modules
            .iter()
            .all(|module| module.bytes_received_in_download_mode() == 0)
    );
}
