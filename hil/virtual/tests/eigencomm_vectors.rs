//! A virtual Eigencomm module and the genuine container and agents. They are read from the shared vectors.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::panic)]

mod client;
mod dlboot;

use std::path::PathBuf;
use std::time::Duration;

use dlboot::header;
use dlboot::stages::{builder, in_rom, read};
use qpyflash_virtual::EigencommPackage;

/// A file of the shared vectors.
fn vector(name: &str) -> Vec<u8> {
    let given = std::env::var_os("QPYFLASH_VECTORS").map(PathBuf::from);
    let beside = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/vectors");
    let path = given.unwrap_or_else(|| beside.into()).join(name);
    std::fs::read(&path).unwrap_or_else(|error| {
        panic!(
            "cannot read the test vector {}: {error}; set QPYFLASH_VECTORS",
            path.display()
        )
    })
}

fn genuine() -> EigencommPackage {
    EigencommPackage::around(
        &vector("eigencomm/at_command.binpkg"),
        &vector("eigencomm/agentboot_usb.bin"),
        &vector("eigencomm/agentboot_uart.bin"),
    )
}

#[test]
fn takes_the_genuine_images_through_the_genuine_agent() {
    let package = genuine();
    assert_eq!(package.revision(), "EC600ECNLCR01A01M04_BETA1201");
    let parts = read(&package);
    assert_eq!(parts.images[1].2.len(), 1_965_332);
    let (_bus, module, mut host) = in_rom(builder().strict());
    host.load(&parts.usb_agent);
    host.write(&parts).unwrap();
    host.reset();
    module
        .wait_for_revision(package.revision(), Duration::from_secs(60))
        .unwrap();
    for (name, chip, at, bytes) in package.expected_regions() {
        let flash = module.flash();
        assert!(flash.region(chip, at, bytes.len()) == Some(&bytes[..]), "{name}");
    }
    assert_eq!(module.violations(), Vec::<String>::new());
}

#[test]
fn the_clients_headers_are_those_of_the_capture() {
    let hash = |kind: &str| {
        let agent = vector(&format!("eigencomm/agentboot_{kind}.bin"));
        let head = header(b"IMBO", 0, &agent, 921_600, 1);
        head[32..36].to_vec()
    };
    assert_eq!(hash("usb"), [0x61, 0x12, 0xD1, 0x35]);
    assert_eq!(hash("uart"), [0xDF, 0x4D, 0x01, 0x05]);
}
