//! A run is recorded, shown, and said again: byte for byte the same, or with the first difference.

use qpyflash_virtual::{AsrModule, AsrPackage, Chip, EigencommModule, Mode, Scale, UnisocModule, Variant};
use rustix::process::Signal;
use serde_json::Value;

use crate::bench::{Bench, NAME, OLD, PATIENCE};
use crate::harness::{Ended, each};
use crate::{eigencomm, unisoc};

/// The platforms, and what one of their transcripts holds: words that stand in the specification's, in this order.
const PLATFORMS: [(&str, &[&str]); 5] = [
    (
        "asr",
        &[
            "--- identify ---",
            "> AT ",
            "< ",
            "ATI",
            "--- enter-download ---",
            "AT+QDOWNLOAD=1",
            "--- sync ---",
            "> UUUU~",
            "< ~UABT~",
            "> HELLO mtu 2000",
            "< HELLO_REPLY mtu 1024",
            "--- check-chip ---",
            "> getvar:version-bootrom",
            ", OKAY20",
            "> download:",
            ", DATA0000",
            "> DATA 0x",
            "> verify",
            "> call",
            "> partition",
            "--- write ---",
            "> flash:",
            "--- verify ---",
            "> complete",
            "> disconnect",
            "--- confirm ---",
            "AT+CGMR",
        ],
    ),
    (
        "ethos",
        &[
            "> UUUU~",
            "< ~UUUU~",
            "> HELLO",
            "< HELLO_REPLY",
            "neighbour ",
            "> query",
            "< sequence 0x",
            "> init version 1",
            "> getvar:version-bootrom",
            "> poll",
            "< OKAY",
            "data-request:",
            "raw 0x",
            "> complete",
        ],
    ),
    (
        "8910",
        &[
            "> PDL CONNECT",
            "< PDL ACK",
            "> PDL START_DATA 0x",
            "> PDL MID_DATA 0x800 bytes",
            "> PDL END_DATA",
            "> PDL EXEC_DATA",
            "> 7E ",
            "< VER `",
            "> CONNECT",
            "< ACK",
            "> CHANGE_BAUD 115200",
            "> START_DATA 0x",
            "> MIDST_DATA 0x",
            "> END_DATA",
            "> EXEC_DATA",
            "> READ_FLASH 0xfe000003, 0x",
            "< READ_FLASH 0x",
            "> ERASE_FLASH 0x",
            "> NORMAL_RESET",
        ],
    ),
    (
        "8850",
        &[
            "> 7E ×3",
            "< VER `",
            "> CONNECT",
            "< ACK",
            "> START_DATA 0x",
            "> EXEC_DATA",
            "> 7E ×3",
            "< VER `",
            "> READ_FLASH 0xfe000003, 0x",
            "> NORMAL_RESET",
        ],
    ),
    (
        "ec618",
        &[
            "> DLBOOT sync",
            "< DLBOOT echo",
            "> GET_VERSION",
            "< version 0x",
            "> SEL_IMAGE",
            "< wants ",
            "> DATA_HEAD 0x",
            "< grants 0x",
            "> DOWNLOAD_DATA 0x",
            "< ACK",
            "> DONE",
            "> LPC sync",
            "< LPC echo",
            "> BULK_READ",
            "< data 0x",
            "> BURN_ONE",
            "> AGBOOT sync",
            "< AGBOOT echo",
            "> GET_BURN_STATUS",
            "> SYS_RST",
        ],
    ),
];

/// Of every virtual module.
const IMEI: &str = "866327040830317";

/// Something that must not go away.
type Module = Box<dyn std::any::Any>;

