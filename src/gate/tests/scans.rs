//! On a production line label and module must agree wherever both speak.

use super::*;
use crate::Kind;
use crate::gate::Scan;

fn judge(module: Option<&str>, label: &str, scan: Scan<'_>) -> Result<(), Refusal> {
    let identity = module.map(|text| {
        let mut identity = super::module(text).unwrap();
        identity.imei = Some("866327040830317".into());
        identity
    });
    let oc = code(label);
    let claim = Claim {
        label: Some(&oc),
        identity: identity.as_ref(),
        platform_by_usb: None,
        built_for: None,
        production: false,
        purpose: Purpose::Write,
        backup: None,
        scan: Some(scan),
        download_mode: module.is_none(),
        place: PLACE,
    };
    clear(&package("asr QPY_OCPU_V0006_EC600N_CNLA_FW"), &claim).map(drop)
}

#[test]
fn the_label_never_wins_against_the_module() {
    let module = Some("AT EC600NCNLFR01A01M16_OCPU_QPY");
    let refused = judge(module, "EC600NCNLA", Scan::default());
    assert!(matches!(refused, Err(Refusal::Contradiction(_))), "{refused:?}");
    assert_eq!(
        judge(Some("AT EC600NCNLAR03A07M08"), "EC600NCNLA", Scan::default()),
        Ok(())
    );
}

#[test]
fn imei_and_serial_number_must_be_those_of_the_label() {
    let module = Some("AT EC600NCNLAR03A07M08");
    let imei = |imei| Scan {
        imei: Some(imei),
        serial_number: None,
    };
    assert_eq!(judge(module, "EC600NCNLA", imei("866327040830317")), Ok(()));
    let refused = judge(module, "EC600NCNLA", imei("866327040830325")).unwrap_err();
    assert_eq!(refused.kind(), Kind::RefusedContradiction);
    assert_eq!(
        refused.to_string(),
        format!(
            "refused: the label says IMEI `866327040830325`, the module on {PLACE} reports `866327040830317`"
        )
    );
    let silent = Scan {
        imei: None,
        serial_number: Some("D1Q20GM050038341P"),
    };
    let refused = judge(module, "EC600NCNLA", silent).unwrap_err();
    assert!(refused.to_string().ends_with("reports none"), "{refused}");
}

#[test]
fn a_module_in_download_mode_cannot_contradict() {
    let scan = Scan {
        imei: Some("866327040830325"),
        serial_number: None,
    };
    assert_eq!(judge(None, "EC600NCNLA", scan), Ok(()));
}
