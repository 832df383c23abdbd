//! `firmware.bin` scripts: what is taken, what is refused, and what they become on the wire.

use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::asr::sparse::Segments;
use crate::{Cause, Phase, Written};

/// A script being written.
#[derive(Clone, Default)]
struct Writer(Vec<u8>);

impl Writer {
    fn line(mut self, command: &str, reply: &str) -> Self {
        self.0
            .extend_from_slice(format!("{command}\n{reply}\n").as_bytes());
        self
    }

    fn download(self, payload: &[u8]) -> Self {
        let size = format!("{:08x}", payload.len());
        let mut with = self.line(&format!("download:{size}"), &format!("DATA{size}"));
        with.0.extend_from_slice(payload);
        with.0.extend_from_slice(b"\nOKAY\n");
        with
    }

    fn flash(self, partition: &str, image: &[u8], max: u32) -> Self {
        let segments = Segments::new(image, max).expect("a block fits");
        segments.fold(self, |script, segment| {
            script
                .download(&segment.pieces.concat())
                .line(&format!("flash:{partition}"), "OKAY")
        })
    }

    fn bytes(&self) -> Vec<u8> {
        let head = "!CRANE! 00000000\n".len();
        let length = head + self.0.len();
        [format!("!CRANE! {length:08x}\n").as_bytes(), &self.0].concat()
    }

    fn plan(&self) -> Result<Plan, FormatError> {
        Plan::from_script(self.bytes().into())
    }

    fn refusal(&self) -> String {
        self.plan().expect_err("a refusal").to_string()
    }
}

/// Up to the first `flash`, from the real SDK.
fn start() -> Writer {
    Writer::default()
        .line("getvar:product", "OKAYarom|arom-tiny")
        .line("getvar:version-bootrom", "OKAY2020.07.30")
        .line("progress:00000005", "OKAY")
        .line("getvar:max-download-size", "OKAY0x0000f000")
        .download(&vector("sdk/ASR1603/preboot.img"))
        .line("verify", "OKAY")
        .line("call", "OKAY")
        .download(&vector("sdk/ASR1603/flasher.img"))
        .line("verify", "OKAY")
        .line("call", "OKAY")
        .line("getvar:max-download-size", "OKAY\t 0x100000")
        .download(&vector("sdk/flashinfo_8M.bin"))
        .line("partition", "OKAY")
        .download(&vector("sdk/partition_8M.bin"))
        .line("partition", "OKAY")
        .line("getvar:partition-type:user_app", "OKAYraw")
}

fn script() -> Writer {
    start().flash("user_app", b"HELLO", 0x10_0000)
}

fn image(blocks: u32) -> Vec<u8> {
    (0..blocks * 4096)
        .map(|n| (n.wrapping_mul(2_654_435_761) >> 11) as u8)
        .collect()
}

#[test]
fn writes_a_script_as_it_stands() {
    let script = start()
        .flash("cp", &image(300), 0x10_0000)
        .line("erase:user_fs", "OKAY");
    let mut module = Module::new();
    let report = run(&mut module, &script.plan().expect("a good script")).expect("a good run");
    assert_eq!(report.written, Written::Complete);
    assert_eq!(report.chip.product.as_deref(), Some("arom-tiny"));
    let text = String::from_utf8_lossy(&script.0).into_owned();
    let in_script: Vec<&str> = text
        .lines()
        .map(|line| line.trim_start_matches(|c: char| !c.is_ascii_lowercase()))
        .filter(|line| {
            [
                "getvar:",
                "progress:",
                "download:",
                "verify",
                "call",
                "partition",
                "flash:",
                "erase:",
            ]
            .iter()
            .any(|word| line.starts_with(word))
        })
        .collect();
    let asked = [
        "getvar:version-bootrom",
        "getvar:version-boot2",
        "getvar:platform",
    ];
    let ended = ["reboot", "complete", "disconnect"];
    assert_eq!(module.commands(), [&asked[..], &in_script, &ended].concat());
    assert_eq!(module.downloads().len(), 6);
    let acknowledged = |name: &str| {
        let of_name = module.acknowledged.iter().filter(|(image, ..)| image == name);
        of_name
            .map(|(_, done, total)| (*done, *total))
            .collect::<Vec<_>>()
    };
    assert_eq!(
        acknowledged("cp"),
        [(255 << 12, 300 << 12), (300 << 12, 300 << 12)]
    );
    assert_eq!(acknowledged("partition table"), [(2188, 2188)]);
    assert_eq!(report.bytes, 300 << 12);
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
}

