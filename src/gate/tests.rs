use super::*;
use crate::error::{Error, Kind};
use crate::firmware::{BuiltFor, Evidence, FileName};
use crate::identity::{Revision, Source, Witness};

const PLACE: &str = "1-4.2 (/dev/ttyUSB1)";

/// Package, module, what the operator says, decision.
///
/// - package: platform, file name, whole revisions found inside;
/// - module: who tells (`AT`, `REPL`, `AT?` when only one of two questions was answered) and the revision;
///   `usb=` the platform its USB id proves; `down` for download mode;
/// - operator: the label; `for=` what `--built-for` states;
/// - decision: `exact`, `shared`, or the code of the refusal.
type Row = (&'static str, &'static str, &'static str, &'static str);

#[rustfmt::skip]
const DECISIONS: &[Row] = &[
    // The guide's two examples, and their right counterparts.
    ("asr QPY_OCPU_V0006_EC600N_CNLA_FW", "AT EC600NCNLAR03A07M08", "", "exact"),
    ("asr QPY_OCPU_V0001_EC600N_CNLF_FW", "AT EC600NCNLAR03A07M08", "", "refused.submodel"),
    ("asr QPY_OCPU_V0001_EC600N_CNLF_FW", "down", "EC600NCNLA-N05-SNNSA", "refused.submodel"),
    ("asr QPY_OCPU_V0006_EC600N_CNLA_FW", "down", "EC600NCNLA-N05-SNNSA", "exact"),
    ("asr QPY_OCPU_V0001_EC600N_CNLF_FW", "down", "EC600NCNLF-N06-SNNDA", "exact"),
    ("unisoc8910 QPY_OCPU_V0001_EC200U_CNAA_FW", "AT EC200UCNAAR03A09M08", "", "exact"),
    ("unisoc8910 QPY_OCPU_V0001_EC200U_CNLA_FW", "AT EC200UCNAAR03A09M08", "", "refused.submodel"),
    ("unisoc8910 QPY_OCPU_V0001_EC200U_CNLA_FW", "down", "EC200UCNAA-N05-SGNSA", "refused.submodel"),
    ("asr QPY_OCPU_EC800M_CNGA_FW", "AT EC800MCNGAR06A05M08", "EC800MCNGA-I05-SGNSA", "exact"),

    // Shared firmware, in its direction (§4.5). All twenty follow below.
    ("asr QPY_OCPU_V0005_EC600M_CNLE_FW", "AT EC600MCNLAR01A02M08", "", "shared"),
    ("asr QPY_OCPU_V0005_EC600M_CNLE_FW", "AT EC600MCNLER06A08M08", "", "exact"),
    ("asr QPY_OCPU_V0004_EC800M_CNLF_FW", "down", "EC800MCNLC", "shared"),
    ("asr QPY_OCPU_V0004_EC800M_CNLF_FW", "down", "EC800MCNLA", "refused.submodel"),
    ("asr QPY_OCPU_EC800M_CNGD_FW", "down", "EC800MCNGC", "shared"),
    ("asr QPY_OCPU_EC800M_CNGC_FW", "down", "EC800MCNGD", "refused.submodel"),
    ("asr QPY_OCPU_EC600M_CNLA_FW", "down", "EC600MCNLE", "refused.submodel"),
    ("asr QPY_OCPU_EC600M_CNLA_FW", "down", "EC600MCNLA", "exact"),
    ("asr QPY_OCPU_EC800M_CNLE_FW", "down", "EC600MCNLA", "refused.series"),
    ("eigencomm618 QPY_OCPU_V0003_EC800E_CNLC_FW", "down", "EC800ECNLQ", "shared"),
    ("eigencomm618 QPY_OCPU_V0003_EC800E_CNLC_FW", "down", "EC600ECNLQ", "refused.series"),
    ("eigencomm618 QPY_OCPU_EC600E_CNLQ_FW", "down", "EC600ECNLC", "refused.submodel"),
    ("eigencomm618 QPY_OCPU_EC600E_CNLQ_FW", "down", "EC600ECNLD", "refused.submodel"),
    ("asr QPY_OCPU_EC800M_CNGB_FW", "AT EC800MCNGAR06A05M08", "", "refused.submodel"),

    // A temporary build for another member of the group: the vendor says nothing, so ask (§4.7 step 10).
    ("asr a.zip EC600MCNLAR01A01M08_XBND_OCPU_QPY_BETA0831", "AT EC600MCNLER06A08M08", "", "refused.submodel"),
    ("asr a.zip EC600MCNLAR01A01M08_XBND_OCPU_QPY_BETA0831", "REPL EC600MCNLER06A06M08_OCPU_QPY", "", "refused.submodel"),
    ("asr a.zip EC600MCNLAR01A01M08_XBND_OCPU_QPY_BETA0831", "REPL EC600MCNLER06A06M08_OCPU_QPY", "EC600MCNLA", "exact"),
    ("asr a.zip EC600MCNLAR01A01M08_XBND_OCPU_QPY_BETA0831", "REPL EC600MCNLER06A06M08_OCPU_QPY", "EC600MCNLE", "refused.submodel"),

    // No override for platform and series.
    ("unisoc8910 QPY_OCPU_V0004_EC200U_CNAA_FW", "AT EC600NCNLAR03A07M08", "", "refused.platform"),
    ("unisoc8910 QPY_OCPU_V0004_EC200U_CNAA_FW", "AT EC600NCNLAR03A07M08", "EC600NCNLA", "refused.platform"),
    ("unisoc8850 QPY_OCPU_V0001_EC800G_CNLD_FW", "down", "EC800ECNLD", "refused.platform"),
    ("unisoc8910 QPY_OCPU_V0004_EC600U_CNLB_FW", "down", "EC600GCNLB", "refused.platform"),
    ("asr QPY_OCPU_V0006_EC600N_CNLA_FW", "down usb=unisoc8910", "EC600NCNLA", "refused.platform"),
    ("unisoc8910 QPY_OCPU_V0004_EC600U_CNLB_FW", "down usb=unisoc8850", "EC600UCNLB", "refused.platform"),
    ("unisoc8910 QPY_OCPU_V0004_EC600U_CNLB_FW", "down usb=asr", "", "refused.platform"),
    ("asr QPY_OCPU_V0006_EC600N_CNLA_FW", "down usb=asr", "EC200UCNAA", "refused.platform"),
    ("asr QPY_OCPU_V0006_EC800N_CNLA_FW", "AT EC600NCNLAR03A07M08", "", "refused.series"),
    ("asr QPY_OCPU_V0006_EC800N_CNLA_FW", "AT EC600NCNLAR03A07M08", "EC600NCNLA", "refused.series"),
    ("asr QPY_OCPU_V0003_EC600M_CNLE_FW", "down", "EC600NCNLA", "refused.series"),
    ("asr QPY_OCPU_V0004_EC200U_CNAA_FW", "down", "EC600NCNLA", "refused.series"),
    ("unisoc8850 QPY_OCPU_V0001_EC800G_CNLD_FW", "down", "EG800GCNLD", "refused.series"),

    // Series that are unknown or out of scope, whatever the package says.
    ("asr QPY_OCPU_EC900N_CNLA_FW", "AT EC900NCNLAR01A01M08", "", "refused.series"),
    ("eigencomm618 QPY_OCPU_EG800Z_CNLA_FW", "AT EG800ZCNLAR01A01M08", "", "refused.series"),
    ("eigencomm618 QPY_OCPU_EC800Z_CNLD_FW", "down", "EC800ZCNLD", "refused.series"),
    ("asr QPY_OCPU_EC200A_AUHA_FW", "down", "EC200AAUHA", "refused.series"),
    ("asr QPY_OCPU_EC200T_EUHA_FW", "AT EC200TEUHAR05A01M16", "", "refused.series"),
    ("asr QPY_OCPU_EG912Y_EMAB_FW", "down", "EG912YEMAB", "refused.series"),

    // An unknown module asks for the label.
    ("asr QPY_OCPU_V0006_EC600N_CNLA_FW", "", "", "unknown.module"),
    ("asr QPY_OCPU_V0006_EC600N_CNLA_FW", "down", "", "unknown.module"),
    ("asr QPY_OCPU_V0006_EC600N_CNLA_FW", "down usb=asr", "", "unknown.module"),
    ("asr QPY_OCPU_V0006_EC600N_CNLA_FW", "down usb=asr", "EC600NCNLA", "exact"),
    ("asr QPY_OCPU_V0004_EC800M_CNLF_FW", "AT LTE01R06A04_VOLTE_C_SDK_A", "", "unknown.module"),
    ("asr QPY_OCPU_V0004_EC800M_CNLF_FW", "AT LTE01R06A04_VOLTE_C_SDK_A", "EC800MCNLF", "exact"),
    ("asr QPY_OCPU_V0006_EC600N_CNLA_FW", "AT? EC600NCNLAR03A07M08", "", "unknown.module"),
    ("asr QPY_OCPU_V0006_EC600N_CNLA_FW", "AT? EC600NCNLAR03A07M08", "EC600NCNLA", "exact"),
    ("asr QPY_OCPU_V0001_EC600N_CNLF_FW", "AT? EC600NCNLAR03A07M08", "EC600NCNLF", "refused.contradiction"),
    ("asr fw.bin", "", "", "unknown.module"),

    // The label against the module's own word.
    ("asr QPY_OCPU_V0006_EC600N_CNLA_FW", "AT EC600NCNLAR03A07M08", "EC600NCNLA", "exact"),
    ("asr QPY_OCPU_V0001_EC600N_CNLF_FW", "AT EC600NCNLAR03A07M08", "EC600NCNLF", "refused.contradiction"),
    ("asr QPY_OCPU_V0006_EC600N_CNLA_FW", "AT EC600NCNLAR03A07M08", "EC600NCNLF", "refused.contradiction"),
    ("asr QPY_OCPU_V0004_EC600N_CNLD_FW", "AT EC600NCNLAR03A07M08", "EC600NCNLF", "refused.contradiction"),
    ("asr QPY_OCPU_V0006_EC800N_CNLA_FW", "AT EC600NCNLAR03A07M08", "EC800NCNLA", "refused.contradiction"),
    ("asr QPY_OCPU_V0006_EC800N_CNLA_FW", "REPL EC600NCNLAR03A08M08_OCPU_QPY", "EC800NCNLA", "refused.contradiction"),
    ("asr QPY_OCPU_V0006_EC600N_CNLA_FW", "REPL EC600NCNLFR03A08M08_OCPU_QPY", "EC600NCNLA", "exact"),
    ("asr QPY_OCPU_V0006_EC600N_CNLA_FW", "AT EC600NCNLFR03A08M08_OCPU_QPY", "EC600NCNLA", "exact"),
    ("asr QPY_OCPU_V0006_EC600N_CNLA_FW", "AT EC600NCNLFR03A08M08_OCPU_V01", "EC600NCNLA", "exact"),
    ("asr QPY_OCPU_V0001_EC600N_CNLF_FW", "AT EC600NCNLFR03A08M08_OCPU_QPY", "EC600NCNLA", "refused.contradiction"),
    ("asr QPY_OCPU_V0001_EC600N_CNLF_FW", "AT EC600NCNLFR03A08M08_OCPU_QPY", "", "exact"),
    ("asr QPY_OCPU_V0005_EC600M_CNLE_FW", "AT EC600MCNLER06A06M08_OCPU_QPY", "EC600MCNLA", "shared"),
    ("asr QPY_OCPU_V0005_EC600M_CNLE_FW", "AT EC600MCNLER06A08M08", "EC600MCNLA", "shared"),
    ("asr QPY_OCPU_V0005_EC600M_CNLE_FW", "AT EC600MCNLAR01A02M08", "EC600MCNLE", "exact"),
    ("asr QPY_OCPU_V0005_EC600M_CNLA_FW", "AT EC600MCNLER06A08M08", "EC600MCNLA", "refused.contradiction"),
    ("asr QPY_OCPU_V0005_EC600M_CNLF_FW", "AT EC600MCNLER06A08M08", "EC600MCNLA", "refused.submodel"),

    // The package against itself (§4.7 step 3).
    ("asr QPY_OCPU_V0001_EC600N_CNLF_FW EC600NCNLAR03A08M08_OCPU_QPY", "down", "EC600NCNLA", "refused.contradiction"),
    ("asr QPY_OCPU_V0001_EC600N_CNLF_FW EC600NCNLAR03A08M08_OCPU_QPY", "down", "EC600NCNLF", "refused.contradiction"),
    ("asr fw.bin EC600NCNLAR03A08M08_OCPU_QPY EC800NCNLAR01A01M08_OCPU_QPY", "down", "EC600NCNLA", "refused.contradiction"),
    ("asr QPY_OCPU_V0005_EC600M_CNLE_FW EC600MCNLAR01A02V02M08_OCPU_QPY", "down", "EC600MCNLA", "exact"),
    ("asr QPY_OCPU_V0005_EC600M_CNLA_FW EC600MCNLER06A06M08_OCPU_QPY", "down", "EC600MCNLA", "shared"),
    ("asr QPY_OCPU_V0005_EC600M_CNLE_FW EC600MCNLAR01A02V02M08_OCPU_QPY", "down", "EC600MCNLE", "refused.submodel"),
    ("asr fw.bin EC600NCNLAR03A08M08_OCPU_QPY", "down", "EC600NCNLA", "exact"),
    ("asr EC800KCNCCR07A01M02_OCPY_QPY_BETA1202.zip", "AT EC800KCNCCR07A08M02", "", "exact"),
    ("unisoc8910 8915DM_cat1_open_EC600UCNLBR03A01M08_BT_OCPU_QPY_BETA1107_merge.pac", "down", "EC600UCNLB", "exact"),

    // A package that says nowhere what it is built for.
    ("asr fw.bin", "AT EC600NCNLAR03A07M08", "", "unknown.package"),
    ("asr fw.bin", "AT EC600NCNLAR03A07M08", "for=EC600N_CNLA", "exact"),
    ("asr fw.bin", "AT EC600NCNLAR03A07M08", "for=EC600N_CNLF", "refused.submodel"),
    ("asr fw.bin", "AT EC600NCNLAR03A07M08", "for=EC200U_CNAA", "refused.series"),
    ("asr fw.bin", "AT EC600MCNLAR01A02M08", "for=EC600M_CNLE", "shared"),
    ("asr fw.bin", "down", "EC600NCNLA for=EC600N_CNLA", "exact"),
    ("unisoc8910 fw.bin", "AT EC600NCNLAR03A07M08", "for=EC600N_CNLA", "refused.platform"),
    ("unisoc8910 fw.bin", "AT EC600NCNLAR03A07M08", "", "refused.platform"),
    ("asr QPY_OCPU_V0001_EC600N_CNLF_FW", "AT EC600NCNLAR03A07M08", "for=EC600N_CNLA", "refused.contradiction"),
    ("asr fw.bin EC600NCNLFR03A08M08_OCPU_QPY", "AT EC600NCNLAR03A07M08", "for=EC600N_CNLA", "refused.contradiction"),
    ("asr QPY_OCPU_V0005_EC600M_CNLE_FW", "AT EC600MCNLAR01A02M08", "for=EC600M_CNLA", "refused.contradiction"),
    ("asr QPY_OCPU_V0006_EC600N_CNLA_FW", "AT EC600NCNLAR03A07M08", "for=EC600N_CNLA", "exact"),

    // A name that the vendor's tools use for two parts (§4.6).
    ("unisoc8910 QPY_OCPU_V0001_EG915U_EAAC_FW", "AT EG915UEAACR03A01M08", "", "refused.submodel"),
    ("unisoc8910 QPY_OCPU_V0001_EG915U_EAAC_FW", "AT EG915UEAACR03A01M08", "EG915UEAAC", "exact"),
    ("unisoc8910 QPY_OCPU_V0001_EG915U_EAAC_FW", "down", "EG915UECAC", "refused.submodel"),
];

