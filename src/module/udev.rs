//! The udev rules, made from the table of ids: who may open a module, and who must leave it alone.
//! Source: specs/usb-and-hosts.md §3.1-3.3.

use std::fmt::Write;

use super::Mode;
use super::usb_ids::{Driver, NEW_ID, TABLE, UsbId};

/// Where the rules belong. The number matters: `uaccess` works only before `73-seat-late.rules`, and ModemManager
/// must be told before its own files from 77 on.
pub const FILE: &str = "/etc/udev/rules.d/70-qpyflash.rules";

/// Groups that may open serial ports, by distribution: Debian, Ubuntu and Fedora; Arch.
pub const GROUPS: [&str; 2] = ["dialout", "uucp"];

/// What makes udev take the rules, also for modules that are plugged in.
pub const RELOAD: [&[&str]; 2] = [
    &["udevadm", "control", "--reload"],
    &[
        "udevadm",
        "trigger",
        "--subsystem-match=usb",
        "--subsystem-match=tty",
    ],
];

/// The choices of a host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Choice<'a> {
    /// The group that may open modules where nobody sits at the host.
    pub group: &'a str,
    /// ModemManager keeps out of run mode, too: nobody uses the modules for data.
    pub no_modem_manager: bool,
}

impl Default for Choice<'_> {
    fn default() -> Self {
        Choice {
            group: GROUPS[0],
            no_modem_manager: false,
        }
    }
}

/// The whole file.
pub fn rules(choice: Choice<'_>) -> String {
    let mut text = String::from(HEAD);
    for id in TABLE.iter().filter(|id| id.only_nameless) {
        text += &pass_over_named(id);
    }
    text += "\n# --- download mode: for qpyflash alone, ModemManager must not probe it\n";
    for id in TABLE.iter().filter(|id| id.mode == Mode::Download) {
        text += &access(id, choice.group, true);
    }
    text += "\n# --- run mode: somebody may use the modem for data, so ModemManager is told off only if you say so\n";
    for id in TABLE.iter().filter(|id| id.mode == Mode::Run) {
        text += &access(id, choice.group, choice.no_modem_manager);
    }
    if !choice.no_modem_manager {
        let products = products(0x2c7c, Mode::Run);
        // Writing to a string cannot fail.
        let _ = writeln!(
            text,
            "# {DEVICE}, ATTR{{idVendor}}==\"2c7c\", ATTR{{idProduct}}==\"{products}\", {IGNORE}"
        );
    }
    text += "\n# --- their serial ports\n";
    for id in TABLE {
        let _ = writeln!(
            text,
            "SUBSYSTEM==\"tty\", {}, TAG+=\"uaccess\"",
            matching(id, "ATTRS")
        );
    }
    text += "\n# --- ids that this host's option driver does not list (the class ff keeps it off the network interfaces)\n";
    text += &teach();
    text += "\nLABEL=\"qpyflash_end\"\n";
    text
}

const HEAD: &str = "\
# udev rules of qpyflash: who may open a Quectel module that runs QuecPython, and who must leave it alone.
# Made by `qpyflash udev` from its table of ids; `qpyflash doctor` says when this file is missing or old.
#
# The file's number matters: TAG+=\"uaccess\" works only before 73-seat-late.rules, ID_MM_* only before 77.

ACTION==\"remove\", GOTO=\"qpyflash_end\"
";
const DEVICE: &str = "SUBSYSTEM==\"usb\", ENV{DEVTYPE}==\"usb_device\"";
const IGNORE: &str = "ENV{ID_MM_DEVICE_IGNORE}=\"1\"";

fn access(id: &UsbId, group: &str, ignored: bool) -> String {
    let ignore = if ignored {
        format!(", {IGNORE}")
    } else {
        String::new()
    };
    format!(
        "# {}\n{DEVICE}, {}, TAG+=\"uaccess\", MODE=\"0660\", GROUP=\"{group}\"{ignore}\n",
        id.summary(),
        matching(id, "ATTR")
    )
}

