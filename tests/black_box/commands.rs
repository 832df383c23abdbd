//! The commands that write nothing, and what every command prints: stdout holds the result and nothing else.

use qpyflash_virtual::{AsrModule, AsrPackage, Chip, Scale};
use serde_json::Value;

use crate::bench::{Bench, NAME, NEW, OLD, Untouched, firmware, vector};
use crate::harness::Ended;

const FITTING: &str = "EC600NCNLAR03A07M08";

#[track_caller]
fn keys(value: &Value) -> Vec<&str> {
    let mut keys: Vec<&str> = value.as_object().unwrap().keys().map(String::as_str).collect();
    keys.sort_unstable();
    keys
}

#[track_caller]
fn assert_code(ended: &Ended, code: i32) {
    assert_eq!(ended.code, Some(code), "{ended:#?}");
}

#[test]
fn inspect_has_exactly_the_keys_that_were_promised() {
    let bench = Bench::new();
    bench.file("real.pac", vector("packages/QPY_OCPU_V0001_EC800G_CNLD_FW.pac"));
    bench.file("real.binpkg", vector("eigencomm/at_command.binpkg"));
    for (file, platform, series) in [
        ("fw.zip", "asr", "EC600N"),
        ("real.pac", "unisoc8850", "EC800G"),
        ("real.binpkg", "eigencomm618", "EC600E"),
    ] {
        let ended = bench.say(&format!("inspect {file} --json")).end();
        assert_code(&ended, 0);
        let shown = ended.json();
        let mut promised = vec![
            "built_for",
            "helpers",
            "images",
            "origin",
            "platform",
            "schema",
            "sha256",
            "warnings",
        ];
        if shown.get("steps").is_some() {
            promised.extend(["kept", "steps"]);
            promised.sort_unstable();
            assert_eq!(keys(&shown["steps"][0]), ["action", "name", "size", "target"]);
        }
        assert_eq!(file != "fw.zip", promised.contains(&"kept"), "{file}");
        assert_eq!(keys(&shown), promised);
        assert_eq!(shown["schema"], 1);
        assert_eq!(shown["platform"], platform);
        let built_for = &shown["built_for"];
        assert_eq!(
            keys(built_for),
            ["evidence", "revision", "series", "submodel", "variant"]
        );
        assert_eq!(built_for["series"], series);
        assert_eq!(keys(&built_for["evidence"][0]), ["from", "value"]);
        assert_eq!(keys(&shown["images"][0]), ["name", "sha256", "size", "target"]);
        assert_eq!(shown["origin"][0], file);
    }
}

#[test]
fn inspect_tells_a_person_the_same() {
    let bench = Bench::new();
    let ended = bench.say("inspect fw.zip").end();
    assert_code(&ended, 0);
    for words in [
        "fw.zip > QPY_OCPU_V0006_EC600N_CNLA_FW.bin",
        "EC600N",
        "CNLA",
        NEW,
        "cp.bin",
        "flasher.img",
    ] {
        assert!(ended.stdout.contains(words), "{words}\n{}", ended.stdout);
    }
    assert_eq!(ended.stderr, "");
}

#[test]
fn unpack_writes_the_members_as_they_are_and_overwrites_nothing() {
    let bench = Bench::new();
    let ended = bench.say("unpack fw.zip -o out --json").end();
    assert_code(&ended, 0);
    assert!(
        ended.json()["files"].as_array().unwrap().len() >= 16,
        "{}",
        ended.stdout
    );
    for member in ["cp.bin", "download.json", "flasher.img", "partition.bin"] {
        let found = find(&bench.path().join("out"), member);
        assert!(found == firmware().member(member), "{member}");
    }
    let again = bench.say("unpack fw.zip -o out --json").end();
    assert_code(&again, 2);
    assert!(
        again.stdout.contains("exists already and is not replaced"),
        "{again:#?}"
    );
    let check = bench.say("check out --json").end();
    assert_code(&check, 0);
}

