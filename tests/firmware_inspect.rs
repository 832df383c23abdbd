//! `inspect` and `unpack` as library functions.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot be set up fails"
)]

mod firmware_support;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use firmware_support::*;
use qpyflash::firmware::inspect::{inspect, render};
use qpyflash::firmware::{resolve, unpack};
use qpyflash_protocols::unisoc::Pac;
use serde_json::{Value, json};

const REV: &str = "EC800KCNCCR07A01M02_OCPY_QPY_BETA1202";

#[test]
fn json_of_the_real_pac_is_complete() {
    let bench = Bench::new();
    let file = vector(REAL_PAC);
    let inspection = inspect(&bench.file("QPY_OCPU_V0001_EC800G_CNLD_FW.pac", &file)).unwrap();
    let text = serde_json::to_string(&inspection).unwrap();
    let value: Value = serde_json::from_str(&text).unwrap();
    let keys: Vec<usize> = [
        "schema",
        "platform",
        "built_for",
        "images",
        "helpers",
        "steps",
        "kept",
        "origin",
        "sha256",
        "warnings",
    ]
    .iter()
    .map(|key| text.rfind(&format!("\"{key}\":")).unwrap())
    .collect();
    assert!(keys.is_sorted());
    assert_eq!(value.as_object().unwrap().len(), 10);
    assert_eq!(value["schema"], 1);
    assert_eq!(value["platform"], "unisoc8850");
    let revision = "EC800GCNLDR02A01M04_OCPU_QPY";
    assert_eq!(
        value["built_for"],
        json!({"series": "EC800G", "submodel": "CNLD", "variant": null, "revision": revision, "evidence": [
            {"from": "entry name", "value": revision},
            {"from": "revision in AP", "value": revision},
            {"from": "file name", "value": "QPY_OCPU_V0001_EC800G_CNLD_FW.pac"},
        ]})
    );
    assert_eq!(value["origin"], json!(["QPY_OCPU_V0001_EC800G_CNLD_FW.pac"]));
    assert_eq!(value["sha256"], sha256(&file));
    let warnings = json!(["`FMT_FSMOD` is selected: what it names will be empty afterwards"]);
    assert_eq!(value["warnings"], warnings);
    let boot = json!({"name": "BOOT", "target": "0x60020000", "size": 0x2a40, "sha256": sha256(&file[0x1c774..0x1f1b4])});
    assert_eq!(value["images"][0], boot);
    assert_eq!(value["helpers"][0]["name"], "FDL");
    assert_eq!(value["helpers"][0]["target"], "");
    assert_eq!(value["helpers"][0]["size"], 0x109c0);
}

#[test]
fn steps_are_listed_in_the_order_of_flashing_and_so_is_what_is_kept() {
    let bench = Bench::new();
    let demo = bench.file("demo.pac", &vector("unisoc/demo8910.pac"));
    let value = serde_json::to_value(inspect(&demo).unwrap()).unwrap();
    let step = |name: &str, action: &str, target: &str, size: u64| json!({"name": name, "action": action, "target": target, "size": size});
    let skipped = |name: &str, why: &str, target: &str| json!({"name": name, "action": "skip", "why": why, "target": target, "size": 0});
    assert_eq!(
        value["steps"],
        json!([
            step("HOST_FDL", "load", "0x008000c0", 0x3520),
            step("FDL2", "load", "0x00810000", 0xCE00),
            step("ERASE_BOOT", "erase", "0x60000000", 0x10000),
            step("AP", "write", "0x60010000", 0x3000),
            step("PS", "write", "0x604a0000", 0x5004),
            skipped("FMT_FSSYS", "the package does not select it", "file system FSYS"),
            skipped(
                "PhaseCheck",
                "a marker for the vendor's tool; the module's record of production stays",
                "record of production"
            ),
            step("FLASH", "erase", "running copies of the NV items", 0),
            step("NV", "merge", "NV items", 0x800),
            step("BOOTLOADER", "write", "0x60000000", 0x2000),
        ])
    );
    let kept = value["kept"].to_string();
    for item in [
        "0x5 (IMEI)",
        "0x2 (calibration)",
        "0x26d (",
        "0x26e (",
        "0x179 (",
        "0x186 (IMEI)",
    ] {
        assert!(kept.contains(item), "{item}: {kept}");
    }
    let text = render(&inspect(&demo).unwrap());
    for line in [
        "steps, in the order of flashing",
        "FMT_FSSYS   skipped          file system FSYS                the package does not select it",
        "FLASH       erased           running copies of the NV items",
        "kept of the module's own",
    ] {
        assert!(text.contains(line), "{line} is missing in\n{text}");
    }
    assert!(text.lines().all(|line| line == line.trim_end()));
    let asr = inspect(&bench.file("a.zip", &Zip::new().tree("", &asr(REV)).done())).unwrap();
    assert!(asr.steps.is_empty() && !render(&asr).contains("steps"));
    assert!(serde_json::to_value(&asr).unwrap().get("steps").is_none());
}