fn code(text: &str) -> OrderingCode {
    text.parse().unwrap_or_else(|e| panic!("{e}"))
}

fn platform(name: &str) -> Platform {
    Platform::ALL
        .into_iter()
        .find(|platform| platform.name() == name)
        .unwrap()
}

/// As `firmware` would find it: the revisions inside, then the file name.
fn package(text: &str) -> Arc<Package> {
    let words: Vec<&str> = text.split(' ').collect();
    let inside = words[2..]
        .iter()
        .map(|revision| ("revision in system.img", *revision));
    let name = FileName::parse(words[1]).map(|_| ("file name", words[1]));
    let evidence: Vec<Evidence> = inside
        .chain(name)
        .map(|(from, value)| Evidence {
            from: from.into(),
            value: value.into(),
        })
        .collect();
    let revision: Option<Revision> = words.get(2).and_then(|text| text.parse().ok());
    let named = FileName::parse(words[1]);
    let first = revision
        .as_ref()
        .map(Revision::ordering_code)
        .or(named.as_ref().map(FileName::ordering_code));
    let built_for = BuiltFor {
        series: first.map(|code| code.series().to_owned()),
        submodel: first.map(|code| code.submodel().to_owned()),
        variant: named.as_ref().and_then(|name| name.variant().map(str::to_owned)),
        revision: revision.as_ref().map(Revision::to_string),
        evidence,
    };
    Arc::new(Package::for_decision(platform(words[0]), words[1], built_for))
}

