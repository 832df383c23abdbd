//! The files beside a `.binpkg`: found wherever they lie, and refused when they do not fit.

mod firmware_support;

use firmware_support::guide::*;
use firmware_support::*;
use qpyflash::firmware::inspect::{inspect, render};
use qpyflash::firmware::resolve;

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

/// The release without what `drop` names, resolved as a zip.
fn without(drop: &[&str]) -> Result<qpyflash::firmware::Package, (String, String)> {
    let kept: Vec<_> = eigencomm(false)
        .into_iter()
        .filter(|(name, _)| !drop.contains(&name.as_str()))
        .collect();
    let resolved = resolve_bytes("x.zip", &Zip::new().tree("", &kept).done());
    resolved.map_err(|error| (error.kind.code().to_owned(), error.to_string()))
}

#[test]
fn eigencomm_files_without_their_places_are_refused() {
    let (kind, message) = without(&["quec_download_config.ini"]).unwrap_err();
    assert_eq!(kind, "package.corrupt");
    assert!(
        message.contains("`ap_application.bin`") && message.contains("quec_download_config.ini"),
        "{message}"
    );
}

#[test]
fn each_missing_agent_is_told() {
    let package = without(&["agentboot_uart/agentboot.bin"]).unwrap();
    assert_eq!(helpers(&package), ["agentboot_usb"]);
    assert!(
        package
            .warnings()
            .iter()
            .any(|w| w.contains("a module on a UART")),
        "{:?}",
        package.warnings()
    );
}

#[test]
fn eigencomm_files_are_found_in_other_folders_but_never_in_another_packages() {
    let bench = Bench::new();
    let moved = |into: &str, keep: fn(&str) -> bool| -> Vec<(String, Vec<u8>)> {
        let place = |(name, data): (String, Vec<u8>)| match keep(&name) {
            true => (name, data),
            false => (format!("{into}/{name}"), data),
        };
        eigencomm(false).into_iter().map(place).collect()
    };
    let is_agent = |name: &str| name.starts_with("agentboot");
    let below = bench.tree("below", &moved("a/b/c", |name| !name.starts_with("agentboot")));
    assert_is_eigencomm(&resolve(&below).unwrap());
    let beside = bench.tree("beside", &moved("fw", is_agent));
    assert_is_eigencomm(&resolve(&beside).unwrap());

    let too_deep = bench.tree("deep", &moved("a/b/c/d", |name| !name.starts_with("agentboot")));
    assert!(resolve(&too_deep).unwrap().helpers().is_empty());

    let package = vector("eigencomm/at_command.binpkg");
    bench.tree("two/first", &[("at_command.binpkg".to_owned(), package)]);
    bench.tree("two/second", &eigencomm(false));
    let alone = resolve(&bench.path().join("two/first")).unwrap();
    assert!(alone.helpers().is_empty());
    let both = resolve(&bench.path().join("two"));
    assert!(
        both.is_err(),
        "{:?}",
        both.map(|package| package.origin().to_vec())
    );
}

#[test]
fn two_different_agents_at_one_depth_are_a_contradiction() {
    let mut files: Vec<_> = eigencomm(false)
        .into_iter()
        .filter(|(name, _)| name != "agentboot_usb/agentboot.bin")
        .collect();
    files.push((
        "one/agentboot_usb/agentboot.bin".into(),
        vector("eigencomm/agentboot_usb.bin"),
    ));
    files.push((
        "two/agentboot_usb/agentboot.bin".into(),
        vector("eigencomm/agentboot_uart.bin"),
    ));
    let (kind, message) = code(resolve_bytes("x.zip", &Zip::new().tree("", &files).done()));
    assert_eq!(kind, "package.corrupt");
    assert!(
        message.contains("one/agentboot_usb") && message.contains("differ"),
        "{message}"
    );
}

#[test]
fn the_burn_plan_says_what_is_erased_and_what_survives() {
    let bench = Bench::new();
    let inspection = inspect(&bench.tree("p", &eigencomm(false))).unwrap();
    let steps: Vec<_> = inspection
        .steps
        .iter()
        .map(|step| {
            (
                step.name.as_str(),
                step.action.words(),
                step.target.as_str(),
                step.size,
            )
        })
        .collect();
    assert_eq!(
        steps[..9],
        [
            ("agentboot_usb", "loaded into RAM", "if on USB", 35_568),
            ("agentboot_uart", "loaded into RAM", "if on a UART", 35_108),
            ("ap_bootloader", "erased", "AP flash 0x4000-0x9fff", 0x6000),
            ("ap_bootloader", "erased", "AP flash 0x0-0x1fff", 0x2000),
            ("ap_bootloader", "written", "AP flash 0x4000", 21_312),
            ("ap_at_command", "erased", "AP flash 0x24000-0x203fff", 0x1E_0000),
            ("ap_at_command", "erased", "AP flash 0x2000-0x3fff", 0x2000),
            ("ap_at_command", "written", "AP flash 0x24000", 1_965_332),
            ("cp-demo-flash", "erased", "CP flash 0x0-0x65fff", 0x6_6000),
        ]
    );
    // A file's whole area is cleared, so that nothing of an older file stays behind it.
    assert!(steps.contains(&(
        "customer_fs.bin",
        "erased",
        "AP flash 0x300000-0x33ffff",
        0x4_0000
    )));
    assert_eq!(
        inspection.kept,
        [
            "RF and calibration data (CP flash 0xcd000-0xfffff)",
            "the platform's flag sectors (AP flash 0x3fc000-0x3fffff)"
        ]
    );
    let text = render(&inspection);
    assert!(text.contains("CP flash 0xcd000-0xfffff"), "{text}");
}