#[test]
fn lists_what_is_in_a_script() {
    let plan = start()
        .flash("cp", &image(300), 0x10_0000)
        .plan()
        .expect("a good script");
    let listed: Vec<(&str, &str)> = plan
        .images()
        .iter()
        .map(|image| (image.name.as_str(), image.target.as_str()))
        .collect();
    assert_eq!(listed, [("cp", "cp")]);
    assert_eq!(plan.images()[0].data[..], image(300));
    let helpers: Vec<&str> = plan.helpers().iter().map(|image| image.name.as_str()).collect();
    assert_eq!(
        helpers,
        ["helper 1", "helper 2", "flash information", "partition table"]
    );
    assert_eq!(plan.warnings(), [""; 0]);
}

#[test]
fn checks_the_length_it_states() {
    let whole = script().bytes();
    for changed in [&whole[..whole.len() - 1], &[&whole[..], b"\n"].concat()] {
        let refusal = Plan::from_script(changed.into())
            .expect_err("a wrong length")
            .to_string();
        assert!(refusal.contains("it states"), "{refusal}");
    }
    let with_trailer = [&whole[..], &[0xA5; 64]].concat();
    assert!(Plan::from_script(with_trailer.into()).is_ok());
    for (bytes, why) in [
        (&b"!CRANE!"[..], "states no length"),
        (b"!CRANE!00000010\n", "states no length"),
        (b"!CRANE! 00000010 x\n", "states no length"),
        (b"!CRANE! lots\n", "states no length"),
        (b"!ROBIN! 00000011\n", "is not an ASR script"),
        (b"", "is not an ASR script"),
        (b"!CRANE! 00000011\n", "writes nothing"),
    ] {
        let refusal = Plan::from_script(bytes.into())
            .expect_err("no script")
            .to_string();
        assert!(refusal.contains(why), "{refusal}");
    }
}

#[test]
fn takes_crlf_but_warns() {
    let text = "progress:00000005\r\nOKAY\r\n\r\n".as_bytes();
    let mut with = start();
    with.0.extend_from_slice(text);
    let plan = with.flash("cp", b"x", 0x10_0000).plan().expect("a good script");
    assert!(plan.warnings()[0].contains("CRLF"), "{:?}", plan.warnings());
}

#[test]
fn takes_blank_lines_and_no_line_end_after_bytes() {
    let mut bare = script().line("", "").line("  ", "");
    let data = b"\nOKAY\nverify";
    let at = bare
        .0
        .windows(data.len())
        .position(|part| part == data)
        .expect("it is there");
    bare.0.remove(at);
    bare.plan().expect("a good script");
}

#[test]
fn refuses_lines_that_are_not_of_a_script() {
    for (command, reply, why) in [
        ("fuse", "OKAY", "can never be undone"),
        ("upload", "OKAY", "reads flash"),
        ("boot", "OKAY", "leaves the loader"),
        ("reboot", "OKAY", "we end the run ourselves"),
        ("complete", "OKAY", "we end the run ourselves"),
        ("dance", "OKAY", "unknown command"),
        ("progress:many", "OKAY", "unknown command"),
        ("erase:no_such", "OKAY", "`no_such`"),
        ("flash:cp", "OKAY", "without download"),
        ("call", "OKAY", "without download"),
        ("verify", "OKAY", "without download"),
        ("getvar:product", "FAIL", "is no `OKAY`"),
        ("getvar:max-download-size", "OKAYlots", "is not a number"),
        ("download:00000010", "DATA00000011", "is not the same size"),
        ("download:xyz", "DATAxyz", "is not the same size"),
        ("download:7fffffff", "DATA7fffffff", "is truncated"),
        (&"x".repeat(127), "OKAY", "has 127 bytes"),
        ("caf\u{e9}", "OKAY", "is not text"),
    ] {
        let refusal = script().line(command, reply).refusal();
        assert!(refusal.contains(why), "{command}: {refusal}");
    }
    let mut cut = script();
    cut.0.extend_from_slice(b"verify\n");
    assert!(cut.refusal().contains("ends before its expected reply"));
}

#[test]
fn refuses_downloads_that_are_not_used() {
    assert!(
        script()
            .download(b"x")
            .refusal()
            .contains("its last download is not used")
    );
    assert!(
        start()
            .download(b"x")
            .download(b"y")
            .refusal()
            .contains("is not used")
    );
}

#[test]
fn refuses_segments_the_flasher_would_refuse() {
    let cp = image(20);
    let cut: Vec<Vec<u8>> = Segments::new(&cp, 0x8000)
        .expect("fits")
        .map(|part| part.pieces.concat())
        .collect();
    let script = |order: &[usize]| {
        order.iter().fold(start(), |script, &at| {
            script.download(&cut[at]).line("flash:cp", "OKAY")
        })
    };
    assert!(script(&[0, 1, 2]).plan().is_ok());
    for order in [&[1, 0, 2][..], &[0, 2], &[0, 1, 1, 2], &[1]] {
        let refusal = script(order).refusal();
        assert!(
            refusal.contains("the segment before ended elsewhere"),
            "{order:?}: {refusal}"
        );
    }
    let mut damaged = cut[0].clone();
    damaged[100] ^= 1;
    assert!(
        start()
            .download(&damaged)
            .line("flash:cp", "OKAY")
            .refusal()
            .contains("sparse CRC")
    );
    assert!(
        start()
            .download(b"plain")
            .line("flash:cp", "OKAY")
            .refusal()
            .contains("not a sparse or LZMA")
    );
    let refusal = start().flash("fwcerts", &image(4), 0x10_0000).refusal();
    assert!(
        refusal.contains("16384 bytes, partition `fwcerts` holds 12288"),
        "{refusal}"
    );
}