/// The bytes of the file of that name below a folder.
fn find(folder: &std::path::Path, name: &str) -> Option<Vec<u8>> {
    let entries = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let (folders, files): (Vec<_>, Vec<_>) = entries.partition(|path| path.is_dir());
    let here = files
        .iter()
        .find(|path| path.ends_with(name))
        .map(|path| std::fs::read(path).unwrap());
    here.or_else(|| folders.iter().find_map(|folder| find(folder, name)))
}

#[test]
fn resolve_finds_what_a_module_may_take_and_says_why_not() {
    let bench = Bench::new();
    let package = |revision| AsrPackage::generate(revision, Chip::Asr1603, Scale::Small);
    let cnlf = package("EC600NCNLFR01A01M16_OCPU_QPY");
    bench.file(
        &format!("store/old/{NAME}.zip"),
        firmware().public_zip(NAME).unwrap(),
    );
    let newer = "QPY_OCPU_V0007_EC600N_CNLA_FW";
    bench.file(
        &format!("store/{newer}.zip"),
        package("EC600NCNLAR03A09M08_OCPU_QPY").public_zip(newer).unwrap(),
    );
    bench.file("store/cnlf.zip", cnlf.zip().unwrap());
    bench.file("store/notes.txt", "nothing");
    let ended = bench.say("resolve --oc EC600NCNLA-N05-SNNSA store --json").end();
    assert_code(&ended, 0);
    let shown = ended.json();
    let fitting = shown["fitting"].as_array().unwrap();
    let names: Vec<&str> = fitting.iter().map(|one| one["path"].as_str().unwrap()).collect();
    assert_eq!(names.len(), 2, "{shown:#}");
    assert!(
        names[0].contains("V0007") && names[1].contains("V0006"),
        "{names:?}"
    );
    assert_eq!(fitting[0]["fit"], "exact");
    assert!(shown["others"].to_string().contains("cnlf.zip"), "{shown:#}");

    let none = bench.say("resolve --oc EC600MCNLA store").end();
    assert_code(&none, 6);
    assert!(none.stdout.contains("cnlf.zip"), "{none:#?}");
    let empty = bench.say("resolve store").end();
    assert_code(&empty, 2);
}

#[test]
fn list_shows_each_module_with_its_ports() {
    let bench = Bench::new();
    let empty = bench.say("list").end();
    assert_eq!(
        (empty.code, empty.stdout.as_str()),
        (Some(0), "no module is attached")
    );
    assert_eq!(
        bench.say("list --json").end().json()["modules"],
        serde_json::json!([])
    );

    let running = bench.attach(AsrModule::builder(OLD));
    let _loader = bench.attach(AsrModule::builder(OLD).topology("1-4.3").starts_in_download());
    let shown = bench.say("list --json").end().json();
    let modes: Vec<&Value> = shown["modules"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| &one["mode"])
        .collect();
    assert_eq!(modes, ["run", "download"]);
    assert_eq!(shown["modules"][0]["topology"], "1-4.2");
    assert_eq!(shown["modules"][1]["usb_id"], "2ecc:3004");
    let ports: Vec<(&str, &str)> = shown["modules"][0]["ports"]
        .as_array()
        .unwrap()
        .iter()
        .map(|port| (port["role"].as_str().unwrap(), port["path"].as_str().unwrap()))
        .collect();
    assert_eq!(ports.len(), running.ttys().len());
    let at = running.tty(qpyflash_virtual::Role::At).unwrap();
    assert_eq!(ports[0], ("at", at.to_str().unwrap()));
    let text = bench.say("list").end();
    assert!(
        text.stdout.contains("1-4.3  2ecc:3004  download mode"),
        "{text:#?}"
    );
    assert_eq!(running.counters().at_bytes, 0);
}