/// What only this device matches.
fn matching(id: &UsbId, key: &str) -> String {
    let ids = format!(
        "{key}{{idVendor}}==\"{:04x}\", {key}{{idProduct}}==\"{:04x}\"",
        id.vid, id.pid
    );
    match id.only_nameless {
        true => format!("{ids}, {key}{{bcdDevice}}==\"0000\", {key}{{speed}}==\"12\""),
        false => ids,
    }
}

/// Skips the whole file for a device that only shares the id of a boot ROM. An attribute that must be absent cannot be
/// asked for of a parent, so its presence is.
fn pass_over_named(id: &UsbId) -> String {
    let mut text =
        format!("\n# {id} is also the id of the Linux serial gadget: one that has a name is no boot ROM.\n");
    for string in ["manufacturer", "product", "serial"] {
        let _ = writeln!(
            text,
            "ATTRS{{idVendor}}==\"{:04x}\", ATTRS{{idProduct}}==\"{:04x}\", ATTRS{{{string}}}==\"?*\", GOTO=\"qpyflash_end\"",
            id.vid, id.pid
        );
    }
    text
}

/// `0901|0903`.
fn products(vid: u16, mode: Mode) -> String {
    let ours = TABLE.iter().filter(|id| id.vid == vid && id.mode == mode);
    let products: Vec<String> = ours.map(|id| format!("{:04x}", id.pid)).collect();
    products.join("|")
}

/// Writes an id to `new_id`, unless the driver lists it by itself or has been told.
fn teach() -> String {
    let option = TABLE
        .iter()
        .filter(|id| matches!(id.driver, Driver::Option { .. }));
    let mut vendors: Vec<u16> = option.map(|id| id.vid).collect();
    vendors.sort_unstable();
    vendors.dedup();
    let rule = |vid: u16| {
        let products = products(vid, Mode::Run);
        format!(
            "ACTION==\"add\", {DEVICE}, ATTR{{idVendor}}==\"{vid:04x}\", ATTR{{idProduct}}==\"{products}\", RUN+=\"/bin/sh -c \
             'modprobe option; modinfo -F alias option | grep -qi v{vid:04x}p$attr{{idProduct}} || \
             grep -qi {vid:04x}.$attr{{idProduct}} {NEW_ID} || echo {vid:04x} $attr{{idProduct}} ff > {NEW_ID}'\"\n"
        )
    };
    vendors.into_iter().map(rule).collect()
}

/// Is `installed` what this version would write, with whatever choices?
pub fn is_current(installed: &str) -> bool {
    GROUPS.iter().any(|group| {
        [false, true].iter().any(|no_modem_manager| {
            let choice = Choice {
                group,
                no_modem_manager: *no_modem_manager,
            };
            rules(choice) == installed
        })
    })
}

/// The group of this host, by its file of groups.
pub fn group_of(groups: &str) -> &'static str {
    let has = |group: &str| groups.lines().any(|line| line.split(':').next() == Some(group));
    GROUPS.into_iter().find(|group| has(group)).unwrap_or(GROUPS[0])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_of_this_version_is_current_and_a_changed_one_is_not() {
        let arch = Choice {
            group: "uucp",
            no_modem_manager: true,
        };
        assert!(is_current(&rules(Choice::default())) && is_current(&rules(arch)));
        assert!(!is_current(""));
        assert!(!is_current(&rules(Choice::default()).replace("0903", "0905")));
    }

    #[test]
    fn takes_the_group_that_the_host_has() {
        assert_eq!(group_of("root:x:0:\nuucp:x:14:\n"), "uucp");
        assert_eq!(group_of("root:x:0:\ndialout:x:20:me\nuucp:x:10:\n"), "dialout");
        assert_eq!(group_of(""), "dialout");
    }

    #[test]
    fn modem_manager_is_kept_out_of_run_mode_only_when_asked() {
        let told_off = |text: &str| {
            let lines = text.lines().filter(|line| !line.starts_with('#'));
            lines
                .filter(|line| line.contains("2c7c") && line.contains(IGNORE))
                .count()
        };
        assert_eq!(told_off(&rules(Choice::default())), 0);
        let asked = Choice {
            no_modem_manager: true,
            ..Choice::default()
        };
        assert_eq!(told_off(&rules(asked)), 5);
    }
}
