//! Does a module sit in download mode? Source: specs/usb-and-hosts.md §2.1, §4.3.

use super::{Finding, Host, Seen, name};
use crate::module::{Attached, Mode};

const CHECK: &str = "download-mode";

pub fn check(_: &Host, seen: &Seen) -> Vec<Finding> {
    let stuck = seen.modules.iter().filter(|module| module.mode == Mode::Download);
    stuck.map(finding).collect()
}

fn finding(module: &Attached) -> Finding {
    let mut text = format!("{} is in download mode: it answers no AT command", name(module));
    if module.id.power_cycle_after_write {
        text += "; after a complete write it may stay there until its supply has been away";
    }
    Finding::warning(
        CHECK,
        text,
        "take its supply away and give it back; if it stays, write it with `qpyflash write FILE --oc OC`",
    )
}