fn module(text: &str) -> Option<Identity> {
    let mut words = text.split(' ');
    let (source, trusted) = match words.next()? {
        "AT" => (Source::At, true),
        "AT?" => (Source::At, false),
        "REPL" => (Source::Repl, true),
        _ => return None,
    };
    let text = words.next()?;
    let mut identity = Identity::unknown(source);
    identity.revision = text.parse().ok();
    identity.revision_text = Some(text.into());
    identity.witness = match source {
        Source::At => identity.revision.as_ref().map(Revision::witness),
        Source::Repl => Some(Witness::QuecPython),
    };
    identity.ordering_code = identity
        .revision
        .as_ref()
        .filter(|_| trusted)
        .map(|r| r.ordering_code().clone());
    Some(identity)
}

fn decide(pack: &str, module_text: &str, operator: &str) -> Result<WritePermit, Refusal> {
    let identity = module(module_text);
    let usb = module_text
        .split(' ')
        .find_map(|word| word.strip_prefix("usb="))
        .map(platform);
    let stated = operator
        .split(' ')
        .find_map(|word| word.strip_prefix("for="))
        .map(code);
    let label = operator
        .split(' ')
        .find(|word| !word.is_empty() && !word.contains('='))
        .map(code);
    let claim = Claim {
        label: label.as_ref(),
        identity: identity.as_ref(),
        platform_by_usb: usb,
        built_for: stated.as_ref(),
        production: false,
        download_mode: module_text.starts_with("down"),
        place: PLACE,
    };
    clear(&package(pack), &claim)
}

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
fn decides_every_case_of_the_table() {
    for (pack, module, operator, expected) in DECISIONS {
        let found = match decide(pack, module, operator) {
            Ok(permit) if permit.acceptance() == Acceptance::Exact => "exact",
            Ok(_) => "shared",
            Err(refusal) => refusal.kind().code(),
        };
        assert_eq!(found, *expected, "{pack} | {module} | {operator}");
    }
}

