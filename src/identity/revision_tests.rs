use super::*;

/// Text, ordering code, line, application, minor, memory, tail.
type Row = (
    &'static str,
    &'static str,
    u8,
    u8,
    Option<u8>,
    Option<&'static str>,
    Option<&'static str>,
);

/// The revision strings of specs/identity.md §1.5, and their parse as it stands there. Row 52 is cut short in
/// the source ("EG912YEMABR01…" and "…R03…"); both hardware lines are completed here.
#[rustfmt::skip]
const TABLE: &[Row] = &[
    ("EC100YCNAAR01A01M16_OCPU_PY", "EC100YCNAA", 1, 1, None, Some("16"), Some("OCPU_PY")),
    ("EC600SCNAAR01A01M16_OCPU_PY_BETA1211", "EC600SCNAA", 1, 1, None, Some("16"), Some("OCPU_PY_BETA1211")),
    ("EC600SCNAAR01A02V03M16_OCPU_PY", "EC600SCNAA", 1, 2, Some(3), Some("16"), Some("OCPU_PY")),
    ("EC600SCNLAR01A01M16_OCPU_PY_BETA0414", "EC600SCNLA", 1, 1, None, Some("16"), Some("OCPU_PY_BETA0414")),
    ("EC600SCNLBR01A01M08", "EC600SCNLB", 1, 1, None, Some("08"), None),
    ("EC600NCNLCR01A01M16_OCPU_QPY_POC_BETE220209", "EC600NCNLC", 1, 1, None, Some("16"), Some("OCPU_QPY_POC_BETE220209")),
    ("EC600NCNLCR03A11M16_OCPU_QPY_BETA0313", "EC600NCNLC", 3, 11, None, Some("16"), Some("OCPU_QPY_BETA0313")),
    ("EC600NCNLDR03A03M16_OCP", "EC600NCNLD", 3, 3, None, Some("16"), Some("OCP")),
    ("EC600MCNLAR01A01M08_XBND_OCPU_QPY_BETA0831", "EC600MCNLA", 1, 1, None, Some("08"), Some("XBND_OCPU_QPY_BETA0831")),
    ("EC600MCNLAR01A02V02M08_OCPU_QPY", "EC600MCNLA", 1, 2, Some(2), Some("08"), Some("OCPU_QPY")),
    ("EC600MCNLER06A01M08_POC_XBND_OCPU_QPY_BETA0117", "EC600MCNLE", 6, 1, None, Some("08"), Some("POC_XBND_OCPU_QPY_BETA0117")),
    ("EC600MCNLER06A01M08_OCPU_QPY_TEST0213", "EC600MCNLE", 6, 1, None, Some("08"), Some("OCPU_QPY_TEST0213")),
    ("EC600MCNLER06A06M08_OCPU_QPY", "EC600MCNLE", 6, 6, None, Some("08"), Some("OCPU_QPY")),
    ("EC600MCNLER06A08M08", "EC600MCNLE", 6, 8, None, Some("08"), None),
    ("EC800MCNLAR01A01V02M08_OCPU_QPY", "EC800MCNLA", 1, 1, Some(2), Some("08"), Some("OCPU_QPY")),
    ("EC800MCNGAR01A01V02M08_OCPU_QPY", "EC800MCNGA", 1, 1, Some(2), Some("08"), Some("OCPU_QPY")),
    ("EC800MCNGAR06A05M08", "EC800MCNGA", 6, 5, None, Some("08"), None),
    ("EC800MCNLER01A03M08_OCPU_QPY_TEST0813", "EC800MCNLE", 1, 3, None, Some("08"), Some("OCPU_QPY_TEST0813")),
    ("EC800MCNLER06A01M08_OCPU_QPY_TEST0810", "EC800MCNLE", 6, 1, None, Some("08"), Some("OCPU_QPY_TEST0810")),
    ("EC800MCNLER06A03M08_OCPU_QPY_BETA1111", "EC800MCNLE", 6, 3, None, Some("08"), Some("OCPU_QPY_BETA1111")),
    ("EC800MCNLER06A01M08_AI_WS_OCPU_QPY_BETA0927", "EC800MCNLE", 6, 1, None, Some("08"), Some("AI_WS_OCPU_QPY_BETA0927")),
    ("EC800KCNCCR07A01M02_OCPY_QPY_BETA1202", "EC800KCNCC", 7, 1, None, Some("02"), Some("OCPY_QPY_BETA1202")),
    ("EC800KCNCCR07A08M02", "EC800KCNCC", 7, 8, None, Some("02"), None),
    ("EC800KCNLCR07A03M04_OCPU_QPY", "EC800KCNLC", 7, 3, None, Some("04"), Some("OCPU_QPY")),
    ("EG800KCNGCR07A04M04", "EG800KCNGC", 7, 4, None, Some("04"), None),
    ("EG800KLALCR07A05M04_OCPU_QPY", "EG800KLALC", 7, 5, None, Some("04"), Some("OCPU_QPY")),
    ("EC200UCNAAR01A04M08", "EC200UCNAA", 1, 4, None, Some("08"), None),
    ("EC200UCNAAR03A03M08", "EC200UCNAA", 3, 3, None, Some("08"), None),
    ("EC200UCNAAR03A14M08", "EC200UCNAA", 3, 14, None, Some("08"), None),
    ("EC200UCNLBR03A02M08", "EC200UCNLB", 3, 2, None, Some("08"), None),
    ("EC200UEUAAR03A04M08_OCPU_QPY_BETA0418", "EC200UEUAA", 3, 4, None, Some("08"), Some("OCPU_QPY_BETA0418")),
    ("EC200UEUABR01A03M08_PY", "EC200UEUAB", 1, 3, None, Some("08"), Some("PY")),
    ("EC600UCNLBR01A01M16_OCPU_V01", "EC600UCNLB", 1, 1, None, Some("16"), Some("OCPU_V01")),
    ("EC600UCNLBR01A06M08_OCPU_PY", "EC600UCNLB", 1, 6, None, Some("08"), Some("OCPU_PY")),
    ("EC600UCNLBR03A01M08_BT_OCPU_QPY_BETA1107", "EC600UCNLB", 3, 1, None, Some("08"), Some("BT_OCPU_QPY_BETA1107")),
    ("EC600UCNLBR03A01M08_OCPU_QPY_BETA1207", "EC600UCNLB", 3, 1, None, Some("08"), Some("OCPU_QPY_BETA1207")),
    ("EC600UCNLBR03A04M08_OCPU_QPY", "EC600UCNLB", 3, 4, None, Some("08"), Some("OCPU_QPY")),
    ("EC600UCNLBR05A01M08_OCPU_BETA1215", "EC600UCNLB", 5, 1, None, Some("08"), Some("OCPU_BETA1215")),
    ("EC600UEUABR03A02M08_OCPU_BETA0302", "EC600UEUAB", 3, 2, None, Some("08"), Some("OCPU_BETA0302")),
    ("EC600UEUABR03A21M08_OCPU_QPY", "EC600UEUAB", 3, 21, None, Some("08"), Some("OCPU_QPY")),
    ("EG912UGLAAR05A01M08_TEST0807", "EG912UGLAA", 5, 1, None, Some("08"), Some("TEST0807")),
    ("EG915UEUABR03A06M08_OCPU_QPY_01.300.01.300", "EG915UEUAB", 3, 6, None, Some("08"), Some("OCPU_QPY_01.300.01.300")),
    ("EC800GCNGAR01A01M08_OCPU_V01", "EC800GCNGA", 1, 1, None, Some("08"), Some("OCPU_V01")),
    ("EC800GCNLDR01A01M04_OCPU_QPY_BETA1016", "EC800GCNLD", 1, 1, None, Some("04"), Some("OCPU_QPY_BETA1016")),
    ("EC800GCNLDR02A01M04_OCPU_QPY", "EC800GCNLD", 2, 1, None, Some("04"), Some("OCPU_QPY")),
    ("EG800GEULDR01A09M04", "EG800GEULD", 1, 9, None, Some("04"), None),
    ("EC600ECNLCR01A01M04_BETA1103", "EC600ECNLC", 1, 1, None, Some("04"), Some("BETA1103")),
    ("EC600ECNLCR01A01M04_BETA1201", "EC600ECNLC", 1, 1, None, Some("04"), Some("BETA1201")),
    ("EC800ECNLCR02A01M04_OCPU_QPY_BETA0713", "EC800ECNLC", 2, 1, None, Some("04"), Some("OCPU_QPY_BETA0713")),
    ("EC800ECNLCR01A21M04", "EC800ECNLC", 1, 21, None, Some("04"), None),
    ("EC200TEUHAR05A01M16", "EC200TEUHA", 5, 1, None, Some("16"), None),
    ("EC200ACNTAR01A03M2G_OCPU", "EC200ACNTA", 1, 3, None, Some("2G"), Some("OCPU")),
    ("EG912YEMABR01A01M08", "EG912YEMAB", 1, 1, None, Some("08"), None),
    ("EG912YEMABR03A01M08", "EG912YEMAB", 3, 1, None, Some("08"), None),
    // §1.3 and §1.6: no digits behind M, no M at all
    ("EG800QEULCR01A03M", "EG800QEULC", 1, 3, None, None, None),
    ("EG800ZCNLAR01A01_BETA_OCPU_20260512", "EG800ZCNLA", 1, 1, None, None, Some("BETA_OCPU_20260512")),
    ("EC200UCNAAR03A09M08", "EC200UCNAA", 3, 9, None, Some("08"), None),
    ("EC200AEUHAR01A30M16", "EC200AEUHA", 1, 30, None, Some("16"), None),
];

