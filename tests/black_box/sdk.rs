//! A package made of the pieces of a public SDK: the real loaders and tables, and images that are made up.

use qpyflash_virtual::AsrModule;
use serde_json::{Value, json};
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use crate::bench::{Bench, NEW, OLD, Untouched, vector};

/// Image and partition, beside the SDK's own `app.bin` for `user_app`.
const IMAGES: [(&str, &str, usize); 5] = [
    ("boot33.bin", "bootloader", 0x24000),
    ("cp.bin", "cp", 70_001),
    ("dsp.bin", "dsp", 4096),
    ("rf.bin", "rfbin", 1),
    ("fs.bin", "user_fs", 33_000),
];

/// Every byte value, and never a letter by chance.
fn made_up(seed: usize, size: usize) -> Vec<u8> {
    let byte = |at: usize| (at.wrapping_mul(31).wrapping_add(at >> 8).wrapping_add(seed) & 0xFF) as u8;
    (0..size)
        .map(|at| match byte(at) {
            letter if letter.is_ascii_uppercase() => 0x7E,
            byte => byte,
        })
        .collect()
}

/// The images: name in the package, partition, bytes. The application names what it is built for.
fn images() -> Vec<(&'static str, &'static str, Vec<u8>)> {
    let mut app = made_up(99, 50_000);
    app[1000..1000 + NEW.len()].copy_from_slice(NEW.as_bytes());
    app[1000 + NEW.len()] = 0;
    let others = IMAGES
        .iter()
        .enumerate()
        .map(|(seed, (name, partition, size))| (*name, *partition, made_up(seed, *size)));
    others.chain([("app.bin", "user_app", app)]).collect()
}

/// The SDK's package with tables for that flash size.
fn package(flash: &str) -> Vec<u8> {
    let mut entries: Vec<Value> = serde_json::from_slice(&vector("asr/sdk/download.json")).unwrap();
    let before_app = entries.len() - 1;
    for (name, partition, _) in IMAGES.iter().rev() {
        let entry = json!({
            "command": "flash", "group": "1", "image": name, "partition": partition, "weight": 0
        });
        entries.insert(before_app, entry);
    }
    let mut zip = ZipWriter::new(std::io::Cursor::new(Vec::new()));
    let mut add = |name: &str, bytes: &[u8]| {
        zip.start_file(name, SimpleFileOptions::default()).unwrap();
        std::io::Write::write_all(&mut zip, bytes).unwrap();
    };
    add("download.json", &serde_json::to_vec(&entries).unwrap());
    for (name, path) in [
        ("preboot.img", "ASR1603/preboot.img".to_owned()),
        ("flasher.img", "ASR1603/flasher.img".to_owned()),
        ("flashinfo.bin", format!("flashinfo_{flash}.bin")),
        ("partition.bin", format!("partition_{flash}.bin")),
    ] {
        add(name, &vector(&format!("asr/sdk/{path}")));
    }
    images().iter().for_each(|(name, _, bytes)| add(name, bytes));
    zip.finish().unwrap().into_inner()
}

#[test]
fn the_real_loaders_and_tables_are_written() {
    let bench = Bench::new();
    bench.file("sdk.zip", package("8M"));
    let module = bench.attach(AsrModule::builder(OLD));
    let outcome = bench
        .say("write sdk.zip --json")
        .end()
        .expect_written("confirmed");
    let images = images();
    let total: usize = images.iter().map(|(_, _, bytes)| bytes.len()).sum();
    assert_eq!(outcome["bytes"], total);
    for (name, partition, mut expected) in images {
        let found = module.partition(partition).unwrap();
        expected.resize(expected.len().next_multiple_of(4096), 0);
        let (written, rest) = found.split_at(expected.len());
        assert!(written == expected, "{name}");
        assert!(rest.iter().all(|byte| *byte == 0xFF), "{name}");
    }
}

/// Source: specs/asr-aboot.md §6.1.
#[test]
fn the_real_table_with_the_stale_crc_is_refused_before_the_module_is_touched() {
    let bench = Bench::new();
    bench.file("sdk.zip", package("16M"));
    let module = bench.attach(AsrModule::builder(OLD).flash_chip(0x100_0000, 0xC8, 0x6018));
    let untouched = Untouched::now(&module);
    let outcome = bench
        .say("write sdk.zip --json")
        .end()
        .expect(3, "package.corrupt", "nothing");
    let message = outcome["error"]["message"].as_str().unwrap();
    assert!(
        message.contains("partition.bin") && message.to_lowercase().contains("crc"),
        "{message}"
    );
    untouched.assert();
    assert_eq!(module.counters().at_bytes, 0);
}
