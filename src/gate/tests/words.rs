//! What refusals and warnings say.

use super::*;
use crate::error::Error;

fn warnings(pack: &str, module: &str, operator: &str) -> Vec<String> {
    let permit = decide(pack, module, operator).unwrap_or_else(|e| panic!("{e}"));
    let json = serde_json::to_value(permit.warnings()).unwrap();
    json.as_array()
        .unwrap()
        .iter()
        .map(|warning| warning["code"].as_str().unwrap().to_owned())
        .collect()
}

fn refusal(pack: &str, module: &str, operator: &str) -> Error {
    decide(pack, module, operator).unwrap_err().into()
}

#[test]
fn the_refusal_of_the_guides_example_names_everything() {
    let error = refusal(
        "asr QPY_OCPU_V0001_EC600N_CNLF_FW.zip",
        "AT EC600NCNLAR03A07M08",
        "",
    );
    assert_eq!(
        error.to_string(),
        "refused: `QPY_OCPU_V0001_EC600N_CNLF_FW` is built for EC600N CNLF, the module on 1-4.2 (/dev/ttyUSB1) is EC600NCNLA (AT: `EC600NCNLAR03A07M08`)"
    );
    assert_eq!(
        error.hints,
        ["this module takes EC600N_CNLA firmware; `qpyflash resolve --oc EC600NCNLA DIR` finds it"]
    );
    assert_eq!((error.exit_code(), error.slot.as_deref()), (6, Some(PLACE)));
}

#[test]
fn a_contradiction_names_label_module_and_package() {
    let error = refusal(
        "asr QPY_OCPU_V0004_EC600N_CNLD_FW",
        "AT EC600NCNLAR03A07M08",
        "EC600NCNLF",
    );
    assert_eq!(
        error.to_string(),
        "refused: label, module and package contradict each other: the label says EC600NCNLF, the module on 1-4.2 (/dev/ttyUSB1) says EC600NCNLA (AT: `EC600NCNLAR03A07M08`), `QPY_OCPU_V0004_EC600N_CNLD_FW` is built for EC600N CNLD"
    );
}

#[test]
fn other_refusals_say_what_was_found_and_what_to_do() {
    for (pack, module, operator, message, hint, exit) in [
        (
            "unisoc8910 QPY_OCPU_V0004_EC200U_CNAA_FW.zip",
            "AT EC600NCNLAR03A07M08",
            "",
            "refused: `QPY_OCPU_V0004_EC200U_CNAA_FW` is for Unisoc UIS8910, the module on 1-4.2 (/dev/ttyUSB1) is EC600NCNLA (AT: `EC600NCNLAR03A07M08`), ASR Cat.1",
            "this module takes EC600N_CNLA firmware",
            6,
        ),
        (
            "asr QPY_OCPU_V0006_EC600N_CNLA_FW",
            "down usb=unisoc8910",
            "EC600NCNLA",
            "refused: `QPY_OCPU_V0006_EC600N_CNLA_FW` is for ASR Cat.1, the module on 1-4.2 (/dev/ttyUSB1) is EC600NCNLA (label), Unisoc UIS8910 by its USB id",
            "this module takes EC600N_CNLA firmware",
            6,
        ),
        (
            "asr QPY_OCPU_V0006_EC800N_CNLA_FW",
            "down",
            "EC600MCNLA",
            "refused: `QPY_OCPU_V0006_EC800N_CNLA_FW` is built for EC800N CNLA, the module on 1-4.2 (/dev/ttyUSB1) is EC600MCNLA (label), of another series",
            "this module takes EC600M_CNLA or EC600M_CNLE firmware; `qpyflash resolve --oc EC600MCNLA DIR` finds it",
            6,
        ),
        (
            "asr QPY_OCPU_V0006_EC600N_CNLA_FW",
            "down",
            "",
            "refused: the module on 1-4.2 (/dev/ttyUSB1) is in download mode, where it cannot say which one it is",
            "read the ordering code on the module's label",
            7,
        ),
        (
            "asr QPY_OCPU_V0006_EC600N_CNLA_FW",
            "AT LTE01R06A04_VOLTE_C_SDK_A",
            "",
            "refused: the module on 1-4.2 (/dev/ttyUSB1) does not say for certain which one it is (AT: `LTE01R06A04_VOLTE_C_SDK_A`)",
            "`--oc OC`",
            7,
        ),
        (
            "asr fw.bin",
            "AT EC600NCNLAR03A07M08",
            "",
            "refused: `fw.bin` says nowhere which module it is built for",
            "`--built-for SERIES_SUBMODEL`",
            7,
        ),
        (
            "asr QPY_OCPU_V0001_EC600N_CNLF_FW EC600NCNLAR03A08M08",
            "AT EC600NCNLAR03A07M08",
            "",
            "refused: `QPY_OCPU_V0001_EC600N_CNLF_FW` contradicts itself: it is built for EC600N CNLA by its revision in system.img (`EC600NCNLAR03A08M08`), for EC600N CNLF by its file name (`QPY_OCPU_V0001_EC600N_CNLF_FW`)",
            "do not rename it",
            6,
        ),
        (
            "asr QPY_OCPU_V0001_EC600N_CNLF_FW",
            "AT EC600NCNLAR03A07M08",
            "for=EC600N_CNLA",
            "refused: `--built-for` is never accepted against evidence: `QPY_OCPU_V0001_EC600N_CNLF_FW` is built for EC600N CNLF by its file name (`QPY_OCPU_V0001_EC600N_CNLF_FW`)",
            "leave `--built-for` out",
            6,
        ),
        (
            "asr a.zip EC600MCNLAR01A01M08_OCPU_QPY",
            "AT EC600MCNLER06A08M08",
            "",
            "refused: `a.zip` is built for EC600M CNLA, the module on 1-4.2 (/dev/ttyUSB1) is EC600MCNLE (AT: `EC600MCNLER06A08M08`); they share firmware, but nothing says that this build is it",
            "if the module's label says EC600MCNLA, state that: `--oc EC600MCNLA`",
            6,
        ),
        (
            "eigencomm618 QPY_OCPU_EG800Z_CNLA_FW",
            "down",
            "EG800ZCNLA",
            "refused: the module on 1-4.2 (/dev/ttyUSB1) is EG800ZCNLA (label), which qpyflash does not flash: it is built on the EC718, whose download protocol qpyflash does not speak",
            "vendor's own tool",
            6,
        ),
        (
            "asr QPY_OCPU_EC900N_CNLA_FW",
            "down",
            "EC900NCNLA",
            "refused: the module on 1-4.2 (/dev/ttyUSB1) is EC900NCNLA (label), of a series that qpyflash does not know",
            "its letters prove nothing",
            6,
        ),
    ] {
        let error = refusal(pack, module, operator);
        assert_eq!(error.to_string(), message);
        assert!(
            error.hints.iter().any(|text| text.contains(hint)),
            "{message}: {:?}",
            error.hints
        );
        assert_eq!(
            (error.exit_code(), error.phase),
            (exit, Some(qpyflash_protocols::Phase::Clear)),
            "{message}"
        );
    }
}

