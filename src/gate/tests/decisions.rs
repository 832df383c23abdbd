//! The table of decisions.

use super::*;
use crate::error::Kind;

/// Package, module, what the operator says; decision: `exact`, `shared`, or the code of the refusal.
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
