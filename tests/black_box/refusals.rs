//! What must not be written is not: the module has not heard a byte in download mode, and its flash is as it was.

use qpyflash_virtual::{AsrModule, AsrModuleBuilder, AsrPackage, AtOptions, Chip, EigencommPackage, Scale};

use crate::bench::{Bench, NEW, OLD, Untouched, assert_holds, firmware, vector};
use crate::harness::each;

/// Factory firmware of the module most tests write.
const FACTORY: &str = "EC600NCNLAR03A06M08";
const REAL_PAC: &str = "packages/QPY_OCPU_V0001_EC800G_CNLD_FW.pac";

fn package(revision: &str) -> Vec<u8> {
    AsrPackage::generate(revision, Chip::Asr1603, Scale::Small)
        .zip()
        .unwrap()
}

/// A package that says nowhere what it is built for.
fn nameless() -> AsrPackage {
    let blank = |bytes: &mut Vec<u8>| {
        let at = bytes
            .windows(NEW.len())
            .position(|window| window == NEW.as_bytes());
        bytes[at.unwrap()..][..NEW.len()].fill(b'.');
    };
    firmware()
        .clone()
        .with_changed("system.img", blank)
        .with_changed("customer_app.bin", blank)
}

/// Revision of the module, file of the package, options, exit code, error, and words of the message.
type Case = (
    &'static str,
    &'static str,
    &'static str,
    i32,
    &'static str,
    &'static [&'static str],
);

/// A bench with one package of each kind.
fn stocked() -> Bench {
    let bench = Bench::new();
    for (name, revision) in [
        ("cnlf.zip", "EC600NCNLFR01A01M16_OCPU_QPY"),
        ("ec600m-cnle.zip", "EC600MCNLER06A01M08_OCPU_QPY"),
        ("ec600m-cnla.zip", "EC600MCNLAR06A01M08_OCPU_QPY"),
        ("QPY_OCPU_V0001_EC600N_CNLF_FW.zip", NEW),
    ] {
        bench.file(name, package(revision));
    }
    bench.file("fw.bin", nameless().zip().unwrap());
    bench.file("real.pac", vector(REAL_PAC));
    let eigencomm = EigencommPackage::generate("EC600ECNLCR01A02M04_OCPU_QPY", Scale::Small);
    bench.file(
        "eigencomm.zip",
        eigencomm.folder_zip("QPY_BETA0003_EC600E_CNLC_FW").unwrap(),
    );
    bench
}

const WRONG: &[Case] = &[
    (
        FACTORY,
        "cnlf.zip",
        "",
        6,
        "refused.submodel",
        &["built for EC600N CNLF", "EC600NCNLA", FACTORY],
    ),
    (
        OLD,
        "cnlf.zip",
        "",
        6,
        "refused.submodel",
        &["built for EC600N CNLF", OLD],
    ),
    (
        FACTORY,
        "ec600m-cnle.zip",
        "",
        6,
        "refused.series",
        &["EC600M", "another series"],
    ),
    (
        FACTORY,
        "ec600m-cnle.zip",
        "--oc EC600MCNLE",
        6,
        "refused.contradiction",
        &["EC600MCNLE", "EC600NCNLA"],
    ),
    (
        FACTORY,
        "cnlf.zip",
        "--oc EC600NCNLF",
        6,
        "refused.contradiction",
        &["label says EC600NCNLF", FACTORY, "cnlf.zip"],
    ),
    (
        FACTORY,
        "fw.zip",
        "--oc EC600NCNLF",
        6,
        "refused.contradiction",
        &["label says EC600NCNLF", "EC600NCNLA"],
    ),
    (
        OLD,
        "QPY_OCPU_V0001_EC600N_CNLF_FW.zip",
        "",
        6,
        "refused.contradiction",
        &["contradicts itself", "CNLF", "CNLA"],
    ),
    (
        "EC600MCNLER06A01M08",
        "ec600m-cnla.zip",
        "",
        6,
        "refused.submodel",
        &["share firmware"],
    ),
    (
        "EC600MCNLAR06A01M08",
        "cnlf.zip",
        "",
        6,
        "refused.series",
        &["EC600M_CNLA or EC600M_CNLE"],
    ),
    (
        "EC200SCNAAR01A01M16",
        "fw.zip",
        "",
        6,
        "refused.series",
        &["EC200S", "standard AT firmware only"],
    ),
    (
        "EC999NCNLAR03A07M08",
        "fw.zip",
        "",
        6,
        "refused.series",
        &["EC999N", "does not know"],
    ),
    (
        "CUSTOM_FW_1.0",
        "fw.zip",
        "",
        7,
        "unknown.module",
        &["CUSTOM_FW_1.0", "--oc OC"],
    ),
    (
        OLD,
        "fw.bin",
        "",
        7,
        "unknown.package",
        &["`fw.bin` says nowhere", "--built-for"],
    ),
    (
        OLD,
        "fw.bin",
        "--built-for EC600N_CNLF",
        6,
        "refused.submodel",
        &["built for EC600N CNLF"],
    ),
    (
        OLD,
        "fw.zip",
        "--built-for EC600N_CNLF",
        6,
        "refused.contradiction",
        &["never accepted against evidence"],
    ),
    (
        OLD,
        "cnlf.zip",
        "--built-for EC600N_CNLA",
        6,
        "refused.contradiction",
        &["never accepted against evidence"],
    ),
];