/// A bench with a module, its package as `fw.zip` and another as `other.zip`.
fn bench(platform: &str) -> (Bench, Module) {
    let chip = |index: usize| unisoc::CHIPS[index];
    let unisoc = |(chip, old, new, _)| {
        let bench = Bench::bare();
        let zip = |revision| {
            unisoc::package(chip, revision)
                .public_bin_zip("QPY_OCPU_V0004_FW")
                .unwrap()
        };
        bench.file("fw.zip", zip(new));
        bench.file("other.zip", zip(old));
        let module = bench.attach(UnisocModule::builder(chip, old));
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
            let module = bench.attach(EigencommModule::builder(eigencomm::OLD));
            (bench, Box::new(module) as Module)
        }
        "asr" => {
            let bench = Bench::new();
            let other = AsrPackage::generate(OLD, Chip::Asr1603, Scale::Small);
            bench.file("other.zip", other.public_zip(NAME).unwrap());
            let module = bench.attach(AsrModule::builder(OLD));
            (bench, Box::new(module))
        }
        weather => {
            let bench = Bench::bare();
            let package = AsrPackage::generate("EC600SCNAAR01A02M16_OCPU_PY", Chip::Asr1601, Scale::Small);
            bench.file("fw.zip", package.zip().unwrap());
            let rom = AsrModule::builder("EC600SCNAAR01A01M16_OCPU_PY").variant(Variant::Rom1601);
            let module = bench.attach(match weather {
                "ethos that loses" => rom.loses_every(150),
                "ethos that doubles" => rom.doubles_every(150),
                _ => rom,
            });
            (bench, Box::new(module))
        }
    }
}

/// A recording `t.jsonl` of a write.
#[track_caller]
pub fn record(platform: &str) -> (Bench, Module) {
    let (bench, module) = bench(platform);
    let run = bench.say("write fw.zip --json --backup-dir kept --trace t.jsonl");
    // Where frames are lost, a busy host must not lose the rest of its patience.
    let run = if platform.contains(' ') {
        run.scale("1")
    } else {
        run
    };
    run.end().expect_written("confirmed");
    (bench, module)
}

#[track_caller]
pub fn assert_ends(ended: &Ended, code: i32) {
    assert_eq!(ended.code, Some(code), "{ended:#?}");
}

pub fn text(bench: &Bench, name: &str) -> String {
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
            assert!(at.is_some(), "{platform}: no `{words}` in\n{rest:.2000}");
            rest = &rest[at.unwrap()..];
        }
        let replayed = bench.say("trace replay t.jsonl --package fw.zip --json").end();
        assert_ends(&replayed, 0);
        let replayed = replayed.json();
        assert_eq!(
            (&replayed["equal"], &replayed["replay"]["sessions"]),
            (&Value::from(true), &Value::from(1))
        );
        assert!(replayed["replay"]["lines"].as_u64() >= Some(4), "{replayed:#}");
        assert!(
            replayed["replay"]["bytes"].as_u64() > Some(50_000),
            "{replayed:#}"
        );
        assert_eq!(replayed["replay"]["skipped"], serde_json::json!([]));
    });
}

#[test]
fn what_was_lost_and_sent_again_is_said_again_as_often() {
    each(&["ethos that loses", "ethos that doubles"], |weather| {
        let (bench, _module) = record(weather);
        let replayed = bench.say("trace replay t.jsonl --package fw.zip").end();
        assert_ends(&replayed, 0);
    });
}

#[test]
fn a_package_that_is_not_the_recorded_one_is_an_error_and_its_first_difference_is_shown_when_asked_for() {
    each(&["asr", "8910", "8850", "ec618"], |platform| {
        let (bench, _module) = record(platform);
        let other = bench.say("trace replay t.jsonl --package other.zip").end();
        assert_ends(&other, 3);
        for words in ["is not the one of the recording", "`fw.zip`", "--any-package"] {
            assert!(other.stderr.contains(words), "{words}: {other:#?}");
        }
        assert_ends(&bench.say("trace replay t.jsonl").end(), 2);
        let differs = bench
            .say("trace replay t.jsonl --package other.zip --any-package")
            .end();
        assert_ends(&differs, 11);
        for words in [
            "the first difference is at line ",
            "(session)",
            "recorded",
            "now",
            "byte ",
        ] {
            assert!(differs.stdout.contains(words), "{words}: {differs:#?}");
        }
    });
}

