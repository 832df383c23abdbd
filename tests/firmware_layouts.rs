//! Every published layout of the vendor's guide, with its own names, resolves to its payload.

mod firmware_support;

use firmware_support::guide::*;
use firmware_support::*;
use qpyflash::Platform;

#[test]
fn layout_1_flashable_asr_zip() {
    let bytes = asr_zip(ASR_REV);
    let name = format!("{ASR_REV}.zip");
    let package = resolve_bytes(&name, &bytes).unwrap();
    assert_is_asr(&package);
    assert_eq!(package.origin(), [name.as_str()]);
    assert_eq!(package.sha256(), sha256(&bytes));
    assert_eq!(built_for(&package), format!("EC800K_CNCC {ASR_REV}"));
    assert_eq!(
        evidence(&package),
        [
            ("revision in system.img", ASR_REV),
            ("archive name", ASR_REV),
            ("file name", name.as_str())
        ]
    );
    assert_eq!(package.warnings(), [""; 0]);
}

#[test]
fn layout_2_wrapped_asr_build_results() {
    let inner = asr_zip("");
    let pack = Zip::new().with("download.json", b"[]").done();
    let name = format!("{ASR_REV}.zip");
    let outer = Zip::new()
        .with("Quectel_Disclaimer_for_Software_BETA_Version.pdf", PDF)
        .folder(ASR_REV)
        .with(&format!("{ASR_REV}/DBG/CRANE_DS_XIP_DM_GENERIC.axf"), b"\x7fELF")
        .with(&format!("{ASR_REV}/DBG/CRANE_DS_XIP_DM_GENERIC.map"), b"map")
        .with(&format!("{ASR_REV}/DBG/CRANE_DS_XIP_DM_GENERIC_DIAG.mdb"), &pack)
        .with(&format!("{ASR_REV}/DBG/CRANE_DS_XIP_DM_GENERIC_MDB.txt"), b"text")
        .with(&format!("{ASR_REV}/DBG/CRANE_DS_XIP_DM_GENERIC_NVM.mdb"), b"nvm")
        .with(&format!("{ASR_REV}/DBG/customer_app.elf"), b"\x7fELF")
        .with(&format!("{ASR_REV}/DBG/customer_app.hex"), b":00000001FF")
        .with(&format!("{ASR_REV}/DBG/customer_app.map"), b"map")
        .with(&format!("{ASR_REV}/{ASR_REV}.json"), b"{}")
        .with(&format!("{ASR_REV}/{ASR_REV}.zip"), &inner)
        .with(&format!("{ASR_REV}/{ASR_REV}_release_pack.zip"), &pack)
        .done();
    let package = resolve_bytes(&name, &outer).unwrap();
    assert_is_asr(&package);
    assert_eq!(package.origin(), [name.as_str(), name.as_str()]);
    assert_eq!(built_for(&package), format!("EC800K_CNCC {ASR_REV}"));
    let from: Vec<&str> = evidence(&package).iter().map(|(from, _)| *from).collect();
    assert_eq!(from, ["archive name", "release file", "member name", "file name"]);
}

#[test]
fn layout_3_public_asr() {
    let name = "QPY_OCPU_BETA0002_EC800K_CNLC_FW";
    let revision = "EC800KCNLCR07A03M04_OCPU_QPY";
    let outer = Zip::new()
        .with(&format!("{name}/changelog.md"), &changelog(name))
        .with(&format!("{name}/{name}.bin"), &asr_zip(revision))
        .with(
            &format!("{name}/Quectel_Disclaimer_for_Software_BETA_Version.pdf"),
            PDF,
        )
        .done();
    let package = resolve_bytes(&format!("{name}.zip"), &outer).unwrap();
    assert_is_asr(&package);
    assert_eq!(package.origin(), [format!("{name}.zip"), format!("{name}.bin")]);
    assert_eq!(built_for(&package), format!("EC800K_CNLC {revision}"));
    assert_eq!(
        evidence(&package),
        [
            ("revision in system.img", revision),
            ("member name", "QPY_OCPU_BETA0002_EC800K_CNLC_FW.bin"),
            ("changelog.md", name),
            ("file name", "QPY_OCPU_BETA0002_EC800K_CNLC_FW.zip")
        ]
    );
    assert_eq!(package.warnings(), [""; 0]);
}