#[test]
fn json_names_every_platform() {
    let bench = Bench::new();
    let files = [
        ("a.zip", Zip::new().tree("", &asr(REV)).done(), "asr"),
        ("b.pac", vector("unisoc/demo8910.pac"), "unisoc8910"),
        ("c.pac", vector(REAL_PAC), "unisoc8850"),
        ("d.binpkg", vector("eigencomm/at_command.binpkg"), "eigencomm618"),
    ];
    for (name, bytes, platform) in files {
        let inspection = inspect(&bench.file(name, &bytes)).unwrap();
        assert_eq!(serde_json::to_value(&inspection).unwrap()["platform"], platform);
    }
}

#[test]
fn a_person_reads_what_matters() {
    let bench = Bench::new();
    let name = "QPY_OCPU_V0006_EC600N_CNLA_FW.zip";
    let text = render(&inspect(&bench.file(name, &Zip::new().tree("", &asr(REV)).done())).unwrap());
    for word in [
        name,
        "ASR Cat.1",
        "built for  EC800K_CNCC",
        REV,
        "revision in system.img",
        "cp.bin",
        "40000 bytes",
    ] {
        assert!(text.contains(word), "{word} is missing in\n{text}");
    }
    let warnings: Vec<&str> = text.lines().filter(|line| line.starts_with("  - ")).collect();
    assert!(
        warnings
            .iter()
            .any(|w| w.contains("EC800K_CNCC") && w.contains("EC600N_CNLA")),
        "{text}"
    );
    assert!(text.lines().all(|line| line == line.trim_end()));
}

#[test]
fn nothing_known_is_said_plainly() {
    let bench = Bench::new();
    let inspection = inspect(&bench.file("fw.bin", &Zip::new().tree("", &asr("")).done())).unwrap();
    assert_eq!(inspection.built_for, Default::default());
    let warnings = &inspection.warnings;
    assert!(
        warnings.iter().any(|w| w.contains("which module")),
        "{warnings:?}"
    );
    assert!(render(&inspection).contains("unknown"));
}

#[test]
fn a_stray_revision_does_not_hide_the_image_that_speaks() {
    // Only the images that speak for the module count, as long as one of them speaks.
    let mut files = asr(REV);
    files.iter_mut().find(|(name, _)| name == "cp.bin").unwrap().1 =
        noise(2, 40_000, "EC600NCNLCR03A11M16_OCPU_QPY_BETA0313");
    let spoken = resolve_bytes("fw.bin", &Zip::new().tree("", &files).done()).unwrap();
    assert_eq!(spoken.built_for().evidence.len(), 1);
    assert_eq!(spoken.built_for().revision.as_deref(), Some(REV));
    files.iter_mut().find(|(name, _)| name == "system.img").unwrap().1 = noise(8, 30_000, "");
    let silent = resolve_bytes("fw.bin", &Zip::new().tree("", &files).done()).unwrap();
    assert_eq!(silent.built_for().evidence[0].from, "revision in cp.bin");
    assert_eq!(silent.built_for().series.as_deref(), Some("EC600N"));
}

#[test]
fn bare_words_of_other_modules_are_no_evidence() {
    let bare = resolve_bytes(
        "fw.bin",
        &Zip::new().tree("", &asr("EC600E EC800E EC600NCNLA")).done(),
    )
    .unwrap();
    assert_eq!(bare.built_for().evidence, []);
}

#[test]
fn a_content_of_another_platform_than_its_name_is_shown() {
    let package = resolve_bytes(
        "QPY_OCPU_V0006_EC600N_CNLA_FW.pac",
        &vector("unisoc/demo8910.pac"),
    )
    .unwrap();
    let warnings = package.warnings();
    assert!(
        warnings
            .iter()
            .any(|w| w.contains("UIS8910") && w.contains("another platform")),
        "{warnings:?}"
    );
}

