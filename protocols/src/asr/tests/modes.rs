//! Which entries of a package run: by chip, by mode, by who serves the download.

use serde_json::json;

use super::*;
use crate::asr::fip;
use crate::{Cause, Phase, Written};

fn app() -> Maker {
    Maker::sdk().flash("app.bin", "user_app", b"HELLO")
}

#[test]
fn stops_before_anything_is_sent_when_the_chip_is_not_the_package_s() {
    for (variable, value) in [
        ("product", "aboot"),
        ("version", "0.6"),
        ("version-bootrom", "2019.01.15"),
    ] {
        let (module, result) = wire_of(&hello(), Module::new().with(variable, value), &Options::default());
        let failure = result.expect_err("another chip");
        assert!(matches!(failure.cause, Cause::WrongChip { .. }), "{failure}");
        assert_eq!(
            (failure.phase, failure.written.clone()),
            (Phase::CheckChip, Written::Nothing)
        );
        assert!(module.downloads().is_empty());
        let named = failure.to_string();
        assert!(named.contains(&format!("`{variable}` is `{value}`")), "{named}");
    }
}

#[test]
fn stops_at_a_rejected_value() {
    let reject = |value: &str| {
        let mut maker = app();
        maker
            .entries
            .insert(0, json!({"command": "reject", "name": "boardid", "value": value}));
        maker.plan().expect("a good package")
    };
    let module = || Module::new().with("boardid", "EVB-2");
    let (_, result) = wire_of(&reject("old|EVB*"), module(), &Options::default());
    assert!(matches!(
        result.expect_err("rejected").cause,
        Cause::WrongChip { .. }
    ));
    let (_, result) = wire_of(&reject("old|EVB"), module(), &Options::default());
    result.expect("not rejected");
}

#[test]
fn runs_the_entries_of_its_boot_rom_only() {
    let code = |text: &str| fip::container(text.as_bytes());
    let mut maker = app();
    maker.entries.retain(|entry| entry["name"] != "version-bootrom");
    for entry in &mut maker.entries {
        if entry["image"] == "flasher.img" {
            entry["version-bootrom"] = json!("2020.07.30");
        }
    }
    let at = maker
        .entries
        .iter()
        .position(|entry| entry["image"] == "flasher.img")
        .expect("it is there");
    let other = json!({"command": "call", "image": "flasher.img", "version-bootrom": "2022.11.06"});
    maker.entries.insert(at, other);
    let maker = maker
        .member("2020.07.30/flasher.img", &code("for 2020"))
        .member("2022.11.06/flasher.img", &code("for 2022"));
    let plan = maker.plan().expect("a good package");
    for (version, text) in [("2020.07.30", "for 2020"), ("2022.11.06", "for 2022")] {
        let module = Module::new().with("version-bootrom", version);
        let (module, result) = wire_of(&plan, module, &Options::default());
        result.expect("a good run");
        assert_eq!(module.downloads()[1], code(text));
    }
}

#[test]
fn refuses_a_boot_rom_for_which_nothing_can_be_run() {
    let mut maker = app();
    for entry in &mut maker.entries {
        if entry["command"] == "call" {
            entry["version-bootrom"] = json!("2022.11.06");
        }
    }
    let maker = maker
        .member("2022.11.06/preboot.img", &fip::container(b"p"))
        .member("2022.11.06/flasher.img", &fip::container(b"f"));
    let (module, result) = wire_of(
        &maker.plan().expect("good for one chip"),
        Module::new(),
        &Options::default(),
    );
    let failure = result.expect_err("nothing for this chip");
    assert!(matches!(failure.cause, Cause::WrongChip { .. }), "{failure}");
    assert!(module.downloads().is_empty());
}

#[test]
fn leaves_production_groups_out_unless_asked() {
    let production = json!({"command": "flash", "group": "7", "image": "f.bin", "partition": "factory_a",
        "productionOnly": true});
    let same_group = json!({"command": "erase", "group": "7", "partition": "reserved"});
    let plan = app()
        .member("f.bin", b"factory")
        .entry(production)
        .entry(same_group)
        .plan()
        .expect("a good package");
    let needs = plan.needs_production().expect("production groups");
    assert_eq!(
        (needs.groups.as_slice(), &needs.required),
        (&["7".to_owned()][..], &None)
    );
    assert!(needs.blocked.is_empty());
    let images: Vec<(&str, bool)> = plan
        .images()
        .iter()
        .map(|image| (image.name.as_str(), image.production))
        .collect();
    assert_eq!(images, [("app.bin", false), ("f.bin", true)]);

    let (upgrade, result) = wire_of(&plan, Module::new(), &Options::default());
    result.expect("a good run");
    assert!(
        !upgrade
            .commands()
            .iter()
            .any(|text| text.contains("factory_a") || text.contains("reserved"))
    );
    let (factory, result) = wire_of(
        &plan,
        Module::new(),
        &Options {
            production: true,
            ..Options::default()
        },
    );
    result.expect("a good run");
    assert!(factory.commands().ends_with(&[
        "flash:factory_a",
        "erase:reserved",
        "reboot",
        "complete",
        "disconnect"
    ]));
}

