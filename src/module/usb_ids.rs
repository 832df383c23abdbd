//! The one table of USB ids: run mode and download mode of every family, and what is known about each.
//! Enumeration, udev rules, the doctor and the documents take their facts from here.
//! Source: specs/usb-and-hosts.md §1, §2.
//!
//! An id never says which module it is: 2c7c:6002 alone spans five series and two chip vendors.

use std::fmt;

use qpyflash_protocols::Platform;
use serde::{Deserialize, Serialize};

/// What the module is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// Its firmware runs and answers AT commands.
    Run,
    /// Its boot ROM or loader waits for a download.
    Download,
}

impl Mode {
    /// The words for a person.
    pub const fn words(self) -> &'static str {
        match self {
            Mode::Run => "run mode",
            Mode::Download => "download mode",
        }
    }
}

/// What an interface of a module is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// AT commands.
    At,
    /// QuecPython's interactive prompt.
    Repl,
    /// The download port.
    Download,
    /// PPP; answers AT too.
    Modem,
    /// Logs and diagnosis: never written to.
    Log,
}

impl Role {
    /// The word for a person.
    pub const fn word(self) -> &'static str {
        match self {
            Role::At => "at",
            Role::Repl => "repl",
            Role::Download => "download",
            Role::Modem => "modem",
            Role::Log => "log",
        }
    }
}

/// How well a row is known, in the marks of the specifications.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Mark {
    /// `[V]`: the vendor's code, documents or descriptors.
    Vendor,
    /// `[2]`: two independent sources.
    TwoSources,
    /// `[1]`: one source.
    OneSource,
}

impl fmt::Display for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Mark::Vendor => "[V]",
            Mark::TwoSources => "[2]",
            Mark::OneSource => "[1]",
        })
    }
}

/// The Linux driver that makes ttys of the serial interfaces.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Driver {
    /// `option` has a list of ids: the first mainline kernel whose list has this one; none has it where it is
    /// `None`, and the id must be written to `new_id`.
    Option {
        /// Major and minor version.
        since: Option<(u16, u16)>,
    },
    /// `cdc_acm` takes every CDC-ACM interface, whatever its id.
    CdcAcm,
    /// No driver of mainline is known to take it; whether `cdc_acm` does depends on descriptors nobody has published.
    Unknown,
}

impl fmt::Display for Driver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Driver::Option {
                since: Some((major, minor)),
            } => write!(f, "option since Linux {major}.{minor}"),
            Driver::Option { since: None } => f.write_str("option, which does not list it"),
            Driver::CdcAcm => f.write_str("cdc_acm"),
            Driver::Unknown => f.write_str("no driver known"),
        }
    }
}

/// How download mode is entered by hand on some series: the level of the pad USB_BOOT at power-on or reset.
/// Levels differ between series, so none is named without its series. Source: specs/usb-and-hosts.md §2.3.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BootPad {
    /// The series this is known for, in a person's words.
    pub series: &'static str,
    /// What to do with the pad.
    pub action: &'static str,
    /// How well it is known.
    pub mark: Mark,
}

/// One row: a VID and PID, and what they mean.
#[derive(Debug, Clone, Copy)]
pub struct UsbId {
    /// Vendor id.
    pub vid: u16,
    /// Product id.
    pub pid: u16,
    /// Run or download mode.
    pub mode: Mode,
    /// The chip platform; `None` where several share the id.
    pub platform: Option<Platform>,
    /// Interface number and role, the best one first.
    pub interfaces: &'static [(u8, Role)],
    /// Its firmware puts the AT port here and there: ports that the table does not know are asked, too, after one has
    /// listened to them. Source: specs/eigencomm-agentboot.md §1.1 \[2\].
    pub asks_unknown_ports: bool,
    /// The modules that show it.
    pub modules: &'static str,
    /// A device with this id is a module only if it carries no strings and runs at full speed: the id is also the
    /// Linux serial gadget's. Source: specs/usb-and-hosts.md §1.2.
    pub only_nameless: bool,
    /// The Linux driver of its serial interfaces.
    pub driver: Driver,
    /// How well the row is known.
    pub mark: Mark,
    /// The pad that leads into download mode, where its level is known.
    pub boot_pads: &'static [BootPad],
    /// A module may sit in download mode after a complete write until its supply has been taken away: that is a
    /// known end and no failure. Source: specs/usb-and-hosts.md §2.1 \[V\].
    pub power_cycle_after_write: bool,
}

use Mark::{OneSource, TwoSources, Vendor};
use Role::{At, Download, Log, Modem, Repl};