#[test]
fn merged_user_code_is_named() {
    let zip = Zip::new().tree("", &asr(REV)).done();
    let package = resolve_bytes("QPY_OCPU_V0001_EC800K_CNCC_FW_20230410-1322.zip", &zip).unwrap();
    assert!(
        package.warnings().iter().any(|w| w.contains("20230410-1322")),
        "{:?}",
        package.warnings()
    );
}

#[test]
fn variants_are_named() {
    let zip = Zip::new().tree("", &asr("")).done();
    let package = resolve_bytes("QPY_V0004_EC600N_CNLC_FW_VOLTE.zip", &zip).unwrap();
    let built_for = package.built_for();
    assert_eq!(built_for.variant.as_deref(), Some("VOLTE"));
    assert_eq!(built_for.revision, None);
    let text = render(&(&package).into());
    assert!(text.contains("EC600N_CNLC, variant VOLTE"), "{text}");
}

fn unpacked(root: &Path) -> BTreeSet<(String, Vec<u8>)> {
    let mut files = BTreeSet::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let name = path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
                files.insert((name, std::fs::read(&path).unwrap()));
            }
        }
    }
    files
}

#[test]
fn unpacks_the_payload_and_nothing_else() {
    let bench = Bench::new();
    let name = "QPY_OCPU_V0003_EC800E_CNLC_FW";
    let public = |inner: Vec<u8>| {
        Zip::new()
            .with(&format!("{name}/changelog.md"), b"x")
            .with(&format!("{name}/{name}.bin"), &inner)
            .done()
    };
    let eigencomm_bin = Zip::new()
        .with("platform_config.json", br#"{"platform":"EIGEN"}"#)
        .tree(name, &eigencomm(true))
        .done();
    let pac_bin = Zip::new().with("x.pac", &vector(REAL_PAC)).done();
    let cases = [
        ("asr", public(Zip::new().tree("", &asr(REV)).done()), asr(REV)),
        ("eigen", public(eigencomm_bin), eigencomm(false)),
        ("unisoc", public(pac_bin), {
            let parts = pac_parts()
                .into_iter()
                .map(|(name, data)| (format!("x/{name}"), data));
            parts.chain([("x.pac".into(), vector(REAL_PAC))]).collect()
        }),
    ];
    for (case, outer, expected) in cases {
        let out = bench.path().join(format!("out {case}/new"));
        let path = bench.file(&format!("{case}.zip"), &outer);
        let written = unpack(&path, &out).unwrap();
        assert_eq!(unpacked(&out), expected.into_iter().collect(), "{case}");
        assert_eq!(written.len(), unpacked(&out).len());
        assert!(written.iter().all(|path| path.starts_with(&out)));
        // What was unpacked is the same package.
        let (packed, again) = (resolve(&path).unwrap(), resolve(&out).unwrap());
        assert_eq!(packed.built_for().revision, again.built_for().revision);
        assert_eq!(packed.images().len(), again.images().len());
    }
}

/// Every entry of the real package that has a file, by the name in the package, and the XML.
fn pac_parts() -> Vec<(String, Vec<u8>)> {
    let pac = Pac::parse(&vector(REAL_PAC)).unwrap();
    let files = pac.entries.iter().filter(|entry| !entry.data.is_empty());
    let mut parts: Vec<_> = files
        .map(|entry| (entry.file_name.clone(), entry.data.to_vec()))
        .collect();
    parts.push((format!("{}.xml", pac.product), pac.xml.to_vec()));
    parts
}

#[test]
fn unpacks_every_entry_of_a_pac_and_its_xml() {
    let bench = Bench::new();
    let out = bench.path().join("out");
    unpack(&bench.file("x.pac", &vector(REAL_PAC)), &out).unwrap();
    assert_eq!(unpacked(&out), pac_parts().into_iter().collect());
    let names: Vec<String> = unpacked(&out).into_iter().map(|(name, _)| name).collect();
    let wanted = [
        "8850XM_cat1_open.sign.img",
        "8850XM_cat1bis_ds_ab_indeltanv.cpio",
        "8850XM_cat1bis_ds_ab_modem.cpio",
        "8850XM_cat1bis_ds_ab_nvitem.bin",
        "8850_MODEM.xml",
        "EC800GCNLDR02A01M04_OCPU_QPY.sign.img",
        "boot.sign.img",
        "norfdl.sign.img",
        "spl.sign.img",
    ];
    assert_eq!(names, wanted);
    let bytes: usize = unpacked(&out).iter().map(|(_, bytes)| bytes.len()).sum();
    let table = 2124 + entries(&vector(REAL_PAC)) * 2580;
    assert_eq!(table + bytes, vector(REAL_PAC).len(), "every byte of the package");
}

/// How many entries its header says it has, the XML included.
fn entries(pac: &[u8]) -> usize {
    u32::from_le_bytes(pac[1076..1080].try_into().unwrap()) as usize
}

/// The real package with these file names for its entries with data, in their order, and this product.
fn renamed(names: &[&str], product: &str) -> Vec<u8> {
    let mut pac = vector(REAL_PAC);
    let mut put = |at: usize, limit: usize, text: &str| {
        let units: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
        pac[at..at + limit].fill(0);
        pac[at..at + units.len()].copy_from_slice(&units);
    };
    put(52, 512, product);
    let mut names = names.iter();
    for number in 0..entries(&vector(REAL_PAC)) - 1 {
        let at = 2124 + number * 2580;
        let size = u32::from_le_bytes(vector(REAL_PAC)[at + 1540..at + 1544].try_into().unwrap());
        if size > 0
            && let Some(name) = names.next()
        {
            put(at + 516, 512, name);
        }
    }
    pac_without(&pac, &[], |_, _| {})
}

#[test]
fn hostile_and_equal_names_in_a_pac_stay_inside_and_apart() {
    let bench = Bench::new();
    let long = "x".repeat(255);
    let names = [
        "../../evil.bin",
        "C:\\boot.bin",
        "a.bin",
        "A.BIN",
        "con",
        &long,
        "..",
        "package.xml",
    ];
    let pac = renamed(&names, "../8850_MODEM<>");
    let out = bench.path().join("deep/out");
    let written = unpack(&bench.file("x.pac", &pac), &out).unwrap();
    let found: Vec<String> = unpacked(&out).into_iter().map(|(name, _)| name).collect();
    let wanted = [
        "AP-A.BIN",
        "APPIMG.bin",
        "CP.bin",
        "INDELTANV.bin",
        "_package.xml",
        "a.bin",
        "boot.bin",
        "evil.bin",
        "package.xml",
    ];
    assert_eq!(found, wanted);
    assert_eq!(written.len(), pac_parts().len());
    assert_eq!(
        unpacked(bench.path()).len(),
        written.len() + 1,
        "something is outside"
    );
    let bytes: BTreeSet<Vec<u8>> = unpacked(&out).into_iter().map(|(_, bytes)| bytes).collect();
    assert_eq!(bytes, pac_parts().into_iter().map(|(_, bytes)| bytes).collect());
}

#[test]
fn unpacking_replaces_no_file() {
    let bench = Bench::new();
    let path = bench.file("x.zip", &Zip::new().with("a/x.pac", &vector(REAL_PAC)).done());
    let out = bench.path().join("out");
    bench.file("out/x.pac", b"mine");
    let error = unpack(&path, &out).unwrap_err();
    assert!(error.message.contains("exists already"), "{error}");
    assert_eq!(std::fs::read(out.join("x.pac")).unwrap(), b"mine");
}

#[cfg(unix)]
#[test]
fn unpacking_follows_no_link() {
    let bench = Bench::new();
    let path = bench.file("x.zip", &Zip::new().tree("", &eigencomm(false)).done());
    let (out, elsewhere): (PathBuf, PathBuf) = (bench.path().join("out"), bench.path().join("elsewhere"));
    std::fs::create_dir(&out).unwrap();
    std::fs::create_dir(&elsewhere).unwrap();
    std::os::unix::fs::symlink(&elsewhere, out.join("agentboot_usb")).unwrap();
    assert!(unpack(&path, &out).is_err());
    assert_eq!(unpacked(&elsewhere).len(), 0);
    std::os::unix::fs::symlink("/nowhere", out.join("ap_updater.bin")).unwrap();
    assert!(
        unpack(&path, &out)
            .unwrap_err()
            .message
            .contains("ap_updater.bin")
    );
}

#[test]
fn a_refused_package_unpacks_nothing() {
    let bench = Bench::new();
    let mut pac = vector(REAL_PAC);
    pac[1_000_000] ^= 1;
    let out = bench.path().join("out");
    assert!(unpack(&bench.file("x.pac", &pac), &out).is_err());
    assert!(!out.exists());
}