#[test]
fn all_twenty_shared_codes_take_their_firmware_and_only_in_that_direction() {
    let groups: [(&str, &[&str], &str); 7] = [
        ("asr", &["EC600MCNLA", "EC600MCNLE"], "EC600M_CNLE"),
        ("asr", &["EC800MCNLA", "EC800MCNLE"], "EC800M_CNLE"),
        ("asr", &["EC600MCNLC", "EC600MCNLF"], "EC600M_CNLF"),
        ("asr", &["EC800MCNLC", "EC800MCNLF"], "EC800M_CNLF"),
        ("asr", &["EC800MCNGC", "EC800MCNGD"], "EC800M_CNGD"),
        (
            "eigencomm618",
            &[
                "EC600ECNLC",
                "EC600ECNLE",
                "EC600ECNLQ",
                "EC600ECNLD",
                "EC600ECNCG",
            ],
            "EC600E_CNLC",
        ),
        (
            "eigencomm618",
            &[
                "EC800ECNLC",
                "EC800ECNLE",
                "EC800ECNLQ",
                "EC800ECNLD",
                "EC800ECNCG",
            ],
            "EC800E_CNLC",
        ),
    ];
    let mut seen = 0;
    for (platform, modules, shared) in groups {
        for module in modules {
            seen += 1;
            let own = code(module).firmware_name();
            let expected = if own == shared {
                Acceptance::Exact
            } else {
                Acceptance::Shared
            };
            let takes = decide(&format!("{platform} QPY_OCPU_{shared}_FW"), "down", module);
            assert_eq!(takes.unwrap().acceptance(), expected, "{module} takes {shared}");
            for other in modules
                .iter()
                .filter(|other| *other != module && code(other).firmware_name() != shared)
            {
                let firmware = code(other).firmware_name();
                let takes = decide(&format!("{platform} QPY_OCPU_{firmware}_FW"), "down", module);
                assert_eq!(
                    takes.unwrap_err().kind(),
                    Kind::RefusedSubmodel,
                    "{module} refuses {firmware}"
                );
            }
        }
    }
    assert_eq!(seen, 20);
}

