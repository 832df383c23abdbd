//! `resolve --oc` as a library function.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot be set up fails"
)]

mod firmware_support;

use std::path::PathBuf;

use firmware_support::*;
use qpyflash::choose::{Choice, Fit, choose, render};

fn package(revision: &str) -> Vec<u8> {
    Zip::new().tree("", &asr(revision)).done()
}

fn public(name: &str, revision: &str) -> Vec<u8> {
    Zip::new()
        .with(&format!("{name}/{name}.bin"), &package(revision))
        .done()
}

fn shelf() -> Bench {
    let bench = Bench::new();
    let put = |folder: &str, name: &str, revision: &str| {
        bench.file(&format!("{folder}/{name}.zip"), &public(name, revision));
    };
    put(
        "m",
        "QPY_OCPU_V0003_EC600M_CNLE_FW",
        "EC600MCNLER06A03M08_OCPU_QPY",
    );
    put(
        "m/old",
        "QPY_OCPU_V0002_EC600M_CNLE_FW",
        "EC600MCNLER06A02M08_OCPU_QPY",
    );
    put(
        "m",
        "QPY_OCPU_BETA0009_EC600M_CNLE_FW",
        "EC600MCNLER06A09M08_OCPU_QPY_BETA0117",
    );
    put(
        "m",
        "QPY_OCPU_V0001_EC600M_CNLA_FW",
        "EC600MCNLAR01A01M08_OCPU_QPY",
    );
    put(
        "m",
        "QPY_OCPU_V0001_EC600M_CNLF_FW",
        "EC600MCNLFR06A01M08_OCPU_QPY",
    );
    put(
        "n",
        "QPY_OCPU_V0006_EC600N_CNLA_FW",
        "EC600NCNLAR03A07M08_OCPU_QPY",
    );
    bench.tree("m/unpacked EC600M", &asr("EC600MCNLER06A08M08_OCPU_QPY"));
    bench.file("u/QPY_OCPU_V0001_EC800G_CNLD_FW.pac", &vector(REAL_PAC));
    bench.file("u/8915DM_cat1_open.pac", &vector("unisoc/demo8910.pac"));
    bench.tree("e/QPY_OCPU_V0003_EC600E_CNLC_FW", &eigencomm(true));
    bench.file(
        "notes.docx",
        &Zip::new().with("word/document.xml", b"<w/>").done(),
    );
    bench.file("notes.txt", b"hello");
    let mut damaged = package("EC600MCNLER06A01M08_OCPU_QPY");
    damaged.truncate(50_000);
    bench.file("broken.zip", &damaged);
    bench.file("fw.bin", &package(""));
    bench
}

fn chosen(bench: &Bench, code: &str) -> Choice {
    choose(&code.parse().unwrap(), &[bench.path().to_owned()])
}

fn names(choice: &Choice) -> Vec<(Fit, &str)> {
    choice
        .fitting
        .iter()
        .map(|one| (one.fit, one.path.rsplit('/').next().unwrap()))
        .collect()
}

fn why<'a>(choice: &'a Choice, end: &str) -> &'a str {
    let other = choice.others.iter().find(|one| one.path.ends_with(end));
    &other
        .unwrap_or_else(|| panic!("{end} in {:#?}", choice.others))
        .why
}

