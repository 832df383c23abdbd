//! The shipped udev rules are those that the table of ids makes, and say of each id what the table says.

use qpyflash::module::udev::{Choice, rules};
use qpyflash::module::usb_ids::TABLE;
use qpyflash::module::{Mode, usb_page};

const SHIPPED: &str = include_str!("../udev/70-qpyflash.rules");

/// The rules for devices.
fn device_rules() -> impl Iterator<Item = &'static str> {
    SHIPPED
        .lines()
        .filter(|line| !line.trim_start().starts_with('#') && line.contains("ENV{DEVTYPE}"))
}

#[test]
fn the_shipped_file_is_what_the_table_makes() {
    // After a change of the table: `cargo run -- udev > udev/70-qpyflash.rules`.
    assert_eq!(SHIPPED, rules(Choice::default()));
}

#[test]
fn the_page_of_ids_is_what_the_table_makes() {
    let page = include_str!("../udev/README.md");
    // After a change of the table, this is what the page must become.
    assert!(page == usb_page(), "{}", usb_page());
}

#[test]
fn every_id_of_the_table_has_a_rule_that_lets_the_user_in() {
    for id in TABLE {
        let vid = format!(r#"ATTR{{idVendor}}=="{:04x}""#, id.vid);
        let pid = format!(r#"ATTR{{idProduct}}=="{:04x}""#, id.pid);
        let rule = device_rules()
            .find(|line| line.contains(&vid) && line.contains(&pid) && line.contains("uaccess"))
            .unwrap_or_else(|| panic!("no rule for {id}"));
        assert_eq!(
            rule.contains("ID_MM_DEVICE_IGNORE"),
            id.mode == Mode::Download,
            "ModemManager keeps out of download mode, and only of that: {rule}"
        );
        assert_eq!(rule.contains(r#"speed}=="12""#), id.only_nameless, "{rule}");
    }
}

/// The file ends for a device with a name before any rule can let somebody in.
#[test]
fn a_gadget_with_the_id_of_a_boot_rom_is_passed_over() {
    for id in TABLE.iter().filter(|id| id.only_nameless) {
        let ids = format!(
            r#"ATTRS{{idVendor}}=="{:04x}", ATTRS{{idProduct}}=="{:04x}""#,
            id.vid, id.pid
        );
        let lines: Vec<&str> = SHIPPED.lines().collect();
        let first = lines
            .iter()
            .position(|line| !line.starts_with('#') && line.contains("uaccess"));
        for string in ["manufacturer", "product", "serial"] {
            let passed = format!(r#"{ids}, ATTRS{{{string}}}=="?*", GOTO="qpyflash_end""#);
            let at = lines.iter().position(|line| *line == passed);
            assert!(at.is_some() && at < first, "{passed}");
        }
    }
}

#[test]
fn every_rule_is_for_ids_of_the_table() {
    let values = |line: &'static str, key: &str| -> Vec<u16> {
        let (_, rest) = line.split_once(&format!("{key}}}==\"")).expect(line);
        let (values, _) = rest.split_once('"').expect(line);
        let number = |digits| u16::from_str_radix(digits, 16).expect(line);
        values.split('|').map(number).collect()
    };
    let rules = SHIPPED
        .lines()
        .filter(|line| !line.starts_with('#') && line.contains("idVendor"));
    for rule in rules {
        let [vid] = values(rule, "idVendor")[..] else {
            panic!("{rule}");
        };
        for pid in values(rule, "idProduct") {
            assert!(TABLE.iter().any(|id| (id.vid, id.pid) == (vid, pid)), "{rule}");
        }
    }
}

#[test]
fn udev_reads_a_rule_as_it_was_meant() {
    for rule in SHIPPED.lines().filter(|line| !line.starts_with('#')) {
        // udev ends a value at the second quotation mark, and replaces what follows a percent sign.
        assert_eq!(rule.matches('"').count() % 2, 0, "{rule}");
        assert!(!rule.contains('%'), "{rule}");
        let replaced = rule.matches('$').count();
        assert_eq!(replaced, rule.matches("$attr{idProduct}").count(), "{rule}");
    }
}
