//! `download.json`: what is taken, what is refused, and what it becomes on the wire.

use serde_json::json;

use super::*;

fn refusal(maker: Maker) -> String {
    maker.plan().expect_err("a refusal").to_string()
}

fn app() -> Maker {
    Maker::sdk().flash("app.bin", "user_app", b"HELLO")
}

#[test]
fn lists_the_real_sdk_package() {
    let plan = app().plan().expect("a good package");
    let names = |images: &[crate::asr::Image]| {
        images
            .iter()
            .map(|image| (image.name.clone(), image.target.clone()))
            .collect::<Vec<_>>()
    };
    assert_eq!(names(plan.images()), [("app.bin".into(), "user_app".into())]);
    let helpers = ["preboot.img", "flasher.img", "flashinfo.bin", "partition.bin"];
    assert_eq!(
        names(plan.helpers()),
        helpers.map(|name| (name.to_owned(), String::new()))
    );
    assert_eq!(plan.warnings(), [""; 0]);
    assert_eq!(plan.needs_production(), None);
}

#[test]
fn refuses_the_stale_16_mb_table() {
    let why = refusal(app().member("partition.bin", &vector("sdk/partition_16M.bin")));
    assert!(
        why.contains("`partition.bin` is corrupt: CRC BD083CF7 stored, 338F6331 computed"),
        "{why}"
    );
}

#[test]
fn refuses_what_is_not_an_array_of_objects() {
    let parse = |json: &[u8]| {
        Plan::from_download_json(json, &mut |_| None)
            .expect_err("a refusal")
            .to_string()
    };
    assert!(parse(b"{}").contains("not an array of entries"));
    assert!(parse(b"[1]").contains("entry 1 is corrupt: it is not an object"));
    assert!(parse(b"[{]").contains("not JSON"));
    assert!(parse(b"").contains("not JSON"));
    assert!(parse(b"[]").contains("writes nothing"));
    assert!(parse(&b"[".repeat(100_000)).contains("not JSON"));
    assert!(
        parse(b"\xEF\xBB\xBF[]").contains("writes nothing"),
        "a byte order mark does no harm"
    );
}

#[test]
fn refuses_commands_we_do_not_run() {
    for (command, why) in [
        ("fuse", "can never be undone"),
        ("boot", "leaves the loader"),
        ("upload", "reads flash"),
        ("upgrade", "modem"),
        ("nop", "unknown command"),
        ("cust-flash", "unknown command"),
        ("require-for-product", "unknown command"),
        ("Flash", "unknown command"),
    ] {
        let refused = refusal(app().entry(json!({"command": command, "image": "app.bin"})));
        assert!(
            refused.contains(&format!("`{command}` is not supported")) && refused.contains(why),
            "{refused}"
        );
    }
}

#[test]
fn refuses_fields_of_the_wrong_type() {
    for entry in [
        json!({"group": "1"}),
        json!({"command": ["flash"]}),
        json!({"command": "flash", "partition": "cp"}),
        json!({"command": "flash", "image": "app.bin"}),
        json!({"command": "flash", "image": {"a": 1}, "partition": "cp"}),
        json!({"command": "erase"}),
        json!({"command": "erase", "partition": true}),
        json!({"command": "erase", "partition": ""}),
        json!({"command": "erase", "partition": "a b"}),
        json!({"command": "erase", "partition": "x".repeat(32)}),
        json!({"command": "require", "name": "product"}),
        json!({"command": "require", "value": "arom"}),
        json!({"command": "require", "name": "a\nb", "value": "arom"}),
        json!({"command": "progress", "value": "5"}),
        json!({"command": "progress", "value": -1}),
        json!({"command": "progress", "value": 0x1_0000_0000u64}),
        json!({"command": "progress"}),
        json!({"command": "go", "group": [0]}),
        json!({"command": "go", "productionOnly": "true"}),
        json!({"command": "go", "productionOnly": 1}),
        json!({"command": "go", "version-bootrom": {}}),
        json!({"command": "go", "weight": [1]}),
        json!({"command": "go", "imageSize": true}),
    ] {
        let why = refusal(app().entry(entry.clone()));
        assert!(why.contains("is corrupt"), "{entry}: {why}");
    }
}

#[test]
fn takes_numbers_for_text_and_names_unknown_fields() {
    let plan = app()
        .entry(json!({"command": "require", "group": 0, "name": "version", "value": 0.5, "colour": "red"}))
        .plan()
        .expect("a good package");
    assert_eq!(
        plan.warnings(),
        ["download.json entry 10: unknown field `colour` is ignored"]
    );
    let (module, result) = wire_of(&plan, Module::new(), &Options::default());
    result.expect("a good run");
    assert_eq!(
        module
            .commands()
            .iter()
            .filter(|text| **text == "getvar:version")
            .count(),
        2
    );
}

#[test]
fn refuses_missing_images_by_their_exact_name() {
    let entry = |image: &str| json!({"command": "flash", "image": image, "partition": "cp"});
    assert!(refusal(app().entry(entry("cp.bin"))).contains("`cp.bin` is named by the package but missing"));
    assert!(refusal(app().member("CP.bin", b"x").entry(entry("cp.bin"))).contains("missing"));
    let versioned = json!({
        "command": "flash", "image": "cp.bin", "partition": "cp", "version-bootrom": "2022.11.06"
    });
    let why = refusal(app().member("cp.bin", b"x").entry(versioned));
    assert!(
        why.contains("`2022.11.06/cp.bin` is named by the package but missing"),
        "{why}"
    );
}