#[test]
fn a_package_that_does_not_fit_is_refused_by_write_and_check_alike() {
    each(WRONG, |(revision, file, options, code, error, words)| {
        let bench = stocked();
        let module = bench.attach(AsrModule::builder(revision));
        let untouched = Untouched::now(&module);
        for command in ["write", "check"] {
            let line = format!("{command} {file} {options} --path 1-4.2 --json");
            let outcome = bench.say(&line).end().expect(*code, error, "nothing");
            assert_eq!(outcome["verdict"], "refused");
            assert_eq!(outcome["error"]["phase"], "clear");
            assert_eq!(outcome["bytes"], 0);
            let said = format!("{}\n{}", outcome["error"]["message"], outcome["error"]["hints"]);
            for word in *words {
                assert!(said.contains(word), "{word}\n{said}");
            }
        }
        untouched.assert();
    });
}

#[test]
fn a_package_of_another_platform_is_refused() {
    let bench = stocked();
    let module = bench.attach(AsrModule::builder(FACTORY));
    let untouched = Untouched::now(&module);
    for file in ["real.pac", "eigencomm.zip"] {
        for command in ["check", "write"] {
            let ended = bench.say(&format!("{command} {file} --json")).end();
            ended.expect(6, "refused.platform", "nothing");
        }
    }
    untouched.assert();
}

#[test]
fn the_usb_id_refuses_another_platform_whatever_the_label_says() {
    let bench = stocked();
    let module = bench.attach(AsrModule::builder(OLD).starts_in_download());
    for (file, label) in [("real.pac", "EC800GCNLD"), ("eigencomm.zip", "EC600ECNLC")] {
        let line = format!("check {file} --path 1-4.2 --oc {label} --json");
        bench.say(&line).end().expect(6, "refused.platform", "nothing");
    }
    assert_eq!(module.bytes_received_in_download_mode(), 0);
}

#[test]
fn a_module_in_download_mode_needs_the_label() {
    let bench = Bench::new();
    let module = bench.attach(AsrModule::builder(OLD).starts_in_download());
    let cases = [
        ("", 7, "unknown.module"),
        ("--before none", 7, "unknown.module"),
        ("--oc EC600NCNLF", 6, "refused.submodel"),
        ("--before none --oc EC600MCNLE", 6, "refused.series"),
        ("--before at --oc EC600NCNLA", 2, "usage"),
    ];
    for (options, code, error) in cases {
        let line = format!("write fw.zip --path 1-4.2 --json {options}");
        bench.say(&line).end().expect(code, error, "nothing");
    }
    assert_eq!(module.bytes_received_in_download_mode(), 0);
    assert_eq!(module.counters().at_bytes, 0);
}