#[test]
fn every_pair_of_codes_gets_one_verdict_for_lists_and_for_writing() {
    let codes = [
        "EC600NCNLA",
        "EC600NCNLF",
        "EC800NCNLA",
        "EC600MCNLA",
        "EC600MCNLE",
        "EC600MCNLF",
        "EC200UCNAA",
        "EC200UCNLA",
        "EC800GCNLD",
        "EC600ECNLC",
        "EC600ECNLQ",
        "EG800ZCNLA",
        "EC900NCNLA",
    ];
    for platform in Platform::ALL {
        for firmware in codes {
            for module in codes {
                let pack = package(&format!(
                    "{platform} QPY_OCPU_{}_FW",
                    code(firmware).firmware_name()
                ));
                let listed = would_accept(platform, pack.built_for(), &code(module));
                let written = decide(
                    &format!("{platform} QPY_OCPU_{}_FW", code(firmware).firmware_name()),
                    "down",
                    module,
                );
                let accepted = written.as_ref().map(WritePermit::acceptance);
                match listed {
                    Verdict::Exact => assert_eq!(accepted, Ok(Acceptance::Exact)),
                    Verdict::Shared => assert_eq!(accepted, Ok(Acceptance::Shared)),
                    Verdict::No(_) => assert!(accepted.is_err(), "{platform} {firmware} {module}"),
                }
            }
        }
    }
}