#[test]
fn refuses_damaged_helpers_and_tables() {
    for name in ["preboot.img", "flasher.img", "flashinfo.bin", "partition.bin"] {
        let whole = app().members[name].to_vec();
        assert!(
            app().member(name, &whole[..whole.len() / 2]).plan().is_err(),
            "{name} cut in half"
        );
        assert!(
            app().member(name, b"PK\x03\x04").plan().is_err(),
            "{name} is something else"
        );
        assert!(app().member(name, b"").plan().is_err(), "{name} is empty");
    }
}

#[test]
fn refuses_images_larger_than_their_partition() {
    assert!(
        Maker::sdk()
            .flash("fw.bin", "fwcerts", &[7; 0x3000])
            .plan()
            .is_ok()
    );
    let why = refusal(Maker::sdk().flash("fw.bin", "fwcerts", &[7; 0x3001]));
    assert_eq!(
        why,
        "`fw.bin` does not fit: 16384 bytes, partition `fwcerts` holds 12288"
    );
    assert!(refusal(app().flash("empty.bin", "cp", b"")).contains("it is empty"));
    assert!(
        refusal(app().flash("x.bin", "boot33", b"x")).contains("partition `boot33` of the partition table")
    );
    let unknown = app().entry(json!({"command": "erase", "partition": "boot33"}));
    assert!(refusal(unknown).contains("partition `boot33`"));
}

#[test]
fn refuses_a_table_for_a_larger_chip() {
    let mut table = vector("sdk/partition_16M.bin");
    let crc = crate::asr::CRC32.checksum(&table[..0x888]).to_le_bytes();
    table[0x888..].copy_from_slice(&crc);
    let why = refusal(app().member("partition.bin", &table));
    assert!(
        why.contains("16777216 bytes, the flash chip `GD25LQ64C` holds 8388608"),
        "{why}"
    );
    let plan = app()
        .member("flashinfo.bin", &vector("sdk/flashinfo_16M.bin"))
        .plan()
        .expect("a larger chip");
    assert!(
        plan.warnings()[0].starts_with("flash size:"),
        "{:?}",
        plan.warnings()
    );
}

#[test]
fn refuses_a_partition_twice_in_a_row() {
    let why = refusal(app().flash("b.bin", "user_app", b"b"));
    assert!(why.contains("writing `user_app` twice in a row"), "{why}");
    assert!(
        app()
            .flash("b.bin", "cp", b"b")
            .flash("c.bin", "user_app", b"c")
            .plan()
            .is_ok()
    );
}

#[test]
fn refuses_flash_entries_without_a_flasher() {
    let mut maker = app();
    maker.entries.retain(|entry| entry["command"] != "call");
    assert!(refusal(maker).contains("no `call` entry starts a flasher before it"));
}

#[test]
fn warns_of_what_a_person_should_know() {
    let plan = Maker::sdk()
        .flash("ReliableData.bin", "rd", b"rd")
        .flash("nvm.bin", "nvm", b"nvm")
        .entry(json!({"command": "erase", "partition": "nvm"}))
        .entry(json!({"command": "erase", "partition": "factory"}))
        .plan()
        .expect("a good package");
    let warnings = plan.warnings().join("\n");
    for part in [
        "writes `nvm`",
        "erases `nvm`",
        "erases `factory`, `factory_a`, `factory_b`",
    ] {
        assert!(warnings.contains(part), "{part}: {warnings}");
    }
    assert!(
        !warnings.contains("`rd`"),
        "every full package writes it: {warnings}"
    );
    let mut bare = app();
    bare.entries
        .retain(|entry| entry["command"] != "partition" && entry["command"] != "require");
    let warnings = bare.plan().expect("a good package").warnings().join("\n");
    for part in [
        "which chip it is for",
        "unknown partition table",
        "unknown flash size",
    ] {
        assert!(warnings.contains(part), "{part}: {warnings}");
    }
}

#[test]
fn expands_images_that_are_sparse_already_and_cuts_them_again() {
    let image: Vec<u8> = (0..300 * 4096u32)
        .map(|n| (n.wrapping_mul(2_654_435_761) >> 11) as u8)
        .collect();
    let segment = crate::asr::sparse::Segments::new(&image, u32::MAX).and_then(|mut all| all.next());
    let sparse = segment.expect("one segment").pieces.concat();
    let plan = Maker::sdk()
        .flash("cp.bin", "cp", &sparse)
        .plan()
        .expect("a good package");
    assert_eq!(plan.images()[0].data[..], image);
    let plain = Maker::sdk()
        .flash("cp.bin", "cp", &image)
        .plan()
        .expect("a good package");
    let (one, _) = wire_of(&plan, Module::new(), &Options::default());
    let (other, _) = wire_of(&plain, Module::new(), &Options::default());
    assert_eq!(one.sent, other.sent);
    assert!(refusal(Maker::sdk().flash("cp.bin", "cp", &sparse[..9000])).contains("truncated"));
}

#[test]
fn refuses_sparse_images_that_expand_without_bounds() {
    let mut bomb = vector("sparse/sparse_zero_2blk.bin");
    bomb[16..20].copy_from_slice(&0x10_0000u32.to_le_bytes());
    bomb[36..40].copy_from_slice(&0x10_0000u32.to_le_bytes());
    assert!(refusal(Maker::sdk().flash("cp.bin", "cp", &bomb)).contains("does not fit"));
}