#[test]
fn layout_3_with_the_platform_beside_an_inner_zip() {
    let name = "QPY_OCPU_BETA0001_EC800K_CNCC_FW";
    let bin = Zip::new()
        .with("platform_config.json", br#"{"platform": "ASR"}"#)
        .with("EC800K.zip", &asr_zip(ASR_REV))
        .done();
    let outer = Zip::new().with(&format!("{name}/{name}.bin"), &bin).done();
    let package = resolve_bytes(&format!("{name}.zip"), &outer).unwrap();
    assert_is_asr(&package);
    assert_eq!(package.origin().len(), 3);
}

#[test]
fn layout_4_temporary_unisoc_build() {
    let outer = Zip::new()
        .with("Quectel_Disclaimer_for_Software_BETA_Version.pdf", PDF)
        .tree(UNISOC_REV, &unisoc_build())
        .done();
    let package = resolve_bytes(&format!("{UNISOC_REV}.zip"), &outer).unwrap();
    assert_is_the_real_pac(&package);
    assert_eq!(
        package.origin()[1],
        format!("8915DM_cat1_open_{UNISOC_REV}_merge.pac")
    );
    // The names of this test are another module's: that is shown.
    assert!(
        package
            .warnings()
            .iter()
            .any(|w| w.contains("EC600U_CNLB") && w.contains("EC800G_CNLD"))
    );
}

#[test]
fn layout_4_by_content_when_every_name_is_changed() {
    let files = unisoc_build();
    let zip = files.iter().enumerate().fold(Zip::new(), |zip, (n, (_, bytes))| {
        zip.with(&format!("{n}.dat"), bytes)
    });
    assert_is_the_real_pac(&resolve_bytes("x", &zip.done()).unwrap());
}

#[test]
fn layout_4_never_falls_back_to_the_core_when_the_merged_file_is_damaged() {
    let mut files = unisoc_build();
    files.last_mut().unwrap().1[1_000_000] ^= 1;
    let (code, message) = code(resolve_bytes("x.zip", &Zip::new().tree("a", &files).done()));
    assert_eq!(code, "package.corrupt");
    assert!(
        message.contains("_merge.pac") && message.contains("CRC-16"),
        "{message}"
    );
}

#[test]
fn unisoc_core_without_application_is_named() {
    let package = resolve_bytes("core.pac", &vector("unisoc/demo8910.pac")).unwrap();
    assert_eq!(package.platform(), Platform::Unisoc8910);
    assert_eq!(helpers(&package), ["HOST_FDL", "FDL2"]);
    assert_eq!(names(&package), ["AP", "PS", "NV", "BOOTLOADER"]);
    assert!(
        package.warnings().iter().any(|w| w.contains("APPIMG")),
        "{:?}",
        package.warnings()
    );
    assert!(package.warnings().iter().any(|w| w.contains("which module")));
    assert_eq!(built_for(&package), "?_? ?");
}

#[test]
fn unisoc_application_or_tool_alone_is_no_firmware() {
    let build = unisoc_build();
    for (index, word) in [(4, "application alone"), (5, "only erases"), (6, "only erases")] {
        let (code, message) = code(resolve_bytes("some.pac", &build[index].1));
        assert_eq!(code, "package.unknown");
        assert!(
            message.contains(word) && message.contains("_merge.pac"),
            "{message}"
        );
    }
}

#[test]
fn layout_5_public_unisoc_old() {
    let name = "QPY_OCPU_BETA0004_EC600U_CNLB_FW";
    let outer = Zip::new()
        .with(&format!("{name}/changelog.md"), &changelog(name))
        .with(&format!("{name}/{name}.pac"), &vector(REAL_PAC))
        .with(
            &format!("{name}/Quectel_Disclaimer_for_Software_BETA_Version.pdf"),
            PDF,
        )
        .done();
    let package = resolve_bytes(&format!("{name}.zip"), &outer).unwrap();
    assert_is_the_real_pac(&package);
    assert_eq!(package.origin(), [format!("{name}.zip"), format!("{name}.pac")]);
}

#[test]
fn layout_6_public_unisoc_new() {
    let name = "QPY_OCPU_V0001_EC800G_CNLD_FW";
    let package = resolve_bytes(&format!("{name}.zip"), &public_unisoc(name, "unisoc8850")).unwrap();
    assert_is_the_real_pac(&package);
    assert_eq!(
        package.origin(),
        [
            format!("{name}.zip"),
            format!("{name}.bin"),
            format!("{name}.pac")
        ]
    );
    assert_eq!(
        evidence(&package)[2..],
        [
            ("member name", "QPY_OCPU_V0001_EC800G_CNLD_FW.pac"),
            ("changelog.md", name),
            ("file name", "QPY_OCPU_V0001_EC800G_CNLD_FW.zip")
        ]
    );
    let warnings = ["`FMT_FSMOD` is selected: what it names will be empty afterwards"];
    assert_eq!(package.warnings(), warnings);
}

#[test]
fn the_guide_s_ec600u_cnlc_tree() {
    let name = "QPY_OCPU_BETA0001_EC600U_CNLC_FW";
    assert_is_the_real_pac(
        &resolve_bytes(&format!("{name}.zip"), &public_unisoc(name, " Unisoc8850 ")).unwrap(),
    );
}

#[test]
fn platform_config_must_agree_with_the_content() {
    for (said, expected, word) in [
        ("ASR1606", "package.corrupt", "ASR1606"),
        ("unisoc8910", "package.corrupt", "UIS8850"),
        ("EIGEN", "package.corrupt", "EIGEN"),
        ("unheard", "package.corrupt", "unheard"),
        ("RDA8908A", "package.unsupported", "RDA8908A"),
        ("ASR1803S", "package.unsupported", "ASR1803S"),
    ] {
        let (code, message) = code(resolve_bytes("x.zip", &public_unisoc("x", said)));
        assert_eq!(code, expected, "{message}");
        assert!(
            message.contains(word) && message.contains("platform_config.json"),
            "{message}"
        );
    }
    let package = resolve_bytes("x.zip", &public_unisoc("QPY_OCPU_V0001_EC800G_CNLD_FW", "unisoc")).unwrap();
    assert!(
        package.warnings().iter().any(|w| w.contains("`unisoc`")),
        "{:?}",
        package.warnings()
    );
}

#[test]
fn real_pac_alone() {
    let name = "QPY_OCPU_V0001_EC800G_CNLD_FW.pac";
    let package = resolve_bytes(name, &vector(REAL_PAC)).unwrap();
    assert_is_the_real_pac(&package);
    assert_eq!(package.origin(), [name]);
    assert_eq!(
        package.sha256(),
        "5c8fa185989b9c84b36188112a382c4ec4a878d71d08fa73ab63952abfd30d38"
    );
}

#[test]
fn layout_7_temporary_and_old_eigencomm() {
    let name = "QPY_BETA0003_EC800E_CNLC_FW";
    let outer = Zip::new()
        .with("Quectel_Disclaimer_for_Software_BETA_Version.pdf", PDF)
        .with("changelog.md", &changelog(name))
        .tree(name, &eigencomm(false))
        .done();
    let package = resolve_bytes(&format!("{name}.zip"), &outer).unwrap();
    assert_is_eigencomm(&package);
    assert_eq!(
        package.origin(),
        [format!("{name}.zip"), "at_command.binpkg".into()]
    );
    assert_eq!(
        evidence(&package)[1..],
        [
            ("folder name", name),
            ("changelog.md", name),
            ("file name", "QPY_BETA0003_EC800E_CNLC_FW.zip")
        ]
    );
    assert_eq!(package.warnings().len(), 3, "{:?}", package.warnings());
}

#[test]
fn layout_8_public_eigencomm_new() {
    let name = "QPY_OCPU_V0003_EC800E_CNLC_FW";
    let bin = Zip::new()
        .with("platform_config.json", br#"{"platform": "EIGEN"}"#)
        .tree(name, &eigencomm(true))
        .done();
    let outer = Zip::new()
        .with(&format!("{name}/changelog.md"), &changelog(name))
        .with(&format!("{name}/{name}.bin"), &bin)
        .done();
    let package = resolve_bytes(&format!("{name}.zip"), &outer).unwrap();
    assert_is_eigencomm(&package);
    assert_eq!(
        package.origin(),
        [
            format!("{name}.zip"),
            format!("{name}.bin"),
            "at_command.binpkg".into()
        ]
    );
}
