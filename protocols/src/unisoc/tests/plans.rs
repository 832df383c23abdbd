//! Which packages can be written, and what happens to each entry.

use super::*;
use crate::unisoc::plan::Action;
use crate::unisoc::uimage;
use crate::{FormatError, Platform};

/// A plan of the demo package after a change of the package and of its XML.
fn changed(change: impl FnOnce(&mut Pac), from: &str, to: &str) -> Result<Plan, FormatError> {
    let mut pac = demo();
    change(&mut pac);
    let xml = String::from_utf8(pac.xml.to_vec()).expect("text");
    assert!(xml.contains(from), "{from}");
    pac.xml = xml.replace(from, to).into_bytes().into();
    Plan::from_pac(Arc::new(pac))
}

fn entry<'p>(pac: &'p mut Pac, id: &str) -> &'p mut crate::unisoc::Entry {
    pac.entries
        .iter_mut()
        .find(|entry| entry.id == id)
        .expect("it has one")
}

fn actions(plan: &Plan) -> Vec<(&str, &str, u32)> {
    plan.steps()
        .iter()
        .map(|step| match step.action {
            Action::Load => (step.id.as_str(), "load", 0),
            Action::Erase { size } => (step.id.as_str(), "erase", size),
            Action::Write => (step.id.as_str(), "write", step.data.len() as u32),
            Action::MergeNv => (step.id.as_str(), "merge", step.data.len() as u32),
            Action::Skip { .. } => (step.id.as_str(), "skip", 0),
        })
        .collect()
}

#[test]
fn runs_the_demo_package_as_the_vendor_does() {
    let plan = plan_of(demo());
    assert_eq!(
        actions(&plan),
        [
            ("HOST_FDL", "load", 0),
            ("FDL2", "load", 0),
            ("ERASE_BOOT", "erase", 0x10000),
            ("AP", "write", 0x3000),
            ("PS", "write", 0x5004),
            ("FMT_FSSYS", "skip", 0),
            ("PhaseCheck", "skip", 0),
            ("FLASH", "erase", 0),
            ("NV", "merge", 0x800),
            ("BOOTLOADER", "write", 0x2000),
        ]
    );
    assert_eq!(plan.warnings(), [""; 0]);
    assert_eq!(plan.platform(), Platform::Unisoc8910);
    for id in ["HOST_FDL", "FDL2"] {
        assert_eq!(uimage::defect(&plan.loader(id).expect("it has one").data), None);
    }
}

#[test]
fn runs_a_published_package_as_it_selects() {
    let plan = plan_of(published());
    assert_eq!(
        actions(&plan),
        [
            ("FDL", "load", 0),
            ("ERASE_SPL", "erase", 0x20000),
            ("BOOT", "write", 0x2A40),
            ("PhaseCheck", "skip", 0),
            ("FMT_FSSYS", "skip", 0),
            ("FMT_FSMOD", "erase", 0x444F_4D46),
            ("FMT_FSEXT", "skip", 0),
            ("NV", "merge", 0x28000),
            ("ERASE_PY_FS_U", "erase", 0x20000),
            ("ERASE_PY_FS_B", "erase", 0x10000),
            ("ERASE_PY_FS_C", "erase", 0x8000),
            ("AP", "write", 0x12_BFC0),
            ("APPIMG", "write", 0x5_2780),
            ("CP", "write", 0x10_4FC0),
            ("INDELTANV", "write", 0x2F3C),
            ("FLASH", "erase", 0),
            ("SPL", "write", 0xF880),
        ]
    );
    assert_eq!(plan.warnings().len(), 1, "{:?}", plan.warnings());
    assert!(plan.warnings()[0].contains("FMT_FSMOD"));
}

#[test]
fn selects_what_the_entry_the_rule_or_the_xml_selects() {
    let plan = changed(|pac| entry(pac, "FMT_FSSYS").selected = true, "<Flag>", "<Flag>").expect("sound");
    assert_eq!(actions(&plan)[5], ("FMT_FSSYS", "erase", 0x5359_5346));
    let plan = changed(|pac| entry(pac, "NV").selected = false, "<Flag>", "<Flag>").expect("sound");
    assert_eq!(actions(&plan)[8], ("NV", "skip", 0));
    assert!(plan.warnings()[0].contains("NV"), "{:?}", plan.warnings());
    let plan = changed(|pac| entry(pac, "PS").selected = false, "<Flag>", "<Flag>").expect("sound");
    assert_eq!(actions(&plan)[4].1, "write", "nobody may leave it out");
    let xml = "<Flag>0</Flag>\r\n\t\t\t\t<CheckFlag>0</CheckFlag>\r\n\t\t\t\t<Description>Erase NV<";
    let plan = changed(
        |pac| entry(pac, "FLASH").selected = false,
        xml,
        &xml.replace("Flag>0</Check", "Flag>1</Check"),
    );
    assert_eq!(actions(&plan.expect("sound"))[7].1, "erase", "the XML insists");
}

