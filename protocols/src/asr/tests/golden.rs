//! The happy path, byte for byte: specs/asr-aboot.md §10, and the order of the vendor's own host.

use std::time::Duration;

use super::*;
use crate::asr::After;
use crate::asr::plan::{Action, Condition, Entry, Image, Route};
use crate::asr::tables::Table;
use crate::{Phase, Written};

/// The package of §10, whose helpers are too small to be real ones: it is put together without the checks.
fn transcript_plan(preboot: &[u8], flasher: &[u8], weight: u32, app: &[u8]) -> Plan {
    let image = |name: &str, target: &str, data: &[u8]| Image {
        name: name.into(),
        target: target.into(),
        data: data.into(),
        production: false,
    };
    let require = |variable: &str, value: &str| {
        Action::Require(Condition {
            variable: variable.into(),
            value: value.into(),
        })
    };
    let table = |name: &str, file: &str| {
        let bytes = vector(file);
        Action::Partition(
            image(name, "", &bytes),
            Table::parse(name, &bytes).expect("a real table"),
        )
    };
    let actions = [
        require("product", "arom|arom-tiny"),
        require("version", "0.5"),
        require("version-bootrom", "2019.01.15"),
        Action::Progress(weight),
        Action::Call(image("preboot.img", "", preboot)),
        Action::Call(image("flasher.img", "", flasher)),
        table("flashinfo.bin", "sdk/flashinfo_8M.bin"),
        table("partition.bin", "sdk/partition_8M.bin"),
        Action::Flash(image("app.bin", "user_app", app)),
    ];
    let entries = actions
        .into_iter()
        .map(|action| Entry {
            version_bootrom: None,
            production: false,
            action,
        })
        .collect();
    Plan {
        route: Route::Entries(entries),
        ..Plan::default()
    }
}

fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.bytes().filter(u8::is_ascii_hexdigit).collect();
    digits
        .chunks(2)
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).expect("ASCII"), 16).expect("hex"))
        .collect()
}

/// `7E7D24 data 7E` in frames of 1024, with the stuffing written out by hand.
fn data(bytes: &[u8]) -> Vec<u8> {
    let mut frames = Vec::new();
    for part in bytes.chunks(1024) {
        frames.extend(hex("7E7D24"));
        for &byte in part {
            match byte {
                0x7E => frames.extend(hex("7D5E")),
                0x7D => frames.extend(hex("7D5D")),
                byte => frames.push(byte),
            }
        }
        frames.extend(hex("7E"));
    }
    frames
}

fn command(text: &str) -> Vec<u8> {
    [&hex("7E7D23"), text.as_bytes(), &hex("7E")].concat()
}

const PREBOOT: [u8; 12] = [
    0x01, 0x00, 0x64, 0xAA, 0x7E, 0x7D, 0x00, 0xFF, 0x11, 0x22, 0x33, 0x44,
];
const FLASHER: [u8; 8] = [0x01, 0x00, 0x64, 0xAA, 0x01, 0x02, 0x03, 0x04];