#[test]
fn identify_tells_what_the_module_says_and_leaves_it_alone() {
    let bench = Bench::new();
    let module = bench.attach(AsrModule::builder(FITTING));
    let untouched = Untouched::now(&module);
    let ended = bench.say("identify --json").end();
    assert_code(&ended, 0);
    let identity = &ended.json()["identity"];
    assert_eq!(identity["ordering_code"], "EC600NCNLA");
    assert_eq!(identity["revision_text"], FITTING);
    assert_eq!(identity["imei"], "866327040830317");
    assert_eq!(identity["serial_number"], "D1Q20GM050038341P");
    assert_eq!(identity["witness"], "factory");
    let text = bench.say("identify").end();
    for words in ["EC600NCNLA", FITTING, "866327040830317", "1-4.2"] {
        assert!(text.stdout.contains(words), "{text:#?}");
    }
    untouched.assert();
}

#[test]
fn a_module_in_download_mode_cannot_be_identified() {
    let bench = Bench::new();
    let module = bench.attach(AsrModule::builder(OLD).starts_in_download());
    let ended = bench.say("identify --json").end();
    assert_code(&ended, 7);
    assert_eq!(ended.json()["error"]["code"], "unknown.module");
    assert_eq!(module.bytes_received_in_download_mode(), 0);
}

#[test]
fn check_needs_no_module() {
    let bench = Bench::new();
    let check = |options: &str| bench.say(&format!("check fw.zip --json {options}")).end();
    assert_eq!(check("").outcome()["verdict"], "clear");
    assert_eq!(check("--oc EC600NCNLA").outcome()["ordering_code"], "EC600NCNLA");
    check("--oc EC600NCNLF").expect(6, "refused.submodel", "nothing");
    check("--path 1-4.2").expect(4, "module.missing", "nothing");
    let text = bench.say("check fw.zip").end();
    assert_code(&text, 0);
    assert!(text.stdout.contains("is sound"), "{text:#?}");
}

#[test]
fn check_asks_the_only_module_attached_as_write_would() {
    let bench = Bench::new();
    let module = bench.attach(AsrModule::builder("EC600NCNLFR01A01M16"));
    let untouched = Untouched::now(&module);
    for command in ["check", "write"] {
        let contradicted = bench
            .say(&format!("{command} fw.zip --json --oc EC600NCNLA"))
            .end();
        contradicted.expect(6, "refused.contradiction", "nothing");
        bench
            .say(&format!("{command} fw.zip --json"))
            .end()
            .expect(6, "refused.submodel", "nothing");
    }
    untouched.assert();
}

#[test]
fn an_answer_as_json_lines_is_one_line() {
    let bench = Bench::new();
    let _module = bench.attach(AsrModule::builder(FITTING));
    let ended = bench.say("identify --jsonl").end();
    assert_code(&ended, 0);
    assert_eq!(ended.stdout.lines().count(), 1, "{ended:#?}");
    let answer: Value = serde_json::from_str(&ended.stdout).unwrap();
    assert_eq!(answer["identity"]["ordering_code"], "EC600NCNLA");
}

#[test]
fn what_cannot_be_meant_is_a_usage_error_and_says_so_on_stderr() {
    let bench = Bench::new();
    for line in [
        "",
        "burn",
        "write",
        "write fw.zip --json --jsonl",
        "write fw.zip --force",
        "write fw.zip --oc nonsense",
        "write fw.zip --oc EC600N",
        "write fw.zip --built-for QPY",
        "write fw.zip --path somewhere",
        "write fw.zip --path 1-4.2 --port usb:1-4.2",
        "write fw.zip --before later",
        "write fw.zip --after never",
        "write fw.zip --timeout-scale 0",
        "write fw.zip --timeout-scale fast",
        "write fw.zip --port usb:somewhere",
        "resolve --oc EC600NCNLA",
        "unpack fw.zip",
    ] {
        let ended = bench.say(line).end();
        assert_eq!((ended.code, ended.stdout.as_str()), (Some(2), ""), "{line}");
        assert!(!ended.stderr.is_empty(), "{line}");
    }
}

#[test]
fn an_unreadable_file_is_no_package() {
    let bench = Bench::new();
    for command in ["write", "check", "inspect", "unpack -o out"] {
        let ended = bench.say(&format!("{command} missing.zip --json")).end();
        assert_code(&ended, 3);
        assert_eq!(ended.json()["error"]["code"], "package.unreadable", "{command}");
    }
}
