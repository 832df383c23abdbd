//! The throttled line, and real loaders and tables of the vendor's in a virtual module.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::panic)]

mod client;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use client::{Client, PATIENCE};
use qpyflash_virtual::{AsrModule, AsrModuleBuilder, LinkModel, Mode, Role, VirtualBus};

const OLD: &str = "EC600NCNLAR03A07M08_OCPU_QPY";

fn started(builder: AsrModuleBuilder) -> (VirtualBus, AsrModule, Client) {
    let bus = VirtualBus::temporary().unwrap();
    let module = builder.starts_in_download().attach(&bus).unwrap();
    module.wait_for_mode(Mode::Download, PATIENCE).unwrap();
    let mut loader = Client::open(module.tty(Role::Download).unwrap());
    loader.handshake();
    (bus, module, loader)
}

fn vector(name: &str) -> Vec<u8> {
    let given = std::env::var_os("QPYFLASH_VECTORS").map(PathBuf::from);
    let beside = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/vectors");
    let path = given.unwrap_or_else(|| beside.into()).join("asr").join(name);
    std::fs::read(&path).unwrap_or_else(|error| {
        panic!(
            "cannot read the test vector {}: {error}; set QPYFLASH_VECTORS",
            path.display()
        )
    })
}

/// Downloads a member and sends the commands that follow it.
fn load(loader: &mut Client, image: &[u8], commands: &[&str]) {
    assert_eq!(loader.download(image), "OKAY");
    for command in commands {
        assert_eq!(loader.ask(command), "OKAY");
    }
}

#[test]
fn bytes_pass_at_the_rate_of_the_line() {
    let link = LinkModel::named("uart-3m")
        .unwrap()
        .with_turn_round(Duration::from_millis(4));
    let (_bus, _module, mut loader) = started(AsrModule::builder(OLD).link(link));
    let begun = Instant::now();
    assert_eq!(loader.ask("getvar:version"), "OKAY0.5");
    assert!(begun.elapsed() >= Duration::from_millis(4));
    let begun = Instant::now();
    assert_eq!(loader.download(&[0; 60_000]), "OKAY");
    let fastest = Duration::from_micros(200_000);
    assert!(begun.elapsed() >= fastest, "{:?}", begun.elapsed());
}

#[test]
fn takes_the_real_loaders_and_tables_and_the_vendors_own_sparse_images() {
    let (_bus, module, mut loader) = started(AsrModule::builder(OLD));
    load(
        &mut loader,
        &vector("sdk/ASR1603/preboot.img"),
        &["verify", "call"],
    );
    load(
        &mut loader,
        &vector("sdk/ASR1603/flasher.img"),
        &["verify", "call"],
    );
    load(&mut loader, &vector("sdk/flashinfo_8M.bin"), &["partition"]);
    load(&mut loader, &vector("sdk/partition_8M.bin"), &["partition"]);
    load(
        &mut loader,
        &vector("sparse/sparse_HELLO.bin"),
        &["flash:user_app"],
    );
    load(
        &mut loader,
        &vector("sparse/sparse_raw_fill_mix.bin"),
        &["flash:user_fs"],
    );
    load(
        &mut loader,
        &vector("sparse/sparse_zero_2blk.bin"),
        &["flash:fota_pkg", "reboot", "complete"],
    );
    let app = module.partition("user_app").unwrap();
    assert!(app.starts_with(b"HELLO\0"));
    assert_eq!(app.len(), 0x80000);
    assert!(module.partition("fota_pkg").unwrap().starts_with(&[0; 8192]));
    assert_eq!(loader.ask("disconnect"), "OKAY");
    module.wait_for_revision(OLD, PATIENCE).unwrap();
}

#[test]
fn refuses_the_real_table_with_the_stale_crc() {
    let (_bus, _module, mut loader) = started(AsrModule::builder(OLD));
    load(
        &mut loader,
        &vector("sdk/ASR1603/preboot.img"),
        &["verify", "call"],
    );
    load(
        &mut loader,
        &vector("sdk/ASR1603/flasher.img"),
        &["verify", "call"],
    );
    load(&mut loader, &vector("sdk/flashinfo_16M.bin"), &[]);
    loader.ask("partition");
    load(&mut loader, &vector("sdk/partition_16M.bin"), &[]);
    assert_eq!(
        loader.ask("partition"),
        "FAILparse partition information table failed"
    );
}
