//! What a package asks for, and what it must not: chips, groups for production, damage.

use qpyflash_virtual::{AsrModule, AsrPackage, Chip, Scale};
use serde_json::{Value, json};

use crate::bench::{Bench, NEW, OLD, PATIENCE, Untouched, assert_holds, firmware};
use crate::harness::each;

#[test]
fn a_chip_that_the_package_does_not_require_is_refused_before_anything_is_loaded() {
    let for_1601 = AsrPackage::generate(NEW, Chip::Asr1601, Scale::Small);
    let required = |name: &str, value: &str| {
        let entry = json!({"command": "require", "name": name, "value": value});
        firmware()
            .clone()
            .with_entries(|entries| entries.insert(0, entry))
    };
    let rejected = json!({"command": "reject", "name": "product", "value": "arom*"});
    let rejects = firmware()
        .clone()
        .with_entries(|entries| entries.insert(0, rejected));
    let files = [
        ("1601.zip", for_1601.zip()),
        ("firmware.bin", Ok(for_1601.member("firmware.bin").unwrap())),
        ("product.zip", required("product", "arom-other | x").zip()),
        ("rejects.zip", rejects.zip()),
    ];
    each(&files, |(file, bytes)| {
        let bench = Bench::new();
        bench.file(file, bytes.as_ref().unwrap());
        let module = bench.attach(AsrModule::builder(OLD));
        let before = module.flash();
        let ended = bench.say(&format!("write {file} --json")).end();
        let outcome = ended.expect(6, "refused.chip", "nothing");
        assert_eq!(outcome["error"]["phase"], "check-chip");
        assert!(module.flash().bytes() == before.bytes());
        let loaded = |command: &String| command.starts_with("download");
        assert!(!module.commands().iter().any(loaded));
        module.power_cycle();
        module.wait_for_revision(OLD, PATIENCE).unwrap();
    });
}

#[test]
fn groups_for_production_run_only_when_asked_for() {
    let factory = json!({
        "command": "erase", "group": "9", "partition": "fota_pkg", "productionOnly": true
    });
    let package = firmware().clone().with_entries(|entries| entries.push(factory));
    each(&[("", false), ("--production", true)], |(options, erased)| {
        let bench = Bench::new();
        bench.file("fw.zip", package.zip().unwrap());
        let module = bench.attach(AsrModule::builder(OLD));
        let outcome = bench
            .say(&format!("write fw.zip --json {options}"))
            .end()
            .expect_written("confirmed");
        let area = module.partition("fota_pkg").unwrap();
        assert_eq!(area.iter().all(|byte| *byte == 0xFF), *erased);
        assert_eq!(module.commands().contains(&"erase:fota_pkg".to_owned()), *erased);
        let warnings = outcome["warnings"].to_string();
        assert!(
            warnings.contains("factory") || warnings.contains("production"),
            "{warnings}"
        );
    });
}

#[test]
fn a_package_without_a_flasher_outside_production_is_refused_until_that_is_asked_for() {
    let bench = Bench::new();
    let package = firmware()
        .clone()
        .with_entries(|entries| entries[4]["productionOnly"] = Value::Bool(true));
    bench.file("fw.zip", package.zip().unwrap());
    let module = bench.attach(AsrModule::builder(OLD));
    let untouched = Untouched::now(&module);
    bench
        .say("write fw.zip --json")
        .end()
        .expect(6, "refused.unsafe", "nothing");
    untouched.assert();
    bench
        .say("write fw.zip --production --json")
        .end()
        .expect_written("confirmed");
    assert_holds(&module, firmware());
}

#[test]
fn a_damaged_or_dangerous_package_never_reaches_the_module() {
    let fuse = json!({"command": "fuse", "image": "cp.bin"});
    let twice = json!({"command": "flash", "image": "nothing.bin", "partition": "cp"});
    let lost = json!({"command": "flash", "image": "cp.bin", "partition": "nowhere"});
    let entry = |entry: Value| firmware().clone().with_entries(|entries| entries.push(entry));
    let zip = firmware().zip().unwrap();
    let cases: [(&str, Vec<u8>, &str); 9] = [
        ("fuse", entry(fuse).zip().unwrap(), "package.unsupported"),
        ("missing image", entry(twice).zip().unwrap(), "package.corrupt"),
        ("missing partition", entry(lost).zip().unwrap(), "package.corrupt"),
        (
            "absent member",
            firmware().clone().without_member("cp.bin").zip().unwrap(),
            "package.corrupt",
        ),
        (
            "table",
            firmware()
                .clone()
                .with_changed("partition.bin", |bytes| bytes[100] ^= 1)
                .zip()
                .unwrap(),
            "package.corrupt",
        ),
        (
            "image too large",
            firmware()
                .clone()
                .with_changed("fwcerts.bin", |bytes| bytes.resize(0x4000, 1))
                .zip()
                .unwrap(),
            "package.corrupt",
        ),
        ("truncated", zip[..zip.len() / 2].to_vec(), "package.corrupt"),
        (
            "not json",
            firmware()
                .clone()
                .with_member("download.json", "{")
                .zip()
                .unwrap(),
            "package.corrupt",
        ),
        ("something else", b"hello".to_vec(), "package.unknown"),
    ];
    let bench = Bench::new();
    let module = bench.attach(AsrModule::builder(OLD));
    let untouched = Untouched::now(&module);
    each(&cases, |(name, bytes, error)| {
        bench.file(&format!("{name}.zip"), bytes);
        let file = format!("{name}.zip");
        let outcome = bench
            .qpyflash(&["write", &file, "--json"])
            .end()
            .expect(3, error, "nothing");
        assert_eq!(outcome["error"]["phase"], "resolve");
    });
    untouched.assert();
    assert_eq!(module.counters().at_bytes, 0);
}

#[test]
fn a_flash_chip_that_the_package_does_not_know_is_found_before_anything_is_written() {
    let bench = Bench::new();
    let module = bench.attach(AsrModule::builder(OLD).flash_chip(0x80_0000, 0xEF, 0x4018));
    let before = module.flash();
    let outcome = bench
        .say("write fw.zip --json")
        .end()
        .expect(4, "module.nak", "helpers-only");
    let message = outcome["error"]["message"].as_str().unwrap();
    assert!(
        message.contains("flashinfo.bin") && message.contains("parse flash information"),
        "{message}"
    );
    assert!(module.flash().bytes() == before.bytes());
}

/// The package's tables say 8 MiB, the chip has four.
#[test]
fn a_flash_that_is_too_small_ends_the_write_as_half_written() {
    let bench = Bench::new();
    let _module = bench.attach(AsrModule::builder(OLD).flash_chip(0x40_0000, 0xC8, 0x6017));
    bench
        .say("write fw.zip --json")
        .end()
        .expect(10, "module.nak", "partial");
}
