//! What a permit records, and what else it depends on.

use qpyflash_virtual::{AsrPackage, Chip, Scale};

use super::*;
use crate::error::Kind;

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
        purpose: Purpose::Write,
        backup: None,
        scan: None,
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

#[test]
fn groups_for_the_factory_are_announced_and_never_run_unasked() {
    let beside = r#"[{"group":"1","command":"call","image":"flasher.img"},
        {"group":"1","command":"flash","partition":"cp","image":"cp.bin"},
        {"group":"7","command":"flash","partition":"rd","image":"rd.bin","productionOnly":true}]"#;
    let whole = r#"[{"group":"1","command":"call","image":"flasher.img","productionOnly":true},
        {"group":"1","command":"flash","partition":"cp","image":"cp.bin"}]"#;
    let announced = |json, production| {
        with_plan(json, production).map(|permit| {
            assert_eq!(permit.production(), production);
            permit
                .warnings()
                .iter()
                .map(ToString::to_string)
                .collect::<Vec<_>>()
        })
    };
    let left_out = "groups of the package that are for the factory are left out: `7`";
    let will_run = "groups of the package that are for the factory will run, too: `7`";
    assert!(announced(beside, false).unwrap().contains(&left_out.to_owned()));
    assert!(announced(beside, true).unwrap().contains(&will_run.to_owned()));

    let refused = announced(whole, false).unwrap_err();
    assert_eq!(refused.kind(), Kind::RefusedUnsafe);
    assert!(
        refused.to_string().contains("without its production groups"),
        "{refused}"
    );
    assert!(announced(whole, true).is_ok());
}

fn with_plan(json: &str, production: bool) -> Result<WritePermit, Refusal> {
    let built = AsrPackage::generate("EC600NCNLAR03A08M08", Chip::Asr1603, Scale::Small);
    let mut image = |name: &str| Some(Arc::from(built.member(name).unwrap_or_else(|| vec![1; 64])));
    let plan = qpyflash_protocols::asr::Plan::from_download_json(json.as_bytes(), &mut image);
    let mut pack = Arc::unwrap_or_clone(package("asr QPY_OCPU_V0006_EC600N_CNLA_FW"));
    pack.plan = crate::firmware::Plan::Asr(Arc::new(plan.unwrap_or_else(|e| panic!("{e}"))));
    let identity = module("AT EC600NCNLAR03A07M08");
    let claim = Claim {
        label: None,
        identity: identity.as_ref(),
        platform_by_usb: None,
        built_for: None,
        production,
        purpose: Purpose::Write,
        backup: None,
        scan: None,
        download_mode: false,
        place: PLACE,
    };
    clear(&Arc::new(pack), &claim)
}
