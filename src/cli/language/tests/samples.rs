//! Sentences with values in their holes.

use std::borrow::Cow;

use super::super::{Language, zh};

/// Values as they fill holes: numbers, codes, places, files.
const FAMILIES: [fn(usize) -> String; 4] = [
    |hole| (17 + hole).to_string(),
    |hole| format!("EC60{hole}NCNLA"),
    |hole| format!("1-4.{hole} (/dev/ttyUSB{hole})"),
    |hole| format!("0x{hole}C000"),
];

#[test]
fn every_sentence_finds_its_own_translation_and_keeps_every_value() {
    let mut wrong = Vec::new();
    for entry in zh().entries.iter().filter(|entry| entry.english.letters() > 0) {
        for family in FAMILIES {
            let names = entry.english.holes();
            // A blank without a word divides no two places, and what nothing divides goes to the second hole.
            let value = |hole| match entry.english.after(hole) {
                "" if hole + 1 < names.len() => String::new(),
                " " | " (" => family(hole).replace(' ', ""),
                _ => family(hole),
            };
            let values: Vec<Cow<'_, str>> = (0..names.len()).map(|hole| Cow::Owned(value(hole))).collect();
            let (english, expected) = (
                entry.english.fill(names, &values),
                entry.other.fill(names, &values),
            );
            assert!(
                values.iter().all(|value| expected.contains(&**value)),
                "{expected}"
            );
            let found = zh().sentence(&english).unwrap_or_default();
            if found != expected {
                wrong.push(format!("{english}\n  wanted: {expected}\n  found:  {found}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_sentence_in_a_sentence_is_translated_too() {
    for (english, chinese) in [
        (
            "writing `cp.bin` to `cp` at 0x100000: no answer to `flash:cp` within 9.0 s (2 tries)",
            "把 `cp.bin` 写入 `cp` 的 0x100000 处：发送 `flash:cp` 后 9.0 秒内没有应答（共尝试 2 次）",
        ),
        (
            "in `a.zip > b.bin`: `cp.bin` is corrupt: it is empty",
            "`a.zip > b.bin` 中：`cp.bin` 已损坏：它是空的",
        ),
        (
            "refused: `--built-for` is never accepted against evidence: `x.zip` is built for EC600N CNLF by its revision in system.img",
            "拒绝：`--built-for` 不能与依据相反：`x.zip` 是为 EC600N CNLF（依据 system.img 中的版本号）编译的",
        ),
        (
            "cannot read `the file`: the clouds hide it (os error 999)",
            "无法读取 `the file`：the clouds hide it (os error 999)",
        ),
    ] {
        assert_eq!(zh().sentence(english).as_deref(), Some(chinese));
    }
}

#[test]
fn what_is_not_known_stays_as_it_is() {
    for text in [
        "",
        "  ",
        "a sentence of another program, with a comma or two",
        "/dev/ttyUSB1",
        "`nothing was written`",
        "QPY_OCPU_V0006_EC600N_CNLA_FW.bin",
    ] {
        assert_eq!(Language::Zh.words(text), text);
    }
    let endless = "nothing was written, ".repeat(1000);
    assert_eq!(Language::Zh.words(&endless), endless);
}

#[test]
fn indentation_and_columns_stay_where_they_are() {
    let text = "  platform   ASR Cat.1\n  built for  EC600N_CNLA\n\nimages\n  cp.bin  written         cp  10 bytes\n  rf.bin  merged, written rf  7 bytes\n";
    let chinese =
        "  平台       ASR Cat.1\n  目标型号   EC600N_CNLA\n\n镜像\n  cp.bin  写入            cp  10 字节\n";
    assert!(
        Language::Zh.words(text).starts_with(chinese),
        "{}",
        Language::Zh.words(text)
    );
    assert_eq!(Language::En.words(text), text);
}
