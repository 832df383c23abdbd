//! Whose NV items a backup holds.

use super::*;

const ONE: &str = "866327040830317";
const OTHER: &str = "866327040830325";
const DEFAULT: &str = "864430010001091";

/// The module reports an IMEI or nothing, the label may state one, the backup may hold one.
fn judge(module: Option<&str>, label: Option<&str>, held: Option<&str>) -> Result<Vec<Warning>, Refusal> {
    let identity = module.map(|imei| {
        let mut identity = super::module("AT EC600UCNLBR03A02M08").unwrap();
        identity.imei = Some(imei.into());
        identity
    });
    let oc = code("EC600UCNLB");
    let claim = Claim {
        label: Some(&oc),
        identity: identity.as_ref(),
        platform_by_usb: None,
        built_for: None,
        production: false,
        purpose: Purpose::Helpers,
        backup: Some(Backup {
            name: "nv.bin",
            imei: held.map(str::to_owned),
            label,
        }),
        scan: None,
        download_mode: module.is_none(),
        place: PLACE,
    };
    let permit = clear(&package("unisoc8910 QPY_OCPU_V0004_EC600U_CNLB_FW"), &claim)?;
    Ok(permit.warnings().to_vec())
}

#[test]
fn a_backup_goes_to_the_module_it_is_of() {
    for (module, label, held, warns) in [
        (Some(ONE), None, Some(ONE), ""),
        (Some(ONE), Some(ONE), Some(ONE), ""),
        (None, Some(ONE), Some(ONE), ""),
        (None, None, Some(ONE), "nothing but your word"),
        (None, None, None, "nothing but your word"),
        (Some(DEFAULT), None, Some(ONE), "nothing but your word"),
        (Some(OTHER), Some(ONE), Some(ONE), "the label decides"),
    ] {
        let warnings = judge(module, label, held).unwrap();
        let words: Vec<String> = warnings.iter().map(Warning::to_string).collect();
        let about = ["nothing but your word", "the label decides"];
        let found: Vec<&str> = about
            .into_iter()
            .filter(|about| words.iter().any(|words| words.contains(about)))
            .collect();
        assert_eq!(found.concat(), warns, "{module:?} {label:?} {held:?}: {words:?}");
    }
}

#[test]
fn a_backup_of_another_module_is_refused() {
    for (module, label, held) in [
        (Some(ONE), None, Some(OTHER)),
        (Some(ONE), None, None),
        (None, Some(ONE), Some(OTHER)),
        (Some(OTHER), Some(ONE), Some(OTHER)),
        (Some(ONE), Some(ONE), None),
    ] {
        let refusal = judge(module, label, held).unwrap_err();
        assert_eq!(
            refusal.kind(),
            crate::Kind::RefusedContradiction,
            "{module:?} {label:?} {held:?}"
        );
        assert!(refusal.to_string().contains("`nv.bin`"), "{refusal}");
    }
}
