//! Which language is spoken.

use std::ffi::OsString;

use super::super::{Language, choose};

fn chosen(line: &str, variables: &[(&str, &str)]) -> Language {
    let variable = |name: &str| {
        let found = variables.iter().find(|(own, _)| *own == name);
        found.map(|(_, value)| (*value).to_owned())
    };
    choose(line.split_whitespace().map(OsString::from), variable)
}

#[test]
fn the_flag_beats_the_variable_and_that_beats_the_locale() {
    let (zh, en) = (Language::Zh, Language::En);
    for (line, variables, language) in [
        ("list", &[][..], en),
        ("list", &[("LANG", "zh_CN.UTF-8")], zh),
        ("list", &[("LANG", "zh_TW")], zh),
        ("list", &[("LANG", "de_DE.UTF-8")], en),
        ("list", &[("LANG", "zh_CN.UTF-8"), ("LC_ALL", "C")], en),
        ("list", &[("LANG", "zh_CN.UTF-8"), ("LC_ALL", "")], zh),
        ("list", &[("LANG", "en_US.UTF-8"), ("LC_MESSAGES", "zh_CN")], zh),
        ("list", &[("LANG", "zh_CN.UTF-8"), ("QPYFLASH_LANG", "en")], en),
        ("list --lang en", &[("LANG", "zh_CN.UTF-8")], en),
        ("list --lang=zh", &[("QPYFLASH_LANG", "en")], zh),
        ("--lang zh list --lang en", &[], en),
        ("list -- --lang zh", &[], en),
        ("list --lang", &[], en),
        ("list --lang fr", &[("LANG", "zh_CN.UTF-8")], zh),
    ] {
        assert_eq!(chosen(line, variables), language, "{line} {variables:?}");
    }
}