#[test]
fn refuses_a_package_that_contradicts_itself() {
    let same = ("<Flag>", "<Flag>");
    let nothing = |_: &mut Pac| {};
    let refusals: Vec<(&str, Result<Plan, FormatError>)> = vec![
        (
            "0x60010000, the XML 0x60020000",
            changed(nothing, "0x60010000", "0x60020000"),
        ),
        ("does not fit", changed(nothing, "0x220000", "0x2000")),
        ("the entry `Ap`", changed(nothing, "<IDAlias>AP<", "<IDAlias>Ap<")),
        (
            "`EXTRA` of the XML",
            changed(
                |pac| {
                    let mut extra = pac.entries[3].clone();
                    extra.id = "EXTRA".into();
                    pac.entries.push(extra);
                },
                same.0,
                same.1,
            ),
        ),
        (
            "the file of `AP`",
            changed(|pac| entry(pac, "AP").data = [].into(), same.0, same.1),
        ),
        (
            "an operation",
            changed(|pac| entry(pac, "FLASH").data = [1].into(), same.0, same.1),
        ),
        (
            "nothing is known",
            changed(|pac| entry(pac, "FLASH").id = "NUKE".into(), ">FLASH<", ">NUKE<"),
        ),
        (
            "nothing is known",
            changed(nothing, "<Type>CODE</Type>", "<Type>CODE2</Type>"),
        ),
        (
            "outside of the flash",
            changed(
                |pac| entry(pac, "AP").address = 0x1001_0000,
                "0x60010000",
                "0x10010000",
            ),
        ),
        (
            "outside of the flash",
            changed(
                |pac| entry(pac, "PS").address = 0x60FF_F000,
                "0x604a0000",
                "0x60fff000",
            ),
        ),
        (
            "no NV area",
            changed(
                |pac| entry(pac, "NV").address = 0x6020_0000,
                "0xfe000003",
                "0x60200000",
            ),
        ),
        (
            "not what it is known for",
            changed(nothing, "<Size>0x10000</Size>", "<Size>0x10800</Size>"),
        ),
        (
            "not what it is known for",
            changed(
                |pac| entry(pac, "FMT_FSSYS").selected = true,
                "0x53595346",
                "0x444F4D46",
            ),
        ),
        (
            "has none at 0x00820000",
            changed(
                |pac| entry(pac, "FDL2").address = 0x0082_0000,
                "0x810000",
                "0x820000",
            ),
        ),
        (
            "the RAM",
            changed(
                |pac| entry(pac, "HOST_FDL").data = vec![0x27; 0xFF41].into(),
                "0xff40",
                "0x1ff40",
            ),
        ),
        (
            "no uImage",
            changed(
                |pac| entry(pac, "FDL2").data = vec![0; 100].into(),
                same.0,
                same.1,
            ),
        ),
        (
            "the entry `FDL2`",
            changed(
                |pac| pac.entries.retain(|entry| entry.id != "FDL2"),
                same.0,
                same.1,
            ),
        ),
        (
            "leaves the",
            changed(|pac| entry(pac, "NV").data = vec![1; 100].into(), same.0, same.1),
        ),
    ];
    for (word, refusal) in refusals {
        let error = refusal.expect_err(word).to_string();
        assert!(error.contains(word), "{word}: {error}");
    }
}

#[test]
fn refuses_an_unknown_operation_only_if_it_is_selected() {
    let rename = |pac: &mut Pac| entry(pac, "FMT_FSSYS").id = "FMT_ALL".into();
    let plan = changed(rename, ">FMT_FSSYS<", ">FMT_ALL<").expect("it is not selected");
    assert_eq!(actions(&plan)[5], ("FMT_ALL", "skip", 0));
}

#[test]
fn refuses_an_order_that_leaves_no_way_back() {
    let same = ("<Flag>", "<Flag>");
    let boot_first = |pac: &mut Pac| entry(pac, "ERASE_BOOT").selected = false;
    for refusal in [
        changed(boot_first, same.0, same.1),
        changed(
            |pac| entry(pac, "ERASE_BOOT").address = 0x6001_0000,
            "0x60000000",
            "0x60010000",
        ),
        // Another image at the end: the order is that of the XML.
        changed(|_| {}, ">BOOTLOADER<", ">BOOTLOADER2<"),
        changed(
            |pac| {
                entry(pac, "BOOTLOADER").id = "LAST".into();
            },
            ">BOOTLOADER<",
            ">LAST<",
        ),
    ] {
        assert!(refusal.is_err());
    }
    let error = changed(boot_first, same.0, same.1)
        .expect_err("refused")
        .to_string();
    assert!(error.contains("`ERASE_BOOT` comes first"), "{error}");
}

#[test]
fn refuses_images_that_overlap_or_are_erased_again() {
    // AP ends in the sector in which PS begins.
    let error = changed(
        |pac| entry(pac, "PS").address = 0x6001_2000,
        "0x604a0000",
        "0x60012000",
    );
    assert!(error.expect_err("refused").to_string().contains("overlaps `AP`"));
    let into_boot = changed(
        |pac| entry(pac, "AP").address = 0x6000_1000,
        "0x60010000",
        "0x60001000",
    );
    assert!(
        into_boot
            .expect_err("refused")
            .to_string()
            .contains("overlaps `AP`")
    );
}