#[test]
fn refuses_upgrade_mode_when_group_0_is_for_production() {
    let mut maker = app();
    maker.entries[0]["productionOnly"] = json!(true);
    let plan = maker.plan().expect("it can be written in production mode");
    assert!(plan.check(false).is_err() && plan.check(true).is_ok());
    let (module, result) = wire_of(&plan, Module::new(), &Options::default());
    let failure = result.expect_err("upgrade mode");
    assert!(matches!(failure.cause, Cause::Unsupported(_)), "{failure}");
    assert!(module.sent.is_empty(), "nothing was sent");
    wire_of(
        &plan,
        Module::new(),
        &Options {
            production: true,
            ..Options::default()
        },
    )
    .1
    .expect("production");
}

#[test]
fn never_burns_fuses_not_even_in_production() {
    let fuse = json!({"command": "fuse", "group": "9", "image": "fuse.bin", "productionOnly": true});
    let plan = app()
        .member("fuse.bin", b"x")
        .entry(fuse)
        .plan()
        .expect("it can be written without");
    assert!(plan.check(false).is_ok());
    let why = plan.check(true).expect_err("it would burn fuses").to_string();
    assert!(why.contains("can never be undone"), "{why}");
    let (module, result) = wire_of(
        &plan,
        Module::new(),
        &Options {
            production: true,
            ..Options::default()
        },
    );
    assert!(result.is_err() && module.sent.is_empty());
}

#[test]
fn needs_no_image_of_a_group_that_is_left_out() {
    let entry = json!({"command": "flash", "group": "7", "image": "gone.bin", "partition": "cp",
        "productionOnly": true});
    let plan = app().entry(entry).plan().expect("it can be written without");
    assert!(
        plan.check(true)
            .expect_err("it cannot with")
            .to_string()
            .contains("`gone.bin`")
    );
}

#[test]
fn sends_go_and_enable_as_the_package_says() {
    let mut maker = app();
    maker.entries.insert(8, json!({"command": "enable"}));
    let plan = maker
        .entry(json!({"command": "go"}))
        .plan()
        .expect("a good package");
    let (module, result) = wire_of(&plan, Module::new(), &Options::default());
    result.expect("a good run");
    assert!(
        module
            .commands()
            .ends_with(&["flash:user_app", "go", "reboot", "complete", "disconnect"])
    );
    assert!(module.commands().contains(&"enable"));
}

#[test]
fn says_nop_or_nothing_to_boot2() {
    let boot2 = |version| {
        Module::new()
            .with("platform", "AROM-TINY-BOOT2")
            .with("version-boot2", version)
    };
    let (module, result) = wire_of(&hello(), boot2("2021.01.17"), &Options::default());
    result.expect("a good run");
    assert_eq!(module.downloads().len(), 5);
    assert_eq!(module.commands().iter().filter(|text| **text == "nop").count(), 2);
    assert!(!module.commands().contains(&"call"));

    let refused = boot2("2022.01.01").on("nop", 1, Instead::Say(vec!["FAILunknown command"]));
    wire_of(&hello(), refused, &Options::default())
        .1
        .expect("a FAIL to nop does no harm");

    for version in ["2021.01.16", ""] {
        let (module, result) = wire_of(&hello(), boot2(version), &Options::default());
        result.expect("a good run");
        assert_eq!(module.downloads().len(), 3, "two tables and the image");
        assert!(
            !module
                .commands()
                .iter()
                .any(|text| matches!(*text, "call" | "nop" | "verify"))
        );
    }
}

#[test]
fn takes_either_product_from_boot2() {
    let module = |product| {
        Module::new()
            .with("platform", "AROM-TINY-BOOT2")
            .with("product", product)
    };
    let mut maker = app();
    maker.entries[0]["value"] = json!("something else");
    let plan = maker.plan().expect("a good package");
    for product in ["arom", "arom-tiny"] {
        wire_of(&plan, module(product), &Options::default())
            .1
            .expect("a product of boot2");
    }
    let failure = wire_of(&plan, module("something else"), &Options::default())
        .1
        .expect_err("replaced");
    assert!(matches!(failure.cause, Cause::WrongChip { .. }));
}