#[test]
fn passes_compressed_segments_through_but_says_so() {
    let lzma = [&[0x5D, 0, 0, 1, 0][..], &[0xFF; 8], &[0; 40]].concat();
    let plan = start()
        .download(&lzma)
        .line("flash:cp", "OKAY")
        .plan()
        .expect("a good script");
    assert_eq!(
        plan.warnings(),
        ["compressed segments cannot be compared with their partitions"]
    );
    let mut module = Module::new();
    run(&mut module, &plan).expect("a good run");
    assert_eq!(module.downloads().last(), Some(&&lzma[..]));
}

#[test]
fn stops_before_anything_is_sent_when_the_chip_is_another() {
    let mut module = Module::new().with("version-bootrom", "2019.01.15");
    let failure = run(&mut module, &script().plan().expect("good")).expect_err("another chip");
    assert!(matches!(failure.cause, Cause::WrongChip { .. }), "{failure}");
    assert_eq!(module.commands().len(), 3, "only the three questions were sent");
    let mut module = Module::new().with("product", "aboot");
    let failure = run(&mut module, &script().plan().expect("good")).expect_err("another product");
    assert_eq!(
        (failure.phase, failure.written),
        (Phase::CheckChip, Written::Nothing)
    );
}

#[test]
fn stops_when_the_download_area_is_too_small() {
    let mut module = Module::new().on("getvar:max", 1, Instead::Say(vec!["OKAY\t 0xefff"]));
    let failure = run(&mut module, &script().plan().expect("good")).expect_err("too small");
    assert!(
        failure.to_string().contains("61439 bytes, 61440 are needed"),
        "{failure}"
    );
    assert_eq!(failure.written, Written::Nothing);
}

#[test]
fn says_nop_where_a_script_must() {
    let words = |platform, boot2, bootrom| {
        let bytes = script().0;
        let text = b"OKAY2020.07.30";
        let at = bytes
            .windows(text.len())
            .position(|part| part == text)
            .expect("it is there");
        let mut bytes = bytes;
        bytes[at + 4..at + 14].copy_from_slice(str::as_bytes(bootrom));
        let mut module = Module::new()
            .with("platform", platform)
            .with("version-boot2", boot2)
            .with("version-bootrom", bootrom)
            .on("nop", 1, Instead::Say(vec!["FAILno such command"]));
        run(&mut module, &Writer(bytes).plan().expect("good")).expect("a good run");
        let count = |wanted: &str| module.commands().iter().filter(|text| **text == wanted).count();
        (count("call"), count("nop"), count("verify"))
    };
    assert_eq!(words("SILICON", "", "2020.07.30"), (2, 0, 2));
    assert_eq!(words("SILICON", "", "2019.01.15"), (0, 2, 2));
    assert_eq!(words("AROM-TINY-BOOT2", "2021.01.17", "2020.07.30"), (0, 2, 2));
    assert_eq!(words("AROM-TINY-BOOT2", "2020.12.31", "2019.01.15"), (0, 0, 0));
}

#[test]
fn states_what_a_broken_script_run_has_changed() {
    let plan = start().flash("cp", &image(300), 0x10_0000).plan().expect("good");
    let mut module = Module::new().on("flash:cp", 2, Instead::Say(vec!["FAILwrote partition"]));
    let failure = run(&mut module, &plan).expect_err("a FAIL");
    assert_eq!(
        failure.written,
        Written::Partial {
            image: "cp".into(),
            bytes: 255 << 12
        }
    );
    let mut module = Module::new().on("erase:cp", 1, Instead::DeadForEver);
    let erasing = start().line("erase:cp", "OKAY").plan().expect("good");
    let failure = run(&mut module, &erasing).expect_err("silence");
    assert_eq!(
        failure.written,
        Written::Partial {
            image: "cp".into(),
            bytes: 0
        }
    );
    let mut module = Module::new().on("erase:cp", 1, Instead::Late(Duration::from_secs(800)));
    run(&mut module, &erasing).expect("an erase may take long");
}

proptest! {
    #[test]
    fn never_panics(text in "(getvar:product|OKAY|download:0000000[0-9]|DATA0000000[0-9]|flash:cp|call|\n|\r|.){0,40}") {
        let _ = Writer(text.into_bytes()).plan();
    }
}