#[test]
fn sends_the_bytes_of_the_transcript() {
    let mut module = Module::new().with("version-bootrom", "2019.01.15");
    let report = run(&mut module, &transcript_plan(&PREBOOT, &FLASHER, 5, b"HELLO")).expect("a good run");
    assert_eq!(report.written, Written::Complete);
    assert_eq!(
        (report.bytes, report.chip.version_bootrom.as_str()),
        (5, "2019.01.15")
    );

    let (flashinfo, partition) = (vector("sdk/flashinfo_8M.bin"), vector("sdk/partition_8M.bin"));
    let sparse = vector("sparse/sparse_HELLO.bin");
    let max = command("getvar:max-download-size");
    let expected = [
        hex("7E55414254 7E"),
        hex("7E7D21 07D0 7E"),
        hex("7E7D23 6765747661723A76657273696F6E2D626F6F74726F6D 7E"),
        command("getvar:version-boot2"),
        command("getvar:platform"),
        command("getvar:product"),
        command("getvar:version"),
        command("getvar:version-bootrom"),
        hex("7E7D23 70726F67726573733A3030303030303035 7E"),
        max.clone(),
        hex("7E7D23 646F776E6C6F61643A30303030303030 63 7E"),
        hex("7E7D24 010064AA 7D5E 7D5D 00FF11223344 7E"),
        hex("7E7D23 766572696679 7E"),
        hex("7E7D23 63616C6C 7E"),
        max.clone(),
        command("download:00000008"),
        hex("7E7D24 010064AA01020304 7E"),
        command("verify"),
        command("call"),
        max.clone(),
        command("download:00000288"),
        data(&flashinfo),
        hex("7E7D23 706172746974696F6E 7E"),
        max.clone(),
        command("download:0000088c"),
        data(&partition),
        command("partition"),
        max,
        command("getvar:partition-type:user_app"),
        command("download:00001044"),
        data(&sparse),
        hex("7E7D23 666C6173683A757365725F617070 7E"),
        hex("7E7D23 7265626F6F74 7E"),
        hex("7E7D23 636F6D706C657465 7E"),
        hex("7E7D23 646973636F6E6E656374 7E"),
    ]
    .concat();
    let preamble = b"UUUU~";
    assert!(module.sent.starts_with(preamble));
    let after = module.sent.len() - module.sent.strip_prefix(preamble).map_or(0, <[u8]>::len);
    assert_eq!(module.sent[after..], expected);
    let last = module.sent.len() - command("disconnect").len();
    assert!(module.sent[..last].ends_with(&command("complete")));
    let disconnect = module.first(|heard| *heard == Heard::Command("disconnect".into()));
    let complete = module.first(|heard| *heard == Heard::Command("complete".into()));
    assert!(disconnect - complete >= Duration::from_millis(30));
}

/// What the vendor's host sent, from the `RAW<` lines of its log that hold whole command frames.
fn vendor_commands(log: &str) -> Vec<String> {
    let log = String::from_utf8(vector(&format!("host-logs/{log}"))).expect("text");
    let raw = log
        .lines()
        .filter_map(|line| line.split_once("RAW<")?.1.split_whitespace().nth(1).map(hex));
    raw.filter_map(|frame| {
        let text = frame.strip_prefix(&[0x7E, 0x7D, 0x23])?.strip_suffix(&[0x7E])?;
        String::from_utf8(text.to_vec()).ok()
    })
    .collect()
}

#[test]
fn gives_the_commands_of_the_vendor_s_host_in_its_order() {
    let mut module = Module::new().with("version-bootrom", "2019.01.15");
    run(&mut module, &transcript_plan(&PREBOOT, &FLASHER, 5, b"HELLO")).expect("a good run");
    let vendor = vendor_commands("smux_mini.log");
    assert_eq!(vendor.len(), 28, "the log holds a whole run");
    assert_eq!(module.commands(), vendor);
}

/// The vendor's run with the real ASR1601 helpers and 70000 bytes, stopped by a FAIL as in its log.
fn stopped(log: &str, instead: Instead) {
    let noise: Vec<u8> = (0..70_000u32)
        .map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8)
        .collect();
    let plan = transcript_plan(&[0x55; 0x41A0], &[0xAA; 0xB3D8], 70_000, &noise);
    let mut module = Module::new()
        .with("version-bootrom", "2019.01.15")
        .on("flash:", 1, instead);
    let failure = run(&mut module, &plan).expect_err("a FAIL");
    assert_eq!(module.commands(), vendor_commands(log));
    assert!(matches!(failure.written, Written::Partial { .. }));
}

#[test]
fn stops_where_the_vendor_s_host_stops_after_a_failed_flash() {
    let words = vec![
        "INFOsparse: invalid",
        "FAILsparse: size too large",
        "FAILwrote partition \"user_app\" failed.",
    ];
    stopped("failflash.log", Instead::Say(words));
}

#[test]
fn stops_where_the_vendor_s_host_stops_after_a_late_fail() {
    let words = vec![
        "INFOprogramming partition x",
        "OKAY",
        "FAILwrote partition \"user_app\" failed.",
    ];
    stopped("latefail.log", Instead::Say(words));
}

#[test]
fn stops_where_the_vendor_s_host_stops_at_a_wrong_product() {
    let mut module = Module::new()
        .with("version-bootrom", "2019.01.15")
        .with("product", "aboot");
    let plan = transcript_plan(&PREBOOT, &FLASHER, 5, b"HELLO");
    let failure = run(&mut module, &plan).expect_err("a wrong product");
    assert_eq!(module.commands(), vendor_commands("bad_product.log"));
    assert_eq!(
        (failure.phase, failure.written),
        (Phase::CheckChip, Written::Nothing)
    );
}