/// The recording with the first `from` in the bytes of the line `containing` replaced.
fn doctor(bench: &Bench, containing: &str, from: &str, to: &str) {
    let mut done = false;
    let lines = text(bench, "t.jsonl");
    let lines = lines.lines().map(|line| {
        let here = !done && line.contains(containing);
        done |= here;
        if here {
            line.replacen(from, to, 1) + "\n"
        } else {
            line.to_owned() + "\n"
        }
    });
    let doctored: String = lines.collect();
    assert!(done, "no line with {containing}");
    bench.file("d.jsonl", doctored);
}

#[test]
fn a_doctored_recording_differs_where_it_was_doctored() {
    let (bench, _module) = record("asr");
    let hex = |text: &str| text.bytes().map(|byte| format!("{byte:02x}")).collect::<String>();
    // Another module would have been asked for more.
    doctor(
        &bench,
        "getvar:version-bootrom\"",
        &hex("version-bootrom"),
        &hex("version-bootram"),
    );
    let differs = bench.say("trace replay d.jsonl --package fw.zip --json").end();
    assert_ends(&differs, 11);
    let found = differs.json();
    let difference = &found["replay"]["difference"];
    assert_eq!(
        (&found["error"]["code"], &difference["phase"]),
        (&"trace.differs".into(), &"check-chip".into())
    );
    assert_eq!(difference["recorded"]["meaning"], "getvar:version-bootram");
    assert_eq!(difference["now"]["meaning"], "getvar:version-bootrom");
    let number = difference["entry"].as_u64().unwrap() as usize;
    assert!(
        text(&bench, "d.jsonl")
            .lines()
            .nth(number - 1)
            .unwrap()
            .contains(&hex("version-bootram"))
    );

    // The module refuses, so that nothing more is said.
    doctor(&bench, ", OKAY20", &hex("OKAY"), &hex("FAIL"));
    let differs = bench.say("trace replay d.jsonl --package fw.zip").end();
    assert_ends(&differs, 11);
    for words in ["recorded", "nothing more", "because", "the module refused"] {
        assert!(differs.stdout.contains(words), "{words}: {differs:#?}");
    }

    // In run mode.
    doctor(&bench, "\"AT+CGMR\"", &hex("CGMR"), &hex("CGMM"));
    let differs = bench.say("trace replay d.jsonl --package fw.zip").end();
    assert_ends(&differs, 11);
    assert!(differs.stdout.contains("phase identify"), "{}", differs.stdout);
    assert!(differs.stdout.contains("(ask-at)"), "{}", differs.stdout);
}

#[test]
fn a_recording_that_was_cut_off_is_shown_and_replayed_as_far_as_it_goes() {
    let (bench, _module) = record("ec618");
    let whole = text(&bench, "t.jsonl");
    let shown = |name: &str| bench.say(&format!("trace show {name}")).end();
    let at = whole.find("DOWNLOAD_DATA").unwrap();
    bench.file("cut.jsonl", &whole[..at]);
    let cut = shown("cut.jsonl");
    assert_ends(&cut, 0);
    assert!(
        cut.stdout.contains("> DATA_HEAD") && cut.stderr.contains("was cut off"),
        "{cut:#?}"
    );
    let replayed = bench.say("trace replay cut.jsonl --package fw.zip").end();
    assert_ends(&replayed, 3);
    assert!(
        replayed.stderr.contains("everything in it is equal"),
        "{replayed:#?}"
    );
    for garbage in [
        "",
        "hello\n",
        "{}\n",
        &whole.replacen("\"hex\":\"", "\"hex\":\"x", 1),
    ] {
        bench.file("garbage.jsonl", garbage);
        assert_ends(&shown("garbage.jsonl"), 3);
        assert_ends(&bench.say("trace replay garbage.jsonl").end(), 3);
    }
    assert_ends(&shown("none.jsonl"), 3);
}