#[test]
fn lists_say_why_a_package_does_not_fit() {
    for (pack, module, objection) in [
        ("asr fw.bin", "EC600NCNLA", Objection::UnknownPackage),
        (
            "asr QPY_OCPU_EC600N_CNLF_FW EC600NCNLAR03A08M08",
            "EC600NCNLA",
            Objection::InconsistentPackage,
        ),
        ("asr QPY_OCPU_EC600N_CNLF_FW", "EC600NCNLA", Objection::Submodel),
        (
            "asr QPY_OCPU_EC600M_CNLA_FW",
            "EC600MCNLE",
            Objection::OtherMember,
        ),
        (
            "asr QPY_OCPU_EC600M_CNLA_FW",
            "EC900MCNLE",
            Objection::UnknownSeries,
        ),
    ] {
        let pack = package(pack);
        let verdict = would_accept(pack.platform(), pack.built_for(), &code(module));
        assert_eq!(verdict, Verdict::No(objection), "{module}");
    }
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

#[test]
fn the_permit_records_what_was_decided_and_stated() {
    let permit = decide("asr fw.bin", "down usb=asr", "EC600MCNLA-I05 for=EC600M_CNLE").unwrap();
    assert_eq!(permit.ordering_code(), &code("EC600MCNLA-I05"));
    assert_eq!(
        (permit.acceptance(), permit.level()),
        (Acceptance::Shared, Level::D)
    );
    assert_eq!(permit.stated_built_for(), Some(&code("EC600M_CNLE")));
    assert_eq!(permit.expected_revision(), None);

    let permit = decide(
        "asr a EC600NCNLAR03A08M08_OCPU_QPY",
        "AT EC600NCNLAR03A07M08",
        "for=EC600N_CNLA",
    )
    .unwrap();
    assert_eq!(
        permit.stated_built_for(),
        None,
        "there was evidence, so the statement decided nothing"
    );
    assert_eq!(permit.expected_revision(), Some("EC600NCNLAR03A08M08_OCPU_QPY"));
    assert_eq!(permit.package().origin(), ["a"]);
}

#[test]
fn the_level_says_how_well_the_module_is_known() {
    let pack = "asr QPY_OCPU_V0006_EC600N_CNLA_FW";
    for (module, label, level) in [
        ("AT EC600NCNLAR03A07M08", "EC600NCNLA", Level::A),
        ("REPL EC600NCNLAR03A07M08_OCPU_QPY", "", Level::B),
        ("AT EC600NCNLAR03A07M08", "", Level::C),
        ("down usb=asr", "EC600NCNLA", Level::D),
        ("down", "EC600NCNLA", Level::E),
        ("AT EC600NCNLFR03A07M08_OCPU_QPY", "EC600NCNLA", Level::E),
    ] {
        assert_eq!(
            decide(pack, module, label).unwrap().level(),
            level,
            "{module} {label}"
        );
    }
}

#[test]
fn names_of_a_module_are_heard_when_its_revision_is_not() {
    let pack = package("asr QPY_OCPU_V0004_EC800M_CNLF_FW");
    let mut identity = Identity::unknown(Source::At);
    identity.object_id = Some("EC800MCN_LA".into());
    let label = code("EC800MCNLF");
    let mut claim = Claim {
        label: Some(&label),
        identity: Some(&identity),
        platform_by_usb: None,
        built_for: None,
        production: false,
        download_mode: false,
        place: PLACE,
    };
    let permit = clear(&pack, &claim).unwrap();
    assert!(
        permit
            .warnings()
            .iter()
            .any(|warning| matches!(warning, Warning::LabelWins { .. }))
    );

    let mut other = Identity::unknown(Source::At);
    other.object_id = Some("EC600N".into());
    claim.identity = Some(&other);
    assert_eq!(
        clear(&pack, &claim).unwrap_err().kind(),
        Kind::RefusedContradiction
    );

    claim.label = None;
    claim.identity = Some(&identity);
    assert_eq!(clear(&pack, &claim).unwrap_err().kind(), Kind::UnknownModule);
}

#[test]
fn a_summary_without_listed_evidence_still_counts() {
    let built_for = BuiltFor {
        series: Some("EC600N".into()),
        submodel: Some("CNLF".into()),
        ..BuiltFor::default()
    };
    assert_eq!(
        would_accept(Platform::Asr, &built_for, &code("EC600NCNLA")),
        Verdict::No(Objection::Submodel)
    );
    let series_only = BuiltFor {
        series: Some("EC600N".into()),
        ..BuiltFor::default()
    };
    let testimony = Testimony::of(&series_only);
    assert!(testimony.is_empty());
    assert!(testimony.contradiction_to(&code("EC800N_CNLA")).is_some());
    assert!(testimony.contradiction_to(&code("EC600N_CNLA")).is_none());
}