fn revision(text: &str) -> Revision {
    text.parse().unwrap_or_else(|e| panic!("{e}"))
}

#[test]
fn parses_every_known_revision() {
    for (text, code, line, application, minor, memory, tail) in TABLE {
        let read = revision(text);
        assert_eq!(read.ordering_code().first_part(), *code, "{text}");
        assert_eq!(
            (read.line(), read.application(), read.minor()),
            (*line, *application, *minor),
            "{text}"
        );
        assert_eq!((read.memory(), read.tail()), (*memory, *tail), "{text}");
        assert_eq!(read.to_string(), *text);
    }
}

#[test]
fn other_families_and_other_firmware_yield_no_ordering_code() {
    for text in [
        "LTE01R06A04_VOLTE_C_SDK_A",
        "QSR01A03_C_SDK_LTE_E_BETA20260511",
        "EM05GFAR07A07M1G_01.016.01.016",
        "EG25GGBR07A08M2G_01.001.01.001",
        "EC20CEFHLGR06A07M1G",
        "EG912YEMABR01…",
        "EC600NCNLA",
        "EC600NCNLAR03",
        "EC600NCNLAR03A07M08 X",
        "xEC600NCNLAR03A07M08",
        "",
    ] {
        assert!(text.parse::<Revision>().is_err(), "{text}");
        assert!(
            Revision::find_in(text.as_bytes()).len() <= usize::from(text.contains("R03A07")),
            "{text}"
        );
    }
}

