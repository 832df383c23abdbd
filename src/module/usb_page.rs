//! The table of ids as a page for people: `udev/README.md`.

use super::usb_ids::{Mode, TABLE, UsbId};

const HEAD: &str = "\
# USB ids

Every id by which a module is found, in run mode and in download mode: what `qpyflash list`, `qpyflash doctor` and the
rules in `70-qpyflash.rules` go by. An id never says which module it is, and a serial number neither: they are constant.

| Id | Mode | Modules | Interfaces | Linux driver | Evidence | Boot pad |
|---|---|---|---|---|---|---|
";

const FOOT: &str = "
[V] the vendor's code, documents or descriptors; [2] two independent sources; [1] one source. A driver's kernel is the
first of mainline that lists the id. 0525:a4a7 is also the id of Linux's own serial gadget: only a device without a name
at full speed is taken for a module.

This page is made from `src/module/usb_ids.rs`, and a test holds both together.
";

/// The page.
pub fn usb_page() -> String {
    let rows: String = TABLE.iter().map(row).collect();
    format!("{HEAD}{rows}{FOOT}")
}

fn row(id: &UsbId) -> String {
    let interfaces = id.interfaces.iter();
    let interfaces: Vec<String> = interfaces
        .map(|(number, role)| format!("{number} {}", role.word()))
        .collect();
    let pads: Vec<String> = id
        .boot_pads
        .iter()
        .map(|pad| format!("{}: {} {}", pad.series, pad.action, pad.mark))
        .collect();
    format!(
        "| `{id}` | {} | {} | {} | {} | {} | {} |\n",
        match id.mode {
            Mode::Run => "run",
            Mode::Download => "download",
        },
        id.modules,
        interfaces.join(", "),
        id.driver,
        id.mark,
        pads.join("; ")
    )
}
