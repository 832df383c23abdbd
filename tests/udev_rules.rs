//! The shipped udev rules and the id table say the same.

use qpyflash::module::Mode;
use qpyflash::module::usb_ids::TABLE;

const RULES: &str = include_str!("../udev/70-qpyflash.rules");

fn rules() -> impl Iterator<Item = &'static str> {
    RULES
        .lines()
        .filter(|line| !line.trim_start().starts_with('#') && line.contains("ENV{DEVTYPE}"))
}

#[test]
fn every_id_of_the_table_has_a_rule_that_lets_the_user_in() {
    for id in TABLE {
        let vid = format!(r#"ATTR{{idVendor}}=="{:04x}""#, id.vid);
        let pid = format!(r#"ATTR{{idProduct}}=="{:04x}""#, id.pid);
        let rule = rules()
            .find(|line| line.contains(&vid) && line.contains(&pid) && line.contains("uaccess"))
            .unwrap_or_else(|| panic!("no rule for {:04x}:{:04x}", id.vid, id.pid));
        assert_eq!(
            rule.contains("ID_MM_DEVICE_IGNORE"),
            id.mode == Mode::Download,
            "ModemManager keeps out of download mode, and only of that: {rule}"
        );
        assert_eq!(rule.contains("manufacturer"), id.only_without_strings, "{rule}");
    }
}

#[test]
fn every_rule_is_for_an_id_of_the_table() {
    let value = |line: &'static str, key: &str| {
        let start = line.find(key)? + key.len();
        u16::from_str_radix(line.get(start..start + 4)?, 16).ok()
    };
    for rule in rules() {
        let vid = value(rule, r#"ATTR{idVendor}==""#).expect(rule);
        let pid = value(rule, r#"ATTR{idProduct}==""#).expect(rule);
        assert!(TABLE.iter().any(|id| id.vid == vid && id.pid == pid), "{rule}");
    }
}