#[test]
fn weighs_the_tail() {
    for (text, witness, variant, prerelease) in [
        ("EC600NCNLAR03A07M08", Witness::Factory, None, None),
        (
            "EC600ECNLCR01A01M04_BETA1103",
            Witness::Factory,
            None,
            Some("BETA1103"),
        ),
        ("EC600UCNLBR01A01M16_OCPU_V01", Witness::OpenCpu, None, None),
        ("EC600NCNLDR03A03M16_OCP", Witness::OpenCpu, None, None),
        (
            "EC600UCNLBR05A01M08_OCPU_BETA1215",
            Witness::OpenCpu,
            None,
            Some("BETA1215"),
        ),
        ("EC200UEUABR01A03M08_PY", Witness::QuecPython, None, None),
        (
            "EC800KCNCCR07A01M02_OCPY_QPY_BETA1202",
            Witness::QuecPython,
            None,
            Some("BETA1202"),
        ),
        (
            "EC600UCNLBR03A01M08_BT_OCPU_QPY_BETA1107",
            Witness::QuecPython,
            Some("BT"),
            Some("BETA1107"),
        ),
        (
            "EC800MCNLER06A01M08_AI_WS_OCPU_QPY_BETA0927",
            Witness::QuecPython,
            Some("AI_WS"),
            Some("BETA0927"),
        ),
        (
            "EC600NCNLCR01A01M16_OCPU_QPY_POC_BETE220209",
            Witness::QuecPython,
            Some("POC"),
            Some("BETE220209"),
        ),
        (
            "EG915UEUABR03A06M08_OCPU_QPY_01.300.01.300",
            Witness::QuecPython,
            None,
            None,
        ),
        (
            "EC800MCNLER01A03M08_VOLTE_OCPU_QPY_TEST0813",
            Witness::QuecPython,
            Some("VOLTE"),
            Some("TEST0813"),
        ),
    ] {
        let read = revision(text);
        assert_eq!(read.witness(), witness, "{text}");
        assert_eq!(read.variant().as_deref(), variant, "{text}");
        assert_eq!(read.prerelease(), prerelease, "{text}");
    }
}

#[test]
fn finds_every_known_revision_inside_binary_data() {
    for (text, ..) in TABLE {
        for (before, behind) in [
            ("\0", "\0"),
            ("pG", "\0"),
            ("`", "\r\n"),
            ("\u{fffd}8915DM_cat1_open_", "_merge.pac"),
        ] {
            let data = [before, text, behind].concat();
            assert_eq!(Revision::find_in(data.as_bytes()), [revision(text)], "{data:?}");
        }
    }
}

#[test]
fn finds_different_revisions_once_each_in_order() {
    let data = b"\xff\x00EC800GCNLDR02A01M04_OCPU_QPY.sign.img\x00EC600NCNLAR03A07M08\x00EC800GCNLDR02A01M04_OCPU_QPY\0\xf0";
    let found: Vec<String> = Revision::find_in(data).iter().map(ToString::to_string).collect();
    assert_eq!(found, ["EC800GCNLDR02A01M04_OCPU_QPY", "EC600NCNLAR03A07M08"]);
}

#[test]
fn bare_words_and_run_on_text_are_not_found() {
    assert!(Revision::find_in(b"EC600E EC800E EC600NCNLA EC600N-CNLA\0").is_empty());
    assert!(Revision::find_in(b"EC600NCNLAR03A07M08xyz EC600NCNLAR03A071\0").is_empty());
}

proptest::proptest! {
    #[test]
    fn parsing_never_panics(text in "\\PC*", data: Vec<u8>) {
        let _ = text.parse::<Revision>();
        let _ = Revision::find_in(&data);
    }
}
