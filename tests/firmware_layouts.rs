//! Every published layout of the vendor's guide, with its own names, resolves to its payload.

mod firmware_support;

use firmware_support::*;
use qpyflash::Platform;
use qpyflash::firmware::{Package, resolve};

const ASR_REV: &str = "EC800KCNCCR07A01M02_OCPY_QPY_BETA1202";
const UNISOC_REV: &str = "EC600UCNLBR03A01M08_BT_OCPU_QPY_BETA1107";
const PDF: &[u8] = b"%PDF-1.4 Quectel_Disclaimer_for_Software_BETA_Version";

fn changelog(name: &str) -> Vec<u8> {
    format!(
        "# Changelog\n\n**[{name}] 2024-10-16**\n\n- new\n\n**[QPY_OCPU_V0001_EC100Y_CNAA_FW] 2021-01-01**\n"
    )
    .into_bytes()
}

fn names(package: &Package) -> Vec<&str> {
    package.images().iter().map(|image| image.name.as_str()).collect()
}

fn helpers(package: &Package) -> Vec<&str> {
    package
        .helpers()
        .iter()
        .map(|image| image.name.as_str())
        .collect()
}

fn built_for(package: &Package) -> String {
    let built_for = package.built_for();
    format!(
        "{}_{} {}",
        built_for.series.as_deref().unwrap_or("?"),
        built_for.submodel.as_deref().unwrap_or("?"),
        built_for.revision.as_deref().unwrap_or("?")
    )
}

fn evidence(package: &Package) -> Vec<(&str, &str)> {
    package
        .built_for()
        .evidence
        .iter()
        .map(|e| (e.from.as_str(), e.value.as_str()))
        .collect()
}

fn assert_is_asr(package: &Package) {
    assert_eq!(package.platform(), Platform::Asr);
    assert_eq!(
        names(package),
        [
            "bootloader.ubi",
            "cp.bin",
            "dsp.bin",
            "rf.bin",
            "system.img",
            "customer_app.bin",
            "customer_fs.bin"
        ]
    );
    assert_eq!(&package.images()[1].data[..], noise(2, 40_000, ""));
    assert_eq!(package.images()[1].target, "cp");
    assert!(
        package
            .helpers()
            .iter()
            .any(|helper| helper.name == "flasher.img")
    );
}

fn asr_zip(revision: &str) -> Vec<u8> {
    Zip::new().tree("", &asr(revision)).done()
}

/// What a person is told of every package with radio data in it.
const RFBIN: &str =
    "the package writes `rfbin`, which may hold calibration, IMEI or network data of one single module";

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
    assert_eq!(package.warnings(), [RFBIN]);
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
    assert_eq!(package.warnings(), [RFBIN]);
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

/// The five `.pac` files of a Unisoc build, from real pieces: a merged one, and parts of it.
fn unisoc_build() -> Vec<(String, Vec<u8>)> {
    let whole = vector(REAL_PAC);
    let keep = |_: &str, _: &mut Vec<u8>| {};
    let core = pac_without(&whole, &["APPIMG"], keep);
    let app = pac_without(&whole, &["AP", "CP", "BOOT", "SPL", "NV"], keep);
    let tool = pac_without(&whole, &["AP", "CP", "BOOT", "SPL", "NV", "APPIMG"], keep);
    let open = format!("8915DM_cat1_open_{UNISOC_REV}");
    owned(&[
        ("app/customer_app.elf", b"\x7fELF"),
        (&format!("app/{UNISOC_REV}.elf"), b"\x7fELF"),
        (&format!("app/{UNISOC_REV}.img"), b"img"),
        (&format!("app/{UNISOC_REV}.map"), b"map"),
        (&format!("app/{UNISOC_REV}.pac"), &app),
        (&format!("app/{UNISOC_REV}_flash_delete.pac"), &tool),
        (&format!("app/{UNISOC_REV}_pyfs_erase.pac"), &tool),
        ("8915DM_cat1_open.elf", b"\x7fELF"),
        ("8915DM_cat1_open.map", b"map"),
        (&format!("{open}.pac"), &core),
        (&format!("{open}_merge.pac"), &whole),
    ])
}