#[test]
fn writes_the_real_sdk_package() {
    let mut module = Module::new();
    let report = run(&mut module, &hello()).expect("a good run");
    assert_eq!(report.chip.product.as_deref(), Some("arom-tiny"));
    let sent: Vec<Vec<u8>> = [
        "sdk/ASR1603/preboot.img",
        "sdk/ASR1603/flasher.img",
        "sdk/flashinfo_8M.bin",
    ]
    .into_iter()
    .chain(["sdk/partition_8M.bin", "sparse/sparse_HELLO.bin"])
    .map(vector)
    .collect();
    assert_eq!(module.downloads(), sent);
    assert_eq!(
        module.phases,
        [
            Phase::Sync,
            Phase::CheckChip,
            Phase::LoadHelper,
            Phase::Write,
            Phase::Verify,
            Phase::Reset
        ]
    );
    assert!(module.acknowledged.contains(&("app.bin".into(), 5, 5)));
}

#[test]
fn asks_its_first_question_at_once() {
    let mut module = Module::new();
    module.preambles_needed = 7;
    run(&mut module, &hello()).expect("a good run");
    let answered = module.first(|heard| matches!(heard, Heard::Greeting));
    let asked = module.first(|heard| matches!(heard, Heard::Command(_)));
    assert!(
        asked - answered <= Duration::from_millis(5),
        "{:?}",
        asked - answered
    );
    let calls = module
        .heard
        .iter()
        .filter(|(_, heard)| *heard == Heard::Preamble)
        .count();
    assert_eq!(calls, 7);
    assert_eq!(answered.as_millis() / 20, 6, "one every 20 ms");
}

#[test]
fn leaves_the_module_in_download_mode_if_asked() {
    let mut module = Module::new();
    let options = Options {
        after: After::Stay,
        ..Options::default()
    };
    let report = write(&mut module, &hello(), &options).expect("a good run");
    assert_eq!(report.written, Written::Complete);
    assert_eq!(module.commands().last(), Some(&"complete"));
    assert!(!module.commands().contains(&"reboot"));
}

#[test]
fn streams_large_images_in_bursts_of_segments() {
    let image: Vec<u8> = (0..700 * 4096u32)
        .map(|n| (n.wrapping_mul(2_654_435_761) >> 11) as u8)
        .collect();
    let plan = Maker::sdk()
        .flash("cp.bin", "cp", &image)
        .plan()
        .expect("a good package");
    let mut module = Module::new();
    run(&mut module, &plan).expect("a good run");
    let sizes: Vec<usize> = module.downloads()[4..]
        .iter()
        .map(|segment| segment.len())
        .collect();
    assert_eq!(sizes, [0xF_F054, 0xF_F064, 32 + 16 + 16 + 190 * 4096 + 20]);
    assert!(
        (16 * 1024..=64 * 1024).contains(&module.largest_send),
        "{}",
        module.largest_send
    );
    let done: Vec<u64> = module
        .acknowledged
        .iter()
        .filter(|(name, ..)| name == "cp.bin")
        .map(|(_, done, _)| *done)
        .collect();
    assert_eq!(done, [0, 255 * 4096, 510 * 4096, 700 * 4096]);
}

#[test]
fn erases_ubi_partitions_first() {
    let plan = Maker::sdk()
        .flash("bootloader.ubi", "bootloader", b"UBI#")
        .plan()
        .expect("a good package");
    let mut module = Module::new();
    run(&mut module, &plan).expect("a good run");
    let commands = module.commands();
    let at = commands
        .iter()
        .position(|text| *text == "erase:bootloader")
        .expect("an erase");
    assert_eq!(commands[at - 1], "getvar:partition-type:bootloader");
    assert_eq!(commands[at + 2], "flash:bootloader");
}

#[test]
fn adopts_the_mtu_of_the_module() {
    for mtu in [64, 512, 2000, 4096] {
        let mut module = Module::new();
        module.mtu = mtu;
        run(&mut module, &hello()).expect("a good run");
        assert_eq!(module.largest_frame, usize::from(mtu).min(4096 + 68), "MTU {mtu}");
        assert_eq!(
            module.downloads().last(),
            Some(&&vector("sparse/sparse_HELLO.bin")[..])
        );
    }
}