#[test]
fn exact_before_shared_and_the_newest_first() {
    let bench = shelf();
    let choice = chosen(&bench, "EC600MCNLA-N06-SNNSA");
    assert_eq!(
        names(&choice),
        [
            (Fit::Exact, "QPY_OCPU_V0001_EC600M_CNLA_FW.zip"),
            (Fit::Shared, "QPY_OCPU_V0003_EC600M_CNLE_FW.zip"),
            (Fit::Shared, "QPY_OCPU_V0002_EC600M_CNLE_FW.zip"),
            (Fit::Shared, "QPY_OCPU_BETA0009_EC600M_CNLE_FW.zip"),
            (Fit::Shared, "unpacked EC600M"),
        ]
    );
    assert_eq!(why(&choice, "CNLF_FW.zip"), "it is built for another submodel");
    assert_eq!(
        why(&choice, "EC600N_CNLA_FW.zip"),
        "it is built for another series"
    );
    assert_eq!(why(&choice, "EC800G_CNLD_FW.pac"), "it is for another platform");
    assert_eq!(why(&choice, "EC600E_CNLC_FW"), "it is for another platform");
    assert!(why(&choice, "8915DM_cat1_open.pac").contains("without an application"));
    assert!(why(&choice, "broken.zip").contains("truncated"));
    assert!(why(&choice, "fw.bin").contains("nowhere"));
    assert_eq!(choice.others.len(), 7, "{:#?}", choice.others);
    let text = render(&choice);
    assert!(
        text.starts_with("5 for EC600MCNLA, the best first\n  exact   EC600M_CNLA  V0001  "),
        "{text}"
    );
    assert!(text.contains("not for it"));
}

#[test]
fn every_platform_is_searched() {
    let bench = shelf();
    for (code, found) in [
        (
            "EC800GCNLD",
            vec![(Fit::Exact, "QPY_OCPU_V0001_EC800G_CNLD_FW.pac")],
        ),
        ("EC600ECNLQ", vec![(Fit::Shared, "QPY_OCPU_V0003_EC600E_CNLC_FW")]),
        (
            "EC600NCNLA",
            vec![(Fit::Exact, "QPY_OCPU_V0006_EC600N_CNLA_FW.zip")],
        ),
        ("EC600NCNLF", vec![]),
        ("EC200UCNAA", vec![]),
    ] {
        let choice = chosen(&bench, code);
        assert_eq!(names(&choice), found, "{code}");
    }
    assert!(render(&chosen(&bench, "EC200UCNAA")).starts_with("nothing here fits EC200UCNAA"));
}

#[test]
fn files_that_were_named_are_answered_for() {
    let bench = shelf();
    let paths: Vec<PathBuf> = ["notes.txt", "notes.docx", "no such file", "m/old"]
        .iter()
        .map(|name| bench.path().join(name))
        .collect();
    let choice = choose(&"EC600MCNLE".parse().unwrap(), &paths);
    assert_eq!(
        names(&choice),
        [(Fit::Exact, "QPY_OCPU_V0002_EC600M_CNLE_FW.zip")]
    );
    assert!(why(&choice, "notes.txt").contains("no QuecPython firmware"));
    assert!(why(&choice, "notes.docx").contains("no QuecPython firmware"));
    assert!(why(&choice, "no such file").contains("cannot be read"));
}

#[test]
fn two_packages_in_one_folder_are_looked_at_one_by_one() {
    let bench = Bench::new();
    bench.file("a/at_command.binpkg", &vector("eigencomm/at_command.binpkg"));
    bench.file("a/x.pac", &vector(REAL_PAC));
    let choice = chosen(&bench, "EC800GCNLD");
    assert_eq!(names(&choice), [(Fit::Exact, "x.pac")]);
}

#[test]
fn a_damaged_unpacked_package_is_not_offered_in_part() {
    let bench = Bench::new();
    let files: Vec<_> = eigencomm(false)
        .into_iter()
        .filter(|(name, _)| name != "ap_updater.bin")
        .collect();
    bench.tree("e", &files);
    let choice = chosen(&bench, "EC600ECNLC");
    assert_eq!(names(&choice), []);
    assert!(why(&choice, "e").contains("ap_updater.bin"));
}

#[test]
fn the_json_object_is_whole() {
    let bench = shelf();
    let value = serde_json::to_value(chosen(&bench, "EC600MCNLA")).unwrap();
    assert_eq!(value["schema"], 1);
    assert_eq!(value["ordering_code"], "EC600MCNLA");
    assert_eq!(value["fitting"][0]["fit"], "exact");
    assert_eq!(value["fitting"][0]["version"], "V0001");
    assert_eq!(value["fitting"][0]["revision"], "EC600MCNLAR01A01M08_OCPU_QPY");
    assert_eq!(
        value["others"][0]["path"]
            .as_str()
            .map(|path| path.ends_with("broken.zip")),
        Some(true)
    );
}
