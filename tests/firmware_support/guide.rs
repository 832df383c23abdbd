//! The packages of the vendor's guide, and what each must resolve to.

#![allow(dead_code, reason = "each test file uses its own part")]
#![allow(clippy::unwrap_used, reason = "a test that cannot be set up fails")]

use qpyflash::Platform;
use qpyflash::firmware::Package;

use super::*;

pub const ASR_REV: &str = "EC800KCNCCR07A01M02_OCPY_QPY_BETA1202";
pub const UNISOC_REV: &str = "EC600UCNLBR03A01M08_BT_OCPU_QPY_BETA1107";
pub const PDF: &[u8] = b"%PDF-1.4 Quectel_Disclaimer_for_Software_BETA_Version";

pub fn changelog(name: &str) -> Vec<u8> {
    format!(
        "# Changelog\n\n**[{name}] 2024-10-16**\n\n- new\n\n**[QPY_OCPU_V0001_EC100Y_CNAA_FW] 2021-01-01**\n"
    )
    .into_bytes()
}

pub fn names(package: &Package) -> Vec<&str> {
    package.images().iter().map(|image| image.name.as_str()).collect()
}

pub fn helpers(package: &Package) -> Vec<&str> {
    package
        .helpers()
        .iter()
        .map(|image| image.name.as_str())
        .collect()
}

pub fn built_for(package: &Package) -> String {
    let built_for = package.built_for();
    format!(
        "{}_{} {}",
        built_for.series.as_deref().unwrap_or("?"),
        built_for.submodel.as_deref().unwrap_or("?"),
        built_for.revision.as_deref().unwrap_or("?")
    )
}

pub fn evidence(package: &Package) -> Vec<(&str, &str)> {
    package
        .built_for()
        .evidence
        .iter()
        .map(|e| (e.from.as_str(), e.value.as_str()))
        .collect()
}

pub fn assert_is_asr(package: &Package) {
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

pub fn asr_zip(revision: &str) -> Vec<u8> {
    Zip::new().tree("", &asr(revision)).done()
}

/// The five `.pac` files of a Unisoc build, from real pieces: a merged one, and parts of it.
pub fn unisoc_build() -> Vec<(String, Vec<u8>)> {
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

pub fn assert_is_the_real_pac(package: &Package) {
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

pub fn public_unisoc(name: &str, platform: &str) -> Vec<u8> {
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

pub fn assert_is_eigencomm(package: &Package) {
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
            ("cp-demo-flash", "CP 0x0", 417_470),
            ("ap_application.bin", "0x240000", 7000),
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