/// ASR and Unisoc 8850 share the role numbers of their relatives where nothing else is known.
const ASR_RUN: &[(u8, Role)] = &[(3, At), (4, Modem), (5, Repl), (2, Log)];
const UNISOC_RUN: &[(u8, Role)] = &[
    (2, At),
    (7, Modem),
    (8, Repl),
    (20, Repl),
    (3, Log),
    (4, Log),
    (5, Log),
    (6, Log),
];
/// Sources differ on all other interfaces, and firmware of 2021 has another shape altogether.
/// Source: specs/eigencomm-agentboot.md §1.1.
const EIGENCOMM_RUN: &[(u8, Role)] = &[(3, At)];
/// CDC-ACM ttys are bound at interface 0, the control interface; the data interface is 1.
const CDC_ACM: &[(u8, Role)] = &[(0, Download), (1, Download)];

const ASR_PADS: &[BootPad] = &[BootPad {
    series: "EC600N, EC800N, EC600M and EC800M",
    action: "connect USB_BOOT to ground",
    mark: Vendor,
}];
const UNISOC_8910_PADS: &[BootPad] = &[BootPad {
    series: "EC600U",
    action: "pull pin 55 to pin 76 (VDD_EXT, 1.8 V) through 4.7 kΩ",
    mark: Vendor,
}];
/// Source: specs/eigencomm-agentboot.md §1.3 \[V\].
const EIGENCOMM_PADS: &[BootPad] = &[BootPad {
    series: "EC600E and EC800E",
    action: "connect the pad USB_BOOT to VDD_EXT (1.8 V); a board must bring it out",
    mark: Vendor,
}];

/// What most rows have in common.
const COMMON: UsbId = UsbId {
    vid: 0,
    pid: 0,
    mode: Mode::Run,
    platform: None,
    interfaces: &[],
    modules: "",
    asks_unknown_ports: false,
    only_nameless: false,
    driver: Driver::Option { since: None },
    mark: Vendor,
    boot_pads: &[],
    power_cycle_after_write: false,
};

/// A run-mode row.
const fn run(pid: u16, interfaces: &'static [(u8, Role)], modules: &'static str) -> UsbId {
    UsbId {
        vid: 0x2c7c,
        pid,
        interfaces,
        modules,
        ..COMMON
    }
}

/// A download-mode row.
const fn download(vid: u16, pid: u16, platform: Platform, modules: &'static str) -> UsbId {
    UsbId {
        vid,
        pid,
        mode: Mode::Download,
        platform: Some(platform),
        interfaces: CDC_ACM,
        modules,
        driver: Driver::CdcAcm,
        ..COMMON
    }
}

/// The table. ASR's run-mode ids are shared with EC718 modules, so they name no platform.
/// Source: specs/usb-and-hosts.md §1.1 (run mode), §1.2 (download mode).
pub const TABLE: &[UsbId] = &[
    UsbId {
        driver: Driver::Option { since: Some((6, 7)) },
        boot_pads: ASR_PADS,
        ..run(0x6001, ASR_RUN, "EC100Y EC600S EC600N")
    },
    UsbId {
        driver: Driver::Option { since: Some((5, 15)) },
        mark: TwoSources,
        boot_pads: ASR_PADS,
        ..run(
            0x6002,
            ASR_RUN,
            "EC800N EC600M EC800M EC600K EC800K EG810M EG800K EG800P",
        )
    },
    UsbId {
        platform: Some(Platform::Unisoc8910),
        driver: Driver::Option { since: Some((6, 2)) },
        boot_pads: UNISOC_8910_PADS,
        ..run(0x0901, UNISOC_RUN, "EC200U EC600U EG912U EG915U")
    },
    UsbId {
        platform: Some(Platform::Unisoc8850),
        ..run(0x0904, UNISOC_RUN, "EC600G EC800G")
    },
    UsbId {
        platform: Some(Platform::Eigencomm618),
        mark: OneSource,
        asks_unknown_ports: true,
        boot_pads: EIGENCOMM_PADS,
        ..run(0x0903, EIGENCOMM_RUN, "EC600E EC800E")
    },
    UsbId {
        boot_pads: ASR_PADS,
        power_cycle_after_write: true,
        ..download(0x2ecc, 0x3017, Platform::Asr, "EC600S-CNAA and relatives")
    },
    UsbId {
        boot_pads: ASR_PADS,
        power_cycle_after_write: true,
        ..download(0x2ecc, 0x3004, Platform::Asr, "other ASR modules")
    },
    UsbId {
        only_nameless: true,
        boot_pads: UNISOC_8910_PADS,
        ..download(
            0x0525,
            0xa4a7,
            Platform::Unisoc8910,
            "EC200U EC600U EG912U EG915U",
        )
    },
    UsbId {
        driver: Driver::Unknown,
        ..download(0x1782, 0x4d16, Platform::Unisoc8850, "EC600G EC800G")
    },
    UsbId {
        mark: TwoSources,
        boot_pads: EIGENCOMM_PADS,
        ..download(0x17d1, 0x0001, Platform::Eigencomm618, "EC600E EC800E")
    },
];