#[test]
fn a_recording_is_shown_by_phase_in_full_and_without_names() {
    let (bench, module) = record("8910");
    let say = |line: &str| {
        let ended = bench.say(line).end();
        assert_ends(&ended, 0);
        ended.stdout
    };
    let one = say("trace show t.jsonl --phase identify --hex");
    assert!(
        one.contains("--- identify ---") && !one.contains("--- write ---"),
        "{one}"
    );
    assert!(one.contains("> AT ") && one.contains("41 54 0D 0A"), "{one}");
    let colours = say("trace show t.jsonl --phase identify --color always");
    assert!(colours.contains("\x1b["), "{colours}");

    let module = module.downcast::<UnisocModule>().unwrap();
    // The second IMEI, which is nowhere said as text.
    let item = module.nv_items().remove(&0x179).unwrap();
    let imei = IMEI;
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let whole = text(&bench, "t.jsonl");
    for secret in [imei, &hex(imei.as_bytes()), &hex(&item)] {
        assert!(whole.contains(secret), "{secret}");
    }
    let redacted = say("trace show t.jsonl --redact --jsonl");
    for secret in [imei, &hex(imei.as_bytes()), &hex(&item)] {
        assert!(!redacted.contains(secret), "{secret}");
    }
    bench.file("r.jsonl", &redacted);
    assert!(say("trace show r.jsonl").contains("XXXXXXXXXXXXXXX"));
}

#[test]
fn a_kept_nv_area_and_the_options_of_a_run_are_asked_for_again() {
    let (bench, module) = bench("8910");
    let module = module.downcast::<UnisocModule>().unwrap();
    let read = "read nv --package fw.zip --json --backup-dir kept --trace read.jsonl";
    let read = bench.say(read).end();
    assert_ends(&read, 0);
    let backup = read.outcome()["backups"][0].as_str().unwrap().to_owned();
    assert_ends(&bench.say("trace replay read.jsonl --package fw.zip").end(), 0);
    module.wait_for_mode(Mode::Run, PATIENCE).unwrap();
    let line =
        format!("write fw.zip --json --backup-dir kept --nv-backup {backup} --frame 0x1000 --trace w.jsonl");
    bench.say(&line).end().expect_written("confirmed");
    let replay = "trace replay w.jsonl --package fw.zip";
    assert_ends(&bench.say(replay).end(), 2);
    assert_ends(&bench.say(&format!("{replay} --nv-backup {backup}")).end(), 0);
}

#[test]
fn a_run_that_went_wrong_is_equal_when_said_again() {
    let (bench, _module) = bench("asr");
    let silent = bench
        .say("write fw.zip --json --trace t.jsonl --port usb:9-9")
        .end();
    assert_ends(&silent, 4);
    assert_ends(&bench.say("trace replay t.jsonl").end(), 0);
    let identified = bench.say("identify --json --trace i.jsonl").end();
    assert_ends(&identified, 0);
    let replayed = bench.say("trace replay i.jsonl --json").end();
    assert_ends(&replayed, 0);
    assert_eq!(replayed.json()["replay"]["lines"], 1);
}

#[test]
fn of_a_run_that_was_killed_everything_but_the_last_words_is_kept() {
    let (bench, _module) = bench("ec618");
    let mut run = bench
        .say("write fw.zip --jsonl --backup-dir kept --trace t.jsonl")
        .start();
    run.wait_for_phase("write");
    run.signal(Signal::KILL);
    assert_eq!(run.end().code, None);
    let shown = bench.say("trace show t.jsonl --phase load-helper").end();
    assert_ends(&shown, 0);
    assert!(shown.stdout.contains("> DOWNLOAD_DATA 0x"), "{shown:#?}");
    let replayed = bench.say("trace replay t.jsonl --package fw.zip").end();
    assert_ends(&replayed, 3);
    assert!(
        replayed.stderr.contains("everything in it is equal"),
        "{replayed:#?}"
    );
}
