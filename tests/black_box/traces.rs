//! A run is recorded, shown, and said again: byte for byte the same, or with the first difference.

use qpyflash_virtual::{AsrModule, EigencommModule, UnisocModule};
use serde_json::Value;

use crate::bench::{Bench, OLD};
use crate::harness::{Ended, each};
use crate::{eigencomm, unisoc};

/// The platforms, and what one of their transcripts holds: words that stand in the specification's, in this order.
const PLATFORMS: [(&str, &[&str]); 5] = [
    (
        "asr",
        &[
            "--- identify ---", "> AT ", "< ", "ATI", "--- enter-download ---", "AT+QDOWNLOAD=1", "--- sync ---",
            "> UUUU~", "< ~UABT~", "> HELLO mtu 2000", "< HELLO_REPLY mtu 1024", "--- check-chip ---",
            "> getvar:version-bootrom", "< OKAY", "> download:", "< DATA", "> DATA 0x", "> verify", "> call",
            "> partition", "--- write ---", "> flash:", "--- verify ---", "> complete", "> disconnect",
            "--- confirm ---", "AT+CGMR",
        ],
    ),
    (
        "ethos",
        &["> UUUU~", "< ~UUUU~", "> HELLO", "< HELLO_REPLY", "> neighbour solicitation", "< neighbour advertisement",
            "> query", "< sequence 0x", "> init version 1", "> getvar:version-bootrom", "> poll", "< OKAY",
            "data-request:", "raw 0x", "> complete"],
    ),
    (
        "8910",
        &["> PDL CONNECT", "< PDL ACK", "> PDL START_DATA 0x", "> PDL MID_DATA 0x800 bytes", "> PDL END_DATA",
            "> PDL EXEC_DATA", "> 7E ", "< VER `", "> CONNECT", "< ACK", "> CHANGE_BAUD 115200", "> START_DATA 0x",
            "> MIDST_DATA 0x", "> END_DATA", "> EXEC_DATA", "> READ_FLASH 0xfe000003, 0x", "< READ_FLASH 0x",
            "> ERASE_FLASH 0x", "> NORMAL_RESET"],
    ),
    (
        "8850",
        &["> 7E ×3", "< VER `", "> CONNECT", "< ACK", "> START_DATA 0x", "> EXEC_DATA", "> 7E ×3", "< VER `",
            "> READ_FLASH 0xfe000003, 0x", "> NORMAL_RESET"],
    ),
    (
        "ec618",
        &["> DLBOOT sync", "< DLBOOT echo", "> GET_VERSION", "< version 0x", "> SEL_IMAGE", "< wants ",
            "> DATA_HEAD 0x", "< grants 0x", "> DOWNLOAD_DATA 0x", "< ACK", "> DONE", "> LPC sync", "< LPC echo",
            "> BULK_READ", "< data 0x", "> BURN_ONE", "> AGBOOT sync", "< AGBOOT echo", "> GET_BURN_STATUS",
            "> SYS_RST"],
    ),
];

/// Something that must not go away.
type Module = Box<dyn std::any::Any>;

/// A bench with a module, its package as `fw.zip` and another as `other.zip`.
fn bench(platform: &str) -> (Bench, Module) {
    let chip = |index: usize| unisoc::CHIPS[index];
    let unisoc = |(chip, old, new, _)| {
        let bench = Bench::bare();
        let zip = |revision| unisoc::package(chip, revision).public_bin_zip("QPY_OCPU_V0004_FW").unwrap();
        bench.file("fw.zip", zip(new));
        bench.file("other.zip", zip(old));
        let module = unisoc::attach(&bench, UnisocModule::builder(chip, old));
        (bench, Box::new(module) as Module)
    };
    match platform {
        "8910" => unisoc(chip(0)),
        "8850" => unisoc(chip(1)),
        "ec618" => {
            let bench = Bench::bare();
            let zip = |revision| {
                let package = eigencomm::package(revision);
                package.public_bin_zip("QPY_OCPU_V0003_EC600E_CNLC_FW").unwrap()
            };
            bench.file("fw.zip", zip(eigencomm::NEW));
            bench.file("other.zip", zip(eigencomm::OLD));
            let module = eigencomm::attach(&bench, EigencommModule::builder(eigencomm::OLD));
            (bench, Box::new(module) as Module)
        }
        _ => {
            let bench = Bench::new();
            let other = AsrPackage::generate(OLD, Chip::Asr1603, Scale::Small);
            bench.file("other.zip", other.public_zip(NAME).unwrap());
            let builder = AsrModule::builder(OLD);
            let builder = if platform == "ethos" { builder.ethos() } else { builder };
            let module = bench.attach(builder);
            (bench, Box::new(module) as Module)
        }
    }
}

/// A recording `t.jsonl` of a write.
#[track_caller]
fn record(platform: &str) -> (Bench, Module) {
    let (bench, module) = bench(platform);
    bench
        .say("write fw.zip --json --backup-dir kept --trace t.jsonl")
        .end()
        .expect_written("confirmed");
    (bench, module)
}

#[track_caller]
fn assert_ends(ended: &Ended, code: i32) {
    assert_eq!(ended.code, Some(code), "{ended:#?}");
}

fn text(bench: &Bench, name: &str) -> String {
    std::fs::read_to_string(bench.path().join(name)).unwrap()
}

#[test]
fn a_recorded_write_is_shown_in_words_and_equal_when_said_again() {
    each(&PLATFORMS, |(platform, words)| {
        let (bench, _module) = record(platform);
        let shown = bench.say("trace show t.jsonl").end();
        assert_ends(&shown, 0);
        let mut rest = shown.stdout.as_str();
        for words in *words {
            let at = rest.find(words);
            assert!(at.is_some(), "{platform}: no `{words}` in\n{rest}");
            rest = &rest[at.unwrap()..];
        }
        let replayed = bench.say("trace replay t.jsonl --package fw.zip --json").end();
        assert_ends(&replayed, 0);
        let replayed = replayed.json();
        assert_eq!((&replayed["equal"], &replayed["replay"]["sessions"]), (&Value::from(true), &Value::from(1)));
        assert!(replayed["replay"]["lines"].as_u64() >= Some(4), "{replayed:#}");
        assert!(replayed["replay"]["bytes"].as_u64() > Some(50_000), "{replayed:#}");
        assert_eq!(replayed["replay"]["skipped"], serde_json::json!([]));
    });
}
