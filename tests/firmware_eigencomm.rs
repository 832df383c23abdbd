//! The files beside a `.binpkg`: found wherever they lie, and refused when they do not fit.

mod firmware_support;

use firmware_support::guide::*;
use firmware_support::*;
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