/// UART adapters that boards carry in front of a module: the host sees the adapter's id, never the module's.
/// Source: specs/usb-and-hosts.md §1.1 \[2\].
pub const UART_ADAPTERS: &[(u16, u16)] = &[
    (0x1a86, 0x55d2),
    (0x1a86, 0x7523),
    (0x10c4, 0xea60),
    (0x04e2, 0x1411),
];

/// Adapters that brltty takes for a braille display, until version 6.5. Source: specs/usb-and-hosts.md §3.2 \[2\].
pub const TAKEN_BY_BRLTTY: &[(u16, u16)] = &[(0x1a86, 0x7523), (0x10c4, 0xea60), (0x0403, 0x6001)];

/// Looks an id up.
pub fn lookup(vid: u16, pid: u16) -> Option<&'static UsbId> {
    TABLE.iter().find(|id| id.vid == vid && id.pid == pid)
}

impl UsbId {
    /// The role of an interface.
    pub fn role(&self, interface: u8) -> Option<Role> {
        self.interfaces
            .iter()
            .find(|(number, _)| *number == interface)
            .map(|(_, role)| *role)
    }

    /// What makes the kernel take an id that no driver lists, until the next start of the host. The class keeps
    /// `option` off the network interfaces. Source: specs/usb-and-hosts.md §3.1 \[2\]; of an id whose driver is unknown
    /// §1.2 \[V\].
    pub fn new_id_command(&self) -> String {
        let (module, class, file) = match self.driver {
            Driver::Unknown => ("usbserial", "", "/sys/bus/usb-serial/drivers/generic/new_id"),
            _ => ("option", " ff", NEW_ID),
        };
        format!(
            "sudo modprobe {module} && echo {:04x} {:04x}{class} | sudo tee {file}",
            self.vid, self.pid
        )
    }

    /// What is known about it, in one line.
    pub fn summary(&self) -> String {
        format!("{self}: {}; {} {}", self.modules, self.driver, self.mark)
    }
}

/// How a person puts a module of that platform into download mode, while plugging it in or resetting it.
pub fn by_hand(platform: Option<Platform>) -> String {
    let row = platform.and_then(|_| {
        let wanted = |id: &&UsbId| id.mode == Mode::Download && id.platform == platform;
        TABLE.iter().find(wanted)
    });
    let pads: Vec<String> = row
        .map_or(&[][..], |id| id.boot_pads)
        .iter()
        .map(|pad| format!("{}: {} {}; ", pad.series, pad.action, pad.mark))
        .collect();
    format!(
        "hold the BOOT key or its pad ({}see the module's hardware guide) while plugging in or resetting the module, and \
         let go when the download port has appeared",
        pads.concat()
    )
}

/// Where `option` is told ids it does not list.
pub const NEW_ID: &str = "/sys/bus/usb-serial/drivers/option1/new_id";

impl fmt::Display for UsbId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04x}:{:04x}", self.vid, self.pid)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_id_stands_twice_and_no_adapter_is_a_module() {
        for (number, id) in TABLE.iter().enumerate() {
            let same = |other: &UsbId| (other.vid, other.pid) == (id.vid, id.pid);
            assert_eq!(TABLE.iter().position(same), Some(number), "{id}");
            assert!(!UART_ADAPTERS.contains(&(id.vid, id.pid)), "{id}");
        }
    }

    #[test]
    fn every_module_in_run_mode_has_an_at_port_and_download_mode_its_own() {
        for id in TABLE {
            let first = id.interfaces.first().map(|(_, role)| *role);
            assert_eq!(
                first,
                Some(if id.mode == Mode::Run { At } else { Download }),
                "{id}"
            );
            assert_eq!(
                id.mode == Mode::Run,
                matches!(id.driver, Driver::Option { .. }),
                "{id}"
            );
        }
    }

    #[test]
    fn no_level_is_named_without_its_series() {
        let asr = by_hand(Some(Platform::Asr));
        assert!(asr.contains("EC600N") && asr.contains("ground"), "{asr}");
        for unknown in [by_hand(None), by_hand(Some(Platform::Unisoc8850))] {
            for level in ["ground", "VDD", "1.8"] {
                assert!(!unknown.contains(level), "{unknown}");
            }
        }
    }
}