fn assert_is_the_real_pac(package: &Package) {
    assert_eq!(package.platform(), Platform::Unisoc8850);
    assert_eq!(
        names(package),
        ["BOOT", "NV", "AP", "APPIMG", "CP", "INDELTANV", "SPL"]
    );
    assert_eq!(helpers(package), ["FDL"]);
    assert_eq!(package.images()[3].target, "0x60166000");
    assert_eq!(package.images()[3].data.len(), 0x52780);
    assert_eq!(built_for(package), "EC800G_CNLD EC800GCNLDR02A01M04_OCPU_QPY");
    assert_eq!(
        evidence(package)[0],
        ("entry name", "EC800GCNLDR02A01M04_OCPU_QPY")
    );
    assert_eq!(
        evidence(package)[1],
        ("revision in AP", "EC800GCNLDR02A01M04_OCPU_QPY")
    );
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

fn public_unisoc(name: &str, platform: &str) -> Vec<u8> {
    let bin = Zip::new()
        .stored(
            "platform_config.json",
            format!("{{\n  \"platform\": \"{platform}\"\n}}").as_bytes(),
        )
        .with(&format!("{name}.pac"), &vector(REAL_PAC))
        .done();
    Zip::new()
        .with(&format!("{name}/changelog.md"), &changelog(name))
        .with(
            &format!("{name}/Quectel_Disclaimer_for_Software_BETA_Version.pdf"),
            PDF,
        )
        .with(&format!("{name}/{name}.bin"), &bin)
        .done()
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
    assert_eq!(package.warnings(), [""; 0]);
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

fn assert_is_eigencomm(package: &Package) {
    assert_eq!(package.platform(), Platform::Eigencomm618);
    let images: Vec<_> = package
        .images()
        .iter()
        .map(|i| (i.name.as_str(), i.target.as_str(), i.data.len()))
        .collect();
    assert_eq!(
        images,
        [
            ("ap_bootloader", "0x4000", 21312),
            ("ap_at_command", "0x24000", 1_965_332),
            ("cp-demo-flash", "0x0", 417_470),
            ("ap_application.bin", "0x200000", 7000),
            ("ap_updater.bin", "0x3b4000", 5000),
            ("customer_fs.bin", "0x300000", 8192),
            ("customer_backup_fs.bin", "0x340000", 4096),
        ]
    );
    assert_eq!(helpers(package), ["agentboot_usb", "agentboot_uart"]);
    assert_eq!(
        &package.helpers()[0].data[..],
        vector("eigencomm/agentboot_usb.bin")
    );
    assert_eq!(built_for(package), "EC600E_CNLC EC600ECNLCR01A01M04_BETA1201");
    assert_eq!(
        evidence(package)[0],
        ("revision in ap_at_command", "EC600ECNLCR01A01M04_BETA1201")
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

#[test]
fn real_binpkg_alone_lacks_its_agents() {
    let package = resolve_bytes("at_command.binpkg", &vector("eigencomm/at_command.binpkg")).unwrap();
    assert_eq!(
        names(&package),
        ["ap_bootloader", "ap_at_command", "cp-demo-flash"]
    );
    assert!(package.helpers().is_empty());
    assert!(
        package.warnings().iter().any(|w| w.contains("agentboot_usb")),
        "{:?}",
        package.warnings()
    );
}

#[test]
fn eigencomm_files_must_be_there_and_fit() {
    let without: Vec<_> = eigencomm(false)
        .into_iter()
        .filter(|(name, _)| name != "ap_updater.bin")
        .collect();
    let (kind, message) = code(resolve_bytes("x.zip", &Zip::new().tree("", &without).done()));
    assert_eq!(kind, "package.corrupt");
    assert!(
        message.contains("`ap_updater.bin`") && message.contains("missing"),
        "{message}"
    );

    let mut large = eigencomm(false);
    large
        .iter_mut()
        .find(|(name, _)| name == "ap_updater.bin")
        .unwrap()
        .1 = vec![0; 0x10001];
    let (kind, message) = code(resolve_bytes("x.zip", &Zip::new().tree("", &large).done()));
    assert_eq!(kind, "package.corrupt");
    assert!(
        message.contains("65537") && message.contains("65536"),
        "{message}"
    );
}

#[test]
fn unpacked_folders_of_every_platform() {
    let bench = Bench::new();
    let asr = bench.tree("固件 包 (1)/EC800K", &asr(ASR_REV));
    let unisoc = bench.tree("unisoc build", &unisoc_build());
    let eigencomm = bench.tree(".hidden/QPY_OCPU_V0003_EC600E_CNLC_FW", &eigencomm(true));
    for path in [&asr, asr.parent().unwrap()] {
        let package = resolve(path).unwrap();
        assert_is_asr(&package);
        assert_eq!(package.origin(), [path.file_name().unwrap().to_str().unwrap()]);
    }
    assert_is_the_real_pac(&resolve(&unisoc).unwrap());
    let package = resolve(&eigencomm).unwrap();
    assert_is_eigencomm(&package);
    assert_eq!(package.sha256().len(), 64);
    assert_ne!(
        package.sha256(),
        resolve(eigencomm.parent().unwrap()).unwrap().sha256()
    );
}

#[test]
fn a_folder_with_the_public_zip_in_it() {
    let bench = Bench::new();
    let name = "QPY_OCPU_V0001_EC800G_CNLD_FW";
    bench.file("downloads/readme.txt", b"hello");
    bench.file(
        &format!("downloads/{name}.zip"),
        &public_unisoc(name, "unisoc8850"),
    );
    let package = resolve(&bench.path().join("downloads")).unwrap();
    assert_is_the_real_pac(&package);
    assert_eq!(package.origin().len(), 4);
}

#[test]
fn the_same_payload_twice_is_one() {
    let pac = vector(REAL_PAC);
    let name = "QPY_OCPU_V0001_EC800G_CNLD_FW";
    let zip = Zip::new()
        .with("a.pac", &pac)
        .with("b.pac", &pac)
        .with("c.zip", &public_unisoc(name, "unisoc8850"))
        .done();
    assert_is_the_real_pac(&resolve_bytes("x.zip", &zip).unwrap());
    let files = asr(ASR_REV);
    let both = Zip::new()
        .tree("unpacked", &files)
        .with("flash.zip", &Zip::new().tree("", &files).done())
        .done();
    assert_is_asr(&resolve_bytes("x.zip", &both).unwrap());
}

#[test]
fn different_payloads_are_listed_with_what_they_are() {
    let zip = Zip::new()
        .with("first/QPY.pac", &vector(REAL_PAC))
        .tree("second", &asr(ASR_REV))
        .tree("third", &eigencomm(false))
        .done();
    let (code, message) = code(resolve_bytes("many.zip", &zip));
    assert_eq!(code, "package.ambiguous");
    for word in [
        "first/QPY.pac",
        "EC800G_CNLD",
        "second",
        ASR_REV,
        "third/at_command.binpkg",
        "EC600E_CNLC",
    ] {
        assert!(message.contains(word), "{word}: {message}");
    }
    assert_eq!(message.lines().count(), 4);
}

#[test]
fn names_never_decide() {
    let bench = Bench::new();
    assert_is_asr(&bench.resolve("thing.pac", &asr_zip(ASR_REV)).unwrap());
    assert_is_the_real_pac(&bench.resolve("thing.binpkg", &vector(REAL_PAC)).unwrap());
    assert_is_the_real_pac(&bench.resolve("download.json.zip", &vector(REAL_PAC)).unwrap());
    let name = "QPY_OCPU_V0003_EC800E_CNLC_FW";
    let zip = Zip::new().tree(name, &eigencomm(true)).done();
    assert_is_eigencomm(&bench.resolve("noext", &zip).unwrap());
}

#[test]
fn capitals_blanks_and_copies_work() {
    let name = "QPY_OCPU_V0001_EC800G_CNLD_FW";
    let bin = Zip::new()
        .with(&format!("{name} (2).PAC"), &vector(REAL_PAC))
        .done();
    let outer = Zip::new().with(&format!("我的 固件/{name} (1).BIN"), &bin).done();
    let package = resolve_bytes(&format!("下载 {name} (1).ZIP"), &outer).unwrap();
    assert_is_the_real_pac(&package);
    assert!(package.warnings().is_empty(), "{:?}", package.warnings());
    let mut capitals = asr(ASR_REV);
    capitals
        .iter_mut()
        .find(|(name, _)| name == "download.json")
        .unwrap()
        .0 = "DOWNLOAD.JSON".into();
    assert_is_asr(&resolve_bytes("A.ZIP", &Zip::new().tree("目录 a", &capitals).done()).unwrap());
}

#[test]
fn names_in_gbk_are_read() {
    // The archiver of a Chinese Windows: GBK, and no flag that says so.
    let gbk: &[u8] = &[0xB9, 0xCC, 0xBC, 0xFE, b'/', b'a', b'.', b'p', b'a', b'c'];
    let ascii = b"XXXX/a.pac";
    let mut zip = Zip::new().with("XXXX/a.pac", &vector(REAL_PAC)).done();
    let places: Vec<usize> = zip
        .windows(ascii.len())
        .enumerate()
        .filter(|(_, w)| w == ascii)
        .map(|(at, _)| at)
        .collect();
    assert_eq!(places.len(), 2);
    for at in places {
        zip[at..at + gbk.len()].copy_from_slice(gbk);
    }
    let bench = Bench::new();
    let path = bench.file("x.zip", &zip);
    assert_is_the_real_pac(&resolve(&path).unwrap());
    let both = Zip::new()
        .with("other.pac", &pac_without(&vector(REAL_PAC), &["CP"], |_, _| {}))
        .with("x.zip", &zip)
        .done();
    let (_, message) = code(bench.resolve("both.zip", &both));
    assert!(message.contains("x.zip > 固件/a.pac"), "{message}");
}

#[test]
fn junk_of_file_managers_is_ignored() {
    let zip = Zip::new()
        .with(
            "__MACOSX/a/._x.pac",
            &pac_without(&vector(REAL_PAC), &["CP"], |_, _| {}),
        )
        .with("a/.DS_Store", b"\0\0\0\x01Bud1")
        .with("a/x.pac", &vector(REAL_PAC))
        .done();
    assert_is_the_real_pac(&resolve_bytes("x.zip", &zip).unwrap());
}

#[test]
fn what_is_no_package_says_what_was_seen() {
    for (name, bytes, word) in [
        ("a.txt", b"hello".to_vec(), "is not a `download.json`"),
        ("empty", Vec::new(), "is not a `download.json`"),
        ("a.rar", b"Rar!\x1a\x07\x00rest".to_vec(), "rar archive"),
        (
            "a.zip",
            Zip::new()
                .with("b.7z", b"7z\xbc\xaf\x27\x1crest")
                .with("c", b"")
                .done(),
            "7z archive",
        ),
        ("a.zip", Zip::new().done(), "none of the 0 files"),
    ] {
        let (code, message) = code(resolve_bytes(name, &bytes));
        assert_eq!(code, "package.unknown");
        assert!(message.contains(word), "{message}");
    }
    let error = resolve(std::path::Path::new("/no/such/file")).unwrap_err();
    assert_eq!(error.kind.code(), "package.unreadable");
}

#[test]
fn chips_that_are_not_written_are_named() {
    let mut pac = vector("unisoc/demo8910.pac");
    pac[52..1076].fill(0);
    for (unit, letter) in "UDX710_MODEM".bytes().enumerate() {
        pac[52 + 2 * unit] = letter;
    }
    let (kind, message) = code(resolve_bytes("x.pac", &pac_without(&pac, &[], |_, _| {})));
    assert_eq!(kind, "package.unsupported");
    assert!(
        message.contains("UDX710") && message.contains("UIS8910"),
        "{message}"
    );

    let mut binpkg = vector("eigencomm/at_command.binpkg");
    binpkg[..3].copy_from_slice(b"111");
    let (kind, message) = code(resolve_bytes("x.binpkg", &binpkg));
    assert_eq!(kind, "package.unsupported");
    assert!(message.contains("EC718"), "{message}");
}

/// A script that starts a loader and writes five bytes. Source: specs/asr-aboot.md §5.4.
fn script() -> Vec<u8> {
    let step = |payload: &[u8], then: &str| {
        let size = format!("{:08x}", payload.len());
        [
            format!("download:{size}\nDATA{size}\n").as_bytes(),
            payload,
            b"\nOKAY\n",
            then.as_bytes(),
        ]
        .concat()
    };
    let body = [
        b"getvar:version-bootrom\nOKAY2021.10.16\n".to_vec(),
        step(
            &vector("asr/sdk/ASR1603/preboot.img"),
            "verify\nOKAY\ncall\nOKAY\n",
        ),
        step(
            &vector("asr/sdk/ASR1603/flasher.img"),
            "verify\nOKAY\ncall\nOKAY\n",
        ),
        step(&vector("asr/sparse/sparse_HELLO.bin"), "flash:user_app\nOKAY\n"),
    ]
    .concat();
    let whole = b"!CRANE! 00000000\n".len() + body.len();
    [format!("!CRANE! {whole:08x}\n").into_bytes(), body].concat()
}

#[test]
fn asr_script_alone() {
    let package = resolve_bytes("firmware.bin", &script()).unwrap();
    assert_eq!(package.platform(), Platform::Asr);
    assert_eq!(package.origin(), ["firmware.bin"]);
    assert_eq!(
        package.helpers()[0].data[..],
        vector("asr/sdk/ASR1603/preboot.img")
    );
}

#[test]
fn asr_script_gives_way_to_the_zip_beside_it() {
    let zip = Zip::new()
        .with("r/firmware.bin", &script())
        .with("r/x.zip", &asr_zip(ASR_REV))
        .done();
    assert_is_asr(&resolve_bytes("release.zip", &zip).unwrap());
    let apart = Zip::new()
        .with("q/firmware.bin", &script())
        .with("r/x.zip", &asr_zip(ASR_REV))
        .done();
    assert_eq!(code(resolve_bytes("release.zip", &apart)).0, "package.ambiguous");
}