#[test]
fn warns_of_everything_a_person_should_know() {
    let plain = ("asr a EC600NCNLAR03A08M08_OCPU_QPY", "AT EC600NCNLAR03A07M08");
    assert_eq!(warnings(plain.0, plain.1, ""), [""; 0]);
    assert_eq!(warnings(plain.0, plain.1, "EC600NCNLA"), [""; 0]);
    for (pack, module, operator, expected) in [
        (
            "asr QPY_OCPU_V0006_EC600N_CNLA_FW",
            plain.1,
            "",
            &["name-only"][..],
        ),
        (
            "asr QPY_OCPU_BETA0001_EC600N_CNLA_FW",
            plain.1,
            "",
            &["name-only", "prerelease"],
        ),
        (
            "asr QPY_OCPU_V0006_EC600N_CNLA_FW_VOLTE",
            plain.1,
            "",
            &["name-only", "variant"],
        ),
        (
            "asr QPY_OCPU_V0006_EC600N_CNLA_FW_20230410-1322.zip",
            plain.1,
            "",
            &["name-only", "merged-application"],
        ),
        ("asr fw.bin", plain.1, "for=EC600N_CNLA", &["stated-built-for"]),
        (
            "asr a EC600NCNLAR01A08M16_OCPU_QPY",
            plain.1,
            "",
            &["release-line", "memory-class"],
        ),
        (
            "asr a EC600NCNLAR03A08M08_OCPU_QPY_TEST0810",
            plain.1,
            "",
            &["prerelease"],
        ),
        (plain.0, "down usb=asr", "EC600NCNLA", &["label-alone"]),
        (
            plain.0,
            "AT EC600NCNLAR03A07M08_OCPU_QPY",
            "",
            &["flashed-before", "application-lost"],
        ),
        (
            plain.0,
            "AT EC600NCNLFR03A07M08_OCPU_QPY",
            "EC600NCNLA",
            &["label-wins", "application-lost"],
        ),
        (
            "asr a EC600MCNLER06A06M08",
            "AT EC600MCNLER06A08M08",
            "EC600MCNLA",
            &["label-differs"],
        ),
        (
            "asr QPY_OCPU_V0005_EC600M_CNLE_FW EC600MCNLAR01A02M08",
            "AT EC600MCNLAR01A02M08",
            "",
            &["several-members"],
        ),
    ] {
        assert_eq!(
            warnings(pack, module, operator),
            expected,
            "{pack} | {module} | {operator}"
        );
    }
}

#[test]
fn every_warning_reads_as_a_sentence() {
    let permit = decide(
        "asr QPY_OCPU_BETA0001_EC600M_CNLE_FW_VOLTE_20230410-1322 EC600MCNLER01A06M16_OCPU_QPY",
        "AT EC600MCNLER06A08M08_OCPU_QPY",
        "EC600MCNLA",
    );
    let shown: Vec<String> = permit
        .unwrap()
        .warnings()
        .iter()
        .map(ToString::to_string)
        .collect();
    assert!(shown.len() >= 6, "{shown:?}");
    for text in shown {
        assert!(
            text.starts_with(|c: char| c.is_lowercase() || c == '`') && !text.ends_with('.'),
            "{text}"
        );
    }
}