#[test]
fn a_module_in_run_mode_is_asked_although_somebody_says_it_is_not() {
    let bench = Bench::new();
    let module = bench.attach(AsrModule::builder(FACTORY));
    let untouched = Untouched::now(&module);
    let line = "write fw.zip --before none --oc EC600NCNLA --json";
    bench.say(line).end().expect(2, "usage", "nothing");
    untouched.assert();
}

#[test]
fn statements_of_the_module_that_differ_are_not_trusted_without_the_label() {
    let differs = |builder: AsrModuleBuilder| {
        builder.identity(|identity| identity.cgmr = Some("EC600NCNLFR01A01M16".into()))
    };
    let silent = |builder: AsrModuleBuilder| {
        let refused = vec!["ATI".to_owned(), "AT+CGMR".to_owned()];
        builder.at(AtOptions {
            refused,
            ..AtOptions::default()
        })
    };
    for change in [differs, silent] {
        let bench = Bench::new();
        let module = bench.attach(change(AsrModule::builder(FACTORY)));
        let untouched = Untouched::now(&module);
        bench
            .say("write fw.zip --json")
            .hasty()
            .end()
            .expect(7, "unknown.module", "nothing");
        untouched.assert();
    }
}

#[test]
fn the_label_names_a_module_whose_firmware_has_no_known_revision() {
    let bench = Bench::new();
    let module = bench.attach(AsrModule::builder("CUSTOM_FW_1.0"));
    let outcome = bench
        .say("write fw.zip --oc EC600NCNLA-N05-SNNSA --json")
        .end()
        .expect_written("confirmed");
    assert_eq!(outcome["ordering_code"], "EC600NCNLA-N05-SNNSA");
    assert_holds(&module, firmware());
}

#[test]
fn a_statement_about_a_nameless_package_is_recorded() {
    let bench = stocked();
    let module = bench.attach(AsrModule::builder(FACTORY));
    let ended = bench
        .say("write fw.bin --built-for EC600N_CNLA --no-verify --json")
        .end();
    let outcome = ended.expect_written("written-unasked");
    assert_eq!(outcome["stated_built_for"], "EC600NCNLA");
    assert!(outcome["package"]["built_for"]["submodel"].is_null());
    assert_holds(&module, &nameless());
}

#[test]
fn shared_firmware_goes_the_way_of_the_table_only() {
    let bench = stocked();
    let module = bench.attach(AsrModule::builder("EC600MCNLAR06A01M08"));
    bench
        .say("write ec600m-cnle.zip --json")
        .end()
        .expect_written("confirmed");
    assert_eq!(module.revision().as_deref(), Some("EC600MCNLER06A01M08_OCPU_QPY"));
}

#[test]
fn a_refusal_reads_as_the_design_shows_it() {
    let bench = Bench::new();
    bench.file(
        "QPY_OCPU_V0001_EC600N_CNLF_FW.zip",
        package("EC600NCNLFR01A01M16_OCPU_QPY"),
    );
    let module = bench.attach(AsrModule::builder(FACTORY));
    let place = format!(
        "1-4.2 ({})",
        module.tty(qpyflash_virtual::Role::At).unwrap().display()
    );
    let ended = bench.say("write QPY_OCPU_V0001_EC600N_CNLF_FW.zip --quiet").end();
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(6), ""));
    assert_eq!(
        ended.stderr,
        format!(
            "error: refused: `QPY_OCPU_V0001_EC600N_CNLF_FW` is built for EC600N CNLF, the module on {place} is \
             EC600NCNLA (AT: `{FACTORY}`)\n  nothing was written\nhint: this module takes EC600N_CNLA firmware; \
             `qpyflash resolve --oc EC600NCNLA DIR` finds it\n"
        )
    );
}
