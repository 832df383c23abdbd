use super::*;

/// Name, firmware, variant, version.
type Row = (&'static str, &'static str, Option<&'static str>, Option<Version>);

const fn v(number: u16) -> Option<Version> {
    Some(Version::Release(number))
}
const fn beta(number: u16) -> Option<Version> {
    Some(Version::Beta(number))
}

/// Every public name of the guide and of specs/identity.md §4.2.
#[rustfmt::skip]
const PUBLIC: &[Row] = &[
    ("QPY_OCPU_V0006_EC600N_CNLA_FW",   "EC600N_CNLA", None, v(6)),
    ("QPY_OCPU_V0007_EC600N_CNLA_FW",   "EC600N_CNLA", None, v(7)),
    ("QPY_OCPU_V0006_EC600N_CNLC_FW",   "EC600N_CNLC", None, v(6)),
    ("QPY_OCPU_V0004_EC600N_CNLD_FW",   "EC600N_CNLD", None, v(4)),
    ("QPY_OCPU_V0005_EC600N_CNLD_FW",   "EC600N_CNLD", None, v(5)),
    ("QPY_OCPU_V0001_EC600N_CNLF_FW",   "EC600N_CNLF", None, v(1)),
    ("QPY_OCPU_V0002_EC600N_CNLF_FW",   "EC600N_CNLF", None, v(2)),
    ("QPY_OCPU_V0004_EC800N_CNLA_FW",   "EC800N_CNLA", None, v(4)),
    ("QPY_OCPU_V0006_EC800N_CNLA_FW",   "EC800N_CNLA", None, v(6)),
    ("QPY_OCPU_V0003_EC600M_CNLE_FW",   "EC600M_CNLE", None, v(3)),
    ("QPY_OCPU_V0005_EC600M_CNLE_FW.zip", "EC600M_CNLE", None, v(5)),
    ("QPY_OCPU_V0004_EC800M_CNLF_FW",   "EC800M_CNLF", None, v(4)),
    ("QPY_OCPU_BETA0001_EC800K_CNCC_FW.zip", "EC800K_CNCC", None, beta(1)),
    ("QPY_OCPU_BETA0002_EC800K_CNLC_FW.bin", "EC800K_CNLC", None, beta(2)),
    ("QPY_OCPU_V0001_EG810M_EULA_FW.zip", "EG810M_EULA", None, v(1)),
    ("QPY_OCPU_V0003_EC600U_CNLB_FW",   "EC600U_CNLB", None, v(3)),
    ("QPY_OCPU_V0004_EC600U_CNLB_FW.zip", "EC600U_CNLB", None, v(4)),
    ("QPY_OCPU_BETA0004_EC600U_CNLB_FW.pac", "EC600U_CNLB", None, beta(4)),
    ("QPY_OCPU_BETA0001_EC600U_CNLC_FW.pac", "EC600U_CNLC", None, beta(1)),
    ("QPY_OCPU_V0001_EC200U_CNAA_FW",   "EC200U_CNAA", None, v(1)),
    ("QPY_OCPU_V0004_EC200U_CNAA_FW",   "EC200U_CNAA", None, v(4)),
    ("QPY_OCPU_V0001_EC200U_CNLA_FW",   "EC200U_CNLA", None, v(1)),
    ("QPY_OCPU_BETA0001_EC200U_EUAA_FW","EC200U_EUAA", None, beta(1)),
    ("QPY_OCPU_V0006_EG915U_EUAB_FW",   "EG915U_EUAB", None, v(6)),
    ("QPY_OCPU_EG912U_GLAA",            "EG912U_GLAA", None, None),
    ("QPY_OCPU_V0001_EC800G_CNLD_FW.pac", "EC800G_CNLD", None, v(1)),
    ("QPY_OCPU_BETA0002_EC800G_CNLD_FW.bin", "EC800G_CNLD", None, beta(2)),
    ("QPY_OCPU_V0003_EC800E_CNLC_FW.zip", "EC800E_CNLC", None, v(3)),
    ("QPY_OCPU_EG800Z_CNLA_FW",         "EG800Z_CNLA", None, None),
    ("QPY_OCPU_EC200A_AUHA_FW",         "EC200A_AUHA", None, None),
    // without version, without `_OCPU`
    ("QPY_OCPU_EC800M_CNGA_FW",         "EC800M_CNGA", None, None),
    ("QPY_OCPU_EC600M_CNLE_FW.zip",     "EC600M_CNLE", None, None),
    ("QPY_OCPU_EC600M_CNLF_FW",         "EC600M_CNLF", None, None),
    ("QPY_OCPU_EC800M_CNLE_FW",         "EC800M_CNLE", None, None),
    ("QPY_OCPU_EC800M_CNLF_FW",         "EC800M_CNLF", None, None),
    ("QPY_OCPU_EC800M_CNGD_FW",         "EC800M_CNGD", None, None),
    ("QPY_OCPU_EC600E_CNLC_FW",         "EC600E_CNLC", None, None),
    ("QPY_OCPU_EC800E_CNLC_FW",         "EC800E_CNLC", None, None),
    ("QPY_V0007_EC600U_CNLB_FW",        "EC600U_CNLB", None, v(7)),
    ("QPY_BETA0003_EC800E_CNLC_FW.zip", "EC800E_CNLC", None, beta(3)),
    // variants before, behind and joined
    ("QPY_V0004_EC600N_CNLC_FW_VOLTE",  "EC600N_CNLC", Some("VOLTE"), v(4)),
    ("QPY_OCPU_V0002_EC600U_CNLB_BT_FW.zip", "EC600U_CNLB", Some("BT"), v(2)),
    ("QPY_OCPU_V0002_EC600U_CNLB_EXTFS8M_FW.zip", "EC600U_CNLB", Some("EXTFS8M"), v(2)),
    ("QPY_OCPU_V0002_EC600U_CNLBBT_FW", "EC600U_CNLB", Some("BT"), v(2)),
    ("QPY_OCPU_V0002_EC600U_CNLBEXTFS8M_FW", "EC600U_CNLB", Some("EXTFS8M"), v(2)),
    ("QPY_OCPU_V0002_EC800E_CNLCAUDIO_FW", "EC800E_CNLC", Some("AUDIO"), v(2)),
    ("QPY_OCPU_V0002_EC600M_CNCCEXT_FW", "EC600M_CNCC", Some("EXT"), v(2)),
    ("QPY_OCPU_V0002_EC600M_CNCC_EXT_TTS_FW", "EC600M_CNCC", Some("EXT_TTS"), v(2)),
    // as people have them on their disks
    ("QPY_OCPU_V0006_EC600N_CNLA_FW (1).zip", "EC600N_CNLA", None, v(6)),
    ("QPY_OCPU_V0006_EC600N_CNLA_FW(12).ZIP", "EC600N_CNLA", None, v(6)),
    ("QPY_OCPU_V0006_EC600N_CNLA_FW.zip (1)", "EC600N_CNLA", None, v(6)),
    ("qpy_ocpu_v0006_ec600n_cnla_fw.bin", "EC600N_CNLA", None, v(6)),
    ("固件/QPY_OCPU_V0006_EC600N_CNLA_FW/", "EC600N_CNLA", None, v(6)),
    (r"C:\fw\QPY_OCPU_V0006_EC600N_CNLA_FW.rar", "EC600N_CNLA", None, v(6)),
];

#[test]
fn reads_every_public_name() {
    for (name, firmware, variant, version) in PUBLIC {
        let read = FileName::parse(name).unwrap_or_else(|| panic!("{name}"));
        assert_eq!(read.ordering_code().firmware_name(), *firmware, "{name}");
        assert_eq!(
            (read.series(), read.submodel()),
            firmware.split_once('_').unwrap(),
            "{name}"
        );
        assert_eq!(read.variant(), *variant, "{name}");
        assert_eq!(read.version(), *version, "{name}");
        assert_eq!(
            (read.revision(), read.part(), read.merged()),
            (None, Part::Plain, None),
            "{name}"
        );
    }
}

#[test]
fn reads_build_names() {
    const BT: &str = "EC600UCNLBR03A01M08_BT_OCPU_QPY_BETA1107";
    for (name, revision, variant, part) in [
        (
            "EC800KCNCCR07A01M02_OCPY_QPY_BETA1202.zip",
            "EC800KCNCCR07A01M02_OCPY_QPY_BETA1202",
            None,
            Part::Plain,
        ),
        (
            "EC800KCNCCR07A01M02_OCPY_QPY_BETA1202.json",
            "EC800KCNCCR07A01M02_OCPY_QPY_BETA1202",
            None,
            Part::Plain,
        ),
        (
            "EC800KCNCCR07A01M02_OCPY_QPY_BETA1202_release_pack.zip",
            "EC800KCNCCR07A01M02_OCPY_QPY_BETA1202",
            None,
            Part::ReleasePack,
        ),
        (
            "EC600UCNLBR03A01M08_BT_OCPU_QPY_BETA1107.pac",
            BT,
            Some("BT"),
            Part::Plain,
        ),
        (
            "EC600UCNLBR03A01M08_BT_OCPU_QPY_BETA1107_flash_delete.pac",
            BT,
            Some("BT"),
            Part::FlashDelete,
        ),
        (
            "app/EC600UCNLBR03A01M08_BT_OCPU_QPY_BETA1107_pyfs_erase.pac",
            BT,
            Some("BT"),
            Part::PyfsErase,
        ),
        (
            "8915DM_cat1_open_EC600UCNLBR03A01M08_BT_OCPU_QPY_BETA1107.pac",
            BT,
            Some("BT"),
            Part::Core,
        ),
        (
            "8915DM_cat1_open_EC600UCNLBR03A01M08_BT_OCPU_QPY_BETA1107_merge.pac",
            BT,
            Some("BT"),
            Part::Merge,
        ),
        (
            "8915dm_cat1_open_ec600ucnlbr03a01m08_bt_ocpu_qpy_beta1107_merge (2).PAC",
            BT,
            Some("BT"),
            Part::Merge,
        ),
        (
            "EC800GCNLDR02A01M04_OCPU_QPY.sign.img",
            "EC800GCNLDR02A01M04_OCPU_QPY",
            None,
            Part::Plain,
        ),
        (
            "EG915UEUABR03A06M08_OCPU_QPY_01.300.01.300.pac",
            "EG915UEUABR03A06M08_OCPU_QPY_01.300.01.300",
            None,
            Part::Plain,
        ),
    ] {
        let read = FileName::parse(name).unwrap_or_else(|| panic!("{name}"));
        assert_eq!(read.revision().map(Revision::as_str), Some(revision), "{name}");
        assert_eq!(
            (read.variant(), read.part(), read.version()),
            (variant, part, None),
            "{name}"
        );
        assert_eq!(read.ordering_code().first_part(), &revision[..10], "{name}");
    }
}

#[test]
fn sees_that_an_application_was_merged_in() {
    for name in [
        "QPY_OCPU_V0006_EC600N_CNLA_FW_20230410-1322.zip",
        "EC800KCNCCR07A01M02_OCPY_QPY_BETA1202_20230410-1322.zip",
    ] {
        let read = FileName::parse(name).unwrap_or_else(|| panic!("{name}"));
        assert_eq!(
            (read.merged(), read.variant()),
            (Some("20230410-1322"), None),
            "{name}"
        );
    }
}

#[test]
fn other_names_claim_nothing() {
    for name in [
        "",
        "/",
        "fw.bin",
        "changelog.md",
        "download.json",
        "QPY_FW.zip",
        "QPY_OCPU_V0006_EC600N_FW.zip",
        "QPY_OCPU_V0006_EC600N.zip",
        "8915DM_cat1_open.elf",
        "at_command.binpkg",
        "EC600N_CNLA.bin",
        "QPY_OCPU_V0006_BG95_M3_FW.zip",
        "backup_QPY_OCPU_V0006_EC600N_CNLA_FW.zip",
        "固件.zip",
        "(1)",
        ".zip",
    ] {
        assert_eq!(FileName::parse(name), None, "{name}");
    }
}

#[test]
fn releases_sort_behind_betas() {
    let mut versions = [
        Version::Release(2),
        Version::Beta(4),
        Version::Release(10),
        Version::Beta(1),
    ];
    versions.sort();
    assert_eq!(
        versions.map(|v| v.to_string()),
        ["BETA0001", "BETA0004", "V0002", "V0010"]
    );
}

proptest::proptest! {
    #[test]
    fn parsing_never_panics(name in "\\PC*") {
        let _ = FileName::parse(&name);
    }

    #[test]
    fn parsing_public_lookalikes_never_panics(name in "(QPY|qpy)(_OCPU)?(_(V|BETA)[0-9]{0,5})?_E[CG][0-9é_]{0,4}[A-Z]?_?[A-Zé]{0,6}(_FW)?( \\([0-9]*\\))?(\\.[a-z]*)?") {
        let _ = FileName::parse(&name);
    }
}
